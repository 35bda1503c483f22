//! For how long a lane has been well or unwell: what keeps a lane that flickers from flapping the route.

use crate::model::route::record::Health;

/// Health, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streak {
    pub(super) health: Health,
    since: Option<i64>,
}

impl Streak {
    /// Takes in a look. What cannot be known breaks a streak too.
    pub(super) fn see(&mut self, health: Health, uptime_ms: i64) {
        if self.since.is_none() || self.health != health {
            *self = Self { health, since: Some(uptime_ms) };
        }
    }

    pub(super) fn lasted(&self, uptime_ms: i64) -> i64 {
        self.since.map_or(0, |since| uptime_ms - since)
    }
}
