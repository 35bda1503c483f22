//! Takes the values out of what a broker answered to a fetch: record batches as they lie in the log. Pure.
//!
//! Why: a million records a second leave no room for an object each. The checksum is taken over a whole batch, its
//! records are walked once, and their values are copied side by side into a [`Batch`], whose text is then checked at
//! once. Keys and headers are passed over.
//!
//! A batch that is damaged, or of a form from before Kafka 0.11, is counted and passed over; it must not stop a
//! partition. What an aborted transaction wrote is passed over too, unless uncommitted records are wanted.

use std::collections::BTreeSet;

use super::inflate::Codec;
use crate::model::batch::Batch;

/// Bytes of a batch before its records.
const HEADER: usize = 61;
/// Bytes of the base offset and the length, which the length does not count.
const OUTSIDE_LENGTH: usize = 12;
/// From here on the checksum counts.
const CHECKED_FROM: usize = 21;
/// Bytes of values that are handed on at once: as much as a core's cache holds well.
const PORTION: usize = 256 << 10;

const CONTROL: i16 = 1 << 5;
const TRANSACTIONAL: i16 = 1 << 4;

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    base_offset: i64,
    last_delta: i32,
    attributes: i16,
    checksum: u32,
    newest_ms: i64,
    producer: i64,
    format: u8,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

impl Header {
    /// The first batch of `bytes`, and the bytes after it; `None` when it is not there as a whole.
    pub(super) fn split(bytes: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let length = usize::try_from(i32::from_be_bytes(number(bytes, 8)?)).ok()?;
        let (batch, rest) = bytes.split_at_checked(length.checked_add(OUTSIDE_LENGTH)?)?;
        let format = *batch.get(16)?;
        let base_offset = i64::from_be_bytes(number(batch, 0)?);
        if format < 2 {
            let old = Self {
                base_offset,
                last_delta: 0,
                attributes: 0,
                checksum: 0,
                newest_ms: i64::MIN,
                producer: -1,
                format,
            };
            return Some((old, batch, rest));
        }
        let header = Self {
            base_offset,
            checksum: u32::from_be_bytes(number(batch, 17)?),
            attributes: i16::from_be_bytes(number(batch, 21)?),
            last_delta: i32::from_be_bytes(number(batch, 23)?),
            newest_ms: i64::from_be_bytes(number(batch, 35)?),
            producer: i64::from_be_bytes(number(batch, 43)?),
            format,
        };
        Some((header, batch, rest))
    }

    /// The offset after the last record.
    pub(super) const fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_delta as i64).saturating_add(1)
    }
}

/// Where reading will have come after these bytes, and when the newest of their records was written.
pub(super) fn reach(mut bytes: &[u8], from: i64) -> (i64, Option<i64>) {
    let (mut next, mut newest) = (from, None);
    while let Some((header, _, rest)) = Header::split(bytes) {
        next = next.max(header.next_offset());
        newest = newest.max(Some(header.newest_ms).filter(|time| *time >= 0));
        bytes = rest;
    }
    (next, newest)
}

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Batches whose checksum or content is wrong, or of a form too old.
    pub batches: u64,
    /// Offset of the last of them.
    pub offset: i64,
}

/// Decodes what was fetched of one partition; keeps its buffers from one time to the next.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    inflated: Vec<u8>,
}

/// What was fetched of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetched<'a> {
    /// Record batches; the last one may be cut off.
    pub bytes: &'a [u8],
    /// The first offset that is wanted: a batch may begin before it.
    pub from: i64,
    /// Aborted transactions: producer and first offset.
    pub aborted: &'a [(i64, i64)],
}

impl Decoder {
    /// Walks all batches and hands portions of values to `take`, which gives an empty batch for the next.
    pub(super) fn decode(&mut self, fetched: Fetched<'_>, take: &mut impl FnMut(Batch) -> Batch) -> Unreadable {
        let mut portion = Portion { batch: take(Batch::default()), next: fetched.from };
        let mut unreadable = Unreadable::default();
        let mut aborted: Vec<(i64, i64)> = fetched.aborted.to_vec();
        aborted.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        let mut aborting = BTreeSet::new();
        let mut bytes = fetched.bytes;
        while let Some((header, batch, rest)) = Header::split(bytes) {
            bytes = rest;
            while let Some((producer, _)) = aborted.pop_if(|(_, first)| *first < header.next_offset()) {
                aborting.insert(producer);
            }
            if header.attributes & CONTROL != 0 && is_sound(&header, batch) {
                // The marker at the end of a transaction; a damaged batch may only look like one.
                aborting.remove(&header.producer);
                continue;
            }
            let is_aborted = header.attributes & TRANSACTIONAL != 0 && aborting.contains(&header.producer);
            if !is_aborted && self.batch(&header, batch, &mut portion, take).is_none() {
                unreadable = Unreadable { batches: unreadable.batches + 1, offset: header.base_offset };
            }
        }
        portion.hand_over(take);
        unreadable
    }

    fn batch(
        &mut self,
        header: &Header,
        batch: &[u8],
        portion: &mut Portion,
        take: &mut impl FnMut(Batch) -> Batch,
    ) -> Option<()> {
        if !is_sound(header, batch) {
            return None;
        }
        let count = i32::from_be_bytes(number(batch, 57)?);
        let packed = batch.get(HEADER..)?;
        let codec = Codec::of(header.attributes)?;
        let mut records = if codec == Codec::Plain {
            packed
        } else {
            codec.inflate(packed, &mut self.inflated).ok()?;
            &self.inflated
        };
        for _ in 0..count {
            let length = usize::try_from(signed(&mut records)?).ok()?;
            let (record, rest) = records.split_at_checked(length)?;
            records = rest;
            let (delta, value) = value(record)?;
            portion.push(header.base_offset.checked_add(delta)?, value, take);
        }
        Some(())
    }
}

/// Whether a batch is of a known form and as it was written.
fn is_sound(header: &Header, batch: &[u8]) -> bool {
    header.format == 2 && batch.get(CHECKED_FROM..).is_some_and(|checked| crc32c::crc32c(checked) == header.checksum)
}

/// Values on their way.
struct Portion {
    batch: Batch,
    /// The offset that must follow.
    next: i64,
}

impl Portion {
    fn push(&mut self, offset: i64, value: &[u8], take: &mut impl FnMut(Batch) -> Batch) {
        if offset < self.next {
            return;
        }
        // Offsets of a batch are consecutive: a gap begins another one.
        if offset != self.next || self.batch.bytes() >= PORTION {
            self.hand_over(take);
        }
        if self.batch.is_empty() {
            self.batch.first_offset = offset;
        }
        self.batch.push(value);
        self.next = offset + 1;
    }

    fn hand_over(&mut self, take: &mut impl FnMut(Batch) -> Batch) {
        if !self.batch.is_empty() {
            self.batch = take(std::mem::take(&mut self.batch));
        }
    }
}

/// The offset delta and the value of a record. A record without a value has an empty one.
fn value(record: &[u8]) -> Option<(i64, &[u8])> {
    let mut rest = record.get(1..)?;
    signed(&mut rest)?;
    let delta = signed(&mut rest)?;
    let key = usize::try_from(signed(&mut rest)?.max(0)).ok()?;
    rest = rest.get(key..)?;
    let length = usize::try_from(signed(&mut rest)?.max(0)).ok()?;
    Some((delta, rest.get(..length)?))
}

/// A zigzag varint.
#[expect(clippy::cast_possible_wrap, reason = "the bits are what counts")]
fn signed(bytes: &mut &[u8]) -> Option<i64> {
    let mut folded = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        folded |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *bytes = bytes.get(place + 1..)?;
            return Some((folded >> 1) as i64 ^ -((folded & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests;
