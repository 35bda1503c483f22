//! What would change, and the lines to fill in before it does.

use ratatui::layout::Rect;

use crate::app::input::Input;
use crate::app::route::dialog::{Dialog, Line};
use crate::model::route::Route;
use crate::ui::canvas::Canvas;
use crate::ui::text;
use crate::ui::theme::{Sign, Tone};

/// Cells of the words before what is typed.
const WORDS: u16 = 24;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, dialog: &Dialog, route: &Route) {
    let theme = *canvas.theme;
    canvas.clear(area);
    canvas.write(area, 0, &theme.sign(Sign::Rule).repeat(usize::from(area.width)), theme.dim());
    canvas
        .line(area, 1)
        .skip(1)
        .put(&route.key.name, theme.text())
        .put(": ", theme.text())
        .put(&dialog.title(), theme.strong());
    let mut row = 2;
    for line in dialog.lines(route) {
        let (sign, words, style) = match line {
            Line::Before(words) => ("-", words, theme.tone(Tone::Bad)),
            Line::After(words) => ("+", words, theme.tone(Tone::Good)),
            Line::Warning(words) => ("!", words, theme.tone(Tone::Warn)),
            Line::Plain(words) => (" ", words, theme.dim()),
        };
        canvas.line(area, row).skip(1).put(sign, style).skip(1).put(&words, style);
        row += 1;
    }
    row += u16::from(area.height > row + 4);
    typed(
        canvas,
        Rect { y: area.y + row, height: area.height.saturating_sub(row).min(1), ..area },
        ("why", &dialog.why, !dialog.is_at_name),
    );
    if let Some((name, input)) = &dialog.name {
        let area = Rect { y: area.y + row + 1, height: area.height.saturating_sub(row + 1).min(1), ..area };
        typed(canvas, area, (&format!("type {name} to confirm"), input, dialog.is_at_name));
    }
}

fn typed(canvas: &mut Canvas<'_>, area: Rect, (words, input, has_cursor): (&str, &Input, bool)) {
    let theme = *canvas.theme;
    let (before, after) = input.parts();
    let cells = usize::from(area.width.saturating_sub(WORDS + 4));
    let clean = text::clean_in(&before, theme.charset());
    let before = text::cut_front(&clean, cells, theme.charset());
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field(words, WORDS, if has_cursor { theme.accent() } else { theme.dim() }).put(&before, theme.strong());
    if has_cursor {
        pen.put(theme.sign(Sign::Cursor), theme.accent());
    }
    pen.put(&after, theme.strong());
}
