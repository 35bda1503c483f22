//! A leader's Kafka clients.

use rdkafka::consumer::BaseConsumer;

use crate::router::client::{RouterError, Watcher, config};
use crate::source::kafka::ClientProperties;

pub(super) fn consumer(properties: &ClientProperties, group: &str) -> Result<BaseConsumer<Watcher>, RouterError> {
    let ours = [
        ("group.id", group),
        ("group.protocol", "classic"),
        // One that comes to stand by must not take the lead from the one that has it.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
        // A broker that has come back may wait so long for members that died with it before anybody leads again.
        ("max.poll.interval.ms", "30000"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "500"),
    ];
    let made = config(properties, &ours).create_with_context(Watcher::default());
    made.map_err(RouterError::kafka("make a Kafka client"))
}

/// Looks at what a group has committed, without being one of it.
pub(super) fn observer(properties: &ClientProperties, group: &str) -> Result<BaseConsumer, RouterError> {
    // Offsets of open transactions are not waited for: they are not yet true.
    let ours = [("group.id", group), ("enable.auto.commit", "false"), ("isolation.level", "read_uncommitted")];
    config(properties, &ours).create().map_err(RouterError::kafka("make a Kafka client"))
}
