//! Reads source and lanes around a cut, for the comparison that a receipt holds.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::model::route::record::{Audit, Control, Mark};
use crate::router::audit::{Print, Stretch, compare};
use crate::router::client::{RouterError, config, is_passing};
use crate::router::spec::Spec;
use crate::source::kafka::ClientProperties;

/// Records on each side of a partition's cut that are compared.
const SPAN: i64 = 300;
/// Longest time for all of it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Most partitions that are looked at.
const PARTITIONS: usize = 64;

/// What a flip is audited by.
pub(super) struct Case {
    pub(super) spec: Arc<Spec>,
    pub(super) properties: ClientProperties,
    pub(super) control: Control,
    /// Marks and committed offsets, by partition.
    pub(super) marks: Vec<Option<Mark>>,
    pub(super) routed: Vec<Option<i64>>,
    /// Cuts of the flip before, which bound what the old lane got; empty when nothing is known of one.
    pub(super) cuts_before: BTreeMap<i32, i64>,
}

/// Where to read in one partition.
struct Place {
    partition: i32,
    cut: i64,
    /// First offset before the cut that is compared.
    before: i64,
    /// End of what is compared behind the cut.
    after: i64,
}

/// What is read of one partition: offsets from the first one on, before the second, and so many records at most.
struct Range {
    partition: i32,
    from: i64,
    to: i64,
    most: i64,
}

impl Range {
    const fn between(partition: i32, from: i64, to: i64) -> Self {
        Self { partition, from, to, most: i64::MAX }
    }
}

/// Records by partition: offset and print.
type Found = BTreeMap<i32, Vec<(i64, Print)>>;

/// Measures; what could not be read is said so.
pub(super) fn audit(case: &Case) -> Audit {
    measure(case).unwrap_or_else(|words| Audit { unmeasured: Some(words), ..Audit::default() })
}

fn measure(case: &Case) -> Result<Audit, String> {
    let control = &case.control;
    let previous = control.previous.as_deref().and_then(|name| case.spec.lane(name));
    let lanes = previous.zip(case.spec.lane(&control.lane));
    let (old, new) = lanes.ok_or_else(|| "the spec does not name its lanes".to_owned())?;
    if control.lane_ends.len() != case.marks.len() {
        return Err(
            "where the new lane ended before the flip is not known, or it got every record before, as a shadow"
                .to_owned(),
        );
    }
    let deadline = Instant::now() + PATIENCE;
    let words = |error: RouterError| error.to_string();
    let reader = Reader::new(&case.properties, deadline).map_err(words)?;
    let places = places(case, &reader).map_err(words)?;
    let around = |place: &Place| Range::between(place.partition, place.before - SPAN, place.after + SPAN);
    let source = reader.read(&case.spec.source.topic, places.iter().map(around)).map_err(words)?;
    let old = reader.tails(&old.topic, &places).map_err(words)?;
    let begins = control.lane_ends.iter().zip(0..).map(|(end, partition)| (partition, *end));
    let begins: BTreeMap<i32, i64> = begins.collect();
    let from = |place: &Place| {
        let begin = begins.get(&place.partition).copied().unwrap_or(0);
        // Ends of transactions take offsets too, and given up records: so it is counted what is found.
        Range { partition: place.partition, from: begin, to: i64::MAX, most: place.after - place.cut }
    };
    let new = reader.read(&new.topic, places.iter().map(from)).map_err(words)?;
    let mut audit = Audit::default();
    for place in &places {
        audit.add(&compare(&stretch(place, &source, &old, &new)));
    }
    if case.marks.len() > PARTITIONS {
        audit.unmeasured = Some(format!("only the first {PARTITIONS} partitions were read"));
    }
    Ok(audit)
}

fn places(case: &Case, reader: &Reader) -> Result<Vec<Place>, RouterError> {
    let mut places = Vec::new();
    for (partition, (mark, routed)) in (0..).zip(case.marks.iter().zip(&case.routed)).take(PARTITIONS) {
        let (Some(mark), Some(routed)) = (mark, routed) else { continue };
        let (low, _) = reader.ends(&case.spec.source.topic, partition)?;
        let cut = mark.cut;
        // Nothing is known of what went where before the flip before: then nothing before the cut is compared.
        let first = case.cuts_before.get(&partition).copied().unwrap_or(cut);
        let before = (cut - SPAN).max(low).max(first).min(cut);
        places.push(Place { partition, cut, before, after: (cut + SPAN).min(*routed).max(cut) });
    }
    Ok(places)
}

fn stretch(place: &Place, source: &Found, old: &Found, new: &Found) -> Stretch {
    let of = |found: &Found| found.get(&place.partition).cloned().unwrap_or_default();
    let prints = |found: Vec<(i64, Print)>| found.into_iter().map(|(_, print)| print).collect();
    let source = of(source);
    let between = |from: i64, to: i64| -> Vec<Print> {
        source.iter().filter(|(offset, _)| (from..to).contains(offset)).map(|(_, print)| *print).collect()
    };
    Stretch {
        older: between(i64::MIN, place.before),
        before: between(place.before, place.cut),
        after: between(place.cut, place.after),
        newer: between(place.after, i64::MAX),
        old: prints(of(old)),
        new: prints(of(new)),
    }
}

/// Reads stretches of topics.
struct Reader {
    consumer: BaseConsumer,
    deadline: Instant,
}

impl Reader {
    fn new(properties: &ClientProperties, deadline: Instant) -> Result<Self, RouterError> {
        let ours = [
            ("group.id", "flowdeck-router"),
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
            ("fetch.wait.max.ms", "50"),
            ("queued.max.messages.kbytes", "16384"),
        ];
        let consumer = config(properties, &ours).create().map_err(RouterError::kafka("make a Kafka client"))?;
        Ok(Self { consumer, deadline })
    }

    fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), RouterError> {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let what = || format!("ask for the offsets of {topic}");
        self.consumer.fetch_watermarks(topic, partition, left).map_err(RouterError::kafka(what()))
    }

    /// The end of a lane: so much that the records before the cut are in it, however many were given up behind them.
    fn tails(&self, topic: &str, places: &[Place]) -> Result<Found, RouterError> {
        let mut found = Found::new();
        let mut left: Vec<(&Place, i64)> = places.iter().map(|place| (place, SPAN * 8)).collect();
        while !left.is_empty() {
            let (mut ranges, mut deeper) = (Vec::new(), Vec::new());
            for (place, depth) in &left {
                let (low, high) = self.ends(topic, place.partition)?;
                let from = (high - (place.cut - place.before) * 4 - depth).max(low);
                ranges.push(Range::between(place.partition, from, i64::MAX));
                if from > low {
                    deeper.push((*place, depth * 8));
                }
            }
            found.extend(self.read(topic, ranges.into_iter())?);
            let has_all = |place: &Place| {
                let count = found.get(&place.partition).map_or(0, Vec::len);
                i64::try_from(count).unwrap_or(i64::MAX) >= place.cut - place.before
            };
            deeper.retain(|(place, _)| !has_all(place));
            left = deeper;
        }
        Ok(found)
    }

    /// Reads ranges, as far as there are records.
    fn read(&self, topic: &str, ranges: impl Iterator<Item = Range>) -> Result<Found, RouterError> {
        let what = || format!("read the topic {topic}");
        let mut open = BTreeMap::new();
        let mut places = TopicPartitionList::new();
        for range in ranges.filter(|range| range.most > 0) {
            let begin = Offset::Offset(range.from.max(0));
            places.add_partition_offset(topic, range.partition, begin).map_err(RouterError::kafka(what()))?;
            open.insert(range.partition, range);
        }
        self.consumer.assign(&places).map_err(RouterError::kafka(what()))?;
        let mut found = Found::new();
        while !open.is_empty() {
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(range) = open.get_mut(&partition) else { continue };
                    if offset < range.to {
                        found.entry(partition).or_default().push((offset, print(&message)));
                        range.most -= 1;
                    }
                    if offset >= range.to || range.most == 0 {
                        open.remove(&partition);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(RouterError::kafka(what())(error)),
                None => {}
            }
            if Instant::now() > self.deadline {
                let words = format!("{topic} could not be read within {} s", PATIENCE.as_secs());
                return Err(RouterError::Refused(words));
            }
        }
        Ok(found)
    }
}

/// Hash of all that is copied.
fn print(message: &impl Message) -> Print {
    let mut hasher = std::hash::DefaultHasher::new();
    (message.key(), message.payload(), message.timestamp().to_millis()).hash(&mut hasher);
    if let Some(headers) = message.headers() {
        for header in headers.iter() {
            (header.key, header.value).hash(&mut hasher);
        }
    }
    hasher.finish()
}
