//! A length of time as a person writes it, in specs of signals and of routes.

use std::fmt;

use serde::Deserialize;
use serde::de::Error;

/// A length of time in whole milliseconds, written with its unit: `"1500ms"`, `"10s"`, `"2m"`, `"1h"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    /// So many milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(millis as i64)
    }

    /// So many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds as i64 * 1_000)
    }

    /// In milliseconds, never negative.
    pub const fn millis(self) -> i64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let factor = match text.strip_prefix(digits)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let amount: u32 = digits.parse().ok()?;
        i64::from(amount).checked_mul(factor).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(formatter, "0s"),
            millis if millis % 3_600_000 == 0 => write!(formatter, "{}h", millis / 3_600_000),
            millis if millis % 60_000 == 0 => write!(formatter, "{}m", millis / 60_000),
            millis if millis % 1_000 == 0 => write!(formatter, "{}s", millis / 1_000),
            millis => write!(formatter, "{millis}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a length of time: write a whole number and ms, s, m or h, as in \"10s\""
            ))
        })
    }
}
