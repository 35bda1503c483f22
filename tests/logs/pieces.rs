//! Any bytes in any pieces.

use flowdeck::logs::Reader;
use flowdeck::logs::fold::LARGEST_EVENT;
use flowdeck::logs::frame::LONGEST_LINE;
use proptest::prelude::*;

use crate::{fixture, now, read, read_with};

/// Lines that mean something, torn out of real logs, and some that do not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let names = ["java-slash.log", "java-flink.log", "java-ecs.log", "tm-failure.log", "tm-startup.log", "talk.log"];
    let lines: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| {
            std::fs::read(fixture(name)).unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .collect();
    prop_oneof![
        8 => proptest::sample::select(lines),
        1 => proptest::collection::vec(any::<u8>(), 0..60),
        1 => "(Caused by: |\tat |Traceback \\(most recent call last\\):|Suppressed: |\\.\\.\\. 3 more|\\{|\\[|é|\r| |a\\.B)*".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_events(
        lines in proptest::collection::vec(line(), 0..40),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let log = lines.join(&b'\n');
        let whole = read(&[&log]);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len() + 1)).chain([0, log.len()]).collect();
        ends.sort_unstable();
        let pieces: Vec<&[u8]> = ends.windows(2).map(|pair| &log[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&read(&pieces), &whole);
        let bytes: Vec<&[u8]> = log.chunks(1).collect();
        prop_assert_eq!(&read(&bytes), &whole);
        let shown: usize = whole.iter().map(|event| event.text.split('\n').count()).sum();
        prop_assert!(shown + 1 >= lines.len(), "{} lines of {}", shown, lines.len());
    }

    #[test]
    fn random_bytes_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        read(&[&bytes]);
    }
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let endless: [&[u8]; 5] = [
        b"x",
        b"2026-11-22 06:52:02,988 INFO  a.B [] - m\n\tat a.B.c(B.java:1)\n",
        b"java.io.IOException: x\nCaused by: a.B: c\n\t... 9999 more\n",
        b"Traceback (most recent call last):\n  File \"x.py\", line 3, in f\n",
        b"  \t{\"a\":\n\xff\xfe",
    ];
    for pattern in endless {
        let bytes = pattern.repeat(3 * LARGEST_EVENT / pattern.len());
        let mut reader = Reader::default();
        for piece in bytes.chunks(100_000) {
            reader.push(piece, now(), &mut |_| ());
            assert!(reader.held() <= 4 * LARGEST_EVENT + 2 * LONGEST_LINE, "{}", reader.held());
        }
        read_with(&mut reader, &[]);
    }
}
