//! The console as its users see it: events in, text out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "ui_console/author.rs"]
mod author;
#[path = "ui_console/bench.rs"]
mod bench;
#[path = "ui_console/changes.rs"]
mod changes;
#[path = "ui_console/editor.rs"]
mod editor;
#[path = "ui_console/history.rs"]
mod history;
#[path = "ui_console/logs.rs"]
mod logs;
#[path = "ui_console/manage.rs"]
mod manage;
#[path = "ui_console/pipelines.rs"]
mod pipelines;
#[path = "ui_console/random.rs"]
mod random;
#[path = "ui_console/routes.rs"]
mod routes;
#[path = "ui_console/screens.rs"]
mod screens;
#[path = "ui_console/signals.rs"]
mod signals;
#[path = "ui_console/states.rs"]
mod states;
#[path = "ui_console/tune.rs"]
mod tune;
#[path = "ui_console/updates.rs"]
mod updates;
#[path = "ui_console/world.rs"]
mod world;
