//! The commands that change pipelines: apply, diff, deploy, stop, restart, scale, promote, rollback, decommission, adopt.

use std::path::PathBuf;

use clap::Args;

use super::change::{Changing, Form, at_desk, now, told};
use super::manifests::{self, Manifest};
use super::render::RuntimeName;
use super::{Failure, exit, output};
use crate::model::manifest::Runtime;
use crate::plan::guard::Consent;
use crate::plan::intent::Ask;
use crate::plan::remnants::Sweep;
use crate::plan::verb::Verb;
use crate::runtime::deploy::change::prepare;
use crate::runtime::deploy::desk::Desk;
use crate::runtime::deploy::order::{self, Base, Order, Wanted};
use crate::settings::Settings;
use crate::source::kube::change::Ownership;

/// Manifests and how they are meant.
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// Manifests (YAML): files, folders, or - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    paths: Vec<PathBuf>,
    /// What runs the processors, instead of what the manifest says
    #[arg(long, value_enum)]
    runtime: Option<RuntimeName>,
    /// The revision that the manifest was edited from [default: your own last one]: what others changed since is
    /// merged, or named
    #[arg(long, value_name = "REVISION")]
    base: Option<u64>,
}

/// Arguments of `flowdeck apply`.
#[derive(Clone, Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck diff`.
#[derive(Clone, Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    files: Files,
    /// End with code 5 when something differs
    #[arg(long)]
    exit_code: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

/// Arguments of the verbs that need only a name.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// The pipeline
    pipeline: String,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck decommission`.
#[derive(Clone, Debug, Args)]
pub struct Decommission {
    /// The pipeline
    pipeline: String,
    /// Delete the topics that it alone writes and reads too; without it all topics stay
    #[arg(long)]
    topics: bool,
    /// Delete its consumer groups too, once they have no members; without it they stay
    #[arg(long)]
    groups: bool,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck scale`.
#[derive(Clone, Debug, Args)]
pub struct Scale {
    /// The pipeline
    pipeline: String,
    /// The processor; not needed where there is one
    processor: Option<String>,
    /// Wanted TaskManagers
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    replicas: u32,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck rollback`.
#[derive(Clone, Debug, Args)]
pub struct Rollback {
    /// The pipeline
    pipeline: String,
    /// The revision [default: the one before]
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
    #[command(flatten)]
    changing: Changing,
}

/// Arguments of `flowdeck promote`.
#[derive(Clone, Debug, Args)]
pub struct Promote {
    /// The pipeline
    pipeline: String,
    /// Environment that it runs in
    #[arg(long, value_name = "ENVIRONMENT")]
    from: String,
    /// Environment that it goes to
    #[arg(long, value_name = "ENVIRONMENT")]
    to: String,
    #[command(flatten)]
    changing: Changing,
}

impl Files {
    fn wanted(&self, settings: &Settings) -> Result<Vec<Wanted>, Failure> {
        let found = manifests::pipelines(&self.paths, settings)?;
        if found.is_empty() {
            return Err(Failure::usage(anyhow::anyhow!("there is no pipeline in it")));
        }
        let wanted = |Manifest { pipeline, text }| Wanted {
            pipeline,
            text,
            runtime: self.runtime.map(Runtime::from),
            base: self.base.map_or(Base::OwnLast, Base::Revision),
        };
        Ok(found.into_iter().map(wanted).collect())
    }
}

pub(super) fn order(verb: Verb, ownership: Ownership) -> Order {
    Order { verb, note: String::new(), ownership, now: now() }
}

/// `flowdeck apply`.
pub fn apply(apply: &Apply, settings: &Settings) -> Result<u8, Failure> {
    let wanted = apply.files.wanted(settings)?;
    at_desk(settings, async |desk| {
        for wanted in &wanted {
            let wish = order::manifest(&desk, wanted, &order(Verb::Apply, apply.changing.ownership())).await?;
            let code = apply.changing.carry_out(&desk, wish).await?;
            if code != exit::OK {
                return Ok(code);
            }
        }
        Ok(exit::OK)
    })
}

/// `flowdeck diff`.
pub fn diff(diff: &Diff, settings: &Settings) -> Result<u8, Failure> {
    let wanted = diff.files.wanted(settings)?;
    at_desk(settings, async |desk| {
        let (mut proposals, mut differs) = (Vec::new(), false);
        for wanted in &wanted {
            let wish = order::manifest(&desk, wanted, &order(Verb::Apply, Ownership::Respect)).await?;
            let proposal = prepare(&desk, wish, &Consent::default()).await?.proposal;
            differs |= !proposal.is_empty();
            proposals.push(proposal);
        }
        match diff.output {
            Form::Json => output::print(&(serde_json::to_string_pretty(&proposals)? + "\n"))?,
            Form::Text => {
                for proposal in &proposals {
                    output::print(&output::clean_lines(&told(proposal)))?;
                    proposal.problems.iter().for_each(|problem| output::complain(&output::clean(problem)));
                }
            }
        }
        Ok(if differs && diff.exit_code { exit::DIFFERENT } else { exit::OK })
    })
}

/// `flowdeck deploy`, `stop`, `restart`, `savepoint`, `adopt`.
pub fn named(ask: &Ask, named: &Named, settings: &Settings) -> Result<u8, Failure> {
    asked(ask, &named.pipeline, (&named.changing, settings))
}

/// `flowdeck decommission`.
pub fn decommission(arguments: &Decommission, settings: &Settings) -> Result<u8, Failure> {
    let sweep = Sweep { topics: arguments.topics, groups: arguments.groups };
    asked(&Ask::Decommission(sweep), &arguments.pipeline, (&arguments.changing, settings))
}

/// `flowdeck scale`.
pub fn scale(scale: &Scale, settings: &Settings) -> Result<u8, Failure> {
    let ask = Ask::Scale { processor: scale.processor.clone(), replicas: scale.replicas };
    asked(&ask, &scale.pipeline, (&scale.changing, settings))
}

/// `flowdeck rollback`.
pub fn rollback(rollback: &Rollback, settings: &Settings) -> Result<u8, Failure> {
    asked(&Ask::Rollback { to: rollback.to }, &rollback.pipeline, (&rollback.changing, settings))
}

/// Does what is asked of a pipeline.
pub(super) fn asked(ask: &Ask, pipeline: &str, (changing, settings): (&Changing, &Settings)) -> Result<u8, Failure> {
    at_desk(settings, async |desk| {
        if *ask == Ask::Savepoint {
            return changing.savepoint(&desk, pipeline).await;
        }
        let order = order(ask.verb(), changing.ownership());
        let wish = order::asked(&desk, &desk, (pipeline, ask), &order).await?;
        changing.carry_out(&desk, wish).await
    })
}

/// `flowdeck promote`.
pub fn promote(promote: &Promote, settings: &Settings) -> Result<u8, Failure> {
    let only = |name: &str| {
        let mut one = settings.clone();
        one.environments.retain(|it| it.name == name);
        let unknown = || Failure::usage(anyhow::anyhow!("there is no environment {name} in the settings"));
        if one.environments.is_empty() { Err(unknown()) } else { Ok(one) }
    };
    let (from, to) = (only(&promote.from)?, only(&promote.to)?);
    at_desk(&to, async |to| {
        let Some(from) = from.environments.first() else { return Ok(exit::USAGE) };
        let from = Desk::open(from).await?;
        let order = order(Verb::Promote, promote.changing.ownership());
        let wish = order::promote(&from, &to, &promote.pipeline, &order).await?;
        promote.changing.carry_out(&to, wish).await
    })
}
