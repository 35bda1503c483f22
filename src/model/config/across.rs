//! What options mean together: values that are each right and cannot hold at once.
//!
//! Beam's option wins over Flink's where both set the same thing, as its Flink runner has it.

use super::{Findings, Given, Severity};
use crate::model::options;

/// Options of one meaning: what Beam calls it, and what Flink does.
struct Meaning {
    beam: &'static str,
    flink: &'static str,
}

const PARALLELISM: Meaning = Meaning { beam: "parallelism", flink: "parallelism.default" };
const MAX_PARALLELISM: Meaning = Meaning { beam: "maxParallelism", flink: "pipeline.max-parallelism" };
const INTERVAL: Meaning = Meaning { beam: "checkpointingInterval", flink: "execution.checkpointing.interval" };
const TIMEOUT: Meaning = Meaning { beam: "checkpointTimeoutMillis", flink: "execution.checkpointing.timeout" };
const PAUSE: Meaning = Meaning { beam: "minPauseBetweenCheckpoints", flink: "execution.checkpointing.min-pause" };
const CONCURRENT: Meaning =
    Meaning { beam: "numConcurrentCheckpoints", flink: "execution.checkpointing.max-concurrent-checkpoints" };
/// Shares of a TaskManager's Flink memory that are taken out of the same whole.
const SHARES: [(&str, f64); 2] =
    [("taskmanager.memory.managed.fraction", 0.4), ("taskmanager.memory.network.fraction", 0.1)];
/// Flink's least interval between checkpoints, milliseconds.
const LEAST_INTERVAL_MS: f64 = 10.0;

pub(super) fn check(findings: &mut Findings<'_>) {
    parallelism(findings);
    checkpoints(findings);
    shares(findings);
}

impl Findings<'_> {
    fn given(&self, meaning: &Meaning) -> Option<Given> {
        self.beam.get(meaning.beam).or_else(|| self.flink.get(meaning.flink)).cloned()
    }

    /// A whole number above zero: -1 means "not set".
    fn number(&self, meaning: &Meaning) -> Option<(i64, Given)> {
        let given = self.given(meaning)?;
        let number = given.value.trim().parse().ok().filter(|number| *number > 0)?;
        Some((number, given))
    }

    /// A length of time in milliseconds.
    fn millis(&self, meaning: &Meaning) -> Option<(f64, Given)> {
        let given = self.given(meaning)?;
        let millis = options::nanoseconds(given.value.trim())? / 1e6;
        (millis > 0.0).then_some((millis, given))
    }

    fn blame(&mut self, severity: Severity, given: &Given, words: String) {
        self.add(severity, given.at, &given.path, words);
    }
}

fn parallelism(findings: &mut Findings<'_>) {
    let slots = findings.flink.get("taskmanager.numberOfTaskSlots").and_then(|given| given.value.trim().parse().ok());
    let slots: i64 = slots.unwrap_or(1);
    let Some((parallelism, given)) = findings.number(&PARALLELISM) else { return every_slot(findings, slots) };
    if let Some((most, limit)) = findings.number(&MAX_PARALLELISM)
        && parallelism > most
    {
        let words = format!("{parallelism} is more than {} = {most}, which a job with state cannot pass", limit.path);
        findings.blame(Severity::Error, &given, words);
    }
    if let Some(task_managers) = findings.setting.task_managers
        && slots.saturating_mul(i64::from(task_managers)) < parallelism
    {
        let words = format!(
            "{parallelism} slots are needed, and {task_managers} TaskManagers with {slots} each have {}: the job would \
             wait for resources and never start",
            slots.saturating_mul(i64::from(task_managers))
        );
        findings.blame(Severity::Error, &given, words);
    }
}

/// A job that says nothing of its parallelism takes every slot there is.
fn every_slot(findings: &mut Findings<'_>, slots: i64) {
    let Some(task_managers) = findings.setting.task_managers else { return };
    let parallelism = slots.saturating_mul(i64::from(task_managers));
    if let Some((most, limit)) = findings.number(&MAX_PARALLELISM)
        && parallelism > most
    {
        let words = format!(
            "{task_managers} TaskManagers with {slots} slots each make a parallelism of {parallelism}, more than {most}, which a \
             job with state cannot pass"
        );
        findings.blame(Severity::Error, &limit, words);
    }
}

fn checkpoints(findings: &mut Findings<'_>) {
    let interval = findings.millis(&INTERVAL);
    let timeout = findings.millis(&TIMEOUT);
    let Some((interval_ms, interval)) = interval else {
        if let Some((_, timeout)) = timeout {
            let words = format!("has no effect: without {} there are no checkpoints", INTERVAL.beam);
            findings.blame(Severity::Warning, &timeout, words);
        }
        return;
    };
    if interval_ms < LEAST_INTERVAL_MS {
        findings.blame(Severity::Error, &interval, "Flink takes no checkpoints closer than 10 ms".to_owned());
    }
    let at_once = findings.number(&CONCURRENT).map_or(1, |(number, _)| number);
    if let Some((timeout_ms, timeout)) = timeout
        && timeout_ms > interval_ms
        && at_once == 1
    {
        let words = format!(
            "a checkpoint may take {timeout_ms} ms, longer than the {interval_ms} ms between two: one that hangs \
             holds the next ones back"
        );
        findings.blame(Severity::Warning, &timeout, words);
    }
    if findings.millis(&PAUSE).is_some() && at_once > 1 {
        let words = format!("with a pause between them only one checkpoint runs at once, not {at_once}");
        if let Some((_, pause)) = findings.millis(&PAUSE) {
            findings.blame(Severity::Warning, &pause, words);
        }
    }
}

fn shares(findings: &mut Findings<'_>) {
    let mut sum = 0.0;
    let mut last: Option<Given> = None;
    for (key, default) in SHARES {
        let given = findings.flink.get(key).cloned();
        let share = given.as_ref().and_then(|given| given.value.trim().parse::<f64>().ok()).unwrap_or(default);
        if let Some(given) = given {
            if !(0.0..1.0).contains(&share) {
                findings.blame(Severity::Error, &given, "a share is from 0 to less than 1".to_owned());
                return;
            }
            last = Some(given);
        }
        sum += share;
    }
    if let Some(last) = last.filter(|_| sum >= 1.0) {
        let words =
            format!("managed and network memory together take {:.0} % and leave none for the heap", sum * 100.0);
        findings.blame(Severity::Error, &last, words);
    }
}
