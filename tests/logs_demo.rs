//! The log screens on a terminal, over the demo: what fails, its whole trace, the moment it began, the pager, a file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use support::{Console, FLOWDECK};

/// The incident comes seconds after the start; a build without optimizations beside a compiler takes its time.
const PATIENCE: Duration = Duration::from_mins(2);
/// The failure of the demo's first incident.
const FAILURE: &str = "IOException: KafkaWriter : failed to send 1 records";

/// The demo in a folder of its own, on the pipeline that fails.
fn incident(folder: &Path, variables: &[(&str, &str)]) -> Console {
    let folder = folder.to_string_lossy();
    let arguments = ["-c", "cd \"$0\" && exec \"$@\"", &folder, FLOWDECK, "demo", "--pace", "2"];
    let mut console = Console::run("sh", &arguments, variables, (120, 40));
    console.until_within(PATIENCE, "a pipeline that fails", |screen| {
        screen.lines().any(|line| line.contains("expert-matching") && line.contains("FAILING"))
    });
    // Before the incident another one may have been first, and the choice stays with it.
    console.press("g");
    console.until("the choice on the failing pipeline", |screen| {
        screen.lines().any(|line| line.starts_with('▸') && line.contains("FAILING"))
    });
    console
}

/// Rows of the failure; the trace below the list names it too.
fn rows(screen: &str) -> Vec<&str> {
    screen.lines().filter(|line| line.contains(FAILURE) && !line.contains("Caused by")).collect()
}

/// Events of the failure, as its row tells.
fn count(screen: &str) -> u64 {
    let rows = rows(screen);
    rows.first().and_then(|row| row.split_whitespace().find_map(|word| word.parse().ok())).unwrap_or(0)
}

#[test]
fn a_failure_is_one_row_that_counts_up_and_leads_to_its_trace_and_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let mut console = incident(folder.path(), &[]);
    console.press("x");
    console.until_within(PATIENCE, "the failure", |screen| count(screen) > 0);
    let before = count(&console.screen());
    console.until_within(PATIENCE, "more of it", |screen| count(screen) > before);
    console.until("one row of it", |screen| rows(screen).len() == 1);
    // Other failures come and go, and the order of rows with them.
    console.press("/KafkaWriter\r");
    console.until("the failure chosen", |screen| {
        screen.lines().any(|line| line.starts_with('▸') && line.contains(FAILURE))
    });
    console.press("\r");
    console.sees("expert-matching › IOException");
    console.press("G");
    console.sees("Caused by: java.io.IOException: KafkaWriter : failed to send 1 records (since last report)");
    console.sees("KafkaWriter.checkForFailures(KafkaWriter.java:124)");
    console.press("\x1b");
    // Its headings: an escape with a byte right behind it would be another key, and the trace names the failure too.
    console.sees("ROOT CAUSE");
    console.press("l");
    console.until_within(PATIENCE, "its events", |screen| {
        screen.contains("/fingerprint=") && screen.lines().any(|line| line.contains(" WARN "))
    });
    console.press("h");
    console.sees(" 1s: ");
    // The bar before the last one with events in it: the log jumps there and stands still.
    console.press("N");
    console.sees("standing still");
    let screen = console.screen();
    let bar = screen.lines().nth(1).unwrap();
    let moment = bar.split_whitespace().find(|word| word.matches(':').count() == 2).unwrap().to_owned();
    console.until("the chosen event of that second", |screen| {
        screen.lines().any(|line| line.trim_start_matches([' ', '*']).starts_with(&moment))
    });
    console.press("q");
}

#[test]
fn the_pager_gets_the_page_and_the_terminal_and_w_writes_the_matches() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("pager");
    fs::write(&script, "#!/bin/sh\ncp \"$2\" paged.txt\necho \"paged with $1\"\nread answer\necho done\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let command = format!("{} --plain", script.display());
    let mut console = incident(folder.path(), &[("PAGER", &command)]);
    console.press("l");
    console.until_within(PATIENCE, "warnings in the log", |screen| screen.lines().any(|line| line.contains(" WARN ")));
    console.press("o");
    console.sees("paged with --plain");
    assert!(!console.terminal().alternate_screen());
    let page = fs::read_to_string(folder.path().join("paged.txt")).unwrap();
    assert!(page.lines().count() > 20 && page.contains(" WARN "), "{page}");
    console.press("answer\r");
    console.until("the log again", |screen| screen.contains("expert-matching › log"));
    assert!(console.terminal().alternate_screen());
    console.press("/level=warn\r");
    console.until("the warnings alone", |screen| screen.contains("/level=warn: "));
    console.press("w");
    console.sees("events saved to expert-matching-");
    let saved = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let saved = saved.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "log")).unwrap();
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o600);
    let saved = fs::read_to_string(saved).unwrap();
    assert!(saved.contains(" WARN ") && !saved.contains(" INFO  "), "{}", saved.lines().take(3).collect::<String>());
    console.press("q");
}
