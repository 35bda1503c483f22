//! The past of one service.

use std::collections::VecDeque;
use std::sync::Arc;

use super::plan::{LEVELS, Plan, start};
use super::verdict::{Names, Verdict};
use super::{Applied, Judge, point};
use crate::engine::sketch::{Packed, bin};
use crate::engine::totals::Totals;
use crate::engine::window::Pane;
use crate::model::signal::{Latency, Point, Saturation};

/// Totals of one step.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Milliseconds since 1970.
    pub(super) start: i64,
    pub(super) requests: u64,
    errors: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
    sketch: Packed,
    pub(super) verdict: Verdict,
}

impl Kept {
    fn new(start: i64, totals: &Totals, verdict: Verdict) -> Self {
        let Totals { requests, errors, sum_us, min_us, max_us, ref sketch, fullest: _ } = *totals;
        Self { start, requests, errors, sum_us, min_us, max_us, sketch: sketch.into(), verdict }
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
    verdict: Verdict,
}

impl Small {
    #[expect(clippy::cast_possible_truncation, reason = "a sketch is not exact beyond two digits")]
    fn new(start: i64, totals: &Totals, verdict: Verdict) -> Self {
        let Point { requests, errors, latency, .. } = point(start, totals);
        let Latency { p50_us, p90_us, p95_us, p99_us, max_us } = latency;
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let latency_us = [p50_us, p90_us, p95_us, p99_us, max_us].map(|value| value as f32);
        Self { start, requests: count(requests), errors: count(errors), latency_us, verdict }
    }

    fn point(&self, names: &Names) -> Point {
        let [p50_us, p90_us, p95_us, p99_us, max_us] = self.latency_us.map(f64::from);
        Point {
            start: super::time(self.start),
            requests: self.requests.into(),
            errors: self.errors.into(),
            latency: Latency { p50_us, p90_us, p95_us, p99_us, max_us },
            health: self.verdict.health(),
            saturation: self.verdict.saturation(names),
        }
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
    /// The last window with events.
    last: Option<Box<Point>>,
    /// Requests and errors of all that is kept.
    sums: (u64, u64),
}

impl Default for History {
    fn default() -> Self {
        Self { tiers: std::array::from_fn(|_| Tier::default()), last_start: i64::MIN, last: None, sums: (0, 0) }
    }
}

/// Where a pane goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub(super) plan: &'a Plan,
    pub(super) level: usize,
    /// Whether it is all of its window, not an addition.
    pub(super) replaces: bool,
    /// What is called full by events that say so.
    pub(super) component: Option<&'a Arc<str>>,
}

impl History {
    /// Takes a pane in at a level, as `judge` finds it.
    pub(super) fn put(&mut self, slot: Slot<'_>, pane: &Pane, names: &mut Names, judge: Judge<'_>) -> Option<Applied> {
        let start = start(pane.start, slot.plan.level(slot.level).step_ms);
        let tier = self.tiers.get_mut(slot.level)?;
        let known = tier.at(start);
        let before = known.map_or((0, 0), |kept| (kept.requests, kept.errors));
        let mut sum = known.filter(|_| !slot.replaces).map(Kept::totals).unwrap_or_default();
        sum.merge(&pane.totals);
        // A step of several windows is not judged as one: only what came is, and the worst stays.
        let judged = if slot.level == 0 { &sum } else { &pane.totals };
        let mut point = point(pane.start, judged);
        let before_it = known.filter(|_| slot.level == 0).and_then(|kept| kept.verdict.saturation(names));
        let told = slot.component.zip(pane.totals.fullest);
        let told = told
            .map(|(component, tenths)| Saturation { percent: f64::from(tenths) / 10.0, component: component.clone() });
        point.saturation = Saturation::nearer(before_it, told);
        judge(&mut point);
        let verdict = Verdict::new(point.health, point.saturation.as_ref(), names);
        let verdict = match known.filter(|_| slot.level > 0) {
            Some(kept) => kept.verdict.or_worse(verdict),
            None => verdict,
        };
        let after = (sum.requests, sum.errors);
        tier.put(start, &sum, verdict);
        self.sums = (self.sums.0 + after.0 - before.0, self.sums.1 + after.1 - before.1);
        if pane.start >= self.last_start {
            self.last_start = pane.start;
            self.last = Some(Box::new(point.clone()));
        }
        let change = |after: u64, before: u64| after.cast_signed() - before.cast_signed();
        Some(Applied { requests: change(after.0, before.0), errors: change(after.1, before.1), point })
    }

    /// Start of the last window with events.
    pub(super) const fn last_start(&self) -> i64 {
        self.last_start
    }

    /// The last window with events.
    pub(super) fn last(&self) -> Option<&Point> {
        self.last.as_deref()
    }

    /// Requests and errors of all that is kept.
    pub(super) const fn sums(&self) -> (u64, u64) {
        self.sums
    }

    /// How long after a window with events the next one starts on average, of those that are known one by one;
    /// milliseconds, and 0 while there is but one.
    pub(super) fn usual_gap(&self) -> i64 {
        let Some(tier) = self.tiers.first() else { return 0 };
        let points = tier.points.front().map(|point| point.start);
        let first = points.into_iter().chain(tier.kept.front().map(|kept| kept.start)).min();
        let gaps = i64::try_from((tier.points.len() + tier.kept.len()).saturating_sub(1)).unwrap_or(i64::MAX);
        first.map_or(0, |first| self.last_start.saturating_sub(first).checked_div(gaps).unwrap_or(0))
    }

    /// Gives what is older than each level's cut to the next level, and forgets what is older than `oldest`.
    pub(super) fn roll(&mut self, plan: &Plan, cuts: &[i64; LEVELS], now: i64, oldest: i64) {
        for (level, cut) in cuts.iter().enumerate() {
            let points_since = now.saturating_sub(plan.level(level).points_ms).max(oldest);
            let Some((tier, next)) = self.tiers.get_mut(level..).and_then(<[Tier]>::split_first_mut) else { return };
            let step_ms = plan.level((level + 1).min(LEVELS - 1)).step_ms;
            while let Some((group, totals, verdict)) = tier.take_group(*cut, step_ms, points_since) {
                match next.first_mut().filter(|_| group >= oldest) {
                    Some(next) => next.merge(group, totals, verdict),
                    None => self.sums = less(self.sums, (totals.requests, totals.errors)),
                }
            }
            self.sums = less(self.sums, tier.forget(oldest, points_since));
        }
    }

    /// The steps of a level with their sketches.
    pub(super) fn kept(&self, level: usize) -> impl Iterator<Item = &Kept> {
        self.tiers.get(level).into_iter().flat_map(|tier| &tier.kept)
    }

    /// The steps of a level that are points alone.
    pub(super) fn points(&self, level: usize, names: &Names) -> impl Iterator<Item = (i64, Point)> {
        self.tiers
            .get(level)
            .into_iter()
            .flat_map(|tier| tier.points.iter().map(|small| (small.start, small.point(names))))
    }

    /// The newest windows that are known one by one and start at or after a time, newest first.
    pub(super) fn recent(&self, from: i64) -> impl Iterator<Item = &Kept> {
        let kept = self.tiers.first().into_iter().flat_map(|tier| tier.kept.iter().rev());
        kept.take_while(move |kept| kept.start >= from)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Point>() + self.tiers.iter().map(Tier::heap_bytes).sum::<usize>()
    }
}

impl Tier {
    fn at(&self, start: i64) -> Option<&Kept> {
        let place = self.kept.partition_point(|kept| kept.start < start);
        self.kept.get(place).filter(|kept| kept.start == start)
    }

    /// Sets a step.
    fn put(&mut self, start: i64, totals: &Totals, verdict: Verdict) {
        let new = Kept::new(start, totals, verdict);
        self.sketch_bytes += new.sketch.heap_bytes();
        let place = self.kept.partition_point(|kept| kept.start < start);
        if let Some(kept) = self.kept.get_mut(place).filter(|kept| kept.start == start) {
            self.sketch_bytes -= kept.sketch.heap_bytes();
            *kept = new;
        } else {
            make_room(&mut self.kept);
            self.kept.insert(place, new);
        }
    }

    /// Adds to a step.
    fn merge(&mut self, start: i64, totals: Totals, verdict: Verdict) {
        let (totals, verdict) = match self.at(start) {
            None => (totals, verdict),
            Some(kept) => {
                let mut sum = kept.totals();
                sum.merge(&totals);
                (sum, kept.verdict.or_worse(verdict))
            }
        };
        self.put(start, &totals, verdict);
    }

    /// Takes out the oldest steps that are before `cut` and in one step of the next level; each leaves a point.
    fn take_group(&mut self, cut: i64, step_ms: i64, points_since: i64) -> Option<(i64, Totals, Verdict)> {
        let first = self.kept.front().filter(|kept| kept.start < cut)?;
        let (group, mut worst) = (start(first.start, step_ms), first.verdict);
        let mut sum = Totals::default();
        while let Some(kept) = self.kept.front().filter(|kept| kept.start < group.saturating_add(step_ms)) {
            let (start, totals, verdict) = (kept.start, kept.totals(), kept.verdict);
            self.sketch_bytes -= kept.sketch.heap_bytes();
            self.kept.pop_front();
            if start >= points_since {
                make_room(&mut self.points);
                let place = self.points.partition_point(|point| point.start < start);
                self.points.insert(place, Small::new(start, &totals, verdict));
            }
            sum.merge(&totals);
            worst = worst.or_worse(verdict);
        }
        Some((group, sum, worst))
    }

    /// Gives the requests and errors that are known no more.
    fn forget(&mut self, oldest: i64, points_since: i64) -> (u64, u64) {
        let mut gone = (0, 0);
        while let Some(kept) = self.kept.front().filter(|kept| kept.start < oldest) {
            gone = (gone.0 + kept.requests, gone.1 + kept.errors);
            self.sketch_bytes -= kept.sketch.heap_bytes();
            self.kept.pop_front();
        }
        let old = self.points.partition_point(|point| point.start < points_since);
        self.points.drain(..old);
        gone
    }

    fn heap_bytes(&self) -> usize {
        // An allocation costs about 24 bytes beside what it holds.
        self.kept.capacity() * size_of::<Kept>()
            + self.kept.len() * 24
            + self.sketch_bytes
            + self.points.capacity() * size_of::<Small>()
    }
}

const fn less(sums: (u64, u64), gone: (u64, u64)) -> (u64, u64) {
    (sums.0.saturating_sub(gone.0), sums.1.saturating_sub(gone.1))
}

/// Grows by a quarter instead of doubling.
fn make_room<T>(deque: &mut VecDeque<T>) {
    if deque.len() == deque.capacity() {
        deque.reserve_exact(deque.len() / 4 + 4);
    }
}
