//! Golden signals of pipelines: what goes in and out, what fails, how late it is, how near to its limits.
//!
//! Why: a pipeline is a service too. Its traffic is records, its errors are failures of its job and of its checkpoints,
//! its latency is how far event time is behind, and its saturation that of its nearest component.
//!
//! "Not known" is `None`: a job that does not answer has no rate of 0.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::inventory::{Inventory, Processor};
use super::job::{Job, Vertex};
use super::key::{PipelineKey, ProcessorKey};
use super::owner;
use super::signal::Saturation;

/// Failures are counted over so many minutes.
pub const FAILURE_MINUTES: i64 = 15;

/// The signals of one pipeline now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineSignals {
    /// The pipeline.
    #[serde(flatten)]
    pub key: PipelineKey,
    /// Records read a second: by its consumer groups where they are known, else by the sources of its jobs.
    pub records_in_per_second: Option<f64>,
    /// Records a second that reach the ends of its jobs.
    pub records_out_per_second: Option<f64>,
    /// Failures of its jobs in the last quarter of an hour; `None` while no job answers.
    pub failures: Option<usize>,
    /// Checkpoints that failed one after the other, of the worst job.
    pub failed_checkpoints: Option<u32>,
    /// How far event time is behind the clock, of the slowest job, seconds.
    pub watermark_delay_seconds: Option<i64>,
    /// Records that wait to be read.
    pub lag_records: Option<u64>,
    /// The component that is nearest to its limit.
    pub saturation: Option<Saturation>,
    /// What failed last, and when.
    pub last_failure: Option<(Time, Arc<str>)>,
}

/// The signals of a pipeline.
#[must_use]
pub fn of(inventory: &Inventory, key: &PipelineKey, now: Time) -> PipelineSignals {
    let processors: Vec<(&ProcessorKey, &Processor)> = inventory.processors_of(key).collect();
    let jobs = || processors.iter().filter_map(|(_, processor)| processor.job());
    let groups = || processors.iter().filter_map(|(key, _)| inventory.group_of(key));
    let since = now - chrono::Duration::minutes(FAILURE_MINUTES);
    let failures = || jobs().flat_map(|job| &job.failures);
    let last = failures().max_by_key(|failure| failure.at);
    PipelineSignals {
        key: key.clone(),
        records_in_per_second: sum(processors.iter().map(|(key, processor)| {
            let read = inventory.group_of(key).and_then(|group| group.consumed_per_second);
            read.or_else(|| processor.job().and_then(taken_in))
        })),
        records_out_per_second: sum(jobs().map(given_out)),
        failures: jobs().next().map(|_| failures().filter(|failure| failure.at >= since).count()),
        failed_checkpoints: jobs().filter_map(|job| Some(job.checkpoints.as_ref()?.failed_in_a_row)).max(),
        watermark_delay_seconds: jobs().filter_map(|job| job.watermark_lag_seconds(now)).max(),
        lag_records: groups().filter_map(super::kafka::Group::lag_records).reduce(u64::saturating_add),
        saturation: owner::saturation(inventory, key),
        last_failure: last.map(|failure| (failure.at, failure.root.class.clone())),
    }
}

/// The sum of what is known; `None` when nothing is.
fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(|sum, value| sum + value)
}

/// Records that the sources of a job read a second. Some versions of Flink count them only as they leave.
fn taken_in(job: &Job) -> Option<f64> {
    let sources = job.vertices.iter().filter(|vertex| vertex.inputs.is_empty());
    sum(sources.map(|vertex| more_of(vertex.records_in_per_second, vertex.records_out_per_second)))
}

/// Records that reach the sinks of a job a second: what a sink writes is not counted as leaving it.
fn given_out(job: &Job) -> Option<f64> {
    let feeds = |vertex: &Vertex| job.vertices.iter().any(|other| other.inputs.contains(&vertex.id));
    let sinks = job.vertices.iter().filter(|vertex| !feeds(vertex));
    sum(sinks.map(|vertex| more_of(vertex.records_out_per_second, vertex.records_in_per_second)))
}

/// The wanted rate, or the other one where that is not counted.
fn more_of(wanted: Option<f64>, other: Option<f64>) -> Option<f64> {
    wanted.filter(|rate| *rate > 0.0).or(other).or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::job::JobState;

    fn vertex(id: &str, input: Option<&str>, rates: (f64, f64)) -> Vertex {
        Vertex {
            id: id.into(),
            name: id.into(),
            inputs: input.into_iter().map(Into::into).collect(),
            parallelism: 1,
            max_parallelism: None,
            status: "RUNNING".into(),
            running: 1,
            busy_max: None,
            busy_mean: None,
            backpressure_max: None,
            records_in_per_second: Some(rates.0),
            records_out_per_second: Some(rates.1),
            watermark: None,
            busiest_subtask: None,
        }
    }

    fn job(vertices: Vec<Vertex>) -> Job {
        Job {
            id: "1".into(),
            name: "job".into(),
            state: JobState::Running,
            started_at: Time::UNIX_EPOCH,
            state_since: None,
            restarts: None,
            tasks: (1, 1),
            checkpoints: None,
            failures: Vec::new(),
            vertices,
            observed_at: Time::UNIX_EPOCH,
        }
    }

    #[test]
    fn rates_are_those_of_the_ends_of_a_job() {
        // A source counts what leaves it, a sink what enters it, and those between both.
        let whole = job(vec![
            vertex("one", None, (0.0, 70.0)),
            vertex("two", None, (0.0, 30.0)),
            vertex("map", Some("one"), (100.0, 50.0)),
            vertex("sink", Some("map"), (50.0, 0.0)),
        ]);
        assert_eq!((taken_in(&whole), given_out(&whole)), (Some(100.0), Some(50.0 + 30.0)));
        let quiet = job(vec![vertex("all", None, (0.0, 0.0))]);
        assert_eq!((taken_in(&quiet), given_out(&quiet)), (Some(0.0), Some(0.0)));
        assert_eq!((taken_in(&job(Vec::new())), given_out(&job(Vec::new()))), (None, None));
    }
}
