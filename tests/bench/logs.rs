//! How fast a log becomes events: one JSON object a line with `name`, `value`, `unit` and the least `bound`.
//!
//! A log of 256 MB as Flink writes it, two of a hundred lines in stack traces, on one core. ripgrep and lnav read
//! the same file in the same run; one that is not installed is named as missing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use flowdeck::logs::group::Groups;
use flowdeck::logs::history::{Bits, Entry, History, Kind, Limits};
use flowdeck::logs::query::Query;
use flowdeck::logs::{Counts, Reader};
use flowdeck::model::Time;

const BYTES: usize = 256 * 1_000_000;
const READ: usize = 256 * 1024;
const ROUNDS: usize = 5;
/// Lines between traces of 24 lines.
const QUIET_LINES: usize = 1_176;

fn main() {
    let log = log();
    let now = chrono::Utc::now();
    let mut seconds: Vec<f64> = Vec::new();
    let mut counts = Counts::default();
    for _ in 0..ROUNDS {
        let mut reader = Reader::default();
        let mut groups = Groups::default();
        let begun = Instant::now();
        for piece in log.chunks(READ) {
            reader.push(piece, now, &mut |event| groups.add(black_box(event), event.time));
        }
        reader.finish(now, &mut |event| groups.add(event, event.time));
        seconds.push(begun.elapsed().as_secs_f64());
        counts = reader.counts();
        assert!(!groups.into_sorted().is_empty());
    }
    seconds.sort_by(f64::total_cmp);
    let speed = log.len() as f64 / 1e6 / seconds[ROUNDS / 2];
    report("frame, fold and fingerprint, one core, median of 5", speed, "MB/s", 500.0);
    report("lines a second", counts.lines as f64 / seconds[ROUNDS / 2] / 1e6, "million/s", 0.0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.log");
    std::fs::write(&path, &log).unwrap();
    search(&log, &path);
    index(&log, &path);
}

/// A pattern that begins with a literal, over folded history, beside ripgrep on the file.
fn search(log: &[u8], path: &Path) {
    const PATTERN: &str = r"cannot enrich order 1\d+[02468]";
    let history = folded(log);
    let (resident, text) = (history.resident() as f64, history.memory() as f64);
    report_most("memory of folded history, of its text", resident / text, "times", 1.2);
    let query = Query::of_regex(PATTERN).unwrap();
    let mut found = 0;
    let ours = best(|| {
        found = 0;
        for (first, _) in history.segments() {
            let mut bits = Bits::default();
            history.search((first, first), &query, &[], &mut bits);
            found += u64::from(bits.count());
        }
    });
    report("regex search over folded history", text / 1e6 / ours, "MB/s", 1_000.0);
    let mut lines = 0;
    let theirs = best(|| {
        let output = Command::new("rg").args(["-j1", "-c", PATTERN]).arg(path).output();
        lines = output.map_or(0, |output| String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0));
    });
    if lines == 0 {
        missing("ripgrep");
        return;
    }
    assert_eq!(found, lines, "ripgrep finds another number");
    report_most("regex search, of ripgrep's time", ours / theirs, "times", 2.0);
}

/// From bytes to events that can be searched, beside lnav.
fn index(log: &[u8], path: &Path) {
    let ours = best(|| {
        black_box(folded(log));
    });
    report("frame, fold and keep", log.len() as f64 / 1e6 / ours, "MB/s", 0.0);
    let begun = Instant::now();
    let mut lnav = Command::new("lnav");
    lnav.args(["-n", "-q", "-N", "-c", ";SELECT count(*) FROM all_logs"]).arg(path);
    match lnav.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => report("speed of indexing, of lnav's", begun.elapsed().as_secs_f64() / ours, "times", 5.0),
        Err(_) => missing("lnav"),
    }
}

fn folded(log: &[u8]) -> History {
    let now = chrono::Utc::now();
    let mut history = History::new(Limits { memory: usize::MAX, disk: 0 });
    let mut reader = Reader::default();
    let mut last = Time::default();
    let mut keep = |event: &flowdeck::logs::event::Event<'_>| {
        last = event.time.unwrap_or(last);
        history.push(&Entry {
            text: event.text,
            time: last,
            source: 0,
            level: event.level,
            kind: Kind::Event,
            fingerprint: event.exception.as_ref().map(|exception| exception.fingerprint),
        });
    };
    for piece in log.chunks(READ) {
        reader.push(piece, now, &mut keep);
    }
    reader.finish(now, &mut keep);
    history
}

/// Seconds of the best of several rounds.
fn best(mut work: impl FnMut()) -> f64 {
    let rounds = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    });
    rounds.min_by(f64::total_cmp).unwrap()
}

fn missing(program: &str) {
    println!("{}", serde_json::json!({ "name": program, "value": null, "unit": "not installed" }));
}

fn report_most(name: &str, value: f64, unit: &str, bound: f64) {
    let line = serde_json::json!({ "name": name, "value": (value * 100.0).round() / 100.0, "unit": unit, "most": bound, "kept": value <= bound });
    println!("{line}");
}

fn report(name: &str, value: f64, unit: &str, bound: f64) {
    let line = serde_json::json!({ "name": name, "value": (value * 10.0).round() / 10.0, "unit": unit, "bound": bound, "kept": value >= bound });
    println!("{line}");
}

fn log() -> Vec<u8> {
    let mut log = Vec::with_capacity(BYTES + 64 * 1024);
    let mut number = 0_usize;
    while log.len() < BYTES {
        for _ in 0..QUIET_LINES {
            number += 1;
            let (minute, second, thousandth) = (number / 60_000 % 60, number / 1_000 % 60, number % 1_000);
            let line = format!(
                "2026-11-22 06:{minute:02}:{second:02},{thousandth:03} INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph       [] - enrich-orders ({number}/3) (430f1e7ff4771aab4a2c0bac78c16bb2) switched from RUNNING to CANCELING.\n"
            );
            log.extend_from_slice(line.as_bytes());
        }
        log.extend_from_slice(format!("2026-11-22 06:52:04,096 WARN  org.apache.flink.runtime.taskmanager.Task [] - failed\njava.lang.IllegalStateException: cannot enrich order {number}\n").as_bytes());
        for frame in 0..20 {
            log.extend_from_slice(format!("\tat org.apache.flink.streaming.runtime.tasks.StreamTask.step{frame}(StreamTask.java:{frame}) ~[flink-dist-2.2.1.jar:2.2.1]\n").as_bytes());
        }
        log.extend_from_slice(b"Caused by: java.io.IOException: x\n\t... 20 more\n");
    }
    log
}
