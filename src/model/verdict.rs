//! Is it well, and if not, why: pods, job, operator and lag read together, in plain English.
//!
//! Each rule looks at one kind of evidence and says a condition with a sentence. The worst condition
//! wins, and the sentences are shown worst first, so that the rules need not know of each other.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::exception::Throwable;
use super::human;
use super::inventory::Processor;
use super::job::{self, Failure, Job, JobState};
use super::kafka::Group;
use super::pod::{Pod, PodHealth, Role};
use super::view::{self, ProcessorView};

/// How a processor or pipeline is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Condition {
    /// It does not do its work.
    Failing,
    /// It works, but not as it should.
    Degraded,
    /// It is on its way up.
    Deploying,
    /// Nothing says how it is.
    Unknown,
    /// It does its work.
    Running,
    /// It is meant not to run.
    Stopped,
}

impl Condition {
    /// The word on screens.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "FAILING",
            Self::Degraded => "DEGRADED",
            Self::Deploying => "DEPLOYING",
            Self::Unknown => "UNKNOWN",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A condition with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How it is.
    #[serde(rename = "state")]
    pub condition: Condition,
    /// Since when, where the evidence tells.
    pub since: Option<Time>,
    /// Sentences, worst first.
    pub why: Vec<Arc<str>>,
}

/// What a verdict on a processor rests on.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Name of the processor.
    pub name: &'a str,
    /// The processor.
    pub processor: &'a Processor,
    /// The owner of its pods: itself or its session cluster.
    pub host: &'a Processor,
    /// Its consumer group, if known.
    pub group: Option<&'a Group>,
    /// Now.
    pub now: Time,
}

/// For how long a killed container or a failure is news, in seconds.
const NEWS_SECONDS: i64 = 600;
/// So many failures of late, the newest so young in seconds, are one failure that goes on.
const LOOPS: usize = 3;
const LOOP_SECONDS: i64 = 60;
/// A new pod may take so long to become ready before that is a complaint, in seconds.
const START_SECONDS: i64 = 180;
/// Lag older than this is worth a sentence if it still grows, in milliseconds.
const BEHIND_MS: u64 = 30_000;

struct Finding {
    condition: Condition,
    since: Option<Time>,
    text: String,
}

impl Finding {
    fn new(condition: Condition, text: impl Into<String>) -> Self {
        Self { condition, since: None, text: text.into() }
    }

    fn since(mut self, since: Option<Time>) -> Self {
        self.since = since;
        self
    }
}

/// How one processor is.
#[must_use]
pub fn of_processor(evidence: &Evidence<'_>) -> Verdict {
    if let Some(stopped) = stopped(evidence) {
        return conclude(vec![stopped]);
    }
    let mut findings = Vec::new();
    findings.extend(catching_up(evidence));
    findings.extend(operator(evidence));
    findings.extend(job_findings(evidence));
    findings.extend(pod_findings(evidence));
    findings.extend(missing_pods(evidence));
    findings.extend(evidence.processor.job().and_then(|job| checkpoints(job, evidence.now)));
    findings.extend(lag(evidence));
    if findings.iter().any(|finding| finding.condition <= Condition::Degraded) {
        findings.extend(hot_spot(evidence));
    }
    if findings.is_empty() {
        findings.push(Finding::new(quiet_condition(evidence), ""));
    }
    conclude(findings)
}

/// How a pipeline is: as its worst processor, whose sentences carry its name.
#[must_use]
pub fn of_pipeline(processors: &[ProcessorView]) -> Verdict {
    let mut sorted: Vec<&ProcessorView> = processors.iter().collect();
    sorted.sort_by_key(|view| view.verdict.condition);
    let Some(worst) = sorted.first() else {
        return Verdict { condition: Condition::Unknown, since: None, why: Vec::new() };
    };
    let why = sorted.iter().flat_map(|view| {
        view.verdict
            .why
            .iter()
            .map(|text| if processors.len() == 1 { text.clone() } else { format!("{}: {text}", view.key.name).into() })
    });
    Verdict { condition: worst.verdict.condition, since: worst.verdict.since, why: why.collect() }
}

fn conclude(mut findings: Vec<Finding>) -> Verdict {
    findings.sort_by_key(|finding| finding.condition);
    let condition = findings.first().map_or(Condition::Unknown, |finding| finding.condition);
    let since =
        findings.iter().filter(|finding| finding.condition == condition).filter_map(|finding| finding.since).min();
    let why =
        findings.into_iter().filter(|finding| !finding.text.is_empty()).map(|finding| finding.text.into()).collect();
    Verdict { condition, since, why }
}

/// With nothing to complain about, running pods or a running job mean that it runs.
fn quiet_condition(evidence: &Evidence<'_>) -> Condition {
    let ready = evidence.host.pods.values().any(|pod| pod.health == PodHealth::Ready);
    match view::job_state(evidence.processor) {
        Some(JobState::Running) => Condition::Running,
        None if ready => Condition::Running,
        _ => Condition::Unknown,
    }
}

fn stopped(evidence: &Evidence<'_>) -> Option<Finding> {
    let processor = evidence.processor;
    let suspended = processor.operator().is_some_and(|operator| operator.suspended);
    let scaled_to_nothing = processor.wanted(Role::JobManager) == Some(0)
        || (processor.wanted(Role::TaskManager) == Some(0) && processor.operator().is_none());
    let ended = match view::job_state(processor) {
        Some(JobState::Finished) => Some("the job has finished"),
        Some(JobState::Canceled) => Some("the job was cancelled"),
        _ => None,
    };
    let text = if suspended {
        "suspended on purpose"
    } else if scaled_to_nothing {
        "scaled to zero"
    } else {
        ended?
    };
    let running = evidence.host.pods.values().filter(|pod| pod.health == PodHealth::Ready).count();
    if running > 0 && (suspended || scaled_to_nothing) {
        return Some(Finding::new(Condition::Stopped, format!("{text}; {running} pods are still going down")));
    }
    Some(Finding::new(Condition::Stopped, text))
}

fn operator(evidence: &Evidence<'_>) -> Vec<Finding> {
    let Some(operator) = evidence.processor.operator() else { return Vec::new() };
    let mut findings = Vec::new();
    let lifecycle = operator.lifecycle.as_deref().unwrap_or_default();
    match lifecycle {
        "FAILED" => findings.push(Finding::new(Condition::Failing, "the operator gave up on the deployment")),
        "ROLLED_BACK" => {
            findings.push(Finding::new(Condition::Degraded, "the operator rolled back to the last stable spec"));
        }
        "UPGRADING" | "ROLLING_BACK" | "CREATED" => {
            findings.push(Finding::new(Condition::Deploying, format!("the operator is at {lifecycle}")));
        }
        _ => {}
    }
    if operator.behind {
        findings.push(Finding::new(Condition::Deploying, "the operator has not taken up the newest spec yet"));
    }
    if let Some(error) = &operator.error {
        let running = view::job_state(evidence.processor) == Some(JobState::Running);
        let condition = if running { Condition::Degraded } else { Condition::Failing };
        findings.push(Finding::new(condition, format!("the operator reports: {error}")));
    }
    findings
}

fn job_findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let job = evidence.processor.job();
    let since = job.and_then(|job| job.state_since);
    match view::job_state(evidence.processor) {
        Some(state @ (JobState::Failed | JobState::Failing | JobState::Restarting)) => {
            findings.push(Finding::new(Condition::Failing, job_sentence(state, job, evidence.now)).since(since));
        }
        Some(state @ (JobState::Created | JobState::Initializing | JobState::Reconciling)) => {
            findings.push(Finding::new(Condition::Deploying, job_sentence(state, job, evidence.now)).since(since));
        }
        _ => {}
    }
    findings.extend(job.and_then(|job| recent_failures(job, evidence.now)));
    findings
}

fn job_sentence(state: JobState, job: Option<&Job>, now: Time) -> String {
    let mut text = format!("the job is {}", state.word());
    if let Some(since) = job.and_then(|job| job.state_since) {
        text.push_str(&format!(" for {}", human::age(since, now)));
    }
    match job.and_then(|job| job.restarts) {
        Some(1) => text.push_str(" after 1 restart"),
        Some(restarts) if restarts > 1 => text.push_str(&format!(" after {restarts} restarts")),
        _ => {}
    }
    text
}

fn checkpoints(job: &Job, now: Time) -> Option<Finding> {
    let checkpoints = job.checkpoints.as_ref()?;
    if checkpoints.failed_in_a_row == 0 {
        return None;
    }
    let (at, message) = checkpoints.last_failure.as_ref()?;
    let last = checkpoints.last.as_ref().map_or_else(
        || "none has completed".to_owned(),
        |last| format!("the last good one is {} old", human::age(last.completed_at, now)),
    );
    let failed = match checkpoints.failed_in_a_row {
        1 => "a checkpoint failed".to_owned(),
        number => format!("{number} checkpoints failed in a row"),
    };
    let text = format!("{failed}, {last}: {message}");
    Some(
        Finding::new(Condition::Degraded, text)
            .since(checkpoints.last.as_ref().map(|last| last.completed_at).or(Some(*at))),
    )
}

/// The root cause that comes up most among the failures of late.
///
/// A job that runs for a moment between two failures is not well: it fails as long as it keeps failing.
fn recent_failures(job: &Job, now: Time) -> Option<Finding> {
    let age = |failure: &&Failure| (now - failure.at).num_seconds();
    let recent: Vec<&Failure> = job.failures.iter().filter(|failure| age(failure) <= NEWS_SECONDS).collect();
    let latest = recent.iter().map(age).min()?;
    let count = |root: &Throwable| recent.iter().filter(|failure| failure.root == *root).count();
    let often = recent.iter().rev().max_by_key(|failure| count(&failure.root))?;
    let first = recent.iter().filter(|failure| failure.root == often.root).map(|failure| failure.at).min()?;
    let message = if often.root.message.is_empty() { String::new() } else { format!(": {}", often.root.message) };
    let times = match count(&often.root) {
        1 => format!("{} ago", human::age(often.at, now)),
        many if latest <= LOOP_SECONDS => format!("{many} times in {}", human::age(first, now)),
        many => format!("{many} times, last {} ago", human::duration(latest)),
    };
    let loops = recent.len() >= LOOPS && latest <= LOOP_SECONDS;
    let condition = if loops || job.state != JobState::Running { Condition::Failing } else { Condition::Degraded };
    let again = job.state_since.filter(|_| condition == Condition::Degraded);
    let again = again.map(|since| format!("; it has run again for {}", human::age(since, now))).unwrap_or_default();
    let text = format!("{}{message} ({times}{again})", often.root.short_class());
    Some(Finding::new(condition, text).since(Some(first)))
}

fn pod_findings(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        evidence.host.pods.values().filter_map(|pod| pod_finding(pod, evidence.now)).collect();
    findings.sort_by_key(|finding| (finding.condition, std::cmp::Reverse(finding.since)));
    let more = findings.len().saturating_sub(3);
    findings.truncate(3);
    if more > 0
        && let Some(last) = findings.last_mut()
    {
        let pods = if more == 1 { "pod" } else { "pods" };
        last.text.push_str(&format!("; and {more} more {pods} like it"));
    }
    findings
}

fn pod_finding(pod: &Pod, now: Time) -> Option<Finding> {
    let name = format!("{} {}", if pod.role == Role::JobManager { "JobManager" } else { "TaskManager" }, pod.key.name);
    match (pod_trouble(pod, now), recent_end(pod, now)) {
        (None, None) => None,
        (Some(trouble), None) => Some(Finding { text: format!("{name} is {}", trouble.text), ..trouble }),
        (None, Some((how, at))) => Some(Finding::new(Condition::Degraded, format!("{name} {how}")).since(Some(at))),
        (Some(trouble), Some((how, at))) => {
            // A pod that is down for good carries the end of its container as its status.
            let same = pod.last_termination.as_ref().is_some_and(|end| end.reason == pod.status);
            let now_is = if same { String::new() } else { format!(" and is {}", trouble.text) };
            Some(Finding::new(trouble.condition, format!("{name} {how}{now_is}")).since(trouble.since.or(Some(at))))
        }
    }
}

/// What is wrong with a pod now; a JobManager that is down takes the job with it.
fn pod_trouble(pod: &Pod, now: Time) -> Option<Finding> {
    match pod.health {
        PodHealth::Bad if still_starting(pod, now) => {
            let reason = pod.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
            Some(Finding::new(Condition::Deploying, format!("{}{reason}", pod.status)))
        }
        PodHealth::Bad => {
            let reason = pod.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
            let condition = if pod.role == Role::JobManager { Condition::Failing } else { Condition::Degraded };
            Some(Finding::new(condition, format!("{}{reason}", pod.status)))
        }
        PodHealth::Moving => {
            // A container that was started again has as long as a new one.
            let again = pod.last_termination.as_ref().and_then(|end| end.finished_at);
            let begun = pod.created_at.max(again);
            let slow = begun.filter(|begun| (now - *begun).num_seconds() > START_SECONDS)?;
            let text = format!("not ready for {} ({})", human::age(slow, now), pod.status);
            Some(Finding::new(Condition::Degraded, text).since(Some(slow)))
        }
        PodHealth::Ready | PodHealth::Done => None,
    }
}

/// A young pod that waits for a node is part of a rollout, not yet a failure.
fn still_starting(pod: &Pod, now: Time) -> bool {
    let young = pod.created_at.is_some_and(|created| (now - created).num_seconds() <= START_SECONDS);
    young && pod.node.is_none() && pod.restarts == 0
}

/// How a container of the pod ended a short while ago, and when.
fn recent_end(pod: &Pod, now: Time) -> Option<(String, Time)> {
    let end = pod.last_termination.as_ref()?;
    let at = end.finished_at.filter(|at| (now - *at).num_seconds() <= NEWS_SECONDS)?;
    let how = match &*end.reason {
        "OOMKilled" => "was OOM-killed".to_owned(),
        reason => format!("ended with {reason} (exit code {})", end.exit_code),
    };
    Some((format!("{how} {} ago", human::age(at, now)), at))
}

fn missing_pods(evidence: &Evidence<'_>) -> Vec<Finding> {
    let missing = |role: Role| {
        let wanted = evidence.host.wanted(role)?;
        let pods: Vec<&Pod> = evidence.host.pods.values().filter(|pod| pod.role == role).collect();
        let ready = u32::try_from(pods.iter().filter(|pod| pod.health == PodHealth::Ready).count()).unwrap_or(u32::MAX);
        if ready >= wanted {
            return None;
        }
        let young = evidence
            .host
            .pods
            .values()
            .filter_map(|pod| pod.created_at)
            .max()
            .is_none_or(|at| (evidence.now - at).num_seconds() < START_SECONDS);
        let words = if role == Role::JobManager { "JobManagers" } else { "TaskManagers" };
        let condition = match (young, ready) {
            (true, _) => Condition::Deploying,
            (false, 0) => Condition::Failing,
            (false, _) => Condition::Degraded,
        };
        Some(Finding::new(condition, format!("{ready} of {wanted} {words} are ready")))
    };
    [Role::JobManager, Role::TaskManager].into_iter().filter_map(missing).collect()
}

fn lag(evidence: &Evidence<'_>) -> Option<Finding> {
    let group = evidence.group?;
    let (records, behind) = (group.lag_records()?, group.behind_ms()?);
    let growth = group.growth_per_second()?;
    if behind < BEHIND_MS || growth <= 0.0 {
        return None;
    }
    let worst = group.worst().map(|worst| format!(", {}-{} leads", worst.topic, worst.partition)).unwrap_or_default();
    let text = format!(
        "lag is {} records ({} behind) and grows {}/s{worst}",
        human::count(records),
        human::milliseconds(behind),
        human::rate(growth)
    );
    Some(Finding::new(Condition::Degraded, text))
}

/// Lag that is worth a sentence and goes down: the work is behind, and when it will not be any more.
fn catching_up(evidence: &Evidence<'_>) -> Option<Finding> {
    let group = evidence.group?;
    let (records, behind, drain) = (group.lag_records()?, group.behind_ms()?, group.drain_seconds()?);
    if behind < BEHIND_MS || group.growth_per_second()? >= 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a drain")]
    let left = human::duration(drain.clamp(0.0, 1e9) as i64);
    let text = format!(
        "catching up: lag is {} records ({} behind), gone in {left}",
        human::count(records),
        human::milliseconds(behind)
    );
    Some(Finding::new(Condition::Degraded, text))
}

fn hot_spot(evidence: &Evidence<'_>) -> Option<Finding> {
    let found = job::offender(&evidence.processor.job()?.vertices)?;
    let subtask =
        found.subtask.map(|index| format!(" (subtask {} of {})", index + 1, found.parallelism)).unwrap_or_default();
    let holds = if found.holds_back.is_empty() {
        String::new()
    } else {
        format!(", holds back {}", found.holds_back.join(", "))
    };
    Some(Finding::new(
        Condition::Running,
        format!("{}{subtask} is {} busy{holds}", found.vertex, human::percent(found.busy)),
    ))
}
