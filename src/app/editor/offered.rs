//! What could be written at the cursor: keys and values of options, and the mend of what is wrong.

use std::ops::Range;

use super::super::screen::Outcome;
use super::{EditorScreen, Language};
use crate::model::Time;
use crate::model::config::spot;

impl EditorScreen {
    /// Finds what belongs to the cursor's place.
    pub(super) fn look_around(&mut self) {
        let (block, at) = self.block();
        let version = self.judgement.flink;
        self.offers = spot::offers(&block, at, version);
        self.option = spot::option_at(&block, at, version);
    }

    /// The configuration document around the cursor, and the cursor's byte in it.
    fn block(&self) -> (String, usize) {
        let (line, letter) = self.cursor();
        let Some(lines) = self.block_lines(line) else { return (String::new(), 0) };
        let bytes = |text: &str| text.chars().take(letter).map(char::len_utf8).sum::<usize>();
        let before = self.lines().get(lines.start..line).unwrap_or_default();
        let at = before.iter().map(|line| line.len() + 1).sum::<usize>();
        let at = at + self.lines().get(line).map_or(0, |line| bytes(line));
        (self.lines().get(lines).unwrap_or_default().join("\n"), at)
    }

    /// In a manifest a document is a block of text under `config: |`.
    fn block_lines(&self, line: usize) -> Option<Range<usize>> {
        let lines = self.lines();
        if self.language == Language::Configuration {
            return Some(0..lines.len());
        }
        let indent = |text: &str| text.len() - text.trim_start().len();
        let heading = (0..line)
            .rev()
            .find(|&above| lines.get(above).is_some_and(|text| text.trim_start().starts_with("config: |")))?;
        let outer = lines.get(heading).map_or(0, |text| indent(text));
        let belongs = |text: &String| text.trim().is_empty() || indent(text) > outer;
        let length = lines.iter().skip(heading + 1).take_while(|text| belongs(text)).count();
        let block = heading + 1..heading + 1 + length;
        block.contains(&line).then_some(block)
    }

    /// Takes what is best at the cursor: the mend of the line's problem, or the first offer.
    pub(super) fn complete(&mut self, now: Time) -> Outcome {
        if let Some(mend) = self.mend() {
            let (line, range, text) = mend;
            self.put(line, range, &text);
        } else if let Some(offer) = self.offers.first().cloned() {
            let (block, at) = self.block();
            let (line, _) = self.cursor();
            let line_start = block.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
            let letters = |bytes: Range<usize>| block.get(bytes).map_or(0, |text| text.chars().count());
            let start = letters(line_start..offer.range.start.max(line_start));
            let end = start + letters(offer.range.clone());
            self.put(line, start..end, &offer.text);
        } else {
            self.area.insert_str("  ");
        }
        Outcome::Effect(self.changed(now))
    }

    /// The mend of a problem in the cursor's line: line, characters, and what stands there instead.
    pub(super) fn mend(&self) -> Option<(usize, Range<usize>, String)> {
        let (line, _) = self.cursor();
        let problem = self.problem_of(line).filter(|problem| problem.instead.is_some())?;
        let instead = problem.instead.clone()?;
        let text = self.lines().get(line)?;
        let key = problem.path.rsplit('.').next()?;
        let byte = text.find(key)?;
        let start = text.get(..byte)?.chars().count();
        Some((line, start..start + key.chars().count(), instead))
    }

    fn put(&mut self, line: usize, letters: Range<usize>, text: &str) {
        self.jump(line, letters.start);
        self.area.delete_str(letters.len());
        self.area.insert_str(text);
    }
}
