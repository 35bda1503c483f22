//! Lag in time: how old the first record is that a group has not committed.
//!
//! Most ages come for nothing, from the looks at the ends of the logs. Only where those do not reach back far
//! enough is a record read, for the few partitions that lag most, without joining or committing anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::cluster::Cluster;
use super::records::written_at;
use super::topics::{Topics, topic_name};
use crate::model::Time;
use crate::model::kafka::Group;

/// Partitions of a group whose records are read.
const WORST: usize = 4;
/// Records that are read in one round, all groups together.
const READS: usize = 64;
/// Bytes asked for: the first batch comes whole, however large.
const BYTES: i32 = 1024;
/// The newest version that names topics instead of their ids.
const FETCH_NEWEST: i16 = 12;

/// A record to read.
struct Reading {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

/// Fills in ages of the lagging partitions of the groups for which they are wanted.
pub(super) async fn fill(
    cluster: &mut Cluster,
    topics: &mut Topics,
    groups: &mut [Group],
    wanted: impl Fn(&Group) -> bool,
) {
    let now = Utc::now();
    let mut readings: BTreeMap<i32, Vec<Reading>> = BTreeMap::new();
    let mut left = READS;
    for group in groups.iter_mut().filter(|group| wanted(group)) {
        for reading in estimate(topics, group, now).into_iter().take(WORST.min(left)) {
            if let Some(leader) = topics.leader(&reading.topic, reading.partition) {
                readings.entry(leader).or_default().push(reading);
                left = left.saturating_sub(1);
            }
        }
    }
    if readings.is_empty() {
        return;
    }
    let build = |batch: &Vec<Reading>, _: i16| batch.iter().map(request).collect();
    for answer in cluster.ask::<FetchRequest, _, _>(readings.into_iter().collect(), FETCH_NEWEST, build).await {
        for (response, reading) in answer.result.into_iter().flatten().zip(&answer.about) {
            let written = time_in(&response, reading.offset).and_then(Time::from_timestamp_millis);
            if let (Some(written), Some(arrivals)) = (written, topics.arrivals(&reading.topic, reading.partition)) {
                arrivals.learn(reading.offset, written);
            }
        }
    }
    for group in groups.iter_mut().filter(|group| wanted(group)) {
        estimate(topics, group, now);
    }
}

/// Fills in what the looks at the ends tell, and names what would have to be read, worst first.
fn estimate(topics: &mut Topics, group: &mut Group, now: Time) -> Vec<Reading> {
    let mut unknown = Vec::new();
    for lag in &mut group.partitions {
        let Some(committed) = lag.committed.filter(|committed| *committed < lag.high) else { continue };
        // What retention has deleted cannot be read any more: the oldest record that is kept counts.
        let offset = committed.max(lag.low);
        let known = topics.arrivals(&lag.topic, lag.partition).and_then(|arrivals| arrivals.written(offset, now));
        if let Some(written) = known {
            lag.behind_ms = Some((now - written).num_milliseconds().max(0).unsigned_abs());
        } else {
            let reading = Reading { topic: lag.topic.clone(), partition: lag.partition, offset };
            unknown.push((lag.high - committed, reading));
        }
    }
    unknown.sort_by_key(|(records, _)| std::cmp::Reverse(*records));
    unknown.into_iter().map(|(_, reading)| reading).collect()
}

fn request(reading: &Reading) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(reading.partition)
        .with_fetch_offset(reading.offset)
        .with_partition_max_bytes(BYTES);
    let topic = FetchTopic::default().with_topic(topic_name(&reading.topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

fn time_in(response: &FetchResponse, offset: i64) -> Option<i64> {
    let partition = response.responses.first()?.partitions.first()?;
    written_at(partition.records.clone()?, offset).filter(|time| *time >= 0)
}
