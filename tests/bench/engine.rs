//! What an event costs: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! Everything that a Kafka client would leave to the engine is measured: copying records into a batch, checking UTF-8,
//! decoding, counting in windows of 2,000 services, moving the watermark and telling panes. On one thread, in rounds,
//! by the time that the thread was on a processor: the machine has other work.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use flowdeck::engine::decode::Decoder;
use flowdeck::engine::sketch::Sketch;
use flowdeck::engine::{Batch, Engine, Spec};

const EVENTS: usize = 1_000_000;
const SERVICES: u64 = 2_000;
const BATCH: usize = 1_000;
const ROUNDS: usize = 9;

fn main() {
    let spec = Spec::parse(include_str!("../../config/examples/golden-signals.toml")).unwrap();
    let records = records();
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

fn report(name: &str, value: f64, unit: &str, bound: Option<f64>) {
    let kept = bound.map(|bound| value >= bound);
    println!(
        "{}",
        serde_json::json!({ "name": name, "value": value.round(), "unit": unit, "bound": bound, "kept": kept })
    );
}

fn rate(time: Duration) -> f64 {
    EVENTS as f64 / time.as_secs_f64()
}

/// What a round took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spent {
    /// For so long this thread was on a processor.
    processor: Duration,
    /// So much time passed.
    clock: Duration,
}

fn on_processor() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

/// What the rounds took, from the best.
fn rounds(mut round: impl FnMut()) -> Vec<Spent> {
    let mut spent: Vec<Spent> = (0..ROUNDS)
        .map(|_| {
            let (begun, clock) = (on_processor(), Instant::now());
            round();
            Spent { processor: on_processor().saturating_sub(begun), clock: clock.elapsed() }
        })
        .collect();
    spent.sort_unstable();
    spent
}

fn whole(spec: &Spec, records: &[String]) -> usize {
    let mut engine = Engine::new(spec).unwrap();
    let mut batch = Batch::default();
    let mut panes = 0;
    for chunk in records.chunks(BATCH) {
        batch.clear();
        chunk.iter().for_each(|record| batch.push(record.as_bytes()));
        engine.ingest(0, &batch, flowdeck::engine::NO_CLOCK);
        panes += engine.take_panes().len();
    }
    assert_eq!(engine.counts().counted, EVENTS as u64);
    panes
}

/// Numbers that look like chance and are the same every time.
const fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Events of 100 s, out of order by up to 3 s, as a service mesh would write them; the wanted fields among others.
fn records() -> Vec<String> {
    (0..EVENTS as u64)
        .map(|number| {
            let chance = scatter(number + 1);
            let time = 1_795_363_200_000 + number / 10 - chance % 3_000;
            let service = scatter(chance) % SERVICES;
            let status = if chance.is_multiple_of(50) { 503 } else { 200 };
            let latency = 500 + scatter(service) % 20_000 + chance % 40_000;
            format!(
                r#"{{"id":"{chance:016x}","ts":{time},"kind":"server","svc":"intuit.payments.service-{service:04}","host":"ip-10-1-{}-{}.us-west-2.compute.internal","method":"POST","path":"/v1/companies/{}/invoices","status":{status},"bytes":{},"lat_us":{latency},"retry":false,"trace":"{:032x}","zone":"usw2-az{}"}}"#,
                chance % 250, chance % 199, chance % 1_000_000, chance % 9_999, chance, chance % 3
            )
        })
        .collect()
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
