//! Files that were fetched to be understood elsewhere, and how a fetch went.

use std::sync::Arc;

use super::Time;

/// A file as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it is from, as people know it; no secrets of a URL.
    pub name: Arc<str>,
    /// What it says.
    pub content: Arc<[u8]>,
}

/// How a fetch went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// When it was tried.
    pub at: Time,
    /// When it will be tried again.
    pub next_try: Time,
    /// All files that there are, in the order of names; `None` when none changed since the last ones; or why not.
    pub outcome: Result<Option<Arc<[Document]>>, Arc<str>>,
}
