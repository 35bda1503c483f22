//! flowdeck: the terminal operations console for stream-processing pipelines.

pub mod action;
pub mod app;
pub mod demo;
pub mod event;
pub mod keymap;
pub mod model;
pub mod settings;
pub mod source;
pub mod telemetry;
pub mod term;
pub mod ui;
