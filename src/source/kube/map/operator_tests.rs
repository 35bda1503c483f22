use serde_json::json;

use super::*;
use crate::source::kube::wire::flink::{FlinkDeployment, FlinkSessionJob};

fn declared(object: Value) -> Declaration {
    let object: FlinkDeployment = serde_json::from_value(object).unwrap();
    deployment(&mut Mapper::new("e".into()), &object.metadata, &object.spec, object.status.as_ref())
}

#[test]
fn a_running_application() {
    let declaration = declared(json!({
        "metadata": {"name": "orders", "namespace": "prd", "generation": 4, "labels": {"app.kubernetes.io/part-of": "shop"},
            "annotations": {"flowdeck.dev/group": "orders-v2", "flowdeck.dev/revision": "12"}},
        "spec": {"image": "orders:12", "flinkVersion": "v1_20", "serviceAccount": "flink",
            "flinkConfiguration": {"taskmanager": {"numberOfTaskSlots": 4}, "state.backend.type": "rocksdb"},
            "jobManager": {"resource": {"cpu": 1, "memory": "2048m"}},
            "taskManager": {"resource": {"cpu": 1.5, "memory": "4096m"}},
            "job": {"parallelism": 10, "state": "running", "upgradeMode": "savepoint", "args": []}},
        "status": {"lifecycleState": "STABLE", "jobManagerDeploymentStatus": "READY", "observedGeneration": 3, "error": null,
            "clusterInfo": {"flink-version": "1.20.1"},
            "jobStatus": {"jobId": "aabb", "state": "RUNNING", "startTime": "1767323045000"}},
    }));
    let operator = declaration.operator.unwrap();
    assert_eq!((declaration.task_managers, declaration.job_managers), (Some(3), Some(1)));
    assert_eq!((declaration.cpu_millis, declaration.memory_bytes), (Some(1500), Some(4096 << 20)));
    assert_eq!(declaration.notes.group.as_deref(), Some("orders-v2"));
    assert_eq!(operator.job, Some(JobState::Running));
    assert_eq!(operator.started_at.unwrap().timestamp(), 1_767_323_045);
    assert_eq!(operator.flink_version.as_deref(), Some("1.20.1"));
    assert_eq!((operator.behind, operator.suspended, operator.session_cluster), (true, false, false));
    assert_eq!(declaration.pod_labels.get("app").map(AsRef::as_ref), Some("orders"));
}

#[test]
fn a_suspended_job_wants_no_pods() {
    let declaration = declared(
        json!({"metadata": {"name": "a"}, "spec": {"job": {"state": "suspended", "parallelism": "8"}}, "status": {}}),
    );
    assert_eq!((declaration.task_managers, declaration.job_managers), (Some(0), Some(0)));
    assert!(declaration.operator.unwrap().suspended);
}

#[test]
fn a_resource_that_nobody_looked_at_is_behind() {
    let operator = declared(json!({"metadata": {"name": "a", "generation": 1}, "spec": {"job": {}}})).operator.unwrap();
    assert!(operator.behind);
}

#[test]
fn task_managers_as_set_or_as_scaled() {
    let wanted = |spec: Value, status: Value| {
        declared(json!({"metadata": {"name": "a"}, "spec": spec, "status": status})).task_managers
    };
    assert_eq!(wanted(json!({"job": {"parallelism": 9}, "taskManager": {"replicas": 2}}), json!({})), Some(2));
    let auto = json!({"job": {"parallelism": 9}, "flinkConfiguration": {"job.autoscaler.enabled": "true", "taskmanager.numberOfTaskSlots": "2"}});
    assert_eq!(wanted(auto.clone(), json!({"taskManager": {"replicas": 7}})), Some(7));
    assert_eq!(wanted(auto, json!({"taskManager": {"replicas": 0}})), Some(5));
    assert_eq!(wanted(json!({}), json!({})), None, "a native session cluster has as many as its jobs need");
}

#[test]
fn options_flat_nested_and_mixed() {
    let configuration = json!({"a.b": 1, "c": {"d.e": true}, "f": {"g": {"h": "x"}}, "f.g": {"i": 2}});
    for (key, value) in [
        ("a.b", Some("1")),
        ("c.d.e", Some("true")),
        ("f.g.h", Some("x")),
        ("f.g.i", Some("2")),
        ("f.g", None),
        ("z", None),
    ] {
        assert_eq!(option(&configuration, key).as_deref(), value, "{key}");
    }
    assert_eq!(option(&json!("text"), "a"), None);
}

#[test]
fn errors_are_json_or_text() {
    let line = |error: &str| first_line(error).map(|line| line.to_string());
    let json = r#"{"type":"org.apache.flink.X","message":"Could not create JobGraph\nmore","throwableList":[{"type":"a","message":"mid"},{"type":"b","message":"No such file: /opt/job.jar"}]}"#;
    assert_eq!(line(json).as_deref(), Some("Could not create JobGraph: No such file: /opt/job.jar"));
    assert_eq!(line(r#"{"type":"java.lang.X","throwableList":[]}"#).as_deref(), Some("java.lang.X"));
    assert_eq!(line("java.lang.Exception: plain\n\tat x").as_deref(), Some("java.lang.Exception: plain"));
    assert_eq!(line(r#"{"type":"cut of"#).as_deref(), Some(r#"{"type":"cut of"#));
    assert_eq!(line(" "), None);
}

#[test]
fn a_session_job_names_its_cluster() {
    let object: FlinkSessionJob = serde_json::from_value(json!({"metadata": {"name": "j", "namespace": "n", "generation": 1},
        "spec": {"deploymentName": "session", "job": {"parallelism": 2}}, "status": {"jobStatus": {"state": "FAILED"}, "observedGeneration": 1}}))
    .unwrap();
    let declaration = session_job(&mut Mapper::new("e".into()), &object.metadata, &object.spec, object.status.as_ref());
    let operator = declaration.operator.clone().unwrap();
    assert_eq!(declaration.declarer, Declarer::FlinkSessionJob);
    assert_eq!((operator.session.as_deref(), operator.job), (Some("session"), Some(JobState::Failed)));
    assert_eq!((operator.behind, operator.session_cluster, declaration.task_managers), (false, false, None));
}
