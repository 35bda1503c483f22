//! The engine of a run, and what it has told.
//!
//! A row is of a service in a window, or, where a swimlane's expression holds for the service, of each of its swimlanes.

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::expression::Inputs;
use crate::engine::finals::Finals;
use crate::engine::monitor::Progress;
use crate::engine::overrides::{self, Rules};
use crate::engine::rejects::Reason;
use crate::engine::series::point;
use crate::engine::slices::{SWIMLANE, Slices};
use crate::engine::spec::SpecError;
use crate::engine::watermark::{BEGINNING, END};
use crate::engine::{Engine, NO_CLOCK, Pane, Spec};
use crate::model::batch::Batch;
use crate::model::document::Fetch;
use crate::model::signal::{Health, OverridesState};
use crate::runtime::signals::Intake;
use crate::runtime::signals::course::Course;

use super::state::Told;

/// Whose a row is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Whose {
    pub(super) service: Arc<str>,
    /// "" without one.
    pub(super) swimlane: Arc<str>,
}

/// A pane to tell.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) pane: Pane<Whose>,
    /// Counts up over all runs; a higher one replaces a lower one.
    pub(super) revision: u32,
    /// Whether no later event can change it.
    pub(super) is_final: bool,
    /// By the rule that holds for the window.
    pub(super) health: Health,
}

/// Counts, and keeps what was told.
#[derive(Debug)]
pub(super) struct Tally {
    engine: Engine,
    rules: Rules,
    intake: overrides::Intake,
    finals: Finals<Whose>,
    window_ms: i64,
    every: bool,
    places: Vec<u32>,
    first_revision: u32,
    next_revision: u32,
    has_ended: bool,
}

impl Tally {
    /// Goes on after what was told `before`.
    pub(super) fn new(spec: &Spec, before: Option<&Told>, every: bool) -> Result<Self, SpecError> {
        let mut engine = Engine::new(spec)?;
        let first_revision = before.map_or(0, |told| told.next_revision);
        if let Some(told) = before {
            engine.begin_at(told.first_open);
        }
        let finals = Finals::new(spec);
        Ok(Self {
            engine,
            rules: Rules::new(spec)?,
            intake: overrides::Intake::new(spec),
            finals,
            window_ms: spec.window.size.millis(),
            every,
            places: Vec::new(),
            first_revision,
            next_revision: first_revision,
            has_ended: false,
        })
    }

    /// Takes overrides in, to hold from the next window on. How they stand.
    pub(super) fn take_overrides(&mut self, fetch: &Fetch) -> &OverridesState {
        self.intake.take(fetch, &mut self.rules);
        if let Some(overrides) = self.rules.overrides() {
            self.engine.apply(overrides);
        }
        self.intake.state()
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Closes every window.
    pub(super) fn finish(&mut self) {
        for place in std::mem::take(&mut self.places) {
            self.engine.raise(place, END, NO_CLOCK);
        }
        self.has_ended = true;
    }

    /// The panes since the last call: of services, or of their swimlanes where there are any.
    fn panes(&mut self) -> Vec<Pane<Whose>> {
        let slices = self.engine.take_slices();
        let lanes = slices.into_iter().filter(|pane| &*pane.service.dimension == SWIMLANE);
        let lanes: Vec<_> = lanes
            .map(|pane| {
                let whose = Whose { service: pane.service.service.clone(), swimlane: pane.service.value.clone() };
                of(whose, pane)
            })
            .collect();
        let split: HashSet<_> = lanes.iter().map(|pane| (pane.start, pane.service.service.clone())).collect();
        let whole = self.engine.take_panes().into_iter();
        let whole = whole.filter(|pane| split.is_empty() || !split.contains(&(pane.start, pane.service.clone())));
        let whole = whole.map(|pane| of(Whose { service: pane.service.clone(), swimlane: "".into() }, pane));
        whole.chain(lanes).collect()
    }

    /// The rows since the last call.
    pub(super) fn told(&mut self) -> Vec<Row> {
        let watermark = if self.has_ended { END } else { self.engine.watermark() };
        let mut rows = Vec::new();
        for pane in self.panes() {
            self.next_revision = self.next_revision.max(self.revision(pane.index).saturating_add(1));
            if self.every {
                let is_final = self.finals.is_final(pane.start, watermark);
                rows.push(self.row(pane, is_final));
            } else {
                self.finals.put(pane);
            }
        }
        for pane in self.finals.take(watermark) {
            rows.push(self.row(pane, true));
        }
        rows
    }

    const fn revision(&self, index: u32) -> u32 {
        self.first_revision.saturating_add(index)
    }

    fn row(&mut self, pane: Pane<Whose>, is_final: bool) -> Row {
        let Whose { service, swimlane } = pane.service.clone();
        let inputs = Inputs { swimlane, ..Inputs::of(&point(pane.start, &pane.totals), service, self.window_ms) };
        let health = self.rules.health(pane.start, &inputs).health;
        Row { revision: self.revision(pane.index), pane, is_final, health }
    }

    /// Start of the first window that was not told for good.
    pub(super) const fn first_open(&self) -> i64 {
        let watermark = self.engine.watermark();
        if watermark == BEGINNING { BEGINNING } else { self.finals.first_open(watermark) }
    }

    pub(super) const fn next_revision(&self) -> u32 {
        self.next_revision
    }

    /// What became of all records, in one sentence.
    pub(super) fn summary(&self, course: &Course) -> String {
        let (counts, rejects) = (self.engine.counts(), self.engine.rejects());
        let mut text =
            format!("read {} records, counted {}, {} of them late", counts.records, counts.counted, counts.late);
        for reason in Reason::ALL.into_iter().filter(|reason| rejects.count(*reason) > 0) {
            text.push_str(&format!("; {}: {}", reason, rejects.count(reason)));
        }
        if counts.told_before > 0 {
            text.push_str(&format!("; {} of windows that were told before", counts.told_before));
        }
        let others = self.engine.slices().map_or(0, Slices::overflowed);
        if others > 0 {
            text.push_str(&format!("; {others} with more values of a dimension than are told apart"));
        }
        for (count, what) in
            [(course.lost(), "gone before they were read"), (course.unreadable(), "batches unreadable")]
        {
            if count > 0 {
                text.push_str(&format!("; {count} {what}"));
            }
        }
        text
    }
}

fn of<Whose, Other>(service: Whose, pane: Pane<Other>) -> Pane<Whose> {
    let Pane { start, timing, index, totals, .. } = pane;
    Pane { start, service, timing, index, totals }
}

impl Intake for Tally {
    fn assign(&mut self, place: u32, _name: &str, now: i64) {
        self.places.push(place);
        self.engine.assign(place, now);
    }

    fn revoke(&mut self, place: u32, now: i64) {
        self.places.retain(|known| *known != place);
        self.engine.revoke(place, now);
    }

    fn touch(&mut self, place: u32, active_at: i64) {
        self.engine.touch(place, active_at);
    }

    fn ingest(&mut self, place: u32, batch: &Batch, now: i64) -> Option<i64> {
        self.engine.ingest(place, batch, now)
    }

    fn tick(&mut self, now: i64) {
        self.engine.settle(now);
    }

    fn progress(&mut self, _progress: Progress) {}
}
