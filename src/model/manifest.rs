//! Manifests: what somebody wants to run, written down, and the rules that hold before anything is sent.
//!
//! Why: a pipeline that production refuses, or that nobody can find by its owner, should be refused while it is written.
//!
//! How: YAML documents with `apiVersion: flowdeck.dev/v1` and `kind: Processor` or `kind: Pipeline`. [`check`] reads
//! one text with all its documents; [`rules`] holds what types cannot, [`graph`] what the processors are to each
//! other, and [`super::config`] what their configuration documents say.
//!
//! It must not guess: an unknown field is an error, and so is a manifest of a newer version.

pub mod draft;
mod graph;
mod rules;
mod wire;

use serde::Serialize;

use super::config::{Problem, Severity};
use super::options::FlinkVersion;

pub use wire::{
    Document, Identity, Kind, Override, Owner, Pipeline, PipelineSpec, Processor, Runtime, Step, Visibility,
};

/// The version of manifests that this program reads.
pub const API_VERSION: &str = "flowdeck.dev/v1";

/// How manifests are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The Flink of pipelines that do not name one.
    pub flink: FlinkVersion,
    /// Names of environments that count as production.
    pub production: Vec<String>,
}

impl Default for Judgement {
    fn default() -> Self {
        Self { flink: FlinkVersion::default(), production: ["prd", "prod", "production"].map(str::to_owned).to_vec() }
    }
}

/// What came of reading a text of manifests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checked {
    /// What each document declares: kind and name.
    pub documents: Vec<(Kind, String)>,
    /// What is wrong, in the order of lines.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Whether nothing stands against it.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// Reads manifests and says what is wrong with them.
#[must_use]
pub fn check(text: &str, judgement: &Judgement) -> Checked {
    read(text, judgement).1
}

/// Reads manifests: those that could be read, and what is wrong.
#[must_use]
pub fn read(text: &str, judgement: &Judgement) -> (Vec<Document>, Checked) {
    let (mut documents, mut checked) = (Vec::new(), Checked::default());
    for document in wire::documents(text) {
        match document {
            Ok(document) => {
                checked.documents.push((document.kind(), document.name().to_owned()));
                rules::check(&document, judgement, &mut checked.problems);
                documents.push(document);
            }
            Err(problem) => checked.problems.push(problem),
        }
    }
    if checked.documents.is_empty() && checked.problems.is_empty() {
        checked.problems.push(wire::problem(1, 1, "", "there is no manifest in it".to_owned()));
    }
    checked.problems.sort_by_key(|problem| (problem.line, problem.column));
    (documents, checked)
}

/// The texts of the manifests in a text, one for each document that [`read`] finds in it.
#[must_use]
pub fn parts(text: &str) -> Vec<String> {
    let parts = wire::split(text).into_iter();
    parts.filter(|part| !wire::is_blank(part)).map(|part| part.trim_start().to_owned()).collect()
}

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
