//! How one rule stands for one service, as its condition comes and goes.
//!
//! A condition must hold for `hold_ms` without a break to fire, and must not hold for `clear_ms` without a break to
//! resolve: so an alert cannot flap faster than the two together.

use std::sync::Arc;

/// What a person did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// Who looks after it, and since when.
    pub(super) acknowledged: Option<(Arc<str>, i64)>,
    /// Until when it sleeps.
    pub(super) snoozed_until: Option<i64>,
}

/// How it stands. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing to tell.
    #[default]
    Quiet,
    /// The condition holds, not yet for long enough.
    Pending {
        /// Since when.
        since: i64,
    },
    /// It fires.
    Firing {
        /// Since when.
        since: i64,
        /// Since when the condition no longer holds.
        clear_since: Option<i64>,
        /// What a person did about it.
        answered: Answered,
    },
    /// It fired.
    Resolved {
        /// When it ended.
        since: i64,
    },
}

/// For how long a condition must hold, and must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// To fire, milliseconds.
    pub(super) hold_ms: i64,
    /// To resolve, milliseconds.
    pub(super) clear_ms: i64,
}

impl Standing {
    /// Whether it fires.
    pub(super) const fn is_firing(&self) -> bool {
        matches!(self, Self::Firing { .. })
    }

    /// Takes in whether the condition held from `from` to `to`.
    pub(super) fn observe(&mut self, (from, to): (i64, i64), holds: bool, patience: Patience) {
        match (&mut *self, holds) {
            (Self::Quiet | Self::Resolved { .. }, true) => *self = Self::held(from, to, patience),
            (Self::Pending { since }, true) => *self = Self::held(*since, to, patience),
            (Self::Pending { .. }, false) => *self = Self::Quiet,
            (Self::Firing { clear_since, .. }, true) => *clear_since = None,
            (Self::Firing { clear_since, .. }, false) => {
                let since = *clear_since.get_or_insert(from);
                if to.saturating_sub(since) >= patience.clear_ms {
                    *self = Self::Resolved { since: to };
                }
            }
            (Self::Quiet | Self::Resolved { .. }, false) => {}
        }
    }

    fn held(since: i64, to: i64, patience: Patience) -> Self {
        if to.saturating_sub(since) >= patience.hold_ms {
            Self::Firing { since: to, clear_since: None, answered: Answered::default() }
        } else {
            Self::Pending { since }
        }
    }
}
