//! Framing and folding under bytes that nobody writes: real logs, torn and mixed, for as long as there is time.
//!
//! Each round mutates a log of the corpus and reads it whole and in pieces: the same events must come, no line may
//! be lost, and memory must stay bounded. `FLOWDECK_FUZZ_SECONDS` sets the time, `FLOWDECK_FUZZ_SEED` the chance;
//! a failure prints its seed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::{Duration, Instant};

use flowdeck::logs::Reader;
use flowdeck::logs::fold::LARGEST_EVENT;
use flowdeck::logs::frame::LONGEST_LINE;
use flowdeck::model::Time;

/// Pieces that mean something to the reader.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xe2\x82",
    b"\tat a.B.c(B.java:1)\n",
    b"Caused by: ",
    b"\tSuppressed: a.B: c\n",
    b"\t... 3 more\n",
    b"Traceback (most recent call last):\n",
    b"  File \"x.py\", line 3, in f\n",
    b"ValueError: x\n",
    b"{\"time\":\"2026-11-22T06:59:12Z\",\"message\":\"m\"}\n",
    b"{\"a\":",
    b"I1122 06:52:02.988123       1 a.go:1] m\n",
    b"2026-11-22 06:52:02,988 ERROR a.B [] - ",
    b"2022/07/11 04:52:23.996 [t] INFO a.B - ",
    b"\x1b[31m",
    b"INFO:root:",
];

/// A generator of numbers that is the same everywhere (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % below.max(1)
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs");
    let entries = [folder.join("real"), folder].map(|folder| std::fs::read_dir(folder).unwrap()).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A part of a log with changes.
fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let source = &corpus[chance.next(corpus.len())];
    let start = chance.next(source.len());
    let end = (start + chance.next(8_000)).min(source.len());
    let mut log = source[start..end].to_vec();
    for _ in 0..chance.next(24) {
        let at = chance.next(log.len() + 1);
        match chance.next(6) {
            0 => drop(log.splice(at..at, TOKENS[chance.next(TOKENS.len())].iter().copied())),
            1 => drop(log.drain(at..(at + chance.next(200)).min(log.len()))),
            2 => log.insert(at, u8::try_from(chance.next(256)).unwrap()),
            3 => log.truncate(at),
            4 => {
                let other = &corpus[chance.next(corpus.len())];
                let from = chance.next(other.len());
                let to = (from + chance.next(2_000)).min(other.len());
                drop(log.splice(at..at, other[from..to].iter().copied()));
            }
            _ => {
                let end = (at + chance.next(300)).min(log.len());
                let part = log[at..end].to_vec();
                for _ in 0..chance.next(4) {
                    drop(log.splice(at..at, part.iter().copied()));
                }
            }
        }
    }
    log
}

/// The texts and names of all events.
fn events(log: &[u8], mut piece: impl FnMut() -> usize) -> Vec<String> {
    let now = Time::from_timestamp(1_795_330_000, 0).unwrap();
    let mut reader = Reader::default();
    let mut found = Vec::new();
    let mut keep = |event: &flowdeck::logs::event::Event<'_>| {
        let name = event.exception.as_ref().map(|exception| exception.fingerprint.to_string());
        found.push(format!("{:?} {:?} {} {:?} {}", event.time, event.level, event.message, name, event.text));
    };
    let mut rest = log;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(piece().clamp(1, rest.len()));
        reader.push(head, now, &mut keep);
        assert!(reader.held() <= 4 * LARGEST_EVENT + 2 * LONGEST_LINE);
        rest = tail;
    }
    reader.finish(now, &mut keep);
    found
}

/// A line is in the event that it became, or its text is.
fn lines_of(log: &[u8]) -> usize {
    log.split(|byte| *byte == b'\n').count() - usize::from(log.is_empty() || log.ends_with(b"\n"))
}

fn counted(log: &[u8]) -> usize {
    let mut lines = 0;
    let mut reader = Reader::default();
    let now = Time::default();
    reader.push(log, now, &mut |event| lines += event.text.split('\n').count());
    reader.finish(now, &mut |event| lines += event.text.split('\n').count());
    lines
}

#[test]
fn any_bytes_in_any_pieces_are_read_the_same() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let span = Duration::from_secs(number("FLOWDECK_FUZZ_SECONDS", 2));
    let seed = number("FLOWDECK_FUZZ_SEED", 0x9e37_79b9_7f4a_7c15);
    let corpus = corpus();
    let (begun, mut rounds) = (Instant::now(), 0_u64);
    while begun.elapsed() < span {
        let round_seed = seed.wrapping_add(rounds.wrapping_mul(0x2545_f491_4f6c_dd1d)) | 1;
        let mut chance = Chance(round_seed);
        let log = mutated(&corpus, &mut chance);
        let whole = events(&log, || usize::MAX);
        let torn = events(&log, || 1 + chance.next(97));
        assert_eq!(torn, whole, "FLOWDECK_FUZZ_SEED={round_seed}");
        assert_eq!(counted(&log), lines_of(&log), "lines, FLOWDECK_FUZZ_SEED={round_seed}");
        rounds += 1;
    }
    println!("{rounds} rounds in {:?}", begun.elapsed());
}
