//! Consumer groups, and the partitions of one.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::events::order;
use super::head::plural;
use super::job::drain;
use super::standing::{self, Words};
use super::table::{self, Cell, Cells};
use super::theme::{Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::group::{GroupScreen, LagColumn, LagRow};
use crate::app::groups::{GroupColumn, GroupFacts, GroupRow, Groups};
use crate::model::human;
use crate::model::kafka::Group;

/// From here on lag that grows is worth a look, in milliseconds.
const LATE_MS: u64 = 30_000;

/// Draws the list above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Groups) {
    let layout = Groups::layout(state.size());
    let theme = *canvas.theme;
    let (shown, all) = screen.table.counts();
    let title = Title {
        crumbs: vec!["consumer groups"],
        facts: vec![plural(all, "group"), order(&screen.table)],
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        let words = Words {
            things: "consumer groups",
            none: "No consumer groups.",
            next: "Groups come from the Kafka cluster of each environment: set environments.NAME.kafka.bootstrap, then flowdeck doctor checks it.",
        };
        standing::explain(canvas, list, state, (&words, &screen.standings));
        return;
    }
    table::draw(canvas, list, &screen.table, &GroupCells { theme });
    if let Some((row, facts)) =
        screen.table.selected().and_then(|row| Some((row, row.facts.as_ref()?))).filter(|_| layout.detail > 0)
    {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "lag", &progress(facts, row.stopped));
    }
}

/// How a group gets on, in words.
fn progress(facts: &GroupFacts, stopped: bool) -> String {
    let Some(lag) = facts.lag else { return "it has committed nothing yet".to_owned() };
    if lag == 0 {
        return "it has caught up".to_owned();
    }
    let behind = facts.behind_ms.map_or_else(String::new, |ms| format!(" ({} behind)", human::milliseconds(ms)));
    if stopped {
        let lag = human::count(lag);
        return format!("{lag} records{behind}; its reader is stopped on purpose; lag grows until it runs again");
    }
    let trend = match (facts.growth, facts.drain_seconds) {
        (_, Some(seconds)) => format!("gone in {} at the present rates", drain(seconds)),
        (Some(growth), None) if growth > 0.0 => {
            format!("grows {}/s: it does not catch up", human::rate(growth))
        }
        (Some(_), None) => "neither grows nor shrinks".to_owned(),
        (None, None) => "its trend is not known yet".to_owned(),
    };
    format!("{} records{behind}, {trend}", human::count(lag))
}

struct GroupCells {
    theme: Theme,
}

impl Cells<GroupRow> for GroupCells {
    fn cell(&self, row: &GroupRow, column: GroupColumn) -> Cell {
        let theme = self.theme;
        let facts = row.facts.as_ref();
        let known = |text: Option<String>| Cell::known(text, theme);
        let quiet = |cell: Cell| if row.stopped { Cell { style: theme.dim(), ..cell } } else { cell };
        match column {
            GroupColumn::Environment => Cell::new(&*row.key.environment, theme.dim()),
            GroupColumn::Name => Cell::new(&*row.key.name, theme.text()),
            GroupColumn::State => state_cell(theme, &row.state),
            GroupColumn::Members => known(facts.map(|it| it.members.to_string())),
            GroupColumn::Lag => quiet(known(facts.and_then(|it| it.lag).map(human::count))),
            GroupColumn::Behind => quiet(behind_cell(theme, facts.and_then(|it| it.behind_ms))),
            GroupColumn::Growth => known(facts.and_then(|it| it.growth).map(human::rate)),
            GroupColumn::Drain => match facts.map(|it| (it.lag, it.drain_seconds, it.growth)) {
                Some((Some(0), ..)) => Cell::new("0s", theme.dim()),
                Some((_, Some(seconds), _)) => Cell::new(drain(seconds), theme.text()),
                Some((Some(_), None, Some(growth))) if growth > 0.0 => {
                    let late =
                        !row.stopped && facts.and_then(|it| it.behind_ms).is_some_and(|behind| behind >= LATE_MS);
                    Cell::new("grows", if late { theme.tone(Tone::Warn) } else { theme.dim() })
                }
                _ => Cell::unknown(theme),
            },
            GroupColumn::Worst => {
                let worst = facts.and_then(|it| it.worst.as_ref());
                worst.map_or_else(
                    || Cell::unknown(theme),
                    |(topic, partition)| Cell::keep_end(format!("{topic}-{partition}"), theme.text()),
                )
            }
            GroupColumn::Processor => known(row.processor.as_ref().map(|key| key.name.to_string())),
        }
    }
}

/// Lag in time; nothing to see where there is none.
#[must_use]
pub fn behind_cell(theme: Theme, behind_ms: Option<u64>) -> Cell {
    match behind_ms {
        Some(0) => Cell::new("0s", theme.dim()),
        behind => Cell::known(behind.map(human::milliseconds), theme),
    }
}

fn state_cell(theme: Theme, state: &str) -> Cell {
    match state {
        "" => Cell::unknown(theme),
        "Stable" => Cell::new(state, theme.text()),
        "Empty" => Cell::new(state, theme.dim()),
        _ => Cell::new(state, theme.tone(Tone::Warn)),
    }
}

/// Draws one group above the foot.
pub fn draw_one(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &GroupScreen) {
    let layout = GroupScreen::layout(state.size());
    let theme = *canvas.theme;
    let title = Title {
        crumbs: vec![&screen.key.environment, "groups", &screen.key.name],
        facts: vec![order(&screen.table)],
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let head = Rect { height: layout.head, ..area };
    match &screen.group {
        None => canvas.write(head, 1, " asking Kafka…", theme.dim()),
        Some(group) => summary(canvas, head, screen, group),
    }
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    table::draw(canvas, list, &screen.table, &LagCells { theme });
}

fn summary(canvas: &mut Canvas<'_>, area: Rect, screen: &GroupScreen, group: &Group) {
    let theme = *canvas.theme;
    let facts = GroupFacts {
        members: group.members,
        lag: group.lag_records(),
        behind_ms: group.behind_ms(),
        growth: group.growth_per_second(),
        drain_seconds: group.drain_seconds(),
        worst: None,
    };
    let state = if group.state.is_empty() { "state unknown" } else { &group.state };
    let mut pen = canvas.line(area, 1);
    pen.skip(1).put(state, theme.strong()).skip(3).put(&plural(group.members as usize, "member"), theme.text());
    if let Some(processor) = &screen.processor {
        pen.skip(3).put("of ", theme.dim()).put(&processor.name, theme.text());
    }
    let rate = |rate: Option<f64>| rate.map_or_else(|| "unknown".to_owned(), |it| format!("{}/s", human::rate(it)));
    pen.skip(3).put(
        &format!("reads {}, written {}", rate(group.consumed_per_second), rate(group.produced_per_second)),
        theme.dim(),
    );
    canvas.line(area, 2).skip(1).put("lag ", theme.dim()).put(&progress(&facts, screen.stopped), theme.text());
}

struct LagCells {
    theme: Theme,
}

impl Cells<LagRow> for LagCells {
    fn cell(&self, row: &LagRow, column: LagColumn) -> Cell {
        let (theme, lag) = (self.theme, &row.0);
        match column {
            LagColumn::Topic => Cell::new(&*lag.topic, theme.text()),
            LagColumn::Partition => Cell::new(lag.partition.to_string(), theme.text()),
            LagColumn::Committed => Cell::known(lag.committed.map(|offset| offset.to_string()), theme),
            LagColumn::End => Cell::new(lag.high.to_string(), theme.dim()),
            LagColumn::Lag => Cell::known(lag.records().map(human::count), theme),
            LagColumn::Behind => behind_cell(theme, lag.behind_ms),
        }
    }
}
