//! What backends, files and changes under way have told.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::concluded;
use crate::app::editor::{EditorScreen, Target};
use crate::app::operations::Stage;
use crate::app::screen::{Cause, Outcome, Screen, Touched};
use crate::app::{Effect, State};
use crate::event::{ChangeNews, DocumentKey, Draft, Ending, Notice, Opened, Saving};
use crate::logs::news::News;
use crate::model::change::Change;
use crate::model::key::{KafkaKey, PipelineKey};
use crate::model::route::Granted;
use crate::model::signal::{Alert, AlertState, Signals};
use crate::plan::dossier::Dossier;
use crate::plan::manage::Around;

pub(super) fn changed(state: &mut State, changes: Vec<Change>) -> Vec<Effect> {
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

pub(super) fn fetched(state: &mut State, key: &DocumentKey, result: &Result<Arc<str>, Arc<str>>) {
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
pub(super) fn change_went_on(state: &mut State, number: u64, news: ChangeNews) -> Vec<Effect> {
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
pub(super) fn opened(state: &mut State, opened: Opened) -> Vec<Effect> {
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

pub(super) fn recalled(state: &mut State, path: &Path, draft: Option<&Draft>) {
    for screen in &mut state.above {
        if let Screen::Tune(screen) = screen {
            state.dirty |= screen.recalled(path, draft);
        }
    }
    state.refresh(&Cause::Shown);
}

/// Every screen about that pipeline takes in what is known of it.
pub(super) fn surveyed(state: &mut State, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) {
    for screen in &mut state.above {
        state.dirty |= screen.part_mut().surveyed(key, dossier);
    }
    state.refresh(&Cause::Shown);
}

/// What stands around a pipeline, for the screen that manages it.
pub(super) fn around(state: &mut State, key: &PipelineKey, around: &Result<Arc<Around>, Arc<str>>) {
    for screen in &mut state.above {
        if let Screen::Manage(screen) = screen {
            state.dirty |= screen.told(key, around);
        }
    }
    state.refresh(&Cause::Shown);
}

/// What may be asked of a route.
pub(super) fn granted(state: &mut State, key: &KafkaKey, granted: &Granted) {
    let now = state.now;
    if let Screen::Route(screen) = state.front_mut() {
        state.dirty |= screen.granted(key, granted, now);
    }
}

/// Every screen over that log takes the news in; the one in front shows them.
pub(super) fn logs_went_on(state: &mut State, news: &News) {
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

/// The user's own editor gave a text back.
pub(super) fn edited(state: &mut State, result: Result<Arc<str>, Arc<str>>) -> Vec<Effect> {
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
pub(super) fn saved(state: &mut State, path: &Arc<Path>, saving: &Saving) -> Vec<Effect> {
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
