//! What services did over the last day, in bounded memory.
//!
//! Why: charts, error budgets and heat maps look back further than the open windows, and percentiles of a range cannot
//! be made of percentiles of its parts: sketches must be kept, and a day of them does not fit as it is.
//!
//! How: each service has a ladder of levels ([`plan`]): windows, minutes, five minutes, a quarter of an hour. What
//! grows old at one level is merged into the next, and leaves a point behind (counts and quantiles), which is kept for
//! longer. A pane that revises a window replaces it (accumulating) or adds to it (discarding). [`read`] makes points, totals and heat maps of it.
//!
//! It must not read a clock (time is how far event time has come), show zero where nothing was told, or hold more
//! bytes than its budget: when that is reached it looks back less far, and says so.

mod history;
mod plan;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spec::{Accumulation, Spec};
use super::totals::Totals;
use super::watermark::BEGINNING;
use super::window::Pane;
use crate::model::signal::Latency;
use history::History;
use plan::{LEVELS, Plan};

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
}

/// What was counted in one step, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Start of the step, milliseconds since 1970.
    pub start: i64,
    /// Requests.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Quantiles of latency.
    pub latency: Latency,
}

impl Point {
    /// What totals say of a step.
    #[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is exact in an f64")]
    pub fn new(start: i64, totals: &Totals) -> Self {
        let [p50_us, p90_us, p95_us, p99_us] = totals.quantiles_us([0.5, 0.9, 0.95, 0.99]).unwrap_or_default();
        let latency = Latency { p50_us, p90_us, p95_us, p99_us, max_us: totals.max_us as f64 };
        Self { start, requests: totals.requests, errors: totals.errors, latency }
    }

    /// Successful share of requests in percent; `None` without requests.
    #[expect(clippy::cast_precision_loss, reason = "counts of a step are far below 2^52")]
    pub fn availability_percent(&self) -> Option<f64> {
        let good = self.requests.checked_sub(self.errors)?;
        (self.requests > 0).then(|| good as f64 * 100.0 / self.requests as f64)
    }
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
            plan,
        }
    }

    /// Takes a pane in: a new window, a revision of one, or an addition to one.
    pub fn apply(&mut self, pane: &Pane) {
        self.advance(pane.start.saturating_add(self.plan.window_ms()));
        let Some(level) = self.cuts.iter().position(|cut| pane.start >= *cut) else {
            self.skipped += 1;
            return;
        };
        // What a window was before is known only while it is kept as a window.
        if level > 0 && pane.index > 0 && self.mode == Accumulation::Accumulating {
            self.skipped += 1;
            return;
        }
        let replaces = level == 0 && self.mode == Accumulation::Accumulating;
        let history = match self.services.get_mut(&pane.service) {
            Some(history) => history,
            None => self.services.entry(pane.service.clone()).or_default(),
        };
        history.put(&self.plan, level, pane, replaces);
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
