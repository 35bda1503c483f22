//! The lines on top of the list of pipelines: is anything wrong, and are all connections up?

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::canvas::{Canvas, Pen};
use super::theme::{self, Theme, Tone};
use crate::app::State;
use crate::app::signals::tally;
use crate::app::standing::Standing;
use crate::model::environment::{Backend, Link, Protection};
use crate::model::{Time, human};

/// A connection that is down for no longer is not told in words.
const JUST_LOST: chrono::Duration = chrono::Duration::seconds(2);

/// Draws both lines.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    title(canvas, area, state);
    links(canvas, area, state);
}

/// The clock, which shows that the console is alive.
#[must_use]
pub fn clock(now: Time) -> String {
    now.format("%H:%M:%SZ ").to_string()
}

fn title(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = *canvas.theme;
    let counts = state.overview().counts();
    let mut parts = vec![("flowdeck".to_owned(), theme.accent())];
    parts.push((scope(state), theme.text()));
    parts.push((plural(counts.all, "pipeline"), theme.text()));
    if let Some((filter, rows)) = state.filtered() {
        parts.push((format!("/{filter}: {rows} shown"), theme.accent()));
    }
    for (number, word, tone) in [
        (counts.failing, "failing", Tone::Bad),
        (counts.degraded, "degraded", Tone::Warn),
        (counts.deploying, "deploying", Tone::Warn),
    ] {
        if number > 0 {
            parts.push((format!("{number} {word}"), theme.tone(tone)));
        }
    }
    if counts.all > 0 && counts.failing + counts.degraded + counts.deploying == 0 {
        let (words, tone) = calm(state);
        parts.push((words.to_owned(), theme.tone(tone)));
    }
    let clock = clock(state.now());
    let needed = |parts: &[(String, Style)], gap: usize| {
        1 + parts.iter().map(|(words, _)| super::text::width(words) + gap).sum::<usize>() + clock.len()
    };
    // On a narrow terminal the counts matter more than the air, and more than whose they are.
    let width = usize::from(area.width);
    if needed(&parts, 3) > width && needed(&parts, 2) > width {
        parts.remove(1);
    }
    let gap = if needed(&parts, 3) > width { 2 } else { 3 };
    let mut pen = canvas.line(area, 0);
    pen.skip(1);
    for (words, style) in &parts {
        if pen.put_whole(words, *style) {
            pen.skip(gap);
        }
    }
    pen.at_end(&clock, theme.dim());
}

/// What can honestly be said when no pipeline is in trouble.
fn calm(state: &State) -> (&'static str, Tone) {
    let standings = state.overview().standings();
    let any = |test: fn(&Standing) -> bool| standings.iter().any(|(_, standing)| test(standing));
    if any(|it| matches!(it, Standing::Stale(..) | Standing::Unreachable(..))) {
        ("well when last seen", Tone::Warn)
    } else if any(Standing::is_pending) {
        ("nothing wrong so far", Tone::Good)
    } else if any(|it| matches!(it, Standing::Forbidden(_) | Standing::Partial(..))) {
        ("well, as far as seen", Tone::Warn)
    } else {
        ("all well", Tone::Good)
    }
}

fn scope(state: &State) -> String {
    match state.overview().environments() {
        [] => "no environment yet".to_owned(),
        [one] => one.to_string(),
        _ => "all environments".to_owned(),
    }
}

fn links(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = *canvas.theme;
    let mut pen = canvas.line(area, 1);
    pen.skip(1);
    for backend in Backend::ALL {
        let environments = state.overview().environments();
        if environments.iter().all(|name| *state.inventory().link(name, backend) == Link::Idle)
            && backend != Backend::Kubernetes
        {
            continue;
        }
        pen.put(backend.word(), theme.dim()).skip(1);
        for name in environments {
            let link = state.inventory().link(name, backend);
            pen.put(theme.link_glyph(link), theme.tone(theme::link_tone(link)));
        }
        pen.skip(2);
    }
    let firing = tally(state.inventory().signals()).firing;
    if firing > 0 {
        pen.skip(1).put(&plural(firing, "alert"), theme.tone(Tone::Bad)).skip(2);
    }
    trouble(pen, state, theme);
}

/// What is wrong with the connections, else which environments are protected.
fn trouble(mut pen: Pen<'_, '_>, state: &State, theme: Theme) {
    let words = link_trouble(state).or_else(|| loading(state));
    if let Some((words, tone)) = words {
        let cells = pen.left().saturating_sub(1);
        let clean = super::text::clean_in(&words, theme.charset());
        let words = super::text::cut(&clean, usize::from(cells).saturating_sub(2), theme.charset());
        pen.at_end(&format!("{words} "), theme.tone(tone));
        return;
    }
    // In the order of the signs, so that each can be told whose it is.
    let names = state.overview().environments().iter().filter_map(|name| state.inventory().environment(name));
    let words: Vec<String> = names
        .map(|it| match it.protection {
            Protection::Open => it.name.to_string(),
            other => format!("{} {}", it.name, other.word()),
        })
        .collect();
    pen.at_end(&format!("{} ", words.join("  ")), theme.dim());
}

/// The first connection that does not work, in words.
#[must_use]
pub fn link_trouble(state: &State) -> Option<(String, Tone)> {
    let mut broken = Vec::new();
    for name in state.overview().environments() {
        for backend in Backend::ALL {
            match state.inventory().link(name, backend) {
                // One that was lost a moment ago is mostly back with the next try; its sign says so meanwhile.
                Link::Down { since, .. } if state.now() - *since < JUST_LOST => {}
                Link::Down { since, next_try, .. } => {
                    let next = (*next_try - state.now()).num_seconds().max(0);
                    broken.push(format!(
                        "{name} {} down {}, next try in {}",
                        backend.word(),
                        human::age(*since, state.now()),
                        human::duration(next)
                    ));
                }
                Link::Forbidden { .. } => broken.push(format!("{name} {} forbidden", backend.word())),
                Link::Idle | Link::Connecting | Link::Up { .. } => {}
            }
        }
    }
    let more = broken.len().saturating_sub(1);
    let first = broken.into_iter().next()?;
    Some((if more > 0 { format!("{first} (+{more})") } else { first }, Tone::Bad))
}

fn loading(state: &State) -> Option<(String, Tone)> {
    let standings = state.overview().standings();
    let pending: Vec<&str> =
        standings.iter().filter(|(_, standing)| standing.is_pending()).map(|(name, _)| &**name).collect();
    if !pending.is_empty() {
        let ready = standings.len() - pending.len();
        return Some((format!("{ready} of {} loaded, {} to come", standings.len(), pending.join(", ")), Tone::Warn));
    }
    standings.iter().find_map(|(name, standing)| match standing {
        Standing::Forbidden(_) => Some((format!("{name} forbidden"), Tone::Bad)),
        Standing::Partial(kinds, _) => Some((format!("{name}: may not list {kinds}"), Tone::Warn)),
        Standing::Stale(since, ..) => {
            Some((format!("{name} stale for {}", human::age(*since, state.now())), Tone::Warn))
        }
        _ => None,
    })
}

/// `1 pipeline`, `2 pipelines`.
#[must_use]
pub fn plural(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
