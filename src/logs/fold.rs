//! Lines into events.
//!
//! A line that begins no event belongs to the one before it, whatever it looks like. Lines before the first
//! header, and those after a line of JSON, are events of their own, but for stack traces, which are put
//! together by their grammar. A trace that is printed behind another one in the same event becomes an event
//! of its own; it has that one's time, and no level.
//!
//! Printing threads can interrupt each other: frames that follow a header at once, and cannot be its own, go
//! back to the trace before it. So a trace is handed out one event late, or by [`Folder::tick`].
//!
//! It must not drop a line: an event that grows too large is handed out, and the rest becomes the next.

use chrono::TimeDelta;

use super::event::Event;
use super::format::{Choice, Format, Seen};
use super::frame::Line;
use super::header::{self, Header};
use super::json;
use super::time::Times;
use super::trace::{self, java, python};
use crate::model::Time;

/// Bytes after which an event is handed out even if it goes on.
pub const LARGEST_EVENT: usize = 1024 * 1024;
/// How long an event stays open when nothing is added to it.
pub const PATIENCE: TimeDelta = TimeDelta::seconds(1);
/// Lines that a throwable's message may have when no header shows where it ends.
const AWAITED: u8 = 8;
/// Traces that are looked for in one event; the text of further ones stays with the last.
const MOST_TRACES: u64 = 16;
/// Buffers larger than this are given back.
const SPARE: usize = 64 * 1024;

/// Puts lines together.
#[derive(Debug, Default)]
pub struct Folder {
    choice: Choice,
    seen: Seen,
    times: Times,
    /// The event that lines are added to.
    open: Block,
    /// The trace before it, whose last frames may be still to come.
    held: Block,
    /// When the last line came.
    touched: Option<Time>,
    events: u64,
}

/// The lines of one event, and what was learnt of them on the way.
#[derive(Debug, Default)]
struct Block {
    text: String,
    /// None: there is no event.
    lines: usize,
    kind: Kind,
    /// A line of a stack trace came after the first.
    traced: bool,
    /// Lines that may follow as part of a throwable's message.
    awaited: u8,
    traceback: Traceback,
}

#[derive(Debug, Default)]
enum Kind {
    /// No header: takes only what belongs to a trace.
    #[default]
    Bare,
    /// What is left of an event that was too large.
    Rest,
    Headed(Header),
    Json(Box<json::Entry>),
}

/// How far a Python traceback got, where no header shows its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Traceback {
    #[default]
    None,
    Frames,
    Ended,
}

impl Folder {
    /// A folder for a stream in a format, or in one that it finds out.
    #[must_use]
    pub fn new(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// Takes the next line, which came at `now`.
    pub fn push(&mut self, line: &Line<'_>, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        self.touched = Some(now);
        let text = &*line.text;
        if let Some(kind) = self.begins(text, now) {
            self.turn(sink);
            self.open.begin(text, kind);
            return;
        }
        if self.is_stray(text) {
            self.held.add(text);
            return;
        }
        if !self.open.takes(text) {
            self.close(sink);
            self.open.begin(text, Kind::Bare);
            return;
        }
        if self.open.text.len() + text.len() >= LARGEST_EVENT {
            self.close(sink);
            self.open.begin(text, Kind::Rest);
            return;
        }
        self.open.add(text);
    }

    /// Hands out what is open when nothing was added for a while.
    pub fn tick(&mut self, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        if self.touched.is_some_and(|touched| now - touched >= PATIENCE) {
            self.finish(sink);
        }
    }

    /// Hands out what is open.
    pub fn finish(&mut self, sink: &mut impl FnMut(&Event<'_>)) {
        self.close(sink);
        self.touched = None;
    }

    /// Events handed out.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Bytes held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.open.text.capacity() + self.held.text.capacity()
    }

    /// What the line begins, if it does.
    fn begins(&mut self, text: &str, now: Time) -> Option<Kind> {
        let wanted = match self.choice {
            Choice::Only(format) => Some(format),
            Choice::Detect => None,
        };
        if text.starts_with('{') {
            if wanted.is_some_and(|format| format != Format::Json) {
                return None;
            }
            let entry = json::read(text)?;
            return (self.seen.json() || wanted.is_some()).then(|| Kind::Json(Box::new(entry)));
        }
        if wanted.is_some_and(|format| matches!(format, Format::Json | Format::Plain)) {
            return None;
        }
        let header = header::read_next(text, now, &mut self.times)?;
        match wanted {
            Some(format) if format != header.format => return None,
            None if header.half && !self.seen.takes_half_headers() => return None,
            _ => {}
        }
        if !header.half {
            self.seen.text();
        }
        Some(Kind::Headed(header))
    }

    /// A frame right behind a header that names no throwable: another thread came between.
    fn is_stray(&self, text: &str) -> bool {
        self.held.lines > 0
            && self.open.lines == 1
            && self.held.text.len() + text.len() < LARGEST_EVENT
            && java::goes_on(text)
            && !java::names_throwable(self.open.message())
    }

    /// Before a new header: a trace is kept for strays, anything else is handed out.
    fn turn(&mut self, sink: &mut impl FnMut(&Event<'_>)) {
        if self.open.lines == 0 {
            return;
        }
        self.events += self.held.hand_out(sink);
        if self.open.traced && matches!(self.open.kind, Kind::Headed(_)) {
            std::mem::swap(&mut self.open, &mut self.held);
        } else {
            self.events += self.open.hand_out(sink);
        }
    }

    fn close(&mut self, sink: &mut impl FnMut(&Event<'_>)) {
        self.events += self.held.hand_out(sink);
        self.events += self.open.hand_out(sink);
    }
}

impl Block {
    fn begin(&mut self, text: &str, kind: Kind) {
        self.text.push_str(text);
        self.lines = 1;
        self.kind = kind;
        // Nearly all lines are whole events with a header.
        if matches!(self.kind, Kind::Bare) {
            if java::is_first_line(text) || java::goes_on(text) {
                self.awaited = AWAITED;
            }
            if text.contains(python::BEGINNING) {
                self.traceback = Traceback::Frames;
            }
        }
    }

    fn add(&mut self, text: &str) {
        let goes_on = java::goes_on(text);
        let begins = self.lines == 1 && java::is_first_line(text);
        self.traced |= goes_on || begins || text.starts_with("  File \"") || python::joins(text);
        if goes_on {
            self.awaited = if text.trim_start().starts_with("Caused by") { AWAITED } else { 0 };
        } else {
            self.awaited = self.awaited.saturating_sub(1);
        }
        self.text.push('\n');
        self.text.push_str(text);
        self.lines += 1;
    }

    /// Whether a line that begins no event belongs to this one.
    fn takes(&mut self, text: &str) -> bool {
        match self.kind {
            Kind::Headed(_) | Kind::Rest => self.lines > 0,
            Kind::Json(_) => false,
            Kind::Bare => self.lines > 0 && self.takes_bare(text),
        }
    }

    fn takes_bare(&mut self, text: &str) -> bool {
        if python::joins(text) && self.traceback == Traceback::Ended {
            self.traceback = Traceback::Frames;
            return true;
        }
        if text.starts_with([' ', '\t']) || java::goes_on(text) {
            return true;
        }
        if self.traceback == Traceback::Frames {
            let between = text.is_empty() || python::joins(text);
            if !between {
                self.traceback = Traceback::Ended;
            }
            return true;
        }
        (text.is_empty() && self.traceback == Traceback::Ended)
            || (self.awaited > 0 && !text.is_empty() && !java::is_first_line(text))
    }

    /// The message and all that follows.
    fn message(&self) -> &str {
        match &self.kind {
            Kind::Bare | Kind::Rest => &self.text,
            Kind::Headed(header) => self.text.get(header.message..).unwrap_or_default(),
            Kind::Json(entry) => &entry.message,
        }
    }

    /// Hands out the events that the lines are, and tells how many.
    fn hand_out(&mut self, sink: &mut impl FnMut(&Event<'_>)) -> u64 {
        if self.lines == 0 {
            return 0;
        }
        let count = match &self.kind {
            Kind::Headed(header) => {
                let part = |span: header::Span| self.text.get(span.0..span.1).unwrap_or_default();
                let event = Event {
                    time: header.time,
                    level: header.level,
                    logger: part(header.logger),
                    thread: part(header.thread),
                    message: self.message(),
                    exception: None,
                    text: &self.text,
                };
                if self.traced {
                    self.split(event, sink)
                } else {
                    sink(&event);
                    1
                }
            }
            Kind::Json(entry) => {
                sink(&Event {
                    time: entry.time,
                    level: entry.level,
                    logger: &entry.logger,
                    thread: &entry.thread,
                    message: &entry.message,
                    exception: entry.exception.clone(),
                    text: &self.text,
                });
                1
            }
            Kind::Bare | Kind::Rest => {
                let (message, text) = (self.text.as_str(), self.text.as_str());
                let nobody = Event { time: None, level: None, logger: "", thread: "", message, exception: None, text };
                self.split(nobody, sink)
            }
        };
        self.clear();
        count
    }

    /// Reads the traces in an event's lines; each but the first is an event of its own.
    fn split<'a>(&'a self, mut event: Event<'a>, sink: &mut impl FnMut(&Event<'_>)) -> u64 {
        let bare = matches!(self.kind, Kind::Bare) && self.awaited > 0;
        let mut found = if self.traced || bare { trace::find(event.message) } else { None };
        let mut count = 1;
        while let Some(trace) = found {
            let (all, range) = (event.message, trace.range);
            event.message = match all.get(..range.start).map(|before| before.trim_end_matches('\n')) {
                Some(before) if !before.is_empty() => before,
                _ => all.lines().next().unwrap_or_default(),
            };
            event.exception = Some(trace.exception);
            let rest = all.get(range.end..).unwrap_or_default();
            let next = if count < MOST_TRACES { trace::find(rest) } else { None };
            found = next.filter(|next| !next.exception.frames.is_empty() && next.range.start > 0);
            let Some(next) = &mut found else { break };
            let start = event.text.len() - rest.len() + next.range.start;
            let (before, behind) = event.text.split_at_checked(start).unwrap_or((event.text, ""));
            event.text = before.strip_suffix('\n').unwrap_or(before);
            sink(&event);
            count += 1;
            next.range = 0..next.range.len();
            let time = event.time;
            event = Event { time, level: None, logger: "", thread: "", message: behind, exception: None, text: behind };
        }
        sink(&event);
        count
    }

    fn clear(&mut self) {
        if self.text.capacity() > SPARE {
            self.text = String::new();
        }
        self.text.clear();
        self.lines = 0;
        self.kind = Kind::Bare;
        self.traced = false;
        self.awaited = 0;
        self.traceback = Traceback::None;
    }
}
