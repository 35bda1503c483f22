//! From settings to a cluster, as kubectl reads them: `KUBECONFIG` with several files, `~/.kube/config`,
//! or the service account of the pod that we run in.
//!
//! Everything that can be wrong is found here and said with the file and the next step; nothing here
//! uses the network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::Config;
use kube::config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::{Cluster, proxy, session};
use crate::model::environment::Environment;
use crate::settings::EnvironmentSettings;

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No kubeconfig and not in a pod.
    #[error("no kubeconfig: {} does not exist; set KUBECONFIG or --kubeconfig, or copy one there", .0.display())]
    NoKubeconfig(PathBuf),
    /// A kubeconfig that was named does not exist or may not be read.
    #[error("kubeconfig {} cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A kubeconfig that is no kubeconfig.
    #[error("kubeconfig {files} is not valid: {words}; `kubectl config view` shows it as kubectl reads it")]
    Invalid {
        /// The files.
        files: String,
        /// What is wrong.
        words: String,
    },
    /// No context was named, and the file names none.
    #[error("kubeconfig {files} has no current context; choose one with --context: {known}")]
    NoContext {
        /// The files.
        files: String,
        /// Contexts that exist.
        known: String,
    },
    /// The context does not exist.
    #[error("context {context:?} is not in kubeconfig {files}; it has: {known}")]
    UnknownContext {
        /// The context asked for.
        context: String,
        /// The files.
        files: String,
        /// Contexts that exist.
        known: String,
    },
    /// The context is there but does not lead to a cluster.
    #[error("context {context:?} of kubeconfig {files} is not usable: {words}")]
    BadContext {
        /// The context.
        context: String,
        /// The files.
        files: String,
        /// What is wrong.
        words: String,
    },
    /// The pod's service account is not usable.
    #[error("in-cluster configuration is not usable: {0}; is a service account token mounted?")]
    InCluster(#[from] kube::config::InClusterError),
}

/// Finds the way to the cluster of an environment. No network is used.
///
/// # Errors
/// When the files or the context are missing or wrong.
pub async fn connect(settings: &EnvironmentSettings) -> Result<Cluster, ConnectError> {
    let way = Way::find(settings)?;
    let config = way.config()?;
    let context: Arc<str> = way.context.as_deref().unwrap_or("in-cluster").into();
    let environment = Environment {
        name: if settings.name.is_empty() { context.clone() } else { settings.name.as_str().into() },
        context,
        server: config.cluster_url.to_string().trim_end_matches('/').into(),
        namespaces: settings.namespaces.iter().map(|name| name.as_str().into()).collect(),
        protection: settings.protection,
        kafka: settings.kafka.as_ref().and_then(kafka_address),
        objects: settings.objects.as_ref().map(|objects| {
            format!("{}/{}", objects.endpoint.as_deref().unwrap_or("s3:/").trim_end_matches('/'), objects.bucket).into()
        }),
        links: settings.links.iter().map(|(name, url)| (name.as_str().into(), url.as_str().into())).collect(),
    };
    let default_namespace: Arc<str> = config.default_namespace.as_str().into();
    let recipe: session::Recipe = Arc::new(move || way.config().map_err(|error| error.to_string()));
    let logs = Arc::new(settings.logs.clone());
    Ok(Cluster { client: session::client(recipe, &default_namespace), environment, default_namespace, logs })
}

fn kafka_address(kafka: &crate::settings::KafkaSettings) -> Option<Arc<str>> {
    let address = kafka.bootstrap.as_deref().or_else(|| kafka.properties.get("bootstrap.servers").map(String::as_str));
    let from_file = || kafka.properties_file.as_ref().map(|file| format!("as in {}", file.display()).into());
    address.map(Into::into).or_else(from_file)
}

/// Where the configuration comes from; kept so that it can be read again.
#[derive(Clone, Debug)]
struct Way {
    /// Files in the order in which they win; empty means in-cluster.
    files: Vec<PathBuf>,
    /// Context by name; `None` means in-cluster.
    context: Option<String>,
    impersonate: Option<String>,
}

impl Way {
    fn find(settings: &EnvironmentSettings) -> Result<Self, ConnectError> {
        let files = kubeconfig_files(settings)?;
        let impersonate = settings.impersonate.clone();
        if files.is_empty() {
            return Ok(Self { files, context: None, impersonate });
        }
        let config = read(&files)?;
        let known = || {
            let names: Vec<&str> = config.contexts.iter().map(|named| named.name.as_str()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let current = config.current_context.clone().filter(|name| !name.is_empty());
        let context = settings
            .context
            .clone()
            .or(current)
            .ok_or_else(|| ConnectError::NoContext { files: names(&files), known: known() })?;
        if !config.contexts.iter().any(|named| named.name == context) {
            return Err(ConnectError::UnknownContext { context, files: names(&files), known: known() });
        }
        Ok(Self { files, context: Some(context), impersonate })
    }

    fn config(&self) -> Result<Config, ConnectError> {
        let mut config = match &self.context {
            None => Config::incluster()?,
            Some(context) => {
                let mut kubeconfig = read(&self.files)?;
                silence_helpers(&mut kubeconfig);
                let own_proxy = has_own_proxy(&kubeconfig, context);
                let config = resolve(kubeconfig, context).map_err(|error| ConnectError::BadContext {
                    context: context.clone(),
                    files: names(&self.files),
                    words: error.to_string(),
                })?;
                if own_proxy { config } else { without_needless_proxy(config) }
            }
        };
        if let Some(user) = &self.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        Ok(config)
    }
}

/// Whether the kubeconfig itself names a proxy for the cluster of a context.
fn has_own_proxy(kubeconfig: &Kubeconfig, context: &str) -> bool {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context);
    let Some(cluster) = context.and_then(|named| named.context.as_ref()).map(|context| &context.cluster) else {
        return false;
    };
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == *cluster);
    cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.as_ref()).is_some_and(|proxy| !proxy.is_empty())
}

fn without_needless_proxy(mut config: Config) -> Config {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let exceptions = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
    if proxy::goes_direct(&config.cluster_url, &exceptions) {
        config.proxy_url = None;
    }
    config
}

/// Login helpers must not read the console's keys nor write over its screen: without this they would
/// inherit standard input and error.
fn silence_helpers(kubeconfig: &mut Kubeconfig) {
    for user in &mut kubeconfig.auth_infos {
        if let Some(exec) = user.auth_info.as_mut().and_then(|auth| auth.exec.as_mut()) {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
    }
}

/// kube's loader is async in name only: it reads files and never waits.
fn resolve(kubeconfig: Kubeconfig, context: &str) -> Result<Config, KubeconfigError> {
    let only = Kubeconfig { current_context: Some(context.to_owned()), ..kubeconfig };
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    match futures_util::FutureExt::now_or_never(Config::from_custom_kubeconfig(only.clone(), &options)) {
        Some(result) => result,
        None => Config::try_from(only),
    }
}

/// The files that count: those set, those of `KUBECONFIG` that exist, or the default one. None at all
/// means in-cluster.
fn kubeconfig_files(settings: &EnvironmentSettings) -> Result<Vec<PathBuf>, ConnectError> {
    if let Some(path) = &settings.kubeconfig {
        return Ok(vec![path.clone()]);
    }
    let listed: Vec<PathBuf> = std::env::var_os("KUBECONFIG")
        .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if !listed.is_empty() {
        // As kubectl does: files of the list that do not exist are passed over, unless none does.
        let present: Vec<PathBuf> = listed.iter().filter(|path| path.exists()).cloned().collect();
        return match (present.is_empty(), listed.into_iter().next()) {
            (true, Some(first)) => Err(ConnectError::NoKubeconfig(first)),
            _ => Ok(present),
        };
    }
    let default = std::env::home_dir().unwrap_or_default().join(".kube").join("config");
    if default.exists() {
        return Ok(vec![default]);
    }
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && settings.context.is_none() {
        return Ok(Vec::new());
    }
    Err(ConnectError::NoKubeconfig(default))
}

fn read(files: &[PathBuf]) -> Result<Kubeconfig, ConnectError> {
    files.iter().try_fold(Kubeconfig::default(), |merged, path| {
        let next = Kubeconfig::read_from(path).map_err(|error| unreadable(path, error))?;
        merged.merge(next).map_err(|error| ConnectError::Invalid { files: names(files), words: error.to_string() })
    })
}

fn unreadable(path: &Path, error: KubeconfigError) -> ConnectError {
    match error {
        KubeconfigError::ReadConfig(source, path) => ConnectError::Unreadable { path, source },
        other => {
            let words = other.to_string();
            let first = words.lines().next().unwrap_or_default().to_owned();
            ConnectError::Invalid { files: path.display().to_string(), words: first }
        }
    }
}

fn names(files: &[PathBuf]) -> String {
    files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}
