//! Pods come and go: what the controllers, the scheduler and the kubelets do.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::cluster::{Cluster, Operation};
use super::pod::{Phase, Pod, Wanted};
use super::{Moment, words};
use crate::demo::dice::{self, Dice};
use crate::demo::kubernetes::resources::{DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS};
use crate::demo::kubernetes::store::{Key, metadata_of, set};
use crate::demo::kubernetes::write::mark_deleted;
use crate::demo::manifests::pod as manifest;
use crate::demo::plan::Runtime;
use crate::model::pod::Role;

/// Seconds that a pod takes to end.
const GRACE: i64 = 3;
/// Seconds for which a failed native TaskManager is still to be seen.
const FAILED_FOR: i64 = 90;

impl Cluster {
    pub(super) fn step_pods(&mut self, moment: &mut Moment<'_>, dice: &mut Dice) {
        self.notice_deletions(moment);
        self.retire(moment);
        self.bury(moment);
        self.bear(moment, dice);
        self.advance(moment);
        self.drift(dice);
    }

    fn pod_key(&self, name: &str) -> Key {
        self.key(&PODS, name)
    }

    /// Somebody deleted a pod through the API.
    fn notice_deletions(&mut self, moment: &Moment<'_>) {
        let store = &moment.environment.store;
        let mut doomed = Vec::new();
        let namespace = self.plan.namespace.clone();
        for pod in &mut self.pods {
            let Some(stored) = store.get(&Key::new(&PODS, &namespace, &pod.name)) else {
                doomed.push(pod.name.clone());
                continue;
            };
            if stored.revision == pod.seen {
                continue;
            }
            pod.seen = stored.revision;
            if stored.value().pointer("/metadata/deletionTimestamp").is_some() {
                doomed.push(pod.name.clone());
            }
        }
        for name in doomed {
            self.dismiss(moment, &name);
        }
    }

    /// Sends a pod on its way out.
    fn dismiss(&mut self, moment: &Moment<'_>, name: &str) {
        let Some(index) = self.pods.iter().position(|pod| pod.name == name) else { return };
        let pod = self.pods.remove(index);
        let marked = moment.environment.store.update(&self.pod_key(name), mark_deleted);
        if marked.is_ok() {
            self.notify_pod(
                moment,
                name,
                "Killing",
                &format!("Stopping container {}", manifest::container_name(&self.plan)),
            );
        }
        self.leaving.push((pod, moment.now));
    }

    /// Sends away what is not wanted any more.
    fn retire(&mut self, moment: &Moment<'_>) {
        let suspending = matches!(self.operation, Operation::Suspending(_));
        let (wants_manager, workers) = if self.plan.stopped { (false, 0) } else { (true, self.plan.task_managers) };
        let rolling = self.leaving.iter().any(|(pod, _)| pod.role == Role::TaskManager);
        let mut doomed: Vec<String> = Vec::new();
        let mut rolled = 0;
        for pod in self.pods.iter().rev() {
            let template = if pod.role == Role::JobManager { self.templates.0 } else { self.templates.1 };
            let stale = pod.template != template && !suspending;
            let surplus = match pod.role {
                Role::JobManager => !wants_manager,
                Role::TaskManager => pod.ordinal >= workers,
            };
            let failed = pod.phase == Phase::Failed && moment.environment.passed(pod.since, moment.now, FAILED_FOR);
            // A StatefulSet rolls a few at a time, everything else at once.
            let waits = stale && !surplus && self.plan.runtime == Runtime::Manifests && (rolling || rolled >= 3);
            if surplus || failed || (stale && !waits) {
                rolled += u32::from(stale && pod.role == Role::TaskManager);
                doomed.push(pod.name.clone());
            }
        }
        for name in doomed {
            self.dismiss(moment, &name);
        }
    }

    fn bury(&mut self, moment: &Moment<'_>) {
        let environment = moment.environment;
        let (dead, alive): (Vec<_>, Vec<_>) = std::mem::take(&mut self.leaving)
            .into_iter()
            .partition(|(_, since)| environment.passed(*since, moment.now, GRACE));
        self.leaving = alive;
        for (pod, _) in dead {
            if environment.store.remove(&self.pod_key(&pod.name)).is_err() {
                tracing::trace!(pod = pod.name, "demo pod was gone already");
            }
            environment.logs.remove(&self.plan.namespace, &pod.name);
        }
    }

    /// Creates the pods that are missing.
    fn bear(&mut self, moment: &Moment<'_>, dice: &mut Dice) {
        if self.plan.stopped || self.owners_gone || matches!(self.operation, Operation::Suspending(_)) {
            return;
        }
        if self.job_manager().is_none() {
            if self.leaving.iter().any(|(pod, _)| pod.role == Role::JobManager) {
                return;
            }
            let name = format!("{}-{}-{}", self.plan.name, self.hash_of(self.templates.0), dice.suffix(5));
            self.add(moment, Wanted { name, role: Role::JobManager, ordinal: 0 }, dice);
        }
        if self.plan.runtime == Runtime::Native && !self.job_manager_is_ready() {
            return;
        }
        for ordinal in 0..self.plan.task_managers {
            let present =
                |pod: &Pod| pod.role == Role::TaskManager && pod.ordinal == ordinal && pod.phase != Phase::Failed;
            if self.pods.iter().any(present) {
                continue;
            }
            let name = self.task_manager_name(ordinal, dice);
            if self.leaving.iter().any(|(pod, _)| pod.name == name) {
                continue;
            }
            self.add(moment, Wanted { name, role: Role::TaskManager, ordinal }, dice);
        }
    }

    pub(super) fn task_manager_name(&mut self, ordinal: u32, dice: &mut Dice) -> String {
        match self.plan.runtime {
            Runtime::Native => {
                let index = self.next_index;
                self.next_index += 1;
                format!("{}-taskmanager-{}-{index}", self.plan.name, self.attempt)
            }
            Runtime::OperatorStandalone => {
                let hash = self.hash_of(self.templates.1);
                format!("{}-taskmanager-{hash}-{}", self.plan.name, dice.suffix(5))
            }
            Runtime::Manifests => format!("{}-{ordinal}", self.plan.name),
        }
    }

    fn add(&mut self, moment: &Moment<'_>, wanted: Wanted, dice: &mut Dice) {
        let pod = self.new_pod(wanted, moment.now, dice);
        moment.environment.logs.reopen(&self.plan.namespace, &pod.name);
        self.publish(moment, &pod);
        self.pods.push(pod);
    }

    pub(super) fn new_pod(&self, wanted: Wanted, now: DateTime<Utc>, dice: &mut Dice) -> Pod {
        let Wanted { name, role, ordinal } = wanted;
        let template = if role == Role::JobManager { self.templates.0 } else { self.templates.1 };
        let (third, fourth) = (dice.below(250), dice.below(250) + 2);
        let block = dice::stable(&[&self.plan.namespace]) % 40 + 100;
        Pod {
            name,
            role,
            ordinal,
            template,
            hash: self.hash_of(template),
            phase: Phase::Pending,
            since: now,
            created: now,
            started: None,
            restarts: 0,
            last_termination: None,
            node: None,
            seen: 0,
            address: format!("10.{block}.{third}.{fourth}"),
            cpu: 0.0,
            memory: 0.0,
        }
    }

    /// Creates the object of a pod.
    pub(super) fn publish(&self, moment: &Moment<'_>, pod: &Pod) {
        let store = &moment.environment.store;
        let owner_key = match (self.plan.runtime, pod.role) {
            (Runtime::Manifests, Role::TaskManager) => self.key(&STATEFUL_SETS, &self.plan.name),
            (Runtime::Native, Role::TaskManager) => self.key(&DEPLOYMENTS, &self.plan.name),
            (_, role) => {
                let workload = if role == Role::JobManager {
                    Some(self.plan.name.clone())
                } else {
                    self.plan.task_manager_workload()
                };
                self.key(&REPLICA_SETS, &format!("{}-{}", workload.unwrap_or_default(), pod.hash))
            }
        };
        let owner = store.value(&owner_key);
        let node = pod.node.and_then(|node| moment.environment.nodes.get(node));
        let object = manifest::object(&self.plan, pod, owner.as_ref(), node);
        self.create(moment, &PODS, object);
    }

    /// Writes what the kubelet would report of a pod.
    pub(super) fn show_pod(&self, moment: &Moment<'_>, pod: &Pod) {
        let node = pod.node.and_then(|node| moment.environment.nodes.get(node));
        let status = manifest::status(&self.plan, pod, node);
        let shown = moment.environment.store.update(&self.pod_key(&pod.name), |object| {
            if let (Some(node), Some(spec)) = (node, object.get_mut("spec")) {
                set(spec, "nodeName", json!(node.name));
            }
            if let Some(metadata) = metadata_of(object)
                && metadata.get("deletionTimestamp").is_some()
            {
                return;
            }
            set(object, "status", status);
        });
        if shown.is_err() {
            tracing::trace!(pod = pod.name, "demo pod is gone");
        }
    }

    fn advance(&mut self, moment: &mut Moment<'_>) {
        for index in 0..self.pods.len() {
            let Some(pod) = self.pods.get(index) else { continue };
            let Some((next, seconds)) = pod.next() else { continue };
            if !moment.environment.passed(pod.since, moment.now, seconds) {
                continue;
            }
            let mut pod = pod.clone();
            if next == Phase::Creating && !self.schedule(moment, &mut pod) {
                continue;
            }
            pod.enter(next, moment.now);
            self.show_pod(moment, &pod);
            self.tell(moment, &pod);
            if let Some(place) = self.pods.get_mut(index) {
                *place = pod;
            }
        }
    }

    /// Finds a node; false while none has room.
    fn schedule(&self, moment: &mut Moment<'_>, pod: &mut Pod) -> bool {
        let wanted = i64::try_from(manifest::size(&self.plan, pod.role).cpu_millis).unwrap_or(0);
        if wanted > moment.free_cpu {
            let message = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";
            if moment.environment.passed(pod.since, moment.now, 2)
                && !moment.environment.passed(pod.since, moment.now, 4)
            {
                self.notify_pod(moment, &pod.name, "FailedScheduling", message);
            }
            return false;
        }
        moment.free_cpu -= wanted;
        let nodes = moment.environment.nodes.len().max(1) as u64;
        pod.node = usize::try_from(dice::stable(&[&pod.name]) % nodes).ok();
        true
    }

    /// Events and first lines of a pod that has just moved on.
    fn tell(&self, moment: &Moment<'_>, pod: &Pod) {
        let node = pod.node.and_then(|node| moment.environment.nodes.get(node)).map_or("", |node| &node.name);
        let container = manifest::container_name(&self.plan);
        match pod.phase {
            Phase::Creating => {
                let message = format!("Successfully assigned {}/{} to {node}", self.plan.namespace, pod.name);
                self.notify_pod(moment, &pod.name, "Scheduled", &message);
                let message = format!("Pulling image \"{}\"", self.plan.image);
                self.notify_pod(moment, &pod.name, "Pulling", &message);
            }
            Phase::Starting => {
                self.notify_pod(moment, &pod.name, "Started", &format!("Started container {container}"));
                words::start(self, moment, pod);
            }
            Phase::Ready if pod.role == Role::TaskManager => {
                let message = format!(
                    "Registering TaskManager with ResourceID {} (pekko.tcp://flink@{}:6122/user/rpc/taskmanager_0) at ResourceManager",
                    pod.name, pod.address
                );
                self.log_job_manager(
                    moment,
                    "org.apache.flink.runtime.resourcemanager.active.ActiveResourceManager",
                    &message,
                );
            }
            _ => {}
        }
    }

    /// CPU and memory wander with the load.
    fn drift(&mut self, dice: &mut Dice) {
        let load = self.jobs.iter().map(super::job::Job::load).fold(0.0, f64::max);
        for pod in self.pods.iter_mut().filter(|pod| pod.is_ready()) {
            let wanted = match pod.role {
                Role::JobManager => 0.08,
                Role::TaskManager => load.mul_add(0.85, 0.06),
            };
            let noise = dice.between(-0.03, 0.03);
            pod.cpu = (0.3f64.mul_add(wanted - pod.cpu, pod.cpu) + noise).clamp(0.01, 0.99);
            let target = if pod.role == Role::JobManager { 0.58 } else { 0.72 };
            pod.memory = (0.05f64.mul_add(target - pod.memory, pod.memory) + noise * 0.05).clamp(0.05, 0.97);
        }
    }
}

/// What `metrics.k8s.io` says of a pod.
pub(crate) fn usage(cluster: &Cluster, pod: &Pod) -> Value {
    let size = manifest::size(&cluster.plan, pod.role);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shares of cores and bytes"
    )]
    let (nanos, kibibytes) = (
        (size.cpu_millis as f64 * 1_000_000.0 * pod.cpu) as u64,
        (size.memory_bytes as f64 / 1024.0 * pod.memory) as u64,
    );
    json!({"cpu": format!("{nanos}n"), "memory": format!("{kibibytes}Ki")})
}
