//! Flips under fire, on a real broker: records keep coming while workers and controllers are killed, stopped and woken as
//! zombies, and the broker is restarted. Afterwards every record is looked for, in its lane, in its order.
//!
//! `tests/live/router_chaos [--flips N] [--rate N] [--seed N]` starts the broker and runs this. It fails when one record
//! is lost, duplicated, reordered or changed, or when a flip takes longer than its SLA.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod load;
mod processes;
mod verify;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::load::{Load, PARTITIONS};
use self::processes::{Fleet, Random, Route};

/// Longest wait for a flip to be done, far above its SLA: what is late is told, not hung upon.
const PATIENCE: Duration = Duration::from_mins(6);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn main() {
    let (flips, rate) = (setting("FLOWDECK_CHAOS_FLIPS", 20), setting("FLOWDECK_CHAOS_RATE", 50_000));
    let seed = setting("FLOWDECK_CHAOS_SEED", u64::from(std::process::id()));
    println!("{flips} flips, {rate} records/s, seed {seed}");
    let mut random = Random(seed);
    let route = Route::make();
    let mut fleet = Fleet::start(&route);
    let load = Load::start(&route, rate);
    let began = Instant::now();
    let mut done = Vec::new();
    for number in 1..=flips {
        let to = if number % 2 == 1 { "green" } else { "blue" };
        let trouble = fleet.trouble(&mut random, number);
        random.wait(1_000);
        let epoch = flip(&route, to);
        fleet.strike(number);
        // Long enough, some times, that the group gives its partitions to others.
        let is_long = fleet.has_stopped() && random.below(2) == 0;
        random.wait(if is_long { 12_000 } else { 1_000 });
        fleet.mend();
        let receipt = receipt(&route, epoch);
        println!(
            "flip {number} to {to}, {trouble}: {} ms, gap {} ms, audit {}, {:.0} s so far",
            receipt["acknowledged_after_ms"],
            receipt["gap_ms"],
            receipt["audit"],
            began.elapsed().as_secs_f64()
        );
        done.push(receipt);
    }
    fleet.mend();
    let sent = load.stop();
    let total: i64 = sent.iter().sum();
    let achieved = f64::from(u32::try_from(total).unwrap()) / began.elapsed().as_secs_f64();
    println!("{total} records sent in {PARTITIONS} partitions, {achieved:.0} a second");
    wait_until_routed(&route, &sent);
    drop(fleet);
    let receipts = receipts(&route);
    let found = verify::verify(&route, &sent, &receipts);
    let in_time = done.iter().filter(|receipt| receipt["within_sla"] == true).count();
    summary(&done, &found, in_time);
    // What the receipts say was measured by the controllers: it must be what is true.
    let told = |receipt: &Value| ["lost", "duplicated", "reordered"].iter().any(|name| receipt["audit"][name] != 0);
    let failed = found.is_bad() || in_time != done.len() || done.iter().any(told);
    std::process::exit(i32::from(failed));
}

fn summary(done: &[Value], found: &verify::Found, in_time: usize) {
    let mut times: Vec<i64> = done.iter().filter_map(|receipt| receipt["acknowledged_after_ms"].as_i64()).collect();
    times.sort_unstable();
    let sum = |name: &str| -> u64 { done.iter().filter_map(|receipt| receipt["audit"][name].as_u64()).sum() };
    let of = |part: usize| times.get((times.len().saturating_sub(1)) * part / 100).copied().unwrap_or(-1);
    println!("flips  within SLA  median ms  p95 ms  max ms  records  lost  duplicated  reordered  changed");
    println!(
        "{:5}  {in_time:10}  {:9}  {:6}  {:6}  {:7}  {:4}  {:10}  {:9}  {:7}",
        done.len(),
        of(50),
        of(95),
        of(100),
        found.records,
        found.lost,
        found.duplicated,
        found.reordered,
        found.changed
    );
    println!(
        "audits of the receipts: {} compared, {} lost, {} duplicated, {} reordered",
        sum("compared"),
        sum("lost"),
        sum("duplicated"),
        sum("reordered")
    );
}

/// Asks until a controller accepts: meanwhile it may have been killed, or a flip may be on its way.
fn flip(route: &Route, to: &str) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = route.command(&["flip", "--to", to, "--why", "chaos", "--who", "test", "-o", "json"]);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if let Some(epoch) = answer["epoch"].as_u64() {
            return epoch;
        }
        let words = answer["words"].as_str().unwrap_or_default();
        if words.contains("already") {
            // An earlier request was heard, and its answer was not.
            let status: Value = serde_json::from_slice(&route.command(&["status", "-o", "json"]).stdout).unwrap();
            return status["epoch"].as_u64().unwrap();
        }
        assert!(Instant::now() < deadline, "no flip: {answer} {}", String::from_utf8_lossy(&output.stderr));
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn receipts(route: &Route) -> Vec<Value> {
    serde_json::from_slice(&route.command(&["receipts", "-o", "json"]).stdout).unwrap_or_default()
}

fn receipt(route: &Route, epoch: u64) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = receipts(route).into_iter().find(|receipt| receipt["epoch"] == epoch) {
            return found;
        }
        assert!(Instant::now() < deadline, "flip {epoch} has no receipt");
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

fn wait_until_routed(route: &Route, sent: &[i64]) {
    let sent = verify::source_ends(route, sent.len());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status: Value =
            serde_json::from_slice(&route.command(&["status", "-o", "json"]).stdout).unwrap_or_default();
        let partitions = status["partitions"].as_array().cloned().unwrap_or_default();
        let routed: Vec<i64> = partitions.iter().filter_map(|partition| partition["routed"].as_i64()).collect();
        if routed == sent {
            return;
        }
        assert!(Instant::now() < deadline, "routed {routed:?} of {sent:?}");
        std::thread::park_timeout(Duration::from_millis(500));
    }
}
