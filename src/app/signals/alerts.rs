//! Alerts of all environments: what fires, since when, and who looks after it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::lens::Lens;
use super::service::ServiceScreen;
use super::{about, tally};
use crate::action::{Action, Place};
use crate::app::Effect;
use crate::app::layout::Layout;
use crate::app::screen::{Cause, Outcome, Part, Screen, World};
use crate::app::table::{Column, Row, Table};
use crate::model::interest::Interest;
use crate::model::signal::{Alert, AlertOrder, AlertState, Answer};

/// For how long an alert sleeps.
const SNOOZE_HOURS: i64 = 1;
/// Who acknowledges, as others read it.
const HERE: &str = "here";

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertColumn {
    /// How it stands.
    State,
    /// How bad.
    Severity,
    /// Environment.
    Environment,
    /// Service.
    Service,
    /// Name of the rule.
    Rule,
    /// For how long it stands so.
    Since,
    /// Who looks after it, or until when it sleeps.
    Answer,
}

/// One alert of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// Environment.
    pub environment: Arc<str>,
    /// The alert.
    pub alert: Alert,
}

impl AlertRow {
    fn rank(&self) -> (AlertState, bool, bool) {
        (self.alert.state, *self.alert.severity != *"page", self.alert.acknowledged.is_some())
    }
}

impl Row for AlertRow {
    type Key = (Arc<str>, Arc<str>, Arc<str>);
    type Column = AlertColumn;
    const COLUMNS: &'static [Column<AlertColumn>] = &[
        Column::text(AlertColumn::State, "STATE", 10),
        Column::text(AlertColumn::Severity, "SEV", 6),
        Column::text(AlertColumn::Environment, "ENV", 3).up_to(12),
        Column::text(AlertColumn::Service, "SERVICE", 20).up_to(48).first(),
        Column::text(AlertColumn::Rule, "RULE", 10).up_to(24),
        Column::number(AlertColumn::Since, "FOR", 6),
        Column::text(AlertColumn::Answer, "ANSWER", 13).up_to(28),
    ];

    fn key(&self) -> Self::Key {
        (self.environment.clone(), self.alert.service.clone(), self.alert.rule.clone())
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.rank()
            .cmp(&other.rank())
            .then_with(|| other.alert.since.cmp(&self.alert.since))
            .then_with(|| self.key().cmp(&other.key()))
    }

    fn compare(&self, other: &Self, column: AlertColumn) -> Ordering {
        let (left, right) = (&self.alert, &other.alert);
        match column {
            AlertColumn::State => left.state.cmp(&right.state),
            AlertColumn::Severity => left.severity.cmp(&right.severity),
            AlertColumn::Environment => self.environment.cmp(&other.environment),
            AlertColumn::Service => left.service.cmp(&right.service),
            AlertColumn::Rule => left.rule.cmp(&right.rule),
            AlertColumn::Since => right.since.cmp(&left.since),
            AlertColumn::Answer => left.acknowledged.is_some().cmp(&right.acknowledged.is_some()),
        }
    }

    fn words(&self, text: &mut String) {
        let alert = &self.alert;
        for word in [&self.environment, &alert.service, &alert.rule, &alert.severity, &alert.summary] {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(word(alert.state));
    }

    fn wanted(&self, column: AlertColumn) -> usize {
        match column {
            AlertColumn::Environment => self.environment.len(),
            AlertColumn::Service => self.alert.service.len(),
            AlertColumn::Rule => self.alert.rule.len(),
            AlertColumn::Answer => self.alert.acknowledged.as_ref().map_or(0, |(who, _)| who.len() + 12),
            _ => 0,
        }
    }
}

/// The word of a state.
#[must_use]
pub const fn word(state: AlertState) -> &'static str {
    match state {
        AlertState::Firing => "FIRING",
        AlertState::Pending => "PENDING",
        AlertState::Resolved => "RESOLVED",
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct AlertsScreen {
    /// Its list.
    pub table: Table<AlertRow>,
    /// How many fire.
    pub firing: usize,
}

impl AlertsScreen {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 3)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        self.firing = tally(world.inventory.signals()).firing;
        let rows = world.inventory.signals().iter().flat_map(|(environment, signals)| {
            let row = |alert: &Alert| AlertRow { environment: environment.clone(), alert: alert.clone() };
            signals.alerts.iter().map(row).collect::<Vec<_>>()
        });
        self.table.set_rows(rows.collect())
    }

    fn answer(row: &AlertRow, answer: Answer) -> Outcome {
        let (rule, service) = (row.alert.rule.clone(), row.alert.service.clone());
        Outcome::Effect(Effect::Answer(row.environment.clone(), AlertOrder { rule, service, answer }))
    }
}

impl Part for AlertsScreen {
    fn place(&self) -> Place {
        Place::Alerts
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Changed(touched) if !touched.signals && !touched.environments => false,
            Cause::Second => false,
            _ => self.look(world),
        }
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let Some(row) = self.table.selected() else { return Outcome::moved(self.table.act(action)) };
        let alert = &row.alert;
        match action {
            Action::Open => {
                let (environment, service) = (row.environment.clone(), alert.service.clone());
                self.table.pin();
                let screen = ServiceScreen::new(environment, service, &Lens::default());
                Outcome::open(Screen::Service(Box::new(screen)))
            }
            Action::Acknowledge if alert.acknowledged.is_some() => Self::answer(row, Answer::Wake),
            Action::Acknowledge => Self::answer(row, Answer::Acknowledge(HERE.into())),
            Action::Snooze if alert.snoozed_until.is_some_and(|until| until > world.now) => {
                Self::answer(row, Answer::Wake)
            }
            Action::Snooze => Self::answer(row, Answer::Snooze(world.now + chrono::Duration::hours(SNOOZE_HOURS))),
            Action::Owner | Action::Exceptions => {
                let signals = world.inventory.signals().get(&row.environment);
                let now = signals.and_then(|it| it.services.iter().find(|now| now.service == alert.service));
                now.and_then(|now| about::ask(action, world, &row.environment, now))
                    .unwrap_or(Outcome::Say("This service is not seen any more."))
            }
            Action::Copy => Outcome::Copy(format!("{} {}: {}", alert.rule, alert.service, alert.summary)),
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::Copy | Action::Owner | Action::Exceptions | Action::Acknowledge | Action::Snooze => {
                self.table.selected().is_some()
            }
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        about::want_all(world, interest);
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

/// What an answer to an alert means from now on.
#[must_use]
pub fn answered(order: &AlertOrder) -> String {
    let (rule, service) = (&order.rule, &order.service);
    match &order.answer {
        Answer::Acknowledge(_) => {
            format!("{rule} of {service} is yours: no more bell and messages until it is resolved; A takes that back")
        }
        Answer::Snooze(until) => format!("{rule} of {service} sleeps until {}; z wakes it", until.format("%H:%M:%SZ")),
        Answer::Wake => format!("{rule} of {service} is awake again: it rings and tells as before"),
    }
}
