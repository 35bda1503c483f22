//! Which jobs are asked for next: pure, with time as an argument.
//!
//! A job that is looked at in detail is asked for every two seconds, others every ten; one that fails waits longer
//! each time, so that a dead REST endpoint costs nothing. Order is the order of the interest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fetch::Memory;
use super::rest::Miss;
use crate::model::Time;
use crate::model::environment::Link;
use crate::model::interest::{Depth, JobInterest};
use crate::model::key::ProcessorKey;

/// Time between two looks at a job in detail.
const DETAIL: Duration = Duration::from_secs(2);
/// Time between two looks at a job in short.
const SUMMARY: Duration = Duration::from_secs(10);
/// Longest wait for a job that fails.
const LONGEST: Duration = Duration::from_mins(1);
/// What is not wanted for so long is forgotten.
const FORGET: Duration = Duration::from_mins(10);

/// How the last look went.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Missed(Miss),
}

#[derive(Debug)]
struct Ticket {
    /// Depth of the last look.
    depth: Depth,
    last: Option<(Instant, Outcome)>,
    /// Looks that failed in a row, and since when.
    failed: u32,
    failed_since: Option<Time>,
    wanted_at: Instant,
    /// `None` while somebody is out with it.
    memory: Option<Memory>,
}

/// The agenda of one environment.
#[derive(Debug, Default)]
pub struct Agenda {
    wanted: Vec<JobInterest>,
    tickets: HashMap<ProcessorKey, Ticket>,
}

impl Agenda {
    /// Takes over what is wanted now, most wanted first.
    pub fn want(&mut self, jobs: Vec<JobInterest>, now: Instant) {
        self.wanted = jobs;
        for job in &self.wanted {
            let ticket = self.tickets.entry(job.processor.clone()).or_insert_with(|| Ticket {
                depth: job.depth,
                last: None,
                failed: 0,
                failed_since: None,
                wanted_at: now,
                memory: Some(Memory::default()),
            });
            ticket.wanted_at = now;
        }
        self.tickets
            .retain(|_, ticket| ticket.memory.is_none() || now.saturating_duration_since(ticket.wanted_at) < FORGET);
    }

    /// Makes jobs that failed due at once: a person asked.
    pub fn hurry(&mut self) {
        for ticket in self.tickets.values_mut() {
            ticket.failed = 0;
            if matches!(ticket.last, Some((_, Outcome::Missed(_)))) {
                ticket.last = None;
            }
        }
    }

    /// The next job to ask for, if one is due.
    pub fn next(&mut self, now: Instant) -> Option<(JobInterest, Memory)> {
        let job = self.wanted.iter().find(|job| self.due(job).is_some_and(|due| due <= now))?.clone();
        let ticket = self.tickets.get_mut(&job.processor)?;
        ticket.depth = job.depth;
        Some((job, ticket.memory.take()?))
    }

    /// When the next job is due; `None` when there is nothing to wait for.
    #[must_use]
    pub fn wake(&self) -> Option<Instant> {
        self.wanted.iter().filter_map(|job| self.due(job)).min()
    }

    /// When a job is due; `None` while somebody is out with it.
    fn due(&self, job: &JobInterest) -> Option<Instant> {
        let ticket = self.tickets.get(&job.processor).filter(|ticket| ticket.memory.is_some())?;
        let Some((at, _)) = ticket.last else { return Some(ticket.wanted_at) };
        if ticket.failed == 0 && job.depth > ticket.depth {
            return Some(at);
        }
        let interval = if job.depth == Depth::Detail { DETAIL } else { SUMMARY };
        let wait = interval.saturating_mul(1 << ticket.failed.min(5)).min(LONGEST);
        Some(at + if ticket.failed == 0 { interval } else { wait })
    }

    /// Notes how a look went. Gives the failure that is worth reporting, with the moment it began: a single
    /// miss after answers is not, because the next look is near and old data is better than none.
    pub fn done(
        &mut self,
        job: &ProcessorKey,
        memory: Memory,
        result: Result<(), &Miss>,
        moments: (Instant, Time),
    ) -> Option<Time> {
        let ticket = self.tickets.get_mut(job)?;
        let (now, time) = moments;
        let answered_before = matches!(ticket.last, Some((_, Outcome::Answered)));
        ticket.memory = Some(memory);
        if let Err(miss) = result {
            ticket.last = Some((now, Outcome::Missed(miss.clone())));
            ticket.failed = ticket.failed.saturating_add(1);
            let since = *ticket.failed_since.get_or_insert(time);
            let hiccup = answered_before && matches!(miss, Miss::Failed(_));
            return (!hiccup).then_some(since);
        }
        ticket.last = Some((now, Outcome::Answered));
        ticket.failed = 0;
        ticket.failed_since = None;
        None
    }

    /// The state of all Flink clusters together: up when any answers, down when all that were asked fail. A job
    /// that does not exist says nothing about the way to it.
    #[must_use]
    pub fn link(&self, before: &Link, now: (Instant, Time)) -> Link {
        let outcomes = || {
            let tickets = self.wanted.iter().filter_map(|job| self.tickets.get(&job.processor));
            tickets.filter_map(|ticket| ticket.last.as_ref().map(|(_, outcome)| outcome))
        };
        if outcomes().any(|outcome| *outcome == Outcome::Answered) {
            return if let Link::Up { .. } = before { before.clone() } else { Link::Up { since: now.1 } };
        }
        let failed = outcomes().find_map(|outcome| match outcome {
            Outcome::Missed(Miss::Failed(words)) => Some(words.clone()),
            _ => None,
        });
        if let Some(error) = failed {
            let since = if let Link::Down { since, .. } = before { *since } else { now.1 };
            let wait = self.wake().map_or(LONGEST, |wake| wake.saturating_duration_since(now.0));
            let next = Link::Down { since, error, next_try: now.1 + wait };
            return if same_failure(before, &next) { before.clone() } else { next };
        }
        let forbidden: Option<Arc<str>> = outcomes().find_map(|outcome| match outcome {
            Outcome::Missed(Miss::Forbidden(words)) => Some(words.clone()),
            _ => None,
        });
        match (forbidden, before) {
            (Some(error), Link::Forbidden { since, .. }) => Link::Forbidden { since: *since, error },
            (Some(error), _) => Link::Forbidden { since: now.1, error },
            (None, _) => before.clone(),
        }
    }
}

/// Whether two failures differ by less than anybody can see, so that the second is not worth telling.
fn same_failure(before: &Link, next: &Link) -> bool {
    match (before, next) {
        (Link::Down { error: old, next_try: first, .. }, Link::Down { error, next_try, .. }) => {
            old == error && (*next_try - *first).num_milliseconds().abs() < 500
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::model::key::ObjectKey;

    fn job(name: &str, depth: Depth) -> JobInterest {
        JobInterest {
            processor: ObjectKey::new("e", "n", name),
            host: name.into(),
            job_manager_labels: [].into(),
            job_id: None,
            depth,
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_most_wanted_goes_first_and_each_at_its_pace() {
        let start = Instant::now();
        let mut agenda = Agenda::default();
        agenda.want(vec![job("a", Depth::Detail), job("b", Depth::Summary)], start);
        let names: Vec<(JobInterest, Memory)> = std::iter::from_fn(|| agenda.next(start)).collect();
        assert_eq!(names.iter().map(|(job, _)| &*job.host).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(agenda.wake(), None, "both are out");
        for (job, memory) in names {
            agenda.done(&job.processor, memory, Ok(()), (start, Utc::now()));
        }
        assert_eq!(agenda.wake(), Some(start + seconds(2)));
        assert!(agenda.next(start + seconds(1)).is_none());
        assert_eq!(&*agenda.next(start + seconds(2)).unwrap().0.host, "a");
        assert_eq!(agenda.wake(), Some(start + seconds(10)));
        agenda.want(vec![job("b", Depth::Detail)], start + seconds(3));
        assert_eq!(agenda.wake(), Some(start), "a closer look does not wait");
    }

    #[test]
    fn failures_are_asked_less_often_and_reported_once_they_last() {
        let (start, time) = (Instant::now(), Utc::now());
        let mut agenda = Agenda::default();
        agenda.want(vec![job("a", Depth::Detail)], start);
        let miss = Miss::Failed("refused".into());
        let look = |agenda: &mut Agenda, at: Instant, result: Result<(), &Miss>| {
            let (job, memory) = agenda.next(at).unwrap();
            agenda.done(&job.processor, memory, result, (at, time))
        };
        assert_eq!(look(&mut agenda, start, Ok(())), None);
        let mut at = start + seconds(2);
        assert_eq!(look(&mut agenda, at, Err(&miss)), None, "one hiccup is not reported");
        let mut waits = Vec::new();
        for _ in 0..6 {
            let wake = agenda.wake().unwrap();
            waits.push((wake - at).as_secs());
            at = wake;
            assert_eq!(look(&mut agenda, at, Err(&miss)), Some(time));
        }
        assert_eq!(waits, [4, 8, 16, 32, 60, 60]);
        agenda.hurry();
        assert!(agenda.next(at).is_some());
    }

    #[test]
    fn the_link_is_up_when_any_answers() {
        let now = (Instant::now(), Utc::now());
        let mut agenda = Agenda::default();
        agenda.want(vec![job("a", Depth::Summary), job("b", Depth::Summary)], now.0);
        assert_eq!(agenda.link(&Link::Idle, now), Link::Idle);
        let (a, memory) = agenda.next(now.0).unwrap();
        agenda.done(&a.processor, memory, Err(&Miss::Failed("refused".into())), now);
        let down = agenda.link(&Link::Idle, now);
        assert!(down.is_down());
        let (b, memory) = agenda.next(now.0).unwrap();
        agenda.done(&b.processor, memory, Ok(()), now);
        assert_eq!(agenda.link(&down, now), Link::Up { since: now.1 });
        agenda.want(vec![job("c", Depth::Summary)], now.0);
        let (c, memory) = agenda.next(now.0).unwrap();
        agenda.done(&c.processor, memory, Err(&Miss::Forbidden("no".into())), now);
        assert!(matches!(agenda.link(&down, now), Link::Forbidden { .. }));
    }
}
