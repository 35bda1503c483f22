//! The form of a processor that is added to a pipeline: each field checked as one types, by the rules of the manifest
//! that it would make.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::action::Action;
use crate::app::input::Input;
use crate::plan::compose::arrange::{self, Newcomer};
use crate::plan::tune::Field;

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Name.
    Name,
    /// Coordinates of its artifact.
    Artifact,
    /// Sizes and topics.
    Tuned(Field),
}

impl Part {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Artifact,
        Self::Tuned(Field::Replicas),
        Self::Tuned(Field::Cpu),
        Self::Tuned(Field::Memory),
        Self::Tuned(Field::Offset),
        Self::Tuned(Field::Inputs),
        Self::Tuned(Field::Outputs),
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Artifact => "artifact",
            Self::Tuned(field) => field.word(),
        }
    }

    /// Its name in a manifest.
    const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Artifact => "artifact",
            Self::Tuned(field) => field.key(),
        }
    }

    /// What belongs there.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Name => "a letter first; letters, digits and hyphens; 27 characters at most",
            Self::Artifact => "what it runs: group:artifact:version",
            Self::Tuned(Field::Replicas) => "TaskManagers",
            Self::Tuned(Field::Cpu) => "cores of one TaskManager",
            Self::Tuned(Field::Memory) => "memory of one TaskManager, with its unit",
            Self::Tuned(Field::Offset) => "another offset version reads the topics anew",
            Self::Tuned(Field::Inputs) => "topics that it reads, with commas between them",
            Self::Tuned(Field::Outputs) => "topics that it writes, with commas between them",
        }
    }
}

/// The form.
#[derive(Debug)]
pub struct Adding {
    /// Which field keys go to.
    pub focus: usize,
    /// The field that is typed into.
    pub input: Input,
    /// What was typed.
    pub newcomer: Newcomer,
    /// What is wrong with it, once something was typed.
    pub wrong: Option<String>,
    /// The manifest that it would be added to.
    base: Arc<str>,
}

impl Adding {
    /// An empty form over a manifest.
    #[must_use]
    pub fn to(base: Arc<str>) -> Self {
        Self { focus: 0, input: Input::default(), newcomer: Newcomer::default(), wrong: None, base }
    }

    /// The field that keys go to.
    #[must_use]
    pub fn part(&self) -> Part {
        Part::ALL.get(self.focus).copied().unwrap_or(Part::Name)
    }

    /// What a field holds.
    #[must_use]
    pub fn value(&self, part: Part) -> &str {
        match part {
            Part::Name => &self.newcomer.name,
            Part::Artifact => &self.newcomer.artifact,
            Part::Tuned(field) => self.newcomer.tuning.get(field),
        }
    }

    /// Goes to another field; false when the key is none that does.
    pub fn step(&mut self, action: Action) -> bool {
        let count = Part::ALL.len();
        self.focus = match action {
            Action::NextPart | Action::Down => (self.focus + 1) % count,
            Action::Up => (self.focus + count - 1) % count,
            _ => return false,
        };
        let text = self.value(self.part()).to_owned();
        self.input = if matches!(self.part(), Part::Tuned(Field::Inputs | Field::Outputs)) {
            Input::new(&text)
        } else {
            Input::selected(&text)
        };
        true
    }

    /// Takes a key in.
    pub fn press(&mut self, key: &KeyEvent) -> bool {
        self.input.press(key) && self.written()
    }

    /// Takes a text in that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.input.insert(text);
        self.written();
    }

    fn written(&mut self) -> bool {
        let text = self.input.text();
        match self.part() {
            Part::Name => self.newcomer.name = text,
            Part::Artifact => self.newcomer.artifact = text,
            Part::Tuned(field) => self.newcomer.tuning.set(field, text),
        }
        self.wrong = self.added().err();
        true
    }

    /// The manifest with it.
    ///
    /// # Errors
    /// With the first thing that is wrong with what was typed, from the top of the form. What it makes wrong elsewhere is
    /// said afterwards.
    pub fn added(&self) -> Result<String, String> {
        let text = arrange::with(&self.base, &self.newcomer)?;
        let own = format!("{}.", self.newcomer.name.trim());
        let errors = arrange::errors(&text).into_iter().filter(|words| words.starts_with(&own));
        let row = |words: &String| {
            let field = words.strip_prefix(&own).and_then(|it| it.split(' ').next()).unwrap_or_default();
            Part::ALL.into_iter().position(|part| part.key() == field).unwrap_or(Part::ALL.len())
        };
        match errors.min_by_key(row) {
            Some(wrong) => Err(wrong),
            None => Ok(text),
        }
    }
}
