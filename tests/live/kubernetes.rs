//! Pods, deployments and what happens to them, on the real API server.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::stack::{self, Namespace, Settings, eventually, kubectl, stackctl, variable};
use crate::support::Console;

/// What the issue asks: a change is on screen within a second of the API server's event.
const ONE_SECOND: Duration = Duration::from_secs(1);

fn pods(namespace: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&kubectl(&["get", "pods", "-n", namespace, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

fn task_managers(namespace: &str) -> Vec<String> {
    let of_role = |pod: &&Value| pod["metadata"]["labels"]["component"] == "taskmanager";
    pods(namespace).iter().filter(of_role).map(name).collect()
}

/// The end of a pod's name, which a narrow column still shows.
fn tail(pod: &str) -> &str {
    pod.char_indices().rev().nth(13).and_then(|(at, _)| pod.get(at..)).unwrap_or(pod)
}

/// Opens the pipeline that is alone in its namespace, at a size that shows all pods.
fn open_pipeline(namespace: &str, pipeline: &str) -> (Settings, Console) {
    let settings = Settings::admin(&[namespace]);
    let mut console = settings.console(160, 50);
    console.sees(pipeline);
    console.press("\r");
    console.sees("JM");
    (settings, console)
}

#[test]
fn get_prints_what_is_there_with_true_states() {
    let namespace = Namespace::new("true-states");
    stackctl(&["fill", "3", "4", &namespace.0]);
    let truth: BTreeMap<String, Value> = pods(&namespace.0).into_iter().map(|pod| (name(&pod), pod)).collect();
    let settings = Settings::admin(&[&namespace.0]);
    let rows = settings.json(&["get", "pods", "-o", "json"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), truth.len());
    for row in rows {
        let pod = &truth[row["key"]["name"].as_str().unwrap()];
        assert_eq!(row["status"], pod["status"]["phase"]);
        assert_eq!(row["node"], pod["spec"]["nodeName"]);
        assert_eq!(row["restarts"], pod["status"]["containerStatuses"][0]["restartCount"]);
    }
    let pipelines = settings.json(&["get", "pipelines", "-o", "json"]);
    assert_eq!(pipelines.as_array().unwrap().len(), 3);
    for pipeline in pipelines.as_array().unwrap() {
        assert_eq!((&pipeline["pods_ready"], &pipeline["pods_wanted"]), (&4.into(), &4.into()), "{pipeline}");
    }
}

#[test]
fn a_restart_and_an_oom_kill_show_within_a_second() {
    let namespace = Namespace::new("restarts");
    stackctl(&["fill", "1", "4", &namespace.0]);
    let pipeline = name(
        &serde_json::from_str::<Value>(&kubectl(&["get", "flinkdeployments", "-n", &namespace.0, "-o", "json"]))
            .unwrap()["items"][0],
    );
    let (_settings, mut console) = open_pipeline(&namespace.0, &pipeline);
    let jobmanager =
        pods(&namespace.0).iter().find(|pod| pod["metadata"]["labels"]["component"] == "jobmanager").map(name).unwrap();
    console.sees(tail(&jobmanager));
    stackctl(&["restart-pod", &namespace.0, &jobmanager]);
    let shown = console.until_within(ONE_SECOND, "one restart", |screen| {
        screen.lines().any(|line| line.contains(tail(&jobmanager)) && line.split_whitespace().any(|word| word == "1"))
    });
    println!("a restart was on screen {shown:?} after the change");

    let victim = task_managers(&namespace.0).remove(0);
    stackctl(&["oom-pod", &namespace.0, &victim]);
    let shown = console.until_within(ONE_SECOND, "the OOM kill", |screen| {
        screen.lines().any(|line| line.contains(tail(&victim)) && line.contains("OOMKilled"))
    });
    println!("an OOM kill was on screen {shown:?} after the change");
}

#[test]
fn a_scale_from_3_to_15_task_managers_shows_within_a_second() {
    let namespace = Namespace::new("scales");
    stackctl(&["fill", "1", "4", &namespace.0]);
    let pipeline = name(
        &serde_json::from_str::<Value>(&kubectl(&["get", "flinkdeployments", "-n", &namespace.0, "-o", "json"]))
            .unwrap()["items"][0],
    );
    let (_settings, mut console) = open_pipeline(&namespace.0, &pipeline);
    stackctl(&["scale", &namespace.0, &pipeline, "15"]);
    eventually("15 running TaskManagers", || {
        let running = pods(&namespace.0)
            .iter()
            .filter(|pod| {
                pod["metadata"]["labels"]["component"] == "taskmanager" && pod["status"]["phase"] == "Running"
            })
            .count();
        (running == 15).then_some(())
    });
    let names = task_managers(&namespace.0);
    let shown = console.until_within(ONE_SECOND, "15 TaskManagers", |screen| {
        names.iter().all(|pod| screen.lines().any(|line| line.contains(tail(pod)) && line.contains("Running")))
    });
    println!("15 TaskManagers were on screen {shown:?} after the last was running");
}

#[test]
fn a_suspended_job_shows_within_a_second() {
    let namespace = Namespace::new("suspends");
    stackctl(&["fill", "1", "3", &namespace.0]);
    let settings = Settings::admin(&[&namespace.0]);
    let mut console = settings.console(100, 30);
    console.sees("RUNNING");
    let pipeline = name(
        &serde_json::from_str::<Value>(&kubectl(&["get", "flinkdeployments", "-n", &namespace.0, "-o", "json"]))
            .unwrap()["items"][0],
    );
    let patch = r#"{"spec":{"job":{"state":"suspended"}}}"#;
    kubectl(&["patch", "flinkdeployment", &pipeline, "-n", &namespace.0, "--type=merge", "-p", patch]);
    let shown = console
        .until_within(ONE_SECOND, "STOPPED", |screen| screen.contains("STOPPED") && screen.contains("SUSPENDED"));
    println!("a suspended job was on screen {shown:?} after the change");
}

#[test]
fn both_runtimes_are_listed_and_grouped() {
    let namespace = Namespace::new("standalone");
    stack::apply(&standalone_manifests(&namespace.0));
    let settings = Settings::admin(&[&namespace.0]);
    let rows = eventually("both workloads", || {
        let rows = settings.json(&["get", "processors", "-o", "json"]);
        (rows[0]["task_managers"] == serde_json::json!([2, 2])).then_some(rows)
    });
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!((&rows[0]["name"], &rows[0]["pipeline"]), (&"sessionization".into(), &"clicks".into()));
    assert_eq!(
        (&rows[0]["runtime"], &rows[0]["job_managers"]),
        (&"FlinkStandalone".into(), &serde_json::json!([1, 1]))
    );
}

/// JobManager Deployment and TaskManager StatefulSet, as in the talk.
fn standalone_manifests(namespace: &str) -> String {
    let workload = |kind: &str, name: &str, component: &str, replicas: u32| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels: &labels\n    app: sessionization\n    \
             component: {component}\n    app.kubernetes.io/part-of: clicks\nspec:\n  replicas: {replicas}\n  serviceName: sessionization\n  selector:\n    matchLabels: *labels\n  \
             template:\n    metadata:\n      labels: *labels\n    spec:\n      containers:\n      - name: {component}\n        image: flink:2.2\n        \
             resources: {{limits: {{cpu: '1', memory: 1Gi}}}}\n"
        )
    };
    let deployment =
        workload("Deployment", "sessionization", "jobmanager", 1).replace("  serviceName: sessionization\n", "");
    format!("{deployment}---\n{}", workload("StatefulSet", "sessionization", "taskmanager", 2))
}

#[test]
fn a_viewer_without_rights_is_told_so_and_the_rest_works() {
    let namespace = Namespace::new("viewed");
    stackctl(&["fill", "1", "3", &namespace.0]);
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: pods, namespace: {0}}}\nrules:\n\
         - {{apiGroups: [''], resources: [pods], verbs: [get, list, watch]}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: pods, namespace: {0}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: pods}}\n\
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}}]\n",
        namespace.0
    );
    stack::apply(&role);
    let settings = Settings::new(&variable("STACK_KUBECONFIG_VIEWER"), &[&namespace.0], "");
    let output = settings.command(&["get", "pods", "-o", "json"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("may not list flinkdeployments"), "{words}");
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 3);
    let mut console = settings.console(120, 40);
    console
        .until("the pods' pipeline and the refusal", |screen| screen.contains("3/3") && screen.contains("forbidden"));
    console.press("q");
    assert!(console.ends().success());
}

#[test]
fn an_expired_token_is_named() {
    let settings = Settings::new(&variable("STACK_KUBECONFIG_EXPIRED"), &[], "");
    let mut console = settings.console(120, 40);
    console.until("the expired token", |screen| screen.to_lowercase().contains("token"));
    console.press("q");
    assert!(console.ends().success());
}
