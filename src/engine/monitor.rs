//! From panes to what people look at: services with their health, their history, silence and alerts.
//!
//! Why: the engine tells windows and forgets them; a screen, a command and an alert want to know how a service is now,
//! how it was, and since when it says nothing.
//!
//! How: [`Monitor::ingest`] and [`Monitor::tick`] drive the engine, judge each pane by the rules in force and file it in
//! the [`Series`]. [`Monitor::view`] makes a value of it all ([`Signals`]) for whoever looks.
//!
//! It must not do IO or read a clock, nor keep a history of its own beside the series, whose memory is bounded.

mod slices;
mod trial;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::alert::Book;
use super::expression::Inputs;
use super::overrides::{Intake, Rules};
use super::spec::SpecError;
use super::window::Timing;
use super::{Batch, Engine, Pane, Series, Spec};
use crate::model::document::Fetch;
use crate::model::owner::Saturations;
use crate::model::signal::{AlertOrder, Focus, Point, Reading, Saturation, Signals};
use slices::SliceBook;

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
/// What is told of saturation now holds for windows that ended no longer ago.
const FRESH_MS: i64 = 60_000;
/// Times that new overrides took effect which are remembered, for charts.
const MOST_CHANGES: usize = 32;

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
    engine: Engine,
    /// The topic of rows, where those are read.
    rows: Option<Arc<str>>,
    rules: Rules,
    intake: Intake,
    series: Series,
    slices: SliceBook,
    book: Book,
    /// By partition, the name that places of records are told with.
    partitions: BTreeMap<u32, Arc<str>>,
    progress: Progress,
    /// How near services are to their limits by what is known beside their events.
    saturations: Arc<Saturations>,
    /// Whether a rule uses saturation.
    wants_saturation: bool,
    /// When new overrides took effect, milliseconds since 1970.
    changes: VecDeque<i64>,
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
        let (rules, book) = (Rules::new(spec)?, Book::new(spec)?);
        Ok(Self {
            name: spec.name.as_str().into(),
            window_ms: spec.window.size.millis(),
            delay_ms: spec.watermark.delay.millis(),
            engine: Engine::new(spec)?,
            rows: spec.source.rows.as_deref().map(Into::into),
            wants_saturation: rules.use_saturation() || book.uses_saturation(),
            rules,
            intake: Intake::new(spec),
            series: Series::new(spec),
            slices: SliceBook::new(spec),
            book,
            partitions: BTreeMap::new(),
            progress: Progress { reading: Reading::Starting, backlog: None },
            saturations: Arc::default(),
            changes: VecDeque::new(),
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
        self.series.advance(self.engine.watermark());
        self.slices.advance(self.engine.watermark());
        if self.book.len() > self.series.len() {
            let series = &self.series;
            self.book.retain(|service| series.knows(service));
        }
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
        let before = self.intake.state().version.clone();
        self.intake.take(fetch, &mut self.rules);
        if let Some(overrides) = self.rules.overrides() {
            self.engine.apply(overrides);
        }
        let state = self.intake.state();
        if state.version == before {
            return;
        }
        if self.changes.len() >= MOST_CHANGES {
            self.changes.pop_front();
        }
        // Those that were there before the first window changed nothing.
        let changed = state.applied.filter(|applied| Some(*applied) != state.fetched);
        self.changes.extend(changed.map(|at| at.timestamp_millis()));
        self.wants_saturation = self.rules.use_saturation() || self.book.uses_saturation();
    }

    /// Takes in how near services are to their limits now, by what is known beside their events.
    pub fn set_saturations(&mut self, saturations: Arc<Saturations>) {
        self.saturations = saturations;
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
        // First: a service's rule may ask for its swimlane.
        self.slices.file(&mut self.engine);
        let panes = self.engine.take_panes();
        for pane in &panes {
            self.put(pane, now);
        }
    }

    fn put(&mut self, pane: &Pane, now: i64) {
        let Pane { service, start, timing, .. } = pane;
        let (rules, window_ms) = (&mut self.rules, self.window_ms);
        let is_fresh = start.saturating_add(window_ms) >= now.saturating_sub(FRESH_MS);
        let told = self.saturations.get(service).filter(|_| is_fresh && *timing == Timing::OnTime);
        let swimlane = self.slices.lane(service, *start);
        let mut judge = |point: &mut Point| {
            point.saturation = Saturation::nearer(point.saturation.take(), told.cloned());
            let inputs = Inputs::of(point, service.clone(), window_ms);
            point.health = rules.health(*start, &Inputs { swimlane: swimlane.clone(), ..inputs }).health;
        };
        let Some(applied) = self.series.apply(pane, &mut judge) else { return };
        match timing {
            Timing::OnTime => self.book.closed(service, (*start, &applied.point), now),
            Timing::Late => self.book.revised(service, *start, (applied.requests, applied.errors)),
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
    fn silent_after(&self, service: &str) -> i64 {
        let gap = self.series.usual_gap(service).saturating_sub(self.window_ms);
        let usual = gap.saturating_mul(SILENT_GAPS).min(SILENT_AT_LAST_MS);
        usual.max(self.window_ms * SILENT_WINDOWS).max(SILENT_MS)
    }
}

#[cfg(test)]
mod aggregated_tests;
#[cfg(test)]
mod tests;
