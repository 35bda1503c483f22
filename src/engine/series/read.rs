//! Points, totals and heat maps of the past.

use super::plan::{LEVELS, Resolution, start};
use super::verdict::Verdict;
use super::{Series, point};
use crate::engine::sketch::GAMMA;
use crate::engine::totals::Totals;
use crate::model::signal::Point;

/// Steps that are answered at once, at most.
const MOST_STEPS: usize = 4_096;

/// Requests by time and latency.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Start of the first column, milliseconds since 1970.
    pub start: i64,
    /// Length of a column, milliseconds.
    pub step_ms: i64,
    /// Latency below which a row's requests are, microseconds; the lowest row first.
    pub bounds_us: Vec<f64>,
    /// Requests by row of each column; `None` where nothing was told.
    pub columns: Vec<Option<Vec<u64>>>,
}

impl Series {
    /// Length of a step of a resolution, milliseconds.
    pub fn step_ms(&self, resolution: Resolution) -> i64 {
        self.plan.level(resolution as usize).step_ms
    }

    /// The finest resolution whose points reach so far back, in no more steps than are answered at once.
    pub fn resolution(&self, range_ms: i64) -> Resolution {
        let reaches = self.plan.resolution(range_ms);
        let few = |resolution: &Resolution| {
            range_ms / self.step_ms(*resolution) < i64::try_from(MOST_STEPS).unwrap_or(i64::MAX)
        };
        Resolution::ALL.into_iter().find(|it| *it >= reaches && few(it)).unwrap_or(Resolution::QuarterHour)
    }

    /// The last window of a service in which it had events.
    pub fn latest(&self, service: &str) -> Option<&Point> {
        self.services.get(service)?.last()
    }

    /// Start and requests of the newest windows of a service that start at or after a time, newest first.
    pub fn recent(&self, service: &str, from: i64) -> impl Iterator<Item = (i64, u64)> {
        let history = self.services.get(service).into_iter();
        history.flat_map(move |history| history.recent(from).map(|kept| (kept.start, kept.requests)))
    }

    /// Requests and errors of all that is kept of a service.
    pub fn sums(&self, service: &str) -> (u64, u64) {
        self.services.get(service).map_or((0, 0), super::History::sums)
    }

    /// How long after a window with events the next one of a service starts on average, milliseconds.
    pub fn usual_gap(&self, service: &str) -> i64 {
        self.services.get(service).map_or(0, super::History::usual_gap)
    }

    /// The steps from the one that holds `from` to the one before `to`, of a service: what was counted in each, and
    /// `None` where nothing was told. At most 4,096.
    pub fn points(&self, service: &str, from: i64, to: i64, resolution: Resolution) -> Vec<Option<Point>> {
        let (level, step_ms) = (resolution as usize, self.step_ms(resolution));
        let Some(steps) = Steps::new(from, to, step_ms) else { return Vec::new() };
        let mut totals: Vec<Option<(Totals, Verdict)>> = vec![None; steps.count];
        let mut points = vec![None; steps.count];
        let Some(history) = self.services.get(service) else { return points };
        for (start, point) in history.points(level, &self.names) {
            if let Some(slot) = steps.place(start).and_then(|place| points.get_mut(place)) {
                *slot = Some(point);
            }
        }
        for kept in (0..=level).flat_map(|level| history.kept(level)) {
            if let Some(slot) = steps.place(kept.start).and_then(|place| totals.get_mut(place)) {
                let (sum, worst) = slot.get_or_insert_default();
                kept.add_to(sum);
                *worst = worst.or_worse(kept.verdict);
            }
        }
        for ((place, totals), slot) in (0_i64..).zip(totals).zip(&mut points) {
            if let Some((totals, worst)) = totals {
                let point = point(steps.start + place * step_ms, &totals);
                let saturation = worst.saturation(&self.names);
                *slot = Some(Point { health: worst.health(), saturation, ..point });
            }
        }
        points
    }

    /// All that is known of a service from a time to another, to the step that is kept there; `None` when that is nothing.
    pub fn total(&self, service: &str, from: i64, to: i64) -> Option<Totals> {
        let history = self.services.get(service)?;
        let kept = (0..LEVELS).flat_map(|level| history.kept(level));
        let mut sum = Totals::default();
        kept.filter(|kept| (from..to).contains(&kept.start)).for_each(|kept| kept.add_to(&mut sum));
        (sum.requests > 0).then_some(sum)
    }

    /// How latencies spread over a time, in at most so many rows; `None` when nothing is known. Columns are as wide as the
    /// widest step that is kept there.
    pub fn heat(&self, service: &str, from: i64, to: i64, rows: u16) -> Option<Heat> {
        let level = self.cuts.iter().position(|cut| *cut <= from).unwrap_or(LEVELS - 1);
        let step_ms = self.plan.level(level).step_ms;
        let steps = Steps::new(from, to, step_ms)?;
        let history = self.services.get(service)?;
        let kept = || {
            let all = (0..=level).flat_map(|level| history.kept(level));
            all.filter_map(|kept| Some((steps.place(kept.start)?, kept)))
        };
        let least = kept().filter_map(|(_, kept)| Some(kept.bins().next()?.0)).min()?;
        let greatest = kept().filter_map(|(_, kept)| Some(kept.bins().last()?.0)).max()?;
        let height = (greatest - least) / rows.max(1) + 1;
        let rows = (greatest - least) / height + 1;
        let mut columns = vec![None; steps.count];
        for (place, kept) in kept() {
            let Some(column) = columns.get_mut(place) else { continue };
            let column = column.get_or_insert_with(|| vec![0_u64; usize::from(rows)]);
            for (bin, count) in kept.bins() {
                if let Some(cell) = column.get_mut(usize::from((bin - least) / height)) {
                    *cell += u64::from(count);
                }
            }
        }
        let bounds_us =
            (1..=rows).map(|row| GAMMA.powi(i32::from(least) + i32::from(row) * i32::from(height))).collect();
        Some(Heat { start: steps.start, step_ms, bounds_us, columns })
    }
}

/// The steps of an answer.
struct Steps {
    start: i64,
    step_ms: i64,
    count: usize,
}

impl Steps {
    fn new(from: i64, to: i64, step_ms: i64) -> Option<Self> {
        let start = start(from, step_ms);
        let length = to.checked_sub(start).filter(|length| *length > 0)?;
        let count = usize::try_from((length - 1) / step_ms + 1).map_or(MOST_STEPS, |count| count.min(MOST_STEPS));
        Some(Self { start, step_ms, count })
    }

    fn place(&self, time: i64) -> Option<usize> {
        let place = usize::try_from(time.checked_sub(self.start)?.div_euclid(self.step_ms)).ok()?;
        (place < self.count).then_some(place)
    }
}
