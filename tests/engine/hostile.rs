//! Input that wants to stop, blind or fill the engine.

use flowdeck::engine::rejects::Reason;
use flowdeck::engine::services::OTHER;
use flowdeck::engine::spec::Accumulation;
use flowdeck::engine::{Batch, Engine, NO_CLOCK};
use proptest::prelude::*;

use super::{sample, spec};

fn record(time: i64, service: &str) -> String {
    format!(r#"{{"ts":{time},"svc":"{service}","status":200,"lat_us":1000}}"#)
}

fn batch<'a>(records: impl IntoIterator<Item = &'a str>) -> Batch {
    let mut batch = Batch::default();
    records.into_iter().for_each(|record| batch.push(record.as_bytes()));
    batch
}

#[test]
fn a_million_services_are_a_count() {
    let mut spec = sample();
    spec.limits.services = 100;
    let mut engine = Engine::new(&spec).unwrap();
    for block in 0..1_000 {
        let records: Vec<String> =
            (0..1_000).map(|number| record(1_000 + block, &format!("s-{block}-{number}"))).collect();
        engine.ingest(0, &batch(records.iter().map(String::as_str)), NO_CLOCK);
    }
    assert_eq!((engine.services().count(), engine.services().overflowed()), (100, 999_900));
    assert!(engine.windows().heap_bytes() < 1 << 20, "{}", engine.windows().heap_bytes());
    engine.raise(0, i64::MAX, NO_CLOCK);
    let panes = engine.take_panes();
    let other = panes.iter().find(|pane| &*pane.service == OTHER).unwrap();
    assert_eq!((panes.len(), other.totals.requests), (101, 999_900));
}

#[test]
fn windows_and_cells_are_limited() {
    let mut spec = spec(1_000, 3_600_000, Accumulation::Accumulating);
    (spec.limits.windows, spec.limits.cells) = (10, 15);
    let mut engine = Engine::new(&spec).unwrap();
    for window in 0..20 {
        engine.count(0, &record(window * 1_000, "a"), NO_CLOCK);
        engine.count(0, &record(window * 1_000, "b"), NO_CLOCK);
    }
    assert_eq!((engine.windows().open(), engine.windows().cells()), (8, 15));
    assert_eq!((engine.counts().counted, engine.rejects().count(Reason::Overflow)), (15, 25));
    engine.raise(0, i64::MAX, NO_CLOCK);
    assert_eq!((engine.windows().open(), engine.windows().cells()), (0, 0));
}

#[test]
fn one_event_of_the_future_makes_no_other_late() {
    let mut engine = Engine::new(&sample()).unwrap();
    let now = 1_795_363_200_000;
    let year = 365 * 86_400_000;
    engine.ingest(0, &batch([record(now + year, "a").as_str(), &record(now, "a"), &record(now + 30_000, "a")]), now);
    assert_eq!((engine.rejects().count(Reason::Future), engine.counts().counted), (1, 2));
    assert_eq!(engine.watermark(), now + 25_000);
    engine.ingest(0, &batch([record(now - 1_000, "a").as_str()]), now);
    assert_eq!((engine.counts().late, engine.rejects().count(Reason::Dropped)), (1, 0));
    let sample = engine.rejects().samples().next().unwrap();
    assert_eq!(sample.detail, format!("{year} ms ahead"));
}

#[test]
fn bad_records_are_counted_and_the_rest_goes_on() {
    let mut engine = Engine::new(&sample()).unwrap();
    let mut batch = batch(["", "null", "{\"ts\":1}", &record(1_000, "good")]);
    batch.push(b"\xff\xfe");
    batch.push(format!("{{\"x\":\"{}\"}}", "y".repeat(10 << 20)).as_bytes());
    batch.push(record(2_000, "good").as_bytes());
    engine.ingest(3, &batch, NO_CLOCK);
    assert_eq!((engine.counts().records, engine.counts().counted, engine.rejects().poison()), (7, 2, 5));
    for (reason, count) in [(Reason::NotJson, 1), (Reason::Missing, 2), (Reason::NotUtf8, 1), (Reason::TooLong, 1)] {
        assert_eq!(engine.rejects().count(reason), count, "{reason}");
    }
    assert!(engine.rejects().samples().all(|sample| sample.partition == 3 && sample.excerpt.len() <= 512));
}

#[test]
fn each_kind_of_bad_input_has_its_reason_and_costs_no_other_event() {
    let now = 1_795_363_200_000;
    let fields = |time: &str, service: &str, status: &str, latency: &str| {
        format!(r#"{{"ts":{time},"svc":{service},"status":{status},"lat_us":{latency}}}"#)
    };
    let time = |text: &str| fields(text, "\"a\"", "200", "1");
    let latency = |text: &str| fields(&now.to_string(), "\"a\"", "200", text);
    let bad = [
        ("<html>".to_owned(), Reason::NotJson),
        (latency("NaN"), Reason::NotJson),
        (latency("Infinity"), Reason::NotJson),
        (latency("1e999"), Reason::NotJson),
        (latency("\"7\""), Reason::WrongType),
        (latency("-1"), Reason::Latency),
        (latency("-0.5"), Reason::Latency),
        (latency("1e300"), Reason::Latency),
        (latency("3600000001"), Reason::Latency),
        (latency("9223372036854775807"), Reason::Latency),
        (r#"{"ts":1795363200000,"status":200,"lat_us":1}"#.to_owned(), Reason::Missing),
        (fields("null", "\"a\"", "200", "1"), Reason::Missing),
        (fields("1795363200000", "[]", "200", "1"), Reason::WrongType),
        (fields("1795363200000", "\"\"", "200", "1"), Reason::Service),
        // Milliseconds were promised: these are micro- and nanoseconds, and a clock that is an hour ahead.
        (time("1795363200000000"), Reason::Time),
        (time("1795363200000000000"), Reason::Time),
        (time("1795366800000"), Reason::Future),
        // Seconds, and a clock that is an hour behind.
        (time("1795363200"), Reason::Dropped),
        (time("1795359600000"), Reason::Dropped),
    ];
    for (record, reason) in bad {
        let mut engine = Engine::new(&sample()).unwrap();
        let good = |at: i64| time(&at.to_string());
        engine.ingest(0, &batch([good(now - 1_000).as_str()]), now);
        engine.ingest(0, &batch([record.as_str(), &good(now)]), now);
        assert_eq!((engine.counts().counted, engine.rejects().count(reason)), (2, 1), "{record}");
        assert_eq!(engine.rejects().samples().count(), 1, "{record}");
        assert_eq!(engine.watermark(), now - 5_000, "{record}");
    }
}

#[test]
fn an_idle_partition_lets_windows_close() {
    let mut engine = Engine::new(&spec(10_000, 0, Accumulation::Accumulating)).unwrap();
    engine.assign(0, 0);
    engine.assign(1, 0);
    engine.ingest(0, &batch([record(9_000, "a").as_str(), &record(26_000, "a")]), 26_000);
    assert_eq!(engine.take_panes().len(), 0);
    engine.settle(29_999);
    assert_eq!(engine.take_panes().len(), 0);
    engine.settle(30_000);
    assert_eq!(engine.take_panes().iter().map(|pane| pane.start).collect::<Vec<_>>(), [0]);
    engine.settle(70_000);
    assert_eq!(engine.take_panes().iter().map(|pane| pane.start).collect::<Vec<_>>(), [20_000]);
    engine.ingest(1, &batch([record(12_000, "a").as_str()]), 71_000);
    assert_eq!(engine.rejects().count(Reason::Dropped), 1);
}

proptest! {
    #[test]
    fn memory_is_bounded_whatever_arrives(
        events in prop::collection::vec((-100_000_000_000_000..200_000_000_000_000_i64, "[a-z]{1,3}", any::<i64>()), 0..400),
        window in 100..100_000_u32,
    ) {
        let mut spec = spec(window, 3_600_000, Accumulation::Accumulating);
        (spec.limits.services, spec.limits.windows, spec.limits.cells) = (20, 30, 40);
        let mut engine = Engine::new(&spec).unwrap();
        for (time, service, latency) in &events {
            let record = format!(r#"{{"ts":{time},"svc":"{service}","status":200,"lat_us":{latency}}}"#);
            engine.count(0, &record, NO_CLOCK);
            prop_assert!(engine.windows().open() <= 30 && engine.windows().cells() <= 40 && engine.services().count() <= 20);
        }
        // A sketch at its widest, with room to grow by doubling.
        prop_assert!(engine.windows().heap_bytes() <= 40 * (1_101 * 2 * 4 + 200) + 30 * 32 * 8 * 2);
        let counted: u64 = Reason::ALL.iter().map(|reason| engine.rejects().count(*reason)).sum();
        prop_assert_eq!(engine.counts().counted + counted, events.len() as u64);
    }

    #[test]
    fn no_bytes_end_it(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..40)) {
        let mut engine = Engine::new(&sample()).unwrap();
        let mut batch = Batch::default();
        records.iter().for_each(|record| batch.push(record));
        engine.ingest(0, &batch, NO_CLOCK);
        prop_assert_eq!(engine.counts().records, records.len() as u64);
        prop_assert_eq!(engine.rejects().poison(), records.len() as u64);
    }
}
