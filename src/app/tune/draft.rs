//! The draft of a processor's tuning: what was typed, and what it began from, as one text.

use serde::{Deserialize, Serialize};

use super::Sheet;
use crate::event::Draft;
use crate::model::Time;
use crate::plan::tune::Tuning;

/// What a draft holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Began {
    /// The revision that it began with.
    pub(super) revision: u64,
    /// What that revision says.
    pub(super) base: Tuning,
    /// What was typed.
    pub(super) typed: Tuning,
}

/// The draft of a sheet; nothing where nothing differs.
pub(super) fn of(sheet: &Sheet, now: Time) -> Option<Draft> {
    let (fields, document) = sheet.typed.differs(&sheet.base);
    if fields.is_empty() && !document {
        return None;
    }
    let began = Began { revision: sheet.revision, base: sheet.base.clone(), typed: sheet.typed.clone() };
    Some(Draft { base: None, text: serde_json::to_string(&began).ok()?, kept_at: now })
}

/// What a draft holds, if this program wrote it.
pub(super) fn began(draft: &Draft) -> Option<Began> {
    serde_json::from_str(&draft.text).ok()
}
