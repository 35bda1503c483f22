//! `flowdeck signals`: the golden-signals engine without a screen.
//!
//! One file for each of its commands; what they share is here.

mod check;
mod deploy;
mod first_window;
mod plan;
mod render;
mod replay;
mod run;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Failure, Shared, exit, output};
use crate::engine::Spec;

/// Arguments of `flowdeck signals`.
#[derive(Clone, Debug, Args)]
pub struct Signals {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Check a spec, overrides or an expression, and try an expression on recorded windows
    Check(check::Arguments),
    /// Run a file of events and watermarks through the engine and print every pane
    Replay(replay::Arguments),
    /// Print the spec as a job for Flink, for more than one machine reads
    Render(render::Arguments),
    /// Say what counting so much needs: whether one machine is enough, and how large a job has to be
    Plan(plan::Arguments),
    /// Deploy the spec as a job of Flink, as a pipeline like any other: with revisions, rollback and savepoints
    Deploy(deploy::Arguments),
    /// Stop that job with a savepoint
    Stop(deploy::Stop),
    /// How that job is
    Status(deploy::Status),
    /// Read a spec's topics and print what each window of each service comes to
    Run(run::Arguments),
}

/// Runs one of the commands.
pub fn run(signals: &Signals, shared: &Shared) -> Result<u8, Failure> {
    match &signals.command {
        Command::Check(arguments) => check::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Render(arguments) => render::run(arguments, shared),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Deploy(arguments) => deploy::run(arguments, shared),
        Command::Stop(arguments) => deploy::stop(arguments, shared),
        Command::Status(arguments) => deploy::status(arguments, shared),
        Command::Run(arguments) => run::run(arguments, shared),
    }
}

fn read_spec(path: &Path) -> Result<Spec, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the signals spec {}", path.display()))
        .map_err(Failure::usage)?;
    Spec::parse(&text).with_context(|| path.display().to_string()).map_err(Failure::usage)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display())).map_err(Failure::usage)?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

fn write_line(output: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *output, value).map_err(io::Error::from)?;
    output.write_all(b"\n")?;
    Ok(())
}
