//! How a line of text begins an event: the layouts of log4j, logback, klog and Python.
//!
//! Read by hand, byte by byte, with spans into the line instead of copies: this runs for every line, and
//! stack traces are mostly told from headers by their first byte.

use memchr::{memchr, memmem};

use super::event::Level;
use super::format::Format;
use super::time::{self, Times};
use crate::model::Time;

/// A part of a line: first byte, and the one after the last.
pub type Span = (usize, usize);

/// What a header says, and where in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The layout.
    pub format: Format,
    /// When; `None` when it has no time, or a time without a date.
    pub time: Option<Time>,
    /// How bad; `None` when it is not said.
    pub level: Option<Level>,
    /// Where the logger's name is.
    pub logger: Span,
    /// Where the thread's name is.
    pub thread: Span,
    /// Where the message begins.
    pub message: usize,
    /// Whether it could as well be text: it has no time.
    pub half: bool,
}

/// Bytes that may stand between a logger's name and the dash before the message.
const LONGEST_EXTRA: usize = 128;

/// Reads a header; `now` gives logs without years theirs.
#[must_use]
pub fn read(line: &str, now: Time) -> Option<Header> {
    read_next(line, now, &mut Times::default())
}

/// Reads the header of a log's next line.
#[must_use]
pub fn read_next(line: &str, now: Time, times: &mut Times) -> Option<Header> {
    let bytes = line.as_bytes();
    match *bytes {
        [b'0'..=b'9' | b'[', ..] => pattern(bytes, 0, times),
        // As search servers show an event that is folded in.
        [b'>', b' ', ..] => pattern(bytes, 2, times),
        [b'I' | b'W' | b'E' | b'F', b'0'..=b'9', ..] => klog(bytes, now),
        [b'A'..=b'Z', ..] => half(bytes),
        _ => None,
    }
}

#[inline]
fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// Where the next byte that is not a space is.
#[inline]
fn after_spaces(bytes: &[u8], at: usize) -> usize {
    at + from(bytes, at).iter().take_while(|byte| **byte == b' ').count()
}

/// The word that begins here.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<Span> {
    let rest = from(bytes, at);
    let length = memchr(b' ', rest).unwrap_or(rest.len());
    (length > 0).then_some((at, at + length))
}

fn pattern(bytes: &[u8], start: usize, times: &mut Times) -> Option<Header> {
    let mut at = start;
    if bytes.get(at) == Some(&b'[') {
        at += memchr(b']', from(bytes, at))? + 2;
    }
    let stamp = from(bytes, at);
    let (time, length) = match times.read(stamp) {
        Some((time, length)) => (Some(time), length),
        None => (None, time::read_clock(stamp)?.2),
    };
    let slashes = stamp.get(4) == Some(&b'/');
    at += length;
    match *from(bytes, at) {
        [b' ', b'[', ..] => threaded(bytes, at + 2, time, slashes),
        [b' ', b'-', b' ', ..] => python(bytes, at + 3, time),
        [b' ', ..] => {
            let at = after_spaces(bytes, at);
            let (level, length) = Level::read(from(bytes, at))?;
            let (logger, message) = logger(bytes, at + length)?;
            let none = (at, at);
            Some(Header { format: Format::Flink, time, level: Some(level), logger, thread: none, message, half: false })
        }
        _ => None,
    }
}

/// `[thread] LEVEL logger - message`: a thread's name may hold spaces and brackets, so the level is looked for.
fn threaded(bytes: &[u8], at: usize, time: Option<Time>, slashes: bool) -> Option<Header> {
    let mut end = at;
    let (level, length) = loop {
        end += memchr(b']', from(bytes, end))?;
        if let Some(found) = from(bytes, end + 1).strip_prefix(b" ").and_then(Level::read) {
            break found;
        }
        end += 1;
    };
    let (logger, message) = logger(bytes, end + 2 + length)?;
    let format = if slashes { Format::Slashes } else { Format::Logback };
    Some(Header { format, time, level: Some(level), logger, thread: (at, end), message, half: false })
}

/// ` logger [] - message`, ` logger - message`, ` logger -- message`, ` logger -key=value- message`,
/// ` logger extra - message`, ` logger: message`.
#[inline]
fn logger(bytes: &[u8], at: usize) -> Option<(Span, usize)> {
    let logger = word(bytes, after_spaces(bytes, at)).filter(|(start, _)| *start > at)?;
    let at = after_spaces(bytes, logger.1);
    let message = match *from(bytes, at) {
        [b'-', b' ', ..] => at + 2,
        [b'-'] => at + 1,
        // logback's own layout since 1.3: key-value pairs, or none, between two dashes.
        [b'-', ref rest @ ..] => at + 1 + memmem::find(rest.get(..LONGEST_EXTRA).unwrap_or(rest), b"- ")? + 2,
        _ if bytes.get(logger.1.saturating_sub(1)) == Some(&b':') => {
            return Some(((logger.0, logger.1 - 1), at));
        }
        [b'[', ..] => after_bracket(bytes, at)?,
        ref rest => at + memmem::find(rest.get(..LONGEST_EXTRA).unwrap_or(rest), b" - ")? + 3,
    };
    Some((logger, message))
}

/// Where the message behind `[extra] - ` begins.
#[inline]
fn after_bracket(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr(b']', from(bytes, at))? + 1;
        if from(bytes, at).starts_with(b" - ") {
            return Some(at + 3);
        }
    }
}

/// `logger - LEVEL - message`, after the time.
fn python(bytes: &[u8], at: usize, time: Option<Time>) -> Option<Header> {
    let logger = (at, at + memmem::find(from(bytes, at), b" - ")?);
    let (level, length) = Level::read(from(bytes, logger.1 + 3))?;
    let message = logger.1 + 3 + length;
    from(bytes, message).starts_with(b" - ").then_some(())?;
    let format = Format::Python;
    Some(Header { format, time, level: Some(level), logger, thread: (at, at), message: message + 3, half: false })
}

/// `I1122 06:52:02.988123       1 file.go:12] message`.
fn klog(bytes: &[u8], now: Time) -> Option<Header> {
    let &[letter, o1, o2, d1, d2, b' ', ref clock @ ..] = bytes else { return None };
    let (seconds, nanoseconds, length) = time::read_clock(clock)?;
    let time = time::without_year(time::two(o1, o2)?, time::two(d1, d2)?, (seconds, nanoseconds), now);
    let thread = word(bytes, after_spaces(bytes, 6 + length))?;
    let place = after_spaces(bytes, thread.1);
    let end = place + memchr(b']', from(bytes, place))?;
    let level = match letter {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        _ => Level::Fatal,
    };
    let message = after_spaces(bytes, end + 1);
    Some(Header { format: Format::Klog, time, level: Some(level), logger: (place, end), thread, message, half: false })
}

/// `LEVEL:logger:message` of Python, and `INFO  [] - message` of Flink's scripts.
fn half(bytes: &[u8]) -> Option<Header> {
    let (level, at) = Level::read(bytes)?;
    let (format, logger, message) = match *from(bytes, at) {
        [b':', ref rest @ ..] => {
            let end = at + 1 + memchr(b':', rest)?;
            let name = bytes.get(at + 1..end)?;
            if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
                return None;
            }
            (Format::Python, (at + 1, end), end + 1)
        }
        [b' ', ..] => {
            let rest = after_spaces(bytes, at);
            (Format::Flink, (at, at), from(bytes, rest).starts_with(b"[] - ").then_some(rest + 5)?)
        }
        _ => return None,
    };
    Some(Header { format, time: None, level: Some(level), logger, thread: (at, at), message, half: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Format, time, level, logger, thread, message.
    fn told(line: &str) -> Option<[String; 6]> {
        let now = time::read(b"2026-11-22 07:00:00").unwrap().0;
        let header = read(line, now)?;
        let part = |span: Span| line.get(span.0..span.1).unwrap().to_owned();
        Some([
            format!("{:?}", header.format),
            header.time.map_or_else(String::new, |time| time.format("%FT%T%.3f").to_string()),
            header.level.map_or("", Level::name).to_owned(),
            part(header.logger),
            part(header.thread),
            line.get(header.message..).unwrap().to_owned(),
        ])
    }

    #[test]
    fn every_layout_is_read() {
        let (day, slash) = ("2026-11-22T06:52:02.988", "2022-07-11T04:52:23.996");
        let thread = "enrich (3/3)#0 -> [sink]";
        for (line, told_of_it) in [
            ("2026-11-22 06:52:02,988 INFO  a.B           [] - hi", ["Flink", day, "INFO", "a.B", "", "hi"]),
            ("2026-11-22 06:52:02,988 INFO  a.B           [x] - ", ["Flink", day, "INFO", "a.B", "", ""]),
            ("[84 75] 2026-11-22 06:52:02,988 WARN a.B - hi - ho", ["Flink", day, "WARN", "a.B", "", "hi - ho"]),
            ("2022/07/11 04:52:23.996 [t] INFO o.a.B - m", ["Slashes", slash, "INFO", "o.a.B", "t", "m"]),
            ("> 2022/07/11 04:52:23.996 [t] INFO o.a.B - m", ["Slashes", slash, "INFO", "o.a.B", "t", "m"]),
            (
                "2026-11-22 06:52:02.988 [enrich (3/3)#0 -> [sink]] ERROR a.B src - m",
                ["Logback", day, "ERROR", "a.B", thread, "m"],
            ),
            ("06:52:02.988 [main] DEBUG a.B -- m", ["Logback", "", "DEBUG", "a.B", "main", "m"]),
            ("06:52:02.988 [main] DEBUG a.B -k=\"v\"- m", ["Logback", "", "DEBUG", "a.B", "main", "m"]),
            ("06:52:02.988 [main] DEBUG a.B - m", ["Logback", "", "DEBUG", "a.B", "main", "m"]),
            ("I1122 06:52:02.988123       1 a.go:12] m", ["Klog", day, "INFO", "a.go:12", "1", "m"]),
            ("2026-11-22 06:52:02,988 - root.x - CRITICAL - m", ["Python", day, "FATAL", "root.x", "", "m"]),
            ("WARNING:apache_beam.x:m: n", ["Python", "", "WARN", "apache_beam.x", "", "m: n"]),
            ("INFO  [] - Loading", ["Flink", "", "INFO", "", "", "Loading"]),
        ] {
            assert_eq!(told(line), Some(told_of_it.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn what_is_no_header_is_none() {
        for line in [
            "",
            "\tat a.B.c(B.java:1)",
            "java.io.IOException: x",
            "2026-11-22",
            "2026-11-22 06:52:02,988 is when it happened",
            "[main] hi",
            "ERROR: no",
            "INFO something",
            "E11",
        ] {
            assert_eq!(told(line), None, "{line}");
        }
    }
}
