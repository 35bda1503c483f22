//! One service: its charts, its slices compared, its promise, and what became of its rule.

use std::cmp::Ordering;
use std::sync::Arc;

use super::about;
use super::lens::Lens;
use crate::action::{Action, Place};
use crate::app::layout::Layout;
use crate::app::screen::{Cause, Outcome, Part, World};
use crate::app::table::{Column, Row, Table};
use crate::model::interest::Interest;
use crate::model::job::Failure;
use crate::model::owner;
use crate::model::signal::{Mark, Point, ServiceHistory, ServiceNow};
use crate::model::view;

/// Lines of the head: where, how it is, the promise, the rule; and one on the side input where there is one.
const HEAD: u16 = 4;
/// Lines of the charts besides their plots.
const CHART_FRAME: u16 = 2;
/// Lines that the slices have at least, with their headings.
const SLICES: u16 = 5;

/// Columns of the slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceColumn {
    /// Swimlane or dimension.
    Dimension,
    /// Its value.
    Value,
    /// Requests of the range.
    Requests,
    /// Failed share.
    Errors,
    /// Median latency.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
}

/// One value of a swimlane or dimension over the range.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRow {
    /// Swimlane or dimension.
    pub dimension: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
    /// Sums of the range.
    pub point: Point,
}

impl SliceRow {
    /// The value as people read it.
    #[must_use]
    pub fn word(&self) -> &str {
        if self.value.is_empty() { "(none)" } else { &self.value }
    }

    /// Failed share in percent.
    #[must_use]
    pub fn error_percent(&self) -> f64 {
        self.point.availability_percent().map_or(0.0, |availability| 100.0 - availability)
    }
}

impl Row for SliceRow {
    type Key = (Arc<str>, Arc<str>);
    type Column = SliceColumn;
    const COLUMNS: &'static [Column<SliceColumn>] = &[
        Column::text(SliceColumn::Dimension, "SLICE", 10).up_to(24),
        Column::text(SliceColumn::Value, "VALUE", 16).up_to(48).first(),
        Column::number(SliceColumn::Requests, "REQUESTS", 8),
        Column::number(SliceColumn::Errors, "ERR%", 6),
        Column::number(SliceColumn::P50, "p50", 5),
        Column::number(SliceColumn::P95, "p95", 5),
        Column::number(SliceColumn::P99, "p99", 5),
    ];

    fn key(&self) -> Self::Key {
        (self.dimension.clone(), self.value.clone())
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.dimension
            .cmp(&other.dimension)
            .then_with(|| other.error_percent().total_cmp(&self.error_percent()))
            .then_with(|| self.value.cmp(&other.value))
    }

    fn compare(&self, other: &Self, column: SliceColumn) -> Ordering {
        let (left, right) = (&self.point.latency, &other.point.latency);
        match column {
            SliceColumn::Dimension => self.dimension.cmp(&other.dimension),
            SliceColumn::Value => self.value.cmp(&other.value),
            SliceColumn::Requests => self.point.requests.cmp(&other.point.requests),
            SliceColumn::Errors => self.error_percent().total_cmp(&other.error_percent()),
            SliceColumn::P50 => left.p50_us.total_cmp(&right.p50_us),
            SliceColumn::P95 => left.p95_us.total_cmp(&right.p95_us),
            SliceColumn::P99 => left.p99_us.total_cmp(&right.p99_us),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(&self.dimension);
        text.push(' ');
        text.push_str(self.word());
    }

    fn wanted(&self, column: SliceColumn) -> usize {
        match column {
            SliceColumn::Dimension => self.dimension.len(),
            SliceColumn::Value => self.word().len(),
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug)]
pub struct ServiceScreen {
    /// Environment.
    pub environment: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// Through which time is seen.
    pub lens: Lens,
    /// Which slice alone; `None` is all of it.
    pub slice: Option<(Arc<str>, Arc<str>)>,
    /// What is known of it now; `None` until it was seen.
    pub now: Option<ServiceNow>,
    /// Its slices.
    pub slices: Table<SliceRow>,
    /// Deploys and failures, besides what the history marks.
    pub marks: Vec<Mark>,
    /// Whether owners of services say something beside the spec.
    pub has_overrides: bool,
}

impl ServiceScreen {
    /// Opens it, looking at time as the screen before did.
    #[must_use]
    pub fn new(environment: Arc<str>, service: Arc<str>, lens: &Lens) -> Self {
        Self {
            environment,
            service,
            lens: lens.clone(),
            slice: None,
            now: None,
            slices: Table::default(),
            marks: Vec::new(),
            has_overrides: false,
        }
    }

    /// Lines of the parts: the body is the charts, the detail the slices.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        let head = HEAD + u16::from(self.has_overrides);
        let rows = size.1.saturating_sub(1 + head);
        let wanted = match self.slices.counts().1 {
            0 => 0,
            count => u16::try_from(count + 1).unwrap_or(u16::MAX).clamp(SLICES, (rows / 3).max(SLICES)),
        };
        let detail = if rows < 2 * 3 + CHART_FRAME + wanted { 0 } else { wanted };
        Layout { head, body: rows - detail, detail, width: size.0, side: 0 }
    }

    /// Lines of one chart: two lie above each other.
    #[must_use]
    pub fn plot_rows(&self, size: (u16, u16)) -> u16 {
        self.layout(size).body.saturating_sub(CHART_FRAME) / 2
    }

    /// Its charts; `None` until they are there.
    #[must_use]
    pub fn history<'a>(&'a self, world: &World<'a>) -> Option<&'a Arc<ServiceHistory>> {
        let history = self.lens.history(world.inventory, &self.environment, &self.service);
        history.filter(|history| history.slice == self.slice)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let snapshot = self.lens.snapshot(world.inventory);
        let signals = snapshot.get(&self.environment);
        let now = signals.and_then(|it| it.services.iter().find(|now| now.service == self.service));
        self.now = now.cloned();
        self.has_overrides = signals.is_some_and(|signals| signals.overrides.location.is_some());
        let history = self.lens.history(world.inventory, &self.environment, &self.service);
        let slices = history.map_or_else(Vec::new, |history| {
            let slice = |(dimension, value, point): &(Arc<str>, Arc<str>, Point)| SliceRow {
                dimension: dimension.clone(),
                value: value.clone(),
                point: point.clone(),
            };
            history.slices.iter().map(slice).collect()
        });
        self.marks = deploys(world, &self.environment, self.now.as_ref());
        self.slices.set_rows(slices);
        let layout = self.layout(world.size);
        self.slices.fit(layout.width, layout.detail.saturating_sub(1));
        true
    }
}

/// When the pipeline behind a service last started and as which revision, and when and why it failed.
#[must_use]
pub fn deploys(world: &World<'_>, environment: &Arc<str>, now: Option<&ServiceNow>) -> Vec<Mark> {
    let Some(pipeline) = now.and_then(|now| owner::of(world.inventory, environment, now)) else { return Vec::new() };
    let mut marks = Vec::new();
    for (key, processor) in world.inventory.processors_of(&pipeline) {
        let Some(job) = processor.job() else { continue };
        let revision = view::processor(world.inventory, key, world.now).and_then(|view| view.revision);
        let text = revision.map_or_else(|| format!("{} started", key.name), |revision| format!("rev {revision}"));
        marks.push(Mark { at: job.started_at, text: text.into() });
        let class = |failure: &Failure| failure.root.class.rsplit('.').next().unwrap_or_default().into();
        marks.extend(job.failures.iter().map(|failure| Mark { at: failure.at, text: class(failure) }));
    }
    marks
}

impl Part for ServiceScreen {
    fn place(&self) -> Place {
        Place::Service
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Changed(touched) if !touched.signals && !touched.environments => false,
            Cause::Second => false,
            _ => self.look(world),
        }
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let history = self.history(world).cloned();
        if self.lens.act(action, world, history.as_deref()) {
            self.look(world);
            return Outcome::Done;
        }
        match (action, self.slices.selected()) {
            (Action::Back, _) if self.slice.is_some() => {
                self.slice = None;
                Outcome::Done
            }
            (Action::Open, Some(row)) => {
                let chosen = Some(row.key());
                self.slice = if self.slice == chosen { None } else { chosen };
                Outcome::Done
            }
            (Action::Copy, _) => Outcome::Copy(self.service.to_string()),
            (Action::Producer, _) => {
                let signals = self.lens.snapshot(world.inventory).get(&self.environment);
                about::open_producer(world, &self.environment, signals)
            }
            (Action::Rejects, _) => {
                about::open_rejects(&self.environment, self.lens.snapshot(world.inventory).get(&self.environment))
            }
            (other, _) => {
                let now = self.now.as_ref();
                now.and_then(|now| about::ask(other, world, &self.environment, now))
                    .unwrap_or_else(|| Outcome::moved(self.slices.act(other)))
            }
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::SortNext | Action::Filter => self.slices.selected().is_some(),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        if let Some(now) = &self.now {
            about::want_owner(world, &self.environment, now, interest);
        }
        let focus = self.lens.focus(&self.service, self.slice.clone());
        interest.signals.insert(self.environment.clone(), focus);
    }

    fn filter(&self) -> &str {
        self.slices.filter()
    }

    fn rows_shown(&self) -> usize {
        self.slices.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        self.slices.set_filter(filter);
    }
}
