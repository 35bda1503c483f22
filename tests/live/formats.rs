//! `flowdeck signals run` on what others write to a topic: spans of OpenTelemetry, access logs, and events whose swimlane an
//! override tells.

use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::stack::{kafka_tool, variable};
use crate::support::FLOWDECK;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples");
const PROTOBUF: &[u8] = include_bytes!("../fixtures/otlp/spans.binpb");
const JSON: &[u8] = include_bytes!("../fixtures/otlp/spans.json");

fn fill(topic: &str, records: &[&[u8]]) {
    kafka_tool(&["TopicCommand", "--create", "--topic", topic, "--partitions", "1"]);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", variable("STACK_KAFKA")).create().unwrap();
    for record in records {
        producer.send(BaseRecord::<(), [u8]>::to(topic).payload(record)).unwrap();
    }
    producer.flush(Duration::from_mins(1)).unwrap();
}

/// The rows of all that a topic holds, and what was said.
fn rows(spec: &str, more: &[&str]) -> (Vec<Value>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signals.toml");
    std::fs::write(&path, spec).unwrap();
    let mut command = Command::new(FLOWDECK);
    command.args(["signals", "run", "--from", "earliest", "--until-end", "--bootstrap", &variable("STACK_KAFKA")]);
    command.arg("--spec").arg(path).args(more).env("HOME", directory.path());
    command.env("AWS_ENDPOINT_URL_S3", variable("STACK_S3_URL"));
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}");
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), words)
}

/// Service, swimlane, requests, errors, health.
fn brief(row: &Value) -> Value {
    json!([row["svc"], row["swimlane"], row["n"], row["err"], row["health"]])
}

fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{EXAMPLES}/{name}")).unwrap()
}

#[test]
fn spans_in_both_forms_make_rows() {
    for (topic, format, record) in [("spans-proto", "otlp_proto", PROTOBUF), ("spans-json", "otlp_json", JSON)] {
        fill(topic, &[record, b"no spans at all", record]);
        let spec =
            example("otlp-spans.toml").replace("\"otlp_proto\"", &format!("{format:?}")).replace("otlp_spans", topic);
        let (rows, words) = rows(&spec, &[]);
        let found: Vec<Value> = rows.iter().map(brief).collect();
        let expected = ["checkout", "payments"].map(|service| json!([service, null, 4, 2, 0]));
        assert_eq!(found, expected, "{format}: {words}");
        assert_eq!((&rows[0]["min"], &rows[0]["max"]), (&json!(1_500), &json!(4_500)), "{format}");
        assert!(words.contains("read 3 records, counted 8") && words.contains("field missing: 4"), "{format}: {words}");
    }
}

#[test]
fn lines_of_an_access_log_make_rows() {
    let line = |second: u32, status: u32, time: &str, host: &str| {
        format!(
            r#"10.0.0.1 - - [22/Nov/2026:16:00:{second:02} +0000] "GET /a HTTP/1.1" {status} 17 "-" "curl/8" {time} {host}"#
        )
    };
    let lines = [
        line(1, 200, "0.250", "checkout"),
        line(2, 503, "1.500", "checkout"),
        line(3, 200, "-", "checkout"),
        line(4, 404, "0.001", "search"),
        "half a li".to_owned(),
    ];
    fill("access-log", &lines.each_ref().map(|line| line.as_bytes()));
    let (rows, words) = rows(&example("access-log.toml"), &[]);
    let found: Vec<Value> = rows.iter().map(|row| json!([row["svc"], row["n"], row["err"], row["max"]])).collect();
    assert_eq!(found, [json!(["checkout", 2, 1, 1_500_000]), json!(["search", 1, 0, 1_000])], "{words}");
    assert!(words.contains("field missing: 1") && words.contains("counted 3"), "{words}");
}

#[test]
fn an_override_tells_health_and_swimlanes_of_rows() {
    let directory = tempfile::tempdir().unwrap();
    let overrides = directory.path().join("overrides.json");
    let lane = "svcHost in ['h1'] ? \"ec2\" : \"\"";
    let health = "swimlane == 'ec2' && errorCount > 0 ? 3 : 1";
    let text = json!({ "services": { "a": { "swimlane": lane, "health": health } } }).to_string();
    std::fs::write(&overrides, text).unwrap();
    let event = |service: &str, host: &str, status: u32| {
        format!(r#"{{"ts":1795363200000,"svc":"{service}","status":{status},"lat_us":7,"host":"{host}"}}"#)
    };
    let events = [event("a", "h1", 500), event("a", "h2", 500), event("a", "h2", 200), event("b", "h1", 200)];
    fill("with-lanes", &events.each_ref().map(|event| event.as_bytes()));
    let spec = format!(
        "{}\n[[dimensions]]\nname = \"svcHost\"\nfield = \"host\"\n[overrides]\nlocation = {overrides:?}\n",
        example("golden-signals.toml").replace("\"service-events\"", "\"with-lanes\"")
    );
    let (rows, words) = rows(&spec, &[]);
    let found: Vec<Value> = rows.iter().map(brief).collect();
    let expected = [json!(["a", null, 2, 1, 1]), json!(["a", "ec2", 1, 1, 3]), json!(["b", null, 1, 0, 0])];
    assert_eq!(found, expected, "{words}");
    assert!(words.contains("overrides.json: 1 services, version"), "{words}");
}
