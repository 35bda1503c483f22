//! The console's golden signals of one environment: a thread that reads and counts, and a view of it now and then.
//!
//! The thread owns reader and monitor. It publishes a view four times a second while somebody looks and every other
//! second otherwise; a task takes the newest one to the console's channel, however long that takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::course::Course;
use super::side_input::SideInput;
use crate::engine::Spec;
use crate::engine::monitor::Monitor;
use crate::event::Event;
use crate::model::change::Change;
use crate::model::interest::Interest;
use crate::model::signal::{AlertOrder, OverridesState, Reading, Signals};
use crate::settings::{KafkaSettings, ObjectSettings, WebhookSettings};
use crate::source::kafka::consume::{Reader, Start, Subscription};
use crate::source::webhook;

/// Time passes for the engine this often, and a view is made for whoever looks.
const TICK: Duration = Duration::from_millis(250);
/// Between two views that nobody looks at: they are for alerts and the overview.
const UNWATCHED: Duration = Duration::from_secs(2);
/// How far back reading begins at most: as long as the longest chart.
const MOST_BACK_MINUTES: i64 = 1_440;
/// Between two tries to make sense of spec and settings.
const AGAIN: Duration = Duration::from_secs(5);
/// News that is worked off before the clock is looked at again.
const BURST: usize = 32;

/// What the signals of an environment need.
#[derive(Debug)]
pub struct Task {
    /// The environment.
    pub environment: Arc<str>,
    /// File of the signals spec.
    pub spec: PathBuf,
    /// How far back reading begins.
    pub history_minutes: u16,
    /// Who is told of alerts.
    pub webhooks: Vec<WebhookSettings>,
    /// Where its topics are.
    pub kafka: Option<KafkaSettings>,
    /// Where its buckets are.
    pub objects: Option<ObjectSettings>,
    /// What is looked at.
    pub interest: watch::Receiver<Arc<Interest>>,
    /// How near services are to their limits.
    pub saturations: watch::Receiver<super::Told>,
    /// What people do about alerts, by environment.
    pub orders: broadcast::Receiver<(Arc<str>, AlertOrder)>,
    /// Where views go.
    pub events: mpsc::Sender<Event>,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// Starts the thread, and takes views to the console until the environment ends.
pub async fn run(task: Task) {
    let (newest, mut views) = watch::channel(None);
    let (environment, events, cancel) = (task.environment.clone(), task.events.clone(), task.cancel.clone());
    let alerts = watch::Sender::new(webhook::Alerts::default());
    for settings in task.webhooks.clone() {
        let told = webhook::run(environment.clone(), settings, alerts.subscribe(), events.clone(), cancel.clone());
        tokio::spawn(told);
    }
    let thread = std::thread::Builder::new().name(format!("signals-{environment}")).spawn(move || work(task, &newest));
    if let Err(error) = thread {
        tracing::error!(%environment, %error, "no thread for golden signals");
        return;
    }
    loop {
        let changed = tokio::select! {
            () = cancel.cancelled() => return,
            changed = views.changed() => changed,
        };
        let view: Option<Arc<Signals>> = views.borrow_and_update().clone();
        if changed.is_err() {
            return;
        }
        if let Some(view) = &view {
            alerts.send_if_modified(|known| {
                let differs = *known != view.alerts;
                known.clone_from(&view.alerts);
                differs
            });
        }
        if let Some(view) = view
            && events.send(Event::Changed(vec![Change::Signals(environment.clone(), view)])).await.is_err()
        {
            return;
        }
    }
}

type Newest = watch::Sender<Option<Arc<Signals>>>;

/// How far the engine's thread steps back, of the twenty steps there are.
#[cfg(target_os = "linux")]
const STEP_BACK: i32 = 10;

/// Lets whoever draws the screen go before this thread and those that it starts: there may be a million events a second
/// to work off, and a key must not wait for them.
fn step_back() {
    // Elsewhere it would be said of the whole program.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEP_BACK) {
        tracing::warn!(%error, "the engine's thread has the same priority as the screen's");
    }
}

fn work(task: Task, newest: &Newest) {
    step_back();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(environment = %task.environment, %error, "no runtime for golden signals");
            return;
        }
    };
    let cancel = task.cancel.clone();
    runtime.block_on(async {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = keep(task, newest) => {}
        }
    });
}

/// Begins until it works: a person may be mending the spec.
async fn keep(mut task: Task, newest: &Newest) {
    loop {
        match begin(&task) {
            Ok((reader, monitor, side_input)) => return count(&mut task, (reader, side_input), monitor, newest).await,
            Err(why) => {
                newest.send_replace(Some(Arc::new(failed(&task.spec, why))));
                sleep(AGAIN).await;
            }
        }
    }
}

fn begin(task: &Task) -> Result<(Reader, Monitor, SideInput), String> {
    let path = task.spec.display();
    let text = std::fs::read_to_string(&task.spec).map_err(|error| format!("cannot read the spec {path}: {error}"))?;
    let spec = Spec::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let mut monitor = Monitor::new(&spec).map_err(|error| format!("{path}: {error}"))?;
    let topics = spec.topics();
    if topics.is_empty() {
        return Err(format!("{path}: source.topics names no topic to read"));
    }
    let Some(kafka) = &task.kafka else {
        return Err("the environment has signals but no kafka section: say where its topics are".to_owned());
    };
    let properties = crate::source::kafka::client_properties(kafka).map_err(|error| error.to_string())?;
    let back = i64::from(task.history_minutes).min(MOST_BACK_MINUTES);
    let start = Start::At(Utc::now() - TimeDelta::minutes(back));
    let reader =
        Reader::start(properties, Subscription { topics, start, only: None }).map_err(|error| error.to_string())?;
    let side_input = SideInput::start(&spec, task.objects.as_ref(), &task.cancel)
        .map_err(|error| format!("{path}: overrides.location: {error}"))?;
    if let Some(location) = side_input.location() {
        monitor.set_overrides_location(location);
    }
    Ok((reader, monitor, side_input))
}

async fn count(
    task: &mut Task,
    (mut reader, mut side_input): (Reader, SideInput),
    mut monitor: Monitor,
    newest: &Newest,
) {
    if let Some(fetch) = side_input.first().await {
        monitor.take_overrides(&fetch);
    }
    let mut course = Course::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut shown = Instant::now() - UNWATCHED;
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => {
                let now = Utc::now().timestamp_millis();
                course.tick(&mut monitor, now);
                let focus = task.interest.borrow().signals.get(&task.environment).cloned();
                if focus.is_some() || shown.elapsed() >= UNWATCHED {
                    shown = Instant::now();
                    newest.send_replace(Some(Arc::new(monitor.view(&focus.unwrap_or_default(), now))));
                }
            }
            Ok((environment, order)) = task.orders.recv() => {
                if environment == task.environment && !monitor.obey(&order, Utc::now().timestamp_millis()) {
                    tracing::warn!(%environment, rule = %order.rule, service = %order.service, "this alert does not fire any more");
                }
            }
            Ok(()) = task.saturations.changed() => {
                if let Some(told) = task.saturations.borrow_and_update().get(&task.environment) {
                    monitor.set_saturations(told.clone());
                }
            }
            fetch = side_input.next() => monitor.take_overrides(&fetch),
            news = reader.next() => {
                let Some(news) = news else { return };
                let now = Utc::now().timestamp_millis();
                course.take(news, &mut monitor, now);
                for _ in 0..BURST {
                    let Some(news) = reader.ready() else { break };
                    course.take(news, &mut monitor, now);
                }
            }
        }
    }
}

/// What can be said when nothing can be read.
fn failed(spec: &Path, why: String) -> Signals {
    let name = spec.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Signals {
        name: name.into(),
        window_ms: 0,
        reading: Reading::Failed(why.into()),
        watermark: None,
        behind_ms: None,
        backlog: None,
        records_per_second: 0.0,
        records: 0,
        late: 0,
        rejects: Arc::default(),
        samples: Arc::default(),
        other: 0,
        other_values: 0,
        beside_none: 0,
        aggregated: None,
        overrides: OverridesState::default(),
        services: Arc::default(),
        faults: 0,
        last_fault: None,
        wants_saturation: false,
        history: None,
        trial: None,
        alerts: Arc::default(),
    }
}
