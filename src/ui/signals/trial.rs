//! A health rule tried on what is over: health as it was above health as it would have been, and each change.

use ratatui::layout::Rect;

use crate::app::State;
use crate::app::signals::trial::{ShiftColumn, ShiftRow, TrialScreen, word};
use crate::model::human;
use crate::model::signal::{Health, Outcome, Trial};
use crate::ui::canvas::Canvas;
use crate::ui::chart;
use crate::ui::head::plural;
use crate::ui::signals::charts;
use crate::ui::table::{self, Cell, Cells};
use crate::ui::text;
use crate::ui::theme::{Theme, Tone};
use crate::ui::title::{self, Title};

/// Width of the words before the lines.
const WORD: u16 = 8;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &TrialScreen) {
    let theme = *canvas.theme;
    let layout = TrialScreen::layout(state.size());
    let crumbs = vec![&*screen.environment, "signals", &*screen.service, "backtest"];
    let facts = vec!["nothing takes effect here".to_owned()];
    title::draw(canvas, area, state, &Title { crumbs, facts, ..Title::default() });
    let mut pen = canvas.line(area, 1);
    pen.skip(1).field("rule", WORD, theme.dim());
    let from = if screen.expression == screen.in_force { "in force " } else { "typed; esc takes it back " };
    let room = pen.left().saturating_sub(u16::try_from(text::width(from)).unwrap_or(0) + 1);
    pen.put_in(&screen.expression, room, theme.text()).at_end(from, theme.dim());
    let verdict = Rect { y: area.y + 2, height: 2, ..area };
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    match screen.trial.as_deref() {
        None => {
            canvas.line(verdict, 0).skip(1).field("result", WORD, theme.dim()).put("asking…", theme.dim());
        }
        Some(Trial { outcome: Err(problem), .. }) => {
            refused(canvas, Rect { height: verdict.height + body.height, ..verdict }, problem);
        }
        Some(Trial { outcome: Ok(outcome), .. }) => {
            summary(canvas, verdict, outcome);
            compare(canvas, body, outcome, TrialScreen::plot_rows(state.size()));
            let below = Rect { y: body.y + body.height, height: layout.detail, ..area };
            if screen.shifts.counts().1 == 0 {
                let words = if outcome.windows == 0 {
                    "No windows with requests are known of the last hour."
                } else {
                    "Health would not have changed once."
                };
                canvas.line(below, 0).skip(1).put(words, theme.dim());
            } else {
                table::draw(canvas, below, &screen.shifts, &ShiftCells { theme });
            }
        }
    }
}

/// Why the expression cannot be used, with the place in it.
fn refused(canvas: &mut Canvas<'_>, area: Rect, problem: &str) {
    let theme = *canvas.theme;
    for (row, line) in (0..area.height).zip(problem.lines()) {
        let mut pen = canvas.line(area, row);
        pen.skip(1).field(if row == 0 { "mistake" } else { "" }, WORD, theme.dim()).put(line, theme.tone(Tone::Bad));
    }
}

/// How much would have been different, and where the rule says nothing.
fn summary(canvas: &mut Canvas<'_>, area: Rect, outcome: &Outcome) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 0);
    pen.skip(1).field("result", WORD, theme.dim());
    let windows = plural(outcome.windows, "window");
    let since = outcome.start.format("%H:%M:%S");
    if outcome.differing == 0 {
        pen.put(&format!("as it was in all {windows} since {since}"), theme.tone(Tone::Good));
    } else {
        let words = format!("different in {} of {windows} since {since}", outcome.differing);
        pen.put(&words, theme.tone(Tone::Warn));
    }
    pen.put(&format!("; {}", plural(outcome.shifts.len(), "change")), theme.text());
    let Some((reason, count)) = outcome.faults.first() else { return };
    let more = outcome.faults.iter().skip(1).map(|(_, count)| count).sum::<u64>();
    let mut pen = canvas.line(area, 1);
    let mut words = format!("no answer in {count}: {reason}");
    if more > 0 {
        words.push_str(&format!("; in {more} for other reasons"));
    }
    pen.skip(1).field("", WORD, theme.dim()).put(&words, theme.tone(Tone::Bad));
}

/// Health as it was above health as it would have been.
fn compare(canvas: &mut Canvas<'_>, area: Rect, outcome: &Outcome, rows: u16) {
    let place = |below: u16| Rect { y: area.y + below * rows, height: rows.min(area.height), ..area };
    let level = |health: Health| f64::from(health.level());
    let was = outcome.levels.iter().map(|it| it.map(|(was, _)| level(was))).collect();
    let would = outcome.levels.iter().map(|it| it.and_then(|(_, would)| would).map(level)).collect();
    chart::draw(canvas, place(0), &charts::health_chart(&["was"], was));
    chart::draw(canvas, place(1), &charts::health_chart(&["would"], would));
    let span = chart::Span { start: outcome.start, step_ms: outcome.step_ms, steps: outcome.levels.len() };
    chart::times(canvas, Rect { y: area.y + 2 * rows, height: 1, ..area }, span, &[]);
}

struct ShiftCells {
    theme: Theme,
}

impl Cells<ShiftRow> for ShiftCells {
    fn cell(&self, row: &ShiftRow, column: ShiftColumn) -> Cell {
        let theme = self.theme;
        match column {
            ShiftColumn::At => Cell::new(row.shift.at.format("%H:%M:%S").to_string(), theme.text()),
            ShiftColumn::From => Cell::new(word(row.shift.from), theme.health(row.shift.from)),
            ShiftColumn::To => Cell::new(word(row.shift.to), theme.health(row.shift.to)),
            ShiftColumn::For => {
                let lasted = row.lasted_ms.map_or_else(|| "until now".to_owned(), |ms| human::duration(ms / 1_000));
                Cell::new(lasted, theme.dim())
            }
        }
    }
}
