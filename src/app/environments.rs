//! Environments: each connection and each watch, how it stands, and since when.

use std::cmp::Ordering;
use std::sync::Arc;

use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::Time;
use crate::model::change::{Kind, ScopeState};
use crate::model::environment::{Backend, Environment, Link};
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkColumn {
    /// Environment.
    Environment,
    /// Backend or kind.
    What,
    /// State.
    State,
    /// Since when.
    Since,
    /// Time to the next try.
    Next,
    /// Address or namespace.
    Place,
    /// What went wrong.
    Error,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A connection.
    Link(Backend),
    /// A watch.
    Watch(Kind),
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A connection.
    Link(Link),
    /// A watch.
    Watch(ScopeState),
}

/// One connection or watch.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkRow {
    /// Environment.
    pub environment: Arc<str>,
    /// What it is.
    pub subject: Subject,
    /// Namespace of a watch; `None` means all, or that it is none.
    pub namespace: Option<Arc<str>>,
    /// Address of a connection.
    pub address: Option<Arc<str>>,
    /// How it stands.
    pub state: State,
    /// Place of its environment among all.
    rank: usize,
}

impl LinkRow {
    /// Since when it stands so, where that is known.
    #[must_use]
    pub const fn since(&self) -> Option<Time> {
        match &self.state {
            State::Link(Link::Up { since } | Link::Down { since, .. } | Link::Forbidden { since, .. })
            | State::Watch(ScopeState::Stale(since, _) | ScopeState::Failed(since, _)) => Some(*since),
            _ => None,
        }
    }

    /// When the next try is due.
    #[must_use]
    pub const fn next_try(&self) -> Option<Time> {
        match &self.state {
            State::Link(Link::Down { next_try, .. }) => Some(*next_try),
            _ => None,
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn error(&self) -> Option<&Arc<str>> {
        match &self.state {
            State::Link(Link::Down { error, .. } | Link::Forbidden { error, .. })
            | State::Watch(ScopeState::Forbidden(error) | ScopeState::Stale(_, error) | ScopeState::Failed(_, error)) => {
                Some(error)
            }
            _ => None,
        }
    }

    /// The state in a word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match &self.state {
            State::Link(link) => link.word(),
            State::Watch(ScopeState::Loading) => "loading",
            State::Watch(ScopeState::Live) => "live",
            State::Watch(ScopeState::Forbidden(_)) => "forbidden",
            State::Watch(ScopeState::Absent) => "absent",
            State::Watch(ScopeState::Stale(..)) => "stale",
            State::Watch(ScopeState::Failed(..)) => "failed",
        }
    }

    /// What it is, in a word.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.subject {
            Subject::Link(backend) => backend.word(),
            Subject::Watch(kind) => kind.word(),
        }
    }

    const fn is_broken(&self) -> bool {
        self.error().is_some()
    }
}

impl Row for LinkRow {
    type Key = (Arc<str>, Subject, Option<Arc<str>>);
    type Column = LinkColumn;
    const COLUMNS: &'static [Column<LinkColumn>] = &[
        Column::text(LinkColumn::Environment, "ENV", 3).up_to(14),
        Column::text(LinkColumn::What, "WHAT", 18),
        Column::text(LinkColumn::State, "STATE", 12),
        Column::number(LinkColumn::Since, "FOR", 5),
        Column::number(LinkColumn::Next, "NEXT TRY", 8),
        Column::text(LinkColumn::Place, "WHERE", 16).up_to(50),
        Column::text(LinkColumn::Error, "ERROR", 10).up_to(160).rank(2),
    ];

    fn key(&self) -> Self::Key {
        (self.environment.clone(), self.subject, self.namespace.clone())
    }

    /// Broken ones first, then by environment, connections before watches.
    fn worst_first(&self, other: &Self) -> Ordering {
        let key = |row: &Self| (!row.is_broken(), row.rank, row.subject);
        key(self).cmp(&key(other)).then_with(|| self.key().cmp(&other.key()))
    }

    fn compare(&self, other: &Self, column: LinkColumn) -> Ordering {
        match column {
            LinkColumn::Environment => self.environment.cmp(&other.environment),
            LinkColumn::What => self.subject.cmp(&other.subject),
            LinkColumn::State => self.word().cmp(other.word()),
            LinkColumn::Since => super::pipelines::older(self.since(), other.since()),
            LinkColumn::Next => self.next_try().cmp(&other.next_try()),
            LinkColumn::Place => (&self.address, &self.namespace).cmp(&(&other.address, &other.namespace)),
            LinkColumn::Error => self.error().cmp(&other.error()),
        }
    }

    fn words(&self, text: &mut String) {
        let words = [Some(&self.environment), self.namespace.as_ref(), self.address.as_ref(), self.error()];
        for word in words.into_iter().flatten().map(|word| &**word).chain([self.what(), self.word()]) {
            text.push_str(word);
            text.push(' ');
        }
    }

    fn wanted(&self, column: LinkColumn) -> usize {
        let length = |text: Option<&Arc<str>>| text.map_or(0, |text| text.len());
        match column {
            LinkColumn::Environment => self.environment.len(),
            LinkColumn::Place => length(self.address.as_ref()).max(length(self.namespace.as_ref())),
            LinkColumn::Error => length(self.error()),
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct Environments {
    /// Its list.
    pub table: Table<LinkRow>,
}

impl Environments {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 3)
    }
}

fn rows(world: &World<'_>) -> Vec<LinkRow> {
    let mut rows = Vec::new();
    for (rank, name) in world.overview.environments().iter().enumerate() {
        let Some(environment) = world.inventory.environment(name) else { continue };
        rows.extend(links(world.inventory, environment, rank));
        let scopes = world.inventory.scopes().filter(|(scope, _)| scope.environment == *name);
        rows.extend(scopes.map(|(scope, state)| LinkRow {
            environment: name.clone(),
            subject: Subject::Watch(scope.kind),
            namespace: scope.namespace.clone(),
            address: None,
            state: State::Watch(state.clone()),
            rank,
        }));
    }
    rows
}

fn links(inventory: &Inventory, environment: &Environment, rank: usize) -> impl Iterator<Item = LinkRow> {
    Backend::ALL.into_iter().map(move |backend| {
        let address = match backend {
            Backend::Kubernetes => Some(environment.server.clone()),
            Backend::Kafka => environment.kafka.clone(),
            Backend::Flink => None,
            Backend::Objects => environment.objects.clone(),
        };
        LinkRow {
            environment: environment.name.clone(),
            subject: Subject::Link(backend),
            namespace: None,
            address,
            state: State::Link(inventory.link(&environment.name, backend).clone()),
            rank,
        }
    })
}

impl Part for Environments {
    fn place(&self) -> Place {
        Place::Environments
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !cause.concerns(|touched| touched.environments) {
            return false;
        }
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        self.table.set_rows(rows(world))
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match (action, self.table.selected()) {
            (Action::Copy, Some(row)) => {
                let text = row.error().or(row.address.as_ref());
                text.map_or(Outcome::Ignored, |text| Outcome::Copy(text.to_string()))
            }
            (other, _) => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        let selected = self.table.selected();
        action != Action::Copy || selected.is_some_and(|row| row.error().is_some() || row.address.is_some())
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}
