//! One topic and its partitions.

use std::cmp::Ordering;
use std::sync::Arc;

use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use super::table::{Column, Listed, Row, Table};
use super::topics::Knowledge;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;
use crate::model::kafka::{PartitionEnds, Topic};
use crate::model::key::KafkaKey;

/// Columns of the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionColumn {
    /// Number.
    Partition,
    /// Oldest offset.
    Low,
    /// Next offset.
    High,
    /// Records kept.
    Records,
    /// Share of all records.
    Share,
}

/// One partition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartitionRow {
    /// Its ends.
    pub ends: PartitionEnds,
    /// Its share of all records, from 0 to 1.
    pub share: f64,
}

impl PartitionRow {
    /// Records kept at most.
    #[must_use]
    pub fn records(&self) -> u64 {
        (self.ends.high - self.ends.low).max(0).unsigned_abs()
    }
}

impl Row for PartitionRow {
    type Key = i32;
    type Column = PartitionColumn;
    const COLUMNS: &'static [Column<PartitionColumn>] = &[
        Column::number(PartitionColumn::Partition, "PARTITION", 9),
        Column::number(PartitionColumn::Low, "FIRST OFFSET", 14),
        Column::number(PartitionColumn::High, "NEXT OFFSET", 14),
        Column::number(PartitionColumn::Records, "RECORDS", 8),
        Column::text(PartitionColumn::Share, "SHARE", 16),
    ];

    fn key(&self) -> i32 {
        self.ends.partition
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.ends.partition.cmp(&other.ends.partition)
    }

    fn compare(&self, other: &Self, column: PartitionColumn) -> Ordering {
        match column {
            PartitionColumn::Partition => self.ends.partition.cmp(&other.ends.partition),
            PartitionColumn::Low => self.ends.low.cmp(&other.ends.low),
            PartitionColumn::High => self.ends.high.cmp(&other.ends.high),
            PartitionColumn::Records | PartitionColumn::Share => self.records().cmp(&other.records()),
        }
    }

    fn words(&self, text: &mut String) {
        text.push_str(&format!("{} {} {}", self.ends.partition, self.ends.low, self.ends.high));
    }
}

/// The screen.
#[derive(Debug)]
pub struct TopicScreen {
    /// The topic.
    pub key: KafkaKey,
    /// What is known of it.
    pub topic: Knowledge<Topic>,
    /// Processors that write it, and that read it.
    pub users: (Vec<Arc<str>>, Vec<Arc<str>>),
    /// Its partitions.
    pub table: Table<PartitionRow>,
}

impl TopicScreen {
    /// Opens it.
    #[must_use]
    pub fn new(key: KafkaKey) -> Self {
        Self { key, topic: Knowledge::Pending, users: (Vec::new(), Vec::new()), table: Table::default() }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 4, 0)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let mut topic = match (world.inventory.topic(&self.key), world.inventory.missing_topic(&self.key)) {
            (Some(topic), _) => Knowledge::Known(topic.clone()),
            (None, Some(why)) => Knowledge::Missing(why.clone()),
            (None, None) => Knowledge::Pending,
        };
        // When Kafka was asked does not show, so it is no news.
        if let (Knowledge::Known(topic), Knowledge::Known(before)) = (&mut topic, &self.topic) {
            topic.observed_at = before.observed_at;
        }
        let users = users(world.inventory, &self.key);
        let changed = topic != self.topic || users != self.users;
        let rows = match &topic {
            Knowledge::Known(topic) => partitions(topic),
            Knowledge::Pending | Knowledge::Missing(_) => Vec::new(),
        };
        self.topic = topic;
        self.users = users;
        self.table.set_rows(rows) || changed
    }
}

fn users(inventory: &Inventory, key: &KafkaKey) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let mut users = (Vec::new(), Vec::new());
    for (processor, known) in inventory.processors().filter(|(it, _)| it.environment == key.environment) {
        let Some(notes) = known.notes() else { continue };
        if notes.outputs.contains(&key.name) {
            users.0.push(processor.name.clone());
        }
        if notes.inputs.contains(&key.name) {
            users.1.push(processor.name.clone());
        }
    }
    users
}

#[expect(clippy::cast_precision_loss, reason = "a share of two counts needs no 53 bits")]
fn partitions(topic: &Topic) -> Vec<PartitionRow> {
    let all = topic.records().max(1) as f64;
    let row = |ends: &PartitionEnds| {
        let row = PartitionRow { ends: *ends, share: 0.0 };
        PartitionRow { share: row.records() as f64 / all, ..row }
    };
    topic.partitions.iter().map(row).collect()
}

impl Part for TopicScreen {
    fn place(&self) -> Place {
        Place::Topic
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        cause.concerns(|touched| touched.kafka) && self.look(world)
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

    fn interest(&self, _world: &World<'_>, interest: &mut Interest) {
        interest.topics.insert(self.key.clone());
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
