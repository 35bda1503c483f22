//! Clients for the router's threads, which block: consumers that tell of rebalances, and topics read to their end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use crate::source::kafka::ClientProperties;

/// Longest wait for a topic's end.
const READING: Duration = Duration::from_secs(30);
/// Offsets that are not known for so long may be in a transaction that was forgotten.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(5);
/// Records that are kept of a topic: the last ones.
const KEPT: usize = 20_000;

/// Why the router cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The brokers or the client refuse.
    #[error("cannot {what}: {error}")]
    Kafka {
        /// What was tried.
        what: String,
        /// Why not.
        error: KafkaError,
    },
    /// Something is not as the spec says.
    #[error("{0}")]
    Refused(String),
    /// Another process has taken over.
    #[error("{0}")]
    Replaced(String),
    /// A call into the client never came back.
    #[error("{0}")]
    Stuck(String),
}

impl RouterError {
    /// Whether the brokers know who asks, and do not let them.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        let Self::Kafka { error, .. } = self else { return false };
        matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::SaslAuthenticationFailed
            )
        )
    }

    pub(super) fn kafka(what: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let what = what.into();
        |error| Self::Kafka { what, error }
    }
}

/// Properties with ours on top: what correctness rests on is not the user's to change.
pub(super) fn config(properties: &ClientProperties, ours: &[(&str, &str)]) -> ClientConfig {
    let mut config = properties.client_config();
    for (name, value) in ours {
        config.set(*name, *value);
    }
    config
}

/// What the group did to a member.
#[derive(Debug)]
pub(super) enum Turn {
    /// It has these partitions, and has to say where it begins.
    Assigned(TopicPartitionList),
    /// It has none any more.
    Revoked,
}

/// Notes what the group does; the thread that polls looks after each poll.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    turned: AtomicBool,
    turns: Mutex<VecDeque<Turn>>,
}

impl Watcher {
    /// Whether the group did something that was not looked at yet.
    pub(super) fn has_turned(&self) -> bool {
        self.turned.load(Ordering::Acquire)
    }

    /// What it did since the last look.
    pub(super) fn turns(&self) -> VecDeque<Turn> {
        self.turned.store(false, Ordering::Release);
        std::mem::take(&mut *self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, turn: Turn) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).push_back(turn);
        self.turned.store(true, Ordering::Release);
    }
}

impl ClientContext for Watcher {}

impl ConsumerContext for Watcher {
    /// Partitions are let go at once, so that closing never waits; they are taken only when it is known where they begin.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.note(Turn::Assigned(partitions.clone()));
            return;
        }
        self.note(Turn::Revoked);
        let let_go = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
            _ => consumer.unassign(),
        };
        if let Err(error) = let_go {
            tracing::warn!(%error, "partitions were not let go");
        }
    }
}

/// Has the brokers end this producer's last transaction once more.
///
/// A group coordinator (of Kafka 4.3) that lost and got back its partition while it was loading it can take a transaction for
/// open although its end is in the log, and then never tells the offsets in it. It tells transactions apart by their
/// producer alone, so that another one, given up at once, ends both.
pub(super) fn end_forgotten<C: ConsumerContext>(
    producer: &ThreadedProducer<DefaultProducerContext>,
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
) -> KafkaResult<()> {
    let Some(group) = consumer.group_metadata() else { return Ok(()) };
    tracing::warn!("offsets are not known; the last transaction is ended once more");
    let mut offsets = partitions.clone();
    offsets.set_all_offsets(Offset::Offset(0))?;
    producer.begin_transaction()?;
    let sent = producer.send_offsets_to_transaction(&offsets, &group, FORGOTTEN);
    producer.abort_transaction(READING)?;
    sent
}

/// Whether an error is the end of this client, because another has its name.
pub(super) fn replaced(consumer: &BaseConsumer<Watcher>) -> bool {
    consumer.client().fatal_error().is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
}

/// A record of one of the router's own topics.
pub(super) struct Note {
    pub(super) offset: i64,
    pub(super) value: Vec<u8>,
}

/// Reads the one partition of a topic up to its end, or the last records of it.
pub(super) fn read_all(properties: &ClientProperties, topic: &str) -> Result<VecDeque<Note>, RouterError> {
    let consumer = follow_from_start(properties, topic, "100")?;
    let deadline = Instant::now() + READING;
    let mut notes = VecDeque::new();
    loop {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                if notes.len() == KEPT {
                    notes.pop_front();
                }
                let value = message.payload().unwrap_or_default().to_vec();
                notes.push_back(Note { offset: message.offset(), value });
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(notes),
            Some(Err(error)) if is_passing(&error) => tracing::debug!(%error, topic, "reading goes on"),
            Some(Err(error)) => return Err(RouterError::kafka(format!("read the topic {topic}"))(error)),
            None => {}
        }
        if Instant::now() > deadline {
            return Err(RouterError::Refused(format!(
                "the end of the topic {topic} was not reached within {} s",
                READING.as_secs()
            )));
        }
    }
}

/// A reader of the one partition of a topic, from its beginning; it tells when it is at the end, within `wait_ms`.
pub(super) fn follow_from_start(
    properties: &ClientProperties,
    topic: &str,
    wait_ms: &str,
) -> Result<BaseConsumer, RouterError> {
    let ours = [
        ("group.id", "flowdeck-router"),
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", wait_ms),
        ("queued.max.messages.kbytes", "4096"),
    ];
    let what = || format!("read the topic {topic}");
    let consumer: BaseConsumer = config(properties, &ours).create().map_err(RouterError::kafka(what()))?;
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, 0, Offset::Beginning).map_err(RouterError::kafka(what()))?;
    consumer.assign(&place).map_err(RouterError::kafka(what()))?;
    Ok(consumer)
}

/// Whether the client gets over an error by itself.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::Resolve
        )
    )
}
