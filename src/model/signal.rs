//! Golden signals of services as values: what the engine publishes and screens, commands and alerts read.
//!
//! Rates and percentages are computed once, from sums, where the sums are; nothing here is averaged again. "No data" is
//! `None`: neither 0 nor 100.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Time;

/// How well a service is, from 0 (well) to 3 (down), as its health expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Health(u8);

impl Health {
    /// Nothing is wrong.
    pub const WELL: Self = Self(0);
    /// It does not serve.
    pub const DOWN: Self = Self(3);

    /// From a number; `None` outside 0 to 3.
    #[must_use]
    pub const fn new(level: i64) -> Option<Self> {
        match level {
            0 => Some(Self(0)),
            1 => Some(Self(1)),
            2 => Some(Self(2)),
            3 => Some(Self(3)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.0
    }
}

/// Latency quantiles of a window or range, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 95th percentile.
    pub p95_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Greatest, exact.
    pub max_us: f64,
}

/// The component of a service that is nearest to its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Saturation {
    /// Percent of its limit; may pass 100.
    pub percent: f64,
    /// Which: `cpu`, `mem`, `busy`, `lag`, or the name of an event field.
    pub component: Arc<str>,
}

impl Saturation {
    /// Of two the one that is nearer to its limit.
    #[must_use]
    pub fn nearer(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let known = [one, other].into_iter().flatten().filter(|it| it.percent.is_finite());
        known.reduce(|one, other| if other.percent > one.percent { other } else { one })
    }
}

/// One step of a series: sums of one service over `[start, start + step)`, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Start of the step.
    pub start: Time,
    /// Requests.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Quantiles of latency.
    pub latency: Latency,
    /// Health by the rule that held then.
    pub health: Health,
    /// Saturation, where anything tells it.
    pub saturation: Option<Saturation>,
}

impl Point {
    /// Successful share in percent; `None` without requests.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of a range are far below 2^52")]
    pub fn availability_percent(&self) -> Option<f64> {
        let good = self.requests.checked_sub(self.errors)?;
        (self.requests > 0).then(|| good as f64 * 100.0 / self.requests as f64)
    }
}

/// Since when a service says nothing, though it did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// End of its last window with events.
    pub since: Time,
}

/// One service now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceNow {
    /// Its name.
    pub service: Arc<str>,
    /// Swimlane that the expression computed; `None` without expression or when it says "".
    pub swimlane: Option<Arc<str>>,
    /// Its newest closed window; `None` when silent or not closed yet.
    pub point: Option<Point>,
    /// Requests a second in that window.
    pub requests_per_second: Option<f64>,
    /// Set while it is silent.
    pub silence: Option<Silence>,
    /// Requests a second of the last windows, oldest first, for a sparkline; gaps are gaps.
    pub trend: Arc<[Option<f32>]>,
    /// Promised availability in percent.
    pub objective_percent: Option<f64>,
    /// Share of the error budget of the retained range that is left, in percent; negative when overspent.
    pub budget_left_percent: Option<f64>,
    /// Text of the health rule that holds, and whether an override set it.
    pub rule: Rule,
    /// Tags set by an override.
    pub tags: Arc<[(Arc<str>, Arc<str>)]>,
}

/// A rule and where it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The expression as written.
    pub text: Arc<str>,
    /// Where from: `spec`, `default`, or the location of the override.
    pub from: Arc<str>,
}

/// A moment worth a mark in a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What: `rev 44`, `down fires`, `overrides`.
    pub text: Arc<str>,
}

/// How far a chart looks back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Range {
    /// 15 minutes, a point for each window.
    #[default]
    QuarterHour,
    /// An hour.
    Hour,
    /// 6 hours, a point for each minute.
    SixHours,
    /// 24 hours.
    Day,
}

impl Range {
    /// All of them, shortest first.
    pub const ALL: [Self; 4] = [Self::QuarterHour, Self::Hour, Self::SixHours, Self::Day];

    /// Seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::QuarterHour => 900,
            Self::Hour => 3_600,
            Self::SixHours => 21_600,
            Self::Day => 86_400,
        }
    }

    /// As screens write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::QuarterHour => "15 min",
            Self::Hour => "1 h",
            Self::SixHours => "6 h",
            Self::Day => "24 h",
        }
    }
}

/// The charts of one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceHistory {
    /// Its name.
    pub service: Arc<str>,
    /// Which swimlane or dimension value alone; `None` is all of it.
    pub slice: Option<(Arc<str>, Arc<str>)>,
    /// How far back.
    pub range: Range,
    /// Where it ends, as it was asked for; `None` is now.
    pub until: Option<Time>,
    /// Start of the first step.
    pub start: Time,
    /// Length of a step, milliseconds.
    pub step_ms: i64,
    /// The steps from `start` on; a gap is `None`.
    pub points: Arc<[Option<Point>]>,
    /// Latency heat map: for each step, requests by row; row 0 is the fastest. Empty unless asked for.
    pub heat: Arc<[Arc<[u32]>]>,
    /// Upper bounds of the heat map's rows, microseconds.
    pub heat_bounds_us: Arc<[u64]>,
    /// Sums of the range by value of each swimlane and dimension: (dimension, value, point over the range).
    pub slices: Arc<[(Arc<str>, Arc<str>, Point)]>,
    /// Deploys, alerts, changed rules.
    pub marks: Arc<[Mark]>,
}

/// When health would have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Start of the window.
    pub at: Time,
    /// Health in the window before.
    pub from: Health,
    /// Health in this one.
    pub to: Health,
}

/// What a health expression would have said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Start of the first window.
    pub start: Time,
    /// Length of a window, milliseconds.
    pub step_ms: i64,
    /// For each window health as it was and as it would have been, where the expression says anything; a gap is `None`.
    pub levels: Arc<[Option<(Health, Option<Health>)>]>,
    /// Windows that had requests.
    pub windows: usize,
    /// Those of them whose health would have been another.
    pub differing: usize,
    /// When health would have changed, the newest first, and not all of very many.
    pub shifts: Arc<[Shift]>,
    /// Why windows have no health, and how many.
    pub faults: Arc<[(Arc<str>, u64)]>,
}

/// A health expression that is tried on the recent windows of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The service.
    pub service: Arc<str>,
    /// The expression as written.
    pub expression: Arc<str>,
    /// What it would have said, or why it cannot be used.
    pub outcome: Result<Outcome, Arc<str>>,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// It holds.
    Firing,
    /// Its condition holds, not yet for long enough.
    Pending,
    /// It held and no longer does.
    Resolved,
}

/// One alert: a rule and the service for which it holds or held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Service.
    pub service: Arc<str>,
    /// How bad: `page` or `ticket`.
    pub severity: Arc<str>,
    /// How it stands.
    pub state: AlertState,
    /// Since when it stands so.
    pub since: Time,
    /// Plain words: what is seen against what is allowed.
    pub summary: Arc<str>,
    /// Who acknowledged it and when, if somebody did.
    pub acknowledged: Option<(Arc<str>, Time)>,
    /// No bell and no message before this.
    pub snoozed_until: Option<Time>,
}

/// What a person does about an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Somebody, by name, looks after it: no more bell and no more messages until it is resolved.
    Acknowledge(Arc<str>),
    /// No bell and no message before then.
    Snooze(Time),
    /// Neither holds any more.
    Wake,
}

/// An answer to one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertOrder {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Service.
    pub service: Arc<str>,
    /// What is to be done.
    pub answer: Answer,
}

/// Events that were not counted, by reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The reason in words.
    pub reason: Arc<str>,
    /// How many.
    pub count: u64,
}

/// A record that was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectSample {
    /// The reason in words.
    pub reason: Arc<str>,
    /// What exactly.
    pub detail: Arc<str>,
    /// Where it lies: `topic/partition@offset`.
    pub place: Arc<str>,
    /// Its first bytes, escaped.
    pub record: Arc<str>,
}

/// How the side input stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OverridesState {
    /// Where they come from; `None` when the spec names no place.
    pub location: Option<Arc<str>>,
    /// How many services have an override in force.
    pub services: usize,
    /// Short hash of the content in force.
    pub version: Option<Arc<str>>,
    /// When the content in force was fetched.
    pub fetched: Option<Time>,
    /// At which window it took effect.
    pub applied: Option<Time>,
    /// Why the last try did not bring a new one; the last good one holds.
    pub error: Option<Arc<str>>,
    /// When the next try is due.
    pub next_try: Option<Time>,
}

/// Rows that others counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aggregated {
    /// Their topic.
    pub topic: Arc<str>,
    /// Who wrote rows lately, as `name/version`.
    pub writers: Arc<[Arc<str>]>,
    /// Rows of one key and revision by two writers that say different things: the last one holds.
    pub contested: u64,
}

/// How reading stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Reading {
    /// Looking for the topic's end or start.
    Starting,
    /// Reads the past faster than it happened; percent of the way.
    CatchingUp(u8),
    /// Reads what happens.
    Live,
    /// The source does not answer: since when and why.
    Stalled(Time, Arc<str>),
    /// It cannot start at all: what is wrong and what to do.
    Failed(Arc<str>),
}

/// What somebody looks at, beyond the table of services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Focus {
    /// The service whose charts are wanted.
    pub service: Option<Arc<str>>,
    /// How far back.
    pub range: Range,
    /// Where charts end; `None` is now.
    pub until: Option<Time>,
    /// One swimlane or dimension value alone.
    pub slice: Option<(Arc<str>, Arc<str>)>,
    /// Whether the latency heat map is wanted: it costs a sketch for each step.
    pub with_heat: bool,
    /// A health expression to be tried on the recent windows of the service.
    pub trial: Option<Arc<str>>,
}

/// All that a spec's engine has to say at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signals {
    /// Name of the spec.
    pub name: Arc<str>,
    /// Length of a window, milliseconds.
    pub window_ms: i64,
    /// How reading stands.
    pub reading: Reading,
    /// How far event time has surely come; `None` before the first event.
    pub watermark: Option<Time>,
    /// How far the newest event lies behind the clock, milliseconds.
    pub behind_ms: Option<i64>,
    /// Records still to be read.
    pub backlog: Option<u64>,
    /// Records read a second, lately.
    pub records_per_second: f64,
    /// Records read since the start.
    pub records: u64,
    /// Events that came late and were counted.
    pub late: u64,
    /// Events that came too late, poison, overflow.
    pub rejects: Arc<[Reject]>,
    /// The last of them.
    pub samples: Arc<[RejectSample]>,
    /// Events counted under `__other__` because there were too many services.
    pub other: u64,
    /// Values of dimensions, and swimlanes, counted under `__other__` because a service had too many.
    pub other_values: u64,
    /// Counts beside such a value that there was no room for.
    pub beside_none: u64,
    /// Who counts, where it is not this process.
    pub aggregated: Option<Aggregated>,
    /// The side input.
    pub overrides: OverridesState,
    /// Every service, in the order of names.
    pub services: Arc<[ServiceNow]>,
    /// How often a health rule or swimlane had no answer.
    pub faults: u64,
    /// The last time's reason.
    pub last_fault: Option<Arc<str>>,
    /// Whether a rule uses saturation, so that it is wanted of all services.
    pub wants_saturation: bool,
    /// The charts that are looked at.
    pub history: Option<Arc<ServiceHistory>>,
    /// The expression that is tried.
    pub trial: Option<Arc<Trial>>,
    /// Alerts, the worst first.
    pub alerts: Arc<[Alert]>,
}
