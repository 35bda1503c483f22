//! When a record was written, from the header of its batch. Pure.
//!
//! A batch says in its uncompressed header when its first and its last record were written, so nothing needs
//! to be decompressed or decoded, whatever is inside.

use bytes::{Buf, Bytes};

/// The bit of a batch's attributes that says that the broker's clock counts, not the writer's.
const BROKERS_CLOCK: i16 = 1 << 3;

/// Milliseconds since the epoch at which the record at `offset`, or the first one after it, was written;
/// `None` when the bytes do not tell.
pub(super) fn written_at(mut records: Bytes, offset: i64) -> Option<i64> {
    loop {
        let base = records.try_get_i64().ok()?;
        let length = usize::try_from(records.try_get_i32().ok()?).ok()?;
        let mut body = records.split_to(length.min(records.remaining()));
        // Leader epoch in batches, checksum in the old format: both four bytes before the format's number.
        body.try_get_i32().ok()?;
        let format = body.try_get_i8().ok()?;
        if format < 2 {
            body.try_get_i8().ok()?;
            let time = body.try_get_i64().ok().filter(|_| format == 1)?;
            if base >= offset || !records.has_remaining() {
                return Some(time);
            }
            continue;
        }
        body.try_get_u32().ok()?;
        let attributes = body.try_get_i16().ok()?;
        let last = body.try_get_i32().ok()?;
        let (first_time, last_time) = (body.try_get_i64().ok()?, body.try_get_i64().ok()?);
        if base.checked_add(last.into())? < offset && records.has_remaining() {
            continue;
        }
        if attributes & BROKERS_CLOCK != 0 {
            return Some(last_time);
        }
        let into = (offset - base).clamp(0, last.into());
        let share = last_time.checked_sub(first_time)?.checked_mul(into)?.checked_div(last.into()).unwrap_or(0);
        return first_time.checked_add(share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, BytesMut};

    fn batch(base: i64, records: i32, times: (i64, i64), attributes: i16) -> BytesMut {
        let mut bytes = BytesMut::new();
        bytes.put_i64(base);
        bytes.put_i32(49);
        bytes.put_i32(0);
        bytes.put_i8(2);
        bytes.put_u32(0);
        bytes.put_i16(attributes);
        bytes.put_i32(records - 1);
        bytes.put_i64(times.0);
        bytes.put_i64(times.1);
        bytes.put_bytes(0, 14);
        bytes.put_i32(records);
        bytes
    }

    #[test]
    fn the_moment_is_between_the_first_and_the_last_of_the_batch() {
        let mut bytes = batch(0, 10, (100, 200), 0);
        bytes.extend(batch(10, 11, (1000, 2000), 0));
        bytes.extend(batch(21, 1, (5000, 5000), 0));
        let bytes = bytes.freeze();
        assert_eq!(written_at(bytes.clone(), 10), Some(1000));
        assert_eq!(written_at(bytes.clone(), 15), Some(1500));
        assert_eq!(written_at(bytes.clone(), 20), Some(2000));
        assert_eq!(written_at(bytes.clone(), 21), Some(5000));
        assert_eq!(written_at(bytes.clone(), 3), Some(133));
        assert_eq!(written_at(bytes.slice(..70), 15), None, "the second batch is cut off");
    }

    #[test]
    fn the_brokers_clock_is_one_for_all() {
        assert_eq!(written_at(batch(0, 10, (-1, 777), BROKERS_CLOCK).freeze(), 4), Some(777));
    }

    #[test]
    fn old_messages_and_nonsense() {
        let mut bytes = BytesMut::new();
        bytes.put_i64(5);
        bytes.put_i32(22);
        bytes.put_i32(0);
        bytes.put_i8(1);
        bytes.put_i8(0);
        bytes.put_i64(4242);
        bytes.put_bytes(0, 8);
        assert_eq!(written_at(bytes.freeze(), 5), Some(4242));
        assert_eq!(written_at(Bytes::new(), 0), None);
        assert_eq!(written_at(Bytes::from_static(&[0xff; 40]), 0), None);
    }
}
