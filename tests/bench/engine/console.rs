//! From a key to its frame while the console's own engine reads as fast as it can.
//!
//! The built binary runs in a pseudo-terminal. A broker in this process, on loopback, always has more events than the
//! console has read: 2,000 services, 300 bytes each. Broker, console and this test share the machine's cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowdeck::demo::kafka::{Broker, Record};

use super::events::record;
use super::support::Console;

const TOPIC: &str = "service-events";
const PARTITIONS: u32 = 4;
/// Records of a batch.
const BATCH: u64 = 2_000;
/// Bound of the time from a key to its frame, milliseconds.
const FRAME_MS: f64 = 16.0;
const KEYS: usize = 300;

/// Measures the list of services and the charts below it at 200x60.
pub fn measure() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker = runtime.block_on(Broker::start("bench")).unwrap();
    broker.create_topic(TOPIC, PARTITIONS);
    let ends = Arc::new(AtomicBool::new(false));
    let feeder = std::thread::spawn({
        let (broker, ends) = (broker.clone(), ends.clone());
        move || feed(&broker, &ends)
    });
    let home = tempfile::tempdir().unwrap();
    let settings = home.path().join("flowdeck.toml");
    let spec = home.path().join("signals.toml");
    std::fs::write(&spec, include_str!("../../../config/examples/golden-signals.toml")).unwrap();
    let text = format!(
        "[[environment]]\nname = \"bench\"\ncontext = \"none\"\n[environment.kafka]\nbootstrap = \"{}\"\n\
         [environment.signals]\nspec = \"{}\"\n",
        broker.address(),
        spec.display()
    );
    std::fs::write(&settings, text).unwrap();
    let arguments = ["--settings", settings.to_str().unwrap()];
    let mut console = Console::start(&arguments, &[("HOME", home.path().to_str().unwrap())], 200, 60);
    console.sees("flowdeck");
    console.press("s");
    console.until_within(Duration::from_secs(90), "services", |screen| screen.contains("2000 services"));
    console.watch(Duration::from_secs(5));
    let read = rate(&mut console);
    let mut samples = keys(&mut console);
    ends.store(true, Ordering::Relaxed);
    feeder.join().unwrap();
    super::report("events a second that the console reads meanwhile", read, "events/s", None);
    for (percent, word) in [(50, "median"), (99, "p99")] {
        samples.sort_unstable();
        let place = (samples.len() * percent).div_ceil(100).clamp(1, samples.len()) - 1;
        let name = format!("key to frame at 200x60, 2,000 services at full load, {word}");
        super::report_at_most(&name, samples[place].as_secs_f64() * 1_000.0, "ms", FRAME_MS);
    }
}

/// Appends batches of new events as fast as it can until it ends.
fn feed(broker: &Broker, ends: &AtomicBool) {
    let begun = Instant::now();
    let base = chrono::Utc::now().timestamp_millis();
    // Formatting costs more than reading: the events of a round are the same but for their time.
    let texts: Vec<Vec<String>> = (0..u64::from(PARTITIONS) * 4)
        .map(|batch| (batch * BATCH..(batch + 1) * BATCH).map(record).collect())
        .collect();
    for round in 0_u64.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let now = base + i64::try_from(begun.elapsed().as_millis()).unwrap();
        let partition = u32::try_from(round % u64::from(PARTITIONS)).unwrap();
        let texts = &texts[usize::try_from(round).unwrap() % texts.len()];
        let at = text_of(now);
        let records: Vec<Record> = texts.iter().map(|text| stamped(text, &at, now)).collect();
        // The broker drops the oldest when it is full: a console that is behind goes on with what is left.
        broker.append(TOPIC, partition, &records).unwrap();
    }
}

fn text_of(millis: i64) -> String {
    format!("\"ts\":{millis}")
}

/// The same event at another time.
fn stamped(text: &str, at: &str, now: i64) -> Record {
    let (before, rest) = text.split_once("\"ts\":").unwrap();
    let (_, after) = rest.split_once(',').unwrap();
    let value = format!("{before}{at},{after}");
    Record { key: None, value: Bytes::from(value), timestamp_ms: now, headers: Vec::new() }
}

/// Events a second that the head of the screen says.
fn rate(console: &mut Console) -> f64 {
    console.until("a rate", |screen| shown(screen).is_some());
    shown(&console.screen()).unwrap()
}

fn shown(screen: &str) -> Option<f64> {
    let words: Vec<&str> = screen.lines().next()?.split_whitespace().collect();
    let place = words.iter().position(|word| *word == "ev/s")?;
    let text = words.get(place.checked_sub(1)?)?;
    let (number, factor) = match text.chars().last()? {
        'k' => (text.trim_end_matches('k'), 1e3),
        'M' => (text.trim_end_matches('M'), 1e6),
        _ => (*text, 1.0),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
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
        console.watch(Duration::from_millis(20));
    }
    samples
}

/// The line with the cursor: its number.
fn marked(screen: &str) -> Option<usize> {
    screen.lines().position(|line| line.starts_with('▸'))
}
