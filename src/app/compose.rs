//! The processors that a pipeline is composed of, as its manifest has them: sizes, artifact, offset, and when each was
//! changed last. They are added, taken out, moved and set side by side from here: in a manifest at hand, whose last
//! change can be taken back, until somebody finds out what it would mean.

pub mod adding;

use std::cmp::Ordering;
use std::sync::Arc;

use crossterm::event::KeyEvent;

use self::adding::Adding;
use super::Effect;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use super::tune::TuneScreen;
use super::verbs;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::compose::arrange::{self, Way};
use crate::plan::compose::{self, Member};
use crate::plan::dossier::Dossier;
use crate::plan::intent::Ask;
use crate::plan::tune::{self, Field};
use crate::plan::verb::Verb;

/// Changes that can be taken back at most.
const MOST_CHANGES: usize = 100;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberColumn {
    /// Which step it is.
    Step,
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
        Column::number(MemberColumn::Step, "STEP", 4),
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
            MemberColumn::Step => left.step.cmp(&right.step),
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

/// What is composed, and not deployed yet.
#[derive(Debug)]
pub struct Work {
    /// The revision that it began with.
    pub base: u64,
    /// The manifest before each change, the oldest first.
    before: Vec<Arc<str>>,
    /// The manifest.
    pub text: Arc<str>,
    /// What is wrong with it.
    pub errors: Vec<String>,
}

impl Work {
    /// How many changes can be taken back.
    #[must_use]
    pub const fn changes(&self) -> usize {
        self.before.len()
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
    /// What is composed; `None` while it is as it was deployed.
    pub work: Option<Work>,
    /// The form of a processor that is added.
    pub adding: Option<Adding>,
    /// Topics that are read, that nobody here writes, and that the cluster does not have: by processor.
    pub missing: Vec<(String, String)>,
    /// Whether somebody was told that leaving drops what is composed.
    warned: bool,
}

impl ComposeScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey) -> Screen {
        let (table, missing) = (Table::default(), Vec::new());
        Screen::Compose(Box::new(Self { key, table, dossier: None, work: None, adding: None, missing, warned: false }))
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 4)
    }

    /// The manifest as it is composed now, and the revision that it began with.
    fn manifest(&self) -> Option<(Arc<str>, u64)> {
        if let Some(work) = &self.work {
            return Some((work.text.clone(), work.base));
        }
        let current = self.dossier.as_ref()?.as_ref().ok()?.current()?;
        Some((current.manifest.clone()?, current.number))
    }

    /// The steps in words: one after the other, side by side.
    #[must_use]
    pub fn course(&self) -> String {
        let manifest = self.manifest().and_then(|(text, _)| tune::read(&text).ok());
        let places = manifest.map(|it| arrange::places(&it)).unwrap_or_default();
        places.iter().map(|place| place.join(" + ")).collect::<Vec<_>>().join(" → ")
    }

    fn look(&mut self) {
        let Some(Ok(dossier)) = &self.dossier else { return };
        let composed = self.work.as_ref().map(|work| &*work.text);
        let members = compose::members(dossier, &self.key.environment, composed).into_iter().enumerate();
        self.table.set_rows(members.map(|(place, member)| MemberRow { member, place }).collect());
    }

    fn compose(&mut self, text: String) -> Outcome {
        let Some((before, base)) = self.manifest() else { return Outcome::Ignored };
        let mut history = self.work.take().map(|work| work.before).unwrap_or_default();
        if history.len() >= MOST_CHANGES {
            history.remove(0);
        }
        history.push(before);
        self.work = Some(Work { base, before: history, errors: arrange::errors(&text), text: text.into() });
        self.warned = false;
        self.look();
        Outcome::Done
    }

    fn undo(&mut self) -> Outcome {
        let Some(mut work) = self.work.take() else { return Outcome::Say("nothing is composed yet") };
        let Some(text) = work.before.pop() else { return Outcome::Done };
        if !work.before.is_empty() {
            self.work = Some(Work { errors: arrange::errors(&text), text, ..work });
        }
        self.look();
        Outcome::Done
    }

    /// Why nothing can be composed here.
    fn against(&self) -> Option<String> {
        let Some(Ok(dossier)) = &self.dossier else { return Some("the cluster has not answered yet".to_owned()) };
        match dossier.reason(Verb::Apply) {
            Some(why) => Some(why.to_string()),
            None if self.manifest().is_none() => Some("it has no manifest".to_owned()),
            None => None,
        }
    }

    fn change(&mut self, action: Action) -> Outcome {
        if let Some(why) = self.against() {
            return Outcome::Tell(format!("it cannot be composed here: {why}"));
        }
        let Some((text, _)) = self.manifest() else { return Outcome::Ignored };
        if action == Action::Add {
            self.adding = Some(Adding::to(text));
            return Outcome::Done;
        }
        let Some(name) = self.table.selected().map(|row| row.member.name.clone()) else { return Outcome::Ignored };
        let (composed, words) = match action {
            Action::TakeOut if self.table.counts().1 < 2 => {
                return Outcome::Say("it is the only one: decommission takes the whole pipeline away (v)");
            }
            Action::TakeOut => (arrange::without(&text, &name), "the manifest cannot be written"),
            Action::Earlier => (arrange::moved(&text, &name, Way::Earlier), "it is the first already"),
            Action::Later => (arrange::moved(&text, &name, Way::Later), "it is the last already"),
            _ => (arrange::moved(&text, &name, Way::Beside), "there is nothing that it could stand beside"),
        };
        composed.map_or(Outcome::Say(words), |text| self.compose(text))
    }

    fn confirm(&self, world: &World<'_>) -> Outcome {
        let Some(work) = &self.work else { return Outcome::Say("nothing is composed yet: + adds, X takes out") };
        if let Some(wrong) = work.errors.first() {
            return Outcome::Tell(format!("nothing was sent: {wrong}"));
        }
        let ask = Ask::Apply { text: work.text.clone(), base: work.base, draft: None };
        Outcome::Begin(verbs::intent(&self.key, ask, world))
    }

    fn add(&mut self) -> Outcome {
        let Some(adding) = &self.adding else { return Outcome::Ignored };
        match adding.added() {
            Err(wrong) => Outcome::Tell(wrong),
            Ok(text) => {
                self.adding = None;
                self.compose(text)
            }
        }
    }

    fn leave(&mut self) -> Outcome {
        if self.work.is_none() || self.warned {
            return Outcome::Ignored;
        }
        self.warned = true;
        Outcome::Say("esc once more drops what you composed; F2 finds out what it would mean")
    }

    fn in_form(&mut self, action: Action) -> Outcome {
        match action {
            Action::Accept => self.add(),
            Action::Back => {
                self.adding = None;
                Outcome::Done
            }
            other => Outcome::moved(self.adding.as_mut().is_some_and(|adding| adding.step(other))),
        }
    }
}

impl Part for ComposeScreen {
    fn place(&self) -> Place {
        if self.adding.is_some() { Place::Confirm } else { Place::Compose }
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let read = self.manifest().and_then(|(text, _)| tune::read(&text).ok());
        let known = world.inventory.topic_names().get(&self.key.environment);
        self.missing = match (read, known) {
            (Some(manifest), Some(known)) => {
                let is_missing = |(_, topic): &(String, String)| !known.iter().any(|name| **name == **topic);
                arrange::from_outside(&manifest).into_iter().filter(is_missing).collect()
            }
            _ => Vec::new(),
        };
        true
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        if self.adding.is_some() {
            return self.in_form(action);
        }
        match (action, self.table.selected()) {
            (Action::Open, Some(_)) if self.work.is_some() => {
                Outcome::Say("first what is composed: F2 finds out what it would mean, u takes it back")
            }
            (Action::Open, Some(row)) => {
                Outcome::open(TuneScreen::open(self.key.clone(), row.member.name.as_str().into()))
            }
            (Action::Add | Action::TakeOut | Action::Earlier | Action::Later | Action::Beside, _) => {
                self.change(action)
            }
            (Action::Undo, _) => self.undo(),
            (Action::Save, _) => self.confirm(world),
            (Action::Back, _) => self.leave(),
            (Action::Copy, Some(row)) => Outcome::Copy(row.member.artifact.clone()),
            (Action::Retry, _) => Outcome::Effect(Effect::Survey(self.key.clone())),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn typed(&mut self, key: &KeyEvent, _world: &World<'_>) -> Outcome {
        Outcome::moved(self.adding.as_mut().is_some_and(|adding| adding.press(key)))
    }

    fn pasted(&mut self, text: &str, _world: &World<'_>) -> Outcome {
        let Some(adding) = &mut self.adding else { return Outcome::Ignored };
        adding.paste(text);
        Outcome::Done
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open => self.work.is_none() && self.table.selected().is_some(),
            Action::Copy | Action::TakeOut | Action::Earlier | Action::Later | Action::Beside => {
                self.table.selected().is_some()
            }
            Action::Undo | Action::Save => self.work.is_some(),
            Action::Add => self.against().is_none(),
            _ => true,
        }
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        // What is deployed by now is composed no more.
        let current = dossier.as_ref().ok().and_then(|it| it.current());
        let manifest = current.and_then(|it| it.manifest.as_deref()).and_then(|text| tune::read(text).ok());
        let is_deployed = |work: &Work| manifest.is_some() && tune::read(&work.text).ok() == manifest;
        if self.work.as_ref().is_some_and(is_deployed) {
            self.work = None;
        }
        self.dossier = Some(dossier.clone());
        self.look();
        true
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        verbs::watch(&self.key, world, interest);
        interest.kafka_names.insert(self.key.environment.clone());
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
