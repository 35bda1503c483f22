//! Flink's REST API over a cluster of the demo world: bodies shaped exactly as a real JobManager's.
//!
//! Everything shown is read from the world's jobs at the moment of the question; the only thing written is what the
//! action endpoints do (savepoints, stop, cancel).

mod actions;
mod cluster;
mod details;
mod jobs;
mod metrics;

use ::http::StatusCode;
use serde_json::{Value, json};

use super::environment::Environment;
use super::http::{Reply, json};
use super::kubernetes::request::Query;
use super::world::ClusterId;
use super::world::cluster::Cluster;
use super::world::job::{Job, Vertex};

pub(crate) const COMMIT: &str = "450c63e";

/// One request to the REST API, behind the proxy.
pub(crate) struct RestRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) body: &'a [u8],
}

/// The full version of a release line.
pub(crate) fn version(line: &str) -> String {
    match line {
        "1.20" => "1.20.5".to_owned(),
        "2.2" => "2.2.1".to_owned(),
        other => format!("{other}.0"),
    }
}

/// Status and body, before they become a reply.
type Answer = (StatusCode, Value);

pub(crate) fn answer(environment: &Environment, id: &ClusterId, request: &RestRequest<'_>) -> Reply {
    let path = request.path.trim_matches('/');
    let path = path.strip_prefix("v1/").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let mut world = environment.world();
    let Some(cluster) = world.clusters.get_mut(id) else {
        return json(
            StatusCode::SERVICE_UNAVAILABLE,
            &errors("Service temporarily unavailable due to an ongoing leader election. Please refresh."),
        );
    };
    let (status, body) = if request.method == "GET" {
        read(cluster, &parts, request)
    } else {
        actions::answer(cluster, &parts, request)
    };
    drop(world);
    json(status, &body)
}

fn read(cluster: &Cluster, parts: &[&str], request: &RestRequest<'_>) -> Answer {
    let found = match parts {
        ["overview"] => Some(cluster::overview(cluster)),
        ["config"] => Some(cluster::config(cluster)),
        ["jobmanager", "config"] => Some(cluster::configuration(cluster)),
        ["jobmanager", "metrics"] => Some(metrics::job_manager(cluster, &request.query)),
        ["taskmanagers"] => Some(cluster::task_managers(cluster)),
        ["taskmanagers", "metrics"] => Some(metrics::task_managers(cluster, &request.query)),
        ["taskmanagers", id] => cluster::task_manager(cluster, id),
        ["taskmanagers", id, "metrics"] => metrics::task_manager(cluster, id, &request.query),
        ["jobs"] => Some(jobs::ids(cluster)),
        ["jobs", "overview"] => Some(jobs::overview(cluster)),
        ["jobs", "metrics"] => Some(metrics::jobs(cluster, &request.query)),
        ["jobs", id, rest @ ..] => return read_job(cluster, id, rest, request),
        _ => None,
    };
    found.map_or_else(|| no_path(request.path), |body| (StatusCode::OK, body))
}

fn read_job(cluster: &Cluster, id: &str, rest: &[&str], request: &RestRequest<'_>) -> Answer {
    if id.len() != 32 || !id.chars().all(|digit| digit.is_ascii_hexdigit()) {
        let message = format!(
            "org.apache.flink.runtime.rest.handler.RestHandlerException: Cannot resolve path parameter (jobid) from value \"{id}\"."
        );
        return (StatusCode::BAD_REQUEST, errors(&message));
    }
    let Some(job) = cluster.jobs.iter().find(|job| job.id == id) else {
        return not_found(&format!("Job {id} not found"));
    };
    let found = match rest {
        [] => Some(jobs::job(cluster, job)),
        ["status"] => Some(json!({"status": job.state.word()})),
        ["plan"] => Some(json!({"plan": jobs::plan(job)})),
        ["config"] => Some(jobs::config(cluster, job)),
        ["jobmanager", "config"] => Some(cluster::configuration(cluster)),
        ["exceptions"] => Some(jobs::exceptions(cluster, job, &request.query)),
        ["checkpoints"] => Some(details::checkpoints(job)),
        ["checkpoints", "config"] => Some(details::checkpoint_config(job)),
        ["checkpoints", "details", id] => return details::checkpoint(job, id),
        ["savepoints" | "checkpoints", trigger] => return actions::savepoint_status(job, trigger),
        ["metrics"] => Some(metrics::job(job, &request.query)),
        ["accumulators"] => {
            Some(json!({"job-accumulators": [], "user-task-accumulators": [], "serialized-user-task-accumulators": {}}))
        }
        ["vertices", vertex, rest @ ..] => return read_vertex(cluster, job, vertex, rest, request),
        _ => None,
    };
    found.map_or_else(|| no_path(request.path), |body| (StatusCode::OK, body))
}

fn read_vertex(cluster: &Cluster, job: &Job, id: &str, rest: &[&str], request: &RestRequest<'_>) -> Answer {
    let Some(vertex) = job.vertices.iter().find(|vertex| vertex.id == id) else {
        return not_found(&format!("JobVertex {id} not found"));
    };
    let found = match rest {
        [] => Some(details::vertex(cluster, job, vertex)),
        ["backpressure"] => Some(details::back_pressure(vertex)),
        ["watermarks"] => Some(metrics::watermarks(job, vertex)),
        ["metrics"] => Some(metrics::vertex(job, vertex, &request.query)),
        ["subtasks", "metrics"] => Some(metrics::subtasks(job, vertex, &request.query)),
        ["subtasks", index, "metrics"] => {
            index.parse().ok().and_then(|index| metrics::subtask(job, vertex, index, &request.query))
        }
        ["accumulators"] => Some(json!({"id": vertex.id, "user-accumulators": []})),
        ["jm-operator-metrics"] => Some(json!([])),
        ["flamegraph"] => Some(json!({"endTimestamp": -3})),
        _ => None,
    };
    found.map_or_else(|| no_path(request.path), |body| (StatusCode::OK, body))
}

/// Flink's error body: the first line is for people, the rest is Java.
fn errors(message: &str) -> Value {
    json!({"errors": [format!("{message}\n\tat org.apache.flink.runtime.rest.handler.job.AbstractExecutionGraphHandler.lambda$handleRequest$1(AbstractExecutionGraphHandler.java:99)\n\tat java.base/java.util.concurrent.CompletableFuture.uniExceptionally(CompletableFuture.java:990)")]})
}

fn not_found(what: &str) -> Answer {
    (StatusCode::NOT_FOUND, errors(&format!("org.apache.flink.runtime.rest.NotFoundException: {what}")))
}

fn no_path(path: &str) -> Answer {
    (StatusCode::NOT_FOUND, json!({"errors": [format!("Unable to load requested file /{}.", path.trim_matches('/'))]}))
}

/// The states of tasks, as Flink counts them.
const TASK_STATES: [&str; 10] = [
    "CREATED",
    "SCHEDULED",
    "DEPLOYING",
    "INITIALIZING",
    "RUNNING",
    "FINISHED",
    "CANCELING",
    "CANCELED",
    "FAILED",
    "RECONCILING",
];

/// The state that all tasks of a job share in the demo.
fn task_state(job: &Job) -> &'static str {
    use crate::model::job::JobState as S;
    match job.state {
        S::Running => {
            let age = chrono::Utc::now() - job.since;
            if age.num_milliseconds() < 600 { "INITIALIZING" } else { "RUNNING" }
        }
        S::Finished => "FINISHED",
        S::Failed | S::Failing => "FAILED",
        S::Cancelling => "CANCELING",
        S::Canceled | S::Restarting | S::Suspended => "CANCELED",
        S::Created | S::Initializing | S::Reconciling | S::Unknown => "CREATED",
    }
}

/// Counts of tasks by state, all in one.
fn counts(state: &str, count: usize) -> Value {
    TASK_STATES
        .iter()
        .map(|name| ((*name).to_owned(), json!(if *name == state { count } else { 0 })))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The metrics block of a vertex or subtask.
fn io_metrics(vertex: &Vertex, subtasks: std::ops::Range<usize>, is_source: bool) -> Value {
    let chosen = || vertex.subtasks.get(subtasks.clone()).unwrap_or_default().iter();
    let read = if is_source { 0.0 } else { chosen().map(|subtask| subtask.total_in).sum::<f64>() };
    let written: f64 = chosen().map(|subtask| subtask.total_out).sum();
    let busy: f64 = chosen().map(|subtask| subtask.busy).sum::<f64>() * 60_000.0;
    let idle: f64 = chosen().map(super::world::job::Subtask::idle).sum::<f64>() * 60_000.0;
    let held_back: f64 = chosen().map(|subtask| subtask.held_back).sum::<f64>() * 60_000.0;
    json!({
        "read-bytes": whole(read * 31.0),
        "read-bytes-complete": true,
        "write-bytes": whole(written * 31.0),
        "write-bytes-complete": true,
        "read-records": whole(read),
        "read-records-complete": true,
        "write-records": whole(written),
        "write-records-complete": true,
        "accumulated-backpressured-time": whole(held_back),
        "accumulated-idle-time": whole(idle),
        "accumulated-busy-time": busy.round(),
    })
}

/// A count out of a sum of rates.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative, far below the limit")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}
