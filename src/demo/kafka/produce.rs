//! Producing on the wire: batches go into the logs as they came, those of a transaction when it ends.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::state::State;
use super::{batch, transactions};

/// Stores the batches; `None` when the client wants no answer.
pub fn produce(state: &State, request: &ProduceRequest, version: i16) -> Option<ProduceResponse> {
    let refusal = match request.acks {
        -1 => None,
        0..=1 if request.transactional_id.is_none() => None,
        _ => Some(ResponseError::InvalidRequiredAcks),
    };
    let topics = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|data| {
            let outcome = refusal.map_or_else(
                || store(state, (request.transactional_id.as_ref().map(|id| &***id), &topic.name), data),
                Err,
            );
            partition_response(data.index, outcome, version)
        });
        TopicProduceResponse::default().with_name(topic.name.clone()).with_partition_responses(partitions.collect())
    });
    let response = ProduceResponse::default().with_responses(topics.collect());
    (request.acks != 0).then_some(response)
}

/// Base offset and log start of a stored batch.
fn store(
    state: &State,
    (transaction, topic): (Option<&str>, &str),
    data: &PartitionProduceData,
) -> Result<(i64, i64), ResponseError> {
    let records = data.records.as_ref().ok_or(ResponseError::InvalidRecord)?;
    let header = batch::check(records)?;
    if header.transactional() != transaction.is_some() {
        return Err(ResponseError::InvalidTxnState);
    }
    let partition = state.topics.partition(topic, data.index)?;
    let Some(id) = transaction else {
        let mut log = partition.log();
        let base_offset = log.produce(records, &header)?;
        return Ok((base_offset, log.start()));
    };
    let mut transactions = state.transactions();
    transactions.check(id, transactions::identity(&header))?;
    let mut log = partition.log();
    let (is_new, base_offset) = log.note(&header)?;
    if is_new {
        transactions.keep(id, (topic, data.index), records);
    }
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
