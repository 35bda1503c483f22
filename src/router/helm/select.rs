//! The two steps of a flip where a route selects: a fence, then the window from which on the other lane is told.

use super::{Flight, Helm, Moment};
use crate::model::route::record::{Control, Mark, Selection, VERSION};
use crate::router::course::{acknowledged, next_epoch};
use crate::router::select::{self, Stood};
use crate::router::spec::Mode;

impl Flight {
    /// Whether it is at its first step: everybody stops.
    pub(super) fn is_fenced(&self) -> bool {
        self.control.fence().is_some()
    }

    /// Whether a record is the second step of this flip.
    pub(super) fn is_released_by(&self, control: &Control) -> bool {
        self.control.fence() == Some(control.lane.as_str()) && control.fence().is_none()
    }
}

impl Helm {
    /// Takes in how far the partitions are.
    pub fn see_marks(&mut self, marks: &[Option<Mark>]) {
        self.is_catching_up = select::is_catching_up(marks);
    }

    /// Whether another flip may begin: whatever is asked, the one before has to be over where the route selects.
    pub(super) fn may_select(&self) -> Result<(), String> {
        if self.spec.mode != Mode::Select {
            return Ok(());
        }
        if self.flight.is_some() {
            return Err("a flip is on its way: wait for it, or abort it".to_owned());
        }
        if self.is_catching_up {
            return Err("the last flip's lane still reads what it has to tell: ask again in a moment".to_owned());
        }
        Ok(())
    }

    /// Whether a flip may be aborted: not once windows are given to the other lane.
    pub(super) fn may_take_back(&self, flight: &Flight) -> Result<(), String> {
        if self.spec.mode == Mode::Split || flight.is_fenced() {
            return Ok(());
        }
        Err("the window from which on the other lane is told is set: flip back instead".to_owned())
    }

    /// What a record to the lane `to` says of windows: the first step of a flip names it as the one to come.
    pub(super) fn selection(&self, to: &str, epoch: u64) -> Option<Selection> {
        if self.spec.mode != Mode::Select {
            return None;
        }
        let Some(before) = &self.control else { return Some(Selection::first(to, epoch)) };
        let kept = before.selection.clone().unwrap_or_else(|| Selection::first(&before.lane, epoch));
        let fence = (before.lane != to).then(|| to.to_owned());
        Some(Selection { fence, ..kept })
    }

    /// The second step, once every partition has acknowledged the first. Marks and offsets in the order of partitions,
    /// those of one lane after those of the other.
    pub fn release(&mut self, now: Moment, (marks, routed): (&[Option<Mark>], &[Option<i64>])) -> Option<Control> {
        let flight = self.flight.as_ref().filter(|flight| flight.is_fenced())?;
        let epochs: Vec<Option<u64>> = marks.iter().map(|mark| mark.as_ref().map(|mark| mark.epoch)).collect();
        if epochs.is_empty() || acknowledged(flight.control.epoch, epochs.iter().copied()) < epochs.len() {
            return None;
        }
        let fence = &flight.control;
        let epoch = next_epoch(Some(fence.epoch), epochs.iter().copied());
        let each = marks.len() / self.spec.lanes.len().max(1);
        let lanes = self.spec.lanes.iter().flat_map(|lane| std::iter::repeat_n(lane.name.as_str(), each));
        let places: Vec<Stood<'_>> = lanes
            .zip(marks.iter().zip(routed))
            .map(|(lane, (mark, next))| (lane, next.unwrap_or(0), mark.as_ref()))
            .collect();
        let hold_ms = self.spec.select.as_ref()?.hold.millis();
        let selection = select::release(fence, &places, (epoch, hold_ms))?;
        let lane = fence.fence()?.to_owned();
        let (previous, version) = (Some(fence.lane.clone()), VERSION);
        let decided_ms = now.wall_ms.max(fence.decided_ms);
        let selection = Some(selection);
        Some(Control { version, epoch, lane, previous, decided_ms, selection, lane_ends: Vec::new(), ..fence.clone() })
    }

    /// Marks that a receipt tells cuts of: where the route selects, only those of the lane that has become active.
    pub(super) fn cut_marks<'a>(&self, lane: &str, marks: &'a [Option<Mark>]) -> &'a [Option<Mark>] {
        let Some(position) = self.position(lane).filter(|_| self.spec.mode == Mode::Select) else { return marks };
        let each = marks.len() / self.spec.lanes.len().max(1);
        marks.get(position * each..(position + 1) * each).unwrap_or_default()
    }
}
