//! The last word on each window: one pane for each service, once no later event can change it.
//!
//! Why: a reader of a pipe or a topic who wants facts and not revisions should get each fact once.
//!
//! How: panes of open windows are kept, later ones in place of (accumulating) or added to (discarding) earlier ones,
//! until the watermark has passed the window's end and the allowed lateness.
//!
//! It must not hold more than the engine's own limits of open windows and cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spec::Accumulation;
use super::{Pane, Spec};

/// Panes of windows that may still change.
#[derive(Clone, Debug)]
pub struct Finals<Whose = Arc<str>> {
    size: i64,
    lateness: i64,
    mode: Accumulation,
    open: BTreeMap<i64, BTreeMap<Whose, Pane<Whose>>>,
}

impl<Whose: Clone + Ord> Finals<Whose> {
    /// Of the panes of a spec's engine.
    #[must_use]
    pub const fn new(spec: &Spec) -> Self {
        Self {
            size: spec.window.size.millis(),
            lateness: spec.window.allowed_lateness.millis(),
            mode: spec.window.mode,
            open: BTreeMap::new(),
        }
    }

    /// Takes a pane in.
    pub fn put(&mut self, pane: Pane<Whose>) {
        let window = self.open.entry(pane.start).or_default();
        match window.get_mut(&pane.service) {
            Some(known) if self.mode == Accumulation::Discarding => {
                known.totals.merge(&pane.totals);
                (known.index, known.timing) = (pane.index, pane.timing);
            }
            _ => {
                window.insert(pane.service.clone(), pane);
            }
        }
    }

    /// Whether no later event can change a window.
    #[must_use]
    pub const fn is_final(&self, start: i64, watermark: i64) -> bool {
        watermark >= start.saturating_add(self.size).saturating_add(self.lateness)
    }

    /// Start of the first window that may still change.
    #[must_use]
    pub const fn first_open(&self, watermark: i64) -> i64 {
        let end = watermark.saturating_sub(self.lateness);
        end.div_euclid(self.size).saturating_mul(self.size)
    }

    /// Panes that have become final: windows from the oldest, services by name.
    pub fn take(&mut self, watermark: i64) -> Vec<Pane<Whose>> {
        let mut panes = Vec::new();
        while let Some(window) = self
            .open
            .first_entry()
            .filter(|window| watermark >= window.key().saturating_add(self.size).saturating_add(self.lateness))
        {
            panes.extend(window.remove().into_values());
        }
        panes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::totals::Totals;
    use crate::engine::window::Timing;

    fn finals(mode: &str) -> Finals {
        let spec = format!(
            "name = 't'\n[source]\nformat = 'json'\ntime = {{ field = 't', unit = 'ms' }}\nlatency = {{ field = 'l', unit = 'us' }}\n\
             [key]\nservice = 's'\n[window]\nsize = '10s'\nallowed_lateness = '5s'\nmode = '{mode}'\n"
        );
        Finals::new(&Spec::parse(&spec).unwrap())
    }

    fn pane(start: i64, service: &str, index: u32, requests: u64) -> Pane {
        let mut totals = Totals::default();
        (0..requests).for_each(|_| totals.add(false, 1_000));
        let timing = if index == 0 { Timing::OnTime } else { Timing::Late };
        Pane { start, service: service.into(), timing, index, totals }
    }

    fn taken(finals: &mut Finals, watermark: i64) -> Vec<(i64, String, u64)> {
        let panes = finals.take(watermark);
        panes.iter().map(|pane| (pane.start, pane.service.to_string(), pane.totals.requests)).collect()
    }

    #[test]
    fn a_window_is_told_once_when_nothing_can_change_it() {
        let mut finals = finals("accumulating");
        for pane in [pane(0, "b", 0, 1), pane(0, "a", 0, 2), pane(10_000, "a", 0, 3), pane(0, "a", 1, 5)] {
            finals.put(pane);
        }
        assert_eq!(taken(&mut finals, 14_999), []);
        assert_eq!(taken(&mut finals, 15_000), [(0, "a".into(), 5), (0, "b".into(), 1)]);
        assert_eq!(taken(&mut finals, 24_999), []);
        assert_eq!(taken(&mut finals, i64::MAX), [(10_000, "a".into(), 3)]);
    }

    #[test]
    fn discarding_panes_add_up() {
        let mut finals = finals("discarding");
        for pane in [pane(0, "a", 0, 2), pane(0, "a", 1, 3)] {
            finals.put(pane);
        }
        assert_eq!(taken(&mut finals, 15_000), [(0, "a".into(), 5)]);
    }

    #[test]
    fn the_first_open_window_is_the_first_that_is_not_final() {
        let finals = finals("accumulating");
        for watermark in [-25_001, -25_000, -1, 0, 14_999, 15_000, 15_001, 24_999, 25_000] {
            let first = finals.first_open(watermark);
            assert!(!finals.is_final(first, watermark) && finals.is_final(first - 10_000, watermark), "{watermark}");
        }
    }
}
