//! `flowdeck edit`: one manifest or configuration document, written with its checks at hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use super::{Failure, console};
use crate::app::editor::EditorScreen;
use crate::app::{Options, State};
use crate::model::config;
use crate::model::manifest::Judgement;
use crate::model::options::FlinkVersion;
use crate::runtime::files;
use crate::settings::Settings;

/// Arguments of `flowdeck edit`.
#[derive(Clone, Debug, Args)]
pub struct Edit {
    /// A manifest (YAML) or a configuration document (JSON); it need not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Version of Flink for what does not name one
    #[arg(long, value_parser = super::validate::version, default_value_t = FlinkVersion::default())]
    flink: FlinkVersion,
}

/// Opens the editor and stays until it ends.
pub fn run(edit: &Edit, mut settings: Settings) -> Result<u8, Failure> {
    // A file needs no cluster.
    settings.environments.clear();
    let path: Arc<Path> = std::path::absolute(&edit.file).map_err(Failure::usage)?.into();
    let file = read(&path).map_err(Failure::usage)?;
    let judgement = Judgement { flink: edit.flink, ..Judgement::default() };
    let begin = move |options: Options| {
        State::editing(options, EditorScreen::new(path.clone(), file, files::draft_of(&path), judgement))
    };
    console::run_with(&settings, begin)
}

fn read(path: &Path) -> anyhow::Result<Option<Arc<str>>> {
    if let Ok(facts) = std::fs::metadata(path) {
        let (length, most) = (facts.len(), u64::try_from(config::LONGEST)? * 4);
        anyhow::ensure!(facts.is_file(), "{} is not a file", path.display());
        anyhow::ensure!(length <= most, "{} has {length} bytes: that is no manifest", path.display());
    }
    files::text_of(path).with_context(|| format!("cannot read {}", path.display()))
}
