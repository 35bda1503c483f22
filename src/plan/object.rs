//! Objects of a cluster that a change touches: their kinds, names, and what is noise in them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Prefix of labels and annotations of our own.
pub const OURS: &str = "flowdeck.dev/";
/// Who owns the fields that flowdeck applies, and the value of `app.kubernetes.io/managed-by`.
pub const MANAGER: &str = "flowdeck";
/// The label that joins processors to a pipeline.
pub const PART_OF: &str = "app.kubernetes.io/part-of";
/// The label that says who deployed an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// A kind that flowdeck writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Configuration of a processor, and revisions of a pipeline.
    ConfigMap,
    /// The address of a JobManager.
    Service,
    /// A JobManager without an operator.
    Deployment,
    /// TaskManagers without an operator.
    StatefulSet,
    /// A processor that the operator runs.
    FlinkDeployment,
    /// A savepoint that the operator is asked for.
    FlinkStateSnapshot,
    /// Who pods are.
    ServiceAccount,
    /// What decides the number of TaskManagers without an operator.
    HorizontalPodAutoscaler,
}

impl Kind {
    /// All of them, in the order in which they are applied.
    pub const ALL: [Self; 8] = [
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::StatefulSet,
        Self::FlinkDeployment,
        Self::FlinkStateSnapshot,
        Self::ServiceAccount,
        Self::HorizontalPodAutoscaler,
    ];

    /// As an object's `kind` says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::FlinkDeployment => "FlinkDeployment",
            Self::FlinkStateSnapshot => "FlinkStateSnapshot",
            Self::ServiceAccount => "ServiceAccount",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    /// Reads an object's `kind`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// API group; empty for the core.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Service | Self::ServiceAccount => "",
            Self::Deployment | Self::StatefulSet => "apps",
            Self::FlinkDeployment | Self::FlinkStateSnapshot => "flink.apache.org",
            Self::HorizontalPodAutoscaler => "autoscaling",
        }
    }

    /// Group and version, as an object's `apiVersion` says them.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ConfigMap | Self::Service | Self::ServiceAccount => "v1",
            Self::Deployment | Self::StatefulSet => "apps/v1",
            Self::FlinkDeployment | Self::FlinkStateSnapshot => "flink.apache.org/v1beta1",
            Self::HorizontalPodAutoscaler => "autoscaling/v2",
        }
    }

    /// As paths and permissions name it.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::FlinkDeployment => "flinkdeployments",
            Self::FlinkStateSnapshot => "flinkstatesnapshots",
            Self::ServiceAccount => "serviceaccounts",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
        }
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    /// Kind.
    pub kind: Kind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Id {
    /// An object's identity by its three parts.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// What an object says of itself; `None` for a kind that is not ours to write.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str);
        let kind = Kind::parse(text("/kind")?)?;
        Some(Self::new(kind, text("/metadata/namespace").unwrap_or_default(), text("/metadata/name")?))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.word(), self.name)
    }
}

/// A label of an object.
#[must_use]
pub fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(name)?.as_str()
}

/// Whether it runs a job: the operator's resource, or a plain JobManager.
#[must_use]
pub fn runs_a_job(id: &Id, object: &Value) -> bool {
    let template = object.pointer("/spec/template/metadata/labels/component").and_then(Value::as_str);
    let component = label(object, "component").or(template);
    id.kind == Kind::FlinkDeployment || (id.kind == Kind::Deployment && component == Some("jobmanager"))
}

/// An annotation of an object.
#[must_use]
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// The text of a scalar, whichever way it is written.
#[must_use]
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// An option that may be written flat, nested, or part of each: `{"a.b": {"c": 1}}` sets `a.b.c`.
#[must_use]
pub fn option(configuration: &Value, key: &str) -> Option<String> {
    let map = configuration.as_object()?;
    map.get(key).and_then(scalar).or_else(|| {
        map.iter().find_map(|(name, value)| option(value, key.strip_prefix(name.as_str())?.strip_prefix('.')?))
    })
}

/// Whether another object keeps it: what a controller made, it takes away itself.
#[must_use]
pub fn is_kept_by_another(object: &Value) -> bool {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| !owners.is_empty())
}

/// Sets an annotation.
pub fn annotate(object: &mut Value, name: &str, value: &str) {
    set(object, &["metadata", "annotations", name], Value::String(value.to_owned()));
}

/// Puts a value at a place, and makes the way there.
pub fn set(object: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let mut here = object;
    for part in way {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Some(fields) = here.as_object_mut() else { return };
        here = fields.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    }
    if !here.is_object() {
        *here = Value::Object(Map::new());
    }
    if let Some(fields) = here.as_object_mut() {
        fields.insert((*last).to_owned(), value);
    }
}

/// An object without what the server writes into it: what somebody wanted, alone.
#[must_use]
pub fn wanted(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for noise in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"] {
            metadata.remove(noise);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            annotations.remove("deployment.kubernetes.io/revision");
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_controller_made_is_its_own() {
        let owned = serde_json::json!({"metadata": {"ownerReferences": [{"kind": "FlinkDeployment", "name": "a"}]}});
        assert!(is_kept_by_another(&owned));
        assert!(!is_kept_by_another(&serde_json::json!({"metadata": {"ownerReferences": []}})));
        assert!(!is_kept_by_another(&serde_json::json!({"metadata": {}})));
    }
}
