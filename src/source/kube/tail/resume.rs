//! Where a log was left, and how it is found again.
//!
//! The API server knows moments to the second alone, so what comes after a reconnect begins with lines that
//! were seen already. They are told by their time and bytes. When the last line that was seen is not among
//! them, it was rotated away or is of another container, and lines between may be missing.
//!
//! It must not take a clock for honest: one that steps back writes older times behind newer ones.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::Time;

/// Lines whose fingerprints are kept.
const RECENT: usize = 4_096;

/// What a line is, seen from where the log was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was not seen before.
    New,
    /// It was.
    Seen,
    /// It was not, and neither was the last one that was seen: something between is missing.
    Lost,
}

/// The place up to which a log was read.
#[derive(Debug, Default)]
pub struct Place {
    last: Option<(Time, u64)>,
    recent: VecDeque<u64>,
    search: Option<Search>,
}

/// The last line is looked for.
#[derive(Debug)]
struct Search {
    /// How often a line that looks like the last one was seen, and has to come again.
    awaited: usize,
    recent: HashSet<u64>,
}

impl Place {
    /// Time of the last line; `None` before the first.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        self.last.map(|(time, _)| time)
    }

    /// The log will be read again, from the second of the last line on.
    pub fn reconnect(&mut self) {
        self.search = self.last.map(|(_, last)| Search {
            awaited: self.recent.iter().filter(|line| **line == last).count().max(1),
            recent: self.recent.iter().copied().collect(),
        });
    }

    /// Whether the last line has not come again yet.
    #[must_use]
    pub const fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Gives the search up: what comes is new.
    pub fn give_up(&mut self) {
        self.search = None;
    }

    /// Another log begins: that of the container's next run.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// Judges the next line. A new one becomes the last; a lost one does after [`Self::give_up`].
    pub fn judge(&mut self, time: Time, line: &str) -> Verdict {
        let mut hasher = DefaultHasher::new();
        (time, line).hash(&mut hasher);
        let print = hasher.finish();
        if let (Some(search), Some((last_time, last))) = (&mut self.search, self.last) {
            if print == last {
                search.awaited -= 1;
                if search.awaited == 0 {
                    self.search = None;
                }
                return Verdict::Seen;
            }
            let seen = time < last_time || search.recent.contains(&print);
            return if seen { Verdict::Seen } else { Verdict::Lost };
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(print);
        self.last = Some((time, print));
        Verdict::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).unwrap()
    }

    fn judge(place: &mut Place, lines: &[(i64, &str)]) -> Vec<Verdict> {
        lines.iter().map(|(second, line)| place.judge(at(*second), line)).collect()
    }

    use Verdict::{Lost, New, Seen};

    #[test]
    fn what_was_seen_is_not_shown_again() {
        let mut place = Place::default();
        assert_eq!(judge(&mut place, &[(1, "a"), (2, "b"), (2, "c")]), [New; 3]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(2, "b"), (2, "c"), (2, "d"), (3, "e")]), [Seen, Seen, New, New]);
    }

    #[test]
    fn equal_lines_of_one_moment_are_counted() {
        let mut place = Place::default();
        judge(&mut place, &[(2, "a"), (2, "b"), (2, "a")]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(2, "a"), (2, "b"), (2, "a"), (2, "a")]), [Seen, Seen, Seen, New]);
    }

    #[test]
    fn a_last_line_that_is_gone_is_a_gap() {
        let mut place = Place::default();
        judge(&mut place, &[(1, "a"), (2, "b")]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(5, "x")]), [Lost]);
        place.give_up();
        assert_eq!(judge(&mut place, &[(5, "x"), (6, "y")]), [New, New]);
        assert_eq!(place.time(), Some(at(6)));
    }

    #[test]
    fn a_clock_that_steps_back_neither_repeats_nor_loses() {
        let mut place = Place::default();
        assert_eq!(judge(&mut place, &[(9, "a"), (5, "b")]), [New, New]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(9, "a"), (5, "b"), (4, "c"), (9, "a")]), [Seen, Seen, New, New]);
    }

    #[test]
    fn two_reconnects_in_a_row_keep_the_place() {
        let mut place = Place::default();
        judge(&mut place, &[(1, "a"), (1, "b")]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(1, "a")]), [Seen]);
        place.reconnect();
        assert_eq!(judge(&mut place, &[(1, "a"), (1, "b"), (1, "c")]), [Seen, Seen, New]);
    }
}
