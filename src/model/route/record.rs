//! What workers, controller and operators write down for each other: JSON, numbered, small.
//!
//! A reader takes only what it understands wholly: another version, another route or a damaged record is refused with
//! a reason, and whoever reads keeps doing what it did. Texts in them come from outside: clean them before a terminal.

mod receipt;
mod request;
mod selection;
mod status;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::receipt::{Audit, Cut, Receipt};
pub use self::request::{Answer, Request, Verb};
pub use self::selection::{Extent, Fill, Part, Reign, Selection};
pub use self::status::{Check, Comparison, FlipStatus, Health, LaneStatus, PartitionStatus, Status};

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
    /// Which lane's rows are told of which window, where the route selects; `None` where it splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
}

impl Control {
    /// Whether records change their lane by it, or are about to.
    #[must_use]
    pub fn is_flip(&self) -> bool {
        self.fence().is_some() || self.previous.as_ref().is_some_and(|previous| *previous != self.lane)
    }

    /// The lane that is to come, while nobody tells anything.
    #[must_use]
    pub fn fence(&self) -> Option<&str> {
        self.selection.as_ref()?.fence.as_deref()
    }

    /// The number by which the flip is known that this record begins or ends: what was answered to whoever asked for it.
    #[must_use]
    pub fn flip_number(&self) -> u64 {
        let selection = self.selection.as_ref().filter(|selection| selection.made == self.epoch);
        selection.map_or(self.epoch, |selection| selection.fenced)
    }

    /// The lane that a flip leads to.
    #[must_use]
    pub fn target(&self) -> &str {
        self.fence().unwrap_or(&self.lane)
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
    /// What is known of its windows, where the route selects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
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
        let mark = Mark { version: VERSION, epoch: 3, lane: "blue".into(), cut: 5, at_ms: 6, gap_ms: 7, extent: None };
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
