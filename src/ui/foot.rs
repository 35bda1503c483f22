//! The last line: what is being typed, what was just said, or what works here now.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::text;
use super::theme::{Sign, Theme, Tone};
use crate::action::{self, Action};
use crate::app::screen::Screen;
use crate::app::{Layer, State};
use crate::event::Notice;
use crate::keymap::Chord;

/// Draws it.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    match (state.layer(), state.notice()) {
        (Some(Layer::Filter(input, _)), _) => {
            let prompt = if matches!(state.screen(), Screen::Trial(_)) { "rule " } else { "/" };
            typed(canvas, area, prompt, input);
        }
        (Some(Layer::Palette(palette)), _) => typed(canvas, area, ":", &palette.input),
        (None, Some(notice)) => said(canvas, area, notice),
        (Some(Layer::Help(_)), _) | (None, None) => hints(canvas, area, state),
    }
}

fn typed(canvas: &mut Canvas<'_>, area: Rect, prompt: &str, input: &crate::app::input::Input) {
    let theme = *canvas.theme;
    let (before, after) = input.parts();
    let cells = usize::from(area.width.saturating_sub(6));
    let clean = text::clean_in(&before, theme.charset());
    let before = text::cut_front(&clean, cells, theme.charset());
    canvas
        .line(area, 0)
        .skip(1)
        .put(prompt, theme.accent())
        .put(&before, if input.is_selected() { theme.selected(theme.strong()) } else { theme.strong() })
        .put(theme.sign(Sign::Cursor), theme.accent())
        .put(&after, theme.strong());
}

fn said(canvas: &mut Canvas<'_>, area: Rect, notice: &Notice) {
    let theme = *canvas.theme;
    let (words, style) = match notice {
        Notice::Done(words) => (words.to_string(), theme.tone(Tone::Good)),
        Notice::Failed(words) => (words.to_string(), theme.tone(Tone::Bad)),
        Notice::Dropped(backend, number) => (
            format!("{number} messages from {} were dropped: more came than could be shown", backend.word()),
            theme.tone(Tone::Warn),
        ),
    };
    canvas.line(area, 0).skip(1).put(&words, style);
}

/// A hint: the key, its word, and how much it matters: 0 is always shown.
type Hint = (String, &'static str, u8);

/// What works here now, as far as there is room; the ways to the help and back always are.
fn hints(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    let theme = *canvas.theme;
    let offered: Vec<Hint> = action::definitions(state.place())
        .filter(|definition| state.offers(definition.action))
        .filter_map(|definition| {
            let (key, rank) = match definition.action {
                Action::Help | Action::Back => (key_name(definition.keys.first()?, theme), 0),
                Action::SortNext => ("< >".to_owned(), 2),
                Action::TimeBack => (theme.sign(Sign::Sideways).to_owned(), 1),
                Action::HeatMap => (key_name(definition.keys.first()?, theme), 2),
                _ => (key_name(definition.keys.first()?, theme), 1),
            };
            Some((key, definition.hint?, rank))
        })
        .collect();
    let mut pen = canvas.line(area, 0);
    pen.skip(1);
    // The gap after the last one may hang over the end.
    let mut room = usize::from(pen.left()) + 2;
    let mut kept = vec![false; offered.len()];
    for rank in 0..=2 {
        for (hint, keep) in offered.iter().zip(&mut kept).filter(|(hint, _)| hint.2 == rank) {
            let width = text::width(&hint.0) + 1 + text::width(hint.1) + 2;
            if width <= room {
                *keep = true;
                room -= width;
            }
        }
    }
    for ((key, word, _), _) in offered.iter().zip(kept).filter(|(_, keep)| *keep) {
        pen.put(key, theme.accent()).skip(1).put(word, theme.dim()).skip(2);
    }
}

/// A key as people know it.
#[must_use]
pub fn key_name(key: &str, theme: Theme) -> String {
    match key {
        "enter" => theme.sign(Sign::Enter).to_owned(),
        other => Chord::parse(other).map_or_else(|| other.to_owned(), |chord| chord.to_string()),
    }
}
