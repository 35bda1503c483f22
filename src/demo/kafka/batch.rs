//! Record batches as bytes: read of the fixed header, check of what a producer sent, and building from records.
//!
//! A batch is stored as it came; only its first sixteen bytes, which the checksum leaves out, are rewritten. Looking
//! at the records inside happens for time look-ups alone, and only in uncompressed batches: this crate has no
//! decompressors, so a compressed batch is one indivisible step there.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record as WireRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

use super::Record;

/// Bytes before the first record.
const HEADER_BYTES: usize = 61;

/// Bytes of the base offset and length fields, which the length field does not count.
const OUTSIDE_LENGTH: usize = 12;

/// The largest batch taken, Kafka's own default for `max.message.bytes`.
pub const LARGEST_BATCH: usize = 1_048_588;

/// The epoch of the only leader a partition ever has.
pub const LEADER_EPOCH: i32 = 0;

/// The fixed header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Records in the batch less one.
    pub last_delta: i32,
    /// Timestamp that record timestamps are counted from, in milliseconds.
    pub base_timestamp: i64,
    /// Highest timestamp of the records, in milliseconds.
    pub max_timestamp: i64,
    /// Identity of an idempotent producer, or -1.
    pub producer_id: i64,
    /// Epoch of that identity, or -1.
    pub producer_epoch: i16,
    /// The first record's place in that producer's sequence, or -1.
    pub base_sequence: i32,
    attributes: i16,
}

impl Header {
    /// Reads the header; `None` when the bytes are too few.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let base_offset = bytes.try_get_i64().ok()?;
        bytes = bytes.get(13..)?;
        let attributes = bytes.try_get_i16().ok()?;
        Some(Self {
            base_offset,
            attributes,
            last_delta: bytes.try_get_i32().ok()?,
            base_timestamp: bytes.try_get_i64().ok()?,
            max_timestamp: bytes.try_get_i64().ok()?,
            producer_id: bytes.try_get_i64().ok()?,
            producer_epoch: bytes.try_get_i16().ok()?,
            base_sequence: bytes.try_get_i32().ok()?,
        })
    }

    /// Offset of the last record.
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_delta as i64)
    }

    /// Whether it belongs to a transaction.
    pub const fn transactional(&self) -> bool {
        self.attributes & 0x10 != 0
    }

    const fn compressed(&self) -> bool {
        self.attributes & 0x07 != 0
    }
}

/// Checks what a producer sent for one partition: exactly one whole, undamaged, plain batch.
pub fn check(records: &Bytes) -> Result<Header, ResponseError> {
    let header = Header::read(records).ok_or(ResponseError::CorruptMessage)?;
    if records.len() > LARGEST_BATCH {
        return Err(ResponseError::MessageTooLarge);
    }
    if records.get(16) != Some(&2) {
        return Err(ResponseError::UnsupportedForMessageFormat);
    }
    let claimed = records.get(8..12).map(|mut length| length.get_i32());
    if claimed.and_then(|length| usize::try_from(length).ok()) != records.len().checked_sub(OUTSIDE_LENGTH) {
        return Err(ResponseError::CorruptMessage);
    }
    let parsed =
        RecordBatchDecoder::decode_batch_info(&mut records.clone()).map_err(|_| ResponseError::CorruptMessage)?;
    let [info] = parsed.as_slice() else { return Err(ResponseError::InvalidRecord) };
    if info.control || info.record_count <= 0 || header.last_delta != info.record_count - 1 {
        return Err(ResponseError::InvalidRecord);
    }
    Ok(header)
}

/// A copy of the batch that starts at `base_offset`. The copy frees the request it came in.
pub fn place(batch: &[u8], base_offset: i64) -> Bytes {
    let mut placed = BytesMut::with_capacity(batch.len());
    placed.put_i64(base_offset);
    placed.extend_from_slice(batch.get(8..12).unwrap_or_default());
    placed.put_i32(LEADER_EPOCH);
    placed.extend_from_slice(batch.get(16..).unwrap_or_default());
    placed.freeze()
}

/// An uncompressed batch of these records, starting at offset 0. `None` when there are none or they do not fit.
pub fn build(records: &[Record]) -> Option<BytesMut> {
    let size: usize = records.iter().map(Record::wire_size).sum();
    let wire: Vec<WireRecord> = (0_i32..).zip(records).map(|(place, record)| wire_record(place, record)).collect();
    let mut batch = BytesMut::with_capacity(HEADER_BYTES + size);
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, wire.iter(), &options).ok()?;
    (!batch.is_empty()).then_some(batch)
}

/// Writes the offset of the first record into a batch from [`build`].
pub fn set_base_offset(batch: &mut BytesMut, base_offset: i64) {
    if let Some(mut field) = batch.get_mut(0..8) {
        field.put_i64(base_offset);
    }
}

fn wire_record(place: i32, record: &Record) -> WireRecord {
    let header = |(name, value): &(String, Bytes)| (StrBytes::from_string(name.clone()), Some(value.clone()));
    WireRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(place),
        // The encoder keeps records in one batch while offset and sequence run together; it writes the first: -1.
        sequence: place - 1,
        timestamp: record.timestamp_ms,
        key: record.key.clone(),
        value: Some(record.value.clone()),
        headers: record.headers.iter().map(header).collect(),
    }
}

/// The first record at or after offset `from` whose timestamp satisfies `wanted`, as offset and timestamp.
///
/// A compressed batch cannot be looked into: its first record stands for all of them, which is never too late.
pub fn find_record(batch: &Bytes, from: i64, wanted: impl Fn(i64) -> bool) -> Option<(i64, i64)> {
    let header = Header::read(batch)?;
    if header.compressed() {
        return Some((header.base_offset.max(from), header.base_timestamp));
    }
    let mut rest = batch.get(HEADER_BYTES..)?;
    while rest.has_remaining() {
        let length = usize::try_from(varlong(&mut rest)?).ok()?;
        let mut record = rest.get(..length)?;
        rest.advance(length);
        record.try_get_u8().ok()?;
        let timestamp = header.base_timestamp.saturating_add(varlong(&mut record)?);
        let offset = header.base_offset.saturating_add(varlong(&mut record)?);
        if offset >= from && wanted(timestamp) {
            return Some((offset, timestamp));
        }
    }
    None
}

/// A zigzag variable-length integer.
fn varlong(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(timestamp_ms: i64) -> Record {
        Record { key: None, value: Bytes::from_static(b"value"), timestamp_ms, headers: Vec::new() }
    }

    fn batch(timestamps: &[i64]) -> Bytes {
        let records: Vec<Record> = timestamps.iter().copied().map(record).collect();
        build(&records).unwrap().freeze()
    }

    #[test]
    fn a_built_batch_passes_the_check_of_a_produced_one() {
        let header = check(&batch(&[5, 9, 7])).unwrap();
        assert_eq!((header.base_offset, header.last_delta), (0, 2));
        assert_eq!((header.base_timestamp, header.max_timestamp), (5, 9));
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (-1, -1, -1));
    }

    #[test]
    fn placing_moves_the_offsets_and_keeps_the_checksum() {
        let placed = place(&batch(&[1, 2]), 40);
        let header = check(&placed).unwrap();
        assert_eq!((header.base_offset, header.last_offset()), (40, 41));
    }

    #[test]
    fn damage_is_noticed() {
        let good = batch(&[1, 2]);
        let mut flipped = good.to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(check(&flipped.into()), Err(ResponseError::CorruptMessage));
        for end in 0..good.len() {
            assert!(check(&good.slice(..end)).is_err(), "cut at {end}");
        }
        let twice = [good.clone(), good].concat();
        assert_eq!(check(&twice.into()), Err(ResponseError::CorruptMessage));
    }

    #[test]
    fn records_are_found_by_time_and_place() {
        let placed = place(&batch(&[100, 300, 200]), 10);
        assert_eq!(find_record(&placed, 0, |time| time >= 150), Some((11, 300)));
        assert_eq!(find_record(&placed, 12, |time| time >= 150), Some((12, 200)));
        assert_eq!(find_record(&placed, 0, |time| time >= 301), None);
    }
}
