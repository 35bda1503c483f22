use serde_json::{Value, json};

use super::*;

fn row(status: &Value) -> Pod {
    row_of(json!({"status": status}))
}

fn row_of(mut object: Value) -> Pod {
    let base = json!({
        "metadata": {"name": "orders-taskmanager-1-1", "namespace": "prd", "resourceVersion": "1",
            "labels": {"component": "taskmanager", "app": "orders", "type": "flink-native-kubernetes", "app.kubernetes.io/part-of": "shop"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "flink-main-container", "resources": {"limits": {"cpu": "2", "memory": "4Gi"}}}],
            "initContainers": [{"name": "fetch"}, {"name": "mesh", "restartPolicy": "Always", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]},
    });
    merge(&mut object, base);
    let object: wire::Pod = serde_json::from_value(object).unwrap();
    pod(&mut Mapper::new("e".into()), &object).unwrap()
}

fn merge(into: &mut Value, base: Value) {
    if let (Value::Object(into), Value::Object(base)) = (into, base) {
        for (name, value) in base {
            match into.get_mut(&name) {
                Some(inner) => merge(inner, value),
                None => {
                    into.insert(name, value);
                }
            }
        }
    }
}

fn running(ready: bool) -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": if ready { "True" } else { "False" }}],
        "containerStatuses": [{"name": "flink-main-container", "ready": ready, "restartCount": 2, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}}}],
        "initContainerStatuses": [{"name": "fetch", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": "2026-01-02T00:00:00Z"}}},
            {"name": "mesh", "ready": true, "started": true, "restartCount": 1, "state": {"running": {}}}]})
}

#[test]
fn a_running_pod_with_a_sidecar() {
    let pod = row(&running(true));
    assert_eq!((&*pod.status, pod.ready, pod.restarts, pod.health), ("Running", 2, 3, PodHealth::Ready));
    assert_eq!(pod.containers.len(), 2);
    assert_eq!((pod.cpu_limit_millis, pod.memory_limit_bytes), (Some(2500), Some(5 << 30)));
    let end = pod.last_termination.unwrap();
    assert_eq!((&*end.reason, end.exit_code, &*end.container), ("OOMKilled", 137, "flink-main-container"));
    assert_eq!(pod.processor.to_string(), "e/prd/orders");
    assert_eq!(pod.pipeline.as_deref(), Some("shop"));
    assert_eq!(row(&running(false)).health, PodHealth::Moving);
}

#[test]
fn words_are_kubectls() {
    let waiting = |reason: &str| json!({"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason, "message": "why"}}}]});
    let ended =
        |end: Value| json!({"phase": "Running", "containerStatuses": [{"name": "c", "state": {"terminated": end}}]});
    let init = |state: Value| json!({"phase": "Pending", "initContainerStatuses": [{"name": "fetch", "state": state}]});
    for (status, word, health) in [
        (json!({"phase": "Pending"}), "Pending", PodHealth::Moving),
        (waiting("ContainerCreating"), "ContainerCreating", PodHealth::Moving),
        (waiting("CrashLoopBackOff"), "CrashLoopBackOff", PodHealth::Bad),
        (waiting("ErrImagePull"), "ErrImagePull", PodHealth::Bad),
        (ended(json!({"exitCode": 137, "reason": "OOMKilled"})), "OOMKilled", PodHealth::Bad),
        (ended(json!({"exitCode": 3})), "ExitCode:3", PodHealth::Bad),
        (ended(json!({"exitCode": 137, "signal": 9})), "Signal:9", PodHealth::Bad),
        (init(json!({"running": {}})), "Init:0/2", PodHealth::Moving),
        (init(json!({"waiting": {"reason": "PodInitializing"}})), "Init:0/2", PodHealth::Moving),
        (init(json!({"waiting": {"reason": "ImagePullBackOff"}})), "Init:ImagePullBackOff", PodHealth::Bad),
        (init(json!({"terminated": {"exitCode": 1, "reason": "Error"}})), "Init:Error", PodHealth::Bad),
        (
            json!({"phase": "Succeeded", "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}),
            "Completed",
            PodHealth::Done,
        ),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}),
            "Evicted",
            PodHealth::Bad,
        ),
        (json!({}), "Unknown", PodHealth::Bad),
    ] {
        let pod = row(&status);
        assert_eq!((&*pod.status, pod.health), (word, health));
    }
    assert_eq!(row(&waiting("CrashLoopBackOff")).message.as_deref(), Some("why"));
}

#[test]
fn an_unschedulable_pod_says_why() {
    let pod = row(
        &json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}),
    );
    assert_eq!((&*pod.status, pod.health), ("Pending", PodHealth::Bad));
    assert_eq!(pod.message.as_deref(), Some("0/3 nodes are available"));
}

#[test]
fn a_pod_that_is_being_deleted_is_terminating() {
    let deleted = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    let pod = row_of(json!({"metadata": deleted, "status": running(true)}));
    assert_eq!((&*pod.status, pod.health), ("Terminating", PodHealth::Moving));
    let ended = row_of(json!({"metadata": deleted, "status": {"phase": "Failed", "reason": "Evicted"}}));
    assert_eq!(&*ended.status, "Evicted");
    let lost = row_of(json!({"metadata": deleted, "status": {"phase": "Running", "reason": "NodeLost"}}));
    assert_eq!(&*lost.status, "Unknown");
}

#[test]
fn a_container_without_a_limit_makes_the_pod_unlimited() {
    let spec = json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"}]});
    let pod = row_of(json!({"spec": spec, "status": {"phase": "Pending"}}));
    assert_eq!((pod.cpu_limit_millis, pod.memory_limit_bytes), (None, None));
}

#[test]
fn a_pod_without_a_role_is_none_of_ours() {
    let object: wire::Pod = serde_json::from_value(json!({"metadata": {"name": "x"}})).unwrap();
    assert!(pod(&mut Mapper::new("e".into()), &object).is_none());
}
