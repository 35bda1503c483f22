//! Kubernetes events.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::head::plural;
use super::standing::{self, Words};
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::events::{EventColumn, EventRow, Events};
use crate::app::standing::Standings;
use crate::model::{Time, human};

const WORDS: Words = Words { things: "events", none: "No events.", next: "Kubernetes forgets events after an hour." };

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Events) {
    let layout = Events::layout(state.size());
    let (shown, all) = screen.table.counts();
    let warnings = screen.table.rows().iter().filter(|row| row.0.warning).count();
    let title = Title {
        crumbs: vec!["events"],
        facts: vec![plural(all, "event"), order(&screen.table)],
        warning: if screen.warnings_only {
            Some("warnings only".to_owned())
        } else {
            (warnings > 0).then(|| plural(warnings, "warning"))
        },
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        standing::explain(canvas, list, state, (&WORDS, &screen.standings));
        return;
    }
    table::draw(canvas, list, &screen.table, &EventCells { theme: *canvas.theme, now: state.now() });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let event = &row.0;
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        let words = format!("{} {}: {} ({})", event.kind, event.object, event.message, event.reporter);
        why::paragraph(canvas, detail, "says", &words);
    }
}

/// By what a list is sorted, in words.
#[must_use]
pub fn order<R: crate::app::table::Row>(table: &crate::app::table::Table<R>) -> String {
    table.sort_title().map_or_else(String::new, |title| format!("by {}", title.to_lowercase()))
}

/// Says why a pod has no events.
pub fn none(canvas: &mut Canvas<'_>, area: Rect, state: &State, (standings, environment): (&Standings, &Arc<str>)) {
    let words = Words {
        none: "No events about this pod.",
        next: "Kubernetes forgets events after an hour. l shows its log, Y its YAML.",
        ..WORDS
    };
    let mine: Standings = standings.iter().filter(|(name, _)| name == environment).cloned().collect();
    standing::explain(canvas, area, state, (&words, &mine));
}

/// How events are drawn.
#[derive(Clone, Copy, Debug)]
pub struct EventCells {
    /// Looks.
    pub theme: Theme,
    /// Now.
    pub now: Time,
}

impl Cells<EventRow> for EventCells {
    fn cell(&self, row: &EventRow, column: EventColumn) -> Cell {
        let (theme, event) = (self.theme, &row.0);
        let plain = theme.text();
        match column {
            EventColumn::Age => Cell::known(event.last_at.map(|at| human::age(at, self.now)), theme),
            EventColumn::Environment => Cell::new(&*event.key.environment, theme.dim()),
            EventColumn::Namespace => Cell::new(&*event.key.namespace, theme.dim()),
            EventColumn::Reason if event.warning => {
                Cell::new(format!("{} {}", theme.sign(Sign::Attention), event.reason), theme.tone(Tone::Warn))
            }
            EventColumn::Reason => Cell::new(format!("  {}", event.reason), plain),
            EventColumn::Object => Cell::keep_end(&*event.object, plain),
            EventColumn::Count => Cell::new(human::count(u64::from(event.count)), plain),
            EventColumn::Message => Cell::new(&*event.message, theme.dim()),
        }
    }
}
