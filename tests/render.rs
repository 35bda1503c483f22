//! `flowdeck render` without any cluster, and `flowdeck audit` of a machine that changed nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::FLOWDECK;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/expert-matching.yaml");

fn flowdeck(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(FLOWDECK);
    command.args(arguments).env("HOME", home.path()).env_remove("XDG_STATE_HOME").env_remove("FLOWDECK_AUDIT");
    command.env_remove("KUBECONFIG").env_remove("KUBERNETES_SERVICE_HOST").output().unwrap()
}

fn kinds(runtime: &str) -> Vec<String> {
    let output = flowdeck(&["render", "-f", EXAMPLE, "--runtime", runtime, "-o", "json", "-n", "team"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let objects: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(objects.iter().all(|it| it["metadata"]["namespace"] == "team"));
    objects.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn both_runtimes_are_rendered_without_a_cluster() {
    let operator = kinds("operator");
    assert_eq!(operator.iter().filter(|kind| *kind == "FlinkDeployment").count(), 4);
    let standalone = kinds("standalone");
    assert_eq!(standalone.iter().filter(|kind| *kind == "StatefulSet").count(), 4);
    assert!(!standalone.contains(&"FlinkDeployment".to_owned()));
}

#[test]
fn a_manifest_with_errors_is_not_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    let text = std::fs::read_to_string(EXAMPLE).unwrap().replace("\"parallelism\": 12", "\"parallelism\": 400");
    std::fs::write(&path, text).unwrap();
    let output = flowdeck(&["render", "-f", path.to_str().unwrap()]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("maxParallelism") && output.stdout.is_empty(), "{words}");
}

#[test]
fn nothing_was_changed_from_a_new_machine() {
    let output = flowdeck(&["audit", "-o", "json"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"[]\n".as_slice()));
}

/// Runs a command on a text as a manifest; its code and its words.
fn on(text: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yaml");
    std::fs::write(&path, text).unwrap();
    let output = flowdeck(&[arguments, &["-f", path.to_str().unwrap()]].concat());
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&words).into_owned())
}

fn with(part: &str, other: &str) -> String {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    assert!(text.contains(part), "{part}");
    text.replacen(part, other, 1)
}

#[test]
fn what_is_hostile_or_strange_is_refused_in_words_and_reaches_no_terminal() {
    let config = "\"maxParallelism\": 360,";
    let megabyte = format!("\"padding\": \"{}\",", "x".repeat(1 << 20));
    let cases: Vec<(&str, String, &str)> = vec![
        ("28 characters", with("name: expert-matching", "name: abcdefghijklmnopqrstuvwxyz-1"), "27 are the most"),
        ("an escape", with("name: expert-matching", "name: \"\\e]0;owned\\a\""), "must start with a letter"),
        ("a path", with("name: expert-matching", "name: ../../etc"), "must start with a letter"),
        ("a template", with("name: expert-matching", "name: \"{{ .Values.x }}\""), "must start with a letter"),
        ("a newline", with("name: expert-matching", "name: \"a\\nb\""), "must start with a letter"),
        ("an override of direction", with("name: expert-matching", "name: \"a\u{202e}b\""), "must start with a letter"),
        ("a topic", with("inputs: [clickstream]", "inputs: [\"a;rm -rf /\"]"), "is no topic's name"),
        (
            "an artifact",
            with("com.intuit.strmprocess:vep-was-integ-project-svc:1.0.0", "$(id)"),
            "group:artifact:version",
        ),
        ("a duplicate key", with("cpu: 4\n", "cpu: 4\n      cpu: 5\n"), "duplicate"),
        ("an unknown key", with("replicas: 3", "replikas: 3"), "replikas"),
        (
            "a duplicate key in JSON",
            with(config, "\"maxParallelism\": 360, \"maxParallelism\": 361,"),
            "maxParallelism",
        ),
        ("a comment in JSON", with(config, "\"maxParallelism\": 360, // wide"), "omment"),
        ("a block comment in JSON", with(config, "/* wide */ \"maxParallelism\": 360,"), "omment"),
        ("a trailing comma in JSON", with("\"parallelism\": 12", "\"parallelism\": 12,"), "omma"),
        ("a tab", with("      replicas: 3", "\t\treplicas: 3"), "tab"),
        ("a newer version", with("flowdeck.dev/v1", "flowdeck.dev/v7"), "newer than this program"),
        ("another version", with("flowdeck.dev/v1", "apps/v1"), "is unknown"),
        ("a megabyte of configuration", with(config, &format!("{megabyte} {config}")), "are the most"),
        ("400 of 360", with("\"parallelism\": 12", "\"parallelism\": 400"), "maxParallelism"),
        ("nothing", "# only a comment\n".to_owned(), "there is no manifest"),
        ("no YAML", "\u{0}\u{1}{[".to_owned(), "error"),
        ("anchors without end", "a: &a [*a, *a]\n".to_owned(), "error"),
    ];
    for (what, text, said) in &cases {
        for command in ["validate", "render"] {
            let (code, words) = on(text, &[command]);
            assert_eq!(code, Some(1), "{what}, {command}: {words}");
            assert!(words.contains(said), "{what}, {command}: {words}");
            let is_dangerous = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
            assert!(!words.contains(is_dangerous), "{what}: {words:?}");
            assert!(words.len() < 8_000, "{what}: {} bytes are said", words.len());
        }
    }
    println!("{} inputs", cases.len());
}

#[test]
fn tabs_inside_of_a_configuration_are_json() {
    let (code, words) = on(&with("\"maxParallelism\": 360,", "\t\"maxParallelism\":\t360,"), &["validate"]);
    assert_eq!(code, Some(0), "{words}");
}

/// Begins something in a folder of the test's own; its code, its words, and the folder.
fn begin(arguments: &[&str]) -> (Option<i32>, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("it");
    let output = flowdeck(&[&["new"], arguments, &["--directory", place.to_str().unwrap()]].concat());
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&words).into_owned(), folder)
}

#[test]
fn a_project_begins_with_valid_manifests_and_signals() {
    for starter in ["beam-java", "flink-sql"] {
        let processor =
            ["processor", "click-filter", "--team", "Data", "--taxonomy", "Data > A > B", "--starter", starter];
        let (code, words, folder) = begin(&processor);
        assert_eq!(code, Some(0), "{words}");
        let place = folder.path().join("it");
        let path = |name: &str| place.join(name).to_string_lossy().into_owned();
        let checked = flowdeck(&["validate", "-f", &path("")]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        let signals = flowdeck(&["signals", "check", &path("signals.toml")]);
        assert!(signals.status.success(), "{}", String::from_utf8_lossy(&signals.stderr));
        for runtime in ["operator", "standalone"] {
            let rendered = flowdeck(&["render", "-f", &path("pipeline.yaml"), "--runtime", runtime]);
            assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        }
        assert!(std::fs::read_to_string(path("processor.yaml")).unwrap().contains("alias: data.a.b.clickfilter"));
        // A second one is not written over the first.
        let again = flowdeck(&[&["new"], &processor[..], &["--directory", &path("")]].concat());
        assert_eq!(again.status.code(), Some(2));
    }
}

#[test]
fn what_breaks_a_rule_is_not_begun() {
    let team = ["--team", "Data"];
    for (arguments, said) in [
        (vec!["processor", "abcdefghijklmnopqrstuvwxyz-1"], "has 28 characters; 27 are the most"),
        (vec!["processor", "../x"], "must start with a letter"),
        (vec!["processor", "a", "--taxonomy", "Data"], "three levels"),
        (vec!["processor", "a", "--tracker", "lower"], "in capitals"),
        (vec!["processor", "a", "--acronym", "A", "--colour", "mauve"], "mauve"),
        (vec!["processor", "a", "--artifact", "x"], "group:artifact:version"),
        (vec!["pipeline", "a", "--processor", "b=g:a:1", "--in", "qal,prd", "--temporary"], "never goes there"),
        (vec!["pipeline", "a", "--processor", "b=g:a:1", "--processor", "b=g:a:1"], "two processors"),
    ] {
        let (code, words, folder) = begin(&[&arguments[..], &team].concat());
        assert!(code == Some(1) && words.contains(said), "{arguments:?}: {code:?} {words}");
        assert!(!folder.path().join("it").exists(), "{arguments:?}");
    }
    let (code, words, folder) =
        begin(&[&["pipeline", "a", "--processor", "b=g:a:1", "--processor", "c=g:a:1"][..], &team].concat());
    assert_eq!(code, Some(0), "{words}");
    let text = std::fs::read_to_string(folder.path().join("it/pipeline.yaml")).unwrap();
    assert!(
        text.contains("outputs: [a.b]") && text.contains("inputs: [a.b]") && text.contains("outputs: [a-out]"),
        "{text}"
    );
}
