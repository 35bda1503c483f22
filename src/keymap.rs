//! From keys to intents.
//!
//! A [`Chord`] is one key with its modifiers; the map is made once from [`crate::action::ACTIONS`]. It must
//! not know what an action does.

use std::collections::HashMap;
use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::action::{ACTIONS, Action, Place};

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    control: bool,
}

impl Chord {
    /// Reads `x`, `X`, `ctrl-x`, `enter`, `esc`, `tab`, `backtab`, `f1`…
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, control) = text.strip_prefix("ctrl-").map_or((text, false), |rest| (rest, true));
        let code = match rest {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "backtab" => KeyCode::BackTab,
            "backspace" => KeyCode::Backspace,
            "space" => KeyCode::Char(' '),
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "pageup" => KeyCode::PageUp,
            "pagedown" => KeyCode::PageDown,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            _ => return Self::parse_other(rest, control),
        };
        Some(Self { code, control })
    }

    fn parse_other(text: &str, control: bool) -> Option<Self> {
        let mut letters = text.chars();
        let code = match (letters.next()?, letters.as_str()) {
            (letter, "") => KeyCode::Char(letter),
            ('f', number) => KeyCode::F(number.parse().ok()?),
            _ => return None,
        };
        Some(Self { code, control })
    }

    /// The event of pressing it, for scripts and tests.
    #[must_use]
    pub const fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE })
    }

    /// The chord of a key event; `None` for a release, and with modifiers that no action uses.
    #[must_use]
    pub fn of(key: &KeyEvent) -> Option<Self> {
        let foreign = KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER;
        if key.kind == KeyEventKind::Release || key.modifiers.intersects(foreign) {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let code = match key.code {
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Char(letter) if key.modifiers.contains(KeyModifiers::SHIFT) && !control => {
                KeyCode::Char(letter.to_uppercase().next().unwrap_or(letter))
            }
            KeyCode::Char(letter) if control => KeyCode::Char(letter.to_ascii_lowercase()),
            code => code,
        };
        Some(Self { code, control })
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.control {
            formatter.write_str("ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => formatter.write_str("space"),
            KeyCode::Char(letter) => write!(formatter, "{letter}"),
            KeyCode::F(number) => write!(formatter, "f{number}"),
            other => write!(formatter, "{}", format!("{other:?}").to_ascii_lowercase()),
        }
    }
}

/// Which key asks for what, by place.
#[derive(Clone, Debug)]
pub struct Keymap {
    actions: HashMap<(Place, Chord), Action>,
}

impl Default for Keymap {
    fn default() -> Self {
        let actions = ACTIONS.iter().flat_map(|definition| {
            let chords = definition.keys.iter().filter_map(|key| Chord::parse(key));
            chords.flat_map(move |chord| definition.places.iter().map(move |place| ((place, chord), definition.action)))
        });
        Self { actions: actions.collect() }
    }
}

impl Keymap {
    /// What a key asks for in a place.
    #[must_use]
    pub fn action(&self, place: Place, key: &KeyEvent) -> Option<Action> {
        self.actions.get(&(place, Chord::of(key)?)).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::action::definitions;

    #[test]
    fn keys_are_read_with_their_modifiers() {
        let map = Keymap::default();
        let press = |code, modifiers| map.action(Place::Pipelines, &KeyEvent::new(code, modifiers));
        assert_eq!(press(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Bottom));
        assert_eq!(press(KeyCode::Char('g'), KeyModifiers::SHIFT), Some(Action::Bottom));
        assert_eq!(press(KeyCode::Char('g'), KeyModifiers::NONE), Some(Action::Top));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(press(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Action::Help));
    }

    #[test]
    fn a_release_asks_for_nothing() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(Keymap::default().action(Place::Pipelines, &key), None);
    }

    #[test]
    fn every_action_has_a_key_and_a_help() {
        for definition in ACTIONS {
            assert!(!definition.keys.is_empty(), "{} has no key", definition.name);
            let follows = matches!(definition.action, Action::ShowLink(number) if number > 1);
            assert!(follows || !definition.help.is_empty(), "{} has no help", definition.name);
            for key in definition.keys {
                assert!(Chord::parse(key).is_some(), "{}: {key} is no key", definition.name);
            }
        }
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for &place in Place::ALL {
            let mut seen = HashSet::new();
            for definition in definitions(place) {
                for key in definition.keys {
                    assert!(seen.insert(Chord::parse(key)), "{key} twice in {place:?}");
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: HashSet<&str> = ACTIONS.iter().map(|definition| definition.name).collect();
        assert_eq!(names.len(), ACTIONS.len());
    }
}
