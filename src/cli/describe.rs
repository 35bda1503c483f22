//! `flowdeck describe`: all that is known of one thing, in sections.

mod backends;

use std::collections::HashSet;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::gather::{self, Need, World};
use super::output;
use super::{Failure, exit};
use crate::model::Time;
use crate::model::human;
use crate::model::interest::Depth;
use crate::model::inventory::Inventory;
use crate::model::job::{self, Job};
use crate::model::key::{ObjectKey, PipelineKey, ProcessorKey};
use crate::model::view::{self, PodView, ProcessorView};
use crate::settings::Settings;

/// Arguments of `flowdeck describe`.
#[derive(Clone, Debug, Args)]
pub struct Describe {
    /// Kind of the thing
    kind: Kind,
    /// Its name
    name: String,
    /// How long to wait for backends that do not answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A pipeline with its processors
    Pipeline,
    /// A processor with its job, group and pods
    Processor,
    /// A pod with its events
    Pod,
    /// A topic with its partitions
    Topic,
    /// A consumer group with its partitions
    Group,
    /// An environment with its connections and watches
    Environment,
}

/// Prints the description.
pub fn run(describe: &Describe, settings: &Settings) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(tell(describe, settings));
    runtime.shutdown_background();
    code
}

async fn tell(describe: &Describe, settings: &Settings) -> Result<u8, Failure> {
    let need = Need {
        jobs: Some(Depth::Detail),
        groups: true,
        topics: describe.kind == Kind::Topic,
        kafka_names: true,
        all_groups: describe.kind == Kind::Group,
        usage: true,
        events: true,
        accounts: true,
        rates: matches!(describe.kind, Kind::Topic | Kind::Group),
        signals: false,
    };
    let mut world = World::open(settings, need);
    let complete = world.settle(Duration::from_secs(describe.timeout)).await;
    let complaints = world.complaints();
    complaints.iter().for_each(|sentence| output::complain(sentence));
    let now = gather::now();
    let mut report = Report::default();
    match describe.kind {
        Kind::Pipeline => {
            let keys = named(world.inventory.pipelines().map(|(key, _)| key), &describe.name);
            keys.iter().for_each(|key| pipeline(&mut report, &world.inventory, key, now));
        }
        Kind::Processor => {
            let keys = named(world.inventory.processors().map(|(key, _)| key), &describe.name);
            keys.iter().for_each(|key| processor(&mut report, &world.inventory, key, now));
        }
        Kind::Pod => {
            let pods =
                world.inventory.processors().flat_map(|(_, processor)| processor.pods.values().map(|pod| &pod.key));
            let keys = named(pods, &describe.name);
            keys.iter().for_each(|key| pod(&mut report, &world.inventory, key, now));
        }
        Kind::Topic => backends::topics(&mut report, &world.inventory, &describe.name),
        Kind::Group => backends::groups(&mut report, &world.inventory, &describe.name),
        Kind::Environment => backends::environments(&mut report, &world.inventory, &describe.name, now),
    }
    if report.text.is_empty() {
        return Err(Failure::not_found(format!("there is nothing named {}", describe.name)));
    }
    output::print(&report.text)?;
    Ok(if complete && complaints.is_empty() { exit::OK } else { exit::PARTIAL })
}

fn named<'a>(keys: impl Iterator<Item = &'a ObjectKey>, name: &str) -> Vec<ObjectKey> {
    keys.filter(|key| *key.name == *name).cloned().collect()
}

/// Indented lines of `name: value`.
#[derive(Default)]
struct Report {
    text: String,
}

impl Report {
    fn heading(&mut self, depth: usize, title: &str) {
        if depth == 0 && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.push(depth, title);
    }

    fn fact(&mut self, depth: usize, name: &str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.push(depth, &format!("{name:<18}{}", value.as_ref()));
        }
    }

    fn push(&mut self, depth: usize, line: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(&output::clean(line));
        self.text.push('\n');
    }
}

fn pipeline(report: &mut Report, inventory: &Inventory, key: &PipelineKey, now: Time) {
    let Some(view) = view::pipeline(inventory, key, now) else { return };
    report.heading(0, &format!("pipeline {}", key.name));
    report.fact(1, "environment", &key.environment);
    report.fact(1, "namespace", &key.namespace);
    report.fact(1, "state", view.verdict.condition.word());
    report.fact(1, "revision", view.revision.as_deref().unwrap_or_default());
    report.fact(1, "team", view.team.as_deref().unwrap_or_default());
    report.fact(1, "age", view.created_at.map(|at| human::age(at, now)).unwrap_or_default());
    for reason in &view.verdict.why {
        report.fact(1, "why", reason);
    }
    let processors: Vec<ProcessorKey> = inventory.processors_of(key).map(|(key, _)| key.clone()).collect();
    processors.iter().for_each(|key| processor(report, inventory, key, now));
}

fn processor(report: &mut Report, inventory: &Inventory, key: &ProcessorKey, now: Time) {
    let (Some(view), Some(known)) = (view::processor(inventory, key, now), inventory.processor(key)) else { return };
    report.heading(0, &format!("processor {}", key.name));
    processor_facts(report, &view, now);
    if let Some(found) = known.job() {
        job(report, found, now);
    }
    if let Some(found) = inventory.group_of(key) {
        report.heading(1, &format!("group {}", found.key.name));
        backends::group_facts(report, 2, found);
    }
    report.heading(1, "pods");
    for pod in view::pods(inventory, key) {
        report.push(2, &pod_line(&pod, now));
    }
    let pods: HashSet<&str> = inventory.pods_of(key).map(|pod| &*pod.key.name).collect();
    events(report, inventory, key, &|object| object == &*key.name || pods.contains(object));
}

fn processor_facts(report: &mut Report, view: &ProcessorView, now: Time) {
    report.fact(1, "pipeline", format!("{}/{}", view.key.environment, view.pipeline));
    report.fact(1, "namespace", &view.key.namespace);
    report.fact(1, "state", view.verdict.condition.word());
    for reason in &view.verdict.why {
        report.fact(1, "why", reason);
    }
    report.fact(1, "runtime", view.runtime.map(|runtime| format!("{runtime:?}")).unwrap_or_default());
    report.fact(1, "artifact", view.artifact.as_deref().unwrap_or_default());
    report.fact(1, "revision", view.revision.as_deref().unwrap_or_default());
    report.fact(1, "offset version", view.offset_version.as_deref().unwrap_or_default());
    report.fact(1, "service account", &view.service_account);
    report.fact(1, "IAM role", view.iam_role.as_deref().unwrap_or("none, or not readable"));
    report.fact(1, "JobManagers", format!("{} of {} ready", view.job_managers.0, view.job_managers.1));
    report.fact(1, "TaskManagers", format!("{} of {} ready", view.task_managers.0, view.task_managers.1));
    report.fact(1, "cpu", view.cpu_millis.map(human::cores).unwrap_or_default());
    report.fact(1, "memory", view.memory_bytes.map(human::bytes).unwrap_or_default());
    report.fact(1, "inputs", view.inputs.join(", "));
    report.fact(1, "outputs", view.outputs.join(", "));
    report.fact(1, "age", view.created_at.map(|at| human::age(at, now)).unwrap_or_default());
}

fn job(report: &mut Report, job: &Job, now: Time) {
    report.heading(1, &format!("job {} ({})", job.name, job.id));
    let since = job.state_since.map(|at| format!(" for {}", human::age(at, now))).unwrap_or_default();
    report.fact(2, "state", format!("{}{since}", job.state.word()));
    report.fact(2, "restarts", job.restarts.map(|restarts| restarts.to_string()).unwrap_or_default());
    report.fact(
        2,
        "watermark",
        job.watermark_lag_seconds(now).map(|lag| format!("{} behind", human::duration(lag))).unwrap_or_default(),
    );
    if let Some(checkpoints) = &job.checkpoints {
        let last = checkpoints.last.as_ref().map_or_else(
            || "none".to_owned(),
            |last| {
                let (age, size, took) = (
                    human::age(last.completed_at, now),
                    human::bytes(last.size_bytes),
                    human::milliseconds(last.duration_ms),
                );
                format!("#{} {age} ago, {size} in {took}", last.id)
            },
        );
        report.fact(2, "last checkpoint", last);
        report.fact(2, "checkpoints", format!("{} completed, {} failed", checkpoints.completed, checkpoints.failed));
    }
    if let Some(offender) = job::offender(&job.vertices) {
        let subtask = offender
            .subtask
            .map(|index| format!(", subtask {} of {}", index + 1, offender.parallelism))
            .unwrap_or_default();
        report.fact(2, "busiest", format!("{}{subtask}: {} busy", offender.vertex, human::percent(offender.busy)));
    }
    for vertex in &job.vertices {
        let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), human::percent);
        let (busy, waits) = (share(vertex.busy_max), share(vertex.backpressure_max));
        report.fact(
            2,
            "vertex",
            format!("{}  x{}  {}  busy {busy}  back-pressure {waits}", vertex.name, vertex.parallelism, vertex.status),
        );
    }
    for failure in &job.failures {
        report.fact(
            2,
            "failure",
            format!("{} ago  {}: {}", human::age(failure.at, now), failure.root.class, failure.root.message),
        );
    }
}

fn pod_line(view: &PodView, now: Time) -> String {
    let pod = &view.pod;
    let end = pod
        .last_termination
        .as_ref()
        .map(|end| format!("  last end {} ({})", end.reason, end.exit_code))
        .unwrap_or_default();
    let age = pod.created_at.map(|at| human::age(at, now)).unwrap_or_default();
    format!("{} {:<40} {:<18} restarts {:<4} age {age}{end}", pod.role.short(), pod.key.name, pod.status, pod.restarts)
}

fn pod(report: &mut Report, inventory: &Inventory, key: &ObjectKey, now: Time) {
    let Some(pod) = inventory.pod(key) else { return };
    report.heading(0, &format!("pod {}", key.name));
    report.fact(1, "environment", &key.environment);
    report.fact(1, "namespace", &key.namespace);
    report.fact(1, "processor", &pod.processor.name);
    report.fact(1, "role", pod.role.short());
    report.fact(1, "status", &pod.status);
    report.fact(1, "message", pod.message.as_deref().unwrap_or_default());
    report.fact(
        1,
        "containers",
        format!("{} of {} ready: {}", pod.ready, pod.containers.len(), pod.containers.join(", ")),
    );
    report.fact(1, "restarts", pod.restarts.to_string());
    if let Some(end) = &pod.last_termination {
        let at = end.finished_at.map(|at| format!(", {} ago", human::age(at, now))).unwrap_or_default();
        report.fact(1, "last end", format!("{} in {}, exit code {}{at}", end.reason, end.container, end.exit_code));
    }
    report.fact(1, "node", pod.node.as_deref().unwrap_or("not scheduled"));
    report.fact(1, "address", pod.address.as_deref().unwrap_or_default());
    if let Some(usage) = inventory.usage(key) {
        let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        report.fact(
            1,
            "cpu",
            format!("{}{}", human::cores(usage.cpu_millis), of(pod.cpu_limit_millis.map(human::cores))),
        );
        report.fact(
            1,
            "memory",
            format!("{}{}", human::bytes(usage.memory_bytes), of(pod.memory_limit_bytes.map(human::bytes))),
        );
    }
    report.fact(1, "age", pod.created_at.map(|at| human::age(at, now)).unwrap_or_default());
    events(report, inventory, key, &|object| object == &*key.name);
}

fn events(report: &mut Report, inventory: &Inventory, near: &ObjectKey, about: &dyn Fn(&str) -> bool) {
    let mut found: Vec<_> = inventory
        .events()
        .filter(|event| {
            event.key.environment == near.environment && event.key.namespace == near.namespace && about(&event.object)
        })
        .collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.last_at));
    if found.is_empty() {
        return;
    }
    report.heading(1, "events");
    for event in found {
        let level = if event.warning { "Warning" } else { "Normal" };
        report.push(2, &format!("{level} {} x{}: {}", event.reason, event.count, event.message));
    }
}
