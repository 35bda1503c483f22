//! Golden signals of pipelines, the worst first, and what failed last in the selected one.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{SATURATED, saturation_cell};
use crate::app::State;
use crate::app::signals::pipelines::{FlowColumn, FlowRow, FlowsScreen};
use crate::model::human;
use crate::model::pipeline_signals::FAILURE_MINUTES;
use crate::model::verdict::Condition;
use crate::ui::canvas::Canvas;
use crate::ui::events::order;
use crate::ui::head::plural;
use crate::ui::table::{self, Cell, Cells};
use crate::ui::theme::{self, Theme, Tone};
use crate::ui::title::{self, Title};
use crate::ui::{standing, why};

/// From here on event time is late, in seconds.
const LATE_SECONDS: i64 = 60;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &FlowsScreen) {
    let layout = FlowsScreen::layout(state.size());
    let rows = screen.table.rows();
    let count = |is: fn(&FlowRow) -> bool| rows.iter().filter(|row| is(row)).count();
    let (failing, full) = (count(|row| row.signals.failures.is_some_and(|count| count > 0)), count(is_saturated));
    let mut warnings = Vec::new();
    if failing > 0 {
        warnings.push(format!("{failing} with failures"));
    }
    if full > 0 {
        warnings.push(format!("{full} near a limit"));
    }
    let facts = vec![plural(screen.table.counts().1, "pipeline"), order(&screen.table)];
    let warning = (!warnings.is_empty()).then(|| warnings.join("  "));
    let crumbs = vec!["golden signals", "pipelines"];
    title::draw(canvas, area, state, &Title { crumbs, facts, warning, ..Title::default() });
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if screen.table.counts().0 == 0 {
        standing::draw(canvas, list, state);
        return;
    }
    table::draw(canvas, list, &screen.table, &FlowCells { theme: *canvas.theme });
    let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) else { return };
    let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
    let words = match (&row.signals.last_failure, row.signals.failures) {
        (Some((at, class)), _) => {
            let count = row.signals.failures.unwrap_or(0);
            let times = format!("{} in {FAILURE_MINUTES} min", plural(count, "failure"));
            format!("{times}; the last one {} ago: {class}", human::age(*at, state.now()))
        }
        (None, Some(_)) => "its jobs report no failures".to_owned(),
        (None, None) => "none of its jobs answers, so nothing is known of failures, rates and delay".to_owned(),
    };
    why::paragraph(canvas, detail, "why", &words);
}

fn is_saturated(row: &FlowRow) -> bool {
    row.signals.saturation.as_ref().is_some_and(|saturation| saturation.percent >= SATURATED)
}

struct FlowCells {
    theme: Theme,
}

impl Cells<FlowRow> for FlowCells {
    fn cell(&self, row: &FlowRow, column: FlowColumn) -> Cell {
        let (theme, signals) = (self.theme, &row.signals);
        let unknown = || Cell::new(theme.no_data(), theme.dim());
        let counted = |count: Option<u64>, bad: Style| match count {
            None => unknown(),
            Some(0) => Cell::new("0", theme.dim()),
            Some(count) => Cell::new(human::count(count), bad),
        };
        let rate = |rate: Option<f64>| rate.map_or_else(unknown, |rate| Cell::new(human::rate(rate), theme.text()));
        let wide = |count: Option<usize>| count.and_then(|count| u64::try_from(count).ok());
        match column {
            FlowColumn::Environment => Cell::new(&*signals.key.environment, theme.dim()),
            FlowColumn::Pipeline => Cell::keep_end(&*signals.key.name, theme.text()),
            FlowColumn::State => {
                let words = format!("{} {}", theme.condition_glyph(row.condition), row.condition.word());
                Cell::new(words, theme.tone(theme::condition_tone(row.condition)))
            }
            FlowColumn::In => rate(signals.records_in_per_second),
            FlowColumn::Out => rate(signals.records_out_per_second),
            FlowColumn::Failures => counted(wide(signals.failures), theme.tone(Tone::Bad)),
            FlowColumn::Checkpoints => counted(signals.failed_checkpoints.map(u64::from), theme.tone(Tone::Warn)),
            FlowColumn::Watermark => signals.watermark_delay_seconds.map_or_else(unknown, |seconds| {
                let is_late = seconds >= LATE_SECONDS && row.condition != Condition::Stopped;
                Cell::new(human::duration(seconds), if is_late { theme.tone(Tone::Warn) } else { theme.text() })
            }),
            FlowColumn::Lag => counted(signals.lag_records, theme.text()),
            FlowColumn::Saturation => {
                signals.saturation.as_ref().map_or_else(unknown, |saturation| saturation_cell(theme, saturation))
            }
        }
    }
}
