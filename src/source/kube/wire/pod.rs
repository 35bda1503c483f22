//! Pods.

use serde::Deserialize;

use super::meta::Meta;
use super::{nullable, resource};
use crate::model::Time;

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be.
    pub spec: PodSpec,
    /// What it is.
    pub status: PodStatus,
}

resource!(Pod, "", "v1", "Pod", "pods");

/// What a pod should be; also inside a workload's template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Containers.
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<Container>,
    /// Containers that run first, and sidecars.
    #[serde(deserialize_with = "nullable")]
    pub init_containers: Vec<Container>,
    /// Node.
    pub node_name: Option<String>,
    /// Service account.
    pub service_account_name: Option<String>,
    /// Resources of the whole pod, which win over those of its containers.
    pub resources: Option<Resources>,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image.
    pub image: Option<String>,
    /// Resources.
    #[serde(deserialize_with = "nullable")]
    pub resources: Resources,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

impl Container {
    /// Whether an init container runs beside the others.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

/// Limits and requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Upper bounds.
    #[serde(deserialize_with = "nullable")]
    pub limits: Amounts,
    /// What the scheduler reserves.
    #[serde(deserialize_with = "nullable")]
    pub requests: Amounts,
}

/// Quantities as Kubernetes writes them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Cores.
    pub cpu: Option<String>,
    /// Bytes.
    pub memory: Option<String>,
}

/// What a pod is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// A word such as `Evicted`.
    pub reason: Option<String>,
    /// The sentence to it.
    pub message: Option<String>,
    /// Address.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
    /// Containers.
    #[serde(deserialize_with = "nullable")]
    pub container_statuses: Vec<ContainerStatus>,
    /// Init containers and sidecars.
    #[serde(deserialize_with = "nullable")]
    pub init_container_statuses: Vec<ContainerStatus>,
}

/// A condition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// Name.
    #[serde(rename = "type")]
    pub name: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// A word.
    pub reason: Option<String>,
    /// A sentence.
    pub message: Option<String>,
}

/// What a container is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether its start-up probe passed.
    pub started: Option<bool>,
    /// Restarts.
    pub restart_count: u32,
    /// Now.
    #[serde(deserialize_with = "nullable")]
    pub state: ContainerState,
    /// Before.
    #[serde(deserialize_with = "nullable")]
    pub last_state: ContainerState,
}

/// At most one of these is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// Not started.
    pub waiting: Option<Waiting>,
    /// Started.
    pub running: Option<Running>,
    /// Ended.
    pub terminated: Option<Terminated>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// A word.
    pub reason: String,
    /// A sentence.
    pub message: Option<String>,
}

/// A container runs.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Running {}

/// How a container ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Exit code.
    pub exit_code: i32,
    /// Signal, if the runtime says so.
    pub signal: i32,
    /// A word.
    pub reason: String,
    /// A sentence.
    pub message: Option<String>,
    /// When.
    pub finished_at: Option<Time>,
}
