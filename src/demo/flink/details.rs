//! Checkpoints, vertices, back-pressure.

use ::http::StatusCode;
use chrono::Utc;
use serde_json::{Value, json};

use super::{Answer, io_metrics, not_found, task_state};
use crate::demo::world::checkpoint::{Checkpoint, Outcome};
use crate::demo::world::cluster::Cluster;
use crate::demo::world::job::{Job, Subtask, Vertex};

pub(super) fn checkpoints(job: &Job) -> Value {
    let checkpoints = &job.checkpoints;
    let under_way =
        checkpoints.history.iter().filter(|checkpoint| checkpoint.outcome == Outcome::InProgress).count() as u64;
    let completed: Vec<&Checkpoint> =
        checkpoints.history.iter().filter(|checkpoint| checkpoint.outcome == Outcome::Completed).collect();
    let statistics =
        |value: &dyn Fn(&Checkpoint) -> f64| summary(completed.iter().map(|checkpoint| value(checkpoint)).collect());
    #[expect(clippy::cast_precision_loss, reason = "sizes for the screen")]
    let summary = json!({
        "checkpointed_size": statistics(&|checkpoint| checkpoint.written_bytes as f64),
        "state_size": statistics(&|checkpoint| checkpoint.state_bytes as f64),
        "end_to_end_duration": statistics(&|checkpoint| checkpoint.millis as f64),
        "alignment_buffered": statistics(&|_| 0.0),
        "processed_data": statistics(&|checkpoint| (checkpoint.written_bytes / 90) as f64),
        "persisted_data": statistics(&|_| 0.0),
    });
    let latest = |wanted: &dyn Fn(&Checkpoint) -> bool| {
        checkpoints
            .history
            .iter()
            .find(|checkpoint| wanted(checkpoint))
            .map_or(Value::Null, |found| described(job, found))
    };
    let restored = checkpoints.restored.as_ref().map_or(Value::Null, |(id, at, path)| {
        json!({"id": id, "restore_timestamp": at.timestamp_millis(), "is_savepoint": false, "external_path": path})
    });
    json!({
        "counts": {
            "restored": job.restarts,
            "total": checkpoints.completed + checkpoints.failed + under_way,
            "in_progress": under_way,
            "completed": checkpoints.completed,
            "failed": checkpoints.failed,
        },
        "summary": summary,
        "latest": {
            "completed": latest(&|found| found.outcome == Outcome::Completed && !found.savepoint),
            "savepoint": latest(&|found| found.outcome == Outcome::Completed && found.savepoint),
            "failed": latest(&|found| found.outcome == Outcome::Failed),
            "restored": restored,
        },
        "history": checkpoints.history.iter().map(|found| described(job, found)).collect::<Vec<_>>(),
    })
}

fn summary(mut values: Vec<f64>) -> Value {
    values.sort_by(f64::total_cmp);
    let (Some(min), Some(max)) = (values.first().copied(), values.last().copied()) else {
        return json!({"min": 0, "max": 0, "avg": 0, "p50": "NaN", "p90": "NaN", "p95": "NaN", "p99": "NaN", "p999": "NaN"});
    };
    #[expect(clippy::cast_precision_loss, reason = "ten values at most")]
    let average = values.iter().sum::<f64>() / values.len() as f64;
    let middle = values.get(values.len() / 2).copied().unwrap_or(max);
    let whole = super::whole;
    json!({"min": whole(min), "max": whole(max), "avg": whole(average), "p50": middle, "p90": max, "p95": max, "p99": max, "p999": max})
}

fn described(job: &Job, checkpoint: &Checkpoint) -> Value {
    let (class, status) = match checkpoint.outcome {
        Outcome::InProgress => ("in_progress", "IN_PROGRESS"),
        Outcome::Completed => ("completed", "COMPLETED"),
        Outcome::Failed => ("failed", "FAILED"),
    };
    let subtasks = job.subtask_count();
    let done = checkpoint.outcome == Outcome::Completed;
    let mut body = json!({
        "className": class,
        "id": checkpoint.id,
        "status": status,
        "is_savepoint": checkpoint.savepoint,
        "savepointFormat": if checkpoint.savepoint { json!("CANONICAL") } else { Value::Null },
        "trigger_timestamp": checkpoint.triggered.timestamp_millis(),
        "latest_ack_timestamp": checkpoint.ended().timestamp_millis(),
        "checkpointed_size": checkpoint.written_bytes,
        "state_size": checkpoint.state_bytes,
        "end_to_end_duration": checkpoint.millis,
        "alignment_buffered": 0,
        "processed_data": checkpoint.written_bytes / 90,
        "persisted_data": 0,
        "num_subtasks": subtasks,
        "num_acknowledged_subtasks": if done { subtasks } else { subtasks / 2 },
        "checkpoint_type": if checkpoint.savepoint { "SAVEPOINT" } else { "CHECKPOINT" },
        "tasks": {},
    });
    match checkpoint.outcome {
        Outcome::Completed => {
            body["external_path"] = json!(checkpoint.path);
            let newest = job.checkpoints.newest(Outcome::Completed).is_some_and(|newest| newest.id == checkpoint.id);
            body["discarded"] = json!(!newest && !checkpoint.savepoint);
        }
        Outcome::Failed => {
            body["failure_timestamp"] = json!(checkpoint.ended().timestamp_millis());
            body["failure_message"] = json!("Checkpoint expired before completing.");
        }
        Outcome::InProgress => {}
    }
    body
}

pub(super) fn checkpoint(job: &Job, id: &str) -> Answer {
    let found = job.checkpoints.history.iter().find(|checkpoint| checkpoint.id.to_string() == id);
    let Some(checkpoint) = found else {
        return not_found(&format!("Could not find checkpointing statistics for checkpoint {id}."));
    };
    let mut body = described(job, checkpoint);
    let count = job.vertices.len().max(1) as u64;
    for vertex in &job.vertices {
        body["tasks"][&vertex.id] = json!({
            "id": checkpoint.id,
            "status": body["status"],
            "latest_ack_timestamp": checkpoint.ended().timestamp_millis(),
            "checkpointed_size": checkpoint.written_bytes / count,
            "state_size": checkpoint.state_bytes / count,
            "end_to_end_duration": checkpoint.millis,
            "alignment_buffered": 0,
            "processed_data": 0,
            "persisted_data": 0,
            "num_subtasks": vertex.subtasks.len(),
            "num_acknowledged_subtasks": vertex.subtasks.len(),
        });
    }
    (StatusCode::OK, body)
}

pub(super) fn checkpoint_config(job: &Job) -> Value {
    json!({
        "mode": "at_least_once",
        "interval": u64::from(job.plan.checkpoint_seconds) * 1_000,
        "timeout": 600_000,
        "min_pause": 0,
        "max_concurrent": 1,
        "externalization": {"enabled": true, "delete_on_cancellation": false},
        "state_backend": "EmbeddedRocksDBStateBackend",
        "checkpoint_storage": "FileSystemCheckpointStorage",
        "unaligned_checkpoints": false,
        "tolerable_failed_checkpoints": 3,
        "aligned_checkpoint_timeout": 0,
        "checkpoints_after_tasks_finish": true,
        "state_changelog_enabled": false,
        "changelog_periodic_materialization_interval": 600_000,
        "changelog_storage": "memory",
    })
}

fn is_source(job: &Job, vertex: &Vertex) -> bool {
    job.vertices.first().is_some_and(|first| first.id == vertex.id)
}

pub(super) fn vertex(cluster: &Cluster, job: &Job, vertex: &Vertex) -> Value {
    let one = cluster.plan.flink.starts_with('1');
    let started = if job.is_running() { job.since } else { job.started };
    let lasted = (Utc::now() - started).num_milliseconds();
    let subtasks: Vec<Value> = (0..vertex.subtasks.len())
        .map(|index| {
            let pod = cluster.task_manager_of(index);
            let endpoint = pod.map_or_else(|| "(unassigned)".to_owned(), |pod| format!("{}:33155", pod.address));
            let id = pod.map_or_else(|| "(unassigned)".to_owned(), |pod| super::cluster::resource_id(cluster, pod));
            let mut body = json!({
                "subtask": index,
                "status": task_state(job),
                "attempt": job.restarts,
                "endpoint": endpoint,
                "start-time": started.timestamp_millis(),
                "end-time": -1,
                "duration": lasted,
                "metrics": io_metrics(vertex, index..index + 1, is_source(job, vertex)),
                "taskmanager-id": id,
                "status-duration": {"CREATED": 59, "SCHEDULED": 20, "DEPLOYING": 286, "INITIALIZING": 578, "RUNNING": (lasted - 943).max(0)},
                "start_time": started.timestamp_millis(),
            });
            if one {
                body["host"] = json!(endpoint.split(':').next());
            }
            body
        })
        .collect();
    json!({
        "id": vertex.id,
        "name": vertex.name,
        "parallelism": vertex.subtasks.len(),
        "maxParallelism": 360,
        "now": Utc::now().timestamp_millis(),
        "aggregated": aggregated(&subtasks),
        "subtasks": subtasks,
    })
}

/// Minimum, median and so on of each metric of the subtasks.
fn aggregated(subtasks: &[Value]) -> Value {
    let spread = |path: &str| {
        let mut values: Vec<f64> = subtasks.iter().filter_map(|subtask| subtask.pointer(path)?.as_f64()).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: usize| {
            super::whole(values.get(values.len().saturating_sub(1) * share / 100).copied().unwrap_or_default())
        };
        let sum: f64 = values.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a few subtasks")]
        let average = sum / values.len().max(1) as f64;
        json!({"min": at(0), "p25": at(25), "median": at(50), "p75": at(75), "p95": at(95), "max": at(100), "avg": super::whole(average), "sum": super::whole(sum)})
    };
    let block = |names: &[&str], parent: &str| {
        names
            .iter()
            .map(|name| ((*name).to_owned(), spread(&format!("/{parent}/{name}"))))
            .collect::<serde_json::Map<_, _>>()
    };
    json!({
        "metrics": block(&["read-bytes", "write-bytes", "read-records", "write-records", "accumulated-backpressured-time", "accumulated-idle-time", "accumulated-busy-time"], "metrics"),
        "status-duration": block(&["CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING"], "status-duration"),
    })
}

/// Flink's words for how much a task is held back.
fn level(ratio: f64) -> &'static str {
    if ratio <= 0.10 {
        "ok"
    } else if ratio <= 0.5 {
        "low"
    } else {
        "high"
    }
}

pub(super) fn back_pressure(vertex: &Vertex) -> Value {
    let rounded = |ratio: f64| (ratio * 1_000.0).round() / 1_000.0;
    let worst = vertex.subtasks.iter().map(|subtask| subtask.held_back).fold(0.0, f64::max);
    let one = |(index, subtask): (usize, &Subtask)| {
        json!({
            "subtask": index,
            "backpressureLevel": level(subtask.held_back),
            "ratio": rounded(subtask.held_back),
            "idleRatio": rounded(subtask.idle()),
            "busyRatio": rounded(subtask.busy),
            "backpressure-level": level(subtask.held_back),
        })
    };
    json!({
        "status": "ok",
        "backpressureLevel": level(worst),
        "end-timestamp": Utc::now().timestamp_millis(),
        "subtasks": vertex.subtasks.iter().enumerate().map(one).collect::<Vec<_>>(),
        "backpressure-level": level(worst),
    })
}
