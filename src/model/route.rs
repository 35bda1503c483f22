//! A route as the console knows it: what its spec says, how it stands, and what became of its flips.
//!
//! A route sends a topic's records to one of two copies of a pipeline, its lanes. [`record`] is what its processes write
//! down for each other; here is what a screen makes of that.

pub mod record;

use std::sync::Arc;

use self::record::{Answer, Receipt, Status, Verb};
use super::Time;
use super::environment::Link;
use super::key::KafkaKey;

/// A status that is older is that of a controller that is gone, in milliseconds.
pub const FRESH_MS: i64 = 5_000;

/// One of the two copies of a pipeline, as the spec has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Name.
    pub name: Arc<str>,
    /// Topic that its pipeline reads.
    pub topic: Arc<str>,
    /// Topic that its pipeline writes.
    pub output: Option<Arc<str>>,
    /// Consumer group of its pipeline.
    pub group: Option<Arc<str>>,
}

/// What the spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Topic that is read.
    pub source: Arc<str>,
    /// The two lanes.
    pub lanes: Vec<Lane>,
    /// From the first sign of trouble until every partition goes to the other lane, in milliseconds.
    pub sla_ms: i64,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Environment and name; the name of the spec's file while that cannot be read.
    pub key: KafkaKey,
    /// What its spec says; `None` while it cannot be read.
    pub plan: Option<Plan>,
    /// Whether its topics can be read.
    pub link: Link,
    /// What the controller that leads said last; `None` when none ever did, or before anybody looked.
    pub status: Option<Arc<Status>>,
    /// What became of the last flips, the oldest first.
    pub receipts: Arc<[Receipt]>,
}

impl Route {
    /// How old the status is; `None` without one.
    #[must_use]
    pub fn age_ms(&self, now: Time) -> Option<i64> {
        self.status.as_ref().map(|status| now.timestamp_millis().saturating_sub(status.at_ms).max(0))
    }

    /// Whether a controller leads now, as far as is known.
    #[must_use]
    pub fn is_led(&self, now: Time) -> bool {
        matches!(self.link, Link::Up { .. }) && self.age_ms(now).is_some_and(|age| age <= FRESH_MS)
    }

    /// The lane that is not active.
    #[must_use]
    pub fn waiting(&self) -> Option<&str> {
        let status = self.status.as_ref()?;
        status.lanes.iter().map(|lane| lane.name.as_str()).find(|name| *name != status.lane)
    }

    /// Whether somebody should look at it.
    #[must_use]
    pub fn is_troubled(&self, now: Time) -> bool {
        let status = self.status.as_ref();
        self.plan.is_none()
            || matches!(self.link, Link::Down { .. } | Link::Forbidden { .. })
            || status.is_some_and(|status| status.flip.is_some() || status.held_back.is_some())
            || (matches!(self.link, Link::Up { .. }) && !self.is_led(now))
    }
}

/// What somebody wants of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which route.
    pub route: KafkaKey,
    /// What.
    pub verb: Verb,
    /// Why; it stands in the control record and in the receipt.
    pub why: Arc<str>,
}

/// What came of it: the controller's answer, or why there is none.
pub type Granted = Result<Answer, Arc<str>>;
