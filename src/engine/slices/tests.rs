use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::rejects::Reason;
use crate::engine::watermark::END;
use crate::engine::{Batch, Engine, NO_CLOCK};
use crate::model::document::Document;

const SPEC: &str = r#"
name = "t"
[source]
format = "json"
time = { field = "t", unit = "ms" }
latency = { field = "l", unit = "us" }
[key]
service = "s"
[window]
size = "10s"
allowed_lateness = "10s"
[watermark]
delay = "0s"
[[dimensions]]
name = "region"
field = "where.region"
values = 2
[[dimensions]]
name = "host"
field = "host"
"#;

fn engine(more: &str) -> Engine {
    Engine::new(&Spec::parse(&format!("{SPEC}{more}")).unwrap()).unwrap()
}

fn record(time: i64, service: &str, region: &str, host: &str) -> String {
    format!(r#"{{"t":{time},"s":"{service}","status":200,"l":7,"where":{{"region":{region}}},"host":"{host}"}}"#)
}

fn ingest(engine: &mut Engine, records: &[String]) {
    let mut batch = Batch::default();
    records.iter().for_each(|record| batch.push(record.as_bytes()));
    engine.ingest(0, &batch, NO_CLOCK);
}

/// Requests by service, dimension and value of all that was told since the last time.
fn told(engine: &mut Engine) -> BTreeMap<(String, String, String), u64> {
    let mut told = BTreeMap::new();
    for pane in engine.take_slices() {
        let Slice { service, dimension, value, .. } = &*pane.service;
        *told.entry((service.to_string(), dimension.to_string(), value.to_string())).or_default() +=
            pane.totals.requests;
    }
    told
}

fn count(told: &BTreeMap<(String, String, String), u64>, service: &str, dimension: &str, value: &str) -> u64 {
    told.get(&(service.to_owned(), dimension.to_owned(), value.to_owned())).copied().unwrap_or(0)
}

#[test]
fn events_are_counted_beside_each_value_and_no_more_values_than_allowed() {
    let mut engine = engine("");
    let regions = ["\"west\"", "\"east\"", "\"south\"", "\"north\"", "7", "null", "\"west\"", "[]", "true"];
    let records: Vec<String> = regions
        .iter()
        .map(|region| record(1_000, "a", region, "h"))
        .chain([record(1_000, "b", "\"south\"", "h")])
        .collect();
    ingest(&mut engine, &records);
    engine.raise(0, END, NO_CLOCK);
    let told = told(&mut engine);
    for (service, dimension, value, expected) in [
        ("a", "region", "west", 2),
        ("a", "region", "east", 1),
        // south, north, 7 and true are too many; null and an array are no name.
        ("a", "region", "__other__", 4),
        ("a", "region", "", 2),
        ("a", "host", "h", 9),
        ("b", "region", "south", 1),
    ] {
        assert_eq!(count(&told, service, dimension, value), expected, "{service} {dimension} {value}");
    }
    assert_eq!(told.len(), 7, "{told:?}");
    assert_eq!((engine.slices().unwrap().overflowed(), engine.slices().unwrap().left_out()), (4, 0));
    assert_eq!(engine.counts().counted, 10);
}

#[test]
fn nothing_is_told_apart_where_the_spec_says_nothing() {
    let spec = SPEC.split("[[dimensions]]").next().unwrap();
    let mut engine = Engine::new(&Spec::parse(spec).unwrap()).unwrap();
    ingest(&mut engine, &[record(1_000, "a", "\"west\"", "h")]);
    engine.raise(0, END, NO_CLOCK);
    assert!(engine.slices().is_none() && engine.take_slices().is_empty());
}

#[test]
fn swimlanes_of_an_override_hold_all_events_of_a_window_or_none() {
    let mut engine = engine("[overrides]\nlocation = 'o.json'");
    let events = |time| ["h1", "h2", "h3"].map(|host| record(time, "a", "\"west\"", host));
    ingest(&mut engine, &events(1_000));
    let file = serde_json::json!({ "service": "a", "swimlane": "host in ['h1', 'h2'] ? \"ec2\" : \"\"" });
    let document = Document { name: "o.json".into(), content: file.to_string().into_bytes().into() };
    let context =
        crate::engine::overrides::Context { dimensions: &["region".into(), "host".into()], slo_percent: None };
    let (overrides, refusals) = Overrides::read(&[document], &Overrides::default(), &context);
    assert_eq!(refusals, []);
    engine.apply(&overrides.into());
    ingest(&mut engine, &events(2_000));
    engine.raise(0, 10_000, NO_CLOCK);
    assert_eq!(count(&told(&mut engine), "a", SWIMLANE, "ec2"), 0);
    ingest(&mut engine, &events(11_000));
    ingest(&mut engine, &[record(11_000, "b", "\"west\"", "h1")]);
    engine.raise(0, 20_000, NO_CLOCK);
    let second = told(&mut engine);
    assert_eq!((count(&second, "a", SWIMLANE, "ec2"), count(&second, "a", SWIMLANE, "")), (2, 1));
    assert!(second.keys().all(|(service, dimension, _)| service == "a" || dimension != SWIMLANE));
    // Late events of the first window are told apart as those before them were.
    ingest(&mut engine, &events(3_000));
    assert!(told(&mut engine).keys().all(|(_, dimension, _)| dimension != SWIMLANE));
}

#[test]
fn an_event_whose_swimlane_has_no_room_is_not_counted_at_all() {
    let limits = "[expressions]\nswimlane = \"host\"\n[limits]\nslice_cells = 4\n";
    let mut engine = engine(limits);
    let hosts = ["h1", "h2", "h3", "h1", "h4"];
    let records: Vec<String> = hosts.iter().map(|host| record(1_000, "a", "\"west\"", host)).collect();
    ingest(&mut engine, &records);
    engine.raise(0, END, NO_CLOCK);
    let told = told(&mut engine);
    let lanes: u64 = told.iter().filter(|((_, dimension, _), _)| dimension == SWIMLANE).map(|(_, count)| count).sum();
    let whole: u64 = engine.take_panes().iter().map(|pane| pane.totals.requests).sum();
    assert_eq!((lanes, whole), (whole, engine.counts().counted));
    assert_eq!(engine.rejects().count(Reason::Overflow) + whole, 5);
    // Of the second host there was room for the swimlane alone.
    assert_eq!((engine.rejects().count(Reason::Overflow), engine.slices().unwrap().left_out()), (2, 1));
}

#[test]
fn hostile_values_are_bounded() {
    let mut engine = engine("[limits]\nslices = 100\n");
    for service in 0..200 {
        let hosts = (0..30).map(|host| record(1_000, &format!("s{service}"), "\"west\"", &format!("h{host}")));
        ingest(&mut engine, &hosts.collect::<Vec<_>>());
    }
    let long = "x".repeat(10_000);
    ingest(&mut engine, &[record(1_000, "s0", "\"west\"", &long)]);
    let slices = engine.slices().unwrap();
    assert_eq!(slices.told_apart, 100);
    // Besides those, each service has the others of two dimensions.
    assert!(slices.known.len() <= 100 + 2 * 200, "{}", slices.known.len());
    assert!(slices.known.iter().all(|slice| slice.value.len() <= LONGEST_VALUE));
}

proptest! {
    /// Whatever arrives in whatever order, the values of a dimension add up to the service, revisions included.
    #[test]
    fn values_add_up_to_the_service(
        events in prop::collection::vec((0..40_000_i64, 0..3_u8, 0..5_u8, 0..4_u8), 1..200),
    ) {
        let mut engine = engine("[expressions]\nswimlane = \"region == 'r1' ? 'one' : host\"\n");
        let mut sums: BTreeMap<(i64, String), (u64, BTreeMap<String, BTreeMap<String, u64>>)> = BTreeMap::new();
        let mut take = |engine: &mut Engine| {
            for pane in engine.take_panes() {
                sums.entry((pane.start, pane.service.to_string())).or_default().0 = pane.totals.requests;
            }
            for pane in engine.take_slices() {
                let slice = &pane.service;
                let service = sums.entry((pane.start, slice.service.to_string())).or_default();
                let dimension = service.1.entry(slice.dimension.to_string()).or_default();
                dimension.insert(slice.value.to_string(), pane.totals.requests);
            }
        };
        for chunk in events.chunks(7) {
            let record = |(time, service, region, host): &(i64, u8, u8, u8)| {
                record(*time, &format!("s{service}"), &format!("\"r{region}\""), &format!("h{host}"))
            };
            ingest(&mut engine, &chunk.iter().map(record).collect::<Vec<_>>());
            take(&mut engine);
        }
        engine.raise(0, END, NO_CLOCK);
        take(&mut engine);
        for ((start, service), (whole, dimensions)) in sums {
            prop_assert_eq!(dimensions.len(), 3);
            for (dimension, values) in dimensions {
                prop_assert_eq!(values.values().sum::<u64>(), whole, "{} {} {}", start, service, dimension);
            }
        }
    }
}
