//! Golden signals at work: what a reader of Kafka tells, into the engine.
//!
//! Why here: the engine knows no source and the sources know no engine. How: [`course`] applies what the reader tells to
//! whatever counts ([`Intake`]) and knows how far reading has come; [`side_input`] brings overrides; [`watch`] is the console's task, one
//! thread for each environment.
//!
//! It must not let the console wait for the engine nor the engine for the console: the newest view replaces the one
//! before.

pub mod course;
pub mod side_input;
pub mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::monitor::{Monitor, Progress};
use crate::model::batch::Batch;
use crate::model::owner::Saturations;

/// How near services are to their limits, by environment, as whoever sees their pipelines tells it.
pub type Told = BTreeMap<Arc<str>, Arc<Saturations>>;

/// What counts records. Times are milliseconds since 1970.
pub trait Intake {
    /// A partition that will be read.
    fn assign(&mut self, place: u32, name: &str, now: i64);
    /// A partition that is no longer read.
    fn revoke(&mut self, place: u32, now: i64);
    /// When a partition last had something to say.
    fn touch(&mut self, place: u32, active_at: i64);
    /// Records of a partition; gives their greatest event time.
    fn ingest(&mut self, place: u32, batch: &Batch, now: i64) -> Option<i64>;
    /// Time passes while everything answers.
    fn tick(&mut self, now: i64);
    /// How reading stands.
    fn progress(&mut self, progress: Progress);
}

impl Intake for Monitor {
    fn assign(&mut self, place: u32, name: &str, now: i64) {
        Self::assign(self, place, name, now);
    }

    fn revoke(&mut self, place: u32, now: i64) {
        Self::revoke(self, place, now);
    }

    fn touch(&mut self, place: u32, active_at: i64) {
        Self::touch(self, place, active_at);
    }

    fn ingest(&mut self, place: u32, batch: &Batch, now: i64) -> Option<i64> {
        Self::ingest(self, place, batch, now)
    }

    fn tick(&mut self, now: i64) {
        Self::tick(self, now);
    }

    fn progress(&mut self, progress: Progress) {
        self.set_progress(progress);
    }
}
