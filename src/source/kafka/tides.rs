//! What topics hold: whether anything, and of when the newest record is.
//!
//! Three questions to each leader: the ends, the beginnings, and the record with the highest time, which brokers know
//! since Kafka 3.0. What is not told for one partition is not told for its topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

use super::cluster::Cluster;
use super::topics::{EARLIEST, LATEST, NOBODY, Share, ends_request};
use crate::plan::topics::writers::Tide;

/// Kafka's special time: the record with the highest one.
const NEWEST: i64 = -3;
/// From this version on it is understood.
const NEWEST_SINCE: i16 = 7;

/// Partition of a topic, and what was told of it: offset and time.
type Told = BTreeMap<(Arc<str>, i32), (i64, i64)>;

/// What topics hold, as far as their leaders tell.
pub(super) async fn tides(cluster: &mut Cluster, topics: &[MetadataResponseTopic]) -> BTreeMap<String, Tide> {
    let mut shares: BTreeMap<i32, Share> = BTreeMap::new();
    let mut partitions: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
    for topic in topics.iter().filter(|topic| topic.error_code.is_ok()) {
        let Some(name) = topic.name.as_ref().map(|name| Arc::<str>::from(name.as_str())) else { continue };
        for place in &topic.partitions {
            partitions.entry(name.clone()).or_default().push(place.partition_index);
            if place.leader_id.0 != NOBODY {
                let share = shares.entry(place.leader_id.0).or_default();
                share.entry(name.clone()).or_default().push(place.partition_index);
            }
        }
    }
    let ends = asked(cluster, &shares, LATEST).await;
    let beginnings = asked(cluster, &shares, EARLIEST).await;
    let newest = asked(cluster, &shares, NEWEST).await;
    let tide = |(name, partitions): (Arc<str>, Vec<i32>)| {
        let all = |told: &Told| -> Option<Vec<(i64, i64)>> {
            partitions.iter().map(|partition| told.get(&(name.clone(), *partition)).copied()).collect()
        };
        let held = of(&all(&ends)?, &all(&beginnings)?, all(&newest).as_deref());
        Some((name.to_string(), held))
    };
    partitions.into_iter().filter_map(tide).collect()
}

fn of(ends: &[(i64, i64)], beginnings: &[(i64, i64)], newest: Option<&[(i64, i64)]>) -> Tide {
    if ends.iter().all(|(end, _)| *end == 0) {
        return Tide::Never;
    }
    if ends.iter().zip(beginnings).all(|((end, _), (beginning, _))| end <= beginning) {
        return Tide::Drained;
    }
    let last = newest.and_then(|all| all.iter().map(|(_, time)| *time).max()).filter(|time| *time > 0);
    last.and_then(DateTime::from_timestamp_millis).map_or(Tide::Untimed, Tide::Newest)
}

async fn asked(cluster: &mut Cluster, shares: &BTreeMap<i32, Share>, time: i64) -> Told {
    let build = |share: &Share, version: i16| {
        let is_understood = time != NEWEST || version >= NEWEST_SINCE;
        is_understood.then(|| ends_request(share, time)).into_iter().collect()
    };
    let batches = shares.iter().map(|(broker, share)| (*broker, share.clone())).collect();
    let mut told = Told::new();
    for answer in cluster.ask::<ListOffsetsRequest, _, _>(batches, NEWEST_SINCE, build).await {
        // Whoever does not tell is not guessed.
        let responses: Vec<ListOffsetsResponse> = answer.result.unwrap_or_default();
        for topic in responses.iter().flat_map(|response| &response.topics) {
            let partitions = topic.partitions.iter().filter(|it| it.error_code.is_ok());
            told.extend(
                partitions.map(|it| ((topic.name.as_str().into(), it.partition_index), (it.offset, it.timestamp))),
            );
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_in_one_partition_is_enough() {
        let newest = DateTime::from_timestamp_millis(5_000).unwrap();
        assert_eq!(of(&[(0, -1), (0, -1)], &[(0, -1), (0, -1)], None), Tide::Never);
        assert_eq!(of(&[(7, -1), (0, -1)], &[(7, -1), (0, -1)], None), Tide::Drained);
        assert_eq!(of(&[(7, -1), (2, -1)], &[(7, -1), (0, -1)], Some(&[(-1, -1), (1, 5_000)])), Tide::Newest(newest));
        assert_eq!(of(&[(7, -1)], &[(3, -1)], None), Tide::Untimed, "an old broker does not tell");
        assert_eq!(of(&[(7, -1)], &[(3, -1)], Some(&[(6, -1)])), Tide::Untimed, "records without a time");
    }
}
