//! Topics, consumer groups and their lag.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::key::KafkaKey;

/// The two ends of one partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionEnds {
    /// Partition number.
    pub partition: i32,
    /// Offset of the oldest record kept.
    pub low: i64,
    /// Offset that the next record will get.
    pub high: i64,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Where it is.
    pub key: KafkaKey,
    /// Its partitions by number, without those whose broker did not tell the ends.
    pub partitions: Vec<PartitionEnds>,
    /// Partitions without a leader: nothing can be read or written there.
    pub leaderless: u32,
    /// Records written per second; `None` until it was seen twice.
    pub records_per_second: Option<f64>,
    /// When the broker was asked.
    pub observed_at: Time,
}

impl Topic {
    /// Records kept at most: compaction and transactions leave holes.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.partitions.iter().map(|ends| (ends.high - ends.low).max(0).unsigned_abs()).sum()
    }
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionLag {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
    /// Committed offset; `None` when the group never committed here.
    pub committed: Option<i64>,
    /// Offset of the oldest record kept.
    pub low: i64,
    /// Offset that the next record will get.
    pub high: i64,
    /// Age of the first record that is not committed, in milliseconds; `None` when nobody looked.
    pub behind_ms: Option<u64>,
}

impl PartitionLag {
    /// Records between the commit and the end; `None` when the group never committed here.
    #[must_use]
    pub fn records(&self) -> Option<u64> {
        self.committed.map(|committed| (self.high - committed).max(0).unsigned_abs())
    }
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Where it is.
    pub key: KafkaKey,
    /// Kafka's word for its state: `Stable`, `Empty`, `PreparingRebalance`, `Dead`…; empty when unknown.
    pub state: Arc<str>,
    /// Members.
    pub members: u32,
    /// Progress by topic and partition, as far as the ends are known.
    pub partitions: Vec<PartitionLag>,
    /// Records committed per second; `None` until it was seen twice.
    pub consumed_per_second: Option<f64>,
    /// Records written per second to what it reads; `None` until it was seen twice.
    pub produced_per_second: Option<f64>,
    /// When the broker was asked.
    pub observed_at: Time,
}

impl Group {
    /// Lag in records; `None` when it has committed nothing at all.
    #[must_use]
    pub fn lag_records(&self) -> Option<u64> {
        let mut known = self.partitions.iter().filter_map(PartitionLag::records).peekable();
        known.peek()?;
        Some(known.sum())
    }

    /// Lag in time: the age of the oldest record that is not committed, in milliseconds.
    #[must_use]
    pub fn behind_ms(&self) -> Option<u64> {
        match self.lag_records()? {
            0 => Some(0),
            _ => self.partitions.iter().filter_map(|partition| partition.behind_ms).max(),
        }
    }

    /// The partition that is furthest behind.
    #[must_use]
    pub fn worst(&self) -> Option<&PartitionLag> {
        self.partitions
            .iter()
            .filter(|partition| partition.records().is_some_and(|lag| lag > 0))
            .max_by_key(|partition| partition.records())
    }

    /// How fast lag grows, in records per second; negative while it drains.
    #[must_use]
    pub fn growth_per_second(&self) -> Option<f64> {
        Some(self.produced_per_second? - self.consumed_per_second?)
    }

    /// Seconds until the lag is gone at the present rates; `None` when it does not shrink.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a lag of 2^53 records is out of this world")]
    pub fn drain_seconds(&self) -> Option<f64> {
        let lag = self.lag_records()? as f64;
        let shrinks = -self.growth_per_second()?;
        if lag == 0.0 { Some(0.0) } else { (shrinks > 0.0).then(|| lag / shrinks) }
    }
}
