//! What was counted beside services: the past of each value, and the swimlanes of the newest windows.
//!
//! How: a slice is filed in a [`Series`] of its own budget, under its number; which slices a service has is kept beside
//! it. It must not hold more than the engine tells apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::series::{Series, point};
use crate::engine::slices::{SWIMLANE, Slice};
use crate::engine::spec::{Limits, Spec};
use crate::engine::{Engine, Pane};
use crate::model::signal::Point;

/// Swimlanes of a service that are named in one cell; of more, how many.
const NAMED: usize = 2;

/// Slices of all services.
#[derive(Clone, Debug)]
pub(super) struct SliceBook {
    series: Series,
    /// By service, then by dimension and value: the name in the series.
    known: BTreeMap<Arc<str>, BTreeMap<(Arc<str>, Arc<str>), Arc<str>>>,
    /// By service: the newest window with swimlanes, and the requests of each of them.
    newest: BTreeMap<Arc<str>, (i64, BTreeMap<Arc<str>, u64>)>,
}

impl SliceBook {
    /// No slices yet.
    pub(super) fn new(spec: &Spec) -> Self {
        let limits = Limits { history_mb: spec.limits.slice_history_mb, ..spec.limits.clone() };
        let series = Series::new(&Spec { limits, ..spec.clone() });
        Self { series, known: BTreeMap::new(), newest: BTreeMap::new() }
    }

    /// Files what the engine told.
    pub(super) fn file(&mut self, engine: &mut Engine) {
        for pane in engine.take_slices() {
            let Pane { start, service: slice, timing, index, totals } = pane;
            if &*slice.dimension == SWIMLANE {
                self.note_lane(&slice, start, totals.requests);
            }
            let values = self.known.entry(slice.service.clone()).or_default();
            values.entry((slice.dimension.clone(), slice.value.clone())).or_insert_with(|| slice.key.clone());
            let pane = Pane { start, service: slice.key.clone(), timing, index, totals };
            // Nobody judges a part: its rule is about the whole.
            self.series.apply(&pane, &mut |_| {});
        }
    }

    fn note_lane(&mut self, slice: &Slice, start: i64, requests: u64) {
        let (newest, lanes) = self.newest.entry(slice.service.clone()).or_insert_with(|| (start, BTreeMap::new()));
        if start > *newest {
            (*newest, *lanes) = (start, BTreeMap::new());
        }
        if start == *newest {
            lanes.insert(slice.value.clone(), requests);
        }
    }

    /// Lets event time pass.
    pub(super) fn advance(&mut self, watermark: i64) {
        self.series.advance(watermark);
    }

    /// The swimlane that holds all of a service's events in a window; "" when none does.
    pub(super) fn lane(&self, service: &str, start: i64) -> Arc<str> {
        let lanes = self.newest.get(service).filter(|(newest, _)| *newest == start).map(|(_, lanes)| lanes);
        let only = lanes.filter(|lanes| lanes.len() == 1).and_then(|lanes| lanes.keys().next());
        only.cloned().unwrap_or_else(|| "".into())
    }

    /// The swimlanes of a service's newest window, the busiest first; `None` without one.
    pub(super) fn lanes(&self, service: &str) -> Option<Arc<str>> {
        let (_, lanes) = self.newest.get(service)?;
        let mut named: Vec<_> = lanes.iter().filter(|(lane, _)| !lane.is_empty()).collect();
        named.sort_by_key(|(_, requests)| std::cmp::Reverse(**requests));
        let first: Vec<&str> = named.iter().take(NAMED).map(|(lane, _)| &***lane).collect();
        let more = named.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" +{more}") } else { String::new() };
        (!named.is_empty()).then(|| format!("{}{more}", first.join(", ")).into())
    }

    /// The past of all slices.
    pub(super) const fn series(&self) -> &Series {
        &self.series
    }

    /// The name of a slice in [`Self::series`].
    pub(super) fn key(&self, service: &str, slice: &(Arc<str>, Arc<str>)) -> Option<&Arc<str>> {
        self.known.get(service)?.get(slice)
    }

    /// Sums of a service's slices from one time to another. A dimension that no event has is none.
    pub(super) fn sums(&self, service: &str, from: i64, to: i64) -> Arc<[(Arc<str>, Arc<str>, Point)]> {
        let known = self.known.get(service).into_iter().flatten();
        let sums: Vec<_> = known
            .filter_map(|((dimension, value), key)| {
                let totals = self.series.total(key, from, to)?;
                Some((dimension.clone(), value.clone(), point(from, &totals)))
            })
            .collect();
        let has_values =
            |dimension: &Arc<str>| sums.iter().any(|(other, value, _)| other == dimension && !value.is_empty());
        sums.iter().filter(|(dimension, ..)| has_values(dimension)).cloned().collect()
    }
}
