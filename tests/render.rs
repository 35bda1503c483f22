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
