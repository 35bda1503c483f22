//! What a health expression would have said of a service's recent windows, for whoever is about to change it.
//!
//! Windows are judged one by one as they would be when they close, so only those that are still known one by one count:
//! a rule that counts requests says something else of five minutes than of ten seconds.

use std::sync::Arc;

use super::Monitor;
use crate::engine::expression::{HealthExpression, Inputs, Value, backtest};
use crate::engine::series::{Resolution, time};
use crate::model::signal::{Health, Outcome, Shift, Trial};

/// How far back it reaches.
const BACK_MS: i64 = 3_600_000;
/// Shifts that are told, the newest.
const SHIFTS: usize = 200;
/// Reasons that are told, the most frequent.
const REASONS: usize = 5;

/// Tries an expression on the windows of a service.
pub(super) fn trial(monitor: &Monitor, service: &Arc<str>, source: &Arc<str>) -> Trial {
    let outcome = HealthExpression::compile(source)
        .map(|expression| run(monitor, service, &expression))
        .map_err(|problem| problem.to_string().into());
    Trial { service: service.clone(), expression: source.clone(), outcome }
}

fn run(monitor: &Monitor, service: &Arc<str>, expression: &HealthExpression) -> Outcome {
    let (series, window_ms) = (&monitor.series, monitor.window_ms);
    let end = series.last_seen(service).unwrap_or(0);
    let start = end.saturating_sub(BACK_MS);
    let known = series.points(service, start, end, Resolution::Window);
    // What was before the first event is not worth room on a screen.
    let before = known.iter().position(Option::is_some).unwrap_or(0);
    let points = known.get(before..).unwrap_or_default();
    let slo_percent = monitor.rules.slo_percent(service);
    let nothing = Value::tags([]);
    let tags = monitor.rules.own(service).map_or(&nothing, |own| own.tags_value());
    let windows: Vec<(i64, Inputs)> = points
        .iter()
        .flatten()
        .map(|point| {
            let inputs = Inputs { slo_percent, ..Inputs::of(point, service.clone(), window_ms) };
            (point.start.timestamp_millis(), inputs)
        })
        .collect();
    let result = backtest(expression, windows.iter().map(|(at, inputs)| (*at, inputs)), tags);
    let mut judged = windows.iter().map(|(_, inputs)| expression.judge(inputs, tags).ok());
    let levels: Vec<Option<(Health, Option<Health>)>> =
        points.iter().map(|point| point.as_ref().map(|point| (point.health, judged.next().flatten()))).collect();
    let differs = |it: &&(Health, Option<Health>)| it.1.is_some_and(|would| would != it.0);
    let shifts = result.changes.iter().rev().take(SHIFTS);
    let mut faults: Vec<(Arc<str>, u64)> =
        result.faults.iter().map(|(reason, count)| (reason.as_str().into(), *count)).collect();
    faults.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    faults.truncate(REASONS);
    Outcome {
        start: points.first().and_then(Option::as_ref).map_or_else(|| time(end), |point| point.start),
        step_ms: window_ms,
        differing: levels.iter().flatten().filter(differs).count(),
        windows: windows.len(),
        levels: levels.into(),
        shifts: shifts.map(|it| Shift { at: time(it.at), from: it.from, to: it.to }).collect(),
        faults: faults.into(),
    }
}
