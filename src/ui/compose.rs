//! The processors of a pipeline's manifest, what is composed and not deployed yet, and the form of one more.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::head::plural;
use super::table::{self, Cell, Cells};
use super::theme::{Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::compose::adding::{Adding, Part};
use crate::app::compose::{ComposeScreen, MemberColumn, MemberRow};
use crate::model::{Time, human};
use crate::plan::tune::Field;

/// Cells of the labels of the form.
const LABEL: usize = 10;

struct MemberCells {
    theme: Theme,
    now: Time,
    composed: bool,
}

impl Cells<MemberRow> for MemberCells {
    fn cell(&self, row: &MemberRow, column: MemberColumn) -> Cell {
        let (theme, it) = (self.theme, &row.member);
        let value = |field: Field| Cell::new(it.tuning.get(field), theme.text());
        match column {
            MemberColumn::Step => Cell::new(it.step.to_string(), theme.dim()),
            MemberColumn::Name => Cell::new(it.name.as_str(), theme.strong()),
            MemberColumn::Description => Cell::new(it.description(), theme.text()),
            MemberColumn::Replicas => value(Field::Replicas),
            MemberColumn::Cpu => value(Field::Cpu),
            MemberColumn::Memory => value(Field::Memory),
            MemberColumn::Offset => value(Field::Offset),
            MemberColumn::Updated if self.composed && it.updated.is_none() => Cell::new("new", theme.tone(Tone::Warn)),
            MemberColumn::Updated => Cell::known(it.updated.map(|at| human::age(at, self.now)), theme),
        }
    }
}

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ComposeScreen) {
    let theme = *canvas.theme;
    let layout = ComposeScreen::layout(state.size());
    let (shown, all) = screen.table.counts();
    let known = screen.dossier.as_ref().and_then(|it| it.as_ref().ok()).and_then(|it| it.current());
    let revision = known.map(|it| format!("revision {}", it.number));
    let work = screen.work.as_ref();
    let facts = [Some(plural(all, "processor")), revision].into_iter().flatten().collect();
    let mut crumbs: Vec<&str> = vec![&screen.key.environment, &screen.key.name, "compose"];
    crumbs.extend(screen.adding.as_ref().map(|_| "one more"));
    let warning = work.map(|it| format!("{}, not deployed", plural(it.changes(), "change")));
    title::draw(canvas, area, state, &Title { crumbs, facts, warning, ..Title::default() });
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
    if let Some(adding) = &screen.adding {
        return form(canvas, (list, detail), adding);
    }
    if shown == 0 {
        let none = (
            "It has no manifest.",
            "Nothing to compose here: apply one that names its processors, flowdeck apply -f FILE.",
        );
        return why::nothing(canvas, list, (screen.dossier.as_ref().map(Result::as_ref), screen.table.filter(), none));
    }
    let cells = MemberCells { theme, now: state.now(), composed: work.is_some() };
    table::draw(canvas, list, &screen.table, &cells);
    if layout.detail > 0 {
        let (label, words) = explained(screen);
        why::paragraph(canvas, detail, label, &words);
    }
}

/// What is wrong, else what the selected one reads and writes and how all of them follow each other.
fn explained(screen: &ComposeScreen) -> (&'static str, String) {
    let errors = screen.work.as_ref().map_or(&[][..], |work| &work.errors);
    if let Some(first) = errors.first() {
        let more = if errors.len() > 1 { format!(" ({} more)", errors.len() - 1) } else { String::new() };
        return ("rule", format!("{first}{more}. u takes the last change back."));
    }
    if let Some((processor, topic)) = screen.missing.first() {
        let words = format!("{processor} reads {topic}, which nobody writes: the cluster has no such topic");
        return ("hint", format!("{words}. {}", screen.course()));
    }
    let Some(row) = screen.table.selected() else { return ("", String::new()) };
    let topics = |field: Field| match row.member.tuning.get(field) {
        "" => "nothing".to_owned(),
        topics => topics.to_owned(),
    };
    let (reads, writes) = (topics(Field::Inputs), topics(Field::Outputs));
    ("", format!("reads {reads}, writes {writes}. {}", screen.course()))
}

fn form(canvas: &mut Canvas<'_>, (body, detail): (Rect, Rect), adding: &Adding) {
    let theme = *canvas.theme;
    // Where there is little room, the field that is typed into is on screen.
    let first = (adding.focus + 1).saturating_sub(usize::from(body.height));
    for (row, (index, part)) in (0..body.height).zip(Part::ALL.into_iter().enumerate().skip(first)) {
        let chosen = index == adding.focus;
        let mut pen = canvas.line(body, row);
        pen.put(if chosen { theme.sign(Sign::Selected) } else { " " }, theme.accent()).skip(1);
        pen.put(&format!("{:<LABEL$}", part.word()), if chosen { theme.strong() } else { theme.dim() });
        if chosen {
            let (before, after) = adding.input.parts();
            let style = if adding.input.is_selected() { theme.selected(theme.strong()) } else { theme.strong() };
            pen.put(&before, style).put(theme.sign(Sign::Cursor), theme.accent()).put(&after, theme.strong());
        } else {
            pen.put(adding.value(part), theme.text());
        }
    }
    if detail.height == 0 {
        return;
    }
    match &adding.wrong {
        Some(wrong) => why::paragraph(canvas, detail, "rule", wrong),
        None => why::paragraph(canvas, detail, "what", adding.part().help()),
    }
}
