//! The built `flowdeck` against a real API server, Kafka, Flink and S3.
//!
//! `tests/live/run` starts them and runs this. Without them every test here fails, by name: a live test
//! that quietly does not run proves nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod deploy;
mod faults;
mod flink;
mod formats;
mod gitops;
mod kafka;
mod kubernetes;
mod logs;
mod lost;
mod manage;
mod proxy;
mod resume;
mod rollout;
mod room;
mod select;
mod side_input;
mod signals;
mod signals_job;
mod signals_lanes;
mod stack;
mod topics;
