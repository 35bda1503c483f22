//! The route spec: what is routed where, what a healthy lane is, and when the lane may change by itself.
//!
//! TOML with unknown keys refused; [`Spec::parse`] checks what types cannot, so that workers and controller can be
//! built from any spec that exists. What only the brokers know (that topics exist, with equal partitions) is checked
//! by [`topics`](super::topics).
//!
//! It must not hold a default that `config/examples/route.toml` or `route-select.toml` does not show.

mod rows;
mod select;

use std::path::Path;

use serde::Deserialize;

pub use self::rows::{Compare, HealthRules, SignalsFile};
pub use self::select::{Destination, Select};
use crate::model::span::Span;

/// The two lanes of a route, by position in the spec.
pub const LANES: usize = 2;
/// Longest name of a topic that Kafka takes.
const TOPIC_LENGTH: usize = 249;
/// Shortest time between two transactions: each costs the brokers several writes.
const SHORTEST_COMMIT: i64 = 10;
/// Longest: a transaction must be over well before the brokers give it up.
const LONGEST_COMMIT: i64 = 2_000;

/// Why a spec cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No file, or none that we may read.
    #[error("cannot read the route spec {0}: {1}")]
    File(String, String),
    /// What is wrong with a file.
    #[error("{0}: {1}")]
    Within(String, Box<Self>),
    /// Not TOML, an unknown key or a wrong type.
    #[error("the route spec is not valid:\n{0}")]
    Parse(String),
    /// A value that cannot be.
    #[error("the route spec has {key} = {value}: {problem}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it and what to write instead.
        problem: &'static str,
    },
    /// A part that belongs to the other mode, or is missing in this one.
    #[error("the route spec {0}")]
    Mode(&'static str),
    /// The number of lanes.
    #[error("the route spec has {0} lanes: a route has two, the one that is active and the one that waits")]
    Lanes(usize),
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the route; it names consumer groups and transactions too.
    pub name: String,
    /// Which way records go.
    pub mode: Mode,
    /// What is read: by the route where it splits, by both copies of the pipeline where it selects.
    pub source: Source,
    /// Where rows are told, where the route selects.
    pub destination: Option<Destination>,
    /// How rows say their windows, where the route selects.
    pub select: Option<Select>,
    /// Where it goes, or whence it comes: one of two.
    #[serde(rename = "lane")]
    pub lanes: Vec<Lane>,
    /// Where the controller speaks.
    pub control: ControlPlace,
    /// How workers copy.
    #[serde(default)]
    pub worker: WorkerRules,
    /// What a healthy lane is.
    #[serde(default)]
    pub checks: Checks,
    /// When the lane changes by itself.
    #[serde(default)]
    pub guard: Guard,
    /// What was promised.
    #[serde(default)]
    pub sla: Sla,
    /// How a new copy of the pipeline takes the place of the one before.
    #[serde(default)]
    pub rollout: Rollout,
    /// What must be the same in both lanes' outputs before a planned flip.
    pub compare: Option<Compare>,
    /// How well lanes are by golden signals of their pipelines.
    pub health: Option<HealthRules>,
}

/// Which way records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// From the source to the active lane.
    Split,
    /// From the active lane's output to one destination, by window.
    Select,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Topic.
    pub topic: String,
}

/// One of two copies of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Name, as a person calls it.
    pub name: String,
    /// What the route writes and its pipeline reads, where it splits; what its pipeline writes and the route reads,
    /// where it selects. As many partitions as on the route's other side.
    pub topic: String,
    /// Topic that its pipeline writes; new records there show that it lives. Where the route selects it is `topic`.
    pub output: Option<String>,
    /// Consumer group of its pipeline, for its lag.
    pub group: Option<String>,
    /// URL that answers with success while the lane is well.
    pub http: Option<String>,
    /// Address of its Flink's REST API, whose jobs must run.
    pub flink: Option<String>,
    /// Name of its pipeline, for deployments without downtime.
    pub pipeline: Option<String>,
    /// Service in the rows of `health` that tells how well its pipeline is.
    pub service: Option<String>,
}

/// Where the controller speaks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlPlace {
    /// Topic of the control records; beside it are `.requests`, `.status` and `.receipts`. One partition each.
    pub topic: String,
    /// The lane that is active at first.
    pub initial: String,
}

impl ControlPlace {
    /// What operators ask for.
    #[must_use]
    pub fn requests(&self) -> String {
        format!("{}.requests", self.topic)
    }

    /// How the route stands, once a second.
    #[must_use]
    pub fn status(&self) -> String {
        format!("{}.status", self.topic)
    }

    /// What became of each flip.
    #[must_use]
    pub fn receipts(&self) -> String {
        format!("{}.receipts", self.topic)
    }
}

/// How workers copy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerRules {
    /// Longest time between two transactions: it is what readers of the lanes wait, and what a flip waits.
    pub commit_every: Span,
    /// Most records of one transaction.
    pub commit_records: u32,
}

impl Default for WorkerRules {
    fn default() -> Self {
        Self { commit_every: Span::from_millis(100), commit_records: 20_000 }
    }
}

/// What a healthy lane is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Between two looks.
    pub every: Span,
    /// How long one look may take.
    pub timeout: Span,
    /// The active lane's output must have grown within this time; a lane that waits must read what it still has.
    pub freshness: Span,
    /// Records that its group may be behind.
    pub lag: u64,
}

impl Default for Checks {
    fn default() -> Self {
        Self { every: Span::seconds(5), timeout: Span::seconds(3), freshness: Span::seconds(60), lag: 500_000 }
    }
}

/// When the lane changes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Whether it does at all.
    pub automatic: bool,
    /// How long the active lane must be unwell.
    pub unhealthy_for: Span,
    /// How long the other one must have been well.
    pub healthy_for: Span,
    /// Shortest time between two flips that nobody asked for.
    pub cooldown: Span,
    /// Most of those within an hour.
    pub flips_per_hour: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            automatic: true,
            unhealthy_for: Span::seconds(15),
            healthy_for: Span::seconds(15),
            cooldown: Span::seconds(120),
            flips_per_hour: 4,
        }
    }
}

/// What was promised.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sla {
    /// From the first sign of trouble, or from the request, until every partition goes to the other lane.
    pub flip: Span,
}

impl Default for Sla {
    fn default() -> Self {
        Self { flip: Span::seconds(180) }
    }
}

/// How a new copy of the pipeline takes the place of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollout {
    /// Longest time for each step: that the new copy gets well, that the lanes can be compared, that the flip is done.
    pub patience: Span,
    /// How long the old copy is kept running after the flip.
    pub bake: Span,
    /// Whether the old copy is stopped in the end.
    pub retire: bool,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { patience: Span::seconds(900), bake: Span::seconds(600), retire: true }
    }
}

impl Spec {
    /// Reads a spec.
    ///
    /// # Errors
    ///
    /// Says which key cannot be used, and why.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let mut spec: Self = toml::from_str(text).map_err(|error| SpecError::Parse(error.to_string()))?;
        spec.check_mode()?;
        spec.check()?;
        Ok(spec)
    }

    /// Reads a spec from its file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the spec not be used.
    pub fn open(path: &Path) -> Result<Self, SpecError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| SpecError::File(shown.clone(), error.to_string()))?;
        let mut spec = Self::parse(&text).map_err(|error| SpecError::Within(shown, Box::new(error)))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let compare = spec.compare.as_mut().map(|compare| &mut compare.signals);
        for file in compare.into_iter().chain(spec.health.as_mut().map(|health| &mut health.signals)) {
            file.0 = folder.join(&file.0);
        }
        Ok(spec)
    }

    /// The consumer group of the workers.
    #[must_use]
    pub fn worker_group(&self) -> String {
        format!("route.{}.workers", self.name)
    }

    /// The group whose one partition makes a controller the leader, and the name of its transactions.
    #[must_use]
    pub fn controller_group(&self) -> String {
        format!("route.{}.controllers", self.name)
    }

    /// A lane by its name.
    #[must_use]
    pub fn lane(&self, name: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }

    /// The lane that is not this one.
    #[must_use]
    pub fn other(&self, name: &str) -> Option<&Lane> {
        self.lane(name)?;
        self.lanes.iter().find(|lane| lane.name != name)
    }

    fn check(&self) -> Result<(), SpecError> {
        let [first, second] = self.lanes.as_slice() else { return Err(SpecError::Lanes(self.lanes.len())) };
        word("name", &self.name)?;
        for lane in &self.lanes {
            word("lane.name", &lane.name)?;
            lane.check()?;
        }
        if first.name == second.name {
            return Err(refuse("lane.name", &first.name, "both lanes have it: give each its own"));
        }
        if let Some(pipeline) = first.pipeline.as_ref().filter(|name| second.pipeline.as_ref() == Some(name)) {
            return Err(refuse("lane.pipeline", pipeline, "both lanes have it: they are two copies, each its own"));
        }
        if self.lane(&self.control.initial).is_none() {
            return Err(refuse("control.initial", &self.control.initial, "no lane has this name"));
        }
        self.check_topics()?;
        self.check_rows()?;
        self.check_times()
    }

    fn check_topics(&self) -> Result<(), SpecError> {
        topic("source.topic", &self.source.topic)?;
        topic("control.topic", &self.control.receipts())?;
        let control = &self.control;
        let own = [control.topic.clone(), control.requests(), control.status(), control.receipts()];
        let output = |lane: &Lane| lane.output.clone().filter(|output| *output != lane.topic);
        let lanes = self.lanes.iter().flat_map(|lane| [Some(lane.topic.clone()), output(lane)]).flatten();
        let lanes = lanes.chain(self.destination.iter().map(|destination| destination.topic.clone()));
        let mut seen = vec![self.source.topic.clone()];
        for name in own.into_iter().chain(lanes) {
            if seen.contains(&name) {
                return Err(refuse("topic", &name, "the route would use it for two things: name another"));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), SpecError> {
        let every = self.worker.commit_every;
        if !(SHORTEST_COMMIT..=LONGEST_COMMIT).contains(&every.millis()) {
            return Err(refuse("worker.commit_every", &every.to_string(), "write something from 10ms to 2s"));
        }
        if !(1..=1_000_000).contains(&self.worker.commit_records) {
            let value = self.worker.commit_records.to_string();
            return Err(refuse("worker.commit_records", &value, "write something from 1 to 1000000"));
        }
        let positive = [
            ("checks.every", self.checks.every),
            ("checks.timeout", self.checks.timeout),
            ("checks.freshness", self.checks.freshness),
            ("sla.flip", self.sla.flip),
            ("rollout.patience", self.rollout.patience),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, span)| span.millis() == 0) {
            return Err(refuse(key, "0s", "write more than nothing"));
        }
        if self.guard.automatic && self.guard.unhealthy_for.millis() >= self.sla.flip.millis() {
            let value = self.guard.unhealthy_for.to_string();
            return Err(refuse("guard.unhealthy_for", &value, "it uses up the whole of sla.flip: write less"));
        }
        Ok(())
    }
}

impl Lane {
    fn check(&self) -> Result<(), SpecError> {
        topic("lane.topic", &self.topic)?;
        if let Some(output) = &self.output {
            topic("lane.output", output)?;
        }
        for (key, url) in [("lane.http", &self.http), ("lane.flink", &self.flink)] {
            if let Some(url) = url
                && !(url.starts_with("http://") || url.starts_with("https://"))
            {
                return Err(refuse(key, url, "write an address that begins with http:// or https://"));
            }
        }
        Ok(())
    }
}

fn refuse(key: &'static str, value: &str, problem: &'static str) -> SpecError {
    SpecError::Value { key, value: format!("{value:?}"), problem }
}

/// Names become parts of names of groups and transactions.
fn word(key: &'static str, name: &str) -> Result<(), SpecError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || name.len() > 60 || !name.chars().all(fits) {
        return Err(refuse(key, name, "write 1 to 60 letters, digits, - and _"));
    }
    Ok(())
}

fn topic(key: &'static str, name: &str) -> Result<(), SpecError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.is_empty() || name.len() > TOPIC_LENGTH || matches!(name, "." | "..") || !name.chars().all(fits) {
        return Err(refuse(key, name, "Kafka takes letters, digits, . _ and - in the name of a topic"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
