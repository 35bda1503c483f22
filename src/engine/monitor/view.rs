//! Makes values of what the monitor knows.

use std::sync::Arc;

use super::{Monitor, trial};
use crate::engine::Series;
use crate::engine::rejects::{Reason, Sample};
use crate::engine::series::time;
use crate::engine::slices::Slices;
use crate::engine::watermark::BEGINNING;
use crate::model::Time;
use crate::model::signal::{
    Aggregated, Focus, Mark, Reject, RejectSample, Saturation, ServiceHistory, ServiceNow, Signals, Silence,
};

/// Steps of a sparkline.
const TREND: usize = 32;
/// Rows of the latency heat map.
const HEAT_ROWS: u16 = 24;

/// All that there is to say now.
pub(super) fn signals(monitor: &Monitor, focus: &Focus, now: i64) -> Signals {
    let (engine, rejects) = (monitor.engine(), monitor.engine().rejects());
    let watermark = Some(engine.watermark()).filter(|watermark| *watermark > BEGINNING);
    let history = focus.service.as_ref().map(|service| Arc::new(history(monitor, service, focus, now)));
    let (lane_faults, lane_fault) = engine.slices().map_or((0, None), |slices| slices.lanes().faults());
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
        other_values: engine.slices().map_or(0, Slices::overflowed),
        beside_none: engine.slices().map_or(0, Slices::left_out),
        aggregated: engine.merged().map(|merged| Aggregated {
            topic: monitor.rows.clone().unwrap_or_default(),
            writers: merged.writers().map(|name| escaped(name).into()).collect(),
            contested: merged.contested(),
        }),
        overrides: monitor.intake.state().clone(),
        services: monitor.series.services().map(|name| service(monitor, name)).collect(),
        faults: monitor.rules.faults().0.saturating_add(lane_faults),
        last_fault: monitor.rules.faults().1.or(lane_fault).map(|fault| escaped(fault).into()),
        wants_saturation: monitor.wants_saturation,
        history,
        trial: focus
            .service
            .as_ref()
            .zip(focus.trial.as_ref())
            .map(|(service, expression)| Arc::new(trial::trial(monitor, service, expression))),
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
fn service(monitor: &Monitor, name: &Arc<str>) -> ServiceNow {
    let (window_ms, series) = (monitor.window_ms, &monitor.series);
    let last_end = series.last_seen(name).unwrap_or(BEGINNING);
    let is_silent = monitor.engine().watermark().saturating_sub(last_end) >= monitor.silent_after(name);
    let mut point = series.latest(name).filter(|_| !is_silent).cloned();
    if let Some(point) = &mut point {
        point.saturation = Saturation::nearer(point.saturation.take(), monitor.saturations.get(name).cloned());
    }
    let (own, objective_percent) = (monitor.rules.own(name), monitor.rules.slo_percent(name));
    let per_second = |requests: u64| requests as f64 * 1_000.0 / window_ms as f64;
    ServiceNow {
        service: name.clone(),
        swimlane: monitor.slices.lanes(name),
        requests_per_second: point.as_ref().map(|point| per_second(point.requests)),
        silence: is_silent.then(|| Silence { since: time(last_end) }),
        trend: trend(monitor, name),
        objective_percent,
        budget_left_percent: objective_percent.and_then(|objective| budget_left(series.sums(name), objective)),
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
fn trend(monitor: &Monitor, service: &str) -> Arc<[Option<f32>]> {
    let window_ms = monitor.window_ms;
    let end = monitor.engine().watermark().div_euclid(window_ms).saturating_mul(window_ms);
    let start = end.saturating_sub(i64::try_from(TREND).unwrap_or(0) * window_ms);
    let mut trend = vec![None; TREND];
    for (at, requests) in monitor.series.recent(service, start) {
        let place = usize::try_from((at - start) / window_ms).ok();
        if let Some(slot) = place.and_then(|place| trend.get_mut(place)) {
            *slot = Some((requests as f64 * 1_000.0 / window_ms as f64) as f32);
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

/// The steps of a chart that ends now, or with the moment that `focus` names; the last one is not over yet.
fn history(monitor: &Monitor, service: &Arc<str>, focus: &Focus, now: i64) -> ServiceHistory {
    let range_ms = focus.range.seconds() * 1_000;
    let (series, name) = match &focus.slice {
        Some(slice) => (monitor.slices.series(), monitor.slices.key(service, slice).map_or("", |key| key)),
        None => (&monitor.series, &**service),
    };
    let until = focus.until.map_or(now, |until| until.timestamp_millis().min(now));
    let resolution = series.resolution(now.saturating_sub(until).saturating_add(range_ms));
    let step_ms = series.step_ms(resolution);
    let steps = (range_ms / step_ms).max(1);
    let start = until.div_euclid(step_ms).saturating_sub(steps).saturating_add(1).saturating_mul(step_ms);
    let end = start.saturating_add(steps.saturating_mul(step_ms));
    let (heat, heat_bounds_us) =
        if focus.with_heat { heat((series, name), (start, end, step_ms)) } else { Default::default() };
    ServiceHistory {
        service: service.clone(),
        slice: focus.slice.clone(),
        range: focus.range,
        until: focus.until,
        start: time(start),
        step_ms,
        points: series.points(name, start, end, resolution).into(),
        heat,
        heat_bounds_us,
        slices: monitor.slices.sums(service, start, end),
        marks: marks(monitor, service, (time(start), time(end))),
    }
}

/// When alerts of a service began or ended, and when new overrides took effect, if it has any.
fn marks(monitor: &Monitor, service: &str, (start, end): (Time, Time)) -> Arc<[Mark]> {
    let changed = monitor.changes.iter().filter(|_| monitor.rules.own(service).is_some());
    let changed = changed.map(|at| Mark { at: time(*at), text: "overrides".into() });
    monitor.book.marks(service).chain(changed).filter(|mark| (start..end).contains(&mark.at)).collect()
}

/// For each step from `start` on, requests by latency of the column of the heat map that it lies in (columns are as wide
/// as sketches are kept for); and the upper bounds of the rows.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a latency is at most an hour")]
fn heat((series, name): (&Series, &str), (start, end, step_ms): (i64, i64, i64)) -> (Arc<[Arc<[u32]>]>, Arc<[u64]>) {
    let Some(heat) = series.heat(name, start, end, HEAT_ROWS) else { return Default::default() };
    let narrow = |counts: &Vec<u64>| counts.iter().map(|count| u32::try_from(*count).unwrap_or(u32::MAX)).collect();
    let columns: Vec<Arc<[u32]>> =
        heat.columns.iter().map(|column| column.as_ref().map(narrow).unwrap_or_default()).collect();
    let starts = (0..(end - start) / step_ms).map(|step| start + step * step_ms);
    let column_of = |at: i64| usize::try_from((at - heat.start).div_euclid(heat.step_ms)).ok();
    let steps = starts.map(|at| column_of(at).and_then(|place| columns.get(place)).cloned().unwrap_or_default());
    (steps.collect(), heat.bounds_us.iter().map(|bound| bound.ceil() as u64).collect())
}
