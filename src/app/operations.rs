//! Changes of pipelines that were begun here: each goes on whatever is looked at, and can be come back to.

use std::sync::Arc;

use crate::event::{ChangeNews, Ending};
use crate::model::Time;
use crate::plan::intent::Intent;
use crate::plan::proposal::{Proposal, Step};

/// Changes that are remembered; those that ended go first.
const MOST: usize = 50;
/// Steps of a change that are kept.
const MOST_STEPS: usize = 400;

/// How far a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What it means is being found out.
    Planning,
    /// Somebody has to agree.
    Planned,
    /// Its steps are made.
    Making,
    /// All steps are made; it is waited for until it runs.
    Settling,
    /// It is over.
    Ended(Ending),
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its number.
    pub number: u64,
    /// What was asked for.
    pub intent: Intent,
    /// How far it is.
    pub stage: Stage,
    /// Since when it is that far.
    pub since: Time,
    /// What it means, once that is known.
    pub proposal: Option<Proposal>,
    /// Whether that changed since somebody agreed to it.
    pub is_overtaken: bool,
    /// What was done, with the time.
    pub steps: Vec<(Time, Step)>,
}

impl Operation {
    /// Whether it changes something at this moment.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Making | Stage::Settling)
    }

    fn note(&mut self, news: ChangeNews, now: Time) {
        let stage = match news {
            ChangeNews::Planned(proposal) => {
                self.proposal = Some(*proposal);
                Stage::Planned
            }
            ChangeNews::Overtaken(proposal) => {
                self.proposal = Some(*proposal);
                self.is_overtaken = true;
                Stage::Planned
            }
            ChangeNews::Stepped(step) => return self.stepped(step, now),
            ChangeNews::Made => Stage::Settling,
            ChangeNews::Ended(ending) => Stage::Ended(ending),
        };
        (self.stage, self.since) = (stage, now);
    }

    /// News of the step that is under way replace what was said of it.
    fn stepped(&mut self, step: Step, now: Time) {
        if let Some((at, last)) = self.steps.last_mut()
            && last.step == step.step
        {
            (*at, *last) = (now, step);
            return;
        }
        if self.steps.len() >= MOST_STEPS {
            self.steps.remove(0);
        }
        self.steps.push((now, step));
    }
}

/// All changes that were begun here, the oldest first.
#[derive(Debug, Default)]
pub struct Operations {
    all: Vec<Operation>,
    begun: u64,
}

impl Operations {
    /// Begins one; its number.
    pub fn begin(&mut self, intent: Intent, now: Time) -> u64 {
        self.begun += 1;
        if self.all.len() >= MOST
            && let Some(ended) = self.all.iter().position(|it| matches!(it.stage, Stage::Ended(_)))
        {
            self.all.remove(ended);
        }
        self.all.push(Operation {
            number: self.begun,
            intent,
            stage: Stage::Planning,
            since: now,
            proposal: None,
            is_overtaken: false,
            steps: Vec::new(),
        });
        self.begun
    }

    /// Somebody agreed to it.
    pub fn agreed(&mut self, number: u64, now: Time) {
        if let Some(operation) = self.find(number) {
            (operation.stage, operation.since, operation.is_overtaken) = (Stage::Making, now, false);
        }
    }

    /// Forgets one that was never made.
    pub fn withdraw(&mut self, number: u64) {
        self.all.retain(|it| it.number != number);
    }

    /// Takes news in; the words to say of it where nobody looks, and whether they are good ones.
    pub fn note(&mut self, number: u64, news: ChangeNews, now: Time) -> Option<(Arc<str>, bool)> {
        let operation = self.find(number)?;
        operation.note(news, now);
        let words = operation.intent.words();
        match &operation.stage {
            Stage::Ended(Ending::Done(how)) => Some((format!("{words}: {how}").into(), true)),
            Stage::Ended(Ending::Failed(why) | Ending::Cancelled(why)) => {
                Some((format!("{words}: {why}; C shows it").into(), false))
            }
            _ => None,
        }
    }

    fn find(&mut self, number: u64) -> Option<&mut Operation> {
        self.all.iter_mut().find(|it| it.number == number)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Operation> {
        self.all.iter().find(|it| it.number == number)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Operation> {
        self.all.iter()
    }

    /// The latest one that changes something at this moment.
    #[must_use]
    pub fn under_way(&self) -> Option<&Operation> {
        self.all.iter().rfind(|it| it.is_under_way())
    }
}
