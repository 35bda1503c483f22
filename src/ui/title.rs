//! The first line of every screen but the list of pipelines: where you are, how it is, what time it is.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::head;
use super::theme::{self, Sign, Tone};
use crate::app::State;
use crate::model::human;
use crate::model::verdict::{Condition, Verdict};

/// Cells of a filter that are shown at least.
const LEAST_FILTER: usize = 12;

/// What the line says.
#[derive(Debug, Default)]
pub struct Title<'a> {
    /// The way to here.
    pub crumbs: Vec<&'a str>,
    /// How it is.
    pub verdict: Option<&'a Verdict>,
    /// Short facts.
    pub facts: Vec<String>,
    /// Which match was gone to and how many there are, where a text is searched.
    pub found: Option<(usize, usize)>,
    /// A fact that needs attention.
    pub warning: Option<String>,
}

/// Draws it; connections that do not work come before the clock.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, title: &Title<'_>) {
    let theme = *canvas.theme;
    let trouble = head::link_trouble(state);
    let mut pen = canvas.line(area, 0);
    pen.skip(1);
    for (index, crumb) in title.crumbs.iter().enumerate() {
        if index > 0 {
            pen.skip(1).put(theme.sign(Sign::Crumb), theme.dim()).skip(1);
        }
        let last = index + 1 == title.crumbs.len();
        pen.put(crumb, if last { theme.strong() } else { theme.accent() });
    }
    if let Some(verdict) = title.verdict {
        let style = theme.tone(theme::condition_tone(verdict.condition));
        pen.skip(3).put(&format!("{} {}", theme.condition_glyph(verdict.condition), verdict.condition.word()), style);
        if let Some(since) = verdict.since {
            // What degrades a pipeline may have begun before it got better.
            let words = if verdict.condition == Condition::Degraded { "trouble since" } else { "since" };
            pen.skip(1)
                .put(&format!("{words} {} ({})", since.format("%H:%M:%SZ"), human::age(since, state.now())), style);
        }
    }
    if let Some(warning) = &title.warning {
        pen.skip(3).put(warning, theme.tone(Tone::Warn));
    }
    let clock = head::clock(state.now());
    let reserved = trouble.as_ref().map_or(clock.len(), |(words, _)| words.len()) + 2;
    if let Some((filter, rows)) = state.filtered() {
        let shown = match title.found {
            Some((_, 0)) => ": no match".to_owned(),
            Some((number, all)) => format!(": match {number} of {all}"),
            None => format!(": {rows} shown"),
        };
        let room = usize::from(pen.skip(3).left()).saturating_sub(reserved + shown.len() + 1).max(LEAST_FILTER);
        let filter = super::text::clean_in(filter, theme.charset());
        let filter = super::text::cut(&filter, room, theme.charset());
        pen.put(&format!("/{filter}{shown}"), theme.accent());
    }
    for fact in &title.facts {
        if !fact.is_empty() && usize::from(pen.left()) > fact.len() + 3 + reserved {
            pen.skip(3).put(fact, theme.dim());
        }
    }
    if let Some((words, tone)) = trouble {
        let room = usize::from(pen.left().saturating_sub(3));
        let clean = super::text::clean_in(&words, theme.charset());
        let words = super::text::cut(&clean, room, theme.charset());
        pen.at_end(&format!("{words} "), theme.tone(tone));
    } else {
        pen.at_end(&clock, theme.dim());
    }
}
