//! The exception radar: when failures came, each failure once, and the latest event of the chosen one.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::events::order;
use super::head::plural;
use super::logs::{crumbs, histogram, spark, trouble};
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use crate::app::State;
use crate::app::exceptions::{ExceptionColumn, ExceptionRow, ExceptionsScreen};
use crate::model::{Time, human};

/// Cells of the rate.
const RATE: usize = 8;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ExceptionsScreen) {
    let layout = screen.layout(state.size());
    let (shown, all) = screen.table.counts();
    let events: u64 = screen.table.rows().iter().map(|row| row.count).sum();
    let mut facts = vec![plural(all, "kind"), format!("{} events", human::count(events)), order(&screen.table)];
    if let Some(at) = screen.deployed {
        facts.push(format!("deployed {} ago", human::age(at, state.now())));
    }
    let warning = screen.news.as_ref().and_then(trouble);
    let title = Title { crumbs: crumbs(&screen.target, "exceptions"), facts, warning, ..Title::default() };
    title::draw(canvas, area, state, &title);
    if let Some(news) = &screen.news {
        histogram(canvas, Rect { y: area.y + 1, height: 1, ..area }, &news.histogram, None);
    }
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        nothing(canvas, list, screen);
        return;
    }
    table::draw(canvas, list, &screen.table, &ExceptionCells { theme: *canvas.theme, now: state.now() });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height, height: layout.detail + 1, ..area };
        if screen.pods { pods(canvas, detail, row) } else { sample(canvas, detail, row) }
    }
}

fn nothing(canvas: &mut Canvas<'_>, area: Rect, screen: &ExceptionsScreen) {
    let theme = *canvas.theme;
    let words = match &screen.news {
        None => "Opening the logs…".to_owned(),
        Some(_) if !screen.table.filter().is_empty() => "No failure has this text. esc clears the filter.".to_owned(),
        Some(news) if news.streams.is_empty() => "It has no pods now. New ones are followed as they come.".to_owned(),
        Some(news) => match (trouble(news), news.begin) {
            (Some(trouble), _) => format!("No failures so far; {trouble}. l shows the logs."),
            (None, Some(begin)) => format!("Nothing has failed since {}.", begin.format("%Y-%m-%d %H:%M:%SZ")),
            (None, None) => "Nothing was logged so far.".to_owned(),
        },
    };
    canvas.centred(area, &[(words, theme.dim())]);
}

/// The latest event of a failure: what was thrown, and the first frames.
fn sample(canvas: &mut Canvas<'_>, area: Rect, row: &ExceptionRow) {
    let theme = *canvas.theme;
    canvas.write(area, 0, &theme.sign(Sign::Rule).repeat(usize::from(area.width)), theme.dim());
    // Causes say more than frames, so the frames between them are left out.
    let lines: Vec<&str> = row.sample.lines().collect();
    let fits = lines.len() < usize::from(area.height);
    let is_frame = |line: &&&str| line.trim_start().starts_with("at ") || line.trim_start().starts_with("... ");
    let root = lines.iter().rposition(|line| line.starts_with("Caused by")).unwrap_or(0);
    let shown = lines.iter().enumerate().filter(|(index, line)| fits || *index >= root || !is_frame(line));
    for (line, (_, words)) in (1..area.height).zip(shown) {
        let frame = is_frame(&words);
        let style = if words.starts_with("Caused by") || line == 1 {
            theme.strong()
        } else if frame {
            theme.dim()
        } else {
            theme.text()
        };
        canvas.line(area, line).skip(1).put(&words.replace('\t', "    "), style);
    }
}

fn pods(canvas: &mut Canvas<'_>, area: Rect, row: &ExceptionRow) {
    let theme = *canvas.theme;
    canvas.write(area, 0, &theme.sign(Sign::Rule).repeat(usize::from(area.width)), theme.dim());
    let count = plural(row.pods.len(), "pod");
    let flink = if row.in_flink { ", and in Flink's exception history" } else { "" };
    canvas.line(area, 1).skip(1).put(&format!("in {count}{flink}:"), theme.strong());
    for (line, pod) in (2..area.height).zip(&row.pods) {
        canvas.line(area, line).skip(2).put(pod, theme.text());
    }
}

struct ExceptionCells {
    theme: Theme,
    now: Time,
}

impl Cells<ExceptionRow> for ExceptionCells {
    fn cell(&self, row: &ExceptionRow, column: ExceptionColumn) -> Cell {
        let theme = self.theme;
        match column {
            ExceptionColumn::New => Cell::new(if row.new { "NEW" } else { "" }, theme.tone(Tone::Bad)),
            ExceptionColumn::Count => Cell::new(human::count(row.count), theme.text()),
            ExceptionColumn::Rate => Cell::new(self.rate(row), theme.accent()),
            ExceptionColumn::First => Cell::new(self.moment(row.first), theme.text()),
            ExceptionColumn::Last => Cell::new(human::age(row.last, self.now), theme.text()),
            ExceptionColumn::Pods => Cell::new(row.pods.len().to_string(), theme.text()),
            ExceptionColumn::Cause => Cell::new(row.cause(), theme.strong()),
        }
    }
}

impl ExceptionCells {
    fn rate(&self, row: &ExceptionRow) -> String {
        let most = row.rate.iter().max().copied().unwrap_or(0);
        let skip = row.rate.len().saturating_sub(RATE);
        row.rate.iter().skip(skip).map(|count| spark(self.theme, u64::from(*count), u64::from(most))).collect()
    }

    /// The time of day; older than that, how long ago.
    fn moment(&self, time: Time) -> String {
        if (self.now - time).num_hours() < 24 {
            time.format("%H:%M:%S").to_string()
        } else {
            format!("{} ago", human::age(time, self.now))
        }
    }
}
