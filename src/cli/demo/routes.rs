//! The processes of the demo's routes: a controller and a worker each, as threads of this process.
//!
//! They are the very ones that `flowdeck router controller` and `flowdeck router worker` run, and talk to the demo's
//! Kafka as they would to any other. They begin once the console has had time to show its first rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::router::spec::Spec;
use crate::router::{RouterError, controller, worker};
use crate::settings::{KafkaSettings, Settings};
use crate::source::kafka::{ClientProperties, client_properties};

/// After the start of the demo.
const LATER: Duration = Duration::from_secs(2);
/// Between two looks at whether to stop.
const BEAT: Duration = Duration::from_millis(100);

/// The running processes; they are told to stop when this is dropped.
#[derive(Debug)]
pub(super) struct Routes(Arc<AtomicBool>);

impl Drop for Routes {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts them for all routes of the settings.
pub(super) fn start(settings: &Settings) -> Routes {
    let stop = Arc::new(AtomicBool::new(false));
    for environment in &settings.environments {
        for path in &environment.routes {
            let (path, kafka, stopping) = (path.clone(), environment.kafka.clone(), stop.clone());
            spawn("route", move || begin(&path, kafka.as_ref(), &stopping));
        }
    }
    Routes(stop)
}

fn spawn(name: &str, work: impl FnOnce() -> Result<(), RouterError> + Send + 'static) {
    let work = move || {
        if let Err(error) = work() {
            tracing::warn!(%error, "a process of the demo's route ended");
        }
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::warn!(%error, "no thread for the demo's route");
    }
}

fn begin(path: &Path, kafka: Option<&KafkaSettings>, stop: &Arc<AtomicBool>) -> Result<(), RouterError> {
    let began = Instant::now();
    while began.elapsed() < LATER && !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(BEAT);
    }
    let (spec, properties) = open(path, kafka).map_err(RouterError::Refused)?;
    let job = controller::Job { spec: spec.clone(), properties: properties.clone(), name: "demo-1".to_owned() };
    let stopping = stop.clone();
    spawn("controller", move || controller::run(&job, &stopping, |words| tracing::info!(words, "demo controller")));
    let job = worker::Job { spec, properties, slot: "demo-1".to_owned() };
    let gauge = Arc::new(worker::Gauge::new(&job.spec.name, &job.slot));
    worker::run(&job, &gauge, stop)
}

fn open(path: &Path, kafka: Option<&KafkaSettings>) -> Result<(Arc<Spec>, ClientProperties), String> {
    let spec = Spec::open(path).map_err(|error| error.to_string())?;
    let kafka = kafka.ok_or("the environment has no Kafka")?;
    Ok((Arc::new(spec), client_properties(kafka).map_err(|error| error.to_string())?))
}
