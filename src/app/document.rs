//! A text: a pod as YAML, a stack trace.

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
    filter: String,
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

    fn set_text(&mut self, text: Arc<str>) {
        self.text = text;
        self.arrange();
    }

    fn arrange(&mut self) {
        let start = self.text.as_ptr() as usize;
        let filter = &self.filter;
        self.lines = self
            .text
            .lines()
            .filter(|line| filter.is_empty() || line.to_lowercase().contains(filter))
            .map(|line| {
                let from = line.as_ptr() as usize - start;
                (from, from + line.len())
            })
            .collect();
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
        self.filter = filter.to_lowercase();
        self.arrange();
    }
}
