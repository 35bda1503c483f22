//! Pods of JobManagers and TaskManagers: only what screens show and verdicts need.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::key::{PodKey, ProcessorKey};

/// What a pod does for its Flink cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Coordinates the job.
    JobManager,
    /// Runs its tasks.
    TaskManager,
}

impl Role {
    /// `JM` or `TM`.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::JobManager => "JM",
            Self::TaskManager => "TM",
        }
    }
}

/// How a container last ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Termination {
    /// Container name.
    pub container: Arc<str>,
    /// Kubernetes' reason, such as `OOMKilled` or `Error`.
    pub reason: Arc<str>,
    /// Exit code of the process.
    pub exit_code: i32,
    /// When it ended; `None` if the kubelet did not say.
    pub finished_at: Option<Time>,
}

/// How well a pod is, coarser than its status text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PodHealth {
    /// Ready.
    Ready,
    /// On its way up or down.
    Moving,
    /// Ended, and meant to.
    Done,
    /// Failing, crashing, evicted or unschedulable.
    Bad,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pod {
    /// Where it is.
    pub key: PodKey,
    /// The processor that it serves.
    pub processor: ProcessorKey,
    /// Pipeline by `app.kubernetes.io/part-of`, if labelled.
    pub pipeline: Option<Arc<str>>,
    /// Its role.
    pub role: Role,
    /// Status as kubectl words it: `Running`, `CrashLoopBackOff`, `OOMKilled`, `Terminating`, `Init:0/1`…
    pub status: Arc<str>,
    /// A sentence from the scheduler or kubelet on why it is not well.
    pub message: Option<Arc<str>>,
    /// How well it is.
    pub health: PodHealth,
    /// Containers that are ready.
    pub ready: u16,
    /// Container names, in the order of the pod's spec.
    pub containers: Vec<Arc<str>>,
    /// Restarts of all containers together.
    pub restarts: u32,
    /// The most recent end of a container.
    pub last_termination: Option<Termination>,
    /// Node, once scheduled.
    pub node: Option<Arc<str>>,
    /// Pod address, once known.
    pub address: Option<Arc<str>>,
    /// When it was created.
    pub created_at: Option<Time>,
    /// CPU limit of all containers, in thousandths of a core; `None` when unlimited.
    pub cpu_limit_millis: Option<u64>,
    /// Memory limit of all containers, in bytes; `None` when unlimited.
    pub memory_limit_bytes: Option<u64>,
}

/// What a pod uses now, by the metrics API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// CPU in thousandths of a core.
    pub cpu_millis: u64,
    /// Working set in bytes.
    pub memory_bytes: u64,
}
