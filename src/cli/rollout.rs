//! `flowdeck rollout`: a deployment without downtime, through the route that leads to a pipeline.

use clap::Args;

use super::change::{Changing, at_desk};
use super::{Failure, exit, output};
use crate::plan::intent::Ask;
use crate::runtime::deploy::rollout;
use crate::settings::Settings;

/// Arguments of `flowdeck rollout`.
#[derive(Clone, Debug, Args)]
pub struct Rollout {
    /// The copy that is to have the traffic: the pipeline of a lane, deployed before or not yet started
    pipeline: String,
    /// Take the rollout back: the other copy gets the traffic again, and this one is stopped
    #[arg(long)]
    abort: bool,
    /// Print how far it is, as JSON, and do nothing
    #[arg(long, conflicts_with = "abort")]
    status: bool,
    #[command(flatten)]
    changing: Changing,
}

/// Runs it.
pub fn run(arguments: &Rollout, settings: &Settings) -> Result<u8, Failure> {
    let pipeline = arguments.pipeline.as_str();
    at_desk(settings, async |desk| {
        if arguments.status {
            let Some(found) = rollout::status(&desk, pipeline).await? else {
                return Err(Failure::not_found(format!("there was no rollout of {pipeline} or its other copy")));
            };
            output::print(&(serde_json::to_string_pretty(&found)? + "\n"))?;
            return Ok(exit::OK);
        }
        let ask = if arguments.abort { Ask::AbortRollout } else { Ask::Rollout };
        arguments.changing.roll_out(&desk, (pipeline, &ask)).await
    })
}
