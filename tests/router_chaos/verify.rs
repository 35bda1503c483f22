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

/// One partition of the source: which numbers are at which offsets.
///
/// The load's producer is idempotent, and still repeats a batch now and then when the broker is killed: what counts is
/// what the source holds.
struct Strand {
    /// From each of these offsets on, the number is the offset less the shift.
    turns: Vec<(i64, i64)>,
    end: i64,
    seen: Bits,
}

/// One bit for each record: a long run has a hundred million.
struct Bits(Vec<u64>);

impl Bits {
    fn new(length: i64) -> Self {
        Self(vec![0; usize::try_from(length).unwrap().div_ceil(64)])
    }

    const fn place(offset: i64) -> (usize, u64) {
        ((offset / 64) as usize, 1 << (offset % 64))
    }

    fn has(&self, offset: i64) -> bool {
        let (word, bit) = Self::place(offset);
        self.0[word] & bit != 0
    }

    /// Sets one; whether it was set before.
    fn set(&mut self, offset: i64) -> bool {
        let ((word, bit), had) = (Self::place(offset), self.has(offset));
        self.0[word] |= bit;
        had
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

impl Strand {
    fn new(turns: Vec<(i64, i64)>, end: i64) -> Self {
        Self { turns, end, seen: Bits::new(end) }
    }

    fn number(&self, offset: i64) -> i64 {
        let turn = self.turns.iter().rev().find(|(from, _)| *from <= offset).unwrap();
        offset - turn.1
    }

    /// Where a number is: at the first place that was not seen yet, or at the last one.
    fn offset(&self, number: i64) -> i64 {
        let ends = self.turns.iter().skip(1).map(|(from, _)| *from).chain([self.end]);
        let places = self.turns.iter().zip(ends).map(|((from, shift), to)| (number + shift, *from..to));
        let places: Vec<i64> =
            places.filter(|(offset, part)| part.contains(offset)).map(|(offset, _)| offset).collect();
        let unseen = places.iter().find(|offset| !self.seen.has(**offset));
        *unseen.or(places.last()).expect("a number that was never sent")
    }
}

/// Ends of epochs: first offset and lane, by partition.
type Cuts = BTreeMap<i64, Vec<(i64, String)>>;

/// Reads the source where it is not regular, and both lanes.
pub fn verify(route: &Route, sent: &[i64], receipts: &[Value]) -> Found {
    let cuts = cuts(receipts);
    let mut found = Found::default();
    let mut source = strands(route, sent);
    for (lane, topic) in ["blue", "green"].into_iter().zip(&route.lanes) {
        let is_ours = |partition: i32, offset: i64| {
            let cuts = cuts.get(&i64::from(partition)).map_or(&[][..], Vec::as_slice);
            let place = cuts.partition_point(|(from, _)| *from <= offset);
            place.checked_sub(1).map_or("blue", |before| cuts[before].1.as_str()) == lane
        };
        let mut next = vec![0_i64; sent.len()];
        read(route, topic, |message| {
            found.records += 1;
            let place = usize::try_from(message.partition()).unwrap();
            let (strand, next) = (&mut source[place], &mut next[place]);
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            let number: i64 = text.split(' ').nth(1).unwrap().parse().unwrap();
            found.changed += u64::from(!is_as_sent(message, number));
            while *next < strand.end && !is_ours(message.partition(), *next) {
                *next += 1;
            }
            let is_next = *next < strand.end && strand.number(*next) == number;
            let offset = if is_next { *next } else { strand.offset(number) };
            if strand.seen.set(offset) {
                found.duplicated += 1;
            } else if offset < *next || !is_ours(message.partition(), offset) {
                found.reordered += 1;
            }
            *next = (offset + 1).max(*next);
        });
    }
    let missing = |strand: &Strand| u64::try_from(strand.end).unwrap() - strand.seen.count();
    found.lost = source.iter().map(missing).sum();
    found
}

/// What the source holds; read only where it has more than was sent.
fn strands(route: &Route, sent: &[i64]) -> Vec<Strand> {
    let ends = source_ends(route, sent.len());
    let mut turns = vec![vec![(0_i64, 0_i64)]; sent.len()];
    if ends != sent {
        println!("the source holds {ends:?}, and {sent:?} were sent: it is read too");
        let mut next = vec![0_i64; sent.len()];
        read(route, &route.source, |message| {
            let place = usize::try_from(message.partition()).unwrap();
            let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
            let number: i64 = text.split(' ').nth(1).unwrap().parse().unwrap();
            assert!(number <= next[place], "the load lost record {} of partition {place}", next[place]);
            if number != message.offset() - turns[place].last().unwrap().1 {
                turns[place].push((message.offset(), message.offset() - number));
            }
            next[place] = next[place].max(number + 1);
        });
        assert_eq!(next, sent, "the load lost its last records");
    }
    turns.into_iter().zip(ends).map(|(turns, end)| Strand::new(turns, end)).collect()
}

/// Ends of the source's partitions, which begin at 0.
pub fn source_ends(route: &Route, partitions: usize) -> Vec<i64> {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &route.broker).create().unwrap();
    let ends = (0..).take(partitions).map(|partition| {
        let (low, high) = consumer.fetch_watermarks(&route.source, partition, Duration::from_secs(30)).unwrap();
        assert_eq!(low, 0, "the source's partition {partition}");
        high
    });
    ends.collect()
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
