//! Checkpoints of one job: one each interval while it runs, ten remembered, as the REST API shows them.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::demo::dice::{self, Dice};
use crate::demo::plan::JobPlan;

/// Checkpoints that Flink remembers (`web.checkpoints.history`).
const HISTORY: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    InProgress,
    Completed,
    Failed,
}

#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
    pub(crate) outcome: Outcome,
    pub(crate) savepoint: bool,
    pub(crate) triggered: DateTime<Utc>,
    pub(crate) millis: i64,
    pub(crate) state_bytes: u64,
    pub(crate) written_bytes: u64,
    pub(crate) path: String,
}

impl Checkpoint {
    pub(crate) fn ended(&self) -> DateTime<Utc> {
        self.triggered + TimeDelta::milliseconds(self.millis)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Checkpoints {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) restored: Option<(u64, DateTime<Utc>, String)>,
    /// Newest first.
    pub(crate) history: VecDeque<Checkpoint>,
    next_id: u64,
    /// When the last one was triggered.
    last: Option<DateTime<Utc>>,
}

/// What a tick made of the checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    Triggered(u64),
    Completed { id: u64, bytes: u64, millis: i64 },
    Expired(u64),
}

impl Checkpoints {
    /// The checkpoints of a job that has run for long.
    pub(crate) fn with_past(plan: &JobPlan, job: &str, started: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let interval = i64::from(plan.checkpoint_seconds.max(1));
        let count = u64::try_from((now - started).num_seconds() / interval).unwrap_or(0);
        let phase = i64::try_from(dice::stable(&[job])).unwrap_or(0).rem_euclid(interval);
        let mut checkpoints = Self { completed: count, next_id: count + 1, ..Self::default() };
        for back in 0..i64::try_from(HISTORY).unwrap_or(10).min(i64::try_from(count).unwrap_or(0)) {
            let triggered = now - TimeDelta::seconds(phase + back * interval) - TimeDelta::seconds(8);
            let mut checkpoint = make(plan, job, count - u64::try_from(back).unwrap_or(0), triggered);
            checkpoint.outcome = Outcome::Completed;
            checkpoints.history.push_back(checkpoint);
        }
        checkpoints.last = checkpoints.history.front().map(|newest| newest.triggered);
        checkpoints
    }

    /// Moves on to `now`. `works` is false while nothing can complete.
    pub(crate) fn step(&mut self, plan: &JobPlan, job: &str, works: bool, now: DateTime<Utc>) -> Step {
        let interval = TimeDelta::seconds(i64::from(plan.checkpoint_seconds.max(1)));
        if let Some(current) = self.history.front_mut().filter(|newest| newest.outcome == Outcome::InProgress) {
            let age = now - current.triggered;
            if works && age.num_milliseconds() >= current.millis {
                current.outcome = Outcome::Completed;
                self.completed += 1;
                return Step::Completed { id: current.id, bytes: current.state_bytes, millis: current.millis };
            }
            if !works && age >= interval {
                current.outcome = Outcome::Failed;
                current.millis = age.num_milliseconds();
                self.failed += 1;
                return Step::Expired(current.id);
            }
            return Step::Nothing;
        }
        if now - *self.last.get_or_insert(now) < interval {
            return Step::Nothing;
        }
        self.last = Some(now);
        let id = self.next_id.max(1);
        self.next_id = id + 1;
        self.history.push_front(make(plan, job, id, now));
        self.history.truncate(HISTORY);
        Step::Triggered(id)
    }

    /// A savepoint that completes at once.
    pub(crate) fn savepoint(&mut self, plan: &JobPlan, job: &str, now: DateTime<Utc>) -> String {
        let id = self.next_id.max(1);
        self.next_id = id + 1;
        let mut savepoint = make(plan, job, id, now);
        savepoint.savepoint = true;
        savepoint.outcome = Outcome::Completed;
        savepoint.path = savepoint_path(plan, job, id);
        let path = savepoint.path.clone();
        self.completed += 1;
        self.history.push_front(savepoint);
        self.history.truncate(HISTORY);
        path
    }

    /// The job restarts: what was under way fails, and the newest complete one is restored.
    pub(crate) fn abort(&mut self, now: DateTime<Utc>) {
        if let Some(current) = self.history.front_mut().filter(|newest| newest.outcome == Outcome::InProgress) {
            current.outcome = Outcome::Failed;
            current.millis = (now - current.triggered).num_milliseconds();
            self.failed += 1;
        }
        if let Some(newest) = self.newest(Outcome::Completed) {
            self.restored = Some((newest.id, now, newest.path.clone()));
        }
    }

    pub(crate) fn newest(&self, outcome: Outcome) -> Option<&Checkpoint> {
        self.history.iter().find(|checkpoint| checkpoint.outcome == outcome)
    }
}

/// Where a savepoint of a job lands.
fn savepoint_path(plan: &JobPlan, job: &str, id: u64) -> String {
    let short = job.get(..6).unwrap_or(job);
    let end = dice::identifier(&[job, &id.to_string()]);
    format!("s3://flowdeck-state/{}/savepoints/savepoint-{short}-{}", plan.name, end.get(..12).unwrap_or(&end))
}

fn make(plan: &JobPlan, job: &str, id: u64, triggered: DateTime<Utc>) -> Checkpoint {
    let mut dice = Dice::of(id, job);
    let factor = dice.between(0.85, 1.25);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes and durations for the screen"
    )]
    let (millis, state_bytes, written_bytes) = (
        (plan.checkpoint_millis as f64 * factor) as i64,
        (plan.state_bytes as f64 * factor.mul_add(0.04, 0.96)) as u64,
        (plan.state_bytes as f64 * factor * 0.06) as u64,
    );
    Checkpoint {
        id,
        outcome: Outcome::InProgress,
        savepoint: false,
        triggered,
        millis,
        state_bytes,
        written_bytes,
        path: format!("s3://flowdeck-state/{}/checkpoints/{job}/chk-{id}", plan.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::plan::clusters;

    #[test]
    fn a_checkpoint_each_interval_and_none_while_broken() {
        let plan = clusters("prd").remove(0).jobs.remove(0);
        let start = Utc::now();
        let mut checkpoints = Checkpoints::with_past(&plan, "job", start - TimeDelta::hours(1), start);
        assert_eq!(checkpoints.history.len(), HISTORY);
        let mut seen = (0, 0);
        for second in 0..600 {
            let works = second < 300;
            match checkpoints.step(&plan, "job", works, start + TimeDelta::seconds(second)) {
                Step::Completed { .. } => seen.0 += 1,
                Step::Expired(_) => seen.1 += 1,
                Step::Nothing | Step::Triggered(_) => {}
            }
        }
        assert!((4..=6).contains(&seen.0), "{seen:?}");
        assert!((3..=5).contains(&seen.1), "{seen:?}");
        assert_eq!(checkpoints.newest(Outcome::Failed).map(|newest| newest.outcome), Some(Outcome::Failed));
    }
}
