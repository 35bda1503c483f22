//! What runs where when the demo starts: three environments, twelve pipelines, named and sized as in the talk.
//!
//! This is the one place with names and numbers. Everything else (objects, pods, jobs, traffic) is derived from it.

mod catalogue;
pub(crate) mod managed;

pub(crate) use catalogue::{clusters, nodes};

/// The environments, in the order of promotion.
pub(crate) const ENVIRONMENTS: [&str; 3] = ["qal", "e2e", "prd"];

/// How a Flink cluster is run on Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// `FlinkDeployment`, native mode: bare TaskManager pods, asked for by the JobManager.
    Native,
    /// `FlinkDeployment`, standalone mode: TaskManagers in a Deployment.
    OperatorStandalone,
    /// JobManager Deployment, TaskManager StatefulSet and config map, without an operator.
    Manifests,
}

/// How a cluster's pods write their log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Flink's own console pattern.
    Flink,
    /// `yyyy/MM/dd HH:mm:ss.SSS [thread] LEVEL logger - message`, as in the talk.
    Slashes,
}

/// One Flink cluster: pods, and the jobs that they run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClusterPlan {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) pipeline: String,
    pub(crate) runtime: Runtime,
    pub(crate) layout: Layout,
    /// `1.20` or `2.2`.
    pub(crate) flink: String,
    pub(crate) image: String,
    pub(crate) service_account: String,
    pub(crate) task_managers: u32,
    pub(crate) slots: u32,
    /// Thousandths of a core of one TaskManager.
    pub(crate) cpu_millis: u64,
    /// Memory of one TaskManager.
    pub(crate) memory_bytes: u64,
    /// How long it has been running.
    pub(crate) age_minutes: i64,
    /// Restarts that the JobManager's container has behind it.
    pub(crate) job_manager_restarts: u32,
    pub(crate) stopped: bool,
    pub(crate) jobs: Vec<JobPlan>,
    pub(crate) facts: Facts,
}

/// What people wrote on a processor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) revision: u32,
    pub(crate) offset_version: u32,
    pub(crate) artifact: String,
    pub(crate) team: String,
    /// The field manager that applied the objects.
    pub(crate) manager: String,
}

/// One job: what it reads and writes, and how hard it works.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobPlan {
    /// The job's name: the cluster's own, or that of a session job.
    pub(crate) name: String,
    /// It is a `FlinkSessionJob`.
    pub(crate) in_session: bool,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) group: String,
    pub(crate) parallelism: u32,
    pub(crate) vertices: &'static [VertexPlan],
    /// Records per second at the source.
    pub(crate) rate: f64,
    pub(crate) checkpoint_seconds: u32,
    pub(crate) state_bytes: u64,
    pub(crate) checkpoint_millis: u64,
}

/// One vertex of a job's graph; each feeds the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VertexPlan {
    pub(crate) name: &'static str,
    /// Share of time that a subtask is busy on an ordinary day.
    pub(crate) busy: f64,
    /// Records out for each record in.
    pub(crate) yields: f64,
}

/// A worker node.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) zone: &'static str,
}

impl ClusterPlan {
    /// The name of the StatefulSet or Deployment of the TaskManagers, when there is one.
    pub(crate) fn task_manager_workload(&self) -> Option<String> {
        match self.runtime {
            Runtime::Native => None,
            Runtime::OperatorStandalone => Some(format!("{}-taskmanager", self.name)),
            Runtime::Manifests => Some(self.name.clone()),
        }
    }

    /// A cluster whose jobs come from elsewhere.
    pub(crate) fn is_session(&self) -> bool {
        self.jobs.first().is_none_or(|job| job.in_session)
    }
}
