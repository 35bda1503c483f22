//! What a run has told, in a file: the first window that was not told, and where reading goes on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::runtime::signals::course::Course;
use crate::source::kafka::member::{Mark, Partition};

/// The form of the file.
const VERSION: u32 = 1;

/// What an earlier run has told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    version: u32,
    spec_sha: String,
    /// Start of the first window that was not told, milliseconds since 1970.
    pub(super) first_open: i64,
    /// The revision that the next row may have.
    pub(super) next_revision: u32,
    /// Where reading goes on, by topic and partition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    offsets: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl Told {
    pub(super) fn offsets(&self) -> BTreeMap<(Arc<str>, i32), i64> {
        let places = self.offsets.iter().flat_map(|(topic, partitions)| {
            let topic: Arc<str> = topic.as_str().into();
            partitions.iter().map(move |(partition, offset)| ((topic.clone(), *partition), *offset))
        });
        places.collect()
    }
}

/// Hash of a spec, as rows and the state name it.
pub(super) fn sha(spec: &str) -> String {
    openssl::sha::sha256(spec.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The state that an earlier run left; `None` when there is none.
pub(super) fn read(path: &Path, spec_sha: &str) -> Result<Option<Told>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::usage(anyhow::Error::new(error).context(format!("{}", path.display())))),
    };
    let told = parse(&text, spec_sha)
        .with_context(|| format!("{}: give another --state, or remove it to begin anew", path.display()))
        .map_err(Failure::usage)?;
    Ok(Some(told))
}

/// What the last reader of a partition left with its offset in a group; `None` when that was no run of ours.
pub(super) fn read_mark(mark: &Mark, spec_sha: &str) -> anyhow::Result<Option<Told>> {
    if mark.note.is_empty() {
        return Ok(None);
    }
    parse(&mark.note, spec_sha).map(Some)
}

fn parse(text: &str, spec_sha: &str) -> anyhow::Result<Told> {
    let told: Told = serde_json::from_str(text).context("this is not the state of a run")?;
    if told.version != VERSION || told.spec_sha != spec_sha {
        anyhow::bail!("this is the state of another spec, whose windows would not fit");
    }
    Ok(told)
}

/// What this run has told.
#[derive(Debug)]
pub(super) struct State {
    told: Told,
}

impl State {
    pub(super) fn new(spec_sha: String, before: Option<Told>) -> Self {
        let fresh =
            || Told { version: VERSION, spec_sha, first_open: i64::MIN, next_revision: 0, offsets: BTreeMap::new() };
        Self { told: before.unwrap_or_else(fresh) }
    }

    /// Takes in where reading of a partition began, unless an earlier run left that. Whether that is news.
    pub(super) fn begin(&mut self, (topic, partition): &Partition, position: i64) -> bool {
        let offsets = self.told.offsets.entry(topic.to_string()).or_default();
        let is_news = !offsets.contains_key(partition) && self.told.first_open == i64::MIN;
        if is_news {
            offsets.insert(*partition, position);
        }
        is_news
    }

    /// Whether windows before this one were told and that is not taken in.
    pub(super) const fn is_behind(&self, first_open: i64) -> bool {
        first_open > self.told.first_open
    }

    /// Takes in that all windows before this one were told. Whether that is news.
    pub(super) fn advance(&mut self, first_open: i64, next_revision: u32, course: &mut Course) -> bool {
        if !self.is_behind(first_open) {
            return false;
        }
        self.told.first_open = first_open;
        self.told.next_revision = next_revision;
        for ((topic, partition), offset) in course.resume_from(first_open) {
            self.told.offsets.entry(topic.to_string()).or_default().insert(partition, offset);
        }
        true
    }

    /// What the next reader of a partition must know: the group keeps it with the offset.
    pub(super) fn mark(&self, (topic, partition): &Partition) -> Result<Option<Mark>, Failure> {
        let offset = self.told.offsets.get(&**topic).and_then(|partitions| partitions.get(partition));
        let Some(offset) = offset else { return Ok(None) };
        let note = serde_json::to_string(&Told { offsets: BTreeMap::new(), ..self.told.clone() })?;
        Ok(Some(Mark { offset: *offset, note }))
    }

    /// Writes the file so that it is there whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let context = || format!("cannot write the state {}", path.display());
        let text = serde_json::to_vec(&self.told)?;
        let written = File::create(&fresh).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_data()
        });
        written.and_then(|()| fs::rename(&fresh, path)).with_context(context)?;
        Ok(())
    }
}
