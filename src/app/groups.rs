//! Consumer groups of all environments.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::group::GroupScreen;
use super::kafka::{self, KafkaStanding};
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::interest::{self, GroupInterest, Interest};
use crate::model::inventory::Inventory;
use crate::model::kafka::Group;
use crate::model::key::{KafkaKey, ProcessorKey};
use crate::model::verdict::Condition;
use crate::model::view;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupColumn {
    /// Environment.
    Environment,
    /// Name.
    Name,
    /// Kafka's word for its state.
    State,
    /// Members.
    Members,
    /// Lag in records.
    Lag,
    /// Lag in time.
    Behind,
    /// Records per second by which lag grows.
    Growth,
    /// Time until the lag is gone.
    Drain,
    /// The partition that is furthest behind.
    Worst,
    /// The processor whose group it is.
    Processor,
}

/// What is known of a group's progress.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFacts {
    /// Members.
    pub members: u32,
    /// Lag in records.
    pub lag: Option<u64>,
    /// Lag in time, in milliseconds.
    pub behind_ms: Option<u64>,
    /// Records per second by which lag grows.
    pub growth: Option<f64>,
    /// Seconds until the lag is gone; `None` when it does not shrink.
    pub drain_seconds: Option<f64>,
    /// Topic, partition and lag of the one that is furthest behind.
    pub worst: Option<(Arc<str>, i32)>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    /// The group.
    pub key: KafkaKey,
    /// Kafka's word for its state; empty when unknown.
    pub state: Arc<str>,
    /// Its progress; `None` until it was asked for.
    pub facts: Option<GroupFacts>,
    /// The processor whose group it is.
    pub processor: Option<ProcessorKey>,
    /// Whether that is stopped on purpose.
    pub stopped: bool,
}

impl GroupRow {
    fn lag(&self) -> Option<u64> {
        self.facts.as_ref()?.lag
    }

    fn worst(&self) -> Option<&(Arc<str>, i32)> {
        self.facts.as_ref()?.worst.as_ref()
    }
}

impl Row for GroupRow {
    type Key = KafkaKey;
    type Column = GroupColumn;
    const COLUMNS: &'static [Column<GroupColumn>] = &[
        Column::text(GroupColumn::Environment, "ENV", 3).up_to(14),
        Column::text(GroupColumn::Name, "GROUP", 26).up_to(70).first(),
        Column::text(GroupColumn::State, "STATE", 8).up_to(20),
        Column::number(GroupColumn::Members, "MEMB", 4),
        Column::number(GroupColumn::Lag, "LAG", 5),
        Column::number(GroupColumn::Behind, "BEHIND", 6),
        Column::number(GroupColumn::Growth, "GROWS/s", 7).rank(3),
        Column::number(GroupColumn::Drain, "DRAIN", 6),
        Column::text(GroupColumn::Worst, "WORST", 14).up_to(40).rank(4),
        Column::text(GroupColumn::Processor, "PROCESSOR", 16).up_to(40).rank(2),
    ];

    fn key(&self) -> KafkaKey {
        self.key.clone()
    }

    /// Groups of known processors come first, by lag; the others are asked for only while they are on
    /// screen, so their lag must not move them.
    fn worst_first(&self, other: &Self) -> Ordering {
        let rank = |row: &Self| (row.processor.is_none(), row.processor.as_ref().map(|_| std::cmp::Reverse(row.lag())));
        rank(self).cmp(&rank(other)).then_with(|| self.key.cmp(&other.key))
    }

    fn compare(&self, other: &Self, column: GroupColumn) -> Ordering {
        let (left, right) = (self.facts.as_ref(), other.facts.as_ref());
        let number = |value: Option<f64>| value.unwrap_or(f64::MIN);
        match column {
            GroupColumn::Environment => self.key.environment.cmp(&other.key.environment),
            GroupColumn::Name => self.key.name.cmp(&other.key.name),
            GroupColumn::State => self.state.cmp(&other.state),
            GroupColumn::Members => left.map(|it| it.members).cmp(&right.map(|it| it.members)),
            GroupColumn::Lag => self.lag().cmp(&other.lag()),
            GroupColumn::Behind => left.and_then(|it| it.behind_ms).cmp(&right.and_then(|it| it.behind_ms)),
            GroupColumn::Growth => {
                number(left.and_then(|it| it.growth)).total_cmp(&number(right.and_then(|it| it.growth)))
            }
            GroupColumn::Drain => {
                number(left.and_then(|it| it.drain_seconds)).total_cmp(&number(right.and_then(|it| it.drain_seconds)))
            }
            GroupColumn::Worst => self.worst().cmp(&other.worst()),
            GroupColumn::Processor => self.processor.cmp(&other.processor),
        }
    }

    fn words(&self, text: &mut String) {
        let processor = self.processor.as_ref().map(|key| &key.name);
        let topic = self.worst().map(|(topic, _)| topic);
        for word in [Some(&self.key.environment), Some(&self.key.name), Some(&self.state), processor, topic]
            .into_iter()
            .flatten()
        {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: GroupColumn) -> usize {
        match column {
            GroupColumn::Environment => self.key.environment.len(),
            GroupColumn::Name => self.key.name.len(),
            GroupColumn::State => self.state.len(),
            GroupColumn::Worst => self.worst().map_or(0, |(topic, _)| topic.len() + 4),
            GroupColumn::Processor => self.processor.as_ref().map_or(0, |key| key.name.len()),
            _ => 0,
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub struct Groups {
    /// Its rows.
    pub table: Table<GroupRow>,
    /// How Kafka stands in each environment.
    pub standings: KafkaStanding,
}

impl Groups {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 1)
    }
}

fn owners(inventory: &Inventory) -> BTreeMap<KafkaKey, ProcessorKey> {
    inventory.processors().filter_map(|(key, _)| Some((inventory.group_key(key)?, key.clone()))).collect()
}

fn rows(world: &World<'_>) -> Vec<GroupRow> {
    let inventory = world.inventory;
    let mut owners = owners(inventory);
    let mut seen: BTreeSet<KafkaKey> = BTreeSet::new();
    let mut rows = Vec::new();
    for (environment, names) in inventory.group_names() {
        for (name, state) in names {
            let key = KafkaKey::new(environment.clone(), name.clone());
            rows.push(row(world, key.clone(), state, owners.remove(&key)));
            seen.insert(key);
        }
    }
    let unlisted = owners.into_iter().filter(|(key, _)| !seen.contains(key));
    rows.extend(unlisted.map(|(key, owner)| row(world, key, &"".into(), Some(owner))));
    rows
}

fn row(world: &World<'_>, key: KafkaKey, state: &Arc<str>, processor: Option<ProcessorKey>) -> GroupRow {
    let group = world.inventory.group(&key);
    let state = group.map(|group| &group.state).filter(|state| !state.is_empty()).unwrap_or(state).clone();
    let stopped = processor.as_ref().is_some_and(|processor| is_stopped(world, processor));
    GroupRow { facts: group.map(facts), key, state, processor, stopped }
}

/// Whether a processor is stopped on purpose.
#[must_use]
pub fn is_stopped(world: &World<'_>, processor: &ProcessorKey) -> bool {
    view::processor(world.inventory, processor, world.now)
        .is_some_and(|view| view.verdict.condition == Condition::Stopped)
}

fn facts(group: &Group) -> GroupFacts {
    GroupFacts {
        members: group.members,
        lag: group.lag_records(),
        behind_ms: group.behind_ms(),
        growth: group.growth_per_second(),
        drain_seconds: group.drain_seconds(),
        worst: group.worst().map(|worst| (worst.topic.clone(), worst.partition)),
    }
}

/// How to ask for a group: as its processor would, else for whatever it has committed.
#[must_use]
pub fn ask(inventory: &Inventory, key: &KafkaKey, processor: Option<&ProcessorKey>) -> GroupInterest {
    let known = processor.and_then(|processor| interest::group_interest(inventory, processor, true));
    known.unwrap_or_else(|| GroupInterest { key: key.clone(), topics: Vec::new(), with_time: true })
}

impl Part for Groups {
    fn place(&self) -> Place {
        Place::Groups
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !cause.concerns(|touched| touched.kafka || touched.environments) {
            return false;
        }
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let standings = kafka::standings(world.inventory, world.inventory.group_names());
        let changed = standings != self.standings;
        self.standings = standings;
        self.table.set_rows(rows(world)) || changed
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Open, Some(row)) => {
                Outcome::open(Screen::Group(GroupScreen::new(row.key(), row.processor.clone())))
            }
            (Action::Copy, Some(row)) => Outcome::Copy(row.key.name.to_string()),
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        !matches!(action, Action::Open | Action::Copy) || self.table.selected().is_some()
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.kafka_names.extend(kafka::environments(world.inventory));
        let owned = self.table.rows().iter().filter(|row| row.processor.is_some());
        for row in self.table.visible().chain(owned) {
            interest.groups.insert(ask(world.inventory, &row.key, row.processor.as_ref()));
        }
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
