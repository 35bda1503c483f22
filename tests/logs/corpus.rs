//! Real logs: the same four events in seven layouts, and one failure in the logs of both Flink processes.

use flowdeck::logs::trace::Exception;

use crate::{Kept, read_fixture};

const LAYOUTS: &[&str] = &["slash", "flink", "flinkmdc", "ecs", "logstash", "jsonlayout", "gelf"];

fn of_logger(name: &str) -> Vec<Kept> {
    read_fixture(name).into_iter().filter(|event| event.logger == "com.acme.orders.EnrichFn").collect()
}

fn failure(name: &str) -> Exception {
    let mut found: Vec<Kept> = read_fixture(name).into_iter().filter(|event| event.exception.is_some()).collect();
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0).exception.unwrap()
}

fn chain(exception: &Exception) -> Vec<&str> {
    exception.chain().iter().map(|thrown| &*thrown.throwable.class).collect()
}

#[test]
fn four_events_in_each_layout() {
    for layout in LAYOUTS {
        let events = of_logger(&format!("java-{layout}.log"));
        let told: Vec<(&str, &str)> = events.iter().map(|event| (event.level, event.message.as_str())).collect();
        let known = [
            ("INFO", "started worker 7"),
            ("ERROR", "Failed to process record key=42 id=7f3c"),
            ("WARN", "circular"),
            ("ERROR", "no stack"),
        ];
        assert_eq!(told, known, "{layout}");
        for event in &events {
            assert!(event.time.unwrap().to_rfc3339().starts_with("2026-11-22T06:59:"), "{layout}: {:?}", event.time);
            let thread = if layout.starts_with("flink") { "" } else { "main" };
            assert_eq!(event.thread, thread, "{layout}");
        }
        assert_eq!(events[0].exception, None, "{layout}");
        let outer: Vec<_> = events[1..].iter().map(|event| event.exception.as_ref().unwrap().outer().clone()).collect();
        let told: Vec<(&str, &str)> = outer.iter().map(|outer| (&*outer.class, &*outer.message)).collect();
        // JsonLayout does not say what a class without a name is.
        let nameless = if *layout == "jsonlayout" { "(anonymous)" } else { "LG$1" };
        let known =
            [("java.lang.RuntimeException", "wrapped"), ("java.lang.RuntimeException", "x"), (nameless, "stackless")];
        assert_eq!(told, known, "{layout}");
    }
}

/// `JsonLayout` loses the causes; all others keep them.
#[test]
fn chains_and_fingerprints_are_the_same_in_each_layout() {
    let known = of_logger("java-slash.log");
    let exception = |events: &[Kept], number: usize| events[number].exception.clone().unwrap();
    let wrapped = exception(&known, 1);
    assert_eq!(
        chain(&wrapped),
        ["java.lang.RuntimeException", "java.util.concurrent.ExecutionException", "java.lang.IllegalArgumentException"]
    );
    assert_eq!(&*wrapped.root().message, "bad record\nsecond line of message\n  at nowhere in particular");
    assert_eq!(wrapped.suppressed.len(), 2);
    assert_eq!(&*wrapped.suppressed[1].message, "close failed: a");
    let functions: Vec<&str> = wrapped.frames.iter().map(|frame| &*frame.function).collect();
    assert_eq!(functions, ["LG.deep", "LG.deep", "LG.deep", "LG.deep", "LG.run", "LG.main"]);
    assert_eq!(chain(&exception(&known, 2)), ["java.lang.RuntimeException", "java.lang.RuntimeException"]);
    for layout in LAYOUTS.iter().filter(|layout| **layout != "jsonlayout") {
        let events = of_logger(&format!("java-{layout}.log"));
        for number in 1..4 {
            let (one, other) = (exception(&known, number), exception(&events, number));
            assert_eq!(chain(&one), chain(&other), "{layout} {number}");
            assert_eq!(one.root(), other.root(), "{layout} {number}");
            assert_eq!(one.suppressed, other.suppressed, "{layout} {number}");
            assert_eq!(one.fingerprint, other.fingerprint, "{layout} {number}");
        }
    }
}

#[test]
fn what_the_jvm_prints_between_events_is_folded_too() {
    for layout in LAYOUTS {
        let printed: Vec<Kept> = read_fixture(&format!("java-{layout}.log"))
            .into_iter()
            .filter(|event| event.logger.is_empty() && event.exception.is_some())
            .collect();
        let chains: Vec<usize> = printed.iter().map(|event| chain(event.exception.as_ref().unwrap()).len()).collect();
        assert_eq!(chains, [3, 2], "{layout}");
    }
}

#[test]
fn both_processes_report_one_failure() {
    let (manager, worker) = (failure("jm-failure.log"), failure("tm-failure.log"));
    assert_eq!(manager.fingerprint, worker.fingerprint);
    assert_eq!(&*manager.root().class, "java.lang.NumberFormatException");
    assert_eq!(&*manager.root().message, "For input string: \"order-175\"");
    assert_eq!(manager.frames.len(), 20);
    assert_eq!(&*manager.frames[3].function, "Demo$P.processElement");
    assert_eq!(&*manager.frames[19].function, "java.lang.Thread.run");
}

#[test]
fn blocks_of_text_stay_with_their_event_and_early_lines_are_their_own() {
    let events = read_fixture("jm-startup.log");
    let block = events.iter().find(|event| event.message.contains("Missing resources:")).unwrap();
    assert!(block.message.contains("\n\t\tAvailable: ResourceProfile"), "{}", block.message);
    assert!(events.iter().all(|event| event.exception.is_none()));
    let events = read_fixture("tm-startup.log");
    assert_eq!(events[0].message, "Starting taskexecutor as a console application on host vm.");
    let loading = events.iter().find(|event| event.message.starts_with("Loading configuration property")).unwrap();
    assert_eq!((loading.level, loading.time), ("INFO", None));
}

/// Fingerprints are written down by users: these may not change without a word to them.
#[test]
fn fingerprints_stay_what_they_are() {
    for (name, fingerprint) in [
        ("talk.log", "17808e378a9470c7"),
        ("jm-failure.log", "b5de3bc3e68b530c"),
        ("tm-failure.log", "b5de3bc3e68b530c"),
    ] {
        assert_eq!(failure(name).fingerprint.to_string(), fingerprint, "{name}");
    }
}

#[test]
fn the_trace_of_the_talk_is_one_exception() {
    let exception = failure("talk.log");
    assert_eq!(&*exception.root().class, "java.io.IOException");
    assert_eq!(&*exception.root().message, "KafkaWriter : failed to send 1 records (since last report)");
    assert_eq!(exception.chain().len(), 4);
    assert_eq!(&*exception.frames[0].function, "org.apache.beam.sdk.io.kafka.KafkaWriter.checkForFailures");
}
