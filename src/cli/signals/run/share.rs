//! What is counted as one: the whole topic, or, in a consumer group, one partition of it.

use super::state::{State, Told};
use super::tally::{Row, Tally};
use crate::engine::Spec;
use crate::engine::spec::SpecError;
use crate::model::document::Fetch;
use crate::runtime::signals::course::Course;
use crate::source::kafka::consume::News;

/// How every share of a run counts.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: Spec,
    pub(super) sha: String,
    /// Whether panes that may still change are told as well.
    pub(super) every: bool,
}

/// An engine, how far it has come, and what was told of it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) tally: Tally,
    pub(super) course: Course,
    pub(super) state: State,
}

impl Share {
    /// Goes on after what was told `before`.
    pub(super) fn new(plan: &Plan, before: Option<Told>) -> Result<Self, SpecError> {
        let tally = Tally::new(&plan.spec, before.as_ref(), plan.every)?;
        Ok(Self { tally, course: Course::resumable(), state: State::new(plan.sha.clone(), before) })
    }

    pub(super) fn take(&mut self, news: News, now: i64) {
        self.course.take(news, &mut self.tally, now);
    }

    pub(super) fn tick(&mut self, now: i64) {
        self.course.tick(&mut self.tally, now);
    }

    /// The rows since the last call.
    pub(super) fn told(&mut self) -> Vec<Row> {
        self.tally.told()
    }

    /// Takes in that what was told is told for good. Whether that is news.
    pub(super) fn advance(&mut self) -> bool {
        self.state.advance(self.tally.first_open(), self.tally.next_revision(), &mut self.course)
    }

    pub(super) fn take_overrides(&mut self, fetch: &Fetch) {
        self.tally.take_overrides(fetch);
    }

    /// What became of all records, in one sentence.
    pub(super) fn summary(&self) -> String {
        self.tally.summary(&self.course)
    }
}
