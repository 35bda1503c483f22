//! Files of texts that are being written, and the drafts of what was not saved.
//!
//! One thread does it all in order, so that the screen never waits for a disk. Of drafts that wait only the latest is
//! written. Everything is written beside its place and renamed: whoever reads sees the old text or the new one, whole.

pub mod left;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::author;
use crate::event::{Draft, Event, Notice, Saving};
use crate::model::human;
use crate::plan::starter::ProjectFile;
use crate::telemetry;

/// Between two tries to tell what came of saving, while the loop has no room.
const AGAIN: Duration = Duration::from_millis(20);

/// The thread and what waits for it. When this goes, everything that waits is done first.
#[derive(Debug)]
pub struct Files {
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Waiting {
    orders: VecDeque<Order>,
    closed: bool,
}

#[derive(Debug)]
enum Order {
    Keep(Arc<Path>, Option<Draft>),
    Save { path: Arc<Path>, text: Arc<str>, base: Option<Arc<str>> },
    Begin(PathBuf, Vec<ProjectFile>),
}

impl Files {
    /// Starts the thread, which tells what came of saving.
    #[must_use]
    pub fn new(events: mpsc::Sender<Event>) -> Self {
        let waiting: Arc<(Mutex<Waiting>, Condvar)> = Arc::default();
        let theirs = waiting.clone();
        let thread = std::thread::Builder::new().name("files".into()).spawn(move || work(&theirs, &events));
        Self { waiting, thread: thread.inspect_err(|error| tracing::error!(%error, "no thread for files")).ok() }
    }

    /// Keeps the draft of a file, or drops it.
    pub fn keep(&self, path: Arc<Path>, draft: Option<Draft>) {
        self.order(Order::Keep(path, draft));
    }

    /// Writes a file unless it holds something else than `base`.
    pub fn save(&self, path: Arc<Path>, text: Arc<str>, base: Option<Arc<str>>) {
        self.order(Order::Save { path, text, base });
    }

    /// Writes the files of a new project.
    pub fn begin(&self, folder: PathBuf, files: Vec<ProjectFile>) {
        self.order(Order::Begin(folder, files));
    }

    fn order(&self, order: Order) {
        let (waiting, more) = &*self.waiting;
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newer_draft = matches!((waiting.orders.back(), &order),
            (Some(Order::Keep(one, _)), Order::Keep(other, _)) if one == other);
        if is_newer_draft {
            waiting.orders.pop_back();
        }
        waiting.orders.push_back(order);
        more.notify_one();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let (waiting, more) = &*self.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        more.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread for files died");
        }
    }
}

fn work(shared: &(Mutex<Waiting>, Condvar), events: &mpsc::Sender<Event>) {
    let (waiting, more) = shared;
    loop {
        let mut guard = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let order = loop {
            match guard.orders.pop_front() {
                Some(order) => break order,
                None if guard.closed => return,
                None => guard = more.wait(guard).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(guard);
        match order {
            Order::Keep(path, draft) => {
                if let Err(error) = write_draft(&path, draft.as_ref()) {
                    tracing::warn!(%error, path = %path.display(), "the draft could not be kept");
                }
            }
            Order::Save { path, text, base } => {
                let saving = save(&path, &text, base.as_ref());
                tell(Event::Saved(path, saving), events, shared);
            }
            Order::Begin(folder, files) => {
                let notice = match author::write(&folder, &files) {
                    Ok(written) => {
                        let files = human::counted(written.len(), "file");
                        let next = if written.iter().any(|path| path.ends_with("README.md")) {
                            "; its README.md says how to run it"
                        } else {
                            ""
                        };
                        let words = format!("{files} in {}{next}", folder.display());
                        Notice::Done(words.into())
                    }
                    Err(error) => Notice::Failed(error.to_string().into()),
                };
                tell(Event::Noticed(notice), events, shared);
            }
        }
    }
}

/// Waits for room, but not past the end: nobody would read it.
fn tell(event: Event, events: &mpsc::Sender<Event>, (waiting, more): &(Mutex<Waiting>, Condvar)) {
    let mut event = event;
    while let Err(TrySendError::Full(back)) = events.try_send(event) {
        event = back;
        let guard = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if guard.closed {
            return;
        }
        drop(more.wait_timeout(guard, AGAIN));
    }
}

fn save(path: &Path, text: &Arc<str>, base: Option<&Arc<str>>) -> Saving {
    match text_of(path) {
        Ok(current) if current.as_ref() != base => Saving::Overtaken(current),
        Ok(_) => match replace(path, text.as_bytes(), 0o644) {
            Ok(()) => Saving::Done(text.clone()),
            Err(error) => Saving::Failed(error.to_string().into()),
        },
        Err(error) => Saving::Failed(error.to_string().into()),
    }
}

/// What a file holds; `None` when there is none.
///
/// # Errors
///
/// When it cannot be read, or is not UTF-8.
pub fn text_of(path: &Path) -> io::Result<Option<Arc<str>>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The draft that was left of a file.
#[must_use]
pub fn draft_of(path: &Path) -> Option<Draft> {
    let text = fs::read(draft_path(path)?).ok()?;
    serde_json::from_slice(&text).inspect_err(|error| tracing::warn!(%error, "a draft that cannot be read")).ok()
}

/// Finds the draft that was left of a file; it comes as an event.
pub fn recall(path: Arc<Path>, events: mpsc::Sender<Event>) {
    tokio::task::spawn_blocking(move || {
        let draft = draft_of(&path);
        if events.blocking_send(Event::Recalled(path, draft)).is_err() {
            tracing::debug!("nobody waits for the draft any more");
        }
    });
}

fn write_draft(path: &Path, draft: Option<&Draft>) -> io::Result<()> {
    let place = draft_path(path).ok_or_else(|| io::Error::other("HOME is not set"))?;
    let Some(draft) = draft else {
        return match fs::remove_file(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    };
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    replace(&place, &serde_json::to_vec(draft)?, 0o600)
}

/// One file for each path: the path itself, with what cannot stand in a name written as its number.
fn draft_path(path: &Path) -> Option<PathBuf> {
    let name = path.as_os_str().as_encoded_bytes().iter().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        other => format!("%{other:02x}"),
    });
    let name: String = name.collect();
    // Names have an end; the last part of a long path is the one that differs.
    let name = name.get(name.len().saturating_sub(200)..)?;
    Some(telemetry::default_directory()?.join("drafts").join(format!("{name}.json")))
}

/// Writes beside the file, makes sure that it is on the disk, and takes the file's place and rights.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // A link stays one: what it leads to is written.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = target.with_file_name(format!(
        ".{}.{}",
        target.file_name().unwrap_or_default().to_string_lossy(),
        std::process::id()
    ));
    let mode = fs::metadata(&target).map_or(mode, |facts| facts.permissions().mode());
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode & 0o7777).open(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, &target));
    if written.is_err() && fs::remove_file(&beside).is_err() {
        tracing::warn!(path = %beside.display(), "could not be taken away");
    }
    written.and_then(|()| sync_folder(&target))
}

/// A new name is on the disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(path: &Path, text: &str, base: Option<&str>) -> Saving {
        save(path, &text.into(), base.map(Arc::from).as_ref())
    }

    #[test]
    fn a_file_is_written_only_over_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        assert_eq!(saved(&path, "one", None), Saving::Done("one".into()));
        assert_eq!(saved(&path, "two", None), Saving::Overtaken(Some("one".into())));
        assert_eq!(saved(&path, "two", Some("one")), Saving::Done("two".into()));
        fs::remove_file(&path).unwrap();
        assert_eq!(saved(&path, "three", Some("two")), Saving::Overtaken(None));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left beside it");
    }

    #[test]
    fn rights_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(saved(&link, "two", Some("one")), Saving::Done("two".into()));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let Saving::Failed(why) = saved(Path::new("/proc/none/x"), "one", None) else { panic!() };
        assert!(!why.is_empty());
    }

    #[test]
    fn drafts_of_paths_do_not_meet() {
        let name = |path: &str| draft_path(Path::new(path)).unwrap();
        assert_ne!(name("/a/b"), name("/a_b"));
        assert!(name(&"/ä".repeat(400)).file_name().unwrap().len() < 255);
    }
}
