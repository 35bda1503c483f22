//! A text: log lines, YAML, a stack trace.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::{Canvas, Pen};
use super::text;
use super::theme::{Theme, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::document::{Arrival, DocumentScreen};
use crate::app::screen::Part;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &DocumentScreen) {
    let layout = DocumentScreen::layout(state.size());
    let theme = *canvas.theme;
    let (from, to, all) = screen.place_in_text();
    let mut facts = Vec::new();
    if all > 0 {
        facts.push(format!("{from}-{to} of {all}"));
    }
    if screen.column > 0 && !screen.wrap {
        facts.push(format!("from column {}", screen.column + 1));
    }
    let room = usize::from(area.width).saturating_sub(facts.first().map_or(0, |fact| fact.len() + 3) + CLOCK);
    let crumb = fitting(&screen.title, room, theme);
    let title = Title { crumbs: vec![&crumb], facts, found: screen.matches(), ..Title::default() };
    title::draw(canvas, area, state, &title);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let message = match &screen.arrival {
        Arrival::Pending if all == 0 => Some(("Fetching…".to_owned(), theme.dim())),
        Arrival::Failed(why) => {
            Some((format!("It could not be fetched: {why}. r tries again, esc goes back."), theme.tone(Tone::Bad)))
        }
        Arrival::Here if all == 0 && !screen_filter(state).is_empty() => {
            let filter = screen_filter(state);
            Some((format!("No line has “{filter}”. esc clears the filter."), theme.dim()))
        }
        Arrival::Here if all == 0 => Some(("It is empty.".to_owned(), theme.dim())),
        Arrival::Pending | Arrival::Here => None,
    };
    if let Some((words, style)) = message {
        let clean = text::clean_in(&words, theme.charset());
        let wrapped = text::wrap(&clean, usize::from(body.width.saturating_sub(8)));
        let lines: Vec<(String, Style)> = wrapped.into_iter().map(|line| (line, style)).collect();
        canvas.centred(body, &lines);
        return;
    }
    lines(canvas, body, screen);
}

/// Cells for the clock and the gaps around it.
const CLOCK: usize = 15;

/// The title, with the front of the name at its beginning cut: what the text is must be seen.
fn fitting(title: &str, room: usize, theme: Theme) -> String {
    let clean = text::clean_in(title, theme.charset());
    let crumb = text::clean_in(" › ", theme.charset());
    match clean.split_once(&*crumb) {
        Some((name, rest)) if text::width(&clean) > room => {
            let cells = room.saturating_sub(text::width(rest) + text::width(&crumb)).max(8);
            format!("{}{crumb}{rest}", text::cut_front(name, cells, theme.charset()))
        }
        _ => clean.into_owned(),
    }
}

fn screen_filter(state: &State) -> &str {
    state.screen().part().filter()
}

fn lines(canvas: &mut Canvas<'_>, area: Rect, screen: &DocumentScreen) {
    let theme = *canvas.theme;
    let width = usize::from(area.width.saturating_sub(2));
    let height = usize::from(area.height);
    let shown: Vec<(String, Style)> = if !screen.wrap {
        screen.visible().take(height).map(|line| (side(line, screen.column, theme), looks(line, theme))).collect()
    } else if screen.is_at_end() {
        // The end must be on screen, however long the lines are; so it is laid out from there.
        let mut shown: Vec<(String, Style)> = Vec::new();
        for line in screen.visible_from_end() {
            shown.extend(broken(line, width, theme).into_iter().rev());
            if shown.len() >= height {
                break;
            }
        }
        shown.truncate(height);
        shown.reverse();
        shown
    } else {
        screen.visible().flat_map(|line| broken(line, width, theme)).take(height).collect()
    };
    for (row, (line, style)) in (0..).zip(&shown) {
        marked(canvas.line(area, row).skip(1), line, screen.filter(), (*style, theme));
    }
}

/// A line with what is looked for standing out.
fn marked(pen: &mut Pen<'_, '_>, line: &str, wanted: &str, (style, theme): (Style, Theme)) {
    let small = line.to_lowercase();
    // Letters whose small form is longer would shift what is marked.
    if wanted.is_empty() || small.len() != line.len() {
        pen.put(line, style);
        return;
    }
    let mut at = 0;
    for (from, found) in small.match_indices(wanted) {
        let to = from + found.len();
        pen.put(line.get(at..from).unwrap_or_default(), style);
        pen.put(line.get(from..to).unwrap_or_default(), theme.strong().patch(theme.tone(Tone::Warn)));
        at = to;
    }
    pen.put(line.get(at..).unwrap_or_default(), style);
}

fn harmless(line: &str, theme: Theme) -> String {
    let tabs = line.replace('\t', "    ");
    text::clean_in(&tabs, theme.charset()).into_owned()
}

fn side(line: &str, column: usize, theme: Theme) -> String {
    let clean = harmless(line, theme);
    if column == 0 {
        return clean;
    }
    text::split_at_width(&clean, column).1.to_owned()
}

fn broken(line: &str, width: usize, theme: Theme) -> Vec<(String, Style)> {
    let clean = harmless(line, theme);
    let style = looks(line, theme);
    let mut rest = clean.as_str();
    let mut parts = Vec::new();
    while text::width(rest) > width {
        let (head, tail) = break_at(rest, width.max(1));
        parts.push((head.to_owned(), style));
        rest = tail;
    }
    parts.push((rest.to_owned(), style));
    parts
}

/// Breaks after a space in the second half of the line, else where it must.
fn break_at(text: &str, width: usize) -> (&str, &str) {
    let (head, tail) = text::split_at_width(text, width);
    match head.rfind(' ') {
        Some(space) if space > head.len() / 2 => text.split_at(space + 1),
        _ => (head, tail),
    }
}

/// Lines that matter stand out; their words say the same.
fn looks(line: &str, theme: Theme) -> Style {
    let start = line.trim_start();
    if start.starts_with("Caused by:")
        || start.starts_with("root cause:")
        || line.contains(" ERROR ")
        || line.contains(" FATAL ")
    {
        theme.tone(Tone::Bad)
    } else if line.contains(" WARN ") {
        theme.tone(Tone::Warn)
    } else if start.starts_with("at ") || start.starts_with("... ") {
        theme.dim()
    } else {
        theme.text()
    }
}
