//! A pod of the demo world: a little state machine that time drives.

use chrono::{DateTime, Utc};

use crate::model::pod::Role;

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No node yet.
    Pending,
    /// On a node, pulling and creating.
    Creating,
    /// The container runs, probes do not pass yet.
    Starting,
    Ready,
    /// The container ended and will be started again.
    Crashed,
    /// The container ended for good.
    Failed,
}

/// How a container last ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) reason: &'static str,
    pub(crate) exit_code: i32,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: DateTime<Utc>,
}

/// What a pod is to be, before it is born.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) ordinal: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) ordinal: u32,
    /// Hash of the template that it was made from.
    pub(crate) template: u64,
    /// The same for people: what a `ReplicaSet` puts into names and labels.
    pub(crate) hash: String,
    pub(crate) phase: Phase,
    /// When it entered the phase.
    pub(crate) since: DateTime<Utc>,
    pub(crate) created: DateTime<Utc>,
    /// When the running container was started.
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) restarts: u32,
    pub(crate) last_termination: Option<Ended>,
    /// Index of its node.
    pub(crate) node: Option<usize>,
    pub(crate) address: String,
    /// Revision of its object that was last looked at.
    pub(crate) seen: u64,
    /// Share of the CPU limit in use.
    pub(crate) cpu: f64,
    /// Share of the memory limit in use.
    pub(crate) memory: f64,
}

impl Pod {
    /// What happens next, and after how many seconds of the demo's time; `None` for a state that lasts.
    pub(crate) const fn next(&self) -> Option<(Phase, i64)> {
        match self.phase {
            Phase::Pending => Some((Phase::Creating, 1)),
            Phase::Creating => Some((Phase::Starting, 4)),
            Phase::Starting => Some((Phase::Ready, 6)),
            Phase::Crashed => Some((Phase::Starting, if self.backs_off() { 20 } else { 2 })),
            Phase::Ready | Phase::Failed => None,
        }
    }

    /// The kubelet waits longer before each restart but the first.
    pub(crate) const fn backs_off(&self) -> bool {
        self.restarts > 1
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(crate) fn enter(&mut self, phase: Phase, now: DateTime<Utc>) {
        if phase == Phase::Starting {
            self.started = Some(now);
            self.memory = 0.18;
        }
        self.phase = phase;
        self.since = now;
    }

    /// The container ends; whether it comes back is up to its restart policy.
    pub(crate) fn end(&mut self, reason: &'static str, exit_code: i32, comes_back: bool, now: DateTime<Utc>) {
        self.last_termination =
            Some(Ended { reason, exit_code, started_at: self.started.unwrap_or(self.created), finished_at: now });
        self.cpu = 0.0;
        self.memory = 0.0;
        if comes_back {
            self.restarts += 1;
            self.enter(Phase::Crashed, now);
        } else {
            self.enter(Phase::Failed, now);
        }
    }
}
