//! Text from outside on its way to the screen: made harmless, measured, cut.
//!
//! Names, messages and log lines come from anywhere and may hold escape sequences, control characters,
//! characters that turn the direction of reading, or ones that nobody can see. [`clean`] shows each of
//! them as visible text, and everything that is drawn goes through it.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters that may be drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// All of Unicode.
    #[default]
    Unicode,
    /// Seven bits.
    Ascii,
}

/// Shows what would act on the terminal, or deceive the eye, as visible text.
///
/// Line breaks and tabs become spaces, other control characters `^[` and the like, invisible ones
/// `<U+202E>`.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    clean_in(text, Charset::Unicode)
}

/// The same for a terminal that can show only so much: without Unicode, foreign letters become `?`.
#[must_use]
pub fn clean_in(text: &str, charset: Charset) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        push_clean(&mut harmless, letter, charset);
    }
    Cow::Owned(harmless)
}

fn push_clean(harmless: &mut String, letter: char, charset: Charset) {
    match letter {
        ' '..='~' => harmless.push(letter),
        '\n' | '\r' | '\t' => harmless.push(' '),
        '\0'..='\u{1f}' => {
            harmless.push('^');
            harmless.push(char::from(u8::try_from(u32::from(letter)).unwrap_or(0) ^ 0x40));
        }
        '\u{7f}' => harmless.push_str("^?"),
        _ if is_invisible(letter) => harmless.push_str(&format!("<U+{:04X}>", u32::from(letter))),
        _ => match charset {
            Charset::Unicode => harmless.push(letter),
            Charset::Ascii => harmless.push_str(in_ascii(letter)),
        },
    }
}

/// Second-row control characters, what has no width, and spaces that are wider or narrower than they look.
fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || letter.width().is_none_or(|width| width == 0)
        || matches!(
            letter,
            '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        )
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(letter, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

const fn in_ascii(letter: char) -> &'static str {
    match letter {
        '…' => "...",
        '–' | '—' | '−' => "-",
        '‘' | '’' => "'",
        '“' | '”' => "\"",
        '·' | '•' => ".",
        '›' => ">",
        '→' => "->",
        '\u{a0}' => " ",
        _ => "?",
    }
}

/// Cells that a clean text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text if it fits, else its beginning with a sign that something is missing.
#[must_use]
pub fn cut(text: &str, cells: usize, charset: Charset) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let sign = cut_sign(charset);
    let mut kept = String::new();
    let mut left = cells.saturating_sub(1);
    for letter in text.chars() {
        let size = letter.width().unwrap_or(0);
        if size > left {
            break;
        }
        left -= size;
        kept.push(letter);
    }
    if cells > 0 {
        kept.push_str(sign);
    }
    Cow::Owned(kept)
}

/// The text if it fits, else its end: what tells one pod from the next stands there.
#[must_use]
pub fn cut_front(text: &str, cells: usize, charset: Charset) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let mut kept: Vec<char> = Vec::new();
    let mut left = cells.saturating_sub(1);
    for letter in text.chars().rev() {
        let size = letter.width().unwrap_or(0);
        if size > left {
            break;
        }
        left -= size;
        kept.push(letter);
    }
    let mut shown = String::new();
    if cells > 0 {
        shown.push_str(cut_sign(charset));
    }
    shown.extend(kept.into_iter().rev());
    Cow::Owned(shown)
}

const fn cut_sign(charset: Charset) -> &'static str {
    match charset {
        Charset::Unicode => "…",
        Charset::Ascii => "~",
    }
}

/// Breaks a clean text into lines at spaces; a word longer than a line is broken where it must be.
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let mut rest = word;
        let size = rest.width();
        if used > 0 && used + 1 + size <= cells {
            line.push(' ');
            line.push_str(rest);
            used += 1 + size;
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut line));
        }
        while rest.width() > cells {
            let (head, tail) = split_at_width(rest, cells);
            lines.push(head.to_owned());
            rest = tail;
        }
        line.push_str(rest);
        used = rest.width();
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

/// Splits after so many cells; the head holds one letter at least.
#[must_use]
pub fn split_at_width(text: &str, cells: usize) -> (&str, &str) {
    let mut used = 0;
    for (place, letter) in text.char_indices() {
        used += letter.width().unwrap_or(0);
        if used > cells && place > 0 {
            return text.split_at(place);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\n\tc\u{7f}"), "a^[[31mb^G  c^?");
        assert_eq!(clean("\u{9b}x\u{202e}y\u{200b}"), "<U+009B>x<U+202E>y<U+200B>");
        assert_eq!(clean_in("naïve “x” …", Charset::Ascii), "na?ve \"x\" ...");
        assert!(matches!(clean("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("match-making", 8, Charset::Unicode), "match-m…");
        assert_eq!(cut_front("match-making-10", 8, Charset::Unicode), "…king-10");
        assert_eq!(cut("漢字漢字", 5, Charset::Unicode), "漢字…");
        assert_eq!(cut("x", 0, Charset::Unicode), "");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), Vec::<String>::new());
    }
}
