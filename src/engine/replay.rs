//! Drives the engine from a script: the same lines that `tests/engine/oracle` gives to Apache Beam.
//!
//! How: `{"e":RECORD}` is a record as the source would hold it; `{"wm":MILLIS}` moves the watermark, and nothing else
//! does. There is no clock, so that the same script always gives the same panes.
//!
//! It must not read files.

use serde::Serialize;

use super::json::{Field, Shape};
use super::rejects::Reason;
use super::spec::{Spec, SpecError};
use super::watermark::{BEGINNING, END};
use super::{Engine, NO_CLOCK, Pane};

/// What is wrong with a line of a script.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Not JSON.
    #[error("line {line}: not JSON: {error}")]
    Json {
        /// Which line, from 1.
        line: u64,
        /// Why.
        error: serde_json::Error,
    },
    /// JSON, but neither kind of line.
    #[error("line {line}: a line is {{\"e\":{{…}}}} or {{\"wm\":MILLISECONDS}}, and this is neither")]
    Neither {
        /// Which line, from 1.
        line: u64,
    },
    /// The watermark falls.
    #[error("line {line}: the watermark goes back from {before} to {to}")]
    Back {
        /// Which line, from 1.
        line: u64,
        /// Where it was.
        before: i64,
        /// What the line says.
        to: i64,
    },
}

/// A pane as it is printed. Latencies in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PaneLine<'a> {
    start: i64,
    svc: &'a str,
    pane: &'static str,
    idx: u32,
    n: u64,
    err: u64,
    sum: u64,
    min: u64,
    max: u64,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

impl<'a> From<&'a Pane> for PaneLine<'a> {
    fn from(pane: &'a Pane) -> Self {
        Self::new(&pane.service, pane)
    }
}

impl<'a> PaneLine<'a> {
    /// The line of a service's pane, or of a part of it.
    pub fn new<Whose>(service: &'a str, pane: &Pane<Whose>) -> Self {
        let totals = &pane.totals;
        let quantile = |quantile| totals.quantile_us(quantile).map(|value| (value * 1_000.0).round() / 1_000.0);
        Self {
            start: pane.start,
            svc: service,
            pane: pane.timing.name(),
            idx: pane.index,
            n: totals.requests,
            err: totals.errors,
            sum: totals.sum_us,
            min: totals.min_us,
            max: totals.max_us,
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        }
    }
}

/// What became of the events that are in no pane, and of those that came late: the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// After the allowed lateness.
    pub dropped: u64,
    /// Late, but counted.
    pub late: u64,
    /// Records that are no events.
    pub poison: u64,
    /// Over a limit of windows or cells.
    pub overflow: u64,
    /// Counted under `__other__` for the limit of services.
    pub other: u64,
}

/// A script on its way through the engine.
#[derive(Clone, Debug)]
pub struct Replay {
    engine: Engine,
    lines: Shape,
    line: u64,
    watermark: i64,
}

impl Replay {
    /// A replay of a script of the spec's records.
    ///
    /// # Errors
    ///
    /// When the spec's fields contradict each other.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        let lines = Shape::new(&["e", "wm"].map(|key| vec![key.to_owned()]))?;
        Ok(Self { engine: Engine::new(spec)?, lines, line: 0, watermark: BEGINNING })
    }

    /// Takes the next line. Blank ones are passed over. Gives what is wrong with its record, if that is no event.
    ///
    /// # Errors
    ///
    /// When the line is not one of a script.
    pub fn line(&mut self, text: &str) -> Result<Option<String>, ReplayError> {
        self.line += 1;
        let line = self.line;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let mut fields = [Field::Absent, Field::Absent];
        self.lines.extract(text, &mut fields).map_err(|error| ReplayError::Json { line, error })?;
        match fields {
            [Field::Nested(record), Field::Absent] => Ok(self.record(&record)),
            [Field::Absent, Field::Integer(to)] if to >= self.watermark => {
                self.watermark = to;
                self.engine.raise(0, to, NO_CLOCK);
                Ok(None)
            }
            [Field::Absent, Field::Integer(to)] => Err(ReplayError::Back { line, before: self.watermark, to }),
            _ => Err(ReplayError::Neither { line }),
        }
    }

    fn record(&mut self, record: &str) -> Option<String> {
        let before = self.engine.rejects().poison();
        self.engine.count(0, record, NO_CLOCK);
        let poisoned = self.engine.rejects().poison() > before;
        let sample = self.engine.rejects().samples().last().filter(|_| poisoned)?;
        Some(format!("line {}: {}: {}", self.line, sample.reason, sample.detail))
    }

    /// The panes told since the last call.
    pub fn take_panes(&mut self) -> Vec<Pane> {
        // A script's oracles know services alone.
        drop(self.engine.take_slices());
        self.engine.take_panes()
    }

    /// Ends the script: every window closes.
    pub fn finish(&mut self) {
        self.engine.raise(0, END, NO_CLOCK);
    }

    /// What became of the rest.
    pub fn summary(&self) -> Summary {
        let rejects = self.engine.rejects();
        Summary {
            dropped: rejects.count(Reason::Dropped),
            late: self.engine.counts().late,
            poison: rejects.poison(),
            overflow: rejects.count(Reason::Overflow),
            other: self.engine.services().overflowed(),
        }
    }
}
