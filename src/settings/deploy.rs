//! What an environment gives to pipelines that are deployed to it.

use serde::Deserialize;

/// How pipelines are deployed to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DeploySettings {
    /// Namespace; defaults to the first one that is watched, else the context's own.
    pub namespace: Option<String>,
    /// Image of an artifact, with `{group}`, `{artifact}`, `{version}`, `{revision}` and `{flink}`.
    pub image: String,
    /// Where the artifact's jar is in that image; the same words.
    pub jar: String,
    /// Service account of the pods.
    pub service_account: String,
    /// Folder of an object store for checkpoints and savepoints, with `{namespace}`, `{pipeline}` and `{processor}`.
    pub state: Option<String>,
    /// Whether nothing temporary may run here; defaults to yes for prd, prod and production.
    pub production: Option<bool>,
    /// When changes are allowed, such as `Mon-Thu 09:00-16:00`, in UTC; none means always.
    pub change_windows: Vec<String>,
    /// Secret in the namespace with what the processors' Kafka clients must not show.
    pub kafka_secret: Option<String>,
    /// Kafka user of the processors, such as `User:flink-{processor}`, with `{pipeline}` and `{processor}`.
    pub kafka_principal: Option<String>,
    /// Keys of that Secret, each the name of a client property.
    pub kafka_secret_keys: Vec<String>,
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self {
            namespace: None,
            image: "{artifact}:{version}".to_owned(),
            jar: "local:///opt/flink/usrlib/{artifact}.jar".to_owned(),
            service_account: "flink".to_owned(),
            state: None,
            production: None,
            change_windows: Vec::new(),
            kafka_secret: None,
            kafka_principal: None,
            kafka_secret_keys: vec!["sasl.jaas.config".to_owned()],
        }
    }
}
