//! Kubernetes objects as they look in life, made from a cluster's plan.
//!
//! Every field that a console, `kubectl describe` or an operator would show is there, and `managedFields` too: on a
//! real cluster they are half of a pod's bytes, and a client that keeps them should notice here first.

pub(crate) mod flink;
pub(crate) mod managed;
pub(crate) mod place;
pub(crate) mod pod;
pub(crate) mod workload;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::demo::kubernetes::fields;
use crate::demo::kubernetes::store::metadata_of;
use crate::demo::plan::{ClusterPlan, JobPlan, Runtime};
use crate::model::pod::Role;

/// A time as Kubernetes writes it.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(crate) const fn component(role: Role) -> &'static str {
    match role {
        Role::JobManager => "jobmanager",
        Role::TaskManager => "taskmanager",
    }
}

/// The labels by which a cluster's pods are found.
pub(crate) fn pod_labels(plan: &ClusterPlan, role: Role) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut put = |name: &str, value: &str| {
        labels.insert(name.to_owned(), json!(value));
    };
    put("app", &plan.name);
    put("component", component(role));
    put("app.kubernetes.io/part-of", &plan.pipeline);
    match plan.runtime {
        Runtime::Native => put("type", "flink-native-kubernetes"),
        Runtime::OperatorStandalone => put("type", "flink-standalone-kubernetes"),
        Runtime::Manifests => {
            put("app.kubernetes.io/name", &plan.name);
            put("app.kubernetes.io/version", &plan.facts.revision.to_string());
        }
    }
    labels
}

/// The labels of the objects that belong to a cluster but are no pods.
pub(crate) fn object_labels(plan: &ClusterPlan) -> Value {
    json!({
        "app": plan.name,
        "app.kubernetes.io/part-of": plan.pipeline,
        "app.kubernetes.io/managed-by": plan.facts.manager,
    })
}

/// `flowdeck.dev/…`: what people say of a processor.
pub(crate) fn notes(plan: &ClusterPlan, job: Option<&JobPlan>) -> Map<String, Value> {
    let mut notes = Map::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            notes.insert(format!("flowdeck.dev/{name}"), json!(value));
        }
    };
    if let Some(job) = job {
        put("inputs", job.inputs.join(","));
        put("outputs", job.outputs.join(","));
        put("group", job.group.clone());
    }
    put("revision", plan.facts.revision.to_string());
    put("offset-version", plan.facts.offset_version.to_string());
    put("artifact", plan.facts.artifact.clone());
    put("team", plan.facts.team.clone());
    notes
}

/// The IAM role, as the talk's status page shows it.
pub(crate) fn role_arn(plan: &ClusterPlan) -> String {
    format!("arn:aws:iam::014327621327:role/k8s-{}", plan.namespace)
}

/// Flink's configuration of a cluster, as the operator or the config map holds it.
pub(crate) fn flink_configuration(plan: &ClusterPlan) -> Map<String, Value> {
    let mut configuration = Map::new();
    let mut put = |name: &str, value: String| {
        configuration.insert(name.to_owned(), json!(value));
    };
    let bucket = format!("s3://flowdeck-state-{}/{}", plan.namespace, plan.name);
    let seconds = plan.jobs.first().map_or(60, |job| job.checkpoint_seconds);
    put("taskmanager.numberOfTaskSlots", plan.slots.to_string());
    put("execution.checkpointing.interval", format!("{seconds} s"));
    put("execution.checkpointing.mode", "AT_LEAST_ONCE".to_owned());
    put("execution.checkpointing.timeout", "10 min".to_owned());
    put("execution.checkpointing.dir", format!("{bucket}/checkpoints"));
    put("execution.checkpointing.savepoint-dir", format!("{bucket}/savepoints"));
    put("execution.checkpointing.num-retained", "3".to_owned());
    put("execution.checkpointing.incremental", "true".to_owned());
    put("state.backend.type", "rocksdb".to_owned());
    put("restart-strategy.type", "exponential-delay".to_owned());
    put("high-availability.type", "kubernetes".to_owned());
    put("high-availability.storageDir", format!("{bucket}/ha"));
    put("pipeline.max-parallelism", "360".to_owned());
    put("taskmanager.memory.managed.fraction", "0.4".to_owned());
    put(
        "env.java.opts.all",
        "-Dcom.sun.management.jmxremote -Dcom.sun.management.jmxremote.authenticate=false".to_owned(),
    );
    configuration
}

/// A reference to the object that owns another.
pub(crate) fn owner(object: &Value) -> Value {
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Gives an object the `managedFields` that its makers would have left.
pub(crate) fn with_managers(mut object: Value, makers: &[(&str, &str, &str)]) -> Value {
    let api_version = object["apiVersion"].as_str().unwrap_or("v1").to_owned();
    let all = fields::leaves(&object);
    let entries: Vec<Value> = makers
        .iter()
        .map(|(manager, operation, part)| {
            let owned = all
                .iter()
                .filter(|path| {
                    let first = path.first().map_or("", String::as_str);
                    if *part == "status" { first == "f:status" } else { first != "f:status" }
                })
                .cloned()
                .collect();
            let mut entry = fields::entry(manager, operation, &api_version, &owned);
            if *part == "status" {
                entry["subresource"] = json!("status");
            }
            entry
        })
        .collect();
    if let Some(metadata) = metadata_of(&mut object) {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
    object
}
