//! The golden-signals engine: events in, panes of requests, errors and latency by service and window out.
//!
//! Why: the console computes the signals itself, from the topic, with no store beside it; and what it computes must be
//! what Apache Beam would, so that the same spec can move to a cluster.
//!
//! How: [`Engine::ingest`] decodes a [`Batch`] of one partition ([`decode`], [`json`]), counts each event in its
//! window ([`window`], [`totals`], [`sketch`]) and its slices ([`slices`]), then moves the watermark ([`watermark`]) and
//! tells the panes that it closes. What cannot be counted is counted by reason ([`rejects`]). [`replay`] drives it from a
//! script; where others count, their rows ([`contract`]) are put together to the same panes ([`merged`]). [`series`] keeps a day of the panes; [`monitor`] makes of them what people look at.
//!
//! It must not do IO, read a clock or wait: time is an argument, in milliseconds since 1970. Nothing that arrives may
//! end it, or make it hold more than the spec's limits.

pub mod alert;
pub mod capacity;
pub mod contract;
pub mod decode;
pub mod expression;
pub mod finals;
pub mod flink_sql;
pub mod json;
pub mod merged;
pub mod monitor;
pub mod overrides;
pub mod rejects;
pub mod replay;
pub mod series;
pub mod services;
pub mod sketch;
pub mod slices;
pub mod spec;
pub mod totals;
pub mod watermark;
pub mod window;

pub use crate::model::batch::Batch;
pub use monitor::Monitor;
pub use series::Series;
pub use spec::Spec;
pub use window::Pane;

use std::sync::Arc;

use decode::{Decoding, Event, Refusal};
use merged::{Merged, Taken};
use overrides::Overrides;
use rejects::{Reason, Rejects};
use services::{ServiceId, Services};
use slices::{Slice, Slices};
use spec::{Read, SpecError};
use watermark::Watermarks;
use window::Windows;

/// The time of a caller that has no clock: nothing is ahead of it and no partition is ever idle.
pub const NO_CLOCK: i64 = i64::MAX;

/// Counts the events of a source as its spec says.
#[derive(Clone, Debug)]
pub struct Engine {
    decoding: Decoding,
    services: Services,
    watermarks: Watermarks,
    windows: Windows,
    slices: Option<Box<Slices>>,
    /// Where rows are read instead of events.
    merged: Option<Box<Merged>>,
    /// Of rows by swimlane.
    lanes: Vec<Pane<Arc<Slice>>>,
    rejects: Rejects,
    future_limit: i64,
    longest_record: usize,
    counts: Counts,
    panes: Vec<Pane>,
}

/// Records that are decoded before any of them is counted.
const BLOCK: usize = 128;

/// An event whose window is not over.
#[derive(Clone, Copy, Debug)]
struct Admitted<'a> {
    record: &'a [u8],
    time: i64,
    start: i64,
    service: ServiceId,
    failed: bool,
    latency_us: u64,
    saturation: Option<u16>,
}

/// How many events came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records given, whatever became of them.
    pub records: u64,
    /// Events counted in a pane.
    pub counted: u64,
    /// Those of them that came after their window had closed.
    pub late: u64,
    /// Spans of kinds that the spec does not ask for.
    pub left_out: u64,
    /// Events of windows that an earlier run has told.
    pub told_before: u64,
}

impl Engine {
    /// An engine of a spec.
    ///
    /// # Errors
    ///
    /// When the spec's fields contradict each other.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        Ok(Self {
            decoding: Decoding::new(spec)?,
            services: Services::new(spec.limits.services),
            watermarks: Watermarks::new(spec.watermark.delay.millis(), spec.watermark.idle_after.millis()),
            windows: Windows::new(spec, spec.limits.cells),
            slices: if spec.source.read == Read::Events { Slices::new(spec)?.map(Box::new) } else { None },
            merged: (spec.source.read == Read::Aggregated).then(|| Box::new(Merged::new(spec))),
            lanes: Vec::new(),
            rejects: Rejects::default(),
            future_limit: spec.watermark.future_limit.millis(),
            longest_record: usize::try_from(spec.limits.record_bytes).unwrap_or(usize::MAX),
            counts: Counts::default(),
            panes: Vec::new(),
        })
    }

    /// A partition that will be read from `now` on.
    pub fn assign(&mut self, partition: u32, now: i64) {
        self.watermarks.assign(partition, now);
    }

    /// Says when a partition last had something to say, where the caller knows better than by its events.
    pub fn touch(&mut self, partition: u32, active_at: i64) {
        self.watermarks.touch(partition, active_at);
    }

    /// Windows that start before this were told by an earlier run: their events are not counted again.
    pub fn begin_at(&mut self, start: i64) {
        self.windows.begin_at(start);
        self.slices.iter_mut().for_each(|slices| slices.begin_at(start));
    }

    /// A partition that is no longer read.
    pub fn revoke(&mut self, partition: u32, now: i64) {
        self.watermarks.revoke(partition);
        self.settle(now);
    }

    /// Counts a batch of one partition, then moves the watermark. Gives the greatest event time that was counted.
    pub fn ingest(&mut self, partition: u32, batch: &Batch, now: i64) -> Option<i64> {
        if self.merged.is_some() {
            return self.ingest_rows(partition, batch, now);
        }
        let mut greatest = None;
        let mut admitted = Vec::with_capacity(BLOCK);
        for (offset, record) in (batch.first_offset..).zip(batch.records()) {
            let refused = match record {
                Ok(text) => self.admit(partition, text, now, &mut admitted),
                Err(bytes) if self.is_of_spans() => self.admit_spans(partition, bytes, now, &mut admitted),
                Err(bytes) => {
                    self.counts.records += 1;
                    self.rejects.add(Reason::NotUtf8, String::new(), partition, bytes);
                    1
                }
            };
            if refused > 0 {
                self.rejects.locate(refused, offset);
            }
            if admitted.len() >= BLOCK {
                greatest = greatest.max(self.place_all(partition, &mut admitted));
            }
        }
        if let Some(greatest) = greatest.max(self.place_all(partition, &mut admitted)) {
            self.watermarks.observe(partition, greatest, now);
        }
        self.settle(now);
        greatest
    }

    /// The same for rows that others counted: their windows are over.
    fn ingest_rows(&mut self, partition: u32, batch: &Batch, now: i64) -> Option<i64> {
        let mut newest = None;
        for (offset, record) in (batch.first_offset..).zip(batch.records()) {
            let start = self.count_row(partition, record, now);
            if start.is_none() {
                self.rejects.locate(1, offset);
            }
            newest = newest.max(start);
        }
        if let Some(end) = newest.map(|start: i64| start.saturating_add(self.windows.size())) {
            self.watermarks.raise(partition, end, now);
        }
        self.settle(now);
        newest
    }

    /// Counts a row, or says why not; its window's start when it is to be believed.
    fn count_row(&mut self, partition: u32, record: Result<&str, &[u8]>, now: i64) -> Option<i64> {
        self.counts.records += 1;
        let (Ok(bytes) | Err(bytes)) = record.map(str::as_bytes);
        let taken = record.map_err(|_| (Reason::NotUtf8, String::new())).and_then(|text| self.take_row(text, now));
        taken.map_err(|(reason, detail)| self.rejects.add(reason, detail, partition, bytes)).ok()
    }

    /// Puts a row to the others of its service and window. Its window's start.
    fn take_row(&mut self, text: &str, now: i64) -> Result<i64, contract::Doubt> {
        let (Decoding::Rows(sha), Some(merged)) = (&self.decoding, &mut self.merged) else {
            return Err((Reason::Row, String::new()));
        };
        if text.len() > self.longest_record {
            return Err((Reason::TooLong, format!("{} bytes", text.len())));
        }
        let row = contract::read(text, sha, self.windows.size())?;
        let start = row.start;
        if start > now.saturating_add(self.future_limit) {
            return Err((Reason::Future, format!("{} ms ahead", start.saturating_sub(now))));
        }
        let service = self.services.intern(&row.service);
        let requests = row.totals.requests;
        let taken = merged.take(service, row, now).map_err(|reason| (reason, self.how_far()))?;
        if taken == Taken::New {
            self.counts.counted += requests;
        }
        Ok(start)
    }

    /// Counts one record without moving the watermark; its event time when it is to be believed.
    pub fn count(&mut self, partition: u32, record: &str, now: i64) -> Option<i64> {
        if self.merged.is_some() {
            return self.count_row(partition, Ok(record), now);
        }
        let mut admitted = Vec::with_capacity(1);
        self.admit(partition, record, now, &mut admitted);
        self.place_all(partition, &mut admitted)
    }

    const fn is_of_spans(&self) -> bool {
        matches!(self.decoding, Decoding::Spans(_))
    }

    /// Decodes a record and finds the window and service of its events, or says why they are not counted; how many are not.
    fn admit<'a>(&mut self, partition: u32, record: &'a str, now: i64, admitted: &mut Vec<Admitted<'a>>) -> usize {
        let Decoding::Fields(decoder) = &mut self.decoding else {
            return self.admit_spans(partition, record.as_bytes(), now, admitted);
        };
        self.counts.records += 1;
        let event =
            if record.len() > self.longest_record { Err(too_long(record.len())) } else { decoder.decode(record) };
        let found = self.admit_event(partition, record.as_bytes(), event, now);
        let refused = usize::from(found.is_none());
        admitted.extend(found);
        refused
    }

    /// The same for a record that holds spans.
    fn admit_spans<'a>(
        &mut self,
        partition: u32,
        record: &'a [u8],
        now: i64,
        admitted: &mut Vec<Admitted<'a>>,
    ) -> usize {
        let Decoding::Spans(decoder) = &self.decoding else { return 0 };
        self.counts.records += 1;
        let spans =
            if record.len() > self.longest_record { Err(too_long(record.len())) } else { decoder.decode(record) };
        match spans {
            Err(refusal) => {
                self.rejects.add(refusal.reason, refusal.detail, partition, record);
                1
            }
            Ok((events, others)) => {
                self.counts.left_out += others;
                let (all, before) = (events.len(), admitted.len());
                for event in events {
                    admitted.extend(self.admit_event(partition, record, event, now));
                }
                all - (admitted.len() - before)
            }
        }
    }

    fn admit_event<'a>(
        &mut self,
        partition: u32,
        record: &'a [u8],
        event: Result<Event<'_>, Refusal>,
        now: i64,
    ) -> Option<Admitted<'a>> {
        let (reason, detail) = match event {
            Err(refusal) => (refusal.reason, refusal.detail),
            Ok(event) if event.time > now.saturating_add(self.future_limit) => {
                (Reason::Future, format!("{} ms ahead", event.time.saturating_sub(now)))
            }
            Ok(Event { time, service: name, failed, latency_us, dimensions, saturation }) => {
                match self.windows.start(time) {
                    Ok(start) => {
                        let service = self.services.intern(&name);
                        if let Some(slices) = &mut self.slices {
                            slices.admit(start, (service, &name), &dimensions);
                        }
                        return Some(Admitted { record, time, start, service, failed, latency_us, saturation });
                    }
                    Err(reason) => (reason, self.how_far()),
                }
            }
        };
        self.rejects.add(reason, detail, partition, record);
        None
    }

    /// Counts what was admitted; the greatest event time.
    ///
    /// Why not at once: cells are far apart in memory, and one after the other their waits overlap.
    fn place_all(&mut self, partition: u32, admitted: &mut Vec<Admitted<'_>>) -> Option<i64> {
        let placed = admitted.drain(..).enumerate();
        let greatest = placed.filter_map(|(number, admitted)| self.place(partition, number, &admitted)).max();
        if let Some(slices) = &mut self.slices {
            slices.placed();
        }
        greatest
    }

    fn place(&mut self, partition: u32, number: usize, admitted: &Admitted<'_>) -> Option<i64> {
        let Admitted { record, time, start, service, failed, latency_us, saturation } = *admitted;
        if self.windows.was_told(start) {
            self.counts.told_before += 1;
            return Some(time);
        }
        let has_room = self.slices.as_ref().is_none_or(|slices| slices.has_room(number, start));
        let added = if has_room { self.windows.add(start, service, failed, latency_us) } else { Err(Reason::Overflow) };
        match added {
            Ok(late) => {
                if let Some(tenths) = saturation {
                    self.windows.note_full(service, tenths);
                }
                if let Some(slices) = &mut self.slices {
                    slices.add(number, start, (failed, latency_us));
                }
                self.counts.counted += 1;
                self.counts.late += u64::from(late);
                Some(time)
            }
            Err(reason) => {
                self.rejects.add(reason, self.how_far(), partition, record);
                None
            }
        }
    }

    fn how_far(&self) -> String {
        format!("the watermark is {}", self.watermarks.whole())
    }

    /// Sets a partition's watermark, for a source that knows it.
    pub fn raise(&mut self, partition: u32, watermark: i64, now: i64) {
        self.watermarks.raise(partition, watermark, now);
        self.settle(now);
    }

    /// Lets time pass: idle partitions no longer hold windows open. Not while a backend is down or a backlog unread.
    pub fn settle(&mut self, now: i64) {
        let watermark = self.watermarks.advance(now);
        let name = |service| self.services.name(service);
        self.windows.tell_late(name, &mut self.panes);
        self.windows.advance(watermark, name, &mut self.panes);
        if let Some(slices) = &mut self.slices {
            slices.settle(watermark);
        }
        if let Some(merged) = &mut self.merged {
            merged.settle((now, watermark), |service| self.services.name(service), (&mut self.panes, &mut self.lanes));
        }
    }

    /// Takes overrides in, for the swimlanes of events: they hold from the next window on.
    pub fn apply(&mut self, overrides: &Arc<Overrides>) {
        if let Some(slices) = &mut self.slices {
            slices.apply(overrides);
        }
    }

    /// The panes told since the last call, in order: late ones, then closed windows from the oldest.
    pub fn take_panes(&mut self) -> Vec<Pane> {
        std::mem::take(&mut self.panes)
    }

    /// The same of slices of services. Whoever takes panes takes these too.
    pub fn take_slices(&mut self) -> Vec<Pane<Arc<Slice>>> {
        let lanes = std::mem::take(&mut self.lanes);
        self.slices.as_mut().map_or(lanes, |slices| slices.take_panes())
    }

    /// What is counted beside services; `None` when the spec says nothing of it.
    pub fn slices(&self) -> Option<&Slices> {
        self.slices.as_deref()
    }

    /// The rows that others counted; `None` when events are read.
    pub fn merged(&self) -> Option<&Merged> {
        self.merged.as_deref()
    }

    /// How many events came.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What was not counted, and why.
    pub const fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    /// The services, and how many events were over their limit.
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// The open windows.
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// How far event time has surely come, milliseconds since 1970.
    pub const fn watermark(&self) -> i64 {
        self.watermarks.whole()
    }
}

fn too_long(bytes: usize) -> Refusal {
    Refusal { reason: Reason::TooLong, detail: format!("{bytes} bytes") }
}
