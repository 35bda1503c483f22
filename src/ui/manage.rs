//! What stands around a pipeline's jobs: a list of facts, and how the selected one is edited.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::head::plural;
use super::table::{self, Cell, Cells};
use super::theme::{Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::manage::{FactColumn, FactRow, ManageScreen, Weight};
use crate::model::environment::Protection;

struct FactCells(Theme);

impl Cells<FactRow> for FactCells {
    fn cell(&self, row: &FactRow, column: FactColumn) -> Cell {
        let theme = self.0;
        match column {
            FactColumn::About => Cell::new(row.about, theme.dim()),
            FactColumn::Of => Cell::new(row.of.as_str(), theme.text()),
            FactColumn::What => {
                Cell::new(row.what.as_str(), if row.handle.is_some() { theme.strong() } else { theme.dim() })
            }
            FactColumn::Value => {
                let style = match row.weight {
                    Weight::Plain => theme.text(),
                    Weight::Unset => theme.dim(),
                    Weight::Doubtful => theme.tone(Tone::Warn),
                    Weight::Bad => theme.tone(Tone::Bad),
                };
                Cell::new(row.value.as_str(), style)
            }
        }
    }
}

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ManageScreen) {
    let theme = *canvas.theme;
    let layout = ManageScreen::layout(state.size());
    let (shown, all) = screen.table.counts();
    let protection = state.inventory().environment(&screen.key.environment).map(|it| it.protection);
    let protected = protection.filter(|it| *it != Protection::Open);
    let title = Title {
        crumbs: vec![&screen.key.environment, &screen.key.name, "manage"],
        facts: vec![plural(all, "fact")],
        warning: protected.map(|it| format!("{} is {}", screen.key.environment, it.word())),
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        let none = ("Nothing is known of it.", "r asks again");
        return why::nothing(canvas, list, (screen.around.as_ref().map(Result::as_ref), screen.table.filter(), none));
    }
    table::draw(canvas, list, &screen.table, &FactCells(theme));
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "", &explained(row, screen));
    }
}

/// The whole value, and how it is edited or why it cannot be.
fn explained(row: &FactRow, screen: &ManageScreen) -> String {
    match (&row.handle, &screen.against, &screen.around) {
        (_, _, Some(Err(why))) => format!("not asked again since: {why}; r asks once more"),
        (None, ..) => format!("{}: {}", row.what, row.value),
        (Some(_), Some(why), _) => format!("{}: {}; it cannot be edited: {why}", row.what, row.value),
        (Some(handle), None, _) => format!("{}: {}; enter edits it: {}", row.what, row.value, handle.help()),
    }
}
