use serde_json::json;

use super::*;
use crate::plan::difference::between;
use crate::plan::object::{Id, set};

fn base() -> Value {
    json!({"kind": "FlinkDeployment", "metadata": {"name": "p", "annotations": {"flowdeck.dev/offset-version": "1"}}, "spec": {
        "image": "a", "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4"}, "taskManager": {"replicas": 15},
        "job": {"state": "running", "upgradeMode": "savepoint", "parallelism": 60, "args": ["--maxParallelism=360"]}}})
}

#[track_caller]
fn after(changes: &[(&[&str], Value)]) -> (Effect, String) {
    of(&base(), changes)
}

fn of(before: &Value, changes: &[(&[&str], Value)]) -> (Effect, String) {
    let mut after = before.clone();
    changes.iter().for_each(|(path, value)| set(&mut after, path, value.clone()));
    let differences = between(&Id::new(Kind::FlinkDeployment, "n", "p"), Some(before), Some(&after));
    let subject = Subject { processor: "p", before: Some(before), after: Some(&after), differences: &differences };
    let forecast = forecast(subject, None);
    (forecast.effect, forecast.because.join("; "))
}

#[test]
fn words_about_an_object_restart_nothing() {
    assert_eq!(after(&[(&["metadata", "annotations", "flowdeck.dev/revision"], json!("2"))]).0, Effect::Nothing);
    assert_eq!(after(&[(&["spec", "job", "allowNonRestoredState"], json!(true))]).0, Effect::Nothing);
    let autoscaler = (&["spec", "flinkConfiguration", "job.autoscaler.enabled"][..], json!("true"));
    assert_eq!(after(&[autoscaler]).0, Effect::Nothing);
}

#[test]
fn a_size_restarts_from_a_savepoint_and_says_so() {
    let (effect, because) = after(&[(&["spec", "taskManager", "replicas"], json!(20))]);
    assert_eq!(effect, Effect::RestartsFromSavepoint);
    assert!(because.contains("spec.taskManager.replicas: 15 → 20"), "{because}");
}

#[test]
fn without_savepoints_state_is_lost() {
    let (effect, because) = after(&[
        (&["spec", "taskManager", "replicas"], json!(20)),
        (&["spec", "job", "upgradeMode"], json!("stateless")),
    ]);
    assert_eq!(effect, Effect::RestartsWithoutState);
    assert!(because.contains("stateless"), "{because}");
}

#[test]
fn state_that_cannot_be_restored_is_named() {
    let (effect, because) = after(&[(&["spec", "job", "args"], json!(["--maxParallelism=720"]))]);
    assert_eq!(effect, Effect::CannotRestore);
    assert!(because.contains("360 → 720"), "{because}");
    let (effect, because) = after(&[
        (&["metadata", "annotations", "flowdeck.dev/offset-version"], json!("2")),
        (&["spec", "podTemplate"], json!({"x": 1})),
    ]);
    assert_eq!(effect, Effect::CannotRestore);
    assert!(because.contains("offset version changes (1 → 2)"), "{because}");
}

#[test]
fn adaptive_jobs_are_rescaled_in_place() {
    let mut adaptive = base();
    set(&mut adaptive, &["spec", "flinkConfiguration", "jobmanager.scheduler"], json!("adaptive"));
    let overrides = &["spec", "flinkConfiguration", "pipeline.jobvertex-parallelism-overrides"];
    assert_eq!(of(&adaptive, &[(overrides, json!("a:3"))]).0, Effect::RescalesInPlace);
    assert_eq!(of(&base(), &[(overrides, json!("a:3"))]).0, Effect::RestartsFromSavepoint);
}

#[test]
fn stopping_and_starting_are_no_restarts() {
    let stop = (&["spec", "job", "state"][..], json!("suspended"));
    assert_eq!(after(std::slice::from_ref(&stop)).0, Effect::Stops);
    let stateless = (&["spec", "job", "upgradeMode"][..], json!("stateless"));
    assert_eq!(after(&[stop.clone(), stateless]).0, Effect::StopsWithoutState);
    let mut stopped = base();
    set(&mut stopped, stop.0, stop.1);
    assert_eq!(of(&stopped, &[(&["spec", "job", "state"], json!("running"))]).0, Effect::Starts);
}

#[test]
fn catching_up_takes_what_waits_over_the_headroom() {
    let load = Load { lag_records: 4_000.0, records_per_second: 100.0, busy: 0.5 };
    // 4000 wait, 6000 come meanwhile, 100 a second more can be done than come.
    let minute = Restart { seconds: 60, measured: None };
    assert_eq!(load.catch_up_seconds(&minute), Some(160));
    assert_eq!(Load { busy: 1.0, ..load }.catch_up_seconds(&minute), None);
}

#[test]
fn how_long_it_is_down_is_said_of_what_restarts_alone() {
    let forecast =
        |effect| Forecast { processor: "p".into(), effect, because: Vec::new(), restart: None, seconds: None };
    let load = Load { lag_records: 0.0, records_per_second: 100.0, busy: 0.5 };
    let measured = Restart { seconds: 10, measured: Some("its start took 10 s".into()) };
    let timed = forecast(Effect::RestartsFromSavepoint).timed(measured.clone(), Some(load));
    assert_eq!((timed.seconds, timed.restart), (Some(20), Some(measured.clone())));
    let same = forecast(Effect::RescalesInPlace).timed(measured, Some(load));
    assert_eq!((same.seconds, same.restart), (None, None));
}

#[test]
fn a_plain_job_without_high_availability_is_told_what_a_dead_job_manager_does() {
    let map = |file: &str, text: &str| json!({"kind": "ConfigMap", "data": {file: text}});
    let said = |objects: &[Value]| without_high_availability(objects.iter()).is_some();
    assert!(said(&[map("config.yaml", "parallelism.default: \"2\"\n")]));
    assert!(said(&[map("flink-conf.yaml", "high-availability.type: NONE\n")]));
    assert!(!said(&[map("config.yaml", "high-availability.type: \"kubernetes\"\n")]));
    assert!(!said(&[map("config.yaml", "high-availability:\n  type: kubernetes\n")]));
    let argument =
        json!({"spec": {"template": {"spec": {"containers": [{"args": ["-Dhigh-availability.type=zookeeper"]}]}}}});
    assert!(!said(&[map("config.yaml", "a: b\n"), argument]));
    assert!(!said(&[map("client.properties", "a=b\n")]), "its configuration was not seen");
}
