//! What the console knows about the world, as plain values.
//!
//! Nothing here does IO or reads a clock: facts come in as [`change::Change`]s, time comes in as an
//! argument, and everything that a screen or a report shows is derived from [`inventory::Inventory`].
//! Words are those of Kubernetes, Flink, Beam and Kafka.

pub mod apart;
pub mod batch;
pub mod change;
pub mod cluster_event;
pub mod config;
pub mod declaration;
pub mod document;
pub mod environment;
pub mod exception;
pub mod human;
pub mod interest;
pub mod inventory;
pub mod job;
pub mod kafka;
pub mod key;
pub mod log;
pub mod manifest;
pub mod options;
pub mod owner;
pub mod pipeline_signals;
pub mod pod;
pub mod quantity;
pub mod route;
pub mod secret;
pub mod signal;
pub mod span;
pub mod verdict;
pub mod view;

/// A moment, always UTC.
pub type Time = chrono::DateTime<chrono::Utc>;
