//! The layouts that are known, and which of them a stream is in.

use serde::Deserialize;

/// A layout of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Flink's default: `2026-11-22 06:52:02,988 INFO  logger [] - message`, also with a `[job] ` before it.
    Flink,
    /// `2022/07/11 04:52:23.996 [thread] LEVEL logger - message`.
    Slashes,
    /// logback: `2022-07-11 04:52:23.996 [thread] LEVEL logger - message`, or with the time of day alone.
    Logback,
    /// One JSON object a line: ECS, Logstash, logstash-logback-encoder, `JsonLayout`, GELF, or plain.
    Json,
    /// Kubernetes' own: `I1122 06:52:02.988123       1 file.go:12] message`.
    Klog,
    /// Python: `LEVEL:logger:message`, or `2026-11-22 06:52:02,988 - logger - LEVEL - message`.
    Python,
    /// No headers: each line is an event, but for stack traces.
    Plain,
}

/// What a user says of a stream's format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Choice {
    /// Find it out.
    #[default]
    Detect,
    /// It is this one, and what looks like another is text.
    Only(Format),
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Detect,
        Self::Only(Format::Flink),
        Self::Only(Format::Slashes),
        Self::Only(Format::Logback),
        Self::Only(Format::Json),
        Self::Only(Format::Klog),
        Self::Only(Format::Python),
        Self::Only(Format::Plain),
    ];

    /// What it is called in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detect => "auto",
            Self::Only(Format::Flink) => "flink",
            Self::Only(Format::Slashes) => "slashes",
            Self::Only(Format::Logback) => "logback",
            Self::Only(Format::Json) => "json",
            Self::Only(Format::Klog) => "klog",
            Self::Only(Format::Python) => "python",
            Self::Only(Format::Plain) => "plain",
        }
    }
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|choice| choice.name() == word).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|choice| choice.name()).collect();
            format!("there is no layout {word:?}; the layouts are {}", known.join(", "))
        })
    }
}

/// Text headers after which a line of JSON, or a half header, is taken for a part of a message.
const SETTLED: u8 = 4;
/// How much a line of JSON takes back: a stream that goes over to JSON is followed soon.
const DOUBT: u8 = 2;

/// What a stream has shown so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    text: u8,
}

impl Seen {
    /// A line with a whole header was read.
    pub fn text(&mut self) {
        self.text = self.text.saturating_add(1).min(SETTLED * 2);
    }

    /// A line of JSON was read; whether it begins an event.
    pub fn json(&mut self) -> bool {
        let begins = self.text < SETTLED;
        self.text = self.text.saturating_sub(DOUBT);
        begins
    }

    /// Whether a header that could as well be text begins an event.
    #[must_use]
    pub const fn takes_half_headers(self) -> bool {
        self.text < SETTLED
    }
}
