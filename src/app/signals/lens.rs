//! How charts are looked at: how far back, at which moment, live or held still.
//!
//! To hold still keeps the values of that moment; counting goes on meanwhile, and letting go shows what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::Action;
use crate::app::screen::World;
use crate::model::Time;
use crate::model::inventory::Inventory;
use crate::model::signal::{Focus, Range, ServiceHistory, Signals};

/// Golden signals by environment.
pub type Snapshot = BTreeMap<Arc<str>, Arc<Signals>>;

/// So many presses take the cursor across a chart.
const PRESSES: i64 = 90;

/// How charts are looked at.
#[derive(Clone, Debug, Default)]
pub struct Lens {
    /// How far back.
    pub range: Range,
    /// Start of the step under the time cursor; `None` reads out the newest.
    pub cursor: Option<Time>,
    /// Whether latency is a heat map.
    pub with_heat: bool,
    held: Option<(Time, Snapshot)>,
}

impl Lens {
    /// What is shown: what is held still, or what there is.
    #[must_use]
    pub fn snapshot<'a>(&'a self, inventory: &'a Inventory) -> &'a Snapshot {
        self.held.as_ref().map_or_else(|| inventory.signals(), |(_, snapshot)| snapshot)
    }

    /// Since when it is held still.
    #[must_use]
    pub fn held_since(&self) -> Option<Time> {
        self.held.as_ref().map(|(since, _)| *since)
    }

    /// What to ask for, for the charts of a service.
    #[must_use]
    pub fn focus(&self, service: &Arc<str>, slice: Option<(Arc<str>, Arc<str>)>) -> Focus {
        Focus { service: Some(service.clone()), range: self.range, slice, with_heat: self.with_heat }
    }

    /// Number of the step under the cursor, if it is on the chart.
    #[must_use]
    pub fn step(&self, history: &ServiceHistory) -> Option<usize> {
        let cursor = self.cursor?;
        let place = (cursor - history.start).num_milliseconds().div_euclid(history.step_ms.max(1));
        usize::try_from(place).ok().filter(|place| *place < history.points.len())
    }

    /// Carries an intent out; false when it is none of these.
    pub fn act(&mut self, action: Action, world: &World<'_>, history: Option<&ServiceHistory>) -> bool {
        match action {
            Action::Freeze => {
                self.held = match self.held.take() {
                    Some(_) => None,
                    None => Some((world.now, world.inventory.signals().clone())),
                };
            }
            Action::TimeRange => {
                let next = Range::ALL.iter().position(|range| *range == self.range).map_or(0, |place| place + 1);
                self.range = Range::ALL.get(next).copied().unwrap_or_default();
            }
            Action::HeatMap => self.with_heat = !self.with_heat,
            Action::TimeBack => self.move_by(-1, history),
            Action::TimeForward => self.move_by(1, history),
            Action::Back if self.cursor.is_some() => self.cursor = None,
            Action::Back if self.held.is_some() => self.held = None,
            _ => return false,
        }
        true
    }

    /// Moves the cursor; beyond the newest step it goes away, and the first press puts it on the newest.
    fn move_by(&mut self, presses: i64, history: Option<&ServiceHistory>) {
        let Some(history) = history else { return };
        let steps = i64::try_from(history.points.len()).unwrap_or(i64::MAX);
        let newest = history.points.iter().rposition(Option::is_some).and_then(|place| i64::try_from(place).ok());
        let newest = newest.unwrap_or(steps - 1);
        let stride = (steps / PRESSES).max(1);
        let now = self.step(history).and_then(|place| i64::try_from(place).ok());
        let next = match now {
            Some(place) => place + presses * stride,
            None if presses < 0 => newest,
            None => return,
        };
        self.cursor = (next <= newest)
            .then(|| history.start + chrono::Duration::milliseconds(next.max(0).saturating_mul(history.step_ms)));
    }
}
