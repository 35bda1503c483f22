//! Logs in every layout, in any pieces: the same events, the same failures.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

#[path = "logs/command.rs"]
mod command;
#[path = "logs/corpus.rs"]
mod corpus;
#[path = "logs/folding.rs"]
mod folding;
#[path = "logs/pieces.rs"]
mod pieces;
#[path = "logs/real.rs"]
mod real;

use std::path::PathBuf;

use flowdeck::logs::Reader;
use flowdeck::logs::format::Choice;
use flowdeck::logs::trace::Exception;
use flowdeck::model::Time;

/// An event that outlives its line.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    time: Option<Time>,
    level: &'static str,
    logger: String,
    thread: String,
    message: String,
    exception: Option<Exception>,
    text: String,
}

fn now() -> Time {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs").join(name)
}

fn read_fixture(name: &str) -> Vec<Kept> {
    read(&[&std::fs::read(fixture(name)).unwrap()])
}

fn read(pieces: &[&[u8]]) -> Vec<Kept> {
    let mut reader = Reader::new(Choice::Detect);
    read_with(&mut reader, pieces)
}

fn read_with(reader: &mut Reader, pieces: &[&[u8]]) -> Vec<Kept> {
    let mut events = Vec::new();
    let mut keep = |event: &flowdeck::logs::event::Event<'_>| {
        events.push(Kept {
            time: event.time,
            level: event.level.map_or("", flowdeck::logs::event::Level::name),
            logger: event.logger.to_owned(),
            thread: event.thread.to_owned(),
            message: event.message.to_owned(),
            exception: event.exception.clone(),
            text: event.text.to_owned(),
        });
    };
    for piece in pieces {
        reader.push(piece, now(), &mut keep);
    }
    reader.finish(now(), &mut keep);
    events
}

fn messages(events: &[Kept]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}
