//! All events of a log that are kept: the latest in memory, those before them on disk, and none of them for ever.
//!
//! Events lie in segments: their texts in one piece, and sixteen bytes for each. A full segment is searched in one
//! go, goes to disk when memory is short, and is let go when the disk's share is used up; what was let go is
//! counted. An event is known by its number, which counts from the first event ever.
//!
//! It must not copy what it keeps, and must not search for longer than one segment at a time.

mod segment;
mod spill;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use super::event::Level;
use super::fingerprint::Fingerprint;
use super::query::{Query, Subject};
use crate::model::Time;
pub use segment::{Bits, Kind};
use segment::{Body, Segment};
use spill::Spill;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of texts in memory.
    pub memory: usize,
    /// Bytes on disk.
    pub disk: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 32 << 20, disk: 1 << 30 }
    }
}

/// An event to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// All of its lines.
    pub text: &'a str,
    /// When it was written.
    pub time: Time,
    /// Number of its stream.
    pub source: u16,
    /// How bad it is.
    pub level: Option<Level>,
    /// What it is.
    pub kind: Kind,
    /// Name of the failure in it.
    pub fingerprint: Option<Fingerprint>,
}

/// Events in order, with random access.
#[derive(Debug, Default)]
pub struct History {
    segments: VecDeque<Segment>,
    limits: Limits,
    spill: Option<Spill>,
    /// Why nothing can be written to disk.
    broken: Option<String>,
    next: u64,
    memory: usize,
}

impl History {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Keeps an event; its number.
    pub fn push(&mut self, entry: &Entry<'_>) -> u64 {
        if self.segments.back().is_none_or(|segment| segment.is_full(entry.text.len())) {
            if let Some(full) = self.segments.back_mut() {
                full.seal();
            }
            let spare = self.make_room();
            self.segments.push_back(Segment::new(self.next, spare));
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.push(entry);
        }
        self.memory += entry.text.len() + 1;
        self.next += 1;
        self.next - 1
    }

    /// Number of the first event that is kept.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.segments.front().map_or(self.next, Segment::first)
    }

    /// Number of the event that comes next.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Bytes of texts in memory.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.memory
    }

    /// Bytes that memory really holds for them.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.segments.iter().map(Segment::resident).sum()
    }

    /// Why older events are let go sooner than they should be.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Lends the events of a range to a function, in order, until it answers `false`.
    pub fn visit(&self, range: std::ops::Range<u64>, visitor: &mut impl FnMut(u64, &Entry<'_>) -> bool) {
        let from = self.segments.partition_point(|segment| segment.end() <= range.start);
        for segment in self.segments.range(from..) {
            if segment.first() >= range.end {
                return;
            }
            if !self.visit_segment(segment, &range, visitor) {
                return;
            }
        }
    }

    /// The same from the end.
    pub fn visit_back(&self, range: std::ops::Range<u64>, visitor: &mut impl FnMut(u64, &Entry<'_>) -> bool) {
        let to = self.segments.partition_point(|segment| segment.first() < range.end);
        for segment in self.segments.range(..to).rev() {
            if segment.end() <= range.start {
                return;
            }
            let goes_on = self.with_body(segment, |body| {
                let numbers = segment.first().max(range.start)..segment.end().min(range.end);
                numbers.rev().all(|number| {
                    let index = usize::try_from(number - segment.first()).unwrap_or(usize::MAX);
                    body.entry(index).is_none_or(|entry| visitor(number, &entry))
                })
            });
            if !goes_on.unwrap_or(true) {
                return;
            }
        }
    }

    /// Number of the first event that was written at that time or later.
    #[must_use]
    pub fn at(&self, time: Time) -> u64 {
        let at = self.segments.partition_point(|segment| segment.latest() < time);
        let Some(segment) = self.segments.get(at) else { return self.next };
        let found = self.with_body(segment, |body| body.position(time)).flatten();
        segment.first() + found.map_or(0, |index| index as u64)
    }

    /// The segments, by the number of their first event and of the one after their last.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.segments.iter().map(|segment| (segment.first(), segment.end()))
    }

    /// Searches the segment that begins with an event, from another one on; which of its events match.
    pub fn search(&self, (first, from): (u64, u64), query: &Query, names: &[String], bits: &mut Bits) {
        let at = self.segments.partition_point(|segment| segment.first() < first);
        let Some(segment) = self.segments.get(at).filter(|segment| segment.first() == first) else { return };
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.with_body(segment, |body| body.search(skip, query, names, bits));
    }

    fn visit_segment(
        &self,
        segment: &Segment,
        range: &std::ops::Range<u64>,
        visitor: &mut impl FnMut(u64, &Entry<'_>) -> bool,
    ) -> bool {
        let visited = self.with_body(segment, |body| {
            let numbers = segment.first().max(range.start)..segment.end().min(range.end);
            numbers.into_iter().all(|number| {
                let index = usize::try_from(number - segment.first()).unwrap_or(usize::MAX);
                body.entry(index).is_none_or(|entry| visitor(number, &entry))
            })
        });
        visited.unwrap_or(true)
    }

    fn with_body<T>(&self, segment: &Segment, work: impl FnOnce(&Body) -> T) -> Option<T> {
        match segment.body() {
            Ok(body) => Some(work(body)),
            Err(place) => {
                let bytes = self.spill.as_ref()?.read(place).ok()?;
                Some(work(&Body::decode(&bytes)?))
            }
        }
    }

    /// Moves the oldest segments in memory to disk, and lets go what does not fit there; what they took in memory.
    fn make_room(&mut self) -> Body {
        let mut spare = Body::default();
        while self.memory > self.limits.memory {
            let Some(at) = self.segments.iter().position(|segment| segment.body().is_ok()) else { break };
            let Some(segment) = self.segments.get(at) else { break };
            let size = segment.text_len();
            let limit = self.limits.disk;
            let written = match segment.body() {
                Ok(body) if self.broken.is_none() => write(&mut self.spill, limit, &body.encode()),
                _ => Err(io::Error::other("nowhere to write to")),
            };
            match written {
                Ok(place) => {
                    while self.segments.front().is_some_and(|old| old.overlaps(place)) {
                        self.segments.pop_front();
                    }
                    if let Some(segment) = self.segments.iter_mut().find(|segment| segment.body().is_ok()) {
                        spare = segment.left(place);
                    }
                }
                Err(error) => {
                    self.broken.get_or_insert_with(|| error.to_string());
                    self.segments.remove(at);
                }
            }
            self.memory = self.memory.saturating_sub(size);
        }
        spare
    }
}

/// Writes to the file, which is made when it is needed first.
fn write(spill: &mut Option<Spill>, limit: u64, parts: &[Cow<'_, [u8]>]) -> io::Result<segment::Place> {
    let spill = match spill {
        Some(spill) => spill,
        none => none.insert(Spill::new(limit)?),
    };
    spill.write(parts)
}

/// An event as a query sees it.
fn subject<'a>(entry: &Entry<'a>, names: &'a [String]) -> Subject<'a> {
    Subject {
        text: entry.text.as_bytes(),
        level: entry.level,
        source: names.get(usize::from(entry.source)).map_or("", String::as_str),
        time: entry.time,
        fingerprint: entry.fingerprint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limits: Limits, count: u64) -> History {
        let mut history = History::new(limits);
        for number in 0..count {
            let text = format!("event {number} {}", "x".repeat(200));
            let time = Time::from_timestamp_millis(i64::try_from(number).unwrap() * 10).unwrap();
            let level = if number % 10 == 0 { Some(Level::Error) } else { None };
            let entry = Entry { text: &text, time, source: 0, level, kind: Kind::Event, fingerprint: None };
            assert_eq!(history.push(&entry), number);
        }
        history
    }

    fn matches(history: &History, query: &str) -> Vec<u64> {
        let query = Query::parse(query, Time::default()).unwrap();
        let mut found = Vec::new();
        for (first, end) in history.segments() {
            let mut bits = Bits::default();
            history.search((first, first), &query, &["pod/main".to_owned()], &mut bits);
            found.extend((first..end).filter(|number| bits.get(usize::try_from(number - first).unwrap())));
        }
        found
    }

    #[test]
    fn old_events_go_to_disk_and_can_be_read_and_searched_there() {
        let history = filled(Limits { memory: 2 << 20, disk: 1 << 30 }, 40_000);
        assert_eq!((history.first(), history.next()), (0, 40_000));
        assert!(history.memory() < 3 << 20, "{}", history.memory());
        let mut seen = Vec::new();
        history.visit(3..6, &mut |number, entry| {
            seen.push((number, entry.text.split(" x").next().unwrap().to_owned(), entry.level));
            true
        });
        assert_eq!(seen, [(3, "event 3".into(), None), (4, "event 4".into(), None), (5, "event 5".into(), None)]);
        let mut back = Vec::new();
        history.visit_back(0..20_001, &mut |number, _| {
            back.push(number);
            back.len() < 3
        });
        assert_eq!(back, [20_000, 19_999, 19_998]);
        assert_eq!(matches(&history, "/event 17\\d9\\d /").len(), 100);
        assert_eq!(matches(&history, "level=error").len(), 4_000);
        assert_eq!(matches(&history, "!/event [0-9]*[1-9] /").len(), 4_000);
        for number in [0, 7, 12_345, 39_999] {
            let time = Time::from_timestamp_millis(i64::try_from(number).unwrap() * 10).unwrap();
            assert_eq!(history.at(time), number);
        }
    }

    #[test]
    fn the_disk_has_an_end_and_what_is_let_go_is_known() {
        let history = filled(Limits { memory: 1 << 20, disk: 4 << 20 }, 60_000);
        assert!(history.first() > 20_000, "{}", history.first());
        let mut seen = 0;
        history.visit(0..60_000, &mut |number, entry| {
            assert!(entry.text.starts_with(&format!("event {number} ")), "{number}");
            seen += 1;
            true
        });
        assert_eq!(seen, 60_000 - history.first());
        assert!(history.trouble().is_none());
    }

    #[test]
    fn memory_is_not_much_more_than_the_text() {
        let history = filled(Limits::default(), 100_000);
        let (resident, text) = (history.resident(), history.memory());
        assert!(resident * 10 < text * 12, "{resident} bytes for {text}");
    }

    #[test]
    fn a_match_does_not_reach_over_the_end_of_an_event() {
        let mut history = History::new(Limits::default());
        for text in ["one", "two", "one\ntwo"] {
            let entry =
                Entry { text, time: Time::default(), source: 0, level: None, kind: Kind::Event, fingerprint: None };
            history.push(&entry);
        }
        assert_eq!(matches(&history, "/one\\stwo/"), [2]);
        assert_eq!(matches(&history, "/^two$/"), [1, 2]);
    }
}
