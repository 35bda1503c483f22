//! The topics of the broker: names, partitions and their logs.
//!
//! Lookups take a read lock and hand out shared handles; each partition then has its own lock, held for one append or
//! one read of handles and never across an await. Numbers of topics and partitions are bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use kafka_protocol::error::ResponseError;

use super::log::{PARTITION_BYTES, PartitionLog};

/// Topics at most.
const TOPIC_LIMIT: usize = 1_000;

/// Partitions of one topic at most.
const PARTITION_LIMIT: u32 = 1_000;

/// Partitions of an automatically created topic.
const AUTOMATIC_PARTITIONS: u32 = 1;

/// The longest topic name Kafka takes.
const NAME_LIMIT: usize = 249;

/// All topics.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: RwLock<BTreeMap<String, Topic>>,
}

/// Partitions of a topic by number.
type Topic = Vec<Arc<Partition>>;

/// One partition.
#[derive(Debug)]
pub struct Partition {
    log: Mutex<PartitionLog>,
}

impl Partition {
    fn new() -> Arc<Self> {
        Arc::new(Self { log: Mutex::new(PartitionLog::new(PARTITION_BYTES)) })
    }

    /// The partition's log, locked.
    pub fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a wire request wants of an existing name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Do it.
    Carry,
    /// Only say whether it could be done.
    Check,
}

impl Topics {
    /// Makes a topic.
    pub fn create(&self, name: &str, partitions: u32, intent: Intent) -> Result<(), ResponseError> {
        check_name(name)?;
        if partitions == 0 || partitions > PARTITION_LIMIT {
            return Err(ResponseError::InvalidPartitions);
        }
        let mut topics = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if topics.contains_key(name) {
            return Err(ResponseError::TopicAlreadyExists);
        }
        if topics.len() >= TOPIC_LIMIT {
            return Err(ResponseError::PolicyViolation);
        }
        if intent == Intent::Carry {
            topics.insert(name.to_owned(), (0..partitions).map(|_| Partition::new()).collect());
        }
        drop(topics);
        Ok(())
    }

    /// Makes a topic that a client asked about, with the default number of partitions.
    pub fn create_automatically(&self, name: &str) -> Result<(), ResponseError> {
        match self.create(name, AUTOMATIC_PARTITIONS, Intent::Carry) {
            Err(ResponseError::TopicAlreadyExists) => Ok(()),
            outcome => outcome,
        }
    }

    /// Raises a topic's number of partitions to `count`.
    pub fn grow(&self, name: &str, count: u32, intent: Intent) -> Result<(), ResponseError> {
        let mut topics = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let topic = topics.get_mut(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        let wanted = usize::try_from(count).map_err(|_| ResponseError::InvalidPartitions)?;
        if wanted <= topic.len() || count > PARTITION_LIMIT {
            return Err(ResponseError::InvalidPartitions);
        }
        if intent == Intent::Carry {
            topic.resize_with(wanted, Partition::new);
        }
        drop(topics);
        Ok(())
    }

    /// Removes a topic and wakes whoever waits for its records.
    pub fn delete(&self, name: &str) -> Result<(), ResponseError> {
        let removed = self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        for partition in removed.ok_or(ResponseError::UnknownTopicOrPartition)? {
            partition.log().ring();
        }
        Ok(())
    }

    /// A partition by topic and number, as they come on the wire.
    pub fn partition(&self, name: &str, number: i32) -> Result<Arc<Partition>, ResponseError> {
        let number = usize::try_from(number).map_err(|_| ResponseError::UnknownTopicOrPartition)?;
        let topics = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let found = topics.get(name).and_then(|topic| topic.get(number)).cloned();
        drop(topics);
        found.ok_or(ResponseError::UnknownTopicOrPartition)
    }

    /// A topic's number of partitions.
    pub fn partitions(&self, name: &str) -> Option<usize> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).map(Vec::len)
    }

    /// The names of all topics, sorted.
    pub fn names(&self) -> Vec<String> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

fn check_name(name: &str) -> Result<(), ResponseError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let fits = !name.is_empty() && name.len() <= NAME_LIMIT && name != "." && name != "..";
    if fits && name.chars().all(allowed) { Ok(()) } else { Err(ResponseError::InvalidTopicException) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_counts_are_checked() {
        let topics = Topics::default();
        let create = |name: &str, partitions| topics.create(name, partitions, Intent::Carry);
        assert_eq!(create("orders", 3), Ok(()));
        assert_eq!(create("orders", 3), Err(ResponseError::TopicAlreadyExists));
        assert_eq!(create("no spaces", 1), Err(ResponseError::InvalidTopicException));
        assert_eq!(create("..", 1), Err(ResponseError::InvalidTopicException));
        assert_eq!(create("empty", 0), Err(ResponseError::InvalidPartitions));
        assert_eq!(topics.create("checked", 1, Intent::Check), Ok(()));
        assert_eq!(topics.names(), ["orders"]);
    }

    #[test]
    fn topics_grow_and_go() {
        let topics = Topics::default();
        topics.create("orders", 2, Intent::Carry).unwrap();
        assert_eq!(topics.grow("orders", 2, Intent::Carry), Err(ResponseError::InvalidPartitions));
        assert_eq!(topics.grow("orders", 5, Intent::Check), Ok(()));
        assert_eq!(topics.partitions("orders"), Some(2));
        assert_eq!(topics.grow("orders", 5, Intent::Carry), Ok(()));
        assert!(topics.partition("orders", 4).is_ok());
        assert!(topics.partition("orders", 5).is_err());
        assert!(topics.partition("orders", -1).is_err());
        assert_eq!(topics.delete("orders"), Ok(()));
        assert_eq!(topics.delete("orders"), Err(ResponseError::UnknownTopicOrPartition));
    }
}
