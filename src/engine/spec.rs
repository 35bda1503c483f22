//! The signals spec: what to read, how to understand it, and what to make of it.
//!
//! Why: the same declaration drives this engine and, rendered, a Flink job; so it says what, never how.
//!
//! How: TOML with unknown keys refused; [`Spec::parse`] checks what types cannot, so that an engine can be built from
//! any spec that exists. Lengths of time are written with their unit (`"10s"`, `"1500ms"`, `"2m"`, `"1h"`).
//!
//! It must not name a place (file, broker) beyond topics, nor hold a default that `config/examples` does not show.

mod dimension;
mod rule;
mod rules;
mod source;

use std::sync::Arc;

use serde::Deserialize;

pub use dimension::{Dimension, MOST_DIMENSIONS};
pub use rule::{Absent, Comparison, ErrorRule, Operand};
pub use rules::{Expressions, OverridesPlace};
pub use source::{Format, Latency, LatencyKind, LatencyUnit, Path, Read, Saturation, Source, SpanKind, Time, TimeUnit};

use super::alert::{self, AlertSpec};
use super::expression::Problem;
use super::json::{PathClash, Shape};
pub use crate::model::span::Span;

/// Why a spec cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, an unknown key or a wrong type.
    #[error("the signals spec is not valid:\n{0}")]
    Parse(String),
    /// A value that cannot be.
    #[error("the signals spec has {key} = {value}: {problem}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it and what to write instead.
        problem: &'static str,
    },
    /// An expression that cannot be used.
    #[error("the signals spec has a mistake in {key}: {problem}")]
    Expression {
        /// Which key.
        key: &'static str,
        /// What is wrong with it, and where.
        problem: Problem,
    },
    /// Fields contradict each other.
    #[error("the signals spec asks for what cannot be: {0}")]
    Fields(#[from] PathClash),
}

/// A signals spec.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of these signals.
    pub name: String,
    /// What is read and where its fields are.
    #[serde(deserialize_with = "source::table_or_word")]
    pub source: Source,
    /// The source's table where `source` is `"aggregated"`; `None` once the spec is read.
    pub(super) events: Option<Source>,
    /// What an event is counted under; spans have their own.
    pub key: Option<Key>,
    /// What else events are told apart by.
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
    /// Which events failed.
    #[serde(default)]
    pub error: ErrorRule,
    /// How time is cut.
    #[serde(default)]
    pub window: Window,
    /// How time is believed.
    #[serde(default)]
    pub watermark: Watermark,
    /// What is held at most.
    #[serde(default)]
    pub limits: Limits,
    /// What was promised; `None` when nothing was.
    pub slo: Option<Slo>,
    /// Health and swimlanes of services without override.
    #[serde(default)]
    pub expressions: Expressions,
    /// Where owners of services override these; `None` when nowhere.
    pub overrides: Option<OverridesPlace>,
    /// When somebody is to be told; `None` is the usual rules, and an empty list none.
    pub alert: Option<Vec<AlertSpec>>,
}

/// What an event is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Field with the service's name.
    pub service: Path,
}

/// How time is cut.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Length of a tumbling window; windows start at multiples of it since 1970.
    pub size: Span,
    /// For how long after its end a window still counts late events.
    pub allowed_lateness: Span,
    /// What a late pane holds.
    pub mode: Accumulation,
}

impl Default for Window {
    fn default() -> Self {
        Self { size: Span::seconds(10), allowed_lateness: Span::seconds(60), mode: Accumulation::Accumulating }
    }
}

/// What a pane after the first one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accumulation {
    /// All of the window so far: a reader keeps the last pane.
    #[default]
    Accumulating,
    /// What is new since the last pane: a reader adds panes up.
    Discarding,
}

/// How time is believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watermark {
    /// How far events may be out of order: the watermark of a partition is its greatest event time less this.
    pub delay: Span,
    /// A partition without events for this long no longer holds the others back.
    pub idle_after: Span,
    /// Events further ahead of the clock than this are set aside: one of them would make all others late.
    pub future_limit: Span,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { delay: Span::seconds(5), idle_after: Span::seconds(30), future_limit: Span::seconds(30) }
    }
}

/// What is held at most.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Services told apart; the events of more go to `__other__`.
    pub services: u32,
    /// Windows open at once; events that would open more are counted and left out.
    pub windows: u32,
    /// Pairs of service and window open at once; events that would open more are counted and left out.
    pub cells: u32,
    /// Bytes of a record; longer ones are counted and left out.
    pub record_bytes: u32,
    /// Megabytes of history, enough for a day of 1,000 services; when it is full the history reaches less far back.
    pub history_mb: u32,
    /// Values of dimensions and swimlanes told apart, of all services; the events of more go to `__other__`.
    pub slices: u32,
    /// Pairs of such a value and a window open at once; what would open more is counted beside no value.
    pub slice_cells: u32,
    /// Megabytes of their history.
    pub slice_history_mb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            services: 10_000,
            windows: 1_000,
            cells: 100_000,
            record_bytes: 1 << 20,
            history_mb: 150,
            slices: 50_000,
            slice_cells: 200_000,
            slice_history_mb: 100,
        }
    }
}

/// What was promised.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Availability in percent, below 100.
    pub availability: f64,
}

impl Spec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    ///
    /// When the text is not TOML, has unknown keys or wrong types, or asks for what cannot be.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let mut spec: Self = toml::from_str(text).map_err(|error| SpecError::Parse(error.to_string()))?;
        let events = spec.events.take();
        spec.source = spec.source.of(events)?;
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), SpecError> {
        let value = |key, value: &dyn std::fmt::Display, problem| {
            Err(SpecError::Value { key, value: value.to_string(), problem })
        };
        let millis = |span: &Span| span.millis();
        for (key, path) in self.paths() {
            if path.keys().is_empty() || path.keys().iter().any(String::is_empty) {
                return value(
                    key,
                    &format!("\"{}\"", path.text()),
                    "a path is keys joined by dots, none of them empty",
                );
            }
        }
        dimension::check(&self.dimensions)?;
        self.check_source()?;
        self.source.saturation.as_ref().map_or(Ok(()), |saturation| saturation.check(self.source.format))?;
        if self.name.trim().is_empty() {
            return value("name", &"\"\"", "give these signals a name");
        }
        if !(100..=86_400_000).contains(&millis(&self.window.size)) {
            return value("window.size", &self.window.size, "a window lasts from 100ms to 24h");
        }
        if millis(&self.window.allowed_lateness) > 7 * 86_400_000 {
            return value("window.allowed_lateness", &self.window.allowed_lateness, "at most 168h can be held open");
        }
        if millis(&self.watermark.idle_after) < 1_000 {
            return value(
                "watermark.idle_after",
                &self.watermark.idle_after,
                "at least 1s, or no partition ever counts",
            );
        }
        for (key, limit) in [
            ("limits.services", self.limits.services),
            ("limits.windows", self.limits.windows),
            ("limits.cells", self.limits.cells),
            ("limits.record_bytes", self.limits.record_bytes),
            ("limits.history_mb", self.limits.history_mb),
            ("limits.slices", self.limits.slices),
            ("limits.slice_cells", self.limits.slice_cells),
            ("limits.slice_history_mb", self.limits.slice_history_mb),
        ] {
            if !(1..=1 << 24).contains(&limit) {
                return value(key, &limit, "a limit is from 1 to 16777216");
            }
        }
        if let Some(slo) = self.slo.as_ref().filter(|slo| !(slo.availability > 0.0 && slo.availability < 100.0)) {
            return value("slo.availability", &slo.availability, "it is a percentage between 0 and 100, such as 99.9");
        }
        self.overrides.as_ref().map_or(Ok(()), OverridesPlace::check)?;
        self.expressions.check(&self.dimension_names())?;
        if let Err(problem) = self.error.check() {
            return value("error.op", &self.error.op, problem);
        }
        alert::check(self)?;
        self.shape().map(|_| ()).map_err(SpecError::from)
    }

    /// The fields that an event is made of; none for spans.
    fn paths(&self) -> Vec<(&'static str, &Path)> {
        let time = self.source.time.as_ref().map(|time| ("source.time.field", &time.field));
        let latency = self.source.latency.as_ref().map(|latency| ("source.latency.field", &latency.field));
        let service = self.key.as_ref().map(|key| ("key.service", &key.service));
        if self.source.format.is_spans() {
            return Vec::new();
        }
        let dimensions = self.dimensions.iter().map(|dimension| ("dimensions.field", &dimension.field));
        let error = ("error.field", &self.error.field);
        let saturation = self.source.saturation.as_ref().map(|it| ("source.saturation.field", &it.field));
        let all = [time, latency, service, saturation].into_iter().flatten();
        all.chain([error]).chain(dimensions).collect()
    }

    /// Names of the dimensions in order.
    pub fn dimension_names(&self) -> Vec<Arc<str>> {
        self.dimensions.iter().map(|dimension| dimension.name.as_str().into()).collect()
    }

    /// The fields that are read from a record.
    pub(super) fn shape(&self) -> Result<Shape, PathClash> {
        Shape::new(&self.paths().iter().map(|(_, path)| path.keys()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests;
