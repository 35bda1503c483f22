//! One Flink cluster: what is wanted, which pods there are, which jobs run.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::derive::{self, Owners};
use super::job::Job;
use super::pod::Pod;
use super::{Moment, words};
use crate::demo::dice::Dice;
use crate::demo::environment::Notice;
use crate::demo::kubernetes::resources::{DEPLOYMENTS, FLINK_DEPLOYMENTS, PODS, Resource, STATEFUL_SETS};
use crate::demo::kubernetes::store::{Key, Stored};
use crate::demo::logs::{Entry, Line};
use crate::demo::manifests::pod::{size, template_hash};
use crate::demo::plan::{ClusterPlan, Runtime};
use crate::model::pod::Role;

/// What the operator is doing with a cluster of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Steady,
    /// Stopping the old job before the new spec is deployed.
    Suspending(DateTime<Utc>),
    /// Deployed, waiting for the job.
    Starting(DateTime<Utc>),
}

/// What goes wrong with a cluster at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The sink fails soon after each start: the job restarts for ever.
    SinkFails,
    /// One subtask of this vertex cannot keep up.
    Skew(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) plan: ClusterPlan,
    /// What the owner asks for now; the plan follows it when the operator has acted.
    pub(crate) wanted: ClusterPlan,
    /// Hashes of the pod templates, JobManager's first.
    pub(crate) templates: (u64, u64),
    pub(crate) wanted_templates: (u64, u64),
    pub(crate) operation: Operation,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) pods: Vec<Pod>,
    /// Pods on their way out, since when.
    pub(crate) leaving: Vec<(Pod, DateTime<Utc>)>,
    pub(crate) jobs: Vec<Job>,
    /// Counts the starts of the JobManager: part of the names of native TaskManagers.
    pub(crate) attempt: u32,
    /// Index of the next native TaskManager.
    pub(crate) next_index: u32,
    pub(crate) savepoint: Option<String>,
    /// The JobManager's template on the first day.
    pub(super) first_template: u64,
    pub(crate) owners_gone: bool,
    /// The spec that the operator noted down as acted upon.
    pub(crate) reconciled: Option<String>,
    pub(crate) stable: Option<String>,
    pub(super) seen: (u64, u64),
    /// The last report of each object, to tell whether there is news.
    pub(super) reported: std::collections::BTreeMap<&'static str, u64>,
    pub(super) quiet_until: DateTime<Utc>,
}

impl Cluster {
    pub(crate) fn new(plan: ClusterPlan, templates: (u64, u64), now: DateTime<Utc>) -> Self {
        Self {
            wanted: plan.clone(),
            plan,
            templates,
            wanted_templates: templates,
            operation: Operation::Steady,
            trouble: None,
            pods: Vec::new(),
            leaving: Vec::new(),
            jobs: Vec::new(),
            attempt: 1,
            next_index: 1,
            savepoint: None,
            first_template: 0,
            owners_gone: false,
            reconciled: None,
            stable: None,
            seen: (0, 0),
            reported: std::collections::BTreeMap::new(),
            quiet_until: now,
        }
    }

    /// A cluster for an object that somebody else created; `None` when it is not one of Flink's.
    pub(crate) fn adopted(resource: &'static Resource, object: &Stored, now: DateTime<Utc>) -> Option<Self> {
        let value = object.value();
        let plan = derive::adopted(resource, &value)?;
        let mut cluster = Self::new(plan, (0, 0), now);
        cluster.operation = Operation::Starting(now);
        Some(cluster)
    }

    /// The part of names that tells templates apart; the talk's status page shows one of them.
    pub(crate) fn hash_of(&self, template: u64) -> String {
        let famous = self.plan.name == "sessionization" && self.plan.job_manager_restarts > 0;
        if famous && template == self.first_template { "7548bc9df5".to_owned() } else { template_hash(template) }
    }

    pub(crate) fn owner_key(&self) -> Key {
        let resource = match self.plan.runtime {
            Runtime::Native | Runtime::OperatorStandalone => &FLINK_DEPLOYMENTS,
            Runtime::Manifests => &DEPLOYMENTS,
        };
        Key::new(resource, &self.plan.namespace, &self.plan.name)
    }

    pub(crate) fn key(&self, resource: &'static Resource, name: &str) -> Key {
        Key::new(resource, &self.plan.namespace, name)
    }

    pub(crate) fn has_operator(&self) -> bool {
        self.plan.runtime != Runtime::Manifests
    }

    /// One tick; false when nothing is left of the cluster.
    pub(crate) fn step(&mut self, moment: &mut Moment<'_>, dice: &mut Dice) -> bool {
        self.observe(moment);
        if self.has_operator() {
            self.operate(moment);
        } else {
            self.plan = self.wanted.clone();
            self.templates = self.wanted_templates;
        }
        self.step_pods(moment, dice);
        self.step_jobs(moment, dice);
        if self.owners_gone {
            return !(self.pods.is_empty() && self.leaving.is_empty());
        }
        self.report(moment);
        true
    }

    /// Reads what people want, when they changed it.
    fn observe(&mut self, moment: &Moment<'_>) {
        let store = &moment.environment.store;
        let owner = store.get(&self.owner_key());
        let worker_key = self.key(&STATEFUL_SETS, &self.plan.name);
        let workers = if self.has_operator() { None } else { store.get(&worker_key) };
        let seen = (revision(owner.as_deref()), revision(workers.as_deref()));
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        let Some(owner) = owner else {
            self.owners_gone = true;
            self.wanted.stopped = true;
            self.wanted.task_managers = 0;
            return;
        };
        let (owner, workers) = (owner.value(), workers.map(|workers| workers.value()));
        let owners = Owners { owner: &owner, workers: workers.as_ref() };
        self.wanted = derive::plan(&self.plan, &owners);
        self.wanted_templates = derive::templates(&self.wanted, &owners);
    }

    /// Thousandths of cores that its scheduled pods hold.
    pub(crate) fn scheduled_cpu(&self) -> i64 {
        self.pods
            .iter()
            .filter(|pod| pod.node.is_some())
            .map(|pod| i64::try_from(size(&self.plan, pod.role).cpu_millis).unwrap_or(0))
            .sum()
    }

    pub(crate) fn job_manager(&self) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.role == Role::JobManager)
    }

    pub(crate) fn job_manager_is_ready(&self) -> bool {
        self.job_manager().is_some_and(Pod::is_ready)
    }

    pub(crate) fn task_managers(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.role == Role::TaskManager)
    }

    pub(crate) fn ready_task_managers(&self) -> u32 {
        u32::try_from(self.task_managers().filter(|pod| pod.is_ready()).count()).unwrap_or(0)
    }

    /// The ready TaskManager that runs a subtask.
    pub(crate) fn task_manager_of(&self, subtask: usize) -> Option<&Pod> {
        let ready: Vec<&Pod> = self.task_managers().filter(|pod| pod.is_ready()).collect();
        let slots = usize::try_from(self.plan.slots.max(1)).unwrap_or(1);
        ready.get((subtask / slots) % ready.len().max(1)).copied()
    }

    /// Writes a line into the log of one of its pods.
    pub(crate) fn log(&self, moment: &Moment<'_>, pod: &str, line: Line<'_>, tail: Option<std::sync::Arc<str>>) {
        let head = line.format(self.plan.layout, moment.now);
        moment.environment.logs.push(&self.plan.namespace, pod, Entry { at: moment.now, head, tail });
    }

    /// Writes a line into the JobManager's log, when it has one.
    pub(crate) fn log_job_manager(&self, moment: &Moment<'_>, logger: &str, message: &str) {
        if let Some(pod) = self.job_manager() {
            let line = Line { level: "INFO", thread: words::JOB_MANAGER_THREAD, logger, message };
            self.log(moment, &pod.name, line, None);
        }
    }

    /// Emits an event about one of its pods.
    pub(crate) fn notify_pod(&self, moment: &Moment<'_>, pod: &str, reason: &str, message: &str) {
        let warning = matches!(reason, "OOMKilling" | "FailedScheduling" | "BackOff" | "Unhealthy");
        let component = match reason {
            "Scheduled" | "FailedScheduling" => "default-scheduler",
            _ => "kubelet",
        };
        let notice =
            Notice { resource: &PODS, namespace: &self.plan.namespace, name: pod, warning, reason, message, component };
        moment.environment.notify(notice, moment.now);
    }

    /// Emits an event about the resource that the operator owns.
    pub(crate) fn notify_owner(&self, moment: &Moment<'_>, warning: bool, reason: &str, message: &str) {
        if !self.has_operator() {
            return;
        }
        let notice = Notice {
            resource: &FLINK_DEPLOYMENTS,
            namespace: &self.plan.namespace,
            name: &self.plan.name,
            warning,
            reason,
            message,
            component: "Operator",
        };
        moment.environment.notify(notice, moment.now);
    }

    /// Whether a report differs from the last one of its kind.
    pub(super) fn is_news(&mut self, what: &'static str, report: &Value) -> bool {
        let hash = crate::demo::dice::stable(&[&report.to_string()]);
        self.reported.insert(what, hash) != Some(hash)
    }

    /// A container of one of its pods ends, for a reason that the kubelet gives.
    pub(crate) fn end_container(
        &mut self,
        moment: &Moment<'_>,
        pod: &str,
        reason: &'static str,
        exit_code: i32,
    ) -> bool {
        let native = self.plan.runtime == Runtime::Native;
        let Some(found) = self.pods.iter_mut().find(|found| found.name == pod) else { return false };
        let comes_back = !(native && found.role == Role::TaskManager);
        found.end(reason, exit_code, comes_back, moment.now);
        if comes_back {
            moment.environment.logs.rotate(&self.plan.namespace, pod);
        }
        let pod = found.clone();
        self.show_pod(moment, &pod);
        if reason == "OOMKilled" {
            self.notify_pod(
                moment,
                &pod.name,
                "OOMKilling",
                &format!("Memory cgroup out of memory: Killed process 7 (java) in pod {}", pod.name),
            );
        }
        true
    }
}

fn revision(stored: Option<&Stored>) -> u64 {
    stored.map_or(0, |stored| stored.revision)
}
