//! Golden signals of the services of all environments: which is ill, and since when.
//!
//! The list is the worst first; below it lie the charts of the selected service, seen through a [`lens`].

pub mod about;
pub mod alerts;
pub mod lens;
pub mod pipelines;
pub mod service;
pub mod trial;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Row, Table};
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::signal::{AlertState, Latency, Point, Reading, ServiceHistory, ServiceNow, Signals};
use lens::{Lens, Snapshot};

/// Lines of the charts besides their plots: what is selected, the times, the rule.
const CHART_FRAME: u16 = 3;
/// Below so many lines there is no room for charts under the list.
const CHARTS_FROM: u16 = 20;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceColumn {
    /// Health.
    Health,
    /// Environment.
    Environment,
    /// Name.
    Service,
    /// Swimlane.
    Swimlane,
    /// Requests a second.
    Requests,
    /// Failed share.
    Errors,
    /// Successful share.
    Availability,
    /// Median latency.
    P50,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Saturation.
    Saturation,
    /// Share of the error budget that is left.
    Budget,
    /// Requests a second, lately.
    Trend,
}

/// One service of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRow {
    /// Environment.
    pub environment: Arc<str>,
    /// What is known of it.
    pub now: ServiceNow,
    /// Whether the source does not answer, so that this is old.
    pub is_stale: bool,
    /// Whether an alert of it fires.
    pub is_alerting: bool,
}

impl ServiceRow {
    /// The newest window; `None` while the service is silent.
    #[must_use]
    pub const fn point(&self) -> Option<&Point> {
        self.now.point.as_ref()
    }

    /// Failed share in percent.
    #[must_use]
    pub fn error_percent(&self) -> Option<f64> {
        self.point().and_then(Point::availability_percent).map(|availability| 100.0 - availability)
    }

    /// How bad it is: health from 3 to 1, then the silent, then the well.
    fn rank(&self) -> u8 {
        match self.point().map(|point| point.health.level()) {
            Some(0) => 0,
            Some(level) => level + 1,
            None => 1,
        }
    }
}

impl Row for ServiceRow {
    type Key = (Arc<str>, Arc<str>);
    type Column = ServiceColumn;
    const COLUMNS: &'static [Column<ServiceColumn>] = &[
        Column::number(ServiceColumn::Health, "H", 1),
        Column::text(ServiceColumn::Environment, "ENV", 3).up_to(12).rank(2),
        Column::text(ServiceColumn::Service, "SERVICE", 24).up_to(48).first(),
        Column::text(ServiceColumn::Swimlane, "LANE", 4).up_to(12).rank(5),
        Column::number(ServiceColumn::Requests, "REQ/s", 6),
        Column::number(ServiceColumn::Errors, "ERR%", 6),
        Column::text(ServiceColumn::Availability, "AVAIL", 6),
        Column::number(ServiceColumn::P50, "p50", 5),
        Column::number(ServiceColumn::P95, "p95", 5).rank(3),
        Column::number(ServiceColumn::P99, "p99", 5),
        Column::number(ServiceColumn::Saturation, "SAT", 7).up_to(12),
        Column::number(ServiceColumn::Budget, "BUDGET", 6).rank(4),
        Column::text(ServiceColumn::Trend, "TREND", 12).up_to(32).rank(3),
    ];

    fn key(&self) -> Self::Key {
        (self.environment.clone(), self.now.service.clone())
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        let failing = |row: &Self| row.point().map_or(0, |point| point.errors);
        other
            .rank()
            .cmp(&self.rank())
            .then_with(|| other.is_alerting.cmp(&self.is_alerting))
            .then_with(|| if self.rank() > 1 { failing(other).cmp(&failing(self)) } else { Ordering::Equal })
            .then_with(|| self.now.service.cmp(&other.now.service))
            .then_with(|| self.environment.cmp(&other.environment))
    }

    fn compare(&self, other: &Self, column: ServiceColumn) -> Ordering {
        let by = |value: fn(&Self) -> Option<f64>| {
            value(self).unwrap_or(f64::MIN).total_cmp(&value(other).unwrap_or(f64::MIN))
        };
        let latency = |pick: fn(&Latency) -> f64| {
            let of = |row: &Self| row.point().map_or(f64::MIN, |point| pick(&point.latency));
            of(self).total_cmp(&of(other))
        };
        match column {
            ServiceColumn::Health => self.rank().cmp(&other.rank()),
            ServiceColumn::Environment => self.environment.cmp(&other.environment),
            ServiceColumn::Service => self.now.service.cmp(&other.now.service),
            ServiceColumn::Swimlane => self.now.swimlane.cmp(&other.now.swimlane),
            ServiceColumn::Requests => by(|row| row.now.requests_per_second),
            ServiceColumn::Errors => by(Self::error_percent),
            ServiceColumn::Availability => {
                let of = |row: &Self| row.error_percent().map_or(f64::MAX, |percent| 100.0 - percent);
                of(self).total_cmp(&of(other))
            }
            ServiceColumn::P50 => latency(|it| it.p50_us),
            ServiceColumn::P95 => latency(|it| it.p95_us),
            ServiceColumn::P99 => latency(|it| it.p99_us),
            ServiceColumn::Saturation => by(|row| row.point()?.saturation.as_ref().map(|it| it.percent)),
            ServiceColumn::Budget => by(|row| row.now.budget_left_percent.map(|left| -left)),
            ServiceColumn::Trend => by(|row| row.now.trend.iter().flatten().last().copied().map(f64::from)),
        }
    }

    fn words(&self, text: &mut String) {
        let tags = self.now.tags.iter().flat_map(|(name, value)| [name, value]);
        for word in [&self.environment, &self.now.service].into_iter().chain(&self.now.swimlane).chain(tags) {
            text.push_str(word);
            text.push(' ');
        }
        if self.now.silence.is_some() {
            text.push_str("silent");
        }
    }

    fn wanted(&self, column: ServiceColumn) -> usize {
        match column {
            ServiceColumn::Environment => self.environment.len(),
            ServiceColumn::Service => self.now.service.len(),
            ServiceColumn::Swimlane => self.now.swimlane.as_ref().map_or(0, |lane| lane.len()),
            ServiceColumn::Saturation => self
                .point()
                .and_then(|point| point.saturation.as_ref())
                .map_or(0, |saturation| saturation.component.chars().count() + 5),
            ServiceColumn::Trend => self.now.trend.len(),
            _ => 0,
        }
    }
}

/// How many services are how, in all environments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub services: usize,
    /// Those with a health above 0.
    pub unhealthy: usize,
    /// Those that say nothing.
    pub silent: usize,
    /// Alerts that fire.
    pub firing: usize,
    /// Records a second.
    pub records_per_second: f64,
    /// How far the last of the environments is behind, milliseconds.
    pub behind_ms: Option<i64>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct SignalsScreen {
    /// Its list.
    pub table: Table<ServiceRow>,
    /// Through which time is seen.
    pub lens: Lens,
    /// Counts for the header.
    pub tally: Tally,
    /// How reading stands, by environment.
    pub readings: Vec<(Arc<str>, Reading)>,
    /// Why nothing is counted, by environment, where nothing is.
    pub refusals: BTreeMap<Arc<str>, String>,
    /// Who counts, in few words, of environments whose rows others write.
    pub producers: Vec<String>,
}

impl SignalsScreen {
    /// Lines of the parts: the detail is the charts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        let rows = size.1.saturating_sub(2);
        let charts = if rows < CHARTS_FROM { 0 } else { 2 * Self::plot_rows(size) + CHART_FRAME };
        let body = rows.saturating_sub(charts);
        Layout { head: 1, body, detail: charts, width: size.0, side: 0 }
    }

    /// Lines of one chart: two lie above each other.
    #[must_use]
    pub const fn plot_rows(size: (u16, u16)) -> u16 {
        match size.1.saturating_sub(15) / 4 {
            0..3 => 3,
            rows @ 3..12 => rows,
            _ => 12,
        }
    }

    /// What is shown now: what is held still, or what there is.
    #[must_use]
    pub fn snapshot<'a>(&'a self, world: &World<'a>) -> &'a Snapshot {
        self.lens.snapshot(world.inventory)
    }

    /// The charts of the selected service; `None` until they are there.
    #[must_use]
    pub fn history<'a>(&'a self, world: &World<'a>) -> Option<&'a Arc<ServiceHistory>> {
        let row = self.table.selected()?;
        self.lens.history(world.inventory, &row.environment, &row.now.service)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.body.saturating_sub(1));
        let snapshot = self.lens.snapshot(world.inventory);
        let (rows, tally) = (rows(snapshot), tally(snapshot));
        let readings: Vec<_> = snapshot.iter().map(|(name, it)| (name.clone(), it.reading.clone())).collect();
        let producers: Vec<_> = snapshot.iter().filter_map(|(name, it)| about::producer(world, name, it)).collect();
        let refusals = snapshot.iter().filter_map(|(name, it)| Some((name.clone(), about::refusal(it)?))).collect();
        let changed = tally != self.tally || readings != self.readings || producers != self.producers;
        let changed = changed || refusals != self.refusals;
        (self.tally, self.readings, self.producers, self.refusals) = (tally, readings, producers, refusals);
        // Charts lie below the list: they change whenever signals do.
        self.table.set_rows(rows) || changed || layout.detail > 0
    }
}

/// The rows of a snapshot.
fn rows(snapshot: &Snapshot) -> Vec<ServiceRow> {
    let rows = snapshot.iter().flat_map(|(environment, signals)| {
        let is_stale = matches!(signals.reading, Reading::Stalled(..) | Reading::Failed(_));
        let alerting = alerting(signals);
        signals.services.iter().map(move |now| ServiceRow {
            environment: environment.clone(),
            now: now.clone(),
            is_stale,
            is_alerting: alerting.contains(&now.service),
        })
    });
    rows.collect()
}

/// The services with an alert that fires: looked up for each of very many.
fn alerting(signals: &Signals) -> HashSet<&Arc<str>> {
    signals.alerts.iter().filter(|alert| alert.state == AlertState::Firing).map(|alert| &alert.service).collect()
}

/// Counts for the header.
#[must_use]
pub fn tally(snapshot: &Snapshot) -> Tally {
    let mut tally = Tally::default();
    for signals in snapshot.values() {
        tally.services += signals.services.len();
        let levels = signals.services.iter().filter_map(|it| it.point.as_ref());
        tally.unhealthy += levels.filter(|point| point.health.level() > 0).count();
        tally.silent += signals.services.iter().filter(|it| it.silence.is_some()).count();
        tally.firing += signals.alerts.iter().filter(|alert| alert.state == AlertState::Firing).count();
        tally.records_per_second += signals.records_per_second;
        tally.behind_ms = tally.behind_ms.max(signals.behind_ms);
    }
    tally
}

impl Part for SignalsScreen {
    fn place(&self) -> Place {
        Place::Signals
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
        if action == Action::Flows {
            return Outcome::open(Screen::Flows(pipelines::FlowsScreen::default()));
        }
        let Some(row) = self.table.selected() else {
            if let Some(environment) = self.refusals.keys().next().filter(|_| action == Action::Rejects) {
                return about::open_rejects(environment, self.snapshot(world).get(environment));
            }
            return Outcome::moved(self.table.act(action));
        };
        match action {
            Action::Open => {
                let (environment, service) = row.key();
                self.table.pin();
                let service = service::ServiceScreen::new(environment, service, &self.lens);
                Outcome::open(Screen::Service(Box::new(service)))
            }
            Action::Copy => Outcome::Copy(row.now.service.to_string()),
            Action::Producer => {
                about::open_producer(world, &row.environment, self.snapshot(world).get(&row.environment))
            }
            Action::Rejects => about::open_rejects(&row.environment, self.snapshot(world).get(&row.environment)),
            other => about::ask(other, world, &row.environment, &row.now)
                .unwrap_or_else(|| Outcome::moved(self.table.act(other))),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open
            | Action::Copy
            | Action::Owner
            | Action::Exceptions
            | Action::Backtest
            | Action::TimeBack
            | Action::Producer => self.table.selected().is_some(),
            Action::Rejects => self.table.selected().is_some() || !self.refusals.is_empty(),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        about::want_all(world, interest);
        if let Some(row) = self.table.selected() {
            interest.signals.insert(row.environment.clone(), self.lens.focus(&row.now.service, None));
            about::want_owner(world, &row.environment, &row.now, interest);
        }
    }

    fn filter(&self) -> &str {
        self.table.filter()
    }

    fn rows_shown(&self) -> usize {
        self.table.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        self.table.set_filter(filter);
    }
}
