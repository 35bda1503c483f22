//! How the processors of a pipeline hang together by their topics, as lines of text pieces.
//!
//! Each line is a path from left to right. A processor that feeds several others continues on its own line
//! with the first, and each of the rest begins a line below it. Deeper branches come first, so that
//! the stems of shallow ones pass to the left of them and nothing crosses.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::view::ProcessorView;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A topic, and how many more stand beside it.
    Topic(Arc<str>, usize),
    /// Flows to.
    Arrow,
    /// A processor, by its number.
    Processor(usize),
    /// A processor that is drawn elsewhere already.
    Again(usize),
    /// Nothing is known to flow.
    Gap,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowLine {
    /// The arrow that it branches from: line and number of the piece.
    pub branch: Option<(usize, usize)>,
    /// From left to right.
    pub pieces: Vec<Piece>,
}

/// Draws the processors as lines.
#[must_use]
pub fn lines(processors: &[ProcessorView]) -> Vec<FlowLine> {
    let mut plan = Plan { processors, lines: Vec::new(), drawn: BTreeSet::new() };
    let (linked, alone): (Vec<usize>, Vec<usize>) = (0..processors.len()).partition(|index| plan.is_linked(*index));
    let roots: Vec<usize> = linked.iter().copied().filter(|index| plan.feeders(*index).next().is_none()).collect();
    // In a circle nobody is first; whoever is left begins.
    for index in roots.into_iter().chain(linked) {
        if !plan.drawn.contains(&index) {
            plan.begin(index);
        }
    }
    if !alone.is_empty() {
        let pieces = alone.into_iter().flat_map(|index| [Piece::Gap, Piece::Processor(index)]).skip(1).collect();
        plan.lines.push(FlowLine { branch: None, pieces });
    }
    plan.lines
}

struct Plan<'a> {
    processors: &'a [ProcessorView],
    lines: Vec<FlowLine>,
    drawn: BTreeSet<usize>,
}

enum Next {
    Processor(usize),
    Topics(Arc<str>, usize),
}

impl Plan<'_> {
    fn is_linked(&self, index: usize) -> bool {
        self.processors.get(index).is_some_and(|it| !it.inputs.is_empty() || !it.outputs.is_empty())
    }

    fn feeders(&self, index: usize) -> impl Iterator<Item = usize> {
        let inputs: &[Arc<str>] = self.processors.get(index).map_or(&[], |it| &it.inputs);
        let feeds = move |other: &ProcessorView| other.outputs.iter().any(|topic| inputs.contains(topic));
        self.processors.iter().enumerate().filter(move |(at, other)| *at != index && feeds(other)).map(|(at, _)| at)
    }

    fn begin(&mut self, index: usize) {
        let produced: BTreeSet<&Arc<str>> = self.processors.iter().flat_map(|it| &it.outputs).collect();
        let inputs: &[Arc<str>] = self.processors.get(index).map_or(&[], |it| &it.inputs);
        let mut outside = inputs.iter().filter(|topic| !produced.contains(topic));
        let mut pieces = Vec::new();
        if let Some(first) = outside.next() {
            pieces.extend([Piece::Topic(first.clone(), outside.count()), Piece::Arrow]);
        }
        self.lines.push(FlowLine { branch: None, pieces });
        self.follow(index, self.lines.len() - 1);
    }

    fn push(&mut self, line: usize, piece: Piece) {
        if let Some(line) = self.lines.get_mut(line) {
            line.pieces.push(piece);
        }
    }

    /// Draws a processor at the end of a line, then all that it feeds.
    fn follow(&mut self, index: usize, line: usize) {
        self.drawn.insert(index);
        self.push(line, Piece::Processor(index));
        let arrow = self.lines.get(line).map_or(0, |line| line.pieces.len());
        for (number, next) in self.next(index).into_iter().enumerate() {
            let line = if number == 0 {
                line
            } else {
                self.lines.push(FlowLine { branch: Some((line, arrow)), pieces: Vec::new() });
                self.lines.len() - 1
            };
            self.push(line, Piece::Arrow);
            match next {
                Next::Topics(first, more) => self.push(line, Piece::Topic(first, more)),
                Next::Processor(next) if self.drawn.contains(&next) => self.push(line, Piece::Again(next)),
                Next::Processor(next) => self.follow(next, line),
            }
        }
    }

    fn next(&self, index: usize) -> Vec<Next> {
        let outputs: &[Arc<str>] = self.processors.get(index).map_or(&[], |it| &it.outputs);
        let reads = |other: &ProcessorView, topic: &Arc<str>| other.inputs.contains(topic);
        let mut next: Vec<Next> = self
            .processors
            .iter()
            .enumerate()
            .filter(|(at, other)| *at != index && outputs.iter().any(|topic| reads(other, topic)))
            .map(|(at, _)| Next::Processor(at))
            .collect();
        let mut outside = outputs.iter().filter(|topic| !self.processors.iter().any(|other| reads(other, topic)));
        if let Some(first) = outside.next() {
            next.push(Next::Topics(first.clone(), outside.count()));
        }
        next
    }
}
