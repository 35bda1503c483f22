//! Quantiles with a relative error of at most 1 %, mergeable without loss.
//!
//! Why: percentiles cannot be averaged. A `DDSketch` counts values in bins whose bounds grow by a fixed factor, so
//! that sketches of minutes, partitions or jobs add up exactly.
//!
//! How: a latency of `v` microseconds goes to bin `floor(ln v / ln GAMMA)`, the same which a Flink job computes with
//! `FLOOR(LN(lat_us) / 0.020000666706669435)`; bins are a dense run of counters from the lowest used bin to the highest.
//! Values are whole microseconds from 1 to one hour, which bounds a sketch at 1,101 bins, and lets a table stand in for the logarithm.
//!
//! It must not be merged with bins of another `GAMMA`, nor fed by anything that did not check the range.

mod packed;

use std::sync::LazyLock;

pub use packed::Packed;

/// Growth of the bins for a relative error of 1 %: 1.01 / 0.99.
pub const GAMMA: f64 = 1.01 / 0.99;
/// `ln(GAMMA)`, as the Flink job spells it.
pub const LN_GAMMA: f64 = 0.020_000_666_706_669_435;
/// The least latency that is told apart, in microseconds.
pub const LEAST_US: u64 = 1;
/// The greatest latency that is believed: one hour, in microseconds.
pub const GREATEST_US: u64 = 3_600_000_000;

/// Mantissa bits of the table's index: 128 steps an octave, so that no step spans more than one bound.
const STEP_BITS: u32 = 7;

static BOUNDS: LazyLock<Bounds> = LazyLock::new(Bounds::new);

/// For each step of an octave, the bin at its start and the first value of the next bin.
struct Bounds {
    steps: Vec<(u16, u32)>,
}

impl Bounds {
    fn new() -> Self {
        let last = Self::step(GREATEST_US);
        let steps = (0..=last).map(|step| {
            let octave = step >> STEP_BITS;
            let start = (((1_u64 << STEP_BITS) | (step & 127)) << octave).div_ceil(1 << STEP_BITS).max(LEAST_US);
            let bin = by_logarithm(start);
            (bin, first_of(bin + 1))
        });
        Self { steps: steps.collect() }
    }

    /// The step of a value: its octave, then the bits that follow the first.
    const fn step(value: u64) -> u64 {
        let octave = value.ilog2();
        ((octave as u64) << STEP_BITS) | (((value << STEP_BITS) >> octave) & 127)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an hour in microseconds is exact in an f64, and its bin is 1,100"
)]
fn by_logarithm(value: u64) -> u16 {
    ((value as f64).ln() / LN_GAMMA).floor() as u16
}

/// The least whole value of a bin, or of the next one that has any.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bound of the last bin is below 2^32")]
fn first_of(bin: u16) -> u32 {
    let near = GAMMA.powi(i32::from(bin)) as u64;
    let first = (near.saturating_sub(2).max(LEAST_US)..=near + 2).find(|value| by_logarithm(*value) >= bin);
    first.map_or(u32::MAX, |value| value as u32)
}

/// The bin of a latency.
pub fn bin(latency_us: u64) -> u16 {
    let value = latency_us.clamp(LEAST_US, GREATEST_US);
    let found = usize::try_from(Bounds::step(value)).ok().and_then(|step| BOUNDS.steps.get(step));
    found.map_or(0, |(bin, next)| bin + u16::from(value >= u64::from(*next)))
}

/// The value that stands for a bin: within 1 % of all that the bin holds, in microseconds.
pub fn value(bin: u16) -> f64 {
    GAMMA.powi(i32::from(bin)) * 2.0 * GAMMA / (1.0 + GAMMA)
}

/// Counts by bin.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// The bin of the first counter.
    first: u16,
    counts: Vec<u32>,
    /// Sum of the counters.
    total: u64,
}

impl PartialEq for Sketch {
    fn eq(&self, other: &Self) -> bool {
        self.total == other.total && self.bins().eq(other.bins())
    }
}

impl Sketch {
    /// Counts one latency in microseconds.
    pub fn insert(&mut self, latency_us: u64) {
        self.add(bin(latency_us), 1);
    }

    /// Counts `count` values of a bin, as another engine stored them.
    pub fn add(&mut self, bin: u16, count: u32) {
        let place = usize::from(bin.wrapping_sub(self.first));
        if let Some(counter) = self.counts.get_mut(place) {
            *counter = counter.saturating_add(count);
        } else {
            self.grow(bin);
            if let Some(counter) = self.counts.get_mut(usize::from(bin - self.first)) {
                *counter = count;
            }
        }
        self.total += u64::from(count);
    }

    /// Counts one value of each bin.
    pub fn add_each(&mut self, bins: &[u16]) {
        let (Some(least), Some(greatest)) = (bins.iter().min(), bins.iter().max()) else { return };
        self.make_room(*least, *greatest);
        for bin in bins {
            if let Some(counter) = self.counts.get_mut(usize::from(bin.wrapping_sub(self.first))) {
                *counter = counter.saturating_add(1);
            }
        }
        self.total += bins.len() as u64;
    }

    /// Makes room for the bins from one to another at once, which is cheaper than for one after the other.
    pub fn make_room(&mut self, least: u16, greatest: u16) {
        self.grow(least);
        self.grow(greatest);
    }

    /// Makes room for a bin outside the run.
    fn grow(&mut self, bin: u16) {
        if self.counts.is_empty() {
            self.first = bin;
        }
        if bin < self.first {
            let more = usize::from(self.first - bin);
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = bin;
        }
        let needed = usize::from(bin - self.first) + 1;
        if needed > self.counts.len() {
            self.counts.resize(needed, 0);
        }
    }

    /// Adds all that another sketch counted.
    pub fn merge(&mut self, other: &Self) {
        if let (Some((least, _)), Some(greatest)) = (other.bins().next(), other.greatest()) {
            self.make_room(least, greatest);
        }
        for (bin, count) in other.bins() {
            self.add(bin, count);
        }
    }

    /// The highest bin that holds anything.
    fn greatest(&self) -> Option<u16> {
        let place = self.counts.iter().rposition(|count| *count > 0)?;
        Some(self.first + u16::try_from(place).ok()?)
    }

    /// The bins that hold anything, from the lowest, with their counts.
    pub fn bins(&self) -> impl Iterator<Item = (u16, u32)> {
        (self.first..).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// How many values were counted.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The value of rank `floor(quantile × (total − 1))`, in microseconds; `None` when nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        self.quantiles([quantile]).map(|[value]| value)
    }

    /// The same for several quantiles in rising order, in one pass.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is a count, and a window does not count to 2^52"
    )]
    pub fn quantiles<const COUNT: usize>(&self, quantiles: [f64; COUNT]) -> Option<[f64; COUNT]> {
        let last = self.total.checked_sub(1)? as f64;
        let mut counters = (self.first..).zip(&self.counts);
        let (mut bin, mut before) = (self.first, 0_u64);
        Some(quantiles.map(|quantile| {
            let rank = (quantile.clamp(0.0, 1.0) * last).floor() as u64;
            while before <= rank {
                let Some((next, count)) = counters.next() else { break };
                bin = next;
                before += u64::from(*count);
            }
            value(bin)
        }))
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ranks and latencies of tests are small"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.insert(*value));
        sketch
    }

    fn merged(one: &Sketch, other: &Sketch) -> Sketch {
        let mut sketch = one.clone();
        sketch.merge(other);
        sketch
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![1..=GREATEST_US, 1..2_000_u64, 1_000..1_000_000_u64], 0..200)
    }

    proptest! {
        #[test]
        fn the_table_is_the_logarithm(value in prop_oneof![1..=GREATEST_US, 1..100_000_u64]) {
            prop_assert_eq!(bin(value), by_logarithm(value));
        }

        #[test]
        fn merging_is_associative_commutative_and_loses_nothing(a in values(), b in values(), c in values()) {
            let (one, two, three) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(merged(&one, &two), merged(&two, &one));
            prop_assert_eq!(merged(&merged(&one, &two), &three), merged(&one, &merged(&two, &three)));
            let all: Vec<u64> = a.iter().chain(&b).chain(&c).copied().collect();
            prop_assert_eq!(merged(&merged(&one, &two), &three), of(&all));
        }

        #[test]
        fn quantiles_are_within_one_percent(mut samples in values(), quantile in 0.0..=1.0) {
            let sketch = of(&samples);
            samples.sort_unstable();
            if samples.is_empty() {
                prop_assert_eq!(sketch.quantile(quantile), None);
                return Ok(());
            }
            let exact = samples[(quantile * (samples.len() - 1) as f64).floor() as usize] as f64;
            let found = sketch.quantile(quantile).unwrap();
            prop_assert!((found - exact).abs() <= exact * 0.010_000_1, "{} for {}", found, exact);
        }
    }

    #[test]
    fn every_bound_of_the_table_is_where_the_logarithm_has_it() {
        for bin_number in 0..=by_logarithm(GREATEST_US) {
            let first = u64::from(first_of(bin_number)).clamp(2, GREATEST_US - 1);
            for value in first - 1..=first + 1 {
                assert_eq!(bin(value), by_logarithm(value), "{value}");
            }
        }
        for octave in 0..32 {
            for value in ((1_u64 << octave) - 1).max(1)..=((1 << octave) + 1).min(GREATEST_US) {
                assert_eq!(bin(value), by_logarithm(value), "{value}");
            }
        }
    }

    proptest! {
        #[test]
        fn quantiles_together_are_those_one_by_one(samples in values(), mut quantiles in prop::array::uniform5(0.0..=1.0)) {
            quantiles.sort_unstable_by(f64::total_cmp);
            let sketch = of(&samples);
            let single = quantiles.map(|quantile| sketch.quantile(quantile));
            prop_assert_eq!(sketch.quantiles(quantiles).map_or([None; 5], |all| all.map(Some)), single);
        }
    }

    #[test]
    fn extremes_stay_in_bounds() {
        let sketch = of(&[0, 1, GREATEST_US, u64::MAX]);
        assert_eq!(sketch.bins().collect::<Vec<_>>(), [(0, 2), (1100, 2)]);
        assert!(sketch.heap_bytes() < 16 * 1024);
    }
}
