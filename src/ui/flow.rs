//! The graph of a pipeline's processors.

use std::collections::HashMap;

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::canvas::Canvas;
use super::text;
use super::theme::{self, Sign, Theme};
use crate::app::flow::{FlowLine, Piece};
use crate::app::pipeline::PipelineScreen;

/// A word at a place.
struct Word {
    column: usize,
    text: String,
    style: Style,
}

/// No name takes more cells than the first, and none is cut to less than the second.
const NAMES: (usize, usize) = (48, 10);

/// Draws the graph. When it is wider than the area, names are cut; when that does not help, the part with
/// the chosen processor is shown.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, screen: &PipelineScreen) {
    let theme = *canvas.theme;
    let width = usize::from(area.width.saturating_sub(2));
    let (longest, shortest) = NAMES;
    let mut drawing = Drawing::new(screen, theme, longest);
    let mut cells = longest;
    while drawing.width() > width && cells > shortest {
        cells -= 1;
        drawing = Drawing::new(screen, theme, cells);
    }
    let longest = drawing.width();
    let Drawing { lines, chosen, .. } = drawing;
    let (chosen_line, from, to) = chosen.unwrap_or((0, 0, 0));
    let shift = if longest <= width { 0 } else { (to + 12).saturating_sub(width).min(from) };
    let height = usize::from(area.height);
    let top = (chosen_line + 1).saturating_sub(height).min(lines.len().saturating_sub(height));
    for (row, words) in (0..).zip(lines.iter().skip(top).take(height)) {
        for word in words {
            draw_word(canvas, Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }, (row, word), shift);
        }
        if shift > 0 {
            canvas.line(area, row).put(theme.sign(Sign::Cut), theme.dim());
        }
    }
}

fn draw_word(canvas: &mut Canvas<'_>, area: Rect, (row, word): (u16, &Word), shift: usize) {
    let end = word.column + text::width(&word.text);
    if end <= shift {
        return;
    }
    let shown =
        if word.column >= shift { word.text.as_str() } else { text::split_at_width(&word.text, shift - word.column).1 };
    let column = u16::try_from(word.column.saturating_sub(shift)).unwrap_or(u16::MAX);
    canvas.line(area, row).skip(column).put(shown, word.style);
}

/// Words placed line by line.
struct Drawing<'a> {
    screen: &'a PipelineScreen,
    theme: Theme,
    /// Cells that a name may take.
    name_cells: usize,
    lines: Vec<Vec<Word>>,
    /// Columns of the arrows by line and number of the piece.
    arrows: HashMap<(usize, usize), usize>,
    /// Where the chosen processor is: line, first and last column.
    chosen: Option<(usize, usize, usize)>,
}

impl<'a> Drawing<'a> {
    fn new(screen: &'a PipelineScreen, theme: Theme, name_cells: usize) -> Self {
        let mut drawing = Self { screen, theme, name_cells, lines: Vec::new(), arrows: HashMap::new(), chosen: None };
        for line in &screen.flow {
            drawing.add(line);
        }
        drawing
    }

    fn width(&self) -> usize {
        self.lines.iter().flatten().map(|word| word.column + text::width(&word.text)).max().unwrap_or(0)
    }

    fn add(&mut self, line: &FlowLine) {
        let number = self.lines.len();
        let mut words = Vec::new();
        let mut column = 0;
        if let Some(from) = line.branch {
            column = self.arrows.get(&from).copied().unwrap_or(0);
            self.stems(from.0 + 1, column);
            words.push(Word { column, text: self.theme.sign(Sign::Branch).to_owned(), style: self.theme.dim() });
            column += 1;
        }
        for (index, piece) in line.pieces.iter().enumerate() {
            if matches!(piece, Piece::Arrow) && !(index == 0 && line.branch.is_some()) {
                column += 1;
            }
            let (text, style) = self.word(piece);
            let end = column + text::width(&text);
            match piece {
                Piece::Arrow => drop(self.arrows.insert((number, index), column)),
                Piece::Processor(processor) if self.screen.chosen() == Some(*processor) => {
                    self.chosen = Some((number, column, end));
                }
                _ => {}
            }
            words.push(Word { column, text, style });
            column = end;
        }
        self.lines.push(words);
    }

    /// Draws a branch's line down through the lines between.
    fn stems(&mut self, from: usize, column: usize) {
        let (stem, fork, branch) =
            (self.theme.sign(Sign::Stem), self.theme.sign(Sign::Fork), self.theme.sign(Sign::Branch));
        let style = self.theme.dim();
        for line in self.lines.iter_mut().skip(from) {
            match line.iter_mut().find(|word| word.column == column) {
                Some(word) if word.text == branch => fork.clone_into(&mut word.text),
                Some(_) => {}
                None => line.push(Word { column, text: stem.to_owned(), style }),
            }
        }
    }

    fn word(&self, piece: &Piece) -> (String, Style) {
        let theme = self.theme;
        let clean = |words: &str| {
            let clean = text::clean_in(words, theme.charset());
            text::cut(&clean, self.name_cells, theme.charset()).into_owned()
        };
        match piece {
            Piece::Topic(name, 0) => (clean(name), theme.dim()),
            Piece::Topic(name, more) => (format!("{} +{more}", clean(name)), theme.dim()),
            Piece::Arrow => (format!("{} ", theme.sign(Sign::Arrow)), theme.dim()),
            Piece::Gap => ("   ".to_owned(), theme.text()),
            Piece::Again(index) => (format!("({})", clean(self.name(*index))), theme.dim()),
            Piece::Processor(index) => {
                let Some(view) = self.screen.processors.get(*index) else { return (String::new(), theme.text()) };
                let condition = view.verdict.condition;
                let mut style = theme.tone(theme::condition_tone(condition));
                if self.screen.chosen() == Some(*index) {
                    style = style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
                }
                (format!("{} {}", theme.condition_glyph(condition), clean(&view.key.name)), style)
            }
        }
    }

    fn name(&self, index: usize) -> &str {
        self.screen.processors.get(index).map_or("", |view| &view.key.name)
    }
}
