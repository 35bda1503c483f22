//! flowdeck: the terminal operations console for stream-processing pipelines.
//!
//! The house, from the inside out. Arrows point inwards only; `tests/layers.rs` holds them.
//!
//! - [`model`]: what is known of the world, joined and judged. Values only.
//! - [`event`], [`action`], [`keymap`]: what happened; what may be intended; which key means it.
//! - [`engine`]: the golden signals, computed from events. No IO, no clock.
//! - [`logs`]: lines into events, stack traces into failures with a name. Pure.
//! - [`plan`]: what a change of a pipeline is, decided before anything is changed. Pure.
//! - [`app`]: the console's state and how events change it. No IO, no clock.
//! - [`ui`]: draws the state. Changes nothing.
//! - [`source`]: the backends' clients, which turn replies into facts.
//! - [`router`]: one topic to one of two copies of a pipeline, switched without a loss.
//! - [`runtime`], [`term`], [`telemetry`]: the loop, the terminal, the log file.
//! - [`settings`], [`cli`]: what the user set, and what the user asked for.
//! - [`demo`]: the embedded platform, which nothing but its command knows.

pub mod action;
pub mod app;
pub mod cli;
pub mod demo;
pub mod engine;
pub mod event;
pub mod keymap;
pub mod logs;
pub mod model;
pub mod plan;
pub mod router;
pub mod runtime;
pub mod settings;
pub mod source;
pub mod telemetry;
pub mod term;
pub mod ui;
