//! A log: when how much came, the events, and what their fields hold.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::head::plural;
use super::text;
use super::theme::{Theme, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::logs::{Least, LogScreen, OPEN_LINES, is_bad};
use crate::logs::event::Level;
use crate::logs::history::Kind;
use crate::logs::news::{Histogram, News, Row};
use crate::model::human;
use crate::model::log::{StreamState, Target};

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &LogScreen) {
    let layout = screen.layout(state.size());
    heading(canvas, area, state, screen);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if let Some(news) = &screen.news {
        let line = Rect { y: area.y + 1, height: 1, ..area };
        histogram(canvas, line, &news.histogram, screen.bar);
    }
    if screen.rows.is_empty() {
        nothing(canvas, body, screen);
    } else {
        events(canvas, body, screen);
    }
    if let Some(news) = screen.news.as_ref().filter(|_| layout.detail > 0) {
        let detail = Rect { y: body.y + body.height + 1, height: layout.detail, ..area };
        facets(canvas, detail, news);
    }
}

/// The way to a target.
pub(super) fn crumbs<'a>(target: &'a Target, last: &'a str) -> Vec<&'a str> {
    let key = target.key();
    let mut crumbs = vec![&*key.environment, &*key.name];
    if let Target::Pod(_, Some(container)) | Target::Previous(_, Some(container)) = target {
        crumbs.push(container);
    }
    if let Target::Previous(..) = target {
        crumbs.push("before the restart");
    }
    crumbs.push(last);
    crumbs
}

/// How the logs stand, in words, when not all is well.
pub(super) fn trouble(news: &News) -> Option<String> {
    let of = |state: &StreamState| match state {
        StreamState::Forbidden(_) => Some("forbidden"),
        StreamState::Away(..) => Some("not readable"),
        StreamState::Waiting(_) => Some("not started"),
        _ => None,
    };
    let word = news.streams.iter().find_map(|(_, state)| of(state))?;
    let count = news.streams.iter().filter(|(_, state)| of(state) == Some(word)).count();
    Some(format!("{count} of {} {word}", plural(news.streams.len(), "log")))
}

fn heading(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &LogScreen) {
    let mut facts = Vec::new();
    let mut warning = screen.wrong.clone();
    match screen.least {
        Least::All => {}
        Least::Warn => facts.push("warnings".to_owned()),
        Least::Error => facts.push("errors".to_owned()),
    }
    if screen.exceptions {
        facts.push("exceptions".to_owned());
    }
    if !screen.follows {
        facts.push("standing still".to_owned());
    }
    if let Some(news) = &screen.news {
        let (kept, dropped) = news.events;
        if news.searched < 100 {
            facts.push(format!("searched {}%", news.searched));
        }
        facts.push(format!("{} events", human::count(if screen.is_filtered() { news.found } else { kept })));
        if news.gaps > 0 {
            facts.push(plural(usize::try_from(news.gaps).unwrap_or(usize::MAX), "gap"));
        }
        if dropped > 0 {
            facts.push(format!("{} older let go", human::count(dropped)));
        }
        warning = warning.or_else(|| trouble(news));
    }
    let title = Title { crumbs: crumbs(&screen.target, "log"), facts, warning, ..Title::default() };
    title::draw(canvas, area, state, &title);
}

/// Events over time in one line: the bars, then from when to when.
pub(super) fn histogram(canvas: &mut Canvas<'_>, area: Rect, histogram: &Histogram, chosen: Option<usize>) {
    let theme = *canvas.theme;
    let Some(start) = histogram.start else { return };
    let begin = |bar: usize| histogram.span(bar).map_or(start, |(begin, _)| begin);
    let end = begin(histogram.bars.len());
    let form = if histogram.step_seconds >= 3_600 { "%m-%d %H:%M" } else { "%H:%M:%S" };
    let span = match chosen.and_then(|at| Some((at, histogram.bars.get(at)?))) {
        Some((at, bar)) => {
            format!(" {} {}: {}", begin(at).format(form), human::duration(histogram.step_seconds), bar.count)
        }
        None => format!(" {} - {}", start.format(form), end.format(form)),
    };
    let room = usize::from(area.width).saturating_sub(span.len() + 2);
    let skipped = histogram.bars.len().saturating_sub(room);
    // The chosen bar stays in sight.
    let skipped = chosen.map_or(skipped, |at| skipped.min(at));
    let most = histogram.bars.iter().map(|bar| bar.count).max().unwrap_or(0);
    let mut pen = canvas.line(area, 0);
    pen.skip(1);
    for (index, bar) in histogram.bars.iter().enumerate().skip(skipped).take(room) {
        let style = if bar.bad > 0 { theme.tone(Tone::Bad) } else { theme.accent() };
        if chosen == Some(index) {
            let sign = if bar.count == 0 { "_".to_owned() } else { spark(theme, bar.count, most) };
            pen.put(&sign, theme.selected(style));
        } else {
            pen.put(&spark(theme, bar.count, most), style);
        }
    }
    pen.put(&span, theme.dim());
}

/// A cell as high as a count is of the most; empty for none.
#[expect(clippy::cast_precision_loss, reason = "eight steps need no 53 bits")]
pub(super) fn spark(theme: Theme, count: u64, most: u64) -> String {
    if count == 0 { " ".to_owned() } else { theme.spark(count as f64 / most.max(1) as f64).to_string() }
}

/// What stands there when there are no events.
fn nothing(canvas: &mut Canvas<'_>, area: Rect, screen: &LogScreen) {
    let theme = *canvas.theme;
    let Some(news) = &screen.news else {
        canvas.centred(area, &[("Opening the logs…".to_owned(), theme.dim())]);
        return;
    };
    let states: Vec<(String, Style)> = news
        .streams
        .iter()
        .filter(|(_, state)| !matches!(state, StreamState::Live | StreamState::Ended(_)))
        .take(usize::from(area.height.saturating_sub(4)))
        .map(|(container, state)| (format!("{}: {}", container.pod.name, state.words()), theme.tone(Tone::Warn)))
        .collect();
    let words = if news.streams.is_empty() {
        "It has no pods now. New ones are followed as they come."
    } else if screen.is_filtered() && news.searched < 100 {
        "Searching…"
    } else if screen.is_filtered() {
        "Nothing matches so far. esc clears the search; e and x change what is shown."
    } else if states.is_empty() {
        "Nothing was logged so far. Lines show as they are written."
    } else {
        "Nothing could be read so far."
    };
    let mut lines = vec![(words.to_owned(), theme.dim())];
    lines.extend(states);
    canvas.centred(area, &lines);
}

fn events(canvas: &mut Canvas<'_>, area: Rect, screen: &LogScreen) {
    let mut line = 0;
    for (index, row) in screen.rows.iter().enumerate().skip(screen.top) {
        if line >= area.height {
            return;
        }
        event(canvas, Rect { y: area.y + line, height: 1, ..area }, (screen, row), index == screen.cursor);
        line += 1;
        if screen.is_open(row) {
            for more in row.text.lines().skip(1).take(OPEN_LINES - 1) {
                if line >= area.height {
                    return;
                }
                let theme = *canvas.theme;
                let style = if more.trim_start().starts_with("at ") { theme.dim() } else { theme.text() };
                words(canvas.line(area, line).skip(4), (screen, more), style, theme);
                line += 1;
            }
        }
    }
}

fn event(canvas: &mut Canvas<'_>, area: Rect, (screen, row): (&LogScreen, &Row), selected: bool) {
    let theme = *canvas.theme;
    let wide = area.width >= 120;
    let mut pen = canvas.line(area, 0);
    if selected {
        pen.over(Theme::selected);
    }
    if row.kind != Kind::Event {
        let tone = if row.kind == Kind::Gap { Tone::Warn } else { Tone::Quiet };
        let style = theme.tone(tone);
        pen.put(theme.sign(super::theme::Sign::Rule), style).skip(1);
        let pod = screen.source(row).unwrap_or_default();
        pen.put(&format!("{} {}", tail(pod, 20), row.text), style);
        return;
    }
    let mark = row.matches && screen.is_filtered() && !screen.only_matches;
    pen.put(if mark { "*" } else { " " }, theme.accent());
    pen.put(&row.time.format("%H:%M:%S%.3f").to_string(), theme.dim()).skip(1);
    pen.field(row.level.map_or("", Level::name), 5, level_style(row, theme)).skip(1);
    let several = screen.news.as_ref().is_some_and(|news| news.streams.len() > 1);
    if several {
        let most = if wide { 32 } else { 18 };
        let cells = u16::try_from(screen.source_cells()).unwrap_or(most).clamp(4, most);
        let pod = screen.short_source(row).unwrap_or_default();
        let shown = text::cut_front(pod, usize::from(cells), theme.charset()).into_owned();
        pen.field(&shown, cells, theme.accent()).skip(1);
    }
    let more = row.text.lines().count().saturating_sub(1);
    let style = if is_bad(row) { theme.tone(Tone::Bad) } else { theme.text() };
    let first = message(row);
    words(&mut pen, (screen, first), style, theme);
    if more > 0 && !screen.is_open(row) {
        pen.at_end(&format!(" +{more} "), theme.dim());
    }
}

/// The end of a name, which tells pods apart.
fn tail(name: &str, letters: usize) -> &str {
    name.char_indices().rev().nth(letters).and_then(|(at, _)| name.get(at..)).unwrap_or(name)
}

fn level_style(row: &Row, theme: Theme) -> Style {
    match row.level {
        Some(Level::Error | Level::Fatal) => theme.tone(Tone::Bad),
        Some(Level::Warn) => theme.tone(Tone::Warn),
        _ => theme.dim(),
    }
}

/// What an event says, without the time and level that stand in their own columns.
fn message(row: &Row) -> &str {
    let first = row.text.lines().next().unwrap_or_default();
    let message = crate::logs::header::read(first, row.time).and_then(|header| first.get(header.message..));
    match message.map(str::trim) {
        Some("") | None => first,
        Some(message) => message,
    }
}

/// A line with what was looked for standing out.
fn words(pen: &mut super::canvas::Pen<'_, '_>, (screen, line): (&LogScreen, &str), style: Style, theme: Theme) {
    let start = line.char_indices().nth(screen.column).map_or(line.len(), |(at, _)| at);
    let line = line.get(start..).unwrap_or_default();
    let mut at = 0;
    for (from, to) in screen.query.highlights(line) {
        if from < at {
            continue;
        }
        pen.put(&tabs(line.get(at..from).unwrap_or_default()), style);
        pen.put(&tabs(line.get(from..to).unwrap_or_default()), theme.strong().patch(theme.tone(Tone::Warn)));
        at = to;
    }
    pen.put(&tabs(line.get(at..).unwrap_or_default()), style);
}

fn tabs(line: &str) -> String {
    line.replace('\t', "    ")
}

/// Fields side by side, each with its commonest values.
fn facets(canvas: &mut Canvas<'_>, area: Rect, news: &News) {
    let theme = *canvas.theme;
    let count = u16::try_from(news.facets.len()).unwrap_or(1).max(1);
    let width = area.width.saturating_sub(1) / count;
    for (index, facet) in news.facets.iter().enumerate() {
        let x = area.x + 1 + u16::try_from(index).unwrap_or(0) * width;
        let column = Rect { x, width: width.saturating_sub(1), ..area };
        canvas.write(column, 0, facet.name, theme.strong());
        for (row, (value, count)) in (1..area.height).zip(&facet.values) {
            let number = human::count(*count);
            let cells = column.width.saturating_sub(u16::try_from(number.len()).unwrap_or(0) + 1);
            let shown = text::cut_front(value, usize::from(cells), theme.charset()).into_owned();
            let mut pen = canvas.line(column, row);
            pen.field(&shown, cells, theme.text()).skip(1).put(&number, theme.dim());
        }
    }
}
