//! Logs that are followed: whose they are, how each stands, and what is missing from them.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::inventory::Inventory;
use super::key::{PipelineKey, PodKey, ProcessorKey};
use super::pod::Pod;

/// A container whose log is followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Container {
    /// Its pod.
    pub pod: PodKey,
    /// Its name in the pod.
    pub name: Arc<str>,
}

/// How the log of one container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// It was asked for.
    Opening,
    /// Lines come as they are written.
    Live,
    /// The container has not started; why.
    Waiting(Arc<str>),
    /// It cannot be read now: since when and why.
    Away(Time, Arc<str>),
    /// We may not read it.
    Forbidden(Arc<str>),
    /// The container ended, and all that it wrote was read.
    Ended(Arc<str>),
    /// The pod is gone, and its log with it.
    Gone,
}

impl StreamState {
    /// The state in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Opening => "opening".to_owned(),
            Self::Live => "live".to_owned(),
            Self::Waiting(why) => format!("not started: {why}"),
            Self::Away(since, why) => format!("not readable since {}: {why}", since.format("%H:%M:%SZ")),
            Self::Forbidden(why) => format!("forbidden: {why}"),
            Self::Ended(why) => why.to_string(),
            Self::Gone => "the pod is gone".to_owned(),
        }
    }
}

/// Lines that were written and cannot be shown, or that may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Time of the last line before them; `None` when there is none.
    pub from: Option<Time>,
    /// Time of the first line after them; `None` when there is none.
    pub to: Option<Time>,
    /// How many they are; `None` when nobody can know.
    pub lines: Option<u64>,
    /// Why they are missing.
    pub why: Arc<str>,
}

impl Missed {
    /// A sentence of it.
    #[must_use]
    pub fn words(&self) -> String {
        let count = match self.lines {
            Some(1) => "1 line is missing".to_owned(),
            Some(count) => format!("{count} lines are missing"),
            None => "lines may be missing".to_owned(),
        };
        let clock = |time: Time| time.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string();
        let span = match (self.from, self.to) {
            (Some(from), Some(to)) => format!(" between {} and {}", clock(from), clock(to)),
            (Some(from), None) => format!(" after {}", clock(from)),
            (None, Some(to)) => format!(" before {}", clock(to)),
            (None, None) => String::new(),
        };
        format!("{count}{span}: {}", self.why)
    }
}

/// What stands between the events of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Lines are missing.
    Missed(Missed),
    /// Something that a reader should know.
    Remark(Arc<str>),
}

impl Mark {
    /// A sentence of it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Missed(missed) => missed.words(),
            Self::Remark(words) => words.to_string(),
        }
    }
}

/// Whose logs are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// All pods of a pipeline.
    Pipeline(PipelineKey),
    /// All pods of a processor.
    Processor(ProcessorKey),
    /// One pod: the container of that name, or the one that runs Flink.
    Pod(PodKey, Option<Arc<str>>),
    /// The same before the container's last restart.
    Previous(PodKey, Option<Arc<str>>),
}

impl Target {
    /// The thing that it is about.
    #[must_use]
    pub const fn key(&self) -> &PodKey {
        match self {
            Self::Pipeline(key) | Self::Processor(key) | Self::Pod(key, _) | Self::Previous(key, _) => key,
        }
    }

    /// The pipeline that it is of, as far as is known.
    #[must_use]
    pub fn pipeline<'a>(&'a self, inventory: &'a Inventory) -> Option<&'a PipelineKey> {
        match self {
            Self::Pipeline(key) => Some(key),
            Self::Processor(key) => inventory.pipeline_of(key),
            Self::Pod(key, _) | Self::Previous(key, _) => inventory.pipeline_of(&inventory.pod(key)?.processor),
        }
    }

    /// The containers that are there now.
    #[must_use]
    pub fn containers(&self, inventory: &Inventory) -> Vec<Container> {
        let of = |pod: &Pod, name: Option<&Arc<str>>| {
            let name = name.or_else(|| main_container(pod))?;
            Some(Container { pod: pod.key.clone(), name: name.clone() })
        };
        let mut found: Vec<Container> = match self {
            Self::Pipeline(key) => inventory
                .processors_of(key)
                .flat_map(|(key, _)| inventory.pods_of(key))
                .filter_map(|pod| of(pod, None))
                .collect(),
            Self::Processor(key) => inventory.pods_of(key).filter_map(|pod| of(pod, None)).collect(),
            Self::Pod(key, name) | Self::Previous(key, name) => {
                inventory.pod(key).and_then(|pod| of(pod, name.as_ref())).into_iter().collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The container that runs Flink.
#[must_use]
pub fn main_container(pod: &Pod) -> Option<&Arc<str>> {
    let flink = pod.containers.iter().find(|name| name.contains("flink") || name.ends_with("manager"));
    flink.or_else(|| pod.containers.first())
}

/// Which part of a log is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The end, as it moves.
    #[default]
    End,
    /// Around the event of that number.
    Event(u64),
    /// Around the first event of that time or later.
    Time(Time),
    /// Around the next match behind the event of that number.
    NextMatch(u64),
    /// Around the last match before the event of that number.
    PreviousMatch(u64),
}

/// What is looked at in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// What is looked for, as it was typed.
    pub query: Arc<str>,
    /// Whether only matches are shown.
    pub only_matches: bool,
    /// Events shown before and behind each match.
    pub context: u8,
    /// Which part.
    pub anchor: Anchor,
    /// Events wanted.
    pub events: u16,
    /// Whether the fields' values are counted.
    pub facets: bool,
    /// Counts up when the same is asked again.
    pub serial: u64,
    /// File that the matches are written to; done once for each serial.
    pub save: Option<Arc<str>>,
}

/// A log that somebody looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInterest {
    /// Whose.
    pub target: Target,
    /// The name of its pipeline, as far as is known.
    pub pipeline: Option<Arc<str>>,
    /// The containers that are there now.
    pub containers: Vec<Container>,
    /// What of it.
    pub view: View,
}
