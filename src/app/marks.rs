//! What lately became of a row: for a while it is marked when it got worse, and its changed cells stand out.

use crate::model::Time;

/// A changed cell stands out for so long, in seconds.
const CHANGED_SECONDS: i64 = 2;
/// A row that got worse is marked for so long, in seconds.
const WORSE_SECONDS: i64 = 30;

/// The marks of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks<C> {
    worse_since: Option<Time>,
    changed: Vec<(C, Time)>,
}

impl<C> Default for Marks<C> {
    fn default() -> Self {
        Self { worse_since: None, changed: Vec::new() }
    }
}

impl<C: Copy + PartialEq> Marks<C> {
    /// The marks that are still news.
    #[must_use]
    pub fn kept(&self, now: Time) -> Self {
        let young = |at: Time, seconds| (now - at).num_seconds() < seconds;
        Self {
            worse_since: self.worse_since.filter(|at| young(*at, WORSE_SECONDS)),
            changed: self.changed.iter().filter(|(_, at)| young(*at, CHANGED_SECONDS)).copied().collect(),
        }
    }

    /// Notes that the row got worse.
    pub const fn worsened(&mut self, now: Time) {
        self.worse_since = Some(now);
    }

    /// Notes that cells changed.
    pub fn note(&mut self, columns: impl Iterator<Item = C>, now: Time) {
        for column in columns {
            self.changed.retain(|(marked, _)| *marked != column);
            self.changed.push((column, now));
        }
    }

    /// Whether the row got worse lately.
    #[must_use]
    pub const fn is_worse(&self) -> bool {
        self.worse_since.is_some()
    }

    /// Whether a cell changed just now.
    #[must_use]
    pub fn is_changed(&self, column: C) -> bool {
        self.changed.iter().any(|(marked, _)| *marked == column)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.worse_since.is_none() && self.changed.is_empty()
    }
}

/// The columns that are paired with `true`.
pub fn differing<C, const N: usize>(columns: [(C, bool); N]) -> impl Iterator<Item = C> {
    columns.into_iter().filter_map(|(column, differs)| differs.then_some(column))
}
