//! What is said of room, compared with what the real API server, controllers and scheduler then do.

use serde_json::{Value, json};

use crate::deploy::{done, file, items, report};
use crate::stack::{Namespace, Settings, eventually, kubectl, kubectl_with, variable};

fn manifest(replicas: u32) -> String {
    format!(
        r#"apiVersion: flowdeck.dev/v1
kind: Pipeline
metadata: {{name: rooms, team: data}}
spec:
  environments: [qal]
  runtime: standalone
  processors:
    - name: guest
      artifact: "com.example:guest:1.0.0"
      replicas: {replicas}
      cpu: 0.5
      memory: 512Mi
      config: '{{"flink": {{"beam": {{"parallelism": 1}}}}}}'
"#
    )
}

fn settings(kubeconfig: &str, namespace: &str) -> Settings {
    Settings::named("qal", &variable(kubeconfig), &[namespace], "[environment.deploy]\nservice-account = \"default\"")
}

fn rule(namespace: &str, kind: &str, spec: &Value) {
    let object =
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "team", "namespace": namespace}, "spec": spec});
    kubectl_with(&["apply", "-f", "-"], &object.to_string());
}

fn pods(namespace: &str, component: &str) -> Vec<Value> {
    let mut pods = items(namespace, "pods");
    pods.retain(|it| it["metadata"]["labels"]["component"] == component);
    pods
}

fn refusals(namespace: &str) -> String {
    let events = items(namespace, "events");
    let refused = events.iter().filter(|it| it["reason"] == "FailedCreate");
    refused.map(|it| it["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
}

/// What a dry run says of room: the words of a weight.
#[track_caller]
fn said(room: &Value, weight: &str) -> String {
    let findings = room["findings"].as_array().unwrap_or_else(|| panic!("{room:#}")).iter();
    let found = findings.filter(|it| it["weight"] == weight).map(|it| it["message"].as_str().unwrap());
    found.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_quota_lets_as_many_pods_through_as_was_said() {
    let namespace = Namespace::new("room-quota");
    let settings = settings("STACK_KUBECONFIG", &namespace.0);
    rule(&namespace.0, "ResourceQuota", &json!({"hard": {"requests.cpu": "3500m", "pods": "10", "services": "5"}}));
    let (_two, two) = file(&manifest(2));
    let first = done(&settings, &["apply", "-f", &two, "--yes"]);
    assert_eq!(said(&first["room"], "refused"), "", "{first:#}");
    assert!(
        said(&first["room"], "fits").contains("quota team has enough: pods 3 of 10, requests.cpu 2 cpu of 3.5 cpu")
    );
    eventually("three pods that the quota has counted", || {
        let counted = items(&namespace.0, "resourcequotas")[0]["status"]["used"]["requests.cpu"] == "2";
        (counted && pods(&namespace.0, "taskmanager").len() == 2).then_some(())
    });

    let (_seven, seven) = file(&manifest(7));
    let proposals = settings.json(&["diff", "-f", &seven, "-o", "json"]);
    let room = &proposals[0]["room"];
    let need = &room["needs"][0];
    assert_eq!((&need["pods_now"], &need["pods_wanted"]), (&json!(2), &json!(7)), "{room:#}");
    assert_eq!(need["words"], "guest needs 5 more pods (TaskManager) of 0.5 cpu, 512 MiB");
    let words = said(room, "refused");
    assert!(words.starts_with("quota team has room for 3 of the 5 more pods: requests.cpu"), "{words}");
    let text = settings.command(&["diff", "-f", &seven]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("no room: quota team has room for 3 of the 5 more pods"), "{text}");

    done(&settings, &["apply", "-f", &seven, "--yes", "--accept-state-loss"]);
    eventually("the server's refusal", || refusals(&namespace.0).contains("exceeded quota: team").then_some(()));
    eventually("the pods that get through", || (pods(&namespace.0, "taskmanager").len() == 5).then_some(()));
}

#[test]
fn a_limit_range_refuses_the_pods_that_were_named() {
    let namespace = Namespace::new("room-limits");
    let settings = settings("STACK_KUBECONFIG", &namespace.0);
    rule(&namespace.0, "LimitRange", &json!({"limits": [{"type": "Container", "max": {"cpu": "600m"}}]}));
    let (_folder, path) = file(&manifest(2));
    let told = done(&settings, &["apply", "-f", &path, "--yes"]);
    let words = said(&told["room"], "refused");
    assert_eq!(
        words,
        "limit range team allows container jobmanager of guest's JobManager 0.6 cpu at most, and it may use 1 cpu"
    );
    eventually("the server's refusal", || {
        refusals(&namespace.0).contains("maximum cpu usage per Container").then_some(())
    });
    eventually("the pods that get through", || (pods(&namespace.0, "taskmanager").len() == 2).then_some(()));
    assert_eq!(pods(&namespace.0, "jobmanager").len(), 0);
}

#[test]
fn the_scheduler_finds_as_much_room_as_was_said() {
    let namespace = Namespace::new("room-nodes");
    let settings = settings("STACK_KUBECONFIG", &namespace.0);
    // A resource of this test alone: what others run meanwhile takes nothing of it.
    let nodes: Value = serde_json::from_str(&kubectl(&["get", "nodes", "-o", "json"])).unwrap();
    let node = nodes["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let seven = json!({"status": {"allocatable": {"example.com/room": "7"}, "capacity": {"example.com/room": "7"}}});
    kubectl(&["patch", "node", &node, "--subresource=status", "--type=merge", "-p", &seven.to_string()]);
    let (labels, size) = (json!({"app": "guest", "component": "taskmanager"}), json!({"example.com/room": "2"}));
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "guest-taskmanager", "namespace": namespace.0,
            "labels": {"app.kubernetes.io/part-of": "rooms", "component": "taskmanager"}},
        "spec": {"replicas": 1, "serviceName": "guest", "podManagementPolicy": "Parallel", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                {"name": "taskmanager", "image": "flink:2.2", "resources": {"requests": size, "limits": size}}]}}}});
    kubectl_with(&["apply", "-f", "-"], &set.to_string());
    let bound = || pods(&namespace.0, "taskmanager").iter().filter(|it| it["spec"]["nodeName"] == *node).count();
    eventually("the first pod", || (bound() == 1).then_some(()));

    let scale = ["scale", "rooms", "--replicas", "5", "--yes", "--accept-state-loss"];
    let (code, told, words) = report(&settings, &[&scale[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{words}");
    let waits = said(&told["room"], "waits");
    let expected = format!("nodes have room for 2 of 4 pods (TaskManager of guest): {node} for 2;");
    assert!(waits.starts_with(&expected), "{waits} {:#}", told["room"]);

    done(&settings, &scale);
    eventually("the pods that find a node, and those that wait", || {
        let waiting = |it: &&Value| it["status"]["conditions"].to_string().contains("Insufficient example.com/room");
        let waiting = pods(&namespace.0, "taskmanager").iter().filter(waiting).count();
        (bound() == 3 && waiting == 2).then_some(())
    });
}

#[test]
fn whoever_may_not_list_nodes_is_told_so_and_nothing_is_guessed() {
    let namespace = Namespace::new("room-viewer");
    let everything = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "all", "namespace": namespace.0},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    kubectl_with(&["apply", "-f", "-"], &everything.to_string());
    kubectl(&["create", "rolebinding", "all", "-n", &namespace.0, "--role=all", "--user=viewer"]);
    let settings = settings("STACK_KUBECONFIG_VIEWER", &namespace.0);
    rule(&namespace.0, "ResourceQuota", &json!({"hard": {"pods": "2"}}));
    let (_folder, path) = file(&manifest(2));
    let room = eventually("the rights and the quota", || {
        let output = settings.command(&["diff", "-f", &path, "-o", "json"]);
        let proposals: Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(proposals[0]["room"].clone()).filter(|it| !said(it, "refused").is_empty())
    });
    assert!(said(&room, "refused").contains("quota team has room for 2 of the 3 more pods"), "{room:#}");
    let unknown = said(&room, "unknown");
    assert!(unknown.starts_with("whether nodes have room: ") && unknown.contains("nodes"), "{unknown}");
    assert_eq!(said(&room, "waits") + &said(&room, "fits"), "", "{room:#}");
}

#[test]
fn a_job_that_cannot_be_asked_for_a_savepoint_is_not_stopped_for_one() {
    let namespace = Namespace::new("room-rights");
    let deploy = "[environment.deploy]\nservice-account = \"default\"\nstate = \"s3://state/{processor}\"";
    let of = |kubeconfig: &str| Settings::named("qal", &variable(kubeconfig), &[&namespace.0], deploy);
    let (_folder, path) = file(&manifest(1));
    done(&of("STACK_KUBECONFIG"), &["apply", "-f", &path, "--yes"]);
    // Everything but the way through the API server to a service.
    let core = ["configmaps", "services", "pods", "events", "resourcequotas", "limitranges", "serviceaccounts"];
    let role = |more: &[&str]| {
        let resources = [&core[..], more].concat();
        let rules = json!([{"apiGroups": [""], "resources": resources, "verbs": ["*"]},
            {"apiGroups": ["apps", "flink.apache.org"], "resources": ["*"], "verbs": ["*"]}]);
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "most", "namespace": namespace.0}, "rules": rules});
        kubectl_with(&["apply", "-f", "-"], &role.to_string());
    };
    role(&[]);
    kubectl(&["create", "rolebinding", "most", "-n", &namespace.0, "--role=most", "--user=viewer"]);
    let viewer = of("STACK_KUBECONFIG_VIEWER");
    let why = "you may not create services/proxy (guest-jobmanager:";
    let stop = ["stop", "rooms", "--yes", "--dry-run"];
    eventually("the right to stop, and none to ask the job", || {
        let (code, _, words) = report(&viewer, &stop);
        (code == 7 && words.contains("could not be stopped with a savepoint first") && words.contains(why))
            .then_some(())
    });
    let (code, _, words) = report(&viewer, &["savepoint", "rooms", "--yes"]);
    assert!(code == 7 && words.contains("cannot be asked for a savepoint") && words.contains(why), "{code} {words}");
    role(&["services/proxy"]);
    eventually("the way to the job", || (report(&viewer, &stop).0 == 0).then_some(()));
}
