//! `flowdeck router`: the processes of a route, and what an operator says to it.

mod operate;
mod rows;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster::Cluster;
use super::{Failure, Shared, exit, output};
use crate::router::RouterError;
use crate::router::spec::Spec;
use crate::source::kafka::ClientProperties;

/// Arguments of `flowdeck router`.
#[derive(Clone, Debug, Args)]
pub struct Router {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make the controller's topics that are missing, and check the others
    Init(serve::Init),
    /// Copy records from the source to the active lane, until stopped
    Worker(serve::Worker),
    /// Decide which lane is active, until stopped; a second one stands by
    Controller(serve::Controller),
    /// How the route stands: lanes, partitions, the flip on its way
    Status(operate::Status),
    /// Change the active lane, if the other one is well
    Flip(operate::Flip),
    /// Change the active lane, whatever the checks say
    Force(operate::Flip),
    /// Take back the flip on its way
    Abort(operate::Ask),
    /// Forbid flips that nobody asks for
    Hold(operate::Ask),
    /// Allow them again
    Release(operate::Ask),
    /// Give the other lane every record too, so that what both make of them can be compared
    Shadow(operate::Ask),
    /// Give records to the active lane only
    Unshadow(operate::Ask),
    /// What became of each flip: cut, gap, and what was lost, duplicated or reordered
    Receipts(operate::Receipts),
}

/// Which route, on which cluster.
#[derive(Clone, Debug, Args)]
struct Place {
    /// Route spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
}

/// Form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For eyes
    #[default]
    Table,
    /// JSON
    Json,
}

impl Place {
    fn open(&self, shared: &Shared) -> Result<(Arc<Spec>, ClientProperties), Failure> {
        let spec = Spec::open(&self.spec).map_err(Failure::usage)?;
        Ok((Arc::new(spec), self.cluster.properties(shared)?))
    }
}

/// Runs one of the commands.
pub fn run(router: &Router, shared: &Shared) -> Result<u8, Failure> {
    match &router.command {
        Command::Init(init) => serve::init(init, shared),
        Command::Worker(worker) => serve::worker(worker, shared),
        Command::Controller(controller) => serve::controller(controller, shared),
        Command::Status(status) => operate::status(status, shared),
        Command::Flip(flip) => operate::flip(flip, shared),
        Command::Force(flip) => operate::force(flip, shared),
        Command::Abort(ask) => operate::ask(ask, &crate::model::route::record::Verb::Abort, shared),
        Command::Hold(ask) => operate::ask(ask, &crate::model::route::record::Verb::Hold, shared),
        Command::Release(ask) => operate::ask(ask, &crate::model::route::record::Verb::Release, shared),
        Command::Shadow(ask) => operate::ask(ask, &crate::model::route::record::Verb::Shadow, shared),
        Command::Unshadow(ask) => operate::ask(ask, &crate::model::route::record::Verb::Unshadow, shared),
        Command::Receipts(receipts) => operate::receipts(receipts, shared),
    }
}

/// What brokers or other processes say is cleaned before it reaches a terminal.
fn failure(error: &RouterError) -> Failure {
    let error = anyhow::Error::msg(output::clean(&error.to_string()));
    Failure { code: exit::FAILED, error }
}
