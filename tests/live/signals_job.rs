//! A spec deployed as a job of Flink on the real API server, on both runtimes.

use serde_json::{Value, json};

use crate::deploy::{done, items, report, settings, wanted};
use crate::stack::{Namespace, Settings};

const EXAMPLE: &str = include_str!("../../config/examples/golden-signals.toml");

/// A spec in the test's folder.
fn spec(settings: &Settings, text: &str) -> String {
    let path = settings.folder().join("signals.toml");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// The arguments of the program that runs the script.
fn program(namespace: &str, runtime: &str) -> Value {
    let objects = wanted(namespace);
    if runtime == "operator" {
        let job = &objects["flinkdeployments/golden-signals"]["spec"]["job"];
        assert_eq!(job["entryClass"], "org.apache.flink.table.runtime.application.SqlDriver");
        return job["args"].clone();
    }
    let pod = &objects["deployments/golden-signals-jobmanager"]["spec"]["template"]["spec"];
    pod["containers"][0]["args"].clone()
}

#[test]
fn a_spec_is_deployed_changed_and_rolled_back_as_any_pipeline_on_both_runtimes() {
    for runtime in ["operator", "standalone"] {
        let namespace = Namespace::new(&format!("signals-{runtime}"));
        let settings = settings("qal", &namespace.0, "");
        let path = spec(&settings, EXAMPLE);
        let deploy = ["signals", "deploy", "--spec", &path, "--runtime", runtime, "--ignore-topics", "--yes"];
        // What SQL cannot do is asked for before anything is sent.
        let (code, _, words) = report(&settings, &deploy);
        assert!(code == 2 && words.contains("--late"), "{code} {words}");
        assert!(wanted(&namespace.0).is_empty());

        let drop = [&deploy[..], &["--late", "drop"]].concat();
        assert_eq!(done(&settings, &drop)["revision"], 1);
        let before = wanted(&namespace.0);
        let script = program(&namespace.0, runtime).to_string();
        for part in ["golden-signals.golden-signals.v1", "broker:9093", "config.providers.directory.class"] {
            assert!(script.contains(part), "{part}: {script}");
        }
        let (code, same, _) = report(&settings, &drop);
        assert_eq!((code, &same["outcome"]), (0, &json!("unchanged")), "{same:#}");

        // Another spec is another revision, and the one before comes back object by object.
        spec(&settings, &EXAMPLE.replace("size = \"10s\"", "size = \"20s\""));
        assert_eq!(
            done(&settings, &[&drop[..], &["--accept-state-loss", "--without-savepoint"]].concat())["revision"],
            2
        );
        assert!(program(&namespace.0, runtime).to_string().contains("00:00:20.000"));
        done(&settings, &["rollback", "golden-signals", "--yes", "--accept-state-loss", "--without-savepoint"]);
        assert_eq!(wanted(&namespace.0), before);

        let listed = settings.command(&["signals", "status", "--spec", &path, "-o", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed:#}");
        assert!(listed.to_string().contains("golden-signals"), "{listed:#}");

        done(&settings, &["signals", "stop", "--spec", &path, "--yes", "--accept-state-loss", "--without-savepoint"]);
        if runtime == "operator" {
            assert_eq!(items(&namespace.0, "flinkdeployments")[0]["spec"]["job"]["state"], "suspended");
        } else {
            assert_eq!(items(&namespace.0, "statefulsets")[0]["spec"]["replicas"], 0);
        }
    }
}
