//! Transactions: what a producer sends is kept aside until its transaction ends, and then appended or forgotten.
//!
//! Kafka appends at once and marks the end of the transaction behind; here nothing of an open transaction is in a log.
//! So no reader sees it, whatever isolation it asks for, no reader waits for it, and nothing that was given up ever takes
//! an offset. What clients rely on is as in Kafka: all or nothing, offsets included; whoever takes a transactional id
//! fences the one before; an open transaction is given up after its timeout; a group's offsets in an open transaction
//! are said to be unstable to those who ask for stable ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, ProducerId, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::batch::Header;
use super::group::Caller;
use super::groups::{Committed, owned};
use super::state::{State, code};

/// Transactional ids at most.
const ID_LIMIT: usize = 256;
/// Bytes that one open transaction may hold.
const BYTES_LIMIT: usize = 16 * 1024 * 1024;
/// The longest that a transaction may be open.
const LONGEST: Duration = Duration::from_mins(15);

/// A producer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub producer: i64,
    /// Which of those that had it.
    pub epoch: i16,
}

/// All transactional producers.
#[derive(Debug, Default)]
pub struct Transactions(HashMap<String, Slot>);

#[derive(Debug)]
struct Slot {
    identity: Identity,
    timeout: Duration,
    open: Option<Open>,
    /// Offsets of a transaction whose end was forgotten.
    forgotten: Vec<Offset>,
}

/// What a transaction holds so far.
#[derive(Debug)]
struct Open {
    since: Instant,
    batches: Vec<(String, i32, Bytes)>,
    bytes: usize,
    groups: BTreeSet<StrBytes>,
    offsets: Vec<Offset>,
}

/// An offset that is committed when the transaction is.
#[derive(Clone, Debug)]
struct Offset {
    group: StrBytes,
    topic: StrBytes,
    partition: i32,
    committed: Committed,
}

impl Transactions {
    /// A producer takes an id; whoever had it before is fenced and its transaction given up.
    fn take(&mut self, id: &str, timeout: Duration, fresh: impl Fn() -> i64) -> Result<Identity, ResponseError> {
        if !self.0.contains_key(id) && self.0.len() >= ID_LIMIT {
            return Err(ResponseError::PolicyViolation);
        }
        let timeout = timeout.min(LONGEST);
        let new =
            || Slot { identity: Identity { producer: fresh(), epoch: -1 }, timeout, open: None, forgotten: Vec::new() };
        let slot = self.0.entry(id.to_owned()).or_insert_with(new);
        (slot.timeout, slot.open) = (timeout, None);
        slot.fence(&fresh);
        Ok(slot.identity)
    }

    fn slot(&mut self, id: &str, identity: Identity) -> Result<&mut Slot, ResponseError> {
        let slot = self.0.get_mut(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        if slot.identity == identity { Ok(slot) } else { Err(ResponseError::ProducerFenced) }
    }

    fn open(&mut self, id: &str, identity: Identity, now: Instant) -> Result<&mut Open, ResponseError> {
        let slot = self.slot(id, identity)?;
        Ok(slot.open.get_or_insert_with(|| Open {
            since: now,
            batches: Vec::new(),
            bytes: 0,
            groups: BTreeSet::new(),
            offsets: Vec::new(),
        }))
    }

    /// Whether a producer may send now.
    pub fn check(&mut self, id: &str, identity: Identity) -> Result<(), ResponseError> {
        let slot = self.slot(id, identity).map_err(|_| ResponseError::InvalidProducerEpoch)?;
        let open = slot.open.as_ref().ok_or(ResponseError::InvalidTxnState)?;
        if open.bytes > BYTES_LIMIT { Err(ResponseError::MessageTooLarge) } else { Ok(()) }
    }

    /// Keeps a batch until the transaction ends.
    pub fn keep(&mut self, id: &str, (topic, partition): (&str, i32), batch: &Bytes) {
        if let Some(open) = self.0.get_mut(id).and_then(|slot| slot.open.as_mut()) {
            open.bytes += batch.len();
            // A copy, which does not keep the request alive.
            open.batches.push((topic.to_owned(), partition, Bytes::copy_from_slice(batch)));
        }
    }

    /// Partitions whose offsets in a group are in open transactions.
    pub fn unstable(&self, group: &str) -> BTreeSet<(StrBytes, i32)> {
        let open = self.0.values().filter_map(|slot| slot.open.as_ref()).flat_map(|open| &open.offsets);
        let offsets = open.chain(self.0.values().flat_map(|slot| &slot.forgotten));
        let offsets = offsets.filter(|offset| *offset.group == *group);
        offsets.map(|offset| (offset.topic.clone(), offset.partition)).collect()
    }

    /// Takes an ended transaction for open, until the producer ends another one.
    pub fn forget_end(&mut self, id: &str, (group, topic, partition): (StrBytes, StrBytes, i32)) {
        let committed = Committed { offset: 0, metadata: StrBytes::new() };
        if let Some(slot) = self.0.get_mut(id) {
            slot.forgotten.push(Offset { group, topic, partition, committed });
        }
    }

    /// Gives up what has been open for too long; its producer is fenced.
    pub fn expire(&mut self, now: Instant, fresh: impl Fn() -> i64) {
        for slot in self.0.values_mut() {
            if slot.open.as_ref().is_some_and(|open| now.saturating_duration_since(open.since) > slot.timeout) {
                slot.open = None;
                slot.fence(&fresh);
            }
        }
    }
}

impl Slot {
    fn fence(&mut self, fresh: &impl Fn() -> i64) {
        self.identity = match self.identity.epoch.checked_add(1) {
            Some(epoch) => Identity { epoch, ..self.identity },
            None => Identity { producer: fresh(), epoch: 0 },
        };
    }
}

impl State {
    /// The number of a new producer.
    pub fn new_producer(&self) -> i64 {
        self.next_producer_id.fetch_add(1, Ordering::Relaxed)
    }
}

/// An identity for an idempotent producer, or for one that takes a transactional id.
pub fn init_producer_id(state: &State, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let taken = match &request.transactional_id {
        None => Ok(Identity { producer: state.new_producer(), epoch: 0 }),
        Some(id) => {
            let timeout = Duration::from_millis(u64::try_from(request.transaction_timeout_ms).unwrap_or(0));
            state.transactions().take(id, timeout, || state.new_producer())
        }
    };
    let (identity, error) = match taken {
        Ok(identity) => (identity, 0),
        Err(error) => (Identity { producer: -1, epoch: -1 }, error.code()),
    };
    InitProducerIdResponse::default()
        .with_error_code(error)
        .with_producer_id(ProducerId(identity.producer))
        .with_producer_epoch(identity.epoch)
}

/// Begins a transaction, if none is open, with these partitions.
pub fn add_partitions(state: &State, request: &AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
    let identity = Identity { producer: *request.v3_and_below_producer_id, epoch: request.v3_and_below_producer_epoch };
    let opened = state.transactions().open(&request.v3_and_below_transactional_id, identity, Instant::now()).map(drop);
    let topics = request.v3_and_below_topics.iter().map(|topic| {
        let results = topic.partitions.iter().map(|number| {
            let outcome = opened.and_then(|()| state.topics.partition(&topic.name, *number).map(drop));
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*number)
                .with_partition_error_code(code(outcome))
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(results.collect())
    });
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics.collect())
}

/// The transaction will hold offsets of this group.
pub fn add_offsets(state: &State, request: &AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let identity = Identity { producer: *request.producer_id, epoch: request.producer_epoch };
    let mut transactions = state.transactions();
    let opened = transactions.open(&request.transactional_id, identity, Instant::now()).map(|open| {
        open.groups.insert(owned(&request.group_id));
    });
    AddOffsetsToTxnResponse::default().with_error_code(code(opened))
}

/// Keeps offsets of a member until the transaction ends.
pub fn commit_offsets(state: &State, request: &TxnOffsetCommitRequest, version: i16) -> TxnOffsetCommitResponse {
    let identity = Identity { producer: *request.producer_id, epoch: request.producer_epoch };
    let (now, mut transactions) = (Instant::now(), state.transactions());
    // Members are named from version 3 on.
    let may = || {
        let instance = request.group_instance_id.as_ref();
        let caller = Caller { member_id: &request.member_id, instance, generation: request.generation_id };
        if version < 3 { Ok(()) } else { state.groups().may_commit(&request.group_id, caller, now) }
    };
    let group = owned(&request.group_id);
    let mut allowed = transactions.slot(&request.transactional_id, identity).and_then(|slot| {
        let open = slot.open.as_mut().filter(|open| open.groups.contains(&group));
        open.ok_or(ResponseError::InvalidTxnState)
    });
    if let Err(error) = allowed.is_ok().then(may).unwrap_or(Ok(())) {
        allowed = Err(error);
    }
    let mut topics = Vec::new();
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for asked in &topic.partitions {
            let outcome = match &mut allowed {
                Err(error) => Err(*error),
                Ok(open) => state.topics.partition(&topic.name, asked.partition_index).map(|_| {
                    let metadata = asked.committed_metadata.as_ref().map(owned).unwrap_or_default();
                    let committed = Committed { offset: asked.committed_offset, metadata };
                    let (topic, partition) = (owned(&topic.name), asked.partition_index);
                    open.offsets.push(Offset { group: group.clone(), topic, partition, committed });
                }),
            };
            partitions.push(
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(outcome)),
            );
        }
        topics.push(TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions));
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}

/// Appends all that the transaction holds, or forgets it. One that is not open has ended before.
pub fn end(state: &State, request: &EndTxnRequest) -> EndTxnResponse {
    let identity = Identity { producer: *request.producer_id, epoch: request.producer_epoch };
    let mut transactions = state.transactions();
    let outcome = transactions.slot(&request.transactional_id, identity).map(|slot| {
        if slot.open.is_some() {
            slot.forgotten.clear();
        }
        slot.open.take()
    });
    let error = match outcome {
        Err(error) => error.code(),
        Ok(open) => {
            if let Some(open) = open.filter(|_| request.committed) {
                apply(state, open);
            }
            0
        }
    };
    drop(transactions);
    EndTxnResponse::default().with_error_code(error)
}

fn apply(state: &State, open: Open) {
    // Offsets first, under the lock of all groups: who asks for them waits until the records are there.
    let mut groups = state.groups();
    for (topic, partition, batch) in open.batches {
        // A topic that was deleted meanwhile takes its records with it.
        if let Ok(partition) = state.topics.partition(&topic, partition) {
            partition.log().put(&batch);
        }
    }
    for Offset { group, topic, partition, committed } in open.offsets {
        if let Err(error) = groups.commit(&group, &topic, partition, committed) {
            tracing::debug!(%group, %topic, %error, "an offset of a transaction is left out");
        }
    }
}

/// A batch's producer.
#[must_use]
pub const fn identity(header: &Header) -> Identity {
    Identity { producer: header.producer_id, epoch: header.producer_epoch }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn whoever_takes_an_id_fences_the_one_before() {
        let mut transactions = Transactions::default();
        let now = Instant::now();
        let first = transactions.take("a", TIMEOUT, || 7).unwrap();
        assert_eq!(first, Identity { producer: 7, epoch: 0 });
        assert_eq!(transactions.check("a", first), Err(ResponseError::InvalidTxnState), "none is open");
        transactions.open("a", first, now).unwrap();
        assert_eq!(transactions.check("a", first), Ok(()));
        transactions.keep("a", ("t", 0), &Bytes::from_static(b"batch"));
        let second = transactions.take("a", TIMEOUT, || 8).unwrap();
        assert_eq!(second, Identity { producer: 7, epoch: 1 });
        assert_eq!(transactions.check("a", first), Err(ResponseError::InvalidProducerEpoch));
        assert!(matches!(transactions.open("a", first, now), Err(ResponseError::ProducerFenced)));
        assert!(transactions.open("a", second, now).unwrap().batches.is_empty(), "what was open is given up");
    }

    #[test]
    fn what_is_open_for_too_long_is_given_up() {
        let mut transactions = Transactions::default();
        let now = Instant::now();
        let identity = transactions.take("a", TIMEOUT, || 7).unwrap();
        transactions.open("a", identity, now).unwrap();
        transactions.expire(now + TIMEOUT, || 8);
        assert_eq!(transactions.check("a", identity), Ok(()));
        transactions.expire(now + TIMEOUT * 2, || 8);
        assert_eq!(transactions.check("a", identity), Err(ResponseError::InvalidProducerEpoch));
    }

    #[test]
    fn epochs_that_run_out_get_another_number() {
        let mut transactions = Transactions::default();
        for _ in 0..=i16::MAX {
            transactions.take("a", TIMEOUT, || 7).unwrap();
        }
        assert_eq!(transactions.take("a", TIMEOUT, || 8).unwrap(), Identity { producer: 8, epoch: 0 });
    }
}
