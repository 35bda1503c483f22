//! One consumer group and how far it has come in each partition.

use std::cmp::Ordering;
use std::sync::Arc;

use super::groups::{ask, is_stopped};
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::kafka::{Group, PartitionLag};
use crate::model::key::{KafkaKey, ProcessorKey};

/// Columns of the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagColumn {
    /// Topic.
    Topic,
    /// Number.
    Partition,
    /// Committed offset.
    Committed,
    /// Next offset.
    End,
    /// Lag in records.
    Lag,
    /// Lag in time.
    Behind,
}

/// One partition.
#[derive(Clone, Debug, PartialEq)]
pub struct LagRow(pub PartitionLag);

impl Row for LagRow {
    type Key = (Arc<str>, i32);
    type Column = LagColumn;
    const COLUMNS: &'static [Column<LagColumn>] = &[
        Column::text(LagColumn::Topic, "TOPIC", 20).up_to(80),
        Column::number(LagColumn::Partition, "PART", 4),
        Column::number(LagColumn::Committed, "COMMITTED", 12),
        Column::number(LagColumn::End, "END", 12),
        Column::number(LagColumn::Lag, "LAG", 6),
        Column::number(LagColumn::Behind, "BEHIND", 6),
    ];

    fn key(&self) -> Self::Key {
        (self.0.topic.clone(), self.0.partition)
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.0.records().cmp(&self.0.records()).then_with(|| self.key().cmp(&other.key()))
    }

    fn compare(&self, other: &Self, column: LagColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        match column {
            LagColumn::Topic => left.topic.cmp(&right.topic),
            LagColumn::Partition => left.partition.cmp(&right.partition),
            LagColumn::Committed => left.committed.cmp(&right.committed),
            LagColumn::End => left.high.cmp(&right.high),
            LagColumn::Lag => left.records().cmp(&right.records()),
            LagColumn::Behind => left.behind_ms.cmp(&right.behind_ms),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(&format!("{} {}", self.0.topic, self.0.partition));
    }

    fn wanted(&self, column: LagColumn) -> usize {
        if column == LagColumn::Topic { self.0.topic.len() } else { 0 }
    }
}

/// The screen.
#[derive(Debug)]
pub struct GroupScreen {
    /// The group.
    pub key: KafkaKey,
    /// The processor whose group it is.
    pub processor: Option<ProcessorKey>,
    /// What is known of it; `None` until it was asked for.
    pub group: Option<Group>,
    /// Whether its processor is stopped on purpose.
    pub stopped: bool,
    /// Its partitions, the furthest behind first.
    pub table: Table<LagRow>,
}

impl GroupScreen {
    /// Opens it.
    #[must_use]
    pub fn new(key: KafkaKey, processor: Option<ProcessorKey>) -> Self {
        Self { key, processor, group: None, stopped: false, table: Table::default() }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 4, 0)
    }
}

impl Part for GroupScreen {
    fn place(&self) -> Place {
        Place::Group
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !cause.concerns(|touched| touched.kafka) {
            return false;
        }
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let mut group = world.inventory.group(&self.key).cloned();
        // When Kafka was asked does not show, so it is no news.
        if let (Some(group), Some(before)) = (&mut group, &self.group) {
            group.observed_at = before.observed_at;
        }
        let changed = group != self.group;
        let partitions = group.iter().flat_map(|group| &group.partitions).cloned();
        let rows = partitions.map(LagRow).collect();
        self.group = group;
        self.stopped = self.processor.as_ref().is_some_and(|key| is_stopped(world, key));
        self.table.set_rows(rows) || changed
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match action {
            Action::Copy => Outcome::Copy(self.key.name.to_string()),
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, _action: Action, _world: &World<'_>) -> bool {
        true
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.groups.insert(ask(world.inventory, &self.key, self.processor.as_ref()));
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
