//! Records that are not one JSON object each.

use flowdeck::engine::rejects::Reason;
use flowdeck::engine::{Batch, Engine, NO_CLOCK, Spec};
use proptest::prelude::*;

const PROTOBUF: &[u8] = include_bytes!("../fixtures/otlp/spans.binpb");
const JSON: &[u8] = include_bytes!("../fixtures/otlp/spans.json");

fn spans(format: &str) -> Engine {
    let spec =
        include_str!("../../config/examples/otlp-spans.toml").replace("\"otlp_proto\"", &format!("\"{format}\""));
    Engine::new(&Spec::parse(&spec).unwrap()).unwrap()
}

fn ingest(engine: &mut Engine, records: &[&[u8]]) {
    let mut batch = Batch::default();
    records.iter().for_each(|record| batch.push(record));
    engine.ingest(0, &batch, NO_CLOCK);
}

#[test]
fn spans_in_protobuf_and_json_make_the_same_panes() {
    let panes = [("otlp_proto", PROTOBUF), ("otlp_json", JSON)].map(|(format, record)| {
        let mut engine = spans(format);
        ingest(&mut engine, &[record, b"\xff nonsense", record]);
        let counts = engine.counts();
        assert_eq!((counts.records, counts.counted, counts.left_out), (3, 8, 12), "{format}");
        // Two spans of each record have no service; the nonsense is one more.
        assert_eq!((engine.rejects().count(Reason::Missing), engine.rejects().poison()), (4, 5), "{format}");
        engine.raise(0, i64::MAX, NO_CLOCK);
        engine.take_panes()
    });
    let [protobuf, json] = &panes;
    assert_eq!(protobuf, json);
    let told: Vec<_> = protobuf.iter().map(|pane| (&*pane.service, pane.totals.requests, pane.totals.errors)).collect();
    assert_eq!(told, [("checkout", 4, 2), ("payments", 4, 2)]);
    assert_eq!((protobuf[0].totals.min_us, protobuf[0].totals.max_us), (1_500, 4_500));
}

#[test]
fn lines_are_counted_and_others_are_shown() {
    let spec = Spec::parse(include_str!("../../config/examples/access-log.toml")).unwrap();
    let mut engine = Engine::new(&spec).unwrap();
    let line = br#"10.0.0.1 - - [22/Nov/2026:16:00:00 +0000] "GET / HTTP/1.1" 503 17 "-" "curl/8" 0.250 checkout"#;
    ingest(&mut engine, &[line, b"{}", b"\xff", line]);
    assert_eq!((engine.counts().counted, engine.rejects().count(Reason::Format)), (2, 1));
    let sample = engine.rejects().samples().next().unwrap();
    assert_eq!((sample.detail.as_str(), sample.excerpt.as_str()), ("the line is not of the pattern", "{}"));
    engine.raise(0, i64::MAX, NO_CLOCK);
    assert_eq!(engine.take_panes()[0].totals.errors, 2);
}

proptest! {
    #[test]
    fn no_damage_ends_it(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        json in any::<bool>(),
    ) {
        let (mut engine, record) = if json { (spans("otlp_json"), JSON) } else { (spans("otlp_proto"), PROTOBUF) };
        let mut record = record.to_vec();
        for (at, byte) in damages {
            let at = at.index(record.len());
            record[at] = byte;
        }
        ingest(&mut engine, &[&record]);
        prop_assert_eq!(engine.counts().records, 1);
        prop_assert!(engine.windows().cells() <= 12);
    }
}
