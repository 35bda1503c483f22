//! Consumer groups that somebody looks at: their state, members and committed offsets.
//!
//! A group lives on one broker, its coordinator, which is looked up once. Groups of one coordinator share one
//! request for offsets and one for states. Nothing here joins a group or commits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
};
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, FindCoordinatorRequest, FindCoordinatorResponse, GroupId,
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::cluster::{Answer, Cluster};
use super::topics::topic_name;
use super::trouble::Trouble;

/// From this version on a coordinator is looked up for many groups at once.
const LOOKUP_BATCHED: i16 = 4;
/// From this version on offsets are asked for many groups at once.
const OFFSETS_BATCHED: i16 = 8;
/// The state of a group that nobody knows.
const DEAD: &str = "Dead";
/// The state of a group that this user may not see; Kafka has no word for it.
const FORBIDDEN: &str = "Forbidden";

/// A group to ask for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub group: Arc<str>,
    /// Partitions that matter; `None` means all that it has committed.
    pub partitions: Option<BTreeMap<Arc<str>, Vec<i32>>>,
}

/// How a group stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Kafka's word; empty when the broker does not tell.
    pub state: Arc<str>,
    pub members: u32,
    /// Committed offsets by topic and partition.
    pub committed: BTreeMap<(Arc<str>, i32), i64>,
}

impl Standing {
    fn forbidden() -> Self {
        Self { state: FORBIDDEN.into(), ..Self::default() }
    }
}

/// Whether nobody knows the group: it is not there.
pub(super) fn is_dead(standing: &Standing) -> bool {
    &*standing.state == DEAD
}

/// Whether this user may not see the group.
pub(super) fn is_forbidden(standing: &Standing) -> bool {
    &*standing.state == FORBIDDEN
}

/// Where groups live.
#[derive(Default)]
pub(super) struct Groups {
    coordinators: HashMap<Arc<str>, i32>,
}

impl Groups {
    /// Asks for groups; those whose coordinator did not answer are left out.
    pub(super) async fn fetch(&mut self, cluster: &mut Cluster, queries: Vec<Query>) -> HashMap<Arc<str>, Standing> {
        let forbidden = self.find(cluster, &queries).await;
        let mut by_coordinator: BTreeMap<i32, Vec<Query>> = BTreeMap::new();
        for query in queries {
            if let Some(coordinator) = self.coordinators.get(&query.group) {
                by_coordinator.entry(*coordinator).or_default().push(query);
            }
        }
        let names: Vec<(i32, Vec<Arc<str>>)> = by_coordinator
            .iter()
            .map(|(coordinator, queries)| (*coordinator, queries.iter().map(|query| query.group.clone()).collect()))
            .collect();
        let mut standings = self.offsets(cluster, by_coordinator).await;
        standings.extend(forbidden.into_iter().map(|group| (group, Standing::forbidden())));
        for (group, (state, members)) in self.states(cluster, names).await {
            if let Some(standing) = standings.get_mut(&group)
                && &*standing.state != FORBIDDEN
            {
                standing.state = state;
                standing.members = members;
            }
        }
        standings
    }

    /// The broker that a group lives on.
    pub(super) async fn coordinator(&mut self, cluster: &mut Cluster, group: &str) -> Result<i32, String> {
        let query = Query { group: group.into(), partitions: None };
        if !self.find(cluster, &[query]).await.is_empty() {
            return Err("this user may not see the group: it needs the ACL operation Describe on it".to_owned());
        }
        self.coordinators.get(group).copied().ok_or_else(|| "no broker says where the group lives".to_owned())
    }

    /// Forgets where a group lives: it moved.
    pub(super) fn forget(&mut self, group: &str) {
        self.coordinators.remove(group);
    }

    /// Looks up the coordinators that are not known; returns the groups that this user may not see.
    async fn find(&mut self, cluster: &mut Cluster, queries: &[Query]) -> Vec<Arc<str>> {
        let unknown: Vec<Arc<str>> = queries
            .iter()
            .filter(|query| !self.coordinators.contains_key(&query.group))
            .map(|query| query.group.clone())
            .collect();
        if unknown.is_empty() {
            return Vec::new();
        }
        // Any broker knows; the next one is asked when one does not answer.
        for broker in cluster.brokers() {
            let answers = cluster
                .ask::<FindCoordinatorRequest, _, _>(vec![(broker, unknown.clone())], 4, |groups: &Vec<_>, version| {
                    lookup(groups, version)
                })
                .await;
            for Answer { about, result } in answers {
                let Ok(responses) = result else { continue };
                let mut forbidden = Vec::new();
                for (group, node, code) in
                    responses.iter().zip(&about).flat_map(|(response, group)| found(response, group))
                {
                    match code.err() {
                        None => {
                            self.coordinators.insert(group, node);
                        }
                        Some(ResponseError::GroupAuthorizationFailed) => forbidden.push(group),
                        Some(error) => tracing::debug!(%group, %error, "coordinator not found"),
                    }
                }
                return forbidden;
            }
        }
        Vec::new()
    }

    async fn offsets(
        &mut self,
        cluster: &mut Cluster,
        batches: BTreeMap<i32, Vec<Query>>,
    ) -> HashMap<Arc<str>, Standing> {
        let mut standings = HashMap::new();
        let answers = cluster
            .ask::<OffsetFetchRequest, _, _>(batches.into_iter().collect(), 9, |queries: &Vec<_>, version| {
                offsets_requests(queries, version)
            })
            .await;
        for Answer { about, result } in answers {
            match result {
                Ok(responses) => {
                    for (response, query) in responses.iter().zip(&about) {
                        for (group, code, committed) in commits(response, &query.group) {
                            self.take(&mut standings, group, code, committed);
                        }
                    }
                }
                // The group may have moved to another broker meanwhile.
                Err(trouble) if !matches!(trouble, Trouble::NotOffered { .. }) => {
                    for query in &about {
                        self.coordinators.remove(&query.group);
                    }
                }
                Err(_) => {}
            }
        }
        standings
    }

    fn take(
        &mut self,
        standings: &mut HashMap<Arc<str>, Standing>,
        group: Arc<str>,
        code: i16,
        committed: BTreeMap<(Arc<str>, i32), i64>,
    ) {
        let standing = match code.err() {
            None => Standing { committed, ..Standing::default() },
            Some(ResponseError::GroupAuthorizationFailed) => {
                Standing { state: FORBIDDEN.into(), ..Standing::default() }
            }
            Some(ResponseError::GroupIdNotFound) => Standing { state: DEAD.into(), ..Standing::default() },
            Some(error) => {
                tracing::debug!(%group, %error, "coordinator did not tell offsets");
                self.coordinators.remove(&group);
                return;
            }
        };
        standings.insert(group, standing);
    }

    /// States and numbers of members.
    async fn states(
        &self,
        cluster: &mut Cluster,
        batches: Vec<(i32, Vec<Arc<str>>)>,
    ) -> HashMap<Arc<str>, (Arc<str>, u32)> {
        let mut states: HashMap<Arc<str>, (Arc<str>, u32)> = HashMap::new();
        let build = |groups: &Vec<Arc<str>>, _: i16| {
            vec![DescribeGroupsRequest::default().with_groups(groups.iter().map(|group| group_id(group)).collect())]
        };
        for answer in cluster.ask::<DescribeGroupsRequest, _, _>(batches, 5, build).await {
            for group in answer.result.into_iter().flatten().flat_map(|response| response.groups) {
                if group.error_code.is_ok() {
                    states.insert(
                        group.group_id.as_str().into(),
                        (group.group_state.as_str().into(), count(&group.members)),
                    );
                }
            }
        }
        self.states_of_new_protocol(cluster, &mut states).await;
        states
    }

    /// Groups of the newer consumer protocol look dead to the older question.
    async fn states_of_new_protocol(&self, cluster: &mut Cluster, states: &mut HashMap<Arc<str>, (Arc<str>, u32)>) {
        let mut batches: BTreeMap<i32, Vec<Arc<str>>> = BTreeMap::new();
        for group in states.iter().filter(|(_, (state, _))| &**state == DEAD).map(|(group, _)| group) {
            if let Some(coordinator) = self.coordinators.get(group) {
                batches.entry(*coordinator).or_default().push(group.clone());
            }
        }
        if batches.is_empty() {
            return;
        }
        let build = |groups: &Vec<Arc<str>>, _: i16| {
            let groups = groups.iter().map(|group| group_id(group)).collect();
            vec![ConsumerGroupDescribeRequest::default().with_group_ids(groups)]
        };
        for answer in cluster.ask::<ConsumerGroupDescribeRequest, _, _>(batches.into_iter().collect(), 1, build).await {
            for group in answer.result.into_iter().flatten().flat_map(|response| response.groups) {
                if group.error_code.is_ok() {
                    states.insert(
                        group.group_id.as_str().into(),
                        (group.group_state.as_str().into(), count(&group.members)),
                    );
                }
            }
        }
    }
}

fn count<T>(members: &[T]) -> u32 {
    u32::try_from(members.len()).unwrap_or(u32::MAX)
}

fn group_id(name: &str) -> GroupId {
    GroupId(StrBytes::from_string(name.to_owned()))
}

fn lookup(groups: &[Arc<str>], version: i16) -> Vec<FindCoordinatorRequest> {
    let key = |group: &Arc<str>| StrBytes::from_string(group.to_string());
    if version >= LOOKUP_BATCHED {
        vec![FindCoordinatorRequest::default().with_coordinator_keys(groups.iter().map(key).collect())]
    } else {
        groups.iter().map(|group| FindCoordinatorRequest::default().with_key(key(group))).collect()
    }
}

/// Coordinators in either shape of the answer: of many groups, or of the one that was asked for.
fn found(response: &FindCoordinatorResponse, asked: &Arc<str>) -> Vec<(Arc<str>, i32, i16)> {
    if response.coordinators.is_empty() {
        return vec![(asked.clone(), response.node_id.0, response.error_code)];
    }
    let one = |found: &Coordinator| (found.key.as_str().into(), found.node_id.0, found.error_code);
    response.coordinators.iter().map(one).collect()
}

fn offsets_requests(queries: &[Query], version: i16) -> Vec<OffsetFetchRequest> {
    if version >= OFFSETS_BATCHED {
        let groups = queries.iter().map(|query| {
            let topics = query.partitions.as_ref().map(|wanted| {
                let topic = |(name, partitions): (&Arc<str>, &Vec<i32>)| {
                    let topic = OffsetFetchRequestTopics::default().with_name(topic_name(name));
                    topic.with_partition_indexes(partitions.clone())
                };
                wanted.iter().map(topic).collect()
            });
            OffsetFetchRequestGroup::default().with_group_id(group_id(&query.group)).with_topics(topics)
        });
        return vec![OffsetFetchRequest::default().with_groups(groups.collect())];
    }
    let single = |query: &Query| {
        let topics = query.partitions.as_ref().map(|wanted| {
            let topic = |(name, partitions): (&Arc<str>, &Vec<i32>)| {
                let topic = OffsetFetchRequestTopic::default().with_name(topic_name(name));
                topic.with_partition_indexes(partitions.clone())
            };
            wanted.iter().map(topic).collect()
        });
        OffsetFetchRequest::default().with_group_id(group_id(&query.group)).with_topics(topics)
    };
    queries.iter().map(single).collect()
}

type Commits = (Arc<str>, i16, BTreeMap<(Arc<str>, i32), i64>);

/// Committed offsets in either shape of the answer: of many groups, or of the one that was asked for.
fn commits(response: &OffsetFetchResponse, asked: &Arc<str>) -> Vec<Commits> {
    if response.groups.is_empty() {
        let partitions = response.topics.iter().flat_map(|topic| {
            let commit = |place: &OffsetFetchResponsePartition| {
                (place.partition_index, place.committed_offset, place.error_code)
            };
            topic.partitions.iter().map(move |place| (&topic.name, commit(place)))
        });
        return vec![(asked.clone(), response.error_code, known(partitions))];
    }
    let one = |group: &OffsetFetchResponseGroup| {
        let partitions = group.topics.iter().flat_map(|topic| {
            let commit = |place: &OffsetFetchResponsePartitions| {
                (place.partition_index, place.committed_offset, place.error_code)
            };
            topic.partitions.iter().map(move |place| (&topic.name, commit(place)))
        });
        (group.group_id.as_str().into(), group.error_code, known(partitions))
    };
    response.groups.iter().map(one).collect()
}

/// The commits among partition, offset and error code of topics; no commit is written as a negative offset.
fn known<'a>(partitions: impl Iterator<Item = (&'a TopicName, (i32, i64, i16))>) -> BTreeMap<(Arc<str>, i32), i64> {
    let committed = partitions.filter(|(_, (_, offset, code))| *offset >= 0 && code.is_ok());
    committed.map(|(topic, (partition, offset, _))| ((topic.as_str().into(), partition), offset)).collect()
}
