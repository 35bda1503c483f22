//! What the Flink operator does with a changed resource: stop the old job, deploy the new spec, wait for it.

use serde_json::Value;

use super::Moment;
use super::cluster::{Cluster, Operation};
use super::job::Job;
use crate::demo::kubernetes::resources::{
    CONFIG_MAPS, DEPLOYMENTS, FLINK_SESSION_JOBS, REPLICA_SETS, Resource, SERVICES,
};
use crate::demo::manifests::{flink, place, workload};
use crate::demo::plan::Runtime;
use crate::model::job::JobState;
use crate::model::pod::Role;

impl Cluster {
    pub(super) fn operate(&mut self, moment: &Moment<'_>) {
        if self.owners_gone {
            self.plan.stopped = true;
            self.plan.task_managers = 0;
            self.remove_children(moment);
            return;
        }
        let changed = self.wanted_templates != self.templates;
        match self.operation {
            Operation::Steady | Operation::Starting(_) if changed => self.suspend(moment),
            Operation::Suspending(since) if moment.environment.passed(since, moment.now, 4) => self.deploy(moment),
            Operation::Starting(since) => {
                let runs = !self.jobs.is_empty() && self.jobs.iter().all(Job::is_running);
                let ready = if self.plan.is_session() { self.job_manager_is_ready() } else { runs };
                if ready && moment.environment.passed(since, moment.now, 8) {
                    self.operation = Operation::Steady;
                    self.stable.clone_from(&self.reconciled);
                    self.notify_owner(moment, false, "JobStatusChanged", "Job status changed from CREATED to RUNNING");
                }
            }
            Operation::Steady if self.reconciled.is_none() => self.note_spec(moment, false),
            _ => {}
        }
        if self.operation == Operation::Steady && self.wanted != self.plan {
            // What changed restarts nothing: annotations, ignorable fields.
            self.plan = self.wanted.clone();
            self.note_spec(moment, false);
        }
    }

    fn suspend(&mut self, moment: &Moment<'_>) {
        self.operation = Operation::Suspending(moment.now);
        if self.templates == (0, 0) {
            return;
        }
        self.notify_owner(moment, false, "SpecChanged", "UPGRADE change(s) detected, starting reconciliation.");
        if self.plan.stopped {
            return;
        }
        self.notify_owner(moment, false, "Suspended", "Suspending existing deployment.");
        let upgrades = self.upgrades_with_savepoint(moment);
        for job in &mut self.jobs {
            if job.is_running() && upgrades {
                self.savepoint = Some(job.checkpoints.savepoint(&job.plan, &job.id, moment.now));
            }
            job.enter(JobState::Suspended, moment.now);
        }
        self.log_job_manager(
            moment,
            "org.apache.flink.runtime.checkpoint.CheckpointCoordinator",
            "Triggering stop-with-savepoint for the job.",
        );
    }

    fn upgrades_with_savepoint(&self, moment: &Moment<'_>) -> bool {
        let owner = moment.environment.store.value(&self.owner_key()).unwrap_or_default();
        owner.pointer("/spec/job/upgradeMode").and_then(Value::as_str) == Some("savepoint")
    }

    /// The old deployment is gone: the new spec takes effect.
    fn deploy(&mut self, moment: &Moment<'_>) {
        self.remove_children(moment);
        self.plan = self.wanted.clone();
        self.templates = self.wanted_templates;
        self.attempt += 1;
        self.next_index = 1;
        self.note_spec(moment, self.templates == (0, 0));
        if self.plan.stopped {
            self.operation = Operation::Steady;
            return;
        }
        self.jobs.clear();
        self.operation = Operation::Starting(moment.now);
        self.ensure_children(moment);
        self.notify_owner(moment, false, "Submit", "Starting deployment");
    }

    fn note_spec(&mut self, moment: &Moment<'_>, first: bool) {
        if let Some(owner) = moment.environment.store.value(&self.owner_key()) {
            self.reconciled = Some(flink::reconciled(&owner, first));
            if self.operation == Operation::Steady && !self.plan.stopped {
                self.stable.clone_from(&self.reconciled);
            }
        }
    }

    /// Creates what the operator makes for a deployment, as far as it is missing.
    pub(super) fn ensure_children(&self, moment: &Moment<'_>) {
        let store = &moment.environment.store;
        let created = moment.now - chrono::TimeDelta::minutes(self.plan.age_minutes);
        let owner = store.value(&self.owner_key());
        let deployment = workload::deployment(&self.plan, Role::JobManager, owner.as_ref(), created);
        self.create(moment, &DEPLOYMENTS, deployment);
        let deployment = store.value(&self.key(&DEPLOYMENTS, &self.plan.name)).unwrap_or_default();
        let hash = self.hash_of(self.templates.0);
        self.create(moment, &REPLICA_SETS, workload::replica_set(&self.plan, Role::JobManager, &deployment, &hash));
        if self.plan.runtime == Runtime::OperatorStandalone {
            let workers = workload::deployment(&self.plan, Role::TaskManager, owner.as_ref(), created);
            self.create(moment, &DEPLOYMENTS, workers);
            let name = self.plan.task_manager_workload().unwrap_or_default();
            let workers = store.value(&self.key(&DEPLOYMENTS, &name)).unwrap_or_default();
            let hash = self.hash_of(self.templates.1);
            self.create(moment, &REPLICA_SETS, workload::replica_set(&self.plan, Role::TaskManager, &workers, &hash));
        }
        for service in place::services(&self.plan, Some(&deployment), created) {
            self.create(moment, &SERVICES, service);
        }
        self.create(moment, &CONFIG_MAPS, place::config_map(&self.plan, Some(&deployment), created));
    }

    pub(super) fn create(&self, moment: &Moment<'_>, resource: &'static Resource, object: Value) {
        if moment.environment.store.create(resource, object).is_err() {
            tracing::trace!(cluster = self.plan.name, kind = resource.kind, "demo object is there already");
        }
    }

    fn remove_children(&self, moment: &Moment<'_>) {
        let store = &moment.environment.store;
        let mut keys = vec![
            self.key(&DEPLOYMENTS, &self.plan.name),
            self.key(&REPLICA_SETS, &format!("{}-{}", self.plan.name, self.hash_of(self.templates.0))),
            self.key(&CONFIG_MAPS, &place::config_map_name(&self.plan)),
            self.key(&SERVICES, &place::rest_service_name(&self.plan)),
            self.key(&SERVICES, &self.plan.name),
        ];
        if let Some(workers) = self.plan.task_manager_workload() {
            keys.push(self.key(&REPLICA_SETS, &format!("{workers}-{}", self.hash_of(self.templates.1))));
            keys.push(self.key(&DEPLOYMENTS, &workers));
        }
        if self.owners_gone {
            let jobs = self.jobs.iter().filter(|job| job.plan.in_session);
            keys.extend(jobs.map(|job| self.key(&FLINK_SESSION_JOBS, &job.plan.name)));
        }
        for key in keys {
            if store.remove(&key).is_err() {
                tracing::trace!(name = key.name, "demo object was gone already");
            }
        }
    }
}
