//! Topics that somebody looks at: their partitions, leaders and ends.
//!
//! One request per broker asks for the ends of all its partitions. Partition lists change rarely, so they are
//! asked for now and then, or when a broker says that it no longer leads. Asking never creates a topic.
//!
//! The end of a partition is known only in the round in which its broker told it: an end of old beside a fresh commit
//! would make a lag that is too small, and nobody could tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::cluster::Cluster;
use super::series::Series;
use super::trouble::Trouble;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::kafka::{PartitionEnds, Topic};
use crate::model::key::KafkaKey;

/// How old a partition list may be.
const LAYOUT_AGE: Duration = Duration::from_secs(10);
/// How old the oldest offsets may be: only retention moves them.
const LOW_AGE: Duration = Duration::from_secs(10);
/// How long a topic is remembered after the last look.
const MEMORY: Duration = Duration::from_mins(5);
/// Kafka's special times: the end and the beginning of the log.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;
/// No leader.
pub(super) const NOBODY: i32 = -1;

/// The topics.
#[derive(Default)]
pub(super) struct Topics {
    known: BTreeMap<Arc<str>, Watched>,
}

struct Watched {
    layout: Layout,
    laid_out: Option<Instant>,
    wanted_at: Instant,
    /// Ends by partition, as told in the last round.
    highs: BTreeMap<i32, i64>,
    /// Oldest offsets by partition, and when they were told.
    lows: BTreeMap<i32, (i64, Instant)>,
    produced: Series,
    arrivals: BTreeMap<i32, Arrivals>,
}

enum Layout {
    /// Not asked for yet.
    Unknown,
    /// It is not there, in words.
    Missing(Arc<str>),
    /// Leader by partition.
    Known(BTreeMap<i32, i32>),
}

/// A broker's share of a question: topic and partitions.
pub(super) type Share = BTreeMap<Arc<str>, Vec<i32>>;

impl Topics {
    /// Learns the partitions of topics that are new or were not looked at for a while. Says whether it asked.
    pub(super) async fn locate(&mut self, cluster: &mut Cluster, names: &BTreeSet<Arc<str>>) -> Result<bool, Trouble> {
        let now = Instant::now();
        for name in names {
            self.known.entry(name.clone()).or_insert_with(|| Watched::new(now)).wanted_at = now;
        }
        self.known.retain(|_, topic| now.duration_since(topic.wanted_at) < MEMORY);
        let stale: Vec<&Arc<str>> = names
            .iter()
            .filter(|name| {
                let laid_out = self.known.get(*name).and_then(|topic| topic.laid_out);
                laid_out.is_none_or(|moment| now.duration_since(moment) >= LAYOUT_AGE)
            })
            .collect();
        if stale.is_empty() {
            return Ok(false);
        }
        let answer = cluster.metadata(&metadata_request(stale.into_iter())).await?;
        for topic in &answer.topics {
            let Some(name) = &topic.name else { continue };
            if let Some(watched) = self.known.get_mut(name.as_str()) {
                watched.lay_out(topic, now);
            }
        }
        Ok(true)
    }

    /// Looks at the ends of topics. Says what kept each broker that could not be asked.
    pub(super) async fn measure(&mut self, cluster: &mut Cluster, names: &BTreeSet<Arc<str>>) -> Vec<Trouble> {
        for name in names {
            if let Some(topic) = self.known.get_mut(name) {
                topic.highs.clear();
            }
        }
        let all = self.shares(names, |_, _| true);
        if all.is_empty() {
            return Vec::new();
        }
        let mut troubles = self.ask_ends(cluster, all, LATEST).await;
        let now = Instant::now();
        // Whoever did not tell the end is not asked for the beginning.
        let due = self.shares(names, |topic, partition| {
            let is_due = |(_, told): &(i64, Instant)| now.duration_since(*told) >= LOW_AGE;
            topic.highs.contains_key(&partition) && topic.lows.get(&partition).is_none_or(is_due)
        });
        if !due.is_empty() {
            troubles.extend(self.ask_ends(cluster, due, EARLIEST).await);
        }
        troubles
    }

    /// Notes rates and arrivals at the moment of the last look.
    pub(super) fn observe(&mut self, names: &BTreeSet<Arc<str>>, at: Time) {
        for name in names {
            if let Some(topic) = self.known.get_mut(name) {
                topic.produced.observe(at, topic.highs.values().sum(), topic.highs.keys().copied());
                for (partition, high) in &topic.highs {
                    topic.arrivals.entry(*partition).or_default().observe(at, *high);
                }
            }
        }
    }

    async fn ask_ends(&mut self, cluster: &mut Cluster, shares: BTreeMap<i32, Share>, time: i64) -> Vec<Trouble> {
        let build = |share: &Share, _: i16| vec![ends_request(share, time)];
        let mut troubles = Vec::new();
        for answer in cluster.ask::<ListOffsetsRequest, _, _>(shares.into_iter().collect(), 7, build).await {
            match answer.result {
                Ok(responses) => responses.iter().for_each(|response| self.take_ends(response, time)),
                Err(trouble) => {
                    // Its partitions may have moved to another broker meanwhile.
                    self.forget_layout(answer.about.keys());
                    troubles.push(trouble);
                }
            }
        }
        troubles
    }

    fn take_ends(&mut self, response: &ListOffsetsResponse, time: i64) {
        for topic in &response.topics {
            let Some(watched) = self.known.get_mut(topic.name.as_str()) else { continue };
            for answer in &topic.partitions {
                let partition = answer.partition_index;
                if answer.error_code.is_err() {
                    watched.laid_out = None;
                } else if time == LATEST {
                    watched.highs.insert(partition, answer.offset);
                } else {
                    watched.lows.insert(partition, (answer.offset, Instant::now()));
                }
            }
        }
    }

    fn forget_layout<'a>(&mut self, names: impl Iterator<Item = &'a Arc<str>>) {
        for name in names {
            if let Some(topic) = self.known.get_mut(name) {
                topic.laid_out = None;
            }
        }
    }

    /// Partitions of topics by the broker that leads them.
    fn shares(&self, names: &BTreeSet<Arc<str>>, wanted: impl Fn(&Watched, i32) -> bool) -> BTreeMap<i32, Share> {
        let mut shares: BTreeMap<i32, Share> = BTreeMap::new();
        for name in names {
            let Some(topic) = self.known.get(name) else { continue };
            let Layout::Known(leaders) = &topic.layout else { continue };
            let led = leaders.iter().filter(|(_, leader)| **leader != NOBODY);
            for (partition, leader) in led.filter(|(partition, _)| wanted(topic, **partition)) {
                shares.entry(*leader).or_default().entry(name.clone()).or_default().push(*partition);
            }
        }
        shares
    }

    /// Partition numbers of a topic; `None` until known.
    pub(super) fn partitions(&self, name: &str) -> Option<Vec<i32>> {
        match &self.known.get(name)?.layout {
            Layout::Known(leaders) => Some(leaders.keys().copied().collect()),
            Layout::Unknown | Layout::Missing(_) => None,
        }
    }

    /// The ends of a partition; `None` when its broker did not tell them in the last round.
    pub(super) fn ends(&self, name: &str, partition: i32) -> Option<PartitionEnds> {
        self.known.get(name)?.ends(partition)
    }

    /// The broker that leads a partition.
    pub(super) fn leader(&self, name: &str, partition: i32) -> Option<i32> {
        match &self.known.get(name)?.layout {
            Layout::Known(leaders) => leaders.get(&partition).copied().filter(|leader| *leader != NOBODY),
            Layout::Unknown | Layout::Missing(_) => None,
        }
    }

    /// What is known of the moments at which a partition's records were written.
    pub(super) fn arrivals(&mut self, name: &str, partition: i32) -> Option<&mut Arrivals> {
        self.known.get_mut(name)?.arrivals.get_mut(&partition)
    }

    /// The facts about topics, for the console.
    pub(super) fn report(&self, environment: &Arc<str>, names: &BTreeSet<Arc<str>>, at: Time) -> Vec<Change> {
        let mut topics = Vec::new();
        let mut changes = Vec::new();
        for name in names {
            let Some(topic) = self.known.get(name) else { continue };
            let key = KafkaKey::new(environment.clone(), name.clone());
            match &topic.layout {
                Layout::Unknown => {}
                Layout::Missing(words) => changes.push(Change::TopicMissing(key, words.clone())),
                Layout::Known(leaders) => topics.push(Topic {
                    key,
                    partitions: topic.highs.keys().filter_map(|partition| topic.ends(*partition)).collect(),
                    leaderless: leaders.values().filter(|leader| **leader == NOBODY).map(|_| 1).sum(),
                    records_per_second: topic.produced.steady_rate(),
                    observed_at: at,
                }),
            }
        }
        if !topics.is_empty() {
            changes.push(Change::Topics(topics));
        }
        changes
    }
}

impl Watched {
    fn new(now: Instant) -> Self {
        Self {
            layout: Layout::Unknown,
            laid_out: None,
            wanted_at: now,
            highs: BTreeMap::new(),
            lows: BTreeMap::new(),
            produced: Series::default(),
            arrivals: BTreeMap::new(),
        }
    }

    fn ends(&self, partition: i32) -> Option<PartitionEnds> {
        let (high, (low, _)) = (*self.highs.get(&partition)?, *self.lows.get(&partition)?);
        Some(PartitionEnds { partition, low: low.min(high), high })
    }

    fn lay_out(&mut self, topic: &MetadataResponseTopic, now: Instant) {
        let missing = match topic.error_code.err() {
            None | Some(ResponseError::LeaderNotAvailable) => None,
            Some(ResponseError::UnknownTopicOrPartition) => Some("the cluster has no such topic".to_owned()),
            Some(ResponseError::InvalidTopicException) => Some("this cannot be the name of a topic".to_owned()),
            Some(ResponseError::TopicAuthorizationFailed) => {
                Some("this user may not see the topic: it needs the ACL operation Describe on it".to_owned())
            }
            Some(other) => Some(other.to_string()),
        };
        self.laid_out = Some(now);
        if let Some(words) = missing {
            self.layout = Layout::Missing(words.into());
            self.highs.clear();
            self.lows.clear();
            return;
        }
        let leaders: BTreeMap<i32, i32> =
            topic.partitions.iter().map(|place| (place.partition_index, place.leader_id.0)).collect();
        self.lows.retain(|partition, _| leaders.contains_key(partition));
        if let Layout::Known(before) = &self.layout
            && before.len() != leaders.len()
        {
            self.lows.clear();
        }
        self.layout = Layout::Known(leaders);
    }
}

/// A request for the partitions of topics, which never creates one. No names: only the brokers.
pub(super) fn metadata_request<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> MetadataRequest {
    let topics = names.map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name)))).collect();
    MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false)
}

/// A topic's name as the protocol writes it.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A request for the offsets of partitions at a time, or at one of Kafka's special times.
pub(super) fn ends_request(share: &Share, time: i64) -> ListOffsetsRequest {
    let topics = share
        .iter()
        .map(|(name, partitions)| {
            let partitions = partitions
                .iter()
                .map(|partition| {
                    ListOffsetsPartition::default()
                        .with_partition_index(*partition)
                        .with_current_leader_epoch(-1)
                        .with_timestamp(time)
                })
                .collect();
            ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        })
        .collect();
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(topics)
}
