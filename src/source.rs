//! The backends' clients: they watch, list and fetch, and turn every reply into model values.
//!
//! A source owns its client and its retries. It reports facts as events and connection trouble as link
//! states; it never blocks the console, and it asks only for what the interest names.

pub mod flink;
pub mod kafka;
pub mod kube;
pub mod link;
pub mod objects;
pub mod probe;
pub mod side_input;
pub mod webhook;
