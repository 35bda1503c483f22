//! Looks at the lanes, on a thread of its own: a check that hangs must not keep a flip waiting.
//!
//! Freshness is whether the active lane's output grows while the source does; no clock but this process's is asked.
//! What cannot be measured is unknown, which neither leaves a lane nor recommends one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::rows::Rows;
use crate::model::route::record::{Check, Comparison, Health};
use crate::router::client::{RouterError, config, is_passing};
use crate::router::spec::{Lane, Mode, Spec};
use crate::source::kafka::ClientProperties;
use crate::source::probe;

/// Between two looks at whether to stop.
const BEAT: Duration = Duration::from_millis(250);
/// Partitions of an output whose end is read.
const SAMPLED: usize = 64;
/// Records that are read there.
const TAIL: i64 = 3;
/// Group of the client that asks for ends and reads them; it commits nothing.
const OBSERVER: &str = "flowdeck-router";

/// How a lane was at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) health: Health,
    pub(super) checks: Vec<Check>,
    pub(super) lag: Option<u64>,
    pub(super) quiet_ms: Option<i64>,
    pub(super) watermark_ms: Option<i64>,
}

/// What was seen last.
#[derive(Debug)]
pub(super) struct Board {
    spec: Arc<Spec>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    readings: Vec<Reading>,
    at: Option<Instant>,
    /// The active lane, and since when.
    active: Option<(String, Instant)>,
    comparison: Option<Comparison>,
}

/// Sum of a topic's ends, and when it last changed.
#[derive(Clone, Copy, Debug)]
struct Growth {
    end: i64,
    changed: Instant,
}

impl Board {
    pub(super) fn new(spec: Arc<Spec>) -> Self {
        Self { spec, seen: Mutex::default() }
    }

    /// How each lane is, in the order of the spec; unknown when nobody looked lately.
    pub(super) fn readings(&self) -> Vec<Reading> {
        let checks = &self.spec.checks;
        let oldest = millis(checks.every.millis() * 3 + checks.timeout.millis() * 4);
        let seen = self.seen();
        let mut readings = seen.readings.clone();
        readings.resize_with(self.spec.lanes.len(), Reading::default);
        if seen.at.is_none_or(|at| at.elapsed() > oldest) {
            readings.iter_mut().for_each(|reading| reading.health = Health::Unknown);
        }
        readings
    }

    /// What the lanes say of the same windows, where the spec wants to know.
    pub(super) fn comparison(&self) -> Option<Comparison> {
        self.seen().comparison.clone()
    }

    pub(super) fn activate(&self, lane: &str) {
        let mut seen = self.seen();
        if seen.active.as_ref().is_none_or(|(active, _)| active != lane) {
            seen.active = Some((lane.to_owned(), Instant::now()));
        }
    }

    /// Looks again and again.
    pub(super) fn run(&self, properties: &ClientProperties, rows: Rows, stop: &AtomicBool) {
        let (every, limit) = (millis(self.spec.checks.every.millis()), millis(self.spec.checks.timeout.millis()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (Ok(runtime), Ok(client)) = (runtime, probe::client(limit)) else {
            tracing::error!("the checks cannot begin");
            return;
        };
        let mut eyes = Eyes {
            properties,
            limit,
            runtime,
            client,
            growth: HashMap::new(),
            lags: HashMap::new(),
            consumers: HashMap::new(),
            rows,
        };
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let active = self.seen().active.clone();
            let readings = self.spec.lanes.iter().map(|lane| eyes.look(&self.spec, lane, active.as_ref())).collect();
            let name = active.as_ref().map(|(name, _)| name.as_str());
            let comparison = eyes.rows.comparison((&*self.spec, name), (properties, limit));
            let mut seen = self.seen();
            (seen.readings, seen.at, seen.comparison) = (readings, Some(Instant::now()), comparison);
            drop(seen);
            while begun.elapsed() < every && !stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(BEAT.min(every));
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// What it takes to look.
struct Eyes<'a> {
    properties: &'a ClientProperties,
    limit: Duration,
    runtime: tokio::runtime::Runtime,
    client: probe::Client,
    growth: HashMap<String, Growth>,
    /// Lags of lanes that wait, by topic.
    lags: HashMap<String, Growth>,
    consumers: HashMap<String, BaseConsumer>,
    rows: Rows,
}

impl Eyes<'_> {
    fn look(&mut self, spec: &Spec, lane: &Lane, active: Option<&(String, Instant)>) -> Reading {
        let (mut checks, mut lag, mut quiet_ms, mut watermark_ms) = (Vec::new(), None, None, None);
        if let Some(output) = &lane.output {
            if let Some((name, since)) = active
                && (*name == lane.name || spec.mode == Mode::Select)
            {
                checks.push(self.freshness(spec, output, *since));
            }
            let quiet = self.growth(output).map(|growth| growth.changed.elapsed().as_millis());
            quiet_ms = quiet.ok().and_then(|quiet| i64::try_from(quiet).ok());
            watermark_ms = self.watermark(output).unwrap_or_default();
        }
        if let Some(group) = &lane.group {
            let fed = spec.feeds(lane);
            let counted = self.count_lag(fed, group);
            lag = counted.as_ref().ok().copied();
            let waits = active.is_some_and(|(name, _)| *name != lane.name);
            let stood = match lag {
                Some(lag) if waits && lag > 0 && spec.mode == Mode::Split => Some(self.stood(fed, lag)),
                _ => {
                    self.lags.remove(fed);
                    None
                }
            };
            checks.push(judge_lag(spec, counted, stood));
        }
        if let Some(url) = &lane.http {
            checks.push(self.http(url));
        }
        if let Some(url) = &lane.flink {
            checks.push(self.flink(url));
        }
        if let Some((health, words)) = self.rows.health((spec, lane), (self.properties, self.limit)) {
            checks.push(check("signals", health, words));
        }
        let any = |health| checks.iter().any(|check| check.health == health);
        let health = match () {
            () if any(Health::Unwell) => Health::Unwell,
            () if any(Health::Unknown) => Health::Unknown,
            () => Health::Well,
        };
        Reading { health, checks, lag, quiet_ms, watermark_ms }
    }

    /// For how long the lag on a topic has been what it is.
    fn stood(&mut self, topic: &str, lag: u64) -> Duration {
        let now = Growth { end: i64::try_from(lag).unwrap_or(i64::MAX), changed: Instant::now() };
        let known = self.lags.entry(topic.to_owned()).or_insert(now);
        if known.end != now.end {
            *known = now;
        }
        known.changed.elapsed()
    }

    /// The oldest of the newest timestamps in a topic's partitions; `None` while it is empty.
    fn watermark(&mut self, topic: &str) -> Result<Option<i64>, RouterError> {
        let ends: Vec<(i32, i64)> = self.ends(topic)?.into_iter().filter(|(_, end)| *end > 0).take(SAMPLED).collect();
        let what = || RouterError::kafka(format!("read the topic {topic}"));
        let mut places = TopicPartitionList::new();
        for (partition, _) in &ends {
            // The end of a transaction takes an offset too.
            places.add_partition_offset(topic, *partition, Offset::OffsetTail(TAIL)).map_err(what())?;
        }
        let deadline = Instant::now() + self.limit;
        let consumer = self.consumer(OBSERVER)?;
        consumer.assign(&places).map_err(what())?;
        let (mut newest, mut open) = (HashMap::new(), ends.len());
        while open > 0 && Instant::now() < deadline {
            match consumer.poll(BEAT) {
                Some(Ok(message)) => {
                    let time = message.timestamp().to_millis().unwrap_or(i64::MIN);
                    let known = newest.entry(message.partition()).or_insert(time);
                    *known = time.max(*known);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(what()(error)),
                None => {}
            }
        }
        consumer.unassign().map_err(what())?;
        Ok(newest.into_values().filter(|time| *time > 0).min())
    }

    fn freshness(&mut self, spec: &Spec, output: &str, since: Instant) -> Check {
        let limit = millis(spec.checks.freshness.millis());
        let seen = self.growth(&spec.source.topic).and_then(|source| Ok((source, self.growth(output)?)));
        match seen {
            Err(error) => check("freshness", Health::Unknown, error.to_string()),
            Ok((source, output)) => {
                let quiet = output.changed.max(since).elapsed();
                let (health, words) = match () {
                    () if quiet <= limit => (Health::Well, format!("its output grew {} s ago", quiet.as_secs())),
                    () if source.changed.elapsed() > limit => (Health::Well, "the source is quiet too".to_owned()),
                    () => (Health::Unwell, format!("its output has not grown for {} s", quiet.as_secs())),
                };
                check("freshness", health, words)
            }
        }
    }

    fn http(&self, url: &str) -> Check {
        match self.runtime.block_on(probe::get(&self.client, url)) {
            Ok((status @ 200..=299, _)) => check("http", Health::Well, format!("it answers {status}")),
            Ok((status, _)) => check("http", Health::Unwell, format!("it answers {status}")),
            Err(words) => check("http", Health::Unwell, words),
        }
    }

    fn flink(&self, url: &str) -> Check {
        let url = format!("{}/jobs/overview", url.trim_end_matches('/'));
        let (health, words) = match self.runtime.block_on(probe::get(&self.client, &url)) {
            Ok((200, text)) => judge_jobs(&text),
            Ok((status, _)) => (Health::Unwell, format!("Flink answers {status}")),
            Err(words) => (Health::Unwell, words),
        };
        check("flink", health, words)
    }

    /// When the ends of a topic last moved, as far as was seen.
    fn growth(&mut self, topic: &str) -> Result<Growth, RouterError> {
        let end = self.ends(topic)?.iter().map(|(_, end)| *end).sum();
        let now = Growth { end, changed: Instant::now() };
        let known = self.growth.entry(topic.to_owned()).or_insert(now);
        if known.end != end {
            *known = now;
        }
        Ok(*known)
    }

    fn count_lag(&mut self, topic: &str, group: &str) -> Result<u64, RouterError> {
        let ends = self.ends(topic)?;
        let limit = self.limit;
        let mut places = TopicPartitionList::new();
        for (partition, _) in &ends {
            places.add_partition(topic, *partition);
        }
        let what = || format!("ask for the offsets of the group {group}");
        let consumer = self.consumer(group)?;
        let committed = consumer.committed_offsets(places, limit).map_err(RouterError::kafka(what()))?;
        let lag = ends.iter().map(|(partition, end)| {
            let found = committed.find_partition(topic, *partition).map(|element| element.offset());
            match found {
                Some(Offset::Offset(offset)) => u64::try_from(end - offset).unwrap_or(0),
                _ => 0,
            }
        });
        Ok(lag.sum())
    }

    fn ends(&mut self, topic: &str) -> Result<Vec<(i32, i64)>, RouterError> {
        let limit = self.limit;
        let consumer = self.consumer(OBSERVER)?;
        let what = || format!("ask for the topic {topic}");
        let metadata = consumer.fetch_metadata(Some(topic), limit).map_err(RouterError::kafka(what()))?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            return Err(RouterError::Refused(format!("there is no topic {topic}")));
        }
        let mut ends = Vec::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let (_, end) = consumer.fetch_watermarks(topic, partition, limit).map_err(RouterError::kafka(what()))?;
            ends.push((partition, end));
        }
        Ok(ends)
    }

    fn consumer(&mut self, group: &str) -> Result<&BaseConsumer, RouterError> {
        if !self.consumers.contains_key(group) {
            let ours = [
                ("group.id", group),
                ("enable.auto.commit", "false"),
                // Never waits for open transactions: a look, not a takeover.
                ("isolation.level", "read_uncommitted"),
                ("allow.auto.create.topics", "false"),
                ("enable.partition.eof", "true"),
                ("fetch.wait.max.ms", "50"),
            ];
            let consumer = config(self.properties, &ours).create();
            let consumer = consumer.map_err(RouterError::kafka("make a Kafka client"))?;
            self.consumers.insert(group.to_owned(), consumer);
        }
        let missing = || RouterError::Refused("a Kafka client is gone".to_owned());
        self.consumers.get(group).ok_or_else(missing)
    }
}

fn check(name: &str, health: Health, words: String) -> Check {
    Check { name: name.to_owned(), health, words }
}

/// A lane that waits gets no records: what it has it reads to the end, and one that does not is not well.
fn judge_lag(spec: &Spec, counted: Result<u64, RouterError>, stood: Option<Duration>) -> Check {
    let limit = millis(spec.checks.freshness.millis());
    match (counted, stood.filter(|stood| *stood > limit)) {
        (Err(error), _) => check("lag", Health::Unknown, error.to_string()),
        (Ok(lag), Some(stood)) => {
            check("lag", Health::Unwell, format!("{lag} records behind, and none read for {} s", stood.as_secs()))
        }
        (Ok(lag), None) => {
            let health = if lag > spec.checks.lag { Health::Unwell } else { Health::Well };
            check("lag", health, format!("{lag} records behind"))
        }
    }
}

/// From Flink's overview of jobs: at least one runs, and none is in trouble.
fn judge_jobs(text: &str) -> (Health, String) {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
    let Some(jobs) = parsed.ok().and_then(|value| value.get("jobs")?.as_array().cloned()) else {
        return (Health::Unknown, "Flink's answer cannot be read".to_owned());
    };
    let states: Vec<&str> = jobs.iter().filter_map(|job| job.get("state")?.as_str()).collect();
    let troubled = ["FAILING", "FAILED", "RESTARTING", "CANCELLING", "SUSPENDED"];
    let running = states.iter().filter(|state| **state == "RUNNING").count();
    // A job that failed before its successor began is history.
    match states.iter().find(|state| troubled.contains(state)) {
        Some(state) if running == 0 || matches!(*state, "FAILING" | "RESTARTING") => {
            (Health::Unwell, format!("a job is {state}"))
        }
        _ if running == 0 => (Health::Unwell, "no job is RUNNING".to_owned()),
        _ => (Health::Well, format!("{running} RUNNING")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_waits_has_to_read_what_it_has() {
        let spec = Spec::parse(include_str!("../../../config/examples/route.toml")).unwrap();
        let judged = |lag, stood: Option<u64>| judge_lag(&spec, Ok(lag), stood.map(Duration::from_secs));
        assert_eq!(judged(300, None).health, Health::Well);
        assert_eq!(judged(300, Some(60)).health, Health::Well);
        let stuck = judged(300, Some(61));
        assert_eq!(
            (stuck.health, stuck.words.as_str()),
            (Health::Unwell, "300 records behind, and none read for 61 s")
        );
        assert_eq!(judged(500_001, None).health, Health::Unwell);
    }

    #[test]
    fn jobs_are_judged_by_what_runs_now() {
        let jobs = |states: &[&str]| {
            let jobs: Vec<String> = states.iter().map(|state| format!("{{\"state\":\"{state}\"}}")).collect();
            judge_jobs(&format!("{{\"jobs\":[{}]}}", jobs.join(",")))
        };
        assert_eq!(jobs(&["RUNNING"]), (Health::Well, "1 RUNNING".to_owned()));
        assert_eq!(jobs(&["FAILED", "RUNNING"]).0, Health::Well);
        assert_eq!(jobs(&["RESTARTING", "RUNNING"]).0, Health::Unwell);
        assert_eq!(jobs(&[]), (Health::Unwell, "no job is RUNNING".to_owned()));
        assert_eq!(judge_jobs("<html>").0, Health::Unknown);
    }
}
