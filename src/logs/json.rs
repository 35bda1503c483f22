//! Layouts with one JSON object a line.
//!
//! ECS, Logstash, logstash-logback-encoder, log4j's `JsonLayout`, GELF and plain ones differ in how they name
//! five fields, and no name means two things: so one reader knows all the names.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::event::Level;
use super::time;
use super::trace::{self, Exception};
use crate::model::Time;

type Fields = Map<String, Value>;

/// What a line of JSON says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub time: Option<Time>,
    /// How bad it is.
    pub level: Option<Level>,
    /// Who says it.
    pub logger: String,
    /// The thread.
    pub thread: String,
    /// What it says.
    pub message: String,
    /// Its stack trace.
    pub exception: Option<Exception>,
}

const MESSAGE: &[&str] = &["message", "short_message", "msg", "textPayload"];
const LEVEL: &[&str] = &["log.level", "level", "severity", "levelname"];
const TIME: &[&str] = &["@timestamp", "timestamp", "time", "ts", "asctime"];
const LOGGER: &[&str] = &["log.logger", "logger_name", "loggerName", "_logger", "logger", "name"];
const THREAD: &[&str] = &["process.thread.name", "thread_name", "_thread", "thread", "threadName"];
const TRACE: &[&str] = &["error.stack_trace", "stack_trace", "exception.stacktrace", "full_message", "exc_info"];
const TYPE: &[&str] = &["error.type", "exception.exception_class", "thrown.name"];
const THROWN_MESSAGE: &[&str] = &["error.message", "exception.exception_message", "thrown.message"];

/// Reads a line; `None` when it is no object, or one that no logger wrote.
#[must_use]
pub fn read(line: &str) -> Option<Entry> {
    if !line.starts_with('{') {
        return None;
    }
    let fields: Fields = serde_json::from_str(line).ok()?;
    let message = text(&fields, MESSAGE);
    let level = first(&fields, LEVEL).and_then(level);
    let time = time_of(&fields);
    if message.is_none() || (level.is_none() && time.is_none()) {
        return None;
    }
    Some(Entry {
        time,
        level,
        logger: text(&fields, LOGGER).unwrap_or_default().into_owned(),
        thread: text(&fields, THREAD).unwrap_or_default().into_owned(),
        message: message.unwrap_or_default().into_owned(),
        exception: exception(&fields),
    })
}

/// The first of the names that has a value; dots lead into objects when no field has the whole name.
fn first<'a>(fields: &'a Fields, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| find(fields, name)).filter(|value| !value.is_null())
}

fn find<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    let whole = fields.get(name);
    let nested = || {
        let (outer, inner) = name.split_once('.')?;
        find(fields.get(outer)?.as_object()?, inner)
    };
    whole.or_else(nested)
}

fn text<'a>(fields: &'a Fields, names: &[&str]) -> Option<Cow<'a, str>> {
    first(fields, names).map(|value| match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    })
}

fn level(value: &Value) -> Option<Level> {
    match value {
        Value::String(word) => Level::from_word(word),
        Value::Number(number) => number.as_u64().map(Level::from_syslog),
        _ => None,
    }
}

fn time_of(fields: &Fields) -> Option<Time> {
    if let Some(instant) = fields.get("instant").and_then(Value::as_object) {
        let nanoseconds = instant.get("nanoOfSecond").and_then(Value::as_u64).unwrap_or(0);
        let seconds = instant.get("epochSecond").and_then(Value::as_i64)?;
        return Time::from_timestamp(seconds, u32::try_from(nanoseconds).ok()?);
    }
    match first(fields, TIME)? {
        Value::String(text) => time::read(text.as_bytes()).map(|(time, _)| time),
        Value::Number(number) => number.as_f64().and_then(time::from_number),
        _ => None,
    }
}

fn exception(fields: &Fields) -> Option<Exception> {
    if let Some(found) = text(fields, TRACE).and_then(|text| trace::of_field(&text)) {
        return Some(found);
    }
    let (class, message) = (text(fields, TYPE), text(fields, THROWN_MESSAGE));
    if class.is_none() && message.is_none() {
        return None;
    }
    let frames = find(fields, "thrown.extendedStackTrace").and_then(Value::as_array).map(Vec::as_slice);
    let mut printed = class.map_or_else(|| "(anonymous)".to_owned(), Cow::into_owned);
    printed.push_str(": ");
    printed.push_str(&message.unwrap_or_default());
    for frame in frames.unwrap_or_default() {
        let part = |name: &str| frame.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = frame.get("line").and_then(Value::as_i64).unwrap_or(0);
        printed.push_str(&format!("\n\tat {}.{}({}:{line})", part("class"), part("method"), part("file")));
    }
    trace::of_field(&printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_nested_layouts() {
        let entry = read(r#"{"time":"2026-11-22T06:59:12Z","level":"warning","msg":"m","name":"a"}"#).unwrap();
        assert_eq!((entry.level, entry.message.as_str(), entry.logger.as_str()), (Some(Level::Warn), "m", "a"));
        let nested = r#"{"@timestamp":"2026-11-22T06:59:12Z","log":{"level":"ERROR","logger":"l"},"message":"m",
            "error":{"type":"a.B","message":"c","stack_trace":"a.B: c\n\tat x.Y.z(Y.java:1)"}}"#;
        let entry = read(&nested.replace('\n', " ")).unwrap();
        assert_eq!((entry.level, entry.logger.as_str()), (Some(Level::Error), "l"));
        assert_eq!(&*entry.exception.unwrap().root().class, "a.B");
    }

    #[test]
    fn objects_that_are_no_events() {
        for line in ["{", "{}", r#"{"message":"m"}"#, r#"{"level":"INFO"}"#, r#"{"order":7,"status":"new"}"#] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
