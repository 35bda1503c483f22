//! What flows through Kafka: producers append, groups commit, and lag is what is left between the two.
//!
//! The amounts follow the world: a topic that a job writes grows while the job runs, and a group moves on only as far
//! as its job can. So lag is true: it is made of records that are really there. Records are few and small, and what
//! has been read is deleted again by the demo's own janitor ([`retention`]).

mod records;
mod retention;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::dice::Dice;
use super::environment::Environment;
use super::kafka::{Broker, Member, Record};
use super::plan;
use super::world::cluster::{Cluster, Trouble};
use super::world::job::Job;

use self::records::Author;
pub(crate) use self::retention::{Cuts, sweep};

/// Topics that come from outside, with records a second in production.
const SOURCES: [(&str, f64); 3] = [("clickstream", 300.0), (EVENTS, EVENTS_RATE), ("ledger", 4.0)];

/// Access logs of services, of which golden signals are made.
const EVENTS: &str = "service.events";
/// How many of them a second in production.
const EVENTS_RATE: f64 = 240.0;
/// Seconds of them that are there from the first moment.
const PAST_SECONDS: i64 = 300;

/// Records a second that arrive for a processor whose sink fails: upstream replays.
const BURST: f64 = 5_000.0;

/// Records a second that a job reads beyond its ordinary rate, to work off a backlog.
const CATCH_UP: f64 = 12_000.0;

/// What a job takes and gives in one tick.
struct Flow {
    group: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// Records a second that it can read; 0 while it cannot read at all.
    capacity: f64,
    /// Records a second that it reads on an ordinary day.
    wanted: f64,
    /// Records a second that come out at the end of its graph.
    yields: f64,
    /// Its input is being replayed.
    burst: bool,
    /// Members of its group; empty while it does not run.
    members: Vec<(String, String)>,
}

/// The traffic of one environment.
pub(crate) struct Traffic {
    broker: Broker,
    dice: Dice,
    author: Author,
    /// Partitions of each topic.
    topics: BTreeMap<String, u32>,
    /// Fractions of records that were not due yet.
    carry: BTreeMap<String, f64>,
    /// What each group has read: by group, topic and partition.
    read: BTreeMap<(String, String, u32), f64>,
    /// Member counts as last announced.
    announced: BTreeMap<String, usize>,
    /// Traffic against production.
    scale: f64,
}

impl Traffic {
    pub(crate) fn new(environment: &Environment, broker: Broker) -> Self {
        let mut topics = BTreeMap::new();
        for plan in plan::clusters(&environment.name) {
            for job in plan.jobs {
                for topic in job.inputs.into_iter().chain(job.outputs) {
                    let partitions = partitions(&topic);
                    topics.insert(topic, partitions);
                }
            }
        }
        for topic in [EVENTS, "golden.signals"] {
            topics.insert(topic.to_owned(), partitions(topic));
        }
        for (topic, partitions) in &topics {
            broker.create_topic(topic, *partitions);
        }
        let scale = match environment.name.as_str() {
            "prd" => 1.0,
            "e2e" => 0.2,
            _ => 0.05,
        };
        Self {
            broker,
            dice: Dice::of(environment.seed, &format!("traffic {}", environment.name)),
            author: Author::new(&environment.name),
            topics,
            carry: BTreeMap::new(),
            read: BTreeMap::new(),
            announced: BTreeMap::new(),
            scale,
        }
    }

    /// Writes what services logged before anybody looked, so that charts have a past.
    pub(crate) fn remember(&mut self, now: DateTime<Utc>) {
        for ago in (0..PAST_SECONDS).rev() {
            self.produce(EVENTS, EVENTS_RATE * self.scale, now - chrono::Duration::seconds(ago));
        }
    }

    /// Where the logs may be cut now: behind the slowest reader, and not too close.
    pub(crate) fn cuts(&self) -> Cuts {
        let mut slowest: BTreeMap<(String, u32), u64> = BTreeMap::new();
        for ((_, topic, partition), read) in &self.read {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
            let read = read.max(0.0) as u64;
            let slot = slowest.entry((topic.clone(), *partition)).or_insert(read);
            *slot = read.min(*slot);
        }
        retention::cuts(&self.broker, &self.topics, &slowest)
    }

    /// Moves on by so many seconds.
    pub(crate) fn step(&mut self, environment: &Environment, seconds: f64, now: DateTime<Utc>) {
        let flows = flows(environment);
        let fails = environment.world().clusters.values().any(|it| matches!(it.trouble, Some(Trouble::SinkFails)));
        self.author.set_matching_fails(fails);
        let mut due: BTreeMap<String, f64> = BTreeMap::new();
        for (topic, rate) in SOURCES {
            if self.topics.contains_key(topic) {
                *due.entry(topic.to_owned()).or_default() += rate * self.scale;
            }
        }
        let mut burst = Vec::new();
        for flow in &flows {
            for topic in &flow.outputs {
                *due.entry(topic.clone()).or_default() += flow.yields;
            }
            if flow.burst {
                burst.extend(flow.inputs.iter().cloned());
            }
        }
        for (topic, rate) in due {
            self.produce(&topic, rate * seconds, now);
        }
        for topic in burst {
            self.replay(&topic, BURST * seconds, now);
        }
        for flow in &flows {
            self.consume(flow, seconds);
        }
    }

    /// Appends full records, spread unevenly over the partitions as keys are.
    fn produce(&mut self, topic: &str, amount: f64, now: DateTime<Utc>) {
        let wobble = self.dice.between(0.9, 1.1);
        let count = self.whole(topic, amount * wobble);
        let partitions = self.topics.get(topic).copied().unwrap_or(1);
        let mut batches: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        for _ in 0..count {
            let record = self.author.record(topic, &mut self.dice, now);
            batches.entry(self.hot(partitions)).or_default().push(record);
        }
        for (partition, records) in batches {
            if self.broker.append(topic, partition, &records).is_none() {
                tracing::trace!(topic, "demo topic was deleted");
            }
        }
    }

    /// Appends many very small records.
    fn replay(&mut self, topic: &str, amount: f64, now: DateTime<Utc>) {
        let count = self.whole("a replay", amount);
        let partitions = self.topics.get(topic).copied().unwrap_or(1);
        for partition in 0..partitions {
            let share = count / u64::from(partitions) + if partition == 2 { count / 10 } else { 0 };
            let record = records::replayed(now);
            let records = vec![record; usize::try_from(share).unwrap_or(0)];
            if !records.is_empty() && self.broker.append(topic, partition, &records).is_none() {
                tracing::trace!(topic, "demo topic was deleted");
            }
        }
    }

    /// Whole records out of a rate; the rest is kept for the next tick.
    fn whole(&mut self, topic: &str, amount: f64) -> u64 {
        let carry = self.carry.entry(topic.to_owned()).or_default();
        let total = *carry + amount;
        *carry = total.fract();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand, never negative")]
        let whole = total.max(0.0) as u64;
        whole
    }

    /// A partition; the third one gets more than its share.
    fn hot(&mut self, partitions: u32) -> u32 {
        if partitions > 2 && self.dice.chance(0.12) {
            return 2;
        }
        u32::try_from(self.dice.below(u64::from(partitions.max(1)))).unwrap_or(0)
    }

    /// A group reads on and commits.
    fn consume(&mut self, flow: &Flow, seconds: f64) {
        self.announce(flow);
        for topic in &flow.inputs {
            let Some(partitions) = self.topics.get(topic).copied() else { continue };
            for partition in 0..partitions {
                let Some(end) = self.broker.end_offset(topic, partition) else { continue };
                let key = (flow.group.clone(), topic.clone(), partition);
                #[expect(clippy::cast_precision_loss, reason = "offsets of a demo")]
                let end = end as f64;
                let read = self.read.entry(key).or_insert(end);
                let share = flow.capacity * seconds / f64::from(partitions);
                // The newest records are in flight, and a backlog is worked off faster than the ordinary day's rate.
                let behind = (end - *read).max(0.0);
                let slowed = flow.capacity < flow.wanted;
                let in_flight = share.min(behind) * 0.6;
                let backlog = if slowed { 0.0 } else { (behind * 0.5).min(CATCH_UP / f64::from(partitions)) * seconds };
                let step = share.mul_add(1.5, backlog).min(behind - in_flight);
                if flow.capacity > 0.0 {
                    *read += step.max(0.0);
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
                let offset = read.max(0.0) as u64;
                self.broker.commit(&flow.group, topic, partition, offset);
            }
        }
    }

    /// Tells the broker who is in a group, when that changed.
    fn announce(&mut self, flow: &Flow) {
        if self.announced.get(&flow.group) == Some(&flow.members.len()) {
            return;
        }
        self.announced.insert(flow.group.clone(), flow.members.len());
        let count = u32::try_from(flow.members.len()).unwrap_or(1).max(1);
        let members = flow
            .members
            .iter()
            .zip(0_u32..)
            .map(|((client, address), index)| Member {
                client_id: client.clone(),
                host: format!("/{address}"),
                assignment: flow
                    .inputs
                    .iter()
                    .map(|topic| {
                        let partitions = self.topics.get(topic).copied().unwrap_or(1);
                        (topic.clone(), (0..partitions).filter(|partition| partition % count == index).collect())
                    })
                    .collect(),
            })
            .collect();
        self.broker.set_members(&flow.group, members);
    }
}

fn partitions(topic: &str) -> u32 {
    match topic {
        "clickstream" | "service.events" | "matches.v2" => 6,
        "sessions" | "experts.v1" | "routed" => 4,
        _ => 2,
    }
}

/// What the jobs take and give now.
fn flows(environment: &Environment) -> Vec<Flow> {
    let world = environment.world();
    world.clusters.values().flat_map(|cluster| cluster.jobs.iter().map(|job| flow(cluster, job))).collect()
}

fn flow(cluster: &Cluster, job: &Job) -> Flow {
    let running = job.is_running() && !cluster.plan.stopped;
    let share = match cluster.trouble {
        _ if !running => 0.0,
        Some(Trouble::SinkFails) => 0.0,
        Some(Trouble::Skew(_)) => 0.35,
        None => 1.0,
    };
    let yields: f64 = job.vertices.iter().map(|vertex| vertex.yields).product();
    let members = if running {
        cluster
            .task_managers()
            .filter(|pod| pod.is_ready())
            .map(|pod| (format!("{}-{}", job.plan.name, pod.ordinal), pod.address.clone()))
            .collect()
    } else {
        Vec::new()
    };
    Flow {
        group: job.plan.group.clone(),
        inputs: job.plan.inputs.clone(),
        outputs: job.plan.outputs.clone(),
        capacity: job.plan.rate * share,
        wanted: job.plan.rate,
        yields: job.plan.rate * share * yields,
        burst: cluster.trouble == Some(Trouble::SinkFails),
        members,
    }
}
