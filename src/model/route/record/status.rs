//! How a route stands, as its leading controller says it once a second.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use super::{Answer, Cause, Hold, Signed};

/// Whether a lane is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Every check that could be made passed.
    Well,
    /// A check failed.
    Unwell,
    /// Nothing was measured yet, or nothing can be.
    #[default]
    Unknown,
}

impl Health {
    /// As a person says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Unwell => "unwell",
            Self::Unknown => "unknown",
        }
    }
}

/// One check of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which: freshness, lag, http, flink, signals.
    pub name: String,
    /// How it went.
    pub health: Health,
    /// What was seen.
    pub words: String,
}

/// How a lane stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// Name.
    pub name: String,
    /// All checks together.
    pub health: Health,
    /// For how long.
    pub for_ms: i64,
    /// One by one.
    pub checks: Vec<Check>,
    /// Records that its group has yet to read; `None` when that is not known.
    #[serde(default)]
    pub lag: Option<u64>,
    /// For how long its output has not grown; `None` when that is not known.
    #[serde(default)]
    pub quiet_ms: Option<i64>,
    /// The oldest of the newest records' timestamps in the partitions of its output, milliseconds since 1970.
    #[serde(default)]
    pub watermark_ms: Option<i64>,
}

/// How a partition stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStatus {
    /// Which of the lanes' topics, where the route selects; `None` for the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Its number.
    pub partition: i32,
    /// What is committed; `None` before the first transaction.
    pub routed: Option<i64>,
    /// End of the source; `None` when the brokers did not say.
    pub end: Option<i64>,
    /// The control record that holds there.
    pub epoch: Option<u64>,
}

/// A flip on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlipStatus {
    /// Number of its control record.
    pub epoch: u64,
    /// From which lane.
    pub from: String,
    /// To which.
    pub to: String,
    /// Partitions that have acknowledged.
    pub acknowledged: usize,
    /// All partitions.
    pub partitions: usize,
    /// Since the trouble began, or the request came.
    pub running_ms: i64,
    /// What was promised for that.
    pub sla_ms: i64,
    /// From there to the control record.
    #[serde(default)]
    pub decided_after_ms: i64,
    /// From there until every partition had acknowledged; `None` while some have not.
    #[serde(default)]
    pub acknowledged_after_ms: Option<i64>,
    /// Why it was written.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Who wanted it, and why.
    #[serde(default)]
    pub who: String,
    /// Why they wanted it.
    #[serde(default)]
    pub why: String,
}

/// What the two lanes say of the same windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Well when they say the same, unwell when they differ, unknown while there is too little to compare.
    pub health: Health,
    /// Windows that both have.
    pub windows: u64,
    /// The numbers.
    pub words: String,
}

/// How the route stands, by its leading controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Form of this record.
    pub version: u32,
    /// Which route.
    pub route: String,
    /// The controller that leads.
    pub leader: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Number of the last control record.
    pub epoch: u64,
    /// The active lane.
    pub lane: String,
    /// In `select` mode, start of the first window that is told from it, milliseconds since 1970; `None` where it has told
    /// all of them, and in `split` mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<i64>,
    /// Whether flips that nobody asks for are forbidden.
    pub hold: Option<Hold>,
    /// The lane that gets every record too.
    #[serde(default)]
    pub shadow: Option<String>,
    /// The flip on its way.
    pub flip: Option<FlipStatus>,
    /// Why the lane is not changed although it is unwell.
    pub held_back: Option<String>,
    /// Lanes.
    pub lanes: Vec<LaneStatus>,
    /// What they say of the same windows; `None` where the spec wants no comparison, or nothing was compared yet.
    #[serde(default)]
    pub comparison: Option<Comparison>,
    /// Partitions.
    pub partitions: Vec<PartitionStatus>,
    /// What else somebody should know.
    pub troubles: Vec<String>,
    /// The last answers.
    pub answers: Vec<Answer>,
}

impl Status {
    /// Which lane is active, and in `select` mode from which window on.
    #[must_use]
    pub fn active(&self) -> (&str, String) {
        let Some(from) = self.window_ms.and_then(DateTime::from_timestamp_millis) else {
            return (&self.lane, "is active".to_owned());
        };
        let is_today =
            DateTime::from_timestamp_millis(self.at_ms).is_some_and(|it| it.date_naive() == from.date_naive());
        let moment = from.format(if is_today { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%SZ" });
        (&self.lane, format!("tells windows from {moment}"))
    }
}

impl Signed for Status {
    fn signature(&self) -> (u32, &str) {
        (self.version, &self.route)
    }
}
