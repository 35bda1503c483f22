//! Where partitions lie and where reading of them begins.
//!
//! How: the cluster is asked for its topics now and then, and at once when a broker or a partition fails. A partition
//! that was not there before is read whole. A topic that was deleted and made again (its id tells, where brokers have
//! one) is read from its beginning; a log that was cut shorter is read on from its end. Each broker that leads a
//! partition has a loop; one that leads none any more has it retired. That a topic is gone is believed slowly
//! ([`Sighting`]).

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::broker::{self, Route};
use super::places::{CLUSTER, Origin, Place, Places, TOPIC};
use super::sighting::Sighting;
use super::{News, Subscription, Wishes};
use crate::source::kafka::cluster::Cluster;
use crate::source::kafka::properties::ClientProperties;
use crate::source::kafka::topics::{EARLIEST, LATEST, NOBODY, Share, ends_request, metadata_request};
use crate::source::kafka::trouble::Trouble;
use crate::source::kafka::wire::Address;
use crate::source::link::backoff;

/// Between two looks at the topics.
const INTERVAL: Duration = Duration::from_secs(5);
/// Between two looks when there is doubt.
const SHORTEST: Duration = Duration::from_millis(300);
/// How long a broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long reading waits for the beginnings of all partitions, milliseconds.
const WAIT_FOR_ALL_MS: i64 = 10_000;
/// The newest version of the question for offsets.
const OFFSETS_NEWEST: i16 = 7;

/// Keeps the layout of what is read.
pub(super) struct Layout {
    cluster: Cluster,
    subscription: Subscription,
    places: Rc<Places>,
    /// Milliseconds since 1970.
    begun_at: i64,
    sightings: HashMap<Arc<str>, Sighting>,
    /// What ends the loop of each broker.
    loops: BTreeMap<i32, (Address, CancellationToken)>,
    next_loop: u32,
}

impl Layout {
    pub(super) fn new(properties: Arc<ClientProperties>, subscription: Subscription, places: Rc<Places>) -> Self {
        Self {
            cluster: Cluster::new(properties, PATIENCE),
            subscription,
            places,
            begun_at: Utc::now().timestamp_millis(),
            sightings: HashMap::new(),
            loops: BTreeMap::new(),
            next_loop: 0,
        }
    }

    /// Keeps the layout until the engine no longer listens.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        while !self.places.news.is_closed() {
            match self.look().await {
                Ok(()) => {
                    failures = 0;
                    self.places.recovered(CLUSTER).await;
                    self.wait().await;
                }
                Err(trouble) => {
                    self.places.failed(CLUSTER, trouble.to_string().into()).await;
                    self.cluster.start_over();
                    sleep(backoff(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    async fn wait(&mut self) {
        let begun = Instant::now();
        tokio::select! {
            () = sleep_until(begun + INTERVAL) => {
                if !self.places.troubled().is_empty() {
                    // Certificates and tokens may have been renewed meanwhile.
                    self.cluster.start_over();
                    self.stop_troubled();
                }
            }
            () = self.places.doubt.notified() => sleep_until(begun + SHORTEST).await,
            () = changed(&mut self.subscription.only) => {}
        }
    }

    /// Lets go of partitions that are not wished for any more.
    async fn let_go(&self) {
        let gone = self.places.with(|places| {
            let wish = |place: &Place| self.subscription.wish(&place.topic, place.partition);
            let is_wished = |place: &Place| wish(place).is_some_and(|wish| wish.turn == place.turn);
            places.iter().filter(|(_, place)| !is_wished(place)).map(|(number, _)| *number).collect()
        });
        self.revoke(gone).await;
    }

    async fn look(&mut self) -> Result<(), Trouble> {
        let answer = self.cluster.metadata(&metadata_request(self.subscription.topics.iter())).await?;
        self.let_go().await;
        let mut problems: Vec<String> = Vec::new();
        for topic in &answer.topics {
            let Some(name) = topic.name.as_ref().map(|name| Arc::<str>::from(name.as_str())) else { continue };
            match problem(topic, &name) {
                None => self.lay_out(&name, topic).await,
                Some(problem) => {
                    let is_missing = matches!(topic.error_code.err(), Some(ResponseError::UnknownTopicOrPartition));
                    if !is_missing || self.miss(&name).await {
                        problems.push(problem);
                    }
                }
            }
        }
        let forbidden = self.places.with(|places| places.values().any(|place| place.forbidden));
        if !problems.is_empty() {
            self.places.refused(problems.join("; ").into()).await;
        } else if !forbidden {
            self.places.recovered(TOPIC).await;
        }
        self.begin().await?;
        if self.may_read() { self.keep_loops().await } else { Ok(()) }
    }

    /// Whether the beginnings of all partitions are known, or were waited for long enough: events of a partition that
    /// joins later may come too late to be counted.
    fn may_read(&self) -> bool {
        let waited = Utc::now().timestamp_millis().saturating_sub(self.begun_at);
        let all_begun = self.places.with(|places| places.values().all(|place| place.begun || place.leader == NOBODY));
        all_begun || waited >= WAIT_FOR_ALL_MS
    }

    /// Takes over leaders, new partitions and a new identity.
    async fn lay_out(&mut self, name: &Arc<str>, topic: &MetadataResponseTopic) {
        if topic.partitions.is_empty() {
            return;
        }
        let id = (!topic.topic_id.is_nil()).then(|| topic.topic_id.to_string());
        let sighting = self.sightings.entry(name.clone()).or_default();
        let is_another = sighting.seen(id);
        let leaders: BTreeMap<i32, i32> =
            topic.partitions.iter().map(|part| (part.partition_index, part.leader_id.0)).collect();
        let known: Vec<i32> = self.places.with(|places| {
            let mut known = Vec::new();
            for place in places.values_mut().filter(|place| place.topic == *name) {
                known.push(place.partition);
                place.leader = leaders.get(&place.partition).copied().unwrap_or(NOBODY);
                if is_another {
                    place.position = None;
                    place.origin = Origin::Earliest;
                    place.lost_from = None;
                }
            }
            known
        });
        let fresh: Vec<_> = leaders.iter().filter(|(partition, _)| !known.contains(partition)).collect();
        for (partition, leader) in fresh {
            let Some(wish) = self.subscription.wish(name, *partition) else { continue };
            let origin = sighting.origin(*partition, wish, &self.subscription.start, self.begun_at);
            let mut place = Place::new(name.clone(), *partition, origin);
            (place.leader, place.turn) = (*leader, wish.turn);
            self.places.add(place);
        }
        sighting.laid_out();
        // A topic never loses partitions, but a broker that lags behind may name fewer: only another topic has fewer.
        if is_another || !sighting.has_id() {
            let gone = self.places.with(|places| {
                let is_gone = |place: &Place| place.topic == *name && !leaders.contains_key(&place.partition);
                places.iter().filter(|(_, place)| is_gone(place)).map(|(number, _)| *number).collect()
            });
            self.revoke(gone).await;
        }
    }

    /// A broker says that there is no such topic. Answers whether a person should hear of it.
    async fn miss(&mut self, name: &Arc<str>) -> bool {
        let sighting = self.sightings.entry(name.clone()).or_default();
        if !sighting.missed(Instant::now()) {
            return !sighting.is_known();
        }
        let of_it: Vec<(u32, Place)> = self.places.with(|places| {
            let of_it = places.iter().filter(|(_, place)| place.topic == *name);
            of_it.map(|(number, place)| (*number, place.clone())).collect()
        });
        // What was noted as read is handed over first, so that the offsets that are kept are true.
        if of_it.iter().all(|(_, place)| place.holder.is_none()) {
            for (_, place) in &of_it {
                if let Some(offset) = place.reached() {
                    sighting.keep(place.partition, place.turn, offset);
                }
            }
            self.revoke(of_it.into_iter().map(|(number, _)| number).collect()).await;
        }
        true
    }

    async fn revoke(&self, gone: Vec<u32>) {
        for place in gone {
            let known = self.places.with(|places| places.remove(&place)).is_some_and(|place| place.begun);
            if known {
                self.places.tell(News::Revoked { place }).await;
            }
        }
    }

    /// Finds out where to begin, for all partitions that have no position.
    async fn begin(&mut self) -> Result<(), Trouble> {
        let waiting: Vec<(u32, Place)> = self.places.with(|places| {
            let waits = |place: &Place| place.position.is_none() && place.leader != NOBODY;
            places.iter().filter(|(_, place)| waits(place)).map(|(number, place)| (*number, place.clone())).collect()
        });
        if waiting.is_empty() {
            return Ok(());
        }
        let mut times = vec![LATEST, EARLIEST];
        times.extend(waiting.iter().filter_map(|(_, place)| match place.origin {
            Origin::Time(time) => Some(time),
            _ => None,
        }));
        times.dedup();
        let mut found: HashMap<(Arc<str>, i32, i64), i64> = HashMap::new();
        for time in times {
            self.offsets_at(time, &waiting, &mut found).await?;
        }
        for (number, place) in waiting {
            let offset = |time: i64| found.get(&(place.topic.clone(), place.partition, time)).copied();
            if let (Some(latest), Some(earliest)) = (offset(LATEST), offset(EARLIEST)) {
                let at_time = |time: i64| offset(time).filter(|offset| *offset >= 0);
                let position = beginning(&place, earliest, latest, &at_time);
                self.places.with(|places| {
                    if let Some(place) = places.get_mut(&number) {
                        place.end = latest;
                        place.origin = Origin::Earliest;
                    }
                });
                self.places.begin(number, position).await;
            } else if place.origin == Origin::Latest {
                // Its leader does not answer yet; what is written meanwhile is wanted all the same.
                let begun_at = self.begun_at;
                self.places.with(|places| {
                    if let Some(place) = places.get_mut(&number) {
                        place.origin = Origin::Time(begun_at);
                    }
                });
                self.places.doubt.notify_one();
            } else {
                self.places.doubt.notify_one();
            }
        }
        self.places.work.notify_waiters();
        Ok(())
    }

    async fn offsets_at(
        &mut self,
        time: i64,
        waiting: &[(u32, Place)],
        found: &mut HashMap<(Arc<str>, i32, i64), i64>,
    ) -> Result<(), Trouble> {
        let mut shares: BTreeMap<i32, Share> = BTreeMap::new();
        for (_, place) in waiting {
            let share = shares.entry(place.leader).or_default();
            share.entry(place.topic.clone()).or_default().push(place.partition);
        }
        let isolation = i8::from(self.places.only_committed);
        let build = |share: &Share, _: i16| vec![ends_request(share, time).with_isolation_level(isolation)];
        let answers =
            self.cluster.ask::<ListOffsetsRequest, _, _>(shares.into_iter().collect(), OFFSETS_NEWEST, build).await;
        for answer in answers {
            // A broker that does not answer is told of by its loop.
            for topic in answer.result.into_iter().flatten().flat_map(|response| response.topics) {
                for part in topic.partitions.iter().filter(|part| part.error_code.is_ok()) {
                    found.insert((topic.name.as_str().into(), part.partition_index, time), part.offset);
                }
            }
        }
        Ok(())
    }

    /// One loop for each broker that leads something.
    async fn keep_loops(&mut self) -> Result<(), Trouble> {
        let access = self.cluster.access().await?;
        let leaders = self
            .places
            .with(|places| places.values().map(|place| place.leader).collect::<std::collections::BTreeSet<i32>>());
        let wanted: BTreeMap<i32, Address> = self
            .cluster
            .addresses()
            .iter()
            .filter(|(broker, _)| leaders.contains(broker))
            .map(|(broker, address)| (*broker, address.clone()))
            .collect();
        let gone: Vec<i32> =
            self.loops.iter().filter(|(id, (at, _))| wanted.get(id) != Some(at)).map(|(id, _)| *id).collect();
        for broker in gone {
            if let Some((_, retired)) = self.loops.remove(&broker) {
                retired.cancel();
                self.places.recovered(broker).await;
            }
        }
        for (broker, address) in wanted {
            self.loops.entry(broker).or_insert_with(|| {
                let (reader, retired) = (self.next_loop, CancellationToken::new());
                self.next_loop = reader.wrapping_add(1);
                let (target, access) = (address.clone(), access.clone());
                let route = Route { broker, reader, retired: retired.clone(), address: target, access };
                tokio::task::spawn_local(broker::run(route, self.places.clone()));
                (address, retired)
            });
        }
        Ok(())
    }

    /// Loops of brokers that do not answer begin anew, with fresh certificates and tokens.
    fn stop_troubled(&mut self) {
        for broker in self.places.troubled() {
            if let Some((_, retired)) = self.loops.remove(&broker) {
                retired.cancel();
            }
        }
    }
}

/// Waits for other wishes; for ever where nobody has any, or nobody has new ones any more.
async fn changed(wishes: &mut Option<watch::Receiver<Wishes>>) {
    if let Some(wishes) = wishes
        && wishes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Where to begin.
fn beginning(place: &Place, earliest: i64, latest: i64, at_time: &dyn Fn(i64) -> Option<i64>) -> i64 {
    if let Some(lost) = place.lost_from {
        // Cut off at the front by retention, or at the back by an election of a leader that had less.
        return lost.clamp(earliest, latest);
    }
    match place.origin {
        Origin::Latest => latest,
        Origin::Earliest => earliest,
        Origin::Offset(offset) => offset.clamp(earliest, latest),
        Origin::Time(time) => at_time(time).map_or(latest, |offset| offset.clamp(earliest, latest)),
    }
}

/// Why a topic cannot be read, for a person.
fn problem(topic: &MetadataResponseTopic, name: &str) -> Option<String> {
    match topic.error_code.err()? {
        ResponseError::LeaderNotAvailable => None,
        ResponseError::UnknownTopicOrPartition => Some(format!("the cluster has no topic {name}")),
        ResponseError::InvalidTopicException => Some(format!("{name} cannot be the name of a topic")),
        ResponseError::TopicAuthorizationFailed => {
            Some(format!("this user may not see {name}: it needs the ACL operation Describe on the topic"))
        }
        other => Some(format!("{name}: {other}")),
    }
}
