//! Which lane's rows are told of which window: what the control records of a route in `select` mode say besides.
//!
//! Why windows and not times: both lanes count the same events, but not at the same moment. A window is told by one of
//! them alone, late revisions included, however far apart they are.
//!
//! It must not be incomplete: control topics are compacted, so each record says all that a worker has to know.

use serde::{Deserialize, Serialize};

/// Reigns that are kept; windows before the first of them stay with its lane.
const REIGNS: usize = 16;

/// From a window on, a lane's rows are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reign {
    /// Start of the first window, milliseconds since 1970; `None` when there is no first one.
    pub from: Option<i64>,
    /// The lane.
    pub lane: String,
    /// Set where the lane before was left because it was unwell: this one tells what that one did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
}

impl Reign {
    /// Whether a window before it is one of those that it fills up.
    #[must_use]
    pub fn fills(&self, window: i64) -> bool {
        self.fill.as_ref().zip(self.from).is_some_and(|(fill, from)| (fill.from..from).contains(&window))
    }
}

/// Windows before a reign of which the lane that was left may not have told everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Start of the first of these windows; the last one is before the reign.
    pub from: i64,
    /// What was told of them.
    pub told: Vec<Part>,
}

/// Where rows lie that were told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The lane that was left.
    pub lane: String,
    /// First offset and end, by partition.
    pub ranges: Vec<(i64, i64)>,
}

/// Which lane's rows are told of which window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// The oldest first. Never empty in a record that can be used.
    pub reigns: Vec<Reign>,
    /// Number of the control record that began the last reign.
    pub made: u64,
    /// Number of the fence before it, by which the flip is known; `made` for the first reign.
    pub fenced: u64,
    /// The lane that is to come: until it is known from which window on, no row is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<String>,
}

impl Selection {
    /// The first one of a route: all windows are this lane's.
    #[must_use]
    pub fn first(lane: &str, made: u64) -> Self {
        Self { reigns: vec![Reign { from: None, lane: lane.to_owned(), fill: None }], made, fenced: made, fence: None }
    }

    /// The last reign.
    #[must_use]
    pub fn last(&self) -> Option<&Reign> {
        self.reigns.last()
    }

    /// The reign that a window belongs to, and whether it is one of those that are filled up.
    #[must_use]
    pub fn reign(&self, window: i64) -> Option<(&Reign, bool)> {
        if let Some(filling) = self.reigns.iter().rev().find(|reign| reign.fills(window)) {
            return Some((filling, true));
        }
        let began = |reign: &&Reign| reign.from.is_none_or(|from| from <= window);
        self.reigns.iter().rev().find(began).or_else(|| self.reigns.first()).map(|reign| (reign, false))
    }

    /// The same with another reign, whose windows must be later than all that was told. Windows that were filled up and
    /// are more than `hold_ms` before it are taken for complete.
    #[must_use]
    pub fn then(&self, reign: Reign, (fenced, made): (u64, u64), hold_ms: i64) -> Self {
        let begins = |before: &Reign| {
            before.fill.is_some() || reign.from.is_some_and(|from| before.from.is_none_or(|before| before < from))
        };
        let mut reigns: Vec<Reign> = self.reigns.iter().filter(|before| begins(before)).cloned().collect();
        for before in &mut reigns {
            let is_over = |fill: &Fill| {
                before
                    .from
                    .zip(reign.from)
                    .is_some_and(|(before, from)| before < from.saturating_sub(hold_ms))
                    .then_some(fill.from)
            };
            if let Some(from) = before.fill.as_ref().and_then(is_over) {
                (before.from, before.fill) = (Some(from), None);
            }
        }
        reigns.push(reign);
        let surplus = reigns.len().saturating_sub(REIGNS);
        reigns.drain(..surplus);
        Self { reigns, made, fenced, fence: None }
    }
}

/// What a worker knows of a lane's partition besides how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Start of the latest window of which a row was told; `None` before the first.
    pub told: Option<i64>,
    /// Start of the latest window that was seen.
    pub seen: Option<i64>,
    /// First offset that may be needed again: all rows of windows that another lane may yet leave are behind it.
    pub keep: i64,
    /// Up to here rows are read for the second time, because the lane has become the active one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reign(lane: &str, from: Option<i64>) -> Reign {
        Reign { from, lane: lane.to_owned(), fill: None }
    }

    fn owners(selection: &Selection, windows: &[i64]) -> String {
        let owner = |window: &i64| {
            let (reign, is_filled) = selection.reign(*window).unwrap();
            if is_filled { format!("({})", reign.lane) } else { reign.lane.clone() }
        };
        windows.iter().map(owner).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_window_belongs_to_one_lane() {
        let first = Selection::first("blue", 1);
        assert_eq!(owners(&first, &[i64::MIN, 7]), "blue blue");
        let second = first.then(reign("green", Some(100)), (2, 3), 50).then(reign("blue", Some(200)), (4, 5), 50);
        assert_eq!(owners(&second, &[99, 100, 199, 200]), "blue green green blue");
        let fill = Fill { from: 220, told: Vec::new() };
        let third = second.then(Reign { fill: Some(fill), ..reign("green", Some(260)) }, (6, 7), 50);
        assert_eq!(owners(&third, &[219, 220, 259, 260]), "blue (green) (green) green");
        // The next flip changes nothing of that, and a much later one takes it for done.
        let fourth = third.then(reign("blue", Some(300)), (8, 9), 50);
        assert_eq!(owners(&fourth, &[219, 220, 259, 299, 300]), "blue (green) (green) green blue");
        let fifth = fourth.then(reign("green", Some(311)), (10, 11), 50);
        assert_eq!(owners(&fifth, &[219, 220, 259, 299, 300, 311]), "blue green green green blue green");
    }

    #[test]
    fn a_reign_without_a_first_window_is_the_only_one() {
        let second = Selection::first("blue", 1).then(reign("green", None), (2, 3), 50);
        assert_eq!((second.reigns.len(), owners(&second, &[5]).as_str()), (1, "green"));
    }

    #[test]
    fn old_reigns_are_forgotten_and_the_last_ones_stay() {
        let mut selection = Selection::first("blue", 1);
        for number in 1..100_i64 {
            let lane = if number % 2 == 0 { "blue" } else { "green" };
            selection = selection.then(reign(lane, Some(number * 10)), (0, number.unsigned_abs()), 50);
        }
        assert_eq!(selection.reigns.len(), REIGNS);
        assert_eq!(owners(&selection, &[995, 985]), "green blue");
    }
}
