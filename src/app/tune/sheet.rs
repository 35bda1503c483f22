//! What is edited: a form and a document over one revision.

use std::sync::Arc;

use serde_json::Value;

use super::{HEAD, draft};
use crate::app::editor::EditorScreen;
use crate::model::config::Setting;
use crate::model::options::FlinkVersion;
use crate::plan::dossier::Entry;
use crate::plan::text::changed;
use crate::plan::tune::{self, Field, Spot, Tuning};

/// What is edited, once it is known.
pub struct Sheet {
    /// The revision that it began with.
    pub revision: u64,
    /// What that revision says.
    pub base: Tuning,
    /// The newest revision that is known.
    pub newest: u64,
    /// The form as it is typed; its document is the editor's.
    pub typed: Tuning,
    /// The document as it is typed.
    pub editor: EditorScreen,
    text: Arc<str>,
    manifest: Value,
}

impl Sheet {
    /// Lays a revision out.
    pub(super) fn of(entry: &Entry, spot: Spot<'_>) -> Result<Self, String> {
        let text = entry.manifest.clone().ok_or_else(|| {
            format!("revision {} was adopted without a manifest: change it where it is written", entry.number)
        })?;
        let manifest = tune::read(&text)?;
        let missing = || format!("the manifest of revision {} has no processor {}", entry.number, spot.processor);
        let base = Tuning::of(&manifest, spot).ok_or_else(missing)?;
        let editor = EditorScreen::embedded(&base.config, HEAD, setting(&manifest, &base));
        Ok(Self { revision: entry.number, newest: entry.number, typed: base.clone(), base, editor, text, manifest })
    }

    /// Errors and what differs: of the form and of the document.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let (fields, document) = self.typed.differs(&self.base);
        (self.errors(), fields.len() + usize::from(document))
    }

    /// Errors of the form and of the document.
    pub(super) fn errors(&self) -> usize {
        self.typed.errors(setting(&self.manifest, &self.typed))
    }

    /// The first value of the form that cannot be.
    pub(super) fn first_wrong(&self) -> Option<Field> {
        Field::ALL.into_iter().find(|field| self.typed.wrong(*field).is_some())
    }

    /// Takes a value of the form in; what it says is also what the document is judged by.
    pub(super) fn write(&mut self, field: Field, text: String) {
        self.typed.set(field, text);
        self.editor.judge_by(setting(&self.manifest, &self.typed));
    }

    /// The manifest with what was changed; the rest stands as it was written.
    pub(super) fn manifest(&self, spot: Spot<'_>) -> Option<String> {
        self.typed.written(&self.base, &self.manifest, spot).and_then(|it| changed(&self.text, &it))
    }

    /// Goes on with what was typed before.
    pub(super) fn resume(&mut self, began: &draft::Began) {
        // Of a revision that is not kept any more only what was changed is taken over.
        self.typed = if began.revision == self.revision {
            began.typed.clone()
        } else {
            began.typed.rebased(&began.base, &self.base)
        };
        self.editor = EditorScreen::embedded(&self.base.config, HEAD, setting(&self.manifest, &self.typed));
        self.editor.resume(&self.typed.config);
    }
}

/// What is known of the processor beside its document.
fn setting(manifest: &Value, typed: &Tuning) -> Setting {
    let spec = |name: &str| manifest.pointer(&format!("/spec/{name}")).and_then(Value::as_str);
    Setting {
        flink: spec("flinkVersion").and_then(FlinkVersion::parse).unwrap_or(FlinkVersion::V2_2),
        task_managers: typed.replicas(),
        with_operator: spec("runtime") != Some("standalone"),
    }
}
