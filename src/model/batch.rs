//! Records of one partition, side by side in one buffer.
//!
//! Why: UTF-8 is checked once for all of them, and what a client lent (a Kafka message) is given back at once. It is
//! how a source hands records to the engine, so both know it.
//!
//! It must not hold more than its caller puts in: the caller bounds batches.

/// Records in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Offset of the first record in its partition; the others follow one by one.
    pub first_offset: i64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// Adds a record.
    pub fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// Forgets all records and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many records.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no record.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all records.
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records: text, or bytes where they are none. Bytes that are text only together with the next record's are not.
    pub fn records(&self) -> impl Iterator<Item = Result<&str, &[u8]>> {
        let whole = std::str::from_utf8(&self.bytes).ok();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(move |(start, end)| {
            let bytes = self.bytes.get(start..*end).unwrap_or_default();
            match whole.and_then(|text| text.get(start..*end)) {
                Some(text) => Ok(text),
                None => std::str::from_utf8(bytes).map_err(|_| bytes),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_record_spoils_no_other() {
        let mut batch = Batch::default();
        for record in [&b"one"[..], b"\xff", "é".as_bytes(), b"", &"é".as_bytes()[..1], &"é".as_bytes()[1..]] {
            batch.push(record);
        }
        let found: Vec<Option<&str>> = batch.records().map(Result::ok).collect();
        assert_eq!(found, [Some("one"), None, Some("é"), Some(""), None, None]);
        batch.clear();
        batch.push(&"é".as_bytes()[..1]);
        batch.push(&"é".as_bytes()[1..]);
        assert!(batch.records().all(|record| record.is_err()));
    }
}
