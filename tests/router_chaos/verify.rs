//! Looks for every record that was sent: once, in the lane that the receipts' cuts say, in its order, as it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use crate::load::{HEADED, PARTITIONS, TIME, key, value};
use crate::processes::Route;

/// What was found.
#[derive(Default)]
pub struct Found {
    pub records: u64,
    pub lost: u64,
    pub duplicated: u64,
    /// Out of order in a lane, or in the lane of another epoch.
    pub reordered: u64,
    pub changed: u64,
}

impl Found {
    /// Whether anything is wrong.
    pub const fn is_bad(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.changed > 0
    }
}

/// Ends of epochs: first offset and lane, by partition.
type Cuts = BTreeMap<i64, Vec<(i64, String)>>;

/// Reads the source and both lanes.
pub fn verify(route: &Route, sent: &[i64], receipts: &[Value]) -> Found {
    let cuts = cuts(receipts);
    let mut found = Found::default();
    let mut seen: Vec<Vec<bool>> = sent.iter().map(|count| vec![false; usize::try_from(*count).unwrap()]).collect();
    source_is_whole(route, sent);
    for (lane, topic) in ["blue", "green"].into_iter().zip(&route.lanes) {
        let mut last = vec![-1_i64; sent.len()];
        read(route, topic, |message| {
            found.records += 1;
            let place = usize::try_from(message.partition()).unwrap();
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            let number: i64 = text.split(' ').nth(1).unwrap().parse().unwrap();
            found.changed += u64::from(!is_as_sent(message, number));
            if std::mem::replace(&mut seen[place][usize::try_from(number).unwrap()], true) {
                found.duplicated += 1;
            }
            let expected = cuts.get(&i64::from(message.partition())).and_then(|cuts| {
                cuts.iter().rev().find(|(offset, _)| *offset <= number).map(|(_, lane)| lane.as_str())
            });
            found.reordered += u64::from(number <= last[place] || expected.unwrap_or("blue") != lane);
            last[place] = last[place].max(number);
        });
    }
    found.lost = seen.iter().flatten().filter(|seen| !**seen).count() as u64;
    found
}

/// Numbers are offsets only if the source itself has each record once.
fn source_is_whole(route: &Route, sent: &[i64]) {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &route.broker).create().unwrap();
    for (partition, count) in (0..).zip(sent) {
        let (low, high) = consumer.fetch_watermarks(&route.source, partition, Duration::from_secs(30)).unwrap();
        assert_eq!((low, high), (0, *count), "the source's partition {partition}");
    }
}

fn cuts(receipts: &[Value]) -> Cuts {
    let mut cuts = Cuts::new();
    for receipt in receipts {
        for cut in receipt["cuts"].as_array().unwrap() {
            let lane = receipt["to"].as_str().unwrap().to_owned();
            let place = cuts.entry(cut["partition"].as_i64().unwrap()).or_default();
            place.push((cut["offset"].as_i64().unwrap(), lane));
        }
    }
    cuts
}

fn is_as_sent(message: &BorrowedMessage<'_>, number: i64) -> bool {
    let header = message.headers().map(|headers| {
        let header = headers.get(0);
        (header.key.to_owned(), header.value.map(<[u8]>::to_vec))
    });
    let expected = (number % HEADED == 0).then(|| ("number".to_owned(), Some(number.to_string().into_bytes())));
    message.key() == Some(key(number).as_bytes())
        && message.payload() == Some(value(message.partition(), number).as_bytes())
        && message.timestamp().to_millis() == Some(TIME + number)
        && header == expected
}

fn read(route: &Route, topic: &str, mut take: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &route.broker)
        .set("group.id", "chaos-verify")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let (mut ended, mut news) = (0, Instant::now());
    while ended < PARTITIONS {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => {
                take(&message);
                news = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => println!("reading {topic}: {error}"),
            None => assert!(news.elapsed() < Duration::from_mins(2), "the end of {topic} does not come"),
        }
    }
}
