//! Makes values of what the monitor knows.

use std::sync::Arc;

use super::Monitor;
use super::track::{Track, time};
use crate::engine::rejects::{Reason, Sample};
use crate::engine::sketch;
use crate::engine::watermark::BEGINNING;
use crate::model::signal::{Focus, Range, Reject, RejectSample, ServiceHistory, ServiceNow, Signals, Silence};

/// Steps of a sparkline.
const TREND: usize = 32;
/// Steps of a chart at most.
const STEPS: i64 = 360;
/// Rows of the latency heat map.
const HEAT_ROWS: usize = 24;
/// Upper bound of the heat map's lowest row, microseconds; each row reaches twice as far as the one below.
const HEAT_LEAST_US: u64 = 250;

/// All that there is to say now.
pub(super) fn signals(monitor: &Monitor, focus: &Focus, now: i64) -> Signals {
    let (engine, rejects) = (monitor.engine(), monitor.engine().rejects());
    let watermark = Some(engine.watermark()).filter(|watermark| *watermark > BEGINNING);
    let history = focus.service.as_ref().map(|service| Arc::new(history(monitor, service, focus, now)));
    let counted = Reason::ALL.into_iter().filter(|reason| rejects.count(*reason) > 0);
    Signals {
        name: monitor.name.clone(),
        window_ms: monitor.window_ms,
        reading: monitor.progress.reading.clone(),
        watermark: watermark.map(time),
        behind_ms: watermark.map(|watermark| now.saturating_sub(watermark.saturating_add(monitor.delay_ms)).max(0)),
        backlog: monitor.progress.backlog,
        records_per_second: monitor.records_per_second(),
        records: engine.counts().records,
        late: engine.counts().late,
        rejects: counted
            .map(|reason| Reject { reason: reason.to_string().into(), count: rejects.count(reason) })
            .collect(),
        samples: rejects.samples().map(|it| sample(monitor, it)).collect(),
        other: engine.services().overflowed(),
        overrides: monitor.intake.state().clone(),
        services: monitor.tracks.iter().map(|(name, track)| service(monitor, name, track)).collect(),
        history,
        alerts: monitor.book.alerts().into(),
    }
}

fn sample(monitor: &Monitor, sample: &Sample) -> RejectSample {
    let partition =
        monitor.partitions.get(&sample.partition).map_or_else(|| sample.partition.to_string(), ToString::to_string);
    let place = sample.offset.map_or_else(|| partition.clone(), |offset| format!("{partition}@{offset}"));
    RejectSample {
        reason: sample.reason.to_string().into(),
        detail: sample.detail.as_str().into(),
        place: place.into(),
        record: escaped(&sample.excerpt).into(),
    }
}

/// Text without characters that a terminal could obey.
fn escaped(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            clean.extend(letter.escape_default());
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[expect(clippy::cast_precision_loss, reason = "counts of a window and milliseconds of a window")]
fn service(monitor: &Monitor, name: &Arc<str>, track: &Track) -> ServiceNow {
    let (window_ms, last_end) = (monitor.window_ms, track.last_end(monitor.window_ms));
    let is_silent = monitor.engine().watermark().saturating_sub(last_end) >= monitor.silent_after(track);
    let point = track.last().filter(|_| !is_silent).cloned();
    let (own, objective_percent) = (monitor.rules.own(name), monitor.rules.slo_percent(name));
    let per_second = |requests: u64| requests as f64 * 1_000.0 / window_ms as f64;
    ServiceNow {
        service: name.clone(),
        swimlane: None,
        requests_per_second: point.as_ref().map(|point| per_second(point.requests)),
        silence: is_silent.then(|| Silence { since: time(last_end) }),
        trend: trend(monitor, track),
        objective_percent,
        budget_left_percent: objective_percent.and_then(|objective| budget_left(track.sums(), objective)),
        rule: monitor.rules.rule(name),
        tags: own
            .map(|own| own.tags.iter())
            .into_iter()
            .flatten()
            .map(|(tag, value)| (tag.as_str().into(), value.as_str().into()))
            .collect(),
        point,
    }
}

/// Requests a second of the last windows that are closed.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a rate for a sparkline of eight heights"
)]
fn trend(monitor: &Monitor, track: &Track) -> Arc<[Option<f32>]> {
    let window_ms = monitor.window_ms;
    let end = monitor.engine().watermark().div_euclid(window_ms).saturating_mul(window_ms);
    let length = i64::try_from(TREND).unwrap_or(0) * window_ms;
    let start = end.saturating_sub(length);
    let mut trend = vec![None; TREND];
    for (at, point) in track.since(start) {
        let place = usize::try_from((at - start) / window_ms).ok();
        if let Some(slot) = place.and_then(|place| trend.get_mut(place)) {
            *slot = Some((point.requests as f64 * 1_000.0 / window_ms as f64) as f32);
        }
    }
    trend.into()
}

/// What is left of the failures that were allowed, in percent; `None` without requests.
#[expect(clippy::cast_precision_loss, reason = "counts of a day are far below 2^52")]
fn budget_left((requests, errors): (u64, u64), objective_percent: f64) -> Option<f64> {
    let allowed = requests as f64 * (100.0 - objective_percent) / 100.0;
    (requests > 0).then(|| (1.0 - errors as f64 / allowed) * 100.0)
}

fn history(monitor: &Monitor, service: &Arc<str>, focus: &Focus, now: i64) -> ServiceHistory {
    let step_ms = step(focus.range, monitor.window_ms);
    let steps = usize::try_from(focus.range.seconds() * 1_000 / step_ms).unwrap_or(0).max(1);
    let first = now.div_euclid(step_ms).saturating_sub(i64::try_from(steps).unwrap_or(0)).saturating_add(1);
    let start = first.saturating_mul(step_ms);
    let mut points = vec![None; steps];
    let place = |at: i64| usize::try_from(at.saturating_sub(start) / step_ms).ok();
    let track = monitor.tracks.get(service);
    for (at, point) in track.into_iter().flat_map(|track| track.since(start)) {
        if let Some(slot) = place(at).and_then(|place| points.get_mut(place)) {
            *slot = Some(point.clone());
        }
    }
    let (heat, heat_bounds_us) = match track.filter(|_| focus.with_heat) {
        Some(track) => heat(track, (start, step_ms, steps)),
        None => (Arc::default(), Arc::default()),
    };
    ServiceHistory {
        service: service.clone(),
        slice: focus.slice.clone(),
        range: focus.range,
        start: time(start),
        step_ms,
        points: points.into(),
        heat,
        heat_bounds_us,
        slices: Arc::default(),
        marks: Arc::default(),
    }
}

/// Requests by latency for each step from `start` on, and the upper bounds of the rows.
fn heat(track: &Track, (start, step_ms, steps): (i64, i64, usize)) -> (Arc<[Arc<[u32]>]>, Arc<[u64]>) {
    let bounds: Vec<u64> = (0..HEAT_ROWS).map(|row| HEAT_LEAST_US << row).collect();
    let mut columns = vec![vec![0_u32; HEAT_ROWS]; steps];
    for (at, totals) in track.totals_since(start) {
        let place = usize::try_from(at.saturating_sub(start) / step_ms).ok();
        let Some(column) = place.and_then(|place| columns.get_mut(place)) else { continue };
        for (bin, count) in totals.sketch.bins() {
            let row = bounds.partition_point(|bound| sketch::value(bin) > to_float(*bound));
            if let Some(cell) = column.get_mut(row.min(HEAT_ROWS - 1)) {
                *cell = cell.saturating_add(count);
            }
        }
    }
    (columns.into_iter().map(Into::into).collect(), bounds.into())
}

#[expect(clippy::cast_precision_loss, reason = "bounds are powers of two")]
const fn to_float(bound: u64) -> f64 {
    bound as f64
}

/// Length of a step of a chart: whole windows, and not more steps than a chart can use.
fn step(range: Range, window_ms: i64) -> i64 {
    let wanted = (range.seconds() * 1_000).div_euclid(STEPS).max(1);
    let windows = wanted.saturating_add(window_ms - 1).div_euclid(window_ms).max(1);
    windows.saturating_mul(window_ms)
}
