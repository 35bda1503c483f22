//! What each verb writes: to objects that flowdeck deployed, as a whole; to those of others, only the fields it means.

use serde_json::{Value, json};

use super::manage::about::EXPIRES;
use super::manage::scaling::AUTOSCALED;
use super::object::{Id, Kind, OURS, annotate, annotation, label, set};

/// The argument by which a JobManager starts from a savepoint.
const FROM_SAVEPOINT: &str = "--fromSavepoint";

/// An object of ours as it will be, with what only the cluster knows: numbers that ask the operator for something, and
/// the savepoint that a plain JobManager began with. Without them an unrelated change would restart it.
#[must_use]
pub fn carried(live: Option<&Value>, wanted: &Value) -> Value {
    let mut object = wanted.clone();
    let Some(live) = live else { return object };
    if let Some(nonce) = live.pointer("/spec/restartNonce").filter(|it| !it.is_null()) {
        set(&mut object, &["spec", "restartNonce"], nonce.clone());
    }
    // Somebody else decides the number: to write the manifest's would undo it.
    if let Some(replicas) = live.pointer("/spec/replicas").filter(|_| annotation(live, AUTOSCALED) == Some("true")) {
        set(&mut object, &["spec", "replicas"], replicas.clone());
    }
    // Somebody may have said another last day since.
    if let (Some(day), Some(_)) = (annotation(live, EXPIRES), annotation(wanted, EXPIRES)) {
        annotate(&mut object, EXPIRES, day);
    }
    let restarted = format!("{OURS}restarted-at");
    let annotations = ["spec", "template", "metadata", "annotations"];
    if let Some(at) = annotations.iter().try_fold(live, |value, part| value.get(part)).and_then(|it| it.get(&restarted))
    {
        set(&mut object, &["spec", "template", "metadata", "annotations", &restarted], at.clone());
    }
    match savepoint_of(live) {
        Some(place) => from_savepoint(&object, &place),
        None => object,
    }
}

fn savepoint_of(object: &Value) -> Option<String> {
    let arguments = object.pointer("/spec/template/spec/containers/0/args")?.as_array()?;
    let at = arguments.iter().position(|it| it == FROM_SAVEPOINT)?;
    arguments.get(at + 1)?.as_str().map(str::to_owned)
}

/// A JobManager that begins with a savepoint.
#[must_use]
pub fn from_savepoint(object: &Value, place: &str) -> Value {
    let mut object = object.clone();
    if let Some(arguments) = object.pointer_mut("/spec/template/spec/containers/0/args").and_then(Value::as_array_mut) {
        if let Some(at) = arguments.iter().position(|it| it == FROM_SAVEPOINT) {
            arguments.drain(at..(at + 2).min(arguments.len()));
        }
        let after_command = 1.min(arguments.len());
        arguments.splice(after_command..after_command, [json!(FROM_SAVEPOINT), json!(place)]);
    }
    object
}

/// Objects of ours, stopped.
#[must_use]
pub fn stopped(objects: &[Value]) -> Vec<Value> {
    let stop = |object: &Value| {
        let mut object = object.clone();
        match Id::of(&object).map(|id| id.kind) {
            Some(Kind::FlinkDeployment) => set(&mut object, &["spec", "job", "state"], json!("suspended")),
            Some(Kind::Deployment | Kind::StatefulSet) => set(&mut object, &["spec", "replicas"], json!(0)),
            _ => {}
        }
        object
    };
    objects.iter().map(stop).collect()
}

/// Objects of ours, asked to restart; the number differs from the last one.
#[must_use]
pub fn restarted(objects: &[Value], number: i64) -> Vec<Value> {
    let restart = |object: &Value| {
        let mut object = object.clone();
        let kind = Id::of(&object).map(|id| id.kind);
        if let Some((path, value)) = kind.and_then(|kind| restart_field(kind, number)) {
            set(&mut object, &path.iter().map(String::as_str).collect::<Vec<_>>(), value);
        }
        object
    };
    objects.iter().map(restart).collect()
}

fn restart_field(kind: Kind, number: i64) -> Option<(Vec<String>, Value)> {
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    match kind {
        Kind::FlinkDeployment => Some((path(&["spec", "restartNonce"]), json!(number))),
        Kind::Deployment | Kind::StatefulSet => {
            let name = format!("{OURS}restarted-at");
            Some((path(&["spec", "template", "metadata", "annotations", &name]), json!(number.to_string())))
        }
        Kind::ConfigMap
        | Kind::Service
        | Kind::FlinkStateSnapshot
        | Kind::ServiceAccount
        | Kind::HorizontalPodAutoscaler => None,
    }
}

/// What is done to somebody else's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// It stops.
    Stop,
    /// It starts again with what it had.
    Start,
    /// It restarts, and this number differs from the last one.
    Restart(i64),
    /// It gets so many TaskManagers.
    Scale(u32),
}

/// The fields that a touch means; nothing where it means none. The version that was read goes with it, so that nobody's
/// change is written over unseen.
#[must_use]
pub fn patch(live: &Value, touch: Touch) -> Option<Value> {
    let kind = Id::of(live)?.kind;
    let role = |name: &str| {
        let template = live.pointer("/spec/template/metadata/labels/component").and_then(Value::as_str);
        label(live, "component").or(template) == Some(name)
    };
    let mut patch = json!({});
    match (kind, touch) {
        (Kind::FlinkDeployment, Touch::Stop) => set(&mut patch, &["spec", "job", "state"], json!("suspended")),
        (Kind::FlinkDeployment, Touch::Start) => set(&mut patch, &["spec", "job", "state"], json!("running")),
        (Kind::FlinkDeployment, Touch::Scale(count)) => {
            let slots = live.pointer("/spec/flinkConfiguration")?.get("taskmanager.numberOfTaskSlots");
            let slots: u64 = slots.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok())).unwrap_or(1);
            set(&mut patch, &["spec", "taskManager", "replicas"], json!(count));
            set(&mut patch, &["spec", "job", "parallelism"], json!(slots.saturating_mul(u64::from(count))));
        }
        (Kind::Deployment | Kind::StatefulSet, Touch::Stop) => {
            let replicas = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            annotate(&mut patch, &format!("{OURS}replicas"), &replicas.to_string());
            set(&mut patch, &["spec", "replicas"], json!(0));
        }
        (Kind::Deployment | Kind::StatefulSet, Touch::Start) => {
            let before = annotation(live, &format!("{OURS}replicas"))?;
            set(&mut patch, &["spec", "replicas"], json!(before.parse::<u32>().ok()?));
        }
        (Kind::Deployment | Kind::StatefulSet, Touch::Scale(count)) if role("taskmanager") => {
            set(&mut patch, &["spec", "replicas"], json!(count));
        }
        (_, Touch::Restart(number)) => {
            let (field, value) = restart_field(kind, number)?;
            set(&mut patch, &field.iter().map(String::as_str).collect::<Vec<_>>(), value);
        }
        _ => return None,
    }
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    set(&mut patch, &["metadata", "resourceVersion"], version);
    Some(patch)
}

/// A manifest with another number of TaskManagers; `None` when it has no such processor.
#[must_use]
pub fn scaled(manifest: &Value, processor: Option<&str>, replicas: u32) -> Option<Value> {
    let mut manifest = manifest.clone();
    let processors = manifest.pointer_mut("/spec/processors")?.as_array_mut()?;
    let alone = processors.len() == 1;
    let named = |it: &&mut Value| match processor {
        Some(name) => it.get("name").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(name)),
        None => alone,
    };
    let found = processors.iter_mut().find(named)?;
    set(found, &["replicas"], json!(replicas));
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_manager_begins_with_the_last_savepoint_alone() {
        let object = json!({"spec": {"template": {"spec": {"containers": [{"args": ["standalone-job", "--a=b"]}]}}}});
        let first = from_savepoint(&object, "s3://a");
        let second = from_savepoint(&first, "s3://b");
        let arguments = second.pointer("/spec/template/spec/containers/0/args").unwrap();
        assert_eq!(*arguments, json!(["standalone-job", "--fromSavepoint", "s3://b", "--a=b"]));
        assert_eq!(carried(Some(&second), &object), second);
    }

    #[test]
    fn others_objects_are_touched_where_it_is_meant_and_only_as_read() {
        let live = json!({"kind": "FlinkDeployment", "metadata": {"name": "o", "resourceVersion": "7"},
            "spec": {"flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4"}}});
        let expected = json!({"metadata": {"resourceVersion": "7"}, "spec": {"taskManager": {"replicas": 3}, "job": {"parallelism": 12}}});
        assert_eq!(patch(&live, Touch::Scale(3)), Some(expected));
        let workers = json!({"kind": "StatefulSet", "metadata": {"name": "o", "resourceVersion": "7", "labels": {"component": "taskmanager"}}, "spec": {"replicas": 5}});
        let stop = patch(&workers, Touch::Stop).unwrap();
        assert_eq!(
            (&stop["spec"]["replicas"], &stop["metadata"]["annotations"]["flowdeck.dev/replicas"]),
            (&json!(0), &json!("5"))
        );
        let jobs = json!({"kind": "Deployment", "metadata": {"name": "o", "labels": {"component": "jobmanager"}}});
        assert_eq!(patch(&jobs, Touch::Scale(3)), None);
    }

    #[test]
    fn a_manifest_is_scaled_where_it_is_clear_which_processor_is_meant() {
        let two = json!({"spec": {"processors": [{"name": "a", "replicas": 1}, {"name": "b", "replicas": 1}]}});
        assert_eq!(scaled(&two, None, 5), None);
        assert_eq!(scaled(&two, Some("B"), 5).unwrap()["spec"]["processors"][1]["replicas"], 5);
        assert_eq!(scaled(&two, Some("c"), 5), None);
    }
}
