//! The form of a new processor.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::head::plural;
use super::theme::{Sign, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::author::{AuthorScreen, FieldName};
use crate::model::config::Severity;

/// Cells of the labels.
const LABEL: usize = 14;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &AuthorScreen) {
    let layout = AuthorScreen::layout(state.size());
    let errors = screen.errors();
    let title = Title {
        crumbs: vec!["author", "a new processor"],
        facts: vec![plural(screen.files().len(), "file")],
        warning: (errors > 0).then(|| format!("{} to mend", plural(errors, "rule"))),
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let rows = FieldName::ALL.iter().enumerate().skip(screen.top());
    for (row, (index, name)) in (0..body.height).zip(rows) {
        field(canvas, (body, row), screen, (*name, index == screen.focus));
    }
    if layout.detail > 0 {
        let detail = Rect { y: body.y + body.height + 1, height: layout.detail, ..area };
        let name = screen.field();
        match screen.problem(name) {
            Some(problem) => {
                let word = if problem.severity == Severity::Error { "rule" } else { "hint" };
                why::paragraph(canvas, detail, word, &format!("{} {}. {}", name.label(), problem.message, name.help()));
            }
            None => why::paragraph(canvas, detail, "what", name.help()),
        }
    }
}

fn field(canvas: &mut Canvas<'_>, (body, row): (Rect, u16), screen: &AuthorScreen, (name, chosen): (FieldName, bool)) {
    let theme = *canvas.theme;
    let is_wrong = screen.problem(name).is_some();
    let mut pen = canvas.line(body, row);
    pen.put(if chosen { theme.sign(Sign::Selected) } else { " " }, theme.accent()).skip(1);
    let label = format!("{:<LABEL$}", name.label());
    pen.put(&label, if chosen { theme.strong() } else { theme.dim() });
    pen.put(if is_wrong { theme.sign(Sign::Problem) } else { " " }, theme.tone(Tone::Bad)).skip(1);
    let (value, is_made) = screen.value(name);
    if let Some(input) = screen.input().filter(|_| chosen) {
        let (before, after) = input.parts();
        pen.put(&before, theme.strong()).put(theme.sign(Sign::Cursor), theme.accent()).put(&after, theme.strong());
        if is_made && input.is_empty() {
            pen.skip(1).put(&value, theme.dim());
        }
        return;
    }
    pen.put(&value, if is_made { theme.dim() } else { theme.text() });
    if chosen {
        pen.skip(2).put("space chooses", theme.dim());
    }
}
