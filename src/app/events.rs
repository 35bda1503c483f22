//! Kubernetes events, of all environments or of one pod.

use std::cmp::Ordering;

use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::standing::{self, Standings};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::model::cluster_event::ClusterEvent;
use crate::model::interest::Interest;
use crate::model::key::{ObjectKey, PodKey};

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventColumn {
    /// Since it was last seen.
    Age,
    /// Environment.
    Environment,
    /// Namespace.
    Namespace,
    /// Reason, with a glyph for warnings.
    Reason,
    /// The object that it is about.
    Object,
    /// How often it was seen.
    Count,
    /// Message.
    Message,
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow(pub ClusterEvent);

impl Row for EventRow {
    type Key = ObjectKey;
    type Column = EventColumn;
    const COLUMNS: &'static [Column<EventColumn>] = &[
        Column::number(EventColumn::Age, "AGE", 5),
        Column::text(EventColumn::Environment, "ENV", 3).up_to(14).rank(1),
        Column::text(EventColumn::Namespace, "NAMESPACE", 12).up_to(32).rank(4),
        Column::text(EventColumn::Reason, "REASON", 14).up_to(28).whole(),
        Column::text(EventColumn::Object, "OBJECT", 18).up_to(48).first(),
        Column::number(EventColumn::Count, "COUNT", 5).rank(2),
        Column::text(EventColumn::Message, "MESSAGE", 30).up_to(240).first(),
    ];

    fn key(&self) -> ObjectKey {
        self.0.key.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        other.0.last_at.cmp(&self.0.last_at).then_with(|| self.0.key.cmp(&other.0.key))
    }

    fn compare(&self, other: &Self, column: EventColumn) -> Ordering {
        let (left, right) = (&self.0, &other.0);
        match column {
            EventColumn::Age => right.last_at.cmp(&left.last_at),
            EventColumn::Environment => left.key.environment.cmp(&right.key.environment),
            EventColumn::Namespace => left.key.namespace.cmp(&right.key.namespace),
            EventColumn::Reason => (!left.warning, &left.reason).cmp(&(!right.warning, &right.reason)),
            EventColumn::Object => left.object.cmp(&right.object),
            EventColumn::Count => left.count.cmp(&right.count),
            EventColumn::Message => left.message.cmp(&right.message),
        }
    }

    fn words(&self, text: &mut String) {
        let event = &self.0;
        let words = [&event.key.environment, &event.key.namespace, &event.reason, &event.object, &event.message];
        for word in words.into_iter().chain([&event.kind]) {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(if event.warning { "warning" } else { "normal" });
    }

    fn wanted(&self, column: EventColumn) -> usize {
        match column {
            EventColumn::Environment => self.0.key.environment.len(),
            EventColumn::Namespace => self.0.key.namespace.len(),
            EventColumn::Reason => self.0.reason.len() + 2,
            EventColumn::Object => self.0.object.len(),
            EventColumn::Message => self.0.message.len(),
            _ => 0,
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct Events {
    /// Its list, newest first.
    pub table: Table<EventRow>,
    /// Whether normal events are left out.
    pub warnings_only: bool,
    /// How the watches of events stand.
    pub standings: Standings,
}

impl Events {
    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 5)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let standings = standing::all(world.inventory, standing::is_event);
        let changed = standings != self.standings;
        self.standings = standings;
        let rows = rows(world, |event| !self.warnings_only || event.warning);
        self.table.set_rows(rows) || changed
    }
}

/// The events that pass a test.
#[must_use]
pub fn rows(world: &World<'_>, wanted: impl Fn(&ClusterEvent) -> bool) -> Vec<EventRow> {
    world.inventory.events().filter(|event| wanted(event)).cloned().map(EventRow).collect()
}

impl Part for Events {
    fn place(&self) -> Place {
        Place::Events
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !cause.concerns(|touched| touched.events || touched.environments) {
            return false;
        }
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        self.look(world)
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::WarningsOnly => {
                self.warnings_only = !self.warnings_only;
                self.look(world);
                Outcome::Done
            }
            Action::Open => self.pod(world).map_or(Outcome::Ignored, |pod| Outcome::open(Screen::pod(pod))),
            Action::Copy => {
                self.table.selected().map_or(Outcome::Ignored, |row| Outcome::Copy(row.0.message.to_string()))
            }
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        match action {
            Action::Open => self.pod(world).is_some(),
            Action::Copy => self.table.selected().is_some(),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.events.extend(world.overview.environments().iter().cloned());
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}

impl Events {
    /// The pod that the selected event is about, if it is known.
    fn pod(&self, world: &World<'_>) -> Option<PodKey> {
        let event = &self.table.selected()?.0;
        let key = event.key.sibling(event.object.clone());
        (&*event.kind == "Pod" && world.inventory.pod(&key).is_some()).then_some(key)
    }
}
