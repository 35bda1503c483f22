//! flowdeck: the terminal operations console for stream-processing pipelines.

pub mod demo;
pub mod event;
pub mod model;
pub mod settings;
pub mod source;
pub mod telemetry;
pub mod term;
