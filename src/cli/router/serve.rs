//! The processes of a route: its topics, workers, controllers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Place, failure};
use crate::cli::{Failure, Shared, exit, output, scrape};
use crate::router::{RouterError, controller, topics, worker};

/// Between two looks at how a worker is.
const BEAT: Duration = Duration::from_millis(500);
/// Topics that were made are known everywhere after so long.
const SETTLED: Duration = Duration::from_secs(5);

/// Arguments of `flowdeck router init`.
#[derive(Clone, Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    place: Place,
    /// Copies of each topic
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    replication: i32,
}

/// Arguments of `flowdeck router worker`.
#[derive(Clone, Debug, Args)]
pub(super) struct Worker {
    #[command(flatten)]
    place: Place,
    /// Name of this worker among the route's: the same after a restart, and no other worker's
    #[arg(long, value_name = "NAME", value_parser = slot)]
    slot: String,
    /// Serve metrics to scrapers at this address, under /metrics
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Arguments of `flowdeck router controller`.
#[derive(Clone, Debug, Args)]
pub(super) struct Controller {
    #[command(flatten)]
    place: Place,
    /// By which it calls itself in the status [default: controller-PID]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

fn slot(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if text.is_empty() || text.len() > 60 || !text.chars().all(fits) {
        return Err("write 1 to 60 letters, digits, - and _".to_owned());
    }
    Ok(text.to_owned())
}

/// Makes what is missing, then checks everything.
pub(super) fn init(arguments: &Init, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let made = topics::make(&properties, &spec, arguments.replication);
    for name in runtime.block_on(made).map_err(|error| failure(&error))? {
        output::print(&format!("made the topic {name}\n"))?;
    }
    let deadline = Instant::now() + SETTLED;
    let partitions = loop {
        match topics::check(&properties, &spec) {
            // Brokers may know nothing yet of a topic that they have just made.
            Err(RouterError::Refused(_)) if Instant::now() < deadline => std::thread::sleep(BEAT),
            checked => break checked.map_err(|error| failure(&error))?,
        }
    };
    output::print(&format!("the route {} is ready: {partitions} partitions\n", spec.name))?;
    Ok(exit::OK)
}

/// Copies until stopped.
pub(super) fn worker(arguments: &Worker, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let gauge = Arc::new(worker::Gauge::new(&spec.name, &arguments.slot));
    if let Some(address) = arguments.listen {
        let gauge = gauge.clone();
        scrape::serve(address, move || gauge.text())?;
    }
    let job = worker::Job { spec, properties, slot: arguments.slot.clone() };
    let teller = gauge.clone();
    let mut said = (None, None);
    until_stopped(
        move |stop| worker::run(&job, &gauge, stop),
        move || {
            let now = (teller.waiting(), teller.trouble());
            if now.0 != said.0 {
                say(&now.0.clone().map_or_else(|| "it copies".to_owned(), |words| format!("it waits: {words}")));
            }
            if let Some(words) = now.1.as_ref().filter(|_| now.1 != said.1) {
                say(words);
            }
            said = now;
        },
    )
}

/// Leads or stands by until stopped.
pub(super) fn controller(arguments: &Controller, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let name = arguments.name.clone().unwrap_or_else(|| format!("controller-{}", std::process::id()));
    let job = controller::Job { spec, properties, name };
    until_stopped(move |stop| controller::run(&job, stop, say), || {})
}

fn say(words: &str) {
    output::complain(&output::clean(words));
}

/// Runs something that blocks on a thread until it ends, or until a signal has stopped it.
fn until_stopped(
    work: impl FnOnce(&Arc<AtomicBool>) -> Result<(), RouterError> + Send + 'static,
    mut tell: impl FnMut(),
) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, mut ended) = tokio::sync::oneshot::channel();
        let stopping = stop.clone();
        std::thread::Builder::new().name("router".to_owned()).spawn(move || {
            // Nobody listens when the process is ending already.
            let _unheard = sender.send(work(&stopping));
        })?;
        let mut number = None;
        loop {
            tokio::select! {
                outcome = &mut ended => {
                    let broken = || Err(RouterError::Stuck("the router's thread broke off".to_owned()));
                    outcome.unwrap_or_else(|_| broken()).map_err(|error| failure(&error))?;
                    return Ok(number.map_or(exit::OK, |number| exit::SIGNAL.saturating_add(number)));
                }
                _ = interrupt.recv() => number = Some(2),
                _ = terminate.recv() => number = Some(15),
                () = tokio::time::sleep(BEAT) => tell(),
            }
            if number.is_some() {
                stop.store(true, Ordering::Relaxed);
            }
        }
    })
}
