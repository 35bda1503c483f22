//! What a spec wants to know of rows of golden signals: whether lanes count the same, and how well they are.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Spec, SpecError, refuse, topic};

/// A file with a spec of golden signals; relative to the route spec's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SignalsFile(pub(super) PathBuf);

impl SignalsFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// What must be the same in both lanes' outputs before a planned flip.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// By which both lanes count; their outputs hold rows of golden signals.
    pub signals: SignalsFile,
    /// How many windows have to be the same.
    #[serde(default = "three")]
    pub windows: usize,
}

/// How well lanes are by golden signals of their pipelines.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthRules {
    /// By which they are counted, and its rule of health.
    pub signals: SignalsFile,
    /// Topic with the rows.
    pub topic: String,
    /// From this level on a lane is unwell: 1 to 3.
    #[serde(default = "down")]
    pub level: u8,
    /// For how many windows.
    #[serde(default = "two")]
    pub windows: usize,
}

pub(super) const fn two() -> usize {
    2
}

pub(super) const fn three() -> usize {
    3
}

pub(super) const fn down() -> u8 {
    3
}

impl Spec {
    pub(super) fn check_rows(&self) -> Result<(), SpecError> {
        if let Some(compare) = &self.compare {
            if self.lanes.iter().any(|lane| lane.output.is_none()) {
                return Err(refuse("compare", "", "both lanes need an output with rows of golden signals"));
            }
            windows("compare.windows", compare.windows)?;
        }
        if let Some(lane) = self.lanes.iter().find(|lane| lane.service.is_some() && self.health.is_none()) {
            let service = lane.service.as_deref().unwrap_or_default();
            return Err(refuse("lane.service", service, "write a [health] that says where its rows are"));
        }
        let Some(health) = &self.health else { return Ok(()) };
        topic("health.topic", &health.topic)?;
        if !(1..=3).contains(&health.level) {
            return Err(refuse("health.level", &health.level.to_string(), "write something from 1 to 3"));
        }
        windows("health.windows", health.windows)
    }
}

fn windows(key: &'static str, count: usize) -> Result<(), SpecError> {
    if (1..=30).contains(&count) {
        Ok(())
    } else {
        Err(refuse(key, &count.to_string(), "write something from 1 to 30"))
    }
}
