//! Kubernetes: who runs, where, how well, and what was asked for.
//!
//! Each environment has one client, one probe that says whether its API server answers, and one watch for each
//! kind and namespace. Their facts are gathered into events. What is not watched (usage, service accounts)
//! is polled, and only while somebody looks at it. Only [`change`] changes anything on a cluster.

mod accounts;
mod batch;
pub mod change;
mod connect;
mod documents;
mod intern;
mod link;
mod list;
pub mod map;
pub mod pace;
mod permissions;
mod proxy;
pub mod raw;
mod session;
pub mod tail;
pub mod trouble;
mod usage;
mod watch;
mod watched;
pub mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kube::Client;
use tokio::sync::{mpsc, watch as latest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use connect::{ConnectError, connect};
pub use documents::{DocumentError, pod_yaml};
pub use permissions::{Permission, permissions};

use crate::event::Event;
use crate::model::change::Change;
use crate::model::environment::Environment;
use crate::model::interest::Interest;
use crate::settings::PodLogSettings;
use link::Gate;
use watch::{Watch, follow};
use wire::flink::{FlinkDeployment, FlinkSessionJob};
use wire::pod::Pod;
use wire::record::Record;
use wire::workload::{Deployment, Job, StatefulSet};

/// Changes that may wait for the console before a watch has to.
const BACKLOG: usize = 1024;
/// How long events are followed after nobody looks at them any more.
const LINGER: Duration = Duration::from_mins(1);

/// A way to one environment's cluster.
#[derive(Clone)]
pub struct Cluster {
    /// What is known of it without asking.
    pub environment: Environment,
    /// The client. It logs in on its first request.
    pub client: Client,
    /// Namespace of the context.
    pub default_namespace: Arc<str>,
    /// How its pods log.
    pub logs: Arc<PodLogSettings>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("environment", &self.environment).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Namespaces to look into: `None` stands for all of them.
    #[must_use]
    pub fn scopes(&self) -> Vec<Option<Arc<str>>> {
        let named: Vec<Option<Arc<str>>> = self.environment.namespaces.iter().cloned().map(Some).collect();
        if named.is_empty() { vec![None] } else { named }
    }
}

/// Watches an environment and reports everything as batches of changes, until cancelled.
pub async fn run(
    cluster: Cluster,
    interest: latest::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    let (changes, gathered) = mpsc::channel(BACKLOG);
    let watch = Watch { cluster, gate: Gate::default(), changes, streaming: Arc::new(AtomicBool::new(true)) };
    let environment = Change::Environment(Box::new(watch.cluster.environment.clone()));
    if watch.changes.send(environment).await.is_err() {
        return;
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(batch::gather(gathered, events));
    tasks.spawn(link::keep(watch.cluster.clone(), watch.gate.clone(), watch.changes.clone()));
    for namespace in watch.cluster.scopes() {
        tasks.spawn(follow::<Pod>(watch.clone(), namespace.clone()));
        tasks.spawn(follow::<FlinkDeployment>(watch.clone(), namespace.clone()));
        tasks.spawn(follow::<FlinkSessionJob>(watch.clone(), namespace.clone()));
        tasks.spawn(follow::<Deployment>(watch.clone(), namespace.clone()));
        tasks.spawn(follow::<StatefulSet>(watch.clone(), namespace.clone()));
        tasks.spawn(follow::<Job>(watch.clone(), namespace));
    }
    tasks.spawn(hurry(interest.clone(), watch.gate.clone()));
    tasks.spawn(usage::poll(watch.clone(), interest.clone()));
    tasks.spawn(accounts::look_up(watch.clone(), interest.clone()));
    tasks.spawn(records(watch, interest));
    // Tasks end with the run: the set aborts them when it is dropped.
    tokio::select! {
        () = cancel.cancelled() => {}
        () = async { while tasks.join_next().await.is_some() {} } => {}
    }
}

/// Passes a person's wish for the next try on.
async fn hurry(mut interest: latest::Receiver<Arc<Interest>>, gate: Gate) {
    let mut asked = interest.borrow().retry;
    while let Ok(now) = interest.wait_for(|interest| interest.retry > asked).await.map(|interest| interest.retry) {
        asked = now;
        gate.ask();
    }
}

/// Watches Kubernetes events while somebody looks at them, and a little longer.
async fn records(watch: Watch, mut interest: latest::Receiver<Arc<Interest>>) {
    let environment = watch.cluster.environment.name.clone();
    loop {
        if interest.wait_for(|interest| interest.events.contains(&environment)).await.is_err() {
            return;
        }
        let mut tasks = JoinSet::new();
        for namespace in watch.cluster.scopes() {
            tasks.spawn(follow::<Record>(watch.clone(), namespace));
        }
        loop {
            if interest.wait_for(|interest| !interest.events.contains(&environment)).await.is_err() {
                return;
            }
            let again = interest.wait_for(|interest| interest.events.contains(&environment));
            if tokio::time::timeout(LINGER, again).await.is_err() {
                break;
            }
        }
    }
}
