use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::spec::Span;
use crate::engine::window::Timing;
use crate::model::signal::Saturation;

const WINDOW: i64 = 10_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// A multiple of all steps.
const BEGIN: i64 = 1_795_363_200_000;

fn spec(mode: Accumulation) -> Spec {
    let mut spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
    spec.window.mode = mode;
    spec
}

fn totals(latencies: &[u64], failed: bool) -> Totals {
    let mut totals = Totals::default();
    latencies.iter().for_each(|latency| totals.add(failed, *latency));
    totals
}

fn pane(start: i64, service: &str, index: u32, totals: Totals) -> Pane {
    let timing = if index == 0 { Timing::OnTime } else { Timing::Late };
    Pane { start, service: service.into(), timing, index, totals }
}

/// A health of as many seconds, made of this latency.
fn level(micros: f64) -> Health {
    let reached = |seconds: i64| micros >= 1e6 * f64::from(i32::try_from(seconds).unwrap());
    (0..=3).rev().find(|seconds| reached(*seconds)).and_then(Health::new).unwrap()
}

/// Files a pane; a service whose first request takes so many seconds is as ill as that.
fn put(series: &mut Series, pane: &Pane) -> Option<Applied> {
    let mut judge = |point: &mut Point| {
        point.health = level(point.latency.max_us);
        point.saturation = Some(Saturation { percent: point.latency.max_us / 1e6, component: "cpu".into() });
    };
    series.apply(pane, &mut judge)
}

/// What the series should know, kept without any skill.
#[derive(Default)]
struct Plain(BTreeMap<(String, i64), Totals>);

impl Plain {
    fn apply(&mut self, pane: &Pane, mode: Accumulation) {
        let known = self.0.entry((pane.service.to_string(), pane.start)).or_default();
        match mode {
            Accumulation::Accumulating => *known = pane.totals.clone(),
            Accumulation::Discarding => known.merge(&pane.totals),
        }
    }

    fn sum(&self, service: &str, from: i64, to: i64) -> Option<Totals> {
        let mut sum = Totals::default();
        let inside = |(name, start): &(String, i64)| name == service && (from..to).contains(start);
        self.0.iter().filter(|(key, _)| inside(key)).for_each(|(_, totals)| sum.merge(totals));
        (sum.requests > 0).then_some(sum)
    }
}

/// Panes over many hours: (windows since the pane before, service, latencies, failed, a revision of how many windows before).
fn panes() -> impl Strategy<Value = Vec<(i64, String, Vec<u64>, bool, Option<i64>)>> {
    let skip = prop_oneof![6 => 0..4_i64, 2 => 4..100_i64, 1 => 100..1_500_i64];
    let latencies = prop::collection::vec(1..100_000_000_u64, 1..6);
    prop::collection::vec((skip, "[ab]", latencies, any::<bool>(), prop::option::weighted(0.3, 0..6_i64)), 1..120)
}

fn play(mode: Accumulation, steps: &[(i64, String, Vec<u64>, bool, Option<i64>)]) -> (Series, Plain, i64) {
    let (mut series, mut plain, mut at) = (Series::new(&spec(mode)), Plain::default(), BEGIN);
    let mut told = BTreeMap::new();
    for (skip, service, latencies, failed, revised) in steps {
        at += skip * WINDOW;
        let start = revised.map_or(at, |windows| at - windows * WINDOW);
        let index = told.entry((service.clone(), start)).and_modify(|index| *index += 1).or_insert(0_u32);
        let pane = pane(start, service, *index, totals(latencies, *failed));
        put(&mut series, &pane);
        plain.apply(&pane, mode);
    }
    (series, plain, at + WINDOW)
}

proptest! {
    #[test]
    fn every_resolution_says_what_was_counted(steps in panes(), discarding in any::<bool>()) {
        let mode = if discarding { Accumulation::Discarding } else { Accumulation::Accumulating };
        let (series, plain, now) = play(mode, &steps);
        prop_assert_eq!(series.skipped(), 0);
        for (resolution, reach) in Resolution::ALL.into_iter().zip([HOUR, 6 * HOUR, 24 * HOUR, 24 * HOUR]) {
            let step_ms = series.step_ms(resolution);
            let from = (now - reach).div_euclid(step_ms) * step_ms;
            for service in ["a", "b"] {
                for (place, point) in (0..).zip(series.points(service, from, now, resolution)) {
                    let start = from + place * step_ms;
                    let expected = plain.sum(service, start, start + step_ms).map(|sum| super::point(start, &sum));
                    prop_assert_eq!(point.is_some(), expected.is_some(), "{:?} {}", resolution, now - start);
                    if let (Some(point), Some(expected)) = (point, expected) {
                        prop_assert_eq!((point.start, point.requests, point.errors), (expected.start, expected.requests, expected.errors));
                        // Nobody judges a step as one: it is as ill as the slowest of its requests made a window.
                        prop_assert_eq!(point.health, level(expected.latency.max_us));
                        let seconds = (expected.latency.max_us / 1e6 * 10.0).round() / 10.0;
                        prop_assert!((point.saturation.unwrap().percent - seconds).abs() < 1e-6);
                        prop_assert!((point.latency.p99_us / expected.latency.p99_us - 1.0).abs() < 1e-6);
                        prop_assert!((point.latency.max_us / expected.latency.max_us - 1.0).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn ranges_merge_to_what_was_counted(steps in panes(), quarters in 0..96_i64) {
        let (series, plain, now) = play(Accumulation::Accumulating, &steps);
        let from = (now - quarters * 15 * MINUTE).div_euclid(15 * MINUTE) * 15 * MINUTE;
        for service in ["a", "b"] {
            let (found, expected) = (series.total(service, from, now), plain.sum(service, from, now));
            prop_assert_eq!(&found, &expected);
            let day = series.total(service, i64::MIN, i64::MAX).map_or((0, 0), |sum| (sum.requests, sum.errors));
            prop_assert_eq!(series.sums(service), day);
            let heat = series.heat(service, from, now, 20);
            let cells = heat.iter().flat_map(|heat| heat.columns.iter().flatten().flatten()).sum::<u64>();
            prop_assert_eq!(cells, expected.map_or(0, |sum| sum.requests));
            prop_assert!(heat.is_none_or(|heat| heat.bounds_us.len() <= 20 && heat.bounds_us.is_sorted()));
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_told(
        steps in prop::collection::vec((0..2_000_i64, 0..5_000_u32, 1..3_600_000_000_u64), 1..300),
    ) {
        let mut series = Series { budget_bytes: 40_000, ..Series::new(&spec(Accumulation::Accumulating)) };
        let mut at = BEGIN;
        for (skip, service, latency) in steps {
            at += skip * WINDOW / 10;
            put(&mut series, &pane(at.div_euclid(WINDOW) * WINDOW, &format!("s-{service}"), 0, totals(&[latency, latency / 2 + 1], false)));
        }
        series.advance(at + 10 * MINUTE);
        prop_assert!(series.heap_bytes() <= 40_000 || series.horizon_ms() <= 2 * WINDOW, "{}", series.heap_bytes());
    }
}

#[test]
fn a_gap_is_a_gap_and_a_silent_service_is_known() {
    let mut series = Series::new(&spec(Accumulation::Accumulating));
    put(&mut series, &pane(BEGIN, "a", 0, totals(&[1_000], true)));
    put(&mut series, &pane(BEGIN + 3 * WINDOW, "a", 0, totals(&[2_000, 4_000], false)));
    let counts = |series: &Series, to| -> Vec<Option<u64>> {
        let points = series.points("a", BEGIN, to, Resolution::Window);
        points.iter().map(|point| point.as_ref().map(|point| point.requests)).collect()
    };
    assert_eq!(counts(&series, BEGIN + 4 * WINDOW), [Some(1), None, None, Some(2)]);
    assert_eq!(series.latest("a").unwrap().availability_percent(), Some(100.0));
    series.advance(BEGIN + HOUR);
    assert_eq!(counts(&series, BEGIN + 5 * WINDOW), [Some(1), None, None, Some(2), None]);
    assert_eq!(series.last_seen("a"), Some(BEGIN + 4 * WINDOW));
    assert_eq!(series.services().count(), 1);
    assert_eq!((series.total("b", 0, i64::MAX), series.last_seen("b")), (None, None));
    series.advance(BEGIN + 26 * HOUR);
    assert_eq!((series.services().count(), series.total("a", 0, i64::MAX)), (0, None));
}

#[test]
fn what_comes_after_its_window_is_merged_counts_where_it_can() {
    let late = |mode, index| -> (u64, u64) {
        let mut series = Series::new(&spec(mode));
        put(&mut series, &pane(BEGIN, "a", 0, totals(&[1_000], false)));
        series.advance(BEGIN + 3 * HOUR);
        put(&mut series, &pane(BEGIN, "a", index, totals(&[2_000], false)));
        put(&mut series, &pane(BEGIN - 30 * HOUR, "a", 0, totals(&[2_000], false)));
        (series.total("a", BEGIN, BEGIN + HOUR).unwrap().requests, series.skipped())
    };
    assert_eq!(late(Accumulation::Discarding, 1), (2, 1));
    assert_eq!(late(Accumulation::Accumulating, 1), (1, 2));
    assert_eq!(late(Accumulation::Accumulating, 0), (2, 1));
}

#[test]
fn the_history_reaches_less_far_back_when_its_budget_is_reached() {
    let mut series = Series { budget_bytes: 300_000, ..Series::new(&spec(Accumulation::Accumulating)) };
    for window in 0..25 * 360_i64 {
        for service in ["a", "b", "c", "d", "e"] {
            let latencies: Vec<u64> = (1..60).map(|number| number * number * 40 + window.cast_unsigned()).collect();
            put(&mut series, &pane(BEGIN + window * WINDOW, service, 0, totals(&latencies, false)));
        }
    }
    let end = BEGIN + 25 * HOUR;
    series.advance(end);
    assert!(series.heap_bytes() <= 300_000 && series.horizon_ms() < 20 * HOUR, "{}", series.horizon_ms());
    assert_eq!(series.total("e", end - 10 * MINUTE, end).unwrap().requests, 60 * 59);
}

#[test]
fn windows_of_any_length_make_a_ladder() {
    for window_ms in [100, 7_000, 10_000, 60_000, 420_000, 3_600_000, 86_400_000] {
        let mut spec = spec(Accumulation::Accumulating);
        spec.window.size = Span::from_millis(u32::try_from(window_ms).unwrap());
        let mut series = Series::new(&spec);
        let steps = Resolution::ALL.map(|resolution| series.step_ms(resolution));
        assert!(steps.is_sorted() && steps.iter().all(|step| step % window_ms == 0), "{steps:?}");
        let windows = (2 * 86_400_000 / window_ms).min(3_000);
        for window in 0..windows {
            put(&mut series, &pane(window * window_ms, "a", 0, totals(&[1_000 + window.cast_unsigned()], false)));
        }
        let now = windows * window_ms;
        let from = (now - 20 * HOUR).max(0).div_euclid(steps[3]) * steps[3];
        let known = series.total("a", from, now).unwrap().requests;
        assert_eq!(known, ((now - from) / window_ms).cast_unsigned(), "{window_ms}");
    }
}
