//! Stack traces: what was thrown, why, and where.
//!
//! A trace is found in the text of an event, not by the event's level: Flink reports a failed task as WARN in
//! one log and as INFO in the other. [`java`] reads what the JVM prints, log4j's and logback's variants of it
//! and Scala's; [`python`] reads tracebacks, also those inside the message of a Java exception, as Beam's
//! SDK harness sends them.
//!
//! It must stay cheap for hostile text: chains and frames are bounded.

pub mod java;
pub mod python;

use std::ops::Range;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::fingerprint::{self, Fingerprint};
use crate::model::exception::Throwable;

/// Throwables that are kept of a chain; of a longer one, those in the middle go.
pub const LONGEST_CHAIN: usize = 64;
/// Frames that are kept of a throwable.
pub const MOST_FRAMES: usize = 1_024;

/// One line of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `package.Class.method`, without class loader and module; in Python `module.function`.
    pub function: Box<str>,
    /// `File.java:12`, `Unknown Source`, `file.py:12`.
    pub place: Box<str>,
    /// Whether it belongs to the language, the runner or a library rather than to the user's code.
    pub library: bool,
}

/// One throwable of a chain with its own frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// What it is.
    pub throwable: Throwable,
    /// Its frames as printed, topmost first.
    pub frames: Vec<Frame>,
    /// Frames that it has in common with the throwable that it caused, and were left out.
    pub omitted: usize,
}

/// A stack trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// What was reported first, what caused it, and so on to the root cause. Never empty.
    chain: Vec<Thrown>,
    /// What was thrown besides, while cleaning up.
    pub suppressed: Vec<Throwable>,
    /// Frames of the root cause, topmost first, with the ones that were left out.
    pub frames: Vec<Frame>,
    /// The same for failures that are the same.
    pub fingerprint: Fingerprint,
}

impl Exception {
    /// Puts a trace together; `None` of an empty chain.
    #[must_use]
    pub fn new(chain: Vec<Thrown>, suppressed: Vec<Throwable>) -> Option<Self> {
        chain.first()?;
        let frames = root_frames(&chain);
        let fingerprint = fingerprint::of(&chain, &frames);
        Some(Self { chain, suppressed, frames, fingerprint })
    }

    /// From what was reported to its root cause.
    #[must_use]
    pub fn chain(&self) -> &[Thrown] {
        &self.chain
    }

    /// What was reported.
    #[must_use]
    pub fn outer(&self) -> &Throwable {
        self.chain.first().map_or(&NOTHING, |thrown| &thrown.throwable)
    }

    /// What it came from.
    #[must_use]
    pub fn root(&self) -> &Throwable {
        self.chain.last().map_or(&NOTHING, |thrown| &thrown.throwable)
    }
}

/// For chains that cannot be.
static NOTHING: std::sync::LazyLock<Throwable> =
    std::sync::LazyLock::new(|| Throwable { class: "".into(), message: "".into() });

/// The root's frames: `... 7 more` are the last seven of what it caused, whose own end may be left out too.
fn root_frames(chain: &[Thrown]) -> Vec<Frame> {
    let mut frames: Vec<&Frame> = Vec::new();
    for thrown in chain {
        let common = frames.split_off(frames.len().saturating_sub(thrown.omitted));
        frames = thrown.frames.iter().chain(common).take(MOST_FRAMES).collect();
    }
    frames.into_iter().cloned().collect()
}

/// A trace found in a text, and the lines that it takes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The trace.
    pub exception: Exception,
    /// Bytes from the beginning of its first line to the end of its last one.
    pub range: Range<usize>,
}

/// The first trace in the text of an event, whose message stands before it.
#[must_use]
pub fn find(text: &str) -> Option<Found> {
    java::find(text).or_else(|| python::find(text))
}

/// The trace in a field that holds nothing else.
#[must_use]
pub fn of_field(text: &str) -> Option<Exception> {
    if text.trim_start().starts_with(python::BEGINNING) {
        return python::find(text).map(|found| found.exception);
    }
    java::of_field(text)
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}({})", self.function, self.place))
    }
}

impl Serialize for Exception {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Exception", 6)?;
        fields.serialize_field("type", &self.outer().class)?;
        fields.serialize_field("message", &self.outer().message)?;
        fields.serialize_field("root_type", &self.root().class)?;
        fields.serialize_field("root_message", &self.root().message)?;
        fields.serialize_field("fingerprint", &self.fingerprint)?;
        fields.serialize_field("frames", &self.frames)?;
        fields.end()
    }
}
