//! A sketch as few bytes, for keeping.
//!
//! Why: a day of a thousand services is half a million sketches; as counters they would be gigabytes.
//!
//! How: numbers of seven bits a byte: the first bin, then for each bin that holds anything its count, four times, plus how
//! many empty bins are before it; 3 for more than two, whose number follows. Most bins are one byte.
//!
//! It must not be fed bytes from outside: nothing checks them.

use super::Sketch;

/// So many empty bins before one are written as a number of their own.
const MANY: u64 = 3;

/// The bins of a sketch, packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed(Box<[u8]>);

impl From<&Sketch> for Packed {
    fn from(sketch: &Sketch) -> Self {
        let mut bytes = Vec::with_capacity(16 + 2 * sketch.counts.len());
        let mut next = sketch.bins().next().map_or(0, |(bin, _)| bin);
        write(&mut bytes, next.into());
        for (bin, count) in sketch.bins() {
            let empty = u64::from(bin - next);
            write(&mut bytes, (u64::from(count) << 2) | empty.min(MANY));
            if empty >= MANY {
                write(&mut bytes, empty);
            }
            next = bin + 1;
        }
        Self(bytes.into_boxed_slice())
    }
}

impl From<&Packed> for Sketch {
    fn from(packed: &Packed) -> Self {
        let mut sketch = Self::default();
        packed.add_to(&mut sketch);
        sketch
    }
}

impl Packed {
    /// The bins that hold anything, from the lowest, with their counts.
    pub fn bins(&self) -> impl Iterator<Item = (u16, u32)> {
        let mut bytes = self.0.iter().copied();
        let mut next = read(&mut bytes).unwrap_or(0);
        std::iter::from_fn(move || {
            let token = read(&mut bytes)?;
            next += if token & MANY == MANY { read(&mut bytes)? } else { token & MANY };
            let count = u32::try_from(token >> 2).ok()?;
            let bin = u16::try_from(next).ok()?;
            next += 1;
            Some((bin, count))
        })
    }

    /// Counts all of it in a sketch too.
    pub fn add_to(&self, sketch: &mut Sketch) {
        for (bin, count) in self.bins() {
            sketch.add(bin, count);
        }
    }

    /// Bytes held on the heap.
    pub const fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

const fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

fn read(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_is_what_comes_out(bins in prop::collection::vec((0..1_101_u16, 1..u32::MAX), 0..300)) {
            let mut sketch = Sketch::default();
            bins.iter().for_each(|(bin, count)| sketch.add(*bin, *count));
            let packed = Packed::from(&sketch);
            prop_assert_eq!(packed.bins().collect::<Vec<_>>(), sketch.bins().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_quiet_window_is_small() {
        let mut sketch = Sketch::default();
        (0..100_u64).for_each(|number| sketch.insert(5_000 + number * number * 7));
        let packed = Packed::from(&sketch);
        assert_eq!(Sketch::from(&packed), sketch);
        assert!(packed.heap_bytes() < 150, "{}", packed.heap_bytes());
    }
}
