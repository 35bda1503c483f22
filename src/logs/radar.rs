//! Failures as they come in: how many, how fast, where, since when.
//!
//! Kept for each fingerprint while a log is followed; nothing is asked again. Kinds beyond [`MOST_KINDS`] are
//! only counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::fingerprint::Fingerprint;
use super::trace::Exception;
use crate::model::Time;
use crate::model::exception::Throwable;

/// Failures that are told apart.
pub const MOST_KINDS: usize = 1_000;
/// Bytes that are kept of the latest event.
const LONGEST_SAMPLE: usize = 16 * 1024;
/// Pods that are named.
const MOST_PODS: usize = 64;
/// Seconds of one step of the rate.
pub const STEP_SECONDS: i64 = 30;
/// Steps that may be held before old ones are forgotten.
const MOST_STEPS: usize = 64;
/// Steps of the rate.
pub const STEPS: i64 = 30;

/// All events with the same failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind {
    /// The failure's name.
    pub fingerprint: Fingerprint,
    /// Events.
    pub count: u64,
    /// The earliest.
    pub first: Time,
    /// The latest.
    pub last: Time,
    /// Events by step of time, the latest last.
    pub rate: Arc<[u32]>,
    /// Where.
    pub pods: BTreeSet<Arc<str>>,
    /// What it came from, in the latest event.
    pub root: Throwable,
    /// What was reported, in the latest event.
    pub outer: Throwable,
    /// Number of the latest event in the history.
    pub event: u64,
    /// The latest event.
    pub sample: Arc<str>,
}

#[derive(Debug)]
struct Counted {
    kind: Kind,
    /// By step since the epoch, the latest [`STEPS`] of them.
    steps: HashMap<i64, u32>,
}

/// All failures of a log.
#[derive(Debug, Default)]
pub struct Radar {
    kinds: HashMap<Fingerprint, Counted>,
    beyond: u64,
}

/// One event with a failure.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// The failure.
    pub exception: &'a Exception,
    /// All lines of the event.
    pub text: &'a str,
    /// When.
    pub time: Time,
    /// Where.
    pub pod: &'a Arc<str>,
    /// Number of the event in the history.
    pub event: u64,
}

impl Radar {
    /// Counts an event.
    pub fn add(&mut self, sighting: &Sighting<'_>) {
        let Sighting { exception, time, .. } = *sighting;
        let print = exception.fingerprint;
        if !self.kinds.contains_key(&print) && self.kinds.len() >= MOST_KINDS {
            self.beyond += 1;
            return;
        }
        let counted = self.kinds.entry(print).or_insert_with(|| Counted {
            kind: Kind {
                fingerprint: print,
                count: 0,
                first: time,
                last: time,
                rate: Arc::from([]),
                pods: BTreeSet::new(),
                root: exception.root().clone(),
                outer: exception.outer().clone(),
                event: sighting.event,
                sample: "".into(),
            },
            steps: HashMap::new(),
        });
        counted.add(sighting);
    }

    /// Events whose failures were too many to be told apart.
    #[must_use]
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The failures, the latest first, with their rates up to `now`.
    #[must_use]
    pub fn kinds(&self, now: Time) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.kinds.values().map(|counted| counted.at(now)).collect();
        kinds.sort_unstable_by(|one, other| (other.last, one.fingerprint).cmp(&(one.last, other.fingerprint)));
        kinds
    }
}

impl Counted {
    fn add(&mut self, sighting: &Sighting<'_>) {
        let kind = &mut self.kind;
        kind.count += 1;
        kind.first = kind.first.min(sighting.time);
        if kind.pods.len() < MOST_PODS && !kind.pods.contains(sighting.pod) {
            kind.pods.insert(sighting.pod.clone());
        }
        if sighting.time >= kind.last {
            kind.last = sighting.time;
            kind.event = sighting.event;
            kind.root = sighting.exception.root().clone();
            kind.outer = sighting.exception.outer().clone();
            let end = sighting.text.floor_char_boundary(LONGEST_SAMPLE);
            kind.sample = sighting.text.get(..end).unwrap_or_default().into();
        }
        let step = sighting.time.timestamp().div_euclid(STEP_SECONDS);
        *self.steps.entry(step).or_default() += 1;
        if self.steps.len() > MOST_STEPS {
            let latest = self.steps.keys().copied().max().unwrap_or(step);
            self.steps.retain(|known, _| latest - known < STEPS);
        }
    }

    fn at(&self, now: Time) -> Kind {
        let step = now.timestamp().div_euclid(STEP_SECONDS);
        let rate = (0..STEPS).rev().map(|back| self.steps.get(&(step - back)).copied().unwrap_or(0));
        Kind { rate: rate.collect(), ..self.kind.clone() }
    }
}
