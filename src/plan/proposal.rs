//! A change as it stands before somebody agrees to it: what differs, what it causes, what stands against it; and the
//! steps that were made of it.

use serde::{Deserialize, Serialize};

use super::difference::Difference;
use super::forecast::Forecast;
use super::guard::Refusal;
use super::remnants::Remnant;
use super::room::Room;
use super::topics::{Finding, Resource};
use super::verb::Verb;

/// A prepared change: what differs, what it causes, and what stands against it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// The pipeline.
    pub pipeline: String,
    /// What is done to it.
    pub verb: Verb,
    /// The revision that it makes.
    pub revision: Option<u64>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What happens to each processor.
    pub forecasts: Vec<Forecast>,
    /// What forbids it.
    pub refusals: Vec<Refusal>,
    /// What the server says against it: fields of others, its schema.
    pub problems: Vec<String>,
    /// Whether fields of others are among the problems.
    pub conflicts: bool,
    /// What we may not do.
    pub forbidden: Vec<String>,
    /// What Kafka lacks, or does not tell.
    pub topics: Vec<Finding>,
    /// What becomes of its topics and consumer groups, where it goes.
    pub remnants: Vec<Remnant>,
    /// What its pods need, and whether there is room for them.
    pub room: Room,
    /// Whether an interrupted try is taken up: then there is something to do even if nothing differs.
    pub resumes: bool,
}

impl Proposal {
    /// Nothing differs, and nothing stands against it.
    #[must_use]
    pub fn empty(pipeline: &str, verb: Verb) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            verb,
            revision: None,
            differences: Vec::new(),
            forecasts: Vec::new(),
            refusals: Vec::new(),
            problems: Vec::new(),
            conflicts: false,
            forbidden: Vec::new(),
            topics: Vec::new(),
            remnants: Vec::new(),
            room: Room::default(),
            resumes: false,
        }
    }

    /// Whether there is nothing to do but to count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
            && !self.resumes
            && self.differences.iter().all(Difference::is_revision)
            && !self.remnants.iter().any(|it| it.goes)
    }

    /// Whether it may be made.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.refusals.is_empty() && self.problems.is_empty() && self.forbidden.is_empty()
    }

    /// What differs, in words, without the number of the revision.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let fields = self.differences.iter().filter(|it| !it.is_revision()).map(ToString::to_string);
        let swept = self.remnants.iter().filter(|it| it.goes).map(|it| format!("{}: removed", it.name()));
        fields.chain(swept).collect()
    }

    /// Topics and consumer groups that go.
    pub fn swept(&self) -> impl Iterator<Item = &Resource> {
        self.remnants.iter().filter(|it| it.goes).map(|it| &it.resource)
    }

    /// Everything that stands against it, in words.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let refusals = self.refusals.iter().map(ToString::to_string);
        refusals.chain(self.problems.iter().cloned()).chain(self.forbidden.iter().cloned()).collect()
    }

    /// Whether agreeing to another one is agreeing to this one: it does the same.
    #[must_use]
    pub fn does_the_same_as(&self, other: &Self) -> bool {
        self.revision == other.revision
            && self.verb == other.verb
            && self.differences == other.differences
            && self.swept().eq(other.swept())
            && self.forecasts.iter().map(|it| it.effect).eq(other.forecasts.iter().map(|it| it.effect))
    }
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What, such as `apply FlinkDeployment orders`.
    pub step: String,
    /// What came of it; empty when there is nothing to say.
    pub message: String,
}
