//! The list of pipelines of all environments.

use std::cmp::Ordering;
use std::sync::Arc;

use super::compose::ComposeScreen;
use super::exceptions::ExceptionsScreen;
use super::history::HistoryScreen;
use super::layout::Layout;
use super::logs::LogScreen;
use super::manage::ManageScreen;
use super::overview::{Overview, PipelineRow};
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::standing::Standing;
use super::table::{Column, Listed, Row, Table};
use super::verbs::{self, VerbsScreen};
use crate::action::{Action, Place};
use crate::model::interest::{self, Depth, Interest};
use crate::model::job::JobState;
use crate::model::key::PipelineKey;
use crate::model::log::Target;
use crate::model::verdict::Condition;
use crate::model::view;
use crate::plan::verb::Verb;

/// So many pipelines in trouble have their jobs asked for in detail.
const EXPLAINED: usize = 3;
/// Processors out of sight that are asked for at a time, so that the header's counts hold for all.
const SWEPT: usize = 8;
/// For how long they are, in seconds.
const SWEEP_SECONDS: i64 = 10;
/// Lag that is older puts a pipeline in trouble before those that have caught up, in milliseconds.
const BEHIND_MS: u64 = 30_000;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineColumn {
    /// Environment.
    Environment,
    /// Name.
    Name,
    /// Namespace.
    Namespace,
    /// Condition.
    State,
    /// Number of processors.
    Processors,
    /// Ready and wanted pods.
    Pods,
    /// Restarts.
    Restarts,
    /// State of the worst job.
    Job,
    /// Lag in records.
    Lag,
    /// Lag in time.
    Behind,
    /// Age of the last checkpoint.
    Checkpoint,
    /// Revision.
    Revision,
    /// Age.
    Age,
    /// Team.
    Team,
}

impl Row for Arc<PipelineRow> {
    type Key = PipelineKey;
    type Column = PipelineColumn;
    const COLUMNS: &'static [Column<PipelineColumn>] = &[
        Column::text(PipelineColumn::Environment, "ENV", 3).up_to(14),
        Column::text(PipelineColumn::Name, "PIPELINE", 14).up_to(40).first(),
        Column::text(PipelineColumn::Namespace, "NAMESPACE", 14).up_to(32).rank(4).whole(),
        Column::text(PipelineColumn::State, "STATE", 11),
        Column::number(PipelineColumn::Processors, "PROC", 4).rank(5),
        Column::number(PipelineColumn::Pods, "PODS", 6),
        Column::number(PipelineColumn::Restarts, "RST", 3),
        Column::text(PipelineColumn::Job, "JOB", 10),
        Column::number(PipelineColumn::Lag, "LAG", 4),
        Column::number(PipelineColumn::Behind, "BEHIND", 6),
        Column::number(PipelineColumn::Checkpoint, "CKPT", 5),
        Column::number(PipelineColumn::Revision, "REV", 3).up_to(8),
        Column::number(PipelineColumn::Age, "AGE", 5).rank(2),
        Column::text(PipelineColumn::Team, "TEAM", 8).up_to(20).rank(6).whole(),
    ];

    fn key(&self) -> PipelineKey {
        self.view.key.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        let rank = |row: &PipelineRow| match row.view.verdict.condition {
            Condition::Failing => 0,
            Condition::Degraded => 1,
            _ => 2,
        };
        // Among those in trouble, one that has recovered but for its past comes after one that has not.
        let is_behind = |row: &Self| rank(row) < 2 && row.view.behind_ms.is_some_and(|ms| ms >= BEHIND_MS);
        rank(self)
            .cmp(&rank(other))
            .then(self.environment_rank.cmp(&other.environment_rank))
            .then_with(|| is_behind(other).cmp(&is_behind(self)))
            .then_with(|| self.view.verdict.condition.cmp(&other.view.verdict.condition))
            .then_with(|| self.view.key.name.cmp(&other.view.key.name))
            .then_with(|| self.view.key.cmp(&other.view.key))
    }

    fn compare(&self, other: &Self, column: PipelineColumn) -> Ordering {
        let (left, right) = (&self.view, &other.view);
        match column {
            PipelineColumn::Environment => left.key.environment.cmp(&right.key.environment),
            PipelineColumn::Name => left.key.name.cmp(&right.key.name),
            PipelineColumn::Namespace => left.key.namespace.cmp(&right.key.namespace),
            PipelineColumn::State => left.verdict.condition.cmp(&right.verdict.condition),
            PipelineColumn::Processors => left.processors.len().cmp(&right.processors.len()),
            PipelineColumn::Pods => (left.pods_wanted.saturating_sub(left.pods_ready), left.pods_wanted)
                .cmp(&(right.pods_wanted.saturating_sub(right.pods_ready), right.pods_wanted)),
            PipelineColumn::Restarts => left.restarts.cmp(&right.restarts),
            PipelineColumn::Job => left.job.map(JobState::word).cmp(&right.job.map(JobState::word)),
            PipelineColumn::Lag => left.lag_records.cmp(&right.lag_records),
            PipelineColumn::Behind => left.behind_ms.cmp(&right.behind_ms),
            PipelineColumn::Checkpoint => older(left.checkpoint_at, right.checkpoint_at),
            PipelineColumn::Revision => {
                left.revision.as_deref().map(natural).cmp(&right.revision.as_deref().map(natural))
            }
            PipelineColumn::Age => older(left.created_at, right.created_at),
            PipelineColumn::Team => left.team.cmp(&right.team),
        }
    }

    fn words(&self, text: &mut String) {
        let view = &self.view;
        let job = view.job.map_or("", |job| job.word());
        let (team, revision) = (view.team.as_deref().unwrap_or_default(), view.revision.as_deref().unwrap_or_default());
        for word in [&view.key.environment, &view.key.name, &view.key.namespace].into_iter().chain(&view.processors) {
            text.push_str(word);
            text.push(' ');
        }
        for word in [view.verdict.condition.word(), job, team, revision] {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: PipelineColumn) -> usize {
        match column {
            PipelineColumn::Environment => self.view.key.environment.len(),
            PipelineColumn::Name => self.view.key.name.len(),
            PipelineColumn::Namespace => self.view.key.namespace.len(),
            PipelineColumn::Revision => self.view.revision.as_ref().map_or(0, |text| text.len()),
            PipelineColumn::Team => self.view.team.as_ref().map_or(0, |text| text.len()),
            _ => 0,
        }
    }
}

/// Smallest age first; the unknown before all.
#[must_use]
pub fn older(left: Option<crate::model::Time>, right: Option<crate::model::Time>) -> Ordering {
    left.map(std::cmp::Reverse).cmp(&right.map(std::cmp::Reverse))
}

fn natural(text: &str) -> (u64, &str) {
    (text.parse().unwrap_or(0), text)
}

/// The screen.
#[derive(Debug, Default)]
pub struct Pipelines {
    /// Its list.
    pub table: Table<Arc<PipelineRow>>,
}

impl Pipelines {
    /// Lines of the parts.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        Layout::with_side(size, 2, Layout::explanation_below(size.1, 2, self.table.rows().len()))
    }

    fn rows(overview: &Overview) -> Vec<Arc<PipelineRow>> {
        overview.rows().cloned().collect()
    }
}

impl Part for Pipelines {
    fn place(&self) -> Place {
        Place::Pipelines
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        let changed = self.table.set_rows(Self::rows(world.overview));
        let layout = self.layout(world.size);
        self.table.fit(layout.width, layout.list());
        changed
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::Open => {
                self.table.pin();
                self.table.selected().map_or(Outcome::Ignored, |row| Outcome::open(Screen::pipeline(row.key())))
            }
            Action::Copy => {
                self.table.selected().map_or(Outcome::Ignored, |row| Outcome::Copy(row.view.key.name.to_string()))
            }
            Action::Log | Action::Exceptions => {
                self.table.pin();
                let Some(target) = self.table.selected().map(|row| Target::Pipeline(row.key())) else {
                    return Outcome::Ignored;
                };
                Outcome::open(match action {
                    Action::Log => LogScreen::open(target, "", world.now),
                    _ => ExceptionsScreen::open(target),
                })
            }
            Action::Verbs | Action::Do(_) | Action::Edit | Action::History | Action::Compose | Action::Manage => {
                self.table.pin();
                let Some(key) = self.table.selected().map(Row::key) else { return Outcome::Ignored };
                match action {
                    Action::Do(verb) => verbs::begin(&key, None, verb, world),
                    Action::History => Outcome::open(HistoryScreen::open(key)),
                    Action::Compose => Outcome::open(ComposeScreen::open(key)),
                    Action::Manage => Outcome::open(ManageScreen::open(key)),
                    Action::Edit => verbs::begin(&key, None, Verb::Apply, world),
                    _ => Outcome::open(VerbsScreen::open(key, None)),
                }
            }
            Action::PreviousLog | Action::Job => Outcome::Say("Open a pipeline first (Enter), then a pod."),
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::PreviousLog | Action::Job => false,
            Action::Open | Action::Copy | Action::Log | Action::Exceptions => self.table.selected().is_some(),
            Action::Verbs | Action::Do(_) | Action::Edit | Action::History | Action::Compose | Action::Manage => {
                self.table.selected().is_some()
            }
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        let mut visible: Vec<&Arc<PipelineRow>> = self.table.visible().collect();
        visible.sort_by(|left, right| left.worst_first(right));
        let hidden: Vec<&Arc<PipelineRow>> =
            self.table.rows().iter().filter(|row| !visible.iter().any(|seen| Arc::ptr_eq(seen, row))).collect();
        let turn = usize::try_from(world.now.timestamp() / SWEEP_SECONDS).unwrap_or(0);
        let start = if hidden.is_empty() { 0 } else { turn * SWEPT % hidden.len() };
        let swept = hidden.iter().cycle().skip(start).take(SWEPT.min(hidden.len()));
        for (place, row) in visible.iter().chain(swept).enumerate() {
            // The why line names the root cause, which only the detail of a job tells.
            let troubled = place < EXPLAINED && view::needs_attention(row.view.verdict.condition);
            let depth = if troubled { Depth::Detail } else { Depth::Summary };
            // Lists first: asking for hundreds of jobs meanwhile would slow them down.
            if world.overview.standing(&row.view.key.environment).is_none_or(Standing::is_pending) {
                continue;
            }
            for processor in &row.view.processors {
                let key = row.view.key.sibling(processor.clone());
                interest.jobs.extend(interest::job_interest(world.inventory, &key, depth));
                match interest::group_interest(world.inventory, &key, true) {
                    Some(group) => {
                        interest.groups.insert(group);
                    }
                    None => {
                        interest.kafka_names.insert(key.environment);
                    }
                }
            }
        }
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
