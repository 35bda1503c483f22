//! flowdeck: the terminal operations console for stream-processing pipelines.

pub mod demo;
