//! From panes to what people look at: services with their health, their history, silence and alerts.
//!
//! Why: the engine tells windows and forgets them; a screen, a command and an alert want to know how a service is now,
//! how it was, and since when it says nothing.
//!
//! How: [`Monitor::ingest`] and [`Monitor::tick`] drive the engine and file each pane in the [`track`] of its service.
//! [`Monitor::view`] makes a value of it all ([`Signals`]) for whoever looks.
//!
//! It must not do IO or read a clock, nor hold more than so many points of so many services.

mod track;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::alert::Book;
use super::expression::Inputs;
use super::overrides::{Intake, Rules};
use super::spec::{Accumulation, SpecError};
use super::window::Timing;
use super::{Batch, Engine, Pane, Spec};
use crate::model::document::Fetch;
use crate::model::signal::{AlertOrder, Focus, Point, Reading, Signals};
use track::Track;

/// The rate of reading is taken over so many milliseconds.
const RATE_MS: i64 = 5_000;
/// Samples of the count of records: one a tick, and ticks may come often.
const RATE_SAMPLES: usize = 64;
/// A service is silent after so many windows without events…
const SILENT_WINDOWS: i64 = 6;
/// …but never before so many milliseconds.
const SILENT_MS: i64 = 60_000;
/// …nor before so many times the length that usually lies between its windows with events…
const SILENT_GAPS: i64 = 16;
/// …but always after so many milliseconds.
const SILENT_AT_LAST_MS: i64 = 900_000;
/// A service without events for so long is forgotten.
const FORGET_MS: i64 = 25 * 3_600_000;

/// What reading the source is up to, as the task that reads says.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// How it stands.
    pub reading: Reading,
    /// Records still to be read; `None` while the ends are not known.
    pub backlog: Option<u64>,
}

/// Watches over the services of a spec.
#[derive(Clone, Debug)]
pub struct Monitor {
    name: Arc<str>,
    window_ms: i64,
    delay_ms: i64,
    mode: Accumulation,
    engine: Engine,
    rules: Rules,
    intake: Intake,
    tracks: BTreeMap<Arc<str>, Track>,
    book: Book,
    /// By partition, the name that places of records are told with.
    partitions: BTreeMap<u32, Arc<str>>,
    progress: Progress,
    /// When how many records had been read.
    read: VecDeque<(i64, u64)>,
}

impl Monitor {
    /// A monitor of a spec.
    ///
    /// # Errors
    ///
    /// When the spec's fields contradict each other.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        Ok(Self {
            name: spec.name.as_str().into(),
            window_ms: spec.window.size.millis(),
            delay_ms: spec.watermark.delay.millis(),
            mode: spec.window.mode,
            engine: Engine::new(spec)?,
            rules: Rules::new(spec, &[])?,
            intake: Intake::new(spec, &[]),
            tracks: BTreeMap::new(),
            book: Book::new(spec)?,
            partitions: BTreeMap::new(),
            progress: Progress { reading: Reading::Starting, backlog: None },
            read: VecDeque::new(),
        })
    }

    /// A partition that will be read from `now` on; its name is what places of records begin with.
    pub fn assign(&mut self, partition: u32, name: &str, now: i64) {
        self.partitions.insert(partition, name.into());
        self.engine.assign(partition, now);
    }

    /// A partition that is no longer read.
    pub fn revoke(&mut self, partition: u32, now: i64) {
        self.engine.revoke(partition, now);
        self.file(now);
    }

    /// Says when a partition last had something to say, where the caller knows better than by its events.
    pub fn touch(&mut self, partition: u32, active_at: i64) {
        self.engine.touch(partition, active_at);
    }

    /// Counts a batch of one partition. Gives the greatest event time that was counted.
    pub fn ingest(&mut self, partition: u32, batch: &Batch, now: i64) -> Option<i64> {
        let greatest = self.engine.ingest(partition, batch, now);
        self.file(now);
        greatest
    }

    /// Lets time pass. Not to be called while the source does not answer: silence would be claimed of services that
    /// merely cannot be heard.
    pub fn tick(&mut self, now: i64) {
        self.engine.settle(now);
        self.file(now);
        self.book.passed(self.engine.watermark(), now);
        self.note_rate(now);
        let forgotten = self.engine.watermark().saturating_sub(FORGET_MS);
        let (tracks, book, window_ms) = (&mut self.tracks, &mut self.book, self.window_ms);
        tracks.retain(|service, track| {
            let kept = track.last_end(window_ms) >= forgotten;
            if !kept {
                book.forget(service);
            }
            kept
        });
    }

    /// Does what a person wants done about an alert; false when it does not fire.
    pub fn obey(&mut self, order: &AlertOrder, now: i64) -> bool {
        self.book.obey(order, now)
    }

    /// Takes in how reading stands.
    pub fn set_progress(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Takes in what was fetched of the side input, to hold from the next window on.
    pub fn take_overrides(&mut self, fetch: &Fetch) {
        self.intake.take(fetch, &mut self.rules);
    }

    /// Names the place of the side input as people may see it.
    pub fn set_overrides_location(&mut self, location: Arc<str>) {
        self.intake.set_location(location);
    }

    /// The engine, for what it counts.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// All that there is to say now, and the charts that `focus` asks for.
    pub fn view(&self, focus: &Focus, now: i64) -> Signals {
        view::signals(self, focus, now)
    }

    /// Files the panes that the engine told, and lets alerts judge them.
    fn file(&mut self, now: i64) {
        let panes = self.engine.take_panes();
        for pane in panes {
            self.put(pane, now);
        }
    }

    fn put(&mut self, pane: Pane, now: i64) {
        let (service, start, timing) = (pane.service.clone(), pane.start, pane.timing);
        let (rules, window_ms) = (&mut self.rules, self.window_ms);
        let mut judge = |point: &Point| rules.health(start, &Inputs::of(point, service.clone(), window_ms)).health;
        let track = self.tracks.entry(service.clone()).or_default();
        let Some(change) = track.put(pane, self.mode, &mut judge) else { return };
        match (timing, track.at(start)) {
            (Timing::OnTime, Some(point)) => self.book.closed(&service, (start, point), now),
            _ => self.book.revised(&service, start, change),
        }
    }

    fn note_rate(&mut self, now: i64) {
        self.read.push_back((now, self.engine.counts().records));
        while self.read.len() > RATE_SAMPLES
            || self.read.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= RATE_MS)
        {
            self.read.pop_front();
        }
    }

    /// Records a second, lately.
    #[expect(clippy::cast_precision_loss, reason = "records and milliseconds of some seconds")]
    fn records_per_second(&self) -> f64 {
        match (self.read.front(), self.read.back()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                after.saturating_sub(*before) as f64 * 1_000.0 / (to - from) as f64
            }
            _ => 0.0,
        }
    }

    /// For how long a service must say nothing to be silent: much longer than it usually does.
    fn silent_after(&self, track: &Track) -> i64 {
        let usual = track.usual_gap().saturating_sub(self.window_ms).saturating_mul(SILENT_GAPS).min(SILENT_AT_LAST_MS);
        usual.max(self.window_ms * SILENT_WINDOWS).max(SILENT_MS)
    }
}

#[cfg(test)]
mod tests;
