//! Events in, effects out.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crossterm::event::KeyEvent;

use super::change::ChangeScreen;
use super::editor::{EditorScreen, Target};
use super::help;
use super::input::Input;
use super::operations::Stage;
use super::palette::{self, Palette};
use super::screen::{Cause, Outcome, Screen, Touched};
use super::{Effect, Layer, State};
use crate::action::Action;
use crate::event::{ChangeNews, DocumentKey, Draft, Ending, Event, Notice, Opened, Saving};
use crate::logs::news::News;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::key::PipelineKey;
use crate::model::owner;
use crate::model::signal::{Alert, AlertOrder, AlertState, Answer, Signals};
use crate::plan::dossier::Dossier;
use crate::plan::intent::Intent;

/// A notice stays for so long, in seconds.
const NOTICE_SECONDS: i64 = 6;
/// Screens can be opened over one another so many times; then the lowest is forgotten.
const DEEPEST: usize = 20;

/// Takes one event in; says what has to be done outside.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) => return pressed(state, &key),
        Event::Paste(text) => return pasted(state, &text),
        Event::Resized(columns, rows) => {
            state.size = (columns, rows);
            state.dirty = true;
            state.refresh(&Cause::Shown);
            scroll_help(state, Action::Up);
        }
        Event::Ticked(now) => return ticked(state, now),
        Event::Changed(changes) => return changed(state, changes),
        Event::Fetched(key, result) => fetched(state, &key, &result),
        Event::Edited(result) => return edited(state, result),
        Event::Saved(path, saving) => return saved(state, &path, &saving),
        Event::Opened(opened) => return self::opened(state, *opened),
        Event::Recalled(path, draft) => recalled(state, &path, draft.as_ref()),
        Event::ChangeWentOn(number, news) => return change_went_on(state, number, news),
        Event::Surveyed(key, dossier) => surveyed(state, &key, &dossier),
        Event::Around(key, around) => {
            for screen in &mut state.above {
                if let Screen::Manage(screen) = screen {
                    state.dirty |= screen.told(&key, &around);
                }
            }
            state.refresh(&Cause::Shown);
        }
        Event::Logs(news) => logs_went_on(state, &news),
        Event::Granted(key, granted) => {
            let now = state.now;
            if let Screen::Route(screen) = state.front_mut() {
                state.dirty |= screen.granted(&key, &granted, now);
            }
        }
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

fn changed(state: &mut State, changes: Vec<Change>) -> Vec<Effect> {
    let failing = state.overview.counts().failing;
    let tells_alerts = changes.iter().any(|change| matches!(change, Change::Signals(..)));
    let before = if tells_alerts { awake(state) } else { BTreeSet::new() };
    let mut touched = Touched::default();
    for change in changes {
        touched.note(&change);
        state.inventory.apply(change);
    }
    touched.pipelines = state.inventory.take_dirty();
    if touched.environments {
        state.dirty |= state.overview.environments_changed(&state.inventory);
    }
    state.overview.pipelines_changed(&state.inventory, &touched.pipelines, state.now);
    state.refresh(&Cause::Changed(&touched));
    let settled = state.overview.standings().iter().all(|(_, standing)| !standing.is_pending());
    if !settled {
        return Vec::new();
    }
    let more = state.overview.counts().failing.saturating_sub(failing);
    let new = if tells_alerts { awake(state) } else { BTreeSet::new() };
    let words = match (new.difference(&before).collect::<Vec<_>>().as_slice(), more) {
        ([], 0) => return Vec::new(),
        ([], 1) => "a pipeline has started to fail".to_owned(),
        ([], more) => format!("{more} pipelines have started to fail"),
        ([(environment, service, rule)], _) => format!("{environment}: {service}: {rule} fires"),
        (alerts, _) => format!("{} alerts fire", alerts.len()),
    };
    vec![Effect::Alarm(words)]
}

/// The alerts that fire and that nobody looks after yet: environment, service and rule.
fn awake(state: &State) -> BTreeSet<(Arc<str>, Arc<str>, Arc<str>)> {
    let is_awake = |alert: &&Alert| {
        let sleeps = alert.snoozed_until.is_some_and(|until| until > state.now);
        alert.state == AlertState::Firing && alert.acknowledged.is_none() && !sleeps
    };
    let of = |(environment, signals): (&Arc<str>, &Arc<Signals>)| {
        let name = |it: &Alert| (environment.clone(), it.service.clone(), it.rule.clone());
        signals.alerts.iter().filter(is_awake).map(name).collect::<Vec<_>>()
    };
    state.inventory.signals().iter().flat_map(of).collect()
}

fn fetched(state: &mut State, key: &DocumentKey, result: &Result<Arc<str>, Arc<str>>) {
    let in_front = state.above.len();
    for (index, screen) in state.above.iter_mut().enumerate() {
        if let Screen::Document(document) = screen
            && document.fetched(key, result)
            && index + 1 == in_front
        {
            state.dirty = true;
        }
    }
}

/// A change went on; what ends where nobody looks is said.
fn change_went_on(state: &mut State, number: u64, news: ChangeNews) -> Vec<Effect> {
    let said = state.operations.note(number, news, state.now);
    let in_front = matches!(state.screen(), Screen::Change(screen) if screen.number == number);
    if let Some((words, good)) = said.filter(|_| !in_front) {
        state.say(if good { Notice::Done(words) } else { Notice::Failed(words) });
    }
    let mut effects = follow_up(state, number);
    effects.extend(outdated(state, number));
    state.refresh(&Cause::Shown);
    state.dirty = true;
    effects
}

/// What was asked before a change that has ended has to be asked again.
fn outdated(state: &State, number: u64) -> Vec<Effect> {
    let Some(operation) = state.operations.get(number).filter(|it| matches!(it.stage, Stage::Ended(_))) else {
        return Vec::new();
    };
    let key = operation.intent.subject();
    let mut asked: Vec<Effect> = Vec::new();
    for effect in state.above.iter().flat_map(|screen| screen.outdated_by(key)) {
        if !asked.contains(&effect) {
            asked.push(effect);
        }
    }
    asked
}

/// What was applied needs no draft any more; what was not is looked at again, since somebody may have been first.
fn follow_up(state: &mut State, number: u64) -> Vec<Effect> {
    let Some(operation) = state.operations.get(number) else { return Vec::new() };
    let (reached, key) = (operation.stage.clone(), operation.intent.pipeline.clone());
    let Some(draft) = operation.intent.ask.draft().cloned() else { return Vec::new() };
    match reached {
        Stage::Ended(Ending::Done(_)) => {
            state.above.retain(|screen| match screen {
                Screen::Tune(screen) => screen.key != key,
                Screen::Editor(screen) => screen.path != draft,
                _ => true,
            });
            vec![Effect::Keep(draft, None)]
        }
        Stage::Ended(_) => vec![Effect::Survey(key)],
        _ => Vec::new(),
    }
}

/// An object was opened: the editor takes the place of the list that it was chosen from.
fn opened(state: &mut State, opened: Opened) -> Vec<Effect> {
    let is_awaited = matches!(state.screen(), Screen::Tune(screen) if screen.key == opened.key);
    if !is_awaited {
        return Vec::new();
    }
    match opened.text {
        Err(why) => concluded(state, Outcome::Tell(why.to_string())),
        Ok(text) => {
            state.above.pop();
            let target = Target { key: opened.key, id: opened.id };
            let editor = EditorScreen::object(target, (opened.path, text), opened.draft);
            concluded(state, Outcome::open(Screen::Editor(Box::new(editor))))
        }
    }
}

fn recalled(state: &mut State, path: &Path, draft: Option<&Draft>) {
    for screen in &mut state.above {
        if let Screen::Tune(screen) = screen {
            state.dirty |= screen.recalled(path, draft);
        }
    }
    state.refresh(&Cause::Shown);
}

/// Every screen about that pipeline takes in what is known of it.
fn surveyed(state: &mut State, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) {
    for screen in &mut state.above {
        state.dirty |= screen.part_mut().surveyed(key, dossier);
    }
    state.refresh(&Cause::Shown);
}

/// Every screen over that log takes the news in; the one in front shows them.
fn logs_went_on(state: &mut State, news: &News) {
    let in_front = state.above.len();
    for (index, screen) in state.above.iter_mut().enumerate() {
        let told = match screen {
            Screen::Logs(screen) => screen.told(news),
            Screen::Exceptions(screen) => screen.told(news),
            _ => false,
        };
        state.dirty |= told && index + 1 == in_front;
    }
    if state.dirty {
        state.refresh(&Cause::Second);
    }
}

fn pasted(state: &mut State, text: &str) -> Vec<Effect> {
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

/// The user's own editor gave a text back.
fn edited(state: &mut State, result: Result<Arc<str>, Arc<str>>) -> Vec<Effect> {
    state.dirty = true;
    let now = state.now;
    match (result, state.front_mut()) {
        (Ok(text), Screen::Editor(editor)) => vec![editor.edited(&text, now)],
        (Ok(text), Screen::Tune(screen)) => screen.edited(&text, now).into_iter().collect(),
        (Ok(_), _) => Vec::new(),
        (Err(why), _) => {
            state.say(Notice::Failed(format!("no editor: {why}; set EDITOR to one").into()));
            Vec::new()
        }
    }
}

/// What came of saving a text, and what is to be kept of it now.
fn saved(state: &mut State, path: &Arc<Path>, saving: &Saving) -> Vec<Effect> {
    let now = state.now;
    let Screen::Editor(editor) = state.front_mut() else { return Vec::new() };
    if !editor.saved(path, saving) {
        return Vec::new();
    }
    let (errors, _) = editor.counts();
    let keep = editor.draft(now);
    state.say(match (saving, errors) {
        (Saving::Done(_), 0) => Notice::Done("saved".into()),
        (Saving::Done(_), errors) => Notice::Failed(format!("saved, with {errors} errors in it").into()),
        (Saving::Overtaken(_), _) => {
            let words = "not saved: somebody changed the file; F2 writes yours over it, F4 takes theirs";
            Notice::Failed(words.into())
        }
        (Saving::Failed(why), _) => Notice::Failed(format!("not saved: {why}").into()),
    });
    vec![keep]
}

fn pressed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    state.dirty |= state.notice.take().is_some();
    let place = state.place();
    let Some(action) = state.keymap.action(place, key) else {
        return typed(state, key);
    };
    match action {
        Action::Quit => leave(state),
        Action::Suspend => vec![Effect::Suspend],
        _ => match &state.layer {
            Some(Layer::Filter(..)) => filter_action(state, action),
            Some(Layer::Palette(_)) => palette_action(state, action),
            Some(Layer::Help(_)) => help_action(state, action),
            None => perform(state, action),
        },
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

fn typed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
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

fn scroll_help(state: &mut State, action: Action) {
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
                state.say(Notice::Done(answered(order).into()));
            }
            state.dirty = true;
            return vec![effect];
        }
    }
    state.dirty = true;
    Vec::new()
}

/// What an answer to an alert means from now on.
fn answered(order: &AlertOrder) -> String {
    let (rule, service) = (&order.rule, &order.service);
    match &order.answer {
        Answer::Acknowledge(_) => {
            format!("{rule} of {service} is yours: no more bell and messages until it is resolved; A takes that back")
        }
        Answer::Snooze(until) => format!("{rule} of {service} sleeps until {}; z wakes it", until.format("%H:%M:%SZ")),
        Answer::Wake => format!("{rule} of {service} is awake again: it rings and tells as before"),
    }
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
