//! `Deployment`s and `StatefulSet`s.

use serde::Deserialize;

use super::meta::Meta;
use super::pod::PodSpec;
use super::{nullable, resource};

/// What both kinds have.
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
