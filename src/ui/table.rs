//! Draws any list: headings, rows on screen, selection, and what stands there when there are no rows.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::theme::{Sign, Theme};
use crate::app::table::{Align, Column, Row, Table};

/// One piece of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Whether its end matters more than its beginning.
    pub keep_end: bool,
}

impl Cell {
    /// A cell.
    #[must_use]
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, keep_end: false }
    }

    /// A cell whose end is kept when it is too long.
    #[must_use]
    pub fn keep_end(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, keep_end: true }
    }

    /// A cell for what is not known.
    #[must_use]
    pub fn unknown(theme: Theme) -> Self {
        Self::new(theme.sign(Sign::Unknown), theme.dim())
    }

    /// A cell for what may be unknown.
    #[must_use]
    pub fn known(text: Option<String>, theme: Theme) -> Self {
        text.map_or_else(|| Self::unknown(theme), |text| Self::new(text, theme.text()))
    }
}

/// How rows of a kind are drawn.
pub trait Cells<R: Row> {
    /// One cell of a row.
    fn cell(&self, row: &R, column: R::Column) -> Cell;
    /// A sign before a row that stands out.
    fn mark(&self, _row: &R) -> Option<(&'static str, Style)> {
        None
    }
    /// Whether the keys move in this list.
    fn focused(&self) -> bool {
        true
    }
}

/// Draws the headings and the rows on screen.
pub fn draw<R: Row>(canvas: &mut Canvas<'_>, area: Rect, table: &Table<R>, cells: &impl Cells<R>) {
    let columns = table.columns();
    headings(canvas, area, table, &columns);
    for (index, row) in table.visible().enumerate() {
        let Ok(line) = u16::try_from(index + 1) else { return };
        if line >= area.height {
            return;
        }
        let selected = cells.focused() && table.offset() + index == table.cursor();
        draw_row(canvas, Rect { y: area.y + line, height: 1, ..area }, &columns, (row, selected, cells));
    }
}

fn headings<R: Row>(canvas: &mut Canvas<'_>, area: Rect, table: &Table<R>, columns: &[(Column<R::Column>, u16)]) {
    let theme = *canvas.theme;
    let sort = table.sort();
    let mut pen = canvas.line(area, 0);
    pen.skip(2);
    for (column, width) in columns {
        let sorted = sort.column == Some(column.id);
        let style = if sorted { theme.accent() } else { theme.dim() };
        let arrow = theme.sign(if sort.reversed { Sign::Descending } else { Sign::Ascending });
        let heading = format!("{}{}", column.title, if sorted { arrow } else { "" });
        match column.align {
            Align::Left => pen.field(&heading, *width, style),
            Align::Right => pen.field_right(&heading, *width, style),
        }
        .skip(1);
    }
}

fn draw_row<R: Row>(
    canvas: &mut Canvas<'_>,
    area: Rect,
    columns: &[(Column<R::Column>, u16)],
    (row, selected, cells): (&R, bool, &impl Cells<R>),
) {
    let theme = *canvas.theme;
    let charset = theme.charset();
    let mut pen = canvas.line(area, 0);
    if selected {
        pen.over(Theme::selected).put(theme.sign(Sign::Selected), theme.accent());
    } else {
        pen.skip(1);
    }
    match cells.mark(row) {
        Some((sign, style)) => pen.field(sign, 1, style),
        None => pen.skip(1),
    };
    for (column, width) in columns {
        let cell = cells.cell(row, column.id);
        let text = if cell.keep_end {
            let clean = super::text::clean_in(&cell.text, charset);
            super::text::cut_front(&clean, usize::from(*width), charset).into_owned()
        } else {
            cell.text
        };
        match column.align {
            Align::Left => pen.field(&text, *width, cell.style),
            Align::Right => pen.field_right(&text, *width, cell.style),
        }
        .skip(1);
    }
}
