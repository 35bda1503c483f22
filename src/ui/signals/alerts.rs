//! Alerts of all environments, the worst first, and what the selected one says.

use ratatui::layout::Rect;

use crate::app::State;
use crate::app::signals::alerts::{AlertColumn, AlertRow, AlertsScreen, word};
use crate::model::{Time, human};
use crate::ui::canvas::Canvas;
use crate::ui::events::order;
use crate::ui::head::plural;
use crate::ui::table::{self, Cell, Cells};
use crate::ui::theme::{self, Theme, Tone};
use crate::ui::title::{self, Title};
use crate::ui::why;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &AlertsScreen) {
    let layout = AlertsScreen::layout(state.size());
    let theme = *canvas.theme;
    let (shown, all) = screen.table.counts();
    let warning = (screen.firing > 0).then(|| format!("{} firing", screen.firing));
    let facts = vec![plural(all, "alert"), order(&screen.table)];
    title::draw(canvas, area, state, &Title { crumbs: vec!["alerts"], facts, warning, ..Title::default() });
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        canvas.centred(list, &nothing(state, screen, theme));
        return;
    }
    table::draw(canvas, list, &screen.table, &AlertCells { theme, now: state.now() });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "why", &row.alert.summary);
    }
}

fn nothing(state: &State, screen: &AlertsScreen, theme: Theme) -> Vec<(String, ratatui::style::Style)> {
    if !screen.table.filter().is_empty() && screen.table.counts().1 > 0 {
        return vec![(format!("No alert has “{}” in any column.", screen.table.filter()), theme.strong())];
    }
    if state.inventory().signals().is_empty() {
        return vec![
            ("No golden signals are configured, so nothing can alert.".to_owned(), theme.strong()),
            ("s says how to configure them".to_owned(), theme.dim()),
        ];
    }
    vec![
        ("No alert fires or fired lately.".to_owned(), theme.tone(Tone::Good)),
        ("Rules are in the signals spec, as [[alert]].".to_owned(), theme.dim()),
    ]
}

struct AlertCells {
    theme: Theme,
    now: Time,
}

impl Cells<AlertRow> for AlertCells {
    fn cell(&self, row: &AlertRow, column: AlertColumn) -> Cell {
        let (theme, alert) = (self.theme, &row.alert);
        let tone = theme.tone(theme::alert_tone(alert.state));
        match column {
            AlertColumn::State => Cell::new(format!("{} {}", theme.alert_glyph(alert.state), word(alert.state)), tone),
            AlertColumn::Severity => Cell::new(&*alert.severity, theme.text()),
            AlertColumn::Environment => Cell::new(&*row.environment, theme.dim()),
            AlertColumn::Service => Cell::keep_end(&*alert.service, theme.text()),
            AlertColumn::Rule => Cell::new(&*alert.rule, theme.text()),
            AlertColumn::Since => Cell::new(human::age(alert.since, self.now), theme.text()),
            AlertColumn::Answer => self.answer(row),
        }
    }
}

impl AlertCells {
    fn answer(&self, row: &AlertRow) -> Cell {
        let theme = self.theme;
        if let Some(until) = row.alert.snoozed_until.filter(|until| *until > self.now) {
            return Cell::new(format!("sleeps {}", human::duration((until - self.now).num_seconds())), theme.dim());
        }
        row.alert.acknowledged.as_ref().map_or_else(
            || Cell::new("", theme.dim()),
            |(who, at)| Cell::new(format!("{who}, {} ago", human::age(*at, self.now)), theme.dim()),
        )
    }
}
