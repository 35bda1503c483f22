//! A health rule tried on what is over: how a service would have stood in the last hour, window by window.
//!
//! It begins with the rule in force; what is typed is tried as it is typed, and nothing of it takes effect.

use std::cmp::Ordering;
use std::sync::Arc;

use super::lens::Lens;
use crate::action::{Action, Place};
use crate::app::layout::Layout;
use crate::app::screen::{Cause, Outcome, Part, World};
use crate::app::table::{Column, Row, Table};
use crate::model::Time;
use crate::model::interest::Interest;
use crate::model::signal::{Health, Shift, Trial};

/// Lines of the head: where, the rule, what came of it (two lines).
const HEAD: u16 = 4;
/// Lines of the two charts besides their plots: the times.
const CHART_FRAME: u16 = 1;
/// Lines of the list of changes at least, with its heading.
const LIST: u16 = 6;

/// Columns of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftColumn {
    /// When.
    At,
    /// Health before.
    From,
    /// Health from then on.
    To,
    /// How long it stayed so.
    For,
}

/// One change of health that would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftRow {
    /// The change.
    pub shift: Shift,
    /// How long health stayed so, milliseconds; `None` for the last one.
    pub lasted_ms: Option<i64>,
}

impl Row for ShiftRow {
    type Key = Time;
    type Column = ShiftColumn;
    const COLUMNS: &'static [Column<ShiftColumn>] = &[
        Column::text(ShiftColumn::At, "AT", 10).first(),
        Column::text(ShiftColumn::From, "FROM", 18),
        Column::text(ShiftColumn::To, "TO", 18),
        Column::number(ShiftColumn::For, "FOR", 9),
    ];

    fn key(&self) -> Time {
        self.shift.at
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.shift.at.cmp(&self.shift.at)
    }

    fn compare(&self, other: &Self, column: ShiftColumn) -> Ordering {
        match column {
            ShiftColumn::At => self.shift.at.cmp(&other.shift.at),
            ShiftColumn::From => self.shift.from.cmp(&other.shift.from),
            ShiftColumn::To => self.shift.to.cmp(&other.shift.to),
            ShiftColumn::For => self.lasted_ms.cmp(&other.lasted_ms),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(word(self.shift.to));
    }

    fn wanted(&self, _column: ShiftColumn) -> usize {
        0
    }
}

/// Health in words.
#[must_use]
pub const fn word(health: Health) -> &'static str {
    match health.level() {
        0 => "0 well",
        1 => "1 worth a look",
        2 => "2 degraded",
        _ => "3 down",
    }
}

/// The screen.
#[derive(Debug)]
pub struct TrialScreen {
    /// Environment.
    pub environment: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// The rule that is tried.
    pub expression: Arc<str>,
    /// The rule in force when the screen was opened.
    pub in_force: Arc<str>,
    /// What came of it; `None` while it is asked for.
    pub trial: Option<Arc<Trial>>,
    /// When health would have changed.
    pub shifts: Table<ShiftRow>,
}

impl TrialScreen {
    /// Opens it with the rule in force.
    #[must_use]
    pub fn new(environment: Arc<str>, service: Arc<str>, in_force: Arc<str>) -> Self {
        let expression = in_force.clone();
        Self { environment, service, expression, in_force, trial: None, shifts: Table::default() }
    }

    /// Lines of the parts: the body is the charts, the detail the changes.
    #[must_use]
    pub fn layout(size: (u16, u16)) -> Layout {
        let rows = size.1.saturating_sub(1 + HEAD);
        let body = (2 * Self::plot_rows(size) + CHART_FRAME).min(rows);
        Layout { head: HEAD, body, detail: rows - body, width: size.0, side: 0 }
    }

    /// Lines of one chart: two lie above each other.
    #[must_use]
    pub fn plot_rows(size: (u16, u16)) -> u16 {
        (size.1.saturating_sub(1 + HEAD + CHART_FRAME + LIST) / 2).clamp(2, 7)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let known = world.inventory.signals().get(&self.environment).and_then(|signals| signals.trial.as_ref());
        let answers = known.filter(|trial| trial.service == self.service && trial.expression == self.expression);
        self.trial = answers.cloned();
        let shifts = self.trial.as_ref().and_then(|trial| trial.outcome.as_ref().ok()).map(|outcome| &outcome.shifts);
        let mut next: Option<Time> = None;
        let row = |shift: &Shift| ShiftRow {
            shift: *shift,
            lasted_ms: next.replace(shift.at).map(|next| (next - shift.at).num_milliseconds()),
        };
        self.shifts.set_rows(shifts.into_iter().flat_map(|shifts| shifts.iter()).map(row).collect());
        let layout = Self::layout(world.size);
        self.shifts.fit(layout.width, layout.detail.saturating_sub(1));
        true
    }
}

impl Part for TrialScreen {
    fn place(&self) -> Place {
        Place::Backtest
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Changed(touched) if !touched.signals => false,
            Cause::Second => false,
            _ => self.look(world),
        }
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match action {
            Action::Open => Outcome::Type(self.expression.to_string()),
            Action::Back if self.expression != self.in_force => {
                self.expression = self.in_force.clone();
                Outcome::Done
            }
            Action::Copy => Outcome::Copy(self.expression.to_string()),
            other => Outcome::moved(self.shifts.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        // What is typed is a rule, whichever key begins it.
        match action {
            Action::SortNext => self.shifts.selected().is_some(),
            other => other != Action::Filter,
        }
    }

    fn interest(&self, _world: &World<'_>, interest: &mut Interest) {
        let mut focus = Lens::default().focus(&self.service, None);
        focus.trial = Some(self.expression.clone());
        interest.signals.insert(self.environment.clone(), focus);
    }

    fn filter(&self) -> &'static str {
        ""
    }

    fn rows_shown(&self) -> usize {
        self.shifts.counts().0
    }

    /// What is typed here is the rule; nothing typed is the rule in force.
    fn set_filter(&mut self, filter: &str) {
        self.expression = if filter.trim().is_empty() { self.in_force.clone() } else { filter.into() };
        self.trial = None;
    }
}
