use super::spans::event_of_span;
use super::*;
use crate::engine::spec::Absent;

fn decoder(time_unit: TimeUnit, latency_unit: LatencyUnit) -> Decoder {
    let mut spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
    spec.source.time.as_mut().unwrap().unit = time_unit;
    spec.source.latency.as_mut().unwrap().unit = latency_unit;
    Decoder::new(&spec).unwrap()
}

fn record(time: &str, latency: &str) -> String {
    format!(r#"{{"ts":{time},"svc":"a","status":200,"lat_us":{latency}}}"#)
}

#[test]
fn units_are_converted() {
    let second = 1_700_000_000_123_i64;
    for (unit, text) in [
        (TimeUnit::Ms, "1700000000123"),
        (TimeUnit::Ms, "1700000000123.9"),
        (TimeUnit::S, "1700000000.1235"),
        (TimeUnit::Us, "1700000000123999"),
        (TimeUnit::Ns, "1700000000123999999"),
        (TimeUnit::Rfc3339, "\"2023-11-14T23:13:20.123+01:00\""),
    ] {
        let record = record(text, "1");
        assert_eq!(decoder(unit, LatencyUnit::Us).decode(&record).map(|event| event.time), Ok(second), "{text}");
    }
    for (unit, text, expected) in [
        (LatencyUnit::Us, "1834", 1_834),
        (LatencyUnit::Us, "0", 1),
        (LatencyUnit::Ms, "1.8345", 1_835),
        (LatencyUnit::S, "3600", GREATEST_US),
        (LatencyUnit::Ns, "1499", 1),
    ] {
        let record = record("0", text);
        let found = decoder(TimeUnit::Ms, unit).decode(&record).map(|event| event.latency_us);
        assert_eq!(found, Ok(expected), "{text}");
    }
}

#[test]
fn bad_records_are_refused_by_reason() {
    let mut decoder = decoder(TimeUnit::Ms, LatencyUnit::Us);
    let long = format!(r#"{{"ts":1,"svc":"{}","status":200,"lat_us":1}}"#, "x".repeat(257));
    for (record, reason, detail) in [
        ("nonsense", Reason::NotJson, "line 1"),
        ("[]", Reason::Missing, "there is no ts"),
        (r#"{"ts":null}"#, Reason::Missing, "there is no ts"),
        (r#"{"ts":1,"lat_us":1,"svc":"a"}"#, Reason::Missing, "there is no status"),
        (r#"{"ts":"1","lat_us":1,"svc":"a","status":1}"#, Reason::WrongType, "ts is not a number"),
        (r#"{"ts":1,"lat_us":{},"svc":"a","status":1}"#, Reason::WrongType, "lat_us is not a number"),
        (r#"{"ts":1,"lat_us":1,"svc":7,"status":1}"#, Reason::WrongType, "svc is not a string"),
        (r#"{"ts":1,"lat_us":1,"svc":"a","status":"200"}"#, Reason::WrongType, "status cannot be compared"),
        (r#"{"ts":1,"lat_us":1,"svc":"","status":1}"#, Reason::Service, "svc has 0 bytes"),
        (&long, Reason::Service, "svc has 257 bytes"),
        (&record("1700000000123000", "1"), Reason::Time, "is its unit right?"),
        (&record("9e300", "1"), Reason::Time, "is its unit right?"),
        (&record("1", "-1"), Reason::Latency, "is negative"),
        (&record("1", "3600000001"), Reason::Latency, "over an hour"),
        (&record("1", "1e300"), Reason::Latency, "over an hour"),
        (&record("1", "NaN"), Reason::NotJson, "line 1"),
        (&record("1", "1e999"), Reason::NotJson, "out of range"),
    ] {
        let refusal = decoder.decode(record).unwrap_err();
        assert_eq!(refusal.reason, reason, "{record}");
        assert!(refusal.detail.contains(detail), "{record}: {}", refusal.detail);
    }
}

#[test]
fn an_absent_field_is_what_the_rule_says() {
    let record = r#"{"ts":1,"svc":"a","lat_us":1,"status":null}"#;
    for (absent, expected) in [(Absent::Refused, None), (Absent::Succeeded, Some(false)), (Absent::Failed, Some(true))]
    {
        let mut spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
        spec.error.absent = absent;
        let mut decoder = Decoder::new(&spec).unwrap();
        assert_eq!(decoder.decode(record).ok().map(|event| event.failed), expected, "{absent:?}");
        let wrong = decoder.decode(r#"{"ts":1,"svc":"a","lat_us":1,"status":"no"}"#).unwrap_err();
        assert_eq!(wrong.reason, Reason::WrongType);
    }
}

#[test]
fn lines_of_an_access_log_are_events() {
    let spec = Spec::parse(include_str!("../../../config/examples/access-log.toml")).unwrap();
    let mut decoder = Decoder::new(&spec).unwrap();
    let line = r#"10.0.0.1 - - [22/Nov/2026:16:00:00 +0100] "GET /a HTTP/1.1" 502 17 "-" "curl/8" 0.2504 checkout"#;
    let event = decoder.decode(line).unwrap();
    assert_eq!((event.time, &*event.service, event.failed), (1_795_359_600_000, "checkout", true));
    assert_eq!(event.latency_us, 250_400);
    assert_eq!(decoder.decode(&line.replace("502", "-")).unwrap_err().reason, Reason::Missing);
    assert_eq!(decoder.decode(&line.replace("0.2504", "soon")).unwrap_err().reason, Reason::WrongType);
    assert_eq!(decoder.decode(&line.replace("Nov", "Nev")).unwrap_err().reason, Reason::Time);
    assert_eq!(decoder.decode("nonsense").unwrap_err().reason, Reason::Format);
}

#[test]
fn spans_of_wanted_kinds_are_events() {
    let spec = Spec::parse(include_str!("../../../config/examples/otlp-spans.toml")).unwrap();
    let Decoding::Spans(decoder) = Decoding::new(&spec).unwrap() else { panic!("not spans") };
    let (events, others) = decoder.decode(include_bytes!("../../../tests/fixtures/otlp/spans.binpb")).unwrap();
    let event = events[1].clone().unwrap();
    assert_eq!((event.time, &*event.service, event.failed), (1_795_363_202_004, "checkout", true));
    assert_eq!((event.latency_us, events.len(), others), (4_500, 6, 6));
    assert_eq!(events[5].clone().unwrap_err().detail, "there is no service.name");
    assert_eq!(decoder.decode(b"{}").unwrap_err().reason, Reason::Format);
    let span = |begin, end| event_of_span(otlp::Span { service: Some("a".into()), begin, end, ..Default::default() });
    assert_eq!(span(7_000_000_000, 6_000_000_000).unwrap_err().reason, Reason::Latency);
    assert_eq!(span(0, u64::MAX).unwrap_err().reason, Reason::Latency);
    assert_eq!(span(0, 0).unwrap_err().reason, Reason::Time);
    assert_eq!(span(6_000_000_000, 6_000_000_000).unwrap().latency_us, 1);
}

#[test]
fn dimensions_are_taken_from_any_field() {
    let dimension = |name: &str, field: &str| format!("[[dimensions]]\nname = '{name}'\nfield = '{field}'\n");
    let named = [("host", "host"), ("region", "where.region"), ("code", "status"), ("who", "svc"), ("none", "nothing")];
    let more: String = named.iter().map(|(name, field)| dimension(name, field)).collect();
    let sample = include_str!("../../../config/examples/golden-signals.toml");
    let mut decoder = Decoder::new(&Spec::parse(&format!("{sample}\n{more}")).unwrap()).unwrap();
    let record = r#"{"ts":1,"lat_us":1,"svc":"a","status":503,"host":"h\u0031","where":{"region":"west"}}"#;
    let event = decoder.decode(record).unwrap();
    assert_eq!(event.dimensions, ["h1", "west", "503", "a", ""]);
    assert_eq!((&*event.service, event.failed), ("a", true));
    let record = r#"{"ts":1,"lat_us":1,"svc":"a","status":200,"host":[1],"where":{"region":true}}"#;
    assert_eq!(decoder.decode(record).unwrap().dimensions, ["", "true", "200", "a", ""]);
    let lines = include_str!("../../../config/examples/access-log.toml");
    let spec = Spec::parse(&format!("{lines}\n{}", dimension("from", "remote_addr"))).unwrap();
    let line = r#"10.0.0.1 - - [22/Nov/2026:16:00:00 +0000] "GET / HTTP/1.1" 503 17 "-" "curl/8" 0.250 checkout"#;
    assert_eq!(Decoder::new(&spec).unwrap().decode(line).unwrap().dimensions, ["10.0.0.1"]);
}

#[test]
fn dimensions_of_spans_are_attributes_of_the_span_or_its_resource() {
    let sample = include_str!("../../../config/examples/otlp-spans.toml");
    let more = "[[dimensions]]\nname = 'cpus'\nfield = 'host.cpu.count'\n\
                [[dimensions]]\nname = 'code'\nfield = 'http.response.status_code'\n";
    let protobuf = Spec::parse(&format!("{sample}\n{more}")).unwrap();
    let mut json = protobuf.clone();
    json.source.format = crate::engine::spec::Format::OtlpJson;
    let record: &[u8] = include_bytes!("../../../tests/fixtures/otlp/spans.binpb");
    let text: &[u8] = include_bytes!("../../../tests/fixtures/otlp/spans.json");
    let values = |spec: &Spec, record| {
        let (events, _) = SpanDecoder::new(spec).decode(record).unwrap();
        let values = |event: &Result<Event<'_>, Refusal>| event.as_ref().ok().map(|event| event.dimensions.join("/"));
        events.iter().map(values).collect::<Vec<_>>()
    };
    let found = values(&protobuf, record);
    assert_eq!(found, values(&json, text));
    assert_eq!(found.iter().flatten().map(String::as_str).take(2).collect::<Vec<_>>(), ["8/500", "8/502"]);
}
