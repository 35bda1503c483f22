//! A text that is being written: line numbers, signs of what is wrong, and below it what it says and what may be written.

use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::text;
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::editor::{EditorScreen, Token, tokens};
use crate::model::config::{Problem, Severity};
use crate::model::human;
use crate::model::options::Known;

/// Offers that are listed at most.
const OFFERS: usize = 6;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &EditorScreen) {
    let layout = screen.layout(state.size());
    let theme = *canvas.theme;
    let path = screen.path.display().to_string();
    let clean = text::clean_in(&path, theme.charset());
    let room = usize::from(area.width / 2);
    let crumb = text::cut_front(&clean, room, theme.charset());
    let (facts, warning) = facts(state, screen);
    let object = screen.target.as_ref().map(|target| (target, target.id.to_string()));
    let crumbs: Vec<&str> = match &object {
        Some((target, _)) if target.id.name == *target.key.name => {
            vec![&target.key.environment, &target.key.name, target.id.kind.word()]
        }
        Some((target, id)) => vec![&target.key.environment, &target.key.name, id],
        None => vec![&crumb],
    };
    title::draw(canvas, area, state, &Title { crumbs, facts, warning, ..Title::default() });
    body(canvas, Rect { y: area.y + layout.head, height: layout.body, ..area }, screen);
    if layout.detail > 0 {
        let below = Rect { y: area.y + layout.head + layout.body + 1, height: layout.detail, ..area };
        detail(canvas, below, screen);
    }
}

fn facts(state: &State, screen: &EditorScreen) -> (Vec<String>, Option<String>) {
    let mut facts = Vec::new();
    let what = if screen.target.is_some() { "object" } else { "file" };
    let warning = screen.is_behind.then(|| format!("the {what} changed meanwhile"));
    if let Some(kept_at) = screen.resumed {
        facts.push(format!("draft of {} ago", human::age(kept_at, state.now())));
    } else if screen.is_changed() {
        facts.push("not saved, draft kept".to_owned());
    }
    let (errors, warnings) = screen.counts();
    let counted = |number: usize, word: &str| if number == 0 { String::new() } else { human::counted(number, word) };
    facts.push(counted(errors, "error"));
    facts.push(counted(warnings, "warning"));
    (facts, warning)
}

/// Draws the text with its line numbers.
pub(super) fn body(canvas: &mut Canvas<'_>, area: Rect, screen: &EditorScreen) {
    let (top, left) = screen.view();
    let digits = screen.lines().len().max(1).ilog10() as usize + 1;
    let gutter = u16::try_from(digits + 3).unwrap_or(area.width).min(area.width);
    for (row, (number, line)) in (0..area.height).zip(screen.lines().iter().enumerate().skip(top)) {
        number_of(canvas, area, row, (number, digits), screen);
        let place = Rect { x: area.x + gutter, width: area.width - gutter, y: area.y + row, height: 1 };
        written(canvas, place, line, left, &spans(line, number, screen, *canvas.theme));
    }
}

fn number_of(canvas: &mut Canvas<'_>, area: Rect, row: u16, (number, digits): (usize, usize), screen: &EditorScreen) {
    let theme = *canvas.theme;
    let style = if screen.cursor().0 == number { theme.strong() } else { theme.dim() };
    let mut pen = canvas.line(area, row);
    pen.put(&format!("{:>digits$} ", number + 1), style);
    if let Some(problem) = screen.problem_of(number) {
        pen.put(theme.sign(Sign::Problem), theme.tone(tone(problem)));
    }
}

const fn tone(problem: &Problem) -> Tone {
    match problem.severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warn,
    }
}

/// Looks by ranges of characters; later ones lie over earlier ones.
type Spans = Vec<(Range<usize>, Style)>;

fn spans(line: &str, number: usize, screen: &EditorScreen, theme: Theme) -> Spans {
    let letters = |byte: usize| line.get(..byte).map_or(0, |before| before.chars().count());
    let parts = tokens(line, screen.language).into_iter();
    let mut spans: Spans =
        parts.map(|(range, token)| (letters(range.start)..letters(range.end), looks(token, theme))).collect();
    for found in screen.matches(line) {
        spans.push((letters(found.start)..letters(found.end), theme.selected(theme.text())));
    }
    if let Some((from, to)) = screen.selection()
        && (from.0..=to.0).contains(&number)
    {
        let start = if number == from.0 { from.1 } else { 0 };
        let end = if number == to.0 { to.1 } else { usize::MAX };
        spans.push((start..end, theme.selected(theme.strong())));
    }
    if let Some((_, letter)) = screen.partner().filter(|partner| partner.0 == number) {
        spans.push((letter..letter + 1, theme.selected(theme.strong())));
    }
    let (row, letter) = screen.cursor();
    if row == number {
        spans.push((letter..letter + 1, theme.cursor()));
    }
    spans
}

const fn looks(token: Token, theme: Theme) -> Style {
    match token {
        Token::Key => theme.accent(),
        Token::Text | Token::Plain => theme.text(),
        Token::Value => theme.strong(),
        Token::Comment | Token::Mark => theme.dim(),
    }
}

/// Writes the letters of a line from `left` on, each in the look that lies on top.
fn written(canvas: &mut Canvas<'_>, place: Rect, line: &str, left: usize, spans: &Spans) {
    let theme = *canvas.theme;
    let mut letters = line.chars().enumerate().skip(left).peekable();
    let mut pen = canvas.line(place, 0);
    let style = |index: usize| {
        let over = spans.iter().rev().find(|(range, _)| range.contains(&index));
        over.map_or_else(|| theme.text(), |(_, style)| *style)
    };
    while let Some((index, letter)) = letters.next() {
        let (here, mut run) = (style(index), String::from(letter));
        while let Some((_, next)) = letters.next_if(|(next, _)| style(*next) == here) {
            run.push(next);
        }
        pen.put(&run.replace('\t', "  "), here);
        if pen.left() == 0 {
            return;
        }
    }
    let end = line.chars().count();
    if end >= left && spans.iter().any(|(range, _)| range.contains(&end)) {
        pen.put(" ", style(end));
    }
}

/// What is wrong in the cursor's line, else what may be written there, else what the option does.
pub(super) fn detail(canvas: &mut Canvas<'_>, area: Rect, screen: &EditorScreen) {
    let theme = *canvas.theme;
    let (line, _) = screen.cursor();
    let mut lines: Vec<(String, Style)> = Vec::new();
    let width = usize::from(area.width.saturating_sub(4));
    let mut put = |words: &str, style: Style| {
        let clean = text::clean_in(words, theme.charset()).into_owned();
        lines.extend(text::wrap(&clean, width).into_iter().map(|line| (line, style)));
    };
    for problem in screen.problems.iter().filter(|problem| problem.line == line + 1) {
        put(&words(problem), theme.tone(tone(problem)));
    }
    if !screen.offers.is_empty() {
        let names: Vec<&str> = screen.offers.iter().take(OFFERS).map(|offer| offer.name.as_str()).collect();
        let more = if screen.offers.len() > OFFERS { " …" } else { "" };
        put(&format!("tab takes {}{more}", names.join("   ")), theme.accent());
    }
    let option = screen.offers.first().map(|offer| offer.option).or(screen.option);
    if let Some(option) = option {
        put(&about(option), theme.text());
        put(option.description, theme.dim());
    }
    if lines.is_empty() {
        let (errors, warnings) = screen.counts();
        if errors + warnings > 0 {
            let first = screen.problems.first();
            let place = first.map_or(0, |problem| problem.line);
            lines.push((format!("F3 leads to line {place}, where something is wrong"), theme.dim()));
        } else {
            lines.push(("Nothing is wrong with it.".to_owned(), theme.dim()));
        }
    }
    for (row, (words, style)) in (0..area.height).zip(&lines) {
        canvas.line(area, row).skip(1).put(words, *style);
    }
}

fn words(problem: &Problem) -> String {
    let key = problem.path.rsplit('.').next().unwrap_or_default();
    let mend = if problem.instead.is_some() { "   tab takes it" } else { "" };
    if key.is_empty() { format!("{}{mend}", problem.message) } else { format!("{key}: {}{mend}", problem.message) }
}

fn about(option: &Known) -> String {
    let default = if option.default.is_empty() { String::new() } else { format!("   default {}", option.default) };
    let allowed = if option.allowed.is_empty() { String::new() } else { format!("   {}", option.allowed.join(", ")) };
    format!("{}   {}{default}{allowed}", option.key, option.kind.word())
}
