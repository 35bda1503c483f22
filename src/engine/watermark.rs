//! How far event time has surely come.
//!
//! Why: partitions advance apart. A window may close only when the slowest active one has passed it.
//!
//! How: each partition has a watermark that only rises; the whole one is the least of the active partitions and only
//! rises too. A partition without events for a while is idle and holds nothing back; when it wakes, its old events are
//! late. When all are idle, the clock itself moves the watermark, as far behind as events may be out of order, so
//! that the last window closes: the caller gives no clock while a backend is down or a backlog is unread.
//!
//! It must not read a clock.

use std::collections::BTreeMap;

/// Before all time: nothing is known.
pub const BEGINNING: i64 = i64::MIN;
/// After all time: nothing more comes.
pub const END: i64 = i64::MAX;

#[derive(Clone, Copy, Debug)]
struct Partition {
    /// Milliseconds since 1970.
    watermark: i64,
    /// When it last had an event or was assigned, by the caller's clock.
    active_at: i64,
}

/// The watermarks of all partitions. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Watermarks {
    partitions: BTreeMap<u32, Partition>,
    delay: i64,
    idle_after: i64,
    whole: i64,
}

impl Watermarks {
    /// Watermarks that stay `delay` behind event time, of partitions that idle after `idle_after`.
    pub const fn new(delay: i64, idle_after: i64) -> Self {
        Self { partitions: BTreeMap::new(), delay, idle_after, whole: BEGINNING }
    }

    /// A partition that will be read: it holds the others back until it has events or is idle.
    pub fn assign(&mut self, partition: u32, now: i64) {
        self.partitions.entry(partition).or_insert(Partition { watermark: BEGINNING, active_at: now });
    }

    /// Sets when a partition last had something to say, for a caller that knows better than by its events: one with a
    /// backlog is not idle, and one without is while others work theirs off.
    pub fn touch(&mut self, partition: u32, active_at: i64) {
        if let Some(known) = self.partitions.get_mut(&partition) {
            known.active_at = active_at;
        }
    }

    /// A partition that is no longer read.
    pub fn revoke(&mut self, partition: u32) {
        self.partitions.remove(&partition);
    }

    /// Events of a partition up to a time.
    pub fn observe(&mut self, partition: u32, greatest_time: i64, now: i64) {
        self.raise(partition, greatest_time.saturating_sub(self.delay), now);
    }

    /// Sets a partition's watermark, if that is a rise.
    pub fn raise(&mut self, partition: u32, watermark: i64, now: i64) {
        let known = self.partitions.entry(partition).or_insert(Partition { watermark, active_at: now });
        known.watermark = known.watermark.max(watermark);
        known.active_at = known.active_at.max(now);
    }

    /// The whole watermark at a time of the clock; never less than before.
    pub fn advance(&mut self, now: i64) -> i64 {
        let active = self.partitions.values().filter(|partition| !self.is_idle(partition, now));
        let reached = match active.map(|partition| partition.watermark).min() {
            Some(least) => least,
            None if self.partitions.is_empty() => BEGINNING,
            None => now.saturating_sub(self.delay).saturating_sub(self.idle_after),
        };
        self.whole = self.whole.max(reached);
        self.whole
    }

    /// The whole watermark.
    pub const fn whole(&self) -> i64 {
        self.whole
    }

    /// How many partitions are idle.
    pub fn idle(&self, now: i64) -> usize {
        self.partitions.values().filter(|partition| self.is_idle(partition, now)).count()
    }

    const fn is_idle(&self, partition: &Partition, now: i64) -> bool {
        now.saturating_sub(partition.active_at) >= self.idle_after
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_slowest_active_partition_rules() {
        let mut watermarks = Watermarks::new(5, 100);
        watermarks.assign(0, 0);
        watermarks.assign(1, 0);
        watermarks.observe(0, 50, 0);
        assert_eq!(watermarks.advance(0), BEGINNING);
        watermarks.observe(1, 30, 10);
        assert_eq!(watermarks.advance(10), 25);
        watermarks.observe(1, 80, 10);
        assert_eq!(watermarks.advance(10), 45);
    }

    #[test]
    fn an_idle_partition_holds_nothing_back_and_never_turns_it_back() {
        let mut watermarks = Watermarks::new(0, 100);
        watermarks.observe(0, 10, 0);
        watermarks.observe(1, 500, 50);
        assert_eq!((watermarks.advance(99), watermarks.idle(99)), (10, 0));
        assert_eq!((watermarks.advance(100), watermarks.idle(100)), (500, 1));
        watermarks.observe(0, 20, 110);
        assert_eq!((watermarks.advance(110), watermarks.idle(110)), (500, 0));
    }

    #[test]
    fn when_all_are_idle_the_clock_moves_it() {
        let mut watermarks = Watermarks::new(5, 100);
        assert_eq!(watermarks.advance(1_000_000), BEGINNING);
        watermarks.observe(0, 1_000, 1_000);
        assert_eq!(watermarks.advance(1_099), 995);
        assert_eq!(watermarks.advance(1_200), 1_095);
    }

    #[test]
    fn a_caller_may_know_better_who_is_idle() {
        let mut watermarks = Watermarks::new(0, 100);
        watermarks.observe(0, 10, 0);
        watermarks.observe(1, 40, 0);
        watermarks.touch(0, i64::MIN);
        assert_eq!(watermarks.advance(0), 40);
        watermarks.observe(1, 50, 1_000);
        watermarks.touch(0, 1_000);
        assert_eq!((watermarks.advance(1_000), watermarks.idle(1_000)), (40, 0));
    }

    #[test]
    fn a_revoked_partition_no_longer_counts() {
        let mut watermarks = Watermarks::new(0, 100);
        watermarks.observe(0, 10, 0);
        watermarks.observe(1, 40, 0);
        watermarks.revoke(0);
        assert_eq!(watermarks.advance(0), 40);
    }

    proptest! {
        #[test]
        fn it_never_falls(steps in prop::collection::vec((0..4_u32, 0..1_000_i64, 0..300_i64, 0..5_u8), 0..100)) {
            let mut watermarks = Watermarks::new(7, 100);
            let (mut before, mut now) = (BEGINNING, 0);
            for (partition, time, passed, what) in steps {
                now += passed;
                match what {
                    0 => watermarks.assign(partition, now),
                    1 => watermarks.revoke(partition),
                    _ => watermarks.observe(partition, time, now),
                }
                let whole = watermarks.advance(now);
                prop_assert!(whole >= before);
                before = whole;
            }
        }
    }
}
