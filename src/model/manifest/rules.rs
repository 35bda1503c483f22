//! The rules that types cannot hold.

use serde_saphyr::Spanned;

use super::Judgement;
use super::graph;
use super::wire::{Document, Identity, Pipeline, Runtime, Step, problem};
use crate::model::config::{self, Problem, Setting};
use crate::model::options::FlinkVersion;

/// Longest name.
pub(super) const LONGEST_NAME: usize = 27;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 256;
/// Levels of a taxonomy.
const LEVELS: usize = 3;
/// Longest acronym of an icon.
const LONGEST_ACRONYM: usize = 4;
/// Most TaskManagers of one processor.
const MOST_REPLICAS: u32 = 10_000;
/// Units of memory as Kubernetes writes them; the portal's `G` is Kubernetes' own.
const MEMORY_UNITS: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "M", "G"];

/// What is wrong with something at its place in the text.
fn wrong<T>(at: &Spanned<T>, path: &str, message: impl Into<String>) -> Problem {
    problem(at.referenced.line(), at.referenced.column(), path, message.into())
}

pub(super) fn check(document: &Document, judgement: &Judgement, problems: &mut Vec<Problem>) {
    identity(document.identity(), problems);
    match document {
        Document::Processor(processor) => artifact(&processor.spec.artifact, "spec.artifact", problems),
        Document::Pipeline(it) => pipeline(it, judgement, problems),
    }
}

/// Whether a name is one: it starts with a letter and has letters, digits and hyphens.
fn name(name: &Spanned<String>, path: &str, problems: &mut Vec<Problem>) {
    let text = &name.value;
    let length = text.chars().count();
    if length > LONGEST_NAME {
        problems.push(wrong(name, path, format!("has {length} characters; {LONGEST_NAME} are the most")));
    }
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let goes_on_well = text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if !starts_well || !goes_on_well || text.ends_with('-') {
        let rule = "must start with a letter, have only letters, digits and hyphens, and not end with a hyphen";
        problems.push(wrong(name, path, rule));
    }
}

fn identity(identity: &Identity, problems: &mut Vec<Problem>) {
    name(&identity.name, "metadata.name", problems);
    if identity.team.value.trim().is_empty() {
        problems.push(wrong(&identity.team, "metadata.team", "must name who answers for it"));
    }
    if let Some(description) = &identity.description {
        let length = description.value.chars().count();
        if length > LONGEST_DESCRIPTION {
            let words = format!("has {length} characters; {LONGEST_DESCRIPTION} are the most");
            problems.push(wrong(description, "metadata.description", words));
        }
    }
    if let Some(taxonomy) = &identity.taxonomy
        && (taxonomy.value.len() != LEVELS || taxonomy.value.iter().any(|level| level.trim().is_empty()))
    {
        problems.push(wrong(taxonomy, "metadata.taxonomy", "must have three levels: [L0, L1, L2]"));
    }
    if let Some(tracker) = &identity.tracker
        && !(tracker.value.starts_with(|first: char| first.is_ascii_uppercase())
            && tracker.value.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit()))
    {
        problems.push(wrong(tracker, "metadata.tracker", "must be a project's key in capitals, such as IDFSP"));
    }
    if let Some(alias) = &identity.alias
        && (alias.value.is_empty()
            || !alias
                .value
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())))
    {
        let rule = "must be lowercase letters and digits between dots, without special characters";
        problems.push(wrong(alias, "metadata.alias", rule));
    }
    if let Some(icon) = &identity.icon {
        let length = icon.acronym.value.chars().count();
        let is_plain = icon.acronym.value.chars().all(|letter| letter.is_ascii_alphanumeric());
        if !(1..=LONGEST_ACRONYM).contains(&length) || !is_plain {
            problems.push(wrong(&icon.acronym, "metadata.icon.acronym", "must be one to four letters or digits"));
        }
    }
}

/// `group:artifact:version`, as Maven writes it.
fn artifact(artifact: &Spanned<String>, path: &str, problems: &mut Vec<Problem>) {
    let parts: Vec<&str> = artifact.value.split(':').collect();
    if parts.len() < 3 || parts.iter().any(|part| part.trim().is_empty() || part.contains(char::is_whitespace)) {
        problems.push(wrong(artifact, path, "must be group:artifact:version"));
    }
}

fn pipeline(pipeline: &Pipeline, judgement: &Judgement, problems: &mut Vec<Problem>) {
    let spec = &pipeline.spec;
    for environment in &spec.environments {
        let is_production = judgement.production.contains(&environment.value);
        if pipeline.metadata.temporary && is_production {
            let words = format!("{} is production, and a temporary pipeline never goes there", environment.value);
            problems.push(wrong(environment, "spec.environments", words));
        }
    }
    if spec.environments.is_empty() {
        problems.push(wrong(&pipeline.metadata.name, "spec.environments", "names no environment"));
    }
    if spec.processors.is_empty() {
        problems.push(wrong(&pipeline.metadata.name, "spec.processors", "has no processor"));
    }
    let mut flink = judgement.flink;
    if let Some(version) = &spec.flink_version {
        match FlinkVersion::parse(&version.value) {
            Some(known) => flink = known,
            None => problems.push(wrong(version, "spec.flinkVersion", "must be a version such as 2.2")),
        }
    }
    let with_operator = spec.runtime == Runtime::Operator;
    for step in &spec.processors {
        let setting = Setting { flink, task_managers: Some(step.replicas.value), with_operator };
        processor(step, setting, problems);
    }
    overrides(pipeline, flink, problems);
    graph::check(pipeline, problems);
}

/// What an environment has of its own obeys the same rules, and names what is there.
fn overrides(pipeline: &Pipeline, flink: FlinkVersion, problems: &mut Vec<Problem>) {
    let spec = &pipeline.spec;
    let known = |name: &str| spec.processors.iter().any(|step| step.name.value == name);
    for (environment, changes) in &spec.overrides {
        let path = format!("spec.overrides.{environment}");
        if !spec.environments.iter().any(|it| it.value == *environment) {
            let words = format!("{environment} is none of this pipeline's environments");
            problems.push(wrong(&pipeline.metadata.name, &path, words));
        }
        for name in changes.keys().filter(|name| !known(name)) {
            let words = format!("{name} is no processor of this pipeline");
            problems.push(wrong(&pipeline.metadata.name, &path, words));
        }
        for step in spec.steps_in(environment).iter().filter(|step| changes.contains_key(&step.name.value)) {
            let with_operator = spec.runtime == Runtime::Operator;
            let mut found = Vec::new();
            processor(step, Setting { flink, task_managers: Some(step.replicas.value), with_operator }, &mut found);
            // What is wrong without the override was said already.
            found.retain(|problem| !problems.contains(problem));
            problems.append(&mut found);
        }
    }
}

fn processor(step: &Step, setting: Setting, problems: &mut Vec<Problem>) {
    let path = |field: &str| format!("spec.processors.{}.{field}", step.name.value);
    name(&step.name, &path("name"), problems);
    artifact(&step.artifact, &path("artifact"), problems);
    if !(1..=MOST_REPLICAS).contains(&step.replicas.value) {
        problems.push(wrong(&step.replicas, &path("replicas"), format!("must be from 1 to {MOST_REPLICAS}")));
    }
    if !(step.cpu.value > 0.0 && step.cpu.value <= 1_000.0) {
        problems.push(wrong(&step.cpu, &path("cpu"), "must be more than 0 cores, and at most 1000"));
    }
    let number = step.memory.value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = step.memory.value.strip_prefix(number).unwrap_or_default();
    if number.parse::<f64>().ok().is_none_or(|number| number <= 0.0) || !MEMORY_UNITS.contains(&unit) {
        let words = format!("must be an amount with a unit ({}), such as 4Gi", MEMORY_UNITS.join(", "));
        problems.push(wrong(&step.memory, &path("memory"), words));
    }
    for (topics, field) in [(&step.inputs, "inputs"), (&step.outputs, "outputs")] {
        for topic in topics {
            if !is_topic(&topic.value) {
                let rule = "is no topic's name: at most 249 of letters, digits, dots, hyphens and underscores";
                problems.push(wrong(topic, &path(field), rule));
            }
        }
    }
    if let Some(document) = &step.config {
        let found = config::check(&document.value, setting);
        problems.extend(found.into_iter().map(|inner| inside(inner, document, &path("config"))));
    }
}

/// Kafka's own rule.
fn is_topic(name: &str) -> bool {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    (1..=249).contains(&name.len()) && is_plain && name != "." && name != ".."
}

/// A problem inside a configuration document, at its place in the manifest: a block's text begins below its key.
fn inside(inner: Problem, document: &Spanned<String>, path: &str) -> Problem {
    let number = |number: u64| usize::try_from(number).unwrap_or(1);
    let (first, indent) = (number(document.referenced.line()), number(document.referenced.column()));
    let path = format!("{path} {}", inner.path).trim_end().to_owned();
    let (line, column) = (first + inner.line - 1, indent + inner.column - 1);
    Problem { line, column, path, ..inner }
}
