//! Errors of the client as the end of a session.

use rdkafka::error::KafkaError;

use super::Ended;

/// Of something that a session does.
pub(super) fn step(what: &'static str) -> impl FnOnce(KafkaError) -> Ended {
    move |error| Ended::Trouble(format!("cannot {what}: {error}"))
}
