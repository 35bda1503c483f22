//! What happened: the one kind of message that the console's loop takes in.
//!
//! Events are past tense and plain data, so that a test can script them and a log can show them.

use std::path::Path;
use std::sync::Arc;

use crossterm::event::KeyEvent;
use serde::{Deserialize, Serialize};

use crate::logs::news::News;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::environment::Backend;
use crate::model::key::{KafkaKey, ObjectKey, PipelineKey};
use crate::model::route::Granted;
use crate::plan::dossier::Dossier;
use crate::plan::manage::Around;
use crate::plan::object::Id;
use crate::plan::proposal::{Proposal, Step};

/// A text that was fetched for one screen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKey {
    /// The YAML of a pod, without managed fields and secrets.
    PodYaml(ObjectKey),
    /// What differs between two revisions of a pipeline.
    RevisionDifference(PipelineKey, u64, u64),
}

/// A text that was written and not saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What the file held when the writing began; `None` when it did not exist.
    pub base: Option<Arc<str>>,
    /// What was written.
    pub text: String,
    /// When it was last kept.
    pub kept_at: Time,
}

/// What came of saving a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saving {
    /// The file holds it now.
    Done(Arc<str>),
    /// Somebody else changed the file, which now holds this; nothing was written.
    Overtaken(Option<Arc<str>>),
    /// It could not be written, and why.
    Failed(Arc<str>),
}

/// Somebody else's object, to be edited in its own terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The pipeline.
    pub key: PipelineKey,
    /// The object.
    pub id: Id,
    /// Under which name its draft is kept.
    pub path: Arc<Path>,
    /// Its text, or why there is none.
    pub text: Result<Arc<str>, Arc<str>>,
    /// The draft that was left of it.
    pub draft: Option<Draft>,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was made, and what it changed runs.
    Done(Arc<str>),
    /// It was not made, or not to the end, or does not run; and why.
    Failed(Arc<str>),
    /// Somebody stopped it; and where.
    Cancelled(Arc<str>),
}

/// How a change of a pipeline went on.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeNews {
    /// What it would mean is known.
    Planned(Box<Proposal>),
    /// It would mean something else by now; nothing was changed.
    Overtaken(Box<Proposal>),
    /// A step was made.
    Stepped(Step),
    /// All steps are made; it is waited for until it runs.
    Made,
    /// It is over.
    Ended(Ending),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resized(u16, u16),
    /// Time went on.
    Ticked(Time),
    /// Backends reported facts.
    Changed(Vec<Change>),
    /// A document arrived, or why it did not.
    Fetched(DocumentKey, Result<Arc<str>, Arc<str>>),
    /// The user's own editor is done with a text, or why it could not be started.
    Edited(Result<Arc<str>, Arc<str>>),
    /// The draft that was left of a file, or that there is none.
    Recalled(Arc<Path>, Option<Draft>),
    /// An object was opened to be edited.
    Opened(Box<Opened>),
    /// A file was to be written.
    Saved(Arc<Path>, Saving),
    /// The change of this number went on.
    ChangeWentOn(u64, ChangeNews),
    /// A pipeline was looked at before something is done to it; or why that was not possible.
    Surveyed(PipelineKey, Result<Arc<Dossier>, Arc<str>>),
    /// What stands around a pipeline's jobs; or why it is not known.
    Around(PipelineKey, Result<Arc<Around>, Arc<str>>),
    /// The log that is looked at went on.
    Logs(Box<News>),
    /// What came of asking a route's controller for something.
    Granted(KafkaKey, Granted),
    /// Something worth a line at the foot of the screen.
    Noticed(Notice),
    /// The process came back to the foreground.
    Resumed,
    /// The process was asked to end.
    Terminated,
}

/// A passing message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something worked.
    Done(Arc<str>),
    /// Something did not.
    Failed(Arc<str>),
    /// Messages of a source were dropped because the console could not keep up.
    Dropped(Backend, u64),
}
