//! What the events of a service are counted under beside it: the values of the spec's dimensions, and swimlanes.
//!
//! Why: "checkout fails" is where a night begins; "checkout fails in one region" is where it ends.
//!
//! How: a slice is to its [`Windows`] what a service is to those of the engine: it has a number, a cell in each window and
//! a pane. A service has so many values of a dimension, and all of them together so many; the events of more go to
//! `__other__`. When there is no room for a cell, the event is counted beside no value, which is counted too.
//!
//! It must not cost anything where the spec says nothing of them, nor forget a value while it runs. The swimlanes of a
//! service in a window hold all of its events or none: rows by swimlane add up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::Pane;
use super::overrides::{Lanes, Overrides};
use super::services::{OTHER, ServiceId};
use super::spec::{Spec, SpecError};
use super::window::Windows;

/// The name of the dimension that an expression computes.
pub const SWIMLANE: &str = "swimlane";
/// Bytes of a value; longer ones are not told apart.
const LONGEST_VALUE: usize = 128;
/// Swimlanes told apart for each service.
const LANES: u32 = 20;

/// Some of the events of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slice {
    /// The service.
    pub service: Arc<str>,
    /// Name of the dimension, or [`SWIMLANE`].
    pub dimension: Arc<str>,
    /// Its value; "" is none, `__other__` those over the limit.
    pub value: Arc<str>,
    /// Its number as text: a name that no other slice of this engine has.
    pub key: Arc<str>,
}

/// Counts slices.
#[derive(Clone, Debug)]
pub struct Slices {
    /// Each dimension and how many of its values are told apart for a service; the swimlane is last.
    dimensions: Vec<(Arc<str>, u32)>,
    lanes: Lanes,
    ids: HashMap<Box<[u8]>, ServiceId, foldhash::quality::RandomState>,
    /// By their numbers.
    known: Vec<Arc<Slice>>,
    /// Values of a dimension of a service that are told apart.
    values: HashMap<(ServiceId, usize), u32, foldhash::fast::RandomState>,
    /// Values that are told apart, of all.
    told_apart: u32,
    limit: u32,
    windows: Windows,
    panes: Vec<Pane<Arc<Slice>>>,
    /// The slices of the events that wait to be counted, as many for each as there are dimensions.
    waiting: Vec<Option<ServiceId>>,
    /// Room for a key of `ids`.
    key: Vec<u8>,
    overflowed: u64,
    left_out: u64,
}

impl Slices {
    /// What a spec tells apart; `None` when that is nothing, and no override can change it.
    ///
    /// # Errors
    ///
    /// When its expression cannot be used.
    pub fn new(spec: &Spec) -> Result<Option<Self>, SpecError> {
        if spec.dimensions.is_empty() && spec.expressions.swimlane.is_none() && spec.overrides.is_none() {
            return Ok(None);
        }
        let dimensions = spec.dimensions.iter().map(|dimension| (dimension.name.as_str().into(), dimension.values));
        Ok(Some(Self {
            dimensions: dimensions.chain([(SWIMLANE.into(), LANES)]).collect(),
            lanes: Lanes::new(spec)?,
            ids: HashMap::default(),
            known: Vec::new(),
            values: HashMap::default(),
            told_apart: 0,
            limit: spec.limits.slices,
            windows: Windows::new(spec, spec.limits.slice_cells),
            panes: Vec::new(),
            waiting: Vec::new(),
            key: Vec::new(),
            overflowed: 0,
            left_out: 0,
        }))
    }

    /// Takes overrides in: their swimlanes hold from the next window on.
    pub fn apply(&mut self, overrides: &Arc<Overrides>) {
        self.lanes.apply(overrides);
    }

    /// Finds the slices of an event that waits to be counted.
    pub(super) fn admit(&mut self, start: i64, service: (ServiceId, &str), values: &[Cow<'_, str>]) {
        let lane = self.lanes.lane(start, service.1, values);
        // Of services beyond the limit nothing is told apart: what is said of one would not hold for the other.
        let is_named = service.0 != ServiceId(0);
        for (number, value) in values.iter().enumerate() {
            let id = is_named.then(|| self.intern(service, number, value));
            self.waiting.push(id);
        }
        let id = lane.filter(|_| is_named).map(|lane| self.intern(service, values.len(), &lane));
        self.waiting.push(id);
    }

    fn intern(&mut self, service: (ServiceId, &str), dimension: usize, value: &str) -> ServiceId {
        let value = if value.len() > LONGEST_VALUE { OTHER } else { value };
        if let Some(id) = self.find(service.0, dimension, value) {
            self.overflowed += u64::from(value == OTHER);
            return id;
        }
        // Each service has "" and the others' besides.
        let is_plain = !value.is_empty() && value != OTHER;
        let of_service = self.values.entry((service.0, dimension)).or_default();
        let limit = self.dimensions.get(dimension).map_or(0, |(_, limit)| *limit);
        if is_plain && (*of_service >= limit || self.told_apart >= self.limit) {
            return self.intern(service, dimension, OTHER);
        }
        *of_service += u32::from(is_plain);
        self.told_apart += u32::from(is_plain);
        self.overflowed += u64::from(value == OTHER);
        let id = ServiceId(u32::try_from(self.known.len()).unwrap_or(u32::MAX));
        self.known.push(Arc::new(Slice {
            service: service.1.into(),
            dimension: self.dimensions.get(dimension).map_or_else(|| SWIMLANE.into(), |(name, _)| name.clone()),
            value: value.into(),
            key: id.0.to_string().into(),
        }));
        self.set_key(service.0, dimension, value);
        self.ids.insert(self.key.as_slice().into(), id);
        id
    }

    fn find(&mut self, service: ServiceId, dimension: usize, value: &str) -> Option<ServiceId> {
        self.set_key(service, dimension, value);
        self.ids.get(self.key.as_slice()).copied()
    }

    /// Sets the key of a value.
    fn set_key(&mut self, service: ServiceId, dimension: usize, value: &str) {
        self.key.clear();
        self.key.extend_from_slice(&service.0.to_ne_bytes());
        self.key.extend_from_slice(&dimension.to_ne_bytes());
        self.key.extend_from_slice(value.as_bytes());
    }

    /// The slices of the event with this number among those that wait.
    fn of(&self, number: usize) -> &[Option<ServiceId>] {
        let width = self.dimensions.len();
        self.waiting.get(number * width..(number + 1) * width).unwrap_or_default()
    }

    /// Whether the swimlane of a waiting event can be counted.
    pub(super) fn has_room(&self, number: usize, start: i64) -> bool {
        let lane = self.of(number).last().copied().flatten();
        lane.is_none_or(|lane| self.windows.has_room(start, lane))
    }

    /// Counts a waiting event in its slices.
    pub(super) fn add(&mut self, number: usize, start: i64, (failed, latency_us): (bool, u64)) {
        let first = number * self.dimensions.len();
        // The swimlane, which is last, takes the room that there was for it.
        for place in (first..first + self.dimensions.len()).rev() {
            if let Some(slice) = self.waiting.get(place).copied().flatten() {
                let added = self.windows.add(start, slice, failed, latency_us);
                self.left_out += u64::from(added.is_err());
            }
        }
    }

    /// Nothing waits any more.
    pub(super) fn placed(&mut self) {
        self.waiting.clear();
    }

    /// See [`Windows::begin_at`].
    pub(super) fn begin_at(&mut self, start: i64) {
        self.windows.begin_at(start);
    }

    /// Tells what the watermark closes, as the engine does of services.
    pub(super) fn settle(&mut self, watermark: i64) {
        let slices = &self.known;
        // Each number that was given has its slice.
        let name = |id: ServiceId| usize::try_from(id.0).ok().and_then(|index| slices.get(index)).cloned();
        let mut panes = Vec::new();
        self.windows.tell_late(name, &mut panes);
        self.windows.advance(watermark, name, &mut panes);
        let told = panes.into_iter().filter_map(|Pane { start, service, timing, index, totals }| {
            Some(Pane { start, service: service?, timing, index, totals })
        });
        self.panes.extend(told);
    }

    pub(super) fn take_panes(&mut self) -> Vec<Pane<Arc<Slice>>> {
        std::mem::take(&mut self.panes)
    }

    /// How many events had a value over a limit, or one too long: they are under `__other__`.
    pub const fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// How many counts beside a value there was no room for.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The swimlane expressions.
    pub const fn lanes(&self) -> &Lanes {
        &self.lanes
    }
}

#[cfg(test)]
mod tests;
