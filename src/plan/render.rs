//! A pipeline and an environment into the objects that run it.
//!
//! Why: what goes to a cluster is decided in one place, so that a diff, a dry run, an apply and a file in a repository
//! can never mean different things.
//!
//! How: each processor becomes a [`Part`]: its Kafka client's configuration, and then a `FlinkDeployment`
//! ([`operator`]) or a JobManager Deployment with a TaskManager StatefulSet ([`standalone`]). Labels and annotations are
//! those by which flowdeck finds what runs.
//!
//! It must not write a secret: those stay where they are, by reference.

mod flink;
mod kafka;
mod operator;
mod standalone;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::manage::identity;
use super::object::{MANAGED_BY, MANAGER, OURS, PART_OF, annotate};
use super::target::Target;
use crate::model::config::{self, Options};
use crate::model::manifest::{Identity, Owner, Pipeline, Runtime, Step, Visibility};
use crate::model::options::FlinkVersion;
use flink::Flink;

/// Why a pipeline cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// It may not run there.
    #[error("the manifest of {pipeline} does not name environment {environment}; it names {named}")]
    Elsewhere {
        /// The pipeline.
        pipeline: String,
        /// Where it was to go.
        environment: String,
        /// Where it may.
        named: String,
    },
    /// Two processors would be one object.
    #[error("processors {0} and {1} have one name in Kubernetes, which knows lowercase alone")]
    SameName(String, String),
    /// The configuration document cannot be read.
    #[error("the configuration of processor {0} is not JSON; `flowdeck validate` says where")]
    Unreadable(String),
    /// Flink has nothing that runs it.
    #[error("processor {0} is a script of SQL, which Flink runs by itself from 2.0 on: name such a flinkVersion")]
    Script(String),
    /// The text of the version is none.
    #[error("{0} is no version of Flink")]
    Version(String),
}

/// A processor as objects, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The processor, as its object is named.
    pub processor: String,
    /// Its objects.
    pub objects: Vec<Value>,
}

/// A pipeline as objects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rendered {
    /// The pipeline, as labels name it.
    pub pipeline: String,
    /// Its processors.
    pub parts: Vec<Part>,
    /// What somebody should know, such as what is missing.
    pub notes: Vec<String>,
}

impl Rendered {
    /// All objects, in the order in which they are applied.
    pub fn objects(&self) -> impl Iterator<Item = &Value> {
        self.parts.iter().flat_map(|part| &part.objects)
    }

    /// Writes the pipeline's revision on every object. On the objects alone: a pod that only learns a new number would
    /// be restarted for it.
    pub fn stamp(&mut self, revision: u64) {
        self.mark(&format!("{OURS}revision"), &revision.to_string());
    }

    /// Writes an annotation on every object, and on no pod.
    pub fn mark(&mut self, annotation: &str, value: &str) {
        let objects = self.parts.iter_mut().flat_map(|part| &mut part.objects);
        objects.for_each(|object| annotate(object, annotation, value));
    }
}

/// What the renderers of one processor are told.
struct Piece<'a> {
    target: &'a Target,
    pipeline: &'a str,
    team: &'a str,
    step: &'a Step,
    /// Name of its objects.
    name: String,
    flink: Flink,
    options: Options,
}

/// Renders a pipeline for an environment and a runtime.
///
/// # Errors
/// When it may not run there, or cannot.
pub fn render(pipeline: &Pipeline, target: &Target, runtime: Runtime) -> Result<Rendered, RenderError> {
    let (spec, name) = (&pipeline.spec, pipeline.metadata.name.value.to_lowercase());
    may_run(pipeline, target)?;
    let version = spec.flink_version.as_ref().map_or(FlinkVersion::V2_2.word(), |it| it.value.as_str());
    let flink = Flink::read(version).ok_or_else(|| RenderError::Version(version.to_owned()))?;
    let steps = spec.steps_in(&target.environment);
    distinct(&steps)?;
    let mut rendered = Rendered { pipeline: name, parts: Vec::new(), notes: notes(&steps, target) };
    for step in &steps {
        if step.sql.is_some() && flink.options == FlinkVersion::V1_20 {
            return Err(RenderError::Script(step.name.value.clone()));
        }
        let document = step.config.as_ref().map_or("", |it| it.value.as_str());
        let unreadable = || RenderError::Unreadable(step.name.value.clone());
        let piece = Piece {
            target,
            pipeline: &rendered.pipeline,
            team: &pipeline.metadata.team.value,
            step,
            name: step.name.value.to_lowercase(),
            options: config::options(document, flink.options).ok_or_else(unreadable)?,
            flink: flink.clone(),
        };
        let mut objects = vec![kafka::config_map(&piece)];
        match runtime {
            Runtime::Operator => objects.push(operator::deployment(&piece)),
            Runtime::Standalone => objects.extend(standalone::objects(&piece)),
        }
        rendered.parts.push(Part { processor: piece.name, objects });
    }
    for (part, value) in said(&pipeline.metadata) {
        rendered.mark(&part.annotation(), &value);
    }
    Ok(rendered)
}

/// What a manifest says of the pipeline itself that is not the usual.
fn said(identity: &Identity) -> Vec<(identity::Part, String)> {
    use identity::Part;
    let mut said = Vec::new();
    if identity.owner == Owner::ThirdParty {
        said.push((Part::Owner, "third-party".to_owned()));
    }
    if identity.visibility == Visibility::Private {
        said.push((Part::Visibility, "private".to_owned()));
    }
    let description = identity.description.as_ref().map(|it| it.value.trim().to_owned());
    said.extend(description.filter(|it| !it.is_empty()).map(|it| (Part::Description, it)));
    said
}

/// The kube context alone, without a name in the settings, is any environment.
fn may_run(pipeline: &Pipeline, target: &Target) -> Result<(), RenderError> {
    let named = &pipeline.spec.environments;
    if target.environment.is_empty() || named.iter().any(|it| it.value == target.environment) {
        return Ok(());
    }
    Err(RenderError::Elsewhere {
        pipeline: pipeline.metadata.name.value.clone(),
        environment: target.environment.clone(),
        named: named.iter().map(|it| it.value.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn distinct(steps: &[Step]) -> Result<(), RenderError> {
    for (index, step) in steps.iter().enumerate() {
        let name = &step.name.value;
        if let Some(other) = steps.iter().take(index).find(|it| it.name.value.eq_ignore_ascii_case(name)) {
            return Err(RenderError::SameName(other.name.value.clone(), name.clone()));
        }
    }
    Ok(())
}

fn notes(steps: &[Step], target: &Target) -> Vec<String> {
    let mut notes = Vec::new();
    if target.kafka.bootstrap.is_none() && steps.iter().any(|it| !it.inputs.is_empty() || !it.outputs.is_empty()) {
        notes.push(
            "no Kafka bootstrap servers are set for the environment: processors must find Kafka themselves".into(),
        );
    }
    if target.state.is_none() {
        notes.push(
            "no state folder is set for the environment ([environment.deploy] state): without savepoints of its own \
             configuration a processor loses its state when it restarts"
                .into(),
        );
    }
    notes
}

impl Piece<'_> {
    /// Labels of every object, and of the pods.
    fn labels(&self, component: Option<&str>) -> Map<String, Value> {
        let mut labels = Map::new();
        let mut put = |name: &str, value: &str| labels.insert(name.to_owned(), json!(value));
        put("app", &self.name);
        put("app.kubernetes.io/name", &self.name);
        put("app.kubernetes.io/instance", &self.name);
        put(PART_OF, self.pipeline);
        put(MANAGED_BY, MANAGER);
        if let Some(component) = component {
            put("component", component);
        }
        labels
    }

    fn metadata(&self, name: &str, component: Option<&str>) -> Value {
        json!({
            "name": name,
            "namespace": self.target.namespace,
            "labels": self.labels(component),
            "annotations": self.annotations(),
        })
    }

    /// What flowdeck reads again when it lists what runs.
    fn annotations(&self) -> Map<String, Value> {
        let mut annotations = Map::new();
        let mut put = |name: &str, value: String| {
            if !value.is_empty() {
                annotations.insert(format!("{OURS}{name}"), json!(value));
            }
        };
        let list = |topics: &[serde_saphyr::Spanned<String>]| {
            topics.iter().map(|topic| topic.value.as_str()).collect::<Vec<_>>().join(",")
        };
        put("inputs", list(&self.step.inputs));
        put("outputs", list(&self.step.outputs));
        put("group", self.group());
        put("offset-version", self.step.offset_version.to_string());
        put("artifact", self.step.artifact.value.clone());
        put("artifact-revision", self.step.revision.map(|it| it.to_string()).unwrap_or_default());
        put("team", self.team.to_owned());
        annotations
    }

    /// The consumer group: another offset version is another group, which reads the topics anew.
    fn group(&self) -> String {
        format!("{}.{}.v{}", self.pipeline, self.name, self.step.offset_version)
    }

    /// Fills the words of a template.
    fn fill(&self, template: &str) -> String {
        let mut coordinates = self.step.artifact.value.split(':');
        let mut next = || coordinates.next().unwrap_or_default().to_owned();
        let (group, artifact, version) = (next(), next(), next());
        let revision = self.step.revision.map_or_else(|| version.clone(), |it| it.to_string());
        [
            ("group", group.as_str()),
            ("artifact", &artifact),
            ("version", &version),
            ("revision", &revision),
            ("flink", &self.flink.text),
            ("namespace", &self.target.namespace),
            ("pipeline", self.pipeline),
            ("processor", &self.name),
        ]
        .iter()
        .fold(template.to_owned(), |text, (word, value)| text.replace(&format!("{{{word}}}"), value))
    }
}

#[cfg(test)]
mod tests;
