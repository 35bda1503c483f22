//! The golden-signals engine against others' work, under hostile input, and as a command.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

#[path = "engine/beam.rs"]
mod beam;
#[path = "engine/command.rs"]
mod command;
#[path = "engine/formats.rs"]
mod formats;
#[path = "engine/hostile.rs"]
mod hostile;
#[path = "engine/order.rs"]
mod order;
#[path = "engine/transcripts.rs"]
mod transcripts;

use flowdeck::engine::replay::Replay;
use flowdeck::engine::spec::{Accumulation, Span};
use flowdeck::engine::{Pane, Spec};

/// The example, as a test starts from it.
fn sample() -> Spec {
    Spec::parse(include_str!("../config/examples/golden-signals.toml")).unwrap()
}

/// The example with windows of its own; times in milliseconds.
fn spec(size: u32, lateness: u32, mode: Accumulation) -> Spec {
    let mut spec = sample();
    (spec.window.size, spec.window.allowed_lateness) = (Span::from_millis(size), Span::from_millis(lateness));
    spec.window.mode = mode;
    spec
}

/// A line of a script.
fn event(time: i64, service: &str, latency_us: u64) -> String {
    format!(r#"{{"e":{{"ts":{time},"svc":"{service}","status":200,"lat_us":{latency_us}}}}}"#)
}

/// Runs a script to its end.
fn run<'a>(spec: &Spec, lines: impl IntoIterator<Item = &'a str>) -> (Vec<Pane>, Replay) {
    let mut replay = Replay::new(spec).unwrap();
    let mut panes = Vec::new();
    for line in lines {
        assert_eq!(replay.line(line).unwrap(), None);
        panes.extend(replay.take_panes());
    }
    replay.finish();
    panes.extend(replay.take_panes());
    (panes, replay)
}
