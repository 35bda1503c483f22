//! The operator's resources: `FlinkDeployment`, `FlinkSessionJob`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{flink_configuration, notes, object_labels, time, with_managers};
use crate::demo::plan::{ClusterPlan, JobPlan, Runtime};

fn metadata(plan: &ClusterPlan, name: &str, job: Option<&JobPlan>, created: DateTime<Utc>) -> Value {
    json!({
        "name": name,
        "namespace": plan.namespace,
        "creationTimestamp": time(created),
        "generation": 2,
        "labels": object_labels(plan),
        "annotations": notes(plan, job),
        "finalizers": ["flinkdeployments.flink.apache.org/finalizer"],
    })
}

fn job_spec(plan: &ClusterPlan, job: &JobPlan) -> Value {
    let jar = plan.facts.artifact.split(':').nth(1).filter(|name| !name.is_empty()).unwrap_or("sampler");
    json!({
        "jarURI": if job.in_session { format!("https://artifacts.intuit.example/data/{jar}.jar") } else { format!("local:///opt/flink/usrlib/{jar}.jar") },
        "entryClass": "com.intuit.strmprocess.Main",
        "args": ["--runner=FlinkRunner", "--checkpointingMode=AT_LEAST_ONCE", format!("--inputTopics={}", job.inputs.join(","))],
        "parallelism": job.parallelism,
        "state": if plan.stopped { "suspended" } else { "running" },
        "upgradeMode": "savepoint",
        "allowNonRestoredState": false,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn cores(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}

pub(crate) fn deployment(plan: &ClusterPlan, created: DateTime<Utc>) -> Value {
    let version = format!("v{}", plan.flink.replace('.', "_"));
    let mut spec = json!({
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "serviceAccount": plan.service_account,
        "flinkVersion": version,
        "flinkConfiguration": flink_configuration(plan),
        "jobManager": {"replicas": 1, "resource": {"cpu": 1.0, "memory": "2Gi"}},
        "taskManager": {"resource": {"cpu": cores(plan.cpu_millis), "memory": super::pod::memory(plan.memory_bytes)}},
        "podTemplate": {
            "metadata": {"labels": {"app.kubernetes.io/part-of": plan.pipeline}},
            "spec": {"containers": [{"name": "flink-main-container", "env": [{"name": "AWS_REGION", "value": "us-west-2"}]}]},
        },
    });
    let own_job = plan.jobs.first().filter(|job| !job.in_session);
    if let Some(job) = own_job {
        spec["job"] = job_spec(plan, job);
    }
    if plan.runtime == Runtime::OperatorStandalone {
        spec["mode"] = json!("standalone");
        spec["taskManager"]["replicas"] = json!(plan.task_managers);
    }
    let object = json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": metadata(plan, &plan.name, own_job, created),
        "spec": spec,
    });
    let operation = if plan.facts.manager.starts_with("kubectl") { "Update" } else { "Apply" };
    with_managers(object, &[(&plan.facts.manager, operation, "spec")])
}

pub(crate) fn session_job(plan: &ClusterPlan, job: &JobPlan, created: DateTime<Utc>) -> Value {
    let mut metadata = metadata(plan, &job.name, Some(job), created);
    metadata["labels"]["target.session"] = json!(plan.name);
    metadata["finalizers"] = json!(["flinksessionjobs.flink.apache.org/finalizer"]);
    let object = json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkSessionJob",
        "metadata": metadata,
        "spec": {"deploymentName": plan.name, "job": job_spec(plan, job)},
    });
    with_managers(object, &[(&plan.facts.manager, "Update", "spec")])
}

/// The spec as the operator notes it down when it has acted on it.
pub(crate) fn reconciled(object: &Value, first: bool) -> String {
    json!({
        "spec": object["spec"],
        "resource_metadata": {"apiVersion": object["apiVersion"], "firstDeployment": first},
    })
    .to_string()
}
