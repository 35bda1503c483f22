//! Why something is as it is: a few lines under a list, or a panel beside it.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::text;
use super::theme::{self, Sign, Tone};
use crate::app::State;
use crate::app::overview::PipelineRow;
use crate::model::human;

/// Cells before the text.
const INDENT: u16 = 6;

/// Draws sentences, each on a line of its own where there is room, else one after the other.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, why: &[Arc<str>]) {
    if why.is_empty() {
        return;
    }
    let words = once(why);
    let cells = usize::from(area.width.saturating_sub(INDENT + 1));
    let clean: Vec<String> =
        words.iter().map(|text| text::clean_in(text, canvas.theme.charset()).into_owned()).collect();
    let apart: usize = clean.iter().map(|text| text::wrap(text, cells).len()).sum();
    if apart > usize::from(area.height) {
        paragraph(canvas, area, "why", &format!("{}.", words.join("; ")));
        return;
    }
    let mut row = 0;
    for (index, sentence) in clean.iter().enumerate() {
        let height = u16::try_from(text::wrap(sentence, cells).len()).unwrap_or(area.height);
        let lines = Rect { y: area.y + row, height, ..area };
        paragraph(canvas, lines, if index == 0 { "why" } else { "" }, sentence);
        row += height;
    }
}

/// The sentences without the name at their beginning where the one before has the same.
fn once(why: &[Arc<str>]) -> Vec<&str> {
    let mut before = "";
    why.iter()
        .map(|sentence| {
            let sentence = sentence.trim_end_matches('.');
            match sentence.split_once(": ") {
                Some((name, rest)) if name == before && !name.contains(' ') => rest,
                Some((name, _)) => {
                    before = name;
                    sentence
                }
                None => sentence,
            }
        })
        .collect()
}

/// What came of asking for something: nothing yet, it, or why not.
pub type Asked<'a, T> = Option<Result<&'a Arc<T>, &'a Arc<str>>>;

/// Draws why there are no rows: it was not told yet, it is not told, nothing passes the filter, or there is nothing.
pub fn nothing<T>(canvas: &mut Canvas<'_>, area: Rect, (asked, filter, none): (Asked<'_, T>, &str, (&str, &str))) {
    let theme = *canvas.theme;
    let lines = match asked {
        None => vec![("Asking the cluster…".to_owned(), theme.strong())],
        Some(Err(why)) => vec![
            (format!("The cluster does not say: {why}"), theme.tone(Tone::Bad)),
            ("r asks again".to_owned(), theme.dim()),
        ],
        Some(Ok(_)) if !filter.is_empty() => vec![(format!("No row has “{filter}” in any column."), theme.strong())],
        Some(Ok(_)) => vec![(none.0.to_owned(), theme.strong()), (none.1.to_owned(), theme.dim())],
    };
    centred(canvas, area, lines);
}

/// Draws lines in the middle, broken where they do not fit.
pub fn centred(canvas: &mut Canvas<'_>, area: Rect, lines: Vec<(String, Style)>) {
    let charset = canvas.theme.charset();
    let wrap = |(line, style): (String, Style)| {
        let clean = text::clean_in(&line, charset).into_owned();
        let parts = text::wrap(&clean, usize::from(area.width.saturating_sub(8)));
        parts.into_iter().map(move |part| (part, style))
    };
    canvas.centred(area, &lines.into_iter().flat_map(wrap).collect::<Vec<_>>());
}

/// Draws a text under a short word.
pub fn paragraph(canvas: &mut Canvas<'_>, area: Rect, title: &str, words: &str) {
    let theme = *canvas.theme;
    canvas.line(area, 0).skip(1).put(title, theme.accent());
    let clean = text::clean_in(words, theme.charset());
    let cells = usize::from(area.width.saturating_sub(INDENT + 1));
    let mut broken = text::wrap(&clean, cells);
    let fits = usize::from(area.height);
    if broken.len() > fits {
        broken.truncate(fits);
        if let Some(last) = broken.last_mut() {
            let room = cells.saturating_sub(1).min(text::width(last));
            *last = format!("{}{}", text::split_at_width(last, room).0, theme.sign(Sign::Cut));
        }
    }
    for (row, line) in (0..).zip(&broken) {
        canvas.line(area, row).skip(INDENT).put(line, theme.text());
    }
}

/// Writes a text over as many lines as it takes from a line on; answers the next free one.
pub fn wrapped(canvas: &mut Canvas<'_>, area: Rect, line: u16, words: &str) -> u16 {
    let theme = *canvas.theme;
    let clean = text::clean_in(words, theme.charset());
    let mut next = line;
    for part in text::wrap(&clean, usize::from(area.width)) {
        canvas.line(area, next).put(&part, theme.text());
        next = next.saturating_add(1);
    }
    next
}

/// Draws the panel beside the list of pipelines.
pub fn panel(canvas: &mut Canvas<'_>, area: Rect, state: &State, row: &PipelineRow) {
    let theme = *canvas.theme;
    let view = &row.view;
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let condition = view.verdict.condition;
    let mut pen = canvas.line(inner, 0);
    pen.put(&view.key.name, theme.strong())
        .skip(2)
        .put(theme.condition_glyph(condition), theme.tone(theme::condition_tone(condition)))
        .skip(1)
        .put(condition.word(), theme.tone(theme::condition_tone(condition)));
    if let Some(since) = view.verdict.since {
        pen.skip(1).put(&format!("for {}", human::age(since, state.now())), theme.dim());
    }
    let facts = [
        ("namespace", Some(view.key.namespace.to_string())),
        ("team", view.team.as_ref().map(ToString::to_string)),
        ("revision", view.revision.as_ref().map(ToString::to_string)),
        ("age", view.created_at.map(|at| human::age(at, state.now()))),
        ("processors", Some(view.processors.join(", "))),
    ];
    let mut line = 2;
    for (word, value) in facts {
        let Some(value) = value else { continue };
        canvas.line(inner, line).field(word, 12, theme.dim()).put(&value, theme.text());
        line += 1;
    }
    line += 1;
    for sentence in once(&view.verdict.why) {
        line = wrapped(canvas, inner, line, sentence);
    }
}
