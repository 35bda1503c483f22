//! What services did over the last day, in bounded memory.
//!
//! Why: charts, error budgets and heat maps look back further than the open windows, and percentiles of a range cannot
//! be made of percentiles of its parts: sketches must be kept, and a day of them does not fit as it is.
//!
//! How: each service has a ladder of levels ([`plan`]): windows, minutes, five minutes, a quarter of an hour. What
//! grows old at one level is merged into the next, and leaves a point behind (counts and quantiles), which is kept for
//! longer. A pane that revises a window replaces it (accumulating) or adds to it (discarding), and whoever files it
//! judges the window anew ([`verdict`]); of several windows the worst judgement stays. [`read`] makes points, totals and
//! heat maps of it.
//!
//! It must not read a clock (time is how far event time has come), show zero where nothing was told, or hold more
//! bytes than its budget: when that is reached it looks back less far, and says so.

mod history;
mod plan;
mod read;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spec::{Accumulation, Spec};
use super::totals::Totals;
use super::watermark::BEGINNING;
use super::window::Pane;
use crate::model::Time;
use crate::model::signal::{Health, Latency, Point};
use history::{History, Slot};
use plan::{LEVELS, Plan};
use verdict::Names;

pub use plan::Resolution;
pub use read::Heat;

/// The shortest time that is looked back, whatever the budget, in windows.
const LEAST_WINDOWS: i64 = 2;

/// The recent past of all services.
#[derive(Clone, Debug)]
pub struct Series {
    plan: Plan,
    mode: Accumulation,
    services: BTreeMap<Arc<str>, History>,
    /// How far event time has come, milliseconds since 1970.
    now: i64,
    /// Before this time each level has given its windows to the next.
    cuts: [i64; LEVELS],
    budget_bytes: usize,
    horizon_ms: i64,
    skipped: u64,
    names: Names,
    /// What is called full by events that say so.
    component: Option<Arc<str>>,
}

/// Says how well a service was in a window, and how near to its limits: sets both.
pub type Judge<'a> = &'a mut dyn FnMut(&mut Point);

/// What became of a window by a pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The window now; where windows are no longer kept one by one, the pane alone.
    pub point: Point,
    /// Requests more than before, or fewer.
    pub requests: i64,
    /// Errors more than before, or fewer.
    pub errors: i64,
}

/// What totals say of a step, which nobody has judged yet.
#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is exact in an f64")]
pub fn point(start: i64, totals: &Totals) -> Point {
    let [p50_us, p90_us, p95_us, p99_us] = totals.quantiles_us([0.5, 0.9, 0.95, 0.99]).unwrap_or_default();
    Point {
        start: time(start),
        requests: totals.requests,
        errors: totals.errors,
        latency: Latency { p50_us, p90_us, p95_us, p99_us, max_us: totals.max_us as f64 },
        health: Health::WELL,
        saturation: None,
    }
}

/// Milliseconds since 1970 as a time of the calendar; what lies outside it is at its end.
pub fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(if millis < 0 { Time::MIN_UTC } else { Time::MAX_UTC })
}

impl Series {
    /// No history yet, of panes that an engine of this spec tells.
    pub fn new(spec: &Spec) -> Self {
        let plan = Plan::new(spec.window.size.millis(), spec.window.allowed_lateness.millis());
        Self {
            mode: spec.window.mode,
            services: BTreeMap::new(),
            now: BEGINNING,
            cuts: [BEGINNING; LEVELS],
            // The allocator leaves about a sixth unused between what is held.
            budget_bytes: usize::try_from(u64::from(spec.limits.history_mb) * (1 << 20) / 6 * 5).unwrap_or(usize::MAX),
            horizon_ms: plan.longest_ms(),
            skipped: 0,
            names: Names::default(),
            component: spec.source.saturation.as_ref().map(|it| it.component.as_str().into()),
            plan,
        }
    }

    /// Takes a pane in: a new window, a revision of one, or an addition to one. `None` when it can no longer be counted.
    pub fn apply(&mut self, pane: &Pane, judge: Judge<'_>) -> Option<Applied> {
        self.advance(pane.start.saturating_add(self.plan.window_ms()));
        let level = self.cuts.iter().position(|cut| pane.start >= *cut);
        // What a window was before is known only while it is kept as a window.
        let revises_merged = |level: usize| level > 0 && pane.index > 0 && self.mode == Accumulation::Accumulating;
        let Some(level) = level.filter(|level| !revises_merged(*level)) else {
            self.skipped += 1;
            return None;
        };
        let replaces = level == 0 && self.mode == Accumulation::Accumulating;
        let history = match self.services.get_mut(&pane.service) {
            Some(history) => history,
            None => self.services.entry(pane.service.clone()).or_default(),
        };
        let slot = Slot { plan: &self.plan, level, replaces, component: self.component.as_ref() };
        history.put(slot, pane, &mut self.names, judge)
    }

    /// Lets event time pass: what is old is merged, what is too old is forgotten.
    pub fn advance(&mut self, now: i64) {
        if now <= self.now {
            return;
        }
        self.now = now;
        let before = self.cuts;
        self.cut();
        if self.cuts == before {
            return;
        }
        self.roll();
        while self.heap_bytes() > self.budget_bytes && self.horizon_ms > LEAST_WINDOWS * self.plan.window_ms() {
            self.horizon_ms -= self.horizon_ms / 8 + 1;
            self.cut();
            self.roll();
        }
        if self.heap_bytes() < self.budget_bytes / 4 * 3 {
            self.horizon_ms = (self.horizon_ms + self.horizon_ms / 8).min(self.plan.longest_ms());
        }
    }

    /// Moves the cuts to where they are due; they never go back.
    fn cut(&mut self) {
        for (level, cut) in self.cuts.iter_mut().enumerate() {
            *cut = (*cut).max(self.plan.cut(level, self.now, self.horizon_ms));
        }
    }

    fn roll(&mut self) {
        let oldest = self.now.saturating_sub(self.horizon_ms);
        for history in self.services.values_mut() {
            history.roll(&self.plan, &self.cuts, self.now, oldest);
        }
        self.services.retain(|_, history| history.last_start() >= oldest);
    }

    /// The services that anything is known of, by name.
    pub fn services(&self) -> impl Iterator<Item = &Arc<str>> {
        self.services.keys()
    }

    /// End of the last window in which a service had events, milliseconds since 1970.
    pub fn last_seen(&self, service: &str) -> Option<i64> {
        Some(self.services.get(service)?.last_start().saturating_add(self.plan.window_ms()))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Whether anything is known of a service.
    pub fn knows(&self, service: &str) -> bool {
        self.services.contains_key(service)
    }

    /// How far back it looks now, milliseconds: less than a day when the budget is reached.
    pub const fn horizon_ms(&self) -> i64 {
        self.horizon_ms
    }

    /// Panes that came when their window was no longer known by itself.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes held on the heap, to within small change.
    pub fn heap_bytes(&self) -> usize {
        self.services.iter().map(|(name, history)| 64 + name.len() + history.heap_bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
