//! Resources of the Flink Kubernetes operator.
//!
//! The leaves are untyped: the schema of `flinkConfiguration` changed between releases, numbers may be strings,
//! and clusters exist whose resource definition checks nothing.

use serde::Deserialize;
use serde_json::Value;

use super::meta::Meta;
use super::{nullable, resource};

/// A `FlinkDeployment`: an application, or a session cluster when it has no job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlinkDeployment {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be.
    #[serde(deserialize_with = "nullable")]
    pub spec: FlinkSpec,
    /// What the operator says of it; `None` until it looked.
    pub status: Option<FlinkStatus>,
}

resource!(FlinkDeployment, "flink.apache.org", "v1beta1", "FlinkDeployment", "flinkdeployments");

/// A `FlinkSessionJob`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlinkSessionJob {
    /// Metadata.
    pub metadata: Meta,
    /// What it should be.
    #[serde(deserialize_with = "nullable")]
    pub spec: FlinkSpec,
    /// What the operator says of it; `None` until it looked.
    pub status: Option<FlinkStatus>,
}

resource!(FlinkSessionJob, "flink.apache.org", "v1beta1", "FlinkSessionJob", "flinksessionjobs");

/// What both kinds want.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkSpec {
    /// Session cluster of a session job.
    pub deployment_name: Value,
    /// The job.
    pub job: Option<FlinkJob>,
    /// Image.
    pub image: Value,
    /// Service account.
    pub service_account: Value,
    /// `v1_20`.
    pub flink_version: Value,
    /// `native` or `standalone`.
    pub mode: Value,
    /// Options, flat, nested, or both.
    pub flink_configuration: Value,
    /// JobManagers.
    #[serde(deserialize_with = "nullable")]
    pub job_manager: Managers,
    /// TaskManagers.
    #[serde(deserialize_with = "nullable")]
    pub task_manager: Managers,
}

/// The wanted job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkJob {
    /// Parallelism.
    pub parallelism: Value,
    /// `running` or `suspended`.
    pub state: Value,
    /// Upgrade mode.
    pub upgrade_mode: Value,
}

/// Wanted JobManagers or TaskManagers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Managers {
    /// How many.
    pub replicas: Value,
    /// Resources of one, `{cpu, memory}`.
    #[serde(deserialize_with = "nullable")]
    pub resource: FlinkResource,
    /// Its successor, `{limits: {cpu, memory}, requests: …}`.
    pub resources: Value,
}

/// Resources of one pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FlinkResource {
    /// Cores.
    pub cpu: Value,
    /// Flink's notation first, then Kubernetes'.
    pub memory: Value,
}

/// What the operator says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkStatus {
    /// Lifecycle.
    pub lifecycle_state: Value,
    /// JobManager deployment.
    pub job_manager_deployment_status: Value,
    /// Job.
    #[serde(deserialize_with = "nullable")]
    pub job_status: FlinkJobStatus,
    /// JSON, usually.
    pub error: Value,
    /// Which spec it speaks of.
    pub observed_generation: Value,
    /// Facts from the REST API.
    pub cluster_info: Value,
    /// `{replicas, labelSelector}`.
    pub task_manager: Value,
}

/// What the operator says of the job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkJobStatus {
    /// Id.
    pub job_id: Value,
    /// State.
    pub state: Value,
    /// Epoch milliseconds, as a string.
    pub start_time: Value,
}
