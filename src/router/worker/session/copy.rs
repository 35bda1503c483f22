//! The path of a record, and the transaction around it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chrono::Utc;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::choose::{Chooser, Spot};
use super::trouble::step;
use super::{Ended, Gauge, IDLE, LIMIT, Open, Session, number};
use crate::model::route::record::Control;
use crate::router::client::{is_passing, replaced};
use crate::router::course;
use crate::router::spec::{LANES, Spec};

/// Records that are copied before time, group and control topic are looked at again.
const BURST: usize = 500;
/// Wait for room in the producer's queue.
const FULL: Duration = Duration::from_millis(2);

impl Session<'_> {
    /// Copies some records.
    pub(super) fn copy(&mut self) -> Result<(), Ended> {
        // Records end a wait by themselves; a transaction that is due does not.
        let due = self.open.as_ref().map(|open| open.due.saturating_duration_since(Instant::now()));
        let idle = due.unwrap_or(IDLE).min(IDLE);
        for copied in 0..BURST {
            let wait = if copied == 0 { idle } else { Duration::ZERO };
            // The borrow of a message must not last: the group's turns are served by polling.
            match self.consumer.poll(wait) {
                None => return Ok(()),
                Some(Err(error)) => return self.mind(&error),
                Some(Ok(message)) => {
                    if self.consumer.context().has_turned() {
                        // It belongs to partitions that are no longer its own; nothing of it is kept.
                        return Ok(());
                    }
                    if self.control.as_ref().is_some_and(|control| control.fence().is_some()) {
                        // It was on its way when the fence came: reading begins at the same offset behind it.
                        continue;
                    }
                    if self.open.is_none() {
                        let control = self.control.clone();
                        let control = control.ok_or_else(|| Ended::Trouble("a record came while paused".to_owned()))?;
                        begin(&self.producer, &mut self.open, (self.spec, &control))?;
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    let topic = if self.reads.len() == 1 { 0 } else { number(&self.reads, message.topic())? };
                    let spot = (topic, partition);
                    let place = self.places.get_mut(&spot).filter(|place| offset >= place.next);
                    let Some(place) = place else {
                        let words = format!("record {offset} of partition {partition} came out of its order");
                        return Err(Ended::Trouble(words));
                    };
                    let path = (self.spec, self.open.as_mut(), self.gauge);
                    let lane = chosen(path, (&mut self.chooser, spot), &message)?;
                    if let (Some(lane), Some(open)) = (lane, &mut self.open) {
                        let size = send(&self.producer, open, &message)?;
                        self.gauge.bytes.fetch_add(size, Ordering::Relaxed);
                        if let Some(copied) = open.copied.get_mut(lane) {
                            *copied += 1;
                        }
                    }
                    place.next = offset + 1;
                    if let Some(open) = &mut self.open {
                        open.records += 1;
                        if open.records >= u64::from(self.spec.worker.commit_records) {
                            open.due = Instant::now();
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins a transaction by a control record.
    pub(super) fn begin(&mut self, control: &Arc<Control>) -> Result<(), Ended> {
        begin(&self.producer, &mut self.open, (self.spec, control))
    }

    /// Ends the transaction: records, offsets and marks, all or nothing.
    pub(super) fn commit(&mut self) -> Result<(), Ended> {
        let Some(open) = &self.open else { return Ok(()) };
        let at_ms = Utc::now().timestamp_millis();
        let mut offsets = TopicPartitionList::new();
        let mut marks = Vec::new();
        for (spot, place) in &self.places {
            if place.next == place.committed && place.epoch() == Some(open.control.epoch) {
                continue;
            }
            let mut mark = course::mark(&open.control, place.mark.as_ref(), place.committed, at_ms);
            mark.extent = self.chooser.as_mut().map(|chooser| chooser.extent(*spot, place.next));
            let text = serde_json::to_string(&mark).map_err(|error| Ended::Trouble(error.to_string()))?;
            let mut element = offsets.add_partition(self.reads.get(spot.0).copied().unwrap_or_default(), spot.1);
            element.set_offset(Offset::Offset(place.next)).map_err(step("note an offset"))?;
            element.set_metadata(text);
            marks.push((*spot, mark));
        }
        // Asked anew each time, because the generation moves; and then whether the partitions are still its own.
        let metadata = self.consumer.group_metadata();
        let metadata = metadata.ok_or_else(|| Ended::Trouble("it is not a member of the group".to_owned()))?;
        if self.consumer.assignment_lost() || self.consumer.context().has_turned() {
            return Err(Ended::Trouble("its partitions were taken away".to_owned()));
        }
        let (producer, gauge) = (&self.producer, self.gauge);
        let beating = |call: &dyn Fn() -> KafkaResult<()>| {
            gauge.beat();
            again(call)
        };
        beating(&|| producer.send_offsets_to_transaction(&offsets, &metadata, LIMIT))
            .map_err(step("put offsets into the transaction"))?;
        beating(&|| producer.commit_transaction(LIMIT)).map_err(step("end the transaction"))?;
        let copied = self.spec.lanes.iter().zip(open.copied);
        self.gauge.committed(copied.map(|(lane, count)| (lane.name.as_str(), count)));
        self.open = None;
        for (spot, mark) in marks {
            if let Some(place) = self.places.get_mut(&spot) {
                place.committed = place.next;
                place.mark = Some(mark);
            }
        }
        Ok(())
    }

    /// Whether an error of polling is one to live with.
    pub(super) fn mind(&self, error: &KafkaError) -> Result<(), Ended> {
        if replaced(&self.consumer) {
            return Err(Ended::Replaced);
        }
        if is_passing(error) {
            tracing::debug!(%error, "the client goes on");
            return Ok(());
        }
        Err(Ended::Trouble(format!("cannot read: {error}")))
    }
}

fn begin(
    producer: &impl Producer,
    open: &mut Option<Open>,
    (spec, control): (&Spec, &Arc<Control>),
) -> Result<(), Ended> {
    let topic = |name: &String| {
        let lane = spec.lane(name).map(|lane| spec.target(lane).to_owned());
        lane.ok_or_else(|| Ended::Trouble(format!("the spec has no lane named {name}")))
    };
    let lane = spec.lanes.iter().position(|lane| lane.name == control.lane).unwrap_or(0);
    let topics = std::iter::once(&control.lane).chain(&control.shadow).map(topic).collect::<Result<_, _>>()?;
    producer.begin_transaction().map_err(step("begin a transaction"))?;
    let every = Duration::from_millis(u64::try_from(spec.worker.commit_every.millis()).unwrap_or(100));
    *open = Some(Open {
        control: control.clone(),
        topics,
        lane,
        records: 0,
        copied: [0; LANES],
        due: Instant::now() + every,
    });
    Ok(())
}

/// The lane, by its number, by whose name a record is copied; `None` when it is not.
fn chosen(
    (spec, open, gauge): (&Spec, Option<&mut Open>, &Gauge),
    (chooser, spot): (&mut Option<Chooser>, Spot),
    message: &BorrowedMessage<'_>,
) -> Result<Option<usize>, Ended> {
    let Open { control, lane, .. } = open.ok_or_else(|| Ended::Trouble("no transaction is open".to_owned()))?;
    let Some(chooser) = chooser else { return Ok(Some(*lane)) };
    let lane = spec.lanes.get(spot.0).map_or("", |lane| &lane.name);
    let selection = control.selection.as_ref();
    let selection = selection.ok_or_else(|| Ended::Trouble("the control record says nothing of windows".to_owned()))?;
    match chooser.tells((selection, lane), spot, message) {
        Some(true) => Ok(Some(spot.0)),
        Some(false) => Ok(None),
        None => {
            gauge.unreadable.fetch_add(1, Ordering::Relaxed);
            let place = format!("{}/{}@{}", message.topic(), message.partition(), message.offset());
            gauge.complain(&format!("the window of the row {place} cannot be read: it is not told"));
            Ok(None)
        }
    }
}

/// Hands a record over as it came: key, value, headers, timestamp, partition. Answers its size.
fn send(
    producer: &rdkafka::producer::ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    open: &Open,
    message: &BorrowedMessage<'_>,
) -> Result<u64, Ended> {
    open.topics.iter().try_for_each(|topic| send_to(producer, topic, message))?;
    Ok((message.key_len() + message.payload_len()) as u64)
}

fn send_to(
    producer: &rdkafka::producer::ThreadedProducer<rdkafka::producer::DefaultProducerContext>,
    topic: &str,
    message: &BorrowedMessage<'_>,
) -> Result<(), Ended> {
    let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(message.partition());
    record.key = message.key();
    record.payload = message.payload();
    record.timestamp = message.timestamp().to_millis();
    record.headers = message.headers().map(rdkafka::message::BorrowedHeaders::detach);
    let deadline = Instant::now() + LIMIT;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if Instant::now() < deadline => {
                record = back;
                std::thread::park_timeout(FULL);
            }
            Err((error, _)) => return Err(step("hand a record over")(error)),
        }
    }
}

/// Calls again what the client says may be called again, for a while.
fn again(call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                std::thread::park_timeout(FULL);
            }
            outcome => return outcome,
        }
    }
}
