//! What the spec says of rules: its own expressions, and where their overrides are.

use std::sync::Arc;

use serde::Deserialize;

use super::super::expression::{HealthExpression, SwimlaneExpression};
use super::{Span, SpecError};

/// Expressions in CEL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expressions {
    /// Health of a service in a window, 0 to 3; `None` is by availability against what was promised.
    pub health: Option<String>,
    /// Swimlane of an event; `None` is none.
    pub swimlane: Option<String>,
}

/// Where overrides are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverridesPlace {
    /// A file, a folder, an HTTP(S) URL, `s3://BUCKET/KEY`, or `s3://BUCKET/FOLDER/`.
    pub location: String,
    /// From one fetch to the next.
    #[serde(default = "five_minutes")]
    pub refresh: Span,
    /// Endpoint of an S3 API other than AWS, as URL.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: Option<String>,
}

const fn five_minutes() -> Span {
    Span::seconds(300)
}

impl Expressions {
    /// Whether both can be used over these dimensions.
    pub(super) fn check(&self, dimensions: &[Arc<str>]) -> Result<(), SpecError> {
        let refuse = |key| move |problem| SpecError::Expression { key, problem };
        let health = self.health.as_deref().map(HealthExpression::compile).transpose();
        health.map_err(refuse("expressions.health"))?;
        let swimlane = |source| SwimlaneExpression::compile(source, dimensions);
        let swimlane = self.swimlane.as_deref().map(swimlane).transpose();
        swimlane.map(|_| ()).map_err(refuse("expressions.swimlane"))
    }
}

impl OverridesPlace {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let (key, value, problem) = if self.location.trim().is_empty() {
            ("overrides.location", "\"\"".to_owned(), "name a file, a folder, a URL or s3://BUCKET/KEY")
        } else if self.refresh.millis() < 1_000 {
            ("overrides.refresh", self.refresh.to_string(), "at least 1s: whoever holds the file is asked each time")
        } else {
            return Ok(());
        };
        Err(SpecError::Value { key, value, problem })
    }
}
