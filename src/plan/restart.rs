//! How long a restart takes: as the last start of a job was seen to take, else as it is assumed.
//!
//! The start is measured from the JobManager's pod to the moment when all tasks were given out, by Flink's and
//! Kubernetes' own timestamps. It must not take for a start what was none: a job that was submitted to a cluster that
//! ran long before, one that came back from a failure, or a JobManager that was started again in its pod.

use chrono::DateTime;
use serde::Serialize;
use serde_json::Value;

/// Seconds of a restart that nobody has measured.
const ASSUMED_SECONDS: u64 = 40;
/// Between a JobManager's pod and its job: an application's job begins with its JobManager.
const LONGEST_SUBMISSION_MS: i64 = 600_000;

/// How long a restart takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// Seconds from the stop until the job runs again.
    pub seconds: u64,
    /// What it was measured by; `None` where it is assumed.
    pub measured: Option<String>,
}

impl Restart {
    /// Where nobody has seen one.
    #[must_use]
    pub const fn assumed() -> Self {
        Self { seconds: ASSUMED_SECONDS, measured: None }
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.measured {
            Some(by) => format!("it is down for about {} s: {by}", self.seconds),
            None => {
                format!("it is down for some time, assumed {} s: its last start could not be measured", self.seconds)
            }
        }
    }
}

/// A restart by the last start: of the job and its checkpoints as Flink tells them, and of the JobManager's pods.
#[must_use]
pub fn measured(job: &Value, checkpoints: Option<&Value>, pods: &[Value]) -> Option<Restart> {
    let moment = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_i64).filter(|it| *it > 0);
    let came_back = ["FAILING", "RESTARTING", "RECONCILING"];
    if came_back.iter().any(|state| moment(job, &format!("/timestamps/{state}")).is_some()) {
        return None;
    }
    let (submitted, running) = (moment(job, "/start-time")?, moment(job, "/timestamps/RUNNING")?);
    let vertices = job.get("vertices").and_then(Value::as_array).into_iter().flatten();
    let given_out = vertices.filter_map(|vertex| moment(vertex, "/start-time")).max().unwrap_or(running).max(running);
    let (began, word) = pods.iter().filter_map(began).max()?;
    if !(0..=LONGEST_SUBMISSION_MS).contains(&(submitted - began)) {
        return None;
    }
    let start = seconds(given_out - began);
    let savepoint = checkpoints.and_then(|it| moment(it, "/latest/savepoint/end_to_end_duration")).map(seconds);
    let savepoint_words = savepoint.map_or_else(String::new, |it| format!(", and its last savepoint {it} s"));
    Some(Restart {
        seconds: start + savepoint.unwrap_or(0),
        measured: Some(format!("its start of {word} took {start} s{savepoint_words}")),
    })
}

fn seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0).div_ceil(1_000)
}

/// When a pod was made, if its containers run since then.
fn began(pod: &Value) -> Option<(i64, String)> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let again = |it: &Value| it.get("restartCount").and_then(Value::as_u64).unwrap_or(0) > 0;
    if statuses.clone().any(again) || pod.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let text = pod.pointer("/metadata/creationTimestamp").and_then(Value::as_str)?;
    let made = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    Some((made.timestamp_millis(), made.format("%Y-%m-%d %H:%M:%SZ").to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 12:00:00.
    const NOON: i64 = 1_780_315_200_000;

    fn pod(restarts: u64) -> Value {
        json!({"metadata": {"creationTimestamp": "2026-06-01T12:00:00Z"},
            "status": {"containerStatuses": [{"restartCount": restarts}]}})
    }

    fn job(more: &[(&str, i64)]) -> Value {
        let mut timestamps = json!({"CREATED": NOON + 9_000, "RUNNING": NOON + 12_000, "RESTARTING": 0, "FAILING": 0});
        more.iter().for_each(|(state, at)| timestamps[*state] = json!(at));
        json!({"start-time": NOON + 9_000, "timestamps": timestamps,
            "vertices": [{"start-time": NOON + 30_500}, {"start-time": -1}, {"start-time": NOON + 14_000}]})
    }

    #[test]
    fn a_start_is_measured_from_the_pod_to_the_last_task() {
        let checkpoints = json!({"latest": {"savepoint": {"end_to_end_duration": 3_200}}});
        let alone = measured(&job(&[]), None, &[pod(0)]).unwrap();
        assert_eq!(
            (alone.seconds, alone.words()),
            (31, "it is down for about 31 s: its start of 2026-06-01 12:00:00Z took 31 s".into())
        );
        let both = measured(&job(&[]), Some(&checkpoints), &[pod(0)]).unwrap();
        assert_eq!(both.seconds, 35);
        assert!(both.words().ends_with("took 31 s, and its last savepoint 4 s"), "{}", both.words());
    }

    #[test]
    fn what_was_no_start_is_not_measured() {
        assert_eq!(
            measured(&job(&[("RESTARTING", NOON + 99_000)]), None, &[pod(0)]),
            None,
            "it came back from a failure"
        );
        assert_eq!(measured(&job(&[]), None, &[pod(1)]), None, "its JobManager was started again");
        assert_eq!(measured(&job(&[]), None, &[]), None);
        let mut later = job(&[]);
        later["start-time"] = json!(NOON + 3_600_000);
        assert_eq!(measured(&later, None, &[pod(0)]), None, "it was submitted to a cluster that ran before");
        assert!(Restart::assumed().words().contains("assumed 40 s"));
    }
}
