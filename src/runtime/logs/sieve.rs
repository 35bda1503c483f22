//! Which events a query holds for, found segment by segment from the newest back, and events over time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::logs::event::Level;
use crate::logs::history::{Bits, Entry, History};
use crate::logs::news::{Bar, Histogram};
use crate::logs::query::Query;
use crate::model::Time;

/// Seconds that are counted; of a longer log the latest.
const MOST_SECONDS: usize = 100_000;
/// Bars of a histogram.
const BARS: i64 = 120;
/// Lengths of a bar in seconds.
const STEPS: [i64; 12] = [1, 2, 5, 10, 30, 60, 120, 300, 900, 3_600, 14_400, 86_400];

/// Events by second.
#[derive(Debug, Default)]
pub(super) struct Seconds(BTreeMap<i64, Bar>);

impl Seconds {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let bad = entry.fingerprint.is_some() || entry.level.is_some_and(|level| level >= Level::Error);
        let bar = self.0.entry(entry.time.timestamp()).or_default();
        bar.count += 1;
        bar.bad += u64::from(bad);
        if self.0.len() > MOST_SECONDS {
            self.0.pop_first();
        }
    }

    /// Bars from the first second up to now.
    pub(super) fn histogram(&self, now: Time) -> Histogram {
        let Some((first, _)) = self.0.first_key_value() else { return Histogram::default() };
        let last = self.0.last_key_value().map_or(*first, |(last, _)| *last).max(now.timestamp());
        let step = STEPS.into_iter().find(|step| (last - first) / step < BARS).unwrap_or(86_400);
        let start = (first.div_euclid(step)).max(last.div_euclid(step) - BARS + 1) * step;
        let count = usize::try_from((last - start).div_euclid(step) + 1).unwrap_or(1);
        let mut bars = vec![Bar::default(); count];
        for (second, bar) in self.0.range(start..) {
            let place = usize::try_from((second - start).div_euclid(step)).unwrap_or(usize::MAX);
            if let Some(sum) = bars.get_mut(place) {
                sum.count += bar.count;
                sum.bad += bar.bad;
            }
        }
        Histogram { start: Time::from_timestamp(start, 0), step_seconds: step, bars }
    }
}

/// A query and what was found so far.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    pub(super) query: Query,
    /// By the first event of a segment: its matches, and up to which event it was searched.
    done: HashMap<u64, (Bits, u64)>,
    /// Gaps and remarks, which are shown in any case.
    marks: BTreeSet<u64>,
    found: u64,
    seconds: Seconds,
}

impl Sieve {
    /// A query that means nothing finds nothing; the screen says why.
    pub(super) fn new(text: &str, now: Time) -> Self {
        let nothing = || Query::of_regex("[^\\s\\S]").unwrap_or_default();
        Self { query: Query::parse(text, now).unwrap_or_else(|_| nothing()), ..Self::default() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.query.is_empty()
    }

    pub(super) const fn found(&self) -> u64 {
        self.found
    }

    pub(super) const fn seconds(&self) -> &Seconds {
        &self.seconds
    }

    pub(super) fn mark(&mut self, event: u64) {
        self.marks.insert(event);
    }

    /// The next events to search: a segment and from where on.
    pub(super) fn next(&self, history: &History) -> Option<(u64, u64, u64)> {
        if self.is_empty() {
            return None;
        }
        history.segments().rev().find_map(|(first, end)| {
            let from = self.done.get(&first).map_or(first, |(_, to)| *to);
            (from < end).then_some((first, from, end))
        })
    }

    /// Searches one segment; whether anything was searched.
    pub(super) fn step(&mut self, history: &History, names: &[String]) -> bool {
        let Some((first, from, end)) = self.next(history) else { return false };
        let (bits, to) = self.done.entry(first).or_insert_with(|| (Bits::default(), first));
        let before = bits.count();
        history.search((first, from), &self.query, names, bits);
        *to = end;
        if bits.count() > before {
            history.visit(from..end, &mut |number, entry| {
                if bits.get(usize::try_from(number - first).unwrap_or(usize::MAX)) {
                    self.found += 1;
                    self.seconds.add(entry);
                }
                true
            });
        }
        let oldest = history.first();
        self.done.retain(|first, (_, to)| *first >= oldest || *to > oldest);
        true
    }

    /// Share of the history that was searched.
    pub(super) fn percent(&self, history: &History) -> u8 {
        if self.is_empty() {
            return 100;
        }
        let all = history.next() - history.first();
        let searched: u64 =
            history.segments().map(|(first, _)| self.done.get(&first).map_or(0, |(_, to)| to - first)).sum();
        u8::try_from((searched * 100).checked_div(all).unwrap_or(100)).unwrap_or(100)
    }

    /// Whether the query holds for an event of a segment, as far as is known.
    pub(super) fn holds(&self, first: u64, number: u64) -> bool {
        let index = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        self.is_empty() || self.done.get(&first).is_some_and(|(bits, _)| number >= first && bits.get(index))
    }

    /// Whether any event of a segment is shown when only matches are.
    pub(super) fn shows_any(&self, first: u64, end: u64, context: u8) -> bool {
        context > 0
            || self.is_empty()
            || self.done.get(&first).is_some_and(|(bits, _)| bits.count() > 0)
            || self.marks.range(first..end).next().is_some()
    }
}
