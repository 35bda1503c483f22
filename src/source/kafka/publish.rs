//! Writes rows to a topic: keyed, and for sure.
//!
//! A row is an upsert: whoever reads keeps the last one of a key, so that a row which is written again after a restart
//! changes nothing. Nothing counts as written before the brokers have confirmed it.
//!
//! librdkafka's calls block, so this is for a thread of its own, never for an async one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::properties::ClientProperties;

/// Longest wait for a receipt, which makes room in the client's queue.
const FULL: Duration = Duration::from_millis(100);
/// Between two looks whether the program is to end.
const SLICE: Duration = Duration::from_millis(250);
/// Longest wait for the brokers' word on what was sent: the client gives rows up before.
const PATIENCE: Duration = Duration::from_secs(330);
/// The same when somebody waits for the end of the program.
const HURRY: Duration = Duration::from_secs(5);

/// Why rows could not be written.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The client cannot be made or refuses a row.
    #[error("cannot write to the topic {topic}: {error}")]
    Client {
        /// The topic.
        topic: Arc<str>,
        /// Why.
        error: KafkaError,
    },
    /// Rows were given up.
    #[error("{rows} rows could not be written to the topic {topic}: see the brokers and the topic's ACLs")]
    Undelivered {
        /// The topic.
        topic: Arc<str>,
        /// How many.
        rows: u64,
    },
}

/// Counts what brokers did not take.
#[derive(Debug, Default)]
struct Receipts {
    failed: AtomicU64,
}

impl ClientContext for Receipts {}

impl ProducerContext for Receipts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, row)) = result {
            tracing::warn!(%error, topic = row.topic(), "a row was not written");
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes to one topic.
pub struct Publisher {
    topic: Arc<str>,
    /// Cancelled when the program is to end.
    stop: CancellationToken,
    producer: BaseProducer<Receipts>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Publisher").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Publisher {
    /// A writer to a topic. Once `stop` is cancelled, brokers that do not answer are not waited for long.
    ///
    /// # Errors
    ///
    /// When the properties make no client.
    pub fn new(properties: &ClientProperties, topic: &str, stop: CancellationToken) -> Result<Self, PublishError> {
        let topic: Arc<str> = topic.into();
        let mut config = properties.client_config();
        for (name, value) in [("enable.idempotence", "true"), ("linger.ms", "20"), ("compression.type", "lz4")] {
            if properties.get(name).is_none() {
                config.set(name, value);
            }
        }
        let producer = config
            .create_with_context(Receipts::default())
            .map_err(|error| PublishError::Client { topic: topic.clone(), error })?;
        Ok(Self { topic, stop, producer })
    }

    /// Whether brokers were waited for long enough.
    fn is_over(&self, begun: Instant) -> bool {
        begun.elapsed() >= if self.stop.is_cancelled() { HURRY } else { PATIENCE }
    }

    /// Hands a row over; waits while too many are under way.
    ///
    /// # Errors
    ///
    /// When the client refuses the row, or there is no room for it for too long.
    pub fn send(&self, key: &str, value: &str) -> Result<(), PublishError> {
        let begun = Instant::now();
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if !self.is_over(begun) => {
                    record = back;
                    self.producer.poll(FULL);
                }
                Err((error, _)) => return Err(PublishError::Client { topic: self.topic.clone(), error }),
            }
        }
    }

    /// Waits until the brokers have confirmed all rows.
    ///
    /// # Errors
    ///
    /// When they have not taken some.
    pub fn confirm(&self) -> Result<(), PublishError> {
        let begun = Instant::now();
        let flushed = loop {
            match self.producer.flush(SLICE) {
                Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) if !self.is_over(begun) => {}
                flushed => break flushed,
            }
        };
        let topic = self.topic.clone();
        match self.producer.context().failed.swap(0, Ordering::Relaxed) {
            0 => flushed.map_err(|error| PublishError::Client { topic, error }),
            rows => Err(PublishError::Undelivered { topic, rows }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::settings::KafkaSettings;
    use crate::source::kafka::client_properties;

    #[test]
    fn brokers_that_do_not_answer_hold_nobody_up_who_wants_to_end() {
        // It takes connections and is silent.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bootstrap = Some(listener.local_addr().unwrap().to_string());
        let properties = client_properties(&KafkaSettings { bootstrap, ..KafkaSettings::default() }).unwrap();
        let stop = CancellationToken::new();
        let publisher = Publisher::new(&properties, "rows", stop.clone()).unwrap();
        publisher.send("key", "value").unwrap();
        let begun = Instant::now();
        let stopping = std::thread::spawn(move || stop.cancel());
        let error = publisher.confirm().unwrap_err();
        stopping.join().unwrap();
        assert!(begun.elapsed() < HURRY * 6, "{:?}", begun.elapsed());
        assert!(matches!(error, PublishError::Client { .. }), "{error}");
    }
}
