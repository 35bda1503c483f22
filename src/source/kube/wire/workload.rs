//! `Deployment`s, `StatefulSet`s and `Job`s.

use serde::{Deserialize, Deserializer};

use super::meta::Meta;
use super::pod::PodSpec;
use super::{nullable, resource};

/// What a Deployment and a StatefulSet have in common.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WorkloadSpec {
    /// Wanted pods; absent means one.
    pub replicas: Option<u32>,
    /// What its pods look like.
    #[serde(deserialize_with = "nullable")]
    pub template: Template,
}

/// What a workload's pods look like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Template {
    /// Their labels.
    #[serde(deserialize_with = "nullable")]
    pub metadata: Meta,
    /// Their containers.
    #[serde(deserialize_with = "nullable")]
    pub spec: PodSpec,
}

/// A Deployment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be.
    pub spec: WorkloadSpec,
}

resource!(Deployment, "apps", "v1", "Deployment", "deployments");

/// A StatefulSet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatefulSet {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be.
    pub spec: WorkloadSpec,
}

resource!(StatefulSet, "apps", "v1", "StatefulSet", "statefulsets");

/// A Job: in application mode the manifests of Flink's documentation run the JobManager as one.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be; one that is suspended or has ended wants no pods.
    pub spec: WorkloadSpec,
}

resource!(Job, "batch", "v1", "Job", "jobs");

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire {
            metadata: Meta,
            spec: Spec,
            #[serde(deserialize_with = "nullable")]
            status: Status,
        }

        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Spec {
            parallelism: Option<u32>,
            suspend: Option<bool>,
            #[serde(deserialize_with = "nullable")]
            template: Template,
        }

        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Status {
            completion_time: Option<String>,
        }

        let Wire { metadata, spec, status } = Wire::deserialize(deserializer)?;
        let is_over = spec.suspend == Some(true) || status.completion_time.is_some();
        let replicas = if is_over { Some(0) } else { spec.parallelism };
        Ok(Self { metadata, spec: WorkloadSpec { replicas, template: spec.template } })
    }
}
