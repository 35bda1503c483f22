//! What the controllers and the operator write back into the status of the objects that they own.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Moment;
use super::cluster::{Cluster, Operation};
use super::job::Job;
use super::pod::{Phase, Pod};
use crate::demo::kubernetes::resources::{DEPLOYMENTS, FLINK_SESSION_JOBS, STATEFUL_SETS};
use crate::demo::kubernetes::store::{Key, set};
use crate::demo::manifests::workload::{self, Count};
use crate::demo::plan::Runtime;
use crate::model::job::JobState;
use crate::model::pod::Role;

impl Cluster {
    pub(super) fn report(&mut self, moment: &Moment<'_>) {
        let manager = self.count(Role::JobManager);
        let deployment = self.key(&DEPLOYMENTS, &self.plan.name);
        self.report_deployment(moment, &deployment, "jobmanager", manager);
        let workers = self.count(Role::TaskManager);
        match (self.plan.runtime, self.plan.task_manager_workload()) {
            (Runtime::OperatorStandalone, Some(name)) => {
                self.report_deployment(moment, &self.key(&DEPLOYMENTS, &name), "taskmanager", workers);
            }
            (Runtime::Manifests, Some(name)) => {
                let key = self.key(&STATEFUL_SETS, &name);
                let generation = generation(moment, &key);
                let status = workload::stateful_set_status(&self.plan, workers, generation);
                self.write(moment, &key, "statefulset", status);
            }
            _ => {}
        }
        if self.has_operator() {
            let status = self.flink_status(moment);
            self.write(moment, &self.owner_key(), "flink", status);
            self.report_session_jobs(moment);
        }
    }

    fn count(&self, role: Role) -> Count {
        let wanted = match role {
            Role::JobManager => u32::from(!self.plan.stopped),
            Role::TaskManager if self.plan.stopped => 0,
            Role::TaskManager => self.plan.task_managers,
        };
        let pods = || self.pods.iter().filter(|pod| pod.role == role);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Count { wanted, present: number(pods().count()), ready: number(pods().filter(|pod| pod.is_ready()).count()) }
    }

    fn report_deployment(&mut self, moment: &Moment<'_>, key: &Key, what: &'static str, count: Count) {
        let since = self.pods.iter().map(|pod| pod.since).max().unwrap_or(self.quiet_until);
        let status = workload::deployment_status(count, generation(moment, key), since);
        self.write(moment, key, what, status);
    }

    fn write(&mut self, moment: &Moment<'_>, key: &Key, what: &'static str, status: Value) {
        if !self.is_news(what, &status) {
            return;
        }
        if moment.environment.store.update(key, |object| set(object, "status", status)).is_err() {
            self.reported.remove(what);
        }
    }

    fn lifecycle(&self) -> &'static str {
        match self.operation {
            Operation::Suspending(_) => "UPGRADING",
            Operation::Starting(_) => "DEPLOYED",
            Operation::Steady if self.plan.stopped => "SUSPENDED",
            Operation::Steady => "STABLE",
        }
    }

    fn job_manager_status(&self) -> &'static str {
        match self.job_manager().map(|pod| pod.phase) {
            None if self.plan.stopped => "MISSING",
            None | Some(Phase::Pending | Phase::Creating) => "DEPLOYING",
            Some(Phase::Starting | Phase::Crashed) => "DEPLOYED_NOT_READY",
            Some(Phase::Ready) => "READY",
            Some(Phase::Failed) => "ERROR",
        }
    }

    fn flink_status(&self, moment: &Moment<'_>) -> Value {
        let suspending = matches!(self.operation, Operation::Suspending(_));
        let running = !self.plan.stopped && !suspending;
        let since = self.pods.iter().map(|pod| pod.since).max().unwrap_or(self.quiet_until);
        let mut status = json!({
            "observedGeneration": if suspending { Value::Null } else { json!(generation(moment, &self.owner_key())) },
            "lifecycleState": self.lifecycle(),
            "jobManagerDeploymentStatus": self.job_manager_status(),
            "reconciliationStatus": {
                "state": if suspending { "UPGRADING" } else { "DEPLOYED" },
                "reconciliationTimestamp": since.timestamp_millis(),
                "lastReconciledSpec": self.reconciled,
                "lastStableSpec": self.stable,
            },
            "taskManager": {
                "labelSelector": if running { format!("component=taskmanager,app={}", self.plan.name) } else { String::new() },
                "replicas": if running { self.plan.task_managers } else { 0 },
            },
            "clusterInfo": self.cluster_info(),
        });
        if let Some(job) = self.jobs.first().filter(|job| !job.plan.in_session) {
            status["jobStatus"] = self.job_status(job);
            if self.plan.stopped {
                status["jobStatus"]["state"] = json!("SUSPENDED");
            }
        }
        status
    }

    fn cluster_info(&self) -> Value {
        if !self.job_manager().is_some_and(Pod::is_ready) {
            return json!({});
        }
        let gib = (self.plan.memory_bytes >> 30) * u64::from(self.plan.task_managers) + 2;
        let cores = self.plan.cpu_millis * u64::from(self.plan.task_managers) / 1_000 + 1;
        let state: u64 = self.plan.jobs.iter().map(|job| job.state_bytes).sum();
        json!({
            "flink-version": crate::demo::flink::version(&self.plan.flink),
            "flink-revision": format!("{} @ 2026-05-03T10:10:44+02:00", crate::demo::flink::COMMIT),
            "total-cpu": format!("{cores}.0"),
            "total-memory": (gib << 30).to_string(),
            "state-size": state.to_string(),
        })
    }

    fn job_status(&self, job: &Job) -> Value {
        let state = if self.job_manager_is_ready() || self.plan.stopped { job.state } else { JobState::Reconciling };
        let millis = |at: DateTime<Utc>| at.timestamp_millis().to_string();
        let mut status = json!({
            "jobName": job.plan.name,
            "jobId": job.id,
            "state": state.word(),
            "startTime": millis(job.started),
            "updateTime": millis(job.since),
        });
        if let Some(path) = &self.savepoint {
            status["upgradeSavepointPath"] = json!(path);
        }
        status
    }

    fn report_session_jobs(&self, moment: &Moment<'_>) {
        let reports: Vec<(String, Value)> = self
            .jobs
            .iter()
            .filter(|job| job.plan.in_session)
            .map(|job| {
                let suspended = job.state == JobState::Suspended;
                let key = self.key(&FLINK_SESSION_JOBS, &job.plan.name);
                let owner = moment.environment.store.value(&key).unwrap_or_default();
                let status = json!({
                    "observedGeneration": generation(moment, &key),
                    "lifecycleState": if suspended { "SUSPENDED" } else { "STABLE" },
                    "jobStatus": self.job_status(job),
                    "reconciliationStatus": {
                        "state": "DEPLOYED",
                        "reconciliationTimestamp": job.started.timestamp_millis(),
                        "lastReconciledSpec": crate::demo::manifests::flink::reconciled(&owner, false),
                    },
                });
                (job.plan.name.clone(), status)
            })
            .collect();
        for (name, status) in reports {
            let key = self.key(&FLINK_SESSION_JOBS, &name);
            // The store itself tells whether the status is the same.
            if moment.environment.store.update(&key, |object| set(object, "status", status)).is_err() {
                tracing::trace!(name, "demo session job is gone");
            }
        }
    }
}

fn generation(moment: &Moment<'_>, key: &Key) -> i64 {
    let object = moment.environment.store.get(key);
    // Asked for on every tick: the text is searched, not parsed.
    object
        .and_then(|object| {
            let (_, after) = std::str::from_utf8(&object.text).ok()?.split_once("\"generation\":")?;
            after.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        })
        .unwrap_or(1)
}
