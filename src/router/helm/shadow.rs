//! Whether the lanes say the same, and whether one still gets what the other gets: what a planned flip waits for.

use super::{Epochs, Helm, Moment};
use crate::model::route::record::{Cause, Comparison, Health};
use crate::router::course::acknowledged;

/// For so long it holds that the lanes said the same: they are not compared any more once one gets no records.
const COMPARED: i64 = 120_000;

impl Helm {
    /// Takes in what a comparison of the lanes came to.
    pub fn compared(&mut self, now: Moment, found: &Comparison) {
        if found.health == Health::Unknown {
            self.incomparable.clone_from(&found.words);
        } else {
            self.compared = Some((found.clone(), now.uptime_ms));
        }
    }

    /// Whether records may still reach the lane that is not active: then nobody can tell them from those after a flip.
    #[must_use]
    pub fn is_shadowed(&self, epochs: Epochs<'_>) -> bool {
        self.control.as_ref().is_some_and(|control| {
            let is_open = || acknowledged(control.epoch, epochs.iter().copied()) < epochs.len();
            control.shadow.is_some() || (control.cause == Cause::Unshadowed && is_open())
        })
    }

    /// What the spec wants to know before a planned flip: that the lanes count the same.
    pub(super) fn says_the_same(&self, now: Moment, epochs: Epochs<'_>) -> Result<(), String> {
        if let Some(shadow) = self.control.as_ref().and_then(|control| control.shadow.as_ref()) {
            return Err(format!("{shadow} still gets every record too: unshadow it first"));
        }
        if self.is_shadowed(epochs) {
            return Err("a partition still goes to both lanes: ask again in a moment".to_owned());
        }
        if self.spec.compare.is_none() {
            return Ok(());
        }
        match &self.compared {
            Some((found, _)) if found.health == Health::Unwell => Err(format!("the lanes differ: {}", found.words)),
            Some((_, at)) if now.uptime_ms - at <= COMPARED => Ok(()),
            _ => Err(format!("the lanes were not compared lately (shadow lets them be): {}", self.incomparable)),
        }
    }
}
