//! The list of pipelines: is anything wrong, and where.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::groups::behind_cell;
use super::table::{self, Cell, Cells};
use super::theme::{self, Sign, Theme, Tone};
use super::{head, standing, why};
use crate::app::State;
use crate::app::overview::{Overview, PipelineRow};
use crate::app::pipelines::{PipelineColumn, Pipelines};
use crate::app::standing::Standing;
use crate::app::table::Row;
use crate::model::job::JobState;
use crate::model::verdict::Condition;
use crate::model::{Time, human};
use std::sync::Arc;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Pipelines) {
    let layout = screen.layout(state.size());
    head::draw(canvas, Rect { height: layout.head, ..area }, state);
    let list = Rect { y: area.y + layout.head, height: layout.body, width: area.width - layout.side, ..area };
    if screen.table.counts().0 == 0 {
        standing::draw(canvas, list, state);
    } else {
        let cells = PipelineCells { overview: state.overview(), theme: *canvas.theme, now: state.now() };
        table::draw(canvas, list, &screen.table, &cells);
    }
    let Some(row) = screen.table.selected() else { return };
    if layout.side > 0 {
        let side = Rect { x: area.x + list.width, width: layout.side, ..list };
        canvas.rule_down(side);
        why::panel(canvas, side, state, row);
    } else if layout.detail > 0 {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::lines(canvas, detail, &row.view.verdict.why);
    }
}

struct PipelineCells<'a> {
    overview: &'a Overview,
    theme: Theme,
    now: Time,
}

impl Cells<Arc<PipelineRow>> for PipelineCells<'_> {
    fn cell(&self, row: &Arc<PipelineRow>, column: PipelineColumn) -> Cell {
        let mut cell = self.plain_cell(row, column);
        if row.marks.is_changed(column) {
            cell.style = cell.style.patch(self.theme.strong());
        }
        cell
    }

    fn mark(&self, row: &Arc<PipelineRow>) -> Option<(&'static str, Style)> {
        if self.is_stale(row) {
            return Some((self.theme.sign(Sign::Stale), self.theme.dim()));
        }
        row.marks.is_worse().then(|| (self.theme.sign(Sign::Worse), self.theme.tone(Tone::Bad)))
    }
}

impl PipelineCells<'_> {
    fn is_stale(&self, row: &PipelineRow) -> bool {
        self.overview.standing(&row.view.key.environment).is_some_and(Standing::is_stale)
    }

    /// What waits while nobody is meant to read it is no trouble.
    fn quiet_if_stopped(&self, row: &PipelineRow, cell: Cell) -> Cell {
        let stopped = row.view.verdict.condition == Condition::Stopped;
        if stopped { Cell { style: self.theme.dim(), ..cell } } else { cell }
    }

    fn plain_cell(&self, row: &Arc<PipelineRow>, column: PipelineColumn) -> Cell {
        let (theme, view) = (self.theme, &row.view);
        let attention = if row.marks.is_worse() { theme.strong() } else { theme.text() };
        let plain = if self.is_stale(row) { theme.dim() } else { attention };
        match column {
            PipelineColumn::Environment => Cell::new(&*row.key().environment, theme.dim()),
            PipelineColumn::Name => Cell::new(&*view.key.name, plain),
            PipelineColumn::Namespace => Cell::new(&*view.key.namespace, theme.dim()),
            PipelineColumn::State => condition_cell(theme, view.verdict.condition),
            PipelineColumn::Processors => Cell::new(view.processors.len().to_string(), plain),
            PipelineColumn::Pods => {
                let style = if view.pods_ready < view.pods_wanted { theme.tone(Tone::Warn) } else { plain };
                Cell::new(format!("{}/{}", view.pods_ready, view.pods_wanted), style)
            }
            PipelineColumn::Restarts => count_cell(theme, u64::from(view.restarts)),
            PipelineColumn::Job => view.job.map_or_else(|| Cell::unknown(theme), |job| job_cell(theme, job)),
            PipelineColumn::Lag => self.quiet_if_stopped(row, Cell::known(view.lag_records.map(human::count), theme)),
            PipelineColumn::Behind => self.quiet_if_stopped(row, behind_cell(theme, view.behind_ms)),
            PipelineColumn::Checkpoint => Cell::known(view.checkpoint_at.map(|at| human::age(at, self.now)), theme),
            PipelineColumn::Revision => Cell::known(view.revision.as_ref().map(ToString::to_string), theme),
            PipelineColumn::Age => Cell::known(view.created_at.map(|at| human::age(at, self.now)), theme),
            PipelineColumn::Team => Cell::known(view.team.as_ref().map(ToString::to_string), theme),
        }
    }
}

/// A condition with its glyph.
#[must_use]
pub fn condition_cell(theme: Theme, condition: Condition) -> Cell {
    Cell::new(
        format!("{} {}", theme.condition_glyph(condition), condition.word()),
        theme.tone(theme::condition_tone(condition)),
    )
}

/// A count that is grey when it is zero.
#[must_use]
pub fn count_cell(theme: Theme, number: u64) -> Cell {
    Cell::new(human::count(number), if number == 0 { theme.dim() } else { theme.text() })
}

/// The state of a job.
#[must_use]
pub fn job_cell(theme: Theme, job: JobState) -> Cell {
    let style = match job {
        JobState::Failed | JobState::Failing | JobState::Restarting => theme.tone(Tone::Bad),
        JobState::Running => theme.text(),
        JobState::Suspended | JobState::Finished | JobState::Canceled => theme.dim(),
        _ => theme.tone(Tone::Warn),
    };
    Cell::new(job.word(), style)
}
