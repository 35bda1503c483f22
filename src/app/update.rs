//! Events in, effects out.

mod layers;
mod news;

use crossterm::event::KeyEvent;

use super::change::ChangeScreen;
use super::input::Input;
use super::operations::Stage;
use super::palette::Palette;
use super::screen::{Cause, Outcome, Screen};
use super::signals::alerts;
use super::{Effect, Layer, State};
use crate::action::Action;
use crate::event::{Event, Notice};
use crate::model::Time;
use crate::model::owner;
use crate::plan::intent::Intent;

/// A notice stays for so long, in seconds.
const NOTICE_SECONDS: i64 = 6;
/// Screens can be opened over one another so many times; then the lowest is forgotten.
const DEEPEST: usize = 20;

/// Takes one event in; says what has to be done outside.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) => return pressed(state, &key),
        Event::Paste(text) => return layers::pasted(state, &text),
        Event::Resized(columns, rows) => {
            state.size = (columns, rows);
            state.dirty = true;
            state.refresh(&Cause::Shown);
            layers::scroll_help(state, Action::Up);
        }
        Event::Ticked(now) => return ticked(state, now),
        Event::Changed(changes) => return news::changed(state, changes),
        Event::Fetched(key, result) => news::fetched(state, &key, &result),
        Event::Edited(result) => return news::edited(state, result),
        Event::Saved(path, saving) => return news::saved(state, &path, &saving),
        Event::Opened(opened) => return news::opened(state, *opened),
        Event::Recalled(path, draft) => news::recalled(state, &path, draft.as_ref()),
        Event::ChangeWentOn(number, news) => return news::change_went_on(state, number, news),
        Event::Surveyed(key, dossier) => news::surveyed(state, &key, &dossier),
        Event::Around(key, around) => news::around(state, &key, &around),
        Event::Logs(news) => news::logs_went_on(state, &news),
        Event::Granted(key, granted) => news::granted(state, &key, &granted),
        Event::Noticed(notice) => state.say(notice),
        Event::Resumed => state.dirty = true,
        Event::Terminated => return vec![Effect::Quit],
    }
    Vec::new()
}

fn ticked(state: &mut State, now: Time) -> Vec<Effect> {
    let second = now.timestamp() != state.now.timestamp();
    state.now = now;
    if !second {
        return Vec::new();
    }
    state.dirty = true;
    if state.notice.as_ref().is_some_and(|(_, at)| (now - *at).num_seconds() >= NOTICE_SECONDS) {
        state.notice = None;
    }
    state.overview.second_passed(&state.inventory, now);
    state.refresh(&Cause::Second);
    let told = owner::all_saturations(&state.inventory);
    if told.is_empty() { Vec::new() } else { vec![Effect::Saturate(told)] }
}

fn pressed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    state.dirty |= state.notice.take().is_some();
    let place = state.place();
    let Some(action) = state.keymap.action(place, key) else {
        return layers::typed(state, key);
    };
    match action {
        Action::Quit => leave(state),
        Action::Suspend => vec![Effect::Suspend],
        _ if state.layer.is_some() => layers::act(state, action),
        _ => perform(state, action),
    }
}

/// Leaves, but not a change half made unasked: nobody would note what came of it.
fn leave(state: &mut State) -> Vec<Effect> {
    let under_way = state.operations.under_way().filter(|it| it.stage == Stage::Making && state.warned != it.number);
    let Some(operation) = under_way else { return vec![Effect::Quit] };
    state.warned = operation.number;
    let words = operation.intent.words();
    state.say(Notice::Failed(format!("{words} is half made; q once more leaves it so, C shows it").into()));
    Vec::new()
}

fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    let outcome = state.act(action);
    if !matches!(outcome, Outcome::Ignored) {
        return concluded(state, outcome);
    }
    match action {
        Action::Filter => {
            let before = state.screen().part().filter().to_owned();
            state.layer = Some(Layer::Filter(Input::selected(&before), before));
        }
        Action::Palette => {
            state.layer = Some(Layer::Palette(Palette::new(&state.world(), state.screen().part().place())));
        }
        Action::Help => state.layer = Some(Layer::Help(0)),
        Action::Back => return back(state),
        Action::Retry => {
            state.retry += 1;
            state.say(Notice::Done("asking all backends again now".into()));
        }
        Action::Pipelines => {
            state.above.clear();
            state.refresh(&Cause::Shown);
        }
        other => return Screen::at(other).map_or_else(Vec::new, |screen| go(state, screen)),
    }
    state.dirty = true;
    Vec::new()
}

/// Opens one of the screens that stand on their own, unless it is in front already.
fn go(state: &mut State, screen: Screen) -> Vec<Effect> {
    if screen.part().place() == state.screen().part().place() {
        return Vec::new();
    }
    concluded(state, Outcome::open(screen))
}

fn back(state: &mut State) -> Vec<Effect> {
    if !state.screen().part().filter().is_empty() {
        state.part_mut().set_filter("");
        state.dirty = true;
    } else if state.above.pop().is_some() {
        state.refresh(&Cause::Shown);
        state.dirty = true;
    } else if matches!(state.root, Screen::Editor(_)) {
        return vec![Effect::Quit];
    }
    Vec::new()
}

fn concluded(state: &mut State, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Ignored => return Vec::new(),
        Outcome::Done => {}
        Outcome::Open(screen) => {
            if state.above.len() >= DEEPEST {
                state.above.remove(0);
            }
            let wanted = screen.wanted();
            state.above.push(*screen);
            state.refresh(&Cause::Shown);
            state.dirty = true;
            return wanted;
        }
        Outcome::Close => {
            state.above.pop();
            state.refresh(&Cause::Shown);
        }
        Outcome::Copy(text) => {
            let words = match text.lines().count() {
                0 | 1 => format!("copied {text}"),
                lines => format!("copied {lines} lines"),
            };
            state.say(Notice::Done(words.into()));
            return vec![Effect::Copy(text)];
        }
        Outcome::Type(text) => {
            let before = state.screen().part().filter().to_owned();
            state.part_mut().set_filter(&text);
            state.layer = Some(Layer::Filter(Input::new(&text), before));
        }
        Outcome::Say(words) => state.say(Notice::Failed(words.into())),
        Outcome::Tell(words) => state.say(Notice::Failed(words.into())),
        Outcome::Begin(intent) => return begin(state, intent),
        Outcome::Agree(number, consent) => {
            state.operations.agreed(number, state.now);
            state.refresh(&Cause::Shown);
            state.dirty = true;
            return vec![Effect::Agree(number, consent)];
        }
        Outcome::Withdraw(number) => {
            state.above.pop();
            state.operations.withdraw(number);
            state.refresh(&Cause::Shown);
            state.dirty = true;
            return vec![Effect::Cancel(number)];
        }
        Outcome::Effect(effect) => {
            if let Effect::Answer(_, order) = &effect {
                state.say(Notice::Done(alerts::answered(order).into()));
            }
            state.dirty = true;
            return vec![effect];
        }
    }
    state.dirty = true;
    Vec::new()
}

/// A change is planned on a screen of its own, which takes the place of what asked for it or of its last try.
fn begin(state: &mut State, intent: Intent) -> Vec<Effect> {
    if matches!(state.screen(), Screen::Question(_) | Screen::Change(_)) {
        state.above.pop();
    }
    let number = state.operations.begin(intent.clone(), state.now);
    let effects = concluded(state, Outcome::open(Screen::Change(Box::new(ChangeScreen::new(number)))));
    effects.into_iter().chain([Effect::Plan(number, Box::new(intent))]).collect()
}
