//! The changes that were begun here: those under way first, so that one that was left is found again.

use std::cmp::Ordering;

use super::change::ChangeScreen;
use super::layout::Layout;
use super::operations::{Operation, Stage};
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::interest::Interest;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeColumn {
    /// How long it is as far as it is.
    Age,
    /// Environment.
    Environment,
    /// Pipeline.
    Pipeline,
    /// Verb.
    Verb,
    /// How far it is.
    State,
    /// The last step, or how it ended.
    Last,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRow(pub Operation);

impl ChangeRow {
    /// The last thing that is known of it.
    #[must_use]
    pub fn last(&self) -> String {
        use crate::event::Ending;
        match &self.0.stage {
            Stage::Planning => "asking the cluster what it would mean".to_owned(),
            Stage::Planned => "waits for you to agree".to_owned(),
            Stage::Making | Stage::Settling => self.0.steps.last().map_or_else(String::new, |(_, step)| {
                let colon = if step.message.is_empty() { "" } else { ": " };
                format!("{}{colon}{}", step.step, step.message)
            }),
            Stage::Ended(Ending::Done(words) | Ending::Failed(words) | Ending::Cancelled(words)) => words.to_string(),
        }
    }

    /// How far it is, in a word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        use crate::event::Ending;
        match &self.0.stage {
            Stage::Planning => "PLANNING",
            Stage::Planned => "PLANNED",
            Stage::Making => "MAKING",
            Stage::Settling => "SETTLING",
            Stage::Ended(Ending::Done(_)) => "DONE",
            Stage::Ended(Ending::Failed(_)) => "FAILED",
            Stage::Ended(Ending::Cancelled(_)) => "CANCELLED",
        }
    }
}

impl Row for ChangeRow {
    type Key = u64;
    type Column = ChangeColumn;
    const COLUMNS: &'static [Column<ChangeColumn>] = &[
        Column::number(ChangeColumn::Age, "SINCE", 5),
        Column::text(ChangeColumn::Environment, "ENV", 3).up_to(14),
        Column::text(ChangeColumn::Pipeline, "PIPELINE", 14).up_to(32).first(),
        Column::text(ChangeColumn::Verb, "VERB", 9).up_to(12),
        Column::text(ChangeColumn::State, "STATE", 11),
        Column::text(ChangeColumn::Last, "LAST", 20).up_to(200).first(),
    ];

    fn key(&self) -> u64 {
        self.0.number
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        let rank = |row: &Self| !row.0.is_under_way();
        rank(self).cmp(&rank(other)).then(other.0.number.cmp(&self.0.number))
    }

    fn compare(&self, other: &Self, column: ChangeColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        let key = |it: &Operation| it.intent.subject().clone();
        match column {
            ChangeColumn::Age => right.since.cmp(&left.since),
            ChangeColumn::Environment => key(left).environment.cmp(&key(right).environment),
            ChangeColumn::Pipeline => key(left).name.cmp(&key(right).name),
            ChangeColumn::Verb => left.intent.ask.verb().word().cmp(right.intent.ask.verb().word()),
            ChangeColumn::State => self.word().cmp(other.word()),
            ChangeColumn::Last => self.last().cmp(&other.last()),
        }
    }

    fn words(&self, text: &mut String) {
        let subject = self.0.intent.subject();
        let verb = self.0.intent.ask.verb().word();
        for word in [&*subject.environment, &*subject.name, verb, self.word(), &self.last()] {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: ChangeColumn) -> usize {
        match column {
            ChangeColumn::Environment => self.0.intent.subject().environment.len(),
            ChangeColumn::Pipeline => self.0.intent.subject().name.len(),
            ChangeColumn::Verb => self.0.intent.ask.verb().word().len(),
            ChangeColumn::Last => self.last().len(),
            ChangeColumn::Age | ChangeColumn::State => 0,
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct Changes {
    /// Its list.
    pub table: Table<ChangeRow>,
}

impl Changes {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 3)
    }
}

impl Part for Changes {
    fn place(&self) -> Place {
        Place::Changes
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        self.table.set_rows(world.operations.iter().cloned().map(ChangeRow).collect())
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Open, Some(row)) => Outcome::open(Screen::Change(Box::new(ChangeScreen::new(row.key())))),
            (Action::Copy, Some(row)) => Outcome::Copy(row.last()),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        !matches!(action, Action::Open | Action::Copy) || self.table.selected().is_some()
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
