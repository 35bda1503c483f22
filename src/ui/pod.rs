//! One pod.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::events::{self, EventCells};
use super::pods::{ended, glyph, share_cell};
use super::theme::{self, Theme, Tone};
use super::title::{self, Title};
use super::{table, why};
use crate::app::State;
use crate::app::pod::PodScreen;
use crate::app::pods;
use crate::model::view::PodView;
use crate::model::{Time, human};

/// Draws the screen above the foot.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, screen: &PodScreen) {
    let layout = screen.layout(state.size());
    let head = Rect { height: layout.head, ..area };
    // A pod's name mostly begins with its processor's.
    let processor = screen.view.as_ref().map_or("", |view| &view.pod.processor.name);
    let processor = if screen.key.name.starts_with(processor) { "" } else { processor };
    let title = Title {
        crumbs: [&*screen.key.environment, processor, &*screen.key.name]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect(),
        warning: screen.gone.then(|| "gone from the cluster".to_owned()),
        ..Title::default()
    };
    title::draw(canvas, head, state, &title);
    if let Some(view) = &screen.view {
        facts(canvas, head, state.now(), (screen, view));
    }
    let list = Rect { y: area.y + layout.head, height: layout.body, ..area };
    if screen.events.counts().0 == 0 {
        events::none(canvas, list, state, (&screen.standings, &screen.key.environment));
        return;
    }
    table::draw(canvas, list, &screen.events, &EventCells { theme: *canvas.theme, now: state.now() });
    if let Some(row) = screen.events.selected().filter(|_| layout.detail > 0) {
        let detail = Rect { y: list.y + list.height + 1, height: layout.detail, ..area };
        why::paragraph(canvas, detail, "says", &row.0.message);
    }
}

type Fact = (&'static str, String, Tone);

/// The facts, the most needed first, as many as there are lines.
fn facts(canvas: &mut Canvas<'_>, area: Rect, now: Time, (screen, view): (&PodScreen, &PodView)) {
    let theme = *canvas.theme;
    let mut lines = status(view, theme, now);
    if screen.gone
        && let Some((_, words, tone)) = lines.first_mut()
    {
        *words = format!("it was: {words}");
        *tone = Tone::Quiet;
    }
    lines.push(("containers", containers(screen, view), Tone::Good));
    lines.push(("usage", usage(view, theme), Tone::Good));
    lines.push(("place", place(view), Tone::Good));
    for (row, (word, text, tone)) in (1..area.height.saturating_sub(1)).zip(lines) {
        let style = if tone == Tone::Good { theme.text() } else { theme.tone(tone) };
        canvas.line(area, row).skip(1).field(word, 12, theme.dim()).put(&text, style);
    }
}

fn status(view: &PodView, theme: Theme, now: Time) -> Vec<Fact> {
    let pod = &view.pod;
    let mut words = format!(
        "{} {}, {}/{} ready, {}",
        glyph(theme, pod),
        pods::word(pod),
        pod.ready,
        pod.containers.len(),
        match pod.restarts {
            1 => "1 restart".to_owned(),
            number => format!("{number} restarts"),
        }
    );
    if let Some(at) = pod.created_at {
        words.push_str(&format!(", age {}", human::age(at, now)));
    }
    let mut facts = vec![("status", words, theme::health_tone(pod.health))];
    if let Some(message) = &pod.message {
        facts.push(("message", message.to_string(), Tone::Warn));
    }
    if let Some(end) = &pod.last_termination {
        let text = format!("{} ago, container {}, exit code {}", ended(end, now), end.container, end.exit_code);
        facts.push(("last end", text, Tone::Warn));
    }
    facts
}

fn containers(screen: &PodScreen, view: &PodView) -> String {
    let names = view
        .pod
        .containers
        .iter()
        .enumerate()
        .map(|(index, name)| if index == screen.container { format!("[{name}]") } else { format!(" {name} ") });
    names.collect::<Vec<_>>().join(" ")
}

fn usage(view: &PodView, theme: Theme) -> String {
    let pod = &view.pod;
    let Some(usage) = view.usage else { return "unknown: the metrics API says nothing about it".to_owned() };
    let part = |word: &str, used: (u64, String), limit: Option<(u64, String)>| match limit {
        #[expect(clippy::cast_precision_loss, reason = "a share of two sizes needs no 53 bits")]
        Some((limit, words)) if limit > 0 => {
            format!("{word} {} of {words} {}", used.1, share_cell(theme, used.0 as f64 / limit as f64, 5).text)
        }
        _ => format!("{word} {}, no limit", used.1),
    };
    let cpu = part(
        "cpu",
        (usage.cpu_millis, human::cores(usage.cpu_millis)),
        pod.cpu_limit_millis.map(|limit| (limit, human::cores(limit))),
    );
    let memory = part(
        "memory",
        (usage.memory_bytes, human::bytes(usage.memory_bytes)),
        pod.memory_limit_bytes.map(|limit| (limit, human::bytes(limit))),
    );
    format!("{cpu}   {memory}")
}

fn place(view: &PodView) -> String {
    let pod = &view.pod;
    let or_none = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("none yet").to_owned();
    format!("{}   node {}   address {}", pod.key.namespace, or_none(&pod.node), or_none(&pod.address))
}
