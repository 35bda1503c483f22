//! Records per second from totals that were seen at moments. Pure.
//!
//! A topic's end moves all the time, but a Flink job commits once per checkpoint: its total stands still for a
//! minute and then leaps. A rate over a fixed window would read 0, 0, 0, then enormous, so commits are
//! measured from leap to leap.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::TimeDelta;

use crate::model::Time;

/// How long totals are kept: several checkpoints.
const KEPT: TimeDelta = TimeDelta::minutes(5);
/// Over how long a steady rate is taken.
const STEADY: TimeDelta = TimeDelta::seconds(10);
/// Least span over which leaps are measured.
const LEAPING: TimeDelta = TimeDelta::seconds(20);

/// Totals over time. Never yields a negative rate: a total that falls, or that is taken over other partitions
/// than before, begins a new series.
#[derive(Debug, Default)]
pub(super) struct Series {
    samples: VecDeque<(Time, i64)>,
    /// A hash of the partitions that the totals are of.
    partitions: u64,
}

impl Series {
    /// Takes a total over these partitions.
    pub(super) fn observe<P: Hash>(&mut self, at: Time, total: i64, partitions: impl Iterator<Item = P>) {
        let mut hasher = DefaultHasher::new();
        partitions.for_each(|partition| partition.hash(&mut hasher));
        let partitions = hasher.finish();
        let fell = self.samples.back().is_some_and(|(time, last)| total < *last || at <= *time);
        if fell || partitions != self.partitions {
            self.samples.clear();
            self.partitions = partitions;
        }
        self.samples.push_back((at, total));
        while self.samples.front().is_some_and(|(time, _)| at - *time > KEPT) {
            self.samples.pop_front();
        }
    }

    /// The rate of late; `None` until seen twice.
    pub(super) fn steady_rate(&self) -> Option<f64> {
        let (end, _) = self.samples.back()?;
        let begin = self.samples.iter().map(|(time, _)| *time).find(|time| *end - *time <= STEADY)?;
        // A slow round must not lose the rate: then it is taken from the sample before.
        let begin = if begin == *end { self.samples.iter().rev().nth(1)?.0 } else { begin };
        self.rate_between(begin, *end)
    }

    /// The span from leap to leap over which commits are measured; `None` until seen twice.
    pub(super) fn leap_span(&self) -> Option<(Time, Time)> {
        let (oldest, newest) = (self.samples.front()?.0, self.samples.back()?.0);
        if oldest == newest {
            return None;
        }
        let leaps: Vec<Time> = self
            .samples
            .iter()
            .zip(self.samples.iter().skip(1))
            .filter(|((_, before), (_, after))| before != after)
            .map(|(_, (time, _))| *time)
            .collect();
        let longest = leaps.iter().zip(leaps.iter().skip(1)).map(|(a, b)| *b - *a).max();
        let (Some(longest), Some(last)) = (longest, leaps.last()) else { return Some((oldest, newest)) };
        let since = (newest - LEAPING).min(newest - longest * 4);
        let first = *leaps.iter().find(|time| **time >= since).unwrap_or(last);
        // A leap that is overdue lowers the rate: whoever stopped to commit must not look busy.
        let end = if newest - *last > longest * 3 / 2 { newest } else { *last };
        Some(if first < end { (first, end) } else { (oldest, newest) })
    }

    /// The rate between two moments at which totals were taken.
    #[expect(clippy::cast_precision_loss, reason = "totals below 2^53 in one span")]
    pub(super) fn rate_between(&self, begin: Time, end: Time) -> Option<f64> {
        let total_at = |moment: Time| self.samples.iter().find(|(time, _)| *time == moment).map(|(_, total)| *total);
        let records = total_at(end)? - total_at(begin)?;
        let milliseconds = (end - begin).num_milliseconds();
        (milliseconds > 0).then(|| records as f64 * 1000.0 / milliseconds as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_000_000 + second, 0).unwrap()
    }

    fn series(samples: &[(i64, i64)]) -> Series {
        let mut series = Series::default();
        for (second, total) in samples {
            series.observe(at(*second), *total, 0..4);
        }
        series
    }

    fn leaping(series: &Series) -> Option<f64> {
        let (begin, end) = series.leap_span()?;
        series.rate_between(begin, end)
    }

    #[test]
    fn a_rate_needs_two_looks() {
        assert_eq!(series(&[(0, 5)]).steady_rate(), None);
        assert_eq!(leaping(&series(&[(0, 5)])), None);
        assert_eq!(series(&[(0, 5), (2, 25)]).steady_rate(), Some(10.0));
        assert_eq!(leaping(&series(&[(0, 5), (2, 25)])), Some(10.0));
    }

    #[test]
    fn a_steady_rate_forgets_what_is_long_ago() {
        assert_eq!(series(&[(0, 0), (2, 10_000), (20, 10_000), (25, 10_050)]).steady_rate(), Some(10.0));
        assert_eq!(series(&[(0, 0), (60, 600)]).steady_rate(), Some(10.0));
    }

    #[test]
    fn rates_are_never_negative() {
        let mut recreated = series(&[(0, 1000), (2, 1100), (4, 10)]);
        assert_eq!(recreated.steady_rate(), None);
        recreated.observe(at(6), 30, 0..4);
        assert_eq!(recreated.steady_rate(), Some(10.0));
        recreated.observe(at(8), 1_000_000, 0..5);
        assert_eq!(recreated.steady_rate(), None, "more partitions are another total");
        recreated.observe(at(10), 1_000_050, 0..5);
        recreated.observe(at(12), 2_000_000, 1..6);
        assert_eq!(recreated.steady_rate(), None, "and so are as many others");
    }

    #[test]
    fn commits_are_measured_from_leap_to_leap() {
        // 100 records per second, committed every ten seconds, looked at every two.
        let samples: Vec<(i64, i64)> = (0..30).map(|look| (look * 2, look * 2 / 10 * 1000)).collect();
        for end in 12..samples.len() {
            let rate = leaping(&series(&samples[..end])).unwrap();
            assert!((rate - 100.0).abs() < 1e-9, "after {end} looks: {rate}");
        }
    }

    #[test]
    fn an_overdue_commit_lowers_the_rate() {
        let mut samples: Vec<(i64, i64)> = (0..30).map(|look| (look, look * 10)).collect();
        assert_eq!(leaping(&series(&samples)), Some(10.0));
        samples.extend((30..90).map(|look| (look, 290)));
        let rate = leaping(&series(&samples)).unwrap();
        assert!(rate < 5.0, "{rate}");
        samples.extend((90..400).map(|look| (look, 290)));
        assert_eq!(leaping(&series(&samples)), Some(0.0));
    }
}
