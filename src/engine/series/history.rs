//! The past of one service.

use std::collections::VecDeque;

use super::Point;
use super::plan::{LEVELS, Plan, start};
use crate::engine::sketch::{Packed, bin};
use crate::engine::totals::Totals;
use crate::engine::window::Pane;
use crate::model::signal::Latency;

/// Totals of one step.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Milliseconds since 1970.
    pub(super) start: i64,
    requests: u64,
    errors: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    sketch: Packed,
}

impl Kept {
    fn new(start: i64, totals: &Totals) -> Self {
        let Totals { requests, errors, sum_us, min_us, max_us, ref sketch } = *totals;
        Self { start, requests, errors, sum_us, min_us, max_us, sketch: sketch.into() }
    }

    /// Adds it to totals.
    pub(super) fn add_to(&self, totals: &mut Totals) {
        let Self { requests, errors, sum_us, min_us, max_us, ref sketch, .. } = *self;
        if requests == 0 {
            return;
        }
        totals.min_us = if totals.requests == 0 { min_us } else { totals.min_us.min(min_us) };
        totals.max_us = totals.max_us.max(max_us);
        totals.requests += requests;
        totals.errors += errors;
        totals.sum_us = totals.sum_us.saturating_add(sum_us);
        totals.sketch.make_room(bin(min_us), bin(max_us));
        sketch.add_to(&mut totals.sketch);
    }

    /// As totals.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.add_to(&mut totals);
        totals
    }

    /// The bins of its sketch.
    pub(super) fn bins(&self) -> impl Iterator<Item = (u16, u32)> {
        self.sketch.bins()
    }
}

/// A point in few bytes: quantiles need no more than an `f32` has, and no step has 2^32 requests.
#[derive(Clone, Copy, Debug)]
struct Small {
    start: i64,
    requests: u32,
    errors: u32,
    latency_us: [f32; 5],
}

impl From<&Point> for Small {
    #[expect(clippy::cast_possible_truncation, reason = "a sketch is not exact beyond two digits")]
    fn from(point: &Point) -> Self {
        let Latency { p50_us, p90_us, p95_us, p99_us, max_us } = point.latency;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            start: point.start,
            requests: count(point.requests),
            errors: count(point.errors),
            latency_us: [p50_us, p90_us, p95_us, p99_us, max_us].map(|value| value as f32),
        }
    }
}

impl From<&Small> for Point {
    fn from(small: &Small) -> Self {
        let [p50_us, p90_us, p95_us, p99_us, max_us] = small.latency_us.map(f64::from);
        let latency = Latency { p50_us, p90_us, p95_us, p99_us, max_us };
        Self { start: small.start, requests: small.requests.into(), errors: small.errors.into(), latency }
    }
}

/// One level: the newer steps with their sketches, the older ones as points. Both in order of start.
#[derive(Clone, Debug, Default)]
struct Tier {
    kept: VecDeque<Kept>,
    points: VecDeque<Small>,
    sketch_bytes: usize,
}

/// All levels of one service.
#[derive(Clone, Debug)]
pub(super) struct History {
    tiers: [Tier; LEVELS],
    last_start: i64,
}

impl Default for History {
    fn default() -> Self {
        Self { tiers: std::array::from_fn(|_| Tier::default()), last_start: i64::MIN }
    }
}

impl History {
    /// Takes a pane in at a level.
    pub(super) fn put(&mut self, plan: &Plan, level: usize, pane: &Pane, replaces: bool) {
        self.last_start = self.last_start.max(pane.start);
        let start = start(pane.start, plan.level(level).step_ms);
        if let Some(tier) = self.tiers.get_mut(level) {
            tier.put(start, &pane.totals, replaces);
        }
    }

    /// Start of the last window with events.
    pub(super) const fn last_start(&self) -> i64 {
        self.last_start
    }

    /// Gives what is older than each level's cut to the next level, and forgets what is older than `oldest`.
    pub(super) fn roll(&mut self, plan: &Plan, cuts: &[i64; LEVELS], now: i64, oldest: i64) {
        for (level, cut) in cuts.iter().enumerate() {
            let points_since = now.saturating_sub(plan.level(level).points_ms).max(oldest);
            let Some((tier, next)) = self.tiers.get_mut(level..).and_then(<[Tier]>::split_first_mut) else { return };
            let step_ms = plan.level((level + 1).min(LEVELS - 1)).step_ms;
            while let Some((group, totals)) = tier.take_group(*cut, step_ms, points_since) {
                if let Some(next) = next.first_mut().filter(|_| group >= oldest) {
                    next.put(group, &totals, false);
                }
            }
            tier.forget(oldest, points_since);
        }
    }

    /// The steps of a level with their sketches.
    pub(super) fn kept(&self, level: usize) -> impl Iterator<Item = &Kept> {
        self.tiers.get(level).into_iter().flat_map(|tier| &tier.kept)
    }

    /// The steps of a level that are points alone.
    pub(super) fn points(&self, level: usize) -> impl Iterator<Item = Point> {
        self.tiers.get(level).into_iter().flat_map(|tier| tier.points.iter().map(Point::from))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.tiers.iter().map(Tier::heap_bytes).sum()
    }
}

impl Tier {
    fn put(&mut self, start: i64, totals: &Totals, replaces: bool) {
        let place = self.kept.partition_point(|kept| kept.start < start);
        let Some(kept) = self.kept.get_mut(place).filter(|kept| kept.start == start) else {
            let kept = Kept::new(start, totals);
            self.sketch_bytes += kept.sketch.heap_bytes();
            make_room(&mut self.kept);
            self.kept.insert(place, kept);
            return;
        };
        self.sketch_bytes -= kept.sketch.heap_bytes();
        let mut sum = if replaces { Totals::default() } else { kept.totals() };
        sum.merge(totals);
        *kept = Kept::new(start, &sum);
        self.sketch_bytes += kept.sketch.heap_bytes();
    }

    /// Takes out the oldest steps that are before `cut` and in one step of the next level; each leaves a point.
    fn take_group(&mut self, cut: i64, step_ms: i64, points_since: i64) -> Option<(i64, Totals)> {
        let first = self.kept.front().filter(|kept| kept.start < cut)?;
        let group = start(first.start, step_ms);
        let mut sum = Totals::default();
        while let Some(kept) = self.kept.front().filter(|kept| kept.start < group.saturating_add(step_ms)) {
            let (start, totals) = (kept.start, kept.totals());
            self.sketch_bytes -= kept.sketch.heap_bytes();
            self.kept.pop_front();
            if start >= points_since {
                make_room(&mut self.points);
                let place = self.points.partition_point(|point| point.start < start);
                self.points.insert(place, Small::from(&Point::new(start, &totals)));
            }
            sum.merge(&totals);
        }
        Some((group, sum))
    }

    fn forget(&mut self, oldest: i64, points_since: i64) {
        while let Some(kept) = self.kept.front().filter(|kept| kept.start < oldest) {
            self.sketch_bytes -= kept.sketch.heap_bytes();
            self.kept.pop_front();
        }
        let old = self.points.partition_point(|point| point.start < points_since);
        self.points.drain(..old);
    }

    fn heap_bytes(&self) -> usize {
        // An allocation costs about 24 bytes beside what it holds.
        self.kept.capacity() * size_of::<Kept>()
            + self.kept.len() * 24
            + self.sketch_bytes
            + self.points.capacity() * size_of::<Small>()
    }
}

/// Grows by a quarter instead of doubling.
fn make_room<T>(deque: &mut VecDeque<T>) {
    if deque.len() == deque.capacity() {
        deque.reserve_exact(deque.len() / 4 + 4);
    }
}
