//! A list of pods.

use ratatui::style::Style;

use super::pipelines::count_cell;
use super::table::{Cell, Cells};
use super::theme::{self, Sign, Theme, Tone};
use crate::app::pods::{self, PodColumn, PodRow};
use crate::model::pod::{Pod, Termination};
use crate::model::{Time, human};

/// From this share of a limit on, usage is worth a look.
const HIGH: f64 = 0.90;

/// How pods are drawn.
#[derive(Clone, Copy, Debug)]
pub struct PodCells {
    /// Looks.
    pub theme: Theme,
    /// Now.
    pub now: Time,
    /// Whether all of it is old.
    pub stale: bool,
}

impl Cells<PodRow> for PodCells {
    fn cell(&self, row: &PodRow, column: PodColumn) -> Cell {
        let mut cell = self.plain_cell(row, column);
        if row.marks.is_changed(column) {
            cell.style = cell.style.patch(self.theme.strong());
        }
        cell
    }

    fn mark(&self, row: &PodRow) -> Option<(&'static str, Style)> {
        if self.stale {
            return Some((self.theme.sign(Sign::Stale), self.theme.dim()));
        }
        row.marks.is_worse().then(|| (self.theme.sign(Sign::Worse), self.theme.tone(Tone::Bad)))
    }
}

impl PodCells {
    fn plain_cell(&self, row: &PodRow, column: PodColumn) -> Cell {
        let (theme, pod) = (self.theme, &row.view.pod);
        let plain = if self.stale { theme.dim() } else { theme.text() };
        match column {
            PodColumn::Role => Cell::new(pod.role.short(), theme.dim()),
            PodColumn::Name => Cell::keep_end(&*pod.key.name, plain),
            PodColumn::Status => Cell::new(
                format!("{} {}", glyph(theme, pod), pods::word(pod)),
                theme.tone(theme::health_tone(pod.health)),
            ),
            PodColumn::Ready => Cell::new(format!("{}/{}", pod.ready, pod.containers.len()), plain),
            PodColumn::Restarts => count_cell(theme, u64::from(pod.restarts)),
            PodColumn::Last => pod.last_termination.as_ref().map_or_else(
                || Cell::unknown(theme),
                |end| {
                    Cell::new(
                        ended(end, self.now),
                        theme.tone(if self.is_news(end) { Tone::Warn } else { Tone::Quiet }),
                    )
                },
            ),
            PodColumn::Cpu => self.usage_cell(row.cpu_share(), row.view.usage.map(|it| human::cores(it.cpu_millis))),
            PodColumn::Memory => {
                self.usage_cell(row.memory_share(), row.view.usage.map(|it| human::bytes(it.memory_bytes)))
            }
            PodColumn::Age => Cell::known(pod.created_at.map(|at| human::age(at, self.now)), theme),
            PodColumn::Node => Cell::known(pod.node.as_ref().map(ToString::to_string), theme),
            PodColumn::Address => Cell::known(pod.address.as_ref().map(ToString::to_string), theme),
        }
    }

    /// A failure of the last hour.
    fn is_news(&self, end: &Termination) -> bool {
        end.exit_code != 0 && end.finished_at.is_none_or(|at| (self.now - at).num_seconds() < 3_600)
    }

    /// A share of a limit as a bar, else the plain amount.
    fn usage_cell(&self, share: Option<f64>, amount: Option<String>) -> Cell {
        match (share, amount) {
            (Some(share), _) => share_cell(self.theme, share, 3),
            (None, Some(amount)) => Cell::new(amount, self.theme.text()),
            (None, None) => Cell::unknown(self.theme),
        }
    }
}

/// Glyph of a pod's status.
#[must_use]
pub fn glyph(theme: Theme, pod: &Pod) -> &'static str {
    if pods::is_unready(pod) { theme.sign(Sign::Attention) } else { theme.health_glyph(pod.health) }
}

/// A share as a bar of so many cells and a percentage.
#[must_use]
pub fn share_cell(theme: Theme, share: f64, cells: u16) -> Cell {
    let style = if share >= HIGH { theme.tone(Tone::Bad) } else { theme.text() };
    Cell::new(format!("{} {:>4}", theme.bar(share, cells), human::percent(share)), style)
}

/// How a container last ended: `OOMKilled 31s`.
#[must_use]
pub fn ended(end: &Termination, now: Time) -> String {
    let how = match &*end.reason {
        "Error" | "" => format!("exit {}", end.exit_code),
        reason => reason.to_owned(),
    };
    end.finished_at.map_or_else(|| how.clone(), |at| format!("{how} {}", human::age(at, now)))
}
