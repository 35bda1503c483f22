//! Offsets of logs on the wire: by time and at the ends, by leader epoch, and moving the start.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use super::batch::LEADER_EPOCH;
use super::state::{State, code};

/// The offset after the last record.
const LATEST: i64 = -1;

/// The first readable offset.
const EARLIEST: i64 = -2;

/// The record with the highest timestamp.
const NEWEST: i64 = -3;

/// Offsets by time or at the ends; -1 when no record is that late.
pub fn list(state: &State, request: &ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let answer = ListOffsetsPartitionResponse::default().with_partition_index(partition.partition_index);
            let answer = match find(state, &topic.name, partition) {
                Err(error) => answer.with_error_code(error.code()).with_offset(-1).with_timestamp(-1),
                Ok((offset, timestamp)) => answer.with_offset(offset).with_timestamp(timestamp),
            };
            answer.with_leader_epoch(if version >= 4 { LEADER_EPOCH } else { -1 })
        });
        ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn find(state: &State, topic: &str, asked: &ListOffsetsPartition) -> Result<(i64, i64), ResponseError> {
    let partition = state.topics.partition(topic, asked.partition_index)?;
    let log = partition.log();
    match asked.timestamp {
        LATEST => Ok((log.end(), -1)),
        EARLIEST => Ok((log.start(), -1)),
        NEWEST => Ok(log.newest().unwrap_or((-1, -1))),
        time if time >= 0 => Ok(log.at_time(time).unwrap_or((-1, -1))),
        _ => Err(ResponseError::InvalidRequest),
    }
}

/// Where the one and only epoch ends.
pub fn for_leader_epoch(state: &State, request: &OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let answer = EpochEndOffset::default().with_partition(asked.partition);
            match state.topics.partition(&topic.topic, asked.partition) {
                Err(error) => answer.with_error_code(error.code()).with_leader_epoch(-1).with_end_offset(-1),
                Ok(partition) if asked.leader_epoch == LEADER_EPOCH => {
                    answer.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.log().end())
                }
                Ok(_) => answer.with_leader_epoch(-1).with_end_offset(-1),
            }
        });
        OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(partitions.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

/// Moves the start of logs forward.
pub fn delete_records(state: &State, request: &DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let outcome = state
                .topics
                .partition(&topic.name, asked.partition_index)
                .and_then(|partition| partition.log().truncate(asked.offset));
            DeleteRecordsPartitionResult::default()
                .with_partition_index(asked.partition_index)
                .with_low_watermark(outcome.unwrap_or(-1))
                .with_error_code(code(outcome.map(drop)))
        });
        DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}
