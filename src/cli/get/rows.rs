//! The lists that `flowdeck get` knows: what each needs, its rows and its columns.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::gather::Need;
use crate::cli::output::Column;
use crate::model::Time;
use crate::model::change::Fetched;
use crate::model::environment::{Backend, Environment, Link};
use crate::model::human;
use crate::model::interest::Depth;
use crate::model::inventory::Inventory;
use crate::model::job::{self, Job};
use crate::model::kafka::{Group, Topic};
use crate::model::key::ProcessorKey;
use crate::model::verdict::Verdict;
use crate::model::view::{self, PipelineView, PodView, ProcessorView};

/// One kind of list.
pub struct Listing<T: 'static> {
    /// What must be collected.
    pub need: Need,
    /// Derives the rows.
    pub rows: fn(&Inventory, Time) -> Vec<T>,
    /// Whether a row is meant by a name.
    pub answers_to: fn(&T, &str) -> bool,
    /// The row's own name, unique in the list.
    pub name: fn(&T) -> String,
    /// Columns of the table.
    pub columns: &'static [Column<T>],
    /// What to say when there is nothing.
    pub empty: &'static str,
}

/// What a list needs that needs nothing but pods and what declares them.
pub const NOTHING: Need = Need {
    jobs: None,
    groups: false,
    topics: false,
    kafka_names: false,
    all_groups: false,
    usage: false,
    events: false,
    accounts: false,
    rates: false,
    signals: false,
};

/// A column of words.
pub const fn text<T>(title: &'static str, cell: fn(&T, Time) -> String) -> Column<T> {
    Column { title, right: false, wide: false, cell }
}

/// A column of numbers.
pub const fn number<T>(title: &'static str, cell: fn(&T, Time) -> String) -> Column<T> {
    Column { title, right: true, wide: false, cell }
}

/// A column that only wide tables have.
pub const fn wide<T>(title: &'static str, cell: fn(&T, Time) -> String) -> Column<T> {
    Column { title, right: false, wide: true, cell }
}

/// A value, or a dash where there is none.
pub fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn age(moment: Option<Time>, now: Time) -> String {
    or_dash(moment.map(|moment| human::age(moment, now)))
}

const NO_PIPELINES: &str = "no Flink deployments found. Look in other namespaces with -A, or at other contexts with --context; `flowdeck doctor` checks permissions";

/// `get pipelines`.
pub static PIPELINES: Listing<PipelineView> = Listing {
    need: Need { jobs: Some(Depth::Summary), groups: true, kafka_names: true, ..NOTHING },
    rows: |inventory, now| {
        let mut rows: Vec<PipelineView> =
            inventory.pipelines().filter_map(|(key, _)| view::pipeline(inventory, key, now)).collect();
        rows.sort_by(|left, right| (left.verdict.condition, &left.key).cmp(&(right.verdict.condition, &right.key)));
        rows
    },
    answers_to: |row, name| *row.key.name == *name || row.processors.iter().any(|processor| **processor == *name),
    name: |row| row.key.to_string(),
    columns: &[
        text("ENV", |row, _| row.key.environment.to_string()),
        wide("NAMESPACE", |row, _| row.key.namespace.to_string()),
        text("PIPELINE", |row, _| row.key.name.to_string()),
        text("STATE", |row, _| row.verdict.condition.word().to_owned()),
        number("PROCESSORS", |row, _| row.processors.len().to_string()),
        number("PODS", |row, _| format!("{}/{}", row.pods_ready, row.pods_wanted)),
        number("RESTARTS", |row, _| row.restarts.to_string()),
        text("JOB", |row, _| or_dash(row.job.map(job::JobState::word))),
        number("LAG", |row, _| or_dash(row.lag_records.map(human::count))),
        number("BEHIND", |row, _| or_dash(row.behind_ms.map(human::milliseconds))),
        number("CHECKPOINT", |row, now| age(row.checkpoint_at, now)),
        number("REV", |row, _| or_dash(row.revision.as_ref())),
        number("AGE", |row, now| age(row.created_at, now)),
        wide("WHY", |row, _| why(&row.verdict)),
    ],
    empty: NO_PIPELINES,
};

/// `get processors`.
pub static PROCESSORS: Listing<ProcessorView> = Listing {
    need: Need { jobs: Some(Depth::Summary), groups: true, kafka_names: true, accounts: true, ..NOTHING },
    rows: |inventory, now| inventory.processors().filter_map(|(key, _)| view::processor(inventory, key, now)).collect(),
    answers_to: |row, name| *row.key.name == *name || *row.pipeline == *name,
    name: |row| row.key.to_string(),
    columns: &[
        text("ENV", |row, _| row.key.environment.to_string()),
        text("PIPELINE", |row, _| row.pipeline.to_string()),
        text("PROCESSOR", |row, _| row.key.name.to_string()),
        text("STATE", |row, _| row.verdict.condition.word().to_owned()),
        number("JM", |row, _| format!("{}/{}", row.job_managers.0, row.job_managers.1)),
        number("TM", |row, _| format!("{}/{}", row.task_managers.0, row.task_managers.1)),
        number("RESTARTS", |row, _| row.restarts.to_string()),
        text("JOB", |row, _| or_dash(row.job.map(job::JobState::word))),
        number("LAG", |row, _| or_dash(row.lag_records.map(human::count))),
        number("CHECKPOINT", |row, now| age(row.checkpoint_at, now)),
        number("AGE", |row, now| age(row.created_at, now)),
        wide("RUNTIME", |row, _| or_dash(row.runtime.map(|runtime| format!("{runtime:?}")))),
        wide("NAMESPACE", |row, _| row.key.namespace.to_string()),
        wide("INPUTS", |row, _| row.inputs.join(",")),
        wide("OUTPUTS", |row, _| row.outputs.join(",")),
        wide("IAM ROLE", |row, _| or_dash(row.iam_role.as_ref())),
        wide("WHY", |row, _| why(&row.verdict)),
    ],
    empty: NO_PIPELINES,
};

/// `get pods`.
pub static PODS: Listing<PodView> = Listing {
    need: Need { usage: true, ..NOTHING },
    rows: |inventory, _| {
        inventory
            .processors()
            .flat_map(|(key, processor)| {
                let own = |view: &PodView| processor.pods.contains_key(&view.pod.key.name);
                view::pods(inventory, key).into_iter().filter(own).collect::<Vec<_>>()
            })
            .collect()
    },
    answers_to: |row, name| {
        let pod = &row.pod;
        *pod.key.name == *name || *pod.processor.name == *name || pod.pipeline.as_deref() == Some(name)
    },
    name: |row| row.pod.key.to_string(),
    columns: &[
        text("ENV", |row, _| row.pod.key.environment.to_string()),
        text("PROCESSOR", |row, _| row.pod.processor.name.to_string()),
        text("ROLE", |row, _| row.pod.role.short().to_owned()),
        text("POD", |row, _| row.pod.key.name.to_string()),
        number("READY", |row, _| format!("{}/{}", row.pod.ready, row.pod.containers.len())),
        text("STATUS", |row, _| row.pod.status.to_string()),
        number("RESTARTS", |row, _| row.pod.restarts.to_string()),
        text("LAST END", |row, _| or_dash(row.pod.last_termination.as_ref().map(|end| end.reason.to_string()))),
        number("CPU", |row, _| or_dash(row.usage.map(|usage| human::cores(usage.cpu_millis)))),
        number("MEM", |row, _| or_dash(row.usage.map(|usage| human::bytes(usage.memory_bytes)))),
        number("AGE", |row, now| age(row.pod.created_at, now)),
        wide("NAMESPACE", |row, _| row.pod.key.namespace.to_string()),
        wide("NODE", |row, _| or_dash(row.pod.node.as_ref())),
        wide("ADDRESS", |row, _| or_dash(row.pod.address.as_ref())),
        wide("MESSAGE", |row, _| or_dash(row.pod.message.as_ref())),
    ],
    empty: "no JobManager or TaskManager pods found",
};

/// The first sentences; `describe` and JSON have all of them.
fn why(verdict: &Verdict) -> String {
    verdict.why.iter().take(3).map(|text| &**text).collect::<Vec<_>>().join("; ")
}

/// A job with its processor; the job is absent when it could not be asked.
#[derive(Serialize)]
pub struct JobRow {
    #[serde(flatten)]
    key: ProcessorKey,
    pipeline: String,
    /// The job, as Flink's REST API tells.
    job: Option<Job>,
    /// Why there is no job.
    error: Option<String>,
}

/// `get jobs`.
pub static JOBS: Listing<JobRow> = Listing {
    need: Need { jobs: Some(Depth::Detail), ..NOTHING },
    rows: |inventory, _| {
        inventory
            .processors()
            .filter_map(|(key, processor)| {
                let (job, error) = match processor.job.as_ref()? {
                    Fetched::Ready(job) => (Some((**job).clone()), None),
                    Fetched::NotFound => (None, Some("no job is there".to_owned())),
                    Fetched::Forbidden(words) | Fetched::Failed(_, words) => (None, Some(words.to_string())),
                };
                let pipeline = inventory.pipeline_of(key)?.name.to_string();
                Some(JobRow { key: key.clone(), pipeline, job, error })
            })
            .collect()
    },
    answers_to: |row, name| {
        *row.key.name == *name || row.pipeline == name || row.job.as_ref().is_some_and(|job| *job.id == *name)
    },
    name: |row| row.key.to_string(),
    columns: &[
        text("ENV", |row, _| row.key.environment.to_string()),
        text("PROCESSOR", |row, _| row.key.name.to_string()),
        text("JOB", |row, _| or_dash(row.job.as_ref().map(|job| &job.id))),
        text("STATE", |row, _| or_dash(row.job.as_ref().map(|job| job.state.word()))),
        number("UPTIME", |row, now| age(row.job.as_ref().and_then(|job| job.state_since), now)),
        number("RESTARTS", |row, _| or_dash(row.job.as_ref().and_then(|job| job.restarts))),
        number("PARALLELISM", |row, _| or_dash(row.job.as_ref().and_then(Job::parallelism))),
        number("CHECKPOINT", |row, now| age(last_checkpoint(row).map(|last| last.completed_at), now)),
        number("SIZE", |row, _| or_dash(last_checkpoint(row).map(|last| human::bytes(last.size_bytes)))),
        number("TOOK", |row, _| or_dash(last_checkpoint(row).map(|last| human::milliseconds(last.duration_ms)))),
        text("ROOT CAUSE OF THE LAST FAILURE, OR WHY THERE IS NO JOB", |row, now| {
            if let Some(error) = &row.error {
                return error.clone();
            }
            or_dash(row.job.as_ref().and_then(|job| job.failures.first()).map(|failure| {
                format!(
                    "{}: {} ({} ago)",
                    failure.root.short_class(),
                    failure.root.message,
                    human::age(failure.at, now)
                )
            }))
        }),
        wide("BUSIEST", |row, _| {
            or_dash(
                row.job
                    .as_ref()
                    .and_then(|job| job::offender(&job.vertices))
                    .map(|offender| format!("{} {}", offender.vertex, human::percent(offender.busy))),
            )
        }),
    ],
    empty: "no Flink jobs found",
};

fn last_checkpoint(row: &JobRow) -> Option<&job::Checkpoint> {
    row.job.as_ref()?.checkpoints.as_ref()?.last.as_ref()
}

/// `get topics`.
pub static TOPICS: Listing<Topic> = Listing {
    need: Need { topics: true, kafka_names: true, rates: true, ..NOTHING },
    rows: |inventory, _| {
        let names = inventory.topic_names().iter().flat_map(|(environment, names)| {
            names.iter().map(|name| crate::model::key::KafkaKey::new(environment.clone(), name.clone()))
        });
        names.filter_map(|key| inventory.topic(&key).cloned()).collect()
    },
    answers_to: |row, name| *row.key.name == *name,
    name: |row| format!("{}/{}", row.key.environment, row.key.name),
    columns: &[
        text("ENV", |row, _| row.key.environment.to_string()),
        text("TOPIC", |row, _| row.key.name.to_string()),
        number("PARTITIONS", |row, _| row.partitions.len().to_string()),
        number("RECORDS", |row, _| human::count(row.records())),
        number("RATE/s", |row, _| or_dash(row.records_per_second.map(human::rate))),
        number("LEADERLESS", |row, _| row.leaderless.to_string()),
    ],
    empty: "no topics found; is [environment.kafka] set for this environment?",
};

/// A group with what is derived from it.
#[derive(Serialize)]
pub struct GroupRow {
    #[serde(flatten)]
    group: Group,
    lag_records: Option<u64>,
    behind_ms: Option<u64>,
    drain_seconds: Option<f64>,
    worst_partition: Option<String>,
}

/// `get groups`.
pub static GROUPS: Listing<GroupRow> = Listing {
    need: Need { groups: true, kafka_names: true, all_groups: true, rates: true, ..NOTHING },
    rows: |inventory, _| {
        let names = inventory.group_names().iter().flat_map(|(environment, names)| {
            names.iter().map(|(name, _)| crate::model::key::KafkaKey::new(environment.clone(), name.clone()))
        });
        names.filter_map(|key| inventory.group(&key).map(group_row)).collect()
    },
    answers_to: |row, name| *row.group.key.name == *name,
    name: |row| format!("{}/{}", row.group.key.environment, row.group.key.name),
    columns: &[
        text("ENV", |row, _| row.group.key.environment.to_string()),
        text("GROUP", |row, _| row.group.key.name.to_string()),
        text("STATE", |row, _| row.group.state.to_string()),
        number("MEMBERS", |row, _| row.group.members.to_string()),
        number("LAG", |row, _| or_dash(row.lag_records.map(human::count))),
        number("BEHIND", |row, _| or_dash(row.behind_ms.map(human::milliseconds))),
        text("WORST PARTITION", |row, _| or_dash(row.worst_partition.as_ref())),
        number("DRAINS IN", |row, _| or_dash(row.drain_seconds.map(drain))),
    ],
    empty: "no consumer groups found; is [environment.kafka] set for this environment?",
};

#[expect(clippy::cast_possible_truncation, reason = "saturates, which is right for a display")]
fn drain(seconds: f64) -> String {
    human::duration(seconds.round() as i64)
}

fn group_row(group: &Group) -> GroupRow {
    GroupRow {
        lag_records: group.lag_records(),
        behind_ms: group.behind_ms(),
        drain_seconds: group.drain_seconds(),
        worst_partition: group.worst().map(|worst| format!("{}-{}", worst.topic, worst.partition)),
        group: group.clone(),
    }
}

/// An environment with the state of its connections.
#[derive(Serialize)]
pub struct EnvironmentRow {
    #[serde(flatten)]
    environment: Environment,
    /// By backend.
    connections: BTreeMap<Backend, Link>,
    pipelines: usize,
    pods: usize,
}

/// `get environments`.
pub static ENVIRONMENTS: Listing<EnvironmentRow> = Listing {
    need: Need { jobs: Some(Depth::Summary), kafka_names: true, ..NOTHING },
    rows: |inventory, _| {
        inventory
            .environments()
            .map(|environment| EnvironmentRow {
                environment: environment.clone(),
                connections: Backend::ALL
                    .into_iter()
                    .map(|backend| (backend, inventory.link(&environment.name, backend).clone()))
                    .collect(),
                pipelines: inventory.pipelines().filter(|(key, _)| key.environment == environment.name).count(),
                pods: inventory
                    .processors()
                    .filter(|(key, _)| key.environment == environment.name)
                    .map(|(_, processor)| processor.pods.len())
                    .sum(),
            })
            .collect()
    },
    answers_to: |row, name| *row.environment.name == *name,
    name: |row| row.environment.name.to_string(),
    columns: &[
        text("ENV", |row, _| row.environment.name.to_string()),
        text("CONTEXT", |row, _| row.environment.context.to_string()),
        text("PROTECTION", |row, _| row.environment.protection.word().to_owned()),
        text("K8S", |row, _| connection(row, Backend::Kubernetes)),
        text("KAFKA", |row, _| connection(row, Backend::Kafka)),
        text("FLINK", |row, _| connection(row, Backend::Flink)),
        text("S3", |row, _| connection(row, Backend::Objects)),
        number("PIPELINES", |row, _| row.pipelines.to_string()),
        number("PODS", |row, _| row.pods.to_string()),
        wide("SERVER", |row, _| row.environment.server.to_string()),
    ],
    empty: "no environments: there is no kubeconfig and no settings file",
};

fn connection(row: &EnvironmentRow, backend: Backend) -> String {
    row.connections.get(&backend).map_or("-", Link::word).to_owned()
}
