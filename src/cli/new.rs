//! `flowdeck new`: a manifest by the rules, and a project to begin with. It connects to nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::{Failure, exit, output};
use crate::model::config::Severity;
use crate::model::manifest::draft::{Draft, DraftStep};
use crate::model::manifest::{Judgement, Kind};
use crate::plan::starter::{ProjectFile, Starter, project};
use crate::runtime::author::{self, AuthorError};

/// Arguments of `flowdeck new`.
#[derive(Clone, Debug, Args)]
pub struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// A processor: its manifest, and a project with a local run, a test and golden signals
    Processor(NewProcessor),
    /// A pipeline: its manifest
    Pipeline(NewPipeline),
}

/// Who it is.
#[derive(Clone, Debug, Args)]
struct Who {
    /// Its name: a letter first; letters, digits, hyphens; at most 27
    name: String,
    /// Who answers for it
    #[arg(long)]
    team: String,
    /// At most 256 characters
    #[arg(long, default_value = "")]
    description: String,
    /// Three levels: "Data > Processing > Stream Processing"
    #[arg(long, default_value = "", value_name = "LEVELS")]
    taxonomy: String,
    /// Key in the issue tracker, such as IDFSP
    #[arg(long, default_value = "", value_name = "KEY")]
    tracker: String,
    /// Only its team may find it
    #[arg(long)]
    private: bool,
    /// Asset alias [default: made from the taxonomy, or the team, and the name]
    #[arg(long, default_value = "", hide_default_value = true)]
    alias: String,
    /// One to four letters or digits of its icon
    #[arg(long, default_value = "", value_name = "LETTERS")]
    acronym: String,
    /// Colour of its icon: red, green, yellow, blue, magenta, cyan, grey
    #[arg(long, default_value = "blue")]
    colour: String,
    /// It is somebody else's
    #[arg(long)]
    third_party: bool,
    /// It expires 30 days on, and never goes to production
    #[arg(long)]
    temporary: bool,
    /// Folder that it is written to [default: its name]
    #[arg(short, long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// Print the manifest, and write nothing
    #[arg(long)]
    print: bool,
}

#[derive(Clone, Debug, Args)]
struct NewProcessor {
    #[command(flatten)]
    who: Who,
    /// Coordinates: group:artifact:version [default: made from team and name]
    #[arg(long, default_value = "", hide_default_value = true)]
    artifact: String,
    /// The project to begin with
    #[arg(long, value_enum, default_value_t)]
    starter: StarterName,
}

#[derive(Clone, Debug, Args)]
struct NewPipeline {
    #[command(flatten)]
    who: Who,
    /// Environments that it may run in
    #[arg(long = "in", value_name = "ENVIRONMENT", value_delimiter = ',', default_value = "qal")]
    environments: Vec<String>,
    /// Processors in their order, each joined to the one before by a topic: NAME=GROUP:ARTIFACT:VERSION
    #[arg(long = "processor", value_name = "NAME=COORDINATES", required = true)]
    processors: Vec<String>,
    /// Topic that the first one reads [default: NAME-in]
    #[arg(long, value_name = "TOPIC")]
    input: Option<String>,
    /// Topic that the last one writes [default: NAME-out]
    #[arg(long, value_name = "TOPIC")]
    output: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum StarterName {
    /// A Beam pipeline in Java
    #[default]
    BeamJava,
    /// Statements of Flink SQL
    FlinkSql,
    /// The manifest alone
    None,
}

impl Who {
    fn draft(&self, kind: Kind) -> Draft {
        Draft {
            name: self.name.clone(),
            team: self.team.clone(),
            description: self.description.clone(),
            taxonomy: self.taxonomy.clone(),
            tracker: self.tracker.clone(),
            is_private: self.private,
            alias: self.alias.clone(),
            acronym: self.acronym.clone(),
            colour: self.colour.clone(),
            is_third_party: self.third_party,
            is_temporary: self.temporary,
            ..Draft::new(kind)
        }
    }

    /// Checks the draft, and writes the files that it makes.
    fn write(&self, draft: &Draft, files: &[ProjectFile]) -> Result<u8, Failure> {
        let problems = draft.problems(&Judgement::default());
        for problem in &problems {
            let word = if problem.severity == Severity::Error { "error" } else { "warning" };
            output::complain(&output::clean(&format!("{word}: {}: {}", problem.path, problem.message)));
        }
        if problems.iter().any(|it| it.severity == Severity::Error) {
            return Ok(exit::FAILED);
        }
        if self.print {
            output::print(&draft.manifest())?;
            return Ok(exit::OK);
        }
        let folder = self.directory.clone().unwrap_or_else(|| PathBuf::from(draft.name.to_lowercase()));
        let written = author::write(&folder, files).map_err(|error| match error {
            AuthorError::Exists(_) => Failure::usage(error),
            AuthorError::File { .. } => error.into(),
        })?;
        for path in &written {
            output::print(&format!("{}\n", output::clean(&path.display().to_string())))?;
        }
        output::complain(&next(&folder, files));
        Ok(exit::OK)
    }
}

/// What to do next.
fn next(folder: &Path, files: &[ProjectFile]) -> String {
    let folder = folder.display();
    if files.iter().any(|it| it.is_program) {
        output::clean(&format!("next: cd {folder} && ./run-local; README.md says the rest"))
    } else {
        output::clean(&format!("next: flowdeck validate -f {folder}"))
    }
}

/// Writes what was asked for.
pub fn run(new: &New) -> Result<u8, Failure> {
    match &new.what {
        What::Processor(it) => {
            let draft = Draft { artifact: it.artifact.clone(), ..it.who.draft(Kind::Processor) };
            let starter = match it.starter {
                StarterName::BeamJava => Some(Starter::BeamJava),
                StarterName::FlinkSql => Some(Starter::FlinkSql),
                StarterName::None => None,
            };
            let alone = || vec![manifest(&draft, "processor.yaml")];
            let files = starter.map_or_else(alone, |starter| project(&draft, starter));
            it.who.write(&draft, &files)
        }
        What::Pipeline(it) => {
            let draft = Draft {
                environments: it.environments.clone(),
                steps: it.steps().map_err(Failure::usage)?,
                ..it.who.draft(Kind::Pipeline)
            };
            it.who.write(&draft, &[manifest(&draft, "pipeline.yaml")])
        }
    }
}

fn manifest(draft: &Draft, path: &str) -> ProjectFile {
    ProjectFile { path: path.to_owned(), text: draft.manifest(), is_program: false }
}

impl NewPipeline {
    /// The processors, each joined to the next by a topic of its own.
    fn steps(&self) -> anyhow::Result<Vec<DraftStep>> {
        let name = &self.who.name;
        let named = |text: &String| -> anyhow::Result<(String, String)> {
            let (name, artifact) = text.split_once('=').with_context(|| format!("{text} is not NAME=COORDINATES"))?;
            Ok((name.to_owned(), artifact.to_owned()))
        };
        let named: Vec<(String, String)> = self.processors.iter().map(named).collect::<Result<_, _>>()?;
        let mut topic = self.input.clone().unwrap_or_else(|| format!("{name}-in"));
        let mut steps = Vec::new();
        for (index, (step, artifact)) in named.iter().enumerate() {
            let is_last = index + 1 == named.len();
            let last = || self.output.clone().unwrap_or_else(|| format!("{name}-out"));
            let output = if is_last { last() } else { format!("{name}.{step}") };
            let inputs = vec![std::mem::replace(&mut topic, output.clone())];
            steps.push(DraftStep { name: step.clone(), artifact: artifact.clone(), inputs, outputs: vec![output] });
        }
        Ok(steps)
    }
}
