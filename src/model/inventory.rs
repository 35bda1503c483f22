//! Everything that is known, joined: which pods, objects, job and topics belong to which processor, and
//! which processors make a pipeline.
//!
//! Changes are applied one by one, and each marks the pipelines that it touches, so that a busy
//! cluster costs what it changes and not what it holds. It must not interpret: that is
//! [`super::verdict`]'s work.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::Time;
use super::change::{Change, Fetched, Kind, Scope, ScopeState};
use super::cluster_event::ClusterEvent;
use super::declaration::{Declaration, Declarer, Notes, OperatorStatus};
use super::environment::{Backend, Environment, Link};
use super::job::Job;
use super::kafka::{Group, Topic};
use super::key::{KafkaKey, ObjectKey, PipelineKey, PodKey, ProcessorKey};
use super::pod::{Pod, Role, Usage};
use super::route::Route;
use super::signal::Signals;

/// One processor and what is known of it.
#[derive(Debug, Default)]
pub struct Processor {
    /// The objects that declare it, strongest kind first.
    pub declarations: BTreeMap<(Declarer, ObjectKey), Declaration>,
    /// Its pods by name.
    pub pods: BTreeMap<Arc<str>, Pod>,
    /// Its Flink job; `None` until somebody asked.
    pub job: Option<Fetched<Box<Job>>>,
}

impl Processor {
    /// The first declaration that says something, from the strongest kind on.
    pub fn declared<T>(&self, pick: impl Fn(&Declaration) -> Option<T>) -> Option<T> {
        self.declarations.values().find_map(pick)
    }

    /// What the operator says; `None` without an operator.
    #[must_use]
    pub fn operator(&self) -> Option<&OperatorStatus> {
        self.declarations.values().find_map(|declaration| declaration.operator.as_ref())
    }

    /// The notes of the first object that carries any.
    #[must_use]
    pub fn notes(&self) -> Option<&Notes> {
        let empty = Notes::default();
        self.declarations.values().map(|declaration| &declaration.notes).find(|notes| **notes != empty)
    }

    /// The job, if it was fetched.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        match self.job.as_ref()? {
            Fetched::Ready(job) => Some(job),
            _ => None,
        }
    }

    /// Wanted pods in a role, if an object says so.
    #[must_use]
    pub fn wanted(&self, role: Role) -> Option<u32> {
        self.declared(|declaration| match role {
            Role::JobManager => declaration.job_managers,
            Role::TaskManager => declaration.task_managers,
        })
    }

    fn pipeline(&self, key: &ProcessorKey) -> PipelineKey {
        let labelled = self
            .declared(|declaration| declaration.pipeline.clone())
            .or_else(|| self.pods.values().find_map(|pod| pod.pipeline.clone()));
        labelled.map_or_else(|| key.clone(), |name| key.sibling(name))
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Inventory {
    environments: BTreeMap<Arc<str>, Environment>,
    links: BTreeMap<(Arc<str>, Backend), Link>,
    scopes: BTreeMap<Scope, ScopeState>,
    processors: BTreeMap<ProcessorKey, Processor>,
    pipelines: BTreeMap<PipelineKey, BTreeSet<ProcessorKey>>,
    pipeline_of: HashMap<ProcessorKey, PipelineKey>,
    declared: HashMap<(Declarer, ObjectKey), ProcessorKey>,
    pods: HashMap<PodKey, ProcessorKey>,
    usage: HashMap<PodKey, Usage>,
    roles: HashMap<ObjectKey, Option<Arc<str>>>,
    events: BTreeMap<ObjectKey, ClusterEvent>,
    topics: HashMap<KafkaKey, Topic>,
    missing_topics: HashMap<KafkaKey, Arc<str>>,
    groups: HashMap<KafkaKey, Group>,
    topic_names: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    group_names: BTreeMap<Arc<str>, Vec<(Arc<str>, Arc<str>)>>,
    signals: BTreeMap<Arc<str>, Arc<Signals>>,
    routes: BTreeMap<KafkaKey, Arc<Route>>,
    dirty: HashSet<PipelineKey>,
}

impl Inventory {
    /// Takes one fact in.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Environment(environment) => {
                self.environments.insert(environment.name.clone(), *environment);
            }
            Change::Link(environment, backend, link) => {
                self.links.insert((environment, backend), link);
            }
            Change::Scope(scope, state) => {
                self.scopes.insert(scope, state);
            }
            Change::Retain(scope, names) => self.retain(&scope, &names),
            Change::Pod(pod) => self.put_pod(*pod),
            Change::PodGone(key) => self.drop_pod(&key),
            Change::Declared(declaration) => self.put_declaration(*declaration),
            Change::Undeclared(declarer, object) => self.drop_declaration(declarer, &object),
            Change::ClusterEvent(event) => {
                self.events.insert(event.key.clone(), *event);
            }
            Change::ClusterEventGone(key) => {
                self.events.remove(&key);
            }
            Change::Usage(environment, usage) => self.put_usage(&environment, usage),
            Change::IamRole(account, role) => {
                self.roles.insert(account, role);
            }
            Change::Job(key, job) => self.put_job(&key, job),
            Change::Topics(topics) => {
                for topic in topics {
                    self.missing_topics.remove(&topic.key);
                    self.topics.insert(topic.key.clone(), topic);
                }
            }
            Change::TopicMissing(key, why) => {
                self.topics.remove(&key);
                self.missing_topics.insert(key, why);
            }
            Change::Groups(groups) => self.put_groups(groups),
            Change::TopicNames(environment, names) => {
                self.topic_names.insert(environment, names);
            }
            Change::GroupNames(environment, mut names) => {
                names.sort_unstable();
                self.group_names.insert(environment, names);
            }
            Change::Signals(environment, signals) => {
                self.signals.insert(environment, signals);
            }
            Change::Route(route) => {
                self.routes.insert(route.key.clone(), route);
            }
        }
    }

    /// The pipelines that changed since the last call.
    pub fn take_dirty(&mut self) -> HashSet<PipelineKey> {
        std::mem::take(&mut self.dirty)
    }

    /// All environments by name.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.values()
    }

    /// One environment.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.get(name)
    }

    /// State of one connection.
    #[must_use]
    pub fn link(&self, environment: &Arc<str>, backend: Backend) -> &Link {
        const IDLE: &Link = &Link::Idle;
        self.links.get(&(environment.clone(), backend)).unwrap_or(IDLE)
    }

    /// All watches and how they stand.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &ScopeState)> {
        self.scopes.iter()
    }

    /// All pipelines with their processors.
    pub fn pipelines(&self) -> impl Iterator<Item = (&PipelineKey, &BTreeSet<ProcessorKey>)> {
        self.pipelines.iter()
    }

    /// The processors of one pipeline.
    pub fn processors_of(&self, pipeline: &PipelineKey) -> impl Iterator<Item = (&ProcessorKey, &Processor)> {
        self.pipelines.get(pipeline).into_iter().flatten().filter_map(|key| self.processors.get_key_value(key))
    }

    /// All processors.
    pub fn processors(&self) -> impl Iterator<Item = (&ProcessorKey, &Processor)> {
        self.processors.iter()
    }

    /// One processor.
    #[must_use]
    pub fn processor(&self, key: &ProcessorKey) -> Option<&Processor> {
        self.processors.get(key)
    }

    /// The pipeline of a processor.
    #[must_use]
    pub fn pipeline_of(&self, processor: &ProcessorKey) -> Option<&PipelineKey> {
        self.pipeline_of.get(processor)
    }

    /// The pods that run a processor: its own, or its session cluster's.
    pub fn pods_of(&self, key: &ProcessorKey) -> impl Iterator<Item = &Pod> {
        self.host_of(key).into_iter().flat_map(|processor| processor.pods.values())
    }

    /// The processor that owns the pods: itself, or the session cluster of a session job.
    #[must_use]
    pub fn host_of(&self, key: &ProcessorKey) -> Option<&Processor> {
        let processor = self.processors.get(key)?;
        match processor.operator().and_then(|operator| operator.session.clone()) {
            Some(session) => self.processors.get(&key.sibling(session)),
            None => Some(processor),
        }
    }

    /// One pod.
    #[must_use]
    pub fn pod(&self, key: &PodKey) -> Option<&Pod> {
        self.processors.get(self.pods.get(key)?)?.pods.get(&key.name)
    }

    /// How many pods are known.
    #[must_use]
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// What a pod uses; `None` without a metrics API.
    #[must_use]
    pub fn usage(&self, pod: &PodKey) -> Option<Usage> {
        self.usage.get(pod).copied()
    }

    /// IAM role of a service account; outer `None` until it was looked up.
    #[must_use]
    pub fn iam_role(&self, account: &ObjectKey) -> Option<&Option<Arc<str>>> {
        self.roles.get(account)
    }

    /// Kubernetes events of all watched namespaces.
    pub fn events(&self) -> impl Iterator<Item = &ClusterEvent> {
        self.events.values()
    }

    /// A topic that was asked for.
    #[must_use]
    pub fn topic(&self, key: &KafkaKey) -> Option<&Topic> {
        self.topics.get(key)
    }

    /// Why a topic could not be read.
    #[must_use]
    pub fn missing_topic(&self, key: &KafkaKey) -> Option<&Arc<str>> {
        self.missing_topics.get(key)
    }

    /// A group that was asked for.
    #[must_use]
    pub fn group(&self, key: &KafkaKey) -> Option<&Group> {
        self.groups.get(key)
    }

    /// The consumer group of a processor, if it names one and it was asked for.
    #[must_use]
    pub fn group_of(&self, key: &ProcessorKey) -> Option<&Group> {
        self.groups.get(&self.group_key(key)?)
    }

    /// The name of a processor's consumer group: as noted on its object, else its own name where the
    /// cluster has such a group.
    #[must_use]
    pub fn group_key(&self, key: &ProcessorKey) -> Option<KafkaKey> {
        let noted = self.processors.get(key)?.notes().and_then(|notes| notes.group.clone());
        let name = noted.or_else(|| {
            let names = self.group_names.get(&key.environment)?;
            let place = names.binary_search_by(|(name, _)| name.cmp(&key.name)).ok()?;
            names.get(place).map(|(name, _)| name.clone())
        })?;
        Some(KafkaKey { environment: key.environment.clone(), name })
    }

    /// Topic names by environment.
    #[must_use]
    pub const fn topic_names(&self) -> &BTreeMap<Arc<str>, Vec<Arc<str>>> {
        &self.topic_names
    }

    /// Group names and state words by environment, in order of the names.
    #[must_use]
    pub const fn group_names(&self) -> &BTreeMap<Arc<str>, Vec<(Arc<str>, Arc<str>)>> {
        &self.group_names
    }

    /// Golden signals by environment.
    #[must_use]
    pub const fn signals(&self) -> &BTreeMap<Arc<str>, Arc<Signals>> {
        &self.signals
    }

    /// Routes, by environment and name.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    fn put_pod(&mut self, pod: Pod) {
        if let Some(before) = self.pods.insert(pod.key.clone(), pod.processor.clone())
            && before != pod.processor
        {
            self.take_pod_from(&before, &pod.key.name);
        }
        let key = pod.processor.clone();
        self.processors.entry(key.clone()).or_default().pods.insert(pod.key.name.clone(), pod);
        self.touch(&key);
    }

    fn drop_pod(&mut self, key: &PodKey) {
        self.usage.remove(key);
        if let Some(processor) = self.pods.remove(key) {
            self.take_pod_from(&processor, &key.name);
        }
    }

    fn take_pod_from(&mut self, key: &ProcessorKey, pod: &Arc<str>) {
        if let Some(processor) = self.processors.get_mut(key) {
            processor.pods.remove(pod);
        }
        self.touch(key);
    }

    fn put_declaration(&mut self, declaration: Declaration) {
        let slot = (declaration.declarer, declaration.object.clone());
        if let Some(before) = self.declared.insert(slot.clone(), declaration.processor.clone())
            && before != declaration.processor
        {
            self.take_declaration_from(&before, &slot);
        }
        let key = declaration.processor.clone();
        self.processors.entry(key.clone()).or_default().declarations.insert(slot, declaration);
        self.touch(&key);
    }

    fn drop_declaration(&mut self, declarer: Declarer, object: &ObjectKey) {
        let slot = (declarer, object.clone());
        if let Some(processor) = self.declared.remove(&slot) {
            self.take_declaration_from(&processor, &slot);
        }
    }

    fn take_declaration_from(&mut self, key: &ProcessorKey, slot: &(Declarer, ObjectKey)) {
        if let Some(processor) = self.processors.get_mut(key) {
            processor.declarations.remove(slot);
        }
        self.touch(key);
    }

    fn put_usage(&mut self, environment: &Arc<str>, usage: Vec<(PodKey, Usage)>) {
        self.usage.retain(|key, _| key.environment != *environment);
        self.usage.extend(usage);
    }

    fn put_job(&mut self, key: &ProcessorKey, job: Fetched<Box<Job>>) {
        let Some(processor) = self.processors.get_mut(key) else { return };
        processor.job = Some(keep_detail(processor.job.take(), job));
        self.touch(key);
    }

    fn put_groups(&mut self, groups: Vec<Group>) {
        let names: HashSet<KafkaKey> = groups.iter().map(|group| group.key.clone()).collect();
        self.groups.extend(groups.into_iter().map(|group| (group.key.clone(), group)));
        let readers: Vec<ProcessorKey> = self
            .processors
            .keys()
            .filter(|key| self.group_key(key).is_some_and(|group| names.contains(&group)))
            .cloned()
            .collect();
        for reader in readers {
            self.touch(&reader);
        }
    }

    fn retain(&mut self, scope: &Scope, names: &HashSet<ObjectKey>) {
        let gone = |key: &ObjectKey| {
            key.environment == scope.environment
                && scope.namespace.as_ref().is_none_or(|namespace| key.namespace == *namespace)
                && !names.contains(key)
        };
        match scope.kind {
            Kind::Pods => {
                let keys: Vec<PodKey> = self.pods.keys().filter(|key| gone(key)).cloned().collect();
                keys.iter().for_each(|key| self.drop_pod(key));
            }
            Kind::Declared(declarer) => {
                let keys: Vec<ObjectKey> = self
                    .declared
                    .keys()
                    .filter(|(kind, key)| *kind == declarer && gone(key))
                    .map(|(_, key)| key.clone())
                    .collect();
                keys.iter().for_each(|key| self.drop_declaration(declarer, key));
            }
            Kind::Events => self.events.retain(|key, _| !gone(key)),
        }
    }

    /// Marks a processor's pipeline as changed, moves it when its label changed, and forgets a
    /// processor of which nothing is left.
    fn touch(&mut self, key: &ProcessorKey) {
        let present = self
            .processors
            .get(key)
            .filter(|processor| !processor.pods.is_empty() || !processor.declarations.is_empty());
        let pipeline = present.map(|processor| processor.pipeline(key));
        if let Some(before) = self.pipeline_of.get(key)
            && Some(before) != pipeline.as_ref()
        {
            let before = before.clone();
            self.dirty.insert(before.clone());
            if let Some(members) = self.pipelines.get_mut(&before) {
                members.remove(key);
                if members.is_empty() {
                    self.pipelines.remove(&before);
                }
            }
        }
        if let Some(pipeline) = pipeline {
            self.pipelines.entry(pipeline.clone()).or_default().insert(key.clone());
            self.pipeline_of.insert(key.clone(), pipeline.clone());
            self.dirty.insert(pipeline);
        } else {
            self.processors.remove(key);
            self.pipeline_of.remove(key);
        }
        self.touch_session_jobs(key);
    }

    /// A session cluster's pods are its jobs' pods.
    fn touch_session_jobs(&mut self, cluster: &ProcessorKey) {
        if !self
            .processors
            .get(cluster)
            .is_some_and(|processor| processor.operator().is_some_and(|operator| operator.session_cluster))
        {
            return;
        }
        let jobs = self.processors.iter().filter(|(key, processor)| {
            key.namespace == cluster.namespace
                && processor.operator().is_some_and(|operator| operator.session.as_ref() == Some(&cluster.name))
        });
        self.dirty.extend(jobs.filter_map(|(key, _)| self.pipeline_of.get(key).cloned()));
    }
}

/// A summary does not erase the vertices and failures that a detailed answer brought, as long as it
/// is the same job.
fn keep_detail(before: Option<Fetched<Box<Job>>>, now: Fetched<Box<Job>>) -> Fetched<Box<Job>> {
    match (before, now) {
        (Some(Fetched::Ready(before)), Fetched::Ready(mut job)) if before.id == job.id => {
            if job.vertices.is_empty() {
                job.vertices = before.vertices;
                job.failures = before.failures;
                job.state_since = job.state_since.or(if job.state == before.state { before.state_since } else { None });
            }
            job.restarts = job.restarts.or(before.restarts);
            Fetched::Ready(job)
        }
        (_, now) => now,
    }
}

/// Age of the newest moment among several, for rows that join several processors.
#[must_use]
pub fn newest(moments: impl Iterator<Item = Option<Time>>) -> Option<Time> {
    moments.flatten().max()
}
