//! Two copies that count the same, as writers of rows, and what a reader of the destination must find.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

/// Start of the first window; one more for each second of event time.
pub const FIRST: i64 = 1_700_000_000_000;
pub const WINDOW: i64 = 1_000;
pub const SERVICES: i64 = 40;
pub const PARTITIONS: i32 = 3;
/// Real time of a window.
const PACE: Duration = Duration::from_millis(100);

/// A copy of the pipeline on its way: writes each window twice, at first as far as it is known, then for good.
pub struct Copy {
    stop: Arc<AtomicBool>,
    /// Windows that are written for good.
    written: Arc<AtomicI64>,
    thread: JoinHandle<()>,
}

impl Copy {
    /// Begins to write with the window `from`, `behind` windows later than real time has it.
    pub fn start(
        broker: &str,
        (lane, topic): (&'static str, &str),
        began: Instant,
        (from, behind): (i64, i64),
    ) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker).set("enable.idempotence", "true").set("linger.ms", "2");
        config.set("message.timeout.ms", "0");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (topic, stopping, writing) = (topic.to_owned(), stop.clone(), written.clone());
        let thread = std::thread::spawn(move || {
            let mut next = from;
            while !stopping.load(Ordering::Relaxed) {
                let due = i64::try_from(began.elapsed().as_millis() / PACE.as_millis()).unwrap() - behind;
                while next < due && !stopping.load(Ordering::Relaxed) {
                    if !write(&producer, (lane, &topic), next, &stopping) {
                        break;
                    }
                    next += 1;
                    writing.store(next - 1, Ordering::Relaxed);
                }
                std::thread::park_timeout(PACE / 10);
            }
            producer.flush(Duration::from_mins(1)).unwrap();
        });
        Self { stop, written, thread }
    }

    /// Windows that are written for good.
    pub fn written(&self) -> i64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Ends it where it is, in mid-window as a rule; windows that are written for good.
    pub fn stop(self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.written.load(Ordering::Relaxed)
    }
}

/// The window's first rows, then the last ones of the window before; `false` when it was stopped between two of them.
fn write(
    producer: &ThreadedProducer<DefaultProducerContext>,
    (lane, topic): (&str, &str),
    window: i64,
    stop: &AtomicBool,
) -> bool {
    for (window, is_final) in [(window, false), (window - 1, true)] {
        for service in (0..SERVICES).filter(|_| window >= 0) {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            let start = FIRST + window * WINDOW;
            let key = format!("service-{service}||{start}");
            let value = json!({ "lane": lane, "final": is_final, "revision": i64::from(is_final), "n": service });
            let value = value.to_string();
            // Copies of one program part rows alike; two programs need not.
            let shift = i64::from(lane == "green");
            let partition = i32::try_from((service + shift) % i64::from(PARTITIONS)).unwrap();
            loop {
                let record = BaseRecord::to(topic).partition(partition).key(&key).payload(&value);
                if producer.send(record.timestamp(start + WINDOW)).is_ok() {
                    break;
                }
                std::thread::park_timeout(PACE / 10);
            }
        }
    }
    true
}

/// What was told of a key, by partition and there in order: lane, whether it is final, revision.
pub type Told = BTreeMap<(i64, i64), Vec<(i32, String, bool, i64)>>;

/// All that readers of the destination see, by window and service.
pub fn read(broker: &str, topic: &str) -> Told {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker).set("group.id", "reader").set("enable.partition.eof", "true");
    config.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|partition| {
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    });
    consumer.assign(&places).unwrap();
    let (mut told, mut ended) = (Told::new(), 0);
    while ended < PARTITIONS {
        match consumer.poll(Duration::from_secs(20)) {
            Some(Ok(message)) => {
                let key = std::str::from_utf8(message.key().unwrap()).unwrap().to_owned();
                let value: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
                let (service, start) = key.split_once("||").unwrap();
                let service: i64 = service.strip_prefix("service-").unwrap().parse().unwrap();
                let window = (start.parse::<i64>().unwrap() - FIRST) / WINDOW;
                let lane = value["lane"].as_str().unwrap().to_owned();
                let row =
                    (message.partition(), lane, value["final"].as_bool().unwrap(), value["revision"].as_i64().unwrap());
                told.entry((window, service)).or_default().push(row);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{error}"),
            None => panic!("the destination says nothing"),
        }
    }
    // Between two partitions there is no order.
    told.values_mut().for_each(|rows| rows.sort_by_key(|row| row.0));
    told
}

/// What is wrong with what was told of the windows before `end`: nothing, or the first few words of it.
pub fn faults(told: &Told, end: i64) -> Vec<String> {
    let mut faults = Vec::new();
    for key in (0..end).flat_map(|window| (0..SERVICES).map(move |service| (window, service))) {
        let rows = told.get(&key).cloned().unwrap_or_default();
        let finals = rows.iter().filter(|(_, _, is_final, _)| *is_final).count();
        if finals != 1 {
            faults.push(format!("{key:?} has {finals} final rows: {rows:?}"));
        }
        if !rows.is_sorted_by_key(|(partition, _, is_final, revision)| (*partition, *is_final, *revision)) {
            faults.push(format!("{key:?} goes back: {rows:?}"));
        }
    }
    faults
}

/// The lane of each window's final rows, joined to runs: `[("blue", 0, 40), …]`; a window of both is `mixed`.
pub fn runs(told: &Told, end: i64) -> Vec<(String, i64, i64)> {
    let mut runs: Vec<(String, i64, i64)> = Vec::new();
    for window in 0..end {
        let rows = (0..SERVICES).filter_map(|service| told.get(&(window, service))).flatten();
        let mut lanes: Vec<&str> = rows.filter(|row| row.2).map(|row| row.1.as_str()).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let lane = if let [lane] = lanes.as_slice() { *lane } else { "mixed" };
        match runs.last_mut() {
            Some((last, _, until)) if last == lane => *until = window + 1,
            _ => runs.push((lane.to_owned(), window, window + 1)),
        }
    }
    runs
}
