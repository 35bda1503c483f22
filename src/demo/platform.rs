//! Starting, stopping and disturbing the platform.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::bucket::Bucket;
use super::dice;
use super::environment::Environment;
use super::files::{Directory, Place};
use super::handle::Handle;
use super::http::{Listener, Serve};
use super::kafka::Broker;
use super::kubernetes::ApiServer;
use super::kubernetes::access::Tokens;
use super::lanes::Lanes;
use super::plan::ENVIRONMENTS;
use super::traffic::{self, Traffic};

/// So many seconds of traffic have gone by when the platform starts.
const WARM_SECONDS: i64 = 3;
/// How often read records are deleted.
const SWEEP_EVERY: TimeDelta = TimeDelta::seconds(10);

/// How the platform behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Every choice follows from it.
    pub seed: u64,
    /// Time factor of the incident script and of the controllers; 1.0 is as in life.
    pub pace: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 7, pace: 1.0 }
    }
}

/// The platform cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No port on loopback.
    #[error("the demo cannot listen for {what}")]
    Listen {
        /// Which of its servers.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// No place for its files.
    #[error("the demo cannot write its files")]
    Files(#[from] io::Error),
}

/// A running demo; everything ends when it is dropped.
pub struct Platform {
    /// Removed with the platform.
    _directory: Directory,
    kubeconfig: PathBuf,
    settings: PathBuf,
    handles: Vec<Arc<Running>>,
    stopping: CancellationToken,
}

/// One environment and its servers.
pub(super) struct Running {
    pub(super) environment: Arc<Environment>,
    pub(super) kubernetes: Listener,
    pub(super) objects: Listener,
    pub(super) bucket: Arc<Bucket>,
    pub(super) broker: Broker,
}

impl Platform {
    /// Starts all environments.
    ///
    /// # Errors
    /// When no port or no directory can be had.
    pub async fn start(options: Options) -> Result<Self, DemoError> {
        let directory = Directory::create()?;
        let stopping = CancellationToken::new();
        let mut handles = Vec::new();
        let mut places = Vec::new();
        for name in ENVIRONMENTS {
            let (running, place) = start_environment(name, options).await?;
            let traffic = warm(&running);
            tokio::spawn(stopping.clone().run_until_cancelled_owned(live(Arc::clone(&running), traffic)));
            handles.push(running);
            places.push(place);
        }
        places.reverse();
        directory.write(&places)?;
        Ok(Self {
            kubeconfig: directory.kubeconfig(),
            settings: directory.settings(),
            _directory: directory,
            handles,
            stopping,
        })
    }

    /// The kubeconfig with the contexts `demo-qal`, `demo-e2e`, `demo-prd` and `demo-prd-viewer`.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The settings of the console, with the three environments.
    #[must_use]
    pub fn settings(&self) -> &Path {
        &self.settings
    }

    /// What listens where.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, String)> {
        self.handles
            .iter()
            .flat_map(|running| {
                let name = &running.environment.name;
                [
                    (format!("{name} kubernetes"), format!("http://{}", running.kubernetes.address())),
                    (format!("{name} kafka"), running.broker.address().to_string()),
                    (format!("{name} objects"), format!("http://{}", running.objects.address())),
                ]
            })
            .collect()
    }

    /// An environment, to disturb it.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<Handle> {
        self.handles.iter().find(|running| running.environment.name == name).map(Handle::new)
    }

    /// Stops everything and removes the files, as dropping it does.
    pub async fn stop(self) {
        self.end();
        // Whoever was cut off may see it before the files go.
        tokio::task::yield_now().await;
    }

    fn end(&self) {
        self.stopping.cancel();
        for running in &self.handles {
            running.kubernetes.kill();
            running.objects.kill();
            running.broker.stop();
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.end();
    }
}

async fn start_environment(name: &str, options: Options) -> Result<(Arc<Running>, Place), DemoError> {
    let token = |user: &str| format!("demo-{user}-{}", dice::identifier(&[name, user, &options.seed.to_string()]));
    let tokens = Tokens { admin: token("admin"), viewer: token("viewer") };
    let broker = Broker::start(&format!("flowdeck-demo-{name}")).await.map_err(|source| {
        let what = format!("Kafka of {name}");
        DemoError::Listen { what, source }
    })?;
    let kafka = broker.address().to_string();
    let environment = Arc::new(Environment::new(name, &kafka, (options.seed, options.pace)));
    let server = ApiServer { environment: Arc::clone(&environment), tokens: tokens.clone() };
    let listen = |what: &str| {
        let what = format!("{what} of {name}");
        |source| DemoError::Listen { what, source }
    };
    let kubernetes = Listener::start(Arc::new(server)).await.map_err(listen("the Kubernetes API"))?;
    let bucket = Arc::new(Bucket::new(name));
    let objects = Listener::start(Arc::clone(&bucket) as Arc<dyn Serve>).await.map_err(listen("the object store"))?;
    let place = Place {
        name: name.to_owned(),
        kubernetes: format!("http://{}", kubernetes.address()),
        kafka: Some(kafka),
        objects: Some(format!("http://{}", objects.address())),
        admin_token: tokens.admin,
        viewer_token: tokens.viewer,
        protection: if name == "prd" { "protected" } else { "open" },
    };
    Ok((Arc::new(Running { environment, kubernetes, objects, bucket, broker }), place))
}

/// The seconds before anybody looks: topics have records and groups have commits from the first question on.
fn warm(running: &Running) -> Traffic {
    let environment = &running.environment;
    let now = Utc::now();
    environment.tick(now);
    let mut traffic = Traffic::new(environment, running.broker.clone());
    traffic.remember(now - chrono::Duration::seconds(WARM_SECONDS));
    for ago in (0..WARM_SECONDS).rev() {
        traffic.step(environment, 1.0, now - chrono::Duration::seconds(ago));
    }
    traffic
}

/// The heartbeat of one environment.
async fn live(running: Arc<Running>, mut traffic: Traffic) {
    let environment = &running.environment;
    let period = Duration::from_secs_f64((1.0 / environment.pace.max(0.01)).clamp(0.05, 1.0));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lanes = Lanes::new(environment, running.broker.clone());
    let (mut flowed, mut swept) = (Utc::now(), Utc::now());
    loop {
        ticks.tick().await;
        let now = Utc::now();
        environment.tick(now);
        // Records need not move as often as pods do when everything is sped up.
        let seconds = (now - flowed).as_seconds_f64();
        if seconds >= 0.25 {
            flowed = now;
            traffic.step(environment, seconds.min(5.0), now);
            if let Some(lanes) = &mut lanes {
                lanes.step(environment, seconds.min(5.0), now);
            }
        }
        if now - swept >= SWEEP_EVERY {
            swept = now;
            if let Err(error) = traffic::sweep(running.broker.address(), &traffic.cuts()).await {
                tracing::debug!(%error, "demo topics cannot be swept");
            }
        }
    }
}
