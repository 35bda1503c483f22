//! How long to wait before the next try.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// A delay that doubles up to a limit, with some chance in it, so that many clients of a server that
/// comes back do not all knock at once.
#[derive(Clone, Debug)]
pub struct Pace {
    first: Duration,
    limit: Duration,
    next: Duration,
}

impl Pace {
    /// A pace from the first delay to the longest.
    #[must_use]
    pub const fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, next: first }
    }

    /// The delay before the next try.
    pub fn pause(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(self.limit);
        spread(delay)
    }

    /// Starts again from the first delay.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A duration up to a fifth shorter than the given one, by chance.
#[must_use]
pub fn spread(delay: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish() % 200;
    delay * u32::try_from(1000 - chance).unwrap_or(1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit_and_start_again() {
        let mut pace = Pace::new(Duration::from_millis(500), Duration::from_secs(10));
        let delays: Vec<Duration> = (0..7).map(|_| pace.pause()).collect();
        for (delay, full) in delays.iter().zip([500_u64, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
            let full = Duration::from_millis(full);
            assert!(*delay <= full && *delay >= full * 4 / 5, "{delay:?} for {full:?}");
        }
        pace.reset();
        assert!(pace.pause() <= Duration::from_millis(500));
    }
}
