//! Curves over time in cells: several dots a cell where the terminal can, plain letters where it cannot.
//!
//! Why: a gap in the data must be a gap on the screen, with no foot below it, and that in ASCII too.
//!
//! How: each column of dots shows the greatest value of the steps under it; neighbours are joined. A scale stands on
//! the left, its ends chosen so that the numbers are round.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::canvas::Canvas;
use super::theme::{Lowest, Theme};
use crate::model::Time;
use crate::model::signal::{Mark, ServiceHistory};

/// Cells left of a plot, for its title and scale.
pub const GUTTER: u16 = 12;
/// Cells of a mark's text at most.
const MARK: usize = 24;

/// One curve.
#[derive(Clone, Debug)]
pub struct Curve {
    /// A value for each step; a gap is `None`.
    pub values: Vec<Option<f64>>,
    /// How a value looks.
    pub style: fn(Theme, f64) -> Style,
}

/// One chart.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// What is shown, the last curve first.
    pub titles: &'a [&'a str],
    /// The value at the top of the scale; the foot is 0.
    pub top: f64,
    /// Writes a value on the scale.
    pub label: fn(f64) -> String,
    /// Curves; later ones lie over earlier ones.
    pub curves: Vec<Curve>,
    /// Number of the step under the time cursor.
    pub cursor: Option<usize>,
}

/// Draws a chart with its scale.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart<'_>) {
    let theme = *canvas.theme;
    scale(canvas, area, chart);
    let plot = plot_area(area);
    if plot.width == 0 || plot.height == 0 {
        return;
    }
    let mut grid = Grid::new(plot, theme);
    let mut ground = vec![false; usize::from(plot.width)];
    for curve in &chart.curves {
        grid.trace(curve, chart.top, theme);
        for (cell, seen) in ground.iter_mut().enumerate() {
            *seen |= steps_under(cell, usize::from(plot.width), &curve.values).any(|value| value.is_some());
        }
    }
    let cursor = chart.cursor.and_then(|step| cell_of(step, steps(chart), plot.width));
    for row in 0..plot.height {
        let mut pen = canvas.line(plot, row);
        for column in 0..plot.width {
            let (bits, style) = grid.cell(column, row);
            let foot = row + 1 == plot.height && ground.get(usize::from(column)).copied().unwrap_or(false);
            let under = |style: Style| {
                if cursor == Some(column) {
                    style.patch(theme.accent()).add_modifier(Modifier::REVERSED)
                } else {
                    style
                }
            };
            match bits {
                0 if foot => pen.put(theme.ground(), under(theme.dim())),
                0 if cursor == Some(column) => pen.put(" ", under(theme.dim())),
                0 => pen.skip(1),
                bits => pen.put(theme.dotted(bits).encode_utf8(&mut [0; 4]), under(style)),
            };
        }
    }
}

/// Where the curves lie in the area of a chart.
#[must_use]
pub const fn plot_area(area: Rect) -> Rect {
    let gutter = if area.width < GUTTER { area.width } else { GUTTER };
    Rect { x: area.x + gutter, width: area.width - gutter, y: area.y, height: area.height }
}

fn steps(chart: &Chart<'_>) -> usize {
    chart.curves.first().map_or(0, |curve| curve.values.len())
}

/// The title, and the numbers of the scale: top, middle and foot.
fn scale(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart<'_>) {
    let theme = *canvas.theme;
    for (row, (title, curve)) in (0..).zip(chart.titles.iter().zip(chart.curves.iter().rev())) {
        let style = if chart.titles.len() > 1 { (curve.style)(theme, 0.0) } else { theme.dim() };
        canvas.line(area, row).skip(1).put_in(title, GUTTER - 2, style);
    }
    let last = area.height.saturating_sub(1);
    let mut at = vec![(0, chart.top)];
    if last >= 2 && last.is_multiple_of(2) {
        at.push((last / 2, chart.top / 2.0));
    }
    if last > 0 {
        at.push((last, 0.0));
    }
    for row in 0..area.height {
        let label = at.iter().find(|(line, _)| *line == row).map(|(_, value)| (chart.label)(*value));
        let lowest = if row == last { Lowest::Yes } else { Lowest::No };
        let Some(label) = label.filter(|label| !label.is_empty()) else { continue };
        let width = u16::try_from(label.chars().count()).unwrap_or(GUTTER).min(GUTTER - 2);
        let line = Rect { x: area.x + GUTTER - 2 - width, width: (width + 2).min(area.width), ..area };
        canvas.line(line, row).put(&label, theme.dim()).skip(1).put(theme.tick(lowest), theme.dim());
    }
}

/// The steps that a cell, or a column of dots, of so many shows.
fn steps_under(place: usize, places: usize, values: &[Option<f64>]) -> impl Iterator<Item = Option<f64>> {
    let from = place * values.len() / places.max(1);
    let to = ((place + 1) * values.len()).div_ceil(places.max(1)).max(from + 1);
    values.iter().skip(from).take(to - from).copied()
}

/// The cell that a step lies in.
fn cell_of(step: usize, steps: usize, width: u16) -> Option<u16> {
    let place = step * usize::from(width) / steps.max(1);
    u16::try_from(place).ok().filter(|cell| *cell < width)
}

/// Dots and looks of cells.
struct Grid {
    width: usize,
    height: usize,
    dots: (usize, usize),
    cells: Vec<(u8, Style)>,
}

impl Grid {
    fn new(area: Rect, theme: Theme) -> Self {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        Self { width, height, dots: theme.dots(), cells: vec![(0, Style::new()); width * height] }
    }

    fn cell(&self, column: u16, row: u16) -> (u8, Style) {
        self.cells.get(usize::from(row) * self.width + usize::from(column)).copied().unwrap_or_default()
    }

    fn set(&mut self, column: usize, row: usize, style: Style) {
        let (columns, rows) = self.dots;
        let bit = row % rows * columns + column % columns;
        if let Some(cell) = self.cells.get_mut(row / rows * self.width + column / columns) {
            cell.0 |= 1 << bit;
            cell.1 = style;
        }
    }

    /// Draws a curve: in each column of dots from the value before to its own, and nothing over a gap.
    fn trace(&mut self, curve: &Curve, top: f64, theme: Theme) {
        let columns = self.width * self.dots.0;
        let mut before: Option<usize> = None;
        for column in 0..columns {
            let value = value_at(column, columns, &curve.values);
            let Some(value) = value else {
                before = None;
                continue;
            };
            let row = self.row_of(value, top);
            let from = before.unwrap_or(row);
            let style = (curve.style)(theme, value);
            for between in from.min(row)..=from.max(row) {
                self.set(column, between, style);
            }
            before = Some(row);
        }
    }

    /// The row of dots of a value, 0 on top.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows are few and the share is bounded before the cast"
    )]
    fn row_of(&self, value: f64, top: f64) -> usize {
        let last = (self.height * self.dots.1).saturating_sub(1);
        let share = if top > 0.0 && value.is_finite() { (value / top).clamp(0.0, 1.0) } else { 0.0 };
        last - (share * last as f64).round() as usize
    }
}

/// The value of a column of dots: the greatest of its steps, or between its neighbours where steps are wider.
#[expect(clippy::cast_precision_loss, reason = "columns and steps are some hundreds")]
fn value_at(column: usize, columns: usize, values: &[Option<f64>]) -> Option<f64> {
    if values.len() >= columns {
        return steps_under(column, columns, values).flatten().reduce(f64::max);
    }
    // The value of a step stands in its middle; a curve goes straight from one to the next.
    let place = (column as f64 + 0.5) * values.len() as f64 / columns as f64 - 0.5;
    let step = column * values.len() / columns;
    let here = values.get(step).copied().flatten()?;
    let (neighbour, share) = if place < step as f64 {
        (step.checked_sub(1), step as f64 - place)
    } else {
        (Some(step + 1), place - step as f64)
    };
    let there = neighbour.and_then(|step| values.get(step).copied().flatten());
    Some(there.map_or(here, |there| (there - here).mul_add(share, here)))
}

/// The time that a chart shows.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Start of the first step.
    pub start: Time,
    /// Length of a step, milliseconds.
    pub step_ms: i64,
    /// How many there are.
    pub steps: usize,
}

impl Span {
    /// Start of a step.
    fn at(self, step: usize) -> Time {
        self.start + chrono::Duration::milliseconds(self.step_ms * i64::try_from(step).unwrap_or(0))
    }

    /// The step of a moment, if it lies in the span.
    fn step_of(self, at: Time) -> Option<usize> {
        let place = (at - self.start).num_milliseconds().div_euclid(self.step_ms.max(1));
        usize::try_from(place).ok().filter(|place| *place < self.steps)
    }
}

impl From<&ServiceHistory> for Span {
    fn from(history: &ServiceHistory) -> Self {
        Self { start: history.start, step_ms: history.step_ms, steps: history.points.len() }
    }
}

/// Draws the times under a chart, and marks where something happened.
pub fn times(canvas: &mut Canvas<'_>, area: Rect, span: Span, marks: &[&Mark]) {
    let theme = *canvas.theme;
    let plot = plot_area(area);
    let mut taken = vec![false; usize::from(plot.width)];
    let mut put = |canvas: &mut Canvas<'_>, cell: u16, text: &str, style: Style| {
        let length = u16::try_from(text.chars().count()).unwrap_or(plot.width);
        let start = cell.min(plot.width.saturating_sub(length));
        let places = usize::from(start)..usize::from(start + length).min(taken.len());
        let free = taken.get(places.start.saturating_sub(1)..(places.end + 1).min(taken.len()));
        if length <= plot.width && free.is_some_and(|cells| cells.iter().all(|cell| !cell)) {
            taken.iter_mut().take(places.end).skip(places.start).for_each(|cell| *cell = true);
            let place = Rect { x: plot.x + start, width: length, ..plot };
            canvas.line(place, 0).put(text, style);
        }
    };
    for mark in marks {
        if let Some(step) = span.step_of(mark.at)
            && let Some(cell) = cell_of(step, span.steps, plot.width)
        {
            let text: String = mark.text.chars().take(MARK).collect();
            put(canvas, cell, &format!("{} {text}", theme.moment()), theme.accent());
        }
    }
    for quarter in 0..4 {
        let step = span.steps * quarter / 4;
        if let Some(cell) = cell_of(step, span.steps, plot.width) {
            put(canvas, cell, &span.at(step).format("%H:%M").to_string(), theme.dim());
        }
    }
}

/// Draws the latency heat map of a history: the slow above, the more requests the denser.
pub fn heat(canvas: &mut Canvas<'_>, area: Rect, (title, history, cursor): (&str, &ServiceHistory, Option<usize>)) {
    let theme = *canvas.theme;
    let plot = plot_area(area);
    canvas.line(area, 0).skip(1).put_in(title, GUTTER - 2, theme.dim());
    let used = |row: usize| history.heat.iter().any(|step| step.get(row).is_some_and(|count| *count > 0));
    let rows = history.heat_bounds_us.len();
    let (Some(low), Some(high)) = ((0..rows).find(|row| used(*row)), (0..rows).rev().find(|row| used(*row))) else {
        return;
    };
    let lines = usize::from(plot.height).max(1);
    let span = high - low + 1;
    let greatest = history.heat.iter().flat_map(|step| step.iter()).copied().max().unwrap_or(1).max(1);
    let cursor = cursor.and_then(|step| cell_of(step, history.heat.len(), plot.width));
    for line in 0..plot.height {
        // Row 0 of the map is the fastest and lies at the foot.
        let from = low + usize::from(plot.height - 1 - line) * span / lines;
        let to = (low + usize::from(plot.height - line) * span / lines).max(from + 1);
        label_row(canvas, area, line, history.heat_bounds_us.get(to - 1).copied());
        let mut pen = canvas.line(plot, line);
        for cell in 0..plot.width {
            let (place, places) = (usize::from(cell), usize::from(plot.width));
            let first = place * history.heat.len() / places;
            let last = ((place + 1) * history.heat.len()).div_ceil(places).max(first + 1);
            let steps = history.heat.iter().skip(first).take(last - first);
            let count = steps.flat_map(|step| step.iter().take(to).skip(from)).copied().max().unwrap_or(0);
            let glyph = theme.shade(share_of(count, greatest));
            let style = theme.accent();
            let style = if cursor == Some(cell) { style.add_modifier(Modifier::REVERSED) } else { style };
            pen.put(glyph.encode_utf8(&mut [0; 4]), style);
        }
    }
}

/// A logarithm: few slow requests must be seen beside many fast ones.
fn share_of(count: u32, greatest: u32) -> f64 {
    if count == 0 { 0.0 } else { f64::from(count).ln_1p() / f64::from(greatest).ln_1p() }
}

fn label_row(canvas: &mut Canvas<'_>, area: Rect, line: u16, bound_us: Option<u64>) {
    let theme = *canvas.theme;
    let Some(bound) = bound_us.filter(|_| line.is_multiple_of(2)) else { return };
    let label = super::signals::micros(f64::from(u32::try_from(bound).unwrap_or(u32::MAX)));
    let width = u16::try_from(label.chars().count()).unwrap_or(GUTTER).min(GUTTER - 2);
    let place = Rect { x: area.x + GUTTER - 2 - width, width: width + 2, ..area };
    canvas.line(place, line).put(&label, theme.dim()).skip(1).put(theme.tick(Lowest::No), theme.dim());
}

/// The least round number (1, 2 or 5 times a power of ten) that is not below any value.
#[must_use]
pub fn round_top(values: impl Iterator<Item = f64>, least: f64) -> f64 {
    let greatest = values.filter(|value| value.is_finite()).fold(least, f64::max);
    let power = 10_f64.powf(greatest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= greatest).unwrap_or(greatest)
}

/// A sparkline of the last values that fit, against the greatest of them; a gap is blank.
#[must_use]
pub fn sparkline(theme: Theme, values: &[Option<f32>], cells: usize) -> String {
    let shown = values.get(values.len().saturating_sub(cells)..).unwrap_or(values);
    let greatest = shown.iter().flatten().copied().fold(0.0_f32, f32::max);
    let bar = |value: &Option<f32>| match value {
        None => ' ',
        Some(_) if greatest <= 0.0 => theme.spark(0.0),
        Some(value) => theme.spark(f64::from(*value / greatest)),
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests;
