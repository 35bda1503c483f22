//! Which rows of two lanes are told, in `select` mode: each window by one lane alone.
//!
//! A change has two steps. First a control record fences: every worker ends what it does and tells nothing more, so that
//! what was told stands still. Then a second record says from which window on the new lane's rows are told: from the one
//! after the latest of which any row was told, so no window is told by both. A lane that is well goes on to tell the
//! windows before, with late revisions; one that is left because it is unwell tells nothing more, and of the last windows
//! before the cut the new lane tells every row that is not there yet.
//!
//! For that a worker reads both lanes and keeps, for each partition, the first offset that it may have to read again
//! ([`Track`]). What it decides is pure: `tests/router_select_model.rs` puts it through every order of events.
//!
//! It must not do any I/O.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::route::record::{Cause, Control, Extent, Fill, Mark, Part, Reign, Selection};

/// Windows of a partition whose first offsets are kept: of those beyond only the first offset of all.
const WINDOWS: usize = 20_000;
/// A window that begins so long after its row was written is damage, in milliseconds: a day.
const AHEAD: i64 = 86_400_000;

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is told.
    Tell,
    /// It is told unless the lane before told that row.
    TellIfUntold,
    /// It is not told: the window is another lane's, or the row was told before.
    Pass,
}

/// What becomes of a row of a window in a lane. `again`: it is read for the second time.
#[must_use]
pub fn verdict(selection: &Selection, lane: &str, (window, again): (i64, bool)) -> Verdict {
    let (Some(last), Some((reign, is_filled))) = (selection.last(), selection.reign(window)) else {
        return Verdict::Pass;
    };
    // What was read before belongs to reigns before the last one, unless it is new by that.
    if reign.lane != lane || (again && reign != last) {
        return Verdict::Pass;
    }
    if is_filled { Verdict::TellIfUntold } else { Verdict::Tell }
}

/// Whether a partition of a lane has to be read again by a record that it has not gone by yet.
#[must_use]
pub fn gains(selection: &Selection, lane: &str, mark: Option<u64>) -> bool {
    selection.last().is_some_and(|last| last.lane == lane) && mark.is_some_and(|mark| mark < selection.made)
}

/// Whether a partition is still being read for the second time: until that is done nothing else may be told apart from it.
#[must_use]
pub fn is_catching_up(marks: &[Option<Mark>]) -> bool {
    marks.iter().flatten().any(|mark| mark.extent.as_ref().is_some_and(|extent| extent.again.is_some()))
}

/// A partition of a lane when everybody has stopped: its lane, how far it is, and its mark.
pub type Stood<'a> = (&'a str, i64, Option<&'a Mark>);

/// What follows a fence that everybody has acknowledged. Places in the order of partitions; `hold_ms`: how far back
/// a lane that was left is filled up.
#[must_use]
pub fn release(fence: &Control, places: &[Stood<'_>], (made, hold_ms): (u64, i64)) -> Option<Selection> {
    let selection = fence.selection.as_ref()?;
    let lane = selection.fence.as_ref()?;
    let told = places.iter().filter_map(|(_, _, mark)| mark.as_ref()?.extent.as_ref()?.told).max();
    let cut = told.map(|told| told.saturating_add(1));
    let is_left = matches!(fence.cause, Cause::Failover | Cause::Forced);
    let fill = cut.filter(|_| is_left).and_then(|cut| {
        let last = selection.last()?;
        // A lane that was to fill up what another one left, and is left itself, may not have come to that.
        let since = last.fill.as_ref().map(|fill| fill.from).or(last.from).unwrap_or(i64::MIN);
        let from = cut.saturating_sub(hold_ms).max(since);
        let earlier = last.fill.iter().filter(|_| last.from.is_none_or(|began| from < began));
        let told = earlier.flat_map(|fill| fill.told.clone()).chain([part(&fence.lane, places)]);
        Some(Fill { from, told: told.collect() })
    });
    Some(selection.then(Reign { from: cut, lane: lane.clone(), fill }, (fence.epoch, made), hold_ms))
}

/// What a lane that is left has told of the last windows.
fn part(lane: &str, places: &[Stood<'_>]) -> Part {
    let told = places.iter().filter(|(of, _, _)| *of == lane).map(|(_, next, mark)| {
        let extent = mark.and_then(|mark| mark.extent.as_ref());
        (extent.map_or(*next, |extent| extent.keep).min(*next), *next)
    });
    Part { lane: lane.to_owned(), ranges: told.collect() }
}

/// Where the windows of a partition begin, and what was told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Track {
    firsts: BTreeMap<i64, i64>,
    /// First offset of all windows that are not in `firsts`.
    surplus: Option<i64>,
    told: Option<i64>,
    seen: Option<i64>,
    again: Option<i64>,
}

impl Track {
    /// Goes on where the last transaction ended.
    #[must_use]
    pub fn resume(extent: Option<&Extent>) -> Self {
        let Some(extent) = extent else { return Self::default() };
        // Of what was before only the first offset is known: it counts for every window that was seen.
        let firsts = extent.seen.map(|seen| (seen, extent.keep)).into_iter().collect();
        Self { firsts, surplus: None, told: extent.told, seen: extent.seen, again: extent.again }
    }

    /// Start of the latest window of which a row was told.
    #[must_use]
    pub const fn told(&self) -> Option<i64> {
        self.told
    }

    /// Whether a row at this offset was read before.
    #[must_use]
    pub fn is_again(&self, offset: i64) -> bool {
        self.again.is_some_and(|again| offset < again)
    }

    /// Takes a row in.
    pub fn see(&mut self, (window, offset): (i64, i64), is_told: bool) {
        if self.again.is_some_and(|again| offset + 1 >= again) {
            self.again = None;
        }
        self.seen = self.seen.max(Some(window));
        if is_told {
            self.told = self.told.max(Some(window));
        }
        if self.firsts.len() >= WINDOWS && !self.firsts.contains_key(&window) {
            self.surplus = Some(self.surplus.map_or(offset, |surplus| surplus.min(offset)));
            return;
        }
        let first = self.firsts.entry(window).or_insert(offset);
        *first = offset.min(*first);
    }

    /// Forgets windows before `bound`, and answers what to note where `next` is the next offset.
    pub fn extent(&mut self, bound: Option<i64>, next: i64) -> Extent {
        if let Some(bound) = bound {
            self.firsts = self.firsts.split_off(&bound);
        }
        let keep = self.firsts.values().copied().chain(self.surplus).min().unwrap_or(next).min(next);
        Extent { told: self.told, seen: self.seen, keep, again: self.again }
    }

    /// The lane has become the active one at `next`: where to read on from.
    pub fn rewind(&mut self, next: i64) -> i64 {
        let keep = self.firsts.values().copied().chain(self.surplus).min().unwrap_or(next).min(next);
        if keep < next {
            self.again = Some(self.again.map_or(next, |again| again.max(next)));
        }
        keep
    }
}

/// How a row says its window: by its key (`service|swimlane|start`, as rows of golden signals do), or by a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowOf {
    /// By the key.
    Key,
    /// By a field of the JSON object that is its value: milliseconds since 1970.
    Field(String),
}

/// The start of a row's window; `None` when it cannot be read or believed. `written_ms`: the record's timestamp.
#[must_use]
pub fn window(of: &WindowOf, (key, value): (&[u8], &[u8]), written_ms: Option<i64>) -> Option<i64> {
    let window = match of {
        WindowOf::Key => {
            let key = std::str::from_utf8(key).ok()?;
            let mut parts = key.rsplit('|');
            let last = parts.next()?;
            // What was counted from one partition alone has that behind the window.
            if last.contains('/') { parts.next()?.parse().ok()? } else { last.parse().ok()? }
        }
        WindowOf::Field(name) => {
            serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(value).ok()?.get(name)?.as_i64()?
        }
    };
    written_ms.is_none_or(|written| window <= written.saturating_add(AHEAD)).then_some(window)
}

/// Which of two rows with one key holds: a final one, then the one with the higher revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Standing {
    #[serde(rename = "final", default = "yes")]
    is_final: bool,
    #[serde(default)]
    revision: u64,
}

const fn yes() -> bool {
    true
}

/// The standing of a row; one that does not say is final.
#[must_use]
pub fn standing(value: &[u8]) -> Standing {
    serde_json::from_slice(value).unwrap_or(Standing { is_final: true, revision: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_read_from_the_key_or_a_field() {
        let key = |key: &str| window(&WindowOf::Key, (key.as_bytes(), b""), Some(1_700_000_000_000));
        assert_eq!(key("checkout||1700000000000"), Some(1_700_000_000_000));
        assert_eq!(key("a|b|ec2|1699999990000|events/3"), Some(1_699_999_990_000));
        assert_eq!(key("checkout||1800000000000"), None, "three years ahead of its record");
        for damaged in ["", "checkout", "a|b|c", "a|b|", "|||x/1"] {
            assert_eq!(key(damaged), None, "{damaged}");
        }
        let field = WindowOf::Field("start".to_owned());
        assert_eq!(window(&field, (b"", br#"{"n":1,"start":5}"#), None), Some(5));
        for damaged in ["", "{", "[]", r#"{"start":"5"}"#, r#"{"end":5}"#] {
            assert_eq!(window(&field, (b"", damaged.as_bytes()), None), None, "{damaged}");
        }
    }

    #[test]
    fn a_final_row_stands_above_one_that_is_not() {
        let of = |text: &str| standing(text.as_bytes());
        assert!(of(r#"{"final":true,"revision":0}"#) > of(r#"{"final":false,"revision":9}"#));
        assert!(of(r#"{"final":false,"revision":2}"#) > of(r#"{"final":false,"revision":1}"#));
        assert_eq!(of("not json"), of("{}"));
    }

    #[test]
    fn a_track_keeps_what_may_be_needed_again() {
        let mut track = Track::default();
        for (window, offset) in [(10, 0), (20, 1), (10, 2), (30, 3), (20, 4)] {
            track.see((window, offset), false);
        }
        assert_eq!(track.clone().extent(None, 5).keep, 0);
        assert_eq!(track.clone().extent(Some(20), 5).keep, 1);
        let extent = track.extent(Some(30), 5);
        assert_eq!((extent.keep, extent.seen, extent.told), (3, Some(30), None));
        // After a restart everything from there on counts until the window that was seen last is over.
        let mut resumed = Track::resume(Some(&extent));
        resumed.see((40, 5), false);
        assert_eq!(resumed.clone().extent(Some(30), 6).keep, 3);
        assert_eq!(resumed.extent(Some(31), 6).keep, 5);
    }

    #[test]
    fn more_windows_than_are_kept_move_nothing_out_of_reach() {
        let mut track = Track::default();
        let most = i64::try_from(WINDOWS).unwrap();
        (0..most + 10).for_each(|number| track.see((number, number), false));
        assert_eq!(track.firsts.len(), WINDOWS);
        assert_eq!(track.extent(Some(most + 5), most + 10).keep, most);
    }

    #[test]
    fn rows_that_are_read_again_are_told_only_where_the_lane_was_not_active() {
        let reign = |lane: &str, from| Reign { from: Some(from), lane: lane.to_owned(), fill: None };
        let selection = Selection::first("blue", 1).then(reign("green", 50), (1, 2), 9);
        let selection = selection.then(reign("blue", 90), (3, 4), 9);
        let of = |lane, window, again| verdict(&selection, lane, (window, again));
        assert_eq!(of("blue", 40, false), Verdict::Tell, "a late revision of its first reign");
        assert_eq!(of("blue", 40, true), Verdict::Pass, "which was told before");
        assert_eq!(of("blue", 90, true), Verdict::Tell);
        assert_eq!((of("green", 60, false), of("green", 90, false)), (Verdict::Tell, Verdict::Pass));
        assert!(gains(&selection, "blue", Some(3)) && !gains(&selection, "blue", Some(4)));
        assert!(!gains(&selection, "green", Some(1)) && !gains(&selection, "blue", None));
    }
}
