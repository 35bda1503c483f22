//! Answers of Flink's REST API, from 1.13 to 2.x, as model values.
//!
//! Field names changed their spelling between releases, numbers may be strings, and a missing measurement is
//! the string "NaN". So answers are read field by field: what is missing is missing, and one odd field does
//! not take the rest with it. Pure functions: no IO, no clock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;

use crate::model::Time;
use crate::model::exception::root_cause;
use crate::model::job::{Checkpoint, Checkpoints, Failure, Job, JobState, Vertex};
use crate::source::kube::trouble::cut;

/// Longest stack trace that is kept, in bytes.
const LONGEST_TRACE: usize = 64 << 10;

/// An answer that is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON: a login page of a proxy, or half an answer.
    #[error("Flink's answer is not JSON; is something else behind that address?")]
    NotJson,
    /// JSON without the field that everything hangs on.
    #[error("Flink's answer has no {0}; is something else behind that address?")]
    Missing(&'static str),
}

/// One line of `/jobs/overview`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Job id.
    pub id: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// State.
    pub state: JobState,
    /// When it was submitted.
    pub started_at: Time,
    /// When it, or one of its tasks, last changed its state.
    pub changed_at: Option<Time>,
    /// Tasks that run, and all tasks.
    pub tasks: (u32, u32),
}

/// How busy a vertex is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Share of time that the busiest subtask is busy.
    pub busy_max: Option<f64>,
    /// Mean share of time busy.
    pub busy_mean: Option<f64>,
    /// Share of time that the worst subtask waits for those after it.
    pub backpressure_max: Option<f64>,
    /// Records in per second.
    pub records_in: Option<f64>,
    /// Records out per second.
    pub records_out: Option<f64>,
    /// The busiest subtask.
    pub busiest: Option<u32>,
    /// Event time that all subtasks have reached.
    pub watermark: Option<Time>,
}

/// Metrics asked for each vertex.
pub const VERTEX_METRICS: &str =
    "busyTimeMsPerSecond,backPressuredTimeMsPerSecond,numRecordsInPerSecond,numRecordsOutPerSecond";
/// Metrics asked for a job; the second is the older name of the first.
pub const JOB_METRICS: &str = "numRestarts,fullRestarts";

fn json(text: &str) -> Result<Value, DecodeError> {
    serde_json::from_str(text).map_err(|_| DecodeError::NotJson)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A number that may be written as a string; `NaN` is no number.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

fn whole(value: &Value, name: &str) -> Option<u64> {
    let field = value.get(name)?;
    field.as_u64().or_else(|| field.as_str()?.trim().parse().ok())
}

fn small(value: &Value, name: &str) -> Option<u32> {
    whole(value, name).and_then(|number| u32::try_from(number).ok())
}

fn millis(value: &Value) -> Option<Time> {
    let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())?;
    DateTime::from_timestamp_millis(number).filter(|_| number > 0)
}

fn moment(value: &Value, name: &str) -> Option<Time> {
    value.get(name).and_then(millis)
}

/// Reads `/jobs/overview`.
///
/// # Errors
/// When the answer is something else.
pub fn overview(body: &str) -> Result<Vec<Listed>, DecodeError> {
    let body = json(body)?;
    let jobs = body.get("jobs").and_then(Value::as_array).ok_or(DecodeError::Missing("list of jobs"))?;
    Ok(jobs.iter().filter_map(listed).collect())
}

fn listed(job: &Value) -> Option<Listed> {
    let tasks = job.get("tasks").unwrap_or(&Value::Null);
    Some(Listed {
        id: text(job, "jid").or_else(|| text(job, "id"))?.into(),
        name: text(job, "name").unwrap_or_default().into(),
        state: JobState::parse(text(job, "state")?),
        started_at: moment(job, "start-time")?,
        changed_at: moment(job, "last-modification"),
        tasks: (small(tasks, "running").unwrap_or(0), small(tasks, "total").unwrap_or(0)),
    })
}

/// The job that is meant: by id, else the newest that has not ended, else the newest.
#[must_use]
pub fn choose<'a>(jobs: &'a [Listed], id: Option<&str>) -> Option<&'a Listed> {
    jobs.iter()
        .find(|job| Some(&*job.id) == id)
        .or_else(|| jobs.iter().max_by_key(|job| (!job.state.is_terminal(), job.started_at)))
}

impl Listed {
    /// The job as far as the overview tells it.
    #[must_use]
    pub fn summary(&self, now: Time) -> Job {
        Job {
            id: self.id.clone(),
            name: self.name.clone(),
            state: self.state,
            started_at: self.started_at,
            state_since: None,
            restarts: None,
            tasks: self.tasks,
            checkpoints: None,
            failures: Vec::new(),
            vertices: Vec::new(),
            observed_at: now,
        }
    }
}

/// Reads `/jobs/:id`.
///
/// # Errors
/// When the answer is something else.
pub fn job(body: &str, now: Time) -> Result<Job, DecodeError> {
    let body = json(body)?;
    let id = text(&body, "jid").ok_or(DecodeError::Missing("job id"))?;
    let word = text(&body, "state").ok_or(DecodeError::Missing("job state"))?;
    let since = body.get("timestamps").and_then(|times| moment(times, word));
    let vertices = vertices(&body);
    let running = vertices.iter().map(|vertex| vertex.running).sum();
    let total = vertices.iter().map(|vertex| vertex.parallelism).sum();
    Ok(Job {
        id: id.into(),
        name: text(&body, "name").unwrap_or_default().into(),
        state: JobState::parse(word),
        started_at: moment(&body, "start-time").or(since).unwrap_or(now),
        state_since: since,
        restarts: None,
        tasks: (running, total),
        checkpoints: None,
        failures: Vec::new(),
        vertices,
        observed_at: now,
    })
}

fn vertices(job: &Value) -> Vec<Vertex> {
    let nodes = list(job.get("plan").unwrap_or(&Value::Null), "nodes");
    let inputs: HashMap<&str, Vec<Arc<str>>> = nodes
        .iter()
        .filter_map(|node| {
            let inputs = list(node, "inputs").iter().filter_map(|input| text(input, "id").map(Into::into));
            Some((text(node, "id")?, inputs.collect()))
        })
        .collect();
    let vertices = list(job, "vertices").iter().filter_map(|vertex| self::vertex(vertex, &inputs)).collect();
    source_to_sink(vertices)
}

fn vertex(vertex: &Value, inputs: &HashMap<&str, Vec<Arc<str>>>) -> Option<Vertex> {
    let id = text(vertex, "id")?;
    let tasks = vertex.get("tasks").unwrap_or(&Value::Null);
    Some(Vertex {
        id: id.into(),
        name: text(vertex, "name").unwrap_or(id).into(),
        inputs: inputs.get(id).cloned().unwrap_or_default(),
        parallelism: small(vertex, "parallelism").unwrap_or(0),
        max_parallelism: small(vertex, "maxParallelism").filter(|max| *max > 0),
        status: text(vertex, "status").unwrap_or("UNKNOWN").into(),
        running: small(tasks, "RUNNING").unwrap_or(0),
        busy_max: None,
        busy_mean: None,
        backpressure_max: None,
        records_in_per_second: None,
        records_out_per_second: None,
        watermark: None,
        busiest_subtask: None,
    })
}

/// Each vertex after those that feed it; Flink's own order otherwise. It lists a plan from sinks in some
/// releases and from sources in others.
fn source_to_sink(mut rest: Vec<Vertex>) -> Vec<Vertex> {
    let known: HashSet<Arc<str>> = rest.iter().map(|vertex| vertex.id.clone()).collect();
    let mut placed: HashSet<Arc<str>> = HashSet::new();
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let ready =
            |vertex: &Vertex| vertex.inputs.iter().all(|input| placed.contains(input) || !known.contains(input));
        // A plan has no cycle; should an answer have one, the first vertex breaks it.
        let next = rest.iter().position(ready).unwrap_or(0);
        let vertex = rest.remove(next);
        placed.insert(vertex.id.clone());
        ordered.push(vertex);
    }
    ordered
}

/// Reads `/jobs/:id/checkpoints`; `None` when the job takes none.
#[must_use]
pub fn checkpoints(body: &str) -> Option<Checkpoints> {
    let body = json(body).ok()?;
    let counts = body.get("counts")?;
    let latest = |name: &str| body.get("latest").and_then(|latest| latest.get(name));
    let history = list(&body, "history");
    let is = |checkpoint: &Value, status: &str| text(checkpoint, "status") == Some(status);
    let savepoint = |checkpoint: &Value| checkpoint.get("is_savepoint").and_then(Value::as_bool) == Some(true);
    let regular = || history.iter().filter(|checkpoint| !savepoint(checkpoint));
    let newest = |status: &str| {
        regular().filter(|checkpoint| is(checkpoint, status)).max_by_key(|checkpoint| whole(checkpoint, "id"))
    };
    let mut ended: Vec<&Value> =
        regular().filter(|checkpoint| is(checkpoint, "COMPLETED") || is(checkpoint, "FAILED")).collect();
    ended.sort_by_key(|checkpoint| std::cmp::Reverse(whole(checkpoint, "id")));
    let in_a_row = ended.iter().take_while(|checkpoint| is(checkpoint, "FAILED")).count();
    Some(Checkpoints {
        completed: whole(counts, "completed").unwrap_or(0),
        failed: whole(counts, "failed").unwrap_or(0),
        in_progress: whole(counts, "in_progress").unwrap_or(0),
        last: latest("completed").and_then(completed).or_else(|| newest("COMPLETED").and_then(completed)),
        last_failure: latest("failed").and_then(failed).or_else(|| newest("FAILED").and_then(failed)),
        failed_in_a_row: u32::try_from(in_a_row).unwrap_or(u32::MAX),
    })
}

fn completed(checkpoint: &Value) -> Option<Checkpoint> {
    Some(Checkpoint {
        id: whole(checkpoint, "id")?,
        completed_at: moment(checkpoint, "latest_ack_timestamp")?,
        duration_ms: whole(checkpoint, "end_to_end_duration").unwrap_or(0),
        size_bytes: whole(checkpoint, "state_size").unwrap_or(0),
        // Flink puts a remark in angle brackets where there is no path.
        path: text(checkpoint, "external_path").filter(|path| !path.starts_with('<')).map(Into::into),
    })
}

fn failed(checkpoint: &Value) -> Option<(Time, Arc<str>)> {
    let at = moment(checkpoint, "failure_timestamp").or_else(|| moment(checkpoint, "latest_ack_timestamp"));
    let at = at.or_else(|| moment(checkpoint, "trigger_timestamp"))?;
    Some((at, cut(text(checkpoint, "failure_message").unwrap_or("no reason given"))))
}

/// Reads `/jobs/:id/exceptions`, newest first.
#[must_use]
pub fn failures(body: &str) -> Vec<Failure> {
    let Ok(body) = json(body) else { return Vec::new() };
    let history = body.get("exceptionHistory").unwrap_or(&Value::Null);
    let mut failures: Vec<Failure> = list(history, "entries").iter().filter_map(failure).collect();
    if failures.is_empty() {
        failures.extend(only_failure(&body));
    }
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.at));
    failures
}

fn failure(entry: &Value) -> Option<Failure> {
    let trace = text(entry, "stacktrace")?;
    let root = root_cause(trace)?;
    let place = ["taskManagerId", "endpoint", "location"].iter().find_map(|name| text(entry, name));
    Some(Failure {
        at: moment(entry, "timestamp")?,
        class: text(entry, "exceptionName").map_or_else(|| class_of(trace), cut),
        root,
        task: text(entry, "taskName").map(cut),
        task_manager: place.map(cut),
        trace: shortened(trace),
    })
}

/// Releases before 1.13, and an adaptive scheduler that lost its history, know only the last one.
fn only_failure(body: &Value) -> Option<Failure> {
    let trace = text(body, "root-exception")?;
    Some(Failure {
        at: moment(body, "timestamp")?,
        class: class_of(trace),
        root: root_cause(trace)?,
        task: None,
        task_manager: None,
        trace: shortened(trace),
    })
}

fn class_of(trace: &str) -> Arc<str> {
    let first = trace.lines().next().unwrap_or_default();
    cut(first.split(": ").next().unwrap_or(first))
}

fn shortened(trace: &str) -> Arc<str> {
    trace.get(..trace.floor_char_boundary(LONGEST_TRACE)).unwrap_or_default().into()
}

/// Reads `/jobs/:id/metrics`.
#[must_use]
pub fn restarts(body: &str) -> Option<u64> {
    let body = json(body).ok()?;
    JOB_METRICS.split(',').find_map(|name| whole(metric(&body, name)?, "value"))
}

fn metric<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.as_array()?.iter().find(|metric| text(metric, "id") == Some(name))
}

/// Reads `/jobs/:id/vertices/:vid/subtasks/metrics`.
#[must_use]
pub fn load(body: &str) -> Load {
    let body = json(body).unwrap_or_default();
    let value = |name: &str, aggregate: &str| number(metric(&body, name)?.get(aggregate)?);
    let share = |name: &str, aggregate: &str| value(name, aggregate).map(|millis| (millis / 1000.0).clamp(0.0, 1.0));
    Load {
        busy_max: share("busyTimeMsPerSecond", "max"),
        busy_mean: share("busyTimeMsPerSecond", "avg"),
        backpressure_max: share("backPressuredTimeMsPerSecond", "max"),
        records_in: value("numRecordsInPerSecond", "sum"),
        records_out: value("numRecordsOutPerSecond", "sum"),
        busiest: None,
        watermark: None,
    }
}

/// Reads `/jobs/:id/vertices/:vid/backpressure`: the subtask that is busiest, if any is busy at all.
#[must_use]
pub fn busiest(body: &str) -> Option<u32> {
    let body = json(body).ok()?;
    let subtasks = list(&body, "subtasks").iter();
    let busy = subtasks.filter_map(|subtask| {
        let ratio = subtask.get("busyRatio").or_else(|| subtask.get("busy-ratio")).and_then(number)?;
        Some((small(subtask, "subtask")?, ratio)).filter(|(_, ratio)| *ratio > 0.0)
    });
    // The first of equals, so that the name does not jump.
    busy.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(subtask, _)| subtask)
}

/// Reads `/jobs/:id/vertices/:vid/watermarks`: the time that all subtasks have reached.
#[must_use]
pub fn watermark(body: &str) -> Option<Time> {
    let body = json(body).ok()?;
    let marks: Option<Vec<Time>> = body.as_array()?.iter().map(|mark| mark.get("value").and_then(millis)).collect();
    marks?.into_iter().min()
}

/// The first line of an error answer, whoever sent it: Flink, the API server, or something between.
#[must_use]
pub fn error_line(body: &str) -> Option<Arc<str>> {
    let said = json(body).ok().and_then(|body| {
        let first = list(&body, "errors").iter().filter_map(Value::as_str).find(|line| !line.trim().is_empty());
        first.or_else(|| text(&body, "message")).map(cut)
    });
    said.or_else(|| Some(cut(body)).filter(|line| !line.is_empty() && !line.starts_with('<')))
}

/// Whether an error answer is the API server's and not Flink's.
#[must_use]
pub fn is_kubernetes_status(body: &str) -> bool {
    json(body).is_ok_and(|body| text(&body, "kind") == Some("Status"))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
