//! How charts are looked at: how far back, at which moment, live or held still.
//!
//! To hold still keeps the values of that moment; counting goes on meanwhile, and letting go shows what came of it. What
//! was not looked at before that moment is asked for as it was then: the past can be read while it is held.
//!
//! The cursor moves on past the left edge: then charts end in the past, until it comes back to now.

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
/// Past an edge, charts move on by this part of their length.
const SCROLL: i32 = 4;

/// How charts are looked at.
#[derive(Clone, Debug, Default)]
pub struct Lens {
    /// How far back.
    pub range: Range,
    /// Start of the step under the time cursor; `None` reads out the newest.
    pub cursor: Option<Time>,
    /// Where charts end; `None` is now.
    pub until: Option<Time>,
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
        let until = self.until.or_else(|| self.held_since());
        Focus {
            service: Some(service.clone()),
            range: self.range,
            until,
            slice,
            with_heat: self.with_heat,
            trial: None,
        }
    }

    /// The charts of a service: those that are held still if they are what is looked at, else what came for it.
    #[must_use]
    pub fn history<'a>(
        &'a self,
        inventory: &'a Inventory,
        environment: &str,
        service: &Arc<str>,
    ) -> Option<&'a Arc<ServiceHistory>> {
        let of = |snapshot: &'a Snapshot| {
            let history = snapshot.get(environment)?.history.as_ref()?;
            (history.service == *service && history.range == self.range).then_some(history)
        };
        let held = self.held.as_ref().and_then(|(_, snapshot)| of(snapshot));
        let is_looked_at = |history: &&Arc<ServiceHistory>| {
            history.until == self.until && (!self.with_heat || !history.heat.is_empty())
        };
        let asked = self.until.or_else(|| self.held_since());
        held.filter(is_looked_at).or_else(|| of(inventory.signals()).filter(|history| history.until == asked))
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
            Action::TimeBack => self.move_by(-1, world.now, history),
            Action::TimeForward => self.move_by(1, world.now, history),
            Action::Back if self.cursor.is_some() || self.until.is_some() => (self.cursor, self.until) = (None, None),
            Action::Back if self.held.is_some() => self.held = None,
            _ => return false,
        }
        true
    }

    /// Moves the cursor: past the left edge into the past, as far as anything is kept; past the right edge back, and
    /// beyond the newest step it goes away. The first press puts it on the newest.
    fn move_by(&mut self, presses: i64, now: Time, history: Option<&ServiceHistory>) {
        let Some(history) = history else { return };
        let steps = i64::try_from(history.points.len()).unwrap_or(i64::MAX);
        let newest = history.points.iter().rposition(Option::is_some).and_then(|place| i64::try_from(place).ok());
        let last = if self.until.is_some() { steps - 1 } else { newest.unwrap_or(steps - 1) };
        let stride = (steps / PRESSES).max(1);
        let at = self.step(history).and_then(|place| i64::try_from(place).ok());
        let next = match at {
            Some(place) => place + presses * stride,
            None if presses < 0 => last,
            None => return,
        };
        let time = history.start + chrono::Duration::milliseconds(next.saturating_mul(history.step_ms));
        if next < 0 {
            self.scroll_back(time, now);
        } else if next <= last {
            self.cursor = Some(time);
        } else if self.until.is_some() {
            let end = time + chrono::Duration::seconds(self.range.seconds()) / SCROLL;
            let is_past = end < self.held_since().unwrap_or(now);
            self.until = is_past.then_some(end);
            self.cursor = Some(time);
        } else {
            self.cursor = None;
        }
    }

    /// Has charts end earlier, with the cursor at that moment; never before the oldest that is kept.
    fn scroll_back(&mut self, to: Time, now: Time) {
        let range = chrono::Duration::seconds(self.range.seconds());
        let oldest = now - chrono::Duration::seconds(Range::Day.seconds());
        let start = (to - range / SCROLL).max(oldest);
        if start + range < now {
            (self.until, self.cursor) = (Some(start + range), Some(to.max(oldest)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lens: &Lens, now: Time) -> ServiceHistory {
        let end = lens.until.unwrap_or(now);
        let step_ms = lens.range.seconds() * 1_000 / 90;
        ServiceHistory {
            service: "a".into(),
            slice: None,
            range: lens.range,
            until: lens.until,
            start: end - chrono::Duration::seconds(lens.range.seconds()),
            step_ms,
            points: vec![None; 90].into(),
            heat: Arc::default(),
            heat_bounds_us: Arc::default(),
            slices: Arc::default(),
            marks: Arc::default(),
        }
    }

    fn press(lens: &mut Lens, presses: i64, now: Time) {
        for _ in 0..presses.abs() {
            let history = history(lens, now);
            lens.move_by(presses.signum(), now, Some(&history));
        }
    }

    #[test]
    fn the_cursor_moves_into_the_past_and_comes_back() {
        let now = Time::from_timestamp_millis(1_795_363_200_000).unwrap();
        let mut lens = Lens::default();
        press(&mut lens, -90, now);
        assert_eq!((lens.cursor, lens.until), (Some(now - chrono::Duration::minutes(15)), None));
        let mut last = now;
        for _ in 0..10_000 {
            press(&mut lens, -1, now);
            let cursor = lens.cursor.unwrap();
            assert!(cursor <= last, "one press never goes forth");
            let history = history(&lens, now);
            assert!(lens.step(&history).is_some(), "the cursor is on the chart");
            last = cursor;
        }
        assert_eq!((now - last).num_hours(), 24, "as far as anything is kept");
        assert_eq!(lens.until, Some(now - chrono::Duration::minutes(24 * 60 - 15)));
        for _ in 0..10_000 {
            press(&mut lens, 1, now);
        }
        assert_eq!((lens.cursor, lens.until), (None, None));
    }

    #[test]
    fn a_day_is_all_that_there_is() {
        let now = Time::from_timestamp_millis(1_795_363_200_000).unwrap();
        let mut lens = Lens { range: Range::Day, ..Lens::default() };
        press(&mut lens, -500, now);
        assert_eq!((lens.until, (now - lens.cursor.unwrap()).num_hours()), (None, 24));
    }
}
