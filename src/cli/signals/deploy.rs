//! `flowdeck signals deploy`, `stop` and `status`: the spec as a job of Flink, managed like any other pipeline.
//!
//! How: a manifest whose one processor is the rendered script goes the way of `flowdeck apply`, so that it has revisions,
//! rollback, savepoints, change windows and protection, and is found by everything that lists pipelines.
//!
//! It must not write a secret: the job's Kafka client reads its own from a mounted Secret.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::first_window::FirstWindow;
use super::render::Policy;
use super::{Failure, Shared};
use crate::cli::change::{self, Changing, at_desk};
use crate::cli::output::Format;
use crate::cli::render::{RuntimeName, the_environment};
use crate::cli::{deploy, get};
use crate::engine::Spec;
use crate::engine::flink_sql::{self, Late, Place};
use crate::model::manifest::{self, Document, Judgement, Runtime};
use crate::plan::intent::Ask;
use crate::plan::target::KafkaClient;
use crate::plan::verb::Verb;
use crate::runtime::deploy::order::{self, Base, Wanted};
use crate::runtime::deploy::target::target;

/// Coordinates of the image that runs it: Flink with its SQL gateway in `opt` and the Kafka connector in `lib`.
const ARTIFACT: &str = concat!("dev.flowdeck:signals-sql:", env!("CARGO_PKG_VERSION"));
/// Longest name of a pipeline.
const LONGEST_NAME: usize = 27;

/// Whose job.
#[derive(Clone, Debug, Args)]
struct Which {
    /// Signals spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Name of the pipeline [default: the spec's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// Arguments of `flowdeck signals deploy`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The image ([environment.deploy] image, of the artifact dev.flowdeck:signals-sql) is Flink 2.0 or newer with its SQL gateway in opt and the Kafka connector in lib. `flowdeck signals plan` says how large the job has to be."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// What becomes of events after their window: a job tells each window once
    #[arg(long, value_enum, value_name = "WHAT")]
    late: Option<Policy>,
    /// Tell windows from this one on, and leave those before it to whoever wrote them: next, or its start as 2026-11-22T16:00:00Z
    #[arg(long, value_name = "WHEN")]
    first_window: Option<FirstWindow>,
    /// TaskManagers
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    replicas: u32,
    /// Cores of a TaskManager, and its slots
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    cpu: u32,
    /// Memory of a TaskManager
    #[arg(long, value_name = "AMOUNT", default_value = "4Gi")]
    memory: String,
    /// Part of the consumer group's name; another one reads the topics anew
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    offset_version: u32,
    /// Who answers for it
    #[arg(long, value_name = "TEAM", default_value = "golden-signals")]
    team: String,
    /// What runs it
    #[arg(long, value_enum, default_value = "operator")]
    runtime: RuntimeName,
    /// Flink's version
    #[arg(long, value_name = "VERSION", default_value = "2.2")]
    flink_version: String,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck signals stop`.
#[derive(Clone, Debug, Args)]
pub(super) struct Stop {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck signals status`.
#[derive(Clone, Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    which: Which,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Which {
    fn pipeline(&self, spec: &Spec) -> String {
        self.name.clone().unwrap_or_else(|| named(&spec.name))
    }

    fn read(&self) -> Result<(Spec, String), Failure> {
        let spec = super::read_spec(&self.spec)?;
        let name = self.pipeline(&spec);
        Ok((spec, name))
    }
}

/// A spec's name as one of a pipeline: letters, digits and hyphens, the first a letter.
fn named(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(plain).collect();
    let text = text.trim_matches(|letter: char| !letter.is_ascii_lowercase() && !letter.is_ascii_digit());
    let begun = if text.starts_with(|first: char| first.is_ascii_lowercase()) {
        text.to_owned()
    } else {
        format!("signals-{text}")
    };
    let short: String = begun.chars().take(LONGEST_NAME).collect();
    short.trim_end_matches('-').to_owned()
}

/// Deploys it, or changes what was deployed.
pub(super) fn run(arguments: &Arguments, shared: &Shared) -> Result<u8, Failure> {
    let (spec, name) = arguments.which.read()?;
    let settings = shared.load()?;
    let environment = the_environment(&settings)?;
    let target =
        target(environment, None).context("the Kafka properties file cannot be read").map_err(Failure::usage)?;
    let text = manifest(arguments, (&spec, &name), (&environment.name, &target.kafka))?;
    let (documents, checked) = manifest::read(&text, &Judgement::default());
    let pipeline = documents.into_iter().find_map(|document| match document {
        Document::Pipeline(pipeline) => Some(*pipeline),
        Document::Processor(_) => None,
    });
    let problem = checked.problems.iter().find(|problem| problem.severity == crate::model::config::Severity::Error);
    let (Some(pipeline), None) = (pipeline, problem) else {
        let words = problem.map_or_else(String::new, |problem| format!("{}: {}", problem.path, problem.message));
        return Err(Failure::usage(anyhow::anyhow!("this cannot be a pipeline: {words}")));
    };
    let runtime = Some(Runtime::from(arguments.runtime));
    let wanted = Wanted { pipeline, text, runtime, base: Base::OwnLast };
    at_desk(&settings, async |desk| {
        let wish = order::manifest(&desk, &wanted, &deploy::order(Verb::Apply, arguments.changing.ownership())).await?;
        arguments.changing.carry_out(&desk, wish).await
    })
}

/// The job as a manifest.
fn manifest(
    arguments: &Arguments,
    (spec, name): (&Spec, &str),
    (environment, kafka): (&str, &KafkaClient),
) -> Result<String, Failure> {
    let sql = script(arguments, (spec, name), kafka)?;
    let config = json!({"flink": {"conf": {
        "taskmanager.numberOfTaskSlots": arguments.cpu,
        "execution.checkpointing.interval": "30 s",
    }}});
    let step = json!({
        "name": name,
        "artifact": ARTIFACT,
        "replicas": arguments.replicas,
        "cpu": arguments.cpu,
        "memory": arguments.memory,
        "offsetVersion": arguments.offset_version,
        "inputs": spec.source.topics,
        "outputs": spec.source.rows.iter().collect::<Vec<_>>(),
        "config": config.to_string(),
        "sql": sql,
    });
    let manifest = json!({
        "apiVersion": manifest::API_VERSION,
        "kind": "Pipeline",
        "metadata": {"name": name, "team": arguments.team, "description": "Golden signals, counted by Flink"},
        "spec": {
            "environments": [environment],
            "runtime": match Runtime::from(arguments.runtime) {
                Runtime::Operator => "operator",
                Runtime::Standalone => "standalone",
            },
            "flinkVersion": arguments.flink_version,
            "processors": [step],
        },
    });
    Ok(serde_saphyr::to_string(&manifest)?)
}

/// The script that the job is.
fn script(arguments: &Arguments, (spec, name): (&Spec, &str), kafka: &KafkaClient) -> Result<String, Failure> {
    let bootstrap = kafka.bootstrap.as_deref().ok_or_else(|| {
        Failure::usage(anyhow::anyhow!("the environment has no Kafka bootstrap servers: say where the brokers are"))
    })?;
    let properties = kafka.by_reference().into_iter().collect();
    // As the processor's group is called everywhere else.
    let group = format!("{name}.{name}.v{}", arguments.offset_version);
    let late = arguments.late.map(Late::from);
    let first_window = arguments.first_window.map(|first| first.start(spec, change::now().timestamp_millis()));
    let first_window = first_window.transpose().map_err(Failure::usage)?;
    let place = Place { bootstrap, properties: &properties, group: Some(&group), first_window, late };
    flink_sql::render(spec, &place).with_context(|| arguments.which.spec.display().to_string()).map_err(Failure::usage)
}

/// Stops it.
pub(super) fn stop(stop: &Stop, shared: &Shared) -> Result<u8, Failure> {
    let (_, name) = stop.which.read()?;
    deploy::asked(&Ask::Stop, &name, (&stop.changing, &shared.load()?))
}

/// Prints how it is.
pub(super) fn status(status: &Status, shared: &Shared) -> Result<u8, Failure> {
    let (_, name) = status.which.read()?;
    get::run(&get::Get::pipeline(name, status.output), &shared.load()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specs_name_becomes_a_pipelines() {
        for (name, expected) in [
            ("golden-signals", "golden-signals"),
            ("Golden Signals (EU)", "golden-signals--eu"),
            ("7 days", "signals-7-days"),
            ("ßß", "signals"),
            ("a very long name of some signals", "a-very-long-name-of-some-si"),
        ] {
            assert_eq!(named(name), expected);
        }
    }
}
