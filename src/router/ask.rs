//! What operators do: ask the controller for something, and read what it says.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{self, RouterError, config, is_passing};
use super::spec::Spec;
use crate::model::Time;
use crate::model::route::record::{Answer, Receipt, Request, Signed, Status, VERSION, Verb};
use crate::source::kafka::ClientProperties;

/// Between two looks at the status.
const BEAT: Duration = Duration::from_millis(200);
/// Longest wait for one answer of the brokers.
const LIMIT: Duration = Duration::from_secs(15);
/// Statuses that are looked at from the end: each transaction also takes an offset for its own end.
const STATUSES: i64 = 8;

/// A request, by who and why, at a time.
#[must_use]
pub fn request(spec: &Spec, verb: Verb, (who, why): (&str, &str), now: Time) -> Request {
    Request {
        version: VERSION,
        route: spec.name.clone(),
        id: format!("{}-{}", now.timestamp_micros(), std::process::id()),
        verb,
        who: who.to_owned(),
        why: why.to_owned(),
        at_ms: now.timestamp_millis(),
    }
}

/// Hands a request to whoever leads, and waits for the answer.
///
/// # Errors
///
/// When the brokers do not take it, or no answer comes within `patience`.
pub fn ask(
    properties: &ClientProperties,
    spec: &Spec,
    request: &Request,
    patience: Duration,
) -> Result<Answer, RouterError> {
    send(properties, spec, request)?;
    answer(properties, spec, &request.id, patience)
}

/// Hands a request to whoever leads.
///
/// # Errors
///
/// When the brokers do not take it.
fn send(properties: &ClientProperties, spec: &Spec, request: &Request) -> Result<(), RouterError> {
    let ours = [("enable.idempotence", "true"), ("linger.ms", "0"), ("message.timeout.ms", "15000")];
    let producer: ThreadedProducer<DefaultProducerContext> =
        config(properties, &ours).create().map_err(RouterError::kafka("make a producer"))?;
    let topic = spec.control.requests();
    let text = serde_json::to_string(request).map_err(|error| RouterError::Refused(error.to_string()))?;
    let what = || RouterError::kafka(format!("write to the topic {topic}"));
    producer
        .send(BaseRecord::to(&topic).partition(0).key(&request.id).payload(&text))
        .map_err(|(error, _)| what()(error))?;
    producer.flush(LIMIT).map_err(what())
}

/// Waits for the controller's answer to a request.
///
/// # Errors
///
/// When none comes within `patience`.
fn answer(properties: &ClientProperties, spec: &Spec, id: &str, patience: Duration) -> Result<Answer, RouterError> {
    let deadline = Instant::now() + patience;
    loop {
        let found = status(properties, spec)?.and_then(|status| status.answers.into_iter().find(|it| it.id == id));
        if let Some(answer) = found {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(RouterError::Refused(format!(
                "no controller has answered within {} s: is one running? It may still answer",
                patience.as_secs()
            )));
        }
        std::thread::park_timeout(BEAT);
    }
}

/// The last status; `None` before there is one.
///
/// # Errors
///
/// When the topic cannot be read, or holds nothing that can be.
pub fn status(properties: &ClientProperties, spec: &Spec) -> Result<Option<Status>, RouterError> {
    let notes = tail(properties, &spec.control.status())?;
    let last = notes.back().map(|bytes| Status::read(bytes, &spec.name)).transpose();
    last.map_err(|error| RouterError::Refused(format!("the last status in {}: {error}", spec.control.status())))
}

/// What became of each flip, the oldest first; and how many of them cannot be read.
///
/// # Errors
///
/// When the topic cannot be read.
pub fn receipts(properties: &ClientProperties, spec: &Spec) -> Result<(Vec<Receipt>, usize), RouterError> {
    let notes = client::read_all(properties, &spec.control.receipts())?;
    let count = notes.len();
    let read: Vec<Receipt> = notes.iter().filter_map(|note| Receipt::read(&note.value, &spec.name).ok()).collect();
    let unreadable = count - read.len();
    Ok((read, unreadable))
}

/// The last records of a topic with one partition.
fn tail(properties: &ClientProperties, topic: &str) -> Result<VecDeque<Vec<u8>>, RouterError> {
    let what = || RouterError::kafka(format!("read the topic {topic}"));
    let ours = [
        ("group.id", "flowdeck-router"),
        ("enable.auto.commit", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "50"),
    ];
    let consumer: BaseConsumer = config(properties, &ours).create().map_err(what())?;
    let (low, high) = consumer.fetch_watermarks(topic, 0, LIMIT).map_err(what())?;
    let mut place = TopicPartitionList::new();
    let from = Offset::Offset((high - STATUSES).max(low));
    place.add_partition_offset(topic, 0, from).map_err(what())?;
    consumer.assign(&place).map_err(what())?;
    let deadline = Instant::now() + LIMIT;
    let mut found = VecDeque::new();
    loop {
        match consumer.poll(BEAT) {
            Some(Ok(message)) => found.push_back(message.payload().unwrap_or_default().to_vec()),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(found),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(what()(error)),
            None => {}
        }
        if Instant::now() > deadline {
            return Err(RouterError::Refused(format!("the end of {topic} was not reached in time")));
        }
    }
}
