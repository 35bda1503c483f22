//! How far reading has come, and what follows for the engine's idea of time.
//!
//! A partition without events for a while is idle and holds no window open. But one with a backlog is not idle, however
//! long it waits for its turn; while others work off theirs, one that has none left must not hold them back; and
//! while a broker is away nobody is idle, because nobody can be heard.
//!
//! For whoever wants to resume, it keeps for each stretch of a partition its greatest event time: reading must go on
//! with the first stretch that has an event of a window that was not told.
//!
//! Pure: time is an argument.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Intake;
use crate::engine::monitor::Progress;
use crate::model::Time;
use crate::model::signal::Reading;
use crate::source::kafka::consume::{Assignment, News};

/// Stretches of a partition that are told apart; more are joined, so that a resume reads a little more.
const STRETCHES: usize = 4_096;
/// While others work off a backlog, one that has none left is waited for this long, in milliseconds: what it knows of
/// its end is as old as its last answer, and a busy topic has grown since.
const GRACE: i64 = 2_000;

/// A partition.
#[derive(Clone, Debug)]
struct Standing {
    topic: Arc<str>,
    partition: i32,
    /// Where reading began, or began anew after a stall.
    first: i64,
    /// The end at that time.
    target: i64,
    position: i64,
    end: i64,
    /// When it last had records, by the clock, or was assigned: an empty partition may fill at that moment.
    heard_at: i64,
    stretches: VecDeque<Stretch>,
}

/// Consecutive records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    offset: i64,
    greatest: i64,
}

/// Where reading stands.
#[derive(Clone, Debug, Default)]
pub struct Course {
    places: BTreeMap<u32, Standing>,
    /// Set while something does not answer.
    trouble: Option<Reading>,
    live: bool,
    resumable: bool,
    lost: u64,
    unreadable: u64,
}

impl Course {
    /// A course that can say where to resume.
    #[must_use]
    pub fn resumable() -> Self {
        Self { resumable: true, ..Self::default() }
    }

    /// Applies what the reader told.
    pub fn take(&mut self, news: News, intake: &mut impl Intake, now: i64) {
        match news {
            News::Records(records) => {
                let greatest = intake.ingest(records.place, &records.batch, now);
                if let Some(standing) = self.places.get_mut(&records.place) {
                    if self.resumable {
                        standing.note(records.batch.first_offset, greatest);
                    }
                    standing.position = records.next_offset;
                    standing.end = records.end.max(records.next_offset);
                    standing.heard_at = now;
                }
            }
            News::Assigned(assignment) => self.assign(&assignment, intake, now),
            News::Revoked { place } => {
                self.places.remove(&place);
                intake.revoke(place, now);
            }
            News::CaughtUp { place, end, .. } => {
                if let Some(standing) = self.places.get_mut(&place) {
                    (standing.position, standing.end) = (standing.position.max(end), end);
                }
            }
            News::Lost { records, .. } => self.lost += records,
            News::Unreadable { batches, .. } => self.unreadable += batches,
            News::Stalled { since, why } => self.trouble = Some(Reading::Stalled(since, why)),
            News::Refused { why } => self.trouble = Some(Reading::Failed(why)),
            News::Flowing => {
                self.trouble = None;
                self.live = false;
                for standing in self.places.values_mut() {
                    (standing.first, standing.target) = (standing.position, standing.end);
                }
            }
        }
    }

    fn assign(&mut self, assignment: &Assignment, intake: &mut impl Intake, now: i64) {
        let Assignment { place, topic, partition, position, end, .. } = assignment;
        intake.assign(*place, &format!("{topic}/{partition}"), now);
        let standing = Standing {
            topic: topic.clone(),
            partition: *partition,
            first: *position,
            target: *end,
            position: *position,
            end: *end,
            heard_at: now,
            stretches: VecDeque::new(),
        };
        self.live = false;
        self.places.insert(*place, standing);
    }

    /// Lets time pass.
    pub fn tick(&mut self, intake: &mut impl Intake, now: i64) {
        let before = self.live;
        self.live |= !self.places.is_empty() && self.places.values().all(|it| it.position >= it.target);
        let begins_to_live = self.live && !before;
        for (place, standing) in &self.places {
            if self.trouble.is_some() || standing.position < standing.end || begins_to_live {
                intake.touch(*place, now);
            } else if !self.live && now.saturating_sub(standing.heard_at) >= GRACE {
                intake.touch(*place, i64::MIN);
            }
        }
        intake.progress(Progress { reading: self.reading(), backlog: self.backlog() });
        if self.trouble.is_none() && !self.places.is_empty() {
            intake.tick(now);
        }
    }

    /// How reading stands.
    #[must_use]
    pub fn reading(&self) -> Reading {
        match &self.trouble {
            Some(trouble) => trouble.clone(),
            None if self.places.is_empty() => Reading::Starting,
            None if self.live => Reading::Live,
            None => Reading::CatchingUp(self.percent()),
        }
    }

    fn percent(&self) -> u8 {
        let sums = self.places.values().fold((0_i64, 0_i64), |(read, all), standing| {
            let whole = standing.target.saturating_sub(standing.first).max(0);
            let done = standing.position.saturating_sub(standing.first).clamp(0, whole);
            (read.saturating_add(done), all.saturating_add(whole))
        });
        let percent = sums.0.saturating_mul(100).checked_div(sums.1).unwrap_or(100);
        u8::try_from(percent.clamp(0, 99)).unwrap_or(99)
    }

    /// Records still to be read; `None` before the ends are known.
    #[must_use]
    pub fn backlog(&self) -> Option<u64> {
        let left = self.places.values().map(|it| u64::try_from(it.end.saturating_sub(it.position)).unwrap_or(0));
        (!self.places.is_empty()).then(|| left.sum())
    }

    /// Whether all was read that was there when reading began.
    #[must_use]
    pub const fn has_caught_up(&self) -> bool {
        self.live
    }

    /// Records that were gone before they could be read.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Batches that could not be read.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Since when something does not answer, and why.
    #[must_use]
    pub fn stall(&self) -> Option<(Option<Time>, Arc<str>)> {
        match &self.trouble {
            Some(Reading::Stalled(since, why)) => Some((Some(*since), why.clone())),
            Some(Reading::Failed(why)) => Some((None, why.clone())),
            _ => None,
        }
    }

    /// Where to resume so that every event from this time on is read: offset by topic and partition. What lies before
    /// is forgotten.
    pub fn resume_from(&mut self, time: i64) -> BTreeMap<(Arc<str>, i32), i64> {
        self.places.values_mut().map(|it| ((it.topic.clone(), it.partition), it.resume_from(time))).collect()
    }
}

impl Standing {
    fn note(&mut self, offset: i64, greatest: Option<i64>) {
        let greatest = greatest.unwrap_or(i64::MIN);
        match self.stretches.back_mut() {
            // A stretch without newer events says no more than the one before it.
            Some(last) if greatest <= last.greatest => {}
            _ => self.stretches.push_back(Stretch { offset, greatest }),
        }
        if self.stretches.len() > STRETCHES {
            self.join();
        }
    }

    /// Halves the number of stretches.
    fn join(&mut self) {
        let mut joined: VecDeque<Stretch> = VecDeque::with_capacity(self.stretches.len());
        for (index, stretch) in self.stretches.drain(..).enumerate() {
            match joined.back_mut().filter(|_| index % 2 == 1) {
                Some(last) => last.greatest = last.greatest.max(stretch.greatest),
                None => joined.push_back(stretch),
            }
        }
        self.stretches = joined;
    }

    fn resume_from(&mut self, time: i64) -> i64 {
        while self.stretches.front().is_some_and(|first| first.greatest < time) {
            self.stretches.pop_front();
        }
        self.stretches.front().map_or(self.position, |first| first.offset)
    }
}

#[cfg(test)]
mod tests;
