//! Two copies of a pipeline behind a route, in production: what comes in for the route, and what each copy does with it.
//!
//! Records come in at the route's source; whatever routes them is a client like any other and not part of the demo's
//! platform. Each copy reads its lane's topic and writes its output, as long as it works: blue is the copy whose sink
//! fails in the first incident, green goes on.

use chrono::{DateTime, Utc};

use super::environment::Environment;
use super::kafka::{Broker, Record};
use super::world::cluster::Trouble;

/// The environment that has them.
pub(crate) const ENVIRONMENT: &str = "prd";
/// The route's name.
pub(crate) const ROUTE: &str = "match-making";

const SOURCE: &str = "match.requests";
const CONTROL: &str = "route.match-making";
const PARTITIONS: u32 = 4;
/// Records a second that come in.
const RATE: f64 = 24.0;
/// Most records that a copy reads in one step.
const MOST: u64 = 2_000;

/// A copy of the pipeline: its name and its consumer group.
const LANES: [(&str, &str); 2] = [("blue", "vep-int-match-making"), ("green", "match-making-green")];

/// The copies of one environment.
pub(crate) struct Lanes {
    broker: Broker,
    due: f64,
    number: u64,
}

impl Lanes {
    /// Makes the topics; `None` where there are no copies.
    pub(crate) fn new(environment: &Environment, broker: Broker) -> Option<Self> {
        if environment.name != ENVIRONMENT {
            return None;
        }
        broker.create_topic(SOURCE, PARTITIONS);
        for (lane, group) in LANES {
            broker.create_topic(&input(lane), PARTITIONS);
            broker.create_topic(&output(lane), PARTITIONS);
            (0..PARTITIONS).for_each(|partition| broker.commit(group, &input(lane), partition, 0));
        }
        for part in ["", ".requests", ".status", ".receipts"] {
            broker.create_topic(&format!("{CONTROL}{part}"), 1);
        }
        Some(Self { broker, due: 0.0, number: 0 })
    }

    /// Moves on by so many seconds.
    pub(crate) fn step(&mut self, environment: &Environment, seconds: f64, now: DateTime<Utc>) {
        let due = RATE.mul_add(seconds, self.due);
        self.due = due.fract();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few, never negative")]
        let whole = due.max(0.0) as u64;
        for _ in 0..whole {
            let partition = u32::try_from(self.number % u64::from(PARTITIONS)).unwrap_or(0);
            let value = format!("{{\"request\":{},\"expert\":\"e{}\"}}", self.number, self.number % 97);
            self.append(SOURCE, partition, &[record(&value, now)]);
            self.number += 1;
        }
        let fails = environment.world().clusters.values().any(|it| matches!(it.trouble, Some(Trouble::SinkFails)));
        for (lane, group) in LANES {
            if lane != "blue" || !fails {
                (0..PARTITIONS).for_each(|partition| self.work(lane, group, partition, now));
            }
        }
    }

    /// A copy reads what is there, and writes a match for each request.
    fn work(&self, lane: &str, group: &str, partition: u32, now: DateTime<Utc>) {
        let topic = input(lane);
        let end = self.broker.end_offset(&topic, partition).unwrap_or(0);
        let read = self.broker.committed(group, &topic, partition).unwrap_or(0);
        let until = end.min(read.saturating_add(MOST));
        if until > read {
            let matches: Vec<Record> =
                (read..until).map(|offset| record(&format!("{{\"match\":{offset}}}"), now)).collect();
            self.append(&output(lane), partition, &matches);
            self.broker.commit(group, &topic, partition, until);
        }
    }

    fn append(&self, topic: &str, partition: u32, records: &[Record]) {
        if self.broker.append(topic, partition, records).is_none() {
            tracing::trace!(topic, "demo topic was deleted");
        }
    }
}

fn input(lane: &str) -> String {
    format!("{SOURCE}.{lane}")
}

fn output(lane: &str) -> String {
    format!("matches.{lane}")
}

fn record(value: &str, now: DateTime<Utc>) -> Record {
    Record { key: None, value: value.to_owned().into(), timestamp_ms: now.timestamp_millis(), headers: Vec::new() }
}

/// The spec of the route, as a file has it: quick checks, so that an incident is answered while somebody watches.
pub(crate) fn spec() -> String {
    let mut text = format!(
        "name = \"{ROUTE}\"\nmode = \"split\"\n\n[source]\ntopic = \"{SOURCE}\"\n\n[control]\ntopic = \"{CONTROL}\"\n\
         initial = \"blue\"\n\n[worker]\ncommit_every = \"1s\"\n\n[checks]\nevery = \"3s\"\nfreshness = \"6s\"\nlag = 2000\n\n\
         [guard]\nunhealthy_for = \"4s\"\nhealthy_for = \"4s\"\ncooldown = \"30s\"\n"
    );
    for (lane, group) in LANES {
        text.push_str(&format!(
            "\n[[lane]]\nname = \"{lane}\"\ntopic = \"{}\"\noutput = \"{}\"\ngroup = \"{group}\"\n",
            input(lane),
            output(lane)
        ));
    }
    text
}
