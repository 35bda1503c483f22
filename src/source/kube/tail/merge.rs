//! The logs of many containers as one list of events, in order of time, with what is missing where it is missing.
//!
//! Console and commands read logs through this, so that both show the same. It keeps no event: what is in order is
//! handed out.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Message, Piece};
use crate::logs::braid::{Braid, Entry};
use crate::logs::format::Choice;
use crate::model::Time;
use crate::model::log::{Container, Mark, StreamState};

/// The streams of containers, known by number in the order in which they were added.
#[derive(Debug, Default)]
pub struct Merge {
    braid: Braid<Mark>,
    containers: Vec<Arc<Container>>,
    numbers: HashMap<Arc<Container>, usize>,
    states: Vec<StreamState>,
}

impl Merge {
    /// Adds a container whose log has a layout, or finds out its own; not if it is known already.
    pub fn add(&mut self, container: &Arc<Container>, layout: Choice) {
        self.number(container, layout);
    }

    /// The containers.
    #[must_use]
    pub fn containers(&self) -> &[Arc<Container>] {
        &self.containers
    }

    /// Each container and how its log stands.
    pub fn states(&self) -> impl Iterator<Item = (&Arc<Container>, &StreamState)> {
        self.containers.iter().zip(&self.states)
    }

    /// Bytes that wait to be put in order; whoever feeds it stops for a while when they are many.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.braid.held()
    }

    /// Takes what a tail tells, at `now`; whether a log stands otherwise than before.
    pub fn take(&mut self, message: Message, now: Time) -> bool {
        let number = self.number(&message.container, Choice::Detect);
        match message.piece {
            Piece::Lines(lines) => {
                for (line, time) in lines.iter() {
                    self.braid.line(number, line, (time, now));
                }
            }
            Piece::Missed(missed) => {
                let time = missed.to.or(missed.from).unwrap_or(now);
                self.braid.mark(number, Mark::Missed(missed), (time, now));
            }
            Piece::Remark(time, words) => self.braid.mark(number, Mark::Remark(words), (time, now)),
            Piece::State(state) => {
                if matches!(state, StreamState::Ended(_) | StreamState::Gone) {
                    self.braid.over(number, now);
                }
                if let Some(known) = self.states.get_mut(number) {
                    *known = state;
                }
                return true;
            }
            Piece::Over => self.braid.over(number, now),
        }
        false
    }

    /// Hands out what is in order by now: number of the container, time, entry.
    pub fn drain(&mut self, now: Time, sink: &mut impl FnMut(usize, Time, Entry<Mark>)) {
        self.braid.drain(now, sink);
    }

    /// Hands out everything.
    pub fn finish(&mut self, now: Time, sink: &mut impl FnMut(usize, Time, Entry<Mark>)) {
        self.braid.finish(now, sink);
    }

    fn number(&mut self, container: &Arc<Container>, layout: Choice) -> usize {
        if let Some(number) = self.numbers.get(container) {
            return *number;
        }
        let number = self.braid.add(layout);
        self.numbers.insert(container.clone(), number);
        self.containers.push(container.clone());
        self.states.push(StreamState::Opening);
        number
    }
}
