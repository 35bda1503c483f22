//! What operators ask of the controller, and what it says to that.

use serde::{Deserialize, Serialize};

use super::Signed;

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
