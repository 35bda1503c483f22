//! `flowdeck exceptions`, as a shell runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::fixture;

fn exceptions(arguments: &[&str], input: &[u8]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowdeck"))
        .arg("exceptions")
        .args(arguments)
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments reads nothing.
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_trace_of_the_talk() {
    let path = fixture("talk.log");
    let output = exceptions(&["--file", path.to_str().unwrap(), "-o", "json"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", words(&output.stderr));
    let groups: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["root_type"], "java.io.IOException");
    assert_eq!(groups[0]["root_message"], "KafkaWriter : failed to send 1 records (since last report)");
    assert_eq!((&groups[0]["count"], &groups[0]["levels"]["INFO"]), (&1.into(), &1.into()));
    assert_eq!(groups[0]["first"], "2022-07-11T04:52:23.996Z");
    let table = words(&exceptions(&["-f", path.to_str().unwrap()], b"").stdout);
    assert!(table.starts_with("COUNT  ROOT TYPE"), "{table}");
    assert!(table.contains("\nCaused by: java.io.IOException: KafkaWriter"), "{table}");
}

#[test]
fn both_logs_of_one_failure_in_a_pipe_are_one_row_with_two_events() {
    let mut both = std::fs::read(fixture("jm-failure.log")).unwrap();
    both.extend(std::fs::read(fixture("tm-failure.log")).unwrap());
    let output = exceptions(&["-", "-o", "json"], &both);
    let groups: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &2.into()));
    assert_eq!(groups[0]["levels"], serde_json::json!({ "INFO": 1, "WARN": 1 }));
    assert!(groups[0]["first"].as_str() < groups[0]["last"].as_str());
    let none = exceptions(&["-", "--since", "2026-11-22T06:52:05Z"], &both);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(0), 0));
    assert!(words(&none.stderr).contains("no exceptions"));
    let some = exceptions(&["-", "--since", "2026-11-22 06:52:04.200", "-o", "json"], &both);
    assert_eq!(serde_json::from_slice::<Value>(&some.stdout).unwrap()[0]["count"], 1);
}

#[test]
fn events_have_the_promised_fields() {
    let output = exceptions(&["-", "--events"], &std::fs::read(fixture("java-slash.log")).unwrap());
    let text = words(&output.stdout);
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 5);
    assert_eq!(
        events[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["exception", "level", "logger", "message", "thread", "time"]
    );
    let exception = events[0]["exception"].as_object().unwrap();
    assert_eq!(
        exception.keys().collect::<Vec<_>>(),
        ["fingerprint", "frames", "message", "root_message", "root_type", "type"]
    );
    assert_eq!(exception["frames"][0], "LG.deep(LG.java:5)");
    assert_eq!((&events[0]["thread"], &events[0]["level"]), (&"main".into(), &"ERROR".into()));
}

#[test]
fn nothing_in_a_log_reaches_the_terminal_as_a_command() {
    let log = b"a\x1b]0;owned\x07.B\x9b31mException: \x1b[2J\njava.io.IOException: \x1b[2J\xff\x07 \xe2\x80\xae [tab\there] \xe6\xbc\xa2\n\tat a.B.c(B.java:1)\n";
    let output = exceptions(&["-"], log);
    let table = words(&output.stdout);
    assert!(table.contains("[tab here] 漢") && table.contains("^["), "{table}");
    assert!(!output.stdout.iter().any(|byte| *byte < b' ' && *byte != b'\n'), "{table:?}");
    assert!(!table.contains('\u{202e}') && words(&output.stderr).contains("not UTF-8"));
}

#[test]
fn json_holds_nothing_that_a_terminal_obeys() {
    let log = "java.io.IOException: \u{9b}31m \u{202e} \u{1b}[2J 漢\n\tat a.B.c(B.java:1)\n";
    for arguments in [&["-", "-o", "json"][..], &["-", "--events"]] {
        let text = words(&exceptions(arguments, log.as_bytes()).stdout);
        assert!(text.contains("\\u009b31m \\u202e \\u001b[2J 漢"), "{text}");
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        let event = value.get(0).unwrap_or(&value);
        let message = event.get("root_message").unwrap_or_else(|| &event["exception"]["message"]);
        assert_eq!(message, "\u{9b}31m \u{202e} \u{1b}[2J 漢");
    }
}

#[test]
fn wrong_arguments_have_their_codes() {
    for (arguments, code) in [
        (&[][..], 2),
        (&["pipeline", "--file", "x"], 2),
        (&["-", "--since", "soon"], 2),
        (&["-", "--format", "morse"], 2),
        (&["--file", "/nowhere/at/all.log"], 3),
        (&["--file", "/"], 1),
        (&["--file", "-"], 0),
    ] {
        let output = exceptions(arguments, b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", words(&output.stderr));
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let log =
        "2026-11-22 06:52:02,988 INFO  a.B [] - failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n".repeat(20_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, log).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowdeck"))
        .args(["exceptions", "--events", "--file"])
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
