//! What workers, controller and operators write down for each other: JSON, numbered, small.
//!
//! A reader takes only what it understands wholly: another version, another route or a damaged record is refused with
//! a reason, and whoever reads keeps doing what it did. Texts in them come from outside: clean them before a terminal.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The form of all of them.
pub const VERSION: u32 = 1;
/// Longest record that is read.
const LENGTH: usize = 1 << 20;

/// Why a record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not ours, or damaged.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Of another version of this program.
    #[error("it has version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// Of another route.
    #[error("it belongs to the route \"{0}\"")]
    Foreign(String),
}

/// A record that names its version and its route.
pub trait Signed: DeserializeOwned {
    /// Version and route.
    fn signature(&self) -> (u32, &str);

    /// Reads one of this route.
    ///
    /// # Errors
    ///
    /// When it is damaged, of another version or of another route.
    fn read(bytes: &[u8], route: &str) -> Result<Self, RecordError> {
        if bytes.len() > LENGTH {
            return Err(RecordError::Unreadable(format!("it has {} bytes", bytes.len())));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        match record.signature() {
            (version, _) if version != VERSION => Err(RecordError::Version(version)),
            (_, other) if other != route => Err(RecordError::Foreign(other.to_owned())),
            _ => Ok(record),
        }
    }
}

/// Why a control record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The first one of a route.
    Initial,
    /// Somebody asked for a flip.
    Planned,
    /// The active lane was unwell.
    Failover,
    /// Somebody asked for a flip whatever the checks say.
    Forced,
    /// Somebody took a flip back that was not done.
    Aborted,
    /// Somebody forbade flips that nobody asks for.
    Held,
    /// Somebody allowed them again.
    Released,
    /// The other lane gets every record too, to be compared.
    Shadowed,
    /// It no longer does.
    Unshadowed,
}

impl Cause {
    /// As a person says it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Planned => "planned",
            Self::Failover => "failover",
            Self::Forced => "forced",
            Self::Aborted => "aborted",
            Self::Held => "held",
            Self::Released => "released",
            Self::Shadowed => "shadowed",
            Self::Unshadowed => "unshadowed",
        }
    }
}

/// Flips that nobody asks for are forbidden.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// Who said so.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

/// The word of the controller: from each partition's next transaction on, records go to this lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Form of this record.
    pub version: u32,
    /// Which route.
    pub route: String,
    /// Its number: higher ones replace lower ones, and no two have the same.
    pub epoch: u64,
    /// The active lane.
    pub lane: String,
    /// The lane that was active before; `None` in the first record.
    pub previous: Option<String>,
    /// Why it was written.
    pub cause: Cause,
    /// Who wanted it.
    pub who: String,
    /// Why they wanted it.
    pub why: String,
    /// When the trouble began, or the request came, milliseconds since 1970.
    pub since_ms: i64,
    /// When it was decided, milliseconds since 1970.
    pub decided_ms: i64,
    /// Whether flips that nobody asks for are forbidden.
    pub hold: Option<Hold>,
    /// Ends of the lane's partitions when it was decided, for the audit; empty when they are not known.
    pub lane_ends: Vec<i64>,
    /// The lane that gets every record too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<String>,
}

impl Control {
    /// Whether records change their lane by it.
    #[must_use]
    pub fn is_flip(&self) -> bool {
        self.previous.as_ref().is_some_and(|previous| *previous != self.lane)
    }
}

impl Signed for Control {
    fn signature(&self) -> (u32, &str) {
        (self.version, &self.route)
    }
}

/// How far a partition is routed, and by which control record: kept beside the committed offset, in the same
/// transaction as the records, so that offset, lane and epoch never disagree. It is also the acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Form of this record.
    pub version: u32,
    /// The control record that holds for this partition.
    pub epoch: u64,
    /// The lane it names.
    pub lane: String,
    /// The first offset that went to this lane by it.
    pub cut: i64,
    /// When the transaction was closed, by the worker's clock, milliseconds since 1970.
    pub at_ms: i64,
    /// Time between the last transaction into the lane before and the first one into this lane.
    pub gap_ms: i64,
}

impl Mark {
    /// Reads what is kept beside an offset; `None` for an offset that no worker has committed.
    ///
    /// # Errors
    ///
    /// When it was written by something else.
    pub fn read(text: &str) -> Result<Option<Self>, RecordError> {
        if text.is_empty() {
            return Ok(None);
        }
        let mark: Self = serde_json::from_str(text).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        if mark.version == VERSION { Ok(Some(mark)) } else { Err(RecordError::Version(mark.version)) }
    }
}

/// What somebody asks of the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
pub enum Verb {
    /// Change the lane, if the other one is well.
    Flip {
        /// To which.
        to: String,
    },
    /// Change the lane, whatever the checks say.
    Force {
        /// To which.
        to: String,
    },
    /// Take back the flip that is not done.
    Abort,
    /// Forbid flips that nobody asks for.
    Hold,
    /// Allow them again.
    Release,
    /// Give the other lane every record too, to compare what both make of them.
    Shadow,
    /// End that.
    Unshadow,
}

/// A request of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Form of this record.
    pub version: u32,
    /// Which route.
    pub route: String,
    /// By which its answer is found.
    pub id: String,
    /// What is asked.
    #[serde(flatten)]
    pub verb: Verb,
    /// Who asks.
    pub who: String,
    /// Why.
    pub why: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

impl Signed for Request {
    fn signature(&self) -> (u32, &str) {
        (self.version, &self.route)
    }
}

/// What the controller says to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of the request.
    pub id: String,
    /// Whether it was done.
    pub accepted: bool,
    /// The number of the control record that it led to.
    pub epoch: Option<u64>,
    /// What was done, or why not.
    pub words: String,
}

/// Where one partition changed its lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Of the source and of both lanes.
    pub partition: i32,
    /// First offset of the source that went to the new lane.
    pub offset: i64,
    /// Time without a transaction into either lane.
    pub gap_ms: i64,
}

/// What was found by reading source and lanes around the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Records of the source that were looked for.
    pub compared: u64,
    /// Found in neither lane.
    pub lost: u64,
    /// Found more than once.
    pub duplicated: u64,
    /// Found out of order.
    pub reordered: u64,
    /// What could not be read, and why; the numbers then tell nothing of it.
    pub unmeasured: Option<String>,
}

/// What became of a flip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Form of this record.
    pub version: u32,
    /// Which route.
    pub route: String,
    /// Number of the control record.
    pub epoch: u64,
    /// From which lane.
    pub from: String,
    /// To which.
    pub to: String,
    /// Why it was written.
    pub cause: Cause,
    /// Who wanted it.
    pub who: String,
    /// Why they wanted it.
    pub why: String,
    /// When the trouble began, or the request came, milliseconds since 1970.
    pub since_ms: i64,
    /// From there to the control record.
    pub decided_after_ms: i64,
    /// From there until every partition had acknowledged; `None` when another flip came first.
    pub acknowledged_after_ms: Option<i64>,
    /// What was promised for that.
    pub sla_ms: i64,
    /// Whether it was kept.
    pub within_sla: bool,
    /// Longest time without a transaction in any partition.
    pub gap_ms: i64,
    /// Where.
    pub cuts: Vec<Cut>,
    /// What was measured.
    pub audit: Audit,
    /// The flip that came before this one was done.
    pub overtaken_by: Option<u64>,
}

impl Signed for Receipt {
    fn signature(&self) -> (u32, &str) {
        (self.version, &self.route)
    }
}

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
    /// Of the source.
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

impl Signed for Status {
    fn signature(&self) -> (u32, &str) {
        (self.version, &self.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> String {
        r#"{"version":1,"route":"r","epoch":7,"lane":"green","previous":"blue","cause":"failover","who":"controller",
            "why":"x","since_ms":1,"decided_ms":2,"hold":null,"lane_ends":[5]}"#
            .to_owned()
    }

    #[test]
    fn records_of_this_route_are_read_and_others_refused() {
        let text = control();
        let read = Control::read(text.as_bytes(), "r").unwrap();
        assert!(read.is_flip());
        assert_eq!(Control::read(text.as_bytes(), "other"), Err(RecordError::Foreign("r".to_owned())));
        let newer = text.replace(r#""version":1"#, r#""version":2"#);
        assert_eq!(Control::read(newer.as_bytes(), "r"), Err(RecordError::Version(2)));
        let strange = text.replace(r#""epoch":7"#, r#""epoch":7,"mood":"good""#);
        for damaged in ["", "{", "[]", "\u{0}", text.get(..40).unwrap(), &strange, &text.replace('7', "-7")] {
            assert!(matches!(Control::read(damaged.as_bytes(), "r"), Err(RecordError::Unreadable(_))), "{damaged}");
        }
    }

    #[test]
    fn marks_survive_the_way_through_an_offset() {
        let mark = Mark { version: VERSION, epoch: 3, lane: "blue".into(), cut: 5, at_ms: 6, gap_ms: 7 };
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(Mark::read(&text), Ok(Some(mark)));
        assert_eq!(Mark::read(""), Ok(None));
        assert!(Mark::read("somebody else's").is_err());
    }

    #[test]
    fn requests_say_their_verb() {
        let request = Request {
            version: VERSION,
            route: "r".into(),
            id: "1".into(),
            verb: Verb::Flip { to: "green".into() },
            who: "me".into(),
            why: "release".into(),
            at_ms: 1,
        };
        let text = serde_json::to_string(&request).unwrap();
        assert!(text.contains(r#""verb":"flip","to":"green""#), "{text}");
        assert_eq!(Request::read(text.as_bytes(), "r"), Ok(request));
    }
}
