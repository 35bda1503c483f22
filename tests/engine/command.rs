//! `flowdeck signals replay`, as a person or a script runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use flowdeck::engine::Spec;
use flowdeck::engine::contract::{self, Written};
use flowdeck::engine::totals::Totals;

use super::event;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/golden-signals.toml");

fn replay(script: &str, spec: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
    command.args(["signals", "replay", "-", "--spec", spec, "-o", "jsonl"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read its input.
    child.stdin.take().unwrap().write_all(script.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn it_prints_panes_and_what_was_dropped() {
    let script = [
        event(1_000, "a", 1_000),
        r#"{"e":{"ts":2000,"svc":"a","status":503,"lat_us":3000,"more":[1]}}"#.to_owned(),
        r#"{"wm":10000}"#.to_owned(),
        event(3_000, "a", 2_000),
        r#"{"wm":80000}"#.to_owned(),
        event(4_000, "a", 2_000),
    ];
    let output = replay(&script.join("\n"), SPEC);
    let (code, panes, complaints) = said(&output);
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    let expected = [
        r#"{"start":0,"svc":"a","pane":"on_time","idx":0,"n":2,"err":1,"sum":4000,"min":1000,"max":3000,"p50":1002.428,"p95":1002.428,"p99":1002.428}"#,
        r#"{"start":0,"svc":"a","pane":"late","idx":1,"n":3,"err":1,"sum":6000,"min":1000,"max":3000,"p50":"#,
        r#"{"dropped":1,"late":1,"poison":0,"overflow":0,"other":0}"#,
    ];
    assert_eq!(panes.lines().count(), 3, "{panes}");
    for (line, expected) in panes.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(said(&replay(&script.join("\n"), SPEC)).1, panes);
}

#[test]
fn rows_that_others_counted_are_put_together_as_on_the_console() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(SPEC).unwrap();
    let aggregated = text.replace("\n[source]\n", "\nsource = \"aggregated\"\n[events]\n");
    let path = folder.path().join("aggregated.toml");
    std::fs::write(&path, &aggregated).unwrap();
    let spec_sha = &contract::sha(&Spec::parse(&aggregated).unwrap());
    let row = |key: &str, latencies: &[u64], (revision, part): (u32, Option<&str>)| {
        let mut totals = Totals::default();
        latencies.iter().for_each(|latency| totals.add(*latency > 1_000, *latency));
        let (is_final, late_policy, engine) = (true, "revise", "test/1");
        let row = Written { totals: &totals, key, spec_sha, revision, is_final, late_policy, engine, part, health: 0 };
        format!("{{\"e\":{}}}", serde_json::to_string(&row).unwrap())
    };
    let script = [
        row("a||0|t/0", &[1_000, 2_000], (0, Some("t/0"))),
        row("a||0|t/1", &[3_000], (0, Some("t/1"))),
        row("b||0", &[5], (0, None)),
        row("b||0", &[5, 7], (1, None)),
        row("b||0", &[5], (0, None)),
        "{\"e\":{\"version\":7}}".to_owned(),
    ];
    let (code, panes, complaints) = said(&replay(&script.join("\n"), path.to_str().unwrap()));
    assert_eq!(code, Some(0), "{complaints}");
    assert!(complaints.contains("line 6: a row of another version: it is of version 7"), "{complaints}");
    let expected = [
        r#"{"start":0,"svc":"a","pane":"on_time","idx":0,"n":3,"err":2,"sum":6000,"min":1000,"max":3000,"#,
        r#"{"start":0,"svc":"b","pane":"on_time","idx":0,"n":2,"err":0,"sum":12,"min":5,"max":7,"#,
        r#"{"dropped":0,"late":0,"poison":1,"overflow":0,"other":0}"#,
    ];
    assert_eq!(panes.lines().count(), 3, "{panes}");
    for (line, expected) in panes.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn a_record_that_is_no_event_is_named_and_counted() {
    let script = format!("{}\n{{\"e\":{{\"ts\":\"x\"}}}}\n", event(1, "a", 1));
    let (code, panes, complaints) = said(&replay(&script, SPEC));
    assert_eq!(code, Some(0), "{complaints}");
    assert!(panes.ends_with("\"poison\":1,\"overflow\":0,\"other\":0}\n"), "{panes}");
    assert!(complaints.contains("line 2: wrong type: ts is not a number"), "{complaints}");
}

#[test]
fn a_broken_script_fails_with_its_line() {
    for (script, expected) in [
        ("{\"wm\":5}\n\n{\"wm\":4}\n", "line 3: the watermark goes back from 5 to 4"),
        ("{\"wm\":5}\nnonsense\n", "line 2: not JSON: expected ident"),
        ("{\"e\":1}\n", "line 1: a line is {\"e\":{…}} or {\"wm\":MILLISECONDS}, and this is neither"),
        ("{\"e\":{},\"wm\":1}\n", "line 1: a line is"),
    ] {
        let (code, _, complaints) = said(&replay(script, SPEC));
        assert_eq!(code, Some(1), "{complaints}");
        assert!(complaints.contains(expected), "{complaints}");
    }
}

#[test]
fn a_spec_that_cannot_be_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spec.toml");
    std::fs::write(&path, "name = 'x'\nwindows = 3\n").unwrap();
    let (code, _, complaints) = said(&replay("", path.to_str().unwrap()));
    assert_eq!(code, Some(2), "{complaints}");
    assert!(complaints.contains("spec.toml") && complaints.contains("windows"), "{complaints}");
    let (code, _, complaints) = said(&replay("", "/nowhere/spec.toml"));
    assert_eq!(code, Some(2), "{complaints}");
    assert!(complaints.contains("/nowhere/spec.toml"), "{complaints}");
}
