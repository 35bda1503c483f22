//! Failures counted by their fingerprint.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::event::{Event, Level};
use super::fingerprint::Fingerprint;
use super::trace::Frame;
use crate::model::Time;

/// Failures that are told apart; further ones are only counted.
pub const MOST_GROUPS: usize = 10_000;
/// Bytes that are kept of the event that stands for all.
const LONGEST_SAMPLE: usize = 16 * 1024;

/// All events with the same failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The failure's name.
    pub fingerprint: Fingerprint,
    /// Events.
    pub count: u64,
    /// The earliest; `None` when no event has a time.
    pub first: Option<Time>,
    /// The latest; `None` when no event has a time.
    pub last: Option<Time>,
    /// Events of each level; those without a level are not in it.
    pub levels: BTreeMap<Level, u64>,
    /// What was reported first.
    pub r#type: String,
    /// Its message in the first event.
    pub message: String,
    /// What it came from.
    pub root_type: String,
    /// Its message in the first event.
    pub root_message: String,
    /// The root's frames in the first event, topmost first.
    pub frames: Vec<Frame>,
    /// The first event as it was logged; the beginning of a long one.
    pub sample: String,
}

/// All failures of a log.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    known: HashMap<Fingerprint, Group>,
    beyond: u64,
}

impl Groups {
    /// Counts an event if it has an exception; `time` is that of the event, or of one near it.
    pub fn add(&mut self, event: &Event<'_>, time: Option<Time>) {
        let Some(exception) = &event.exception else { return };
        if !self.known.contains_key(&exception.fingerprint) && self.known.len() >= MOST_GROUPS {
            self.beyond += 1;
            return;
        }
        let group = self.known.entry(exception.fingerprint).or_insert_with(|| Group {
            fingerprint: exception.fingerprint,
            count: 0,
            first: None,
            last: None,
            levels: BTreeMap::new(),
            r#type: exception.outer().class.to_string(),
            message: exception.outer().message.to_string(),
            root_type: exception.root().class.to_string(),
            root_message: exception.root().message.to_string(),
            frames: exception.frames.clone(),
            sample: event.text.get(..event.text.floor_char_boundary(LONGEST_SAMPLE)).unwrap_or_default().to_owned(),
        });
        group.count += 1;
        group.first = [group.first, time].into_iter().flatten().min();
        group.last = group.last.max(time);
        if let Some(level) = event.level {
            *group.levels.entry(level).or_default() += 1;
        }
    }

    /// Events that were not put into a group, because there are too many.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The groups, most frequent first, then latest first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Group> {
        let mut groups: Vec<Group> = self.known.into_values().collect();
        groups.sort_unstable_by(|one, other| {
            (other.count, other.last, one.fingerprint).cmp(&(one.count, one.last, other.fingerprint))
        });
        groups
    }
}
