//! Starting, stopping and disturbing the platform.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::dice;
use super::environment::Environment;
use super::files::{Directory, Place};
use super::http::Listener;
use super::kubernetes::ApiServer;
use super::kubernetes::access::Tokens;
use super::plan::ENVIRONMENTS;

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
    directory: Directory,
    kubeconfig: PathBuf,
    settings: PathBuf,
    handles: Vec<Arc<Running>>,
    stopping: CancellationToken,
}

/// One environment and its servers.
struct Running {
    environment: Arc<Environment>,
    kubernetes: Listener,
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
            tokio::spawn(stopping.clone().run_until_cancelled_owned(live(Arc::clone(&running.environment))));
            handles.push(running);
            places.push(place);
        }
        places.reverse();
        directory.write(&places)?;
        Ok(Self { kubeconfig: directory.kubeconfig(), settings: directory.settings(), directory, handles, stopping })
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
            .map(|running| {
                (format!("{} kubernetes", running.environment.name), format!("http://{}", running.kubernetes.address()))
            })
            .collect()
    }

    /// An environment, to disturb it.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<Handle> {
        self.handles.iter().find(|running| running.environment.name == name).map(|running| Handle(Arc::clone(running)))
    }

    /// Stops everything and removes the files.
    pub async fn stop(self) {
        self.stopping.cancel();
        for running in &self.handles {
            running.kubernetes.kill();
        }
        tokio::task::yield_now().await;
        drop(self.directory);
    }
}

async fn start_environment(name: &str, options: Options) -> Result<(Arc<Running>, Place), DemoError> {
    let environment = Arc::new(Environment::new(name, options.seed, options.pace));
    let token = |user: &str| format!("demo-{user}-{}", dice::identifier(&[name, user, &options.seed.to_string()]));
    let tokens = Tokens { admin: token("admin"), viewer: token("viewer") };
    let server = ApiServer { environment: Arc::clone(&environment), tokens: tokens.clone() };
    let kubernetes = Listener::start(Arc::new(server))
        .await
        .map_err(|source| DemoError::Listen { what: format!("the Kubernetes API of {name}"), source })?;
    let place = Place {
        name: name.to_owned(),
        kubernetes: format!("http://{}", kubernetes.address()),
        kafka: None,
        objects: None,
        admin_token: tokens.admin,
        viewer_token: tokens.viewer,
        protection: if name == "prd" { "protected" } else { "open" },
    };
    Ok((Arc::new(Running { environment, kubernetes }), place))
}

/// The heartbeat of one environment.
async fn live(environment: Arc<Environment>) {
    let period = Duration::from_secs_f64((1.0 / environment.pace.max(0.01)).clamp(0.05, 1.0));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        environment.tick(Utc::now());
    }
}

/// One environment in the hands of a test: pull plugs, break things.
#[derive(Clone)]
pub struct Handle(Arc<Running>);

impl Handle {
    /// Refuses connections to the Kubernetes API and cuts those that are open.
    pub fn kill_kubernetes(&self) {
        self.0.kubernetes.kill();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn start_kubernetes(&self) -> io::Result<()> {
        self.0.kubernetes.revive().await
    }

    /// Unplugs the REST APIs of all Flink clusters: the proxy answers 503.
    pub fn kill_flink(&self) {
        self.0.environment.flink_up.store(false, Ordering::Relaxed);
    }

    /// Plugs them in again.
    pub fn start_flink(&self) {
        self.0.environment.flink_up.store(true, Ordering::Relaxed);
    }
}
