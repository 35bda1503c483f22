//! Collects what a command shows: runs the sources until everything that it needs has answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::event::Event;
use crate::model::Time;
use crate::model::change::{Fetched, Kind, ScopeState};
use crate::model::environment::{Backend, Link};
use crate::model::interest::{self, Depth, GroupInterest, Interest, JobInterest};
use crate::model::inventory::Inventory;
use crate::model::key::{KafkaKey, ObjectKey, ProcessorKey};
use crate::model::owner;
use crate::model::signal::{Focus, Reading};
use crate::model::view;
use crate::runtime::backends::{Backends, Clusters, Counting};
use crate::settings::Settings;

/// For so long a second look is waited for, after everything has answered once.
const SECOND_LOOK: Duration = Duration::from_secs(4);

/// What a command needs besides the pods and what declares them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Need {
    /// Flink jobs.
    pub jobs: Option<Depth>,
    /// Consumer groups of processors, with lag in time.
    pub groups: bool,
    /// Topics that processors name.
    pub topics: bool,
    /// All topic names and group names, which also finds the groups of processors that note none.
    pub kafka_names: bool,
    /// Every consumer group of the cluster.
    pub all_groups: bool,
    /// CPU and memory in use.
    pub usage: bool,
    /// Kubernetes events.
    pub events: bool,
    /// IAM roles of service accounts.
    pub accounts: bool,
    /// Rates of topics and groups, which take two looks.
    pub rates: bool,
    /// Golden signals, read up to now.
    pub signals: bool,
}

/// The world as a command sees it.
#[derive(Debug)]
pub struct World {
    /// What is known.
    pub inventory: Inventory,
    need: Need,
    backends: Backends,
    events: mpsc::Receiver<Event>,
    environments: usize,
    /// Environments that have golden signals.
    counted: Vec<Arc<str>>,
}

impl World {
    /// Starts the sources of all environments.
    pub fn open(settings: &Settings, need: Need) -> Self {
        let (backends, events) = Backends::start(settings, Counting::WhenWanted);
        let counted = settings.environments.iter().filter(|it| it.signals.is_some()).map(|it| {
            let name = if it.name.is_empty() { "default" } else { it.name.as_str() };
            Arc::from(name)
        });
        let (environments, counted) = (settings.environments.len(), counted.collect());
        Self { inventory: Inventory::default(), need, backends, events, environments, counted }
    }

    /// Waits until all that is needed has answered, or `patience` is over. Whether it is complete.
    pub async fn settle(&mut self, patience: Duration) -> bool {
        let mut deadline = Instant::now() + patience;
        let mut settled = false;
        loop {
            let interest = wanted(&self.inventory, self.need);
            if !settled && self.is_settled(&interest) {
                settled = true;
                deadline = deadline.min(Instant::now() + SECOND_LOOK);
            }
            if settled && self.has_rates(&interest) {
                return true;
            }
            self.tell(interest);
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Some(event)) => self.take(event),
                Ok(None) | Err(_) => return settled,
            }
        }
    }

    /// Waits for the next facts; `false` when there will be none.
    pub async fn next(&mut self) -> bool {
        let Some(event) = self.events.recv().await else { return false };
        self.take(event);
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        self.tell(wanted(&self.inventory, self.need));
        true
    }

    /// Tells the backends what is wanted, and golden signals what is known beside them.
    fn tell(&self, interest: Interest) {
        self.backends.want(interest);
        if self.need.signals {
            self.backends.saturate(owner::all_saturations(&self.inventory));
        }
    }

    /// The ways to the clusters.
    pub fn clusters(&self) -> Clusters {
        self.backends.clusters()
    }

    /// What did not answer or refused, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for environment in self.inventory.environments() {
            for backend in Backend::ALL {
                match self.inventory.link(&environment.name, backend) {
                    Link::Down { error, .. } => {
                        sentences.push(format!("{} {}: {error}", environment.name, backend.word()));
                    }
                    Link::Forbidden { error, .. } => {
                        sentences.push(format!("{} {} refuses: {error}", environment.name, backend.word()));
                    }
                    Link::Connecting if backend == Backend::Kubernetes => {
                        sentences.push(format!("{} {} has not answered yet", environment.name, backend.word()));
                    }
                    _ => {}
                }
            }
        }
        for (environment, signals) in self.inventory.signals() {
            if let Reading::Failed(why) | Reading::Stalled(_, why) = &signals.reading {
                sentences.push(format!("{environment} signals: {why}"));
            }
        }
        for (scope, state) in self.inventory.scopes() {
            match state {
                ScopeState::Forbidden(words) => {
                    sentences.push(format!("{}: may not list {}: {words}", scope.environment, scope.kind.word()));
                }
                // A connection that is down was named above.
                ScopeState::Failed(_, words) | ScopeState::Stale(_, words)
                    if !self.inventory.link(&scope.environment, Backend::Kubernetes).is_down() =>
                {
                    sentences.push(format!("{}: cannot list {}: {words}", scope.environment, scope.kind.word()));
                }
                _ => {}
            }
        }
        sentences
    }

    fn take(&mut self, event: Event) {
        if let Event::Changed(changes) = event {
            changes.into_iter().for_each(|change| self.inventory.apply(change));
        }
    }

    fn is_settled(&self, interest: &Interest) -> bool {
        let known: Vec<&Arc<str>> = self.inventory.environments().map(|environment| &environment.name).collect();
        known.len() >= self.environments
            && known.iter().all(|environment| self.listed(environment))
            && interest.jobs.iter().all(|job| self.asked(job))
            && interest.groups.iter().all(|group| self.group_answered(group))
            && interest.topics.iter().all(|topic| self.topic_answered(topic))
            && (!self.need.signals || self.counted.iter().all(|environment| self.has_counted(environment)))
            && interest.accounts.iter().all(|account| self.account_answered(account))
            && interest.kafka_names.iter().all(|environment| {
                self.kafka_is_out(environment) || self.inventory.group_names().contains_key(environment)
            })
    }

    /// Whether the rates are there, where somebody wants them.
    fn has_rates(&self, interest: &Interest) -> bool {
        let topic = |key| self.inventory.topic(key).is_none_or(|topic| topic.records_per_second.is_some());
        let group = |key| self.inventory.group(key).is_none_or(|group| group.produced_per_second.is_some());
        !self.need.rates
            || (interest.topics.iter().all(topic) && interest.groups.iter().all(|wanted| group(&wanted.key)))
    }

    fn listed(&self, environment: &Arc<str>) -> bool {
        if matches!(self.inventory.link(environment, Backend::Kubernetes), Link::Down { .. } | Link::Forbidden { .. }) {
            return true;
        }
        let namespaces = self.inventory.environment(environment).map_or(0, |known| known.namespaces.len()).max(1);
        let scopes = self.inventory.scopes().filter(|(scope, _)| scope.environment == *environment);
        let (listed, awaited): (Vec<_>, Vec<_>) = scopes.partition(|(_, state)| **state != ScopeState::Loading);
        awaited.is_empty() && listed.len() >= Kind::LISTED.len() * namespaces
    }

    fn asked(&self, job: &JobInterest) -> bool {
        let Some(processor) = self.inventory.processor(&job.processor) else { return true };
        match &processor.job {
            None => false,
            Some(Fetched::Ready(found)) => job.depth == Depth::Summary || found.state_since.is_some(),
            Some(_) => true,
        }
    }

    /// Whether its golden signals are read up to now, or cannot be.
    fn has_counted(&self, environment: &Arc<str>) -> bool {
        let signals = self.inventory.signals().get(environment);
        signals.is_some_and(|signals| !matches!(signals.reading, Reading::Starting | Reading::CatchingUp(_)))
    }

    fn group_answered(&self, group: &GroupInterest) -> bool {
        self.kafka_is_out(&group.key.environment) || self.inventory.group(&group.key).is_some()
    }

    fn account_answered(&self, account: &ObjectKey) -> bool {
        let link = self.inventory.link(&account.environment, Backend::Kubernetes);
        !matches!(link, Link::Up { .. }) || self.inventory.iam_role(account).is_some()
    }

    fn topic_answered(&self, topic: &KafkaKey) -> bool {
        self.kafka_is_out(&topic.environment)
            || self.inventory.topic(topic).is_some()
            || self.inventory.missing_topic(topic).is_some()
    }

    /// Not configured, down or refused: waiting for it is useless.
    fn kafka_is_out(&self, environment: &Arc<str>) -> bool {
        let unset = self.inventory.environment(environment).is_none_or(|environment| environment.kafka.is_none());
        unset || matches!(self.inventory.link(environment, Backend::Kafka), Link::Down { .. } | Link::Forbidden { .. })
    }
}

/// Now, for commands: the one place where they read a clock.
pub fn now() -> Time {
    chrono::Utc::now()
}

fn wanted(inventory: &Inventory, need: Need) -> Interest {
    let keys: Vec<ProcessorKey> = inventory.processors().map(|(key, _)| key.clone()).collect();
    let environments = || inventory.environments().map(|environment| environment.name.clone());
    let kafka = || environments().filter(|name| inventory.environment(name).is_some_and(|known| known.kafka.is_some()));
    let mut wanted = Interest::default();
    if let Some(depth) = need.jobs {
        let ask = |key| interest::job_interest(inventory, key, depth.max(depth_for(inventory, key)));
        wanted.jobs = keys.iter().filter_map(ask).collect();
    }
    if need.groups {
        wanted.groups = keys
            .iter()
            .filter_map(|key| interest::group_interest(inventory, key, true))
            .filter(|group| kafka().any(|name| name == group.key.environment))
            .collect();
    }
    if need.topics {
        wanted.topics = keys.iter().flat_map(|key| topics_of(inventory, key)).collect();
        for (environment, names) in inventory.topic_names() {
            wanted
                .topics
                .extend(names.iter().map(|name| KafkaKey { environment: environment.clone(), name: name.clone() }));
        }
    }
    if need.all_groups {
        for (environment, names) in inventory.group_names() {
            wanted.groups.extend(names.iter().map(|(name, _)| GroupInterest {
                key: KafkaKey { environment: environment.clone(), name: name.clone() },
                topics: Vec::new(),
                with_time: true,
            }));
        }
    }
    if need.kafka_names {
        wanted.kafka_names = kafka().collect();
    }
    if need.usage {
        wanted.usage = environments().collect();
    }
    if need.signals {
        wanted.signals = environments().map(|name| (name, Focus::default())).collect();
        owner::want_all(inventory, &mut wanted, |_| true);
    }
    if need.events {
        wanted.events = environments().collect();
    }
    if need.accounts {
        let accounts = inventory.processors().map(|(key, processor)| {
            key.sibling(
                processor
                    .declared(|declaration| declaration.service_account.clone())
                    .unwrap_or_else(|| "default".into()),
            )
        });
        wanted.accounts = accounts.collect();
    }
    wanted
}

/// A verdict on something in trouble rests on the failures and vertices of its job, as on the screen.
fn depth_for(inventory: &Inventory, key: &ProcessorKey) -> Depth {
    let troubled = |found: view::ProcessorView| view::needs_attention(found.verdict.condition);
    let restarted =
        inventory.processor(key).and_then(|processor| processor.job()?.restarts).is_some_and(|count| count > 0);
    if restarted || view::processor(inventory, key, now()).is_some_and(troubled) {
        Depth::Detail
    } else {
        Depth::Summary
    }
}

fn topics_of(inventory: &Inventory, key: &ProcessorKey) -> Vec<KafkaKey> {
    let Some(notes) = inventory.processor(key).and_then(|processor| processor.notes()) else { return Vec::new() };
    let names = notes.inputs.iter().chain(&notes.outputs);
    names.map(|name| KafkaKey { environment: key.environment.clone(), name: name.clone() }).collect()
}
