//! Reads stretches of topics, committed records only: for audits, and for what was told before.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{RouterError, config, is_passing};
use crate::source::kafka::ClientProperties;

/// What is read of one partition: offsets from the first one on, before the second, and so many records at most.
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) most: i64,
}

impl Range {
    pub(super) const fn between(partition: i32, from: i64, to: i64) -> Self {
        Self { partition, from, to, most: i64::MAX }
    }
}

/// What was made of records, by partition, with their offsets.
pub(super) type Found<T> = BTreeMap<i32, Vec<(i64, T)>>;

/// Reads stretches of topics.
pub(super) struct Reader {
    consumer: BaseConsumer,
    deadline: Instant,
    patience: Duration,
}

impl Reader {
    pub(super) fn new(properties: &ClientProperties, patience: Duration) -> Result<Self, RouterError> {
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
        Ok(Self { consumer, deadline: Instant::now() + patience, patience })
    }

    /// First offset and end of a partition.
    pub(super) fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), RouterError> {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let what = || format!("ask for the offsets of {topic}");
        self.consumer.fetch_watermarks(topic, partition, left).map_err(RouterError::kafka(what()))
    }

    /// Reads ranges, as far as there are records; keeps what `take` makes of each.
    pub(super) fn read<T>(
        &self,
        topic: &str,
        ranges: impl Iterator<Item = Range>,
        take: impl Fn(&BorrowedMessage<'_>) -> Option<T>,
    ) -> Result<Found<T>, RouterError> {
        let what = || format!("read the topic {topic}");
        let mut open = BTreeMap::new();
        let mut places = TopicPartitionList::new();
        for range in ranges.filter(|range| range.most > 0 && range.from < range.to) {
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
                        range.most -= 1;
                        if let Some(taken) = take(&message) {
                            found.entry(partition).or_insert_with(Vec::new).push((offset, taken));
                        }
                    }
                    if offset + 1 >= range.to || range.most == 0 {
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
                let words = format!("{topic} could not be read within {} s", self.patience.as_secs());
                return Err(RouterError::Refused(words));
            }
        }
        Ok(found)
    }
}
