//! Committed offsets on the wire: a group's own commits, and anybody's look at them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::group::Caller;
use super::groups::{Committed, Groups, Offsets, owned};
use super::state::{State, code};

/// Stores the offsets of a member, or of a consumer that manages its partitions itself.
pub fn commit(state: &State, request: &OffsetCommitRequest) -> OffsetCommitResponse {
    let caller = Caller {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_ref(),
        generation: request.generation_id_or_member_epoch,
    };
    let mut groups = state.groups();
    let allowed = groups.may_commit(&request.group_id, caller, Instant::now());
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let metadata = partition.committed_metadata.as_ref().map(owned).unwrap_or_default();
            let committed = Committed { offset: partition.committed_offset, metadata };
            let number = partition.partition_index;
            let outcome = allowed
                .and_then(|()| state.topics.partition(&topic.name, number).map(drop))
                .and_then(|()| groups.commit(&request.group_id, &topic.name, number, committed));
            OffsetCommitResponsePartition::default().with_partition_index(number).with_error_code(code(outcome))
        });
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    let topics = topics.collect();
    drop(groups);
    OffsetCommitResponse::default().with_topics(topics)
}

/// Topics and partitions with an open transaction.
type Unstable = BTreeSet<(StrBytes, i32)>;

/// What one partition's commit looks like to who asks.
struct Shown {
    /// 0, or that a transaction on it is open.
    error: i16,
    partition: i32,
    offset: i64,
    metadata: StrBytes,
}

/// The committed offsets of one group, or from version 8 of several.
pub fn fetch(state: &State, request: &OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let unstable = |group: &str| {
        if request.require_stable { state.transactions().unstable(group) } else { BTreeSet::new() }
    };
    if version >= 8 {
        let mut seen = BTreeSet::new();
        let groups = request.groups.iter().filter(|group| seen.insert(&group.group_id));
        let groups = groups.map(|group| fetch_group(state, group, &unstable(&group.group_id)));
        return OffsetFetchResponse::default().with_groups(groups.collect());
    }
    let asked = request.topics.as_ref().map(|topics| {
        topics.iter().map(|topic| (topic.name.0.clone(), topic.partition_indexes.clone())).collect::<Vec<_>>()
    });
    let unstable = unstable(&request.group_id);
    let topics = lookup(&state.groups(), &request.group_id, asked, &unstable).into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|shown| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(shown.partition)
                .with_error_code(shown.error)
                .with_committed_offset(shown.offset)
                .with_metadata(Some(shown.metadata))
        });
        OffsetFetchResponseTopic::default().with_name(TopicName(name)).with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

fn fetch_group(state: &State, group: &OffsetFetchRequestGroup, unstable: &Unstable) -> OffsetFetchResponseGroup {
    let asked = group.topics.as_ref().map(|topics| {
        topics.iter().map(|topic| (topic.name.0.clone(), topic.partition_indexes.clone())).collect::<Vec<_>>()
    });
    let topics = lookup(&state.groups(), &group.group_id, asked, unstable).into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|shown| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(shown.partition)
                .with_error_code(shown.error)
                .with_committed_offset(shown.offset)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(shown.metadata))
        });
        OffsetFetchResponseTopics::default().with_name(TopicName(name)).with_partitions(partitions.collect())
    });
    let error = if group.group_id.is_empty() { ResponseError::InvalidGroupId.code() } else { 0 };
    OffsetFetchResponseGroup::default()
        .with_group_id(group.group_id.clone())
        .with_topics(topics.collect())
        .with_error_code(error)
}

/// The offsets asked for, -1 where there is none; everything committed when nothing is named.
fn lookup(
    groups: &Groups,
    group: &StrBytes,
    asked: Option<Vec<(StrBytes, Vec<i32>)>>,
    unstable: &Unstable,
) -> Vec<(StrBytes, Vec<Shown>)> {
    let nothing = Offsets::new();
    let offsets = groups.offsets(group).unwrap_or(&nothing);
    let shown = |topic: &StrBytes, partition: i32, committed: Option<&Committed>| Shown {
        error: if unstable.contains(&(topic.clone(), partition)) {
            ResponseError::UnstableOffsetCommit.code()
        } else {
            0
        },
        partition,
        offset: committed.map_or(-1, |known| known.offset),
        metadata: committed.map(|known| known.metadata.clone()).unwrap_or_default(),
    };
    let Some(topics) = asked else {
        let all = |topic: &StrBytes, of: &BTreeMap<i32, Committed>| {
            of.iter().map(|(number, known)| shown(topic, *number, Some(known))).collect()
        };
        return offsets.iter().map(|(topic, of)| (topic.clone(), all(topic, of))).collect();
    };
    let found = |(topic, numbers): (StrBytes, Vec<i32>)| {
        let of = offsets.get(&topic);
        let one = |number: i32| shown(&topic, number, of.and_then(|of| of.get(&number)));
        let shown = numbers.into_iter().map(one).collect();
        (topic, shown)
    };
    topics.into_iter().map(found).collect()
}
