//! `flowdeck demo`: any command, or the console, against a fresh embedded platform.

mod routes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser};
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::{Options, Platform};

use super::{Arguments, Command, Failure, Shared, console, exit, output, run as run_command};

/// Arguments of `flowdeck demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// Start the platform alone, print its addresses, and run until stopped
    #[arg(long, conflicts_with = "command")]
    headless: bool,
    /// How fast incidents come and go; 2 is twice as fast
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pace: f64,
    /// Seed of the incident script
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Command to run instead of the console, as in `flowdeck demo -- get pipelines`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Starts the platform, runs what is asked for against it, and stops it.
pub fn run(demo: &Demo, shared: &Shared) -> Result<u8, Failure> {
    if !(demo.pace.is_finite() && demo.pace > 0.0) {
        return Err(Failure::usage(anyhow::anyhow!("--pace must be a number above 0")));
    }
    let inner = inner_arguments(demo)?;
    // The platform has a runtime of its own, so that it is as foreign to the console as a real one.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let platform = runtime.block_on(Platform::start(Options { seed: demo.seed, pace: demo.pace }))?;
    // Flags behind the `--` belong to the inner command; it has them instead of ours.
    let given = inner.as_ref().map_or(shared, |inner| &inner.shared);
    let shared = Shared { settings: Some(platform.settings().to_owned()), ..given.clone() };
    let _routes = if demo.headless || inner.is_none() { Some(routes::start(&shared.load()?)) } else { None };
    let code = if demo.headless {
        runtime.block_on(wait(&platform))
    } else {
        match inner.and_then(|inner| inner.command) {
            Some(command) => {
                let files = platform.settings().parent().map(Path::to_owned);
                runtime.spawn(clean_up_when_ended(files));
                run_command(Arguments { shared, command: Some(command) })
            }
            None => shared.load().and_then(|settings| console::run(&settings)),
        }
    };
    runtime.block_on(platform.stop());
    code
}

fn inner_arguments(demo: &Demo) -> Result<Option<Arguments>, Failure> {
    if demo.command.is_empty() {
        return Ok(None);
    }
    let words = std::iter::once("flowdeck").chain(demo.command.iter().map(String::as_str));
    // The inner command line is answered as the outer one is: with clap's own words and exit code.
    let inner = Arguments::try_parse_from(words).unwrap_or_else(|error| error.exit());
    if matches!(inner.command, Some(Command::Demo(_))) {
        return Err(Failure::usage(anyhow::anyhow!("a demo inside a demo shows nothing new: name another command")));
    }
    Ok(Some(inner))
}

/// What a command gets to end by itself when it is told to.
const GRACE: Duration = Duration::from_millis(500);

/// A command that a signal ends leaves no files behind. One that ends by itself on a signal may do so.
async fn clean_up_when_ended(files: Option<PathBuf>) {
    let Ok(number) = ending_signal().await else { return };
    tokio::time::sleep(GRACE).await;
    if let Some(files) = files
        && let Err(error) = std::fs::remove_dir_all(files)
    {
        tracing::debug!(%error, "the demo's files cannot be removed");
    }
    #[expect(clippy::exit, reason = "the command runs on another thread and was told to end")]
    std::process::exit(128 + number)
}

/// Waits for a signal that asks to end; its number.
async fn ending_signal() -> std::io::Result<i32> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let kind = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
        _ = hang_up.recv() => SignalKind::hangup(),
    };
    Ok(kind.as_raw_value())
}

async fn wait(platform: &Platform) -> Result<u8, Failure> {
    let mut lines = vec![
        format!("kubeconfig\t{}", platform.kubeconfig().display()),
        format!("settings\t{}", platform.settings().display()),
    ];
    lines.extend(platform.addresses().into_iter().map(|(name, address)| format!("{name}\t{address}")));
    output::print(&format!("{}\n", lines.join("\n")))?;
    output::complain("running until stopped (Ctrl-C)");
    ending_signal().await?;
    Ok(exit::OK)
}
