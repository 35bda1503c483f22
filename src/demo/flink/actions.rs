//! What changes a job: savepoint, stop, cancel, checkpoint; each done at once, and told of as Flink tells.

use ::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Answer, RestRequest, errors, no_path, not_found};
use crate::demo::dice;
use crate::demo::world::cluster::Cluster;
use crate::demo::world::job::Job;
use crate::model::job::JobState;

/// How long a savepoint is said to be in progress.
const SAVEPOINT_MILLIS: i64 = 900;

pub(super) fn answer(cluster: &mut Cluster, parts: &[&str], request: &RestRequest<'_>) -> Answer {
    let ["jobs", id, rest @ ..] = parts else { return no_path(request.path) };
    let Some(job) = cluster.jobs.iter_mut().find(|job| job.id == *id) else {
        return not_found(&format!("Job {id} not found"));
    };
    let now = Utc::now();
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    match (request.method, rest) {
        ("PATCH", []) => {
            job.enter(JobState::Canceled, now);
            (StatusCode::ACCEPTED, json!({}))
        }
        ("POST", ["savepoints"]) => {
            let cancels = body["cancel-job"] == true;
            trigger(job, if cancels { Some(JobState::Canceled) } else { None }, now)
        }
        ("POST", ["stop"]) => trigger(job, Some(JobState::Finished), now),
        ("POST", ["checkpoints"]) => trigger(job, None, now),
        ("PATCH", ["rescaling"]) => (
            StatusCode::SERVICE_UNAVAILABLE,
            errors(
                "org.apache.flink.runtime.rest.handler.RestHandlerException: Rescaling is temporarily disabled. See FLINK-12312.",
            ),
        ),
        _ => no_path(request.path),
    }
}

fn trigger(job: &mut Job, ends: Option<JobState>, now: DateTime<Utc>) -> Answer {
    if !job.is_running() {
        let message = format!(
            "org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task of job {} is not being executed at the moment. Aborting checkpoint. Failure reason: Not all required tasks are currently running.",
            job.id
        );
        return (StatusCode::CONFLICT, errors(&message));
    }
    let request = dice::identifier(&[&job.id, &now.timestamp_micros().to_string()]);
    let plan = job.plan.clone();
    let id = job.id.clone();
    let path = job.checkpoints.savepoint(&plan, &id, now);
    job.savepoints.insert(request.clone(), (now, path));
    if let Some(state) = ends {
        job.enter(state, now);
    }
    (StatusCode::ACCEPTED, json!({"request-id": request}))
}

pub(super) fn savepoint_status(job: &Job, trigger: &str) -> Answer {
    let Some((at, path)) = job.savepoints.get(trigger) else {
        let message = format!(
            "org.apache.flink.runtime.rest.handler.RestHandlerException: There is no savepoint operation with triggerId={trigger} for job {}.",
            job.id
        );
        return (StatusCode::NOT_FOUND, errors(&message));
    };
    let done = (Utc::now() - *at).num_milliseconds() >= SAVEPOINT_MILLIS;
    let body = if done {
        json!({"status": {"id": "COMPLETED"}, "operation": {"location": path}})
    } else {
        json!({"status": {"id": "IN_PROGRESS"}, "operation": null})
    };
    (StatusCode::OK, body)
}
