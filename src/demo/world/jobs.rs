//! Jobs follow their cluster: they wait for slots, run, fail, restart, take checkpoints, and log all of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::checkpoint::Step;
use super::cluster::{Cluster, Operation, Trouble};
use super::job::{Failure, Job, Strain, TRUSTED_AFTER};
use super::{Moment, words};
use crate::demo::dice::Dice;
use crate::demo::kubernetes::resources::FLINK_SESSION_JOBS;
use crate::demo::logs::Line;
use crate::model::job::JobState;
use crate::model::pod::Role;

const EXECUTION_GRAPH: &str = "org.apache.flink.runtime.executiongraph.ExecutionGraph";
const COORDINATOR: &str = "org.apache.flink.runtime.checkpoint.CheckpointCoordinator";

impl Cluster {
    pub(super) fn step_jobs(&mut self, moment: &Moment<'_>, dice: &mut Dice) {
        if self.plan.stopped {
            return;
        }
        if matches!(self.operation, Operation::Suspending(_)) {
            return;
        }
        let manager = self.job_manager_is_ready();
        let plans = self.plan.jobs.clone();
        if manager && self.jobs.is_empty() {
            self.jobs = plans.iter().map(|plan| Job::created(plan, &self.plan.namespace, moment.now)).collect();
        }
        let slots = self.ready_task_managers() * self.plan.slots;
        let wanted: u32 = plans.iter().map(|plan| plan.parallelism).sum();
        let mut jobs = std::mem::take(&mut self.jobs);
        for job in &mut jobs {
            if let Some(plan) = plans.iter().find(|plan| plan.name == job.plan.name) {
                self.resize(job, plan.parallelism, moment.now);
            }
            let suspended = job.plan.in_session && self.session_job_is_suspended(moment, &job.plan.name);
            if manager {
                self.step_job(
                    moment,
                    job,
                    slots >= wanted.min(self.plan.task_managers * self.plan.slots) && slots > 0,
                    suspended,
                );
            } else if !matches!(job.state, JobState::Reconciling | JobState::Suspended) {
                job.enter(JobState::Reconciling, moment.now);
            }
            self.take_checkpoints(moment, job);
            self.chatter(moment, job, dice);
        }
        self.jobs = jobs;
    }

    fn session_job_is_suspended(&self, moment: &Moment<'_>, name: &str) -> bool {
        let object = moment.environment.store.value(&self.key(&FLINK_SESSION_JOBS, name));
        object.is_some_and(|object| object.pointer("/spec/job/state").and_then(Value::as_str) == Some("suspended"))
    }

    /// Another parallelism is another execution graph.
    fn resize(&self, job: &mut Job, parallelism: u32, now: DateTime<Utc>) {
        if job.plan.parallelism == parallelism || self.has_operator() {
            return;
        }
        let mut plan = job.plan.clone();
        plan.parallelism = parallelism;
        let fresh = Job::created(&plan, &self.plan.namespace, now);
        job.vertices = fresh.vertices;
        job.plan = plan;
        job.enter(JobState::Restarting, now);
    }

    fn step_job(&self, moment: &Moment<'_>, job: &mut Job, has_slots: bool, suspended: bool) {
        let passed = |seconds| moment.environment.passed(job.since, moment.now, seconds);
        let waited = moment.environment.elapsed(job.since, moment.now) >= job.backoff;
        match job.state {
            JobState::Suspended if suspended => {}
            _ if suspended => self.change(moment, job, JobState::Suspended),
            JobState::Suspended | JobState::Reconciling => job.enter(JobState::Initializing, moment.now),
            JobState::Initializing if passed(2) => self.change(moment, job, JobState::Created),
            JobState::Created if passed(2) && has_slots => self.change(moment, job, JobState::Running),
            JobState::Running if !has_slots => self.lose_task_manager(moment, job),
            JobState::Running if self.trouble == Some(Trouble::SinkFails) && passed(7) => self.fail_sink(moment, job),
            JobState::Running => {
                let strain = match self.trouble {
                    Some(Trouble::Skew(vertex)) => Strain::Skew(vertex),
                    Some(Trouble::SinkFails) => Strain::Stuck,
                    None => Strain::None,
                };
                job.work(strain, moment.seconds, moment.now);
                if moment.environment.passed(job.since, moment.now, TRUSTED_AFTER) {
                    job.trust();
                }
            }
            JobState::Restarting if waited && has_slots => self.change(moment, job, JobState::Running),
            _ => {}
        }
    }

    pub(crate) fn change(&self, moment: &Moment<'_>, job: &mut Job, state: JobState) {
        let message =
            format!("Job {} ({}) switched from state {} to {}.", job.plan.name, job.id, job.state.word(), state.word());
        self.log_job_manager(moment, EXECUTION_GRAPH, &message);
        if state == JobState::Running
            && let Some((id, _, path)) = &job.checkpoints.restored
        {
            let message = format!("Restoring job {} from Checkpoint {id} for {} located at {path}.", job.id, job.id);
            self.log_job_manager(moment, COORDINATOR, &message);
        }
        job.enter(state, moment.now);
    }

    fn lose_task_manager(&self, moment: &Moment<'_>, job: &mut Job) {
        let lost = self
            .task_managers()
            .find(|pod| !pod.is_ready())
            .or_else(|| self.leaving.iter().map(|(pod, _)| pod).find(|pod| pod.role == Role::TaskManager));
        let (name, address) = lost.map_or_else(Default::default, |pod| (pod.name.clone(), pod.address.clone()));
        let trace = words::task_manager_lost(&name, &address);
        let vertex = job.vertices.get(job.vertices.len() / 2).map_or("", |vertex| vertex.name);
        let failure = Failure {
            at: moment.now,
            exception: "org.apache.flink.runtime.jobmaster.JobMasterException",
            trace: Arc::clone(&trace),
            task: Some((format!("{vertex} (1/{}) - execution #{}", job.plan.parallelism, job.restarts), name)),
        };
        self.log_failure(moment, job, &failure);
        job.fail(failure);
    }

    /// The talk's failure, on each TaskManager and on the JobManager.
    fn fail_sink(&self, moment: &Moment<'_>, job: &mut Job) {
        let trace = words::sink_failed();
        let vertex = job.vertices.last().map_or("", |vertex| vertex.name);
        for (index, pod) in self.task_managers().filter(|pod| pod.is_ready()).enumerate() {
            let task = format!("{vertex} ({}/{})#{}", index + 1, job.plan.parallelism, job.restarts);
            let line = Line {
                level: "WARN",
                thread: &task,
                logger: "org.apache.flink.runtime.taskmanager.Task",
                message: &format!("{task} ({}) switched from RUNNING to FAILED with failure cause:", job.id),
            };
            self.log(moment, &pod.name, line, Some(Arc::clone(&trace)));
        }
        let on = self.task_manager_of(0).map_or_else(String::new, |pod| pod.name.clone());
        let failure = Failure {
            at: moment.now,
            exception: words::SINK_EXCEPTION,
            trace,
            task: Some((format!("{vertex} (1/{}) - execution #{}", job.plan.parallelism, job.restarts), on)),
        };
        self.log_failure(moment, job, &failure);
        let message = format!(
            "Job {} failed: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)",
            job.plan.name
        );
        self.notify_owner(moment, true, "JobException", &message);
        job.fail(failure);
    }

    fn log_failure(&self, moment: &Moment<'_>, job: &Job, failure: &Failure) {
        let Some(pod) = self.job_manager() else { return };
        let message = format!("Job {} ({}) switched from state RUNNING to RESTARTING.", job.plan.name, job.id);
        let line =
            Line { level: "INFO", thread: words::JOB_MANAGER_THREAD, logger: EXECUTION_GRAPH, message: &message };
        self.log(moment, &pod.name, line, Some(Arc::clone(&failure.trace)));
    }

    fn take_checkpoints(&self, moment: &Moment<'_>, job: &mut Job) {
        let stuck = self.trouble == Some(Trouble::SinkFails) || !job.is_running();
        if stuck && !matches!(job.state, JobState::Running | JobState::Restarting) {
            return;
        }
        let step = job.checkpoints.step(&job.plan, &job.id, !stuck, moment.now);
        let message = match step {
            Step::Nothing => return,
            Step::Triggered(id) => format!(
                "Triggering checkpoint {id} (type=CheckpointType{{name='Checkpoint', sharingFilesStrategy=FORWARD_BACKWARD}}) @ {} for job {}.",
                moment.now.timestamp_millis(),
                job.id
            ),
            Step::Completed { id, bytes, millis } => format!(
                "Completed checkpoint {id} for job {} ({bytes} bytes, checkpointDuration={millis} ms, finalizationTime=21 ms).",
                job.id
            ),
            Step::Expired(id) => format!("Checkpoint {id} of job {} expired before completing.", job.id),
        };
        self.log_job_manager(moment, COORDINATOR, &message);
    }

    /// The ordinary talk of a TaskManager.
    fn chatter(&self, moment: &Moment<'_>, job: &Job, dice: &mut Dice) {
        if !job.is_running() {
            return;
        }
        for pod in self.task_managers().filter(|pod| pod.is_ready()) {
            let topic = job.plan.outputs.first().map_or("", String::as_str);
            if self.trouble == Some(Trouble::SinkFails) && dice.chance(moment.seconds * 1.3) {
                words::complain(self, moment, pod, topic);
            }
            if dice.chance(moment.seconds * 0.12) {
                words::chat(self, moment, job, pod, dice);
            }
        }
    }
}
