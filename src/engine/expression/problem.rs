//! What is wrong with an expression, shown where it is wrong.

use std::fmt;

/// Why an expression cannot be used: one sentence, and its place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong and what to write instead.
    pub sentence: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line as written, at most [`WIDTH`] characters around the column.
    excerpt: String,
    /// Characters of the excerpt before the column.
    indent: usize,
}

/// Characters of a line that are shown around the place.
const WIDTH: usize = 100;

/// What is wrong at a byte of the source; becomes a [`Problem`] where the source is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) sentence: String,
}

impl Fault {
    pub(super) fn new(at: usize, sentence: impl Into<String>) -> Self {
        Self { at, sentence: sentence.into() }
    }

    pub(super) fn place(self, source: &str) -> Problem {
        let before = source.get(..self.at).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count());
        let text = source.split('\n').nth(line - 1).unwrap_or_default().trim_end_matches('\r');
        let skipped = column.saturating_sub(WIDTH / 2);
        let excerpt =
            text.chars().skip(skipped).take(WIDTH).map(|letter| if letter.is_control() { ' ' } else { letter });
        Problem {
            sentence: self.sentence,
            line,
            column: column + 1,
            excerpt: excerpt.collect(),
            indent: column - skipped,
        }
    }
}

impl Problem {
    /// The line with a caret under the place: two lines, without a line end at the end.
    pub fn picture(&self) -> String {
        format!("  {}\n  {}^", self.excerpt, " ".repeat(self.indent))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}\n{}", self.line, self.column, self.sentence, self.picture())
    }
}

impl std::error::Error for Problem {}
