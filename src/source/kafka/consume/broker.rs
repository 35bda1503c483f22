//! The loop of one broker: asks for records, notes how far they reach, asks for the next, and only then takes the
//! records apart, so that the broker and the wire work meanwhile.
//!
//! A loop that is not needed any more is retired, never aborted: what it has noted counts as read, so it must still
//! hand that over. Until then nobody else reads on there, and the engine gets the records of a partition in order.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::decode::{Decoder, Fetched, reach};
use super::places::{Place, Places, TOPIC};
use super::{News, Records};
use crate::model::batch::Batch;
use crate::source::kafka::topics::NOBODY;
use crate::source::kafka::trouble::Trouble;
use crate::source::kafka::wire::{Access, Address, Asked, Connection};
use crate::source::link::backoff;

/// The newest version that names topics instead of their ids.
const FETCH_NEWEST: i16 = 12;
/// Wait for partitions to ask for. They may also have waited for slower ones, which rings no bell.
const NOTHING_TO_ASK: std::time::Duration = std::time::Duration::from_millis(50);

/// How a broker is reached.
pub(super) struct Route {
    pub broker: i32,
    /// Number of the loop, never given twice.
    pub reader: u32,
    /// Ends the loop as soon as all that it has noted is handed over.
    pub retired: CancellationToken,
    pub address: Address,
    pub access: Arc<Access>,
}

/// What was fetched of one partition and is not yet taken apart.
struct Part {
    number: u32,
    bytes: Bytes,
    from: i64,
    next: i64,
    end: i64,
    newest_ms: Option<i64>,
    aborted: Vec<(i64, i64)>,
}

/// Reads from a broker until it is retired.
pub(super) async fn run(route: Route, places: Rc<Places>) {
    let mut failures = 0;
    let mut decoder = Decoder::default();
    loop {
        let opened = route.retired.run_until_cancelled(Connection::open(&route.address, &route.access)).await;
        let end = match opened {
            Some(Ok(line)) => {
                let mut session = Session { line, route: &route, places: &places, decoder: &mut decoder };
                session.run(&mut failures).await
            }
            Some(Err(trouble)) => Some(trouble),
            None => None,
        };
        let Some(trouble) = end.filter(|_| !route.retired.is_cancelled()) else { return };
        tracing::debug!(broker = route.broker, %trouble, "reading stops");
        // A connection that was simply closed is replaced at once: brokers do so with idle ones.
        if failures > 0 || !trouble.is_gone() {
            places.failed(route.broker, trouble.to_string().into()).await;
        }
        if route.retired.run_until_cancelled(sleep(backoff(failures))).await.is_none() {
            return;
        }
        failures += 1;
    }
}

/// A question on its way, and the partitions in it.
type Pending = (Asked, Vec<u32>);

struct Session<'a> {
    line: Connection,
    route: &'a Route,
    places: &'a Places,
    decoder: &'a mut Decoder,
}

impl Session<'_> {
    /// Asks and works until something fails; `None` when it was retired.
    async fn run(&mut self, failures: &mut u32) -> Option<Trouble> {
        let retired = &self.route.retired;
        let mut room = BytesMut::new();
        let mut pending = None;
        loop {
            let (response, numbers) = match retired.run_until_cancelled(self.answer(pending.take(), &mut room)).await? {
                Ok(answer) => answer,
                Err(trouble) => return Some(trouble),
            };
            if let Some(code) = response.error_code.err() {
                return Some(Trouble::of_answer(code));
            }
            *failures = 0;
            self.places.recovered(self.route.broker).await;
            let parts = self.note(response, &numbers).await;
            let sent = match self.places.question(self.route.broker, self.route.reader) {
                Some(question) => retired.run_until_cancelled(self.send(question)).await.transpose(),
                None => Ok(None),
            };
            self.work(parts).await;
            match sent {
                Ok(sent) => pending = sent,
                Err(trouble) => return Some(trouble),
            }
        }
    }

    /// The answer to the question that is on its way, or to a new one.
    async fn answer(
        &mut self,
        pending: Option<Pending>,
        room: &mut BytesMut,
    ) -> Result<(FetchResponse, Vec<u32>), Trouble> {
        let (asked, numbers) = match pending {
            Some(pending) => pending,
            None => self.ask().await?,
        };
        Ok((self.line.answer::<FetchRequest>(asked, room).await?, numbers))
    }

    /// Asks as soon as there is anything to ask.
    async fn ask(&mut self) -> Result<Pending, Trouble> {
        loop {
            if let Some(question) = self.places.question(self.route.broker, self.route.reader) {
                return self.send(question).await;
            }
            tokio::select! {
                () = self.places.work.notified() => {}
                () = sleep(NOTHING_TO_ASK) => {}
            }
        }
    }

    async fn send(&mut self, question: (FetchRequest, Vec<u32>)) -> Result<Pending, Trouble> {
        let (request, numbers) = question;
        Ok((self.line.ask(&request, FETCH_NEWEST).await?, numbers))
    }

    /// Notes how far an answer reaches, before its records are looked at.
    async fn note(&self, response: FetchResponse, asked: &[u32]) -> Vec<Part> {
        let mut noted = Noted { reader: self.route.reader, ..Noted::default() };
        for topic in response.responses {
            for data in topic.partitions {
                self.places.with(|places| {
                    let is_it = |place: &Place| {
                        *place.topic == *topic.topic.as_str()
                            && place.partition == data.partition_index
                            && place.leader == self.route.broker
                    };
                    let number = asked.iter().copied().find(|number| places.get(number).is_some_and(is_it));
                    let Some(number) = number else { return };
                    let Some(place) = places.get_mut(&number) else { return };
                    match data.error_code.err() {
                        Some(code) => self.refused(place, code, &mut noted.refusals),
                        None => noted.take(number, place, data),
                    }
                });
            }
        }
        for why in noted.refusals {
            self.places.refused(why).await;
        }
        if noted.allowed {
            self.places.recovered(TOPIC).await;
        }
        for news in noted.news {
            self.places.tell(news).await;
        }
        noted.parts
    }

    fn refused(&self, place: &mut Place, code: ResponseError, refusals: &mut Vec<Arc<str>>) {
        tracing::debug!(topic = %place.topic, partition = place.partition, %code, "partition refused");
        place.leader = NOBODY;
        match code {
            ResponseError::OffsetOutOfRange => place.lost_from = place.position.take(),
            ResponseError::TopicAuthorizationFailed => {
                // Asked for again when the layout is next looked at.
                place.forbidden = true;
                let topic = &place.topic;
                let why = format!("this user may not read {topic}: it needs the ACL operation Read on the topic");
                refusals.push(why.into());
                return;
            }
            _ => {}
        }
        self.places.doubt.notify_one();
    }

    /// Takes the records apart and hands them to the engine; waits while it is busy.
    async fn work(&mut self, parts: Vec<Part>) {
        for part in parts {
            let mut batches: Vec<Batch> = Vec::new();
            let spares = &self.places.spares;
            let fetched = Fetched { bytes: &part.bytes, from: part.from, aborted: &part.aborted };
            let unreadable = self.decoder.decode(fetched, &mut |batch| {
                if !batch.is_empty() {
                    batches.push(batch);
                }
                spares.take()
            });
            let last = batches.len().saturating_sub(1);
            for (index, batch) in batches.into_iter().enumerate() {
                let records = i64::try_from(batch.len()).unwrap_or(i64::MAX);
                let next_offset = if index == last { part.next } else { batch.first_offset.saturating_add(records) };
                let (place, end) = (part.number, part.end);
                let records = Records { place, batch, next_offset, end, spares: spares.clone() };
                self.places.tell(News::Records(records)).await;
            }
            if unreadable.batches > 0 {
                let (batches, offset) = (unreadable.batches, unreadable.offset);
                self.places.tell(News::Unreadable { place: part.number, batches, offset }).await;
            }
            if part.next >= part.end {
                let (place, end, newest_ms) = (part.number, part.end, part.newest_ms);
                self.places.tell(News::CaughtUp { place, end, newest_ms }).await;
            }
            self.places.release(part.number, self.route.reader);
        }
    }
}

/// What an answer says.
#[derive(Default)]
struct Noted {
    /// The loop that notes it.
    reader: u32,
    parts: Vec<Part>,
    news: Vec<News>,
    refusals: Vec<Arc<str>>,
    /// A partition is given that was refused before.
    allowed: bool,
}

impl Noted {
    /// Moves a partition's position behind what came.
    fn take(&mut self, number: u32, place: &mut Place, data: PartitionData) {
        let Some(from) = place.position else { return };
        self.allowed |= std::mem::take(&mut place.forbidden);
        // What is not yet committed is not wanted, so it is no backlog.
        place.end = if data.last_stable_offset >= 0 { data.last_stable_offset } else { data.high_watermark };
        let bytes = data.records.unwrap_or_default();
        let (next, newest_ms) = reach(&bytes, from);
        if next == from && !bytes.is_empty() {
            place.widen();
        }
        place.position = Some(next);
        place.newest_ms = place.newest_ms.max(newest_ms);
        let (end, newest_ms) = (place.end, place.newest_ms);
        let caught_up = next >= end;
        let is_new = caught_up && !std::mem::replace(&mut place.told_caught_up, caught_up);
        if next > from {
            let aborted = data.aborted_transactions.unwrap_or_default();
            let aborted = aborted.iter().map(|aborted| (aborted.producer_id.0, aborted.first_offset)).collect();
            place.holder = Some(self.reader);
            self.parts.push(Part { number, bytes, from, next, end, newest_ms, aborted });
        } else if is_new {
            self.news.push(News::CaughtUp { place: number, end, newest_ms });
        }
    }
}
