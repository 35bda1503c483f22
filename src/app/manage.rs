//! What stands around a pipeline's jobs: who answers for it, until when it runs, labels and links; who decides its size;
//! the roles of its service accounts. A row each. Those that can be edited are, one at a time, by the way of all changes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Effect;
use super::layout::Layout;
use super::question::QuestionScreen;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::dossier::Dossier;
use crate::plan::manage::about::Told;
use crate::plan::manage::edit::{Handle, Limit};
use crate::plan::manage::identity;
use crate::plan::manage::role::AccountView;
use crate::plan::manage::scaling::ScalingView;
use crate::plan::manage::{Around, Found};
use crate::plan::verb::Verb;

/// What stands in the place of a value that is not set.
const NONE: &str = "none";

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactColumn {
    /// About what: the pipeline, its size, its role.
    About,
    /// The pipeline, the processor or the service account.
    Of,
    /// What it is.
    What,
    /// Its value.
    Value,
}

/// How a fact is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It is so.
    Plain,
    /// It is not set.
    Unset,
    /// It may be in the way.
    Doubtful,
    /// It is in the way, or not known.
    Bad,
}

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub struct FactRow {
    /// About what.
    pub about: &'static str,
    /// The pipeline, the processor or the service account.
    pub of: String,
    /// What it is.
    pub what: String,
    /// Its value.
    pub value: String,
    /// How it is to be taken.
    pub weight: Weight,
    /// By what it is edited; `None` when it cannot be.
    pub handle: Option<Handle>,
    place: usize,
}

impl FactRow {
    fn new(about: &'static str, of: &str, what: impl Into<String>, value: impl Into<String>) -> Self {
        let (of, what, value) = (of.to_owned(), what.into(), value.into());
        Self { about, of, what, value, weight: Weight::Plain, handle: None, place: 0 }
    }

    /// A value that may not be set.
    fn optional(about: &'static str, of: &str, what: &str, value: Option<String>) -> Self {
        let weight = if value.is_some() { Weight::Plain } else { Weight::Unset };
        Self { weight, ..Self::new(about, of, what, value.unwrap_or_else(|| NONE.to_owned())) }
    }

    fn by(self, handle: Handle) -> Self {
        Self { handle: Some(handle), ..self }
    }

    const fn weighed(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// The text that an edit begins with.
    #[must_use]
    pub fn typed(&self) -> &str {
        match (&self.handle, self.weight) {
            (_, Weight::Unset) => "",
            // What is typed is the other one.
            (Some(Handle::Scaled(_)), _) if self.value == BY_HAND => "on",
            (Some(Handle::Scaled(_)), _) => "off",
            _ => &self.value,
        }
    }
}

impl Row for FactRow {
    type Key = (&'static str, String, String, usize);
    type Column = FactColumn;
    const COLUMNS: &'static [Column<FactColumn>] = &[
        Column::text(FactColumn::About, "ABOUT", 5),
        Column::text(FactColumn::Of, "OF", 12).up_to(40),
        Column::text(FactColumn::What, "WHAT", 10).up_to(30),
        Column::text(FactColumn::Value, "VALUE", 20).up_to(400).first(),
    ];

    fn key(&self) -> Self::Key {
        // Decisions have no name of their own.
        (self.about, self.of.clone(), self.what.clone(), if self.handle.is_some() { 0 } else { self.place })
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }

    fn compare(&self, other: &Self, column: FactColumn) -> Ordering {
        match column {
            FactColumn::About => self.about.cmp(other.about),
            FactColumn::Of => self.of.cmp(&other.of),
            FactColumn::What => self.what.cmp(&other.what),
            FactColumn::Value => self.value.cmp(&other.value),
        }
    }

    fn words(&self, text: &mut String) {
        for word in [self.about, &self.of, &self.what, &self.value] {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: FactColumn) -> usize {
        match column {
            FactColumn::About => 0,
            FactColumn::Of => self.of.len(),
            FactColumn::What => self.what.len(),
            FactColumn::Value => self.value.len(),
        }
    }
}

/// The facts about a pipeline, in the order of the screen.
#[must_use]
pub fn facts(pipeline: &str, around: &Around) -> Vec<FactRow> {
    let mut facts = part("it", pipeline, &around.about, |told| abouts(pipeline, told));
    facts.extend(part("size", pipeline, &around.scaling, |views| views.iter().flat_map(sizes).collect()));
    facts.extend(part("role", pipeline, &around.accounts, |views| views.iter().flat_map(roles).collect()));
    for (place, fact) in facts.iter_mut().enumerate() {
        fact.place = place;
    }
    facts
}

fn part<T>(
    about: &'static str,
    pipeline: &str,
    found: &Found<T>,
    rows: impl FnOnce(&[T]) -> Vec<FactRow>,
) -> Vec<FactRow> {
    match found {
        Ok(found) => rows(found),
        Err(why) => vec![FactRow::new(about, pipeline, "not known", &**why).weighed(Weight::Bad)],
    }
}

fn abouts(pipeline: &str, told: &[Told]) -> Vec<FactRow> {
    const IT: &str = "it";
    // What all processors have in common is said once.
    let said = |what: &str, handle: &Handle, value: &dyn Fn(&Told) -> Option<String>| -> Vec<FactRow> {
        let values: BTreeSet<Option<String>> = told.iter().map(value).collect();
        if values.len() == 1 {
            let value = values.into_iter().next().flatten();
            return vec![FactRow::optional(IT, pipeline, what, value).by(handle.clone())];
        }
        told.iter().map(|it| FactRow::optional(IT, &it.processor, what, value(it)).by(handle.clone())).collect()
    };
    let mut facts = said("team", &Handle::Team, &|it| it.team.clone());
    for part in identity::Part::ALL {
        let value = |it: &Told| it.identity.get(part.word()).cloned().or_else(|| part.usual().map(str::to_owned));
        facts.extend(said(part.word(), &Handle::Identity(part), &value));
    }
    facts.extend(said("last day", &Handle::Expires, &|it| it.expires.clone()));
    let names = |map: fn(&Told) -> &BTreeMap<String, String>| -> BTreeSet<String> {
        told.iter().flat_map(|it| map(it).keys().cloned()).collect()
    };
    for name in names(|it| &it.labels) {
        let handle = Handle::Label(Some(name.clone()));
        facts.extend(said(&format!("label {name}"), &handle, &|it| it.labels.get(&name).cloned()));
    }
    facts.push(FactRow::optional(IT, pipeline, "new label", None).by(Handle::Label(None)));
    for name in names(|it| &it.links) {
        let handle = Handle::Link(Some(name.clone()));
        facts.extend(said(&format!("link {name}"), &handle, &|it| it.links.get(&name).cloned()));
    }
    facts.push(FactRow::optional(IT, pipeline, "new link", None).by(Handle::Link(None)));
    facts
}

/// Who decides a size that nothing decides.
const BY_HAND: &str = "by hand";

fn sizes(view: &ScalingView) -> Vec<FactRow> {
    const SIZE: &str = "size";
    let name = view.processor.as_str();
    let by = match view.by {
        Some("operator") => "by the operator's autoscaler",
        Some(_) => "by a HorizontalPodAutoscaler",
        None => BY_HAND,
    };
    let mut facts = vec![FactRow::new(SIZE, name, "decided", by).by(Handle::Scaled(name.to_owned()))];
    let of_pods = view.by == Some("hpa");
    let limits = [
        ("least", view.least, Limit::Least),
        ("most", view.most, Limit::Most),
        (if of_pods { "cpu, percent" } else { "busy, percent" }, view.target_percent, Limit::Target),
        ("memory, percent", view.memory_percent, Limit::Memory),
    ];
    if view.by.is_some() {
        // The operator's autoscaler knows nothing of memory.
        let limits = limits.into_iter().filter(|(_, _, limit)| of_pods || *limit != Limit::Memory);
        facts.extend(limits.map(|(word, value, limit)| {
            let handle = Handle::Limit(name.to_owned(), limit);
            FactRow::optional(SIZE, name, word, value.map(|it| it.to_string())).by(handle)
        }));
    }
    facts.extend(view.seen.as_ref().map(|seen| FactRow::new(SIZE, name, "now", seen)));
    facts.extend(view.chosen.as_ref().map(|chosen| FactRow::new(SIZE, name, "chosen", chosen)));
    let decisions = view.decisions.iter().rev();
    facts
        .extend(decisions.map(|it| FactRow::new(SIZE, name, it.reason.as_str(), format!("{}  {}", it.at, it.message))));
    facts
}

fn roles(view: &AccountView) -> Vec<FactRow> {
    const ROLE: &str = "role";
    let name = view.account.as_str();
    let mut facts =
        vec![FactRow::optional(ROLE, name, "IAM role", view.role.clone()).by(Handle::Role(name.to_owned()))];
    if !view.exists {
        let words = "the service account is not there: its pods cannot be made; a role makes it";
        facts.push(FactRow::new(ROLE, name, "missing", words).weighed(Weight::Bad));
    }
    facts.push(FactRow::new(ROLE, name, "runs", view.processors.join(", ")));
    facts.extend(view.rights.iter().map(|right| {
        let (word, weight) = match right.allowed {
            Some(true) => ("may", Weight::Plain),
            Some(false) => ("may not", Weight::Doubtful),
            None => ("not known", Weight::Doubtful),
        };
        FactRow::new(ROLE, name, word, format!("{}: {}", right.what, right.used_for)).weighed(weight)
    }));
    facts
}

/// The screen.
#[derive(Debug)]
pub struct ManageScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// Its list.
    pub table: Table<FactRow>,
    /// What is known; `None` until the cluster has answered.
    pub around: Option<Result<Arc<Around>, Arc<str>>>,
    /// Why nothing can be edited.
    pub against: Option<Arc<str>>,
}

impl ManageScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey) -> Screen {
        Screen::Manage(Box::new(Self { key, table: Table::default(), around: None, against: None }))
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 4)
    }

    /// What has to be done outside when it opens.
    #[must_use]
    pub fn wanted(&self) -> Vec<Effect> {
        vec![Effect::Around(self.key.clone()), Effect::Survey(self.key.clone())]
    }

    /// Takes in what stands around a pipeline's jobs.
    pub fn told(&mut self, key: &PipelineKey, around: &Result<Arc<Around>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        if let Ok(around) = around {
            self.table.set_rows(facts(&self.key.name, around));
        }
        self.around = Some(around.clone());
        true
    }

    fn edit(&self) -> Outcome {
        let Some(row) = self.table.selected() else { return Outcome::Ignored };
        let Some(handle) = &row.handle else { return Outcome::Say("that is found, not set: nothing to edit") };
        if let Some(why) = &self.against {
            return Outcome::Tell(format!("it cannot be edited: {why}"));
        }
        let question = QuestionScreen::line(self.key.clone(), handle.clone(), (&row.what, row.typed()));
        Outcome::open(Screen::Question(Box::new(question)))
    }
}

impl Part for ManageScreen {
    fn place(&self) -> Place {
        Place::Manage
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        matches!(cause, Cause::Shown)
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match action {
            Action::Open => self.edit(),
            Action::Copy => self.table.selected().map_or(Outcome::Ignored, |row| Outcome::Copy(row.value.clone())),
            Action::Retry => Outcome::Effect(Effect::Around(self.key.clone())),
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open => self.against.is_none() && self.table.selected().is_some_and(|row| row.handle.is_some()),
            Action::Copy => self.table.selected().is_some(),
            _ => true,
        }
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        self.against = dossier.as_ref().ok().and_then(|it| it.reason(Verb::Manage)).cloned();
        true
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
