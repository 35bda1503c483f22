//! One partition's log: whole batches in memory, oldest dropped when the byte cap is passed.
//!
//! Plain synchronous state without a clock. A reader gets handles to the stored batches, never copies; a reader with
//! nothing to read leaves a bell here, and the next append rings it. Batches are found by offset with a binary search
//! and by time with a scan of their headers.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use super::batch::{self, Header};
use super::sequences::{Sequences, Verdict};

/// Bytes a partition keeps before its oldest batches go.
pub const PARTITION_BYTES: usize = 8 * 1024 * 1024;

/// What a stored batch costs beside its bytes, counted so that a flood of tiny batches is bounded too.
const BATCH_OVERHEAD: usize = 128;

/// The batches of one partition.
#[derive(Debug)]
pub struct PartitionLog {
    batches: VecDeque<Stored>,
    /// First offset still readable.
    start: i64,
    /// Offset the next record gets.
    end: i64,
    /// Bytes held, overhead included.
    bytes: usize,
    cap: usize,
    sequences: Sequences,
    /// Readers waiting for the next append.
    bells: Vec<Weak<Notify>>,
}

#[derive(Debug)]
struct Stored {
    last_offset: i64,
    max_timestamp: i64,
    bytes: Bytes,
}

impl PartitionLog {
    /// An empty log that keeps `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            start: 0,
            end: 0,
            bytes: 0,
            cap,
            sequences: Sequences::default(),
            bells: Vec::new(),
        }
    }

    /// First offset still readable.
    pub const fn start(&self) -> i64 {
        self.start
    }

    /// Offset the next record gets; also the high watermark, for there are no replicas to wait for.
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// Stores a checked batch from a producer; answers its base offset.
    pub fn produce(&mut self, records: &Bytes, header: &Header) -> Result<i64, ResponseError> {
        match self.sequences.judge(header)? {
            Verdict::Duplicate(base_offset) => Ok(base_offset),
            Verdict::New => {
                let base_offset = self.end;
                self.sequences.record(header, base_offset);
                self.push(batch::place(records, base_offset));
                Ok(base_offset)
            }
        }
    }

    /// Takes note of a checked batch that is kept aside until its transaction ends; answers whether it is new, and the
    /// offset that its producer is told.
    pub fn note(&mut self, header: &Header) -> Result<(bool, i64), ResponseError> {
        match self.sequences.judge(header)? {
            Verdict::Duplicate(base_offset) => Ok((false, base_offset)),
            Verdict::New => {
                self.sequences.record(header, self.end);
                Ok((true, self.end))
            }
        }
    }

    /// Stores a batch that was noted before.
    pub fn put(&mut self, records: &[u8]) {
        self.push(batch::place(records, self.end));
    }

    /// Stores a batch built in this process; answers its base offset.
    pub fn append(&mut self, mut built: BytesMut) -> i64 {
        let base_offset = self.end;
        batch::set_base_offset(&mut built, base_offset);
        self.push(built.freeze());
        base_offset
    }

    fn push(&mut self, bytes: Bytes) {
        let Some(header) = Header::read(&bytes) else { return };
        self.end = header.last_offset().saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.len() + BATCH_OVERHEAD);
        self.batches.push_back(Stored {
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            bytes,
        });
        while self.bytes > self.cap && self.batches.len() > 1 {
            self.drop_oldest();
        }
        self.ring();
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.batches.pop_front() {
            self.bytes = self.bytes.saturating_sub(oldest.bytes.len() + BATCH_OVERHEAD);
            self.start = self.start.max(oldest.last_offset.saturating_add(1));
        }
    }

    /// Wakes every waiting reader.
    pub fn ring(&mut self) {
        for bell in self.bells.drain(..) {
            if let Some(bell) = bell.upgrade() {
                bell.notify_one();
            }
        }
    }

    /// Has `bell` rung at the next append.
    pub fn wait(&mut self, bell: &Arc<Notify>) {
        self.bells.retain(|other| other.strong_count() > 0);
        self.bells.push(Arc::downgrade(bell));
    }

    /// Adds to `found` the batches from `offset` on that fit in `limit` bytes, and with `first_whole` the first one
    /// whatever its size; answers their bytes. The first batch may begin before `offset`: clients skip that part.
    pub fn read(&self, offset: i64, limit: Limit, found: &mut Vec<Bytes>) -> Result<usize, ResponseError> {
        if !(self.start..=self.end).contains(&offset) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let first = self.batches.partition_point(|stored| stored.last_offset < offset);
        let mut total = 0;
        for stored in self.batches.range(first..) {
            let next = total + stored.bytes.len();
            if next > limit.bytes && !(limit.first_whole && total == 0) {
                break;
            }
            total = next;
            found.push(stored.bytes.clone());
        }
        Ok(total)
    }

    /// The first record at or after `timestamp`, as offset and its timestamp.
    pub fn at_time(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.batches
            .iter()
            .filter(|stored| stored.max_timestamp >= timestamp)
            .find_map(|stored| batch::find_record(&stored.bytes, self.start, |time| time >= timestamp))
    }

    /// The first record with the highest timestamp of all, as offset and that timestamp.
    pub fn newest(&self) -> Option<(i64, i64)> {
        let highest = self.batches.iter().map(|stored| stored.max_timestamp).max()?;
        let (offset, _) = self.at_time(highest)?;
        Some((offset, highest))
    }

    /// Makes `offset` the first readable one, freeing whole batches before it; -1 stands for the end.
    pub fn truncate(&mut self, offset: i64) -> Result<i64, ResponseError> {
        let offset = if offset == -1 { self.end } else { offset };
        if offset < 0 || offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        while self.batches.front().is_some_and(|oldest| oldest.last_offset < offset) {
            self.drop_oldest();
        }
        self.start = self.start.max(offset);
        Ok(self.start)
    }
}

/// How much a reader takes.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Bytes of batches at most.
    pub bytes: usize,
    /// Whether the first batch comes even when it alone is over the limit, so that a small limit cannot stall.
    pub first_whole: bool,
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::*;

    const ROOM: Limit = Limit { bytes: usize::MAX, first_whole: false };

    fn built(timestamps: &[i64]) -> BytesMut {
        let record = |timestamp_ms: &i64| Record {
            key: None,
            value: Bytes::from_static(&[7; 100]),
            timestamp_ms: *timestamp_ms,
            headers: Vec::new(),
        };
        batch::build(&timestamps.iter().map(record).collect::<Vec<_>>()).unwrap()
    }

    fn log_of(batches: &[&[i64]]) -> PartitionLog {
        let mut log = PartitionLog::new(PARTITION_BYTES);
        for timestamps in batches {
            log.append(built(timestamps));
        }
        log
    }

    fn read(log: &PartitionLog, offset: i64, limit: Limit) -> Result<usize, ResponseError> {
        let mut found = Vec::new();
        log.read(offset, limit, &mut found).map(|_| found.len())
    }

    #[test]
    fn reads_start_at_the_batch_that_holds_the_offset() {
        let log = log_of(&[&[1, 2], &[3], &[4, 5, 6]]);
        assert_eq!(log.end(), 6);
        assert_eq!(read(&log, 0, ROOM), Ok(3));
        assert_eq!(read(&log, 1, ROOM), Ok(3));
        assert_eq!(read(&log, 2, ROOM), Ok(2));
        assert_eq!(read(&log, 6, ROOM), Ok(0));
        assert_eq!(read(&log, 7, ROOM), Err(ResponseError::OffsetOutOfRange));
    }

    #[test]
    fn limits_hold_but_the_first_batch_can_come_whole() {
        let log = log_of(&[&[1], &[2], &[3]]);
        assert_eq!(read(&log, 0, Limit { bytes: 10, first_whole: false }), Ok(0));
        assert_eq!(read(&log, 0, Limit { bytes: 10, first_whole: true }), Ok(1));
        assert_eq!(read(&log, 0, Limit { bytes: 2 * built(&[1]).len(), first_whole: true }), Ok(2));
    }

    #[test]
    fn the_cap_drops_oldest_batches_and_moves_the_start() {
        let mut log = PartitionLog::new(3 * (built(&[1]).len() + BATCH_OVERHEAD));
        for time in 0..10 {
            log.append(built(&[time]));
        }
        assert_eq!((log.start(), log.end()), (7, 10));
        assert_eq!(read(&log, 6, ROOM), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(read(&log, 7, ROOM), Ok(3));
    }

    #[test]
    fn times_are_looked_up_inside_batches() {
        let log = log_of(&[&[10, 20], &[15, 40, 30], &[50]]);
        assert_eq!(log.at_time(0), Some((0, 10)));
        assert_eq!(log.at_time(11), Some((1, 20)));
        assert_eq!(log.at_time(21), Some((3, 40)));
        assert_eq!(log.at_time(50), Some((5, 50)));
        assert_eq!(log.at_time(51), None);
        assert_eq!(log.newest(), Some((5, 50)));
        assert_eq!(log_of(&[]).newest(), None);
    }

    #[test]
    fn truncation_hides_records_and_frees_whole_batches() {
        let mut log = log_of(&[&[1, 2], &[3, 4]]);
        assert_eq!(log.truncate(3), Ok(3));
        assert_eq!(log.at_time(0), Some((3, 4)));
        assert_eq!(read(&log, 2, ROOM), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(log.truncate(9), Err(ResponseError::OffsetOutOfRange));
        assert_eq!(log.truncate(-1), Ok(4));
        assert_eq!(read(&log, 4, ROOM), Ok(0));
    }

    #[test]
    fn an_append_rings_the_bells_left_behind() {
        let mut log = log_of(&[]);
        let bell = Arc::new(Notify::new());
        log.wait(&bell);
        drop(Arc::new(Notify::new()));
        log.append(built(&[1]));
        assert!(log.bells.is_empty());
        let mut rung = tokio_test_poll(&bell);
        assert!(rung.take().is_some(), "the bell keeps one ring for who waits later");
    }

    fn tokio_test_poll(bell: &Notify) -> Option<()> {
        use futures_util::FutureExt;
        bell.notified().now_or_never()
    }
}
