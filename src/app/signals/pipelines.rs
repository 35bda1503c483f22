//! Golden signals of pipelines: records in and out, failures, how late they are, how near to their limits.
//!
//! Its rows are asked for in detail only while they are on screen.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::action::{Action, Place};
use crate::app::exceptions::ExceptionsScreen;
use crate::app::layout::Layout;
use crate::app::overview::PipelineRow;
use crate::app::screen::{Cause, Outcome, Part, Screen, World};
use crate::app::table::{Column, Row, Table};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::model::log::Target;
use crate::model::owner;
use crate::model::pipeline_signals::{self, PipelineSignals};
use crate::model::verdict::Condition;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowColumn {
    /// Environment.
    Environment,
    /// Name.
    Pipeline,
    /// Condition.
    State,
    /// Records read a second.
    In,
    /// Records written a second.
    Out,
    /// Failures of the last quarter of an hour.
    Failures,
    /// Checkpoints that failed one after the other.
    Checkpoints,
    /// How far event time is behind.
    Watermark,
    /// Records that wait.
    Lag,
    /// The component nearest to its limit.
    Saturation,
}

/// One pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRow {
    /// Its signals.
    pub signals: PipelineSignals,
    /// How it is.
    pub condition: Condition,
}

impl Row for FlowRow {
    type Key = PipelineKey;
    type Column = FlowColumn;
    const COLUMNS: &'static [Column<FlowColumn>] = &[
        Column::text(FlowColumn::Environment, "ENV", 3).up_to(12),
        Column::text(FlowColumn::Pipeline, "PIPELINE", 16).up_to(40).first(),
        Column::text(FlowColumn::State, "STATE", 11).rank(2),
        Column::number(FlowColumn::In, "IN/s", 6),
        Column::number(FlowColumn::Out, "OUT/s", 6),
        Column::number(FlowColumn::Failures, "FAIL", 4),
        Column::number(FlowColumn::Checkpoints, "CKPT!", 5).rank(3),
        Column::number(FlowColumn::Watermark, "WM", 6),
        Column::number(FlowColumn::Lag, "LAG", 5),
        Column::number(FlowColumn::Saturation, "SAT", 8).up_to(12),
    ];

    fn key(&self) -> PipelineKey {
        self.signals.key.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.condition
            .cmp(&other.condition)
            .then_with(|| other.compare(self, FlowColumn::Failures))
            .then_with(|| other.compare(self, FlowColumn::Saturation))
            .then_with(|| self.signals.key.name.cmp(&other.signals.key.name))
            .then_with(|| self.signals.key.cmp(&other.signals.key))
    }

    fn compare(&self, other: &Self, column: FlowColumn) -> Ordering {
        let (left, right) = (&self.signals, &other.signals);
        let by = |value: fn(&PipelineSignals) -> Option<f64>| {
            value(left).unwrap_or(f64::MIN).total_cmp(&value(right).unwrap_or(f64::MIN))
        };
        match column {
            FlowColumn::Environment => left.key.environment.cmp(&right.key.environment),
            FlowColumn::Pipeline => left.key.name.cmp(&right.key.name),
            FlowColumn::State => self.condition.cmp(&other.condition),
            FlowColumn::In => by(|it| it.records_in_per_second),
            FlowColumn::Out => by(|it| it.records_out_per_second),
            FlowColumn::Failures => left.failures.cmp(&right.failures),
            FlowColumn::Checkpoints => left.failed_checkpoints.cmp(&right.failed_checkpoints),
            FlowColumn::Watermark => left.watermark_delay_seconds.cmp(&right.watermark_delay_seconds),
            FlowColumn::Lag => left.lag_records.cmp(&right.lag_records),
            FlowColumn::Saturation => by(|it| it.saturation.as_ref().map(|it| it.percent)),
        }
    }

    fn words(&self, text: &mut String) {
        for word in [&self.signals.key.environment, &self.signals.key.name, &self.signals.key.namespace] {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(self.condition.word());
    }

    fn wanted(&self, column: FlowColumn) -> usize {
        match column {
            FlowColumn::Environment => self.signals.key.environment.len(),
            FlowColumn::Pipeline => self.signals.key.name.len(),
            FlowColumn::Saturation => {
                self.signals.saturation.as_ref().map_or(0, |saturation| saturation.component.chars().count() + 5)
            }
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct FlowsScreen {
    /// Its list.
    pub table: Table<FlowRow>,
}

impl FlowsScreen {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 2)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let row = |row: &Arc<PipelineRow>| FlowRow {
            signals: pipeline_signals::of(world.inventory, &row.view.key, world.now),
            condition: row.view.verdict.condition,
        };
        self.table.set_rows(world.overview.rows().map(row).collect())
    }
}

impl Part for FlowsScreen {
    fn place(&self) -> Place {
        Place::Flows
    }

    /// Delays grow by the second, so every second is looked at.
    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        self.look(world)
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        if action == Action::Flows {
            return Outcome::Close;
        }
        let Some(row) = self.table.selected() else { return Outcome::moved(self.table.act(action)) };
        let key = row.key();
        match action {
            Action::Open => {
                self.table.pin();
                Outcome::open(Screen::pipeline(key))
            }
            Action::Exceptions => {
                self.table.pin();
                Outcome::open(ExceptionsScreen::open(Target::Pipeline(key)))
            }
            Action::Copy => Outcome::Copy(key.name.to_string()),
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        !matches!(action, Action::Open | Action::Copy | Action::Exceptions) || self.table.selected().is_some()
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        for row in self.table.visible() {
            owner::want(world.inventory, &row.signals.key, interest);
        }
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
