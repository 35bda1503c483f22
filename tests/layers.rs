//! Holds the rooms of `src/` apart: reads every path into the crate and fails on an arrow that points back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// What each room may know besides itself. A room that is not listed may not exist.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("engine", &["model"]),
    ("logs", &["model"]),
    ("plan", &["model"]),
    ("event", &["model", "logs", "plan"]),
    ("action", &["model", "event", "plan"]),
    ("keymap", &["model", "event", "action"]),
    ("settings", &["model", "logs"]),
    ("app", &["model", "logs", "plan", "event", "action", "keymap"]),
    ("ui", &["model", "logs", "plan", "event", "action", "keymap", "app"]),
    ("source", &["model", "plan", "event", "logs", "settings"]),
    ("router", &["model", "engine", "source", "settings"]),
    ("demo", &["model", "plan"]),
    ("term", &[]),
    ("telemetry", &["settings"]),
    (
        "runtime",
        &[
            "model",
            "plan",
            "engine",
            "logs",
            "event",
            "action",
            "keymap",
            "app",
            "ui",
            "source",
            "router",
            "settings",
            "term",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "plan",
            "engine",
            "event",
            "logs",
            "app",
            "ui",
            "source",
            "router",
            "settings",
            "runtime",
            "term",
            "telemetry",
            "demo",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Crates that tie a room to a terminal, a network or a cluster, and the rooms that may use them.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ratatui", &["ui", "term", "runtime"]),
    ("ratatui_textarea", &["app"]),
    ("kube", &["source", "demo"]),
    ("k8s_openapi", &["source", "demo"]),
    ("rdkafka", &["source", "router", "demo"]),
    ("reqwest", &["source"]),
    // The command line serves metrics to scrapers.
    ("hyper", &["demo", "cli"]),
    ("kafka_protocol", &["source", "demo"]),
    ("tokio", &["source", "runtime", "cli", "demo", "router", "engine"]),
];

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// `src/source/kube/watch.rs` and `src/source.rs` are both in `source`.
fn room(path: &Path, root: &Path) -> String {
    let first = path.strip_prefix(root).unwrap().iter().next().unwrap();
    Path::new(first).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The words that follow `prefix`.
fn words_after<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.split(prefix)
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
}

/// Whether code names a crate, and not a module of the same name inside another path.
fn names_crate(code: &str, library: &str) -> bool {
    let path = format!("{library}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = &code[..at];
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// What one line of a room does that it may not.
fn trespasses(room: &str, line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let known = MAY_KNOW.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, known)| known);
    let is_room = |word: &str| MAY_KNOW.iter().any(|(name, _)| *name == word);
    let rooms = words_after(code, "crate::").filter(|word| *word != room && is_room(word) && !known.contains(word));
    let libraries = MAY_USE.iter().filter(|(library, rooms)| names_crate(code, library) && !rooms.contains(&room));
    rooms
        .map(|word| format!("{room} may not know {word}"))
        .chain(libraries.map(|(library, _)| format!("{room} may not use the crate {library}")))
        .collect()
}

/// Unit tests at the foot of a file may reach further than its code.
fn complaints() -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    for path in files(&source) {
        let room = room(&path, &source);
        if !MAY_KNOW.iter().any(|(name, _)| *name == room) {
            complaints.push(format!("{}: the room {room} has no place in the house", path.display()));
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
        for (number, line) in code.enumerate() {
            let found = trespasses(&room, line);
            complaints.extend(found.into_iter().map(|what| format!("{}:{}: {what}", path.display(), number + 1)));
        }
    }
    complaints
}

#[test]
fn arrows_point_one_way() {
    let complaints = complaints();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_reader_of_paths_sees_them() {
    let line = "use crate::model::key; let x = crate::app::State; // crate::ui";
    assert_eq!(trespasses("model", line), ["model may not know app"]);
    assert_eq!(
        trespasses("app", "use ratatui::Frame; use crate::term::x;"),
        ["app may not know term", "app may not use the crate ratatui"]
    );
    assert!(trespasses("runtime", "source::kube::run(); crate::source::kube::connect()").is_empty());
    assert_eq!(room(Path::new("/x/src/source/kube.rs"), Path::new("/x/src")), "source");
    assert_eq!(room(Path::new("/x/src/event.rs"), Path::new("/x/src")), "event");
}
