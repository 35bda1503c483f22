//! Manifests that commands are given: files, folders or standard input, read and checked.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Failure, output};
use crate::model::config;
use crate::model::manifest::{self, Document, Judgement, Pipeline};
use crate::settings::Settings;

/// Longest file that is read.
const LONGEST_FILE: u64 = 4 << 20;

/// The files that a path means, with their texts.
pub fn texts(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().take(u64::try_from(config::LONGEST)? + 1).read_to_string(&mut text)?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), read(path)?)]);
    }
    let mut paths: Vec<PathBuf> = std::fs::read_dir(path)
        .with_context(|| format!("cannot list {}", path.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "yaml" || it == "yml" || it == "json"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| Ok((path.display().to_string(), read(&path)?))).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    let length = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(length <= LONGEST_FILE, "{} has {length} bytes: that is no manifest", path.display());
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A pipeline with the text that it was read from.
pub struct Manifest {
    /// The manifest.
    pub pipeline: Pipeline,
    /// Its text.
    pub text: String,
}

/// The pipelines of some files. What is wrong with them is said as `validate` says it, and nothing goes on.
///
/// # Errors
/// When a file cannot be read, holds an error, or all of them hold no pipeline.
pub fn pipelines(paths: &[PathBuf], settings: &Settings) -> Result<Vec<Manifest>, Failure> {
    let mut judgement = Judgement::default();
    judgement.production.extend(settings.environments.iter().filter(|it| it.is_production()).map(|it| it.name.clone()));
    let (mut found, mut errors) = (Vec::new(), 0);
    for path in paths {
        for (file, text) in texts(path).map_err(Failure::usage)? {
            let (documents, checked) = manifest::read(&text, &judgement);
            for problem in &checked.problems {
                output::complain(&super::validate::line(&file, problem));
            }
            errors += usize::from(!checked.is_valid());
            let texts = manifest::parts(&text);
            found.extend(documents.into_iter().zip(texts).filter_map(|(document, text)| match document {
                Document::Pipeline(pipeline) => Some(Manifest { pipeline: *pipeline, text }),
                Document::Processor(_) => None,
            }));
        }
    }
    if errors > 0 {
        return Err(anyhow::anyhow!("{errors} of the files have errors: nothing was done").into());
    }
    Ok(found)
}
