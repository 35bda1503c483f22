//! The engine of a run, and what it has told.

use crate::engine::finals::Finals;
use crate::engine::monitor::Progress;
use crate::engine::rejects::Reason;
use crate::engine::spec::SpecError;
use crate::engine::watermark::{BEGINNING, END};
use crate::engine::{Engine, NO_CLOCK, Pane, Spec};
use crate::model::batch::Batch;
use crate::runtime::signals::Intake;
use crate::runtime::signals::course::Course;

use super::state::Told;

/// A pane to tell.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) pane: Pane,
    /// Counts up over all runs; a higher one replaces a lower one.
    pub(super) revision: u32,
    /// Whether no later event can change it.
    pub(super) is_final: bool,
}

/// Counts, and keeps what was told.
#[derive(Debug)]
pub(super) struct Tally {
    engine: Engine,
    finals: Finals,
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
        let (places, next_revision) = (Vec::new(), first_revision);
        Ok(Self { engine, finals, every, places, first_revision, next_revision, has_ended: false })
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

    /// The rows since the last call.
    pub(super) fn told(&mut self) -> Vec<Row> {
        let watermark = if self.has_ended { END } else { self.engine.watermark() };
        let mut rows = Vec::new();
        for pane in self.engine.take_panes() {
            let revision = self.first_revision.saturating_add(pane.index);
            self.next_revision = self.next_revision.max(revision.saturating_add(1));
            if self.every {
                let is_final = self.finals.is_final(pane.start, watermark);
                rows.push(Row { pane, revision, is_final });
            } else {
                self.finals.put(pane);
            }
        }
        for pane in self.finals.take(watermark) {
            let revision = self.first_revision.saturating_add(pane.index);
            rows.push(Row { pane, revision, is_final: true });
        }
        rows
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
