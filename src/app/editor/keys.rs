//! What keys do in the text: intents first, all others are typed.

use crossterm::event::{KeyCode, KeyEvent};

use super::{EditorScreen, Language};
use crate::action::{Action, Place};
use crate::app::Effect;
use crate::app::screen::{Cause, Outcome, Part, World};
use crate::model::interest::Interest;

impl Part for EditorScreen {
    fn place(&self) -> Place {
        Place::Editor
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        match cause {
            Cause::Shown => {
                let layout = self.layout(world.size);
                self.height = usize::from(layout.body).max(1);
                let gutter = 4 + self.lines().len().max(1).ilog10() as usize;
                self.width = usize::from(world.size.0).saturating_sub(gutter + 1).max(1);
                self.follow();
                true
            }
            Cause::Second => {
                let was = self.unchecked;
                self.check();
                was
            }
            Cause::Changed(_) => false,
        }
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::PageUp | Action::PageDown => self.page(action),
            Action::Top => self.moved_to(0, 0),
            Action::Bottom => self.moved_to(self.lines().len().saturating_sub(1), usize::MAX),
            Action::Complete => self.complete(world.now),
            Action::NextProblem => self.next_problem(),
            Action::NextMatch | Action::PreviousMatch => self.search(action),
            Action::Clear => self.clear(world.now),
            Action::Save => self.save(world),
            Action::Pager => {
                let suffix = if self.language == Language::Configuration { ".json" } else { ".yaml" };
                Outcome::Effect(Effect::Edit(self.text(), suffix))
            }
            Action::Undo | Action::Redo => {
                let done = if action == Action::Undo { self.area.undo() } else { self.area.redo() };
                if done { Outcome::Effect(self.changed(world.now)) } else { Outcome::Say("nothing more to take back") }
            }
            _ => Outcome::Ignored,
        }
    }

    fn typed(&mut self, key: &KeyEvent, world: &World<'_>) -> Outcome {
        if key.code == KeyCode::Enter {
            self.break_line();
            return Outcome::Effect(self.changed(world.now));
        }
        let before = self.cursor();
        if self.area.input(*key) {
            return Outcome::Effect(self.changed(world.now));
        }
        if before == self.cursor() { Outcome::Done } else { self.moved() }
    }

    fn pasted(&mut self, text: &str, world: &World<'_>) -> Outcome {
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
        Outcome::Effect(self.changed(world.now))
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Save | Action::Clear => self.is_changed(),
            Action::NextProblem => !self.problems.is_empty(),
            Action::NextMatch | Action::PreviousMatch => !self.find.is_empty(),
            Action::Complete => !self.offers.is_empty() || self.mend().is_some(),
            _ => true,
        }
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}

    fn filter(&self) -> &str {
        &self.find
    }

    fn rows_shown(&self) -> usize {
        self.lines().iter().map(|line| self.matches(line).len()).sum()
    }

    fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.find);
        // What is searched stands as it is typed; a letter in upper case counts.
        let fold = if filter.chars().any(char::is_uppercase) { "" } else { "(?i)" };
        let pattern = if filter.is_empty() { String::new() } else { format!("{fold}{}", regex::escape(filter)) };
        if self.area.set_search_pattern(pattern).is_ok() && !filter.is_empty() && self.area.search_forward(true) {
            self.moved();
        }
    }
}
