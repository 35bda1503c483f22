//! What a row of the contract costs: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! A row is read, checked, merged and told as the console does it, by way of the engine of a spec that reads rows. On one
//! thread, in rounds, by the time that the thread was on a processor: the machine has other work.
//!
//! `console` alone measures the console on the rows of 20,000 services.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark fails by panicking"
)]

#[path = "contract/console.rs"]
mod console;
#[path = "measure.rs"]
mod measure;
#[path = "../support/mod.rs"]
mod support;

use flowdeck::engine::contract::{self, Written};
use flowdeck::engine::sketch::value;
use flowdeck::engine::totals::Totals;
use flowdeck::engine::{Batch, Engine, Spec};

use measure::{ROUNDS, print, report, rounds};

const EXAMPLE: &str = include_str!("../../config/examples/golden-signals.toml");
const SERVICES: u64 = 20_000;
const WINDOWS: i64 = 10;
const WINDOW_MS: i64 = 10_000;
/// Bins of a row, each with some requests.
const BINS: u16 = 40;
const BATCH: usize = 500;

/// A spec that reads rows of so many services.
fn spec_text() -> String {
    let text = EXAMPLE.replace("read = \"events\"", "read = \"aggregated\"");
    text.replace("services = 10000", "services = 20000").replace("cells = 100000", "cells = 1000000")
}

fn main() {
    if std::env::args().any(|argument| argument == "console") {
        console::measure();
        return;
    }
    decode();
    console::measure();
}

fn report_at_most(name: &str, value: f64, unit: &str, bound: f64) {
    print(name, value, unit, (Some(bound), Some(value <= bound)));
}

fn decode() {
    let spec = Spec::parse(&spec_text()).unwrap();
    let batches = batches(&spec);
    let rows = SERVICES * WINDOWS.unsigned_abs();
    let mut told = 0;
    let spent = rounds(|| told = whole(&spec, &batches));
    assert_eq!(told, rows, "every row becomes a pane");
    let bytes: usize = batches.iter().flat_map(Batch::records).map(|record| record.unwrap().len()).sum();
    report("length of a row of 40 bins, mean", bytes as f64 / rows as f64, "B", None);
    let rate = |time: std::time::Duration| rows as f64 / time.as_secs_f64();
    let name = "rows of 40 bins read, checked, merged and told, 20,000 services, one core";
    let median = spent[ROUNDS / 2].processor;
    report(&format!("{name}, by processor time, median of 9"), rate(median), "rows/s", Some(300_000.0));
    report(&format!("{name}, by processor time, best of 9"), rate(spent[0].processor), "rows/s", None);
    let clock = spent.iter().map(|spent| spent.clock).min().unwrap();
    report(&format!("{name}, by the clock, best of 9"), rate(clock), "rows/s", None);
}

/// Rows of all services, window by window.
fn batches(spec: &Spec) -> Vec<Batch> {
    let sha = contract::sha(spec);
    let mut batches = vec![Batch::default()];
    for window in 0..WINDOWS {
        for service in 0..SERVICES {
            let row = row(&sha, &format!("service-{service:05}||{}", window * WINDOW_MS), service);
            if batches.last().is_some_and(|batch| batch.records().count() >= BATCH) {
                batches.push(Batch::default());
            }
            batches.last_mut().unwrap().push(row.as_bytes());
        }
    }
    batches
}

/// A row of 40 bins.
fn row(spec_sha: &str, key: &str, service: u64) -> String {
    let mut totals = Totals::default();
    for bin in 0..BINS {
        let latency = value(300 + bin) as u64;
        (0..=service % 5).for_each(|number| totals.add(number == 4, latency));
    }
    let row = Written {
        totals: &totals,
        key,
        spec_sha,
        revision: 0,
        is_final: true,
        late_policy: "drop",
        engine: "bench/1",
        part: None,
        health: 0,
    };
    serde_json::to_string(&row).unwrap()
}

fn whole(spec: &Spec, batches: &[Batch]) -> u64 {
    let mut engine = Engine::new(spec).unwrap();
    let (mut now, mut told) = (WINDOWS * WINDOW_MS, 0);
    for batch in batches {
        // The rows of a moment are held together for a second.
        now += 2_000;
        engine.ingest(0, batch, now);
        told += engine.take_panes().len() as u64;
    }
    engine.settle(now + 2_000);
    assert_eq!(engine.rejects().poison(), 0);
    told + engine.take_panes().len() as u64
}
