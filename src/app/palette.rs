//! The palette: a command or a pipeline, found by a few of its letters.

use super::input::Input;
use super::screen::World;
use super::table::Row;
use crate::action::{self, Action, Definition, Group, Place};
use crate::model::key::PipelineKey;

/// So many offers are kept at most.
const MOST: usize = 50;

/// What an offer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Carries an action out.
    Act(Action),
    /// Opens a pipeline.
    Pipeline(PipelineKey),
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is typed for it.
    pub name: String,
    /// What it does, in words.
    pub help: String,
    /// What it does.
    pub target: Target,
}

/// What is typed, and what fits it, best first.
#[derive(Debug, Default)]
pub struct Palette {
    /// The line.
    pub input: Input,
    /// What fits.
    pub offers: Vec<Offer>,
    /// Number of the chosen offer.
    pub cursor: usize,
}

impl Palette {
    /// An empty line, with everything on offer.
    #[must_use]
    pub fn new(world: &World<'_>, place: Place) -> Self {
        let mut palette = Self::default();
        palette.search(world, place);
        palette
    }

    /// Looks again after the line changed.
    pub fn search(&mut self, world: &World<'_>, place: Place) {
        let typed = self.input.text().trim().to_lowercase();
        let mut found: Vec<(u32, Offer)> = offers(world, place)
            .into_iter()
            .filter_map(|offer| Some((score(&typed, &offer.name.to_lowercase())?, offer)))
            .collect();
        // Among equals, those first that come first in the table.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.offers = found.into_iter().map(|(_, offer)| offer).take(MOST).collect();
        self.cursor = 0;
    }

    /// Moves the choice.
    pub const fn choose(&mut self, action: Action) {
        let last = self.offers.len().saturating_sub(1);
        match action {
            Action::Up => self.cursor = if self.cursor == 0 { last } else { self.cursor - 1 },
            Action::Down => self.cursor = if self.cursor >= last { 0 } else { self.cursor + 1 },
            _ => {}
        }
    }

    /// The chosen offer.
    #[must_use]
    pub fn chosen(&self) -> Option<&Offer> {
        self.offers.get(self.cursor)
    }

    /// Writes the chosen offer's name into the line.
    pub fn complete(&mut self) {
        if let Some(name) = self.chosen().map(|offer| offer.name.clone()) {
            self.input = Input::new(&name);
        }
    }
}

/// All there is: other screens, the program, this screen, lists, pipelines with the worst first.
fn offers(world: &World<'_>, place: Place) -> Vec<Offer> {
    let mut commands: Vec<&Definition> = action::definitions(place).filter(|definition| definition.command).collect();
    commands.sort_by_key(|definition| match definition.group {
        Group::Go => 0,
        Group::Program => 1,
        Group::Here => 2,
        Group::List | Group::Move => 3,
    });
    let commands = commands.into_iter().map(|definition| Offer {
        name: definition.name.to_owned(),
        help: definition.help.to_owned(),
        target: Target::Act(definition.action),
    });
    let mut rows: Vec<_> = world.overview.rows().collect();
    rows.sort_by(|left, right| left.worst_first(right));
    let pipelines = rows.into_iter().map(|row| {
        let view = &row.view;
        Offer {
            name: format!("{}/{}", view.key.environment, view.key.name),
            help: format!("pipeline, {}", view.verdict.condition.word()),
            target: Target::Pipeline(view.key.clone()),
        }
    });
    commands.chain(pipelines).collect()
}

/// How well letters fit a name, in which they must appear in order; beginnings of words count more.
#[must_use]
pub fn score(typed: &str, name: &str) -> Option<u32> {
    if name.starts_with(typed) {
        return Some(1_000);
    }
    if name.contains(typed) {
        return Some(500);
    }
    let mut score = 0;
    let mut letters = name.chars();
    let mut before = '/';
    for wanted in typed.chars() {
        loop {
            let letter = letters.next()?;
            let begins = !before.is_alphanumeric();
            before = letter;
            if letter == wanted {
                score += if begins { 10 } else { 1 };
                break;
            }
        }
    }
    Some(score)
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn beginnings_fit_better_than_letters_in_between() {
        assert!(score("pip", "pipelines") > score("pip", "prd/incident-pipeline"));
        assert!(score("pem", "prd/expert-matching") > score("pem", "prd/xpxexm"));
        assert_eq!(score("zz", "pipelines"), None);
        assert!(score("", "anything").is_some());
    }
}
