//! Logs as events: one failure is one thing to look at, however many lines it was printed on.
//!
//! A pod's log comes as bytes in any pieces. [`frame`] cuts them into lines, [`header`] and [`json`] know how
//! a line begins an event in each layout, [`fold`] puts the lines that follow under it, [`trace`] reads the
//! stack traces of Java, Scala and Python in them, [`fingerprint`] gives failures that are the same the same
//! name, and [`group`] counts them. [`Reader`] is all of it in a row.
//!
//! [`braid`] merges streams, [`history`] keeps events, [`query`] finds them again.
//!
//! Nothing here but the file behind [`history`] does IO; nothing reads a clock or grows without bound, and no byte of a log is trusted: what is
//! handed out may hold escape sequences, and whoever shows it cleans it.

pub mod braid;
pub mod event;
pub mod fingerprint;
pub mod fold;
pub mod format;
pub mod frame;
pub mod group;
pub mod header;
pub mod history;
pub mod json;
pub mod news;
pub mod query;
pub mod radar;
pub mod record;
pub mod time;
pub mod trace;

use crate::model::Time;
use event::Event;
use fold::Folder;
use format::Choice;
use frame::{Framer, Line};

/// From bytes to events, for one stream: a container, a file or a pipe.
///
/// What `kubectl logs --timestamps` and container runtimes put before each line is taken off; it is the time of
/// events that have none of their own.
#[derive(Debug, Default)]
pub struct Reader {
    framer: Framer,
    folder: Folder,
    stamp: Option<Time>,
}

/// What was read, and what could not be kept as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines.
    pub lines: u64,
    /// Events handed out.
    pub events: u64,
    /// Lines that were too long and lost their end.
    pub cut_lines: u64,
    /// Bytes of those ends.
    pub cut_bytes: u64,
    /// Lines with bytes that are not UTF-8, which became U+FFFD.
    pub lossy_lines: u64,
}

impl Reader {
    /// A reader of a stream in a format, or in one that it finds out.
    #[must_use]
    pub fn new(choice: Choice) -> Self {
        Self { framer: Framer::default(), folder: Folder::new(choice), stamp: None }
    }

    /// Takes the bytes that came at `now` and hands out the events that they complete.
    pub fn push(&mut self, bytes: &[u8], now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        let Self { framer, folder, stamp } = self;
        framer.push(bytes, &mut |line| push_line(folder, stamp, (&line, now), sink));
    }

    /// Hands out the open event when nothing was added to it for a while: its stream may be silent for hours.
    pub fn tick(&mut self, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        let stamp = self.stamp;
        self.folder.tick(now, &mut |event| timed(event, stamp, sink));
    }

    /// Hands out what is left; the stream may be read on, as after a reconnect.
    pub fn finish(&mut self, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        let Self { framer, folder, stamp } = self;
        framer.finish(&mut |line| push_line(folder, stamp, (&line, now), sink));
        folder.finish(&mut |event| timed(event, *stamp, sink));
    }

    /// What was read so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let framed = self.framer.counts();
        Counts { events: self.folder.events(), ..framed }
    }

    /// Bytes held for the open line and events.
    #[must_use]
    pub fn held(&self) -> usize {
        self.framer.held() + self.folder.held()
    }
}

fn push_line(
    folder: &mut Folder,
    stamp: &mut Option<Time>,
    (line, now): (&Line<'_>, Time),
    sink: &mut impl FnMut(&Event<'_>),
) {
    let Some((time, text)) = stamped(&line.text) else {
        let before = *stamp;
        return folder.push(line, now, &mut |event| timed(event, before, sink));
    };
    let before = stamp.replace(time).or(Some(time));
    folder.push(&Line { text: text.into() }, now, &mut |event| timed(event, before, sink));
}

/// A line that a container runtime or the kubelet has put its time before: `2026-11-22T06:52:02.988123456Z `.
fn stamped(line: &str) -> Option<(Time, &str)> {
    const LENGTH: usize = 30;
    let bytes = line.as_bytes();
    if bytes.get(LENGTH - 1) != Some(&b'Z') || bytes.get(10) != Some(&b'T') || bytes.get(19) != Some(&b'.') {
        return None;
    }
    let (time, length) = time::read(bytes)?;
    let rest = line.get(LENGTH..).filter(|_| length == LENGTH)?;
    if rest.is_empty() {
        return Some((time, rest));
    }
    let rest = rest.strip_prefix(' ')?;
    let of_runtime = rest.strip_prefix("stdout F ").or_else(|| rest.strip_prefix("stderr F "));
    Some((time, of_runtime.unwrap_or(rest)))
}

fn timed(event: &Event<'_>, stamp: Option<Time>, sink: &mut impl FnMut(&Event<'_>)) {
    match (event.time, stamp) {
        (None, Some(_)) => sink(&Event { time: stamp, ..event.clone() }),
        _ => sink(event),
    }
}
