//! Lines that come torn, mixed or cut off.

use chrono::TimeDelta;
use flowdeck::logs::Reader;
use flowdeck::logs::fold::LARGEST_EVENT;
use flowdeck::logs::format::{Choice, Format};

use crate::{messages, now, read, read_with};

const HEADER: &str = "2026-11-22 06:52:02,988 INFO  a.B [] - ";

#[test]
fn a_trace_that_another_thread_interrupts_is_whole() {
    let log = format!(
        "{HEADER}failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n{HEADER}hello\n\tat d.E.f(E.java:2)\n{HEADER}bye\n"
    );
    let events = read(&[log.as_bytes()]);
    assert_eq!(messages(&events), ["failed", "hello", "bye"]);
    assert_eq!(events[0].exception.as_ref().unwrap().frames.len(), 2);
    assert_eq!(events[1].exception, None);
}

#[test]
fn an_event_whose_message_is_the_throwable_keeps_its_frames() {
    let failed = format!("{HEADER}failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n");
    let log = format!("{failed}{HEADER}java.lang.Error: y\n\tat d.E.f(E.java:2)\n");
    let events = read(&[log.as_bytes()]);
    assert_eq!(messages(&events), ["failed", "java.lang.Error: y"]);
    assert_eq!(&*events[1].exception.as_ref().unwrap().root().class, "java.lang.Error");
}

#[test]
fn a_silent_stream_hands_out_its_last_trace() {
    let mut reader = Reader::default();
    let mut seen = 0;
    let log = format!("{HEADER}failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n");
    reader.push(log.as_bytes(), now(), &mut |_| seen += 1);
    reader.tick(now() + TimeDelta::milliseconds(900), &mut |_| seen += 1);
    assert_eq!(seen, 0);
    reader.tick(now() + TimeDelta::milliseconds(1_100), &mut |event| {
        seen += 1;
        assert!(event.exception.is_some());
    });
    assert_eq!((seen, reader.counts().events), (1, 1));
}

#[test]
fn a_trace_without_an_end_is_handed_out_in_parts_and_no_line_is_lost() {
    let mut log = format!("{HEADER}failed\njava.lang.StackOverflowError\n");
    while log.len() < 3 * LARGEST_EVENT {
        log.push_str("\tat a.B.c(B.java:1)\n");
    }
    let mut reader = Reader::default();
    let events = read_with(&mut reader, &[log.as_bytes()]);
    assert_eq!(events.len(), 4);
    assert!(reader.held() < 3 * LARGEST_EVENT, "{}", reader.held());
    let joined: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(joined.join("\n") + "\n", log);
}

#[test]
fn clocks_may_step_back_and_lines_end_as_they_like() {
    let log = "2026-11-22 06:52:02,988 INFO  a.B [] - two\r\n2026-11-22 06:52:01,988 INFO  a.B [] - one\r\n";
    let events = read(&[log.as_bytes()]);
    assert_eq!(messages(&events), ["two", "one"]);
    assert!(events[0].time > events[1].time);
}

#[test]
fn lines_without_headers_are_events_but_for_traces() {
    let log = "starting\nException in thread \"main\" java.lang.IllegalStateException: a\nb\n\tat x.Y.z(Y.java:1)\nCaused by: java.io.IOException: c\n\tat x.Y.w(Y.java:2)\n\t... 1 more\ndone\n";
    let events = read(&[log.as_bytes()]);
    assert_eq!(events.len(), 3, "{events:#?}");
    let exception = events[1].exception.as_ref().unwrap();
    assert_eq!((&*exception.outer().class, &*exception.outer().message), ("java.lang.IllegalStateException", "a\nb"));
    assert_eq!(&*exception.root().class, "java.io.IOException");
    assert_eq!(messages(&[events[0].clone(), events[2].clone()]), ["starting", "done"]);
}

#[test]
fn python_is_folded_with_and_without_headers() {
    let traceback =
        "Traceback (most recent call last):\n  File \"/app/x.py\", line 3, in f\n    g()\nValueError: bad\n";
    let log = format!("starting\n{traceback}next\nERROR:root:failed\n{traceback}INFO:root:ok\n");
    let events = read(&[log.as_bytes()]);
    let types: Vec<Option<&str>> =
        events.iter().map(|event| event.exception.as_ref().map(|exception| &*exception.root().class)).collect();
    assert_eq!(types, [None, Some("ValueError"), None, Some("ValueError"), None], "{events:#?}");
    assert_eq!(messages(&events)[3..], ["failed", "ok"]);
    let prints: Vec<_> = events.iter().filter_map(|event| event.exception.as_ref()).map(|e| e.fingerprint).collect();
    assert_eq!(prints[0], prints[1]);
}

#[test]
fn a_stream_in_one_layout_takes_others_for_text() {
    let json = r#"{"time":"2026-11-22T06:59:12Z","level":"INFO","message":"m"}"#;
    let mut log: String = (0..8).map(|number| format!("{HEADER}{number}\n")).collect();
    log.push_str(&format!("{HEADER}request:\n{json}\n{HEADER}last\n"));
    let events = read(&[log.as_bytes()]);
    assert_eq!(events.len(), 10);
    assert!(events[8].message.ends_with("\"m\"}"));
    let moved = format!("{log}{}", format!("{json}\n").repeat(20));
    assert!(messages(&read(&[moved.as_bytes()])).iter().filter(|message| **message == "m").count() >= 16);
}

#[test]
fn a_layout_can_be_set() {
    let log = format!("{HEADER}one\n2026/11/22 06:52:02.988 [t] INFO a.B - two\n");
    let told = |choice| {
        let mut reader = Reader::new(choice);
        read_with(&mut reader, &[log.as_bytes()]).iter().map(|event| event.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(Choice::Detect), ["one", "two"]);
    assert_eq!(told(Choice::Only(Format::Flink)), ["one\n2026/11/22 06:52:02.988 [t] INFO a.B - two"]);
    assert_eq!(told(Choice::Only(Format::Plain)).len(), 2);
    assert_eq!(told(Choice::Only(Format::Slashes)), [format!("{HEADER}one"), "two".to_owned()]);
}

#[test]
fn carriers_and_builds_do_not_change_a_fingerprint() {
    let print = |trace: &str| {
        let log = format!("{HEADER}failed\n{trace}\n");
        read(&[log.as_bytes()])[0].exception.as_ref().unwrap().fingerprint
    };
    let root = "java.io.IOException: order 1\n\tat app//com.acme.Sink.lambda$open$2(Sink.java:1) ~[blob_p-1:?]\n\tat com.acme.Sink$$Lambda/0x00007f.run(Unknown Source)";
    let other = "java.io.IOException: order 22\n\tat com.acme.Sink.lambda$open$7(Sink.java:9)\n\tat com.acme.Sink$$Lambda$14/0x08.run(Unknown Source)";
    assert_eq!(print(root), print(other));
    let carried = format!(
        "org.apache.flink.runtime.JobException: Recovery is suppressed\n\tat org.apache.flink.X.y(X.java:1)\nCaused by: {other}"
    );
    assert_eq!(print(root), print(&carried));
    assert_ne!(print(root), print(&root.replace("Sink", "Source")));
    assert_ne!(print(root), print(&root.replace("IOException", "EOFException")));
}

/// As `kubectl logs --timestamps` prints a log, and as it lies on a node.
#[test]
fn times_before_each_line_are_taken_off() {
    let stamp = "2026-11-22T06:52:03.123456789Z";
    let plain = format!("{HEADER}failed\njava.io.IOException: x\n\tat a.B.c(B.java:1)\n\nprinted\n");
    let known = read(&[plain.as_bytes()]);
    for before in [format!("{stamp} "), format!("{stamp} stdout F ")] {
        let log: String = plain.lines().map(|line| format!("{before}{line}\n")).collect();
        let events = read(&[log.as_bytes()]);
        assert_eq!(events, known, "{before}");
    }
    let bare = read(&[format!("{stamp} one\n{stamp} two\n").as_bytes()]);
    assert_eq!(messages(&bare), ["one", "two"]);
    assert!(bare.iter().all(|event| event.time.unwrap().to_rfc3339() == "2026-11-22T06:52:03.123456789+00:00"));
    let own = read(&[b"2026-11-22T06:52:03.123Z INFO a.B - message\n"]);
    assert_eq!(own.len(), 1);
}

#[test]
fn a_trace_of_scala_is_one_failure() {
    let events = crate::read_fixture("scala.log");
    let found: Vec<_> = events.iter().filter_map(|event| event.exception.as_ref()).collect();
    assert_eq!(found.len(), 2, "{events:#?}");
    assert_eq!(&*found[0].root().class, "scala.MatchError");
    assert_eq!(found[0].chain().len(), 3);
    assert_eq!(found[0].fingerprint, found[1].fingerprint, "numbers of closures and lines do not matter");
}
