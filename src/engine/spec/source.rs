//! What is read, and where its fields are.

use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::decode::line;
use super::{ErrorRule, Spec, SpecError};

/// Bytes of the name of what is full.
const LONGEST_COMPONENT: usize = 16;

/// What is read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Kafka topics.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Form of a record.
    pub format: Format,
    /// For lines: where their fields are, as nginx writes a log format.
    pub pattern: Option<String>,
    /// For spans: which kinds are events.
    #[serde(default = "SpanKind::answering")]
    pub kinds: Vec<SpanKind>,
    /// Event time; spans have their own.
    pub time: Option<Time>,
    /// Latency; spans have their own.
    pub latency: Option<Latency>,
    /// Whether events are counted here, or rows read that others counted.
    #[serde(default)]
    pub read: Read,
    /// The topic of rows that others count, or that a Flink job of this spec writes.
    pub rows: Option<String>,
    /// What events say themselves of how near their service is to a limit; spans say nothing.
    pub saturation: Option<Saturation>,
    /// Whether it is the word `aggregated` alone, and `[events]` has the rest.
    #[serde(skip)]
    is_word: bool,
}

/// What stands where `[source]` may: the table, or the word for rows that others counted.
struct TableOrWord;

impl<'de> Visitor<'de> for TableOrWord {
    type Value = Source;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table, or \"aggregated\" with the table under [events]")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Source, E> {
        if word == "aggregated" { Ok(Source::word()) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
        Source::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Reads `[source]`, or `source = "aggregated"`.
pub(super) fn table_or_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    deserializer.deserialize_any(TableOrWord)
}

impl Source {
    /// What `[events]` takes the place of.
    fn word() -> Self {
        Self {
            topics: Vec::new(),
            format: Format::Json,
            pattern: None,
            kinds: SpanKind::answering(),
            time: None,
            latency: None,
            read: Read::Aggregated,
            rows: None,
            saturation: None,
            is_word: true,
        }
    }

    /// The source where a spec's `source` is this and its `[events]` are those: one way of writing becomes the other.
    pub(super) fn of(self, events: Option<Self>) -> Result<Self, SpecError> {
        let wrong = |key, value: &str, problem| Err(SpecError::Value { key, value: value.to_owned(), problem });
        match (self.is_word, events) {
            (false, None) => Ok(self),
            (true, Some(events)) => Ok(Self { read: Read::Aggregated, ..events }),
            (true, None) => wrong(
                "source",
                "\"aggregated\"",
                "name the [source] of the spec by which the rows are counted [events]: it tells them from rows of another",
            ),
            (false, Some(_)) => {
                wrong("events", "{…}", "it stands beside source = \"aggregated\": write that, or name it [source]")
            }
        }
    }
}

/// Who counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// Events are read, and counted here.
    #[default]
    Events,
    /// Rows are read that others counted.
    Aggregated,
}

/// A field that tells how full something is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// Field with a number. An event without it says nothing.
    pub field: Path,
    /// The number at which the limit is reached.
    pub full: f64,
    /// What it is called beside `cpu`, `mem`, `busy`, `held` and `lag`.
    pub component: String,
}

impl Saturation {
    pub(super) fn check(&self, format: Format) -> Result<(), SpecError> {
        let value = |key, value: String, problem| Err(SpecError::Value { key, value, problem });
        if format.is_spans() {
            return value("source.saturation", self.component.clone(), "spans say nothing of it; leave it out");
        }
        if !(self.full.is_finite() && self.full > 0.0) {
            return value("source.saturation.full", self.full.to_string(), "it is a number above 0, such as 100.0");
        }
        if !(1..=LONGEST_COMPONENT).contains(&self.component.trim().len()) {
            let problem = "give it a name of at most 16 letters, such as \"pool\"";
            return value("source.saturation.component", format!("\"{}\"", self.component), problem);
        }
        Ok(())
    }
}

/// Form of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object.
    Json,
    /// One line of text with fields, such as of an access log.
    Line,
    /// Spans as the OpenTelemetry collector's Kafka exporter writes them by default: protobuf.
    OtlpProto,
    /// The same in JSON.
    OtlpJson,
}

impl Format {
    /// Whether a record holds spans, which say themselves what they are.
    pub const fn is_spans(self) -> bool {
        matches!(self, Self::OtlpProto | Self::OtlpJson)
    }
}

/// Which side of a call a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// Inside a service.
    Internal = 1,
    /// A request that was answered.
    Server = 2,
    /// A request that was made.
    Client = 3,
    /// A message that was sent.
    Producer = 4,
    /// A message that was worked on.
    Consumer = 5,
}

impl SpanKind {
    /// The side that answers: one span for each request, by the service that is responsible for it.
    fn answering() -> Vec<Self> {
        vec![Self::Server, Self::Consumer]
    }
}

/// A path to a field: `"a.b"`, or `["a", "b.c"]` when a key has a dot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a path such as \"a.b\", or an array of keys such as [\"a\", \"b.c\"]")]
pub enum Path {
    /// Keys joined by dots.
    Dotted(String),
    /// Keys.
    Keys(Vec<String>),
}

impl Path {
    /// The keys from the outside in.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Dotted(text) => text.split('.').map(str::to_owned).collect(),
            Self::Keys(keys) => keys.clone(),
        }
    }

    /// The path for a person.
    pub fn text(&self) -> String {
        self.keys().join(".")
    }
}

/// Where the event time is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// Field.
    pub field: Path,
    /// Unit since 1970.
    pub unit: TimeUnit,
}

/// What a point in time is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds since 1970.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Microseconds since 1970.
    Us,
    /// Nanoseconds since 1970.
    Ns,
    /// Text such as `2026-11-22T16:00:00.123Z`.
    Rfc3339,
    /// Text such as `22/Nov/2026:16:00:00 +0000`, as access logs have it.
    Clf,
}

/// Where the latency is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Field.
    pub field: Path,
    /// Unit.
    pub unit: LatencyUnit,
    /// What was timed: sources differ, and the screen must say which.
    #[serde(default)]
    pub kind: LatencyKind,
}

/// Unit of a latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

/// What a latency is the time of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyKind {
    /// The whole request.
    #[default]
    Complete,
    /// Until the first byte of the answer.
    FirstByte,
}

impl Spec {
    /// The topics that are read.
    pub fn topics(&self) -> Vec<Arc<str>> {
        match self.source.read {
            Read::Events => self.source.topics.iter().map(|topic| topic.as_str().into()).collect(),
            Read::Aggregated => self.source.rows.iter().map(|topic| topic.as_str().into()).collect(),
        }
    }

    /// Whether all is said that the format needs, and nothing that it has no use for.
    pub(super) fn check_source(&self) -> Result<(), SpecError> {
        let source = &self.source;
        let wrong = |key, value: &str, problem| Err(SpecError::Value { key, value: value.to_owned(), problem });
        let spans = source.format.is_spans();
        for (key, given) in [
            ("source.time", source.time.is_some()),
            ("source.latency", source.latency.is_some()),
            ("key", self.key.is_some()),
        ] {
            match (spans, given) {
                (true, true) => return wrong(key, "{…}", "spans have their own: leave it out"),
                (false, false) => return wrong(key, "(nothing)", "say which field it is"),
                _ => {}
            }
        }
        if spans && self.error != ErrorRule::default() {
            return wrong("error", "{…}", "a span failed when its status is ERROR: leave it out");
        }
        if source.read == Read::Aggregated && source.rows.as_ref().is_none_or(String::is_empty) {
            return wrong("source.rows", "(nothing)", "name the topic of the rows that are to be read");
        }
        if source.kinds.is_empty() {
            return wrong("source.kinds", "[]", "name at least one kind of span");
        }
        match (&source.pattern, source.format) {
            (None, Format::Line) => wrong("source.pattern", "(nothing)", "say how a line is written, as nginx would"),
            (Some(pattern), Format::Line) => {
                if let Some(problem) = line::problem(pattern) {
                    return wrong("source.pattern", pattern, problem);
                }
                let unknown = self.paths().into_iter().find(|(_, path)| !line::names(pattern, &path.text()));
                unknown.map_or(Ok(()), |(key, path)| wrong(key, &path.text(), "the pattern has no such field"))
            }
            (Some(pattern), _) => wrong("source.pattern", pattern, "only lines have a pattern: set format = \"line\""),
            (None, _) => Ok(()),
        }
    }
}
