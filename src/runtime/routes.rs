//! The routes of an environment: followed while somebody looks, and asked what somebody wants of them.
//!
//! Each route has one task. Reading is [`router::watch`](crate::router::watch), which blocks, on a thread of its own that
//! lives only while the route is on screen; asking is [`router::ask`](crate::router::ask), as on the command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::event::Event;
use crate::model::change::Change;
use crate::model::environment::Link;
use crate::model::interest::Interest;
use crate::model::key::KafkaKey;
use crate::model::route::{Granted, Lane, Plan, Route, Wish};
use crate::router::spec::Spec;
use crate::router::watch::{Seen, watch as follow};
use crate::router::{RouterError, ask};
use crate::settings::KafkaSettings;
use crate::source::kafka::{ClientProperties, client_properties};

/// Between two tries to make sense of a spec, or to reach the brokers.
const AGAIN: Duration = Duration::from_secs(5);
/// Longest wait for the controller's answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Views that may wait for the console.
const VIEWS: usize = 4;

/// What a route needs.
#[derive(Debug)]
pub struct Task {
    /// The environment.
    pub environment: Arc<str>,
    /// File of the route spec.
    pub spec: PathBuf,
    /// Where its topics are.
    pub kafka: Option<KafkaSettings>,
    /// What is looked at.
    pub interest: watch::Receiver<Arc<Interest>>,
    /// What people want of routes.
    pub wishes: broadcast::Receiver<Wish>,
    /// Where views and answers go.
    pub events: mpsc::Sender<Event>,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// What the thread that reads tells.
enum Told {
    Seen(Box<Seen>),
    Ended(Option<RouterError>),
}

/// A thread that reads; it ends soon after this is dropped.
struct Reading {
    told: mpsc::Receiver<Told>,
    stop: Arc<AtomicBool>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Follows the route until the environment ends.
pub async fn run(task: Task) {
    let cancel = task.cancel.clone();
    tokio::select! {
        () = cancel.cancelled() => {}
        () = keep(task) => {}
    }
}

async fn keep(mut task: Task) {
    let (spec, properties) = loop {
        let (path, kafka) = (task.spec.clone(), task.kafka.clone());
        let opened = tokio::task::spawn_blocking(move || open(&path, kafka.as_ref())).await;
        match opened.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(opened) => break opened,
            Err(why) => {
                let name = task.spec.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                report(&task, &Route { link: down(why), ..unread(&task, &name, None) }).await;
                sleep(AGAIN).await;
            }
        }
    };
    let mut route = unread(&task, &spec.name, Some(plan(&spec)));
    report(&task, &route).await;
    let (mut reading, mut due, mut tried) = (None::<Reading>, Instant::now(), 0);
    loop {
        let (wanted, retry) = {
            let interest = task.interest.borrow_and_update();
            (interest.routes.contains(&route.key), interest.retry)
        };
        if !wanted {
            reading = None;
        } else if reading.is_none() && (Instant::now() >= due || retry > tried) {
            tried = retry;
            reading = start(&spec, &properties);
            if !matches!(route.link, Link::Down { .. } | Link::Forbidden { .. }) {
                route.link = Link::Connecting;
                report(&task, &route).await;
            }
        }
        let waits = wanted && reading.is_none();
        tokio::select! {
            changed = task.interest.changed() => if changed.is_err() { return },
            wish = task.wishes.recv() => match wish {
                Ok(wish) if wish.route == route.key => {
                    let (spec, properties, events) = (spec.clone(), properties.clone(), task.events.clone());
                    tokio::spawn(grant(wish, (spec, properties), events));
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            told = next(&mut reading) => {
                if let Told::Ended(_) = &told {
                    (reading, due) = (None, Instant::now() + AGAIN);
                }
                apply(&mut route, told);
                report(&task, &route).await;
            }
            () = sleep_until(due), if waits => {}
        }
    }
}

/// What the thread tells next; nothing, for ever, without one.
async fn next(reading: &mut Option<Reading>) -> Told {
    match reading {
        Some(reading) => reading.told.recv().await.unwrap_or(Told::Ended(None)),
        None => std::future::pending().await,
    }
}

fn apply(route: &mut Route, told: Told) {
    match told {
        Told::Seen(seen) => {
            if !matches!(route.link, Link::Up { .. }) {
                route.link = Link::Up { since: Utc::now() };
            }
            // A thread that has only just begun knows less than the one before.
            if seen.status.is_some() {
                route.status = seen.status.map(Arc::new);
            }
            if !seen.receipts.is_empty() {
                route.receipts = seen.receipts.into_iter().collect();
            }
        }
        Told::Ended(Some(error)) if error.is_forbidden() => {
            let now = Utc::now();
            route.link = Link::Forbidden { since: now, error: error.to_string().into() };
        }
        Told::Ended(error) => {
            let why = error.map_or_else(|| "reading broke off".to_owned(), |error| error.to_string());
            let before = std::mem::replace(&mut route.link, down(why));
            if let (Link::Down { since: known, .. }, Link::Down { since, .. }) = (before, &mut route.link) {
                *since = known;
            }
        }
    }
}

fn down(why: String) -> Link {
    let now = Utc::now();
    Link::Down { since: now, error: why.into(), next_try: now + AGAIN }
}

fn open(path: &Path, kafka: Option<&KafkaSettings>) -> Result<(Arc<Spec>, ClientProperties), String> {
    let spec = Spec::open(path).map_err(|error| error.to_string())?;
    let kafka = kafka.ok_or("the environment has routes but no kafka section: say where their topics are")?;
    Ok((Arc::new(spec), client_properties(kafka).map_err(|error| error.to_string())?))
}

fn unread(task: &Task, name: &str, plan: Option<Plan>) -> Route {
    let key = KafkaKey::new(task.environment.clone(), name);
    Route { key, plan, link: Link::Idle, status: None, receipts: Arc::default() }
}

fn plan(spec: &Spec) -> Plan {
    let lane = |lane: &crate::router::spec::Lane| Lane {
        name: lane.name.as_str().into(),
        topic: lane.topic.as_str().into(),
        output: lane.output.as_deref().map(Into::into),
        group: lane.group.as_deref().map(Into::into),
    };
    let source = spec.source.topic.as_str().into();
    Plan { source, lanes: spec.lanes.iter().map(lane).collect(), sla_ms: spec.sla.flip.millis() }
}

fn start(spec: &Arc<Spec>, properties: &ClientProperties) -> Option<Reading> {
    let (sender, told) = mpsc::channel(VIEWS);
    let stop = Arc::new(AtomicBool::new(false));
    let (spec, properties, stopping) = (spec.clone(), properties.clone(), stop.clone());
    let thread = std::thread::Builder::new().name(format!("route-{}", spec.name)).spawn(move || {
        let outcome = follow(&properties, &spec, &stopping, |seen| {
            // Whoever does not listen any more has stopped this thread too.
            let _unheard = sender.blocking_send(Told::Seen(Box::new(seen.clone())));
        });
        let _unheard = sender.blocking_send(Told::Ended(outcome.err()));
    });
    match thread {
        Ok(_) => Some(Reading { told, stop }),
        Err(error) => {
            tracing::error!(%error, "no thread to follow a route");
            None
        }
    }
}

async fn grant(wish: Wish, (spec, properties): (Arc<Spec>, ClientProperties), events: mpsc::Sender<Event>) {
    let Wish { route, verb, why } = wish;
    let who = std::env::var("USER").unwrap_or_else(|_| "console".to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        ask::ask(&properties, &spec, &ask::request(&spec, verb, (&who, &why), Utc::now()), PATIENCE)
    });
    let granted: Granted = match asked.await {
        Ok(answer) => answer.map_err(|error| error.to_string().into()),
        Err(error) => Err(error.to_string().into()),
    };
    if events.send(Event::Granted(route, granted)).await.is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

async fn report(task: &Task, route: &Route) {
    if task.events.send(Event::Changed(vec![Change::Route(Arc::new(route.clone()))])).await.is_err() {
        tracing::debug!("nobody listens any more");
    }
}
