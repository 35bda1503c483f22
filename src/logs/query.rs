//! What somebody looks for in a log: `failed to send !heartbeat level=warn pod=match /order-\d+/`.
//!
//! Words are looked for as they stand, in any case if they are all small; words in a row are one text. A regular
//! expression stands between slashes, `!` turns a term round, and `name=value` asks for a field. All terms must hold,
//! each anywhere in the event's lines.

use regex::bytes::{Regex, RegexBuilder};

use super::event::Level;
use super::fingerprint::Fingerprint;
use super::{header, time};
use crate::model::Time;

/// Compiled expressions may take so much.
const LARGEST_REGEX: usize = 1 << 20;

/// What is looked for; nothing holds for every event.
#[derive(Clone, Debug, Default)]
pub struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    inverse: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Text(Regex),
    Level(Level),
    Pod(Regex),
    Logger(Regex),
    Thread(Regex),
    Exception,
    Fingerprint(String),
    From(Time),
    To(Time),
}

/// An event as a query sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// All of its lines.
    pub text: &'a [u8],
    /// How bad it is.
    pub level: Option<Level>,
    /// `pod/container`.
    pub source: &'a str,
    /// When it was written.
    pub time: Time,
    /// Name of the failure in it.
    pub fingerprint: Option<Fingerprint>,
}

/// Why a query means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not a regular expression.
    #[error("{0}")]
    Regex(String),
    /// Not a level.
    #[error("{0} is none of trace, debug, info, warn, error, fatal")]
    Level(String),
    /// Not a time.
    #[error("{0} is no time as 14:02 or 14:02:30")]
    Time(String),
}

impl Query {
    /// Reads a query; times of day are those before `now`.
    ///
    /// # Errors
    ///
    /// When a term means nothing.
    pub fn parse(text: &str, now: Time) -> Result<Self, QueryError> {
        let mut terms = Vec::new();
        let mut words = String::new();
        for token in tokens(text) {
            let (inverse, body) = token.strip_prefix('!').map_or((false, token.as_str()), |rest| (true, rest));
            if !inverse && is_plain(body) {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(body);
                continue;
            }
            push_words(&mut terms, &mut words)?;
            if !body.is_empty() {
                terms.push(Term { inverse, test: test(body, now)? });
            }
        }
        push_words(&mut terms, &mut words)?;
        Ok(Self { terms })
    }

    /// A query for one regular expression.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn of_regex(pattern: &str) -> Result<Self, QueryError> {
        Ok(Self { terms: vec![Term { inverse: false, test: Test::Text(compile(pattern, false)?) }] })
    }

    /// Whether it holds for every event.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The text that every match has, to find candidates by.
    #[must_use]
    pub fn leading(&self) -> Option<&Regex> {
        self.terms.iter().find_map(|term| match &term.test {
            Test::Text(regex) if !term.inverse => Some(regex),
            _ => None,
        })
    }

    /// Whether [`Self::leading`] is all there is to it.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        self.terms.len() == 1
    }

    /// Whether it holds for an event.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        self.terms.iter().all(|term| term.test.holds(subject) != term.inverse)
    }

    /// The places in a line that a match should show.
    #[must_use]
    pub fn highlights(&self, line: &str) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for term in self.terms.iter().filter(|term| !term.inverse) {
            if let Test::Text(regex) = &term.test {
                found.extend(regex.find_iter(line.as_bytes()).take(64).map(|hit| (hit.start(), hit.end())));
            }
        }
        found.retain(|(start, end)| start < end);
        found.sort_unstable();
        found
    }
}

impl Test {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Text(regex) => regex.is_match(subject.text),
            Self::Level(least) => subject.level.is_some_and(|level| level >= *least),
            Self::Pod(regex) => regex.is_match(subject.source.as_bytes()),
            Self::Logger(regex) => part(subject, |header| header.logger, regex),
            Self::Thread(regex) => part(subject, |header| header.thread, regex),
            Self::Exception => subject.fingerprint.is_some(),
            Self::Fingerprint(digits) => {
                subject.fingerprint.is_some_and(|fingerprint| fingerprint.to_string().starts_with(digits))
            }
            Self::From(time) => subject.time >= *time,
            Self::To(time) => subject.time <= *time,
        }
    }
}

/// A part of the header; in layouts without one, the text as a whole.
fn part(subject: &Subject<'_>, pick: fn(&header::Header) -> header::Span, regex: &Regex) -> bool {
    let text = std::str::from_utf8(subject.text).unwrap_or_default();
    match header::read(text, subject.time) {
        Some(found) => {
            let span = pick(&found);
            text.get(span.0..span.1).is_some_and(|part| regex.is_match(part.as_bytes()))
        }
        None => regex.is_match(subject.text),
    }
}

fn push_words(terms: &mut Vec<Term>, words: &mut String) -> Result<(), QueryError> {
    if !words.is_empty() {
        terms.push(Term { inverse: false, test: Test::Text(literal(words)?) });
        words.clear();
    }
    Ok(())
}

/// Words, with what stands between quotes or slashes kept whole.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut token = String::new();
    let mut within: Option<char> = None;
    let mut escaped = false;
    for letter in text.chars() {
        let begins = token.is_empty() || token == "!" || token.ends_with('=');
        match within {
            None if letter.is_whitespace() => {
                found.push(std::mem::take(&mut token));
                continue;
            }
            None if begins && matches!(letter, '"' | '/') => within = Some(letter),
            Some(end) if letter == end && !escaped => within = None,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        token.push(letter);
    }
    found.push(token);
    found.retain(|token| !token.is_empty());
    found
}

fn is_plain(token: &str) -> bool {
    !token.starts_with(['/', '"']) && field(token).is_none() && token != "exceptions"
}

/// `name=value`, where the name is one.
fn field(token: &str) -> Option<(&str, &str)> {
    let (name, value) = token.split_once('=')?;
    let named = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "._-@".contains(letter));
    (named && !value.is_empty()).then_some((name, value))
}

fn test(token: &str, now: Time) -> Result<Test, QueryError> {
    if token == "exceptions" {
        return Ok(Test::Exception);
    }
    let Some((name, value)) = field(token).filter(|_| !token.starts_with(['/', '"'])) else {
        return Ok(Test::Text(pattern(token)?));
    };
    let bare = value.trim_matches('"');
    Ok(match name {
        "level" => Test::Level(Level::from_word(bare).ok_or_else(|| QueryError::Level(bare.to_owned()))?),
        "pod" | "container" => Test::Pod(pattern(value)?),
        "logger" => Test::Logger(pattern(value)?),
        "thread" => Test::Thread(pattern(value)?),
        "fingerprint" => Test::Fingerprint(bare.to_owned()),
        "from" => Test::From(moment(bare, now)?),
        "to" => Test::To(moment(bare, now)?),
        _ => Test::Text(compile(
            &format!("\\b{}[\"']?\\s*[=:]\\s*[\"']?{}", regex::escape(name), regex::escape(bare)),
            true,
        )?),
    })
}

fn pattern(token: &str) -> Result<Regex, QueryError> {
    if let Some(rest) = token.strip_prefix('/').filter(|rest| !rest.is_empty()) {
        return compile(rest.strip_suffix('/').unwrap_or(rest), false);
    }
    literal(token.trim_matches('"'))
}

fn literal(text: &str) -> Result<Regex, QueryError> {
    compile(&regex::escape(text), !text.chars().any(char::is_uppercase))
}

fn compile(pattern: &str, any_case: bool) -> Result<Regex, QueryError> {
    let built =
        RegexBuilder::new(pattern).case_insensitive(any_case).multi_line(true).size_limit(LARGEST_REGEX).build();
    built.map_err(|error| {
        let words = error.to_string();
        QueryError::Regex(words.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
    })
}

/// `14:02`, `14:02:30` or a whole date and time.
fn moment(text: &str, now: Time) -> Result<Time, QueryError> {
    let wrong = || QueryError::Time(text.to_owned());
    if let Some((found, _)) = time::read(text.replace('_', " ").as_bytes()) {
        return Ok(found);
    }
    let full = if text.len() == 5 { format!("{text}:00") } else { text.to_owned() };
    let (seconds, _, _) = time::read_clock(full.as_bytes()).ok_or_else(wrong)?;
    let midnight = now.timestamp().div_euclid(86_400) * 86_400;
    let today = Time::from_timestamp(midnight + seconds, 0).ok_or_else(wrong)?;
    Ok(if today > now { today - chrono::TimeDelta::days(1) } else { today })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-11-22T14:30:00Z".parse().unwrap()
    }

    fn holds(query: &str, text: &str) -> bool {
        let subject = Subject {
            text: text.as_bytes(),
            level: Some(Level::Warn),
            source: "match-0/main",
            time: "2026-11-22T14:03:00Z".parse().unwrap(),
            fingerprint: None,
        };
        Query::parse(query, now()).unwrap().holds(&subject)
    }

    #[test]
    fn terms_are_read_as_people_write_them() {
        let text = "2026-11-22 14:03:00,000 WARN  a.Writer [] - Failed to send order=17 \"code\": \"E4\"";
        for (query, known) in [
            ("", true),
            ("failed to send", true),
            ("Failed to Send", false),
            ("send failed", false),
            ("!heartbeat failed", true),
            ("!failed", false),
            ("/order=\\d+ /", true),
            ("!/order=\\d+/", false),
            ("order=17 code=E4", true),
            ("order=18", false),
            ("level=warn", true),
            ("level=error", false),
            ("pod=match-0", true),
            ("!pod=match-0", false),
            ("logger=Writer", true),
            ("logger=Failed", false),
            ("from=14:02 to=14:05", true),
            ("from=14:04", false),
            ("exceptions", false),
            ("\"to send\" failed", true),
        ] {
            assert_eq!(holds(query, text), known, "{query}");
        }
    }

    #[test]
    fn what_means_nothing_is_said() {
        for query in ["/(/", "level=loud", "from=noon"] {
            assert!(Query::parse(query, now()).is_err(), "{query}");
        }
        assert_eq!(Query::parse("order", now()).unwrap().highlights("an Order, no border"), [(3, 8), (14, 19)]);
    }
}
