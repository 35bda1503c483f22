//! What lies over a screen and takes its keys: the line of the filter, the palette, help.

use crossterm::event::KeyEvent;

use super::{concluded, leave, perform};
use crate::action::Action;
use crate::app::palette::{self, Palette};
use crate::app::screen::{Outcome, Screen};
use crate::app::{Effect, Layer, State, help};
use crate::event::Notice;

pub(super) fn pasted(state: &mut State, text: &str) -> Vec<Effect> {
    match &mut state.layer {
        Some(Layer::Filter(input, _)) => input.insert(text),
        Some(Layer::Palette(palette)) => palette.input.insert(text),
        Some(Layer::Help(_)) => return Vec::new(),
        None => {
            let outcome = state.pasted(text);
            return concluded(state, outcome);
        }
    }
    retyped(state);
    Vec::new()
}

pub(super) fn typed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    let edited = match &mut state.layer {
        Some(Layer::Filter(input, _)) => input.press(key),
        Some(Layer::Palette(palette)) => palette.input.press(key),
        Some(Layer::Help(_)) => false,
        None => {
            let outcome = state.typed(key);
            return concluded(state, outcome);
        }
    };
    if edited {
        retyped(state);
    }
    Vec::new()
}

/// Lets the line that was edited take effect.
fn retyped(state: &mut State) {
    state.dirty = true;
    let place = state.screen().part().place();
    match state.layer.take() {
        Some(Layer::Filter(input, before)) => {
            state.part_mut().set_filter(&input.text());
            state.layer = Some(Layer::Filter(input, before));
        }
        Some(Layer::Palette(mut palette)) => {
            palette.search(&state.world(), place);
            state.layer = Some(Layer::Palette(palette));
        }
        layer => state.layer = layer,
    }
}

/// An intent while something lies over the screen.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match &state.layer {
        Some(Layer::Filter(..)) => filter_action(state, action),
        Some(Layer::Palette(_)) => palette_action(state, action),
        Some(Layer::Help(_)) => help_action(state, action),
        None => Vec::new(),
    }
}

fn filter_action(state: &mut State, action: Action) -> Vec<Effect> {
    state.dirty = true;
    match (action, state.layer.take()) {
        (Action::Accept, _) => {}
        (Action::Back, Some(Layer::Filter(_, before))) => state.part_mut().set_filter(&before),
        (other, layer) => {
            state.layer = layer;
            let outcome = state.act(other);
            return concluded(state, outcome);
        }
    }
    Vec::new()
}

fn palette_action(state: &mut State, action: Action) -> Vec<Effect> {
    state.dirty = true;
    let Some(Layer::Palette(mut palette)) = state.layer.take() else { return Vec::new() };
    match action {
        Action::Back => return Vec::new(),
        Action::Accept => return palette_accepted(state, &palette),
        Action::Complete => palette.complete(),
        other => palette.choose(other),
    }
    state.layer = Some(Layer::Palette(palette));
    Vec::new()
}

fn palette_accepted(state: &mut State, palette: &Palette) -> Vec<Effect> {
    match palette.chosen().map(|offer| offer.target.clone()) {
        Some(palette::Target::Act(Action::Quit)) => leave(state),
        Some(palette::Target::Act(Action::Suspend)) => vec![Effect::Suspend],
        Some(palette::Target::Act(action)) => perform(state, action),
        Some(palette::Target::Pipeline(key)) => {
            state.above.clear();
            concluded(state, Outcome::open(Screen::pipeline(key)))
        }
        None => {
            let typed = palette.input.text();
            state.say(Notice::Failed(
                format!("no command or pipeline begins with “{typed}”; : shows what there is, ↓ chooses").into(),
            ));
            Vec::new()
        }
    }
}

fn help_action(state: &mut State, action: Action) -> Vec<Effect> {
    state.dirty = true;
    if matches!(action, Action::Back | Action::Help) {
        state.layer = None;
    } else {
        scroll_help(state, action);
    }
    Vec::new()
}

pub(super) fn scroll_help(state: &mut State, action: Action) {
    let lines = help::lines(state.screen().part().place()).len();
    let height = usize::from(state.size.1.saturating_sub(3)).max(1);
    let most = lines.saturating_sub(height);
    let Some(Layer::Help(offset)) = &mut state.layer else { return };
    *offset = match action {
        Action::Up => offset.saturating_sub(1),
        Action::Down => offset.saturating_add(1),
        Action::PageUp => offset.saturating_sub(height),
        Action::PageDown => offset.saturating_add(height),
        Action::HalfUp => offset.saturating_sub(height / 2),
        Action::HalfDown => offset.saturating_add(height / 2),
        Action::Top => 0,
        Action::Bottom => most,
        _ => *offset,
    }
    .min(most);
}
