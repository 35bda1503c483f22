//! Labels, links, expiry, autoscaling and roles on the real API server: shown, edited, in the audit, and nothing else changed.

use serde_json::{Value, json};

use crate::deploy::{MANIFEST, done, file, report, settings, wanted};
use crate::stack::{Namespace, kubectl, kubectl_with};

/// What differs between two states of a namespace, as paths and what they became.
fn changes(before: &Value, after: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let value = |map: &serde_json::Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or_default();
            for name in names {
                changes(&value(one, name), &value(other, name), &format!("{path}/{name}"), found);
            }
        }
        _ => found.push((path.to_owned(), after.clone())),
    }
}

fn changed(namespace: &str, before: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    changes(before, &json!(wanted(namespace)), "", &mut found);
    found
}

#[test]
fn what_is_written_about_a_pipeline_is_edited_and_survives_the_next_apply() {
    let namespace = Namespace::new("manage");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let before = json!(wanted(&namespace.0));
    let edit = [
        "manage",
        "clicks",
        "--label",
        "cost=42",
        "--link",
        "Runbook=https://x/y",
        "--team",
        "SRE",
        "--expires",
        "2099-01-31",
        "--yes",
    ];
    let told = done(&settings, &edit);
    assert!(told["forecasts"].as_array().unwrap().iter().all(|it| it["effect"] == "nothing"), "{told:#}");
    let expected: Vec<(String, Value)> = ["counter", "sessionization"]
        .iter()
        .flat_map(|name| {
            let at = |rest: &str| format!("/flinkdeployments/{name}/metadata/{rest}");
            [
                (at("annotations/flowdeck.dev/expires"), json!("2099-01-31")),
                (at("annotations/flowdeck.dev/link.Runbook"), json!("https://x/y")),
                (at("annotations/flowdeck.dev/team"), json!("SRE")),
                (at("labels/cost"), json!("42")),
            ]
        })
        .collect();
    assert_eq!(changed(&namespace.0, &before), expected);
    let shown = settings.json(&["manage", "clicks", "-o", "json"]);
    assert_eq!(
        shown[0],
        json!({"processor": "counter", "team": "SRE", "expires": "2099-01-31", "labels": {"cost": "42"}, "links": {"Runbook": "https://x/y"}})
    );
    // The manifest says another team: that is named. What it does not know stays.
    let (_other, other) = file(&MANIFEST.replace("replicas: 2,", "replicas: 3,"));
    let (code, _, words) = report(&settings, &["apply", "-f", &other, "--yes"]);
    assert!(code == 6 && words.contains("flowdeck.dev/team"), "{code} {words}");
    done(&settings, &["manage", "clicks", "--team", "data", "--yes"]);
    done(&settings, &["apply", "-f", &other, "--yes"]);
    assert_eq!(settings.json(&["manage", "clicks", "-o", "json"])[0]["labels"], json!({"cost": "42"}));
    // Taken away again.
    done(&settings, &["manage", "clicks", "--label", "cost-", "--link", "Runbook-", "--expires", "never", "--yes"]);
    let left = changed(&namespace.0, &before);
    // What the other manifest says, and that somebody wants it for good.
    let counter = |rest: &str| format!("/flinkdeployments/counter/{rest}");
    let never =
        |name: &str| (format!("/flinkdeployments/{name}/metadata/annotations/flowdeck.dev/expires"), json!("never"));
    let expected = [
        never("counter"),
        (counter("spec/job/parallelism"), json!(3)),
        (counter("spec/taskManager/replicas"), json!(3)),
        never("sessionization"),
    ];
    assert_eq!(left, expected);
    let (code, _, words) = report(&settings, &["manage", "clicks", "--label", "app=x", "--yes"]);
    assert!(code == 7 && words.contains("what belongs together"), "{code} {words}");
    let audit = settings.json(&["audit", "clicks", "-o", "json"]);
    assert_eq!(
        audit.as_array().unwrap().iter().filter(|it| it["verb"] == "manage" && it["outcome"] == "done").count(),
        3
    );
}

#[test]
fn whose_it_is_becomes_part_of_the_manifest_and_restarts_nothing() {
    let namespace = Namespace::new("manage-owner");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let before = json!(wanted(&namespace.0));
    let told =
        done(&settings, &["manage", "clicks", "--owner", "third-party", "--description", "Clicks, counted", "--yes"]);
    assert_eq!(told["revision"], 2);
    assert!(told["forecasts"].as_array().unwrap().iter().all(|it| it["effect"] == "nothing"), "{told:#}");
    let changed = changed(&namespace.0, &before);
    let words = |name: &str| -> Vec<Value> {
        changed.iter().filter(|(path, _)| path.ends_with(name)).map(|(_, it)| it.clone()).collect()
    };
    assert_eq!(words("flowdeck.dev/owner"), vec![json!("third-party"); 4], "{changed:?}");
    assert_eq!(words("flowdeck.dev/description").len(), 4, "{changed:?}");
    assert_eq!(words("flowdeck.dev/revision").len() + 8, changed.len(), "{changed:?}");
    let shown = settings.json(&["manage", "clicks", "-o", "json"]);
    assert_eq!((&shown[0]["owner"], &shown[0]["description"]), (&json!("third-party"), &json!("Clicks, counted")));
    let history = settings.command(&["history", "clicks", "--show", "2"]);
    assert!(String::from_utf8_lossy(&history.stdout).contains("owner: third-party"));
    // Back: nothing of it is left but the number.
    done(&settings, &["manage", "clicks", "--owner", "own", "--description", "", "--yes"]);
    assert!(settings.json(&["manage", "clicks", "-o", "json"])[0]["owner"].is_null());
    let (code, _, words) = report(&settings, &["manage", "clicks", "--owner", "mine", "--yes"]);
    assert!(code == 2 && words.contains("type own or third-party"), "{code} {words}");
}

#[test]
fn what_has_expired_is_not_started_again_before_somebody_extends_it() {
    let namespace = Namespace::new("manage-expired");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) =
        file(&MANIFEST.replace("team: data", "team: data, temporary: true").replace("[qal, prd]", "[qal]"));
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let day = settings.json(&["manage", "clicks", "-o", "json"])[0]["expires"].as_str().unwrap().to_owned();
    let in_days = |days: i64| (chrono::Utc::now() + chrono::TimeDelta::days(days)).date_naive().to_string();
    assert!([in_days(29), in_days(30)].contains(&day), "{day}");
    // The same again is nothing, whatever day it is.
    let (_, same, _) = report(&settings, &["apply", "-f", &path, "--yes"]);
    assert_eq!(same["outcome"], "unchanged", "{same:#}");
    done(&settings, &["manage", "clicks", "--expires", "2020-01-01", "--yes"]);
    let (code, _, words) = report(&settings, &["restart", "clicks", "--yes"]);
    assert!(code == 7 && words.contains("expired on 2020-01-01"), "{code} {words}");
    done(&settings, &["stop", "clicks", "--yes"]);
    done(&settings, &["manage", "clicks", "--expires", &in_days(5), "--yes"]);
    done(&settings, &["deploy", "clicks", "--yes"]);
}

#[test]
fn the_operators_autoscaler_is_set_without_a_restart_and_its_decisions_are_told() {
    let namespace = Namespace::new("manage-scaling");
    let settings = settings("qal", &namespace.0, "");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let before = json!(wanted(&namespace.0));
    let told = done(
        &settings,
        &["autoscale", "clicks", "counter", "--on", "--min", "2", "--max", "8", "--target", "65", "--yes"],
    );
    assert_eq!(told["forecasts"][0]["effect"], "nothing", "{told:#}");
    let at = |name: &str| format!("/flinkdeployments/counter/spec/flinkConfiguration/job.autoscaler.{name}");
    assert_eq!(
        changed(&namespace.0, &before),
        [
            (at("enabled"), json!("true")),
            (at("utilization.target"), json!("0.65")),
            (at("vertex.max-parallelism"), json!("8")),
            (at("vertex.min-parallelism"), json!("2")),
        ]
    );
    let event = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "counter.1", "namespace": namespace.0},
        "involvedObject": {"kind": "FlinkDeployment", "name": "counter", "namespace": namespace.0}, "reason": "ScalingReport", "type": "Normal",
        "message": "Vertex a: parallelism 2 -> 4", "lastTimestamp": "2026-01-02T03:04:05Z"});
    kubectl_with(&["create", "-f", "-"], &event.to_string());
    let shown = settings.json(&["autoscale", "clicks", "counter", "-o", "json"]);
    assert_eq!((&shown[0]["by"], &shown[0]["settings"]["utilization.target"]), (&json!("operator"), &json!("0.65")));
    assert_eq!(shown[0]["decisions"][0]["message"], "Vertex a: parallelism 2 -> 4");
    let (code, _, words) = report(&settings, &["autoscale", "clicks", "--target-memory", "80", "--yes"]);
    assert!(code == 7 && words.contains("not by memory"), "{code} {words}");
    let (code, _, words) = report(&settings, &["autoscale", "clicks", "--min", "9", "--max", "2", "--yes"]);
    assert!(code == 2 && words.contains("more than the most"), "{code} {words}");
}

#[test]
fn plain_workloads_are_scaled_by_a_pod_autoscaler_that_the_next_apply_leaves_alone() {
    let namespace = Namespace::new("manage-hpa");
    let settings = settings("qal", &namespace.0, "service-account = \"default\"");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--runtime", "standalone", "--yes"]);
    done(&settings, &["autoscale", "clicks", "counter", "--on", "--min", "2", "--max", "6", "--yes"]);
    let hpa: Value =
        serde_json::from_str(&kubectl(&["get", "hpa", "counter-taskmanager", "-n", &namespace.0, "-o", "json"]))
            .unwrap();
    assert_eq!((&hpa["spec"]["minReplicas"], &hpa["spec"]["maxReplicas"]), (&json!(2), &json!(6)));
    assert_eq!(hpa["spec"]["scaleTargetRef"]["kind"], "StatefulSet");
    let metrics = |namespace: &str| -> Vec<(String, u64)> {
        let found = kubectl(&["get", "hpa", "counter-taskmanager", "-n", namespace, "-o", "json"]);
        let found: Value = serde_json::from_str(&found).unwrap();
        let metrics = found["spec"]["metrics"].as_array().unwrap().clone();
        let one = |it: &Value| {
            let resource = &it["resource"];
            (resource["name"].as_str().unwrap().into(), resource["target"]["averageUtilization"].as_u64().unwrap())
        };
        metrics.iter().map(one).collect()
    };
    let of = |percents: &[(&str, u64)]| percents.iter().map(|(name, it)| ((*name).to_owned(), *it)).collect::<Vec<_>>();
    assert_eq!(metrics(&namespace.0), of(&[("cpu", 70)]));
    done(&settings, &["autoscale", "clicks", "counter", "--target-memory", "80", "--yes"]);
    assert_eq!(metrics(&namespace.0), of(&[("cpu", 70), ("memory", 80)]));
    done(&settings, &["autoscale", "clicks", "counter", "--target-cpu", "55", "--yes"]);
    assert_eq!(metrics(&namespace.0), of(&[("cpu", 55), ("memory", 80)]));
    let shown = settings.json(&["autoscale", "clicks", "counter", "-o", "json"]);
    assert_eq!((&shown[0]["target_percent"], &shown[0]["memory_percent"]), (&json!(55), &json!(80)));
    done(&settings, &["autoscale", "clicks", "counter", "--target-memory", "none", "--yes"]);
    assert_eq!(metrics(&namespace.0), of(&[("cpu", 55)]));
    // Somebody else decides the number; the next apply takes it as it is.
    kubectl(&["scale", "statefulset", "counter-taskmanager", "-n", &namespace.0, "--replicas=5"]);
    let (_other, other) = file(&MANIFEST.replace("cpu: 0.5", "cpu: 0.25"));
    let apply =
        ["apply", "-f", &other, "--runtime", "standalone", "--yes", "--without-savepoint", "--accept-state-loss"];
    done(&settings, &apply);
    let workers = wanted(&namespace.0)["statefulsets/counter-taskmanager"].clone();
    assert_eq!(workers["spec"]["replicas"], 5);
    assert_eq!(settings.json(&["autoscale", "clicks", "counter", "-o", "json"])[0]["by"], "hpa");
    done(&settings, &["autoscale", "clicks", "counter", "--off", "--yes"]);
    assert_eq!(kubectl(&["get", "hpa", "-n", &namespace.0, "-o", "name"]).trim(), "");
    // Whoever takes the pipeline away takes it away with what decides its size.
    done(&settings, &["autoscale", "clicks", "counter", "--on", "--yes"]);
    assert_ne!(kubectl(&["get", "hpa", "-n", &namespace.0, "-o", "name"]).trim(), "");
    done(&settings, &["decommission", "clicks", "--yes", "--without-savepoint", "--accept-state-loss"]);
    assert_eq!(kubectl(&["get", "hpa", "-n", &namespace.0, "-o", "name"]).trim(), "");
}

#[test]
fn a_role_is_given_and_what_its_account_may_do_is_told() {
    let namespace = Namespace::new("manage-role");
    let settings = settings("qal", &namespace.0, "service-account = \"flink\"");
    let (_folder, path) = file(MANIFEST);
    done(&settings, &["apply", "-f", &path, "--yes"]);
    let shown = settings.json(&["role", "clicks", "-o", "json"]);
    assert_eq!((&shown[0]["exists"], &shown[0]["role"]), (&json!(false), &Value::Null), "{shown:#}");
    let arn = "arn:aws:iam::123456789012:role/flink-qal";
    done(&settings, &["role", "clicks", "--set", arn, "--yes"]);
    kubectl(&[
        "create",
        "rolebinding",
        "flink",
        "-n",
        &namespace.0,
        "--clusterrole=edit",
        &format!("--serviceaccount={}:flink", namespace.0),
    ]);
    let shown = settings.json(&["role", "clicks", "-o", "json"]);
    assert_eq!(
        (&shown[0]["exists"], &shown[0]["role"], &shown[0]["processors"]),
        (&json!(true), &json!(arn), &json!(["counter", "sessionization"]))
    );
    let rights = shown[0]["rights"].as_array().unwrap();
    assert!(rights.iter().all(|it| it["allowed"] == true), "{rights:#?}");
    let (code, _, words) = report(&settings, &["role", "clicks", "--set", "admin", "--yes"]);
    assert!(code == 7 && words.contains("is no role"), "{code} {words}");
    done(&settings, &["role", "clicks", "--remove", "--yes"]);
    assert_eq!(settings.json(&["role", "clicks", "-o", "json"])[0]["role"], Value::Null);
}
