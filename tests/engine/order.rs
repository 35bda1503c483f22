//! No order of arrival within the lateness changes what is told in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::engine::spec::Accumulation;
use flowdeck::engine::totals::Totals;
use flowdeck::engine::{Batch, Engine, Pane};
use proptest::prelude::*;

use super::{event, run, spec};

const WINDOW: u32 = 1_000;
const LATENESS: u32 = 5_000;

type Final = BTreeMap<(i64, Arc<str>), Totals>;

/// The last pane of each window and service, or the sum of all.
fn last(panes: Vec<Pane>, mode: Accumulation) -> Final {
    let mut last = Final::new();
    for pane in panes {
        let known = last.entry((pane.start, pane.service)).or_default();
        match mode {
            Accumulation::Accumulating => *known = pane.totals,
            Accumulation::Discarding => known.merge(&pane.totals),
        }
    }
    last
}

/// Events with their times, and the same in another order: each displaced by less than the lateness.
fn arrivals() -> impl Strategy<Value = Vec<(i64, String, u64, i64)>> {
    let one = (0..60_000_i64, "[abc]", 1..10_000_000_u64, 0..i64::from(LATENESS));
    prop::collection::vec(one, 1..200)
}

/// A script with the watermark at what arrived last, less nothing: all that is displaced is late.
fn script(mut events: Vec<(i64, String, u64, i64)>, displaced: bool) -> Vec<String> {
    events.sort_by_key(|(time, _, _, displacement)| time + if displaced { *displacement } else { 0 });
    let mut lines = Vec::new();
    for (time, service, latency, displacement) in events {
        lines.push(event(time, &service, latency));
        let arrival = time + if displaced { displacement } else { 0 };
        lines.push(format!(r#"{{"wm":{arrival}}}"#));
    }
    lines
}

proptest! {
    #[test]
    fn final_panes_do_not_depend_on_the_order(events in arrivals(), discarding in any::<bool>()) {
        let mode = if discarding { Accumulation::Discarding } else { Accumulation::Accumulating };
        let spec = spec(WINDOW, LATENESS, mode);
        let (ordered, sorted) = run(&spec, script(events.clone(), false).iter().map(String::as_str));
        let (mixed, displaced) = run(&spec, script(events, true).iter().map(String::as_str));
        prop_assert_eq!((sorted.summary().dropped, displaced.summary().dropped), (0, 0));
        prop_assert_eq!(last(ordered, mode), last(mixed, mode));
    }

    #[test]
    fn partitions_read_one_after_the_other_give_the_same_panes(events in arrivals(), share in 1..8_i64) {
        let spec = spec(WINDOW, LATENESS, Accumulation::Accumulating);
        let mut events = events;
        events.sort_by_key(|(time, ..)| *time);
        let together = read(&spec, &[&events]);
        let (one, other): (Vec<_>, Vec<_>) = events.into_iter().partition(|(.., chance)| chance % 8 < share);
        let apart = read(&spec, &[&one, &other]);
        prop_assert_eq!(last(together, Accumulation::Accumulating), last(apart, Accumulation::Accumulating));
    }

    #[test]
    fn batches_do_not_change_the_last_panes(events in arrivals(), size in 1..50_usize) {
        let spec = spec(WINDOW, 60_000, Accumulation::Accumulating);
        let one_by_one = read_in(&spec, &[&events], 1);
        let batched = read_in(&spec, &[&events], size);
        prop_assert_eq!(last(one_by_one, Accumulation::Accumulating), last(batched, Accumulation::Accumulating));
    }
}

fn read(spec: &flowdeck::engine::Spec, partitions: &[&[(i64, String, u64, i64)]]) -> Vec<Pane> {
    read_in(spec, partitions, 16)
}

/// Reads one partition after the other, as a consumer may after a restart.
fn read_in(spec: &flowdeck::engine::Spec, partitions: &[&[(i64, String, u64, i64)]], size: usize) -> Vec<Pane> {
    let mut engine = Engine::new(spec).unwrap();
    let now = 60_000;
    for partition in 0..partitions.len() {
        engine.assign(partition as u32, now);
    }
    for (partition, events) in partitions.iter().enumerate() {
        for chunk in events.chunks(size) {
            let mut batch = Batch::default();
            for (time, service, latency, _) in chunk {
                batch.push(format!(r#"{{"ts":{time},"svc":"{service}","status":200,"lat_us":{latency}}}"#).as_bytes());
            }
            engine.ingest(partition as u32, &batch, now);
        }
    }
    engine.settle(now + 1_000_000);
    let panes = engine.take_panes();
    assert_eq!(engine.windows().open(), 0);
    assert_eq!(engine.counts().counted, engine.counts().records);
    panes
}
