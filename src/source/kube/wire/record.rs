//! Kubernetes events, service accounts and pod metrics.

use serde::Deserialize;

use super::meta::Meta;
use super::{nullable, resource};
use crate::model::Time;

/// A Kubernetes event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// Metadata.
    pub metadata: Meta,
    /// What it is about.
    #[serde(deserialize_with = "nullable")]
    pub involved_object: Involved,
    /// A word.
    pub reason: Option<String>,
    /// A sentence.
    pub message: Option<String>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How often.
    pub count: Option<u32>,
    /// First time.
    pub first_timestamp: Option<Time>,
    /// Last time.
    pub last_timestamp: Option<Time>,
    /// The time, from newer reporters.
    pub event_time: Option<Time>,
    /// Repetitions, from newer reporters.
    pub series: Option<Series>,
    /// Reporter, from older ones.
    #[serde(deserialize_with = "nullable")]
    pub source: Source,
    /// Reporter, from newer ones.
    pub reporting_component: Option<String>,
}

resource!(Record, "", "v1", "Event", "events");

/// What an event is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Involved {
    /// Kind.
    pub kind: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// Repetitions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Series {
    /// How often.
    pub count: Option<u32>,
    /// Last time.
    pub last_observed_time: Option<Time>,
}

/// Reporter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Its name.
    pub component: Option<String>,
}

/// A service account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServiceAccount {
    /// Metadata.
    pub metadata: Meta,
}

resource!(ServiceAccount, "", "v1", "ServiceAccount", "serviceaccounts");

/// What a pod uses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodMetrics {
    /// Metadata of the pod.
    pub metadata: Meta,
    /// Its containers.
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<ContainerMetrics>,
}

resource!(PodMetrics, "metrics.k8s.io", "v1beta1", "PodMetrics", "pods");

/// What a container uses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerMetrics {
    /// Quantities.
    #[serde(deserialize_with = "nullable")]
    pub usage: super::pod::Amounts,
}
