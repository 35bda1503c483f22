//! One pipeline: graph, place, links, the chosen processor with its job, and its pods.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::pods::PodCells;
use super::standing::{self, Words};
use super::theme::{self, Theme, Tone};
use super::title::{self, Title};
use super::{flow, job, table, text, why};
use crate::app::State;
use crate::app::pipeline::PipelineScreen;
use crate::app::standing::Standing;
use crate::model::human;
use crate::model::verdict::Condition;
use crate::model::view::ProcessorView;

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &PipelineScreen) {
    let layout = screen.layout(state.size());
    let head = Rect { height: layout.head, ..area };
    top(canvas, head, state, screen);
    let list = Rect { y: area.y + layout.head, height: layout.body, width: area.width - layout.side, ..area };
    pods(canvas, list, state, screen);
    let Some(view) = screen.processor() else { return };
    if layout.side > 0 {
        let side = Rect { x: area.x + list.width, width: layout.side, ..list };
        canvas.rule_down(side);
        let side = Rect { x: side.x + 2, width: side.width.saturating_sub(3), ..side };
        panel(canvas, side, screen);
    } else if layout.detail > 0 {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        below(canvas, detail, screen, view);
    }
}

fn top(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &PipelineScreen) {
    let head = screen.head(state.size());
    let row = state.overview().row(&screen.key);
    let mut facts = Vec::new();
    if let Some(row) = row {
        facts.extend(row.view.revision.as_ref().map(|revision| format!("rev {revision}")));
        facts.extend(row.view.created_at.map(|at| format!("age {}", human::age(at, state.now()))));
        facts.extend(row.view.team.as_ref().map(|team| format!("team {team}")));
    }
    let title = Title {
        crumbs: vec![&screen.key.environment, &screen.key.name],
        verdict: row.map(|row| &row.view.verdict),
        facts,
        warning: row.is_none().then(|| "gone from the cluster".to_owned()),
        found: None,
    };
    title::draw(canvas, area, state, &title);
    flow::draw(canvas, Rect { y: area.y + 1, height: head.flow.min(area.height.saturating_sub(1)), ..area }, screen);
    let Some(view) = screen.processor() else { return };
    let mut line = 1 + head.flow;
    if head.roomy {
        place(canvas, area, line, (state, view));
        links(canvas, area, line + 1, screen);
        line += 3;
    }
    chosen(canvas, area, line, view);
    job::line(canvas, area, line + 1, (state, &view.key));
    job::hot_line(canvas, area, line + 2, (state, view));
}

fn place(canvas: &mut Canvas<'_>, area: Rect, line: u16, (state, view): (&State, &ProcessorView)) {
    let theme = *canvas.theme;
    let account = view.key.sibling(view.service_account.clone());
    let role = match state.inventory().iam_role(&account) {
        Some(Some(arn)) => ("role", arn.rsplit('/').next().unwrap_or(arn).to_owned()),
        Some(None) => ("account", format!("{} (no IAM role)", view.service_account)),
        None => ("account", view.service_account.to_string()),
    };
    let (instance, tone) = match view.verdict.condition {
        Condition::Running => ("OK", Tone::Good),
        Condition::Stopped => ("stopped", Tone::Quiet),
        Condition::Deploying => ("starting", Tone::Warn),
        Condition::Unknown => ("unknown", Tone::Warn),
        Condition::Failing | Condition::Degraded => ("not OK", Tone::Bad),
    };
    let mut pen = canvas.line(area, line);
    pen.skip(1).field("namespace", 11, theme.dim()).put(&view.key.namespace, theme.text());
    pen.skip(3).put(role.0, theme.dim()).skip(2).put(&role.1, theme.text());
    pen.at_end(&format!("instance {instance} "), theme.tone(tone));
}

fn links(canvas: &mut Canvas<'_>, area: Rect, line: u16, screen: &PipelineScreen) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, line);
    pen.skip(1).field("links", 11, theme.dim());
    if screen.links.is_empty() {
        pen.put("none; set them as links.NAME = \"https://…{namespace}\" of the environment", theme.dim());
        return;
    }
    for (index, (name, _)) in screen.links.iter().enumerate() {
        let shown = screen.shown_link == Some(index);
        let style = if shown { theme.strong() } else { theme.text() };
        pen.put(&(index + 1).to_string(), theme.accent()).skip(1).put(name, style).skip(2);
    }
    pen.at_end("o shows  y copies ", theme.dim());
}

fn chosen(canvas: &mut Canvas<'_>, area: Rect, line: u16, view: &ProcessorView) {
    let theme = *canvas.theme;
    let condition = view.verdict.condition;
    let mut pen = canvas.line(area, line);
    pen.skip(1).put(theme.condition_glyph(condition), theme.tone(theme::condition_tone(condition))).skip(1);
    pen.put(&view.key.name, theme.strong());
    for fact in processor_facts(view, theme) {
        pen.skip(3).put_whole(&fact, theme.text());
    }
}

/// Revision, resources, offset version, topics.
fn processor_facts(view: &ProcessorView, theme: Theme) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(view.revision.as_ref().map(|revision| format!("rev {revision}")));
    let mut size = view.task_managers.1.to_string();
    if let Some(millis) = view.cpu_millis {
        size.push_str(&format!(" x {} cpu", human::cores(millis)));
    }
    if let Some(bytes) = view.memory_bytes {
        size.push_str(&format!(" {}", human::bytes(bytes)));
    }
    facts.push(size);
    facts.extend(view.offset_version.as_ref().map(|version| format!("offset {version}")));
    let joined = |topics: &[std::sync::Arc<str>]| text::clean_in(&topics.join(", "), theme.charset()).into_owned();
    if !view.inputs.is_empty() {
        facts.push(format!("in {}", joined(&view.inputs)));
    }
    if !view.outputs.is_empty() {
        facts.push(format!("out {}", joined(&view.outputs)));
    }
    facts.extend(view.artifact.as_ref().map(|artifact| format!("artifact {artifact}")));
    facts
}

fn pods(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &PipelineScreen) {
    let standing = state.overview().standing(&screen.key.environment);
    if screen.pods.counts().0 > 0 {
        let old = standing.is_some_and(Standing::is_stale);
        let cells = PodCells { theme: *canvas.theme, now: state.now(), stale: old };
        table::draw(canvas, area, &screen.pods, &cells);
        return;
    }
    let words = Words {
        things: "pods",
        none: if screen.processors.is_empty() { "The pipeline is gone." } else { "No pods." },
        next: match screen.processor().map(|view| view.verdict.condition) {
            Some(Condition::Stopped) => "The processor is stopped, so that is as it should be.",
            Some(_) => "V shows what the cluster says about them.",
            None => "esc goes back",
        },
    };
    let standings: Vec<_> =
        state.overview().standings().iter().filter(|(name, _)| *name == screen.key.environment).cloned().collect();
    standing::explain(canvas, area, state, (&words, &standings));
}

/// Below the list: an address that was asked for, what the selected pod says of itself, or why.
fn below(canvas: &mut Canvas<'_>, area: Rect, screen: &PipelineScreen, view: &ProcessorView) {
    if let Some((name, address)) = screen.shown_link.and_then(|number| screen.links.get(number)) {
        why::paragraph(canvas, area, "link", &format!("{name}: {address}"));
        return;
    }
    let pod = screen.pods.selected().map(|row| &row.view.pod);
    if let Some((pod, message)) = pod.and_then(|pod| Some((pod, pod.message.as_ref()?))) {
        why::paragraph(canvas, area, "pod", &format!("{}: {message}", pod.key.name));
        return;
    }
    why::lines(canvas, area, &view.verdict.why);
}

/// Beside the list: all processors, then why.
fn panel(canvas: &mut Canvas<'_>, area: Rect, screen: &PipelineScreen) {
    let theme = *canvas.theme;
    canvas.write(area, 0, "processors", theme.dim());
    let mut line = 1;
    for (index, view) in screen.processors.iter().enumerate() {
        let condition = view.verdict.condition;
        let name = if screen.chosen() == Some(index) { theme.strong() } else { theme.text() };
        let lag = view.lag_records.map_or_else(String::new, |lag| format!("lag {}", human::count(lag)));
        let (ready, wanted) = (view.job_managers.0 + view.task_managers.0, view.job_managers.1 + view.task_managers.1);
        canvas
            .line(area, line)
            .put(theme.condition_glyph(condition), theme.tone(theme::condition_tone(condition)))
            .skip(1)
            .field(&view.key.name, 28, name)
            .field_right(&format!("{ready}/{wanted}"), 7, theme.text())
            .skip(2)
            .put(&lag, theme.dim());
        line += 1;
    }
    line += 1;
    if let Some((name, address)) = screen.shown_link.and_then(|number| screen.links.get(number)) {
        canvas.write(area, line, name, theme.accent());
        line = why::wrapped(canvas, area, line + 1, address) + 1;
    }
    let Some(view) = screen.processor() else { return };
    if let Some(message) = screen.pods.selected().and_then(|row| row.view.pod.message.as_ref()) {
        canvas.write(area, line, "selected pod", theme.dim());
        line = why::wrapped(canvas, area, line + 1, message) + 1;
    }
    if !view.verdict.why.is_empty() {
        canvas.write(area, line, "why", theme.accent());
        line += 1;
        for sentence in &view.verdict.why {
            line = why::wrapped(canvas, area, line, sentence);
        }
    }
}
