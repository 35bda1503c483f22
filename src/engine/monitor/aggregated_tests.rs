//! Rows that others counted, on the console: writers that take over from each other, and rows that cannot be believed.

use super::*;
use crate::engine::contract::{self, Written};
use crate::model::signal::Range;

const SPEC: &str = r#"
name = "test"
[source]
format = "json"
rows = "signals.v1"
time = { field = "ts", unit = "ms" }
latency = { field = "us", unit = "us" }
[key]
service = "svc"
[window]
size = "10s"
allowed_lateness = "0s"
[watermark]
delay = "0s"
"#;
const SECONDS: i64 = 300;

fn spec() -> Spec {
    Spec::parse(SPEC).unwrap()
}

fn watching() -> Monitor {
    Monitor::new(&Spec::parse(&SPEC.replace("rows =", "read = \"aggregated\"\nrows =")).unwrap()).unwrap()
}

/// A writer that reads events from one second to another, and tells the windows that end within.
struct Writer {
    engine: &'static str,
    from: i64,
    to: i64,
    first_window: i64,
}

impl Writer {
    /// Its rows, each with the start of its window.
    fn rows(&self) -> Vec<(i64, String)> {
        let spec = spec();
        let (mut counting, mut batch) = (Engine::new(&spec).unwrap(), Batch::default());
        for number in self.from * 20..self.to * 20 {
            let (time, service, latency) = (number * 50, number % 2, 1 + number * 977 % 90_000);
            let status = if number % 40 == 0 { 503 } else { 200 };
            batch.push(format!(r#"{{"ts":{time},"svc":"s{service}","status":{status},"us":{latency}}}"#).as_bytes());
        }
        counting.ingest(0, &batch, SECONDS * 1_000);
        let panes = counting.take_panes();
        let told = panes.into_iter().filter(|pane| pane.start >= self.first_window);
        told.map(|pane| (pane.start, row(self.engine, &pane))).collect()
    }
}

fn row(engine: &str, pane: &Pane) -> String {
    let (key, spec_sha) = (&format!("{}||{}", pane.service, pane.start), &contract::sha(&spec()));
    let written = Written {
        totals: &pane.totals,
        key,
        spec_sha,
        revision: 0,
        is_final: true,
        late_policy: "drop",
        engine,
        part: None,
        health: 0,
    };
    serde_json::to_string(&written).unwrap()
}

/// What the console shows of rows that come in the order of their windows, and of one window in that of their writers.
fn shown(writers: &[Writer]) -> (Vec<Option<(u64, u64)>>, u64) {
    let mut all: Vec<(i64, String)> = writers.iter().flat_map(Writer::rows).collect();
    all.sort_by_key(|(start, _)| *start);
    let mut watched = watching();
    for (start, row) in all {
        let (mut batch, now) = (Batch::default(), start + 10_000);
        batch.push(row.as_bytes());
        watched.ingest(0, &batch, now);
        watched.tick(now + 2_000);
    }
    let view = watched.view(&focus(), SECONDS * 1_000);
    let points = view.history.unwrap().points.iter().map(|it| it.as_ref().map(|it| (it.requests, it.errors))).collect();
    (points, view.aggregated.unwrap().contested)
}

fn focus() -> Focus {
    Focus { service: Some("s0".into()), range: Range::QuarterHour, ..Focus::default() }
}

#[test]
fn a_chart_is_whole_when_counting_goes_to_a_job_and_back() {
    let alone = [Writer { engine: "flowdeck/1", from: 0, to: 295, first_window: 0 }];
    let (expected, _) = shown(&alone);
    let whole = expected.iter().flatten().filter(|(requests, _)| *requests == 100).count();
    assert_eq!(whole, 29, "{expected:?}");
    // Each begins in the middle of a window, tells from the next on, and goes on until the other surely does.
    let handed = [
        Writer { engine: "flowdeck/1", from: 0, to: 165, first_window: 0 },
        Writer { engine: "flink-sql/1", from: 123, to: 255, first_window: 130_000 },
        Writer { engine: "flowdeck/1", from: 224, to: 295, first_window: 230_000 },
    ];
    assert_eq!(shown(&handed), (expected.clone(), 0));
    // Without the first window the one that takes over tells half a window over a whole one.
    let uncut = handed.map(|writer| Writer { first_window: 0, ..writer });
    let (points, contested) = shown(&uncut);
    assert!(points != expected && contested > 0, "{contested}");
}

#[test]
fn rows_that_cannot_be_believed_are_counted_by_name_and_change_no_chart() {
    let good = Writer { engine: "flink-sql/1", from: 0, to: 60, first_window: 0 }.rows();
    let one = good.iter().find(|(start, row)| *start == 20_000 && row.contains("s0")).unwrap().1.clone();
    let with = |name: &str, value: serde_json::Value| {
        let mut row: serde_json::Value = serde_json::from_str(&one).unwrap();
        row[name] = value;
        row.to_string()
    };
    let bad = [
        (with("version", 9.into()), "a row of another version"),
        (with("gamma", 1.05.into()), "a row of other bins"),
        (with("spec_sha", "0".repeat(64).into()), "a row of another spec"),
        (with("bins", serde_json::json!({"2000": 100})), "a row that contradicts itself"),
        (with("bins", serde_json::json!({"10": -3})), "a row that contradicts itself"),
        (with("n", (-100).into()), "a row that contradicts itself"),
        (with("err", 101.into()), "a row that contradicts itself"),
        (one.chars().take(one.len() / 2).collect(), "not a row of signals"),
    ];
    let (mut clean, mut dirty) = (watching(), watching());
    let batch = |rows: &[&str]| {
        let mut batch = Batch::default();
        rows.iter().for_each(|row| batch.push(row.as_bytes()));
        batch
    };
    for (_, row) in &good {
        clean.ingest(0, &batch(&[row]), 60_000);
        dirty.ingest(0, &batch(&[row]), 60_000);
        let rows: Vec<&str> = bad.iter().map(|(row, _)| row.as_str()).collect();
        dirty.ingest(0, &batch(&rows), 60_000);
    }
    let points = |monitor: &mut Monitor| {
        monitor.tick(62_000);
        monitor.view(&focus(), 62_000).history.unwrap().points.clone()
    };
    assert_eq!(points(&mut dirty), points(&mut clean));
    let view = dirty.view(&Focus::default(), 62_000);
    for (_, reason) in &bad {
        let expected = bad.iter().filter(|(_, other)| other == reason).count() * good.len();
        let found = view.rejects.iter().find(|it| &*it.reason == *reason).map(|it| it.count);
        assert_eq!(found, Some(expected as u64), "{reason}");
    }
    assert!(view.samples.iter().any(|it| it.detail.contains("of version 9")), "{:?}", view.samples);
}

#[test]
fn two_jobs_that_write_one_key_are_told_and_the_last_holds() {
    let mut watched = watching();
    for (engine, from) in [("flink-sql/1", 0), ("flink-sql/2", 3)] {
        let mut batch = Batch::default();
        let rows = Writer { engine, from, to: 11, first_window: 0 }.rows();
        rows.iter().for_each(|(_, row)| batch.push(row.as_bytes()));
        watched.ingest(0, &batch, 20_000);
    }
    watched.tick(30_000);
    let view = watched.view(&focus(), 30_000);
    let rows = view.aggregated.unwrap();
    assert_eq!((rows.contested, &*rows.topic), (2, "signals.v1"));
    assert_eq!(rows.writers.iter().map(|it| &**it).collect::<Vec<_>>(), ["flink-sql/1", "flink-sql/2"]);
    let points = view.history.unwrap().points.iter().flatten().map(|it| it.requests).collect::<Vec<_>>();
    assert_eq!(points, [70], "the whole row of one of them, not both");
}
