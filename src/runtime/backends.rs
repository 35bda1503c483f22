//! Connects every environment and keeps its sources running.
//!
//! Each environment has one task that connects, with retries, and then runs the sources of its
//! backends beside each other. All of them report into one bounded channel and follow one interest.
//! Console and commands use the same [`Backends`], so both see the same world.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{routes, signals};
use crate::event::{DocumentKey, Event, Notice};
use crate::model::change::Change;
use crate::model::environment::{Backend, Environment, Link};
use crate::model::interest::Interest;
use crate::model::key::ObjectKey;
use crate::model::owner::Saturations;
use crate::model::route::Wish;
use crate::model::signal::AlertOrder;
use crate::settings::{EnvironmentSettings, Settings};
use crate::source;

/// Batches of facts that may wait for the loop; sources wait when it is full.
const EVENTS: usize = 64;
/// Documents that may wait to be fetched, for each environment.
const FETCHES: usize = 16;
/// Answers to alerts that may wait to be taken in.
const ORDERS: usize = 64;
/// Between two tries to make sense of a kubeconfig.
const CONNECT_AGAIN: Duration = Duration::from_secs(10);

/// The running backends.
#[derive(Debug)]
pub struct Backends {
    interest: watch::Sender<Arc<Interest>>,
    fetches: HashMap<Arc<str>, mpsc::Sender<DocumentKey>>,
    orders: broadcast::Sender<(Arc<str>, AlertOrder)>,
    wishes: broadcast::Sender<Wish>,
    saturations: watch::Sender<signals::Told>,
    clusters: Clusters,
    events: mpsc::Sender<Event>,
    environments: Arc<[EnvironmentSettings]>,
    cancel: CancellationToken,
}

/// When golden signals are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// From the start, for alerts.
    Always,
    /// Once somebody looks.
    WhenWanted,
}

/// The clusters of environments by name, each there once its kubeconfig made sense.
#[derive(Clone, Debug, Default)]
pub struct Clusters(HashMap<Arc<str>, watch::Receiver<Option<source::kube::Cluster>>>);

impl Clusters {
    /// The cluster of an environment, as soon as there is one; `None` for an unknown environment.
    pub async fn of(&self, environment: &Arc<str>) -> Option<source::kube::Cluster> {
        // A sole environment without a name of its own is keyed by what its context turned out to be.
        let mut known = self.0.get(environment).or_else(|| self.0.values().next())?.clone();
        known.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Backends {
    /// Starts all environments of `settings`; returns at once with the channel of what happens.
    #[must_use]
    pub fn start(settings: &Settings, counting: Counting) -> (Self, mpsc::Receiver<Event>) {
        let (events, received) = mpsc::channel(EVENTS);
        let interest = watch::Sender::new(Arc::new(Interest::default()));
        let cancel = CancellationToken::new();
        let (orders, _) = broadcast::channel(ORDERS);
        let (wishes, _) = broadcast::channel(ORDERS);
        let saturations = watch::Sender::new(signals::Told::default());
        let mut fetches = HashMap::new();
        let mut clusters = HashMap::new();
        for environment in &settings.environments {
            let (fetch, wanted) = mpsc::channel(FETCHES);
            let (connected, cluster) = watch::channel(None);
            let task = EnvironmentTask {
                settings: environment.clone(),
                counting,
                interest: interest.subscribe(),
                orders: orders.clone(),
                wishes: wishes.clone(),
                saturations: saturations.subscribe(),
                events: events.clone(),
                cancel: cancel.clone(),
                connected,
            };
            clusters.insert(Arc::from(environment.name.as_str()), cluster);
            fetches.insert(Arc::from(environment.name.as_str()), fetch);
            tokio::spawn(task.run(wanted));
        }
        let clusters = Clusters(clusters);
        tokio::spawn(super::logs::run(clusters.clone(), interest.subscribe(), events.clone(), cancel.clone()));
        let environments = settings.environments.clone().into();
        (Self { interest, fetches, orders, wishes, saturations, clusters, events, environments, cancel }, received)
    }

    /// Says what is looked at now. Sources are woken only when it differs from before.
    pub fn want(&self, interest: Interest) {
        self.interest.send_if_modified(|current| {
            let differs = **current != interest;
            if differs {
                *current = Arc::new(interest);
            }
            differs
        });
    }

    /// Tells the golden signals of an environment what somebody does about an alert.
    pub fn answer(&self, environment: &Arc<str>, order: AlertOrder) {
        if self.orders.send((environment.clone(), order)).is_err() {
            tracing::warn!(%environment, "nobody watches the golden signals of this environment");
        }
    }

    /// The environments as they were set.
    #[must_use]
    pub fn environments(&self) -> Arc<[EnvironmentSettings]> {
        self.environments.clone()
    }

    /// Asks a route's controller for something; the answer comes as an event.
    pub fn wish(&self, wish: Wish) {
        if self.wishes.send(wish).is_err() {
            tracing::warn!("no environment has routes");
        }
    }

    /// Where all that happens is told.
    #[must_use]
    pub fn events(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }

    /// Tells the golden signals how near services are to their limits, by environment.
    pub fn saturate(&self, told: Vec<(Arc<str>, Saturations)>) {
        self.saturations.send_if_modified(|current| {
            let mut changed = false;
            for (environment, saturations) in told {
                if current.get(&environment).is_none_or(|known| **known != saturations) {
                    current.insert(environment, Arc::new(saturations));
                    changed = true;
                }
            }
            changed
        });
    }

    /// The ways to the clusters.
    #[must_use]
    pub fn clusters(&self) -> Clusters {
        self.clusters.clone()
    }

    /// Has a document fetched; the answer comes as an event.
    pub fn fetch(&self, document: DocumentKey) {
        let environment = &document_owner(&document).environment;
        // A sole environment without a name of its own is keyed by what its context turned out to be.
        let sender = self.fetches.get(environment).or_else(|| self.fetches.values().next());
        if let Some(sender) = sender
            && sender.try_send(document).is_err()
            && self.events.try_send(Event::Noticed(Notice::Failed("still busy with earlier requests".into()))).is_err()
        {
            tracing::warn!("a document request was dropped because all queues are full");
        }
    }
}

impl Drop for Backends {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

struct EnvironmentTask {
    settings: EnvironmentSettings,
    counting: Counting,
    interest: watch::Receiver<Arc<Interest>>,
    orders: broadcast::Sender<(Arc<str>, AlertOrder)>,
    wishes: broadcast::Sender<Wish>,
    saturations: watch::Receiver<signals::Told>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
    connected: watch::Sender<Option<source::kube::Cluster>>,
}

impl EnvironmentTask {
    async fn run(self, mut fetches: mpsc::Receiver<DocumentKey>) {
        self.spawn_signals();
        self.spawn_routes();
        let Some(cluster) = self.connect().await else { return };
        self.report(vec![Change::Environment(Box::new(cluster.environment.clone()))]).await;
        self.spawn_sources(&cluster);
        self.connected.send_replace(Some(cluster.clone()));
        loop {
            let document = tokio::select! {
                () = self.cancel.cancelled() => return,
                document = fetches.recv() => document,
            };
            let Some(document) = document else { return };
            tokio::spawn(fetch(cluster.clone(), document, self.events.clone()));
        }
    }

    /// Tries until the kubeconfig makes sense; a person may be mending it.
    async fn connect(&self) -> Option<source::kube::Cluster> {
        let since = chrono::Utc::now();
        let mut interest = self.interest.clone();
        loop {
            let tried = interest.borrow().retry;
            let error = match source::kube::connect(&self.settings).await {
                Ok(cluster) => return Some(cluster),
                Err(error) => error.to_string(),
            };
            let environment = unconnected(&self.settings);
            let name = environment.name.clone();
            let next_try = chrono::Utc::now() + CONNECT_AGAIN;
            let link = Link::Down { since, error: error.into(), next_try };
            self.report(vec![
                Change::Environment(Box::new(environment)),
                Change::Link(name.clone(), Backend::Kubernetes, link),
            ])
            .await;
            let asked = interest.wait_for(|interest| interest.retry > tried);
            tokio::select! {
                () = self.cancel.cancelled() => return None,
                () = tokio::time::sleep(CONNECT_AGAIN) => {}
                _ = asked => {}
            }
        }
    }

    fn spawn_sources(&self, cluster: &source::kube::Cluster) {
        let name = cluster.environment.name.clone();
        let (interest, events, cancel) = (&self.interest, &self.events, &self.cancel);
        tokio::spawn(source::kube::run(cluster.clone(), interest.clone(), events.clone(), cancel.clone()));
        tokio::spawn(source::flink::run(
            cluster.clone(),
            self.settings.flink.clone(),
            interest.clone(),
            events.clone(),
            cancel.clone(),
        ));
        if let Some(objects) = self.settings.objects.clone() {
            tokio::spawn(source::objects::run(name.clone(), objects, interest.clone(), events.clone(), cancel.clone()));
        }
        if let Some(kafka) = self.settings.kafka.clone() {
            tokio::spawn(source::kafka::run(name, kafka, interest.clone(), events.clone(), cancel.clone()));
        }
    }

    /// Golden signals need no Kubernetes cluster: they go on while it is away.
    fn spawn_signals(&self) {
        let Some(signals) = &self.settings.signals else { return };
        let task = signals::watch::Task {
            environment: unconnected(&self.settings).name,
            spec: signals.spec.clone(),
            objects: self.settings.objects.clone(),
            history_minutes: signals.history_minutes,
            webhooks: signals.webhooks.clone(),
            kafka: self.settings.kafka.clone(),
            interest: self.interest.clone(),
            orders: self.orders.subscribe(),
            saturations: self.saturations.clone(),
            events: self.events.clone(),
            cancel: self.cancel.clone(),
        };
        let (mut interest, counting) = (self.interest.clone(), self.counting);
        tokio::spawn(async move {
            let environment = task.environment.clone();
            let wanted = |interest: &Arc<Interest>| interest.signals.contains_key(&environment);
            if counting == Counting::Always || interest.wait_for(wanted).await.is_ok() {
                signals::watch::run(task).await;
            }
        });
    }

    /// Nor do routes.
    fn spawn_routes(&self) {
        for spec in &self.settings.routes {
            tokio::spawn(routes::run(routes::Task {
                environment: unconnected(&self.settings).name,
                spec: spec.clone(),
                kafka: self.settings.kafka.clone(),
                interest: self.interest.clone(),
                wishes: self.wishes.subscribe(),
                events: self.events.clone(),
                cancel: self.cancel.clone(),
            }));
        }
    }

    async fn report(&self, changes: Vec<Change>) {
        if self.events.send(Event::Changed(changes)).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
    }
}

async fn fetch(cluster: source::kube::Cluster, document: DocumentKey, events: mpsc::Sender<Event>) {
    let text = match &document {
        DocumentKey::PodYaml(pod) => source::kube::pod_yaml(&cluster, pod).await.map_err(|error| error.to_string()),
        DocumentKey::RevisionDifference(..) => Err("revisions are compared elsewhere".to_owned()),
    };
    if events.send(Event::Fetched(document, text.map_err(Into::into))).await.is_err() {
        tracing::debug!("nobody waits for the document any more");
    }
}

fn document_owner(document: &DocumentKey) -> &ObjectKey {
    match document {
        DocumentKey::PodYaml(key) | DocumentKey::RevisionDifference(key, ..) => key,
    }
}

/// What can be said of an environment whose kubeconfig cannot be used.
fn unconnected(settings: &EnvironmentSettings) -> Environment {
    let name = if settings.name.is_empty() { "default" } else { &settings.name };
    Environment {
        name: name.into(),
        context: settings.context.as_deref().unwrap_or_default().into(),
        server: "".into(),
        namespaces: settings.namespaces.iter().map(|namespace| namespace.as_str().into()).collect(),
        protection: settings.protection,
        kafka: settings.kafka.as_ref().and_then(|kafka| kafka.bootstrap.as_deref().map(Into::into)),
        objects: settings.objects.as_ref().map(|objects| objects.bucket.as_str().into()),
        links: settings.links.iter().map(|(name, url)| (name.as_str().into(), url.as_str().into())).collect(),
    }
}
