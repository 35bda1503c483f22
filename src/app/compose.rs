//! The processors that a pipeline is composed of, as its manifest has them: sizes, artifact, offset, and when each was
//! changed last. They are edited and taken out from here.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Effect;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use super::tune::TuneScreen;
use super::verbs;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::compose::{self, Member};
use crate::plan::dossier::Dossier;
use crate::plan::intent::Ask;
use crate::plan::tune::Field;
use crate::plan::verb::Verb;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberColumn {
    /// Name.
    Name,
    /// Revision and artifact.
    Description,
    /// TaskManagers.
    Replicas,
    /// Cores.
    Cpu,
    /// Memory.
    Memory,
    /// Offset version.
    Offset,
    /// When it was changed last.
    Updated,
}

/// One processor.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberRow {
    /// What its manifest says.
    pub member: Member,
    place: usize,
}

impl Row for MemberRow {
    type Key = String;
    type Column = MemberColumn;
    const COLUMNS: &'static [Column<MemberColumn>] = &[
        Column::text(MemberColumn::Name, "NAME", 14).up_to(27).first(),
        Column::text(MemberColumn::Description, "DESCRIPTION", 20).up_to(100).first(),
        Column::number(MemberColumn::Replicas, "REPLICAS", 8),
        Column::number(MemberColumn::Cpu, "CPU", 4),
        Column::number(MemberColumn::Memory, "MEMORY", 6),
        Column::number(MemberColumn::Offset, "OFFSET", 6),
        Column::number(MemberColumn::Updated, "UPDATED", 7),
    ];

    fn key(&self) -> String {
        self.member.name.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }

    fn compare(&self, other: &Self, column: MemberColumn) -> Ordering {
        let (left, right) = (&self.member, &other.member);
        let number = |member: &Member, field: Field| member.tuning.get(field).parse::<f64>().unwrap_or(0.0);
        let by = |field: Field| number(left, field).total_cmp(&number(right, field));
        match column {
            MemberColumn::Name => left.name.cmp(&right.name),
            MemberColumn::Description => left.artifact.cmp(&right.artifact),
            MemberColumn::Replicas => by(Field::Replicas),
            MemberColumn::Cpu => by(Field::Cpu),
            MemberColumn::Memory => left.tuning.get(Field::Memory).cmp(right.tuning.get(Field::Memory)),
            MemberColumn::Offset => by(Field::Offset),
            MemberColumn::Updated => right.updated.cmp(&left.updated),
        }
    }

    fn words(&self, text: &mut String) {
        let topics = [self.member.tuning.get(Field::Inputs), self.member.tuning.get(Field::Outputs)];
        for word in [self.member.name.as_str(), &self.member.description()].into_iter().chain(topics) {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: MemberColumn) -> usize {
        match column {
            MemberColumn::Name => self.member.name.len(),
            MemberColumn::Description => self.member.description().len(),
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug)]
pub struct ComposeScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// Its list.
    pub table: Table<MemberRow>,
    /// What is known of the pipeline; `None` until the cluster has answered.
    pub dossier: Option<Result<Arc<Dossier>, Arc<str>>>,
}

impl ComposeScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey) -> Screen {
        Screen::Compose(Box::new(Self { key, table: Table::default(), dossier: None }))
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 3)
    }

    fn take_out(&self, world: &World<'_>) -> Outcome {
        let Some(Ok(dossier)) = &self.dossier else { return Outcome::Ignored };
        if let Some(why) = dossier.reason(Verb::Apply) {
            return Outcome::Tell(format!("it cannot be taken out: {why}"));
        }
        if self.table.counts().1 < 2 {
            return Outcome::Say("it is the only one: decommission takes the whole pipeline away (v)");
        }
        let (Some(row), Some(current)) = (self.table.selected(), dossier.current()) else { return Outcome::Ignored };
        let text = current.manifest.as_deref().and_then(|text| compose::without(text, &row.member.name));
        let Some(text) = text else { return Outcome::Say("the manifest cannot be written") };
        let ask = Ask::Apply { text: text.into(), base: current.number, draft: None };
        Outcome::Begin(verbs::intent(&self.key, ask, world))
    }
}

impl Part for ComposeScreen {
    fn place(&self) -> Place {
        Place::Compose
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        true
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Open, Some(row)) => {
                Outcome::open(TuneScreen::open(self.key.clone(), row.member.name.as_str().into()))
            }
            (Action::TakeOut, Some(_)) => self.take_out(world),
            (Action::Copy, Some(row)) => Outcome::Copy(row.member.artifact.clone()),
            (Action::Retry, _) => Outcome::Effect(Effect::Survey(self.key.clone())),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::Copy | Action::TakeOut => self.table.selected().is_some(),
            _ => true,
        }
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        if let Ok(dossier) = dossier {
            let members = compose::members(dossier, &self.key.environment).into_iter().enumerate();
            self.table.set_rows(members.map(|(place, member)| MemberRow { member, place }).collect());
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
