//! How a source keeps the state of its connection: outcomes in, link changes out.
//!
//! Every backend fails and comes back in the same way, so the rules are here once: the moment of the first
//! failure is kept while failures go on, the next try comes later each time, and whoever looks sees when.
//! Pure: time is an argument, and waiting is the caller's business.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Time;
use crate::model::change::Change;
use crate::model::environment::{Backend, Link};

/// First wait after a failure.
const SHORTEST: Duration = Duration::from_millis(500);
/// Longest wait between tries.
const LONGEST: Duration = Duration::from_secs(10);

/// Why a backend could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It does not answer, or not as it should; the text is for a person.
    Down(Arc<str>),
    /// It answers that we may not.
    Forbidden(Arc<str>),
}

/// The wait after so many failures before this one.
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    SHORTEST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST)
}

/// The link of one backend of one environment.
#[derive(Debug)]
pub struct LinkKeeper {
    environment: Arc<str>,
    backend: Backend,
    link: Link,
    failures: u32,
}

impl LinkKeeper {
    /// A link that nothing has asked for yet.
    #[must_use]
    pub const fn new(environment: Arc<str>, backend: Backend) -> Self {
        Self { environment, backend, link: Link::Idle, failures: 0 }
    }

    /// The first answer is awaited; nothing to tell when there was one before.
    pub fn connecting(&mut self) -> Option<Change> {
        (self.link == Link::Idle).then(|| self.settle(Link::Connecting))
    }

    /// An answer came; nothing to tell when it was up already.
    pub fn succeeded(&mut self, now: Time) -> Option<Change> {
        self.failures = 0;
        let was_up = matches!(self.link, Link::Up { .. });
        (!was_up).then(|| self.settle(Link::Up { since: now }))
    }

    /// No answer, or a refusal. Says also how long to wait before the next try.
    pub fn failed(&mut self, now: Time, failure: Failure) -> (Change, Duration) {
        let wait = backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        let link = match (failure, &self.link) {
            (Failure::Down(error), Link::Down { since, .. }) => {
                Link::Down { since: *since, error, next_try: now + wait }
            }
            (Failure::Down(error), _) => Link::Down { since: now, error, next_try: now + wait },
            (Failure::Forbidden(error), Link::Forbidden { since, .. }) => Link::Forbidden { since: *since, error },
            (Failure::Forbidden(error), _) => Link::Forbidden { since: now, error },
        };
        (self.settle(link), wait)
    }

    /// Somebody asked for a try at once: waits begin anew from the shortest.
    pub const fn forgive(&mut self) {
        self.failures = 0;
    }

    fn settle(&mut self, link: Link) -> Change {
        self.link = link.clone();
        Change::Link(self.environment.clone(), self.backend, link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).unwrap()
    }

    fn link(change: Change) -> Link {
        match change {
            Change::Link(_, Backend::Kafka, link) => link,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn failures_keep_their_beginning_and_wait_longer_each_time() {
        let mut keeper = LinkKeeper::new("prd".into(), Backend::Kafka);
        assert_eq!(keeper.connecting().map(link), Some(Link::Connecting));
        assert_eq!(keeper.connecting(), None);
        assert_eq!(keeper.succeeded(at(1)).map(link), Some(Link::Up { since: at(1) }));
        assert_eq!(keeper.succeeded(at(2)), None);
        let mut waits = Vec::new();
        for second in 10..18 {
            let (change, wait) = keeper.failed(at(second), Failure::Down("gone".into()));
            let expected = Link::Down { since: at(10), error: "gone".into(), next_try: at(second) + wait };
            assert_eq!(link(change), expected);
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
        keeper.forgive();
        assert_eq!(keeper.failed(at(20), Failure::Down("gone".into())).1, SHORTEST);
        assert_eq!(keeper.succeeded(at(30)).map(link), Some(Link::Up { since: at(30) }));
    }

    #[test]
    fn a_refusal_is_not_an_outage() {
        let mut keeper = LinkKeeper::new("prd".into(), Backend::Kafka);
        keeper.failed(at(1), Failure::Down("gone".into()));
        let (change, _) = keeper.failed(at(2), Failure::Forbidden("no".into()));
        assert_eq!(link(change), Link::Forbidden { since: at(2), error: "no".into() });
        let (change, _) = keeper.failed(at(3), Failure::Forbidden("no".into()));
        assert_eq!(link(change), Link::Forbidden { since: at(2), error: "no".into() });
    }
}
