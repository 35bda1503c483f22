//! Many streams into one, in order of time.
//!
//! Each stream has a folder of its own, so that no trace is torn by another stream's lines. An event is handed out
//! when every other stream is known to be past it, or after a while: a stream that is silent, or slow, holds
//! the others up no longer than [`STRAGGLER`], and one that is in the middle of a trace no longer than [`OPEN`].
//! Events of one moment keep the order in which they came, and events of one stream always do, whatever its clock
//! says.
//!
//! It must not drop anything; [`Braid::held`] tells whoever feeds it when to wait.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::fold::{Folder, PATIENCE};
use super::format::Choice;
use super::frame::Line;
use super::record::Record;
use crate::model::Time;

/// How long a silent stream is waited for.
pub const STRAGGLER: TimeDelta = TimeDelta::milliseconds(500);
/// How long a stream is waited for that has begun an earlier event and not ended it.
pub const OPEN: TimeDelta = TimeDelta::milliseconds(1_500);

/// Streams that become one; `M` is what stands between events, such as a gap.
#[derive(Debug)]
pub struct Braid<M> {
    streams: Vec<Stream<M>>,
    /// Counts what came in, to keep the order of equal moments.
    came: u64,
    held: usize,
}

/// What a stream says.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<M> {
    /// An event.
    Event(Box<Record>),
    /// Something between events.
    Mark(M),
}

#[derive(Debug)]
struct Stream<M> {
    folder: Folder,
    /// The first line of the event that is open: when it was written, and when it came.
    open: Option<(Time, Time)>,
    queue: VecDeque<Waiting<M>>,
    /// No event of it is handed out with an earlier time than that of the one before.
    latest: Option<Time>,
    over: bool,
}

#[derive(Debug)]
struct Waiting<M> {
    time: Time,
    came: u64,
    at: Time,
    entry: Entry<M>,
}

impl<M> Default for Braid<M> {
    fn default() -> Self {
        Self { streams: Vec::new(), came: 0, held: 0 }
    }
}

impl<M> Braid<M> {
    /// A new stream in a format, or in one that it finds out; its number.
    pub fn add(&mut self, choice: Choice) -> usize {
        let folder = Folder::new(choice);
        self.streams.push(Stream { folder, open: None, queue: VecDeque::new(), latest: None, over: false });
        self.streams.len() - 1
    }

    /// Takes the next line of a stream, written at `time`, which came at `now`.
    pub fn line(&mut self, number: usize, line: &str, (time, now): (Time, Time)) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        stream.over = false;
        let Stream { folder, open, queue, latest, .. } = stream;
        let (first, at) = *open.get_or_insert((time, now));
        let mut taken = Taken { came: &mut self.came, held: &mut self.held, at };
        let mut out = 0;
        folder.push(&Line { text: line.into() }, now, &mut |event| {
            out += 1;
            queue.push_back(taken.in_order(first, latest, Entry::Event(Box::new(Record::of(event)))));
        });
        if out > 0 {
            // The line that ended the event before begins the next one.
            *open = Some((time, now));
        }
    }

    /// Puts something between the events of a stream.
    pub fn mark(&mut self, number: usize, mark: M, (time, now): (Time, Time)) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let mut taken = Taken { came: &mut self.came, held: &mut self.held, at: now };
        stream.close(&mut taken);
        stream.queue.push_back(taken.in_order(time, &mut stream.latest, Entry::Mark(mark)));
    }

    /// Nothing more comes from a stream for now: it is not waited for.
    pub fn over(&mut self, number: usize, now: Time) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        stream.close(&mut Taken { came: &mut self.came, held: &mut self.held, at: now });
        stream.over = true;
    }

    /// Hands out what is due: stream, time, entry.
    pub fn drain(&mut self, now: Time, sink: &mut impl FnMut(usize, Time, Entry<M>)) {
        for stream in &mut self.streams {
            let Stream { folder, open, queue, latest, .. } = stream;
            if let Some((first, at)) = *open {
                let mut taken = Taken { came: &mut self.came, held: &mut self.held, at };
                folder.tick(now, &mut |event| {
                    *open = None;
                    queue.push_back(taken.in_order(first, latest, Entry::Event(Box::new(Record::of(event)))));
                });
            }
        }
        while let Some(number) = self.next(now) {
            let Some(waiting) = self.streams.get_mut(number).and_then(|stream| stream.queue.pop_front()) else {
                return;
            };
            self.held = self.held.saturating_sub(waiting.size());
            sink(number, waiting.time, waiting.entry);
        }
    }

    /// Hands out everything.
    pub fn finish(&mut self, now: Time, sink: &mut impl FnMut(usize, Time, Entry<M>)) {
        for number in 0..self.streams.len() {
            self.over(number, now);
        }
        self.drain(now, sink);
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.iter().all(|stream| stream.queue.is_empty() && stream.open.is_none())
    }

    /// The stream whose first entry is the earliest, if that may go.
    fn next(&self, now: Time) -> Option<usize> {
        let heads =
            self.streams.iter().enumerate().filter_map(|(number, stream)| Some((number, stream.queue.front()?)));
        let (number, head) = heads.min_by_key(|(_, head)| (head.time, head.came))?;
        let waited = now - head.at;
        let passed = |(other, stream): (usize, &Stream<M>)| {
            other == number || stream.over || !stream.queue.is_empty() || stream.lets_pass(head.time, waited)
        };
        self.streams.iter().enumerate().all(passed).then_some(number)
    }
}

impl<M> Stream<M> {
    fn lets_pass(&self, time: Time, waited: TimeDelta) -> bool {
        match self.open {
            Some((open, _)) if open > time => true,
            Some(_) => waited >= OPEN,
            None => waited >= STRAGGLER,
        }
    }

    fn close(&mut self, taken: &mut Taken<'_>) {
        let Self { folder, open, queue, latest, .. } = self;
        if let Some((first, _)) = open.take() {
            folder.finish(&mut |event| {
                queue.push_back(taken.in_order(first, latest, Entry::Event(Box::new(Record::of(event)))));
            });
        }
    }
}

/// What is noted of everything that comes in.
struct Taken<'a> {
    came: &'a mut u64,
    held: &'a mut usize,
    /// When it came.
    at: Time,
}

impl Taken<'_> {
    fn in_order<M>(&mut self, time: Time, latest: &mut Option<Time>, entry: Entry<M>) -> Waiting<M> {
        let time = latest.map_or(time, |latest| latest.max(time));
        *latest = Some(time);
        *self.came += 1;
        let waiting = Waiting { time, came: *self.came, at: self.at, entry };
        *self.held += waiting.size();
        waiting
    }
}

impl<M> Waiting<M> {
    fn size(&self) -> usize {
        match &self.entry {
            Entry::Event(record) => record.size(),
            Entry::Mark(_) => size_of::<Self>(),
        }
    }
}

/// An open event is handed out by its folder after a while, and only then is it late.
const _: () = assert!(OPEN.num_milliseconds() > PATIENCE.num_milliseconds());

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Time {
        Time::from_timestamp_millis(1_700_000_000_000 + ms).unwrap()
    }

    fn drained(braid: &mut Braid<&'static str>, now: Time) -> Vec<String> {
        let mut out = Vec::new();
        braid.drain(now, &mut |number, _, entry| match entry {
            Entry::Event(record) => out.push(format!("{number} {}", record.message)),
            Entry::Mark(mark) => out.push(format!("{number} [{mark}]")),
        });
        out
    }

    fn line(ms: i64, words: &str) -> String {
        format!("{} INFO  a.B [] - {words}", at(ms).format("%Y-%m-%d %H:%M:%S,%3f"))
    }

    #[test]
    fn streams_are_merged_in_order_of_time_as_soon_as_it_is_known() {
        let mut braid = Braid::default();
        let (one, two) = (braid.add(Choice::Detect), braid.add(Choice::Detect));
        for ms in [0, 20, 40] {
            braid.line(one, &line(ms, &ms.to_string()), (at(ms), at(100)));
        }
        for ms in [10, 30, 50] {
            braid.line(two, &line(ms, &ms.to_string()), (at(ms), at(101)));
        }
        assert_eq!(drained(&mut braid, at(101)), ["0 0", "1 10", "0 20", "1 30"]);
        assert_eq!(drained(&mut braid, at(1_101)), ["0 40", "1 50"]);
        assert!(braid.is_empty() && braid.held() == 0);
    }

    #[test]
    fn a_silent_stream_is_waited_for_and_not_longer() {
        let mut braid = Braid::default();
        let (one, _silent) = (braid.add(Choice::Detect), braid.add(Choice::Detect));
        braid.line(one, &line(0, "a"), (at(0), at(0)));
        braid.line(one, &line(1, "b"), (at(1), at(1)));
        assert!(drained(&mut braid, at(499)).is_empty());
        assert_eq!(drained(&mut braid, at(501)), ["0 a"]);
    }

    #[test]
    fn a_trace_that_is_being_written_is_waited_for_a_little_longer() {
        let mut braid = Braid::default();
        let (one, two) = (braid.add(Choice::Detect), braid.add(Choice::Detect));
        braid.line(one, &line(0, "failed"), (at(0), at(0)));
        for ms in [1, 2] {
            braid.line(two, &line(ms, "later"), (at(ms), at(ms)));
        }
        assert!(drained(&mut braid, at(900)).is_empty());
        braid.line(one, "java.io.IOException: x", (at(3), at(910)));
        assert_eq!(drained(&mut braid, at(1_950)), ["0 failed", "1 later", "1 later"]);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_turn_a_stream_round_and_marks_keep_their_place() {
        let mut braid = Braid::default();
        let one = braid.add(Choice::Detect);
        braid.line(one, &line(50, "a"), (at(50), at(50)));
        braid.line(one, &line(10, "b"), (at(10), at(51)));
        braid.mark(one, "gap", (at(11), at(52)));
        braid.line(one, &line(12, "c"), (at(12), at(53)));
        braid.over(one, at(54));
        assert_eq!(drained(&mut braid, at(54)), ["0 a", "0 b", "0 [gap]", "0 c"]);
    }
}
