//! The audit file: lines are added, never changed.
//!
//! Each line is one write to a file opened for appending, synced before the change that it announces goes on, so that
//! two programs do not mix their lines and a crash loses none.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::plan::audit::Line;

/// `$FLOWDECK_AUDIT`, else `audit.jsonl` in the user's state directory.
#[must_use]
pub fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("FLOWDECK_AUDIT").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("flowdeck").join("audit.jsonl"))
}

/// Adds a line.
///
/// # Errors
/// When it cannot be written: then nothing may be changed either.
pub fn append(path: &Path, line: &Line) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let text = serde_json::to_string(line)? + "\n";
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// The lines, oldest first, and how many could not be read.
///
/// # Errors
/// When the file cannot be read; one that does not exist is empty.
pub fn read(path: &Path) -> io::Result<(Vec<Line>, usize)> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let (mut lines, mut broken) = (Vec::new(), 0);
    for text in BufReader::new(file).lines() {
        match serde_json::from_str(&text?) {
            Ok(line) => lines.push(line),
            Err(_) => broken += 1,
        }
    }
    Ok((lines, broken))
}

/// The newest line that is wanted, without holding the others.
///
/// # Errors
/// When the file cannot be read; one that does not exist is empty.
pub fn newest(path: &Path, wanted: impl Fn(&Line) -> bool) -> io::Result<Option<Line>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut newest = None;
    for text in BufReader::new(file).lines() {
        newest = serde_json::from_str(&text?).ok().filter(&wanted).or(newest);
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::audit::Outcome;
    use crate::plan::verb::Verb;

    #[test]
    fn lines_are_added_and_a_broken_one_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/audit.jsonl");
        assert_eq!(read(&path).unwrap(), (Vec::new(), 0));
        let line = Line {
            at: chrono::DateTime::UNIX_EPOCH,
            by: "ann".into(),
            environment: "prd".into(),
            server: "https://s".into(),
            namespace: "team".into(),
            pipeline: "em".into(),
            verb: Verb::Stop,
            revision: None,
            changes: vec!["spec.job.state: running → suspended".into()],
            outcome: Outcome::Done,
            message: "two\nlines".into(),
        };
        append(&path, &line).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{half\n").unwrap();
        append(&path, &line).unwrap();
        assert_eq!(read(&path).unwrap(), (vec![line.clone(), line.clone()], 1));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 3);
        let later = Line { pipeline: "other".into(), outcome: Outcome::Failed, ..line.clone() };
        append(&path, &later).unwrap();
        assert_eq!(newest(&path, |it| it.pipeline == "em").unwrap(), Some(line));
        assert_eq!(newest(&path, |it| it.outcome == Outcome::Failed).unwrap(), Some(later));
        assert_eq!(newest(&path, |it| it.pipeline == "none").unwrap(), None);
    }
}
