//! What became of a flip: where each partition changed its lane, and what was measured there.

use serde::{Deserialize, Serialize};

use super::{Cause, Signed};

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
