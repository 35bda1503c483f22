//! What is asked of a running job: a savepoint, and a stop with one.
//!
//! Both are asynchronous in Flink: the request answers an id, and what came of it is asked for. "Completed" is said of a
//! failure too, so only the place of a savepoint counts as success.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::rest::{Base, Miss, Rest};
use crate::model::exception::root_cause;
use crate::model::interest::JobInterest;
use crate::settings::FlinkSettings;
use crate::source::kube::Cluster;
use crate::source::kube::trouble::cut;

/// How often an operation is asked for.
const PACE: Duration = Duration::from_millis(500);
/// How long a job may take to get all its tasks running before a savepoint of it counts as failed: Flink says RUNNING
/// of a job whose tasks are still being deployed, and refuses every savepoint until the last one runs.
const ALL_TASKS: Duration = Duration::from_mins(1);
/// How Flink says that (`CheckpointFailureReason.NOT_ALL_REQUIRED_TASKS_RUNNING`).
const TASKS_MISSING: &str = "Not all required tasks are currently running";

/// Whether the job goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It runs on.
    GoesOn,
    /// It stops.
    Stops,
}

/// A job of a cluster.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) base: Base,
    /// Its id.
    pub id: String,
    /// Its state, in Flink's word.
    pub state: String,
}

impl Found {
    /// Whether it works, and so can take a savepoint.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == "RUNNING"
    }
}

/// The way to the Flink clusters of an environment, for actions.
#[derive(Debug)]
pub struct Actions(pub(super) Rest);

impl Actions {
    /// The way.
    ///
    /// # Errors
    /// When the settings' template needs a client that cannot be made.
    pub fn new(cluster: Cluster, settings: &FlinkSettings) -> Result<Self, reqwest::Error> {
        Rest::new(cluster, settings).map(Self)
    }

    /// The job that a cluster runs, or else the newest that it ran.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn job(&self, interest: &JobInterest) -> Result<Option<Found>, Miss> {
        let (base, text) = self.0.first(interest, "/jobs/overview").await?;
        let overview: Value = serde_json::from_str(&text).map_err(|error| Miss::Failed(cut(&error.to_string())))?;
        let jobs = overview.get("jobs").and_then(Value::as_array).into_iter().flatten();
        let text = |job: &Value, name: &str| job.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = |job: &&Value| interest.job_id.as_ref().is_none_or(|id| **id == *text(job, "jid"));
        let rank = |job: &&Value| {
            let started = job.get("start-time").and_then(Value::as_i64).unwrap_or_default();
            (text(job, "state") == "RUNNING", started)
        };
        let job = jobs.filter(wanted).max_by_key(rank);
        Ok(job.map(|job| Found { base, id: text(job, "jid"), state: text(job, "state") }))
    }

    /// Takes a savepoint, as soon as all tasks of the job run; answers where it is.
    ///
    /// # Errors
    /// When Flink refuses or fails; its own words say why.
    pub async fn savepoint(&self, job: &Found, afterwards: Afterwards) -> Result<String, Miss> {
        let begun = Instant::now();
        loop {
            match self.one_savepoint(job, afterwards).await {
                Err(Miss::Failed(why)) if why.contains(TASKS_MISSING) && begun.elapsed() < ALL_TASKS => {
                    tokio::time::sleep(PACE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn one_savepoint(&self, job: &Found, afterwards: Afterwards) -> Result<String, Miss> {
        let Found { base, id, .. } = job;
        let (path, body) = match afterwards {
            Afterwards::GoesOn => (format!("/jobs/{id}/savepoints"), json!({"cancel-job": false})),
            Afterwards::Stops => (format!("/jobs/{id}/stop"), json!({"drain": false})),
        };
        let answer = read(&self.0.post(base, &path, &body).await?)?;
        let request = answer.get("request-id").and_then(Value::as_str);
        let request = request.ok_or_else(|| Miss::Failed("Flink's answer names no request".into()))?;
        loop {
            let status = read(&self.0.get(base, &format!("/jobs/{id}/savepoints/{request}")).await?)?;
            if let Some(place) = status.pointer("/operation/location").and_then(Value::as_str) {
                return Ok(place.to_owned());
            }
            if status.pointer("/status/id").and_then(Value::as_str) == Some("COMPLETED") {
                let trace = status.pointer("/operation/failure-cause/stack-trace").and_then(Value::as_str);
                let root = trace.and_then(root_cause).map(|root| format!("{}: {}", root.class, root.message));
                return Err(Miss::Failed(cut(root.as_deref().unwrap_or("Flink gives no reason"))));
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Where the newest savepoint of a job is, as the job itself remembers it.
    ///
    /// # Errors
    /// When the cluster cannot be reached.
    pub async fn last_savepoint(&self, job: &Found) -> Result<Option<String>, Miss> {
        let checkpoints = read(&self.0.get(&job.base, &format!("/jobs/{}/checkpoints", job.id)).await?)?;
        let place = checkpoints.pointer("/latest/savepoint/external_path").and_then(Value::as_str);
        Ok(place.map(str::to_owned))
    }
}

pub(super) fn read(text: &str) -> Result<Value, Miss> {
    serde_json::from_str(text).map_err(|error| Miss::Failed(cut(&error.to_string())))
}
