//! Follows topics of golden-signal rows for the checks: what was written since the last look, and no more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::engine::contract;
use crate::engine::overrides::Rules;
use crate::engine::spec::Spec as Signals;
use crate::model::route::record::{Comparison, Health};
use crate::router::client::{RouterError, config, is_passing};
use crate::router::rows::{self, Sheet};
use crate::router::spec::{Lane, SignalsFile, Spec};
use crate::source::kafka::ClientProperties;

/// Records before the end with which reading begins, in each partition.
const TAIL: i64 = 2_000;
/// Records of one look.
const MOST: usize = 50_000;
/// Wait for a record.
const BEAT: Duration = Duration::from_millis(50);

/// What rows are read by.
struct Meaning {
    sha: String,
    window_ms: i64,
    rules: Rules,
}

impl Meaning {
    /// Reads the spec that the rows were counted by.
    fn open(file: &SignalsFile) -> Result<Self, RouterError> {
        let refuse = |words: String| RouterError::Refused(format!("{}: {words}", file.path().display()));
        let text = std::fs::read_to_string(file.path()).map_err(|error| refuse(error.to_string()))?;
        let spec = Signals::parse(&text).map_err(|error| refuse(error.to_string()))?;
        let rules = Rules::new(&spec).map_err(|error| refuse(error.to_string()))?;
        Ok(Self { sha: contract::sha(&spec), window_ms: spec.window.size.millis(), rules })
    }
}

/// One topic, as far as it was read.
struct Reader {
    topic: String,
    consumer: BaseConsumer,
    partitions: usize,
    sheet: Sheet,
    /// When the last record came.
    heard: Instant,
}

impl Reader {
    fn open(properties: &ClientProperties, topic: &str, limit: Duration) -> Result<Self, RouterError> {
        let what = || RouterError::kafka(format!("read the topic {topic}"));
        let ours = [
            ("group.id", "flowdeck-router-rows"),
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("allow.auto.create.topics", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
            ("fetch.wait.max.ms", "500"),
            ("queued.max.messages.kbytes", "4096"),
        ];
        let consumer: BaseConsumer = config(properties, &ours).create().map_err(what())?;
        let metadata = consumer.fetch_metadata(Some(topic), limit).map_err(what())?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            return Err(RouterError::Refused(format!("there is no topic {topic}")));
        }
        let mut places = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            places.add_partition_offset(topic, partition, Offset::OffsetTail(TAIL)).map_err(what())?;
        }
        consumer.assign(&places).map_err(what())?;
        Ok(Self { topic: topic.to_owned(), consumer, partitions, sheet: Sheet::default(), heard: Instant::now() })
    }

    /// Takes in what came since the last look, for as long as `limit`.
    fn look(&mut self, meaning: &Meaning, limit: Duration) -> Result<(), RouterError> {
        let (deadline, mut ended) = (Instant::now() + limit, 0);
        for _ in 0..MOST {
            // Partitions whose end was reached before and that got nothing since say nothing.
            match self.consumer.poll(BEAT) {
                Some(Ok(message)) => {
                    ended = 0;
                    self.heard = Instant::now();
                    let text = std::str::from_utf8(message.payload().unwrap_or_default());
                    match text.map(|text| contract::read(text, &meaning.sha, meaning.window_ms)) {
                        Ok(Ok(row)) => self.sheet.take(row),
                        Ok(Err((_, why))) => self.sheet.doubt(why),
                        Err(_) => self.sheet.doubt("it is not text".to_owned()),
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => {
                    return Err(RouterError::kafka(format!("read the topic {}", self.topic))(error));
                }
                None => return Ok(()),
            }
            if ended >= self.partitions || Instant::now() > deadline {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What the spec wants to know of rows.
#[derive(Default)]
pub(super) struct Rows {
    compare: Option<Meaning>,
    health: Option<Meaning>,
    readers: HashMap<String, Reader>,
}

impl Rows {
    /// Reads the specs that rows were counted by.
    ///
    /// # Errors
    ///
    /// When one of them cannot be used.
    pub(super) fn open(spec: &Spec) -> Result<Self, RouterError> {
        let compare = spec.compare.as_ref().map(|compare| Meaning::open(&compare.signals)).transpose()?;
        let health = spec.health.as_ref().map(|health| Meaning::open(&health.signals)).transpose()?;
        Ok(Self { compare, health, readers: HashMap::new() })
    }

    /// Compares what the lanes wrote; `None` where the spec does not want it, or no lane is active.
    pub(super) fn comparison(&mut self, (spec, active): (&Spec, Option<&str>), at: At<'_>) -> Option<Comparison> {
        let (rules, meaning) = (spec.compare.as_ref()?, self.compare.as_ref()?);
        let active = spec.lane(active?)?;
        let other = spec.other(&active.name)?;
        let (left, right) = (active.output.as_deref()?, other.output.as_deref()?);
        for topic in [left, right] {
            if let Err(error) = read(&mut self.readers, topic, (meaning, at)) {
                return Some(Comparison { health: Health::Unknown, windows: 0, words: error.to_string() });
            }
        }
        let (left, right) = (&self.readers.get(left)?.sheet, &self.readers.get(right)?.sheet);
        Some(rows::compare((&active.name, left), (&other.name, right), rules.windows))
    }

    /// How well the service of a lane is; `None` where the spec names none.
    pub(super) fn health(&mut self, (spec, lane): (&Spec, &Lane), at: At<'_>) -> Option<(Health, String)> {
        let (rules, meaning) = (spec.health.as_ref()?, self.health.as_mut()?);
        let service = lane.service.as_deref()?;
        if let Err(error) = read(&mut self.readers, &rules.topic, (&*meaning, at)) {
            return Some((Health::Unknown, error.to_string()));
        }
        let reader = self.readers.get(&rules.topic)?;
        let freshness = Duration::from_millis(u64::try_from(spec.checks.freshness.millis()).unwrap_or(0));
        if reader.heard.elapsed() > freshness {
            let words = format!("nobody has written a row of {service} for {} s", reader.heard.elapsed().as_secs());
            return Some((Health::Unknown, words));
        }
        let window_ms = meaning.window_ms;
        Some(rows::judge(&reader.sheet, &mut meaning.rules, (service, window_ms), (rules.level, rules.windows)))
    }
}

/// How to reach the brokers, and how long one look may take.
pub(super) type At<'a> = (&'a ClientProperties, Duration);

fn read(
    readers: &mut HashMap<String, Reader>,
    topic: &str,
    (meaning, at): (&Meaning, At<'_>),
) -> Result<(), RouterError> {
    if !readers.contains_key(topic) {
        readers.insert(topic.to_owned(), Reader::open(at.0, topic, at.1)?);
    }
    let gone = || RouterError::Refused("a Kafka client is gone".to_owned());
    readers.get_mut(topic).ok_or_else(gone)?.look(meaning, at.1)
}
