//! Rows as screens and reports show them, derived from the inventory.
//!
//! The same structs are drawn as tables and printed as JSON, so that both say the same. Moments are
//! kept as moments: ages are made where they are shown.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::change::Fetched;
use super::declaration::Runtime;
use super::inventory::{Inventory, Processor};
use super::job::JobState;
use super::key::{PipelineKey, ProcessorKey};
use super::pod::{Pod, PodHealth, Role, Usage};
use super::verdict::{self, Condition, Verdict};

/// One pipeline in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineView {
    /// Where it is.
    #[serde(flatten)]
    pub key: PipelineKey,
    /// How it is and why.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Names of its processors.
    pub processors: Vec<Arc<str>>,
    /// Pods that are ready.
    pub pods_ready: u32,
    /// Pods that should be there.
    pub pods_wanted: u32,
    /// Container restarts, all pods.
    pub restarts: u32,
    /// State of the worst job; `None` when unknown.
    pub job: Option<JobState>,
    /// Lag in records, all processors; `None` when unknown.
    pub lag_records: Option<u64>,
    /// Age of the oldest record not yet processed, in milliseconds.
    pub behind_ms: Option<u64>,
    /// Completion of the oldest of the processors' newest checkpoints.
    pub checkpoint_at: Option<Time>,
    /// Deployed revision, where noted.
    pub revision: Option<Arc<str>>,
    /// Creation of its first processor.
    pub created_at: Option<Time>,
    /// Owning team, where noted.
    pub team: Option<Arc<str>>,
}

/// One processor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessorView {
    /// Where it is.
    #[serde(flatten)]
    pub key: ProcessorKey,
    /// Its pipeline.
    pub pipeline: Arc<str>,
    /// How it is and why.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How it runs; `None` when only its pods are visible.
    pub runtime: Option<Runtime>,
    /// Ready and wanted JobManagers.
    pub job_managers: (u32, u32),
    /// Ready and wanted TaskManagers.
    pub task_managers: (u32, u32),
    /// Container restarts, all pods.
    pub restarts: u32,
    /// State of its job; `None` when unknown.
    pub job: Option<JobState>,
    /// Id of its job.
    pub job_id: Option<Arc<str>>,
    /// Lag in records.
    pub lag_records: Option<u64>,
    /// Age of the oldest record not yet processed, in milliseconds.
    pub behind_ms: Option<u64>,
    /// Completion of its newest checkpoint.
    pub checkpoint_at: Option<Time>,
    /// Consumer group, where known.
    pub group: Option<Arc<str>>,
    /// Input topics, where noted.
    pub inputs: Vec<Arc<str>>,
    /// Output topics, where noted.
    pub outputs: Vec<Arc<str>>,
    /// Deployed revision, where noted.
    pub revision: Option<Arc<str>>,
    /// Offset version, where noted.
    pub offset_version: Option<Arc<str>>,
    /// Artifact coordinates, where noted; else the image.
    pub artifact: Option<Arc<str>>,
    /// CPU of one TaskManager in thousandths of a core.
    pub cpu_millis: Option<u64>,
    /// Memory of one TaskManager in bytes.
    pub memory_bytes: Option<u64>,
    /// Service account of the pods.
    pub service_account: Arc<str>,
    /// IAM role of that account; `None` when it has none or nobody looked.
    pub iam_role: Option<Arc<str>>,
    /// Creation of the object that declares it.
    pub created_at: Option<Time>,
}

/// One pod with its usage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PodView {
    /// The pod.
    #[serde(flatten)]
    pub pod: Pod,
    /// What it uses; `None` without a metrics API.
    pub usage: Option<Usage>,
}

/// Derives the row of a pipeline; `None` when it is gone.
#[must_use]
pub fn pipeline(inventory: &Inventory, key: &PipelineKey, now: Time) -> Option<PipelineView> {
    let rows: Vec<ProcessorView> =
        inventory.processors_of(key).map(|(name, processor)| row(inventory, key, name, processor, now)).collect();
    let first = rows.first()?;
    let counted = |ready_and_wanted: fn(&ProcessorView) -> (u32, u32)| {
        rows.iter().map(ready_and_wanted).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1))
    };
    let (jobs, tasks) = (counted(|row| row.job_managers), counted(|row| row.task_managers));
    Some(PipelineView {
        key: key.clone(),
        verdict: verdict::of_pipeline(&rows),
        processors: rows.iter().map(|row| row.key.name.clone()).collect(),
        pods_ready: jobs.0 + tasks.0,
        pods_wanted: jobs.1 + tasks.1,
        restarts: rows.iter().map(|row| row.restarts).sum(),
        job: rows.iter().min_by_key(|row| row.verdict.condition).and_then(|row| row.job),
        lag_records: sum_known(rows.iter().map(|row| row.lag_records)),
        behind_ms: rows.iter().filter_map(|row| row.behind_ms).max(),
        checkpoint_at: rows.iter().filter_map(|row| row.checkpoint_at).min(),
        revision: rows
            .iter()
            .filter_map(|row| row.revision.clone())
            .max_by_key(|revision| revision.parse::<u64>().unwrap_or(0)),
        created_at: rows.iter().filter_map(|row| row.created_at).min(),
        team: inventory.processor(&first.key).and_then(|processor| processor.notes()?.team.clone()),
    })
}

/// Derives the row of a processor; `None` when it is gone.
#[must_use]
pub fn processor(inventory: &Inventory, key: &ProcessorKey, now: Time) -> Option<ProcessorView> {
    let (pipeline, processor) = (inventory.pipeline_of(key)?, inventory.processor(key)?);
    Some(row(inventory, pipeline, key, processor, now))
}

/// The pods of a processor with their usage: JobManagers first, then by natural order of the name.
#[must_use]
pub fn pods(inventory: &Inventory, key: &ProcessorKey) -> Vec<PodView> {
    let mut pods: Vec<PodView> =
        inventory.pods_of(key).map(|pod| PodView { pod: pod.clone(), usage: inventory.usage(&pod.key) }).collect();
    pods.sort_by_cached_key(|view| (view.pod.role, natural_key(&view.pod.key.name)));
    pods
}

/// Sorts `task-2` before `task-10`: digits are compared as numbers.
#[must_use]
pub fn natural_key(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.len() - rest.trim_start_matches(|c: char| !c.is_ascii_digit()).len();
        let (word, tail) = rest.split_at(text);
        let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = tail.split_at(digits);
        parts.push((word.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = tail;
    }
    parts
}

fn row(
    inventory: &Inventory,
    pipeline: &PipelineKey,
    key: &ProcessorKey,
    processor: &Processor,
    now: Time,
) -> ProcessorView {
    let host = inventory.host_of(key).unwrap_or(processor);
    let group = inventory.group_of(key);
    let notes = processor.notes();
    let account =
        processor.declared(|declaration| declaration.service_account.clone()).unwrap_or_else(|| "default".into());
    let topics = |pick: fn(&super::declaration::Notes) -> &Vec<Arc<str>>| notes.map(pick).cloned().unwrap_or_default();
    ProcessorView {
        key: key.clone(),
        pipeline: pipeline.name.clone(),
        verdict: verdict::of_processor(&verdict::Evidence { name: &key.name, processor, host, group, now }),
        runtime: processor.declared(|declaration| Some(declaration.runtime())),
        job_managers: ready_and_wanted(host, Role::JobManager),
        task_managers: ready_and_wanted(host, Role::TaskManager),
        restarts: host.pods.values().map(|pod| pod.restarts).sum(),
        job: job_state(processor),
        job_id: processor.job().map(|job| job.id.clone()).or_else(|| processor.operator()?.job_id.clone()),
        lag_records: group.and_then(super::kafka::Group::lag_records),
        behind_ms: group.and_then(super::kafka::Group::behind_ms),
        checkpoint_at: processor.job().and_then(|job| Some(job.checkpoints.as_ref()?.last.as_ref()?.completed_at)),
        group: inventory.group_key(key).map(|group| group.name),
        inputs: topics(|notes| &notes.inputs),
        outputs: topics(|notes| &notes.outputs),
        revision: notes.and_then(|notes| notes.revision.clone()),
        offset_version: notes.and_then(|notes| notes.offset_version.clone()),
        artifact: notes
            .and_then(|notes| notes.artifact.clone())
            .or_else(|| processor.declared(|declaration| declaration.image.clone())),
        cpu_millis: processor.declared(|declaration| declaration.cpu_millis),
        memory_bytes: processor.declared(|declaration| declaration.memory_bytes),
        iam_role: inventory.iam_role(&key.sibling(account.clone())).cloned().flatten(),
        service_account: account,
        created_at: processor
            .declared(|declaration| declaration.created_at)
            .or_else(|| host.pods.values().filter_map(|pod| pod.created_at).min()),
    }
}

/// What the job's own REST API says wins over what the operator last wrote down.
#[must_use]
pub fn job_state(processor: &Processor) -> Option<JobState> {
    match (&processor.job, processor.operator()) {
        (_, Some(operator)) if operator.suspended => Some(JobState::Suspended),
        (Some(Fetched::Ready(job)), _) => Some(job.state),
        (_, Some(operator)) => operator.job,
        _ => None,
    }
}

fn ready_and_wanted(host: &Processor, role: Role) -> (u32, u32) {
    let pods = || host.pods.values().filter(|pod| pod.role == role && pod.health != PodHealth::Done);
    let ready = pods().filter(|pod| pod.health == PodHealth::Ready).count();
    let present = u32::try_from(pods().count()).unwrap_or(u32::MAX);
    (u32::try_from(ready).unwrap_or(u32::MAX), host.wanted(role).unwrap_or(present))
}

fn sum_known(values: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    values.flatten().reduce(u64::saturating_add)
}

/// Whether a pipeline needs somebody, for counting in headers.
#[must_use]
pub const fn needs_attention(condition: Condition) -> bool {
    matches!(condition, Condition::Failing | Condition::Degraded)
}

#[cfg(test)]
mod tests {
    use super::natural_key;

    #[test]
    fn numbers_in_names_sort_as_numbers() {
        let mut names = ["task-10", "task-2", "task", "a-3-1"];
        names.sort_by_key(|name| natural_key(name));
        assert_eq!(names, ["a-3-1", "task", "task-2", "task-10"]);
    }
}
