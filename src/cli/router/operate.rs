//! What an operator asks of a route, and what the route says.

use std::time::Duration;

use clap::Args;

use super::{Form, Place, failure, rows};
use crate::cli::{Failure, Shared, exit, gather, output};
use crate::model::route::FRESH_MS;
use crate::model::route::record::Verb;
use crate::router::ask;

/// Arguments of `flowdeck router status`.
#[derive(Clone, Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// Arguments of `flowdeck router receipts`.
#[derive(Clone, Debug, Args)]
pub(super) struct Receipts {
    #[command(flatten)]
    place: Place,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// Arguments of the commands that ask for something.
#[derive(Clone, Debug, Args)]
pub(super) struct Ask {
    #[command(flatten)]
    place: Place,
    /// Why; it stands in the control record and in the receipt
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who asks [default: $USER]
    #[arg(long, value_name = "NAME", env = "USER")]
    who: String,
    /// How long to wait for the controller's answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    timeout: u64,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// Arguments of `flowdeck router flip` and `force`.
#[derive(Clone, Debug, Args)]
pub(super) struct Flip {
    /// Lane that is to be active
    #[arg(long, value_name = "LANE")]
    to: String,
    #[command(flatten)]
    ask: Ask,
}

pub(super) fn flip(flip: &Flip, shared: &Shared) -> Result<u8, Failure> {
    ask(&flip.ask, &Verb::Flip { to: flip.to.clone() }, shared)
}

pub(super) fn force(flip: &Flip, shared: &Shared) -> Result<u8, Failure> {
    ask(&flip.ask, &Verb::Force { to: flip.to.clone() }, shared)
}

/// Asks, and waits for the answer.
pub(super) fn ask(arguments: &Ask, verb: &Verb, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let request = ask::request(&spec, verb.clone(), (&arguments.who, &arguments.why), gather::now());
    let patience = Duration::from_secs(arguments.timeout);
    let answer = ask::ask(&properties, &spec, &request, patience).map_err(|error| failure(&error))?;
    match arguments.output {
        Form::Json => output::print(&(serde_json::to_string_pretty(&answer)? + "\n"))?,
        Form::Table if answer.accepted => output::print(&(output::clean(&answer.words) + "\n"))?,
        Form::Table => output::complain(&format!("refused: {}", output::clean(&answer.words))),
    }
    Ok(if answer.accepted { exit::OK } else { exit::FAILED })
}

/// Prints how the route stands.
pub(super) fn status(arguments: &Status, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let status = ask::status(&properties, &spec).map_err(|error| failure(&error))?;
    let Some(status) = status else {
        return Err(Failure::not_found(format!("no controller of the route {} has ever led", spec.name)));
    };
    let age = gather::now().timestamp_millis().saturating_sub(status.at_ms);
    match arguments.output {
        Form::Json => output::print(&(serde_json::to_string_pretty(&status)? + "\n"))?,
        Form::Table => output::print(&rows::status(&status, age))?,
    }
    if age > FRESH_MS {
        output::complain(&format!("this is {} s old: no controller leads now; records go on as it says", age / 1_000));
        return Ok(exit::PARTIAL);
    }
    Ok(exit::OK)
}

/// Prints what became of each flip.
pub(super) fn receipts(arguments: &Receipts, shared: &Shared) -> Result<u8, Failure> {
    let (spec, properties) = arguments.place.open(shared)?;
    let (receipts, unreadable) = ask::receipts(&properties, &spec).map_err(|error| failure(&error))?;
    match arguments.output {
        Form::Json => output::print(&(serde_json::to_string_pretty(&receipts)? + "\n"))?,
        Form::Table => output::print(&rows::receipts(&receipts, gather::now()))?,
    }
    if receipts.is_empty() && arguments.output == Form::Table {
        output::complain("there was no flip yet");
    }
    if unreadable > 0 {
        output::complain(&format!("{unreadable} receipts cannot be read"));
        return Ok(exit::PARTIAL);
    }
    Ok(exit::OK)
}
