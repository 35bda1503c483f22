//! Commands without a terminal: their output, complaints and exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use support::FLOWDECK;

fn flowdeck(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(FLOWDECK)
        .args(arguments)
        .env("HOME", home.path())
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap()
}

fn code_and_words(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_any_cluster_it_says_what_next() {
    let (code, words) = code_and_words(&flowdeck(&["get", "pipelines", "--timeout", "3"]));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.to_lowercase().contains("kubeconfig"), "{words}");
}

#[test]
fn a_broken_kubeconfig_is_named_with_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken");
    std::fs::write(&path, "{ not yaml: [").unwrap();
    let output = flowdeck(&["get", "pipelines", "--timeout", "3", "--kubeconfig", path.to_str().unwrap()]);
    let (code, words) = code_and_words(&output);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(path.to_str().unwrap()), "{words}");
}

#[test]
fn an_unknown_context_lists_the_known_ones() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let text = "apiVersion: v1\nkind: Config\nclusters:\n- {name: n, cluster: {server: 'http://127.0.0.1:1'}}\n\
                users:\n- {name: u, user: {}}\ncontexts:\n- {name: prd-usw2, context: {cluster: n, user: u}}\n";
    std::fs::write(&path, text).unwrap();
    let arguments = ["get", "pods", "--timeout", "3", "--context", "prd", "--kubeconfig", path.to_str().unwrap()];
    let (code, words) = code_and_words(&flowdeck(&arguments));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("prd-usw2"), "{words}");
}

#[test]
fn a_misspelt_setting_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flowdeck.toml");
    std::fs::write(&path, "[scren]\n").unwrap();
    let (code, words) = code_and_words(&flowdeck(&["--settings", path.to_str().unwrap(), "get", "pods"]));
    assert_eq!(code, Some(2));
    assert!(words.contains("scren"), "{words}");
}

#[test]
fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = flowdeck(&["completions", shell]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("doctor"), "{shell}");
    }
    let manual = flowdeck(&["man"]);
    assert!(manual.status.success() && String::from_utf8_lossy(&manual.stdout).contains(".TH"));
}

#[test]
fn the_demo_has_twelve_pipelines_in_three_environments() {
    let output = flowdeck(&["demo", "--", "get", "pipelines", "-o", "json"]);
    let (code, words) = code_and_words(&output);
    assert_eq!(code, Some(0), "{words}");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 12);
    let environments: std::collections::BTreeSet<&str> =
        rows.iter().filter_map(|row| row["environment"].as_str()).collect();
    assert_eq!(environments.into_iter().collect::<Vec<_>>(), ["e2e", "prd", "qal"]);
    let sessionization =
        rows.iter().find(|row| row["name"] == "sessionization" && row["environment"] == "prd").unwrap();
    assert_eq!(sessionization["pods_wanted"], 16, "{sessionization}");
    assert!(sessionization["lag_records"].is_u64(), "{sessionization}");
}

#[test]
fn flags_of_a_command_inside_the_demo_hold() {
    let output = flowdeck(&["demo", "--", "get", "pipelines", "-e", "prd", "-o", "name"]);
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(names.lines().count(), 4, "{names}");
    assert!(names.lines().all(|name| name.starts_with("prd/")), "{names}");
}

#[test]
fn golden_signals_of_the_demo_are_listed() {
    let rows = |kind: &str| -> Vec<serde_json::Value> {
        let output = flowdeck(&["demo", "--", "get", kind, "-e", "prd", "-o", "json"]);
        let (code, words) = code_and_words(&output);
        assert_eq!(code, Some(0), "{words}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let services = rows("signals");
    assert!(services.len() > 150, "{}", services.len());
    let engagement = services.iter().find(|row| row["service"] == "intuit.expertnetwrk.engagement").unwrap();
    assert_eq!(engagement["environment"], "prd");
    assert!(engagement["point"]["requests"].as_u64().unwrap() > 10, "{engagement}");
    assert!(engagement["requests_per_second"].as_f64().unwrap() > 1.0, "{engagement}");
    assert_eq!(engagement["objective_percent"], 99.0);
    assert!(engagement["rule"]["text"].is_string(), "{engagement}");
    let ranked: Vec<_> = services.iter().filter_map(|row| row["point"]["health"].as_u64()).collect();
    assert!(ranked.is_sorted_by(|left, right| left >= right), "the worst first: {ranked:?}");
    for alert in rows("alerts") {
        assert!(["firing", "pending", "resolved"].contains(&alert["state"].as_str().unwrap()), "{alert}");
        assert!(alert["rule"].is_string() && alert["since"].is_string() && alert["summary"].is_string(), "{alert}");
    }
    let pipelines = rows("pipeline-signals");
    assert_eq!(pipelines.len(), 4);
    let sessionization = pipelines.iter().find(|row| row["name"] == "sessionization").unwrap();
    assert!(sessionization["records_in_per_second"].as_f64().unwrap() > 0.0, "{sessionization}");
    assert!(sessionization["saturation"]["component"].is_string(), "{sessionization}");
    assert!(sessionization["failures"].is_u64(), "{sessionization}");
}

#[test]
fn a_name_that_is_not_there_is_not_found() {
    let (code, words) = code_and_words(&flowdeck(&["demo", "--", "get", "pipelines", "no-such-thing"]));
    assert_eq!(code, Some(3), "{words}");
    let (code, words) = code_and_words(&flowdeck(&["demo", "--", "-e", "prd", "restart", "sessionization", "--yes"]));
    assert!(code == Some(3) && words.contains("; it is in data-processing"), "{code:?} {words}");
    let (code, words) = code_and_words(&flowdeck(&["demo", "--", "describe", "pod", "no-such-pod"]));
    assert_eq!(code, Some(3), "{words}");
}

#[test]
fn a_watched_table_stays_in_line_and_a_signal_leaves_no_files() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(FLOWDECK);
    command.args(["demo", "--pace", "4", "--", "get", "pipelines", "--watch"]).env("TMPDIR", temporary.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // More lines than there are pipelines: some were printed again because they changed.
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<String> = output.by_ref().take(20).map(Result::unwrap).collect();
    let state = lines[0].find("STATE").unwrap();
    for line in &lines[1..] {
        let (before, cell) = line.split_at(state);
        assert!(before.ends_with("  ") && !cell.starts_with(' '), "{}", lines.join("\n"));
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

/// Checks a text as a file of a name; the exit code, and what was printed.
fn validated(name: &str, text: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    let output = flowdeck(&["validate", "-f", path.to_str().unwrap()]);
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn manifests_are_refused_before_anything_is_sent() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");
    let output = flowdeck(&["validate", "-f", examples]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(output.status.code(), Some(0));
    let good = std::fs::read_to_string(format!("{examples}/expert-matching.yaml")).unwrap();
    for (from, to, said) in [
        ("temporary: false", "temporary: true", "prd is production, and a temporary pipeline never goes there"),
        ("name: expert-matching", "name: a234567890123456789012345678", "has 28 characters; 27 are the most"),
        ("\"parallelism\": 12", "\"parallelism\": 400", "400 is more than flink.beam.maxParallelism = 360"),
        ("\"maxParallelism\"", "\"maxParalelism\"", "unknown option; did you mean maxParallelism?"),
    ] {
        let (code, words) = validated("pipeline.yaml", &good.replacen(from, to, 1));
        assert_eq!(code, Some(1), "{to}");
        assert!(words.contains(said), "{to}: {words}");
    }
    let (code, words) = validated("config.json", "{\"flink\": {\"conf\": {\"state.backend\": \"rocksdb\"}}}");
    assert_eq!(code, Some(0));
    assert!(words.contains("config.json:1:21: warning: flink.conf.state.backend: is the old name of"), "{words}");
}
