//! Lists around changes: what can be done to a pipeline, and the changes that were begun here.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::head::plural;
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::changes::{ChangeColumn, ChangeRow, Changes};
use crate::app::operations::Stage;
use crate::app::verbs::{VerbColumn, VerbRow, VerbsScreen};
use crate::event::Ending;
use crate::model::environment::Protection;
use crate::model::{Time, human};

struct VerbCells(Theme);

impl Cells<VerbRow> for VerbCells {
    fn cell(&self, row: &VerbRow, column: VerbColumn) -> Cell {
        let (theme, can) = (self.0, row.against.is_none());
        match column {
            VerbColumn::Verb => Cell::new(row.verb.word(), if can { theme.strong() } else { theme.dim() }),
            VerbColumn::Words => Cell::new(row.said(), if can { theme.text() } else { theme.dim() }),
        }
    }

    fn mark(&self, row: &VerbRow) -> Option<(&'static str, Style)> {
        row.against.as_ref().map(|_| (self.0.sign(Sign::Problem), self.0.tone(Tone::Bad)))
    }
}

/// Draws what can be done to a pipeline.
pub fn verbs(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &VerbsScreen) {
    let theme = *canvas.theme;
    let layout = VerbsScreen::layout(state.size());
    let dossier = screen.dossier.as_ref();
    let managed = match dossier {
        Some(Ok(known)) => match known.current() {
            Some(revision) => format!("revision {}", revision.number),
            None => "deployed by somebody else".to_owned(),
        },
        Some(Err(_)) => String::new(),
        None => "asking the cluster".to_owned(),
    };
    let protection = state.inventory().environment(&screen.key.environment).map(|it| it.protection);
    let protected = protection.filter(|it| *it != Protection::Open);
    let title = Title {
        crumbs: vec![&screen.key.environment, &screen.key.name, "what can be done"],
        facts: vec![managed],
        warning: protected.map(|it| format!("{} is {}", screen.key.environment, it.word())),
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    table::draw(canvas, list, &screen.table, &VerbCells(theme));
    let below = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
    let words = match (dossier, screen.table.selected()) {
        (Some(Err(why)), _) => format!("the cluster did not say what can be done: {why}; r asks again"),
        (None, _) => "the cluster is asked what you may do…".to_owned(),
        (_, Some(VerbRow { against: Some(why), .. })) => why.to_string(),
        (_, Some(_)) => "enter shows what it would mean; nothing is changed before you agree".to_owned(),
        (_, None) => return,
    };
    why::paragraph(canvas, below, "", &words);
}

struct ChangeCells {
    theme: Theme,
    now: Time,
}

impl Cells<ChangeRow> for ChangeCells {
    fn cell(&self, row: &ChangeRow, column: ChangeColumn) -> Cell {
        let (theme, operation) = (self.theme, &row.0);
        let subject = operation.intent.subject();
        match column {
            ChangeColumn::Age => Cell::new(human::age(operation.since, self.now), theme.text()),
            ChangeColumn::Environment => Cell::new(&*subject.environment, theme.dim()),
            ChangeColumn::Pipeline => Cell::new(&*subject.name, theme.strong()),
            ChangeColumn::Verb => Cell::new(operation.intent.ask.verb().word(), theme.text()),
            ChangeColumn::State => {
                let tone = match &operation.stage {
                    Stage::Ended(Ending::Done(_)) => Tone::Good,
                    Stage::Ended(Ending::Failed(_)) => Tone::Bad,
                    Stage::Ended(Ending::Cancelled(_)) | Stage::Making | Stage::Settling => Tone::Warn,
                    Stage::Planning | Stage::Planned => Tone::Quiet,
                };
                Cell::new(row.word(), theme.tone(tone))
            }
            ChangeColumn::Last => Cell::new(row.last(), theme.text()),
        }
    }
}

/// Draws the changes that were begun here.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Changes) {
    let theme = *canvas.theme;
    let layout = Changes::layout(state.size());
    let (shown, all) = screen.table.counts();
    let title = Title { crumbs: vec!["changes"], facts: vec![plural(all, "change")], ..Title::default() };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        let filter = screen.table.filter();
        let lines = if filter.is_empty() {
            let how = "v on a pipeline shows what can be done to it; flowdeck audit shows what was.";
            vec![("Nothing was changed from here yet.".to_owned(), theme.strong()), (how.to_owned(), theme.dim())]
        } else {
            vec![(format!("No row has “{filter}” in any column."), theme.strong())]
        };
        return why::centred(canvas, list, lines);
    }
    table::draw(canvas, list, &screen.table, &ChangeCells { theme, now: state.now() });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "last", &row.last());
    }
}
