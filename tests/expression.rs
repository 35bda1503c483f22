//! Expressions against CEL's own conformance tests, and under hostile input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "expression/command.rs"]
mod command;
#[path = "expression/conformance.rs"]
mod conformance;
#[path = "expression/hostile.rs"]
mod hostile;
