//! What a followed log shows: a page of it, and what is known of the whole.
//!
//! Plain data on its way to a screen. Texts are as they came: whoever shows them cleans them.

use std::sync::Arc;

use super::event::Level;
use super::history;
use super::radar;
use crate::model::Time;
use crate::model::log::{Container, StreamState, Target};

/// One event on a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of the event.
    pub number: u64,
    /// When it was written.
    pub time: Time,
    /// Place of its container in [`News::streams`].
    pub source: u16,
    /// How bad it is.
    pub level: Option<Level>,
    /// What it is.
    pub kind: history::Kind,
    /// Whether the query holds for it.
    pub matches: bool,
    /// Whether it has a stack trace.
    pub failed: bool,
    /// Its lines; the beginning of a very long event.
    pub text: Arc<str>,
}

/// Events of one step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Matches, or all events without a query.
    pub count: u64,
    /// Those among them that are errors or failures.
    pub bad: u64,
}

/// Events over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Beginning of the first bar; `None` without any event.
    pub start: Option<Time>,
    /// Seconds of a bar.
    pub step_seconds: i64,
    /// The bars.
    pub bars: Vec<Bar>,
}

impl Histogram {
    /// From when to when the events of a bar are.
    #[must_use]
    pub fn span(&self, bar: usize) -> Option<(Time, Time)> {
        let after = |bars: usize| {
            let seconds = self.step_seconds.checked_mul(i64::try_from(bars).ok()?)?;
            self.start?.checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)
        };
        Some((after(bar)?, after(bar + 1)? - chrono::TimeDelta::milliseconds(1)))
    }
}

/// A field with its commonest values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its name, as queries take it.
    pub name: &'static str,
    /// Values with their counts, the commonest first.
    pub values: Vec<(Arc<str>, u64)>,
}

/// What is known of a log, and a page of it.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Whose log.
    pub target: Target,
    /// Serial of the view that the page answers.
    pub serial: u64,
    /// The page, in order.
    pub rows: Vec<Row>,
    /// The event that the view's anchor came to; `None` when there is no such event.
    pub anchor: Option<u64>,
    /// Whether the page begins at the beginning and ends at the end.
    pub bounds: (bool, bool),
    /// Events over time.
    pub histogram: Histogram,
    /// Fields and their values, if they were asked for.
    pub facets: Vec<Facet>,
    /// Failures.
    pub kinds: Arc<[radar::Kind]>,
    /// Containers and how their logs stand.
    pub streams: Vec<(Arc<Container>, StreamState)>,
    /// Events that are kept, and those that were let go.
    pub events: (u64, u64),
    /// Gaps so far.
    pub gaps: u64,
    /// Matches so far.
    pub found: u64,
    /// Share of the history that was searched, in percent.
    pub searched: u8,
    /// Time of the earliest event that was read.
    pub begin: Option<Time>,
}
