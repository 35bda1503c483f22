//! One change: what it would mean, the word that it is meant, and then each step until it runs or why it does not.

use crossterm::event::KeyEvent;

use super::input::Input;
use super::layout::Layout;
use super::operations::{Operation, Stage};
use super::screen::{Cause, Outcome, Part, World};
use crate::action::{Action, Place};
use crate::event::Ending;
use crate::model::interest::Interest;
use crate::plan::guard::{Consent, Remedy};
use crate::plan::verb::Verb;

/// What is typed so that state may be lost.
pub const LOSS_WORDS: &str = "lose state";

/// A line to be typed before the change is made.
#[derive(Debug)]
pub struct Field {
    /// What it is for.
    pub remedy: Remedy,
    /// What was typed.
    pub input: Input,
}

/// The screen.
#[derive(Debug)]
pub struct ChangeScreen {
    /// Number of the change.
    pub number: u64,
    /// Lines to be typed; none where nothing has to be.
    pub fields: Vec<Field>,
    /// The one that keys go to.
    pub focus: usize,
    /// Lines that are scrolled away.
    pub offset: usize,
    place: Place,
}

impl ChangeScreen {
    /// Opens a change.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self { number, fields: Vec::new(), focus: 0, offset: 0, place: Place::Change }
    }

    /// Lines of the parts: what has to be typed stands below.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        let fields = u16::try_from(self.fields.len()).unwrap_or(0);
        let layout = Layout::new(size, 2, 0);
        if fields == 0 {
            return layout;
        }
        // What has to be typed is on screen, however small that is.
        let body = layout.body.saturating_sub(fields + 1);
        Layout { body, detail: fields.min(layout.body), ..layout }
    }

    /// Whether nothing but agreement is missing, and no word has to be typed for it.
    #[must_use]
    pub fn can_be_agreed(operation: &Operation) -> bool {
        let Some(proposal) = operation.proposal.as_ref().filter(|_| operation.stage == Stage::Planned) else {
            return false;
        };
        proposal.is_possible() && (proposal.verb == Verb::Savepoint || !proposal.is_empty())
    }

    fn look(&mut self, world: &World<'_>) {
        let remedies = world.operations.get(self.number).map_or_else(Vec::new, remedies);
        if !self.fields.iter().map(|field| field.remedy).eq(remedies.iter().copied()) {
            self.fields = remedies.into_iter().map(|remedy| Field { remedy, input: Input::default() }).collect();
            self.focus = 0;
        }
        self.place = if self.fields.is_empty() { Place::Change } else { Place::Confirm };
    }

    /// What was typed, if it is all that is needed.
    fn consent(&self, operation: &Operation) -> Result<Consent, String> {
        let mut consent = Consent::default();
        let name = operation.proposal.as_ref().map_or("", |it| it.pipeline.as_str());
        for field in &self.fields {
            let typed = field.input.text().trim().to_owned();
            match field.remedy {
                Remedy::Name if typed == name => consent.typed = Some(typed),
                Remedy::Name => return Err(format!("type {name} to say that you mean it")),
                Remedy::Reason if !typed.is_empty() => consent.outside_window = Some(typed),
                Remedy::Reason => return Err("say why it cannot wait; the audit keeps it".to_owned()),
                Remedy::Loss if typed == LOSS_WORDS => consent.accepts_state_loss = true,
                Remedy::Loss => return Err(format!("type “{LOSS_WORDS}” to go on without the state")),
            }
        }
        Ok(consent)
    }

    fn agree(&mut self, operation: &Operation) -> Outcome {
        match self.consent(operation) {
            Ok(consent) => {
                // The steps that follow are read from the first one.
                self.offset = 0;
                Outcome::Agree(self.number, consent)
            }
            Err(words) => {
                let missing = |field: &Field| field.input.is_empty();
                self.focus = self.fields.iter().position(missing).unwrap_or(self.focus);
                Outcome::Tell(words)
            }
        }
    }

    fn scroll(&mut self, action: Action) -> Outcome {
        self.offset = match action {
            Action::Up => self.offset.saturating_sub(1),
            Action::Down => self.offset + 1,
            Action::PageUp | Action::HalfUp => self.offset.saturating_sub(10),
            Action::PageDown | Action::HalfDown => self.offset + 10,
            Action::Top => 0,
            _ => return Outcome::Ignored,
        }
        .min(4_000);
        Outcome::Done
    }
}

/// What has to be typed; nothing where that would not help.
fn remedies(operation: &Operation) -> Vec<Remedy> {
    let Some(proposal) = operation.proposal.as_ref().filter(|_| operation.stage == Stage::Planned) else {
        return Vec::new();
    };
    let helps = proposal.problems.is_empty() && proposal.forbidden.is_empty();
    let differs = proposal.verb == Verb::Savepoint || !proposal.is_empty();
    let found: Option<Vec<Remedy>> = proposal.refusals.iter().map(crate::plan::guard::Refusal::remedy).collect();
    let mut found = found.filter(|_| helps && differs).unwrap_or_default();
    found.sort_unstable();
    found.dedup();
    found
}

impl Part for ChangeScreen {
    fn place(&self) -> Place {
        self.place
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        self.look(world);
        true
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let Some(operation) = world.operations.get(self.number) else { return Outcome::moved(false) };
        match (action, &operation.stage) {
            (Action::Agree, Stage::Planned) if Self::can_be_agreed(operation) => self.agree(operation),
            (Action::Accept, Stage::Planned) => self.agree(operation),
            (Action::NextPart, _) if !self.fields.is_empty() => {
                self.focus = (self.focus + 1) % self.fields.len();
                Outcome::Done
            }
            (Action::Stop, Stage::Making | Stage::Settling) => Outcome::Effect(super::Effect::Cancel(self.number)),
            (Action::Again, Stage::Ended(Ending::Failed(_) | Ending::Cancelled(_))) => {
                Outcome::Begin(operation.intent.clone())
            }
            (Action::Back, Stage::Planning | Stage::Planned) => Outcome::Withdraw(self.number),
            (other, _) => self.scroll(other),
        }
    }

    fn typed(&mut self, key: &KeyEvent, _world: &World<'_>) -> Outcome {
        Outcome::moved(self.fields.get_mut(self.focus).is_some_and(|field| field.input.press(key)))
    }

    fn pasted(&mut self, text: &str, _world: &World<'_>) -> Outcome {
        let Some(field) = self.fields.get_mut(self.focus) else { return Outcome::Ignored };
        field.input.insert(text);
        Outcome::Done
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        let Some(operation) = world.operations.get(self.number) else { return action == Action::Back };
        match action {
            Action::Agree => Self::can_be_agreed(operation),
            Action::Stop => operation.is_under_way(),
            Action::Again => matches!(operation.stage, Stage::Ended(Ending::Failed(_) | Ending::Cancelled(_))),
            Action::NextPart => self.fields.len() > 1,
            Action::Filter => false,
            _ => true,
        }
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}
}
