//! The revisions of a pipeline: what was deployed when and by whom, what differs between two, and the way back to one.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Effect;
use super::document::DocumentScreen;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use super::verbs;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::dossier::{Dossier, Entry};
use crate::plan::intent::Ask;
use crate::plan::verb::Verb;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionColumn {
    /// Number.
    Number,
    /// Where it is on its way.
    State,
    /// Age.
    Age,
    /// What made it.
    Verb,
    /// Who.
    By,
    /// What for, or from where.
    Note,
}

/// One revision.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionRow(pub Entry);

impl Row for RevisionRow {
    type Key = u64;
    type Column = RevisionColumn;
    const COLUMNS: &'static [Column<RevisionColumn>] = &[
        Column::number(RevisionColumn::Number, "REV", 4),
        Column::text(RevisionColumn::State, "STATE", 10),
        Column::number(RevisionColumn::Age, "AGE", 6),
        Column::text(RevisionColumn::Verb, "VERB", 9),
        Column::text(RevisionColumn::By, "BY", 10).up_to(32),
        Column::text(RevisionColumn::Note, "NOTE", 16).up_to(120).first(),
    ];

    fn key(&self) -> u64 {
        self.0.number
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.0.number.cmp(&self.0.number)
    }

    fn compare(&self, other: &Self, column: RevisionColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        match column {
            RevisionColumn::Number => left.number.cmp(&right.number),
            RevisionColumn::State => left.state.word().cmp(right.state.word()),
            RevisionColumn::Age => right.at.cmp(&left.at),
            RevisionColumn::Verb => left.verb.word().cmp(right.verb.word()),
            RevisionColumn::By => left.by.cmp(&right.by),
            RevisionColumn::Note => left.note.cmp(&right.note),
        }
    }

    fn words(&self, text: &mut String) {
        let number = self.0.number.to_string();
        for word in [&number, self.0.state.word(), self.0.verb.word(), &self.0.by, &self.0.note] {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: RevisionColumn) -> usize {
        match column {
            RevisionColumn::By => self.0.by.len(),
            RevisionColumn::Note => self.0.note.len(),
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug)]
pub struct HistoryScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// Its list, the newest first.
    pub table: Table<RevisionRow>,
    /// What is known of the pipeline; `None` until the cluster has answered.
    pub dossier: Option<Result<Arc<Dossier>, Arc<str>>>,
    /// The revision that others are compared with.
    pub marked: Option<u64>,
}

impl HistoryScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey) -> Screen {
        Screen::History(Box::new(Self { key, table: Table::default(), dossier: None, marked: None }))
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 3)
    }

    /// The two revisions that would be compared, the older first: the marked one or the one before, and the chosen one.
    #[must_use]
    pub fn pair(&self) -> Option<(u64, u64)> {
        let chosen = self.table.selected()?.0.number;
        let numbers = self.table.rows().iter().map(|row| row.0.number);
        let before = || numbers.filter(|number| *number < chosen).max();
        let other = self.marked.filter(|marked| *marked != chosen).or_else(before)?;
        Some((other.min(chosen), other.max(chosen)))
    }

    fn back_to(&self, world: &World<'_>) -> Outcome {
        let Some(Ok(dossier)) = &self.dossier else { return Outcome::Ignored };
        if let Some(why) = dossier.reason(Verb::Rollback) {
            return Outcome::Tell(format!("rollback cannot work: {why}"));
        }
        let Some(row) = self.table.selected() else { return Outcome::Ignored };
        if dossier.current().is_some_and(|current| current.number == row.0.number) {
            return Outcome::Say("this is the revision that runs");
        }
        Outcome::Begin(verbs::intent(&self.key, Ask::Rollback { to: Some(row.0.number) }, world))
    }
}

impl Part for HistoryScreen {
    fn place(&self) -> Place {
        Place::History
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        true
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Open, Some(row)) => match &row.0.manifest {
                Some(text) => {
                    let title = format!("{} › revision {}", self.key.name, row.0.number);
                    Outcome::open(DocumentScreen::given(title, text.clone()))
                }
                None => Outcome::Say("it was adopted without a manifest"),
            },
            (Action::Mark, Some(row)) => {
                let number = row.0.number;
                self.marked = if self.marked == Some(number) { None } else { Some(number) };
                Outcome::Done
            }
            (Action::Compare, _) => match self.pair() {
                Some((from, to)) => Outcome::open(DocumentScreen::difference(&self.key, from, to)),
                None => Outcome::Say("there is no other revision to compare it with"),
            },
            (Action::Do(Verb::Rollback), _) => self.back_to(world),
            (Action::Copy, Some(row)) => {
                row.0.manifest.as_ref().map_or(Outcome::Ignored, |text| Outcome::Copy(text.to_string()))
            }
            (Action::Retry, _) => Outcome::Effect(Effect::Survey(self.key.clone())),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::Copy => self.table.selected().is_some_and(|row| row.0.manifest.is_some()),
            Action::Mark | Action::Do(_) => self.table.selected().is_some(),
            Action::Compare => self.pair().is_some(),
            _ => true,
        }
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        if let Ok(dossier) = dossier {
            self.table.set_rows(dossier.revisions.iter().cloned().map(RevisionRow).collect());
        }
        self.dossier = Some(dossier.clone());
        true
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        verbs::watch(&self.key, world, interest);
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
