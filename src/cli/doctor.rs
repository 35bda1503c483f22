//! `flowdeck doctor`: every connection, permission and terminal capability, with the fix.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::gather::{Need, World};
use super::output::{self, Format};
use super::{Failure, exit};
use crate::model::environment::{Backend, Link};
use crate::model::interest::Depth;
use crate::settings::{EnvironmentSettings, Settings};
use crate::{source, telemetry};

/// Arguments of `flowdeck doctor`.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// How long to wait for each environment, in seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    timeout: u64,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// What it concerns: an environment or `terminal`.
    subject: String,
    /// What was checked.
    aspect: String,
    /// Whether it is as it should be.
    outcome: Outcome,
    /// What was found.
    found: String,
    /// What to do about it.
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    /// Something is less than it could be.
    Warn,
    /// Something does not work.
    Fail,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Check {
    fn new(subject: &str, aspect: &str, outcome: Outcome, found: impl Into<String>) -> Self {
        Self { subject: subject.to_owned(), aspect: aspect.to_owned(), outcome, found: found.into(), fix: None }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// Runs the checks and prints them.
pub fn run(doctor: &Doctor, settings: &Settings) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let checks = runtime.block_on(examine(doctor, settings));
    runtime.shutdown_background();
    output::print(&report(&checks, doctor.output)?)?;
    Ok(if checks.iter().any(|check| check.outcome == Outcome::Fail) { exit::PARTIAL } else { exit::OK })
}

fn report(checks: &[Check], format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(checks)? + "\n",
        Format::Yaml => serde_saphyr::to_string(&checks)?,
        Format::Name => checks.iter().map(|check| format!("{} {}\n", check.subject, check.aspect)).collect(),
        Format::Table | Format::Wide => checks.iter().map(line).collect(),
    })
}

fn line(check: &Check) -> String {
    let fix = check.fix.as_ref().map(|fix| format!("{:23}→ {fix}\n", "")).unwrap_or_default();
    let found =
        output::clean(&format!("{:<5} {:<16} {}: {}", check.outcome.word(), check.subject, check.aspect, check.found));
    format!("{found}\n{}", output::clean_lines(&fix))
}

async fn examine(doctor: &Doctor, settings: &Settings) -> Vec<Check> {
    let mut checks = terminal();
    checks.push(log(settings));
    let need = Need { jobs: Some(Depth::Summary), kafka_names: true, ..Need::default() };
    let mut world = World::open(settings, need);
    world.settle(Duration::from_secs(doctor.timeout)).await;
    for environment in world.inventory.environments() {
        for backend in Backend::ALL {
            checks.extend(connection(&environment.name, backend, world.inventory.link(&environment.name, backend)));
        }
        let pods = world.inventory.processors().filter(|(key, _)| key.environment == environment.name).count();
        let check = Check::new(&environment.name, "processors", Outcome::Ok, format!("{pods} found"));
        checks.push(if pods == 0 {
            let fix = "look in other namespaces with -A; pods must carry component=jobmanager or component=taskmanager";
            Check { outcome: Outcome::Warn, ..check }.fix(fix)
        } else {
            check
        });
    }
    for environment in &settings.environments {
        checks.extend(permissions(environment, doctor.timeout).await);
    }
    checks
}

fn connection(environment: &str, backend: Backend, link: &Link) -> Option<Check> {
    let name = format!("{} connection", backend.word());
    Some(match link {
        Link::Idle if backend == Backend::Kafka => Check::new(environment, &name, Outcome::Warn, "not configured")
            .fix("set [environment.kafka] bootstrap in the settings file to see lag and topics"),
        Link::Idle => return None,
        Link::Up { .. } => Check::new(environment, &name, Outcome::Ok, "answers"),
        Link::Connecting => Check::new(environment, &name, Outcome::Fail, "no answer yet")
            .fix("is the address right, and does a VPN or proxy stand between?"),
        Link::Down { error, .. } => Check::new(environment, &name, Outcome::Fail, error.as_ref()).fix(match backend {
            Backend::Kubernetes => {
                "log in again if the token expired; `kubectl version` with the same context shows what kubectl sees"
            }
            Backend::Kafka => "check bootstrap and security.protocol in [environment.kafka]",
            Backend::Flink => "set [environment.flink] url, or ask for `get` on services/proxy",
            Backend::Objects => "check endpoint and bucket in [environment.objects]",
        }),
        Link::Forbidden { error, .. } => Check::new(environment, &name, Outcome::Fail, error.as_ref())
            .fix("ask whoever runs the cluster for read access"),
    })
}

async fn permissions(settings: &EnvironmentSettings, timeout: u64) -> Vec<Check> {
    let Ok(cluster) = source::kube::connect(settings).await else { return Vec::new() };
    let asked = tokio::time::timeout(Duration::from_secs(timeout), source::kube::permissions(&cluster)).await;
    let Ok(answers) = asked else { return Vec::new() };
    let check = |permission: source::kube::Permission| {
        let name = format!("may {}", permission.what);
        match permission.refused {
            None => Check::new(&cluster.environment.name, &name, Outcome::Ok, "yes"),
            Some(reason) => {
                let outcome = if permission.is_essential { Outcome::Fail } else { Outcome::Warn };
                let check = Check::new(&cluster.environment.name, &name, outcome, reason);
                check.fix(format!("without it: {}", permission.without))
            }
        }
    };
    answers.into_iter().map(check).collect()
}

fn terminal() -> Vec<Check> {
    let mut checks = Vec::new();
    let attached = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let term = std::env::var("TERM").unwrap_or_default();
    checks.push(match (attached, term.as_str()) {
        (false, _) => Check::new("terminal", "attached", Outcome::Warn, "input or output is not a terminal")
            .fix("the console needs one; commands with -o json do not"),
        (true, "" | "dumb") => Check::new("terminal", "TERM", Outcome::Fail, format!("TERM={term}"))
            .fix("set TERM to what your terminal is; xterm-256color suits most"),
        (true, _) => Check::new("terminal", "TERM", Outcome::Ok, term),
    });
    if let Ok((columns, rows)) = crossterm::terminal::size() {
        let check = Check::new("terminal", "size", Outcome::Ok, format!("{columns}x{rows}"));
        let small = columns < 80 || rows < 24;
        checks.push(if small {
            Check { outcome: Outcome::Warn, ..check }.fix("80x24 is the least that shows all columns")
        } else {
            check
        });
    }
    let colour = std::env::var("COLORTERM").is_ok_and(|value| value == "truecolor" || value == "24bit");
    let found = if colour { "24 bits" } else { "16" };
    checks.push(Check::new("terminal", "colours", Outcome::Ok, found));
    checks
}

fn log(settings: &Settings) -> Check {
    let directory = settings.log.directory.clone().or_else(telemetry::default_directory);
    match directory {
        Some(directory) => Check::new("log", "directory", Outcome::Ok, directory.display().to_string()),
        None => Check::new("log", "directory", Outcome::Warn, "HOME is not set").fix("set [log] directory"),
    }
}
