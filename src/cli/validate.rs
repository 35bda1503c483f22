//! `flowdeck validate`: manifests and configuration documents, checked without a cluster.
//!
//! For an editor's save hook and a repository's checks: one line for each problem, as compilers write them. It must not
//! connect to anything.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::manifests::texts;
use super::{Failure, exit, output};
use crate::model::config::{self, Problem, Setting, Severity};
use crate::model::human;
use crate::model::manifest::{self, Judgement};
use crate::model::options::FlinkVersion;

/// Arguments of `flowdeck validate`.
#[derive(Clone, Debug, Args)]
pub struct Validate {
    /// Manifests (YAML) and configuration documents (JSON): files, folders, or - for standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Version of Flink for what does not name one
    #[arg(long, value_parser = version, default_value_t = FlinkVersion::default())]
    flink: FlinkVersion,
    /// Environments where nothing temporary may run
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values_t = Judgement::default().production)]
    production: Vec<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each problem, as compilers write it
    Text,
    /// One array of problems
    Json,
}

pub fn version(text: &str) -> Result<FlinkVersion, String> {
    FlinkVersion::parse(text).ok_or_else(|| "a version is written as 2.2".to_owned())
}

/// A problem and its file.
#[derive(Serialize)]
struct Found {
    file: String,
    #[serde(flatten)]
    problem: Problem,
}

/// Checks the files and prints what is wrong.
pub fn run(validate: &Validate) -> Result<u8, Failure> {
    let judgement = Judgement { flink: validate.flink, production: validate.production.clone() };
    let (mut found, mut files) = (Vec::new(), 0);
    for path in &validate.files {
        if path.extension().is_some_and(|extension| extension == "toml") {
            let words = "is no manifest; a signals spec is checked by flowdeck signals check --spec";
            return Err(Failure::usage(anyhow::anyhow!("{} {words}", path.display())));
        }
        for (file, text) in texts(path).map_err(Failure::usage)? {
            files += 1;
            let problems = if is_json(&file, &text) {
                config::check(&text, Setting { flink: validate.flink, ..Setting::default() })
            } else {
                manifest::check(&text, &judgement).problems
            };
            found.extend(problems.into_iter().map(|problem| Found { file: file.clone(), problem }));
        }
    }
    match validate.output {
        Form::Json => output::print(&(serde_json::to_string_pretty(&found)? + "\n"))?,
        Form::Text => output::print(&found.iter().map(|it| line(&it.file, &it.problem) + "\n").collect::<String>())?,
    }
    let errors = found.iter().filter(|found| found.problem.severity == Severity::Error).count();
    if validate.output == Form::Text {
        let numbers = [(files, "file"), (errors, "error"), (found.len() - errors, "warning")];
        output::complain(&numbers.map(|(number, word)| human::counted(number, word)).join(", "));
    }
    Ok(if errors > 0 { exit::FAILED } else { exit::OK })
}

/// A problem as compilers write it.
pub fn line(file: &str, problem: &Problem) -> String {
    let Problem { severity, line, column, path, message, .. } = problem;
    let word = if *severity == Severity::Error { "error" } else { "warning" };
    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
    output::clean(&format!("{file}:{line}:{column}: {word}: {path}{message}"))
}

/// A configuration document is JSON; what else there is are manifests.
fn is_json(file: &str, text: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "json") || text.trim_start().starts_with('{')
}
