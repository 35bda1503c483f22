//! What the palette offers, above the line that is typed.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::theme::{Sign, Theme};
use crate::app::palette::Palette;

/// Lines of offers at most.
const MOST: u16 = 10;

/// Draws the offers over the lower part of the screen.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, palette: &Palette) {
    let theme = *canvas.theme;
    let wanted = u16::try_from(palette.offers.len()).unwrap_or(MOST).clamp(1, MOST);
    let height = (wanted + 1).min(area.height);
    let over = Rect { y: area.y + area.height - height, height, ..area };
    canvas.clear(over);
    let rule = theme.sign(Sign::Rule).repeat(usize::from(area.width));
    canvas.write(over, 0, &rule, theme.dim());
    if palette.offers.is_empty() {
        canvas.line(over, 1).skip(2).put("nothing fits", theme.dim());
        return;
    }
    let rows = usize::from(height.saturating_sub(1)).max(1);
    let first = palette.cursor.map_or(0, |cursor| cursor + 1).saturating_sub(rows);
    for (line, (index, offer)) in (1..height).zip(palette.offers.iter().enumerate().skip(first)) {
        let mut pen = canvas.line(over, line);
        if Some(index) == palette.cursor {
            pen.over(Theme::selected).put(theme.sign(Sign::Selected), theme.accent());
        } else {
            pen.skip(1);
        }
        pen.skip(1).field(&offer.name, 30, theme.text()).skip(2).put(&offer.help, theme.dim());
    }
}
