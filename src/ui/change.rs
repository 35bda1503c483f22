//! One change: what it causes, what differs and what stands against it; then its steps. And the question before it.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::Canvas;
use super::text;
use super::theme::{self, Sign, Theme, Tone};
use super::title::{self, Title};
use super::why;
use crate::app::State;
use crate::app::change::{ChangeScreen, Field, LOSS_WORDS};
use crate::app::input::Input;
use crate::app::operations::{Operation, Stage};
use crate::app::question::{Asked, QuestionScreen};
use crate::event::Ending;
use crate::model::human;
use crate::model::verdict::Condition;
use crate::plan::forecast::{Effect, Forecast};
use crate::plan::guard::Remedy;
use crate::plan::proposal::Proposal;
use crate::plan::remnants::Sweep;
use crate::plan::room::{self, Room};
use crate::plan::topics::{Finding, Weight};
use crate::plan::verb::Verb;

/// A line before it is broken: cells that it stands in, its words, its look.
type Line = (u16, String, Style);

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &ChangeScreen) {
    let theme = *canvas.theme;
    let Some(operation) = state.operations().get(screen.number) else { return };
    let layout = screen.layout(state.size());
    let subject = operation.intent.subject();
    let title = Title {
        crumbs: vec![&subject.environment, &subject.name, operation.intent.ask.verb().word()],
        facts: vec![standing(operation, state)],
        warning: operation.is_overtaken.then(|| "it would mean something else by now: look again".to_owned()),
        ..Title::default()
    };
    title::draw(canvas, area, state, &title);
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let lines = match operation.stage {
        Stage::Planning => vec![(1, "Asking the cluster what it would mean…".to_owned(), theme.dim())],
        Stage::Planned => operation.proposal.as_ref().map_or_else(Vec::new, |it| planned(it, theme)),
        Stage::Making | Stage::Settling | Stage::Ended(_) => made(operation, theme),
    };
    broken(canvas, body, &lines, screen.offset);
    if layout.detail > 0 {
        let below = Rect { y: body.y + body.height + 1, height: layout.detail, ..area };
        let name = operation.proposal.as_ref().map_or("", |it| it.pipeline.as_str());
        for (row, (index, field)) in (0..below.height).zip(screen.fields.iter().enumerate()) {
            typed(canvas, below, row, (&prompt(field, name), &field.input, index == screen.focus));
        }
    }
}

/// How far it is, and since when.
fn standing(operation: &Operation, state: &State) -> String {
    let word = match &operation.stage {
        Stage::Planning => "planning",
        Stage::Planned => "nothing is changed yet",
        Stage::Making => "making it",
        Stage::Settling => "made, waiting until it runs",
        Stage::Ended(Ending::Done(_)) => "done",
        Stage::Ended(Ending::Failed(_)) => "failed",
        Stage::Ended(Ending::Cancelled(_)) => "stopped",
    };
    format!("{word}, {}", human::age(operation.since, state.now()))
}

fn planned(proposal: &Proposal, theme: Theme) -> Vec<Line> {
    let mut lines = Vec::new();
    let against = against(proposal);
    if !against.is_empty() {
        lines.push((1, "what stands against it".to_owned(), theme.dim()));
        lines.extend(against.into_iter().map(|(words, tone)| (3, words, theme.tone(tone))));
        lines.push(blank(theme));
    }
    if proposal.verb == Verb::Savepoint {
        lines.push((1, "A savepoint is taken of each job, and the jobs go on.".to_owned(), theme.text()));
        return lines;
    }
    if let Some(words) = through_its_route(proposal.verb) {
        lines.push((1, words.to_owned(), theme.text()));
        lines.push(blank(theme));
    }
    if proposal.is_empty() {
        lines.push((1, "Nothing differs: it is as it is asked for.".to_owned(), theme.text()));
        return lines;
    }
    lines.push((1, "what it causes".to_owned(), theme.dim()));
    for forecast in &proposal.forecasts {
        caused(forecast, theme, &mut lines);
    }
    if proposal.forecasts.is_empty() {
        lines.push((3, "nothing that runs".to_owned(), theme.text()));
    }
    lines.push(blank(theme));
    room(&proposal.room, theme, &mut lines);
    kafka(proposal, theme, &mut lines);
    topics(&proposal.topics, theme, &mut lines);
    let changes = proposal.changes();
    let revision = proposal.revision.map_or_else(String::new, |number| format!(", as revision {number}"));
    let what = if proposal.verb == Verb::Decommission {
        format!("what goes: {}", human::counted(changes.len(), "thing"))
    } else {
        format!("what changes: {}{revision}", human::counted(changes.len(), "field"))
    };
    lines.push((1, what, theme.dim()));
    lines.extend(changes.into_iter().map(|words| (3, words, theme.text())));
    lines
}

/// What a rollout does besides what differs in the named copy.
const fn through_its_route(verb: Verb) -> Option<&'static str> {
    match verb {
        Verb::Rollout => Some(
            "It is started beside its other copy; once it is well and says the same, it gets the traffic by a flip of \
             the route. The other copy is kept for the bake time, then stopped with a savepoint.",
        ),
        Verb::AbortRollout => Some("The other copy gets the traffic back; then this one is stopped."),
        _ => None,
    }
}

fn blank(theme: Theme) -> Line {
    (0, String::new(), theme.text())
}

/// What forbids it, and what has to be said first.
fn against(proposal: &Proposal) -> Vec<(String, Tone)> {
    let refusals = proposal.refusals.iter().map(|refusal| {
        let tone = if refusal.remedy().is_some() { Tone::Warn } else { Tone::Bad };
        (refusal.why(), tone)
    });
    let words = proposal.problems.iter().chain(&proposal.forbidden).map(|words| (words.clone(), Tone::Bad));
    refusals.chain(words).collect()
}

fn caused(forecast: &Forecast, theme: Theme, lines: &mut Vec<Line>) {
    let tone = match forecast.effect {
        Effect::Nothing | Effect::Starts | Effect::RescalesInPlace => Tone::Good,
        Effect::RestartsFromSavepoint | Effect::Stops | Effect::Goes => Tone::Warn,
        Effect::RestartsWithoutState | Effect::StopsWithoutState | Effect::CannotRestore => Tone::Bad,
    };
    let long = match (forecast.effect, forecast.seconds) {
        (_, Some(seconds)) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            format!("; it has caught up after about {}", human::duration(seconds))
        }
        (Effect::RestartsFromSavepoint | Effect::RestartsWithoutState, None) => {
            "; when it has caught up is not known: its load is not".to_owned()
        }
        _ => String::new(),
    };
    lines.push((3, format!("{} {}{long}", forecast.processor, forecast.effect.words()), theme.tone(tone)));
    lines.extend(forecast.restart.iter().map(|restart| (5, restart.words(), theme.dim())));
    lines.extend(forecast.because.iter().map(|words| (5, words.clone(), theme.dim())));
}

/// What its pods need, and whether there is room.
fn room(room: &Room, theme: Theme, lines: &mut Vec<Line>) {
    if room.needs.is_empty() && room.findings.is_empty() {
        return;
    }
    lines.push((1, "what it needs".to_owned(), theme.dim()));
    lines.extend(room.needs.iter().map(|need| (3, need.words.clone(), theme.text())));
    for finding in &room.findings {
        let tone = match finding.weight {
            room::Weight::Refused => Tone::Bad,
            room::Weight::Waits => Tone::Warn,
            room::Weight::Unknown => Tone::Quiet,
            room::Weight::Fits => Tone::Good,
        };
        lines.push((5, format!("{}{}", finding.weight.word(), finding.message), theme.tone(tone)));
    }
    lines.push(blank(theme));
}

/// What becomes of topics and consumer groups of a pipeline that goes: what is deleted, then what stays.
fn kafka(proposal: &Proposal, theme: Theme, lines: &mut Vec<Line>) {
    if proposal.remnants.is_empty() {
        return;
    }
    lines.push((1, "what becomes of it in Kafka".to_owned(), theme.dim()));
    for goes in [true, false] {
        for it in proposal.remnants.iter().filter(|it| it.goes == goes) {
            let (word, tone) = if goes { ("is DELETED", Tone::Warn) } else { ("stays", Tone::Good) };
            lines.push((3, format!("{} {word}: {}", it.name(), it.because), theme.tone(tone)));
        }
    }
    lines.push(blank(theme));
}

/// What Kafka lacks or does not tell that forbids nothing; what does stands above.
fn topics(findings: &[Finding], theme: Theme, lines: &mut Vec<Line>) {
    let mut open = findings.iter().filter(|it| it.weight != Weight::Missing).peekable();
    if open.peek().is_none() {
        return;
    }
    lines.push((1, "what to know of its topics".to_owned(), theme.dim()));
    for Finding { weight, processor, message, command } in open {
        let tone = if *weight == Weight::Warning { Tone::Warn } else { Tone::Quiet };
        let processor = if processor.is_empty() { String::new() } else { format!("{processor} ") };
        lines.push((3, format!("{processor}{message}"), theme.tone(tone)));
        lines.extend(command.iter().map(|command| (5, command.clone(), theme.dim())));
    }
    lines.push(blank(theme));
}

fn made(operation: &Operation, theme: Theme) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let last = operation.steps.len().saturating_sub(1);
    for (index, (at, step)) in operation.steps.iter().enumerate() {
        // While it is waited for, the last thing that was said is what goes on.
        let open = operation.stage == Stage::Settling && index == last;
        let condition = if open { Condition::Deploying } else { Condition::Running };
        let colon = if step.message.is_empty() { "" } else { ": " };
        let words =
            format!("{} {}  {}{colon}{}", sign(condition, theme), at.format("%H:%M:%SZ"), step.step, step.message);
        lines.push((1, words, theme.text()));
    }
    let (condition, words) = match &operation.stage {
        Stage::Making => (Condition::Deploying, "making it…".into()),
        Stage::Settling => (Condition::Deploying, "all steps are made; waiting until it runs".into()),
        Stage::Ended(Ending::Done(words)) => (Condition::Running, words.clone()),
        Stage::Ended(Ending::Failed(words)) => (Condition::Failing, words.clone()),
        Stage::Ended(Ending::Cancelled(words)) => (Condition::Degraded, words.clone()),
        Stage::Planning | Stage::Planned => return lines,
    };
    lines.push(blank(theme));
    let style = theme.tone(theme::condition_tone(condition));
    lines.push((1, format!("{} {words}", sign(condition, theme)), style));
    lines
}

const fn sign(condition: Condition, theme: Theme) -> &'static str {
    theme.condition_glyph(condition)
}

/// Breaks lines at the edge and draws them from the first that is not scrolled away; of steps the last must be seen.
fn broken(canvas: &mut Canvas<'_>, area: Rect, lines: &[Line], offset: usize) {
    let theme = *canvas.theme;
    let mut rows: Vec<(u16, String, Style)> = Vec::new();
    for (indent, words, style) in lines.iter().skip(offset.min(lines.len().saturating_sub(1))) {
        let clean = text::clean_in(words, theme.charset()).into_owned();
        let cells = usize::from(area.width.saturating_sub(indent + 1));
        if clean.is_empty() {
            rows.push((0, String::new(), *style));
            continue;
        }
        let parts = text::wrap(&clean, cells).into_iter().enumerate();
        rows.extend(parts.map(|(index, part)| (indent + if index > 0 { 2 } else { 0 }, part, *style)));
    }
    let more = rows.len() > usize::from(area.height);
    for (row, (indent, words, style)) in (0..area.height).zip(&rows) {
        if more && row + 1 == area.height {
            let left = rows.len() - usize::from(row);
            canvas.line(area, row).skip(1).put(&format!("{left} more lines below"), theme.dim());
        } else {
            canvas.line(area, row).skip(*indent).put(words, *style);
        }
    }
}

fn prompt(field: &Field, name: &str) -> String {
    match field.remedy {
        Remedy::Name => format!("type {name} to confirm"),
        Remedy::Reason => "why it cannot wait".to_owned(),
        Remedy::Loss => format!("type “{LOSS_WORDS}” to go on without the state"),
    }
}

fn typed(canvas: &mut Canvas<'_>, area: Rect, row: u16, (prompt, input, focused): (&str, &Input, bool)) {
    let theme = *canvas.theme;
    let (before, after) = input.parts();
    let style = if input.is_selected() { theme.selected(theme.strong()) } else { theme.strong() };
    let mut pen = canvas.line(area, row);
    pen.skip(1).put(prompt, if focused { theme.accent() } else { theme.dim() }).skip(1).put(&before, style);
    if focused {
        pen.put(theme.sign(Sign::Cursor), theme.accent());
    }
    pen.put(&after, theme.strong());
}

/// Draws what a verb has to be told first.
pub fn question(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &QuestionScreen) {
    let theme = *canvas.theme;
    let layout = QuestionScreen::layout(state.size());
    let crumbs: Vec<&str> = vec![&screen.key.environment, &screen.key.name, screen.verb().word()];
    title::draw(canvas, area, state, &Title { crumbs, ..Title::default() });
    let body = Rect { y: area.y + layout.head, height: layout.body, ..area };
    let choices: Vec<String> = match &screen.asked {
        Asked::Line { handle, what, input } => {
            typed(canvas, body, 0, (what, input, true));
            let below = Rect { y: body.y + 2, height: body.height.saturating_sub(2), ..body };
            match screen.problem() {
                Some(problem) => why::paragraph(canvas, below, "rule", &format!("{problem}. {}", handle.help())),
                None => why::paragraph(canvas, below, "what", handle.help()),
            }
            return;
        }
        Asked::Size { processors, .. } => processors.iter().map(|(name, now)| format!("{name}   {now} now")).collect(),
        Asked::Environment(others) if others.is_empty() => {
            canvas.write(body, 0, " There is no other environment in the settings.", theme.text());
            return;
        }
        Asked::Environment(others) => others
            .iter()
            .map(|other| {
                let place = if other.namespace.is_empty() { "the namespace of its settings" } else { &other.namespace };
                format!("{}   {place}", other.environment)
            })
            .collect(),
        Asked::Sweep => Sweep::ALL.iter().map(|it| it.words().to_owned()).collect(),
    };
    for (row, (index, words)) in (0..body.height).zip(choices.iter().enumerate()) {
        let chosen = index == screen.chosen;
        let mut pen = canvas.line(body, row);
        pen.put(if chosen { theme.sign(Sign::Selected) } else { " " }, theme.accent()).skip(1);
        pen.put(words, if chosen { theme.strong() } else { theme.text() });
    }
    let below = u16::try_from(choices.len()).unwrap_or(u16::MAX).saturating_add(1);
    match &screen.asked {
        Asked::Size { input, .. } => typed(canvas, body, below, ("TaskManagers", input, true)),
        Asked::Line { .. } => {}
        Asked::Environment(_) => canvas.write(body, below, " enter finds out what it would mean there", theme.dim()),
        Asked::Sweep => {
            let words = "Its objects go; revisions, savepoints and secrets stay. A topic that somebody else reads or \
                         writes stays whatever you choose. enter shows what would go, and deletes nothing yet.";
            let below = Rect { y: body.y + below, height: body.height.saturating_sub(below), ..body };
            why::paragraph(canvas, below, "what", words);
        }
    }
}
