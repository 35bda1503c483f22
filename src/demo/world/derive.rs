//! From objects back to a plan: what people wrote into the cluster is what the world follows.

use serde_json::{Map, Value, json};

use crate::demo::dice;
use crate::demo::kubernetes::resources::{FLINK_DEPLOYMENTS, Resource};
use crate::demo::plan::{ClusterPlan, ENVIRONMENTS, Facts, JobPlan, Layout, Runtime, VertexPlan, clusters};

/// The objects that say what a cluster should be.
pub(crate) struct Owners<'a> {
    /// The `FlinkDeployment`, or the JobManager's Deployment.
    pub(crate) owner: &'a Value,
    /// The TaskManagers' StatefulSet, where there is one.
    pub(crate) workers: Option<&'a Value>,
}

/// Changes of these do not restart anything.
const IGNORED: [&str; 6] = [
    "upgradeMode",
    "initialSavepointPath",
    "allowNonRestoredState",
    "savepointTriggerNonce",
    "checkpointTriggerNonce",
    "autoscalerResetNonce",
];

const ANY_JOB: &[VertexPlan] = &[
    VertexPlan { name: "Source: input", busy: 0.24, yields: 1.0 },
    VertexPlan { name: "Process", busy: 0.48, yields: 0.7 },
    VertexPlan { name: "Sink: output", busy: 0.19, yields: 1.0 },
];

/// The old plan with everything that the objects say.
pub(crate) fn plan(old: &ClusterPlan, owners: &Owners<'_>) -> ClusterPlan {
    let mut plan = old.clone();
    let annotations = |field: &str| {
        owners
            .owner
            .pointer("/metadata/annotations")
            .and_then(|notes| notes.get(format!("flowdeck.dev/{field}")))
            .and_then(Value::as_str)
    };
    if let Some(pipeline) = text(owners.owner, "/metadata/labels/app.kubernetes.io~1part-of") {
        pipeline.clone_into(&mut plan.pipeline);
    }
    if let Some(revision) = annotations("revision").and_then(|text| text.parse().ok()) {
        plan.facts.revision = revision;
    }
    if let Some(version) = annotations("offset-version").and_then(|text| text.parse().ok()) {
        plan.facts.offset_version = version;
    }
    if plan.runtime == Runtime::Manifests {
        from_workloads(&mut plan, owners);
    } else {
        from_flink(&mut plan, owners.owner);
    }
    if let Some(job) = plan.jobs.first_mut().filter(|job| !job.in_session) {
        let list = |text: &str| text.split(',').map(|topic| topic.trim().to_owned()).collect();
        if let Some(inputs) = annotations("inputs") {
            job.inputs = list(inputs);
        }
        if let Some(outputs) = annotations("outputs") {
            job.outputs = list(outputs);
        }
        if let Some(group) = annotations("group") {
            group.clone_into(&mut job.group);
        }
    }
    plan
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str)
}

fn count(value: &Value, path: &str) -> Option<u32> {
    value.pointer(path).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok())
}

fn from_workloads(plan: &mut ClusterPlan, owners: &Owners<'_>) {
    plan.stopped = count(owners.owner, "/spec/replicas") == Some(0);
    let workers = owners.workers.unwrap_or(owners.owner);
    plan.task_managers = if owners.workers.is_some() { count(workers, "/spec/replicas").unwrap_or(1) } else { 0 };
    let container = workers.pointer("/spec/template/spec/containers/0");
    if let Some(container) = container {
        if let Some(image) = text(container, "/image") {
            image.clone_into(&mut plan.image);
        }
        if let Some(cpu) = container.pointer("/resources/limits/cpu").and_then(cpu_millis) {
            plan.cpu_millis = cpu;
        }
        if let Some(memory) = container.pointer("/resources/limits/memory").and_then(bytes) {
            plan.memory_bytes = memory;
        }
    }
    if let Some(account) = text(workers, "/spec/template/spec/serviceAccountName") {
        account.clone_into(&mut plan.service_account);
    }
    let slots = plan.slots;
    let task_managers = plan.task_managers;
    if let Some(job) = plan.jobs.first_mut() {
        job.parallelism = (task_managers * slots).max(1);
    }
}

fn from_flink(plan: &mut ClusterPlan, object: &Value) {
    let spec = object.get("spec").cloned().unwrap_or_default();
    if let Some(image) = text(&spec, "/image") {
        image.clone_into(&mut plan.image);
    }
    if let Some(account) = text(&spec, "/serviceAccount") {
        account.clone_into(&mut plan.service_account);
    }
    if let Some(version) = text(&spec, "/flinkVersion") {
        plan.flink = version.trim_start_matches('v').replace('_', ".");
    }
    plan.runtime =
        if text(&spec, "/mode") == Some("standalone") { Runtime::OperatorStandalone } else { Runtime::Native };
    plan.stopped = text(&spec, "/job/state") == Some("suspended");
    let configuration = flattened(spec.get("flinkConfiguration").unwrap_or(&Value::Null));
    let option = |name: &str| configuration.get(name).and_then(Value::as_str);
    plan.slots = option("taskmanager.numberOfTaskSlots").and_then(|slots| slots.parse().ok()).unwrap_or(1).max(1);
    if let Some(seconds) = option("execution.checkpointing.interval").and_then(seconds)
        && let Some(job) = plan.jobs.first_mut().filter(|job| !job.in_session)
    {
        job.checkpoint_seconds = seconds;
    }
    if let Some(cpu) = spec.pointer("/taskManager/resource/cpu").and_then(Value::as_f64) {
        plan.cpu_millis = millis(cpu);
    }
    if let Some(memory) = spec.pointer("/taskManager/resource/memory").and_then(bytes) {
        plan.memory_bytes = memory;
    }
    let slots = plan.slots;
    let parallelism = count(&spec, "/job/parallelism");
    if let (Some(parallelism), Some(job)) = (parallelism, plan.jobs.first_mut().filter(|job| !job.in_session)) {
        job.parallelism = parallelism.max(1);
    }
    let by_jobs = parallelism.map(|parallelism| parallelism.div_ceil(slots));
    if let Some(replicas) = count(&spec, "/taskManager/replicas").or(by_jobs) {
        plan.task_managers = replicas;
    }
}

/// Hashes of what the pods are made from, the JobManager's first.
pub(crate) fn templates(plan: &ClusterPlan, owners: &Owners<'_>) -> (u64, u64) {
    let hash = |value: Option<&Value>| dice::stable(&[&plan.name, &value.map_or_else(String::new, Value::to_string)]);
    if plan.runtime == Runtime::Manifests {
        let workers = owners.workers.and_then(|workers| workers.pointer("/spec/template"));
        return (hash(owners.owner.pointer("/spec/template")), hash(workers));
    }
    let mut spec = owners.owner.get("spec").cloned().unwrap_or_default();
    if let Some(job) = spec.get_mut("job").and_then(Value::as_object_mut) {
        job.retain(|name, _| !IGNORED.contains(&name.as_str()));
    }
    if let Some(configuration) = spec.get_mut("flinkConfiguration") {
        let kept: Map<String, Value> = flattened(configuration)
            .into_iter()
            .filter(|(name, _)| {
                !["job.autoscaler", "parallelism.default", "kubernetes.operator"]
                    .iter()
                    .any(|start| name.starts_with(start))
            })
            .collect();
        *configuration = Value::Object(kept);
    }
    let one = hash(Some(&spec));
    (one, one ^ 0x1)
}

/// Nested Flink configuration as flat keys with textual values, as the operator reads it.
fn flattened(configuration: &Value) -> Map<String, Value> {
    fn walk(prefix: &str, value: &Value, flat: &mut Map<String, Value>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&path, value, flat);
                }
            }
            Value::String(text) => {
                flat.insert(prefix.to_owned(), json!(text));
            }
            other => {
                flat.insert(prefix.to_owned(), json!(other.to_string()));
            }
        }
    }
    let mut flat = Map::new();
    walk("", configuration, &mut flat);
    flat
}

/// A plan for a cluster that is not in the catalogue.
pub(crate) fn adopted(resource: &'static Resource, object: &Value) -> Option<ClusterPlan> {
    let name = text(object, "/metadata/name")?.to_owned();
    let namespace = text(object, "/metadata/namespace")?.to_owned();
    let operator = resource.is(&FLINK_DEPLOYMENTS);
    if !operator {
        let component = text(object, "/spec/template/metadata/labels/component");
        let owned = object.pointer("/metadata/ownerReferences").is_some();
        if component != Some("jobmanager") || owned {
            return None;
        }
    }
    let known = ENVIRONMENTS.into_iter().rev().flat_map(clusters).find(|plan| plan.name == name);
    let has_job = !operator || object.pointer("/spec/job").is_some();
    let job =
        known.as_ref().and_then(|plan| plan.jobs.first().cloned()).filter(|job| !job.in_session).unwrap_or_else(|| {
            JobPlan {
                name: name.clone(),
                in_session: false,
                inputs: Vec::new(),
                outputs: Vec::new(),
                group: name.clone(),
                parallelism: 1,
                vertices: ANY_JOB,
                rate: 180.0,
                checkpoint_seconds: 60,
                state_bytes: 14_000_000,
                checkpoint_millis: 230,
            }
        });
    let base = ClusterPlan {
        namespace,
        pipeline: name.clone(),
        runtime: if operator { Runtime::Native } else { Runtime::Manifests },
        layout: if operator { Layout::Flink } else { Layout::Slashes },
        flink: "1.20".to_owned(),
        image: String::new(),
        service_account: "default".to_owned(),
        task_managers: 1,
        slots: 1,
        cpu_millis: 1_000,
        memory_bytes: 2 << 30,
        age_minutes: 0,
        job_manager_restarts: 0,
        stopped: false,
        jobs: if has_job { vec![job] } else { Vec::new() },
        facts: Facts { revision: 1, offset_version: 1, ..Facts::default() },
        name,
    };
    Some(plan(&base, &Owners { owner: object, workers: None }))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few cores")]
fn millis(cores: f64) -> u64 {
    (cores.clamp(0.0, 1_000.0) * 1_000.0) as u64
}

/// A CPU quantity of a container.
fn cpu_millis(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => match text.strip_suffix('m') {
            Some(number) => number.parse().ok(),
            None => text.parse().ok().map(millis),
        },
        other => other.as_f64().map(millis),
    }
}

/// A memory size: as Flink writes it, else as Kubernetes does.
fn bytes(value: &Value) -> Option<u64> {
    let text = value.as_str()?.trim();
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "" | "b" => 1,
        "k" | "kb" | "Ki" => 1 << 10,
        "m" | "mb" | "Mi" => 1 << 20,
        "g" | "gb" | "Gi" => 1 << 30,
        "t" | "tb" | "Ti" => 1 << 40,
        "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A Flink duration in whole seconds.
fn seconds(text: &str) -> Option<u32> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u32 = number.parse().ok()?;
    match unit.trim() {
        "" | "ms" => Some((number / 1_000).max(1)),
        "s" | "sec" | "second" | "seconds" => Some(number.max(1)),
        "m" | "min" | "minute" | "minutes" => Some(number * 60),
        "h" | "hour" | "hours" => Some(number * 3_600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::manifests;

    #[test]
    fn objects_say_what_their_plan_says() {
        for old in ENVIRONMENTS.into_iter().flat_map(clusters) {
            let now = chrono::Utc::now();
            let (owner, workers) = if old.runtime == Runtime::Manifests {
                let owner = manifests::workload::deployment(&old, crate::model::pod::Role::JobManager, None, now);
                (owner, Some(manifests::workload::stateful_set(&old, now)))
            } else {
                (manifests::flink::deployment(&old, now), None)
            };
            let new = plan(&old, &Owners { owner: &owner, workers: workers.as_ref() });
            assert_eq!((new.cpu_millis, new.memory_bytes), (old.cpu_millis, old.memory_bytes), "{}", old.name);
            assert_eq!((&new.image, new.stopped, new.runtime), (&old.image, old.stopped, old.runtime));
            if !old.stopped && !old.is_session() {
                assert_eq!(new.task_managers, old.task_managers, "{}", old.name);
            }
        }
    }

    #[test]
    fn sizes_are_read_as_flink_and_kubernetes_write_them() {
        assert_eq!(bytes(&json!("2048m")), Some(2 << 30));
        assert_eq!(bytes(&json!("4Gi")), Some(4 << 30));
        assert_eq!(seconds("2 min"), Some(120));
        assert_eq!(cpu_millis(&json!("500m")), Some(500));
    }
}
