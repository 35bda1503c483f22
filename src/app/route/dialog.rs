//! Before a route is asked for anything: what would change, why, and the environment's name where it is protected.

use std::sync::Arc;

use crate::app::input::Input;
use crate::model::route::Route;
use crate::model::route::record::{Health, LaneStatus, Verb};

/// What is about to be asked.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// What.
    pub verb: Verb,
    /// Why.
    pub why: Input,
    /// The name that has to be typed, and what was; `None` where a yes is enough.
    pub name: Option<(Arc<str>, Input)>,
    /// Whether letters go to the name.
    pub is_at_name: bool,
}

/// What came of a yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Something is missing or wrong.
    Missing(&'static str),
    /// The next field is to be filled in.
    More,
    /// It may be asked.
    All {
        /// What.
        verb: Verb,
        /// Why.
        why: Arc<str>,
    },
}

/// One line of what would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// How it is now.
    Before(String),
    /// How it would be.
    After(String),
    /// What somebody should think of.
    Warning(String),
    /// What happens.
    Plain(String),
}

impl Dialog {
    /// Begins to ask; with a name, that has to be typed.
    #[must_use]
    pub fn new(verb: Verb, name: Option<Arc<str>>) -> Self {
        Self { verb, why: Input::default(), name: name.map(|name| (name, Input::default())), is_at_name: false }
    }

    /// What would be asked, in words.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.verb {
            Verb::Flip { to } => format!("flip to {to}"),
            Verb::Force { to } => format!("force the flip to {to}"),
            Verb::Abort => "abort the flip on its way".to_owned(),
            Verb::Hold => "hold the lane".to_owned(),
            Verb::Release => "release the lane".to_owned(),
            Verb::Shadow => "give the other lane every record too".to_owned(),
            Verb::Unshadow => "give only the active lane records".to_owned(),
        }
    }

    /// The line that letters go to.
    pub fn input(&mut self) -> &mut Input {
        match &mut self.name {
            Some((_, input)) if self.is_at_name => input,
            _ => &mut self.why,
        }
    }

    /// Lets letters go to the other line.
    pub fn next_field(&mut self) -> bool {
        self.is_at_name = self.name.is_some() && !self.is_at_name;
        self.name.is_some()
    }

    /// Somebody says yes.
    pub fn accept(&mut self) -> Given {
        let why = self.why.text();
        let why = why.trim();
        if why.is_empty() {
            self.is_at_name = false;
            return Given::Missing("say why: it stands in the receipt, for whoever reads it later");
        }
        match &self.name {
            Some(_) if !self.is_at_name => {
                self.is_at_name = true;
                return Given::More;
            }
            Some((name, input)) if input.text() != **name => {
                return Given::Missing("that is not the environment's name; esc leaves everything as it is");
            }
            _ => {}
        }
        Given::All { verb: self.verb.clone(), why: why.into() }
    }

    /// What would change.
    #[must_use]
    pub fn lines(&self, route: &Route) -> Vec<Line> {
        let Some(status) = &route.status else { return Vec::new() };
        let lane = |name: &str| status.lanes.iter().find(|lane| lane.name == *name);
        let active = status.lane.as_str();
        match &self.verb {
            Verb::Flip { to } => {
                let mut lines = change(active, to);
                lines.extend(lane(to).and_then(|lane| concern(lane, "the controller will refuse")));
                lines.push(Line::Plain(format!(
                    "Partitions go to {to} from their next transaction on; nothing is lost."
                )));
                lines
            }
            Verb::Force { to } => {
                let mut lines = change(active, to);
                let fallback = || Line::Warning("no check is asked, and no cooldown holds it back".to_owned());
                let seen = lane(to).and_then(|lane| concern(lane, "it gets all records"));
                lines.push(seen.unwrap_or_else(fallback));
                if status.flip.is_some() {
                    lines.push(Line::Warning("it overtakes the flip on its way, which is then not audited".to_owned()));
                }
                lines
            }
            Verb::Abort => {
                let from = status.flip.as_ref().map_or(active, |flip| flip.from.as_str());
                let mut lines = change(active, from);
                lines.push(Line::Plain(format!(
                    "Partitions that have changed change back: {from} gets their next records."
                )));
                lines
            }
            // Asked for by rollouts and commands.
            Verb::Shadow | Verb::Unshadow => Vec::new(),
            Verb::Hold => vec![
                Line::Before("the controller may flip by itself".to_owned()),
                Line::After(format!("{active} stays active, even when it is unwell, until somebody releases it")),
            ],
            Verb::Release => {
                let held =
                    status.hold.as_ref().map_or_else(String::new, |hold| format!("held by {}: {}", hold.who, hold.why));
                vec![Line::Before(held), Line::After("the controller may flip by itself".to_owned())]
            }
        }
    }
}

fn change(from: &str, to: &str) -> Vec<Line> {
    vec![Line::Before(format!("active lane: {from}")), Line::After(format!("active lane: {to}"))]
}

fn concern(lane: &LaneStatus, consequence: &str) -> Option<Line> {
    if lane.health == Health::Well {
        return None;
    }
    let first = lane.checks.iter().find(|check| check.health != Health::Well);
    let words = first.map_or_else(String::new, |check| format!(" ({}: {})", check.name, check.words));
    Some(Line::Warning(format!("{} is {}: {consequence}{words}", lane.name, lane.health.word())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip() -> Verb {
        Verb::Flip { to: "green".to_owned() }
    }

    #[test]
    fn a_reason_is_asked_for_and_in_protected_environments_the_name() {
        let mut dialog = Dialog::new(flip(), None);
        assert!(matches!(dialog.accept(), Given::Missing(_)));
        dialog.input().insert(" release 42 ");
        assert_eq!(dialog.accept(), Given::All { verb: flip(), why: "release 42".into() });

        let mut dialog = Dialog::new(flip(), Some("prd".into()));
        dialog.input().insert("release");
        assert_eq!(dialog.accept(), Given::More);
        assert!(matches!(dialog.accept(), Given::Missing(_)), "nothing was typed");
        dialog.input().insert("pr");
        assert!(matches!(dialog.accept(), Given::Missing(_)));
        dialog.input().insert("d");
        assert_eq!(dialog.accept(), Given::All { verb: flip(), why: "release".into() });
    }

    #[test]
    fn the_name_is_no_reason() {
        let mut dialog = Dialog::new(flip(), Some("prd".into()));
        dialog.next_field();
        dialog.input().insert("prd");
        assert!(matches!(dialog.accept(), Given::Missing(_)));
        assert!(!dialog.is_at_name, "letters go to the reason now");
    }
}
