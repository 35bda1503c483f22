//! What a screen follows of a route: its last status and its receipts, as they are written.
//!
//! It must not keep more than a screen shows: the brokers have the rest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{RouterError, config, is_passing};
use super::spec::Spec;
use super::topics;
use crate::model::route::record::{Receipt, Signed, Status};
use crate::source::kafka::ClientProperties;

/// Between two looks at whether to stop.
const BEAT: Duration = Duration::from_millis(200);
/// Receipts that are kept: the last ones.
const RECEIPTS: usize = 200;
/// Where reading begins before the end: the end of a transaction takes an offset too.
const TAILS: (i64, i64) = (8, 2 * 200);
/// Brokers that say nothing for so long, and cannot be reached, are away.
const AWAY: Duration = Duration::from_secs(3);

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The last status that could be read.
    pub status: Option<Status>,
    /// What became of the last flips, the oldest first.
    pub receipts: VecDeque<Receipt>,
}

/// Follows until told to stop; tells what was seen whenever that changed.
///
/// # Errors
///
/// When the route's topics do not fit or cannot be read.
pub fn watch(
    properties: &ClientProperties,
    spec: &Spec,
    stop: &AtomicBool,
    mut tell: impl FnMut(&Seen),
) -> Result<(), RouterError> {
    topics::check(properties, spec)?;
    let consumer = consumer(properties, spec)?;
    let (mut seen, mut changed, mut heard) = (Seen::default(), false, Instant::now());
    // Even of a route that has nothing to tell it is known that it can be read.
    tell(&seen);
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(BEAT) {
            Some(Ok(message)) => {
                heard = Instant::now();
                changed |= seen.take(message.topic(), message.payload().unwrap_or_default(), spec);
            }
            Some(Err(error)) if is_passing(&error) => {
                if heard.elapsed() > AWAY {
                    return Err(RouterError::kafka("reach the brokers")(error));
                }
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => {
                if std::mem::take(&mut changed) {
                    tell(&seen);
                }
            }
            Some(Err(error)) => return Err(RouterError::kafka("read the route's topics")(error)),
        }
    }
    Ok(())
}

impl Seen {
    fn take(&mut self, topic: &str, bytes: &[u8], spec: &Spec) -> bool {
        if topic == spec.control.status() {
            let Ok(status) = Status::read(bytes, &spec.name) else { return false };
            self.status = Some(status);
            return true;
        }
        let Ok(receipt) = Receipt::read(bytes, &spec.name) else { return false };
        if self.receipts.len() == RECEIPTS {
            self.receipts.pop_front();
        }
        self.receipts.push_back(receipt);
        true
    }
}

fn consumer(properties: &ClientProperties, spec: &Spec) -> Result<BaseConsumer, RouterError> {
    let ours = [
        ("group.id", "flowdeck-router"),
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        ("queued.max.messages.kbytes", "4096"),
    ];
    let what = || RouterError::kafka("read the route's topics");
    let consumer: BaseConsumer = config(properties, &ours).create().map_err(what())?;
    let mut places = TopicPartitionList::new();
    for (topic, tail) in [(spec.control.status(), TAILS.0), (spec.control.receipts(), TAILS.1)] {
        places.add_partition_offset(&topic, 0, Offset::OffsetTail(tail)).map_err(what())?;
    }
    consumer.assign(&places).map_err(what())?;
    Ok(consumer)
}
