//! One life of a worker's clients: joins the group, copies in transactions, and ends at the first thing that is wrong.
//!
//! What makes it exact, step by step:
//! - The transactional id is the slot's: opening a session fences whoever used it before and ends what that one left open.
//! - Membership is static under the same name. Brokers then check the member of every offset commit, even of a client
//!   that has already forgotten its generation, which for other members they do not.
//! - A new owner takes a partition's offset only once no transaction on it is open, and goes on exactly there.
//! - A transaction has one lane. It holds records, the offsets behind them and the marks. A new control record ends
//!   the transaction; the next one begins the other lane.
//! - Partitions that are taken away end the transaction at once, unwritten.
//!
//! It must not mend a session: every error ends it.

mod choose;
mod copy;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use self::choose::{Chooser, Spot};
use self::trouble::step;
use super::{Gauge, Job};
use crate::model::route::record::{Control, Mark};
use crate::router::client::{FORGOTTEN, Turn, Watcher, config, end_forgotten, replaced};
use crate::router::course::{self, Course};
use crate::router::follow::Latest;
use crate::router::select;
use crate::router::spec::{LANES, Spec};

/// Longest wait for one answer of the transaction's coordinator.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest wait for a place among the transactions, or for the partitions' offsets: open transactions of a worker that
/// is gone are given up by the brokers after its timeout, at their next look.
const PATIENCE: Duration = Duration::from_secs(40);
/// One look for offsets.
const LOOK: Duration = Duration::from_secs(5);
/// Longest wait for a record where none comes: so soon a flip or the end is noticed.
const IDLE: Duration = Duration::from_millis(50);
/// Brokers give a transaction up when it is open for so long.
const TRANSACTION_MS: &str = "15000";
/// Heartbeats that tell a fenced member so.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Somebody wanted it.
    Stopped,
    /// Another process has the slot.
    Replaced,
    /// Something went wrong; another session may do better.
    Trouble(String),
}

/// A partition that it owns.
#[derive(Debug)]
struct Place {
    /// The next offset to copy.
    next: i64,
    /// The next offset to copy, by the last transaction.
    committed: i64,
    mark: Option<Mark>,
}

impl Place {
    fn epoch(&self) -> Option<u64> {
        self.mark.as_ref().map(|mark| mark.epoch)
    }
}

/// A transaction on its way.
struct Open {
    control: Arc<Control>,
    /// The active lane's, then the shadow's; or the destination.
    topics: Vec<String>,
    /// Number of the active lane in the order of the spec.
    lane: usize,
    /// Records that were looked at.
    records: u64,
    /// Those that were copied, by lane in the order of the spec.
    copied: [u64; LANES],
    due: Instant,
}

/// One life of the clients.
pub(super) struct Session<'a> {
    job: &'a Job,
    spec: &'a Spec,
    /// Topics that are read, in the order of the spec.
    reads: Vec<&'a str>,
    /// Which rows are told, where the route selects.
    chooser: Option<Chooser>,
    latest: &'a Latest,
    gauge: &'a Gauge,
    consumer: BaseConsumer<Watcher>,
    producer: ThreadedProducer<DefaultProducerContext>,
    places: BTreeMap<Spot, Place>,
    /// What holds for all places; `None` while it may not copy, and then they are paused.
    control: Option<Arc<Control>>,
    /// Number of the record that `control` was judged by.
    judged: Option<u64>,
    open: Option<Open>,
}

impl<'a> Session<'a> {
    /// Takes the slot and joins the group.
    pub(super) fn open(job: &'a Job, latest: &'a Latest, gauge: &'a Gauge) -> Result<Self, Ended> {
        gauge.beat();
        let name = job.name();
        let ours = [
            ("transactional.id", name.as_str()),
            ("transaction.timeout.ms", TRANSACTION_MS),
            ("enable.idempotence", "true"),
            ("delivery.report.only.error", "true"),
            ("queue.buffering.max.messages", "200000"),
            ("queue.buffering.max.kbytes", "65536"),
            ("linger.ms", "5"),
            ("batch.num.messages", "100000"),
            ("client.id", name.as_str()),
        ];
        let mut producing = config(&job.properties, &ours);
        if job.properties.get("compression.type").is_none() {
            producing.set("compression.type", "lz4");
        }
        let producer: ThreadedProducer<_> = producing.create().map_err(step("make a producer"))?;
        producer.init_transactions(PATIENCE).map_err(step("take the slot's transactions"))?;
        gauge.beat();
        let group = job.spec.worker_group();
        let ours = [
            ("group.id", group.as_str()),
            ("group.instance.id", name.as_str()),
            ("group.protocol", "classic"),
            ("partition.assignment.strategy", "range,roundrobin"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1000"),
            // Longer than the end of a transaction may take; so long others may wait for one that is gone.
            ("max.poll.interval.ms", "45000"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "false"),
            ("fetch.queue.backoff.ms", "5"),
            ("queued.max.messages.kbytes", "32768"),
            ("client.id", name.as_str()),
        ];
        let consumer: BaseConsumer<Watcher> =
            config(&job.properties, &ours).create_with_context(Watcher::default()).map_err(step("make a consumer"))?;
        let (reads, chooser) = (job.spec.reads(), Chooser::of(job));
        consumer.subscribe(&reads).map_err(step("join the group"))?;
        let (places, control, judged, open) = (BTreeMap::new(), None, None, None);
        let spec = &job.spec;
        Ok(Self { job, spec, reads, chooser, latest, gauge, consumer, producer, places, control, judged, open })
    }

    /// Copies until told to stop, or until something is wrong.
    pub(super) fn run(mut self, stop: &AtomicBool) -> Ended {
        let ended = self.copy_until(stop).err().unwrap_or(Ended::Stopped);
        let ended = self.fenced_by_whom(ended);
        if self.open.take().is_some()
            && let Err(error) = self.producer.abort_transaction(LIMIT)
        {
            tracing::debug!(%error, "the transaction is left to the brokers");
        }
        self.gauge.beat();
        ended
    }

    fn copy_until(&mut self, stop: &AtomicBool) -> Result<(), Ended> {
        while !stop.load(Ordering::Relaxed) {
            self.gauge.beat();
            self.take_turns()?;
            self.judge()?;
            self.copy()?;
            if self.open.as_ref().is_some_and(|open| Instant::now() >= open.due) {
                self.commit()?;
            }
        }
        self.take_turns()?;
        self.commit()
    }

    /// Does what the group did to its partitions.
    fn take_turns(&mut self) -> Result<(), Ended> {
        if !self.consumer.context().has_turned() {
            return Ok(());
        }
        let Some(turn) = self.consumer.context().turns().pop_back() else { return Ok(()) };
        // Whatever came before the last turn is over too.
        if self.open.take().is_some() {
            self.producer.abort_transaction(LIMIT).map_err(step("give up a transaction"))?;
        }
        self.places.clear();
        if let Some(chooser) = &mut self.chooser {
            chooser.clear();
        }
        (self.control, self.judged) = (None, None);
        self.gauge.partitions.store(0, Ordering::Relaxed);
        if let Turn::Assigned(partitions) = turn {
            self.settle(partitions)?;
        }
        Ok(())
    }

    /// Takes partitions where the last transaction on them ended.
    fn settle(&mut self, mut partitions: TopicPartitionList) -> Result<(), Ended> {
        self.gauge.rebalances.fetch_add(1, Ordering::Relaxed);
        let Some(committed) = self.committed(&partitions)? else { return Ok(()) };
        for element in committed.elements() {
            let (partition, topic) = (element.partition(), element.topic());
            let mark = Mark::read(element.metadata()).map_err(|error| {
                Ended::Trouble(format!("what is kept beside the offset of {topic}/{partition} is not ours: {error}"))
            })?;
            let (low, _) = self.consumer.fetch_watermarks(topic, partition, LOOK).map_err(step("ask for offsets"))?;
            let next = match element.offset() {
                Offset::Offset(next) if next < low => {
                    let deleted = u64::try_from(low - next).unwrap_or(0);
                    tracing::error!(topic, partition, deleted, "records were deleted before they were routed");
                    self.gauge.deleted.fetch_add(deleted, Ordering::Relaxed);
                    low
                }
                Offset::Offset(next) => next,
                _ => low,
            };
            partitions
                .set_partition_offset(topic, partition, Offset::Offset(next))
                .map_err(step("begin at an offset"))?;
            let spot = (number(&self.reads, topic)?, partition);
            if let Some(chooser) = &mut self.chooser {
                chooser.settle(spot, mark.as_ref().and_then(|mark| mark.extent.as_ref()));
            }
            self.places.insert(spot, Place { next, committed: next, mark });
        }
        self.consumer.assign(&partitions).map_err(step("take partitions"))?;
        self.consumer.pause(&partitions).map_err(step("pause partitions"))?;
        self.gauge.partitions.store(self.places.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Where transactions on partitions ended, once none is open; `None` when the group has changed its mind meanwhile.
    fn committed(&self, partitions: &TopicPartitionList) -> Result<Option<TopicPartitionList>, Ended> {
        let deadline = Instant::now() + PATIENCE;
        let mut forgotten = Some(Instant::now() + FORGOTTEN);
        loop {
            self.gauge.beat();
            let answer = self.consumer.committed_offsets(partitions.clone(), LOOK);
            match answer {
                Ok(found) if found.elements().iter().all(|element| element.error().is_ok()) => return Ok(Some(found)),
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "offsets are not known yet"),
            }
            // Serves what the group does meanwhile.
            if let Some(Err(error)) = self.consumer.poll(IDLE) {
                self.mind(&error)?;
            }
            if self.consumer.context().has_turned() {
                return Ok(None);
            }
            if forgotten.take_if(|due| Instant::now() > *due).is_some() {
                end_forgotten(&self.producer, &self.consumer, partitions)
                    .map_err(step("end a forgotten transaction"))?;
            }
            if Instant::now() > deadline {
                return Err(Ended::Trouble("a transaction on its partitions does not end".to_owned()));
            }
        }
    }

    /// Finds out whether it may copy, and whether the lane has changed.
    fn judge(&mut self) -> Result<(), Ended> {
        let heard = self.latest.control();
        let epoch = heard.as_ref().map(|control| control.epoch);
        if self.places.is_empty() || (self.judged.is_some() && self.judged == epoch) {
            return Ok(());
        }
        let may = match course::course(heard.as_deref(), self.places.values().map(Place::epoch)) {
            Course::Go(_) => Ok(()),
            Course::Unruled => Err("no controller has named the active lane".to_owned()),
            Course::Behind { needs } => Err(format!("its partitions are at control record {needs}, not yet heard of")),
        };
        let control = match may {
            Ok(()) => heard,
            Err(words) => {
                self.gauge.wait(Some(words));
                return Ok(());
            }
        };
        let Some(control) = control else { return Ok(()) };
        if self.spec.lane(&control.lane).is_none() {
            self.gauge.wait(Some(format!("the spec has no lane named {}", control.lane)));
            return Ok(());
        }
        if self.chooser.is_some() != control.selection.is_some() {
            self.gauge.wait(Some("the last control record is of a route in the other mode".to_owned()));
            return Ok(());
        }
        // What was begun under the record before ends before anything goes by this one.
        self.commit()?;
        self.gauge.wait(None);
        self.gauge.epoch.store(control.epoch, Ordering::Relaxed);
        self.turn_to(&control)?;
        self.judged = epoch;
        let is_news = self.places.values().any(|place| place.epoch() != Some(control.epoch));
        self.control = Some(control.clone());
        if is_news {
            self.begin(&control)?;
        }
        Ok(())
    }

    /// Goes on by another record: stops at a fence, and reads again what a lane that has become active needs.
    fn turn_to(&mut self, control: &Control) -> Result<(), Ended> {
        let stood = self.control.as_ref().is_none_or(|control| control.fence().is_some());
        if control.fence().is_some() {
            let all = self.assigned()?;
            return self.consumer.pause(&all).map_err(step("stop at a fence"));
        }
        let moved = self.gain(control)?;
        if !stood && !moved {
            return Ok(());
        }
        let mut all = self.assigned()?;
        if self.chooser.is_some() {
            for ((topic, partition), place) in &self.places {
                let topic = self.reads.get(*topic).copied().unwrap_or_default();
                let next = Offset::Offset(place.next);
                all.set_partition_offset(topic, *partition, next).map_err(step("begin at an offset"))?;
            }
            self.consumer.assign(&all).map_err(step("take partitions"))?;
        }
        self.consumer.resume(&all).map_err(step("go on"))
    }

    /// Moves back where a lane has become the active one; whether anything moved.
    fn gain(&mut self, control: &Control) -> Result<bool, Ended> {
        let (Some(chooser), Some(selection)) = (&mut self.chooser, &control.selection) else { return Ok(false) };
        chooser.learn(self.job, control)?;
        let mut moved = false;
        for (spot, place) in &mut self.places {
            let lane = self.spec.lanes.get(spot.0).map_or("", |lane| &lane.name);
            if select::gains(selection, lane, place.epoch()) {
                place.next = chooser.rewind(*spot, place.next);
                place.committed = place.next;
                moved = true;
            }
        }
        self.gauge.beat();
        Ok(moved)
    }

    fn assigned(&self) -> Result<TopicPartitionList, Ended> {
        self.consumer.assignment().map_err(step("ask for its partitions"))
    }

    /// A fenced producer may have been too slow, or have a successor; heartbeats tell which.
    fn fenced_by_whom(&self, ended: Ended) -> Ended {
        let is_fenced =
            self.producer.client().fatal_error().is_some() || self.consumer.client().fatal_error().is_some();
        if !is_fenced || !matches!(ended, Ended::Trouble(_)) {
            return ended;
        }
        let deadline = Instant::now() + HEARTBEAT * 3;
        while Instant::now() < deadline {
            if replaced(&self.consumer) {
                return Ended::Replaced;
            }
            self.gauge.beat();
            if self.consumer.poll(IDLE).is_some() || self.consumer.context().has_turned() {
                std::thread::park_timeout(IDLE);
            }
        }
        ended
    }
}

/// The number of a topic among those that are read.
fn number(reads: &[&str], topic: &str) -> Result<usize, Ended> {
    let found = reads.iter().position(|known| *known == topic);
    found.ok_or_else(|| {
        Ended::Trouble(format!("the group gave it partitions of {topic}, which the route does not read"))
    })
}
