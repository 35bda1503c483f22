//! What a pane counts, of one service in one window or of anything merged from such.
//!
//! It must not hold a rate, an average or a ratio: those do not merge. They are computed when shown.

use super::sketch::{Sketch, bin};

/// Mergeable sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Requests that failed by the spec's rule.
    pub errors: u64,
    /// Sum of latencies, microseconds.
    pub sum_us: u64,
    /// Least latency, microseconds; 0 without requests.
    pub min_us: u64,
    /// Greatest latency, microseconds.
    pub max_us: u64,
    /// The greatest share of a limit that an event told, tenths of a percent; `None` when none did.
    pub fullest: Option<u16>,
    /// Distribution of latencies.
    pub sketch: Sketch,
}

/// Totals that are being counted: latencies wait in a short row, so that the sketch, which is large, is touched seldom.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    totals: Totals,
    waiting: [u16; WAITING],
    /// How many of them.
    count: u16,
}

/// Latencies that wait for the sketch.
const WAITING: usize = 31;

impl Tally {
    /// Counts one request.
    pub fn add(&mut self, failed: bool, latency_us: u64) {
        self.totals.add_but_for_sketch(failed, latency_us);
        if let Some(place) = self.waiting.get_mut(usize::from(self.count)) {
            *place = bin(latency_us);
            self.count += 1;
        }
        if usize::from(self.count) == WAITING {
            self.settle();
        }
    }

    /// Notes what an event that was counted told of saturation.
    pub fn note_full(&mut self, tenths: u16) {
        self.totals.fullest = self.totals.fullest.max(Some(tenths));
    }

    fn settle(&mut self) {
        let waiting = self.waiting.get(..usize::from(self.count)).unwrap_or_default();
        self.totals.sketch.add_each(waiting);
        self.count = 0;
    }

    /// All that was counted.
    pub fn totals(&mut self) -> &Totals {
        self.settle();
        &self.totals
    }

    /// All that was counted since the last time.
    pub fn take(&mut self) -> Totals {
        self.settle();
        std::mem::take(&mut self.totals)
    }

    /// Bytes held on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.totals.sketch.heap_bytes()
    }
}

impl Totals {
    /// Counts one request.
    pub fn add(&mut self, failed: bool, latency_us: u64) {
        self.add_but_for_sketch(failed, latency_us);
        self.sketch.insert(latency_us);
    }

    fn add_but_for_sketch(&mut self, failed: bool, latency_us: u64) {
        self.min_us = if self.requests == 0 { latency_us } else { self.min_us.min(latency_us) };
        self.max_us = self.max_us.max(latency_us);
        self.requests += 1;
        self.errors += u64::from(failed);
        self.sum_us = self.sum_us.saturating_add(latency_us);
    }

    /// Adds all that another one counted.
    pub fn merge(&mut self, other: &Self) {
        if other.requests == 0 {
            return;
        }
        self.min_us = if self.requests == 0 { other.min_us } else { self.min_us.min(other.min_us) };
        self.max_us = self.max_us.max(other.max_us);
        self.fullest = self.fullest.max(other.fullest);
        self.requests += other.requests;
        self.errors += other.errors;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.sketch.merge(&other.sketch);
    }

    /// A latency quantile in microseconds, never outside what was seen; `None` is "no data".
    pub fn quantile_us(&self, quantile: f64) -> Option<f64> {
        self.quantiles_us([quantile]).map(|[value]| value)
    }

    /// The same for several quantiles in rising order, at once.
    #[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is exact in an f64")]
    pub fn quantiles_us<const COUNT: usize>(&self, quantiles: [f64; COUNT]) -> Option<[f64; COUNT]> {
        let seen = |value: f64| value.clamp(self.min_us as f64, self.max_us as f64);
        self.sketch.quantiles(quantiles).map(|values| values.map(seen))
    }

    /// Successful share of requests in percent; `None` is "no data", which is neither 100 nor 0.
    #[expect(clippy::cast_precision_loss, reason = "counts of a window are far below 2^52")]
    pub fn availability_percent(&self) -> Option<f64> {
        let good = self.requests.checked_sub(self.errors)?;
        (self.requests > 0).then(|| good as f64 * 100.0 / self.requests as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn totals() -> impl Strategy<Value = Totals> {
        prop::collection::vec((any::<bool>(), 1..1_000_000_u64), 0..40).prop_map(|requests| {
            let mut totals = Totals::default();
            requests.iter().for_each(|(failed, latency)| totals.add(*failed, *latency));
            totals
        })
    }

    fn merged(one: &Totals, other: &Totals) -> Totals {
        let mut totals = one.clone();
        totals.merge(other);
        totals
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative(a in totals(), b in totals(), c in totals()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        }

        #[test]
        fn a_tally_counts_what_totals_count(
            requests in prop::collection::vec((any::<bool>(), 1..10_000_000_u64, 0..100_u8), 0..200),
        ) {
            let (mut tally, mut totals) = (Tally::default(), Totals::default());
            for (failed, latency, asked) in requests {
                tally.add(failed, latency);
                totals.add(failed, latency);
                match asked {
                    0..5 => prop_assert_eq!(tally.totals(), &totals),
                    5 => prop_assert_eq!(tally.take(), std::mem::take(&mut totals)),
                    _ => {}
                }
            }
            prop_assert_eq!(tally.take(), totals);
        }
    }

    #[test]
    fn nothing_is_no_data() {
        let mut totals = Totals::default();
        assert_eq!((totals.availability_percent(), totals.quantile_us(0.5)), (None, None));
        totals.add(true, 1_234);
        assert_eq!((totals.availability_percent(), totals.quantile_us(0.99)), (Some(0.0), Some(1_234.0)));
    }
}
