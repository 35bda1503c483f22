//! Revisions: each deployed version of a pipeline, numbered and kept in its namespace.
//!
//! A revision is a ConfigMap, as Helm keeps its releases: no resource of our own, no right beyond the namespace. Its
//! data are immutable; only the label of its state changes. Creating the next number is what makes one of two people
//! the first: the server refuses the second.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::difference::{Difference, between};
use super::object::{Id, Kind, MANAGED_BY, MANAGER, OURS, PART_OF, label};
use super::verb::Verb;
use crate::model::Time;

/// Most bytes of a revision: what the server stores, less some room.
pub const LARGEST: usize = 900_000;
/// Revisions that are kept.
pub const KEPT: usize = 20;

/// Where a revision is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Being applied; somebody may have been interrupted.
    Pending,
    /// What runs.
    Deployed,
    /// What ran.
    Superseded,
    /// It was given up.
    Failed,
}

impl State {
    /// As the label has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Deployed, Self::Superseded, Self::Failed].into_iter().find(|it| it.word() == word)
    }
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Its number, from 1.
    pub number: u64,
    /// The pipeline.
    pub pipeline: String,
    /// Namespace.
    #[serde(default)]
    pub namespace: String,
    /// Where it is on its way.
    #[serde(default = "pending")]
    pub state: State,
    /// What made it.
    pub verb: Verb,
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// What for, or from where.
    pub note: String,
    /// The manifest; none for a pipeline that was adopted.
    #[serde(skip)]
    pub manifest: Option<String>,
    /// The objects.
    #[serde(skip)]
    pub objects: Vec<Value>,
}

const fn pending() -> State {
    State::Pending
}

/// Why a revision cannot be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// It is too large.
    #[error("revision {number} has {bytes} bytes; the cluster keeps at most {LARGEST}")]
    TooLarge {
        /// Which.
        number: u64,
        /// Its size.
        bytes: usize,
    },
    /// The ConfigMap is none of ours, or from a newer program.
    #[error("ConfigMap {0} is no revision that this program can read")]
    Unreadable(String),
}

impl Revision {
    /// The ConfigMap that keeps it.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::new(Kind::ConfigMap, &self.namespace, format!("flowdeck.{}.v{}", self.pipeline, self.number))
    }

    /// Which ConfigMaps hold revisions of a pipeline.
    #[must_use]
    pub fn selector(pipeline: &str) -> String {
        format!("{OURS}revision-of={pipeline}")
    }

    /// The ConfigMap.
    ///
    /// # Errors
    /// When it is too large to keep.
    pub fn to_object(&self) -> Result<Value, RevisionError> {
        let id = self.id();
        let record = serde_json::to_string(self).unwrap_or_default();
        let objects = serde_json::to_string(&self.objects).unwrap_or_default();
        let bytes = record.len() + objects.len() + self.manifest.as_ref().map_or(0, String::len);
        if bytes > LARGEST {
            return Err(RevisionError::TooLarge { number: self.number, bytes });
        }
        let mut data = json!({"revision.json": record, "objects.json": objects});
        if let Some(manifest) = &self.manifest {
            super::object::set(&mut data, &["manifest.yaml"], json!(manifest));
        }
        Ok(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": id.name,
                "namespace": id.namespace,
                "labels": {
                    MANAGED_BY: MANAGER,
                    PART_OF: self.pipeline,
                    format!("{OURS}revision-of"): self.pipeline,
                    format!("{OURS}state"): self.state.word(),
                },
            },
            "immutable": true,
            "data": data,
        }))
    }

    /// Reads a ConfigMap.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn of(object: &Value) -> Result<Self, RevisionError> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str);
        let unreadable = || RevisionError::Unreadable(text("/metadata/name").unwrap_or_default().to_owned());
        let part = |name: &str| object.get("data")?.get(name)?.as_str();
        let record = part("revision.json").ok_or_else(unreadable)?;
        let mut revision: Self = serde_json::from_str(record).map_err(|_| unreadable())?;
        text("/metadata/namespace").unwrap_or_default().clone_into(&mut revision.namespace);
        revision.state = label(object, &format!("{OURS}state")).and_then(State::parse).unwrap_or(State::Pending);
        revision.manifest = part("manifest.yaml").map(str::to_owned);
        revision.objects = part("objects.json").and_then(|it| serde_json::from_str(it).ok()).ok_or_else(unreadable)?;
        Ok(revision)
    }
}

/// What differs between two revisions, object by object.
#[must_use]
pub fn differences(from: &Revision, to: &Revision) -> Vec<Difference> {
    let mut ids: Vec<Id> = from.objects.iter().chain(&to.objects).filter_map(Id::of).collect();
    ids.sort();
    ids.dedup();
    let of =
        |revision: &'_ Revision, id: &Id| revision.objects.iter().find(|it| Id::of(it).as_ref() == Some(id)).cloned();
    let found = ids.iter().flat_map(|id| between(id, of(from, id).as_ref(), of(to, id).as_ref()));
    found.filter(|it| !it.is_revision()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision() -> Revision {
        Revision {
            number: 45,
            pipeline: "em".into(),
            namespace: "team".into(),
            state: State::Deployed,
            verb: Verb::Apply,
            by: "ann".into(),
            at: chrono::DateTime::UNIX_EPOCH,
            note: String::new(),
            manifest: Some("kind: Pipeline\n".into()),
            objects: vec![json!({"kind": "Service"})],
        }
    }

    #[test]
    fn a_revision_comes_back_as_it_was_kept() {
        let object = revision().to_object().unwrap();
        assert_eq!(object["metadata"]["name"], "flowdeck.em.v45");
        assert_eq!(Revision::of(&object).unwrap(), revision());
    }

    #[test]
    fn what_is_too_large_or_strange_is_refused() {
        let large = Revision { manifest: Some("x".repeat(LARGEST)), ..revision() };
        assert!(matches!(large.to_object(), Err(RevisionError::TooLarge { number: 45, .. })));
        assert!(Revision::of(&json!({"metadata": {"name": "x"}, "data": {"revision.json": "{}"}})).is_err());
    }
}
