//! One term of a leading controller: from being given the requests' partition until it is taken away.

mod clients;
mod look;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::Utc;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use self::clients::{consumer, observer};
use super::Job;
use super::checks::Board;
use crate::model::route::record::{Answer, Audit, Control, Mark, Receipt, RecordError, Request, Signed};
use crate::router::client::{self, FORGOTTEN, RouterError, Turn, Watcher, config, is_passing};
use crate::router::helm::{Helm, Moment};
use crate::router::spec::Mode;

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(20);
/// Longest wait for a place among the transactions: shorter than the group waits for the next poll.
const PATIENCE: Duration = Duration::from_secs(20);
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
        let committed = answered(&producer, &requests, &places).map_err(RouterError::kafka(what()))?;
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
        let partitions = partitions * spec.reads().len();
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
            && control.selection.is_some() != (spec.mode == Mode::Select)
        {
            let words = "the control topic is of a route in the other mode: name another topic".to_owned();
            return Err(RouterError::Refused(words));
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
            if let Some(control) = self.helm.release(now, (&self.partitions.marks, &self.partitions.routed)) {
                self.decree(control, Vec::new())?;
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

    fn trouble(&mut self, words: String) {
        tracing::warn!(words, "the route's topics");
        if self.troubles.len() < ANSWERS {
            self.troubles.push(words);
        }
    }
}

/// Up to which request the leader before has answered.
fn answered(
    producer: &ThreadedProducer<DefaultProducerContext>,
    requests: &BaseConsumer<Watcher>,
    places: &TopicPartitionList,
) -> KafkaResult<TopicPartitionList> {
    let look = |limit| {
        let found = requests.committed_offsets(places.clone(), limit)?;
        found.elements().iter().try_for_each(TopicPartitionListElem::error)?;
        Ok(found)
    };
    look(FORGOTTEN).or_else(|_: KafkaError| {
        client::end_forgotten(producer, requests, places)?;
        look(LIMIT)
    })
}

fn gone() -> RouterError {
    RouterError::Replaced("another controller leads".to_owned())
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
