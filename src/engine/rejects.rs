//! What was not counted, and why: a number for each reason, and the last samples to look at.
//!
//! It must not grow with what arrives: samples are few and short.

use std::collections::VecDeque;
use std::fmt;

/// Samples kept.
const SAMPLES: usize = 32;
/// Bytes kept of a sample's record.
const EXCERPT: usize = 512;

/// Why an event was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The record is not UTF-8.
    NotUtf8,
    /// The record is not JSON.
    NotJson,
    /// The record is not of the spec's format.
    Format,
    /// A field is not there or null.
    Missing,
    /// A field is of another type.
    WrongType,
    /// The event time cannot be.
    Time,
    /// The latency is negative or absurd.
    Latency,
    /// The service's name is empty or too long.
    Service,
    /// The record is longer than the limit.
    TooLong,
    /// The event is too far ahead of the clock.
    Future,
    /// The event came after the allowed lateness.
    Dropped,
    /// The limit of open windows or cells is reached.
    Overflow,
    /// The record is not a row of signals.
    Row,
    /// The row is of a form that is not read.
    RowVersion,
    /// The row was counted by another spec.
    RowSpec,
    /// The row's bins grow otherwise.
    RowGamma,
    /// The row's numbers contradict each other.
    RowNumbers,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NotUtf8,
        Self::NotJson,
        Self::Format,
        Self::Missing,
        Self::WrongType,
        Self::Time,
        Self::Latency,
        Self::Service,
        Self::TooLong,
        Self::Future,
        Self::Dropped,
        Self::Overflow,
        Self::Row,
        Self::RowVersion,
        Self::RowSpec,
        Self::RowGamma,
        Self::RowNumbers,
    ];

    /// Whether the record itself is bad, wherever and whenever it had come.
    pub const fn is_poison(self) -> bool {
        !matches!(self, Self::Future | Self::Dropped | Self::Overflow)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::NotJson => "not JSON",
            Self::Format => "not of the format",
            Self::Missing => "field missing",
            Self::WrongType => "wrong type",
            Self::Time => "impossible time",
            Self::Latency => "impossible latency",
            Self::Service => "impossible service name",
            Self::TooLong => "record too long",
            Self::Future => "ahead of the clock",
            Self::Dropped => "too late",
            Self::Overflow => "over a limit",
            Self::Row => "not a row of signals",
            Self::RowVersion => "a row of another version",
            Self::RowSpec => "a row of another spec",
            Self::RowGamma => "a row of other bins",
            Self::RowNumbers => "a row that contradicts itself",
        })
    }
}

/// One event that was not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Why.
    pub reason: Reason,
    /// What exactly was wrong.
    pub detail: String,
    /// Partition it came from.
    pub partition: u32,
    /// Its offset there, where that is known.
    pub offset: Option<i64>,
    /// The beginning of the record.
    pub excerpt: String,
}

/// Counts by reason, and the last samples.
#[derive(Clone, Debug, Default)]
pub struct Rejects {
    counts: [u64; Reason::ALL.len()],
    samples: VecDeque<Sample>,
}

impl Rejects {
    /// Counts one event and keeps it as the last sample.
    pub fn add(&mut self, reason: Reason, detail: String, partition: u32, record: &[u8]) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count += 1;
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        let excerpt = String::from_utf8_lossy(record.get(..EXCERPT).unwrap_or(record)).into_owned();
        self.samples.push_back(Sample { reason, detail, partition, offset: None, excerpt });
    }

    /// Says where the last samples lie: they are of one record.
    pub fn locate(&mut self, count: usize, offset: i64) {
        for sample in self.samples.iter_mut().rev().take(count) {
            sample.offset = Some(offset);
        }
    }

    /// How many events were not counted for a reason.
    pub fn count(&self, reason: Reason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many records were bad.
    pub fn poison(&self) -> u64 {
        Reason::ALL.iter().filter(|reason| reason.is_poison()).map(|reason| self.count(*reason)).sum()
    }

    /// The last samples, oldest first.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_count() {
        let mut rejects = Rejects::default();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            rejects.add(reason, String::new(), 0, b"");
        }
        assert!(Reason::ALL.into_iter().all(|reason| rejects.count(reason) == 1));
        assert_eq!(rejects.poison(), 14, "all but what came at the wrong time or was too much");
    }

    #[test]
    fn samples_are_few_short_and_the_last() {
        let mut rejects = Rejects::default();
        for number in 0..10_000_u32 {
            rejects.add(Reason::NotJson, number.to_string(), 0, &[b'x'; 4_096]);
        }
        assert_eq!((rejects.count(Reason::NotJson), rejects.samples().count()), (10_000, SAMPLES));
        let last = rejects.samples().last().unwrap();
        assert_eq!((last.detail.as_str(), last.excerpt.len()), ("9999", EXCERPT));
    }
}
