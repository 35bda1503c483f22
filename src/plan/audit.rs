//! One line for each change that was tried: when, who, where, what, and what came of it.

use serde::{Deserialize, Serialize};

use super::verb::Verb;
use crate::model::Time;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It began; without a later line nobody knows what came of it.
    Began,
    /// It was done.
    Done,
    /// It was not even tried.
    Refused,
    /// It failed; the same command goes on where it ended.
    Failed,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Who, as the machine knows them.
    pub by: String,
    /// Environment.
    pub environment: String,
    /// Address of the API server.
    pub server: String,
    /// Namespace.
    pub namespace: String,
    /// Pipeline.
    pub pipeline: String,
    /// What.
    pub verb: Verb,
    /// The revision that it made or deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What differed.
    #[serde(default)]
    pub changes: Vec<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The step that it ended in, and why; or what was said for it.
    #[serde(default)]
    pub message: String,
}
