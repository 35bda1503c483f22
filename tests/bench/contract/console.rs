//! The console on the rows of 20,000 services: what it holds, and from a key to its frame.
//!
//! The built binary runs in a pseudo-terminal. A broker in this process, on loopback, has rows of the last quarter of an hour, and
//! gets those of each window as it ends. Broker, console and this test share the machine's cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowdeck::demo::kafka::{Broker, Record};
use flowdeck::engine::{Spec, contract};

use super::support::Console;
use super::{SERVICES, WINDOW_MS, row, spec_text};

const TOPIC: &str = "signals.v1";
const PARTITIONS: u32 = 4;
/// Windows that are there when the console begins: a few minutes.
const BEFORE: i64 = 18;
/// Bounds.
const FRAME_MS: f64 = 16.0;
const MEMORY_MB: f64 = 300.0;
const KEYS: usize = 300;
/// Rows of which all services have equal ones are formatted once.
const PATTERNS: u64 = 16;

/// Measures memory and keys at 200x60.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker = runtime.block_on(Broker::start("bench")).unwrap();
    broker.create_topic(TOPIC, PARTITIONS);
    let home = tempfile::tempdir().unwrap();
    let (settings, spec) = (home.path().join("flowdeck.toml"), home.path().join("signals.toml"));
    std::fs::write(&spec, spec_text()).unwrap();
    let text = format!(
        "[[environment]]\nname = \"bench\"\ncontext = \"none\"\n[environment.kafka]\nbootstrap = \"{}\"\n\
         [environment.signals]\nspec = \"{}\"\n",
        broker.address(),
        spec.display()
    );
    std::fs::write(&settings, text).unwrap();
    let rows = Rows::new();
    let now = chrono::Utc::now().timestamp_millis();
    let newest = now - now.rem_euclid(WINDOW_MS) - WINDOW_MS;
    (0..BEFORE).rev().for_each(|back| rows.append(&broker, newest - back * WINDOW_MS));
    let ends = Arc::new(AtomicBool::new(false));
    let feeder = std::thread::spawn({
        let ends = ends.clone();
        move || feed(&rows, &broker, newest + WINDOW_MS, &ends)
    });
    let arguments = ["--settings", settings.to_str().unwrap()];
    let mut console = Console::start(&arguments, &[("HOME", home.path().to_str().unwrap())], 200, 60);
    console.sees("flowdeck");
    console.press("s");
    console.until_within(Duration::from_mins(3), "all services", |screen| screen.contains("20000 services"));
    console.until_within(Duration::from_mins(3), "the present", |screen| !screen.contains("catching up"));
    // Some windows come while keys are pressed.
    let mut samples = keys(&mut console);
    let resident = resident_megabytes(console.id());
    ends.store(true, Ordering::Relaxed);
    feeder.join().unwrap();
    super::report_at_most("console on the rows of 20,000 services, resident", resident, "MB", MEMORY_MB);
    for (percent, word) in [(50, "median"), (99, "p99")] {
        samples.sort_unstable();
        let place = (samples.len() * percent).div_ceil(100).clamp(1, samples.len()) - 1;
        let name = format!("key to frame at 200x60 on the rows of 20,000 services, {word}");
        super::report_at_most(&name, samples[place].as_secs_f64() * 1_000.0, "ms", FRAME_MS);
    }
}

/// Rows that are formatted but for their key.
struct Rows(Vec<(String, String)>);

impl Rows {
    fn new() -> Self {
        let sha = contract::sha(&Spec::parse(&spec_text()).unwrap());
        let of = |pattern: u64| {
            let text = row(&sha, "KEY", pattern);
            let (before, after) = text.split_once("KEY").unwrap();
            (before.to_owned(), after.to_owned())
        };
        Self((0..PATTERNS).map(of).collect())
    }

    /// Writes a window of all services.
    fn append(&self, broker: &Broker, start: i64) {
        for partition in 0..PARTITIONS {
            let mine = (0..SERVICES).filter(|service| service % u64::from(PARTITIONS) == u64::from(partition));
            let records: Vec<Record> = mine.map(|service| self.record(service, start)).collect();
            for records in records.chunks(1_000) {
                broker.append(TOPIC, partition, records).unwrap();
            }
        }
    }

    fn record(&self, service: u64, start: i64) -> Record {
        let (before, after) = &self.0[(service % PATTERNS) as usize];
        let value = Bytes::from(format!("{before}service-{service:05}||{start}{after}"));
        Record { key: None, value, timestamp_ms: start + WINDOW_MS, headers: Vec::new() }
    }
}

/// Writes each window when it has ended, until it ends.
fn feed(rows: &Rows, broker: &Broker, first: i64, ends: &AtomicBool) {
    let mut start = first;
    while !ends.load(Ordering::Relaxed) {
        if chrono::Utc::now().timestamp_millis() < start + WINDOW_MS {
            std::thread::park_timeout(Duration::from_millis(50));
            continue;
        }
        rows.append(broker, start);
        start += WINDOW_MS;
    }
}

/// The selected service moves with each key.
fn keys(console: &mut Console) -> Vec<Duration> {
    let mut samples = Vec::new();
    // By name, rows stay where they are.
    console.press(">>>");
    console.watch(Duration::from_secs(1));
    for step in 0..KEYS {
        let before = marked(&console.screen());
        console.press(if step % 40 < 20 { "j" } else { "k" });
        let pressed = Instant::now();
        console.until("the selection moves", |screen| marked(screen) != before);
        samples.push(pressed.elapsed());
        console.watch(Duration::from_millis(100));
    }
    samples
}

/// The line with the cursor: its number.
fn marked(screen: &str) -> Option<usize> {
    screen.lines().position(|line| line.starts_with('▸'))
}

fn resident_megabytes(process: i32) -> f64 {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    pages.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4_096.0 / f64::from(1 << 20)
}
