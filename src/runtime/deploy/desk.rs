//! One environment in which pipelines are changed: the way to its cluster, what it gives, and what stands against it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;

use super::audit;
use super::target::target;
use crate::model::interest::{Depth, JobInterest};
use crate::model::key::ObjectKey;
use crate::plan::audit::{Line, Outcome};
use crate::plan::guard::Place;
use crate::plan::object::{Id, Kind, MANAGED_BY, MANAGER, OURS, PART_OF, is_kept_by_another, label};
use crate::plan::revision::{Revision, RevisionError};
use crate::plan::target::Target;
use crate::plan::verb::Verb;
use crate::settings::{EnvironmentSettings, KafkaSettings};
use crate::source::flink::Actions;
use crate::source::kube::change::WriteError;
use crate::source::kube::trouble::Trouble;
use crate::source::kube::{Cluster, ConnectError, connect};

/// Why a change could not be prepared or made.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// There is no way to the cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A file could not be read or written.
    #[error("{what}: {error}")]
    File {
        /// Which, and what for.
        what: String,
        /// Why.
        error: std::io::Error,
    },
    /// The way to Flink's REST API is not usable.
    #[error("Flink's REST API cannot be used: {0}")]
    Flink(String),
    /// The server did not say.
    #[error("{what}: {trouble}")]
    Read {
        /// What was asked for.
        what: String,
        /// Why.
        trouble: Trouble,
    },
    /// An object was not written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A revision cannot be kept or read.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else was first.
    #[error("{0}")]
    Overtaken(String),
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// It cannot be done.
    #[error("{0}")]
    Failed(String),
}

/// An environment, opened for changes.
#[derive(Debug)]
pub struct Desk {
    /// The cluster.
    pub cluster: Cluster,
    /// What it gives to pipelines.
    pub target: Target,
    /// What protects it.
    pub place: Place,
    /// Who works here.
    pub by: String,
    /// The way to jobs.
    pub jobs: Actions,
    /// The way to Kafka, where the environment names one.
    pub kafka: Option<KafkaSettings>,
    /// Kafka user of the processors, as the settings write it.
    pub principal: Option<String>,
    /// Files of route specs.
    pub routes: Vec<PathBuf>,
    audit: PathBuf,
}

impl Desk {
    /// Opens an environment. No network is used.
    ///
    /// # Errors
    /// When the settings do not lead to a cluster, or there is no place for the audit.
    pub async fn open(settings: &EnvironmentSettings) -> Result<Self, DeployError> {
        let cluster = connect(settings).await?;
        let target = target(settings, Some(&cluster.default_namespace))
            .map_err(|error| DeployError::File { what: "the Kafka properties file".into(), error })?;
        let no_home = || DeployError::Failed("there is no place for the audit file: set HOME or FLOWDECK_AUDIT".into());
        let place = Place {
            environment: cluster.environment.name.to_string(),
            protection: settings.protection,
            is_production: settings.is_production(),
            windows: settings.deploy.change_windows.clone(),
        };
        let jobs =
            Actions::new(cluster.clone(), &settings.flink).map_err(|error| DeployError::Flink(error.to_string()))?;
        let (kafka, principal) = (settings.kafka.clone(), settings.deploy.kafka_principal.clone());
        let (by, audit) = (whoami(settings), audit::path().ok_or_else(no_home)?);
        let routes = settings.routes.clone();
        Ok(Self { cluster, target, place, by, jobs, kafka, principal, routes, audit })
    }

    /// Adds a line to the audit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, entry: Entry<'_>, outcome: Outcome, message: &str) -> Result<(), DeployError> {
        let line = Line {
            at: Utc::now(),
            by: self.by.clone(),
            environment: self.place.environment.clone(),
            server: self.cluster.environment.server.to_string(),
            namespace: self.target.namespace.clone(),
            pipeline: entry.pipeline.to_owned(),
            verb: entry.verb,
            revision: entry.revision,
            changes: entry.changes,
            outcome,
            message: message.to_owned(),
        };
        let file = |error| DeployError::File { what: format!("the audit file {}", self.audit.display()), error };
        audit::append(&self.audit, &line).map_err(file)
    }

    /// How the last try of the same ended, when it did not end well: what this one goes on with.
    ///
    /// # Errors
    /// When the audit cannot be read.
    pub fn unfinished(&self, pipeline: &str, verb: Verb) -> Result<Option<String>, DeployError> {
        Ok(self.open_line(pipeline, verb)?.map(|it| {
            let why = if it.message.is_empty() { "nobody knows where it ended" } else { &it.message };
            format!("resumes the try of {} by {}: {why}", it.at.format("%H:%M:%SZ"), it.by)
        }))
    }

    /// The revision that such a try was to make.
    ///
    /// # Errors
    /// When the audit cannot be read.
    pub fn unfinished_revision(&self, pipeline: &str, verb: Verb) -> Result<Option<u64>, DeployError> {
        Ok(self.open_line(pipeline, verb)?.and_then(|it| it.revision))
    }

    fn open_line(&self, pipeline: &str, verb: Verb) -> Result<Option<Line>, DeployError> {
        let (environment, namespace) = (&self.place.environment, &self.target.namespace);
        let here = |line: &Line| {
            line.pipeline == pipeline
                && line.environment == *environment
                && line.namespace == *namespace
                && line.outcome != Outcome::Refused
        };
        let file = |error| DeployError::File { what: format!("the audit file {}", self.audit.display()), error };
        let last = audit::newest(&self.audit, here).map_err(file)?;
        Ok(last.filter(|it| it.verb == verb && matches!(it.outcome, Outcome::Failed | Outcome::Began)))
    }

    /// All revisions of a pipeline, oldest first.
    ///
    /// # Errors
    /// When the server does not give them, or they are not ours to read.
    pub async fn revisions(&self, pipeline: &str) -> Result<Vec<Revision>, DeployError> {
        let selector = Revision::selector(pipeline);
        let found = self.cluster.objects(Kind::ConfigMap, &self.target.namespace, &selector).await;
        let found = found.map_err(|trouble| DeployError::Read { what: "revisions".into(), trouble })?;
        let mut revisions = found.iter().map(Revision::of).collect::<Result<Vec<_>, _>>()?;
        revisions.sort_by_key(|revision| revision.number);
        Ok(revisions)
    }

    /// Objects that flowdeck deployed for a pipeline, revisions aside.
    ///
    /// # Errors
    /// When the server does not list them.
    pub async fn managed(&self, pipeline: &str) -> Result<Vec<(Id, Value)>, DeployError> {
        let selector = format!("{MANAGED_BY}={MANAGER},{PART_OF}={pipeline}");
        let mut managed = self.selected(&selector).await?;
        let is_revision = |object: &Value| label(object, &format!("{OURS}revision-of")).is_some();
        // The operator labels what it makes as what it was asked for.
        managed.retain(|(_, object)| !is_revision(object) && !is_kept_by_another(object));
        Ok(managed)
    }

    /// Flink's objects that somebody deployed under a pipeline's or a processor's name.
    ///
    /// # Errors
    /// When the server does not list them, or there are none.
    pub async fn found(&self, name: &str) -> Result<Vec<(Id, Value)>, DeployError> {
        let mut found = self.selected(&format!("{PART_OF}={name}")).await?;
        found.retain(|(id, object)| {
            let role = label(object, "component").is_some()
                || object.pointer("/spec/template/metadata/labels/component").is_some();
            id.kind == Kind::FlinkDeployment || (matches!(id.kind, Kind::Deployment | Kind::StatefulSet) && role)
        });
        // Where the operator runs the job, the workloads are its own.
        if found.iter().any(|(id, _)| id.kind == Kind::FlinkDeployment) {
            found.retain(|(id, _)| id.kind == Kind::FlinkDeployment);
        }
        if found.is_empty() {
            let id = Id::new(Kind::FlinkDeployment, &self.target.namespace, name);
            found.extend(self.read(&id).await?.map(|object| (id, object)));
        }
        if found.is_empty() {
            let (namespace, elsewhere) = (&self.target.namespace, self.elsewhere(name).await);
            return Err(DeployError::NotFound(format!(
                "there is no pipeline {name} in namespace {namespace}; {elsewhere}"
            )));
        }
        Ok(found)
    }

    /// Where a pipeline is that this namespace does not have, in words.
    pub async fn elsewhere(&self, name: &str) -> String {
        let places: Vec<String> = self.namespaces_of(name).await.into_iter().collect();
        match &*places {
            [] => "-n names another namespace".to_owned(),
            [one] => format!("it is in {one}: -n {one}"),
            [first, ..] => format!("it is in {}: -n {first}, for example", places.join(", ")),
        }
    }

    /// Namespaces that have a pipeline of that name, as far as this user may list them all.
    async fn namespaces_of(&self, name: &str) -> BTreeSet<String> {
        let text = |object: &Value, place: &str| object.pointer(place).and_then(Value::as_str).map(str::to_owned);
        let place = |object: Value| {
            // Alone, a deployment of the operator is the pipeline of its own name.
            let pipeline = label(&object, PART_OF).map(str::to_owned).or_else(|| text(&object, "/metadata/name"));
            text(&object, "/metadata/namespace").filter(|_| pipeline.as_deref() == Some(name))
        };
        let selector = format!("{PART_OF}={name}");
        let mut places = BTreeSet::new();
        for kind in [Kind::FlinkDeployment, Kind::Deployment, Kind::StatefulSet] {
            let path = format!("/apis/{}/{}", kind.api_version(), kind.plural());
            let selector = (kind != Kind::FlinkDeployment).then_some(&*selector);
            // Who may not list them is told what everybody is.
            places.extend(self.cluster.list(&path, selector, place).await.unwrap_or_default());
        }
        places
    }

    /// ConfigMaps that somebody deployed with a pipeline.
    ///
    /// # Errors
    /// When the server does not list them.
    pub async fn config_maps(&self, name: &str) -> Result<Vec<Id>, DeployError> {
        let found = self.cluster.objects(Kind::ConfigMap, &self.target.namespace, &format!("{PART_OF}={name}")).await;
        let found = found.map_err(|trouble| DeployError::Read { what: Kind::ConfigMap.plural().into(), trouble })?;
        let is_revision = |object: &Value| label(object, &format!("{OURS}revision-of")).is_some();
        Ok(found.iter().filter(|it| !is_revision(it) && !is_kept_by_another(it)).filter_map(Id::of).collect())
    }

    async fn selected(&self, selector: &str) -> Result<Vec<(Id, Value)>, DeployError> {
        let kinds = [Kind::ConfigMap, Kind::Service, Kind::Deployment, Kind::StatefulSet, Kind::FlinkDeployment];
        let mut found = Vec::new();
        for kind in kinds {
            let objects = self.cluster.objects(kind, &self.target.namespace, selector).await;
            let objects = objects.map_err(|trouble| DeployError::Read { what: kind.plural().into(), trouble })?;
            found.extend(objects.into_iter().filter_map(|object| Some((Id::of(&object)?, object))));
        }
        Ok(found)
    }

    /// An object as it is.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn read(&self, id: &Id) -> Result<Option<Value>, DeployError> {
        let object = self.cluster.object(id).await;
        object.map_err(|trouble| DeployError::Read { what: id.to_string(), trouble })
    }

    /// Why the job of an object cannot be asked for a savepoint; nothing when it can.
    ///
    /// # Errors
    /// When the server does not say.
    pub(super) async fn no_way_to_job(&self, id: &Id, object: &Value) -> Result<Option<Arc<str>>, DeployError> {
        let processor = id.name.trim_end_matches("-jobmanager");
        let refused = self.jobs.refusal(&self.interest(object, processor)).await;
        refused.map_err(|trouble| DeployError::Read { what: "permissions".into(), trouble })
    }

    /// How the job of an object is asked for.
    pub(super) fn interest(&self, object: &Value, processor: &str) -> JobInterest {
        let id = Id::of(object);
        let by_operator = id.is_some_and(|id| id.kind == Kind::FlinkDeployment);
        let labels = object.pointer("/spec/template/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let labels = labels.filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into())));
        let job_manager_labels =
            if by_operator { [("type".into(), "flink-native-kubernetes".into())].into() } else { labels.collect() };
        let job_id = object.pointer("/status/jobStatus/jobId").and_then(Value::as_str);
        JobInterest {
            processor: ObjectKey::new(self.place.environment.as_str(), self.target.namespace.as_str(), processor),
            host: processor.into(),
            job_manager_labels,
            job_id: job_id.map(Into::into),
            depth: Depth::Summary,
        }
    }
}

/// What an audit line is about.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Pipeline.
    pub pipeline: &'a str,
    /// What.
    pub verb: Verb,
    /// The revision, if there is one.
    pub revision: Option<u64>,
    /// What differs.
    pub changes: Vec<String>,
}

/// The user of this machine, and whom they stand in for.
fn whoami(settings: &EnvironmentSettings) -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    settings.impersonate.as_ref().map_or_else(|| user.clone(), |other| format!("{user} as {other}"))
}
