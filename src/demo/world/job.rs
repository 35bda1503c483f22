//! A Flink job of the demo world: its state, what its subtasks do, its checkpoints and its failures.
//!
//! The job knows nothing of pods; its cluster tells it how many slots it has and what troubles it, and it answers with
//! transitions that the cluster logs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::checkpoint::Checkpoints;
use crate::demo::dice::{self, Dice};
use crate::demo::plan::JobPlan;
use crate::model::job::JobState;

/// Failures that Flink remembers (`web.exception-history-size`).
const HISTORY: usize = 16;
/// Seconds before the first restart of a row, and before the later ones at most.
const FIRST_BACKOFF: f64 = 2.0;
const LAST_BACKOFF: f64 = 20.0;
/// Seconds after which a job that runs is trusted again.
pub(super) const TRUSTED_AFTER: i64 = 60;

/// One entry of the exception history.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) at: DateTime<Utc>,
    pub(crate) exception: &'static str,
    pub(crate) trace: Arc<str>,
    /// Task and TaskManager; `None` for failures of the whole job.
    pub(crate) task: Option<(String, String)>,
}

/// What a job is up against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strain {
    None,
    /// It works hard and gets nowhere: what it reads cannot be written.
    Stuck,
    /// One subtask of this vertex is too slow for the rest.
    Skew(usize),
}

/// One subtask's share of its vertex.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subtask {
    /// Shares of time; what is left is idle.
    pub(crate) busy: f64,
    pub(crate) held_back: f64,
    pub(crate) records_in: f64,
    pub(crate) records_out: f64,
    /// Totals since the attempt started.
    pub(crate) total_in: f64,
    pub(crate) total_out: f64,
}

impl Subtask {
    pub(crate) fn idle(&self) -> f64 {
        (1.0 - self.busy - self.held_back).max(0.0)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Vertex {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) busy: f64,
    pub(crate) yields: f64,
    pub(crate) subtasks: Vec<Subtask>,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) plan: JobPlan,
    pub(crate) state: JobState,
    pub(crate) since: DateTime<Utc>,
    pub(crate) started: DateTime<Utc>,
    /// When the job last entered each state.
    pub(crate) entered: BTreeMap<&'static str, DateTime<Utc>>,
    /// Counts the attempts of its tasks.
    pub(crate) restarts: u32,
    pub(crate) vertices: Vec<Vertex>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) failures: VecDeque<Failure>,
    /// Event time reached, in epoch milliseconds.
    pub(crate) watermark: i64,
    /// Seconds that it waits before the next restart; grows with each failure, as the restart strategy has it.
    pub(crate) backoff: f64,
    /// Operations by trigger: the savepoints asked for through REST.
    pub(crate) savepoints: BTreeMap<String, (DateTime<Utc>, String)>,
    dice: Dice,
}

impl Job {
    /// A job that has been running since `started`.
    pub(crate) fn running(plan: &JobPlan, scope: &str, started: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut job = Self::created(plan, scope, started);
        for (state, after) in [(JobState::Created, 1_500), (JobState::Running, 9_000)] {
            job.enter(state, started + chrono::TimeDelta::milliseconds(after));
        }
        job.checkpoints = Checkpoints::with_past(plan, &job.id, started, now);
        for vertex in &mut job.vertices {
            let seconds = (now - started).num_seconds();
            #[expect(clippy::cast_precision_loss, reason = "a count for the screen")]
            for subtask in &mut vertex.subtasks {
                subtask.total_in = seconds as f64 * plan.rate / f64::from(plan.parallelism.max(1));
                subtask.total_out = subtask.total_in * vertex.yields;
            }
        }
        job.watermark = now.timestamp_millis() - 1_200;
        job.work(Strain::None, 1.0, now);
        job
    }

    /// A job that was just submitted and waits for slots.
    pub(crate) fn created(plan: &JobPlan, scope: &str, now: DateTime<Utc>) -> Self {
        let id = dice::identifier(&[scope, &plan.name, &now.timestamp().to_string()]);
        let count = usize::try_from(plan.parallelism.max(1)).unwrap_or(1);
        let vertices = plan
            .vertices
            .iter()
            .map(|vertex| Vertex {
                id: dice::identifier(&[&plan.name, vertex.name]),
                name: vertex.name,
                busy: vertex.busy,
                yields: vertex.yields,
                subtasks: vec![Subtask::default(); count],
            })
            .collect();
        let mut job = Self {
            dice: Dice::of(dice::stable(&[&id]), "load"),
            id,
            plan: plan.clone(),
            state: JobState::Initializing,
            since: now,
            started: now,
            entered: BTreeMap::new(),
            restarts: 0,
            vertices,
            checkpoints: Checkpoints::default(),
            failures: VecDeque::new(),
            watermark: now.timestamp_millis() - 2_000,
            backoff: FIRST_BACKOFF,
            savepoints: BTreeMap::new(),
        };
        job.enter(JobState::Initializing, now);
        job
    }

    pub(crate) fn enter(&mut self, state: JobState, now: DateTime<Utc>) {
        self.state = state;
        self.since = now;
        self.entered.insert(state.word(), now);
        if !matches!(state, JobState::Running) {
            for subtask in self.vertices.iter_mut().flat_map(|vertex| &mut vertex.subtasks) {
                *subtask = Subtask { total_in: subtask.total_in, total_out: subtask.total_out, ..Subtask::default() };
            }
        }
    }

    /// Something went wrong: the job remembers it and restarts.
    pub(crate) fn fail(&mut self, failure: Failure) {
        let now = failure.at;
        self.failures.push_front(failure);
        self.failures.truncate(HISTORY);
        self.restarts += 1;
        self.backoff = (self.backoff * 1.35).min(LAST_BACKOFF);
        self.checkpoints.abort(now);
        self.enter(JobState::Restarting, now);
        for subtask in self.vertices.iter_mut().flat_map(|vertex| &mut vertex.subtasks) {
            *subtask = Subtask::default();
        }
    }

    /// One tick of work.
    pub(crate) fn work(&mut self, strain: Strain, seconds: f64, now: DateTime<Utc>) {
        let (load, skew) = match strain {
            Strain::None => (1.0, None),
            Strain::Stuck => (1.4, None),
            Strain::Skew(vertex) => (1.0, Some(vertex)),
        };
        let mut rate = self.plan.rate * load / f64::from(self.plan.parallelism.max(1));
        if skew.is_some() {
            rate *= 0.62;
        }
        for (index, vertex) in self.vertices.iter_mut().enumerate() {
            for (number, subtask) in vertex.subtasks.iter_mut().enumerate() {
                let wobble = self.dice.between(0.94, 1.06);
                let (mut busy, mut held_back) = ((vertex.busy * load * wobble).min(0.99), 0.0);
                let mut records = rate * wobble;
                match skew {
                    Some(hot) if index < hot => {
                        held_back = self.dice.between(0.58, 0.74);
                        busy *= 0.35;
                    }
                    Some(hot) if index == hot && number == 1 % self.plan.parallelism as usize => {
                        busy = self.dice.between(0.975, 0.995);
                        records *= 2.4;
                    }
                    Some(hot) if index == hot => busy *= 0.45,
                    _ => {}
                }
                *subtask = Subtask {
                    busy,
                    held_back,
                    records_in: records,
                    records_out: records * vertex.yields,
                    total_in: records.mul_add(seconds, subtask.total_in),
                    total_out: (records * vertex.yields).mul_add(seconds, subtask.total_out),
                };
            }
            rate *= vertex.yields;
        }
        self.progress(strain, seconds, now);
    }

    /// Event time goes on: with the clock, at half its speed, or not at all; what was lost is caught up.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "milliseconds of a few minutes")]
    fn progress(&mut self, strain: Strain, seconds: f64, now: DateTime<Utc>) {
        let newest = now.timestamp_millis() - 1_200;
        let behind = (newest - self.watermark).max(0) as f64;
        let step = match strain {
            Strain::Stuck => 0.0,
            Strain::Skew(_) => seconds * 450.0,
            Strain::None => seconds.mul_add(2_000.0, behind * 0.15),
        };
        self.watermark += step.min(behind) as i64;
    }

    /// It has run long enough: the next failure is the first of a row again.
    pub(crate) const fn trust(&mut self) {
        self.backoff = FIRST_BACKOFF;
    }

    /// How busy the busiest vertex is, for the CPU of the pods.
    pub(crate) fn load(&self) -> f64 {
        self.vertices.iter().flat_map(|vertex| &vertex.subtasks).map(|subtask| subtask.busy).fold(0.0, f64::max)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    /// All subtasks of all vertices.
    pub(crate) fn subtask_count(&self) -> usize {
        self.vertices.iter().map(|vertex| vertex.subtasks.len()).sum()
    }
}
