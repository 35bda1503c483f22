//! Follows the control topic on a thread of its own, so that a worker in mid-copy learns of a flip at once.
//!
//! Of all records the one with the highest number holds; one that cannot be read changes nothing and is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::Message;

use super::client::{self, RouterError};
use super::course;
use crate::model::route::record::{Control, Signed};
use crate::source::kafka::ClientProperties;

/// Before a client that failed is made anew.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks at whether to stop.
const BEAT: Duration = Duration::from_millis(300);

/// The last word of the controller, as far as it was heard.
#[derive(Debug, Default)]
pub struct Latest {
    heard_all: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    control: Option<Arc<Control>>,
    trouble: Option<String>,
}

impl Latest {
    /// The record; `None` before there is one, or before the topic was read to its end once.
    pub fn control(&self) -> Option<Arc<Control>> {
        if !self.heard_all.load(Ordering::Acquire) {
            return None;
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).control.clone()
    }

    /// What is wrong with the control topic.
    pub fn trouble(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    pub(super) fn hear(&self, offset: i64, bytes: &[u8], route: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match Control::read(bytes, route) {
            Ok(control) => {
                if course::later(known.control.as_ref().map(|control| control.epoch), control.epoch) {
                    known.control = Some(Arc::new(control));
                }
            }
            Err(error) => known.trouble = Some(format!("control record at offset {offset} is passed over: {error}")),
        }
    }

    fn complain(&self, words: String) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).trouble = Some(words);
    }
}

/// Follows until told to stop.
pub(super) fn follow(properties: &ClientProperties, (topic, route): (&str, &str), latest: &Latest, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        if let Err(error) = listen(properties, (topic, route), latest, stop) {
            latest.complain(error.to_string());
            std::thread::park_timeout(AGAIN);
        }
    }
}

fn listen(
    properties: &ClientProperties,
    (topic, route): (&str, &str),
    latest: &Latest,
    stop: &AtomicBool,
) -> Result<(), RouterError> {
    let consumer = client::follow_from_start(properties, topic, "500")?;
    while !stop.load(Ordering::Relaxed) {
        match consumer.poll(BEAT) {
            Some(Ok(message)) => latest.hear(message.offset(), message.payload().unwrap_or_default(), route),
            Some(Err(KafkaError::PartitionEOF(_))) => latest.heard_all.store(true, Ordering::Release),
            Some(Err(error)) if client::is_passing(&error) => tracing::debug!(%error, "control topic"),
            Some(Err(error)) => return Err(RouterError::kafka(format!("read the topic {topic}"))(error)),
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u64, lane: &str) -> String {
        format!(
            r#"{{"version":1,"route":"r","epoch":{epoch},"lane":"{lane}","previous":null,"cause":"planned","who":"a",
                "why":"b","since_ms":1,"decided_ms":2,"hold":null,"lane_ends":[]}}"#
        )
    }

    #[test]
    fn the_highest_number_holds_and_damage_changes_nothing() {
        let latest = Latest::default();
        latest.hear(0, record(3, "green").as_bytes(), "r");
        latest.hear(1, record(2, "blue").as_bytes(), "r");
        latest.hear(2, b"\xff\xfe", "r");
        latest.hear(3, record(9, "blue").replace("\"r\"", "\"s\"").as_bytes(), "r");
        assert_eq!(latest.control(), None, "not before the end was reached");
        latest.heard_all.store(true, Ordering::Release);
        assert_eq!(latest.control().map(|it| (it.epoch, it.lane.clone())), Some((3, "green".to_owned())));
        assert!(latest.trouble().unwrap().contains("belongs to the route \"s\""), "{:?}", latest.trouble());
    }
}
