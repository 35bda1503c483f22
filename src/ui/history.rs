//! The revisions of a pipeline.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::head::plural;
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::history::{HistoryScreen, RevisionColumn, RevisionRow};
use crate::model::{Time, human};
use crate::plan::revision;

struct RevisionCells {
    theme: Theme,
    now: Time,
    marked: Option<u64>,
}

impl Cells<RevisionRow> for RevisionCells {
    fn cell(&self, row: &RevisionRow, column: RevisionColumn) -> Cell {
        let (theme, it) = (self.theme, &row.0);
        match column {
            RevisionColumn::Number => Cell::new(it.number.to_string(), theme.strong()),
            RevisionColumn::State => {
                let tone = match it.state {
                    revision::State::Deployed => Tone::Good,
                    revision::State::Pending => Tone::Warn,
                    revision::State::Failed => Tone::Bad,
                    revision::State::Superseded => Tone::Quiet,
                };
                Cell::new(it.state.word(), theme.tone(tone))
            }
            RevisionColumn::Age => Cell::new(human::age(it.at, self.now), theme.text()),
            RevisionColumn::Verb => Cell::new(it.verb.word(), theme.text()),
            RevisionColumn::By => Cell::new(&*it.by, theme.text()),
            RevisionColumn::Note => Cell::new(&*it.note, theme.dim()),
        }
    }

    fn mark(&self, row: &RevisionRow) -> Option<(&'static str, Style)> {
        (self.marked == Some(row.0.number)).then(|| (self.theme.sign(Sign::Marked), self.theme.accent()))
    }
}

/// Draws the revisions.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &HistoryScreen) {
    let theme = *canvas.theme;
    let layout = HistoryScreen::layout(state.size());
    let (shown, all) = screen.table.counts();
    let marked = screen.marked.map(|number| format!("compared with {number}"));
    let facts = [Some(plural(all, "revision")), marked].into_iter().flatten().collect();
    let crumbs: Vec<&str> = vec![&screen.key.environment, &screen.key.name, "history"];
    title::draw(canvas, area, state, &Title { crumbs, facts, ..Title::default() });
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        let none = ("It has no revisions.", "flowdeck did not deploy it; v shows what can be done, adopt among it.");
        return why::nothing(canvas, list, (screen.dossier.as_ref().map(Result::as_ref), screen.table.filter(), none));
    }
    table::draw(canvas, list, &screen.table, &RevisionCells { theme, now: state.now(), marked: screen.marked });
    if let Some((from, to)) = screen.pair().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "", &format!("d shows what differs between revisions {from} and {to}"));
    }
}
