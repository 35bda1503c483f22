//! Fetching on the wire: the hot path of the whole broker.
//!
//! The answer is framed by hand around the stored batches, so that no batch is decoded or copied on its way out: the
//! framing goes into one buffer and the batches are chained between its pieces. With too little to send, a bell is left
//! with every partition asked for and the request waits for the first ring or its deadline. Versions 4 to 11 only:
//! plain lengths, topics by name, no sessions (every request lists all its partitions, as librdkafka does).

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::FetchPartition;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::log::Limit;
use super::state::State;
use super::wire::Segments;

/// The longest a request is held back, whatever it asks.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Bytes of batches in one answer, whatever the request asks.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// One partition's part of the answer.
struct Found {
    error: Option<ResponseError>,
    start: i64,
    end: i64,
    /// How many of the collected batches are this partition's.
    batches: usize,
    /// Their bytes.
    bytes: usize,
}

/// All that an answer is made of.
struct Collected {
    partitions: Vec<Found>,
    batches: Vec<Bytes>,
    bytes: usize,
    failed: bool,
}

/// Answers with what there is, waiting for it as long as the request allows.
pub async fn fetch(state: &State, request: &FetchRequest, version: i16) -> Segments {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
    let enough =
        |collected: &Collected| collected.failed || collected.bytes >= wanted || collected.partitions.is_empty();
    let mut collected = collect(state, request, None);
    while !enough(&collected) {
        let bell = Arc::new(Notify::new());
        collected = collect(state, request, Some(&bell));
        if enough(&collected) || timeout_at(deadline, bell.notified()).await.is_err() {
            break;
        }
        collected = collect(state, request, None);
    }
    write(request, &collected, version)
}

/// Reads every partition once, leaving the bell with each.
fn collect(state: &State, request: &FetchRequest, bell: Option<&Arc<Notify>>) -> Collected {
    let mut room = usize::try_from(request.max_bytes).unwrap_or(0).min(LARGEST_ANSWER);
    let mut collected = Collected { partitions: Vec::new(), batches: Vec::new(), bytes: 0, failed: false };
    for topic in &request.topics {
        for asked in &topic.partitions {
            let limit = Limit {
                bytes: usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room),
                first_whole: collected.bytes == 0,
            };
            let found = read(state, &topic.topic, asked, limit, (&mut collected.batches, bell));
            room = room.saturating_sub(found.bytes);
            collected.bytes += found.bytes;
            collected.failed |= found.error.is_some();
            collected.partitions.push(found);
        }
    }
    collected
}

fn read(
    state: &State,
    topic: &str,
    asked: &FetchPartition,
    limit: Limit,
    (batches, bell): (&mut Vec<Bytes>, Option<&Arc<Notify>>),
) -> Found {
    let failed = |error| Found { error: Some(error), start: -1, end: -1, batches: 0, bytes: 0 };
    let partition = match state.topics.partition(topic, asked.partition) {
        Ok(partition) => partition,
        Err(error) => return failed(error),
    };
    let before = batches.len();
    let mut log = partition.log();
    match log.read(asked.fetch_offset, limit, batches) {
        Err(error) => Found { start: log.start(), end: log.end(), ..failed(error) },
        Ok(bytes) => {
            if let Some(bell) = bell {
                log.wait(bell);
            }
            Found { error: None, start: log.start(), end: log.end(), batches: batches.len() - before, bytes }
        }
    }
}

/// The response body around the batches.
fn write(request: &FetchRequest, collected: &Collected, version: i16) -> Segments {
    let mut body = Segments::default();
    let mut frame = BytesMut::with_capacity(64 + 64 * collected.partitions.len());
    frame.put_i32(0);
    if version >= 7 {
        frame.put_i16(0);
        frame.put_i32(0);
    }
    let mut found = collected.partitions.iter();
    let mut batches = collected.batches.iter();
    put_count(&mut frame, request.topics.len());
    for topic in &request.topics {
        frame.put_u16(u16::try_from(topic.topic.len()).unwrap_or(0));
        frame.put_slice(topic.topic.as_bytes());
        put_count(&mut frame, topic.partitions.len());
        for (asked, found) in topic.partitions.iter().zip(found.by_ref()) {
            put_partition(&mut frame, asked.partition, found, version);
            if found.batches > 0 {
                body.push(frame.split().freeze());
                batches.by_ref().take(found.batches).for_each(|batch| body.push(batch.clone()));
            }
        }
    }
    body.push(frame.freeze());
    body
}

fn put_partition(frame: &mut BytesMut, number: i32, found: &Found, version: i16) {
    frame.put_i32(number);
    frame.put_i16(found.error.map_or(0, |error| error.code()));
    frame.put_i64(found.end);
    frame.put_i64(found.end);
    if version >= 5 {
        frame.put_i64(found.start);
    }
    // No aborted transactions, no other replica to read from.
    frame.put_i32(0);
    if version >= 11 {
        frame.put_i32(-1);
    }
    put_count(frame, found.bytes);
}

fn put_count(frame: &mut BytesMut, count: usize) {
    frame.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}
