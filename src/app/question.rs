//! What a verb has to be told first: how many TaskManagers, which environment, what goes in Kafka, or one line.

use crossterm::event::KeyEvent;

use super::input::Input;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, World};
use super::verbs;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::plan::intent::Ask;
use crate::plan::manage::edit::Handle;
use crate::plan::remnants::Sweep;
use crate::plan::verb::Verb;

/// Most TaskManagers that may be asked for.
const MOST: u32 = 10_000;

/// What is asked.
#[derive(Debug)]
pub enum Asked {
    /// How many TaskManagers.
    Size {
        /// The processors, with what they have now.
        processors: Vec<(String, u32)>,
        /// What was typed.
        input: Input,
    },
    /// Which environment: the pipeline there.
    Environment(Vec<PipelineKey>),
    /// What goes in Kafka with a pipeline that goes.
    Sweep,
    /// One line of what stands around the jobs.
    Line {
        /// What it is of.
        handle: Handle,
        /// Its word.
        what: String,
        /// What was typed.
        input: Input,
    },
}

/// The screen.
#[derive(Debug)]
pub struct QuestionScreen {
    /// The pipeline.
    pub key: PipelineKey,
    /// What is asked.
    pub asked: Asked,
    /// Which processor or environment.
    pub chosen: usize,
}

impl QuestionScreen {
    /// Asks how many TaskManagers a processor is to have.
    #[must_use]
    pub fn size(key: PipelineKey, processors: Vec<(String, u32)>, chosen: usize) -> Self {
        let now = processors.get(chosen).map(|(_, now)| now.to_string()).unwrap_or_default();
        Self { key, asked: Asked::Size { processors, input: Input::selected(&now) }, chosen }
    }

    /// Asks to which environment a pipeline goes.
    #[must_use]
    pub const fn environment(key: PipelineKey, others: Vec<PipelineKey>) -> Self {
        Self { key, asked: Asked::Environment(others), chosen: 0 }
    }

    /// Asks what goes in Kafka with a pipeline; nothing, unless somebody chooses otherwise.
    #[must_use]
    pub const fn sweep(key: PipelineKey) -> Self {
        Self { key, asked: Asked::Sweep, chosen: 0 }
    }

    /// Asks for one line of what stands around the jobs, which begins with a text.
    #[must_use]
    pub fn line(key: PipelineKey, handle: Handle, (what, text): (&str, &str)) -> Self {
        let input = Input::selected(text);
        Self { key, asked: Asked::Line { handle, what: what.to_owned(), input }, chosen: 0 }
    }

    /// What is wrong with the line, once something was typed.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        match &self.asked {
            Asked::Line { handle, input, .. } if !input.is_selected() => handle.read(&input.text()).err(),
            _ => None,
        }
    }

    /// The verb that it is for.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self.asked {
            Asked::Size { .. } => Verb::Scale,
            Asked::Environment(_) => Verb::Promote,
            Asked::Sweep => Verb::Decommission,
            Asked::Line { .. } => Verb::Manage,
        }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 2, 0)
    }

    const fn choices(&self) -> usize {
        match &self.asked {
            Asked::Size { processors, .. } => processors.len(),
            Asked::Environment(others) => others.len(),
            Asked::Sweep => Sweep::ALL.len(),
            Asked::Line { .. } => 0,
        }
    }

    fn choose(&mut self, step: usize) -> Outcome {
        let count = self.choices().max(1);
        self.chosen = (self.chosen + step) % count;
        if let Asked::Size { processors, input } = &mut self.asked
            && let Some((_, now)) = processors.get(self.chosen)
        {
            *input = Input::selected(&now.to_string());
        }
        Outcome::moved(count > 1)
    }

    fn accept(&self, world: &World<'_>) -> Outcome {
        let ask = match &self.asked {
            Asked::Size { processors, input } => {
                let typed = input.text().trim().parse::<u32>().ok().filter(|count| (1..=MOST).contains(count));
                let Some((name, now)) = processors.get(self.chosen) else { return Outcome::Ignored };
                match typed {
                    None => return Outcome::Tell(format!("type a number from 1 to {MOST}")),
                    Some(replicas) if replicas == *now => {
                        return Outcome::Tell(format!("{name} has {now} TaskManagers already"));
                    }
                    Some(replicas) => Ask::Scale { processor: Some(name.clone()), replicas },
                }
            }
            Asked::Environment(others) => match others.get(self.chosen) {
                Some(to) => Ask::Promote { to: to.clone() },
                None => return Outcome::Say("there is no other environment in the settings"),
            },
            Asked::Sweep => Ask::Decommission(Sweep::ALL.get(self.chosen).copied().unwrap_or_default()),
            Asked::Line { handle, input, .. } => match handle.read(&input.text()) {
                Ok(edit) => Ask::Manage(edit),
                Err(wrong) => return Outcome::Tell(wrong),
            },
        };
        Outcome::Begin(verbs::intent(&self.key, ask, world))
    }
}

impl Part for QuestionScreen {
    fn place(&self) -> Place {
        Place::Confirm
    }

    fn refresh(&mut self, _world: &World<'_>, cause: &Cause<'_>) -> bool {
        matches!(cause, Cause::Shown)
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        match action {
            Action::Accept => self.accept(world),
            Action::NextPart | Action::Down => self.choose(1),
            Action::Up => self.choose(self.choices().saturating_sub(1)),
            _ => Outcome::Ignored,
        }
    }

    fn typed(&mut self, key: &KeyEvent, _world: &World<'_>) -> Outcome {
        match &mut self.asked {
            Asked::Size { input, .. } | Asked::Line { input, .. } => Outcome::moved(input.press(key)),
            Asked::Environment(_) | Asked::Sweep => Outcome::Ignored,
        }
    }

    fn pasted(&mut self, text: &str, _world: &World<'_>) -> Outcome {
        let (Asked::Size { input, .. } | Asked::Line { input, .. }) = &mut self.asked else { return Outcome::Ignored };
        input.insert(text);
        Outcome::Done
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::NextPart => self.choices() > 1,
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        verbs::watch(&self.key, world, interest);
    }
}
