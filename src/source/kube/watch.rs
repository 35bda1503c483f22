//! One watch: a kind of object in one namespace, or in all, followed for as long as the console runs.
//!
//! kube's watcher lists, follows, and lists again when it has lost the thread. What it does not do is done here:
//! saying how the watch stands, telling a refusal from a missing kind and from a dead server, waiting as long
//! as each deserves, and starting again at once when the server is back. One watch that is refused
//! does not concern the others. Old objects stay until a new full list says what is gone.

use std::collections::HashSet;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher::{self, Config, Event};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Cluster;
use super::link::Gate;
use super::map::Mapper;
use super::pace::{Pace, spread};
use super::trouble::Trouble;
use super::wire::meta::Meta;
use crate::model::Time;
use crate::model::change::{Change, Kind, Scope, ScopeState};
use crate::model::key::ObjectKey;

/// After a refusal, or for a kind that the cluster does not have: when to look again.
const RECHECK: Duration = Duration::from_mins(1);
/// Delays after other failures: first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// A server that knows streaming lists sends the next object of one sooner than this.
const STREAM_PATIENCE: Duration = Duration::from_secs(3);
/// A kind that was there is gone when the server has said so this often in a row: while it starts, an API server
/// may not know its custom kinds yet, and their objects must not vanish from the screen for that.
const CONFIRMED: u32 = 3;
/// A watch that broke is resumed this often in a row before it starts again.
const RESUMES: u32 = 2;
/// Long enough to mean "no limit".
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// An object that can be watched.
pub trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + Sync + 'static
{
    /// What the console calls it.
    const KIND: Kind;
    /// Label selector for the server.
    const LABELS: Option<&'static str>;

    /// Its metadata.
    fn metadata(&self) -> &Meta;

    /// What it says; `None` when it is none of ours.
    fn change(&self, mapper: &mut Mapper) -> Option<Change>;

    /// What its end says.
    fn gone(key: ObjectKey) -> Change;
}

/// What all watches of a cluster share.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The cluster.
    pub cluster: Cluster,
    /// Whether its server answers.
    pub gate: Gate,
    /// Where facts go.
    pub changes: mpsc::Sender<Change>,
    /// Whether the server is believed to know streaming lists.
    pub streaming: Arc<AtomicBool>,
}

/// Follows one kind in one namespace, or all, until nobody listens any more.
pub async fn follow<K: Watched>(watch: Watch, namespace: Option<Arc<str>>) {
    let environment = watch.cluster.environment.name.clone();
    let mut follower = Follower::<K> {
        scope: Scope { environment: environment.clone(), namespace, kind: K::KIND },
        mapper: Mapper::new(environment),
        watch,
        state: None,
        absences: CONFIRMED,
        told: HashSet::new(),
        pace: Pace::new(RETRY.0, RETRY.1),
        kind: PhantomData,
    };
    follower.report(ScopeState::Loading).await;
    loop {
        match follower.once().await {
            End::Again => {}
            End::Closed => return,
            End::Trouble(trouble) => follower.rest(trouble).await,
        }
    }
}

/// Why a watch ended.
enum End {
    /// Start again now.
    Again,
    /// Nobody listens.
    Closed,
    /// It failed.
    Trouble(Trouble),
}

struct Follower<K> {
    watch: Watch,
    scope: Scope,
    state: Option<ScopeState>,
    /// How often in a row the server said that there is no such kind.
    absences: u32,
    mapper: Mapper,
    /// What was told of: objects that were never ours are not told to be gone.
    told: HashSet<ObjectKey>,
    pace: Pace,
    kind: PhantomData<fn() -> K>,
}

impl<K: Watched> Follower<K> {
    async fn once(&mut self) -> End {
        let streaming = self.watch.streaming.load(Ordering::Relaxed);
        let mut opinions = self.watch.gate.opinion();
        let epoch = opinions.borrow_and_update().epoch;
        let mut items = pin!(watcher::watcher(self.api(), config::<K>(streaming)));
        let mut listing: Option<HashSet<ObjectKey>> = None;
        let mut broken = 0;
        loop {
            let patience = if streaming && listing.is_some() { STREAM_PATIENCE } else { FOREVER };
            let item = tokio::select! {
                biased;
                _ = opinions.changed() => {
                    let opinion = opinions.borrow_and_update().clone();
                    if opinion.epoch != epoch {
                        return End::Again;
                    }
                   if let Some((since, error)) = opinion.down {
                        self.report(self.trouble(since, error)).await;
                    }
                    continue;
                }
                item = timeout(patience, items.next()) => item,
            };
            match item {
                Ok(Some(Ok(event))) => {
                    broken = 0;
                    if self.take(event, &mut listing).await.is_err() {
                        return End::Closed;
                    }
                }
                Ok(Some(Err(error))) => {
                    if let Some(end) = self.broke(&error, &mut broken).await {
                        return end;
                    }
                }
                Ok(None) => return End::Again,
                Err(_) => {
                    // Servers before 1.27 ignore the request for a streaming list and never end it.
                    self.watch.streaming.store(false, Ordering::Relaxed);
                    return End::Again;
                }
            }
        }
    }

    fn api(&self) -> Api<K> {
        let client = self.watch.cluster.client.clone();
        match &self.scope.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        }
    }

    async fn take(&mut self, event: Event<K>, listing: &mut Option<HashSet<ObjectKey>>) -> Result<(), Closed> {
        match event {
            Event::Init => *listing = Some(HashSet::new()),
            Event::InitApply(object) => {
                if let Some(change) = object.change(&mut self.mapper) {
                    let key = self.mapper.key(object.metadata());
                    self.told.insert(key.clone());
                    listing.get_or_insert_default().insert(key);
                    self.send(change).await?;
                }
            }
            Event::InitDone => {
                self.pace.reset();
                self.absences = 0;
                let names = listing.take().unwrap_or_default();
                self.told.clone_from(&names);
                self.send(Change::Retain(self.scope.clone(), names)).await?;
                self.report(ScopeState::Live).await;
            }
            Event::Apply(object) => {
                let change = object.change(&mut self.mapper);
                let key = self.mapper.key(object.metadata());
                match change {
                    Some(change) => {
                        self.told.insert(key);
                        self.send(change).await?;
                    }
                    None => self.gone(key).await?,
                }
            }
            Event::Delete(object) => {
                let key = self.mapper.key(object.metadata());
                self.gone(key).await?;
            }
        }
        Ok(())
    }

    async fn gone(&mut self, key: ObjectKey) -> Result<(), Closed> {
        if self.told.remove(&key) { self.send(K::gone(key)).await } else { Ok(()) }
    }

    /// Whether a failure ends the watch, or kube's watcher may go on by itself.
    async fn broke(&self, error: &watcher::Error, broken: &mut u32) -> Option<End> {
        match (error, Trouble::from(error)) {
            // The watcher starts a new list.
            (watcher::Error::WatchError(_), Trouble::Gone) => None,
            (watcher::Error::WatchFailed(_), Trouble::Garbled(words)) => {
                tracing::warn!(kind = self.scope.kind.word(), error = %words, "an object could not be read");
                None
            }
            // The watcher resumes where it was, if the server still knows.
            (watcher::Error::WatchFailed(_), Trouble::Unreachable(_)) if *broken < RESUMES => {
                *broken += 1;
                self.watch.gate.doubt();
                sleep(spread(RETRY.0)).await;
                None
            }
            (_, Trouble::Invalid(_)) if self.watch.streaming.swap(false, Ordering::Relaxed) => Some(End::Again),
            (_, trouble) => Some(End::Trouble(trouble)),
        }
    }

    /// Says how the watch stands and waits for as long as its trouble deserves.
    async fn rest(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Forbidden(words) => {
                self.report(ScopeState::Forbidden(words)).await;
                self.watch.gate.wait(spread(RECHECK)).await;
            }
            Trouble::Absent(_) if self.absences >= CONFIRMED => {
                if self.state != Some(ScopeState::Absent) {
                    drop(self.send(Change::Retain(self.scope.clone(), HashSet::new())).await);
                }
                self.report(ScopeState::Absent).await;
                self.watch.gate.wait(spread(RECHECK)).await;
            }
            Trouble::Gone => self.watch.gate.wait(self.pace.pause()).await,
            trouble => {
                if matches!(trouble, Trouble::Absent(_)) {
                    self.absences += 1;
                }
                let since = match &self.state {
                    Some(ScopeState::Stale(since, _) | ScopeState::Failed(since, _)) => *since,
                    _ => Utc::now(),
                };
                if trouble.is_link() {
                    self.watch.gate.doubt();
                }
                self.report(self.trouble(since, trouble.words())).await;
                self.watch.gate.wait(self.pace.pause()).await;
                self.watch.gate.open().await;
            }
        }
    }

    /// What is shown is old; or, before the first list, there is nothing to show.
    fn trouble(&self, since: Time, words: Arc<str>) -> ScopeState {
        match &self.state {
            None | Some(ScopeState::Loading | ScopeState::Failed(..)) => ScopeState::Failed(since, words),
            Some(_) => ScopeState::Stale(since, words),
        }
    }

    async fn report(&mut self, state: ScopeState) {
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            drop(self.send(Change::Scope(self.scope.clone(), state)).await);
        }
    }

    async fn send(&self, change: Change) -> Result<(), Closed> {
        self.watch.changes.send(change).await.map_err(|_| Closed)
    }
}

/// Nobody listens any more.
struct Closed;

fn config<K: Watched>(streaming: bool) -> Config {
    let config = Config { label_selector: K::LABELS.map(str::to_owned), ..Config::default() };
    if streaming { config.streaming_lists() } else { config }
}
