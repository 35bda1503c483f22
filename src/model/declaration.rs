//! What the objects of a cluster declare about a processor.
//!
//! A processor can be declared by a `FlinkDeployment`, by a `FlinkSessionJob`, by the workloads of its
//! JobManager and TaskManagers, or by several of them at once. Each object is one [`Declaration`];
//! the inventory joins those that name the same processor.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::job::JobState;
use super::key::{ObjectKey, ProcessorKey};

/// Which kind of object declares, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declarer {
    /// `flinkdeployments.flink.apache.org`.
    FlinkDeployment,
    /// `flinksessionjobs.flink.apache.org`.
    FlinkSessionJob,
    /// A Deployment of JobManager or TaskManager pods.
    Deployment,
    /// A StatefulSet of JobManager or TaskManager pods.
    StatefulSet,
    /// A Job that runs the JobManager of one application.
    Job,
}

/// How a processor runs on Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Runtime {
    /// A resource of the Flink Kubernetes operator.
    FlinkOperator,
    /// Plain workloads, without an operator.
    FlinkStandalone,
}

/// One object's word on a processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Kind of the object.
    pub declarer: Declarer,
    /// The object itself.
    pub object: ObjectKey,
    /// The processor that it declares.
    pub processor: ProcessorKey,
    /// Pipeline by `app.kubernetes.io/part-of`, if labelled.
    pub pipeline: Option<Arc<str>>,
    /// When the object was created.
    pub created_at: Option<Time>,
    /// Wanted TaskManagers, if this object says so.
    pub task_managers: Option<u32>,
    /// Wanted JobManagers, if this object says so.
    pub job_managers: Option<u32>,
    /// CPU of one TaskManager in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory of one TaskManager in bytes.
    pub memory_bytes: Option<u64>,
    /// Container image.
    pub image: Option<Arc<str>>,
    /// Service account of the pods; `None` means `default`.
    pub service_account: Option<Arc<str>>,
    /// Labels of the pods that the object makes, to find their service.
    pub pod_labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Facts that people wrote on the object.
    pub notes: Notes,
    /// What the operator says of the job; only for its own resources.
    pub operator: Option<OperatorStatus>,
}

/// Facts that flowdeck reads from `flowdeck.dev/…` annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Input topics (`inputs`).
    pub inputs: Vec<Arc<str>>,
    /// Output topics (`outputs`).
    pub outputs: Vec<Arc<str>>,
    /// Consumer group (`group`).
    pub group: Option<Arc<str>>,
    /// Deployed revision (`revision`).
    pub revision: Option<Arc<str>>,
    /// Offset version (`offset-version`).
    pub offset_version: Option<Arc<str>>,
    /// Artifact coordinates (`artifact`).
    pub artifact: Option<Arc<str>>,
    /// Owning team (`team`).
    pub team: Option<Arc<str>>,
}

/// What the Flink Kubernetes operator writes into a resource's status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorStatus {
    /// `spec.job.state` is `suspended`.
    pub suspended: bool,
    /// `spec.job` is absent: a session cluster.
    pub session_cluster: bool,
    /// Deployment whose pods run this job; only for session jobs.
    pub session: Option<Arc<str>>,
    /// `status.lifecycleState`, such as `STABLE`.
    pub lifecycle: Option<Arc<str>>,
    /// `status.jobManagerDeploymentStatus`, such as `READY`.
    pub job_manager: Option<Arc<str>>,
    /// `status.jobStatus.state`.
    pub job: Option<JobState>,
    /// `status.jobStatus.jobId`.
    pub job_id: Option<Arc<str>>,
    /// `status.jobStatus.startTime`.
    pub started_at: Option<Time>,
    /// First line of `status.error`.
    pub error: Option<Arc<str>>,
    /// Flink version.
    pub flink_version: Option<Arc<str>>,
    /// Upgrade mode: `stateless`, `savepoint` or `last-state`.
    pub upgrade_mode: Option<Arc<str>>,
    /// The operator has not seen the newest spec yet.
    pub behind: bool,
}

impl Declaration {
    /// The runtime that this kind of object belongs to.
    #[must_use]
    pub const fn runtime(&self) -> Runtime {
        match self.declarer {
            Declarer::FlinkDeployment | Declarer::FlinkSessionJob => Runtime::FlinkOperator,
            Declarer::Deployment | Declarer::StatefulSet | Declarer::Job => Runtime::FlinkStandalone,
        }
    }
}
