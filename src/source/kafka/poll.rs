//! One round of questions to a cluster, for what somebody looks at.
//!
//! Commits are asked for before ends, so that lag is never less than it was. A round reports what it got: a group
//! whose broker does not answer stays as it was, partitions whose broker does not answer are left out rather than told
//! with an old end, and the others are not held back.
//! The round fails only when the cluster as a whole does not answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::age;
use super::cluster::Cluster;
use super::groups::{Groups, Query, Standing};
use super::properties::ClientProperties;
use super::series::Series;
use super::topics::{Topics, metadata_request};
use super::trouble::Trouble;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::interest::{GroupInterest, Interest};
use crate::model::kafka::{Group, PartitionLag};
use crate::model::key::KafkaKey;

/// How long a broker may take for an answer: as long as a dead one may look alive.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is wanted of one environment's cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    topics: BTreeSet<Arc<str>>,
    groups: Vec<GroupInterest>,
}

impl Wanted {
    /// The part of the interest that is about an environment's cluster.
    pub(super) fn of(interest: &Interest, environment: &str) -> Self {
        let here = |key: &&KafkaKey| &*key.environment == environment;
        Self {
            topics: interest.topics.iter().filter(here).map(|key| key.name.clone()).collect(),
            groups: interest.groups.iter().filter(|group| here(&&group.key)).cloned().collect(),
        }
    }

    /// Whether something is wanted here that was not wanted there.
    pub(super) fn adds_to(&self, other: &Self) -> bool {
        !self.topics.is_subset(&other.topics) || self.groups.iter().any(|group| !other.groups.contains(group))
    }
}

/// Polls one cluster.
pub(super) struct Poller {
    environment: Arc<str>,
    cluster: Cluster,
    topics: Topics,
    groups: Groups,
    progress: BTreeMap<Arc<str>, Progress>,
}

/// What is remembered of a group from one round to the next.
#[derive(Default)]
struct Progress {
    consumed: Series,
    produced: Series,
    /// Topics in which it has commits.
    topics: BTreeSet<Arc<str>>,
}

impl Poller {
    pub(super) fn new(environment: Arc<str>, properties: Arc<ClientProperties>) -> Self {
        Self {
            environment,
            cluster: Cluster::new(properties, PATIENCE),
            topics: Topics::default(),
            groups: Groups::default(),
            progress: BTreeMap::new(),
        }
    }

    /// The next question is a fresh attempt, whatever failed before.
    pub(super) fn start_over(&mut self) {
        self.cluster.start_over();
    }

    /// Asks once for all that is wanted.
    pub(super) async fn round(&mut self, wanted: &Wanted) -> Result<Vec<Change>, Trouble> {
        self.progress.retain(|name, _| wanted.groups.iter().any(|group| group.key.name == *name));
        let mut names = self.names(wanted);
        let located = self.topics.locate(&mut self.cluster, &names).await?;
        let unknown = self.cluster.brokers().is_empty();
        if unknown {
            self.cluster.metadata(&metadata_request(std::iter::empty())).await?;
        }
        let mut asked = located || unknown;
        let queries = self.queries(wanted);
        let standings = self.groups.fetch(&mut self.cluster, queries).await;
        for (group, standing) in &standings {
            let topics = standing.committed.keys().map(|(topic, _)| topic.clone()).collect();
            self.progress.entry(group.clone()).or_default().topics = topics;
        }
        let all = self.names(wanted);
        if all != names {
            asked |= self.topics.locate(&mut self.cluster, &all).await?;
            names = all;
        }
        let troubles = self.topics.measure(&mut self.cluster, &names).await;
        self.judge(asked, names.is_empty(), &troubles).await?;
        let now = Utc::now();
        self.topics.observe(&names, now);
        let mut changes = self.topics.report(&self.environment, &wanted.topics, now);
        let mut groups = self.report(wanted, &standings, now);
        age::fill(&mut self.cluster, &mut self.topics, &mut groups, |group| {
            wanted.groups.iter().any(|interest| interest.key == group.key && interest.with_time)
        })
        .await;
        if !groups.is_empty() {
            changes.push(Change::Groups(groups));
        }
        Ok(changes)
    }

    /// Decides whether the cluster answered. When nothing proves it, it is asked for its brokers alone.
    async fn judge(&mut self, asked: bool, idle: bool, troubles: &[Trouble]) -> Result<(), Trouble> {
        let Some(trouble) = troubles.first() else {
            if idle && !asked {
                self.cluster.metadata(&metadata_request(std::iter::empty())).await?;
            }
            return Ok(());
        };
        self.cluster.metadata(&metadata_request(std::iter::empty())).await?;
        // The bootstrap address answers, but none of the brokers that it names can be reached.
        if self.cluster.nobody_is_reachable() { Err(trouble.clone()) } else { Ok(()) }
    }

    /// All topics that matter: wanted themselves, or read by a wanted group.
    fn names(&self, wanted: &Wanted) -> BTreeSet<Arc<str>> {
        let mut names = wanted.topics.clone();
        for group in &wanted.groups {
            names.extend(group.topics.iter().cloned());
            if group.topics.is_empty() {
                names.extend(
                    self.progress.get(&group.key.name).into_iter().flat_map(|known| known.topics.iter().cloned()),
                );
            }
        }
        names
    }

    fn queries(&self, wanted: &Wanted) -> Vec<Query> {
        let query = |group: &GroupInterest| {
            let partitions = (!group.topics.is_empty()).then(|| {
                let known = |topic: &Arc<str>| Some((topic.clone(), self.topics.partitions(topic)?));
                group.topics.iter().filter_map(known).collect()
            });
            Query { group: group.key.name.clone(), partitions }
        };
        wanted.groups.iter().map(query).collect()
    }

    fn report(&mut self, wanted: &Wanted, standings: &HashMap<Arc<str>, Standing>, now: Time) -> Vec<Group> {
        let mut groups = Vec::with_capacity(standings.len());
        for interest in &wanted.groups {
            let Some(standing) = standings.get(&interest.key.name) else { continue };
            let partitions = lags(&self.topics, interest, standing);
            let progress = self.progress.entry(interest.key.name.clone()).or_default();
            let counted = partitions.iter().filter_map(|lag| Some((lag.committed?, lag.high)));
            let (committed, ends) = counted.fold((0, 0), |sums, (commit, end)| (sums.0 + commit, sums.1 + end));
            let known = partitions.iter().filter(|lag| lag.committed.is_some()).map(|lag| (&lag.topic, lag.partition));
            progress.consumed.observe(now, committed, known.clone());
            progress.produced.observe(now, ends, known.clone());
            let span = progress.consumed.leap_span().filter(|_| known.clone().next().is_some());
            groups.push(Group {
                key: interest.key.clone(),
                state: standing.state.clone(),
                members: standing.members,
                partitions,
                consumed_per_second: span.and_then(|(begin, end)| progress.consumed.rate_between(begin, end)),
                produced_per_second: span.and_then(|(begin, end)| progress.produced.rate_between(begin, end)),
                observed_at: now,
            });
        }
        groups
    }
}

/// A group's progress in the partitions that matter, as far as their ends are known.
fn lags(topics: &Topics, interest: &GroupInterest, standing: &Standing) -> Vec<PartitionLag> {
    let mut places: BTreeSet<(Arc<str>, i32)> = BTreeSet::new();
    for topic in &interest.topics {
        let partitions = topics.partitions(topic).unwrap_or_default();
        places.extend(partitions.into_iter().map(|partition| (topic.clone(), partition)));
    }
    if interest.topics.is_empty() {
        places.extend(standing.committed.keys().cloned());
    }
    let lag = |(topic, partition): (Arc<str>, i32)| {
        let ends = topics.ends(&topic, partition)?;
        let committed = standing.committed.get(&(topic.clone(), partition)).copied();
        Some(PartitionLag { topic, partition, committed, low: ends.low, high: ends.high, behind_ms: None })
    };
    places.into_iter().filter_map(lag).collect()
}
