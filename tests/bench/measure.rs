//! How the benches measure: in rounds, by the time that the thread was on a processor, a line of JSON for each number.

use std::time::{Duration, Instant};

/// Rounds of which the best and the median are told.
pub const ROUNDS: usize = 9;

/// Says a number that must be at least its bound.
pub fn report(name: &str, value: f64, unit: &str, bound: Option<f64>) {
    print(name, value, unit, (bound, bound.map(|bound| value >= bound)));
}

/// Says a number, and whether it kept its bound.
pub fn print(name: &str, value: f64, unit: &str, (bound, kept): (Option<f64>, Option<bool>)) {
    println!(
        "{}",
        serde_json::json!({ "name": name, "value": value.round(), "unit": unit, "bound": bound, "kept": kept })
    );
}

/// What a round took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spent {
    /// For so long this thread was on a processor.
    pub processor: Duration,
    /// So much time passed.
    pub clock: Duration,
}

/// For so long this thread has been on a processor.
pub fn on_processor() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

/// What the rounds took, from the best.
pub fn rounds(mut round: impl FnMut()) -> Vec<Spent> {
    let mut spent: Vec<Spent> = (0..ROUNDS)
        .map(|_| {
            let (begun, clock) = (on_processor(), Instant::now());
            round();
            Spent { processor: on_processor().saturating_sub(begun), clock: clock.elapsed() }
        })
        .collect();
    spent.sort_unstable();
    spent
}
