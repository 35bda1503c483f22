//! All consumer groups: their members, committed offsets, and the stand-ins for members that are only simulated.
//!
//! One lock for all groups, held for one call. A group that is simulated shows the members it was given and refuses
//! real ones, because the simulated could never answer a rebalance.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::consumer_protocol_assignment::{ConsumerProtocolAssignment, TopicPartition};
use kafka_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::Member;
use super::group::{Caller, Group, JoinCall, JoinOutcome, NotJoined, Phase, Reception, SyncOutcome};

/// Groups at most.
const GROUP_LIMIT: usize = 1_000;

/// Bytes of commit metadata taken, Kafka's own default.
const METADATA_LIMIT: usize = 4_096;

/// Characters of the client's name that go into a member id.
const CLIENT_IN_MEMBER_ID: usize = 64;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Next offset the group will read.
    pub offset: i64,
    /// Whatever the client wrote beside it.
    pub metadata: StrBytes,
}

/// Committed offsets by topic and partition.
pub type Offsets = BTreeMap<StrBytes, BTreeMap<i32, Committed>>;

/// A group as the lists show it.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    pub group: StrBytes,
    pub state: &'static str,
    pub protocol_type: StrBytes,
    pub protocol: StrBytes,
    pub members: Vec<ShownMember>,
}

/// A member as a description shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct ShownMember {
    pub member_id: StrBytes,
    pub instance: Option<StrBytes>,
    pub client_id: StrBytes,
    pub host: StrBytes,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

/// All groups by name.
#[derive(Debug, Default)]
pub struct Groups {
    by_name: BTreeMap<StrBytes, Entry>,
    /// Member ids given so far.
    named: u64,
}

#[derive(Debug, Default)]
struct Entry {
    group: Group,
    simulated: Vec<Member>,
    offsets: Offsets,
}

impl Entry {
    fn check_commit(&mut self, caller: Caller<'_>, now: Instant) -> Result<(), ResponseError> {
        if self.simulated.is_empty() { self.group.may_commit(caller, now) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn is_forgettable(&self) -> bool {
        self.group.is_deserted() && self.simulated.is_empty() && self.offsets.is_empty()
    }
}

impl Groups {
    fn entry(&mut self, name: &StrBytes) -> Result<&mut Entry, ResponseError> {
        if name.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if !self.by_name.contains_key(name) && self.by_name.len() >= GROUP_LIMIT {
            return Err(ResponseError::PolicyViolation);
        }
        Ok(self.by_name.entry(owned(name)).or_default())
    }

    fn known(&mut self, name: &StrBytes) -> Result<&mut Group, ResponseError> {
        self.by_name.get_mut(name).map(|entry| &mut entry.group).ok_or(ResponseError::UnknownMemberId)
    }

    /// A member joins a group, which comes into being for it.
    pub fn join(&mut self, name: &StrBytes, call: JoinCall, now: Instant) -> Reception<JoinOutcome> {
        self.named += 1;
        let client: String = call.client_id.chars().take(CLIENT_IN_MEMBER_ID).collect();
        let new_id = StrBytes::from_string(format!("{client}-{:08x}", self.named));
        let refuse = |error| Reception::Now(Err(NotJoined { error, member_id: StrBytes::new() }));
        match self.entry(name) {
            Err(error) => refuse(error),
            Ok(entry) if !entry.simulated.is_empty() => refuse(ResponseError::InconsistentGroupProtocol),
            Ok(entry) => entry.group.join(call, new_id, now),
        }
    }

    /// A member asks for its assignment.
    pub fn sync(
        &mut self,
        name: &StrBytes,
        caller: Caller<'_>,
        given: Vec<(StrBytes, Bytes)>,
        now: Instant,
    ) -> Reception<SyncOutcome> {
        match self.known(name) {
            Ok(group) => group.sync(caller, given, now),
            Err(error) => Reception::Now(Err(error)),
        }
    }

    /// A member gives a sign of life.
    pub fn heartbeat(&mut self, name: &StrBytes, caller: Caller<'_>, now: Instant) -> Result<(), ResponseError> {
        self.known(name)?.heartbeat(caller, now)
    }

    /// A member goes.
    pub fn leave(
        &mut self,
        name: &StrBytes,
        member_id: &StrBytes,
        instance: Option<&StrBytes>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.known(name)?.leave(member_id, instance, now)
    }

    /// Whether the caller may commit; makes the group of a consumer without membership.
    pub fn may_commit(&mut self, name: &StrBytes, caller: Caller<'_>, now: Instant) -> Result<(), ResponseError> {
        if caller.generation >= 0 && !self.by_name.contains_key(name) {
            return Err(ResponseError::IllegalGeneration);
        }
        self.entry(name)?.check_commit(caller, now)
    }

    /// Stores an offset, whoever asks.
    pub fn commit(
        &mut self,
        name: &StrBytes,
        topic: &StrBytes,
        partition: i32,
        committed: Committed,
    ) -> Result<(), ResponseError> {
        if committed.metadata.len() > METADATA_LIMIT {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        self.entry(name)?.offsets.entry(owned(topic)).or_default().insert(partition, committed);
        Ok(())
    }

    /// The group's committed offsets; `None` for an unknown group.
    pub fn offsets(&self, name: &StrBytes) -> Option<&Offsets> {
        self.by_name.get(name).map(|entry| &entry.offsets)
    }

    /// The offset a group has committed for a partition.
    pub fn committed(&self, name: &StrBytes, topic: &StrBytes, partition: i32) -> Option<i64> {
        Some(self.offsets(name)?.get(topic)?.get(&partition)?.offset)
    }

    /// Forgets the offsets of a topic that is gone.
    pub fn forget_topic(&mut self, topic: &str) {
        for entry in self.by_name.values_mut() {
            entry.offsets.retain(|name, _| &**name != topic);
        }
    }

    /// Shows these members from now on; none makes the group an ordinary empty one.
    pub fn simulate(&mut self, name: &StrBytes, members: Vec<Member>) {
        if let Ok(entry) = self.entry(name) {
            entry.simulated = members;
        }
    }

    /// Removes a group that has no members.
    pub fn delete(&mut self, name: &StrBytes) -> Result<(), ResponseError> {
        let entry = self.by_name.get(name).ok_or(ResponseError::GroupIdNotFound)?;
        if !entry.group.seats().is_empty() || !entry.simulated.is_empty() {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.by_name.remove(name);
        Ok(())
    }

    /// Removes silent members, ends waits that are over and forgets groups with nothing in them.
    pub fn expire(&mut self, now: Instant) {
        for entry in self.by_name.values_mut() {
            entry.group.expire(now);
        }
        self.by_name.retain(|_, entry| !entry.is_forgettable());
    }

    /// The broker is back after a stop.
    pub fn revive(&mut self, now: Instant) {
        for entry in self.by_name.values_mut() {
            entry.group.revive(now);
        }
    }

    /// Every group, without members.
    pub fn list(&self) -> Vec<Summary> {
        self.by_name.iter().map(|(name, entry)| summary(name, entry, Vec::new())).collect()
    }

    /// One group with its members; an unknown one is `Dead`, as in Kafka.
    pub fn describe(&self, name: &StrBytes) -> Summary {
        let Some(entry) = self.by_name.get(name) else {
            return Summary {
                group: name.clone(),
                state: "Dead",
                protocol_type: StrBytes::new(),
                protocol: StrBytes::new(),
                members: Vec::new(),
            };
        };
        summary(name, entry, members(entry))
    }
}

/// A copy that does not keep the request it came in alive.
pub fn owned(text: &StrBytes) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn summary(name: &StrBytes, entry: &Entry, members: Vec<ShownMember>) -> Summary {
    let simulated = !entry.simulated.is_empty();
    let real = |value: &StrBytes, shown| if simulated { StrBytes::from_static_str(shown) } else { value.clone() };
    let state = match entry.group.phase() {
        _ if simulated => "Stable",
        Phase::Empty => "Empty",
        Phase::Gathering { .. } => "PreparingRebalance",
        Phase::Assigning => "CompletingRebalance",
        Phase::Stable => "Stable",
    };
    Summary {
        group: name.clone(),
        state,
        protocol_type: real(entry.group.protocol_type(), "consumer"),
        protocol: real(entry.group.protocol(), "range"),
        members,
    }
}

fn members(entry: &Entry) -> Vec<ShownMember> {
    if !entry.simulated.is_empty() {
        return entry.simulated.iter().enumerate().map(simulated_member).collect();
    }
    let protocol = entry.group.protocol();
    let stable = entry.group.phase() == Phase::Stable;
    let shown = |(id, seat): (&StrBytes, &super::group::Seat)| ShownMember {
        member_id: id.clone(),
        instance: seat.instance.clone(),
        client_id: seat.client_id.clone(),
        host: StrBytes::from_static_str("/127.0.0.1"),
        metadata: if stable { seat.metadata(protocol) } else { Bytes::new() },
        assignment: if stable { seat.assignment.clone() } else { Bytes::new() },
    };
    entry.group.seats().iter().map(shown).collect()
}

fn simulated_member((place, member): (usize, &Member)) -> ShownMember {
    let topic = |name: &String| TopicName(StrBytes::from_string(name.clone()));
    let numbers = |list: &[u32]| list.iter().filter_map(|number| i32::try_from(*number).ok()).collect();
    let topics = member.assignment.iter().map(|(name, _)| StrBytes::from_string(name.clone())).collect();
    let assigned = member
        .assignment
        .iter()
        .map(|(name, list)| TopicPartition::default().with_topic(topic(name)).with_partitions(numbers(list)))
        .collect();
    ShownMember {
        member_id: StrBytes::from_string(format!("{}-{place:08x}", member.client_id)),
        instance: None,
        client_id: StrBytes::from_string(member.client_id.clone()),
        host: StrBytes::from_string(member.host.clone()),
        metadata: versioned(&ConsumerProtocolSubscription::default().with_topics(topics)),
        assignment: versioned(&ConsumerProtocolAssignment::default().with_assigned_partitions(assigned)),
    }
}

/// A consumer protocol structure as version 0: its version first, then its fields.
fn versioned(structure: &impl Encodable) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    match structure.encode(&mut bytes, 0) {
        Ok(()) => bytes.freeze(),
        Err(_) => Bytes::new(),
    }
}
