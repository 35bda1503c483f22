use super::*;

/// The same answer of both recorded releases: 2.2 with the default scheduler, 1.20 with the adaptive one.
macro_rules! both {
    ($name:literal) => {
        [
            include_str!(concat!("../../../tests/fixtures/flink/2.2/", $name, ".json")),
            include_str!(concat!("../../../tests/fixtures/flink/1.20/", $name, ".json")),
        ]
    };
}

fn now() -> Time {
    DateTime::from_timestamp_millis(1_795_330_400_000).unwrap()
}

#[test]
fn a_running_job() {
    for body in both!("job") {
        let job = job(body, now()).unwrap();
        assert_eq!((&*job.name, job.state, job.tasks), ("demo-orders", JobState::Running, (9, 9)));
        assert!(job.state_since.unwrap() > job.started_at);
        assert_eq!(job.parallelism(), Some(3));
        let names: Vec<&str> = job.vertices.iter().map(|vertex| &*vertex.name).collect();
        assert_eq!(names, ["Source: orders-source", "enrich-orders", "slow-map -> sink: Writer"]);
        assert!(job.vertices[0].inputs.is_empty());
        assert_eq!(job.vertices[2].inputs, [job.vertices[1].id.clone()]);
        assert_eq!(job.vertices[0].max_parallelism, Some(128));
    }
}

#[test]
fn a_plan_may_come_from_the_sinks() {
    let fed = |id: &str, inputs: &[&str]| Vertex {
        inputs: inputs.iter().map(|&input| input.into()).collect(),
        ..vertex(&serde_json::json!({ "id": id }), &HashMap::new()).unwrap()
    };
    let order =
        |vertices| -> Vec<String> { source_to_sink(vertices).iter().map(|vertex| vertex.id.to_string()).collect() };
    assert_eq!(
        order(vec![fed("sink", &["join"]), fed("join", &["a", "b"]), fed("a", &[]), fed("b", &["lost"])]),
        ["a", "b", "join", "sink"]
    );
    assert_eq!(order(vec![fed("x", &["y"]), fed("y", &["x"])]), ["x", "y"], "a cycle does not hang");
}

#[test]
fn the_overview_and_the_choice() {
    for body in both!("jobs-overview") {
        let jobs = overview(body).unwrap();
        assert_eq!((jobs.len(), jobs[0].state, jobs[0].tasks), (1, JobState::Running, (9, 9)));
    }
    for body in both!("jobs-overview-after-stop") {
        assert!(overview(body).unwrap()[0].state.is_terminal());
    }
    let job = |id: &str, state: &str, start: i64| {
        listed(&serde_json::json!({"jid": id, "state": state, "start-time": start})).unwrap()
    };
    let jobs = [job("a", "FAILED", 30), job("b", "RUNNING", 10), job("c", "RESTARTING", 20)];
    let chosen = |id| choose(&jobs, id).map(|job| job.id.to_string());
    assert_eq!(chosen(None).as_deref(), Some("c"));
    assert_eq!(chosen(Some("a")).as_deref(), Some("a"));
    assert_eq!(chosen(Some("gone")).as_deref(), Some("c"), "an id of before an upgrade");
    assert_eq!(choose(&jobs[..1], None).map(|job| &*job.id), Some("a"));
    assert_eq!(choose(&[], None), None);
}

#[test]
fn checkpoints_with_their_failures() {
    for (body, (completed_count, size)) in both!("job-checkpoints").into_iter().zip([(13, 80764), (26, 75061)]) {
        let found = checkpoints(body).unwrap();
        assert_eq!((found.completed, found.failed, found.failed_in_a_row), (completed_count, 2, 0));
        let last = found.last.unwrap();
        assert_eq!((last.id, last.size_bytes), (completed_count, size));
        assert!(last.path.unwrap().starts_with("file:/"));
    }
    assert_eq!(checkpoints(r#"{"errors":["Checkpointing has not been enabled."]}"#), None);
}

#[test]
fn failures_in_a_row_are_counted_to_the_last_success() {
    let one = |id: u64, status: &str, savepoint: bool| {
        serde_json::json!({"id": id, "status": status, "is_savepoint": savepoint, "trigger_timestamp": id,
        "failure_timestamp": 5000 + id, "failure_message": "expired before completing"})
    };
    let body = serde_json::json!({"counts": {"completed": "1", "failed": 3}, "latest": {"completed": null},
        "history": [one(9, "IN_PROGRESS", false), one(7, "FAILED", false), one(8, "FAILED", false), one(6, "COMPLETED", true), one(5, "COMPLETED", false), one(4, "FAILED", false)]});
    let found = checkpoints(&body.to_string()).unwrap();
    assert_eq!((found.failed_in_a_row, found.completed, found.last), (2, 1, None));
    let (at, words) = found.last_failure.unwrap();
    assert_eq!((at.timestamp_millis(), &*words), (5008, "expired before completing"));
}

#[test]
fn exceptions_with_their_root() {
    for body in both!("job-exceptions") {
        let failures = failures(body);
        assert!(!failures.is_empty());
        let newest = &failures[0];
        assert_eq!(&*newest.class, "java.lang.IllegalStateException");
        assert_eq!(&*newest.root.class, "java.lang.NumberFormatException");
        assert!(newest.root.message.starts_with("For input string"));
        // The adaptive scheduler of 1.20 does not say which task it was.
        let by_task = newest.task.as_deref().is_some_and(|task| task.starts_with("enrich-orders"));
        assert_eq!(
            (by_task, newest.task_manager.is_some()),
            if body.contains("taskName") { (true, true) } else { (false, false) }
        );
    }
    let old =
        r#"{"root-exception":"a.B: c\n\tat x\nCaused by: d.E: f\n","timestamp":1795330324313,"all-exceptions":[]}"#;
    let old = failures(old);
    assert_eq!((old.len(), &*old[0].class, &*old[0].root.class), (1, "a.B", "d.E"));
    assert!(failures(r#"{"root-exception":null,"timestamp":null,"exceptionHistory":{"entries":[]}}"#).is_empty());
}

#[test]
fn metrics_of_job_and_vertex() {
    for body in both!("job-metrics-get") {
        assert_eq!(restarts(body), Some(1));
    }
    assert_eq!(restarts(r#"[{"id":"fullRestarts","value":"4"}]"#), Some(4));
    assert_eq!(restarts("[]"), None);
    for body in both!("vertex-subtasks-metrics-get-agg") {
        let load = load(body);
        assert!(load.busy_max.unwrap() < 0.1 && load.busy_max >= load.busy_mean);
        assert_eq!(load.backpressure_max, Some(0.0));
        assert!(load.records_in.unwrap() > 100.0);
        assert_eq!(load.records_out, None);
    }
    let odd = load(
        r#"[{"id":"busyTimeMsPerSecond","max":"NaN","avg":"12.5"},{"id":"backPressuredTimeMsPerSecond","max":1007.0}]"#,
    );
    assert_eq!((odd.busy_max, odd.busy_mean, odd.backpressure_max), (None, Some(0.0125), Some(1.0)));
}

#[test]
fn the_busiest_subtask() {
    let found = both!("vertex-backpressure").map(busiest);
    assert_eq!(found, [None, Some(1)], "an idle vertex has no busiest subtask");
    let body = r#"{"subtasks":[{"subtask":0,"busyRatio":0.2},{"subtask":1,"busyRatio":"0.97"},{"subtask":2,"busyRatio":"NaN"},{"subtask":3,"busyRatio":0.97}]}"#;
    assert_eq!(busiest(body), Some(1));
}

#[test]
fn watermarks() {
    for body in both!("vertex-watermarks") {
        assert!(watermark(body).is_some());
    }
    for body in both!("source-watermarks") {
        assert_eq!(watermark(body), None);
    }
    let none_yet = r#"[{"id":"0.currentInputWatermark","value":"1795330183370"},{"id":"1.currentInputWatermark","value":"-9223372036854775808"}]"#;
    assert_eq!(watermark(none_yet), None);
    assert_eq!(
        watermark(r#"[{"id":"0.currentInputWatermark","value":"9223372036854775807"}]"#),
        None,
        "a bounded source that ended"
    );
}

#[test]
fn errors_are_one_line() {
    for body in both!("error-404") {
        let line = error_line(body).unwrap();
        assert!(line.contains("NotFoundException: Job 0000") && !line.contains('\n'), "{line}");
        assert!(!is_kubernetes_status(body));
    }
    let status = r#"{"kind":"Status","code":503,"message":"no endpoints available for service \"a-rest\""}"#;
    assert!(is_kubernetes_status(status));
    assert!(error_line(status).unwrap().starts_with("no endpoints"));
    assert_eq!(error_line("<html>"), None);
    assert_eq!(job("<html>", now()).unwrap_err(), DecodeError::NotJson);
    assert!(overview("{}").is_err());
}
