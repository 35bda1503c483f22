//! What tails tell: lines, what is missing between them, and how a log stands.
//!
//! Lines travel together, in one text: there are thousands a second.

use std::ops::Range;
use std::sync::Arc;

use crate::model::Time;
use crate::model::log::{Container, Missed, StreamState};

/// Lines, each with the time at which it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    ends: Vec<(usize, Time)>,
}

impl Lines {
    /// Adds one.
    pub fn push(&mut self, line: &str, time: Time) {
        self.text.push_str(line);
        self.ends.push((self.text.len(), time));
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of their text.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Each with its time.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Time)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, time))| {
            let span: Range<usize> = start..*end;
            (self.text.get(span).unwrap_or_default(), *time)
        })
    }
}

/// What a tail tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Lines came.
    Lines(Lines),
    /// Lines are missing.
    Missed(Missed),
    /// Something that a reader of the log should know, and when it was.
    Remark(Time, Arc<str>),
    /// The log stands otherwise than before.
    State(StreamState),
    /// Nothing more will come.
    Over,
}

/// A piece of one container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose log.
    pub container: Arc<Container>,
    /// What of it.
    pub piece: Piece,
}
