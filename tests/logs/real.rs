//! Failures of a real Flink, one of them behind a real Beam invoker, as both of its processes reported them, each in
//! six layouts at once (`tests/fixtures/logs/real/regenerate` makes them anew).

use std::collections::BTreeSet;

use crate::{Kept, fixture, read_fixture};

const LAYOUTS: &[&str] = &["flink", "slashes", "logback", "ecs", "logstash", "gelf"];
/// What was made to fail in both logs: the root's type, and how its message begins.
const FAILURES: &[(&str, &str)] = &[
    ("java.io.IOException", "KafkaWriter : failed to send 1 records (since last report)"),
    ("java.lang.NumberFormatException", "For input string: \"order-100\""),
    ("java.lang.OutOfMemoryError", "Java heap space"),
    ("java.io.IOException", "No space left on device"),
];

fn events(process: &str, layout: &str) -> Vec<Kept> {
    read_fixture(&format!("real/{process}-{layout}.log"))
}

/// Level, root type, root message and fingerprint of each event with a trace.
fn failures(events: &[Kept]) -> Vec<(&str, &str, &str, String)> {
    let failed = events.iter().filter_map(|event| Some((event.level, event.exception.as_ref()?)));
    failed
        .map(|(level, exception)| {
            let root = exception.root();
            (level, &*root.class, root.message.lines().next().unwrap_or_default(), exception.fingerprint.to_string())
        })
        .collect()
}

/// Time, level and first line of each event. Each layout is written by an appender of its own, and those of two threads
/// may take turns otherwise.
fn heads(events: &[Kept]) -> Vec<(i64, String, String)> {
    let head = |event: &Kept| {
        let first = event.message.lines().next().unwrap_or_default().to_owned();
        (event.time.unwrap().timestamp_millis(), format!("{:?}", event.level), first)
    };
    let mut heads: Vec<_> = events.iter().map(head).collect();
    heads.sort();
    heads
}

#[test]
fn every_layout_tells_the_same_events() {
    for process in ["jm", "tm"] {
        let known = events(process, "flink");
        let told = failures(&known);
        assert!(told.len() >= FAILURES.len(), "{process}: {told:#?}");
        for layout in LAYOUTS {
            let other = events(process, layout);
            assert_eq!(failures(&other), told, "{process} in {layout}");
            assert_eq!(other.len(), known.len(), "{process} in {layout}");
            for (one, other) in heads(&known).iter().zip(&heads(&other)) {
                assert_eq!(one, other, "{layout}");
            }
            other.iter().for_each(|event| assert!(!event.logger.is_empty(), "{layout}: {event:?}"));
        }
    }
}

#[test]
fn both_processes_name_each_failure_alike() {
    let prints = |process: &str, (class, message): (&str, &str)| -> BTreeSet<String> {
        let events = events(process, "flink");
        let told = failures(&events);
        let mine = told.into_iter().filter(|(_, root, words, _)| *root == class && words.starts_with(message));
        mine.map(|(_, _, _, print)| print).collect()
    };
    for failure in FAILURES {
        let (manager, worker) = (prints("jm", *failure), prints("tm", *failure));
        assert_eq!(manager.len(), 1, "{failure:?}: {manager:?}");
        assert_eq!(manager, worker, "{failure:?}");
    }
}

/// Without room for classes the TaskManager ends; the JobManager learns of that by its silence alone.
#[test]
fn a_process_that_ends_is_told_otherwise_by_the_other() {
    let (manager, worker) = (events("jm", "flink"), events("tm", "flink"));
    let has = |events: &[Kept], class: &str, words: &str| {
        failures(events).iter().any(|(_, root, message, _)| *root == class && message.contains(words))
    };
    assert!(has(&worker, "java.lang.OutOfMemoryError", "Metaspace"), "{:#?}", failures(&worker));
    assert!(has(&manager, "java.util.concurrent.TimeoutException", "Heartbeat of TaskManager"));
    assert!(!has(&manager, "java.lang.OutOfMemoryError", "Metaspace"));
}

#[test]
fn the_chain_of_each_failure_is_whole() {
    let events = events("tm", "flink");
    let chains: Vec<Vec<&str>> = events
        .iter()
        .filter_map(|event| event.exception.as_ref())
        .map(|exception| exception.chain().iter().map(|thrown| thrown.throwable.short_class()).collect())
        .collect();
    assert!(chains.contains(&vec!["UserCodeException", "IOException"]), "{chains:?}");
    assert!(
        chains.contains(&vec!["IllegalStateException", "ExecutionException", "NumberFormatException"]),
        "{chains:?}"
    );
    let nested =
        events.iter().filter_map(|event| event.exception.as_ref()).find(|it| !it.suppressed.is_empty()).unwrap();
    assert_eq!(&*nested.suppressed[0].message, "connection reset by peer");
    assert_eq!(&*nested.outer().message, "cannot enrich order 100\n  at least one side input is missing");
    let frames: Vec<&str> = nested.frames.iter().map(|frame| &*frame.function).collect();
    assert!(frames.contains(&"FailingJob$Connection.lambda$ask$0"), "{frames:?}");
}

#[test]
fn no_line_is_dropped() {
    for process in ["jm", "tm"] {
        for layout in LAYOUTS {
            let shown: usize = events(process, layout).iter().map(|event| event.text.split('\n').count()).sum();
            let text = std::fs::read_to_string(fixture(&format!("real/{process}-{layout}.log"))).unwrap();
            assert_eq!(shown, text.lines().count(), "{process} in {layout}");
        }
    }
}
