//! A processor as a `FlinkDeployment` of the Flink Kubernetes operator.

use serde_json::{Value, json};

use super::{Piece, flink, kafka};
use crate::plan::object::{PART_OF, set};

/// The container that the operator's pods run Flink in.
const CONTAINER: &str = "flink-main-container";

/// The resource.
pub(super) fn deployment(piece: &Piece<'_>) -> Value {
    let mut configuration = piece.configuration();
    let keeps_state = flink::keeps_state(&configuration);
    let parallelism = piece.parallelism(&configuration);
    // The job says it; the operator ignores it here.
    configuration.remove("parallelism.default");
    let step = piece.step;
    let mut object = json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": piece.metadata(&piece.name, None),
        "spec": {
            "image": piece.image(),
            "imagePullPolicy": "IfNotPresent",
            "serviceAccount": piece.target.service_account,
            "flinkVersion": piece.flink.operator_word(),
            "flinkConfiguration": configuration,
            "podTemplate": pod_template(piece),
            "jobManager": {"replicas": 1, "resource": {"cpu": 1, "memory": "2Gi"}},
            "taskManager": {
                "replicas": step.replicas.value,
                "resource": {"cpu": step.cpu.value, "memory": flink::operator_memory(&step.memory.value)},
            },
            "job": {
                "jarURI": piece.fill(&piece.target.jar),
                "parallelism": parallelism,
                "state": "running",
                "upgradeMode": if keeps_state { "savepoint" } else { "stateless" },
                "allowNonRestoredState": false,
            },
        },
    });
    if let Some(class) = piece.class() {
        set(&mut object, &["spec", "job", "entryClass"], json!(class));
    }
    let arguments = piece.arguments();
    if !arguments.is_empty() {
        set(&mut object, &["spec", "job", "args"], json!(arguments));
    }
    object
}

fn pod_template(piece: &Piece<'_>) -> Value {
    let data = kafka::config_map(piece);
    json!({
        "metadata": {
            "labels": {PART_OF: piece.pipeline},
            "annotations": kafka::fingerprint(&[data.get("data").unwrap_or(&Value::Null)]),
        },
        "spec": {
            "containers": [{"name": CONTAINER, "env": kafka::variables(piece), "volumeMounts": kafka::mounts(piece)}],
            "volumes": kafka::volumes(piece),
        },
    })
}
