//! The form of manifests: fields, their types, and where in the text they stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::API_VERSION;
use crate::model::config::{Problem, Severity};

/// What a document declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Kind {
    /// Business logic: a code artifact.
    Processor,
    /// A deployment of processors.
    Pipeline,
}

/// A manifest.
#[derive(Clone, Debug)]
pub enum Document {
    /// A processor.
    Processor(Box<Processor>),
    /// A pipeline.
    Pipeline(Box<Pipeline>),
}

impl Document {
    /// What it declares.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Processor(_) => Kind::Processor,
            Self::Pipeline(_) => Kind::Pipeline,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.identity().name.value
    }

    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        match self {
            Self::Processor(it) => &it.metadata,
            Self::Pipeline(it) => &it.metadata,
        }
    }
}

/// What both kinds say of themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Identity {
    /// Starts with a letter; letters, digits and hyphens; at most 27.
    pub name: Spanned<String>,
    /// Who answers for it.
    pub team: Spanned<String>,
    /// At most 256 characters.
    #[serde(default)]
    pub description: Option<Spanned<String>>,
    /// Where it belongs: three levels.
    #[serde(default)]
    pub taxonomy: Option<Spanned<Vec<String>>>,
    /// Key in the issue tracker.
    #[serde(default)]
    pub tracker: Option<Spanned<String>>,
    /// Who may find it.
    #[serde(default)]
    pub visibility: Visibility,
    /// Readable unique identifier; made from the rest unless given.
    #[serde(default)]
    pub alias: Option<Spanned<String>>,
    /// Acronym and colour.
    #[serde(default)]
    pub icon: Option<Icon>,
    /// Whose it is.
    #[serde(default)]
    pub owner: Owner,
    /// Expires after 30 days and never goes to production.
    #[serde(default)]
    pub temporary: bool,
}

/// Who may find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// Its team.
    Private,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The company's.
    #[default]
    Own,
    /// Somebody else's.
    ThirdParty,
}

/// A picture of one's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Icon {
    /// One to four letters or digits.
    pub acronym: Spanned<String>,
    /// A colour's name.
    pub colour: Colour,
}

/// Colours of icons: those that every terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    Grey,
}

/// Business logic: a code artifact.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Processor {
    /// The version of the form.
    pub api_version: String,
    /// `Processor`.
    pub kind: Kind,
    /// Who it is.
    pub metadata: Identity,
    /// What it is.
    pub spec: ProcessorSpec,
}

/// What a processor is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProcessorSpec {
    /// Coordinates: `group:artifact:version`.
    pub artifact: Spanned<String>,
    /// Numbered version of the processor.
    #[serde(default)]
    pub revision: Option<Spanned<u64>>,
}

/// A deployment of processors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pipeline {
    /// The version of the form.
    pub api_version: String,
    /// `Pipeline`.
    pub kind: Kind,
    /// Who it is.
    pub metadata: Identity,
    /// What it is.
    pub spec: PipelineSpec,
}

/// What a pipeline is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PipelineSpec {
    /// Where it may run.
    pub environments: Vec<Spanned<String>>,
    /// What runs it.
    #[serde(default)]
    pub runtime: Runtime,
    /// Flink's version.
    #[serde(default)]
    pub flink_version: Option<Spanned<String>>,
    /// Its processors.
    pub processors: Vec<Step>,
    /// Their order: one name after the other, names side by side in a list. Without it the topics say.
    #[serde(default)]
    pub order: Vec<Place>,
    /// What differs where: by environment, then by processor.
    #[serde(default)]
    pub overrides: BTreeMap<String, BTreeMap<String, Override>>,
}

impl PipelineSpec {
    /// The processors as they are in an environment.
    #[must_use]
    pub fn steps_in(&self, environment: &str) -> Vec<Step> {
        let overrides = self.overrides.get(environment);
        let own = |step: &Step| match overrides.and_then(|all| all.get(&step.name.value)) {
            Some(change) => change.laid_over(step),
            None => step.clone(),
        };
        self.processors.iter().map(own).collect()
    }
}

/// What one environment has of its own for a processor; what is not said stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Override {
    /// TaskManagers.
    #[serde(default)]
    pub replicas: Option<Spanned<u32>>,
    /// Cores of one TaskManager.
    #[serde(default)]
    pub cpu: Option<Spanned<f64>>,
    /// Memory of one TaskManager.
    #[serde(default)]
    pub memory: Option<Spanned<String>>,
    /// Topics that it reads.
    #[serde(default)]
    pub inputs: Option<Vec<Spanned<String>>>,
    /// Topics that it writes.
    #[serde(default)]
    pub outputs: Option<Vec<Spanned<String>>>,
    /// The whole configuration document.
    #[serde(default)]
    pub config: Option<Spanned<String>>,
}

impl Override {
    fn laid_over(&self, step: &Step) -> Step {
        let mut own = step.clone();
        replace(&mut own.replicas, self.replicas.as_ref());
        replace(&mut own.cpu, self.cpu.as_ref());
        replace(&mut own.memory, self.memory.as_ref());
        replace(&mut own.inputs, self.inputs.as_ref());
        replace(&mut own.outputs, self.outputs.as_ref());
        if self.config.is_some() {
            own.config.clone_from(&self.config);
        }
        own
    }
}

fn replace<T: Clone>(value: &mut T, by: Option<&T>) {
    if let Some(by) = by {
        value.clone_from(by);
    }
}

/// What runs a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// The Flink Kubernetes operator.
    #[default]
    Operator,
    /// Plain workloads.
    Standalone,
}

/// A place in the order.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "the name of a processor, or a list of names that run side by side")]
pub enum Place {
    /// One processor.
    One(String),
    /// Several side by side.
    Beside(Vec<String>),
}

/// A processor in a pipeline.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// Its name in the pipeline.
    pub name: Spanned<String>,
    /// Coordinates: `group:artifact:version`.
    pub artifact: Spanned<String>,
    /// Numbered version of the processor.
    #[serde(default)]
    pub revision: Option<u64>,
    /// TaskManagers.
    pub replicas: Spanned<u32>,
    /// Cores of one TaskManager.
    pub cpu: Spanned<f64>,
    /// Memory of one TaskManager: `4Gi`, `16G`.
    pub memory: Spanned<String>,
    /// Part of the consumer group's name; another one reads the topics anew.
    #[serde(default)]
    pub offset_version: u32,
    /// Topics that it reads.
    #[serde(default)]
    pub inputs: Vec<Spanned<String>>,
    /// Topics that it writes.
    #[serde(default)]
    pub outputs: Vec<Spanned<String>>,
    /// What it takes the records of its topics for, by topic. Who writes and who reads one must not differ.
    #[serde(default)]
    pub types: BTreeMap<String, Spanned<String>>,
    /// The configuration document: JSON as text.
    #[serde(default)]
    pub config: Option<Spanned<String>>,
    /// A script of Flink SQL that runs instead of the artifact's program.
    #[serde(default)]
    pub sql: Option<Spanned<String>>,
}

/// An error at a place.
pub(super) fn problem(line: u64, column: u64, path: &str, message: String) -> Problem {
    let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
    let (line, column) = (number(line), number(column));
    Problem { severity: Severity::Error, line, column, path: path.to_owned(), message, instead: None }
}

/// The documents of a text.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Result<Document, Problem>> {
    split(text).into_iter().filter_map(|part| read(&part).transpose())
}

/// The documents between lines of `---`, each with empty lines in place of what stands before it, so that its lines
/// count from the beginning of the text.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        if line.trim_end() == "---" {
            parts.push("\n".repeat(number + 1));
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}

/// The head of a manifest, read first so that its version and kind decide what the rest must be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
}

/// Whether there is nothing but comments in it.
pub(super) fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

fn read(text: &str) -> Result<Option<Document>, Problem> {
    if is_blank(text) {
        return Ok(None);
    }
    let head: Head = serde_saphyr::from_str(text).map_err(|error| unreadable(&error))?;
    let Some(version) = head.api_version else {
        return Err(problem(1, 1, "apiVersion", format!("is missing; this program reads {API_VERSION}")));
    };
    if version.value != API_VERSION {
        let at = version.referenced;
        let newer = version.value.strip_prefix("flowdeck.dev/v").and_then(|number| number.parse::<u32>().ok());
        let words = match newer {
            Some(2..) => format!("{} is newer than this program, which reads {API_VERSION}: update it", version.value),
            _ => format!("{} is unknown; this program reads {API_VERSION}", version.value),
        };
        return Err(problem(at.line(), at.column(), "apiVersion", words));
    }
    let document = match head.kind.as_ref().map(|kind| kind.value.as_str()) {
        Some("Processor") => serde_saphyr::from_str(text).map(Document::Processor),
        Some("Pipeline") => serde_saphyr::from_str(text).map(Document::Pipeline),
        other => {
            let at = head.kind.as_ref().map_or((1, 1), |kind| (kind.referenced.line(), kind.referenced.column()));
            let given = other.map_or_else(|| "is missing".to_owned(), |other| format!("{other} is unknown"));
            let words = format!("{given}; it is one of Pipeline, Processor");
            return Err(problem(at.0, at.1, "kind", words));
        }
    };
    document.map(Some).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_saphyr::Error) -> Problem {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
    let words = error.to_string();
    // The library says the place too; it is told beside the words.
    let words =
        words.lines().next().unwrap_or_default().rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    problem(line, column, "", words.trim().to_owned())
}
