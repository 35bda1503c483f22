//! The palette: a command or a pipeline, found by the beginning of one of its words.
//!
//! Letters that are only scattered over a name list it below, but never choose it: Enter must not open something
//! that nobody named.

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
    aliases: &'static [&'static str],
}

/// What is typed, and what fits it, best first.
#[derive(Debug, Default)]
pub struct Palette {
    /// The line.
    pub input: Input,
    /// What fits.
    pub offers: Vec<Offer>,
    /// Number of the chosen offer; `None` when no name begins like the line and none was chosen by hand.
    pub cursor: Option<usize>,
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
        let mut found: Vec<(Fit, Offer)> = offers(world, place)
            .into_iter()
            .filter_map(|offer| {
                let alias = offer.aliases.iter().filter_map(|alias| fit(&typed, alias)).max();
                let alias = alias.filter(|fit| *fit >= Fit::Word);
                Some((fit(&typed, &offer.name.to_lowercase()).max(alias)?, offer))
            })
            .collect();
        // Among equals, those first that come first in the table.
        found.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
        let named = found.first().is_some_and(|(fit, _)| *fit >= Fit::Word);
        self.offers = found.into_iter().map(|(_, offer)| offer).take(MOST).collect();
        self.cursor = named.then_some(0);
    }

    /// Moves the choice.
    pub const fn choose(&mut self, action: Action) {
        let last = self.offers.len().saturating_sub(1);
        match action {
            Action::Up => {
                self.cursor = match self.cursor {
                    None | Some(0) => Some(last),
                    Some(cursor) => Some(cursor - 1),
                }
            }
            Action::Down => {
                self.cursor = match self.cursor {
                    Some(cursor) if cursor < last => Some(cursor + 1),
                    _ => Some(0),
                }
            }
            _ => {}
        }
    }

    /// The chosen offer.
    #[must_use]
    pub fn chosen(&self) -> Option<&Offer> {
        self.offers.get(self.cursor?)
    }

    /// Writes the name of the chosen offer, or of the nearest one, into the line.
    pub fn complete(&mut self) {
        if let Some(name) = self.chosen().or_else(|| self.offers.first()).map(|offer| offer.name.clone()) {
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
        aliases: definition.aliases,
    });
    let mut rows: Vec<_> = world.overview.rows().collect();
    rows.sort_by(|left, right| left.worst_first(right));
    let pipelines = rows.into_iter().map(|row| {
        let view = &row.view;
        Offer {
            name: format!("{}/{}", view.key.environment, view.key.name),
            help: format!("pipeline, {}", view.verdict.condition.word()),
            target: Target::Pipeline(view.key.clone()),
            aliases: &[],
        }
    });
    commands.chain(pipelines).collect()
}

/// How well a line fits a name, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Its letters appear in order; beginnings of words count more.
    Letters(u32),
    /// It stands in the middle of a word.
    Inside,
    /// A word begins with it, after a `/` or `-`.
    Word,
    /// It is one of the words.
    WholeWord,
    /// The name begins with it.
    Beginning,
    /// It is the name.
    Whole,
}

/// How well a line fits a name.
#[must_use]
pub fn fit(typed: &str, name: &str) -> Option<Fit> {
    if typed == name {
        return Some(Fit::Whole);
    }
    if name.starts_with(typed) {
        return Some(Fit::Beginning);
    }
    let mut best = None;
    for (place, _) in name.match_indices(typed) {
        let (before, after) = (name.get(..place), name.get(place + typed.len()..));
        let begins = before.is_some_and(|before| !before.ends_with(char::is_alphanumeric));
        let ends = after.is_some_and(|after| !after.starts_with(char::is_alphanumeric));
        best = best.max(Some(match (begins, ends) {
            (true, true) => Fit::WholeWord,
            (true, false) => Fit::Word,
            (false, _) => Fit::Inside,
        }));
    }
    best.or_else(|| letters(typed, name))
}

fn letters(typed: &str, name: &str) -> Option<Fit> {
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
    Some(Fit::Letters(score))
}

#[cfg(test)]
mod tests {
    use super::{Fit, fit};

    #[test]
    fn beginnings_fit_better_than_letters_in_between() {
        assert!(fit("pip", "pipelines") > fit("pip", "prd/incident-pipeline"));
        assert!(fit("pem", "prd/expert-matching") > fit("pem", "prd/xpxexm"));
        assert_eq!(fit("zz", "pipelines"), None);
        assert!(fit("", "anything").is_some());
    }

    #[test]
    fn only_the_beginning_of_a_word_names_something() {
        assert_eq!(fit("golden", "prd/golden-signals"), Some(Fit::WholeWord));
        assert_eq!(fit("sig", "prd/golden-signals"), Some(Fit::Word));
        assert_eq!(fit("golden-signals", "prd/golden-signals"), Some(Fit::WholeWord));
        for typed in ["pods", "ns", "ol"] {
            assert!(fit(typed, "prd/golden-signals") < Some(Fit::Word), "{typed}");
        }
    }
}
