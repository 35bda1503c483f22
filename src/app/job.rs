//! One Flink job: its vertices with their load, and what it failed of.

use std::cmp::Ordering;
use std::sync::Arc;

use super::document::DocumentScreen;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use super::table::{Column, Row, Table};
use crate::action::{Action, Place};
use crate::model::Time;
use crate::model::change::Fetched;
use crate::model::interest::{self, Depth, Interest};
use crate::model::job::{self, Failure, Job, Offender, Vertex};
use crate::model::key::ProcessorKey;
use crate::model::view::{self, ProcessorView};

/// Columns of the list of vertices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VertexColumn {
    /// Name.
    Name,
    /// State.
    Status,
    /// Running subtasks and all.
    Parallelism,
    /// Busiest subtask.
    Busy,
    /// Worst back-pressure.
    Backpressure,
    /// Records in per second.
    In,
    /// Records out per second.
    Out,
    /// Event time behind.
    Watermark,
    /// Bound of the parallelism.
    Maximum,
}

/// One vertex.
#[derive(Clone, Debug, PartialEq)]
pub struct VertexRow {
    /// The vertex.
    pub vertex: Vertex,
    /// Whether it holds the job back.
    pub offends: bool,
    order: usize,
}

impl Row for VertexRow {
    type Key = Arc<str>;
    type Column = VertexColumn;
    const COLUMNS: &'static [Column<VertexColumn>] = &[
        Column::text(VertexColumn::Name, "VERTEX", 20).up_to(90),
        Column::text(VertexColumn::Status, "STATE", 9).up_to(12),
        Column::number(VertexColumn::Parallelism, "TASKS", 5).up_to(9),
        Column::text(VertexColumn::Busy, "BUSY", 9),
        Column::text(VertexColumn::Backpressure, "BACKPRESS", 9),
        Column::number(VertexColumn::In, "IN/s", 5),
        Column::number(VertexColumn::Out, "OUT/s", 5),
        Column::number(VertexColumn::Watermark, "WMARK", 6),
        Column::number(VertexColumn::Maximum, "MAX", 6).rank(2),
    ];

    fn key(&self) -> Arc<str> {
        self.vertex.id.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }

    fn compare(&self, other: &Self, column: VertexColumn) -> Ordering {
        let (left, right) = (&self.vertex, &other.vertex);
        let number = |value: Option<f64>| value.unwrap_or(-1.0);
        match column {
            VertexColumn::Name => left.name.cmp(&right.name),
            VertexColumn::Status => left.status.cmp(&right.status),
            VertexColumn::Parallelism => left.parallelism.cmp(&right.parallelism),
            VertexColumn::Busy => number(right.busy_max).total_cmp(&number(left.busy_max)),
            VertexColumn::Backpressure => number(right.backpressure_max).total_cmp(&number(left.backpressure_max)),
            VertexColumn::In => number(left.records_in_per_second).total_cmp(&number(right.records_in_per_second)),
            VertexColumn::Out => number(left.records_out_per_second).total_cmp(&number(right.records_out_per_second)),
            VertexColumn::Watermark => super::pipelines::older(left.watermark, right.watermark),
            VertexColumn::Maximum => left.max_parallelism.cmp(&right.max_parallelism),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(&self.vertex.name);
        text.push(' ');
        text.push_str(&self.vertex.status);
    }

    fn wanted(&self, column: VertexColumn) -> usize {
        match column {
            VertexColumn::Name => self.vertex.name.len(),
            VertexColumn::Status => self.vertex.status.len(),
            VertexColumn::Parallelism => 9,
            _ => 0,
        }
    }
}

/// Columns of the list of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureColumn {
    /// When.
    At,
    /// Since then.
    Age,
    /// Task.
    Task,
    /// TaskManager.
    TaskManager,
    /// Class and message of the deepest cause.
    Root,
}

/// One failure.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRow(pub Failure);

impl Row for FailureRow {
    type Key = (Time, Option<Arc<str>>);
    type Column = FailureColumn;
    const COLUMNS: &'static [Column<FailureColumn>] = &[
        Column::text(FailureColumn::At, "AT (UTC)", 8),
        Column::number(FailureColumn::Age, "AGE", 5),
        Column::text(FailureColumn::Task, "TASK", 14).up_to(40),
        Column::text(FailureColumn::Root, "ROOT CAUSE", 20).up_to(200).first(),
        Column::text(FailureColumn::TaskManager, "TASKMANAGER", 16).up_to(40).rank(4),
    ];

    fn key(&self) -> Self::Key {
        (self.0.at, self.0.task.clone())
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.0.at.cmp(&self.0.at).then_with(|| self.0.task.cmp(&other.0.task))
    }

    fn compare(&self, other: &Self, column: FailureColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        match column {
            FailureColumn::At => left.at.cmp(&right.at),
            FailureColumn::Age => right.at.cmp(&left.at),
            FailureColumn::Task => left.task.cmp(&right.task),
            FailureColumn::TaskManager => left.task_manager.cmp(&right.task_manager),
            FailureColumn::Root => {
                (&left.root.class, &left.root.message).cmp(&(&right.root.class, &right.root.message))
            }
        }
    }

    fn words(&self, text: &mut String) {
        let failure = &self.0;
        let words = [Some(&failure.root.class), Some(&failure.root.message), failure.task.as_ref()];
        for word in words.into_iter().chain([failure.task_manager.as_ref(), Some(&failure.class)]).flatten() {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: FailureColumn) -> usize {
        match column {
            FailureColumn::Task => self.0.task.as_ref().map_or(0, |task| task.len()),
            FailureColumn::Root => self.0.root.short_class().len() + 2 + self.0.root.message.len(),
            FailureColumn::TaskManager => self.0.task_manager.as_ref().map_or(0, |name| name.len()),
            _ => 0,
        }
    }
}

/// Which list the keys move in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Vertices.
    Vertices,
    /// Failures.
    Failures,
}

/// The screen.
#[derive(Debug)]
pub struct JobScreen {
    /// The processor that runs it.
    pub key: ProcessorKey,
    /// The processor; `None` when it is gone.
    pub view: Option<ProcessorView>,
    /// The job as it was last seen; `None` until then.
    pub job: Option<Box<Job>>,
    /// Why nothing newer is there: Flink's last answer, when it was no job.
    pub trouble: Option<Fetched<Box<Job>>>,
    /// What holds it back.
    pub offender: Option<Offender>,
    /// Its vertices from source to sink.
    pub vertices: Table<VertexRow>,
    /// Its failures, newest first.
    pub failures: Table<FailureRow>,
    /// Which list the keys move in.
    pub focus: Focus,
}

impl JobScreen {
    /// Opens it.
    #[must_use]
    pub fn new(key: ProcessorKey) -> Self {
        Self {
            key,
            view: None,
            job: None,
            trouble: None,
            offender: None,
            vertices: Table::default(),
            failures: Table::default(),
            focus: Focus::Vertices,
        }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, if size.1 >= 16 { 6 } else { 3 }, 2)
    }

    /// Lines for the vertices with their headings, out of those of the body; the rest is the failures'.
    #[must_use]
    pub fn vertex_lines(&self, body: u16) -> u16 {
        let wanted = u16::try_from(self.vertices.rows().len()).unwrap_or(u16::MAX).saturating_add(1);
        let failures = u16::try_from(self.failures.rows().len()).unwrap_or(u16::MAX).saturating_add(2);
        wanted.max(3).min(body.saturating_sub(failures).max(body * 6 / 10))
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let view = view::processor(world.inventory, &self.key, world.now);
        let mut changed = view != self.view;
        self.view = view;
        changed |= match world.inventory.processor(&self.key).and_then(|processor| processor.job.clone()) {
            Some(Fetched::Ready(job)) => self.seen(job),
            other => {
                let news = other != self.trouble;
                self.trouble = other;
                news
            }
        };
        self.look_at_lists(world) || changed
    }

    /// Takes a fetched job in; when Flink was asked does not show, so it is no news.
    fn seen(&mut self, mut job: Box<Job>) -> bool {
        if let Some(before) = &self.job {
            job.observed_at = before.observed_at;
        }
        let changed = self.trouble.take().is_some() || self.job.as_ref() != Some(&job);
        self.job = Some(job);
        changed
    }

    fn look_at_lists(&mut self, world: &World<'_>) -> bool {
        let (vertices, failures) =
            self.job.as_ref().map(|job| (job.vertices.clone(), job.failures.clone())).unwrap_or_default();
        self.offender = job::offender(&vertices);
        let offender = self.offender.as_ref().map(|found| found.vertex.clone());
        let rows = vertices.into_iter().enumerate().map(|(order, vertex)| VertexRow {
            offends: offender.as_ref() == Some(&vertex.name),
            vertex,
            order,
        });
        let vertices_changed = self.vertices.set_rows(rows.collect());
        let failures_changed = self.failures.set_rows(failures.into_iter().map(FailureRow).collect());
        let body = Self::layout(world.size).body;
        let upper = self.vertex_lines(body);
        self.vertices.fit(world.size.0, upper.saturating_sub(1));
        self.failures.fit(world.size.0, body.saturating_sub(upper + 2));
        vertices_changed || failures_changed
    }
}

impl Part for JobScreen {
    fn place(&self) -> Place {
        Place::Job
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Changed(touched) => {
                let pipeline = world.inventory.pipeline_of(&self.key);
                let touched = touched.kafka || pipeline.is_none_or(|key| touched.pipelines.contains(key));
                touched && self.look(world)
            }
            Cause::Second | Cause::Shown => self.look(world),
        }
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match action {
            Action::NextPart | Action::PreviousPart => {
                self.focus = match self.focus {
                    Focus::Vertices => Focus::Failures,
                    Focus::Failures => Focus::Vertices,
                };
                Outcome::Done
            }
            Action::Open => {
                let Some(FailureRow(failure)) = self.failures.selected() else { return Outcome::Ignored };
                let title = format!("{} › {}", self.key.name, failure.root.short_class());
                Outcome::open(DocumentScreen::trace(title, &failure.trace))
            }
            Action::Copy => {
                let id = self.view.as_ref().and_then(|view| view.job_id.clone());
                let failure = self.failures.selected().filter(|_| self.focus == Focus::Failures);
                match (failure, id) {
                    (Some(FailureRow(failure)), _) => {
                        Outcome::Copy(format!("{}: {}", failure.root.class, failure.root.message))
                    }
                    (None, Some(id)) => Outcome::Copy(id.to_string()),
                    (None, None) => Outcome::Ignored,
                }
            }
            other => Outcome::moved(match self.focus {
                Focus::Vertices => self.vertices.act(other),
                Focus::Failures => self.failures.act(other),
            }),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::NextPart | Action::PreviousPart => self.failures.selected().is_some(),
            Action::Copy => self.view.as_ref().is_some_and(|view| view.job_id.is_some()),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.jobs.extend(interest::job_interest(world.inventory, &self.key, Depth::Detail));
        interest.groups.extend(interest::group_interest(world.inventory, &self.key, true));
    }

    fn filter(&self) -> &str {
        match self.focus {
            Focus::Vertices => self.vertices.filter(),
            Focus::Failures => self.failures.filter(),
        }
    }

    fn rows_shown(&self) -> usize {
        match self.focus {
            Focus::Vertices => self.vertices.counts().0,
            Focus::Failures => self.failures.counts().0,
        }
    }

    fn set_filter(&mut self, filter: &str) {
        match self.focus {
            Focus::Vertices => self.vertices.set_filter(filter),
            Focus::Failures => self.failures.set_filter(filter),
        }
    }
}
