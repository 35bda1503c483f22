//! `flowdeck render`: the objects that a pipeline means, for a repository or another tool.
//!
//! It must not connect to anything.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Failure, exit, manifests, output};
use crate::model::manifest::Runtime;
use crate::plan::render;
use crate::runtime::deploy::target::target;
use crate::settings::{EnvironmentSettings, Settings};

/// Arguments of `flowdeck render`.
#[derive(Clone, Debug, Args)]
pub struct Render {
    /// Manifests (YAML): files, folders, or - for standard input
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What runs the processors, instead of what the manifest says
    #[arg(long, value_enum)]
    runtime: Option<RuntimeName>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// A runtime by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RuntimeName {
    /// The Flink Kubernetes operator
    Operator,
    /// Plain workloads
    Standalone,
}

impl From<RuntimeName> for Runtime {
    fn from(name: RuntimeName) -> Self {
        match name {
            RuntimeName::Operator => Self::Operator,
            RuntimeName::Standalone => Self::Standalone,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Documents as kubectl takes them
    #[default]
    Yaml,
    /// One array of objects
    Json,
}

/// Prints the objects.
pub fn run(arguments: &Render, settings: &Settings) -> Result<u8, Failure> {
    let environment = the_environment(settings)?;
    let target =
        target(environment, None).context("the Kafka properties file cannot be read").map_err(Failure::usage)?;
    let mut objects: Vec<Value> = Vec::new();
    for manifests::Manifest { pipeline, .. } in manifests::pipelines(&arguments.files, settings)? {
        let runtime = arguments.runtime.map_or(pipeline.spec.runtime, Runtime::from);
        let rendered = render::render(&pipeline, &target, runtime)?;
        rendered.notes.iter().for_each(|note| output::complain(note));
        objects.extend(rendered.objects().cloned());
    }
    if objects.is_empty() {
        output::complain("there is no pipeline in it: processors are rendered with the pipelines that run them");
    }
    output::print(&match arguments.output {
        Form::Json => serde_json::to_string_pretty(&objects)? + "\n",
        Form::Yaml => {
            let documents = objects.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>()?;
            documents.iter().map(|document| format!("---\n{document}")).collect()
        }
    })?;
    Ok(exit::OK)
}

/// The one environment that a command is about.
///
/// # Errors
/// When the settings have several and none was chosen.
pub fn the_environment(settings: &Settings) -> Result<&EnvironmentSettings, Failure> {
    match settings.environments.as_slice() {
        [one] => Ok(one),
        several => {
            let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
            let known = names.join(", ");
            Err(Failure::usage(anyhow::anyhow!("which environment? name one of them with -e: {known}")))
        }
    }
}
