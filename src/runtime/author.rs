//! Writes the files of a new project. What is there already is never written over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::plan::starter::ProjectFile;

/// Why a project was not written.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// There is something of that name.
    #[error("{} exists: nothing was written; choose another folder", .0.display())]
    Exists(PathBuf),
    /// The file system does not do it.
    #[error("cannot write {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Writes files below a folder; where they are.
///
/// # Errors
/// When one of them exists, which is found before the first is written, or cannot be written.
pub fn write(folder: &Path, files: &[ProjectFile]) -> Result<Vec<PathBuf>, AuthorError> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
    if let Some(there) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(AuthorError::Exists(there.clone()));
    }
    for (file, path) in files.iter().zip(&paths) {
        one(file, path).map_err(|error| AuthorError::File { path: path.clone(), error })?;
    }
    Ok(paths)
}

fn one(file: &ProjectFile, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if file.is_program { 0o755 } else { 0o644 };
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    opened.write_all(file.text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_is_written_over_and_nothing_is_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str| ProjectFile { path: path.into(), text: "new".into(), is_program: path == "run" };
        fs::write(folder.path().join("b"), "old").unwrap();
        let error = write(folder.path(), &[file("a"), file("b")]).unwrap_err();
        assert!(matches!(error, AuthorError::Exists(_)), "{error}");
        assert!(!folder.path().join("a").exists());
        let written = write(folder.path(), &[file("deep/a"), file("run")]).unwrap();
        assert_eq!(fs::read_to_string(&written[0]).unwrap(), "new");
        assert_eq!(fs::metadata(&written[1]).unwrap().permissions().mode() & 0o111, 0o111);
    }
}
