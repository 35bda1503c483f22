//! The inventory joins facts in whatever order they come, and the verdict reads them together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use flowdeck::model::change::{Change, Fetched, Kind, Scope, ScopeState};
use flowdeck::model::declaration::{Declaration, Declarer, Notes, OperatorStatus};
use flowdeck::model::exception::Throwable;
use flowdeck::model::inventory::Inventory;
use flowdeck::model::job::{Checkpoint, Checkpoints, Failure, Job, JobState};
use flowdeck::model::kafka::{Group, PartitionLag};
use flowdeck::model::key::{KafkaKey, ObjectKey};
use flowdeck::model::pod::{Pod, PodHealth, Role, Termination};
use flowdeck::model::verdict::Condition;
use flowdeck::model::view::{self, PipelineView};
use proptest::prelude::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_330_000, 0).unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("prd", "team", name)
}

fn pod(processor: &str, name: &str, role: Role) -> Pod {
    Pod {
        key: key(name),
        processor: key(processor),
        pipeline: None,
        role,
        status: "Running".into(),
        message: None,
        health: PodHealth::Ready,
        ready: 1,
        containers: vec!["main".into()],
        restarts: 0,
        last_termination: None,
        node: None,
        address: None,
        created_at: Some(now() - Duration::days(5)),
        cpu_limit_millis: None,
        memory_limit_bytes: None,
    }
}

fn declaration(processor: &str, pipeline: Option<&str>, task_managers: u32) -> Declaration {
    Declaration {
        declarer: Declarer::FlinkDeployment,
        object: key(processor),
        processor: key(processor),
        pipeline: pipeline.map(Into::into),
        created_at: Some(now() - Duration::days(5)),
        task_managers: Some(task_managers),
        job_managers: Some(1),
        cpu_millis: None,
        memory_bytes: None,
        image: None,
        service_account: None,
        pod_labels: BTreeMap::new(),
        notes: Notes { group: Some("group-1".into()), revision: Some("44".into()), ..Notes::default() },
        operator: Some(OperatorStatus {
            job: Some(JobState::Running),
            lifecycle: Some("STABLE".into()),
            ..OperatorStatus::default()
        }),
    }
}

fn job(state: JobState) -> Job {
    Job {
        id: "j1".into(),
        name: "job".into(),
        state,
        started_at: now() - Duration::days(5),
        state_since: Some(now() - Duration::minutes(4)),
        restarts: Some(8),
        tasks: (3, 3),
        checkpoints: Some(Checkpoints::default()),
        failures: Vec::new(),
        vertices: Vec::new(),
        observed_at: now(),
    }
}

/// One processor with one JobManager and two TaskManagers, all well.
fn healthy() -> Inventory {
    let mut inventory = Inventory::default();
    inventory.apply(Change::Declared(Box::new(declaration("match", None, 2))));
    inventory.apply(Change::Pod(Box::new(pod("match", "match-jm", Role::JobManager))));
    for name in ["match-1", "match-2"] {
        inventory.apply(Change::Pod(Box::new(pod("match", name, Role::TaskManager))));
    }
    inventory
}

fn row(inventory: &Inventory) -> PipelineView {
    let (key, _) = inventory.pipelines().next().unwrap();
    view::pipeline(inventory, key, now()).unwrap()
}

#[test]
fn a_healthy_pipeline_runs_without_reasons() {
    let row = row(&healthy());
    assert_eq!((row.verdict.condition, row.pods_ready, row.pods_wanted), (Condition::Running, 3, 3));
    assert!(row.verdict.why.is_empty(), "{:?}", row.verdict.why);
    assert_eq!(row.revision.as_deref(), Some("44"));
}

#[test]
fn an_oom_kill_is_news_for_ten_minutes() {
    let mut inventory = healthy();
    let killed = |minutes: i64| {
        let end = Termination {
            container: "main".into(),
            reason: "OOMKilled".into(),
            exit_code: 137,
            finished_at: Some(now() - Duration::minutes(minutes)),
        };
        Pod { restarts: 1, last_termination: Some(end), ..pod("match", "match-2", Role::TaskManager) }
    };
    inventory.apply(Change::Pod(Box::new(killed(3))));
    let verdict = row(&inventory).verdict;
    assert_eq!(verdict.condition, Condition::Degraded);
    assert_eq!(&*verdict.why[0], "TaskManager match-2 was OOM-killed 3m ago");
    inventory.apply(Change::Pod(Box::new(killed(11))));
    assert_eq!(row(&inventory).verdict.condition, Condition::Running);
}

#[test]
fn a_restarting_job_fails_with_its_root_cause() {
    let mut inventory = healthy();
    let failure = |seconds: i64| Failure {
        at: now() - Duration::seconds(seconds),
        class: "Outer".into(),
        root: Throwable { class: "java.io.IOException".into(), message: "KafkaWriter : failed".into() },
        task: None,
        task_manager: None,
        trace: "".into(),
    };
    let failures = (1..=8).map(|number| failure(number * 30)).collect();
    inventory.apply(Change::Job(key("match"), Fetched::Ready(Box::new(Job { failures, ..job(JobState::Restarting) }))));
    let verdict = row(&inventory).verdict;
    assert_eq!(verdict.condition, Condition::Failing);
    let why: Vec<&str> = verdict.why.iter().map(|text| &**text).collect();
    assert_eq!(
        why,
        ["the job is RESTARTING for 4m after 8 restarts", "IOException: KafkaWriter : failed (8 times in 4m)"]
    );
    assert_eq!(verdict.since, Some(now() - Duration::minutes(4)));
}

#[test]
fn a_job_that_keeps_failing_fails_also_while_it_runs_for_a_moment() {
    let mut inventory = healthy();
    let failure = |seconds: i64, class: &str| Failure {
        at: now() - Duration::seconds(seconds),
        class: "Outer".into(),
        root: Throwable { class: class.into(), message: "no".into() },
        task: None,
        task_manager: None,
        trace: "".into(),
    };
    let failures = vec![failure(10, "b.Lost"), failure(30, "a.Often"), failure(70, "a.Often")];
    let mut running = Job { failures, ..job(JobState::Running) };
    inventory.apply(Change::Job(key("match"), Fetched::Ready(Box::new(running.clone()))));
    let verdict = row(&inventory).verdict;
    assert_eq!((verdict.condition, &*verdict.why[0]), (Condition::Failing, "Often: no (2 times in 1m10s)"));
    running.failures.remove(0);
    inventory.apply(Change::Job(key("match"), Fetched::Ready(Box::new(Job { id: "j2".into(), ..running }))));
    assert_eq!(row(&inventory).verdict.condition, Condition::Degraded);
}

#[test]
fn failing_checkpoints_and_growing_lag_degrade() {
    let mut inventory = healthy();
    let last =
        Checkpoint { id: 9, completed_at: now() - Duration::minutes(9), duration_ms: 812, size_bytes: 1, path: None };
    let checkpoints = Checkpoints {
        last: Some(last),
        last_failure: Some((now(), "Checkpoint expired".into())),
        failed_in_a_row: 3,
        ..Checkpoints::default()
    };
    inventory.apply(Change::Job(
        key("match"),
        Fetched::Ready(Box::new(Job { checkpoints: Some(checkpoints), ..job(JobState::Running) })),
    ));
    let partition = PartitionLag {
        topic: "matches".into(),
        partition: 2,
        committed: Some(100),
        low: 0,
        high: 1_200_100,
        behind_ms: Some(240_000),
    };
    inventory.apply(Change::Groups(vec![Group {
        key: KafkaKey::new("prd", "group-1"),
        state: "Stable".into(),
        members: 1,
        partitions: vec![partition],
        consumed_per_second: Some(0.0),
        produced_per_second: Some(5_000.0),
        observed_at: now(),
    }]));
    let row = row(&inventory);
    assert_eq!(
        (row.verdict.condition, row.lag_records, row.behind_ms),
        (Condition::Degraded, Some(1_200_000), Some(240_000))
    );
    let why = row.verdict.why.join("\n");
    assert!(why.contains("3 checkpoints failed in a row, the last good one is 9m old: Checkpoint expired"), "{why}");
    assert!(why.contains("lag is 1.2M records (4m behind) and grows 5k/s, matches-2 leads"), "{why}");
    assert_eq!(row.checkpoint_at, Some(now() - Duration::minutes(9)));
}

#[test]
fn a_suspended_job_is_stopped_and_not_a_complaint() {
    let mut inventory = healthy();
    let mut suspended = declaration("match", None, 2);
    suspended.operator =
        Some(OperatorStatus { suspended: true, job: Some(JobState::Finished), ..OperatorStatus::default() });
    inventory.apply(Change::Declared(Box::new(suspended)));
    let row = row(&inventory);
    assert_eq!((row.verdict.condition, row.job), (Condition::Stopped, Some(JobState::Suspended)));
}

#[test]
fn processors_move_with_their_label() {
    let mut inventory = healthy();
    inventory.apply(Change::Declared(Box::new(declaration("route", Some("expert-matching"), 1))));
    inventory.apply(Change::Declared(Box::new(declaration("match", Some("expert-matching"), 2))));
    let names: Vec<String> = inventory.pipelines().map(|(key, _)| key.name.to_string()).collect();
    assert_eq!(names, ["expert-matching"]);
    assert_eq!(row(&inventory).processors.len(), 2);
    let dirty = inventory.take_dirty();
    assert!(dirty.contains(&key("match")) && dirty.contains(&key("expert-matching")));
}

#[test]
fn pods_alone_are_a_pipeline_where_objects_may_not_be_listed() {
    let mut inventory = Inventory::default();
    inventory.apply(Change::Pod(Box::new(Pod {
        pipeline: Some("clicks".into()),
        ..pod("match", "match-1", Role::TaskManager)
    })));
    assert_eq!((&*row(&inventory).key.name, row(&inventory).pods_wanted), ("clicks", 1));
    inventory.apply(Change::PodGone(key("match-1")));
    assert_eq!(inventory.pipelines().count(), 0);
    assert_eq!(inventory.pod_count(), 0);
}

#[test]
fn session_jobs_show_the_pods_of_their_cluster() {
    let mut inventory = healthy();
    let mut cluster = declaration("match", None, 2);
    cluster.operator = Some(OperatorStatus { session_cluster: true, ..OperatorStatus::default() });
    inventory.apply(Change::Declared(Box::new(cluster)));
    let mut session_job = declaration("report", None, 0);
    session_job.declarer = Declarer::FlinkSessionJob;
    session_job.task_managers = None;
    session_job.job_managers = None;
    session_job.operator = Some(OperatorStatus {
        session: Some("match".into()),
        job: Some(JobState::Running),
        ..OperatorStatus::default()
    });
    inventory.apply(Change::Declared(Box::new(session_job)));
    assert_eq!(view::pods(&inventory, &key("report")).len(), 3);
    inventory.take_dirty();
    inventory.apply(Change::PodGone(key("match-2")));
    assert!(inventory.take_dirty().contains(&key("report")));
}

fn scope(kind: Kind) -> Scope {
    Scope { environment: "prd".into(), namespace: Some("team".into()), kind }
}

proptest! {
    /// Whatever came before, a full list followed by its retain leaves exactly what it named.
    #[test]
    fn a_relist_leaves_exactly_what_it_names(
        before in prop::collection::vec((0..4_u8, 0..12_u8, any::<bool>()), 0..60),
        listed in prop::collection::btree_map(0..12_u8, 0..4_u8, 0..12),
    ) {
        let mut inventory = Inventory::default();
        let name = |number: u8| -> Arc<str> { format!("pod-{number}").into() };
        let with = |processor: u8, number: u8| pod(&format!("processor-{processor}"), &name(number), Role::TaskManager);
        for (processor, number, gone) in before {
            inventory.apply(if gone { Change::PodGone(key(&name(number))) } else { Change::Pod(Box::new(with(processor, number))) });
        }
        inventory.apply(Change::Scope(scope(Kind::Pods), ScopeState::Loading));
        for (number, processor) in &listed {
            inventory.apply(Change::Pod(Box::new(with(*processor, *number))));
        }
        let names: HashSet<ObjectKey> = listed.keys().map(|number| key(&name(*number))).collect();
        inventory.apply(Change::Retain(scope(Kind::Pods), names));
        prop_assert_eq!(inventory.pod_count(), listed.len());
        let mut found = BTreeMap::new();
        for (processor, known) in inventory.processors() {
            prop_assert!(!known.pods.is_empty());
            prop_assert_eq!(inventory.pipeline_of(processor), Some(processor));
            found.extend(known.pods.keys().map(|pod| (pod.clone(), processor.name.clone())));
        }
        let expected: BTreeMap<Arc<str>, Arc<str>> =
            listed.iter().map(|(number, processor)| (name(*number), format!("processor-{processor}").into())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(inventory.pipelines().count(), inventory.processors().count());
    }
}
