//! What the parts of a line are, so that they can look it. One line at a time: nothing here needs the others.

use std::ops::Range;

use super::Language;

/// What a part of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name before a colon.
    Key,
    /// A text between quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Value,
    /// A remark.
    Comment,
    /// Brackets, colons, commas.
    Mark,
    /// Anything else.
    Plain,
}

/// The parts of a line by their bytes, gaps left out.
#[must_use]
pub fn tokens(line: &str, language: Language) -> Vec<(Range<usize>, Token)> {
    let mut found = Vec::new();
    let mut at = 0;
    if language != Language::Configuration
        && let Some(key) = yaml_key(line)
    {
        at = key.end;
        found.push((key, Token::Key));
    }
    while let Some(letter) = line.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = line.get(at..).unwrap_or_default();
        let (length, token) = match letter {
            '"' => {
                let length = string(rest);
                let is_key = rest.get(length..).is_some_and(|after| after.trim_start().starts_with(':'));
                (length, if is_key { Token::Key } else { Token::Text })
            }
            '#' if language != Language::Configuration && is_alone(line, at) => (rest.len(), Token::Comment),
            '{' | '}' | '[' | ']' | ':' | ',' => (1, Token::Mark),
            _ if letter.is_whitespace() => {
                at += letter.len_utf8();
                continue;
            }
            _ => plain(rest),
        };
        found.push((at..at + length, token));
        at += length;
    }
    found
}

/// A remark begins a line or follows a space.
fn is_alone(line: &str, at: usize) -> bool {
    line.get(..at).is_none_or(|before| before.is_empty() || before.ends_with(char::is_whitespace))
}

fn yaml_key(line: &str) -> Option<Range<usize>> {
    let start = line.len() - line.trim_start_matches([' ', '-']).len();
    let rest = line.get(start..)?;
    let length = rest.find(|letter: char| !(letter.is_alphanumeric() || "-_./".contains(letter)))?;
    let after = rest.get(length..)?;
    (length > 0 && (after.starts_with(": ") || after == ":")).then(|| start..start + length)
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == '"' && !escaped {
            return at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    rest.len()
}

fn plain(rest: &str) -> (usize, Token) {
    let ends = |letter: char| letter.is_whitespace() || "{}[]:,\"".contains(letter);
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let length = rest.find(ends).unwrap_or(rest.len()).max(first);
    let word = rest.get(..length).unwrap_or_default();
    let is_value = matches!(word, "true" | "false" | "null") || word.parse::<f64>().is_ok_and(f64::is_finite);
    (length, if is_value { Token::Value } else { Token::Plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str, language: Language) -> Vec<(&str, Token)> {
        tokens(line, language).into_iter().map(|(range, token)| (line.get(range).unwrap(), token)).collect()
    }

    #[test]
    fn json() {
        let line = r#"  "maxParallelism": 360, "a\"b": "x # y", true"#;
        let expected = [
            ("\"maxParallelism\"", Token::Key),
            (":", Token::Mark),
            ("360", Token::Value),
            (",", Token::Mark),
            (r#""a\"b""#, Token::Key),
            (":", Token::Mark),
            ("\"x # y\"", Token::Text),
            (",", Token::Mark),
            ("true", Token::Value),
        ];
        assert_eq!(parts(line, Language::Configuration), expected);
        assert_eq!(parts("\"half", Language::Configuration), [("\"half", Token::Text)]);
    }

    #[test]
    fn yaml() {
        let expected =
            [("name", Token::Key), (":", Token::Mark), ("vep-data-api", Token::Plain), ("# why", Token::Comment)];
        assert_eq!(parts("    - name: vep-data-api # why", Language::Manifest), expected);
        assert_eq!(parts("a#b", Language::Manifest), [("a#b", Token::Plain)]);
        assert_eq!(parts("é: ü", Language::Manifest), [("é", Token::Key), (":", Token::Mark), ("ü", Token::Plain)]);
    }
}
