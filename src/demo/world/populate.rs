//! The first moment: everything is there already, and has been for days.

use chrono::{DateTime, TimeDelta, Utc};

use super::World;
use super::cluster::{Cluster, Operation};
use super::derive::{self, Owners};
use super::job::Job;
use super::pod::{Ended, Phase, Pod, Wanted};
use super::{Moment, words};
use crate::demo::dice::{self, Dice};
use crate::demo::environment::Environment;
use crate::demo::kubernetes::resources::{
    CONFIG_MAPS, DEPLOYMENTS, FLINK_DEPLOYMENTS, FLINK_SESSION_JOBS, NAMESPACES, NODES, REPLICA_SETS, RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS, SERVICES, STATEFUL_SETS,
};
use crate::demo::manifests::managed::{self, Site};
use crate::demo::manifests::{flink, place, workload};
use crate::demo::plan::{self, ClusterPlan, Runtime};
use crate::model::job::JobState;
use crate::model::pod::Role;

impl World {
    pub(crate) fn populate(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let moment = Moment { environment, now, seconds: 0.0, free_cpu: i64::MAX };
        let long_ago = now - TimeDelta::days(212);
        let put = |resource, object| {
            if environment.store.create(resource, object).is_err() {
                tracing::trace!("demo object is shared by several clusters");
            }
        };
        for node in &environment.nodes {
            put(&NODES, place::node(node, long_ago));
        }
        for name in ["default", "kube-system", "flink-operator"] {
            put(&NAMESPACES, place::namespace(name, long_ago));
        }
        for plan in plan::clusters(&environment.name) {
            put(&NAMESPACES, place::namespace(&plan.namespace, long_ago));
            put(&SERVICE_ACCOUNTS, place::account(&plan, long_ago));
            put(&RESOURCE_QUOTAS, place::quota(&plan.namespace, 52, 266));
            let cluster = Cluster::settled(plan, &moment, &mut self.dice);
            self.clusters.insert((cluster.plan.namespace.clone(), cluster.plan.name.clone()), cluster);
        }
        self.adopted = environment.store.revision();
    }
}

impl Cluster {
    /// A cluster that has been what it is for as long as its plan says.
    fn settled(plan: ClusterPlan, moment: &Moment<'_>, dice: &mut Dice) -> Self {
        let created = moment.now - TimeDelta::minutes(plan.age_minutes) - TimeDelta::seconds(38);
        let mut cluster = Self::new(plan, (0, 0), moment.now);
        cluster.create_owners(moment, created);
        cluster.observe_at_start(moment);
        cluster.attempt = u32::try_from(dice::stable(&[&cluster.plan.name]) % 3).unwrap_or(0) + 1;
        if cluster.plan.stopped {
            cluster.stop_long_ago(moment);
            return cluster;
        }
        if cluster.has_operator() {
            cluster.ensure_children(moment);
        }
        if cluster.plan.age_minutes == 0 && cluster.has_operator() {
            // Deployed just now: the first screen shows it coming up.
            cluster.operation = Operation::Starting(moment.now);
            return cluster;
        }
        cluster.settle_pods(moment, created, dice);
        let scope = cluster.plan.namespace.clone();
        cluster.jobs = cluster.plan.jobs.iter().map(|job| Job::running(job, &scope, created, moment.now)).collect();
        words::history(&cluster, moment, dice);
        cluster
    }

    fn create_owners(&self, moment: &Moment<'_>, created: DateTime<Utc>) {
        let plan = &self.plan;
        let environment = moment.environment;
        let site = Site { environment: &environment.name, kafka: &environment.kafka, created };
        if let Some(objects) = managed::objects(plan, site) {
            for object in objects.into_iter().chain(managed::revisions(plan, site)) {
                let resource = if object["kind"] == "ConfigMap" { &CONFIG_MAPS } else { &FLINK_DEPLOYMENTS };
                self.create(moment, resource, object);
            }
            return;
        }
        if self.has_operator() {
            self.create(moment, &FLINK_DEPLOYMENTS, flink::deployment(plan, created));
            for job in plan.jobs.iter().filter(|job| job.in_session) {
                self.create(moment, &FLINK_SESSION_JOBS, flink::session_job(plan, job, created));
            }
            return;
        }
        self.create(moment, &DEPLOYMENTS, workload::deployment(plan, Role::JobManager, None, created));
        self.create(moment, &STATEFUL_SETS, workload::stateful_set(plan, created));
        self.create(moment, &CONFIG_MAPS, place::config_map(plan, None, created));
        for service in place::services(plan, None, created) {
            self.create(moment, &SERVICES, service);
        }
    }

    /// The first look at the owners: what is there is what is deployed.
    fn observe_at_start(&mut self, moment: &Moment<'_>) {
        let store = &moment.environment.store;
        let owner = store.value(&self.owner_key()).unwrap_or_default();
        let workers = (!self.has_operator()).then(|| store.value(&self.key(&STATEFUL_SETS, &self.plan.name))).flatten();
        let owners = Owners { owner: &owner, workers: workers.as_ref() };
        self.wanted = derive::plan(&self.plan, &owners);
        self.plan = self.wanted.clone();
        self.wanted_templates = derive::templates(&self.plan, &owners);
        self.templates = self.wanted_templates;
        self.first_template = self.templates.0;
        if self.has_operator() {
            self.reconciled = Some(flink::reconciled(&owner, false));
            self.stable.clone_from(&self.reconciled);
        }
    }

    fn stop_long_ago(&mut self, moment: &Moment<'_>) {
        let stopped = moment.now - TimeDelta::days(2);
        for plan in self.plan.jobs.clone() {
            let mut job = Job::running(&plan, &self.plan.namespace, stopped - TimeDelta::days(3), stopped);
            self.savepoint = Some(job.checkpoints.savepoint(&plan, &job.id, stopped));
            job.enter(JobState::Suspended, stopped);
            self.jobs.push(job);
        }
    }

    fn settle_pods(&mut self, moment: &Moment<'_>, created: DateTime<Utc>, dice: &mut Dice) {
        self.settle_replica_sets(moment);
        // As in the talk, where this very pod is on the status page.
        let famous = self.plan.name == "sessionization" && self.plan.job_manager_restarts > 0;
        let suffix = if famous { "bc5zk".to_owned() } else { dice.suffix(5) };
        let name = format!("{}-{}-{suffix}", self.plan.name, self.hash_of(self.templates.0));
        let wanted = Wanted { name, role: Role::JobManager, ordinal: 0 };
        let mut manager = self.settled_pod(wanted, created, dice);
        manager.restarts = self.plan.job_manager_restarts;
        if manager.restarts > 0 {
            let ended = created + TimeDelta::hours(31);
            manager.started = Some(ended + TimeDelta::seconds(2));
            manager.last_termination =
                Some(Ended { reason: "Error", exit_code: 1, started_at: created, finished_at: ended });
        }
        self.settle(moment, manager);
        for ordinal in 0..self.plan.task_managers {
            let name = self.task_manager_name(ordinal, dice);
            let created = created + TimeDelta::seconds(i64::from(ordinal >= 10));
            let pod = self.settled_pod(Wanted { name, role: Role::TaskManager, ordinal }, created, dice);
            self.settle(moment, pod);
        }
    }

    fn settle_replica_sets(&self, moment: &Moment<'_>) {
        if self.plan.runtime != Runtime::Manifests {
            return;
        }
        let store = &moment.environment.store;
        let deployment = store.value(&self.key(&DEPLOYMENTS, &self.plan.name)).unwrap_or_default();
        let hash = self.hash_of(self.templates.0);
        self.create(moment, &REPLICA_SETS, workload::replica_set(&self.plan, Role::JobManager, &deployment, &hash));
    }

    fn settled_pod(&self, wanted: Wanted, created: DateTime<Utc>, dice: &mut Dice) -> Pod {
        let mut pod = self.new_pod(wanted, created, dice);
        let nodes = plan::nodes("prd").len() as u64;
        pod.node = usize::try_from(dice::stable(&[&pod.name]) % nodes).ok();
        pod.phase = Phase::Ready;
        pod.since = created + TimeDelta::seconds(11);
        pod.started = Some(created + TimeDelta::seconds(5));
        pod.cpu = dice.between(0.3, 0.5);
        pod.memory = dice.between(0.6, 0.75);
        pod
    }

    fn settle(&mut self, moment: &Moment<'_>, pod: Pod) {
        moment.environment.logs.reopen(&self.plan.namespace, &pod.name);
        self.publish(moment, &pod);
        self.pods.push(pod);
    }
}
