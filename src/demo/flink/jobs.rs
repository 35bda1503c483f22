//! Jobs: lists, details, plan, configuration, the exception history.

use chrono::Utc;
use serde_json::{Value, json};

use super::{TASK_STATES, counts, io_metrics, task_state};
use crate::demo::kubernetes::request::Query;
use crate::demo::world::cluster::Cluster;
use crate::demo::world::job::{Failure, Job};
use crate::model::job::JobState;

pub(super) fn ids(cluster: &Cluster) -> Value {
    let jobs: Vec<Value> = cluster.jobs.iter().map(|job| json!({"id": job.id, "status": job.state.word()})).collect();
    json!({"jobs": jobs})
}

const fn has_ended(job: &Job) -> bool {
    matches!(job.state, JobState::Finished | JobState::Failed | JobState::Canceled)
}

/// When the job ended, -1 while it has not.
fn end_time(job: &Job) -> i64 {
    if has_ended(job) { job.since.timestamp_millis() } else { -1 }
}

fn duration(job: &Job) -> i64 {
    let end = if has_ended(job) { job.since } else { Utc::now() };
    (end - job.started).num_milliseconds()
}

pub(super) fn overview(cluster: &Cluster) -> Value {
    let two = cluster.plan.flink.starts_with('2');
    let jobs: Vec<Value> = cluster
        .jobs
        .iter()
        .map(|job| {
            let total = job.subtask_count();
            let state = task_state(job).to_lowercase();
            let mut tasks: serde_json::Map<String, Value> = TASK_STATES
                .iter()
                .map(|name| name.to_lowercase())
                .map(|name| (name.clone(), json!(if name == state { total } else { 0 })))
                .collect();
            tasks.insert("total".to_owned(), json!(total));
            let mut described = json!({
                "jid": job.id,
                "name": job.plan.name,
                "start-time": job.started.timestamp_millis(),
                "end-time": end_time(job),
                "duration": duration(job),
                "state": job.state.word(),
                "last-modification": job.since.timestamp_millis(),
                "tasks": tasks,
            });
            if two {
                described["pending-operators"] = json!(0);
            }
            described
        })
        .collect();
    json!({"jobs": jobs})
}

pub(super) fn job(cluster: &Cluster, job: &Job) -> Value {
    let states = [
        "FINISHED",
        "RECONCILING",
        "CREATED",
        "RUNNING",
        "CANCELLING",
        "CANCELED",
        "SUSPENDED",
        "FAILING",
        "RESTARTING",
        "INITIALIZING",
        "FAILED",
    ];
    let timestamps: serde_json::Map<String, Value> = states
        .iter()
        .map(|state| ((*state).to_owned(), json!(job.entered.get(state).map_or(0, chrono::DateTime::timestamp_millis))))
        .collect();
    let state = task_state(job);
    let started = if job.is_running() { job.since } else { job.started };
    let vertices: Vec<Value> = job
        .vertices
        .iter()
        .enumerate()
        .map(|(index, vertex)| {
            json!({
                "id": vertex.id,
                "slotSharingGroupId": crate::demo::dice::identifier(&[&job.id, "slots"]),
                "name": vertex.name,
                "maxParallelism": 360,
                "parallelism": vertex.subtasks.len(),
                "status": state,
                "start-time": started.timestamp_millis(),
                "end-time": end_time(job),
                "duration": (Utc::now() - started).num_milliseconds(),
                "tasks": counts(state, vertex.subtasks.len()),
                "metrics": io_metrics(vertex, 0..vertex.subtasks.len(), index == 0),
            })
        })
        .collect();
    let mut body = json!({
        "jid": job.id,
        "name": job.plan.name,
        "isStoppable": false,
        "state": job.state.word(),
        "job-type": "STREAMING",
        "start-time": job.started.timestamp_millis(),
        "end-time": end_time(job),
        "duration": duration(job),
        "maxParallelism": 360,
        "now": Utc::now().timestamp_millis(),
        "timestamps": timestamps,
        "vertices": vertices,
        "status-counts": counts(state, job.vertices.len()),
        "plan": plan(job),
    });
    if cluster.plan.flink.starts_with('2') {
        body["pending-operators"] = json!(0);
    }
    body
}

/// The plan lists sinks first; a source has no inputs.
pub(super) fn plan(job: &Job) -> Value {
    let mut nodes = Vec::new();
    for (index, vertex) in job.vertices.iter().enumerate().rev() {
        let mut node = json!({
            "id": vertex.id,
            "operator": "",
            "parallelism": vertex.subtasks.len(),
            "operator_strategy": "",
            "description": format!("{}<br/>", vertex.name.replace(" -> ", "<br/>+- ")),
            "optimizer_properties": {},
        });
        if let Some(input) = index.checked_sub(1).and_then(|before| job.vertices.get(before)) {
            node["inputs"] = json!([{"id": input.id, "num": 0, "exchange": "pipelined_bounded", "ship_strategy": if index == 1 { "HASH" } else { "FORWARD" }}]);
        }
        nodes.push(node);
    }
    json!({"jid": job.id, "name": job.plan.name, "type": "STREAMING", "nodes": nodes})
}

pub(super) fn config(cluster: &Cluster, job: &Job) -> Value {
    json!({
        "jid": job.id,
        "name": job.plan.name,
        "execution-config": {
            "restart-strategy": "Exponential delay restart strategy with initialBackoff=PT1S, maxBackoff=PT1M, backoffMultiplier=1.5, resetBackoffThreshold=PT1H, jitterFactor=0.1.",
            "job-parallelism": job.plan.parallelism,
            "object-reuse-mode": false,
            "user-config": {
                "runner": "org.apache.beam.runners.flink.FlinkRunner",
                "streaming": "true",
                "checkpointingMode": "AT_LEAST_ONCE",
                "checkpointingInterval": (u64::from(job.plan.checkpoint_seconds) * 1_000).to_string(),
                "checkpointTimeoutMillis": "600000",
                "maxParallelism": "360",
                "inputTopics": job.plan.inputs.join(","),
                "outputTopics": job.plan.outputs.join(","),
                "jobName": cluster.plan.name,
            },
        },
    })
}

pub(super) fn exceptions(cluster: &Cluster, job: &Job, query: &Query) -> Value {
    let two = cluster.plan.flink.starts_with('2');
    let limit = query.number("maxExceptions").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(16);
    let entries: Vec<Value> = job.failures.iter().take(limit).map(|failure| entry(cluster, failure, two)).collect();
    let history = json!({"entries": entries, "truncated": job.failures.len() > limit});
    if two {
        return json!({"exceptionHistory": history});
    }
    let newest = job.failures.front();
    json!({
        "root-exception": newest.map(|failure| failure.trace.to_string()),
        "timestamp": newest.map(|failure| failure.at.timestamp_millis()),
        "all-exceptions": [],
        "truncated": false,
        "exceptionHistory": history,
    })
}

fn entry(cluster: &Cluster, failure: &Failure, two: bool) -> Value {
    let mut entry = json!({
        "exceptionName": failure.exception,
        "stacktrace": format!("{}\n", failure.trace),
        "timestamp": failure.at.timestamp_millis(),
        "failureLabels": {},
        "concurrentExceptions": [],
    });
    if let Some((task, pod)) = &failure.task {
        let found = cluster.pods.iter().find(|candidate| candidate.name == *pod);
        let endpoint = found.map_or_else(|| pod.clone(), |pod| format!("{}:33155", pod.address));
        entry["taskName"] = json!(task);
        entry["endpoint"] = json!(endpoint);
        entry["taskManagerId"] =
            json!(found.map_or_else(|| pod.clone(), |pod| super::cluster::resource_id(cluster, pod)));
        if !two {
            entry["location"] = json!(endpoint);
        }
    }
    entry
}
