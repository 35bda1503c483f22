//! What a real broker gives, end to end: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! Needs a broker: `tests/bench/kafka` starts one and runs this with its address in `FLOWDECK_BENCH_KAFKA`. A topic is
//! filled once with 300-byte JSON events of 2,000 services; then librdkafka alone reads and counts it, flowdeck's reader
//! alone, and reader and engine together, in turn, so that all of them meet the same machine. By the clock: broker,
//! reader and engine share its cores, as they would in life.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking"
)]

#[path = "engine/events.rs"]
mod events;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flowdeck::engine::{Engine, Spec};
use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka::ClientProperties;
use flowdeck::source::kafka::consume::{News, Reader, Start, Subscription};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const EVENTS: u64 = 3_000_000;
const PARTITIONS: i32 = 6;
const ROUNDS: usize = 5;

fn main() {
    let Ok(broker) = std::env::var("FLOWDECK_BENCH_KAFKA") else {
        println!("{}", serde_json::json!({ "name": "kafka", "skipped": "no broker: run tests/bench/kafka" }));
        return;
    };
    for codec in ["none", "lz4"] {
        measure(&broker, codec);
    }
}

fn measure(broker: &str, codec: &str) {
    let topic = format!("bench-{codec}");
    fill(broker, &topic, codec);
    let (mut theirs, mut reader, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(librdkafka(broker, &topic));
        reader.push(read(broker, &topic, None));
        whole.push(read(broker, &topic, Some(())));
    }
    let [theirs, reader, whole] = [theirs, reader, whole].map(median);
    report(&format!("librdkafka alone counts, {codec}"), theirs, "events/s", None);
    report(&format!("reader alone counts, {codec}"), reader, "events/s", None);
    let bound = (codec == "none").then_some(8e5);
    report(&format!("end to end, 2,000 services, {codec}"), whole, "events/s", bound);
    report(&format!("end to end against librdkafka alone, {codec}"), whole / theirs * 100.0, "%", Some(70.0));
}

fn report(name: &str, value: f64, unit: &str, bound: Option<f64>) {
    let kept = bound.map(|bound| value >= bound);
    println!(
        "{}",
        serde_json::json!({ "name": name, "value": value.round(), "unit": unit, "bound": bound, "kept": kept })
    );
}

/// Of rates, in the middle.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn rate(begun: Instant) -> f64 {
    EVENTS as f64 / begun.elapsed().as_secs_f64()
}

/// Polls message by message and counts, with queues large enough not to stall.
fn librdkafka(broker: &str, topic: &str) -> f64 {
    let begun = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "262144")
        .set("fetch.wait.max.ms", "50")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let (mut records, mut bytes) = (0, 0);
    while records < EVENTS {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            bytes += message.unwrap().payload_len();
            records += 1;
        }
    }
    assert!(bytes > 0);
    rate(begun)
}

fn properties(broker: &str) -> ClientProperties {
    let settings = KafkaSettings { bootstrap: Some(broker.to_owned()), ..KafkaSettings::default() };
    flowdeck::source::kafka::client_properties(&settings).unwrap()
}

/// Reads with flowdeck's reader, and counts with the engine if one is wanted.
fn read(broker: &str, topic: &str, engine: Option<()>) -> f64 {
    let spec = Spec::parse(include_str!("../../config/examples/golden-signals.toml")).unwrap();
    let mut engine = engine.map(|()| Engine::new(&spec).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    let subscription = Subscription { topics: vec![topic.into()], start: Start::Earliest, only: None };
    let mut reader = Reader::start(properties(broker), subscription).unwrap();
    let mut panes = BTreeMap::new();
    let mut records = 0;
    while records < EVENTS {
        match runtime.block_on(reader.next()).unwrap() {
            News::Assigned(assignment) => {
                if let Some(engine) = &mut engine {
                    engine.assign(assignment.place, 0);
                }
            }
            News::Records(found) => {
                records += found.batch.len() as u64;
                if let Some(engine) = &mut engine {
                    engine.ingest(found.place, &found.batch, flowdeck::engine::NO_CLOCK);
                    for pane in engine.take_panes() {
                        *panes.entry(pane.start).or_insert(0) += 1;
                    }
                }
            }
            _ => {}
        }
    }
    let rate = rate(begun);
    if let Some(engine) = &engine {
        assert_eq!(engine.counts().counted, EVENTS, "{:?}", engine.rejects().samples().last());
        assert!(panes.len() > 10);
    }
    rate
}

/// Makes the topic and writes the events, unless an earlier run did.
fn fill(broker: &str, topic: &str, codec: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let admin: AdminClient<_> = config.create().unwrap();
    let wanted = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
    let made = runtime.block_on(admin.create_topics(&[wanted], &AdminOptions::new())).unwrap();
    if made[0].is_err() {
        return;
    }
    config.set("compression.type", codec).set("linger.ms", "50").set("batch.size", "1000000");
    config.set("queue.buffering.max.messages", "1000000");
    let producer: BaseProducer = config.create().unwrap();
    for number in 0..EVENTS {
        let event = events::record(number);
        let partition = i32::try_from(number % u64::from(PARTITIONS.unsigned_abs())).unwrap();
        let mut record = BaseRecord::<(), String>::to(topic).partition(partition).payload(&event);
        while let Err((_, back)) = producer.send(record) {
            // Its queue is full: it goes on when records were delivered.
            producer.poll(Duration::from_millis(100));
            record = back;
        }
    }
    producer.flush(Duration::from_mins(2)).unwrap();
}
