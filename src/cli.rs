//! The command line: arguments, and one file for each command.
//!
//! Data goes to standard output and everything else to standard error, so that a pipe carries data
//! alone. A closed pipe is a success: the reader had enough.

mod change;
mod cluster;
mod completions;
mod console;
mod demo;
mod deploy;
mod describe;
mod doctor;
mod edit;
mod exceptions;
mod gather;
mod get;
mod history;
mod logs;
mod manage;
mod manifests;
mod new;
mod output;
mod render;
mod rollout;
mod router;
mod scrape;
mod signals;
mod tail;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::intent::Ask;
use crate::settings::{self, LogLevel, Overrides, Settings};

/// Exit codes, as the manual lists them.
pub mod exit {
    /// It worked.
    pub const OK: u8 = 0;
    /// It did not work.
    pub const FAILED: u8 = 1;
    /// The arguments, the settings or the terminal do not allow it.
    pub const USAGE: u8 = 2;
    /// There is no such thing.
    pub const NOT_FOUND: u8 = 3;
    /// Some of it worked: a backend did not answer or refused, and standard error says which.
    pub const PARTIAL: u8 = 4;
    /// There are differences, and they were asked for.
    pub const DIFFERENT: u8 = 5;
    /// Somebody else changed the same, or owns it.
    pub const CONFLICT: u8 = 6;
    /// A rule or a right forbids it, or nobody agreed: nothing was changed.
    pub const REFUSED: u8 = 7;
    /// Ended by a signal: this plus its number.
    pub const SIGNAL: u8 = 128;
}

/// An error that ends the program with a sentence and an exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: exit::USAGE, error: error.into() }
    }

    fn not_found(sentence: String) -> Self {
        Self { code: exit::NOT_FOUND, error: anyhow::Error::msg(sentence) }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { code: change::code(&error), error }
    }
}

/// The terminal operations console for stream-processing pipelines: Beam and Flink on Kubernetes, fed by Kafka.
#[derive(Debug, Parser)]
#[command(name = "flowdeck", version, after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
    /// What to do; without a command the console opens
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, settings or terminal, 3 not found, \
4 partly done (a backend did not answer or refused), 5 something differs, 6 a conflict with somebody else's change, \
7 refused by a rule or a right, 128+n ended by signal n.";

/// Which clusters to look at, and how to speak.
#[derive(Clone, Debug, Args)]
pub struct Shared {
    /// Settings file [default: ~/.config/flowdeck/flowdeck.toml if it exists]
    #[arg(long, global = true, env = "FLOWDECK_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Kubeconfig file, instead of the settings' environments
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Kube context to use
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Environment of the settings to use; may be given more than once
    #[arg(short, long = "environment", global = true, value_name = "NAME")]
    environments: Vec<String>,
    /// Namespace to watch; may be given more than once
    #[arg(short, long = "namespace", global = true, value_name = "NAME")]
    namespaces: Vec<String>,
    /// Watch all namespaces, whatever the settings say
    #[arg(short = 'A', long, global = true, conflicts_with = "namespaces")]
    all_namespaces: bool,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    impersonate: Option<String>,
    /// Draw with ASCII alone
    #[arg(long, global = true, env = "FLOWDECK_ASCII")]
    ascii: bool,
    /// Least level written to the log file
    #[arg(long, global = true, env = "FLOWDECK_LOG", value_name = "LEVEL")]
    log: Option<LogLevel>,
}

impl ValueEnum for LogLevel {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }))
    }
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Print pipelines, processors, pods, jobs, topics, groups or environments
    Get(get::Get),
    /// Tell everything about one pipeline, processor, pod, topic, group or environment
    Describe(describe::Describe),
    /// Check every connection, permission and the terminal, and say how to mend what is wrong
    Doctor(doctor::Doctor),
    /// Print the logs of a pipeline, a processor or a pod as events, and follow them
    Logs(logs::Logs),
    /// Count the failures in a log, or in those of pods: stack traces put together, the same ones counted as one
    Exceptions(exceptions::Exceptions),
    /// Try flowdeck on an embedded platform: real servers on loopback, with traffic and incidents
    Demo(demo::Demo),
    /// Route a topic to one of two copies of a pipeline, and switch between them without losing a record
    Router(router::Router),
    /// Compute golden signals from events
    Signals(signals::Signals),
    /// Check manifests and configuration documents, without a cluster
    Validate(validate::Validate),
    /// Begin a processor or a pipeline: its manifest by the rules, and a project with a run, a test and golden signals
    New(Box<new::New>),
    /// Write a manifest or a configuration document, checked as you type
    Edit(edit::Edit),
    /// Print the objects that a pipeline's manifest means in an environment, without a cluster
    Render(render::Render),
    /// Say what applying a manifest would change and cause, as the API server itself says it
    Diff(deploy::Diff),
    /// Make what runs what a manifest says
    Apply(deploy::Apply),
    /// Start a stopped pipeline with what was deployed last
    Deploy(deploy::Named),
    /// Stop a pipeline, with a savepoint where it has a place for one
    Stop(deploy::Named),
    /// Stop a pipeline and start it again, the same
    Restart(deploy::Named),
    /// Change the number of a processor's TaskManagers
    Scale(deploy::Scale),
    /// Take a savepoint of what runs, and go on
    Savepoint(deploy::Named),
    /// Deploy to another environment what runs in one
    Promote(deploy::Promote),
    /// Deploy an earlier revision again
    Rollback(deploy::Rollback),
    /// Deploy without downtime: start a copy beside the other one, give it the traffic by their route, stop the other
    Rollout(rollout::Rollout),
    /// Take a pipeline's objects away; its topics and groups only if asked; revisions and savepoints stay
    Decommission(deploy::Decommission),
    /// Manage a pipeline that somebody else deployed
    Adopt(deploy::Named),
    /// Show or edit a pipeline's labels, links, team and last day
    Manage(Box<manage::Manage>),
    /// Show or edit who decides a pipeline's size, and what was decided
    Autoscale(Box<manage::Autoscale>),
    /// Show or edit the IAM roles of a pipeline's service accounts, and what they may do
    Role(Box<manage::Role>),
    /// Print the revisions of a pipeline
    History(history::History),
    /// Print what was changed from here, by whom, and what came of it
    Audit(history::Audit),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Print the manual page
    Man,
}

impl Shared {
    fn overrides(&self) -> Overrides {
        Overrides {
            file: self.settings.clone(),
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            environments: self.environments.clone(),
            namespaces: self.namespaces.clone(),
            all_namespaces: self.all_namespaces,
            impersonate: self.impersonate.clone(),
            ascii: self.ascii,
            log_level: self.log,
        }
    }

    fn load(&self) -> Result<Settings, Failure> {
        settings::load(&self.overrides()).map_err(Failure::usage)
    }
}

/// Runs what the arguments ask for and turns its outcome into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) if output::is_closed_pipe(&failure.error) => ExitCode::from(exit::OK),
        Err(failure) => {
            output::complain(&format!("{:#}", failure.error));
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: Arguments) -> Result<u8, Failure> {
    let Arguments { shared, command } = arguments;
    match command {
        None => console::run(&shared.load()?),
        Some(Command::Get(get)) => get::run(&get, &shared.load()?),
        Some(Command::Describe(describe)) => describe::run(&describe, &shared.load()?),
        Some(Command::Doctor(doctor)) => doctor::run(&doctor, &shared.load()?),
        Some(Command::Logs(logs)) => logs::run(&logs, &shared.load()?),
        Some(Command::Exceptions(exceptions)) => exceptions::run(&exceptions, &shared),
        Some(Command::Demo(demo)) => demo::run(&demo, &shared),
        Some(Command::Router(router)) => router::run(&router, &shared),
        Some(Command::Signals(signals)) => signals::run(&signals, &shared),
        Some(Command::Validate(validate)) => validate::run(&validate),
        Some(Command::New(new)) => new::run(&new),
        Some(Command::Edit(edit)) => edit::run(&edit, shared.load()?),
        Some(Command::Render(render)) => render::run(&render, &shared.load()?),
        Some(Command::Diff(diff)) => deploy::diff(&diff, &shared.load()?),
        Some(Command::Apply(apply)) => deploy::apply(&apply, &shared.load()?),
        Some(Command::Deploy(named)) => deploy::named(&Ask::Deploy, &named, &shared.load()?),
        Some(Command::Stop(named)) => deploy::named(&Ask::Stop, &named, &shared.load()?),
        Some(Command::Restart(named)) => deploy::named(&Ask::Restart, &named, &shared.load()?),
        Some(Command::Scale(scale)) => deploy::scale(&scale, &shared.load()?),
        Some(Command::Savepoint(named)) => deploy::named(&Ask::Savepoint, &named, &shared.load()?),
        Some(Command::Promote(promote)) => deploy::promote(&promote, &shared.load()?),
        Some(Command::Rollback(rollback)) => deploy::rollback(&rollback, &shared.load()?),
        Some(Command::Rollout(rollout)) => rollout::run(&rollout, &shared.load()?),
        Some(Command::Decommission(arguments)) => deploy::decommission(&arguments, &shared.load()?),
        Some(Command::Adopt(named)) => deploy::named(&Ask::Adopt, &named, &shared.load()?),
        Some(Command::Manage(manage)) => manage::manage(&manage, &shared.load()?),
        Some(Command::Autoscale(autoscale)) => manage::autoscale(&autoscale, &shared.load()?),
        Some(Command::Role(role)) => manage::role(&role, &shared.load()?),
        Some(Command::History(history)) => history::history(&history, &shared.load()?),
        Some(Command::Audit(audit)) => history::audit(&audit),
        Some(Command::Completions(completions)) => completions::run(&completions),
        Some(Command::Man) => completions::manual(),
    }
}
