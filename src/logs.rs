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
use frame::Framer;

/// From bytes to events, for one stream: a container, a file or a pipe.
#[derive(Debug, Default)]
pub struct Reader {
    framer: Framer,
    folder: Folder,
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
        Self { framer: Framer::default(), folder: Folder::new(choice) }
    }

    /// Takes the bytes that came at `now` and hands out the events that they complete.
    pub fn push(&mut self, bytes: &[u8], now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        let Self { framer, folder } = self;
        framer.push(bytes, &mut |line| folder.push(&line, now, sink));
    }

    /// Hands out the open event when nothing was added to it for a while: its stream may be silent for hours.
    pub fn tick(&mut self, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        self.folder.tick(now, sink);
    }

    /// Hands out what is left; the stream may be read on, as after a reconnect.
    pub fn finish(&mut self, now: Time, sink: &mut impl FnMut(&Event<'_>)) {
        let Self { framer, folder } = self;
        framer.finish(&mut |line| folder.push(&line, now, sink));
        folder.finish(sink);
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
