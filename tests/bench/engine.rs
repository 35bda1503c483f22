//! What an event costs: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! Everything that a Kafka client would leave to the engine is measured: copying records into a batch, checking UTF-8,
//! decoding, counting in windows of 2,000 services, moving the watermark and telling panes. On one thread, in rounds,
//! by the time that the thread was on a processor: the machine has other work.
//!
//! `memory`, `open` and `console` alone measure what a day of history holds, what open windows hold, and keys while the console's
//! engine is at full load.
//! `write FILE EVENTS` writes the events to a file, `read FILE PANES` counts those of a file: for `flink_sql/run`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark fails by panicking"
)]

#[path = "engine/console.rs"]
mod console;
#[path = "engine/events.rs"]
mod events;
#[path = "engine/expressions.rs"]
mod expressions;
#[path = "engine/file.rs"]
mod file;
#[path = "measure.rs"]
mod measure;
#[path = "engine/memory.rs"]
mod memory;
#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Duration;

use flowdeck::engine::decode::Decoder;
use flowdeck::engine::sketch::Sketch;
use flowdeck::engine::{Batch, Engine, Spec};

use events::{record, scatter};
use measure::{ROUNDS, on_processor, print, report, rounds};

const EXAMPLE: &str = include_str!("../../config/examples/golden-signals.toml");
const SLICES: &str = "[expressions]\nswimlane = \"zone == 'usw2-az0' ? 'west' : ''\"\n[[dimensions]]\nname = \"zone\"\nfield = \"zone\"\n";
const EVENTS: usize = 1_000_000;
const BATCH: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", path, count] => file::write(path, count.parse().unwrap()),
        ["read", path, panes] => file::read(path, panes),
        ["memory"] => memory::measure(),
        ["open"] => memory::measure_open(),
        ["expressions"] => expressions::measure(),
        ["console"] => console::measure(),
        _ => {
            // First: what the others give back would be used again and not be seen.
            memory::measure();
            apart("open");
            measure();
            expressions::measure();
            console::measure();
        }
    }
}

/// Measures a part in a process of its own, whose memory nobody has used before.
fn apart(part: &str) {
    let bench = std::env::current_exe().unwrap();
    assert!(std::process::Command::new(bench).arg(part).status().unwrap().success());
}

fn measure() {
    let spec = Spec::parse(EXAMPLE).unwrap();
    let records: Vec<String> = (0..EVENTS as u64).map(record).collect();
    let bytes: usize = records.iter().map(String::len).sum();
    report("record length, mean", bytes as f64 / EVENTS as f64, "B", None);
    aggregate(&spec, &records);
    decode("decode alone", &spec, &records);
    decode("decode alone, keys of each record in another order", &spec, &shuffled(&records));
    let spent = rounds(|| {
        let mut sketch = Sketch::default();
        (0..EVENTS as u64).for_each(|number| sketch.insert(1 + scatter(number) % 1_000_000));
        black_box(sketch);
    });
    report(
        "insert into one sketch, by processor time, median of 9",
        rate(spent[ROUNDS / 2].processor),
        "events/s",
        None,
    );
}

fn aggregate(spec: &Spec, records: &[String]) {
    let mut panes = 0;
    let spent = rounds(|| panes = whole(spec, records));
    report("panes told a round", panes as f64, "panes", None);
    let name = "decode and aggregate, 2,000 services, one core";
    let (best, median) = (spent[0], spent[ROUNDS / 2]);
    report(&format!("{name}, by processor time, median of 9"), rate(median.processor), "events/s", None);
    report(&format!("{name}, by processor time, best of 9"), rate(best.processor), "events/s", Some(2e6));
    let nanoseconds = median.processor.as_secs_f64() * 1e9 / EVENTS as f64;
    report(&format!("{name}, processor time of an event, median of 9"), nanoseconds, "ns", None);
    let clock = spent.iter().map(|spent| spent.clock).min().unwrap();
    report(&format!("{name}, by the clock, best of 9"), rate(clock), "events/s", None);
    let sliced = Spec::parse(&format!("{EXAMPLE}\n{SLICES}")).unwrap();
    let beside = rounds(|| panes = whole(&sliced, records))[ROUNDS / 2].processor;
    let words = "a dimension of 3 values and a swimlane beside, by processor time, median of 9";
    report(&format!("{name}, {words}"), rate(beside), "events/s", None);
}

fn decode(name: &str, spec: &Spec, records: &[String]) {
    let mut decoder = Decoder::new(spec).unwrap();
    let spent = rounds(|| {
        for record in records {
            black_box(decoder.decode(record)).unwrap();
        }
    });
    report(&format!("{name}, by processor time, median of 9"), rate(spent[ROUNDS / 2].processor), "events/s", None);
}

/// The same records with their keys in an order that no two need share: nothing can be guessed.
fn shuffled(records: &[String]) -> Vec<String> {
    let shuffle = |(number, record): (usize, &String)| {
        let mut pairs: Vec<&str> = record.trim_matches(['{', '}']).split(',').collect();
        for place in (1..pairs.len()).rev() {
            pairs.swap(place, (scatter((number * 16 + place) as u64) % (place as u64 + 1)) as usize);
        }
        format!("{{{}}}", pairs.join(","))
    };
    records.iter().enumerate().map(shuffle).collect()
}

/// Says a number that must be at most its bound.
fn report_at_most(name: &str, value: f64, unit: &str, bound: f64) {
    print(name, value, unit, (Some(bound), Some(value <= bound)));
}

fn rate(time: Duration) -> f64 {
    EVENTS as f64 / time.as_secs_f64()
}

fn whole(spec: &Spec, records: &[String]) -> usize {
    let mut engine = Engine::new(spec).unwrap();
    let mut batch = Batch::default();
    let mut panes = 0;
    for chunk in records.chunks(BATCH) {
        batch.clear();
        chunk.iter().for_each(|record| batch.push(record.as_bytes()));
        engine.ingest(0, &batch, flowdeck::engine::NO_CLOCK);
        panes += engine.take_panes().len() + engine.take_slices().len();
    }
    assert_eq!(engine.counts().counted, EVENTS as u64);
    panes
}
