//! The recent windows of one service.

use std::collections::VecDeque;

use crate::engine::Pane;
use crate::engine::spec::Accumulation;
use crate::engine::totals::Totals;
use crate::model::Time;
use crate::model::signal::{Health, Latency, Point};

/// Windows kept: an hour of 10 seconds each.
const WINDOWS: usize = 360;

/// Says how well a service was in a window.
pub(super) type Judge<'a> = &'a mut dyn FnMut(&Point) -> Health;

/// What is kept of one window.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Start, milliseconds since 1970.
    pub(super) start: i64,
    totals: Totals,
    point: Point,
}

/// Windows of a service in order of start; windows without events are not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    windows: VecDeque<Kept>,
}

impl Track {
    /// Takes a pane in: a new window, a revision of one, or an addition to one. Gives by how much the requests and
    /// errors of the window changed; `None` when it is too old to be kept.
    pub(super) fn put(&mut self, pane: Pane, mode: Accumulation, judge: Judge<'_>) -> Option<(i64, i64)> {
        let place = self.windows.partition_point(|kept| kept.start < pane.start);
        let known = self.windows.get_mut(place).filter(|kept| kept.start == pane.start);
        if let Some(kept) = known {
            let before = counts(&kept.totals);
            match mode {
                Accumulation::Accumulating => kept.totals = pane.totals,
                Accumulation::Discarding => kept.totals.merge(&pane.totals),
            }
            kept.point = point(pane.start, &kept.totals, judge);
            let after = counts(&kept.totals);
            return Some((after.0 - before.0, after.1 - before.1));
        }
        if place == 0 && self.windows.len() >= WINDOWS {
            return None;
        }
        let change = counts(&pane.totals);
        let point = point(pane.start, &pane.totals, judge);
        self.windows.insert(place, Kept { start: pane.start, totals: pane.totals, point });
        if self.windows.len() > WINDOWS {
            self.windows.pop_front();
        }
        Some(change)
    }

    /// The window that starts then.
    pub(super) fn at(&self, start: i64) -> Option<&Point> {
        let place = self.windows.partition_point(|kept| kept.start < start);
        self.windows.get(place).filter(|kept| kept.start == start).map(|kept| &kept.point)
    }

    /// End of the last window with events, milliseconds since 1970.
    pub(super) fn last_end(&self, window_ms: i64) -> i64 {
        self.windows.back().map_or(i64::MIN, |kept| kept.start.saturating_add(window_ms))
    }

    /// How long after a window with events the next one usually starts, milliseconds.
    pub(super) fn usual_gap(&self) -> i64 {
        match (self.windows.front(), self.windows.back()) {
            (Some(first), Some(last)) if self.windows.len() > 1 => {
                let gaps = i64::try_from(self.windows.len() - 1).unwrap_or(i64::MAX);
                last.start.saturating_sub(first.start) / gaps
            }
            _ => 0,
        }
    }

    /// The last window with events.
    pub(super) fn last(&self) -> Option<&Point> {
        self.windows.back().map(|kept| &kept.point)
    }

    /// The windows that start at or after a time, in order.
    pub(super) fn since(&self, start: i64) -> impl Iterator<Item = (i64, &Point)> {
        let from = self.windows.partition_point(|kept| kept.start < start);
        self.windows.range(from..).map(|kept| (kept.start, &kept.point))
    }

    /// Distribution of latency in the windows that start at or after a time.
    pub(super) fn totals_since(&self, start: i64) -> impl Iterator<Item = (i64, &Totals)> {
        let from = self.windows.partition_point(|kept| kept.start < start);
        self.windows.range(from..).map(|kept| (kept.start, &kept.totals))
    }

    /// Requests and errors of all that is kept.
    pub(super) fn sums(&self) -> (u64, u64) {
        self.windows
            .iter()
            .fold((0, 0), |(requests, errors), kept| (requests + kept.totals.requests, errors + kept.totals.errors))
    }
}

fn counts(totals: &Totals) -> (i64, i64) {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    (signed(totals.requests), signed(totals.errors))
}

/// What a window's sums say.
#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is exact in an f64")]
fn point(start: i64, totals: &Totals, judge: Judge<'_>) -> Point {
    let quantile = |quantile| totals.quantile_us(quantile).unwrap_or(0.0);
    let mut point = Point {
        start: time(start),
        requests: totals.requests,
        errors: totals.errors,
        latency: Latency {
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p95_us: quantile(0.95),
            p99_us: quantile(0.99),
            max_us: totals.max_us as f64,
        },
        health: Health::WELL,
        saturation: None,
        is_closed: true,
    };
    point.health = judge(&point);
    point
}

/// Milliseconds since 1970 as a time of the calendar; what lies outside it is at its end.
pub(super) fn time(millis: i64) -> Time {
    Time::from_timestamp_millis(millis).unwrap_or(if millis < 0 { Time::MIN_UTC } else { Time::MAX_UTC })
}
