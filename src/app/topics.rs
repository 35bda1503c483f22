//! Topics of all environments.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kafka::{self, KafkaStanding};
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use super::topic::TopicScreen;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;
use crate::model::key::KafkaKey;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicColumn {
    /// Environment.
    Environment,
    /// Name.
    Name,
    /// Partitions.
    Partitions,
    /// Partitions without a leader.
    Leaderless,
    /// Records kept.
    Records,
    /// Records written per second.
    Rate,
    /// Processors that write it.
    Writers,
    /// Processors that read it.
    Readers,
}

/// What is known of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge<T> {
    /// It was not asked for yet.
    Pending,
    /// It could not be read, and why.
    Missing(Arc<str>),
    /// It is known.
    Known(T),
}

/// A topic in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopicFacts {
    /// Partitions.
    pub partitions: usize,
    /// Partitions without a leader.
    pub leaderless: u32,
    /// Records kept at most.
    pub records: u64,
    /// Records written per second; `None` until it was seen twice.
    pub rate: Option<f64>,
}

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicRow {
    /// The topic.
    pub key: KafkaKey,
    /// What is known of it.
    pub facts: Knowledge<TopicFacts>,
    /// Processors that write it.
    pub writers: Vec<Arc<str>>,
    /// Processors that read it.
    pub readers: Vec<Arc<str>>,
}

impl TopicRow {
    const fn known(&self) -> Option<&TopicFacts> {
        match &self.facts {
            Knowledge::Known(facts) => Some(facts),
            Knowledge::Pending | Knowledge::Missing(_) => None,
        }
    }

    fn rank(&self) -> u8 {
        let used = !self.writers.is_empty() || !self.readers.is_empty();
        match &self.facts {
            Knowledge::Known(facts) if facts.leaderless > 0 => 0,
            Knowledge::Missing(_) if used => 1,
            _ if used => 2,
            _ => 3,
        }
    }
}

impl Row for TopicRow {
    type Key = KafkaKey;
    type Column = TopicColumn;
    const COLUMNS: &'static [Column<TopicColumn>] = &[
        Column::text(TopicColumn::Environment, "ENV", 3).up_to(14),
        Column::text(TopicColumn::Name, "TOPIC", 20).up_to(80).first(),
        Column::number(TopicColumn::Partitions, "PARTS", 5),
        Column::number(TopicColumn::Leaderless, "NO LEADER", 9).rank(3),
        Column::number(TopicColumn::Records, "RECORDS", 7),
        Column::number(TopicColumn::Rate, "REC/s", 5),
        Column::text(TopicColumn::Writers, "WRITTEN BY", 12).up_to(40).rank(2),
        Column::text(TopicColumn::Readers, "READ BY", 12).up_to(40),
    ];

    fn key(&self) -> KafkaKey {
        self.key.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| self.key.cmp(&other.key))
    }

    fn compare(&self, other: &Self, column: TopicColumn) -> Ordering {
        let (left, right) = (self.known(), other.known());
        match column {
            TopicColumn::Environment => self.key.environment.cmp(&other.key.environment),
            TopicColumn::Name => self.key.name.cmp(&other.key.name),
            TopicColumn::Partitions => left.map(|it| it.partitions).cmp(&right.map(|it| it.partitions)),
            TopicColumn::Leaderless => left.map(|it| it.leaderless).cmp(&right.map(|it| it.leaderless)),
            TopicColumn::Records => left.map(|it| it.records).cmp(&right.map(|it| it.records)),
            TopicColumn::Rate => {
                let rate = |facts: Option<&TopicFacts>| facts.and_then(|it| it.rate).unwrap_or(-1.0);
                rate(left).total_cmp(&rate(right))
            }
            TopicColumn::Writers => self.writers.cmp(&other.writers),
            TopicColumn::Readers => self.readers.cmp(&other.readers),
        }
    }

    fn words(&self, text: &mut String) {
        for word in [&self.key.environment, &self.key.name].into_iter().chain(&self.writers).chain(&self.readers) {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: TopicColumn) -> usize {
        let joined = |names: &[Arc<str>]| names.iter().map(|name| name.len() + 2).sum();
        match column {
            TopicColumn::Environment => self.key.environment.len(),
            TopicColumn::Name => self.key.name.len(),
            TopicColumn::Writers => joined(&self.writers),
            TopicColumn::Readers => joined(&self.readers),
            _ => 0,
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct Topics {
    /// Its rows.
    pub table: Table<TopicRow>,
    /// How Kafka stands in each environment.
    pub standings: KafkaStanding,
}

impl Topics {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 1)
    }
}

type Users = BTreeMap<KafkaKey, (Vec<Arc<str>>, Vec<Arc<str>>)>;

fn rows(inventory: &Inventory) -> Vec<TopicRow> {
    let mut users: Users = BTreeMap::new();
    for (key, processor) in inventory.processors() {
        let Some(notes) = processor.notes() else { continue };
        for topic in &notes.outputs {
            let topic = KafkaKey::new(key.environment.clone(), topic.clone());
            users.entry(topic).or_default().0.push(key.name.clone());
        }
        for topic in &notes.inputs {
            let topic = KafkaKey::new(key.environment.clone(), topic.clone());
            users.entry(topic).or_default().1.push(key.name.clone());
        }
    }
    let listed = inventory
        .topic_names()
        .iter()
        .flat_map(|(environment, names)| names.iter().map(|name| KafkaKey::new(environment.clone(), name.clone())));
    let keys: BTreeSet<KafkaKey> = listed.chain(users.keys().cloned()).collect();
    keys.into_iter()
        .map(|key| {
            let (writers, readers) = users.remove(&key).unwrap_or_default();
            TopicRow { facts: facts(inventory, &key), key, writers, readers }
        })
        .collect()
}

fn facts(inventory: &Inventory, key: &KafkaKey) -> Knowledge<TopicFacts> {
    if let Some(topic) = inventory.topic(key) {
        return Knowledge::Known(TopicFacts {
            partitions: topic.partitions.len(),
            leaderless: topic.leaderless,
            records: topic.records(),
            rate: topic.records_per_second,
        });
    }
    inventory.missing_topic(key).map_or(Knowledge::Pending, |why| Knowledge::Missing(why.clone()))
}

impl Part for Topics {
    fn place(&self) -> Place {
        Place::Topics
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !cause.concerns(|touched| touched.kafka || touched.environments) {
            return false;
        }
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let standings = kafka::standings(world.inventory, world.inventory.topic_names());
        let changed = standings != self.standings;
        self.standings = standings;
        self.table.set_rows(rows(world.inventory)) || changed
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Open, Some(row)) => Outcome::open(Screen::Topic(TopicScreen::new(row.key()))),
            (Action::Copy, Some(row)) => Outcome::Copy(row.key.name.to_string()),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        !matches!(action, Action::Open | Action::Copy) || self.table.selected().is_some()
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.kafka_names.extend(kafka::environments(world.inventory));
        interest.topics.extend(self.table.visible().map(|row| row.key.clone()));
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
