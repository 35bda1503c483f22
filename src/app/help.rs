//! The help: the keys of a place, made from the table of actions.

use crate::action::{self, Group, Place};

/// One line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// Nothing.
    Blank,
    /// A heading.
    Heading(&'static str),
    /// Keys and what they do.
    Keys(&'static [&'static str], &'static str),
    /// A line on signs and words.
    Legend(&'static str, &'static str),
}

/// The help of a place.
#[must_use]
pub fn lines(place: Place) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        let keys = action::definitions(place)
            .filter(|definition| definition.group == group && !definition.help.is_empty())
            .map(|definition| HelpLine::Keys(definition.keys, definition.help));
        let mut keys = keys.peekable();
        if keys.peek().is_some() {
            lines.push(HelpLine::Heading(group.word()));
            lines.extend(keys);
            lines.push(HelpLine::Blank);
        }
    }
    lines.push(HelpLine::Heading("signs"));
    lines.extend(LEGEND.iter().map(|(word, help)| HelpLine::Legend(word, help)));
    lines
}

const LEGEND: [(&str, &str); 7] = [
    ("FAILING", "it does not do its work"),
    ("DEGRADED", "it works, but not as it should"),
    ("DEPLOYING", "it is on its way up"),
    ("RUNNING", "it does its work"),
    ("STOPPED", "it is meant not to run"),
    ("worse", "a row that got worse in the last half minute"),
    ("stale", "what is shown is old: its environment does not answer"),
];
