//! Writing cells: the only way in which text gets onto the screen.
//!
//! A [`Pen`] writes one line from left to right and stops at its end. Whatever it writes goes through
//! [`text::clean`] first.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::text;
use super::theme::{Sign, Theme};

/// Where to draw and how it should look.
pub struct Canvas<'a> {
    /// Cells.
    pub buffer: &'a mut Buffer,
    /// Looks.
    pub theme: &'a Theme,
}

impl<'a> Canvas<'a> {
    /// A pen at the beginning of a line of an area.
    pub const fn line<'b>(&'b mut self, area: Rect, row: u16) -> Pen<'b, 'a> {
        let inside = row < area.height;
        Pen {
            at: area.x,
            end: if inside { area.x + area.width } else { area.x },
            row: area.y + row,
            canvas: self,
            base: None,
        }
    }

    /// Writes a line of one style.
    pub fn write(&mut self, area: Rect, row: u16, words: &str, style: Style) {
        self.line(area, row).put(words, style);
    }

    /// Writes lines in the middle of an area.
    pub fn centred(&mut self, area: Rect, lines: &[(String, Style)]) {
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let top = area.height.saturating_sub(height) / 3;
        for (row, (words, style)) in (top..).zip(lines) {
            let words = text::clean_in(words, self.theme.charset());
            let size = u16::try_from(text::width(&words)).unwrap_or(u16::MAX);
            self.line(area, row).skip(area.width.saturating_sub(size) / 2).put(&words, *style);
        }
    }

    /// Draws a line down the left side of an area.
    pub fn rule_down(&mut self, area: Rect) {
        let (sign, style) = (self.theme.sign(Sign::Stem), self.theme.dim());
        for row in 0..area.height {
            self.write(area, row, sign, style);
        }
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        for row in area.rows() {
            for at in row.columns() {
                if let Some(cell) = self.buffer.cell_mut(Position::new(at.x, at.y)) {
                    cell.reset();
                }
            }
        }
    }
}

/// Writes one line.
pub struct Pen<'a, 'b> {
    canvas: &'a mut Canvas<'b>,
    at: u16,
    end: u16,
    row: u16,
    base: Option<fn(Theme, Style) -> Style>,
}

impl Pen<'_, '_> {
    /// Lays a look over all that follows, up to the end of the line.
    pub fn over(&mut self, base: fn(Theme, Style) -> Style) -> &mut Self {
        self.base = Some(base);
        let style = base(*self.canvas.theme, Style::new());
        self.canvas.buffer.set_style(Rect::new(self.at, self.row, self.end - self.at, 1), style);
        self
    }

    /// Leaves cells empty.
    pub fn skip(&mut self, cells: u16) -> &mut Self {
        self.at = self.at.saturating_add(cells).min(self.end);
        self
    }

    /// How everything looks.
    #[must_use]
    pub const fn theme(&self) -> Theme {
        *self.canvas.theme
    }

    /// Cells left.
    #[must_use]
    pub const fn left(&self) -> u16 {
        self.end - self.at
    }

    /// Writes text, cut where the line ends.
    pub fn put(&mut self, words: &str, style: Style) -> &mut Self {
        let cells = self.left();
        self.put_in(words, cells, style)
    }

    /// Writes text into at most so many cells.
    pub fn put_in(&mut self, words: &str, cells: u16, style: Style) -> &mut Self {
        let charset = self.canvas.theme.charset();
        let place = self.canvas.buffer.area;
        let cells = cells.min(self.left()).min(place.right().saturating_sub(self.at));
        if cells == 0 || !(place.top()..place.bottom()).contains(&self.row) {
            return self;
        }
        let words = text::clean_in(words, charset);
        let shown = text::cut(&words, usize::from(cells), charset);
        let style = self.base.map_or(style, |base| base(*self.canvas.theme, style));
        if shown.is_ascii() {
            // Nearly all text is; it needs no segmentation.
            for letter in shown.chars() {
                if let Some(cell) = self.canvas.buffer.cell_mut(Position::new(self.at, self.row)) {
                    cell.set_char(letter).set_style(style);
                }
                self.at += 1;
            }
        } else {
            let (end, _) = self.canvas.buffer.set_stringn(self.at, self.row, &shown, usize::from(cells), style);
            self.at = end.min(self.end);
        }
        self
    }

    /// Writes text into a field of so many cells, leaning to the left.
    pub fn field(&mut self, words: &str, cells: u16, style: Style) -> &mut Self {
        let start = self.at;
        self.put_in(words, cells, style);
        self.at = start.saturating_add(cells).min(self.end);
        self
    }

    /// Writes text into a field of so many cells, leaning to the right.
    pub fn field_right(&mut self, words: &str, cells: u16, style: Style) -> &mut Self {
        let size = self.measure(words).min(cells);
        self.skip(cells - size).put_in(words, size, style)
    }

    /// Writes text if all of it fits.
    pub fn put_whole(&mut self, words: &str, style: Style) -> bool {
        let fits = self.measure(words) <= self.left();
        if fits {
            self.put(words, style);
        }
        fits
    }

    /// Writes text at the end of the line if it fits with a gap before it.
    pub fn at_end(&mut self, words: &str, style: Style) -> &mut Self {
        let size = self.measure(words);
        if size >= self.left() {
            return self;
        }
        let gap = self.left() - size;
        self.skip(gap).put(words, style)
    }

    fn measure(&self, words: &str) -> u16 {
        let clean = text::clean_in(words, self.canvas.theme.charset());
        u16::try_from(text::width(&clean)).unwrap_or(u16::MAX)
    }
}
