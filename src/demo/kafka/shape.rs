//! Proves that a request's bytes have the shape they claim, before the decoder allocates for them.
//!
//! The protocol crate reserves room for as many array elements as a request says it has, so a 30-byte request
//! claiming two thousand million topics would end the process. Here each request is walked once against a description
//! of its fields: every length must fit in what is left, and the number of elements is bounded. Only a request that
//! was walked to its end goes to the decoder. The walk allocates nothing and reads no field's meaning.

use bytes::Buf;
use thiserror::Error;

/// Array elements in one request, all arrays together. A fetch of 10,000 partitions fits; a flood does not.
const ELEMENT_LIMIT: usize = 100_000;

/// Why a request's bytes cannot be what they claim.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Misshapen {
    /// A field or length reaches past the end of the request.
    #[error("request ends inside a field")]
    Short,
    /// A length below -1, or a variable-length integer of more than five bytes.
    #[error("request holds an impossible length")]
    Length,
    /// More array elements than any honest client sends.
    #[error("request holds more than {ELEMENT_LIMIT} elements")]
    Elements,
}

/// One thing on the wire.
#[derive(Debug)]
pub enum Part {
    /// So many bytes, whatever they mean.
    Fixed(usize),
    /// A string, null or not.
    Text,
    /// Bytes, null or not.
    Blob,
    /// An array of plain values, null or not.
    Values(&'static Self),
    /// An array of structures, null or not; in flexible versions each ends with tagged fields.
    Structs(&'static [Field]),
}

/// A part and the versions that have it.
#[derive(Debug)]
pub struct Field {
    first: i16,
    last: i16,
    part: Part,
}

/// A field of every version.
pub const fn always(part: Part) -> Field {
    Field { first: 0, last: i16::MAX, part }
}

/// A field of `version` and all later ones.
pub const fn since(version: i16, part: Part) -> Field {
    Field { first: version, last: i16::MAX, part }
}

/// A field of `version` and all earlier ones.
pub const fn until(version: i16, part: Part) -> Field {
    Field { first: 0, last: version, part }
}

/// Walks `bytes` as the request header followed by `fields`.
pub fn check(bytes: &[u8], fields: &[Field], version: i16, flexible: bool) -> Result<(), Misshapen> {
    let mut walk = Walk { rest: bytes, version, flexible, elements: 0 };
    walk.skip(8)?;
    walk.short_text()?;
    walk.tags()?;
    walk.structure(fields)
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    /// Whether lengths are variable-length integers and structures end with tagged fields.
    flexible: bool,
    /// Array elements met so far.
    elements: usize,
}

impl Walk<'_> {
    fn skip(&mut self, count: usize) -> Result<(), Misshapen> {
        self.rest = self.rest.get(count..).ok_or(Misshapen::Short)?;
        Ok(())
    }

    fn structure(&mut self, fields: &[Field]) -> Result<(), Misshapen> {
        for field in fields {
            if (field.first..=field.last).contains(&self.version) {
                self.part(&field.part)?;
            }
        }
        self.tags()
    }

    fn part(&mut self, part: &Part) -> Result<(), Misshapen> {
        match part {
            Part::Fixed(size) => self.skip(*size),
            Part::Text | Part::Blob if self.flexible => self.compact(),
            Part::Text => self.short_text(),
            Part::Blob => {
                let length = self.long_length()?;
                self.skip(length)
            }
            Part::Values(value) => {
                for _ in 0..self.count()? {
                    self.part(value)?;
                }
                Ok(())
            }
            Part::Structs(fields) => {
                for _ in 0..self.count()? {
                    self.structure(fields)?;
                }
                Ok(())
            }
        }
    }

    fn short_text(&mut self) -> Result<(), Misshapen> {
        match self.rest.try_get_i16().map_err(|_| Misshapen::Short)? {
            -1 => Ok(()),
            length => self.skip(usize::try_from(length).map_err(|_| Misshapen::Length)?),
        }
    }

    fn compact(&mut self) -> Result<(), Misshapen> {
        let length = self.varint()?.saturating_sub(1);
        self.skip(length)
    }

    fn long_length(&mut self) -> Result<usize, Misshapen> {
        match self.rest.try_get_i32().map_err(|_| Misshapen::Short)? {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| Misshapen::Length),
        }
    }

    fn count(&mut self) -> Result<usize, Misshapen> {
        let count = if self.flexible { self.varint()?.saturating_sub(1) } else { self.long_length()? };
        if count > self.rest.len() {
            return Err(Misshapen::Short);
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > ELEMENT_LIMIT {
            return Err(Misshapen::Elements);
        }
        Ok(count)
    }

    fn tags(&mut self) -> Result<(), Misshapen> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.varint()? {
            self.varint()?;
            let size = self.varint()?;
            self.skip(size)?;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<usize, Misshapen> {
        let mut value = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.rest.try_get_u8().map_err(|_| Misshapen::Short)?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Misshapen::Length)
    }
}

#[cfg(test)]
pub mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    const TOPICS: &[Field] =
        &[always(Part::Structs(&[always(Part::Text), always(Part::Values(&Part::Fixed(4)))])), since(5, Part::Blob)];

    fn header() -> Vec<u8> {
        vec![0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff]
    }

    #[test]
    fn a_whole_request_passes() {
        let mut bytes = header();
        bytes.extend([0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!(check(&bytes, TOPICS, 1, false), Ok(()));
        assert_eq!(check(&bytes, TOPICS, 5, false), Err(Misshapen::Short), "the blob of version 5 is missing");
    }

    #[test]
    fn every_cut_of_a_request_is_short() {
        let mut bytes = header();
        bytes.extend([0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 7]);
        for end in 0..bytes.len() {
            assert_eq!(check(&bytes[..end], TOPICS, 1, false), Err(Misshapen::Short), "cut at {end}");
        }
    }

    #[test]
    fn claimed_counts_must_fit() {
        let mut bytes = header();
        bytes.extend([0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(check(&bytes, TOPICS, 1, false), Err(Misshapen::Short));
        let mut negative = header();
        negative.extend([0x80, 0, 0, 0]);
        assert_eq!(check(&negative, TOPICS, 1, false), Err(Misshapen::Length));
    }

    #[test]
    fn a_flood_of_elements_is_refused() {
        let mut bytes = header();
        let count = ELEMENT_LIMIT + 1;
        bytes.extend(u32::try_from(count).unwrap_or(0).to_be_bytes());
        bytes.resize(bytes.len() + count * 6, 0);
        assert_eq!(check(&bytes, TOPICS, 1, false), Err(Misshapen::Elements));
    }

    #[test]
    fn flexible_versions_use_compact_lengths_and_tags() {
        let mut bytes = header();
        bytes.extend([0, 2, 3, b'a', b'b', 1, 0, 1, 0]);
        assert_eq!(check(&bytes, TOPICS, 5, true), Ok(()));
        let mut endless = header();
        endless.extend([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(check(&endless, TOPICS, 5, true), Err(Misshapen::Length));
    }
}
