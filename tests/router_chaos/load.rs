//! The stream: numbered records at a steady rate, whatever happens meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::processes::Route;

pub const PARTITIONS: i32 = 4;
/// Keys of a partition; each has a sequence of its own.
pub const KEYS: i64 = 50;
/// Every so many records have a header.
pub const HEADED: i64 = 16;
/// First timestamp; one more for each record.
pub const TIME: i64 = 1_700_000_000_000;
const TICK: Duration = Duration::from_millis(20);
/// More than this is not made up for after a pause of the machine.
const BEHIND: u64 = 200_000;

/// A stream on its way.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<i64>>,
}

impl Load {
    /// Begins to send.
    pub fn start(route: &Route, rate: u64) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &route.broker).set("enable.idempotence", "true").set("linger.ms", "10");
        // The broker is away for a while, and nothing may be given up.
        config
            .set("message.timeout.ms", "0")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.messages", "500000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (topic, stopping) = (route.source.clone(), stop.clone());
        let thread = std::thread::spawn(move || send(&producer, &topic, rate, &stopping));
        Self { stop, thread }
    }

    /// Ends it when all is written; how many records each partition has.
    pub fn stop(self) -> Vec<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// What a record says: its number in its partition, its key's sequence.
pub fn value(partition: i32, number: i64) -> String {
    format!("{partition} {number} {} {:060}", number / KEYS, number)
}

pub fn key(number: i64) -> String {
    format!("k{}", number % KEYS)
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, rate: u64, stop: &AtomicBool) -> Vec<i64> {
    let mut next = vec![0_i64; usize::try_from(PARTITIONS).unwrap()];
    let (mut sent, mut skipped, began) = (0_u64, 0_u64, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(began.elapsed().as_millis()).unwrap() * rate / 1_000 - skipped;
        if due > sent + BEHIND {
            skipped += due - sent - BEHIND;
        }
        while sent < due && !stop.load(Ordering::Relaxed) {
            let partition = i32::try_from(sent % 4).unwrap();
            let place = &mut next[usize::try_from(partition).unwrap()];
            let (key, value) = (key(*place), value(partition, *place));
            let mut record =
                BaseRecord::to(topic).partition(partition).key(&key).payload(&value).timestamp(TIME + *place);
            if place.rem_euclid(HEADED) == 0 {
                let number = place.to_string();
                record = record.headers(OwnedHeaders::new().insert(Header { key: "number", value: Some(&number) }));
            }
            match producer.send(record) {
                Ok(()) => {
                    *place += 1;
                    sent += 1;
                }
                Err(_) => std::thread::sleep(TICK),
            }
        }
        std::thread::sleep(TICK);
    }
    producer.flush(Duration::from_mins(5)).unwrap();
    next
}
