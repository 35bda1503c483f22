//! What keys do on the form and in its document.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use super::{Back, Focus, Known, TuneScreen, path_of};
use crate::action::{Action, Place};
use crate::app::screen::{Cause, Outcome, Part, World};
use crate::app::{Effect, verbs};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::dossier::Dossier;

impl Part for TuneScreen {
    fn place(&self) -> Place {
        Place::Tune
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        self.sheet_mut().is_some_and(|sheet| sheet.editor.refresh(world, cause)) || matches!(cause, Cause::Shown)
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        self.warned &= action == Action::Clear;
        match (action, self.focus) {
            (Action::Save, _) => self.confirm(world),
            (Action::Clear, _) => self.clear(),
            (Action::Rebase, _) => self.rebase(world),
            (Action::Retry, _) => Outcome::Effect(Effect::Survey(self.key.clone())),
            (Action::NextProblem, _) => self.next_problem(world),
            (Action::PreviousPart, _) => self.step(Back::Yes),
            (Action::Complete, Focus::Form(_)) => self.take_topic(world).unwrap_or_else(|| self.step(Back::No)),
            (Action::Undo | Action::Redo, Focus::Form(_)) => Outcome::Say("undo works in the document; F4 clears all"),
            (
                Action::Complete
                | Action::Undo
                | Action::Redo
                | Action::Pager
                | Action::NextMatch
                | Action::PreviousMatch
                | Action::PageUp
                | Action::PageDown
                | Action::Top
                | Action::Bottom,
                _,
            ) => self.in_document(action, world),
            _ => Outcome::Ignored,
        }
    }

    fn typed(&mut self, key: &KeyEvent, world: &World<'_>) -> Outcome {
        self.warned = false;
        if let Known::Found(objects, chosen) = &mut self.known {
            let last = objects.len().saturating_sub(1);
            match key.code {
                KeyCode::Down => *chosen = (*chosen + 1).min(last),
                KeyCode::Up => *chosen = chosen.saturating_sub(1),
                KeyCode::Enter => {
                    let Some(id) = objects.get(*chosen).cloned() else { return Outcome::Ignored };
                    let path = path_of(&self.key, &format!("{}/{}", id.kind.word(), id.name));
                    return Outcome::Effect(Effect::Open(self.key.clone(), id, path));
                }
                _ => return Outcome::Ignored,
            }
            return Outcome::Done;
        }
        match (self.focus, key.code) {
            (Focus::Form(_), KeyCode::Enter | KeyCode::Down) => self.step(Back::No),
            (Focus::Form(_), KeyCode::Up) => self.step(Back::Yes),
            (Focus::Form(_), _) if self.input.press(key) => self.written(world),
            (Focus::Form(_), _) => Outcome::Ignored,
            (Focus::Document, _) => self.edited_by(world.now, |editor| editor.typed(key, world)),
        }
    }

    fn pasted(&mut self, text: &str, world: &World<'_>) -> Outcome {
        self.warned = false;
        if let Focus::Form(_) = self.focus {
            self.input.insert(text);
            return self.written(world);
        }
        self.edited_by(world.now, |editor| editor.pasted(text, world))
    }

    fn surveyed(&mut self, key: &PipelineKey, dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        if *key != self.key {
            return false;
        }
        match dossier {
            Ok(dossier) => {
                self.dossier = Some(dossier.clone());
                self.begin();
            }
            Err(why) if self.sheet().is_none() => self.known = Known::Not(why.clone()),
            Err(_) => {}
        }
        true
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        let Some(sheet) = self.sheet() else { return matches!(action, Action::Back | Action::Help | Action::Retry) };
        match action {
            Action::Save | Action::Clear => sheet.counts().1 > 0,
            Action::NextProblem => sheet.counts().0 > 0,
            Action::Rebase => sheet.newest != sheet.revision,
            Action::Complete | Action::PreviousPart => true,
            Action::Undo | Action::Redo => self.focus == Focus::Document,
            other => sheet.editor.offers(other, world),
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        verbs::watch(&self.key, world, interest);
        interest.kafka_names.insert(self.key.environment.clone());
    }

    fn filter(&self) -> &str {
        self.sheet().map_or("", |sheet| sheet.editor.filter())
    }

    fn rows_shown(&self) -> usize {
        self.sheet().map_or(0, |sheet| sheet.editor.rows_shown())
    }

    fn set_filter(&mut self, filter: &str) {
        self.focus_on(Focus::Document);
        if let Some(sheet) = self.sheet_mut() {
            sheet.editor.set_filter(filter);
        }
    }
}
