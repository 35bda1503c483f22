//! One term of a leading controller: from being given the requests' partition until it is taken away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::Utc;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use super::Job;
use super::auditor::{self, Case};
use super::checks::Board;
use crate::model::route::record::{
    Answer, Audit, Control, LaneStatus, Mark, PartitionStatus, Receipt, RecordError, Request, Signed, Status, VERSION,
};
use crate::router::client::{self, RouterError, Turn, Watcher, config, is_passing};
use crate::router::helm::{Helm, Moment};
use crate::source::kafka::ClientProperties;

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest wait for a place among the transactions.
const PATIENCE: Duration = Duration::from_secs(40);
/// Wait for requests.
const POLL: Duration = Duration::from_millis(50);
/// Between two looks at the partitions' marks while a flip is on its way, and while none is.
const MARKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));
/// Between two judgements.
const LOOK: Duration = Duration::from_millis(500);
/// Between two statuses.
const STATUS: Duration = Duration::from_secs(1);
/// After the last acknowledgement, before the audit: so that there is something behind the cut to look at.
const SETTLE: Duration = Duration::from_secs(1);
/// Longest wait for the first record behind the cut, where there are any: an audit of none says nothing.
const WITNESS: Duration = Duration::from_secs(10);
/// Answers that a status holds.
const ANSWERS: usize = 16;

/// A record to write: topic, key, text.
type Out = (String, &'static str, String);

/// How the partitions stand.
#[derive(Default)]
struct Partitions {
    marks: Vec<Option<Mark>>,
    routed: Vec<Option<i64>>,
    ends: Vec<Option<i64>>,
}

impl Partitions {
    fn epochs(&self) -> Vec<Option<u64>> {
        self.marks.iter().map(|mark| mark.as_ref().map(|mark| mark.epoch)).collect()
    }

    /// Whether records came behind a cut, of which none has reached the new lane yet.
    fn awaits_witness(&self) -> bool {
        let places = || self.marks.iter().zip(&self.routed).zip(&self.ends);
        let is_behind = |mark: &Option<Mark>, offset: Option<i64>| {
            mark.as_ref().zip(offset).is_some_and(|(mark, offset)| offset > mark.cut)
        };
        places().any(|((mark, _), end)| is_behind(mark, *end))
            && !places().any(|((mark, routed), _)| is_behind(mark, *routed))
    }
}

/// A term.
pub(super) struct Term<'a> {
    job: &'a Job,
    requests: BaseConsumer<Watcher>,
    producer: ThreadedProducer<DefaultProducerContext>,
    observer: BaseConsumer,
    helm: Helm,
    /// Offset of the next request.
    next: i64,
    partitions: Partitions,
    answers: VecDeque<Answer>,
    troubles: Vec<String>,
    cuts_before: BTreeMap<i32, i64>,
    acknowledged: Option<Instant>,
    /// The audit of the flip that was acknowledged.
    audit: Option<JoinHandle<Audit>>,
    started: Instant,
}

impl<'a> Term<'a> {
    /// Stands by until the group says that this one leads; `None` when told to stop.
    pub(super) fn wait(job: &'a Job, stop: &AtomicBool) -> Result<Option<Self>, RouterError> {
        let group = job.spec.controller_group();
        let requests = consumer(&job.properties, &group)?;
        let topic = job.spec.control.requests();
        requests.subscribe(&[&topic]).map_err(RouterError::kafka("join the controllers"))?;
        while !stop.load(Ordering::Relaxed) {
            if let Some(Err(error)) = requests.poll(POLL * 4)
                && !is_passing(&error)
            {
                return Err(RouterError::kafka("join the controllers")(error));
            }
            for turn in requests.context().turns() {
                match turn {
                    Turn::Assigned(places) if places.count() > 0 => {
                        return Self::take_over(job, requests, places).map(Some);
                    }
                    Turn::Assigned(none) => {
                        requests.incremental_assign(&none).map_err(RouterError::kafka("stand by"))?;
                    }
                    Turn::Revoked => {}
                }
            }
        }
        Ok(None)
    }

    /// Fences the leader before, then reads what it left.
    fn take_over(
        job: &'a Job,
        requests: BaseConsumer<Watcher>,
        mut places: TopicPartitionList,
    ) -> Result<Self, RouterError> {
        let name = format!("{}.leader", job.spec.controller_group());
        let ours = [("transactional.id", name.as_str()), ("transaction.timeout.ms", "15000"), ("linger.ms", "0")];
        let producer: ThreadedProducer<_> =
            config(&job.properties, &ours).create().map_err(RouterError::kafka("make a producer"))?;
        producer.init_transactions(PATIENCE).map_err(RouterError::kafka("take over from the leader before"))?;
        let topic = job.spec.control.requests();
        let what = || "ask which requests were answered".to_owned();
        let committed = requests.committed_offsets(places.clone(), LIMIT).map_err(RouterError::kafka(what()))?;
        let (low, _) = requests.fetch_watermarks(&topic, 0, LIMIT).map_err(RouterError::kafka(what()))?;
        let found = committed.find_partition(&topic, 0).map(|element| element.offset());
        let next = match found {
            Some(Offset::Offset(offset)) => offset.max(low),
            _ => low,
        };
        places.set_partition_offset(&topic, 0, Offset::Offset(next)).map_err(RouterError::kafka(what()))?;
        requests.incremental_assign(&places).map_err(RouterError::kafka("read requests"))?;
        let observer = observer(&job.properties, &job.spec.worker_group())?;
        let started = Instant::now();
        let now = moment(started);
        let helm = Helm::resume(job.spec.clone(), None, None, now);
        Ok(Self {
            job,
            requests,
            producer,
            observer,
            helm,
            next,
            partitions: Partitions::default(),
            answers: VecDeque::new(),
            troubles: Vec::new(),
            cuts_before: BTreeMap::new(),
            acknowledged: None,
            audit: None,
            started,
        })
    }

    /// Reads where the route stands, and names the first lane if nobody has.
    pub(super) fn begin(&mut self, partitions: usize, board: &Board) -> Result<(), RouterError> {
        let Job { spec, properties, .. } = self.job;
        self.partitions.marks.resize(partitions, None);
        self.partitions.routed.resize(partitions, None);
        self.partitions.ends.resize(partitions, None);
        let (control, distrust) = self.last_control()?;
        let mut receipted = None;
        for note in client::read_all(properties, &spec.control.receipts())? {
            match Receipt::read(&note.value, &spec.name) {
                Ok(receipt) => {
                    receipted = receipted.max(Some(receipt.epoch));
                    let cuts = receipt.cuts.iter().map(|cut| (cut.partition, cut.offset));
                    self.cuts_before = cuts.collect();
                }
                Err(error) => self.trouble(format!("receipt at offset {} is passed over: {error}", note.offset)),
            }
        }
        let now = moment(self.started);
        self.helm = Helm::resume(spec.clone(), control, receipted, now);
        self.helm.distrust(distrust);
        self.look_at_marks()?;
        let epochs = self.partitions.epochs();
        if let Some(first) = self.helm.begin(now, &epochs) {
            self.decree(first, Vec::new())?;
        }
        if let Some(control) = self.helm.control() {
            board.activate(&control.lane);
        }
        Ok(())
    }

    /// The record that holds, and why it may not be the last one.
    fn last_control(&mut self) -> Result<(Option<Control>, Option<String>), RouterError> {
        let spec = &self.job.spec;
        let (mut last, mut distrust) = (None::<Control>, None);
        for note in client::read_all(&self.job.properties, &spec.control.topic)? {
            match Control::read(&note.value, &spec.name) {
                Ok(control) if last.as_ref().is_none_or(|last| control.epoch > last.epoch) => {
                    (last, distrust) = (Some(control), None);
                }
                Ok(_) => {}
                Err(error @ RecordError::Foreign(_)) => {
                    let words = format!("the control topic {} is another route's: {error}", spec.control.topic);
                    return Err(RouterError::Refused(words));
                }
                Err(error) => distrust = Some(format!("control record at offset {}: {error}", note.offset)),
            }
        }
        if let Some(words) = &distrust {
            self.trouble(words.clone());
        }
        if let Some(control) = &last
            && spec.lane(&control.lane).is_none()
        {
            let words = format!("the active lane {} is not in the spec: is it the right spec?", control.lane);
            return Err(RouterError::Refused(words));
        }
        Ok((last, distrust))
    }

    /// Leads until told to stop or until the group thinks otherwise.
    pub(super) fn lead(&mut self, board: &Board, stop: &AtomicBool) -> Result<(), RouterError> {
        let mut due = [Instant::now(); 3];
        while !stop.load(Ordering::Relaxed) {
            self.hear()?;
            self.still_leads()?;
            let now = moment(self.started);
            let [marks, look, status] = &mut due;
            if is_due(marks, if self.in_flight(now) { MARKS.0 } else { MARKS.1 }) {
                self.look_at_marks()?;
            }
            if is_due(look, LOOK) {
                let healths: Vec<_> = board.readings().iter().map(|reading| reading.health).collect();
                let epochs = self.partitions.epochs();
                if let Some(found) = board.comparison() {
                    self.helm.compared(now, &found);
                }
                if let Some(control) = self.helm.look(now, &healths, &epochs) {
                    self.decree(control, Vec::new())?;
                }
            }
            self.finish(now)?;
            if let Some(control) = self.helm.control() {
                board.activate(&control.lane);
            }
            if is_due(status, STATUS) {
                self.look_at_ends();
                let status = self.status(board, moment(self.started))?;
                self.write(&[status])?;
            }
        }
        Ok(())
    }

    /// Others may come and go meanwhile: the group leaves a partition where it is.
    fn still_leads(&self) -> Result<(), RouterError> {
        if self.requests.context().has_turned() {
            for turn in self.requests.context().turns() {
                match turn {
                    Turn::Assigned(none) if none.count() == 0 => {
                        self.requests.incremental_assign(&none).map_err(RouterError::kafka("go on leading"))?;
                    }
                    _ => return Err(gone()),
                }
            }
        }
        if self.requests.assignment_lost() { Err(gone()) } else { Ok(()) }
    }

    fn in_flight(&self, now: Moment) -> bool {
        self.helm.flip(now, &[]).is_some()
    }

    /// Answers what was asked.
    fn hear(&mut self) -> Result<(), RouterError> {
        let request = match self.requests.poll(POLL) {
            None => return Ok(()),
            Some(Err(error)) if is_passing(&error) => return Ok(()),
            Some(Err(error)) => return Err(RouterError::kafka("read requests")(error)),
            Some(Ok(message)) => {
                self.next = message.offset() + 1;
                Request::read(message.payload().unwrap_or_default(), &self.job.spec.name)
                    .map_err(|error| format!("request at offset {} is passed over: {error}", message.offset()))
            }
        };
        let request = match request {
            Ok(request) => request,
            Err(words) => {
                self.trouble(words);
                return self.write(&[]);
            }
        };
        self.look_at_marks()?;
        let reply = self.helm.answer(moment(self.started), &request, &self.partitions.epochs());
        let epoch = reply.control.as_ref().map(|control| control.epoch);
        let answer = Answer { id: request.id, accepted: reply.control.is_some(), epoch, words: reply.words };
        if self.answers.len() == ANSWERS {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
        match reply.control {
            Some(control) => self.decree(control, Vec::new()),
            None => self.write(&[]),
        }
    }

    /// Writes a control record, and the receipt of the flip that it overtakes.
    fn decree(&mut self, mut control: Control, mut outs: Vec<Out>) -> Result<(), RouterError> {
        // A lane that may still get records as a shadow has no end yet, behind which the flip's records are.
        if control.is_flip() && !self.helm.is_shadowed(&self.partitions.epochs()) {
            control.lane_ends = self.ends_of(&control.lane).unwrap_or_default();
        }
        if let Some(receipt) = self.helm.overtaken(&control, &self.partitions.marks) {
            self.cuts_before.clear();
            outs.push((self.job.spec.control.receipts(), "receipt", text(&receipt)?));
        }
        outs.push((self.job.spec.control.topic.clone(), "control", text(&control)?));
        self.write(&outs)?;
        tracing::info!(epoch = control.epoch, lane = control.lane, cause = control.cause.word(), "control record");
        (self.acknowledged, self.audit) = (None, None);
        self.helm.follow(control, moment(self.started));
        Ok(())
    }

    /// Audits a flip that every partition has acknowledged, and writes its receipt.
    fn finish(&mut self, now: Moment) -> Result<(), RouterError> {
        if !self.helm.is_acknowledged(now, &self.partitions.epochs()) {
            return Ok(());
        }
        let since = *self.acknowledged.get_or_insert_with(Instant::now);
        if since.elapsed() < SETTLE {
            return Ok(());
        }
        let audit = match self.audit.take() {
            None => {
                self.look_at_marks()?;
                if self.partitions.awaits_witness() && since.elapsed() < WITNESS {
                    return Ok(());
                }
                self.audit = Some(self.begin_audit()?);
                return Ok(());
            }
            Some(audit) if !audit.is_finished() => {
                self.audit = Some(audit);
                return Ok(());
            }
            Some(audit) => audit.join().unwrap_or_else(|_| Audit {
                unmeasured: Some("the thread of the audit broke off".to_owned()),
                ..Audit::default()
            }),
        };
        let Some(receipt) = self.helm.receipt(&self.partitions.marks, audit) else { return Ok(()) };
        self.cuts_before = receipt.cuts.iter().map(|cut| (cut.partition, cut.offset)).collect();
        self.acknowledged = None;
        self.write(&[(self.job.spec.control.receipts(), "receipt", text(&receipt)?)])
    }

    /// Reads around the cut on a thread of its own: meanwhile the leader goes on answering.
    fn begin_audit(&self) -> Result<JoinHandle<Audit>, RouterError> {
        let control = self.helm.control().cloned();
        let control = control.ok_or_else(|| RouterError::Refused("no control record to audit".to_owned()))?;
        let case = Case {
            spec: self.job.spec.clone(),
            properties: self.job.properties.clone(),
            control,
            marks: self.partitions.marks.clone(),
            routed: self.partitions.routed.clone(),
            cuts_before: self.cuts_before.clone(),
        };
        let spawned = std::thread::Builder::new().name("audit".to_owned()).spawn(move || auditor::audit(&case));
        spawned.map_err(|error| RouterError::Refused(format!("cannot start a thread: {error}")))
    }

    /// Writes all of it or nothing, with the offset of the requests seen: nothing, when another leads.
    fn write(&self, outs: &[Out]) -> Result<(), RouterError> {
        let what = || RouterError::kafka("write as leader");
        self.producer.begin_transaction().map_err(what())?;
        let written = outs.iter().try_for_each(|(topic, key, text)| {
            let sent = self.producer.send(BaseRecord::to(topic).partition(0).key(*key).payload(text));
            sent.map_err(|(error, _)| what()(error))
        });
        let ended = written.and_then(|()| {
            let mut offsets = TopicPartitionList::new();
            let topic = self.job.spec.control.requests();
            offsets.add_partition_offset(&topic, 0, Offset::Offset(self.next)).map_err(what())?;
            let metadata = self.requests.group_metadata();
            let metadata = metadata.ok_or_else(gone)?;
            self.still_leads()?;
            self.producer.send_offsets_to_transaction(&offsets, &metadata, LIMIT).map_err(what())?;
            self.producer.commit_transaction(LIMIT).map_err(what())
        });
        if ended.is_err()
            && let Err(error) = self.producer.abort_transaction(LIMIT)
        {
            tracing::debug!(%error, "the transaction is left to the brokers");
        }
        ended
    }

    /// What workers have committed. An answer that does not come leaves what was known.
    fn look_at_marks(&mut self) -> Result<(), RouterError> {
        let topic = self.job.spec.source.topic.as_str();
        let mut places = TopicPartitionList::new();
        for (partition, _) in (0..).zip(&self.partitions.marks) {
            places.add_partition(topic, partition);
        }
        let committed = match self.observer.committed_offsets(places, LIMIT / 4) {
            Ok(committed) => committed,
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(RouterError::kafka("ask how far workers are")(error)),
        };
        for element in committed.elements() {
            let Ok(position) = usize::try_from(element.partition()) else { continue };
            let Offset::Offset(offset) = element.offset() else { continue };
            match Mark::read(element.metadata()) {
                Ok(mark) => {
                    if let Some(known) = self.partitions.marks.get_mut(position) {
                        *known = mark;
                    }
                }
                Err(error) => {
                    self.troubles = vec![format!("what is kept beside an offset of {topic} is not ours: {error}")];
                }
            }
            if let Some(known) = self.partitions.routed.get_mut(position) {
                *known = Some(offset);
            }
        }
        Ok(())
    }

    fn look_at_ends(&mut self) {
        if let Some(ends) = self.ends_of_topic(&self.job.spec.source.topic) {
            self.partitions.ends = ends.into_iter().map(Some).collect();
        }
    }

    fn ends_of(&self, lane: &str) -> Option<Vec<i64>> {
        self.ends_of_topic(&self.job.spec.lane(lane)?.topic)
    }

    fn ends_of_topic(&self, topic: &str) -> Option<Vec<i64>> {
        let end = |partition| self.observer.fetch_watermarks(topic, partition, LIMIT / 4).ok().map(|(_, end)| end);
        (0..).zip(&self.partitions.marks).map(|(partition, _)| end(partition)).collect()
    }

    fn trouble(&mut self, words: String) {
        tracing::warn!(words, "the route's topics");
        if self.troubles.len() < ANSWERS {
            self.troubles.push(words);
        }
    }

    fn status(&self, board: &Board, now: Moment) -> Result<Out, RouterError> {
        let spec = &self.job.spec;
        let epochs = self.partitions.epochs();
        let control = self.helm.control();
        let lanes = spec.lanes.iter().zip(self.helm.healths(now)).zip(board.readings());
        let lanes = lanes.map(|((lane, (health, for_ms)), reading)| LaneStatus {
            name: lane.name.clone(),
            health,
            for_ms,
            checks: reading.checks,
            lag: reading.lag,
            quiet_ms: reading.quiet_ms,
            watermark_ms: reading.watermark_ms,
        });
        let partitions = (0..).zip(&epochs).zip(self.partitions.routed.iter().zip(&self.partitions.ends));
        let partitions = partitions.map(|((partition, epoch), (routed, end))| PartitionStatus {
            partition,
            routed: *routed,
            end: *end,
            epoch: *epoch,
        });
        let jumped = self.helm.jumped_ms().map(|by| format!("the controller's clock jumped by {} s", by / 1_000));
        let status = Status {
            version: VERSION,
            route: spec.name.clone(),
            leader: self.job.name.clone(),
            at_ms: now.wall_ms,
            epoch: control.map_or(0, |control| control.epoch),
            lane: control.map(|control| control.lane.clone()).unwrap_or_default(),
            hold: control.and_then(|control| control.hold.clone()),
            shadow: control.and_then(|control| control.shadow.clone()),
            flip: self.helm.flip(now, &epochs),
            held_back: self.helm.held_back().map(str::to_owned),
            lanes: lanes.collect(),
            comparison: board.comparison(),
            partitions: partitions.collect(),
            troubles: self.troubles.iter().cloned().chain(jumped).collect(),
            answers: self.answers.iter().cloned().collect(),
        };
        Ok((spec.control.status(), "status", text(&status)?))
    }
}

fn gone() -> RouterError {
    RouterError::Replaced("another controller leads".to_owned())
}

fn consumer(properties: &ClientProperties, group: &str) -> Result<BaseConsumer<Watcher>, RouterError> {
    let ours = [
        ("group.id", group),
        ("group.protocol", "classic"),
        // One that comes to stand by must not take the lead from the one that has it.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("auto.offset.reset", "earliest"),
        ("fetch.wait.max.ms", "500"),
    ];
    let made = config(properties, &ours).create_with_context(Watcher::default());
    made.map_err(RouterError::kafka("make a Kafka client"))
}

/// Looks at what a group has committed, without being one of it.
fn observer(properties: &ClientProperties, group: &str) -> Result<BaseConsumer, RouterError> {
    // Offsets of open transactions are not waited for: they are not yet true.
    let ours = [("group.id", group), ("enable.auto.commit", "false"), ("isolation.level", "read_uncommitted")];
    config(properties, &ours).create().map_err(RouterError::kafka("make a Kafka client"))
}

fn moment(started: Instant) -> Moment {
    let uptime_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    Moment { uptime_ms, wall_ms: Utc::now().timestamp_millis() }
}

/// Whether it is time; then it will be again after `every`.
fn is_due(due: &mut Instant, every: Duration) -> bool {
    let now = Instant::now();
    let is_due = now >= *due;
    if is_due || *due > now + every {
        *due = now + every;
    }
    is_due
}

fn text(value: &impl Serialize) -> Result<String, RouterError> {
    serde_json::to_string(value).map_err(|error| RouterError::Refused(error.to_string()))
}
