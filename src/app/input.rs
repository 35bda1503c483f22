//! One line of text that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// No line is longer than this, whatever is pasted: as long as a health rule may be.
const LONGEST: usize = 4_096;

/// A line and the place where the next letter goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    letters: Vec<char>,
    cursor: usize,
    selected: bool,
}

impl Input {
    /// A line that holds a text already.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let letters: Vec<char> = text.chars().take(LONGEST).collect();
        Self { cursor: letters.len(), letters, selected: false }
    }

    /// A line that holds a text which the next letter replaces.
    #[must_use]
    pub fn selected(text: &str) -> Self {
        let line = Self::new(text);
        Self { selected: !line.is_empty(), ..line }
    }

    /// Whether the next letter replaces all of it.
    #[must_use]
    pub const fn is_selected(&self) -> bool {
        self.selected
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// The text before and after the cursor.
    #[must_use]
    pub fn parts(&self) -> (String, String) {
        let (before, after) = self.letters.split_at(self.cursor.min(self.letters.len()));
        (before.iter().collect(), after.iter().collect())
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Puts a text in at the cursor; control characters stay out.
    pub fn insert(&mut self, text: &str) {
        if std::mem::take(&mut self.selected) {
            self.letters.clear();
            self.cursor = 0;
        }
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            if self.letters.len() >= LONGEST {
                return;
            }
            self.letters.insert(self.cursor.min(self.letters.len()), letter);
            self.cursor += 1;
        }
    }

    /// Edits as a shell would; false when the key is none of an editor's.
    pub fn press(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, control) {
            (KeyCode::Char('u'), true) => {
                self.letters.drain(..self.cursor.min(self.letters.len()));
                self.cursor = 0;
            }
            (KeyCode::Char('w'), true) => self.drop_word(),
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => self.cursor = 0,
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => self.cursor = self.letters.len(),
            (KeyCode::Char(letter), false) if !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(letter.encode_utf8(&mut [0; 4]));
            }
            (KeyCode::Backspace, _) => {
                if self.cursor > 0 {
                    self.cursor -= 1;
                    self.letters.remove(self.cursor);
                }
            }
            (KeyCode::Delete, _) => {
                if self.cursor < self.letters.len() {
                    self.letters.remove(self.cursor);
                }
            }
            (KeyCode::Left, _) => self.cursor = self.cursor.saturating_sub(1),
            (KeyCode::Right, _) => self.cursor = (self.cursor + 1).min(self.letters.len()),
            _ => return false,
        }
        self.selected = false;
        true
    }

    fn drop_word(&mut self) {
        while self.cursor > 0 && self.letters.get(self.cursor - 1).is_some_and(|letter| *letter == ' ') {
            self.cursor -= 1;
            self.letters.remove(self.cursor);
        }
        while self.cursor > 0 && self.letters.get(self.cursor - 1).is_some_and(|letter| *letter != ' ') {
            self.cursor -= 1;
            self.letters.remove(self.cursor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(input: &mut Input, code: KeyCode, modifiers: KeyModifiers) {
        assert!(input.press(&KeyEvent::new(code, modifiers)));
    }

    #[test]
    fn edits_as_a_shell_does() {
        let mut input = Input::default();
        input.insert("prd expert\u{1b}[31m");
        assert_eq!(input.text(), "prd expert[31m");
        press(&mut input, KeyCode::Char('w'), KeyModifiers::CONTROL);
        press(&mut input, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(input.text(), "prd");
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        press(&mut input, KeyCode::Delete, KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('P'), KeyModifiers::SHIFT);
        assert_eq!(input.parts(), ("P".into(), "rd".into()));
        press(&mut input, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(input.text(), "rd");
    }

    #[test]
    fn a_selected_text_is_replaced_or_edited() {
        let mut input = Input::selected("golden");
        press(&mut input, KeyCode::Char('p'), KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('r'), KeyModifiers::NONE);
        assert_eq!(input.text(), "pr");
        let mut input = Input::selected("golden");
        press(&mut input, KeyCode::Backspace, KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('x'), KeyModifiers::NONE);
        assert_eq!(input.text(), "goldex");
        let mut input = Input::selected("golden");
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('x'), KeyModifiers::NONE);
        assert_eq!(input.text(), "xgolden");
    }

    #[test]
    fn a_huge_paste_is_cut() {
        let mut input = Input::default();
        input.insert(&"x".repeat(100_000));
        assert_eq!(input.text().len(), LONGEST);
    }
}
