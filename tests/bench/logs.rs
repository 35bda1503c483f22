//! How fast a log becomes events: one JSON object a line with `name`, `value`, `unit` and the least `bound`.
//!
//! A file of 1 GB as Flink writes it, two of a hundred lines in stack traces, read on one core. ripgrep and lnav
//! read the same file in the same run; one that is not installed is named as missing. Two ways of keeping events
//! are measured: as the console keeps them, the last 32 MB in memory and what is older on disk; and all in
//! memory, for what a search can do.
//!
//! lnav is started without a screen and asked for the number of messages, so that it ends when its index is
//! complete: it keeps where lines begin, their times and levels, and reads the file again for their text. The speed
//! of indexing is that of the same work: where each event ends, its time, its level, the name of its failure.
//! Keeping the texts too, as a log needs that cannot be read again, is told beside it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use flowdeck::logs::Reader;
use flowdeck::logs::event::{Event, Level};
use flowdeck::logs::fingerprint::Fingerprint;
use flowdeck::logs::group::Groups;
use flowdeck::logs::history::{Bits, Entry, History, Kind, Limits};
use flowdeck::logs::query::Query;
use flowdeck::model::Time;

const BYTES: u64 = 1_000_000_000;
const READ: usize = 256 * 1024;
const ROUNDS: usize = 5;
/// Lines between traces of 24 lines.
const QUIET_LINES: usize = 1_176;

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.log");
    write_log(&path);
    let bytes = path.metadata().unwrap().len() as f64;
    let mut lines = 0;
    let spent = best(|| {
        let mut groups = Groups::default();
        lines = read(&path, &mut |event| groups.add(black_box(event), event.time));
        assert!(!groups.into_sorted().is_empty());
    });
    report("read, frame, fold and fingerprint, best of 5", bytes / 1e6 / spent.clock, "MB/s", 500.0);
    report("the same by processor time", bytes / 1e6 / spent.processor, "MB/s", 0.0);
    report("lines a second", lines as f64 / spent.clock / 1e6, "million/s", 0.0);
    index(&path, bytes);
    search(&path);
}

/// Where events are, beside lnav; and their texts too.
fn index(path: &Path, bytes: f64) {
    let kept = best(|| {
        black_box(folded(path, Limits::default()));
    });
    report("read, frame, fold, fingerprint and keep texts", bytes / 1e6 / kept.clock, "MB/s", 0.0);
    report("the same by processor time", bytes / 1e6 / kept.processor, "MB/s", 0.0);
    let ours = best(|| {
        black_box(indexed(path));
    });
    report("read, frame, fold, fingerprint and index", bytes / 1e6 / ours.clock, "MB/s", 0.0);
    let mut lnav = Command::new("lnav");
    lnav.args(["-n", "-q", "-N", "-c", ";SELECT count(*) FROM all_logs"]).arg(path);
    lnav.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let before = Spent::of_children();
    let begun = Instant::now();
    if lnav.status().is_err() {
        return missing("lnav");
    }
    let clock = begun.elapsed().as_secs_f64();
    report("lnav's indexing", bytes / 1e6 / clock, "MB/s", 0.0);
    let processor = Spent::of_children() - before;
    report("speed of indexing, of lnav's, by clock", clock / ours.clock, "times", 5.0);
    report("speed of indexing, of lnav's, by processor time", processor / ours.processor, "times", 5.0);
    report("speed of keeping texts, of lnav's indexing, by clock", clock / kept.clock, "times", 0.0);
    report("speed of keeping texts, of lnav's indexing, by processor time", processor / kept.processor, "times", 0.0);
}

/// A pattern that begins with a literal, over folded history in memory, beside ripgrep on the file.
fn search(path: &Path) {
    const PATTERN: &str = r"cannot enrich order 1\d+[02468]";
    let history = folded(path, Limits { memory: usize::MAX, disk: 0 });
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
    report("regex search over folded history", text / 1e6 / ours.clock, "MB/s", 1_000.0);
    let mut lines = 0;
    let theirs = best(|| {
        let output = Command::new("rg").args(["-j1", "-c", PATTERN]).arg(path).output();
        lines = output.map_or(0, |output| String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0));
    });
    if lines == 0 {
        return missing("ripgrep");
    }
    assert_eq!(found, lines, "ripgrep finds another number");
    report_most("regex search, of ripgrep's time", ours.clock / theirs.clock, "times", 2.0);
}

/// Reads the file into events, and tells how many lines it has.
fn read(path: &Path, sink: &mut impl FnMut(&Event<'_>)) -> u64 {
    let now = chrono::Utc::now();
    let mut file = File::open(path).unwrap();
    let mut buffer = vec![0; READ];
    let mut reader = Reader::default();
    loop {
        let length = file.read(&mut buffer).unwrap();
        if length == 0 {
            break;
        }
        reader.push(buffer.get(..length).unwrap(), now, sink);
    }
    reader.finish(now, sink);
    reader.counts().lines
}

/// What lnav keeps of a line, and the failure.
type Place = (u64, Time, Option<Level>);

fn indexed(path: &Path) -> (Vec<Place>, Vec<(usize, Fingerprint)>) {
    let (mut places, mut failures) = (Vec::new(), Vec::new());
    let (mut end, mut last) = (0, Time::default());
    read(path, &mut |event| {
        end += event.text.len() as u64 + 1;
        last = event.time.unwrap_or(last);
        if let Some(exception) = &event.exception {
            failures.push((places.len(), exception.fingerprint));
        }
        places.push((end, last, event.level));
    });
    (places, failures)
}

fn folded(path: &Path, limits: Limits) -> History {
    let mut history = History::new(limits);
    let mut last = Time::default();
    read(path, &mut |event| {
        last = event.time.unwrap_or(last);
        history.push(&Entry {
            text: event.text,
            time: last,
            source: 0,
            level: event.level,
            kind: Kind::Event,
            fingerprint: event.exception.as_ref().map(|exception| exception.fingerprint),
        });
    });
    history
}

/// Seconds.
struct Spent {
    clock: f64,
    /// Of this process, in user and kernel.
    processor: f64,
}

impl Spent {
    /// Processor seconds of this process.
    fn of_process() -> f64 {
        Self::of(11)
    }

    /// Processor seconds of the programs that it ran.
    fn of_children() -> f64 {
        Self::of(13)
    }

    /// Two fields of the process's line behind its name, in hundredths of a second.
    fn of(field: usize) -> f64 {
        let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = line.rsplit(") ").next().unwrap_or_default().split(' ').skip(field).take(2);
        fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
    }
}

/// The best of several rounds.
fn best(mut work: impl FnMut()) -> Spent {
    let rounds = (0..ROUNDS).map(|_| {
        let (before, begun) = (Spent::of_process(), Instant::now());
        work();
        Spent { clock: begun.elapsed().as_secs_f64(), processor: Spent::of_process() - before }
    });
    rounds.min_by(|one, other| one.clock.total_cmp(&other.clock)).unwrap()
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

fn write_log(path: &Path) {
    let mut log = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut number = 0_usize;
    let mut bytes = 0;
    while bytes < BYTES {
        let mut part = String::new();
        for _ in 0..QUIET_LINES {
            number += 1;
            let (minute, second, thousandth) = (number / 60_000 % 60, number / 1_000 % 60, number % 1_000);
            part.push_str(&format!(
                "2026-11-22 06:{minute:02}:{second:02},{thousandth:03} INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph       [] - enrich-orders ({number}/3) (430f1e7ff4771aab4a2c0bac78c16bb2) switched from RUNNING to CANCELING.\n"
            ));
        }
        part.push_str(&format!("2026-11-22 06:52:04,096 WARN  org.apache.flink.runtime.taskmanager.Task [] - failed\njava.lang.IllegalStateException: cannot enrich order {number}\n"));
        for frame in 0..20 {
            part.push_str(&format!("\tat org.apache.flink.streaming.runtime.tasks.StreamTask.step{frame}(StreamTask.java:{frame}) ~[flink-dist-2.2.1.jar:2.2.1]\n"));
        }
        part.push_str("Caused by: java.io.IOException: x\n\t... 20 more\n");
        log.write_all(part.as_bytes()).unwrap();
        bytes += part.len() as u64;
    }
    log.flush().unwrap();
}
