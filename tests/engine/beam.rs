//! Differential test: what Apache Beam's own runner made of generated scripts (`oracle/regenerate`), pane by pane.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowdeck::engine::spec::Accumulation;
use serde::Deserialize;

use super::{run, spec};

#[derive(Deserialize)]
struct Case {
    name: String,
    events: u64,
    window_ms: u32,
    lateness_ms: u32,
    mode: Accumulation,
}

#[derive(Debug, Deserialize)]
struct Expected {
    start: i64,
    svc: String,
    pane: String,
    idx: u32,
    n: u64,
    err: u64,
    sum: u64,
    min: u64,
    max: u64,
    p50: u64,
    p95: u64,
    p99: u64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/oracle")
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&std::fs::read_to_string(folder().join("cases.json")).unwrap()).unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join("golden").join(name)).unwrap()
}

fn within(found: Option<f64>, exact: u64) -> bool {
    found.is_some_and(|found| (found - exact as f64).abs() <= exact as f64 * 0.010_000_1)
}

/// Events in no pane: all less those of each window's last pane, or of all panes when each holds what is new.
fn dropped(case: &Case, expected: &[Expected]) -> u64 {
    let told: u64 = if case.mode == Accumulation::Discarding {
        expected.iter().map(|pane| pane.n).sum()
    } else {
        let last: BTreeMap<_, u64> = expected.iter().map(|pane| ((pane.start, &pane.svc), pane.n)).collect();
        last.values().sum()
    };
    case.events - told
}

#[test]
fn panes_are_those_of_apache_beam() {
    for case in cases() {
        let script = read(&format!("{}.script.jsonl", case.name));
        let mut expected: Vec<Expected> = read(&format!("{}.panes.jsonl", case.name))
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        expected.sort_by(|a, b| (a.start, &a.svc, a.idx).cmp(&(b.start, &b.svc, b.idx)));
        let (mut panes, replay) = run(&spec(case.window_ms, case.lateness_ms, case.mode), script.lines());
        panes.sort_by(|a, b| (a.start, &a.service, a.index).cmp(&(b.start, &b.service, b.index)));
        for (pane, expected) in panes.iter().zip(&expected) {
            let totals = &pane.totals;
            let place = (pane.start, pane.service.as_ref(), pane.timing.name(), pane.index);
            assert_eq!(
                place,
                (expected.start, expected.svc.as_str(), expected.pane.as_str(), expected.idx),
                "{}",
                case.name
            );
            let counts = (totals.requests, totals.errors, totals.sum_us, totals.min_us, totals.max_us);
            assert_eq!(
                counts,
                (expected.n, expected.err, expected.sum, expected.min, expected.max),
                "{}: {place:?}",
                case.name
            );
            for (quantile, exact) in [(0.5, expected.p50), (0.95, expected.p95), (0.99, expected.p99)] {
                let found = totals.quantile_us(quantile);
                assert!(within(found, exact), "{}: {place:?}: {found:?} for {exact}", case.name);
            }
        }
        assert_eq!(panes.len(), expected.len(), "{}", case.name);
        assert_eq!(replay.summary().dropped, dropped(&case, &expected), "{}", case.name);
    }
}

/// A differential test shows nothing where nothing differs: the scripts have what they are about.
#[test]
fn the_scripts_have_late_and_dropped_events() {
    for case in cases() {
        let expected: Vec<Expected> = read(&format!("{}.panes.jsonl", case.name))
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(expected.len() > 40 && dropped(&case, &expected) > 10, "{}", case.name);
        assert_eq!(expected.iter().any(|pane| pane.pane == "late"), case.lateness_ms > 0, "{}", case.name);
    }
}
