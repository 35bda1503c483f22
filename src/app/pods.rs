//! The pods of one processor as a list.

use std::cmp::Ordering;

use super::marks::{Marks, differing};
use super::pipelines::older;
use super::table::{Column, Row};
use crate::model::Time;
use crate::model::inventory::Inventory;
use crate::model::key::{PodKey, ProcessorKey};
use crate::model::pod::{Pod, PodHealth};
use crate::model::view::{self, PodView};

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodColumn {
    /// JobManager or TaskManager.
    Role,
    /// Name.
    Name,
    /// Status with its glyph.
    Status,
    /// Ready containers.
    Ready,
    /// Restarts.
    Restarts,
    /// How a container last ended.
    Last,
    /// CPU against its limit.
    Cpu,
    /// Memory against its limit.
    Memory,
    /// Age.
    Age,
    /// Node.
    Node,
    /// Address.
    Address,
}

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRow {
    /// The pod with its usage.
    pub view: PodView,
    /// What changed in the last seconds.
    pub marks: Marks<PodColumn>,
    /// Its place by role and name.
    order: usize,
}

impl PodRow {
    /// CPU against its limit, from 0 to 1 and beyond.
    #[must_use]
    pub fn cpu_share(&self) -> Option<f64> {
        share(self.view.usage?.cpu_millis, self.view.pod.cpu_limit_millis?)
    }

    /// Memory against its limit, from 0 to 1.
    #[must_use]
    pub fn memory_share(&self) -> Option<f64> {
        share(self.view.usage?.memory_bytes, self.view.pod.memory_limit_bytes?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of two sizes needs no 53 bits")]
fn share(used: u64, limit: u64) -> Option<f64> {
    (limit > 0).then(|| used as f64 / limit as f64)
}

impl Row for PodRow {
    type Key = PodKey;
    type Column = PodColumn;
    const COLUMNS: &'static [Column<PodColumn>] = &[
        Column::text(PodColumn::Role, "", 2),
        Column::text(PodColumn::Name, "POD", 21).up_to(60).first(),
        Column::text(PodColumn::Status, "STATUS", 11).up_to(24).whole(),
        Column::number(PodColumn::Ready, "READY", 5).rank(3),
        Column::number(PodColumn::Restarts, "RST", 3),
        Column::text(PodColumn::Last, "LAST END", 13).up_to(22).rank(1),
        Column::text(PodColumn::Cpu, "CPU", 8),
        Column::text(PodColumn::Memory, "MEM", 8),
        Column::number(PodColumn::Age, "AGE", 4).up_to(6),
        Column::text(PodColumn::Node, "NODE", 16).up_to(44).rank(2),
        Column::text(PodColumn::Address, "ADDRESS", 15).rank(4),
    ];

    fn key(&self) -> PodKey {
        self.view.pod.key.clone()
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        let rank = |row: &Self| match row.view.pod.health {
            PodHealth::Bad => 0,
            PodHealth::Moving => 1,
            PodHealth::Ready => 2,
            PodHealth::Done => 3,
        };
        rank(self).cmp(&rank(other)).then(self.order.cmp(&other.order))
    }

    fn compare(&self, other: &Self, column: PodColumn) -> Ordering {
        let (left, right) = (&self.view.pod, &other.view.pod);
        let ended = |row: &Self| row.view.pod.last_termination.as_ref().and_then(|end| end.finished_at);
        let by_share =
            |left: Option<f64>, right: Option<f64>| left.unwrap_or(-1.0).total_cmp(&right.unwrap_or(-1.0)).reverse();
        match column {
            PodColumn::Role => left.role.cmp(&right.role),
            PodColumn::Name => self.order.cmp(&other.order),
            PodColumn::Status => left.status.cmp(&right.status),
            PodColumn::Ready => left.ready.cmp(&right.ready),
            PodColumn::Restarts => left.restarts.cmp(&right.restarts),
            PodColumn::Last => ended(other).cmp(&ended(self)),
            PodColumn::Cpu => by_share(self.cpu_share(), other.cpu_share()),
            PodColumn::Memory => by_share(self.memory_share(), other.memory_share()),
            PodColumn::Age => older(left.created_at, right.created_at),
            PodColumn::Node => left.node.cmp(&right.node),
            PodColumn::Address => left.address.cmp(&right.address),
        }
    }

    fn words(&self, text: &mut String) {
        let pod = &self.view.pod;
        let ended = pod.last_termination.as_ref().map(|end| &end.reason);
        let words = [Some(&pod.key.name), Some(&pod.status), pod.node.as_ref(), pod.address.as_ref(), ended];
        for word in words.into_iter().flatten() {
            text.push_str(word);
            text.push(' ');
        }
        text.push_str(pod.role.short());
    }

    fn wanted(&self, column: PodColumn) -> usize {
        let pod = &self.view.pod;
        match column {
            PodColumn::Name => pod.key.name.len(),
            PodColumn::Status => word(pod).len() + 2,
            PodColumn::Last => pod.last_termination.as_ref().map_or(0, |end| end.reason.len() + 7),
            PodColumn::Age => 6,
            PodColumn::Node => pod.node.as_ref().map_or(0, |node| node.len()),
            _ => 0,
        }
    }
}

/// The status in a word; a pod that came up again after an end is not simply running.
#[must_use]
pub fn word(pod: &Pod) -> &str {
    if is_unready(pod) { "NotReady" } else { &pod.status }
}

/// Whether it runs without being ready, after a container ended.
#[must_use]
pub fn is_unready(pod: &Pod) -> bool {
    pod.health == PodHealth::Moving && &*pod.status == "Running" && pod.last_termination.is_some()
}

/// The pods of a processor; marks are carried over from the rows before.
#[must_use]
pub fn rows(inventory: &Inventory, processor: &ProcessorKey, before: &[PodRow], now: Time) -> Vec<PodRow> {
    let known: std::collections::HashMap<&PodKey, &PodRow> =
        before.iter().map(|row| (&row.view.pod.key, row)).collect();
    let views = view::pods(inventory, processor).into_iter().enumerate();
    views
        .map(|(order, view)| {
            let mut row = PodRow { view, marks: Marks::default(), order };
            if let Some(before) = known.get(&row.view.pod.key) {
                remember(&mut row, before, now);
            }
            row
        })
        .collect()
}

fn remember(row: &mut PodRow, before: &PodRow, now: Time) {
    row.marks = before.marks.kept(now);
    let (old, new) = (&before.view.pod, &row.view.pod);
    if new.restarts > old.restarts || (new.health == PodHealth::Bad && old.health != PodHealth::Bad) {
        row.marks.worsened(now);
    }
    let changed = differing([
        (PodColumn::Status, old.status != new.status),
        (PodColumn::Ready, old.ready != new.ready),
        (PodColumn::Restarts, old.restarts != new.restarts),
        (PodColumn::Last, old.last_termination != new.last_termination),
        (PodColumn::Node, old.node != new.node),
    ]);
    row.marks.note(changed, now);
}
