//! Topics and consumer groups of a pipeline that goes: looked at, and deleted one by one.
//!
//! A topic counts as deleted when the cluster no longer names it, because brokers delete it after they answered, and a
//! client that still writes may have it made anew. Whatever was gone already is as good as deleted: so the same can be
//! asked twice.
//!
//! It must not choose: what may go is [`crate::plan::remnants`]'s to say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteTopicsRequest, GroupId};
use kafka_protocol::protocol::StrBytes;
use tokio::time::{Instant, sleep, timeout};

use super::cluster::Cluster;
use super::groups::{Groups, Query, Standing, is_dead, is_forbidden};
use super::names::list_groups;
use super::topics::{NOBODY, metadata_request, topic_name};
use super::trouble::Trouble;
use crate::plan::remnants::{Broker, GroupTold, TopicTold};
use crate::settings::KafkaSettings;

/// How long a broker may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a look may take in all.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a deletion may take until the cluster no longer names what was deleted.
const SETTLED: Duration = Duration::from_secs(30);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);
/// The bit of Kafka's sets of operations that means Delete.
const DELETE: i32 = 1 << 6;
/// The set of operations of which nothing was told.
const UNTOLD: i32 = i32::MIN;

/// What came of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// It is deleted.
    Deleted,
    /// It was gone already.
    WasGone,
    /// The group still has members, and was left.
    HasMembers,
}

/// A cluster in which something is deleted.
pub struct Sweeper {
    cluster: Cluster,
    groups: Groups,
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sweeper").field("brokers", &self.cluster.brokers()).finish_non_exhaustive()
    }
}

impl Sweeper {
    /// A way to a cluster; nothing is asked yet.
    ///
    /// # Errors
    /// When the properties cannot be read.
    pub async fn open(settings: KafkaSettings) -> Result<Self, String> {
        let properties = Arc::new(super::read(settings).await?);
        Ok(Self { cluster: Cluster::new(properties, PATIENCE), groups: Groups::default() })
    }

    /// Looks at topics, at the groups that are named and, when topics are asked for, at all others: each may read one.
    ///
    /// # Errors
    /// In words, when the cluster as a whole does not answer.
    pub async fn look(&mut self, topics: &BTreeSet<String>, groups: &BTreeSet<String>) -> Result<Broker, String> {
        let late = || format!("Kafka did not answer within {} s", LIMIT.as_secs());
        let looked = timeout(LIMIT, self.look_at(topics, groups)).await;
        looked.map_err(|_| late())?.map_err(|trouble| trouble.to_string())
    }

    async fn look_at(&mut self, topics: &BTreeSet<String>, groups: &BTreeSet<String>) -> Result<Broker, Trouble> {
        let mut broker = Broker { topics: self.topics(topics).await?, ..Broker::default() };
        let mut wanted: BTreeSet<Arc<str>> = groups.iter().map(|name| name.as_str().into()).collect();
        if !topics.is_empty() {
            let mut named = BTreeMap::new();
            broker.untold = list_groups(&mut self.cluster, &mut named).await.map(|trouble| trouble.to_string());
            wanted.extend(named.into_values().flatten().map(|(name, _)| name));
        }
        let queries = wanted.iter().map(|group| Query { group: group.clone(), partitions: None }).collect();
        let mut standings = self.groups.fetch(&mut self.cluster, queries).await;
        for group in wanted {
            match standings.remove(&group) {
                None => broker.untold = Some(format!("the broker of consumer group {group} did not answer")),
                Some(standing) if is_forbidden(&standing) => {
                    broker.untold = Some(format!("this user may not see consumer group {group}"));
                }
                Some(standing) if is_dead(&standing) => {}
                Some(standing) if standing.state.is_empty() => {
                    broker.untold = Some(format!("the broker does not tell who is in consumer group {group}"));
                }
                Some(standing) => drop(broker.groups.insert(group.to_string(), told(&standing))),
            }
        }
        Ok(broker)
    }

    async fn topics(&mut self, names: &BTreeSet<String>) -> Result<BTreeMap<String, TopicTold>, Trouble> {
        let names: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
        let plain = metadata_request(names.iter());
        let answer = match self.cluster.metadata(&plain.clone().with_include_topic_authorized_operations(true)).await {
            // A broker that is too old for the question tells nothing of rights.
            Err(Trouble::Garbled { .. }) => self.cluster.metadata(&plain).await?,
            answer => answer?,
        };
        Ok(answer
            .topics
            .iter()
            .filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic_told(topic))))
            .collect())
    }

    /// Deletes a topic, and waits until it is gone.
    ///
    /// # Errors
    /// In words, when it is refused, or the topic is there again.
    pub async fn delete_topic(&mut self, name: &str) -> Result<Swept, String> {
        let begun = Instant::now();
        let mut swept = Swept::WasGone;
        loop {
            let there = self.topics(&BTreeSet::from([name.to_owned()])).await.map_err(|trouble| trouble.to_string())?;
            match there.get(name) {
                Some(TopicTold::Missing) => return Ok(swept),
                Some(TopicTold::Unknown(why)) => return Err(why.clone()),
                Some(TopicTold::There(_)) | None => {}
            }
            if begun.elapsed() >= SETTLED {
                return Err(format!(
                    "it was deleted, but after {} s it is there: somebody who still writes or reads it may have had it \
                     made anew (auto.create.topics.enable)",
                    SETTLED.as_secs()
                ));
            }
            // Who leads the cluster may change meanwhile; a topic on its way out is asked for once.
            if swept == Swept::WasGone {
                swept = self.ask_for_topic(name).await?;
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the controller to delete a topic; says `WasGone` when it has to be asked again.
    async fn ask_for_topic(&mut self, name: &str) -> Result<Swept, String> {
        let answer = self.cluster.metadata(&metadata_request([].into_iter())).await.map_err(|it| it.to_string())?;
        let controller = Some(answer.controller_id.0).filter(|id| *id != NOBODY);
        let controller = controller.or_else(|| self.cluster.brokers().first().copied());
        let controller = controller.ok_or_else(|| Trouble::NoBroker.to_string())?;
        let limit = i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX);
        let build = |name: &StrBytes, _: i16| {
            let names = vec![topic_name(name)];
            vec![DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(limit)]
        };
        let batch = vec![(controller, StrBytes::from_string(name.to_owned()))];
        let mut answers = self.cluster.ask::<DeleteTopicsRequest, _, _>(batch, 5, build).await;
        let answer = answers.pop().map(|it| it.result.map_err(|trouble| trouble.to_string())).transpose()?;
        let topic = answer.and_then(|it| it.into_iter().next()?.responses.into_iter().next());
        match topic.ok_or("the broker did not answer")?.error_code.err() {
            None | Some(ResponseError::UnknownTopicOrPartition) => Ok(Swept::Deleted),
            Some(ResponseError::NotController | ResponseError::RequestTimedOut) => Ok(Swept::WasGone),
            Some(ResponseError::TopicAuthorizationFailed) => {
                Err("this user may not: it needs the ACL operation Delete on the topic".to_owned())
            }
            Some(ResponseError::TopicDeletionDisabled) => {
                Err("the brokers delete no topics (delete.topic.enable is false)".to_owned())
            }
            Some(code) => Err(code.to_string()),
        }
    }

    /// Deletes a consumer group, unless it has members.
    ///
    /// # Errors
    /// In words, when it is refused.
    pub async fn delete_group(&mut self, name: &str) -> Result<Swept, String> {
        let begun = Instant::now();
        loop {
            self.cluster.metadata(&metadata_request([].into_iter())).await.map_err(|trouble| trouble.to_string())?;
            let coordinator = self.groups.coordinator(&mut self.cluster, name).await?;
            let build = |name: &StrBytes, _: i16| {
                vec![DeleteGroupsRequest::default().with_groups_names(vec![GroupId(name.clone())])]
            };
            let batch = vec![(coordinator, StrBytes::from_string(name.to_owned()))];
            let mut answers = self.cluster.ask::<DeleteGroupsRequest, _, _>(batch, 2, build).await;
            let answer = answers.pop().map(|it| it.result.map_err(|trouble| trouble.to_string())).transpose()?;
            let result = answer.and_then(|it| it.into_iter().next()?.results.into_iter().next());
            match result.ok_or("the broker did not answer")?.error_code.err() {
                None => return Ok(Swept::Deleted),
                Some(ResponseError::GroupIdNotFound) => return Ok(Swept::WasGone),
                Some(ResponseError::NonEmptyGroup) => return Ok(Swept::HasMembers),
                Some(ResponseError::GroupAuthorizationFailed) => {
                    return Err("this user may not: it needs the ACL operation Delete on the group".to_owned());
                }
                Some(code) if code.is_retriable() && begun.elapsed() < SETTLED => {
                    self.groups.forget(name);
                    sleep(PAUSE).await;
                }
                Some(code) => return Err(code.to_string()),
            }
        }
    }
}

fn topic_told(topic: &MetadataResponseTopic) -> TopicTold {
    match topic.error_code.err() {
        None | Some(ResponseError::LeaderNotAvailable) => {
            let operations = topic.topic_authorized_operations;
            TopicTold::There((operations != UNTOLD).then_some(operations & DELETE != 0))
        }
        Some(ResponseError::UnknownTopicOrPartition) => TopicTold::Missing,
        Some(ResponseError::TopicAuthorizationFailed) => {
            TopicTold::Unknown("this user may not describe it, or it does not exist".into())
        }
        Some(code) => TopicTold::Unknown(code.to_string()),
    }
}

fn told(standing: &Standing) -> GroupTold {
    GroupTold {
        members: standing.members,
        topics: standing.committed.keys().map(|(topic, _)| topic.to_string()).collect(),
    }
}
