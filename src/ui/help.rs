//! The keys, made from the table of actions.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::foot::key_name;
use super::theme::{Sign, Theme};
use crate::app::State;
use crate::app::help::{self, HelpLine};
use crate::model::verdict::Condition;

/// Draws the help from a line on.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, offset: usize) {
    let theme = *canvas.theme;
    let place = state.screen().part().place();
    let lines = help::lines(place);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let last = (offset + usize::from(body.height)).min(lines.len());
    let mut pen = canvas.line(area, 0);
    pen.skip(1).put(&format!("help: {}", place.word()), theme.strong());
    pen.at_end(&format!("{}-{last} of {} ", offset + 1, lines.len()), theme.dim());
    for (row, line) in (0..body.height).zip(lines.iter().skip(offset)) {
        draw_line(canvas, body, row, line);
    }
}

fn draw_line(canvas: &mut Canvas<'_>, area: Rect, row: u16, line: &HelpLine) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, row);
    match line {
        HelpLine::Blank => {}
        HelpLine::Heading(word) => {
            pen.skip(1).put(word, theme.accent());
        }
        HelpLine::Keys(keys, help) => {
            let names: Vec<String> = keys.iter().map(|key| key_name(key, theme)).collect();
            pen.skip(3).field(&names.join("  "), 25, theme.strong()).skip(1).put(help, theme.text());
        }
        HelpLine::Legend(word, help) => {
            let sign = legend_sign(word, theme);
            pen.skip(3).field(&format!("{sign} {word}"), 25, theme.strong()).skip(1).put(help, theme.text());
        }
    }
}

fn legend_sign(word: &str, theme: Theme) -> &'static str {
    let conditions = [
        Condition::Failing,
        Condition::Degraded,
        Condition::Deploying,
        Condition::Unknown,
        Condition::Running,
        Condition::Stopped,
    ];
    match word {
        "worse" => theme.sign(Sign::Worse),
        "stale" => theme.sign(Sign::Stale),
        _ => conditions.into_iter().find(|it| it.word() == word).map_or("", |it| theme.condition_glyph(it)),
    }
}
