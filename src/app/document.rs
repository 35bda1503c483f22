//! A text: a pod as YAML, a stack trace. What is looked for is marked where it stands, as in a pager; `&` leaves only
//! its lines.

use std::sync::Arc;

use super::Effect;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use crate::action::{Action, Place};
use crate::event::DocumentKey;
use crate::model::interest::Interest;
use crate::model::key::PipelineKey;
use crate::model::pod::Pod;

/// Cells that one step to the side is wide.
const SIDE_STEP: usize = 16;

/// How far a text has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was asked for.
    Pending,
    /// It is here.
    Here,
    /// It could not be had, and why.
    Failed(Arc<str>),
}

/// The screen.
#[derive(Debug)]
pub struct DocumentScreen {
    /// What it is, for the title.
    pub title: String,
    /// How far it has come.
    pub arrival: Arrival,
    /// Whether long lines are broken.
    pub wrap: bool,
    /// Cells cut off on the left.
    pub column: usize,
    key: Option<DocumentKey>,
    text: Arc<str>,
    lines: Vec<(usize, usize)>,
    /// What is looked for, in small letters.
    filter: String,
    only_matches: bool,
    /// Numbers of the lines that have it.
    matches: Vec<usize>,
    /// Which of them was gone to last.
    found: usize,
    /// Where the search began.
    origin: usize,
    offset: usize,
    /// Cells of a line.
    width: usize,
    height: usize,
}

impl DocumentScreen {
    /// A text that is here already.
    #[must_use]
    pub fn given(title: String, text: Arc<str>) -> Screen {
        let mut screen = Self::empty(title, None);
        screen.arrival = Arrival::Here;
        screen.set_text(text);
        Screen::Document(Box::new(screen))
    }

    /// An event of a log, or a failure: its deepest cause is on top, where it is seen first.
    #[must_use]
    pub fn trace(title: String, trace: &Arc<str>) -> Screen {
        let root = trace.lines().filter_map(|line| line.trim_start().strip_prefix("Caused by: ")).next_back();
        let text = root.map_or_else(|| trace.clone(), |root| format!("root cause: {root}\n\n{trace}").into());
        Self::given(title, text)
    }

    /// A pod as YAML.
    #[must_use]
    pub fn yaml(pod: &Pod) -> Screen {
        Screen::Document(Box::new(Self::empty(
            format!("{} › yaml", pod.key.name),
            Some(DocumentKey::PodYaml(pod.key.clone())),
        )))
    }

    /// What differs between two revisions of a pipeline.
    #[must_use]
    pub fn difference(key: &PipelineKey, from: u64, to: u64) -> Screen {
        let title = format!("{} › revision {from} → {to}", key.name);
        let wanted = DocumentKey::RevisionDifference(key.clone(), from, to);
        Screen::Document(Box::new(Self::empty(title, Some(wanted))))
    }

    fn empty(title: String, key: Option<DocumentKey>) -> Self {
        Self {
            title,
            arrival: Arrival::Pending,
            wrap: true,
            column: 0,
            key,
            text: "".into(),
            lines: Vec::new(),
            filter: String::new(),
            only_matches: false,
            matches: Vec::new(),
            found: 0,
            origin: 0,
            offset: 0,
            width: 78,
            height: 1,
        }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, 1, 0)
    }

    /// What is to be fetched for it.
    #[must_use]
    pub fn wanted(&self) -> Option<Effect> {
        let pending = self.arrival == Arrival::Pending;
        self.key.clone().filter(|_| pending).map(Effect::Fetch)
    }

    /// Takes a fetched text in, if it is the one that was asked for.
    pub fn fetched(&mut self, key: &DocumentKey, result: &Result<Arc<str>, Arc<str>>) -> bool {
        if self.key.as_ref() != Some(key) {
            return false;
        }
        match result {
            Ok(text) => {
                self.arrival = Arrival::Here;
                self.set_text(text.clone());
            }
            Err(why) => self.arrival = Arrival::Failed(why.clone()),
        }
        true
    }

    /// The lines from the first one on screen on.
    pub fn visible(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.offset).filter_map(|(from, to)| self.text.get(*from..*to))
    }

    /// The lines before the end of what is on screen, last first.
    pub fn visible_from_end(&self) -> impl Iterator<Item = &str> {
        let end = self.offset.saturating_add(self.height).min(self.lines.len());
        self.lines.iter().take(end).rev().filter_map(|(from, to)| self.text.get(*from..*to))
    }

    /// Whether the end is on screen.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.offset >= self.most()
    }

    /// Number of the first line on screen from 1, of the last, and of all.
    #[must_use]
    pub fn place_in_text(&self) -> (usize, usize, usize) {
        let last = self.offset.saturating_add(self.height).min(self.lines.len());
        (self.offset.saturating_add(1).min(last), last, self.lines.len())
    }

    /// Which match was gone to, from 1, and how many there are; `None` when nothing is looked for.
    #[must_use]
    pub fn matches(&self) -> Option<(usize, usize)> {
        let all = self.matches.len();
        (!self.filter.is_empty()).then(|| ((self.found + 1).min(all), all))
    }

    /// Whether lines without it are left out.
    #[must_use]
    pub fn shows_only_matches(&self) -> bool {
        self.only_matches && !self.filter.is_empty()
    }

    /// Goes to a match, and leaves some lines before it in sight.
    fn find(&mut self, number: usize) {
        self.found = number;
        if let Some(line) = self.matches.get(number) {
            // Broken lines take more rows than one.
            let surely = if self.wrap { self.height / 2 } else { self.height };
            if !(self.offset..self.offset.saturating_add(surely)).contains(line) {
                self.offset = line.saturating_sub(self.height / 4).min(self.most());
            }
        }
    }

    fn next_match(&mut self, action: Action) -> Outcome {
        if self.filter.is_empty() {
            return Outcome::Say("Nothing is looked for: / looks for something.");
        }
        if self.matches.is_empty() {
            return Outcome::Say("It is nowhere in this text.");
        }
        let last = self.matches.len() - 1;
        let next = match action {
            Action::NextMatch if self.found < last => self.found + 1,
            Action::NextMatch => 0,
            _ if self.found > 0 => self.found - 1,
            _ => last,
        };
        self.find(next);
        Outcome::Done
    }

    fn set_text(&mut self, text: Arc<str>) {
        self.text = text;
        self.arrange();
    }

    fn arrange(&mut self) {
        let start = self.text.as_ptr() as usize;
        let (filter, only) = (&self.filter, self.shows_only_matches());
        let has_it = |line: &str| !filter.is_empty() && line.to_lowercase().contains(filter);
        let lines: Vec<&str> = self.text.lines().filter(|line| !only || has_it(line)).collect();
        self.matches = (0..).zip(&lines).filter(|(_, line)| has_it(line)).map(|(number, _)| number).collect();
        let place = |line: &&str| {
            let from = line.as_ptr() as usize - start;
            (from, from + line.len())
        };
        self.lines = lines.iter().map(place).collect();
        self.offset = self.offset.min(self.most());
    }

    /// The furthest that can be scrolled: from there on, all of the rest is on screen.
    fn most(&self) -> usize {
        if !self.wrap {
            return self.lines.len().saturating_sub(self.height);
        }
        let mut rows = 0;
        for (index, (from, to)) in self.lines.iter().enumerate().rev() {
            rows += self.text.get(*from..*to).map_or(1, |line| rows_of(line, self.width));
            if rows > self.height {
                return (index + 1).min(self.lines.len() - 1);
            }
        }
        0
    }

    fn scroll(&mut self, action: Action) -> bool {
        let page = self.height.saturating_sub(1).max(1);
        let half = page.div_ceil(2);
        self.offset = match action {
            Action::Up => self.offset.saturating_sub(1),
            Action::Down => self.offset.saturating_add(1),
            Action::PageUp => self.offset.saturating_sub(page),
            Action::PageDown => self.offset.saturating_add(page),
            Action::HalfUp => self.offset.saturating_sub(half),
            Action::HalfDown => self.offset.saturating_add(half),
            Action::Top => 0,
            Action::Bottom => usize::MAX,
            _ => return false,
        }
        .min(self.most());
        true
    }

    fn ask(&mut self) -> Outcome {
        let Some(key) = self.key.clone() else { return Outcome::Ignored };
        self.arrival = Arrival::Pending;
        Outcome::Effect(Effect::Fetch(key))
    }
}

/// Rows that a line takes when it is broken as it is drawn: after a space in the second half, else where it must.
fn rows_of(line: &str, width: usize) -> usize {
    let width = width.max(1);
    let letters: Vec<char> = line.replace('\t', "    ").chars().collect();
    let mut rest = letters.as_slice();
    let mut rows = 1;
    while rest.len() > width {
        let space = rest.iter().take(width).rposition(|letter| *letter == ' ').filter(|space| *space > width / 2);
        rest = rest.get(space.map_or(width, |space| space + 1)..).unwrap_or_default();
        rows += 1;
    }
    rows
}

impl Part for DocumentScreen {
    fn place(&self) -> Place {
        Place::Document
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        if !matches!(cause, Cause::Shown) {
            return false;
        }
        self.height = usize::from(Self::layout(world.size).body).max(1);
        self.width = usize::from(world.size.0.saturating_sub(2));
        self.offset = self.offset.min(self.most());
        true
    }

    fn act(&mut self, action: Action, _world: &World<'_>) -> Outcome {
        match action {
            Action::Wrap => {
                self.wrap = !self.wrap;
                self.offset = self.offset.min(self.most());
            }
            Action::NextMatch | Action::PreviousMatch => return self.next_match(action),
            Action::OnlyMatches => {
                self.only_matches = !self.only_matches;
                self.arrange();
                self.find(self.found.min(self.matches.len().saturating_sub(1)));
            }
            Action::Left => self.column = self.column.saturating_sub(SIDE_STEP),
            Action::Right => self.column = (self.column + SIDE_STEP).min(4_096),
            Action::Retry => return self.ask(),
            Action::Copy => {
                let lines: Vec<&str> = self.lines.iter().filter_map(|(from, to)| self.text.get(*from..*to)).collect();
                return Outcome::Copy(lines.join("\n"));
            }
            other => return Outcome::moved(self.scroll(other)),
        }
        Outcome::Done
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Retry => self.key.is_some(),
            Action::Copy => !self.lines.is_empty(),
            Action::NextMatch | Action::PreviousMatch | Action::OnlyMatches => !self.filter.is_empty(),
            _ => true,
        }
    }

    fn interest(&self, _world: &World<'_>, _interest: &mut Interest) {}

    fn filter(&self) -> &str {
        &self.filter
    }

    fn rows_shown(&self) -> usize {
        self.lines.len()
    }

    fn set_filter(&mut self, filter: &str) {
        if self.filter.is_empty() {
            self.origin = self.offset;
        }
        self.filter = filter.to_lowercase();
        self.offset = self.origin;
        self.arrange();
        let ahead = self.matches.iter().position(|line| *line >= self.origin);
        self.find(ahead.unwrap_or(0));
    }
}
