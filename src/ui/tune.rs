//! Fine-tuning: the form in two lines, the document with its line numbers, and below what is wrong or may be written.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pen};
use super::theme::{Sign, Tone};
use super::title::{self, Title};
use super::{editor, text};
use crate::app::State;
use crate::app::tune::{Focus, HEAD, Known, Sheet, TuneScreen};
use crate::model::human;
use crate::plan::object::Id;
use crate::plan::tune::Field;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &TuneScreen) {
    let layout = TuneScreen::layout(state.size());
    let (facts, warning) = facts(state, screen);
    let mut crumbs: Vec<&str> = vec![&screen.key.environment, &screen.key.name];
    if screen.processor != screen.key.name {
        crumbs.push(&screen.processor);
    }
    crumbs.push("edit");
    title::draw(canvas, area, state, &Title { crumbs, facts, warning, ..Title::default() });
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let sheet = match &screen.known {
        Known::Sheet(sheet) => sheet,
        Known::Asking => return say(canvas, body, "Asking the cluster for the manifest…"),
        Known::Found(objects, chosen) => return found(canvas, body, (objects, *chosen)),
        Known::Not(why) => {
            return say(canvas, body, &format!("It cannot be edited here: {why}. esc goes back."));
        }
    };
    if layout.head >= HEAD {
        let fields =
            [[Field::Replicas, Field::Cpu, Field::Memory, Field::Offset].as_slice(), &[Field::Inputs, Field::Outputs]];
        for (row, fields) in (1..).zip(fields) {
            form(canvas.line(area, row), fields, (screen, sheet));
        }
        let rule = canvas.theme.sign(Sign::Rule).repeat(usize::from(area.width.saturating_sub(2)));
        let style = canvas.theme.dim();
        canvas.line(area, 3).skip(1).put(&rule, style);
    }
    editor::body(canvas, body, &sheet.editor);
    if layout.detail > 0 {
        let below = Rect { y: body.y + body.height + 1, height: layout.detail, ..area };
        match screen.focus {
            Focus::Document => editor::detail(canvas, below, &sheet.editor),
            Focus::Form(field) => about(canvas, below, (screen, sheet, field)),
        }
    }
}

/// The objects of a pipeline that somebody else deployed.
fn found(canvas: &mut Canvas<'_>, area: Rect, (objects, chosen): (&[Id], usize)) {
    let theme = *canvas.theme;
    let words = " flowdeck did not deploy it: choose what is to be edited, with the arrows and enter.";
    canvas.write(area, 0, words, theme.dim());
    for (row, (index, id)) in (2..area.height).zip(objects.iter().enumerate()) {
        let mut pen = canvas.line(area, row);
        pen.put(if index == chosen { theme.sign(Sign::Selected) } else { " " }, theme.accent()).skip(1);
        pen.put(&id.to_string(), if index == chosen { theme.strong() } else { theme.text() });
    }
}

fn say(canvas: &mut Canvas<'_>, area: Rect, words: &str) {
    let theme = *canvas.theme;
    let clean = text::clean_in(words, theme.charset());
    let lines = text::wrap(&clean, usize::from(area.width.saturating_sub(8)));
    let lines: Vec<_> = lines.into_iter().map(|line| (line, theme.text())).collect();
    canvas.centred(area, &lines);
}

fn facts(state: &State, screen: &TuneScreen) -> (Vec<String>, Option<String>) {
    let Some(sheet) = screen.sheet() else { return (Vec::new(), None) };
    let (errors, changes) = sheet.counts();
    let mut facts = vec![format!("revision {}", sheet.revision)];
    if let Some(kept_at) = screen.resumed {
        facts.push(format!("draft of {} ago", human::age(kept_at, state.now())));
    } else if changes > 0 {
        facts.push("draft kept".to_owned());
    }
    let counted = |number: usize, word: &str| if number == 0 { String::new() } else { human::counted(number, word) };
    facts.push(counted(changes, "change"));
    let behind = (sheet.newest != sheet.revision).then(|| format!("revision {} came meanwhile", sheet.newest));
    (facts, behind.or_else(|| (errors > 0).then(|| human::counted(errors, "error"))))
}

fn form(mut pen: Pen<'_, '_>, fields: &[Field], (screen, sheet): (&TuneScreen, &Sheet)) {
    let theme = pen.theme();
    for field in fields {
        let (typed, before) = (sheet.typed.get(*field), sheet.base.get(*field));
        let focused = screen.focus == Focus::Form(*field);
        let bad = sheet.typed.wrong(*field).is_some();
        pen.skip(1).put(field.word(), if focused { theme.accent() } else { theme.dim() }).skip(1);
        if typed.trim() != before.trim() {
            pen.put(before, theme.dim()).put(" → ", theme.dim());
        }
        let style = if bad { theme.tone(Tone::Bad) } else { theme.strong() };
        if focused {
            let (front, back) = screen.input.parts();
            let style = if screen.input.is_selected() { theme.selected(style) } else { style };
            pen.put(&front, style).put(theme.sign(Sign::Cursor), theme.accent()).put(&back, style);
        } else {
            pen.put(if typed.is_empty() { theme.sign(Sign::Unknown) } else { typed }, style);
        }
        pen.skip(1);
    }
}

/// What is wrong with a value of the form or, by that value, with the document; what may be written there, or what it is.
fn about(canvas: &mut Canvas<'_>, area: Rect, (screen, sheet, field): (&TuneScreen, &Sheet, Field)) {
    let theme = *canvas.theme;
    let (words, style) = if let Some(wrong) = sheet.typed.wrong(field) {
        (wrong, theme.tone(Tone::Bad))
    } else if let Some(problem) = sheet.editor.first_error().filter(|_| screen.offers.is_empty()) {
        (format!("line {}: {}", problem.line, problem.message), theme.tone(Tone::Bad))
    } else if screen.offers.is_empty() {
        (help(field).to_owned(), theme.dim())
    } else {
        (format!("tab takes {}", screen.offers.join("   ")), theme.accent())
    };
    let clean = text::clean_in(&words, theme.charset()).into_owned();
    let lines = text::wrap(&clean, usize::from(area.width.saturating_sub(4)));
    for (row, line) in (0..area.height).zip(&lines) {
        canvas.line(area, row).skip(1).put(line, style);
    }
}

const fn help(field: Field) -> &'static str {
    match field {
        Field::Replicas => "TaskManagers. tab or enter leads on, shift-tab back; the document comes last.",
        Field::Cpu => "Cores of one TaskManager, such as 0.5 or 4.",
        Field::Memory => "Memory of one TaskManager with its unit: 16Gi, or 16G for a little less.",
        Field::Offset => "Another offset version reads the topics anew, without the state of now.",
        Field::Inputs => "Topics that it reads, with commas between them; those of the cluster are offered.",
        Field::Outputs => "Topics that it writes, with commas between them; those of the cluster are offered.",
    }
}
