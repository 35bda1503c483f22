//! What all commands have in common that change a pipeline: they say what it means, ask, do it, and report.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Failure, exit, output, render};
use crate::model::Time;
use crate::plan::guard::Consent;
use crate::plan::intent::Ask;
use crate::plan::patch;
use crate::plan::proposal::{Proposal, Step};
use crate::plan::topics::{Finding, Weight};
use crate::runtime::deploy::change::{self, Prepared, STEPS, Savepoints, Wish};
use crate::runtime::deploy::desk::{DeployError, Desk};
use crate::runtime::deploy::order::Order;
use crate::runtime::deploy::{rollout, savepoint, wait};
use crate::settings::Settings;
use crate::source::kube::change::Ownership;

/// Arguments of every command that changes something.
#[derive(Clone, Debug, Args)]
pub struct Changing {
    /// Do it without asking
    #[arg(short, long)]
    yes: bool,
    /// Say what would be done, as the server itself says it, and do nothing
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "server")]
    dry_run: Option<DryRun>,
    /// Wait until it runs, or is stopped, and say why when it does not
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
    /// The pipeline's name, which a protected environment wants to be typed
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Why it cannot wait for a change window
    #[arg(long, value_name = "REASON")]
    outside_window: Option<String>,
    /// Go on although state is lost
    #[arg(long)]
    accept_state_loss: bool,
    /// Take no savepoint of jobs that no operator runs; with --accept-state-loss, for one that cannot take any
    #[arg(long)]
    without_savepoint: bool,
    /// Go on although topics or rights to them are missing
    #[arg(long)]
    ignore_topics: bool,
    /// Where the change is written when Argo CD or Flux keeps its objects [default: PIPELINE-VERB.patch.yaml]
    #[arg(long, value_name = "FILE")]
    patch_file: Option<PathBuf>,
    /// Take over fields that somebody else has set
    #[arg(long)]
    force_conflicts: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    /// The API server says what would come of it
    Server,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Sentences
    #[default]
    Text,
    /// One object
    Json,
}

/// What came of a command.
#[derive(Debug, Serialize)]
struct Report<'a> {
    outcome: &'static str,
    #[serde(flatten)]
    proposal: &'a Proposal,
    steps: Vec<Step>,
    message: String,
    /// Where the change was written instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_file: Option<String>,
}

/// The exit code of an error: a change that fails has more ways to than others.
pub fn code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<DeployError>() {
        Some(DeployError::NotFound(_)) => exit::NOT_FOUND,
        Some(DeployError::Overtaken(_)) => exit::CONFLICT,
        Some(DeployError::Refused(_)) => exit::REFUSED,
        _ => exit::FAILED,
    }
}

impl Changing {
    pub(super) const fn ownership(&self) -> Ownership {
        if self.force_conflicts { Ownership::Take } else { Ownership::Respect }
    }

    /// Whether nothing is to be changed.
    pub(super) const fn is_dry_run(&self) -> bool {
        self.dry_run.is_some()
    }

    /// Whether a program reads.
    pub(super) fn is_json(&self) -> bool {
        self.output == Form::Json
    }

    fn consent(&self) -> Consent {
        Consent {
            typed: self.confirm.clone(),
            outside_window: self.outside_window.clone(),
            accepts_state_loss: self.accept_state_loss,
            ignores_topics: self.ignore_topics,
        }
    }

    /// Prepares a wish, shows it, asks, and does it.
    pub(super) async fn carry_out(&self, desk: &Desk, mut wish: Wish) -> Result<u8, Failure> {
        if self.without_savepoint {
            wish.savepoints = Savepoints::Left;
        }
        let prepared = change::prepare(desk, wish, &self.consent()).await?;
        let proposal = &prepared.proposal;
        if self.output == Form::Text {
            output::print(&output::clean_lines(&told(proposal)))?;
        }
        if !proposal.is_possible() {
            return self.refused(desk, &prepared);
        }
        if self.dry_run.is_some() {
            return self.report("dry-run", proposal, Vec::new(), String::new());
        }
        if proposal.is_empty() && !self.wait {
            return self.report("unchanged", proposal, Vec::new(), String::new());
        }
        if !self.yes && !agreed(&question(proposal), &proposal.pipeline)? {
            return self.report("not-agreed", proposal, Vec::new(), "nothing was changed".to_owned());
        }
        self.make(desk, &prepared).await
    }

    /// Takes savepoints: nothing differs, so there is nothing to show first.
    pub(super) async fn savepoint(&self, desk: &Desk, pipeline: &str) -> Result<u8, Failure> {
        if self.dry_run.is_some() {
            output::complain("a savepoint would be taken of every job; there is nothing else to look at");
            return Ok(exit::OK);
        }
        if !self.yes && !agreed("take a savepoint of", pipeline)? {
            return Ok(exit::REFUSED);
        }
        let (steps, made) = mpsc::channel(STEPS);
        let teller = tokio::spawn(tell(made, self.output));
        let taken = savepoint::savepoint(desk, pipeline, &self.consent(), now(), &steps).await;
        drop(steps);
        let made = teller.await?;
        if self.output == Form::Json {
            output::print(&(serde_json::to_string_pretty(&made)? + "\n"))?;
        }
        taken?;
        Ok(exit::OK)
    }

    async fn make(&self, desk: &Desk, prepared: &Prepared) -> Result<u8, Failure> {
        let proposal = &prepared.proposal;
        let (steps, made) = mpsc::channel(STEPS);
        let teller = tokio::spawn(tell(made, self.output));
        let mut result = if proposal.is_empty() { Ok(()) } else { change::make(desk, prepared, &steps).await };
        if result.is_ok() && self.wait {
            result = wait::wait(desk, &prepared.lasting(), Duration::from_secs(self.timeout), &steps).await;
        }
        drop(steps);
        let made = teller.await?;
        match result {
            Ok(()) => self.report("done", proposal, made, String::new()),
            Err(error) => self.failed(error, proposal, made),
        }
    }

    /// Rolls out or takes it back: what the first step means is shown and agreed to, then every step is told.
    pub(super) async fn roll_out(&self, desk: &Desk, (pipeline, ask): (&str, &Ask)) -> Result<u8, Failure> {
        let order = Order { verb: ask.verb(), note: String::new(), ownership: self.ownership(), now: now() };
        let prepared = change::prepare(desk, rollout::wish(desk, pipeline, &order).await?, &self.consent()).await?;
        let proposal = &prepared.proposal;
        if self.output == Form::Text {
            output::print(&output::clean_lines(&told(proposal)))?;
        }
        if !proposal.is_possible() {
            return self.refused(desk, &prepared);
        }
        if self.dry_run.is_some() {
            return self.report("dry-run", proposal, Vec::new(), String::new());
        }
        if !self.yes && !agreed(&question(proposal), &proposal.pipeline)? {
            return self.report("not-agreed", proposal, Vec::new(), "nothing was changed".to_owned());
        }
        let (steps, made) = mpsc::channel(STEPS);
        let teller = tokio::spawn(tell(made, self.output));
        let gone = rollout::go(desk, (pipeline, ask), &self.consent(), &steps).await;
        drop(steps);
        let made = teller.await?;
        match gone {
            Ok(_) => self.report("done", proposal, made, String::new()),
            Err(error) => self.failed(error, proposal, made),
        }
    }

    fn failed(&self, error: DeployError, proposal: &Proposal, made: Vec<Step>) -> Result<u8, Failure> {
        if self.output == Form::Text {
            return Err(error.into());
        }
        let message = error.to_string();
        let Failure { code, .. } = Failure::from(error);
        self.report("failed", proposal, made, message)?;
        Ok(code)
    }

    fn refused(&self, desk: &Desk, prepared: &Prepared) -> Result<u8, Failure> {
        let proposal = &prepared.proposal;
        let reasons = proposal.reasons();
        let patch_file = self.keep_patch(prepared)?;
        let instead = patch_file.as_ref().map(|path| format!("the change was written to {path} instead"));
        let said: Vec<String> = reasons.iter().cloned().chain(instead.iter().cloned()).collect();
        if self.dry_run.is_none() {
            change::refuse(desk, prepared, &said.join("; "))?;
        }
        said.iter().for_each(|reason| output::complain(&output::clean(reason)));
        if proposal.conflicts {
            output::complain("--force-conflicts takes these fields over; without it nothing is changed");
        }
        self.tell_all(&Report {
            outcome: "refused",
            proposal,
            steps: Vec::new(),
            message: reasons.join("; "),
            patch_file,
        })?;
        let is_refused = !proposal.refusals.is_empty() || !proposal.forbidden.is_empty();
        Ok(match (is_refused, proposal.conflicts) {
            (true, _) => exit::REFUSED,
            (false, true) => exit::CONFLICT,
            (false, false) => exit::FAILED,
        })
    }

    /// Writes a change that a repository must make to a file; where.
    fn keep_patch(&self, prepared: &Prepared) -> Result<Option<String>, Failure> {
        if self.dry_run.is_some() && self.patch_file.is_none() {
            return Ok(None);
        }
        let Proposal { pipeline, verb, .. } = &prepared.proposal;
        let Some(text) = prepared.patch_file() else { return Ok(None) };
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '-' };
        let name: String = pipeline.chars().map(plain).collect();
        let default = || PathBuf::from(format!("{name}-{}.patch.yaml", verb.word()));
        let path = self.patch_file.clone().unwrap_or_else(default);
        let is_ours = std::fs::read_to_string(&path).is_ok_and(|old| old.starts_with(patch::HEAD));
        if path.exists() && !is_ours {
            let words = format!("{} exists and is no patch of flowdeck: --patch-file names another", path.display());
            return Err(Failure::usage(anyhow::anyhow!(words)));
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some(path.display().to_string()))
    }

    fn report(
        &self,
        outcome: &'static str,
        proposal: &Proposal,
        steps: Vec<Step>,
        message: String,
    ) -> Result<u8, Failure> {
        self.tell_all(&Report { outcome, proposal, steps, message, patch_file: None })?;
        Ok(if outcome == "not-agreed" { exit::REFUSED } else { exit::OK })
    }

    fn tell_all(&self, report: &Report<'_>) -> Result<(), Failure> {
        if self.output == Form::Json {
            output::print(&(serde_json::to_string_pretty(report)? + "\n"))?;
        } else if !matches!(report.outcome, "done" | "refused") {
            output::complain(if report.message.is_empty() { report.outcome } else { &report.message });
        }
        Ok(())
    }
}

/// Says steps as they are made, and keeps them.
async fn tell(mut told: mpsc::Receiver<Step>, form: Form) -> Vec<Step> {
    let mut made = Vec::new();
    while let Some(step) = told.recv().await {
        if form == Form::Text {
            let message = if step.message.is_empty() { "done" } else { &step.message };
            output::complain(&output::clean(&format!("{}: {message}", step.step)));
        }
        made.push(step);
    }
    made
}

/// What a change means, for a person.
pub fn told(proposal: &Proposal) -> String {
    let mut text = String::new();
    for difference in proposal.differences.iter().filter(|it| !it.is_revision()) {
        text += &format!("  {difference}\n");
    }
    for forecast in &proposal.forecasts {
        let why =
            if forecast.because.is_empty() { String::new() } else { format!(" ({})", forecast.because.join("; ")) };
        text += &format!("{} {}{why}\n", forecast.processor, forecast.effect.words());
        text += &forecast.restart.as_ref().map_or_else(String::new, |it| format!("  {}\n", it.words()));
    }
    for need in &proposal.room.needs {
        text += &format!("{}\n", need.words);
    }
    for finding in &proposal.room.findings {
        text += &format!("{}{}\n", finding.weight.word(), finding.message);
    }
    for finding in &proposal.topics {
        let Finding { weight, processor, message, command } = finding;
        let word = match weight {
            Weight::Missing => "missing: ",
            Weight::Warning => "warning: ",
            Weight::Unknown => "not known: ",
        };
        let command = command.as_ref().map_or_else(String::new, |command| format!("\n    {command}"));
        text += &format!(
            "{word}{}{message}{command}\n",
            if processor.is_empty() { String::new() } else { format!("{processor}: ") }
        );
    }
    for remnant in &proposal.remnants {
        let word = if remnant.goes { "is deleted" } else { "stays" };
        text += &format!("{} {word}: {}\n", remnant.name(), remnant.because);
    }
    if proposal.is_empty() {
        text += "nothing differs\n";
    }
    text
}

fn question(proposal: &Proposal) -> String {
    let revision = proposal.revision.map_or_else(String::new, |number| format!(" (revision {number})"));
    format!("{}{revision}", proposal.verb.word())
}

/// Asks at a terminal. Without one nobody can agree.
fn agreed(what: &str, pipeline: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(anyhow::anyhow!("there is no terminal to ask at: say --yes, or --dry-run to look")));
    }
    output::complain(&output::clean(&format!("{what} {pipeline}? [y/N]")));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Opens the one environment that the settings leave, and works there.
pub fn at_desk<F>(settings: &Settings, work: F) -> Result<u8, Failure>
where
    F: AsyncFnOnce(Desk) -> Result<u8, Failure>,
{
    let environment = render::the_environment(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(async { work(Desk::open(environment).await?).await });
    runtime.shutdown_background();
    code
}

/// Now.
pub fn now() -> Time {
    chrono::Utc::now()
}
