//! Environments: connections and watches.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::events::order;
use super::head::plural;
use super::standing::{self, Words};
use super::table::{self, Cell, Cells};
use super::theme::{self, Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::environments::{self, Environments, LinkColumn, LinkRow, Subject};
use crate::model::change::{Kind, ScopeState};
use crate::model::declaration::Declarer;
use crate::model::environment::{Backend, Link};
use crate::model::{Time, human};

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Environments) {
    let layout = Environments::layout(state.size());
    let theme = *canvas.theme;
    let broken = screen.table.rows().iter().filter(|row| row.error().is_some()).count();
    let title = Title {
        crumbs: vec!["environments"],
        facts: vec![plural(state.overview().environments().len(), "environment"), order(&screen.table)],
        warning: (broken > 0).then(|| format!("{broken} not as they should be")),
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if screen.table.counts().0 == 0 {
        let words =
            Words { things: "links", none: "No environments.", next: "flowdeck doctor says what it read and why." };
        standing::explain(canvas, list, state, (&words, state.overview().standings()));
        return;
    }
    table::draw(canvas, list, &screen.table, &LinkCells { theme, now: state.now() });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        let (word, words) = tell(row, state);
        why::paragraph(canvas, detail, word, &words);
    }
}

/// More of the selected row: its error in full and what to do, else what it is for.
fn tell(row: &LinkRow, state: &State) -> (&'static str, String) {
    if let Some(error) = row.error() {
        let next = match &row.state {
            environments::State::Link(Link::Forbidden { .. })
            | environments::State::Watch(ScopeState::Forbidden(_)) => {
                "Ask for this right, or narrow the namespaces; the rest works without it."
            }
            _ => "What is on screen is old until it answers. r tries now.",
        };
        return ("why", format!("{error}. {next}"));
    }
    let words = match (&row.state, row.subject) {
        (environments::State::Watch(ScopeState::Absent), _) => {
            "The cluster does not have this kind, which is fine without the Flink operator.".to_owned()
        }
        (environments::State::Link(Link::Idle), Subject::Link(Backend::Kafka)) => {
            format!("Not configured: set environments.{}.kafka.bootstrap.", row.environment)
        }
        (environments::State::Link(Link::Idle), Subject::Link(Backend::Objects)) => {
            format!("Not used: environments.{}.objects is for checkpoints in S3.", row.environment)
        }
        (_, Subject::Link(Backend::Kubernetes)) => {
            let context = state.inventory().environment(&row.environment).map(|it| (&it.context, it.protection));
            context
                .map_or_else(String::new, |(context, protection)| format!("Context {context}, {}.", protection.word()))
        }
        (_, Subject::Link(Backend::Flink)) => {
            "Flink's REST API, through the API server's proxy unless a URL is set.".to_owned()
        }
        (_, Subject::Link(Backend::Kafka)) => "Lists topics and groups, and reads offsets for lag.".to_owned(),
        (_, Subject::Link(Backend::Objects)) => "Checkpoints in S3.".to_owned(),
        (_, Subject::Watch(kind)) => format!(
            "Watch of {} in {}: {}.",
            kind.word(),
            row.namespace.as_deref().unwrap_or("all namespaces"),
            purpose(kind)
        ),
    };
    ("what", words)
}

/// What is made of a watched kind.
const fn purpose(kind: Kind) -> &'static str {
    match kind {
        Kind::Pods => "which JobManagers and TaskManagers run, and how they are",
        Kind::Declared(Declarer::FlinkDeployment) => "what the Flink operator is told to run, and what it answers",
        Kind::Declared(Declarer::FlinkSessionJob) => "jobs that the Flink operator runs on session clusters",
        Kind::Declared(Declarer::Job) => "JobManagers that run as Jobs, one for each application",
        Kind::Declared(Declarer::Deployment | Declarer::StatefulSet) => "how many pods of each processor are wanted",
        Kind::Events => "what the cluster says about pods, for V and for the screen of a pod",
    }
}

struct LinkCells {
    theme: Theme,
    now: Time,
}

impl Cells<LinkRow> for LinkCells {
    fn cell(&self, row: &LinkRow, column: LinkColumn) -> Cell {
        let theme = self.theme;
        let (glyph, tone) = self.state(row);
        match column {
            LinkColumn::Environment => Cell::new(&*row.environment, theme.dim()),
            LinkColumn::What => match row.subject {
                Subject::Link(_) => Cell::new(row.what(), theme.strong()),
                Subject::Watch(_) => Cell::new(format!("  {}", row.what()), theme.text()),
            },
            LinkColumn::State => Cell::new(format!("{glyph} {}", row.word()), theme.tone(tone)),
            LinkColumn::Since => row
                .since()
                .map_or_else(|| Cell::new("", theme.dim()), |at| Cell::new(human::age(at, self.now), theme.text())),
            LinkColumn::Next => row.next_try().map_or_else(
                || Cell::new("", theme.dim()),
                |at| Cell::new(human::duration((at - self.now).num_seconds()), theme.text()),
            ),
            LinkColumn::Place => {
                let place = row.address.as_deref().or(row.namespace.as_deref());
                let none = match row.subject {
                    Subject::Link(_) => "",
                    Subject::Watch(_) => "all namespaces",
                };
                Cell::new(place.unwrap_or(none), theme.dim())
            }
            LinkColumn::Error => Cell::new(row.error().map_or("", |error| error), theme.tone(Tone::Warn)),
        }
    }

    fn mark(&self, row: &LinkRow) -> Option<(&'static str, Style)> {
        row.error().map(|_| (self.theme.sign(Sign::Attention), self.theme.tone(Tone::Bad)))
    }
}

impl LinkCells {
    fn state(&self, row: &LinkRow) -> (&'static str, Tone) {
        match &row.state {
            environments::State::Link(link) => (self.theme.link_glyph(link), theme::link_tone(link)),
            environments::State::Watch(scope) => (self.theme.scope_glyph(scope), theme::scope_tone(scope)),
        }
    }
}
