//! One entry of a log, lent to whoever looks at it.

use serde::Serialize;

use super::trace::Exception;
use crate::model::Time;

/// How bad an event is, in the words of log4j; other loggers' words are mapped to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever mends the program.
    Debug,
    /// For whoever runs it.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
    /// The program cannot go on.
    Fatal,
}

impl Level {
    /// The level that a word stands for, whatever its case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::from_upper(word.as_bytes()).or_else(|| Self::from_upper(word.to_ascii_uppercase().as_bytes()))
    }

    /// The level at the beginning of the text, in capitals, and how many bytes it takes.
    #[must_use]
    #[inline]
    pub fn read(text: &[u8]) -> Option<(Self, usize)> {
        let length = text.iter().take(9).take_while(|byte| byte.is_ascii_uppercase()).count();
        Some((Self::from_upper(text.get(..length)?)?, length))
    }

    /// The level of a number as syslog has it, where less is worse.
    #[must_use]
    pub const fn from_syslog(number: u64) -> Self {
        match number {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            7 => Self::Debug,
            _ => Self::Trace,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    fn from_upper(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"INFO" | b"NOTICE" => Self::Info,
            b"WARN" | b"WARNING" => Self::Warn,
            b"ERROR" | b"SEVERE" => Self::Error,
            b"DEBUG" => Self::Debug,
            b"TRACE" => Self::Trace,
            b"FATAL" | b"CRITICAL" => Self::Fatal,
            _ => return None,
        })
    }
}

/// One event. Its texts are as they came: whoever shows them cleans them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event<'a> {
    /// When it happened; `None` when the log does not say.
    pub time: Option<Time>,
    /// How bad it is; `None` when the log does not say.
    pub level: Option<Level>,
    /// Who says it; empty when the log does not say.
    pub logger: &'a str,
    /// The thread, as named there; empty when the log does not say.
    pub thread: &'a str,
    /// What it says, without the stack trace; may have several lines.
    pub message: &'a str,
    /// The stack trace that it came with.
    pub exception: Option<Exception>,
    /// All of its lines as they came, joined by line feeds.
    #[serde(skip)]
    pub text: &'a str,
}
