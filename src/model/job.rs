//! Flink jobs as their REST API shows them, and which subtask holds a job back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Time;
use super::exception::Throwable;

/// `org.apache.flink.api.common.JobStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// Being set up.
    Initializing,
    /// Known, not scheduled yet.
    Created,
    /// Running.
    Running,
    /// Failed; cleaning up before a restart or the end.
    Failing,
    /// Ended by a failure.
    Failed,
    /// Being cancelled.
    Cancelling,
    /// Ended by a person.
    Canceled,
    /// Ended by itself, or stopped with a savepoint.
    Finished,
    /// Waiting to run again after a failure.
    Restarting,
    /// Suspended.
    Suspended,
    /// Nobody can tell yet.
    Reconciling,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

impl JobState {
    /// Flink's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Reads Flink's word for it; anything else is [`JobState::Unknown`].
    #[must_use]
    pub fn parse(word: &str) -> Self {
        serde_json::from_value(serde_json::Value::String(word.to_ascii_uppercase())).unwrap_or(Self::Unknown)
    }

    /// Whether the job has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

/// A job, as far as it was fetched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Job id, 32 hexadecimal digits.
    pub id: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// State.
    pub state: JobState,
    /// When it was submitted.
    pub started_at: Time,
    /// When it entered `state`; `None` if only a summary was fetched.
    pub state_since: Option<Time>,
    /// Restarts since submission; `None` if the metric is not there yet.
    pub restarts: Option<u64>,
    /// Tasks that run, and all tasks.
    pub tasks: (u32, u32),
    /// Checkpoints; `None` when checkpointing is off or was not fetched.
    pub checkpoints: Option<Checkpoints>,
    /// Failures, newest first; only in detail.
    pub failures: Vec<Failure>,
    /// Vertices in the order from source to sink; only in detail.
    pub vertices: Vec<Vertex>,
    /// When Flink was asked.
    pub observed_at: Time,
}

impl Job {
    /// The highest parallelism of its vertices; `None` without detail.
    #[must_use]
    pub fn parallelism(&self) -> Option<u32> {
        self.vertices.iter().map(|vertex| vertex.parallelism).max()
    }

    /// How far the slowest vertex's event time is behind, in seconds.
    #[must_use]
    pub fn watermark_lag_seconds(&self, now: Time) -> Option<i64> {
        self.vertices.iter().filter_map(|vertex| vertex.watermark).map(|mark| (now - mark).num_seconds().max(0)).max()
    }
}

/// Checkpoint history in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checkpoints {
    /// Completed since submission.
    pub completed: u64,
    /// Failed since submission.
    pub failed: u64,
    /// Running now.
    pub in_progress: u64,
    /// The last that completed.
    pub last: Option<Checkpoint>,
    /// When the last one that failed did so, and what it said.
    pub last_failure: Option<(Time, Arc<str>)>,
    /// Failures since the last success.
    pub failed_in_a_row: u32,
}

/// One completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// Its number.
    pub id: u64,
    /// When the last task acknowledged it.
    pub completed_at: Time,
    /// From trigger to completion, in milliseconds.
    pub duration_ms: u64,
    /// Full size of the state, in bytes.
    pub size_bytes: u64,
    /// Where it lies, if outside the JobManager.
    pub path: Option<Arc<str>>,
}

/// One entry of the job's exception history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// When.
    pub at: Time,
    /// The outermost exception class.
    pub class: Arc<str>,
    /// The deepest cause.
    pub root: Throwable,
    /// Task that failed; `None` for a failure of the whole job.
    pub task: Option<Arc<str>>,
    /// TaskManager on which it ran.
    pub task_manager: Option<Arc<str>>,
    /// The whole trace.
    pub trace: Arc<str>,
}

/// One vertex of the job graph: a chain of operators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vertex {
    /// Vertex id.
    pub id: Arc<str>,
    /// Name of the chain.
    pub name: Arc<str>,
    /// Vertices that feed it.
    pub inputs: Vec<Arc<str>>,
    /// Subtasks.
    pub parallelism: u32,
    /// Upper bound of `parallelism` for the life of the state; `None` when unset.
    pub max_parallelism: Option<u32>,
    /// Flink's word for its state.
    pub status: Arc<str>,
    /// Subtasks that run.
    pub running: u32,
    /// Share of time that the busiest subtask is busy, 0 to 1.
    pub busy_max: Option<f64>,
    /// Mean share of time busy, 0 to 1.
    pub busy_mean: Option<f64>,
    /// Share of time that the worst subtask waits for those after it, 0 to 1.
    pub backpressure_max: Option<f64>,
    /// Records in per second, all subtasks.
    pub records_in_per_second: Option<f64>,
    /// Records out per second, all subtasks.
    pub records_out_per_second: Option<f64>,
    /// Event time that all subtasks have reached; `None` for sources and before the first.
    pub watermark: Option<Time>,
    /// The busiest subtask: its index from 0.
    pub busiest_subtask: Option<u32>,
}

/// The place that holds a job back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offender {
    /// Vertex name.
    pub vertex: Arc<str>,
    /// Subtask index from 0, if one stands out.
    pub subtask: Option<u32>,
    /// Subtasks of the vertex.
    pub parallelism: u32,
    /// Share of time busy, 0 to 1.
    pub busy: f64,
    /// Vertices that wait for it.
    pub holds_back: Vec<Arc<str>>,
}

/// Flink's own bound between `low` and `ok` back-pressure.
const BACKPRESSURED: f64 = 0.10;
/// From here on a subtask has no headroom worth the name.
const SATURATED: f64 = 0.90;

/// Names the vertex that is busy while those before it wait, as Flink's documentation on
/// back-pressure tells to look for it: busy, not itself back-pressured, just after one that is.
#[must_use]
pub fn offender(vertices: &[Vertex]) -> Option<Offender> {
    let waiting = |vertex: &Vertex| vertex.backpressure_max.is_some_and(|ratio| ratio > BACKPRESSURED);
    vertices
        .iter()
        .filter(|vertex| !waiting(vertex))
        .filter_map(|vertex| {
            let busy = vertex.busy_max?;
            let holds_back: Vec<Arc<str>> = vertices
                .iter()
                .filter(|upstream| vertex.inputs.contains(&upstream.id) && waiting(upstream))
                .map(|upstream| upstream.name.clone())
                .collect();
            (busy >= SATURATED || (!holds_back.is_empty() && busy > 0.5)).then(|| Offender {
                vertex: vertex.name.clone(),
                subtask: stands_out(vertex),
                parallelism: vertex.parallelism,
                busy,
                holds_back,
            })
        })
        .max_by(|left, right| left.busy.total_cmp(&right.busy))
}

/// A subtask is named when it is far busier than the mean: skew, not load.
fn stands_out(vertex: &Vertex) -> Option<u32> {
    let (max, mean) = (vertex.busy_max?, vertex.busy_mean?);
    if vertex.parallelism > 1 && max > mean * 1.3 { vertex.busiest_subtask } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(id: &str, inputs: &[&str], busy: f64, backpressure: f64) -> Vertex {
        Vertex {
            id: id.into(),
            name: id.into(),
            inputs: inputs.iter().map(|&input| input.into()).collect(),
            parallelism: 3,
            max_parallelism: None,
            status: "RUNNING".into(),
            running: 3,
            busy_max: Some(busy),
            busy_mean: Some(busy / 2.0),
            backpressure_max: Some(backpressure),
            records_in_per_second: None,
            records_out_per_second: None,
            watermark: None,
            busiest_subtask: Some(2),
        }
    }

    #[test]
    fn the_busy_vertex_behind_a_waiting_one_is_named() {
        let found = offender(&[
            vertex("source", &[], 0.1, 0.9),
            vertex("match", &["source"], 0.98, 0.0),
            vertex("sink", &["match"], 0.2, 0.0),
        ])
        .unwrap();
        assert_eq!((&*found.vertex, found.subtask, found.holds_back.len()), ("match", Some(2), 1));
    }

    #[test]
    fn a_calm_job_has_none() {
        assert_eq!(offender(&[vertex("source", &[], 0.3, 0.0), vertex("sink", &["source"], 0.4, 0.05)]), None);
    }

    #[test]
    fn words_are_read_back() {
        assert_eq!(JobState::parse("RESTARTING"), JobState::Restarting);
        assert_eq!(JobState::parse("Running"), JobState::Running);
        assert_eq!(JobState::parse("SOMETHING_NEW"), JobState::Unknown);
    }
}
