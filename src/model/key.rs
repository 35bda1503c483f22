//! Names by which things are found again after an update.
//!
//! The strings are shared (`Arc<str>`), because thousands of pods repeat a few namespaces.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A namespaced object in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ObjectKey {
    /// Name of the environment, as in the settings or the kube context.
    pub environment: Arc<str>,
    /// Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
}

/// A pod.
pub type PodKey = ObjectKey;
/// A processor: one Flink deployment or session job.
pub type ProcessorKey = ObjectKey;
/// A pipeline: the processors that share `app.kubernetes.io/part-of` in a namespace.
pub type PipelineKey = ObjectKey;

impl ObjectKey {
    /// A key from its three parts.
    pub fn new(environment: impl Into<Arc<str>>, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { environment: environment.into(), namespace: namespace.into(), name: name.into() }
    }

    /// A key beside this one: the same environment and namespace, another name.
    #[must_use]
    pub fn sibling(&self, name: impl Into<Arc<str>>) -> Self {
        Self { environment: self.environment.clone(), namespace: self.namespace.clone(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.environment, self.namespace, self.name)
    }
}

/// A topic or a consumer group of one environment's Kafka cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct KafkaKey {
    /// Name of the environment.
    pub environment: Arc<str>,
    /// Topic or group name.
    pub name: Arc<str>,
}

impl KafkaKey {
    /// A key from its two parts.
    pub fn new(environment: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { environment: environment.into(), name: name.into() }
    }
}
