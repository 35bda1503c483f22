//! Kubernetes events: what the cluster's controllers say about an object.

use std::sync::Arc;

use serde::Serialize;

use super::Time;
use super::key::ObjectKey;

/// One event, with its repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterEvent {
    /// The event object.
    pub key: ObjectKey,
    /// Kind of the object that it is about.
    pub kind: Arc<str>,
    /// Name of the object that it is about.
    pub object: Arc<str>,
    /// Whether it is a `Warning` rather than `Normal`.
    pub warning: bool,
    /// Machine word, such as `FailedScheduling`.
    pub reason: Arc<str>,
    /// The sentence.
    pub message: Arc<str>,
    /// How often it was seen.
    pub count: u32,
    /// First seen.
    pub first_at: Option<Time>,
    /// Last seen.
    pub last_at: Option<Time>,
    /// Who reported it.
    pub reporter: Arc<str>,
}
