use bytes::BytesMut;
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use proptest::prelude::*;

use super::*;

const PLAIN_PRODUCER: i64 = -1;

fn record(offset: i64, value: Option<&[u8]>) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: PLAIN_PRODUCER,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: i32::try_from(offset).unwrap(),
        timestamp: 1_000 + offset,
        key: (offset % 2 == 0).then(|| b"key".to_vec().into()),
        value: value.map(|value| value.to_vec().into()),
        headers: IndexMap::from([("trace".to_owned().into(), Some(b"h".to_vec().into()))]),
    }
}

fn encoded(records: &[Record]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, records, &options).unwrap();
    bytes
}

/// Compresses the records of an encoded batch.
fn packed(mut batch: BytesMut) -> BytesMut {
    let records = batch.split_off(HEADER);
    batch[22] |= 4;
    batch.extend(zstd::stream::encode_all(&records[..], 1).unwrap());
    let length = i32::try_from(batch.len() - OUTSIDE_LENGTH).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let checksum = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    batch
}

fn decoded(bytes: &[u8], from: i64, aborted: &[(i64, i64)]) -> (Vec<(i64, Vec<u8>)>, Unreadable) {
    let mut found = Vec::new();
    let unreadable = Decoder::default().decode(Fetched { bytes, from, aborted }, &mut |batch: Batch| {
        let values = batch.records().map(|record| match record {
            Ok(text) => text.as_bytes().to_vec(),
            Err(bytes) => bytes.to_vec(),
        });
        found.extend((batch.first_offset..).zip(values));
        Batch::default()
    });
    (found, unreadable)
}

fn values(numbers: std::ops::Range<i64>) -> Vec<(i64, Vec<u8>)> {
    numbers.map(|number| (number, format!("value {number}").into_bytes())).collect()
}

fn batch(numbers: std::ops::Range<i64>) -> BytesMut {
    let records: Vec<Record> = values(numbers).iter().map(|(offset, value)| record(*offset, Some(value))).collect();
    encoded(&records)
}

#[test]
fn values_come_with_their_offsets_plain_or_packed() {
    let bytes = [batch(0..5), packed(batch(5..300)), batch(300..301)].concat();
    assert_eq!(decoded(&bytes, 0, &[]), (values(0..301), Unreadable::default()));
    assert_eq!(decoded(&bytes, 17, &[]).0, values(17..301));
    assert_eq!(reach(&bytes, 17), (301, Some(1_300)));
}

#[test]
fn a_batch_that_is_cut_off_waits_for_the_next_fetch() {
    let bytes = [batch(0..5), batch(5..9)].concat();
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(decoded(cut, 0, &[]).0, values(0..5));
    assert_eq!(reach(cut, 0).0, 5);
}

#[test]
fn a_damaged_batch_is_counted_and_costs_no_other() {
    let mut bytes = [batch(0..5), batch(5..9), batch(9..12)].concat();
    let place = batch(0..5).len() + HEADER + 12;
    bytes[place] ^= 1;
    let (found, unreadable) = decoded(&bytes, 0, &[]);
    assert_eq!(found, [values(0..5), values(9..12)].concat());
    assert_eq!(unreadable, Unreadable { batches: 1, offset: 5 });
    assert_eq!(reach(&bytes, 0).0, 12, "reading goes on behind it");
}

#[test]
fn gaps_keep_offsets_true_and_missing_values_are_empty() {
    let kept = [record(3, Some(b"a")), record(7, None), record(8, Some(b"c"))];
    let bytes: BytesMut =
        kept.iter().map(|kept| encoded(std::slice::from_ref(kept))).fold(BytesMut::new(), |mut all, one| {
            all.extend(one);
            all
        });
    let expected = vec![(3, b"a".to_vec()), (7, Vec::new()), (8, b"c".to_vec())];
    assert_eq!(decoded(&bytes, 0, &[]).0, expected);
}

#[test]
fn what_an_aborted_transaction_wrote_is_passed_over() {
    let transactional = |offset: i64, producer: i64, control: bool| {
        let mut record = record(offset, Some(format!("value {offset}").as_bytes()));
        record.transactional = true;
        record.control = control;
        record.producer_id = producer;
        record.producer_epoch = 0;
        encoded(&[record])
    };
    let bytes = [
        transactional(0, 7, false),
        transactional(1, 8, false),
        transactional(2, 7, true),
        transactional(3, 7, false),
        transactional(4, 8, true),
        batch(5..6),
    ]
    .concat();
    let kept = decoded(&bytes, 0, &[(7, 0)]).0.iter().map(|(offset, _)| *offset).collect::<Vec<_>>();
    assert_eq!(kept, [1, 3, 5]);
    assert_eq!(reach(&bytes, 0).0, 6);
}

#[test]
fn large_answers_come_in_portions() {
    let long = vec![b'x'; 100 << 10];
    let records: Vec<Record> = (0..10).map(|offset| record(offset, Some(&long))).collect();
    let bytes = encoded(&records);
    let mut sizes = Vec::new();
    Decoder::default().decode(Fetched { bytes: &bytes, from: 0, aborted: &[] }, &mut |batch: Batch| {
        sizes.push((batch.first_offset, batch.len()));
        Batch::default()
    });
    sizes.retain(|(_, records)| *records > 0);
    assert_eq!(sizes, [(0, 3), (3, 3), (6, 3), (9, 1)]);
}

#[test]
fn a_damaged_batch_that_looks_like_a_marker_is_counted() {
    let mut bytes = batch(0..20);
    bytes[CHECKED_FROM + 1] ^= u8::try_from(CONTROL).unwrap();
    let (found, unreadable) = decoded(&bytes, 0, &[]);
    assert_eq!((found.len(), unreadable.batches), (0, 1));
}

proptest! {
    #[test]
    fn hostile_bytes_end_nothing(mut bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0..300_i32) {
        if bytes.len() > 20 {
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[16] = 2;
        }
        decoded(&bytes, 0, &[]);
    }

    #[test]
    fn a_flipped_bit_is_seen_or_harmless(place in 0_usize..400, bit in 0..8_u8) {
        let mut bytes = batch(0..20);
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        let (found, unreadable) = decoded(&bytes, 0, &[]);
        // Base offset and leader epoch are outside of the checksum: brokers write them.
        if place >= CHECKED_FROM - 4 {
            prop_assert_eq!((found.len(), unreadable.batches), (0, 1));
        }
    }

    #[test]
    fn a_varint_is_what_the_protocol_crate_wrote(numbers in prop::collection::vec(any::<i32>(), 1..20)) {
        let mut bytes = BytesMut::new();
        for number in &numbers {
            let folded = (number << 1) ^ (number >> 31);
            let mut left = u32::from_ne_bytes(folded.to_ne_bytes());
            while left >= 0x80 {
                bytes.extend([u8::try_from(left & 0x7f).unwrap() | 0x80]);
                left >>= 7;
            }
            bytes.extend([u8::try_from(left).unwrap()]);
        }
        let mut rest = &bytes[..];
        for number in numbers {
            prop_assert_eq!(signed(&mut rest), Some(i64::from(number)));
        }
        prop_assert!(rest.is_empty());
    }
}
