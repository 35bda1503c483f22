//! How fast a log becomes events: one JSON object a line with `name`, `value`, `unit` and the least `bound`.
//!
//! A log of 256 MB as Flink writes it, two of a hundred lines in stack traces, on one core.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking"
)]

use std::hint::black_box;
use std::time::Instant;

use flowdeck::logs::group::Groups;
use flowdeck::logs::{Counts, Reader};

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
