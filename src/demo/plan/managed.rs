//! The pipelines of the demo that flowdeck itself deployed: their manifests, and what the environments give to them.

use super::ClusterPlan;

/// Image of an artifact.
pub(crate) const IMAGE: &str = "docker.intuit.example/data-processing/{artifact}:{revision}-flink{flink}";
/// Folder of a processor's state.
pub(crate) const STATE: &str = "s3://flowdeck-state-{namespace}/{processor}";
/// Service account of the pods.
pub(crate) const ACCOUNT: &str = "data-processing-sa";

const SESSIONIZATION: &str = include_str!("../../../config/examples/sessionization.yaml");

/// The manifest that a cluster was deployed with, when flowdeck did.
pub(crate) fn manifest(plan: &ClusterPlan) -> Option<&'static str> {
    (plan.name == "sessionization" && plan.namespace.ends_with("-prd")).then_some(SESSIONIZATION)
}

/// What was deployed before: the manifest of a revision so many before the one that runs.
pub(crate) fn earlier(manifest: &str, ago: u32) -> String {
    let shorter =
        |text: &str| text.replace("\"checkpointTimeoutMillis\": 600000", "\"checkpointTimeoutMillis\": 300000");
    match ago {
        0 => manifest.to_owned(),
        1 => shorter(manifest),
        _ => shorter(manifest).replace("replicas: 15", "replicas: 12"),
    }
}
