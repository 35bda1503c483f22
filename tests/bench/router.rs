//! What routing costs on a real broker: one JSON object a line with `name`, `value`, `unit` and the `bound` that it must keep.
//!
//! Needs a broker: `tests/bench/router` starts one and runs this with its address in `FLOWDECK_BENCH_KAFKA`. A topic is
//! filled once with 300-byte records; then a plain loop over librdkafka, which consumes, produces and commits the offsets
//! in transactions, copies it, and a worker of the router does, in turn, so that both meet the same machine. The rate is
//! that from the first committed transaction to the last one: joining the group is not in it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::panic,
    reason = "a benchmark fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flowdeck::router::spec::Spec;
use flowdeck::router::worker::{self, Gauge};
use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka::client_properties;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, Message};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const RECORDS: u64 = 2_000_000;
const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;
const SOURCE: &str = "bench-source";
const PATIENCE: Duration = Duration::from_mins(5);
/// As the router's defaults are.
const EVERY: Duration = Duration::from_millis(100);
const MOST: u64 = 20_000;

fn main() {
    let Ok(broker) = std::env::var("FLOWDECK_BENCH_KAFKA") else {
        println!("{}", serde_json::json!({ "name": "router", "skipped": "no broker: run tests/bench/router" }));
        return;
    };
    make(&broker, &[SOURCE], PARTITIONS);
    fill(&broker);
    let (mut plain, mut routed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        plain.push(copy(&broker, round));
        routed.push(route(&broker, round));
    }
    let [plain, routed] = [plain, routed].map(median);
    report("plain transactional copy loop", plain, "records/s", None);
    report("router worker", routed, "records/s", None);
    report("router worker against the plain loop", routed / plain * 100.0, "%", Some(70.0));
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

fn config(broker: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker);
    for (name, value) in more {
        config.set(*name, *value);
    }
    config
}

fn make(broker: &str, names: &[&str], partitions: i32) {
    let client: AdminClient<DefaultClientContext> = config(broker, &[]).create().unwrap();
    let topics: Vec<NewTopic<'_>> =
        names.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(client.create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
}

fn producer(broker: &str, more: &[(&str, &str)]) -> ThreadedProducer<DefaultProducerContext> {
    let ours = [("linger.ms", "5"), ("compression.type", "lz4"), ("batch.num.messages", "100000")];
    config(broker, &[&ours, more].concat()).create().unwrap()
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, mut record: BaseRecord<'_, [u8], [u8]>) {
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
}

fn fill(broker: &str) {
    let producer = producer(broker, &[]);
    for number in 0..RECORDS {
        let key = format!("k{}", number % 5_000);
        let value = format!("{{\"service\":\"s{}\",\"number\":{number},\"text\":\"{:x>240}\"}}", number % 2_000, "");
        let partition = i32::try_from(number % 4).unwrap();
        send(&producer, BaseRecord::to(SOURCE).partition(partition).key(key.as_bytes()).payload(value.as_bytes()));
    }
    producer.flush(PATIENCE).unwrap();
}

/// From the first transaction to the last one.
#[derive(Default)]
struct Clock {
    first: Option<(Instant, u64)>,
}

impl Clock {
    fn see(&mut self, records: u64) -> Option<f64> {
        let now = Instant::now();
        if records == 0 {
            return None;
        }
        let (since, before) = *self.first.get_or_insert((now, records));
        (records >= RECORDS).then(|| (records - before) as f64 / (now - since).as_secs_f64())
    }
}

/// What anybody would write.
fn copy(broker: &str, round: usize) -> f64 {
    let (target, name) = (format!("bench-plain-{round}"), format!("plain-{round}"));
    make(broker, &[&target], PARTITIONS);
    let consumer: BaseConsumer = config(
        broker,
        &[
            ("group.id", &name),
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "earliest"),
            ("fetch.queue.backoff.ms", "5"),
        ],
    )
    .create()
    .unwrap();
    consumer.subscribe(&[SOURCE]).unwrap();
    let producer = producer(broker, &[("transactional.id", &name), ("queue.buffering.max.messages", "200000")]);
    producer.init_transactions(PATIENCE).unwrap();
    let (mut clock, mut copied, mut open, mut due) = (Clock::default(), 0, 0, Instant::now());
    let mut next = BTreeMap::new();
    loop {
        if let Some(message) = consumer.poll(Duration::from_millis(10)) {
            let message = message.unwrap();
            if open == 0 {
                producer.begin_transaction().unwrap();
                due = Instant::now() + EVERY;
            }
            let mut record = BaseRecord::<[u8], [u8]>::to(&target).partition(message.partition());
            (record.key, record.payload) = (message.key(), message.payload());
            record.timestamp = message.timestamp().to_millis();
            record.headers = message.headers().map(BorrowedHeaders::detach);
            send(&producer, record);
            next.insert(message.partition(), message.offset() + 1);
            open += 1;
        }
        if open > 0 && (open >= MOST || Instant::now() >= due) {
            let mut offsets = TopicPartitionList::new();
            for (partition, offset) in &next {
                offsets.add_partition_offset(SOURCE, *partition, Offset::Offset(*offset)).unwrap();
            }
            let metadata = consumer.group_metadata().unwrap();
            producer.send_offsets_to_transaction(&offsets, &metadata, PATIENCE).unwrap();
            producer.commit_transaction(PATIENCE).unwrap();
            copied += std::mem::take(&mut open);
            if let Some(rate) = clock.see(copied) {
                return rate;
            }
        }
    }
}

/// The router's worker, told which lane by a control record.
fn route(broker: &str, round: usize) -> f64 {
    let name = format!("bench{round}");
    let lanes = [format!("{name}.blue"), format!("{name}.green")];
    make(broker, &[&lanes[0], &lanes[1]], PARTITIONS);
    let control = format!("{name}.control");
    let own =
        [control.clone(), format!("{control}.requests"), format!("{control}.status"), format!("{control}.receipts")];
    make(broker, &own.each_ref().map(String::as_str), 1);
    let spec = format!(
        "name = {name:?}\nmode = \"split\"\n[source]\ntopic = {SOURCE:?}\n[[lane]]\nname = \"blue\"\ntopic = {:?}\n\
         [[lane]]\nname = \"green\"\ntopic = {:?}\n[control]\ntopic = {control:?}\ninitial = \"blue\"\n",
        lanes[0], lanes[1]
    );
    let record = serde_json::json!({
        "version": 1, "route": name, "epoch": 1, "lane": "blue", "previous": null, "cause": "initial", "who": "bench",
        "why": "bench", "since_ms": 0, "decided_ms": 0, "hold": null, "lane_ends": [],
    })
    .to_string();
    let producer = producer(broker, &[]);
    send(&producer, BaseRecord::to(&control).partition(0).key(b"control".as_slice()).payload(record.as_bytes()));
    producer.flush(PATIENCE).unwrap();

    let settings = KafkaSettings { bootstrap: Some(broker.to_owned()), ..KafkaSettings::default() };
    let properties = client_properties(&settings).unwrap();
    let job = worker::Job { spec: Arc::new(Spec::parse(&spec).unwrap()), properties, slot: "w".to_owned() };
    let (gauge, stop) = (Arc::new(Gauge::new(&name, "w")), Arc::new(AtomicBool::new(false)));
    let thread = {
        let (gauge, stop) = (gauge.clone(), stop.clone());
        std::thread::spawn(move || worker::run(&job, &gauge, &stop))
    };
    let (mut clock, deadline) = (Clock::default(), Instant::now() + PATIENCE);
    let rate = loop {
        if let Some(rate) = clock.see(records(&gauge)) {
            break rate;
        }
        assert!(Instant::now() < deadline, "{:?} {:?}", gauge.waiting(), gauge.trouble());
        std::thread::sleep(Duration::from_millis(5));
    };
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap().unwrap();
    rate
}

fn records(gauge: &Gauge) -> u64 {
    let text = gauge.text();
    let lines = text.lines().filter(|line| line.starts_with("flowdeck_router_records_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
