//! Producing on the wire: batches go into the logs as they came; producers get identities; transactions are refused.

use std::sync::atomic::Ordering;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse, ProducerId,
};

use super::batch;
use super::state::State;

/// Stores the batches; `None` when the client wants no answer.
pub fn produce(state: &State, request: &ProduceRequest, version: i16) -> Option<ProduceResponse> {
    let refusal = match request.acks {
        _ if request.transactional_id.is_some() => Some(ResponseError::TransactionalIdAuthorizationFailed),
        -1..=1 => None,
        _ => Some(ResponseError::InvalidRequiredAcks),
    };
    let topics = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|data| {
            let outcome = refusal.map_or_else(|| store(state, &topic.name, data), Err);
            partition_response(data.index, outcome, version)
        });
        TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(partitions.collect())
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    (request.acks != 0).then_some(response)
}

/// Base offset and log start of a stored batch.
fn store(state: &State, topic: &str, data: &PartitionProduceData) -> Result<(i64, i64), ResponseError> {
    let records = data.records.as_ref().ok_or(ResponseError::InvalidRecord)?;
    let header = batch::check(records)?;
    let partition = state.topics.partition(topic, data.index)?;
    let mut log = partition.log();
    let base_offset = log.produce(records, &header)?;
    Ok((base_offset, log.start()))
}

fn partition_response(
    index: i32,
    outcome: Result<(i64, i64), ResponseError>,
    version: i16,
) -> PartitionProduceResponse {
    let answer = PartitionProduceResponse::default().with_index(index).with_log_append_time_ms(-1);
    let (error_code, base_offset, log_start) = match outcome {
        Ok((base_offset, log_start)) => (0, base_offset, log_start),
        Err(error) => (error.code(), -1, -1),
    };
    let answer = answer.with_error_code(error_code).with_base_offset(base_offset);
    if version >= 5 { answer.with_log_start_offset(log_start) } else { answer }
}

/// A new identity for an idempotent producer.
pub fn init_producer_id(state: &State, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return InitProducerIdResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
    }
    let identity = state.next_producer_id.fetch_add(1, Ordering::Relaxed);
    InitProducerIdResponse::default().with_producer_id(ProducerId(identity)).with_producer_epoch(0)
}
