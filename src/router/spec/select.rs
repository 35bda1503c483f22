//! What only a route in `select` mode has: where rows are told, and how they say their windows.

use serde::Deserialize;

use super::{Lane, Mode, Spec, SpecError, refuse, topic};
use crate::model::span::Span;
use crate::router::select::WindowOf;

/// Longest time that a left lane is filled up for: a worker keeps the offsets of so many windows.
const LONGEST_HOLD: i64 = 24 * 3_600_000;

/// Where rows are told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Topic; as many partitions as those of the lanes.
    pub topic: String,
}

/// How rows say their windows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Select {
    /// `key`: the record's key is `service|swimlane|window start`, as rows of golden signals have it. Another name is that
    /// of a field of the value, which is a JSON object; the start is in milliseconds since 1970.
    pub window: String,
    /// How far back the new lane tells windows that an unwell one left unfinished.
    pub hold: Span,
}

impl Default for Select {
    fn default() -> Self {
        Self { window: "key".to_owned(), hold: Span::seconds(900) }
    }
}

impl Select {
    /// Where the window is read.
    #[must_use]
    pub fn window_of(&self) -> WindowOf {
        if self.window == "key" { WindowOf::Key } else { WindowOf::Field(self.window.clone()) }
    }
}

impl Spec {
    /// Topics that the route reads: the source, or both lanes in the order of the spec.
    #[must_use]
    pub fn reads(&self) -> Vec<&str> {
        match self.mode {
            Mode::Split => vec![&self.source.topic],
            Mode::Select => self.lanes.iter().map(|lane| lane.topic.as_str()).collect(),
        }
    }

    /// Topics that the route writes: both lanes in the order of the spec, or the destination.
    #[must_use]
    pub fn writes(&self) -> Vec<&str> {
        match (&self.destination, self.mode) {
            (Some(destination), Mode::Select) => vec![&destination.topic],
            _ => self.lanes.iter().map(|lane| lane.topic.as_str()).collect(),
        }
    }

    /// The topic in which records are that go by a lane's name.
    #[must_use]
    pub fn target<'a>(&'a self, lane: &'a Lane) -> &'a str {
        self.destination.as_ref().map_or(&lane.topic, |destination| &destination.topic)
    }

    /// The topic that a lane's pipeline reads.
    #[must_use]
    pub fn feeds<'a>(&'a self, lane: &'a Lane) -> &'a str {
        if self.mode == Mode::Select { &self.source.topic } else { &lane.topic }
    }

    /// What belongs to the mode is there and nothing else is.
    pub(super) fn check_mode(&mut self) -> Result<(), SpecError> {
        if self.mode == Mode::Split {
            let has_more = self.destination.is_some() || self.select.is_some();
            let words = "has a [destination] or [select], which belong to mode = \"select\"";
            return if has_more { Err(SpecError::Mode(words)) } else { Ok(()) };
        }
        let missing =
            SpecError::Mode("has mode = \"select\": write a [destination] with the topic where rows are told");
        topic("destination.topic", &self.destination.as_ref().ok_or(missing)?.topic)?;
        let select = self.select.get_or_insert_default();
        if select.window.is_empty() {
            return Err(refuse("select.window", "", "write key, or the name of a field"));
        }
        if !(1..=LONGEST_HOLD).contains(&select.hold.millis()) {
            return Err(refuse("select.hold", &select.hold.to_string(), "write something from 1ms to 24h"));
        }
        for lane in &mut self.lanes {
            if let Some(output) = &lane.output {
                return Err(refuse("lane.output", output, "where a route selects, a lane's topic is its output"));
            }
            lane.output = Some(lane.topic.clone());
        }
        Ok(())
    }
}
