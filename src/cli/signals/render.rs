//! `flowdeck signals render`: the spec as a job for a distributed engine.

use std::path::PathBuf;

use anyhow::Context;
use chrono::Utc;
use clap::{Args, ValueEnum};

use super::first_window::FirstWindow;
use super::{Failure, Shared, exit, output};
use crate::cli::cluster::Cluster;
use crate::engine::flink_sql::{self, Late, Place};

/// Arguments of `flowdeck signals render`.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Signals spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// What the job is for
    #[arg(long, value_enum, default_value_t = Engine::FlinkSql)]
    engine: Engine,
    /// What becomes of events after their window: a job tells each window once
    #[arg(long, value_enum, value_name = "WHAT")]
    late: Option<Policy>,
    /// Tell windows from this one on, and leave those before it to whoever wrote them: next, or its start as 2026-11-22T16:00:00Z
    #[arg(long, value_name = "WHEN")]
    first_window: Option<FirstWindow>,
    #[command(flatten)]
    cluster: Cluster,
}

/// What a job is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Flink SQL, 1.20 to 2.3
    FlinkSql,
}

/// What becomes of late events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Policy {
    /// They are left out
    Drop,
    /// Windows are told only when the allowed lateness is over
    Wait,
}

impl From<Policy> for Late {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Drop => Self::Drop,
            Policy::Wait => Self::Wait,
        }
    }
}

/// Prints the job.
pub(super) fn run(arguments: &Arguments, shared: &Shared) -> Result<u8, Failure> {
    let spec = super::read_spec(&arguments.spec)?;
    let Engine::FlinkSql = arguments.engine;
    let (bootstrap, properties) = arguments.cluster.plain(shared)?;
    let late = arguments.late.map(Late::from);
    let first_window =
        arguments.first_window.map(|first| first.start(&spec, Utc::now().timestamp_millis())).transpose();
    let first_window = first_window.map_err(Failure::usage)?;
    let place = Place { bootstrap: &bootstrap, properties: &properties, group: None, first_window, late };
    let sql = flink_sql::render(&spec, &place)
        .with_context(|| arguments.spec.display().to_string())
        .map_err(Failure::usage)?;
    output::print(&sql)?;
    Ok(exit::OK)
}
