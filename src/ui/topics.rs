//! Topics, and the partitions of one.

use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::events::order;
use super::head::plural;
use super::pods::share_cell;
use super::standing::{self, Words};
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::topic::{PartitionColumn, PartitionRow, TopicScreen};
use crate::app::topics::{Knowledge, TopicColumn, TopicRow, Topics};
use crate::model::human;

/// Draws the list above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &Topics) {
    let layout = Topics::layout(state.size());
    let theme = *canvas.theme;
    let (shown, all) = screen.table.counts();
    let title =
        Title { crumbs: vec!["topics"], facts: vec![plural(all, "topic"), order(&screen.table)], ..Title::default() };
    title::draw(canvas, area, state, &title);
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if shown == 0 {
        let words = Words {
            things: "topics",
            none: "No topics.",
            next: "Topics come from the Kafka cluster of each environment: set environments.NAME.kafka.bootstrap, then flowdeck doctor checks it.",
        };
        standing::explain(canvas, list, state, (&words, &screen.standings));
        return;
    }
    table::draw(canvas, list, &screen.table, &TopicCells { theme });
    if let Some(row) = screen.table.selected().filter(|_| layout.detail > 0)
        && let Knowledge::Missing(reason) = &row.facts
    {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "why", reason);
    }
}

struct TopicCells {
    theme: Theme,
}

impl Cells<TopicRow> for TopicCells {
    fn cell(&self, row: &TopicRow, column: TopicColumn) -> Cell {
        let theme = self.theme;
        let facts = match &row.facts {
            Knowledge::Known(facts) => Some(facts),
            Knowledge::Missing(_) if column == TopicColumn::Records => {
                return Cell::new("missing", theme.tone(Tone::Bad));
            }
            Knowledge::Pending | Knowledge::Missing(_) => None,
        };
        let known = |text: Option<String>| Cell::known(text, theme);
        let names = |names: &[Arc<str>]| Cell::new(names.join(", "), theme.text());
        match column {
            TopicColumn::Environment => Cell::new(&*row.key.environment, theme.dim()),
            TopicColumn::Name => Cell::new(&*row.key.name, theme.text()),
            TopicColumn::Partitions => known(facts.map(|it| it.partitions.to_string())),
            TopicColumn::Leaderless => match facts.map(|it| it.leaderless) {
                Some(0) => Cell::new("0", theme.dim()),
                Some(number) => Cell::new(number.to_string(), theme.tone(Tone::Bad)),
                None => Cell::unknown(theme),
            },
            TopicColumn::Records => known(facts.map(|it| human::count(it.records))),
            TopicColumn::Rate => known(facts.and_then(|it| it.rate).map(human::rate)),
            TopicColumn::Writers => names(&row.writers),
            TopicColumn::Readers => names(&row.readers),
        }
    }

    fn mark(&self, row: &TopicRow) -> Option<(&'static str, Style)> {
        let leaderless = matches!(&row.facts, Knowledge::Known(facts) if facts.leaderless > 0);
        let missing = matches!(&row.facts, Knowledge::Missing(_));
        (leaderless || missing).then(|| (self.theme.sign(Sign::Attention), self.theme.tone(Tone::Bad)))
    }
}

/// Draws one topic above the foot.
pub fn draw_one(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &TopicScreen) {
    let layout = TopicScreen::layout(state.size());
    let theme = *canvas.theme;
    let title = Title {
        crumbs: vec![&screen.key.environment, "topics", &screen.key.name],
        facts: vec![order(&screen.table)],
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let head = Rect { height: layout.head, ..area };
    let words = match &screen.topic {
        Knowledge::Pending => "asking Kafka…".to_owned(),
        Knowledge::Missing(why) => why.to_string(),
        Knowledge::Known(topic) => {
            let rate = topic.records_per_second.map_or_else(|| "unknown".to_owned(), human::rate);
            let leaders = match topic.leaderless {
                0 => String::new(),
                number => format!("   {number} without a leader: nothing can be read or written there"),
            };
            let partitions = plural(topic.partitions.len(), "partition");
            format!("{partitions}   {} records   {rate}/s{leaders}", human::count(topic.records()))
        }
    };
    let bad = matches!(&screen.topic, Knowledge::Missing(_))
        || matches!(&screen.topic, Knowledge::Known(topic) if topic.leaderless > 0);
    canvas.line(head, 1).skip(1).put(&words, if bad { theme.tone(Tone::Bad) } else { theme.text() });
    let names = |names: &[Arc<str>]| if names.is_empty() { "nobody known".to_owned() } else { names.join(", ") };
    let (writers, readers) = (names(&screen.users.0), names(&screen.users.1));
    canvas
        .line(head, 2)
        .skip(1)
        .put("written by ", theme.dim())
        .put(&writers, theme.text())
        .skip(3)
        .put("read by ", theme.dim())
        .put(&readers, theme.text());
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    table::draw(canvas, list, &screen.table, &PartitionCells { theme });
}

struct PartitionCells {
    theme: Theme,
}

impl Cells<PartitionRow> for PartitionCells {
    fn cell(&self, row: &PartitionRow, column: PartitionColumn) -> Cell {
        let theme = self.theme;
        let plain = theme.text();
        match column {
            PartitionColumn::Partition => Cell::new(row.ends.partition.to_string(), plain),
            PartitionColumn::Low => Cell::new(row.ends.low.to_string(), theme.dim()),
            PartitionColumn::High => Cell::new(row.ends.high.to_string(), plain),
            PartitionColumn::Records => Cell::new(human::count(row.records()), plain),
            PartitionColumn::Share => Cell::new(share_cell(theme, row.share, 10).text, plain),
        }
    }
}
