//! A processor as plain workloads: JobManager Deployment, TaskManager StatefulSet, ConfigMap and Service.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Piece, flink, kafka};
use crate::model::options::FlinkVersion;
use crate::plan::forecast::KEEPS_STATE;
use crate::plan::object::set;

/// Memory of a JobManager.
const JOB_MANAGER_MEMORY: &str = "2Gi";
/// Log lines as Flink's image writes them, to standard output.
const LOG4J: &str = "\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = ConsoleAppender
appender.console.name = ConsoleAppender
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    JobManager,
    TaskManager,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager",
            Self::TaskManager => "taskmanager",
        }
    }
}

/// All objects, in the order in which they are applied.
pub(super) fn objects(piece: &Piece<'_>) -> Vec<Value> {
    let configuration = config_map(piece);
    let data = kafka::config_map(piece);
    let texts = [&configuration, &data].map(|map| map.get("data").unwrap_or(&Value::Null));
    let pod = |role| pod(piece, role, &texts);
    let (jobs, tasks) = (pod(Role::JobManager), pod(Role::TaskManager));
    let selector = |role: Role| json!({"matchLabels": selector(piece, role)});
    let headless = format!("{}-taskmanager", piece.name);
    let mut workload = piece.metadata(&format!("{}-jobmanager", piece.name), Some("jobmanager"));
    let keeps_state = flink::keeps_state(&piece.configuration());
    set(&mut workload, &["annotations", KEEPS_STATE], json!(keeps_state.to_string()));
    vec![
        configuration.clone(),
        service(piece),
        headless_service(piece, &headless),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": workload,
            // Two JobManagers of one job would run it twice.
            "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": selector(Role::JobManager), "template": jobs},
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": piece.metadata(&format!("{}-taskmanager", piece.name), Some("taskmanager")),
            "spec": {
                "replicas": piece.step.replicas.value,
                "serviceName": headless,
                "podManagementPolicy": "Parallel",
                "selector": selector(Role::TaskManager),
                "template": tasks,
            },
        }),
    ]
}

fn selector(piece: &Piece<'_>, role: Role) -> Value {
    json!({"app": piece.name, "component": role.word()})
}

fn service(piece: &Piece<'_>) -> Value {
    let port = |name: &str, number: u16| json!({"name": name, "port": number, "targetPort": number, "protocol": "TCP"});
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": piece.metadata(&format!("{}-jobmanager", piece.name), Some("jobmanager")),
        "spec": {
            "selector": selector(piece, Role::JobManager),
            "ports": [port("rpc", 6123), port("blob-server", 6124), port("webui", 8081)],
        },
    })
}

fn headless_service(piece: &Piece<'_>, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": piece.metadata(name, Some("taskmanager")),
        "spec": {
            "clusterIP": "None",
            "selector": selector(piece, Role::TaskManager),
            "ports": [{"name": "rpc", "port": 6122, "targetPort": 6122, "protocol": "TCP"}],
        },
    })
}

fn config_map(piece: &Piece<'_>) -> Value {
    let mut configuration = piece.configuration();
    let parallelism = piece.parallelism(&configuration);
    let own = [
        ("jobmanager.rpc.address", format!("{}-jobmanager", piece.name)),
        ("jobmanager.rpc.port", "6123".to_owned()),
        ("blob.server.port", "6124".to_owned()),
        ("taskmanager.rpc.port", "6122".to_owned()),
        ("parallelism.default", parallelism.to_string()),
        ("jobmanager.memory.process.size", flink::flink_memory(JOB_MANAGER_MEMORY)),
        ("taskmanager.memory.process.size", flink::flink_memory(&piece.step.memory.value)),
    ];
    // A JobManager that ends with its job would be started again by Kubernetes, and run the job from an older state.
    configuration.entry("execution.shutdown-on-application-finish".to_owned()).or_insert_with(|| "false".to_owned());
    configuration.extend(own.map(|(name, value)| (name.to_owned(), value)));
    let (file, text) = match piece.flink.options {
        FlinkVersion::V1_20 => ("flink-conf.yaml", plain(&configuration)),
        FlinkVersion::V2_2 | FlinkVersion::V2_3 => ("config.yaml", yaml(&configuration)),
    };
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": piece.metadata(&format!("{}-config", piece.name), None),
        "data": {file: text, "log4j-console.properties": LOG4J},
    })
}

/// Flink 1 reads lines of its own, without quotes.
fn plain(configuration: &BTreeMap<String, String>) -> String {
    configuration.iter().map(|(name, value)| format!("{name}: {}\n", value.replace('\n', " "))).collect()
}

/// Flink 2 reads YAML; a text in JSON is one in YAML.
fn yaml(configuration: &BTreeMap<String, String>) -> String {
    configuration.iter().map(|(name, value)| format!("{name}: {}\n", json!(value))).collect()
}

fn pod(piece: &Piece<'_>, role: Role, texts: &[&Value]) -> Value {
    let (memory, cpu) = match role {
        Role::JobManager => (JOB_MANAGER_MEMORY.to_owned(), "1".to_owned()),
        Role::TaskManager => (piece.step.memory.value.clone(), flink::cores(piece.step.cpu.value)),
    };
    let mut arguments = vec![if role == Role::JobManager { "standalone-job" } else { "taskmanager" }.to_owned()];
    if role == Role::JobManager {
        arguments.extend(piece.class().into_iter().flat_map(|class| ["--job-classname".to_owned(), class.to_owned()]));
        // Kubernetes puts variables in, and takes two of them for one that means itself.
        arguments.extend(piece.arguments().into_iter().map(|argument| argument.replace('$', "$$")));
    }
    let ports = match role {
        Role::JobManager => json!([
            {"name": "rpc", "containerPort": 6123, "protocol": "TCP"},
            {"name": "blob-server", "containerPort": 6124, "protocol": "TCP"},
            {"name": "webui", "containerPort": 8081, "protocol": "TCP"},
        ]),
        Role::TaskManager => json!([{"name": "rpc", "containerPort": 6122, "protocol": "TCP"}]),
    };
    let mut mounts = kafka::mounts(piece);
    mounts.push(json!({"name": "flink-config", "mountPath": "/opt/flink/conf", "readOnly": true}));
    let mut volumes = kafka::volumes(piece);
    volumes.push(json!({"name": "flink-config", "configMap": {"name": format!("{}-config", piece.name)}}));
    json!({
        "metadata": {"labels": piece.labels(Some(role.word())), "annotations": kafka::fingerprint(texts)},
        "spec": {
            "serviceAccountName": piece.target.service_account,
            "containers": [{
                "name": role.word(),
                "image": piece.image(),
                "imagePullPolicy": "IfNotPresent",
                "args": arguments,
                "env": kafka::variables(piece),
                "ports": ports,
                "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}},
                "volumeMounts": mounts,
            }],
            "volumes": volumes,
        },
    })
}
