//! A pipeline of the demo is changed by keys alone, on a terminal: errors while typing, the forecast, the word that it
//! is meant, pods that roll, the revision, the audit; and the draft after the terminal was killed in mid-edit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::Console;

/// A build without optimizations beside a compiler takes its time; pods roll for seconds.
const PATIENCE: Duration = Duration::from_mins(2);
const SIZE: (u16, u16) = (100, 40);

fn demo(home: &Path) -> Console {
    let home = home.to_string_lossy();
    let variables = [("HOME", &*home), ("XDG_STATE_HOME", ""), ("FLOWDECK_AUDIT", "")];
    let mut console = Console::start(&["demo", "--pace", "4"], &variables, SIZE.0, SIZE.1);
    console.until_within(PATIENCE, "the pipelines", |screen| screen.contains("sessionization"));
    console.press("/prd sess\r");
    console.until_within(PATIENCE, "the pipeline alone, running", |screen| {
        screen.contains("1 shown") && row(screen).is_some_and(|row| row.contains("RUNNING") && row.contains("16/16"))
    });
    console
}

/// The row of the pipeline.
fn row(screen: &str) -> Option<&str> {
    screen.lines().find(|line| line.starts_with('▸') && line.contains("sessionization"))
}

fn edit(console: &mut Console) {
    console.press("e");
    console.until_within(PATIENCE, "the form and the document", |screen| {
        screen.contains("sessionization › edit") && screen.contains("checkpointTimeoutMillis")
    });
}

/// From the first value of the form backwards to the document, and there to a text.
fn find(console: &Console, text: &str) {
    console.press("\x1b[Z");
    console.press("\x06");
    console.press(text);
    console.press("\r");
}

fn audit(home: &Path) -> Vec<Value> {
    let text = fs::read_to_string(home.join(".local/state/flowdeck/audit.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sizes_and_a_timeout_are_changed_by_keys_alone() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    edit(&mut console);
    // What is typed is judged as it is typed.
    console.press("2x");
    console.sees("replicas must be a number from 1 to 10000");
    console.press("\x7f0");
    console.sees("15 → 20");
    console.sees_no("must be a number");
    find(&console, "600000");
    console.press("7");
    console.sees("7600000");
    console.press("\x7f9\x1b[3~");
    console.until("another timeout", |screen| {
        screen.contains("\"checkpointTimeoutMillis\": 900000") && screen.contains("2 changes")
    });
    console.press("\x1bOQ");
    console.until_within(PATIENCE, "the forecast", |screen| {
        screen.contains("sessionization restarts from a savepoint")
            && screen.contains("spec.taskManager.replicas: 15 → 20")
            && screen.contains("--checkpointTimeoutMillis: 600000 → 900000")
            && screen.contains("as revision 14")
    });
    assert!(audit(home.path()).is_empty(), "nothing was changed yet");
    // The environment is protected: a yes is not enough, and neither is half the name.
    console.press("y\r");
    console.sees("type sessionization to say that you mean it");
    console.press("\x15sessionization\r");
    console.sees("keep revision 14");
    console.sees("apply FlinkDeployment sessionization");
    // It is left, and found again.
    console.press("\x1b");
    console.until("the editor or the list", |screen| !screen.contains("› apply"));
    console.press("\x1b");
    console.until_within(PATIENCE, "pods that roll", |screen| row(screen).is_some_and(|row| !row.contains("16/16")));
    console.press("C");
    console.until("the change in its list", |screen| {
        screen.lines().any(|line| line.starts_with('▸') && line.contains("sessionization apply"))
    });
    console.press("\r");
    // The list says how it ended too.
    console
        .until_within(PATIENCE, "the end", |screen| screen.contains("› apply") && screen.contains("done: revision 14"));
    console.press("\x1b");
    console.until("the list of changes", |screen| !screen.contains("› apply") && screen.contains("1 change"));
    console.press("H");
    console.until_within(PATIENCE, "twenty TaskManagers and the next revision", |screen| {
        row(screen).is_some_and(|row| row.contains("21/21") && row.contains(" 14 "))
    });
    let lines = audit(home.path());
    let outcomes: Vec<&str> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["began", "done"]);
    assert_eq!((&lines[1]["verb"], &lines[1]["revision"]), (&"apply".into(), &14.into()));
    let changes = lines[1]["changes"].to_string();
    assert!(changes.contains("replicas: 15 → 20") && changes.contains("900000"), "{changes}");
    // What was applied needs no draft.
    edit(&mut console);
    console.sees("revision 14");
    console.sees("900000");
    assert!(!console.screen().contains("draft"), "{}", console.screen());
    console.press("\x03");
}

#[test]
fn a_killed_terminal_loses_nothing_that_was_typed() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    edit(&mut console);
    console.press("17");
    console.sees("15 → 17");
    find(&console, "600000");
    console.press("7");
    console.sees("7600000");
    let drafts = home.path().join(".local/state/flowdeck/drafts");
    let begun = std::time::Instant::now();
    let kept = || {
        let files = fs::read_dir(&drafts).into_iter().flatten().map(|entry| entry.unwrap().path());
        // What is on its way into its place begins with a dot.
        let whole = files.filter(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        whole.filter_map(|path| fs::read_to_string(path).ok()).any(|text| text.contains("7600000"))
    };
    while !kept() {
        assert!(begun.elapsed() < PATIENCE, "the draft is not kept");
        std::thread::yield_now();
    }
    console.signal(rustix::process::Signal::KILL);
    console.ends();
    let mut console = demo(home.path());
    console.press("e");
    console.until_within(PATIENCE, "the draft", |screen| {
        screen.contains("draft of") && screen.contains("15 → 17") && screen.contains("7600000")
    });
    // And it is given up by a key that is pressed twice.
    console.press("\x1bOS");
    console.sees("F4 once more drops your 2 changes");
    console.press("\x1bOS");
    console.sees_no("7600000");
    console.sees_no("15 → 17");
    console.press("\x03");
}

#[test]
fn more_than_the_job_can_ever_have_is_refused_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    edit(&mut console);
    find(&console, "\"maxParallelism");
    console.press("\"parallelism\": 400, ");
    console.sees("400 is more than flink.beam.maxParallelism = 360");
    console.press("\x1bOQ");
    console.sees("nothing was sent");
    assert!(audit(home.path()).is_empty());
    console.press("\x03");
}

#[test]
fn more_task_managers_than_the_job_can_use_are_refused_as_they_are_typed() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    edit(&mut console);
    console.press("400");
    console.sees("1 error");
    console.press("\x1bOQ");
    console.sees("nothing was sent");
    assert!(audit(home.path()).is_empty());
    console.press("\x03");
}

#[test]
fn what_somebody_else_deployed_is_edited_in_its_own_terms() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    console.press("/e2e incident\r");
    console.until_within(PATIENCE, "somebody else's pipeline", |screen| {
        screen.contains("1 shown")
            && screen.lines().any(|line| line.starts_with('▸') && line.contains("incident-stream"))
    });
    console.press("e");
    console.sees("choose what is to be edited");
    console.press("\r");
    console.sees("incident-stream › FlinkDeployment");
    console.press("\x06parallelism: 1\r");
    console.press("\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C2\x1b[3~");
    console.sees("parallelism: 2");
    console.press("\x1bOQ");
    console.until_within(PATIENCE, "the forecast", |screen| {
        screen.contains("incident-stream restarts from a savepoint") && screen.contains("spec.job.parallelism: 1 → 2")
    });
    console.press("y");
    console.until_within(PATIENCE, "the end", |screen| screen.contains("incident-stream: running"));
    let lines = audit(home.path());
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[1]["verb"], &lines[1]["outcome"]), (&"apply".into(), &"done".into()));
    console.press("\x03");
}

#[test]
fn a_pipeline_goes_with_the_topic_that_it_alone_writes_and_nothing_else_of_kafka() {
    let home = tempfile::tempdir().unwrap();
    let mut console = demo(home.path());
    console.press("v");
    console.until_within(PATIENCE, "the verbs", |screen| screen.contains("decommission"));
    console.press("/decomm\r\r");
    console.sees("keep its topics and consumer groups");
    console.press("\x1b[A\r");
    console.until_within(PATIENCE, "what becomes of it in Kafka", |screen| {
        screen.contains("topic sessions is DELETED")
            && screen.contains("topic clickstream stays: sessionization only reads it")
            && screen.contains("is DELETED: once the pods are gone")
    });
    console.press("sessionization");
    console.press("\tlose state\r");
    console.until_within(PATIENCE, "the end", |screen| {
        screen.contains("delete topic sessions") && screen.lines().any(|line| line.trim_end().ends_with(" done"))
    });
    let lines = audit(home.path());
    let done = lines.last().unwrap();
    assert_eq!((&done["verb"], &done["outcome"]), (&"decommission".into(), &"done".into()), "{done}");
    let changes = done["changes"].to_string();
    assert!(changes.contains("topic sessions: removed") && !changes.contains("topic clickstream"), "{changes}");
    console.press("\x03");
}
