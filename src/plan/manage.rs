//! What stands around a pipeline's jobs: labels, links, owner and last day; its size while nobody looks; the role of its
//! service accounts. Each edit becomes the fields that it means and no others, and none of them restarts a job. What has
//! a status is patched whatever its version is: it changes every few seconds without anybody's doing.
//!
//! - [`about`], [`identity`], [`scaling`], [`role`]: what is read of each, and the patches that edits mean.
//! - [`edit`]: one edit as somebody types it, and as it is asked for.

pub mod about;
pub mod edit;
pub mod identity;
pub mod role;
pub mod scaling;

use std::sync::Arc;

use serde_json::Value;

use self::about::Told;
use self::role::AccountView;
use self::scaling::ScalingView;
use super::object::label;

/// What was found, or why it is not known.
pub type Found<T> = Result<Vec<T>, Arc<str>>;

/// All that stands around a pipeline's jobs. Each part may be forbidden for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// What is written about each processor.
    pub about: Found<Told>,
    /// How the size of each processor is decided.
    pub scaling: Found<ScalingView>,
    /// Service accounts.
    pub accounts: Found<AccountView>,
}

/// The processor that an object is of.
#[must_use]
pub fn processor(object: &Value) -> String {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let plain = name.trim_end_matches("-jobmanager").trim_end_matches("-taskmanager");
    label(object, "app.kubernetes.io/instance").unwrap_or(plain).to_owned()
}
