//! What the values of options look like, as Flink's own parsers read them.
//!
//! The forms are those of Flink's `TimeUtils` (durations), `MemorySize` (memory) and `ConfigurationUtils` (the rest).

use std::fmt;

use serde::Serialize;

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// true or false.
    Boolean,
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Decimal,
    /// A length of time: `10 s`, `500ms`, `PT1M`; a bare number is milliseconds.
    Duration,
    /// An amount of memory: `4g`, `512 mb`; a bare number is bytes.
    Memory,
    /// One of some words.
    Enumeration,
    /// Values between semicolons or commas.
    List,
    /// Pairs `key:value` between commas.
    Map,
    /// Any text.
    Text,
}

/// Why a value is not what its option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// Of another form; the words say which form it should have.
    Form(&'static str),
    /// None of the allowed words; the words are these.
    Word(String),
}

impl fmt::Display for ValueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(form) => write!(formatter, "must be {form}"),
            Self::Word(words) => write!(formatter, "must be one of {words}"),
        }
    }
}

/// Units of time as Flink's `TimeUtils` reads them, with their length in nanoseconds.
const TIME_UNITS: [(&[&str], f64); 7] = [
    (&["d", "day", "days"], 86_400e9),
    (&["h", "hour", "hours"], 3_600e9),
    (&["m", "min", "minute", "minutes"], 60e9),
    (&["s", "sec", "second", "seconds"], 1e9),
    (&["", "ms", "milli", "millis", "millisecond", "milliseconds"], 1e6),
    (&["µs", "us", "micro", "micros", "microsecond", "microseconds"], 1e3),
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1.0),
];
/// Units of memory as Flink's `MemorySize` reads them.
const MEMORY_UNITS: [&str; 15] =
    ["", "b", "bytes", "k", "kb", "kibibytes", "m", "mb", "mebibytes", "g", "gb", "gibibytes", "t", "tb", "tebibytes"];

impl Kind {
    /// From the word that the tables use.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word.split([' ', '<']).next().unwrap_or_default() {
            "boolean" => Self::Boolean,
            "int" => Self::Integer,
            "long" => Self::Long,
            "double" | "float" => Self::Decimal,
            "duration" => Self::Duration,
            "memory" => Self::Memory,
            "enum" => Self::Enumeration,
            "list" => Self::List,
            "map" => Self::Map,
            _ => Self::Text,
        }
    }

    /// Whether a text is what it takes.
    ///
    /// # Errors
    ///
    /// When it is not, with what it should be.
    pub fn check(self, text: &str, allowed: &[&str]) -> Result<(), ValueError> {
        let text = text.trim();
        let form = match self {
            Self::Boolean if !is_boolean(text) => "true or false",
            Self::Integer if text.parse::<i32>().is_err() => "a whole number up to 2147483647",
            Self::Long if text.parse::<i64>().is_err() => "a whole number",
            Self::Decimal if !text.parse::<f64>().is_ok_and(f64::is_finite) => "a number",
            Self::Duration if nanoseconds(text).is_none() => "a length of time such as 10 s, 500 ms or 5 min",
            Self::Memory if !is_memory(text) => "an amount of memory such as 512m, 4g or 128 mb",
            _ => return one_of(self, text, allowed),
        };
        Err(ValueError::Form(form))
    }

    /// The kind in a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer | Self::Long => "whole number",
            Self::Decimal => "number",
            Self::Duration => "duration",
            Self::Memory => "memory",
            Self::Enumeration => "word",
            Self::List => "list",
            Self::Map => "map",
            Self::Text => "text",
        }
    }
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// A list of words where anything goes (`<factory class>`) restricts nothing.
fn one_of(kind: Kind, text: &str, allowed: &[&str]) -> Result<(), ValueError> {
    let is_open = allowed.is_empty() || allowed.iter().any(|word| word.starts_with('<'));
    if is_open || !matches!(kind, Kind::Enumeration | Kind::Text) {
        return Ok(());
    }
    let plain = |word: &str| word.to_ascii_uppercase().replace('-', "_");
    if allowed.iter().any(|word| plain(word) == plain(text)) {
        return Ok(());
    }
    Err(ValueError::Word(allowed.join(", ")))
}

/// A number and the unit behind it, in lower case.
fn number_and_unit(text: &str) -> Option<(f64, String)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim().to_lowercase()))
}

/// The length of a duration; `None` when it is none.
#[must_use]
pub fn nanoseconds(text: &str) -> Option<f64> {
    if let Some(rest) = text.strip_prefix(['P', 'p']) {
        return iso(rest);
    }
    let (number, unit) = number_and_unit(text)?;
    let (_, length) = TIME_UNITS.iter().find(|(words, _)| words.contains(&unit.as_str()))?;
    Some(number * length)
}

/// What follows the P of an ISO 8601 duration, as Java's `Duration` reads it: `T1H30M`, `2DT3.5S`.
fn iso(text: &str) -> Option<f64> {
    let (days, time) = text.split_once(['T', 't']).unwrap_or((text, ""));
    let mut sum = 0.0;
    let mut any = false;
    for (part, units) in [(days, "D"), (time, "HMS")] {
        let mut number = String::new();
        for letter in part.chars() {
            if letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+') {
                number.push(letter);
                continue;
            }
            let unit = letter.to_ascii_uppercase();
            let length = match unit {
                _ if !units.contains(unit) => return None,
                'D' => 86_400e9,
                'H' => 3_600e9,
                'M' => 60e9,
                _ => 1e9,
            };
            sum += number.parse::<f64>().ok()? * length;
            number.clear();
            any = true;
        }
        if !number.is_empty() {
            return None;
        }
    }
    any.then_some(sum)
}

fn is_memory(text: &str) -> bool {
    number_and_unit(text).is_some_and(|(_, unit)| MEMORY_UNITS.contains(&unit.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_flink_reads_them() {
        for (text, seconds) in [
            ("10 s", Some(10.0)),
            ("10min", Some(600.0)),
            ("500", Some(0.5)),
            ("1 d", Some(86_400.0)),
            ("PT1M30S", Some(90.0)),
            ("P1DT0.5S", Some(86_400.5)),
            ("7 fortnights", None),
            ("1.5 s", None),
            ("-1 s", None),
            ("s", None),
            ("PT", None),
            ("", None),
        ] {
            assert_eq!(nanoseconds(text).map(|nanoseconds| nanoseconds / 1e9), seconds, "{text}");
        }
    }

    #[test]
    fn values_fit_their_kind_or_are_told_why_not() {
        for (kind, good, bad) in [
            (Kind::Boolean, "True", "yes"),
            (Kind::Integer, "-1", "2147483648"),
            (Kind::Long, "2147483648", "1.0"),
            (Kind::Decimal, "0.4", "NaN"),
            (Kind::Memory, "4 gb", "4 GiB"),
            (Kind::Duration, "3 min", "3 months"),
        ] {
            assert_eq!(kind.check(good, &[]), Ok(()), "{good}");
            assert!(kind.check(bad, &[]).is_err(), "{bad}");
        }
        let words = ["EXACTLY_ONCE", "AT_LEAST_ONCE"];
        assert_eq!(Kind::Enumeration.check("at-least-once", &words), Ok(()));
        assert_eq!(
            Kind::Enumeration.check("at_most_once", &words).unwrap_err().to_string(),
            "must be one of EXACTLY_ONCE, AT_LEAST_ONCE"
        );
        assert_eq!(Kind::Text.check("com.example.Factory", &["hashmap", "<factory class>"]), Ok(()));
    }
}
