//! A file, or the `*.json` files of a folder, on this machine.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FILE_LIMIT, add_bytes};
use crate::model::document::Document;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    last: Option<Arc<[Document]>>,
}

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, last: None }
    }

    pub(super) fn location(&self) -> Arc<str> {
        self.path.display().to_string().into()
    }

    pub(super) async fn fetch(&mut self) -> Result<Option<Arc<[Document]>>, String> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await.map_err(|error| error.to_string())?;
        let documents: Arc<[Document]> = read?.into();
        if self.last.as_ref() == Some(&documents) {
            return Ok(None);
        }
        self.last = Some(documents.clone());
        Ok(Some(documents))
    }
}

fn read(path: &Path) -> Result<Vec<Document>, String> {
    let refuse = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut sum = 0;
    if !fs::metadata(path).map_err(refuse)?.is_dir() {
        return Ok(vec![document(path, &mut sum)?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(refuse)? {
        let file = entry.map_err(refuse)?.path();
        let is_hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        // A config map's files are links.
        if !is_hidden && file.extension().is_some_and(|extension| extension == "json") && !file.is_dir() {
            files.push(file);
        }
        if files.len() > FILE_LIMIT {
            return Err(format!("{} holds more than {FILE_LIMIT} files", path.display()));
        }
    }
    files.sort();
    files.iter().map(|file| document(file, &mut sum)).collect()
}

fn document(path: &Path, sum: &mut usize) -> Result<Document, String> {
    let refuse = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if !fs::metadata(path).map_err(refuse)?.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let limit = u64::try_from(super::BYTE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    fs::File::open(path).map_err(refuse)?.take(limit).read_to_end(&mut content).map_err(refuse)?;
    add_bytes(sum, content.len())?;
    Ok(Document { name: path.display().to_string().into(), content: content.into() })
}
