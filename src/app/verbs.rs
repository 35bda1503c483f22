//! What can be done to a pipeline: each verb, and why it cannot work where it cannot.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::history::HistoryScreen;
use super::layout::Layout;
use super::manage::ManageScreen;
use super::question::QuestionScreen;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use super::tune::TuneScreen;
use crate::action::{Action, Place};
use crate::model::interest::{self, Depth, Interest};
use crate::model::key::{KafkaKey, PipelineKey};
use crate::model::view::{self, ProcessorView};
use crate::plan::dossier::{Dossier, OFFERED};
use crate::plan::forecast::Load;
use crate::plan::intent::{Ask, Intent};
use crate::plan::verb::Verb;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerbColumn {
    /// The verb.
    Verb,
    /// What it does, or why it cannot work.
    Words,
}

/// One verb.
#[derive(Clone, Debug, PartialEq)]
pub struct VerbRow {
    /// The verb.
    pub verb: Verb,
    /// Why it cannot work.
    pub against: Option<Arc<str>>,
    place: usize,
}

impl VerbRow {
    /// What it does, or why it cannot work.
    #[must_use]
    pub fn said(&self) -> &str {
        self.against.as_deref().unwrap_or_else(|| self.verb.help())
    }
}

impl Row for VerbRow {
    type Key = Verb;
    type Column = VerbColumn;
    const COLUMNS: &'static [Column<VerbColumn>] = &[
        Column::text(VerbColumn::Verb, "VERB", 14),
        Column::text(VerbColumn::Words, "WHAT IT DOES, OR WHY IT CANNOT", 40).up_to(200).first(),
    ];

    fn key(&self) -> Verb {
        self.verb
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }

    fn compare(&self, other: &Self, column: VerbColumn) -> Ordering {
        match column {
            VerbColumn::Verb => self.verb.word().cmp(other.verb.word()),
            VerbColumn::Words => self.said().cmp(other.said()),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(self.verb.word());
        text.push(' ');
        text.push_str(self.said());
    }

    fn wanted(&self, column: VerbColumn) -> usize {
        if column == VerbColumn::Words { self.said().len() } else { 0 }
    }
}

/// The screen.
#[derive(Debug)]
pub struct VerbsScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// The processor that is chosen, for verbs that are about one.
    pub processor: Option<Arc<str>>,
    /// Its list.
    pub table: Table<VerbRow>,
    /// What is known of the pipeline; `None` until the cluster has answered.
    pub dossier: Option<Result<Arc<Dossier>, Arc<str>>>,
}

impl VerbsScreen {
    /// Opens it.
    #[must_use]
    pub fn open(key: PipelineKey, processor: Option<Arc<str>>) -> Screen {
        Screen::Verbs(Box::new(Self { key, processor, table: Table::default(), dossier: None }))
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 4)
    }

    fn look(&mut self) -> bool {
        let dossier = self.dossier.as_ref().and_then(|it| it.as_ref().ok());
        let row = |(place, verb): (usize, &Verb)| {
            let against = dossier.and_then(|it| it.reason(*verb).cloned());
            VerbRow { verb: *verb, against, place }
        };
        self.table.set_rows(OFFERED.iter().enumerate().map(row).collect())
    }
}

/// Begins what a verb needs: a question first, or the plan at once.
#[must_use]
pub fn begin(key: &PipelineKey, processor: Option<&str>, verb: Verb, world: &World<'_>) -> Outcome {
    let plan = |ask: Ask| Outcome::Begin(intent(key, ask, world));
    match verb {
        Verb::Deploy => plan(Ask::Deploy),
        Verb::Stop => plan(Ask::Stop),
        Verb::Restart => plan(Ask::Restart),
        Verb::Savepoint => plan(Ask::Savepoint),
        Verb::Rollback => Outcome::open(HistoryScreen::open(key.clone())),
        Verb::Decommission => Outcome::open(Screen::Question(Box::new(QuestionScreen::sweep(key.clone())))),
        Verb::Adopt => plan(Ask::Adopt),
        Verb::Rollout => plan(Ask::Rollout),
        Verb::AbortRollout => plan(Ask::AbortRollout),
        Verb::Scale => {
            let views = processors(key, world);
            let sizes: Vec<(String, u32)> =
                views.iter().map(|view| (view.key.name.to_string(), view.task_managers.1)).collect();
            let chosen = sizes.iter().position(|(name, _)| Some(name.as_str()) == processor).unwrap_or(0);
            let question = QuestionScreen::size(key.clone(), sizes, chosen);
            Outcome::open(Screen::Question(Box::new(question)))
        }
        Verb::Promote => {
            let question = QuestionScreen::environment(key.clone(), elsewhere(key, world));
            Outcome::open(Screen::Question(Box::new(question)))
        }
        Verb::Apply => match (processor, processors(key, world).as_slice()) {
            (Some(name), _) => Outcome::open(TuneScreen::open(key.clone(), name.into())),
            (None, [one]) => Outcome::open(TuneScreen::open(key.clone(), one.key.name.clone())),
            (None, _) => Outcome::Say("it has several processors: open it (Enter) and choose one (tab)"),
        },
        Verb::Manage => Outcome::open(ManageScreen::open(key.clone())),
    }
}

/// The pipeline in the other environments; where there is none of its name, its namespace is left to the settings.
fn elsewhere(key: &PipelineKey, world: &World<'_>) -> Vec<PipelineKey> {
    let others = world.overview.environments().iter().filter(|it| **it != key.environment);
    let there = |environment: &Arc<str>| {
        let mut rows = world.overview.rows().map(|row| &row.view.key);
        let same = rows.find(|other| other.environment == *environment && other.name == key.name);
        same.cloned().unwrap_or_else(|| PipelineKey::new(environment.clone(), "", key.name.clone()))
    };
    others.map(there).collect()
}

fn processors(key: &PipelineKey, world: &World<'_>) -> Vec<ProcessorView> {
    let members = world.inventory.processors_of(key);
    members.filter_map(|(name, _)| view::processor(world.inventory, name, world.now)).collect()
}

/// What is asked for, with how hard the pipeline works now.
#[must_use]
pub fn intent(key: &PipelineKey, ask: Ask, world: &World<'_>) -> Intent {
    let loads: BTreeMap<String, Load> = processors(key, world)
        .iter()
        .filter_map(|view| Some((view.key.name.to_string(), load(view, world)?)))
        .collect();
    Intent { pipeline: key.clone(), ask, loads }
}

/// Has looked at how hard a pipeline works: a forecast needs it.
pub fn watch(key: &PipelineKey, world: &World<'_>, interest: &mut Interest) {
    for view in processors(key, world) {
        interest.jobs.extend(interest::job_interest(world.inventory, &view.key, Depth::Detail));
        interest.groups.extend(interest::group_interest(world.inventory, &view.key, true));
        let topics = view.inputs.iter().map(|topic| KafkaKey::new(view.key.environment.clone(), topic.clone()));
        interest.topics.extend(topics);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a lag of 2^53 records is none that anybody catches up")]
fn load(view: &ProcessorView, world: &World<'_>) -> Option<Load> {
    let topics = view.inputs.iter().map(|topic| KafkaKey::new(view.key.environment.clone(), topic.clone()));
    let rates: Option<f64> = topics.map(|topic| world.inventory.topic(&topic)?.records_per_second).sum();
    let job = world.inventory.processor(&view.key)?.job()?;
    let busy = job.vertices.iter().filter_map(|vertex| vertex.busy_max).fold(0.0, f64::max);
    let lag_records = view.lag_records? as f64;
    Some(Load { lag_records, records_per_second: rates?, busy })
}

impl Part for VerbsScreen {
    fn place(&self) -> Place {
        Place::Verbs
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        self.look()
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::Open => match self.table.selected() {
                Some(VerbRow { against: Some(why), verb, .. }) => {
                    Outcome::Tell(format!("{} cannot work: {why}", verb.word()))
                }
                Some(row) => begin(&self.key, self.processor.as_deref(), row.verb, world),
                None => Outcome::Ignored,
            },
            Action::Retry => {
                self.dossier = None;
                Outcome::Effect(super::Effect::Survey(self.key.clone()))
            }
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        action != Action::Open || self.table.selected().is_some_and(|row| row.against.is_none())
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        self.dossier = Some(dossier.clone());
        self.look();
        true
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        watch(&self.key, world, interest);
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
