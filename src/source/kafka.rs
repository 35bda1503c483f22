//! A Kafka cluster: topics, consumer groups and their lag, for what somebody looks at.
//!
//! Properties are librdkafka's, because that is what operators have; the questions are asked in Kafka's own
//! protocol, because librdkafka's safe interface has no batched question for groups: it takes one client of
//! five threads per group, and its list of groups describes all of them and fails with one dead broker. So
//! everything here is async and bounded in time, and nothing blocks a thread.
//!
//! It never writes: no commit, no membership, no topic made by asking for it. [`publish`] alone does, for a command
//! that was asked to.

mod age;
mod arrivals;
mod cluster;
pub mod consume;
mod groups;
mod java;
mod login;
mod names;
mod password;
mod poll;
mod properties;
pub mod publish;
mod records;
mod scram;
mod series;
mod tls;
mod token;
mod topics;
mod trouble;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::cluster::ROUND_LIMIT;
use self::poll::{Poller, Wanted};
pub use self::properties::{ClientProperties, PropertiesError, client_properties};
use super::link::{Failure, LinkKeeper};
use crate::event::Event;
use crate::model::change::Change;
use crate::model::environment::Backend;
use crate::model::interest::Interest;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(2);
/// Least time between two rounds, however fast the interest changes.
const SHORTEST: Duration = Duration::from_millis(200);

/// Asks an environment's cluster for what the interest names, until cancelled.
pub async fn run(
    environment: Arc<str>,
    properties: ClientProperties,
    interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    let properties = Arc::new(properties);
    let names = names::run(environment.clone(), properties.clone(), interest.clone(), events.clone());
    let rounds = rounds(environment, properties, interest, events);
    // Everything is let go at once: sockets close when the futures are dropped.
    tokio::select! {
        () = cancel.cancelled() => {}
        () = rounds => {}
        () = async { names.await; std::future::pending().await } => {}
    }
}

/// Polls and keeps the link.
async fn rounds(
    environment: Arc<str>,
    properties: Arc<ClientProperties>,
    mut interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
) {
    let mut keeper = LinkKeeper::new(environment.clone(), Backend::Kafka);
    let mut poller = Poller::new(environment.clone(), properties);
    let mut changes: Vec<Change> = keeper.connecting().into_iter().collect();
    loop {
        if !changes.is_empty() && events.send(Event::Changed(std::mem::take(&mut changes))).await.is_err() {
            return;
        }
        let now = interest.borrow_and_update().clone();
        let wanted = Wanted::of(&now, &environment);
        let begun = Instant::now();
        let due = match timeout(ROUND_LIMIT, poller.round(&wanted)).await {
            Ok(Ok(news)) => {
                changes.extend(keeper.succeeded(Utc::now()));
                changes.extend(news);
                begun + INTERVAL
            }
            failed => {
                let failure = match failed {
                    Ok(Err(trouble)) => Failure::from(trouble),
                    _ => Failure::Down(format!("no answer within {} s", ROUND_LIMIT.as_secs()).into()),
                };
                tracing::debug!(%environment, ?failure, "round failed");
                let (change, wait) = keeper.failed(Utc::now(), failure);
                changes.push(change);
                poller.start_over();
                Instant::now() + wait
            }
        };
        if !changes.is_empty() && events.send(Event::Changed(std::mem::take(&mut changes))).await.is_err() {
            return;
        }
        match pause(&mut interest, &environment, (&wanted, now.retry), due).await {
            Pause::Over => {}
            Pause::Retry => {
                keeper.forgive();
                poller.start_over();
            }
            Pause::Abandoned => return,
        }
        sleep_until(begun + SHORTEST).await;
    }
}

/// How a pause ended.
enum Pause {
    /// It is time, or something new is wanted.
    Over,
    /// Somebody asked for a try at once.
    Retry,
    /// Nobody is interested any more, nor ever will be.
    Abandoned,
}

/// Waits until the next round is due, or until the interest asks for more than the last round gave.
async fn pause(
    interest: &mut watch::Receiver<Arc<Interest>>,
    environment: &Arc<str>,
    (last, asked): (&Wanted, u64),
    due: Instant,
) -> Pause {
    loop {
        let now = interest.borrow_and_update().clone();
        if now.retry > asked {
            return Pause::Retry;
        }
        if Wanted::of(&now, environment).adds_to(last) {
            return Pause::Over;
        }
        tokio::select! {
            () = sleep_until(due) => return Pause::Over,
            changed = interest.changed() => {
                if changed.is_err() {
                    return Pause::Abandoned;
                }
            }
        }
    }
}
