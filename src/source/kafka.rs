//! A Kafka cluster: topics, consumer groups and their lag, for what somebody looks at.
//!
//! Properties are librdkafka's, because that is what operators have; the questions are asked in Kafka's own
//! protocol, because librdkafka's safe interface has no batched question for groups: it takes one client of
//! five threads per group, and its list of groups describes all of them and fails with one dead broker. So
//! everything here is async and bounded in time, and nothing blocks a thread.
//!
//! It never writes: no commit, no membership, no topic made by asking for it. Only [`publish`] does, for a command that was
//! asked to, and [`sweep`] deletes what somebody agreed to.

mod age;
mod arrivals;
mod cluster;
pub mod consume;
mod groups;
mod java;
mod login;
pub mod member;
mod names;
mod password;
mod poll;
mod properties;
pub mod publish;
mod records;
pub mod rights;
mod scram;
mod series;
pub mod sweep;
mod tides;
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
use crate::settings::KafkaSettings;

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(2);
/// Least time between two rounds, however fast the interest changes.
const SHORTEST: Duration = Duration::from_millis(200);

/// Asks an environment's cluster for what the interest names, until cancelled.
pub async fn run(
    environment: Arc<str>,
    settings: KafkaSettings,
    interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    // Everything is let go at once: sockets close when the futures are dropped.
    tokio::select! {
        () = cancel.cancelled() => {}
        () = follow(environment, settings, interest, events) => {}
    }
}

/// Reads the properties, and reads them anew when they were of no use: a person may mend a file, and a password that
/// comes from a command may be another one by now.
async fn follow(
    environment: Arc<str>,
    settings: KafkaSettings,
    mut interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
) {
    let mut keeper = LinkKeeper::new(environment.clone(), Backend::Kafka);
    loop {
        let asked = interest.borrow_and_update().retry;
        let properties = match read(settings.clone()).await {
            Ok(properties) => Arc::new(properties),
            Err(error) => {
                let (change, wait) = keeper.failed(Utc::now(), Failure::Down(error.into()));
                if events.send(Event::Changed(vec![change])).await.is_err() {
                    return;
                }
                match pause(&mut interest, &environment, (None, asked), Instant::now() + wait).await {
                    Pause::Over => {}
                    Pause::Retry => keeper.forgive(),
                    Pause::Abandoned => return,
                }
                continue;
            }
        };
        let names = names::run(environment.clone(), properties.clone(), interest.clone(), events.clone());
        let rounds = rounds(&mut keeper, (&environment, properties), &mut interest, &events);
        let end = tokio::select! {
            end = rounds => end,
            end = async { names.await; std::future::pending().await } => end,
        };
        match end {
            End::Unusable => {}
            End::Abandoned => return,
        }
    }
}

/// Client properties may come from a file or a command, which may block.
async fn read(settings: KafkaSettings) -> Result<ClientProperties, String> {
    match tokio::task::spawn_blocking(move || client_properties(&settings)).await {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Why there are no more rounds.
enum End {
    /// The properties do not do, or do no longer.
    Unusable,
    /// Nobody is interested any more, nor ever will be.
    Abandoned,
}

/// Polls and keeps the link.
async fn rounds(
    keeper: &mut LinkKeeper,
    (environment, properties): (&Arc<str>, Arc<ClientProperties>),
    interest: &mut watch::Receiver<Arc<Interest>>,
    events: &mpsc::Sender<Event>,
) -> End {
    let mut poller = Poller::new(environment.clone(), properties);
    let mut changes: Vec<Change> = keeper.connecting().into_iter().collect();
    loop {
        if !changes.is_empty() && events.send(Event::Changed(std::mem::take(&mut changes))).await.is_err() {
            return End::Abandoned;
        }
        let now = interest.borrow_and_update().clone();
        let wanted = Wanted::of(&now, environment);
        let begun = Instant::now();
        let mut is_unusable = false;
        let due = match timeout(ROUND_LIMIT, poller.round(&wanted)).await {
            Ok(Ok(news)) => {
                changes.extend(keeper.succeeded(Utc::now()));
                changes.extend(news);
                begun + INTERVAL
            }
            failed => {
                let failure = match failed {
                    Ok(Err(trouble)) => {
                        is_unusable = trouble.is_of_properties();
                        Failure::from(trouble)
                    }
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
            return End::Abandoned;
        }
        match pause(interest, environment, (Some(&wanted), now.retry), due).await {
            Pause::Over => {}
            Pause::Retry => {
                keeper.forgive();
                poller.start_over();
            }
            Pause::Abandoned => return End::Abandoned,
        }
        sleep_until(begun + SHORTEST).await;
        if is_unusable {
            return End::Unusable;
        }
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

/// Waits until the next round is due, or until the interest asks for more than the last round gave, if there was one.
async fn pause(
    interest: &mut watch::Receiver<Arc<Interest>>,
    environment: &Arc<str>,
    (last, asked): (Option<&Wanted>, u64),
    due: Instant,
) -> Pause {
    loop {
        let now = interest.borrow_and_update().clone();
        if now.retry > asked {
            return Pause::Retry;
        }
        if last.is_some_and(|last| Wanted::of(&now, environment).adds_to(last)) {
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
