//! What only the brokers know of a route: that its topics exist, and fit each other.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use super::client::{RouterError, config};
use super::spec::Spec;
use crate::source::kafka::ClientProperties;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Statuses of so long are kept at most, about: an hour.
const STATUS_SEGMENT_MS: &str = "3600000";

/// Asks for the number of partitions of a topic; `None` when there is no such topic.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Option<usize>, RouterError> {
    let what = || format!("ask for the topic {topic}");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(RouterError::kafka(what()))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Some(code) => Err(RouterError::Refused(format!("cannot {}: {code}", what()))),
        None => Ok(Some(found.partitions().len())),
    }
}

fn needed(consumer: &BaseConsumer, topic: &str) -> Result<usize, RouterError> {
    partitions(consumer, topic)?
        .ok_or_else(|| RouterError::Refused(format!("there is no topic {topic}: see flowdeck router init --help")))
}

/// Checks that the route's topics exist and fit each other; answers how many partitions each of them has.
///
/// # Errors
///
/// Says which topic is missing, or does not fit and why.
pub fn check(properties: &ClientProperties, spec: &Spec) -> Result<usize, RouterError> {
    let ours = [("allow.auto.create.topics", "false")];
    let consumer: BaseConsumer =
        config(properties, &ours).create().map_err(RouterError::kafka("make a Kafka client"))?;
    let (place, other) = match &spec.destination {
        Some(destination) => ("destination", &destination.topic),
        None => ("source", &spec.source.topic),
    };
    let wanted = needed(&consumer, other)?;
    for lane in &spec.lanes {
        let count = needed(&consumer, &lane.topic)?;
        if count != wanted {
            return Err(RouterError::Refused(format!(
                "the topic {} of the lane {} has {count} partitions and the {place} {other} has {wanted}: a record \
                 keeps its partition, so they must be as many",
                lane.topic, lane.name
            )));
        }
    }
    let control = &spec.control;
    for topic in [control.topic.clone(), control.requests(), control.status(), control.receipts()] {
        let count = needed(&consumer, &topic)?;
        if count != 1 {
            return Err(RouterError::Refused(format!(
                "the topic {topic} has {count} partitions: the controller's topics have one, so that it is clear what came first"
            )));
        }
    }
    Ok(wanted)
}

/// Makes those of the controller's topics that are missing; answers their names.
///
/// # Errors
///
/// When the brokers refuse.
pub async fn make(properties: &ClientProperties, spec: &Spec, replication: i32) -> Result<Vec<String>, RouterError> {
    let client: AdminClient<DefaultClientContext> =
        config(properties, &[]).create().map_err(RouterError::kafka("make a Kafka client"))?;
    let control = &spec.control;
    let topics = [
        (control.topic.clone(), "compact"),
        (control.requests(), "delete"),
        (control.status(), "compact"),
        (control.receipts(), "delete"),
    ];
    let mut made = Vec::new();
    for (name, policy) in &topics {
        let mut topic = NewTopic::new(name, 1, TopicReplication::Fixed(replication)).set("cleanup.policy", policy);
        if *name == control.receipts() {
            topic = topic.set("retention.ms", "-1");
        }
        if *name == control.status() {
            // A status each second, of which the last one counts: only closed segments are compacted.
            topic = topic.set("segment.ms", STATUS_SEGMENT_MS).set("min.cleanable.dirty.ratio", "0.1");
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let results = client.create_topics([&topic], &options).await;
        let results = results.map_err(RouterError::kafka(format!("make the topic {name}")))?;
        match results.into_iter().next() {
            Some(Ok(name)) => made.push(name),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | None => {}
            Some(Err((name, code))) => {
                return Err(RouterError::Refused(format!("cannot make the topic {name}: {code}")));
            }
        }
    }
    Ok(made)
}
