//! The partitions that are read: who leads them, how far reading has come, and which of them must wait.
//!
//! Why some wait: a backlog is read faster than it was written, and one partition may come days ahead of another.
//! The engine would have to hold all windows in between open. So a partition whose newest record was written more
//! than a minute after that of the slowest one with a backlog is not asked for, until that one follows.
//!
//! All loops of a reader run on one thread and share this; a borrow is never held across an await.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tokio::sync::{Notify, mpsc};

use super::spares::Spares;
use super::{Assignment, News};
use crate::model::Time;
use crate::source::kafka::topics::{NOBODY, topic_name};

/// How far the newest record of a partition may be ahead of the slowest one, milliseconds.
const AHEAD: i64 = 60_000;
/// Bytes asked for of one partition.
const PARTITION_BYTES: i32 = 1 << 20;
/// Bytes asked for of one broker.
const BROKER_BYTES: i32 = 8 << 20;
/// The most that is asked for when one batch is larger than that.
const LARGEST_PARTITION_BYTES: i32 = 128 << 20;
/// How long a broker waits for enough bytes.
const WAIT_MS: i32 = 200;
/// Enough bytes: fewer answers, at the cost of that wait.
const ENOUGH_BYTES: i32 = 64 << 10;

/// Trouble of the cluster as a whole, where brokers have their number.
pub(super) const CLUSTER: i32 = -1;
/// Trouble with a topic.
pub(super) const TOPIC: i32 = -2;

/// Where reading of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Latest,
    Earliest,
    /// Milliseconds since 1970.
    Time(i64),
    Offset(i64),
}

/// A partition.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub topic: Arc<str>,
    pub partition: i32,
    /// The turn of the wish for which it is read; 0 where nobody wishes.
    pub turn: u64,
    pub leader: i32,
    /// Where to begin, while there is no position.
    pub origin: Origin,
    /// Whether its broker refused to have it read.
    pub forbidden: bool,
    /// Offset to ask for next; `None` until it is known where to begin.
    pub position: Option<i64>,
    /// Offset after the last record.
    pub end: i64,
    /// When the newest record that was read was written, milliseconds since 1970.
    pub newest_ms: Option<i64>,
    /// Whether it was told that there is nothing more to read.
    pub told_caught_up: bool,
    /// The offset that the broker no longer has, while it is looked up where it begins now.
    pub lost_from: Option<i64>,
    /// Whether its beginning was told.
    pub begun: bool,
    /// The loop that has noted records of it and not yet handed them over: no other may read on before.
    pub holder: Option<u32>,
    bytes: i32,
}

impl Place {
    pub(super) const fn new(topic: Arc<str>, partition: i32, origin: Origin) -> Self {
        Self {
            topic,
            partition,
            turn: 0,
            leader: NOBODY,
            origin,
            forbidden: false,
            position: None,
            end: 0,
            newest_ms: None,
            told_caught_up: false,
            lost_from: None,
            begun: false,
            holder: None,
            bytes: PARTITION_BYTES,
        }
    }

    fn backlog(&self) -> bool {
        self.position.is_some_and(|position| position < self.end)
    }

    /// The offset from which it would be read on, where that is known.
    pub(super) fn reached(&self) -> Option<i64> {
        self.position.or(self.lost_from).or(match self.origin {
            Origin::Offset(offset) => Some(offset),
            Origin::Latest | Origin::Earliest | Origin::Time(_) => None,
        })
    }

    /// The first batch did not fit: more is asked for next time.
    pub(super) fn widen(&mut self) {
        self.bytes = self.bytes.saturating_mul(2).min(LARGEST_PARTITION_BYTES);
    }
}

/// The partitions by number, and what the loops tell each other.
#[derive(Debug)]
pub(super) struct Places {
    by_number: RefCell<BTreeMap<u32, Place>>,
    next_number: Cell<u32>,
    turn: Cell<usize>,
    /// Brokers that do not answer: since when and why.
    troubles: RefCell<BTreeMap<i32, (Time, Arc<str>)>>,
    told_stalled: Cell<bool>,
    /// Rung when the layout may have changed.
    pub doubt: Notify,
    /// Rung when a broker may have something new to ask for.
    pub work: Notify,
    pub news: mpsc::Sender<News>,
    pub spares: Spares,
    pub only_committed: bool,
}

impl Places {
    pub(super) fn new(news: mpsc::Sender<News>, only_committed: bool) -> Self {
        Self {
            by_number: RefCell::default(),
            next_number: Cell::new(0),
            turn: Cell::new(0),
            troubles: RefCell::default(),
            told_stalled: Cell::new(false),
            doubt: Notify::new(),
            work: Notify::new(),
            news,
            spares: Spares::default(),
            only_committed,
        }
    }

    /// Looks at all partitions.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<u32, Place>) -> T) -> T {
        look(&mut self.by_number.borrow_mut())
    }

    /// Adds a partition.
    pub(super) fn add(&self, place: Place) {
        let number = self.next_number.get();
        self.next_number.set(number.wrapping_add(1));
        self.by_number.borrow_mut().insert(number, place);
    }

    /// Says where reading of a partition begins, or goes on after a loss.
    pub(super) async fn begin(&self, number: u32, position: i64) {
        let news = self.with(|places| {
            let place = places.get_mut(&number)?;
            place.position = Some(position);
            place.told_caught_up = false;
            if std::mem::replace(&mut place.begun, true) {
                let gone = place.lost_from.take().map_or(0, |from| position.saturating_sub(from));
                return Some(News::Lost { place: number, records: u64::try_from(gone).unwrap_or(0) });
            }
            let (topic, partition, turn) = (place.topic.clone(), place.partition, place.turn);
            let end = place.end.max(position);
            Some(News::Assigned(Assignment { place: number, topic, partition, position, end, turn }))
        });
        if let Some(news) = news {
            self.tell(news).await;
        }
    }

    /// Tells the engine; false when it no longer listens.
    pub(super) async fn tell(&self, news: News) -> bool {
        self.news.send(news).await.is_ok()
    }

    /// A broker does not answer.
    pub(super) async fn failed(&self, broker: i32, why: Arc<str>) {
        self.note_trouble(broker, &why);
        self.doubt.notify_one();
        let since = self.troubles.borrow().values().map(|(since, _)| *since).min();
        self.tell(News::Stalled { since: since.unwrap_or_else(Utc::now), why }).await;
    }

    /// A topic cannot be read; told once for the same words.
    pub(super) async fn refused(&self, why: Arc<str>) {
        if self.note_trouble(TOPIC, &why) {
            self.tell(News::Refused { why }).await;
        }
    }

    /// Whether the words are new.
    fn note_trouble(&self, owner: i32, why: &Arc<str>) -> bool {
        self.told_stalled.set(true);
        let mut troubles = self.troubles.borrow_mut();
        let before = troubles.get(&owner).cloned();
        let since = before.as_ref().map_or_else(Utc::now, |(since, _)| *since);
        troubles.insert(owner, (since, why.clone()));
        before.is_none_or(|(_, words)| words != *why)
    }

    /// A broker answers, or is not needed any more.
    pub(super) async fn recovered(&self, broker: i32) {
        let whole = {
            let mut troubles = self.troubles.borrow_mut();
            troubles.remove(&broker);
            troubles.is_empty()
        };
        if whole && self.told_stalled.replace(false) {
            self.tell(News::Flowing).await;
        }
    }

    /// Brokers with trouble.
    pub(super) fn troubled(&self) -> Vec<i32> {
        self.troubles.borrow().keys().copied().collect()
    }

    /// A loop has handed over what it noted of a partition.
    pub(super) fn release(&self, number: u32, reader: u32) {
        self.with(|places| {
            if let Some(place) = places.get_mut(&number).filter(|place| place.holder == Some(reader)) {
                place.holder = None;
            }
        });
    }

    /// The next question of a loop to its broker, and the numbers of the partitions in it in order; `None` when there is none.
    pub(super) fn question(&self, broker: i32, reader: u32) -> Option<(FetchRequest, Vec<u32>)> {
        let places = self.by_number.borrow();
        let slowest = places.values().filter(|place| place.backlog()).map(|place| place.newest_ms.unwrap_or(i64::MIN));
        let limit = slowest.min().map_or(i64::MAX, |slowest| slowest.saturating_add(AHEAD));
        let waits = |place: &Place| {
            place.newest_ms.is_some_and(|newest| newest > limit) || place.holder.is_some_and(|holder| holder != reader)
        };
        let mut asked: Vec<(u32, &Place)> = places
            .iter()
            .filter(|(_, place)| place.leader == broker && place.position.is_some() && !waits(place))
            .map(|(number, place)| (*number, place))
            .collect();
        if asked.is_empty() {
            return None;
        }
        // A broker fills its answer in the order of the question, so that each one must begin with another.
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let first = turn.checked_rem(asked.len()).unwrap_or(0);
        asked.rotate_left(first);
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (_, place) in &asked {
            let partition = FetchPartition::default()
                .with_partition(place.partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(place.position.unwrap_or(0))
                .with_partition_max_bytes(place.bytes);
            if let Some(topic) = topics.iter_mut().find(|topic| topic.topic.as_str() == &*place.topic) {
                topic.partitions.push(partition);
            } else {
                let topic = FetchTopic::default().with_topic(topic_name(&place.topic));
                topics.push(topic.with_partitions(vec![partition]));
            }
        }
        let request = FetchRequest::default()
            .with_replica_id((-1).into())
            .with_max_wait_ms(WAIT_MS)
            .with_min_bytes(ENOUGH_BYTES)
            .with_max_bytes(BROKER_BYTES)
            .with_isolation_level(i8::from(self.only_committed))
            .with_session_epoch(-1)
            .with_topics(topics);
        Some((request, asked.into_iter().map(|(number, _)| number).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(newest: &[(Option<i64>, i64)]) -> Places {
        let places = Places::new(mpsc::channel(1).0, true);
        for (number, (newest_ms, backlog)) in (0..).zip(newest) {
            let mut place = Place::new("events".into(), number, Origin::Earliest);
            place.leader = 1;
            place.position = Some(100);
            place.end = 100 + backlog;
            place.newest_ms = *newest_ms;
            places.add(place);
        }
        places
    }

    fn asked(places: &Places) -> Vec<u32> {
        let mut numbers = places.question(1, 0).map(|(_, numbers)| numbers).unwrap_or_default();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn a_partition_far_ahead_of_a_backlog_waits_for_it() {
        let day = 86_400_000;
        let places = places(&[(Some(0), 10), (Some(AHEAD), 10), (Some(AHEAD + 1), 10), (Some(day), 0)]);
        assert_eq!(asked(&places), [0, 1]);
        places.with(|places| places.get_mut(&0).unwrap().position = Some(110));
        assert_eq!(asked(&places), [0, 1, 2], "the first has no backlog, so the second is the slowest now");
        places.with(|places| places.values_mut().for_each(|place| place.end = place.position.unwrap()));
        assert_eq!(asked(&places), [0, 1, 2, 3], "live, all are read");
    }

    #[test]
    fn a_partition_that_was_not_read_yet_is_the_slowest() {
        assert_eq!(asked(&places(&[(None, 10), (Some(0), 10), (None, 0)])), [0, 2]);
    }

    #[test]
    fn a_partition_whose_records_are_still_handed_over_is_read_by_no_other_loop() {
        let places = places(&[(None, 1), (None, 1)]);
        places.with(|places| places.get_mut(&0).unwrap().holder = Some(7));
        assert_eq!(asked(&places), [1]);
        assert_eq!(places.question(1, 7).map(|(_, numbers)| numbers.len()), Some(2), "it may itself read on");
        places.release(0, 8);
        assert_eq!(asked(&places), [1], "only who holds it lets it go");
        places.release(0, 7);
        assert_eq!(asked(&places), [0, 1]);
    }

    #[test]
    fn answers_begin_with_another_partition_each_time() {
        let places = places(&[(None, 1), (None, 1), (None, 1)]);
        let firsts: Vec<u32> = (0..3).filter_map(|_| places.question(1, 0)?.1.first().copied()).collect();
        assert_eq!(firsts, [0, 1, 2]);
        assert!(places.question(2, 0).is_none(), "another broker leads none of them");
    }
}
