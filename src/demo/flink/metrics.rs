//! Metrics: lists of names, values as texts, aggregates as numbers, `NaN` as a text where Flink says so.

use serde_json::{Value, json};

use super::cluster::{Memory, find, ready};
use crate::demo::kubernetes::request::Query;
use crate::demo::world::checkpoint::Outcome;
use crate::demo::world::cluster::Cluster;
use crate::demo::world::job::{Job, Vertex};
use crate::demo::world::pod::Pod;
use crate::model::job::JobState;

/// Asked for by name, or all names when none is asked for.
fn values(known: Vec<(String, String)>, query: &Query) -> Value {
    let Some(wanted) = query.given("get") else {
        return known.into_iter().map(|(id, _)| json!({"id": id})).collect();
    };
    wanted
        .split(',')
        .filter_map(|name| known.iter().find(|(id, _)| id == name))
        .map(|(id, value)| json!({"id": id, "value": value}))
        .collect()
}

/// Aggregates over several of a kind; all five when none is asked for.
fn aggregates(known: &[(String, Vec<f64>)], query: &Query) -> Value {
    let Some(wanted) = query.given("get") else {
        return known.iter().map(|(id, _)| json!({"id": id})).collect();
    };
    let asked = query.given("agg").unwrap_or("min,max,avg,sum,skew");
    wanted
        .split(',')
        .filter_map(|name| known.iter().find(|(id, values)| id == name && !values.is_empty()))
        .map(|(id, values)| {
            let mut body = json!({"id": id});
            for name in asked.split(',') {
                if let Some(number) = aggregate(name, values) {
                    body[name] = if number.is_nan() { json!("NaN") } else { json!(number) };
                }
            }
            body
        })
        .collect()
}

fn aggregate(name: &str, values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a few subtasks")]
    let count = values.len() as f64;
    let average = sum / count;
    match name {
        "min" => values.iter().copied().reduce(f64::min),
        "max" => values.iter().copied().reduce(f64::max),
        "avg" => Some(average),
        "sum" => Some(sum),
        "skew" if average == 0.0 => Some(0.0),
        "skew" => Some(values.iter().map(|value| (value - average).abs()).sum::<f64>() / count / average * 100.0),
        _ => None,
    }
}

pub(super) fn job(job: &Job, query: &Query) -> Value {
    let time = |state: JobState| {
        let since = if job.state == state { (chrono::Utc::now() - job.since).num_milliseconds() } else { 0 };
        since.to_string()
    };
    let newest = job.checkpoints.newest(Outcome::Completed);
    let of_newest = |value: &dyn Fn(&crate::demo::world::checkpoint::Checkpoint) -> String| {
        newest.map_or_else(|| "-1".to_owned(), value)
    };
    let known = [
        ("numRestarts", job.restarts.to_string()),
        ("fullRestarts", job.restarts.to_string()),
        ("uptime", time(JobState::Running)),
        ("downtime", time(JobState::Restarting)),
        ("runningTime", time(JobState::Running)),
        ("restartingTime", time(JobState::Restarting)),
        ("failingTime", time(JobState::Failing)),
        ("cancellingTime", time(JobState::Cancelling)),
        ("createdTime", time(JobState::Created)),
        ("initializingTime", time(JobState::Initializing)),
        ("deployingTime", "0".to_owned()),
        ("lastCheckpointDuration", of_newest(&|newest| newest.millis.to_string())),
        ("lastCheckpointSize", of_newest(&|newest| newest.written_bytes.to_string())),
        ("lastCheckpointFullSize", of_newest(&|newest| newest.state_bytes.to_string())),
        ("lastCheckpointProcessedData", of_newest(&|newest| (newest.written_bytes / 90).to_string())),
        ("lastCheckpointPersistedData", "0".to_owned()),
        ("lastCheckpointCompletedTimestamp", of_newest(&|newest| newest.ended().timestamp_millis().to_string())),
        ("lastCheckpointExternalPath", newest.map_or_else(|| "n/a".to_owned(), |newest| newest.path.clone())),
        ("lastCompletedCheckpointId", of_newest(&|newest| newest.id.to_string())),
        (
            "lastCheckpointRestoreTimestamp",
            job.checkpoints
                .restored
                .as_ref()
                .map_or_else(|| "-1".to_owned(), |(_, at, _)| at.timestamp_millis().to_string()),
        ),
        ("numberOfCompletedCheckpoints", job.checkpoints.completed.to_string()),
        ("numberOfFailedCheckpoints", job.checkpoints.failed.to_string()),
        (
            "numberOfInProgressCheckpoints",
            job.checkpoints.history.iter().filter(|found| found.outcome == Outcome::InProgress).count().to_string(),
        ),
        ("totalNumberOfCheckpoints", (job.checkpoints.completed + job.checkpoints.failed).to_string()),
    ];
    values(known.into_iter().map(|(id, value)| (id.to_owned(), value)).collect(), query)
}

pub(super) fn jobs(cluster: &Cluster, query: &Query) -> Value {
    let over = |value: &dyn Fn(&Job) -> f64| cluster.jobs.iter().map(value).collect::<Vec<f64>>();
    #[expect(clippy::cast_precision_loss, reason = "counts for the screen")]
    let known = [
        ("numRestarts".to_owned(), over(&|job| f64::from(job.restarts))),
        ("numberOfFailedCheckpoints".to_owned(), over(&|job| job.checkpoints.failed as f64)),
        ("numberOfCompletedCheckpoints".to_owned(), over(&|job| job.checkpoints.completed as f64)),
    ];
    aggregates(&known, query)
}

/// Flink replaces what would break a metric's scope.
fn operator_name(vertex: &Vertex) -> String {
    vertex
        .name
        .split(" -> ")
        .next()
        .unwrap_or(vertex.name)
        .replace(['.', ':', ','], "_")
        .replace(": ", "__")
        .replace("_ ", "__")
}

/// All metrics of a vertex with one value for each subtask.
fn of_subtasks(job: &Job, vertex: &Vertex) -> Vec<(String, Vec<f64>)> {
    let source = job.vertices.first().is_some_and(|first| first.id == vertex.id);
    let sink = job.vertices.last().is_some_and(|last| last.id == vertex.id);
    let operator = operator_name(vertex);
    let each = |value: &dyn Fn(&crate::demo::world::job::Subtask) -> f64| {
        vertex.subtasks.iter().map(value).collect::<Vec<f64>>()
    };
    let mut known = vec![
        ("numRecordsInPerSecond".to_owned(), each(&|subtask| if source { 0.0 } else { subtask.records_in })),
        ("numRecordsOutPerSecond".to_owned(), each(&|subtask| if sink { 0.0 } else { subtask.records_out })),
        ("numRecordsIn".to_owned(), each(&|subtask| if source { 0.0 } else { subtask.total_in.floor() })),
        ("numRecordsOut".to_owned(), each(&|subtask| if sink { 0.0 } else { subtask.total_out.floor() })),
        ("numBytesInPerSecond".to_owned(), each(&|subtask| subtask.records_in * 310.0)),
        ("numBytesOutPerSecond".to_owned(), each(&|subtask| subtask.records_out * 310.0)),
        ("busyTimeMsPerSecond".to_owned(), each(&|subtask| subtask.busy * 1_000.0)),
        ("idleTimeMsPerSecond".to_owned(), each(&|subtask| subtask.idle() * 1_000.0)),
        ("backPressuredTimeMsPerSecond".to_owned(), each(&|subtask| subtask.held_back * 1_000.0)),
        ("softBackPressuredTimeMsPerSecond".to_owned(), each(&|subtask| subtask.held_back * 900.0)),
        ("hardBackPressuredTimeMsPerSecond".to_owned(), each(&|subtask| subtask.held_back * 100.0)),
        ("isBackPressured".to_owned(), each(&|subtask| f64::from(u8::from(subtask.held_back > 0.1)))),
        ("mailboxQueueSize".to_owned(), each(&|subtask| (subtask.busy * 4.0).floor())),
        ("mailboxLatencyMs_p99".to_owned(), each(&|subtask| (subtask.busy * 40.0).floor())),
        ("Shuffle.Netty.Output.Buffers.outPoolUsage".to_owned(), each(&|subtask| subtask.held_back)),
        (
            "Shuffle.Netty.Input.Buffers.inPoolUsage".to_owned(),
            each(&|subtask| if subtask.busy > 0.95 { 1.0 } else { subtask.busy * 0.3 }),
        ),
    ];
    if job.state != JobState::Running {
        // A task that does not run has no notion of how busy it is.
        for (id, values) in &mut known {
            if id == "busyTimeMsPerSecond" {
                values.fill(f64::NAN);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds are exact in a double")]
    let watermark = job.watermark as f64;
    if source {
        known.push((format!("{operator}.numRecordsInPerSecond"), each(&|subtask| subtask.records_in)));
        known.push((format!("{operator}.numRecordsOutPerSecond"), each(&|subtask| subtask.records_out)));
        known.push((format!("{operator}.currentOutputWatermark"), each(&|_| watermark)));
        known.push((format!("{operator}.pendingBytes"), each(&|_| -1.0)));
    } else {
        known.push(("currentInputWatermark".to_owned(), each(&|_| watermark)));
    }
    if sink {
        known.push((format!("{operator}.numRecordsSend"), each(&|subtask| subtask.total_out.floor())));
        known.push((format!("{operator}.numRecordsSendErrors"), each(&|_| f64::from(job.restarts))));
    }
    known
}

pub(super) fn subtasks(job: &Job, vertex: &Vertex, query: &Query) -> Value {
    let mut known = of_subtasks(job, vertex);
    if let Some(chosen) = query.given("subtasks") {
        let wanted = |index: usize| {
            chosen.split(',').any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                first.parse::<usize>().is_ok_and(|first| first <= index)
                    && last.parse::<usize>().is_ok_and(|last| index <= last)
            })
        };
        for (_, values) in &mut known {
            let mut index = 0;
            values.retain(|_| {
                index += 1;
                wanted(index - 1)
            });
        }
    }
    aggregates(&known, query)
}

fn text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        value.to_string()
    }
}

pub(super) fn subtask(job: &Job, vertex: &Vertex, index: usize, query: &Query) -> Option<Value> {
    let known = of_subtasks(job, vertex);
    (index < vertex.subtasks.len()).then(|| {
        let one = known.into_iter().filter_map(|(id, all)| Some((id, text(*all.get(index)?)))).collect();
        values(one, query)
    })
}

pub(super) fn vertex(job: &Job, vertex: &Vertex, query: &Query) -> Value {
    let mut all = Vec::new();
    for (id, numbers) in of_subtasks(job, vertex) {
        all.extend(numbers.into_iter().enumerate().map(|(index, number)| (format!("{index}.{id}"), text(number))));
    }
    values(all, query)
}

/// One input watermark for each subtask; sources have none.
pub(super) fn watermarks(job: &Job, vertex: &Vertex) -> Value {
    if job.vertices.first().is_some_and(|first| first.id == vertex.id) {
        return json!([]);
    }
    let running = job.is_running();
    (0..vertex.subtasks.len())
        .map(|index| {
            let offset = i64::try_from(index).unwrap_or(0) * 37;
            let watermark = if running { job.watermark - offset } else { i64::MIN };
            json!({"id": format!("{index}.currentInputWatermark"), "value": watermark.to_string()})
        })
        .collect()
}

fn of_pod(cluster: &Cluster, pod: &Pod) -> Vec<(String, f64)> {
    let memory = Memory::of(cluster);
    [
        ("Status.JVM.CPU.Load", pod.cpu * 0.1),
        ("Status.JVM.Memory.Heap.Used", (memory.heap * pod.memory).floor()),
        ("Status.JVM.Memory.Heap.Max", memory.heap.floor()),
        ("Status.JVM.Memory.Heap.Committed", memory.heap.floor()),
        ("Status.JVM.Memory.Metaspace.Used", 96_214_016.0),
        ("Status.JVM.Memory.Direct.MemoryUsed", 151_289_857.0),
        ("Status.JVM.GarbageCollector.All.TimeMsPerSecond", (pod.memory * 18.0).floor()),
        ("Status.JVM.GarbageCollector.All.Time", 41_352.0),
        ("Status.JVM.GarbageCollector.All.Count", 2_106.0),
        ("Status.JVM.Threads.Count", 118.0),
        ("Status.Flink.Memory.Managed.Used", (memory.managed * 0.92).floor()),
        ("Status.Flink.Memory.Managed.Total", memory.managed.floor()),
        ("Status.Shuffle.Netty.UsedMemory", 720_896.0),
    ]
    .into_iter()
    .map(|(id, value)| (id.to_owned(), value))
    .collect()
}

pub(super) fn task_manager(cluster: &Cluster, id: &str, query: &Query) -> Option<Value> {
    let pod = find(cluster, id)?;
    let known = of_pod(cluster, pod).into_iter().map(|(id, value)| (id, text(value))).collect();
    Some(values(known, query))
}

pub(super) fn task_managers(cluster: &Cluster, query: &Query) -> Value {
    let mut known: Vec<(String, Vec<f64>)> = Vec::new();
    for pod in ready(cluster) {
        for (id, value) in of_pod(cluster, pod) {
            match known.iter_mut().find(|(known, _)| *known == id) {
                Some((_, values)) => values.push(value),
                None => known.push((id, vec![value])),
            }
        }
    }
    aggregates(&known, query)
}

pub(super) fn job_manager(cluster: &Cluster, query: &Query) -> Value {
    let task_managers = cluster.ready_task_managers();
    let mut known: Vec<(String, String)> = cluster
        .job_manager()
        .map(|pod| of_pod(cluster, pod).into_iter().map(|(id, value)| (id, text(value))).collect())
        .unwrap_or_default();
    let pending = cluster.plan.task_managers.saturating_sub(task_managers);
    for (id, number) in [
        ("numRegisteredTaskManagers", task_managers),
        ("numPendingTaskManagers", pending),
        ("taskSlotsTotal", task_managers * cluster.plan.slots),
    ] {
        known.push((id.to_owned(), number.to_string()));
    }
    known.push(("numRunningJobs".to_owned(), cluster.jobs.iter().filter(|job| job.is_running()).count().to_string()));
    values(known, query)
}
