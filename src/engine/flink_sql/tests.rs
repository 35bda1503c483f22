use super::*;

const EXAMPLE: &str = include_str!("../../../config/examples/golden-signals.toml");
const ACCESS_LOG: &str = include_str!("../../../config/examples/access-log.toml");
const SPANS: &str = include_str!("../../../config/examples/otlp-spans.toml");

fn rendered(text: &str, late: Option<Late>) -> Result<String, Unsuited> {
    let spec = Spec::parse(text).unwrap();
    let properties = BTreeMap::from([("security.protocol".to_owned(), "SSL".to_owned())]);
    render(&spec, &Place { bootstrap: "broker:9092", properties: &properties, late })
}

fn key(refused: Result<String, Unsuited>) -> &'static str {
    match refused {
        Err(Unsuited::Key { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_examples_become_jobs() {
    insta::assert_snapshot!("json", rendered(EXAMPLE, Some(Late::Wait)).unwrap());
    insta::assert_snapshot!("line", rendered(ACCESS_LOG, Some(Late::Drop)).unwrap());
}

#[test]
fn what_sql_cannot_do_is_refused_with_what_to_do_instead() {
    assert_eq!(key(rendered(SPANS, Some(Late::Drop))), "source.format");
    assert_eq!(key(rendered(EXAMPLE, None)), "window.allowed_lateness");
    let swimlane = "\n[expressions]\nswimlane = \"service == 'a' ? 'x' : ''\"\n";
    assert_eq!(key(rendered(&format!("{EXAMPLE}{swimlane}"), Some(Late::Drop))), "expressions.swimlane");
    let timed = EXAMPLE.replace("field = \"lat_us\", unit = \"us\"", "field = \"svc\", unit = \"us\"");
    assert!(matches!(rendered(&timed, Some(Late::Drop)), Err(Unsuited::Field { .. })));
}

#[test]
fn fields_are_found_wherever_they_lie_whatever_they_are_called() {
    let text = EXAMPLE
        .replace("service = \"svc\"", "service = [\"a`b\", \"service.name\"]")
        .replace("field = \"status\"", "field = \"http.status\"")
        .replace("name = \"golden-signals\"", "name = \"it's\\nDROP\"");
    let sql = rendered(&text, Some(Late::Drop)).unwrap();
    for part in [
        "`a``b` ROW<`service.name` STRING>",
        "`http` ROW<`status` DOUBLE>",
        "`a``b`.`service.name` AS `service`",
        "`http`.`status` >= 500",
        "'golden signals it''s\nDROP'",
        "-- Golden signals: it's DROP.",
    ] {
        assert!(sql.contains(part), "{part}\n{sql}");
    }
}

#[test]
fn intervals_are_of_any_length() {
    assert_eq!(interval(65_250), "INTERVAL '0 00:01:05.250' DAY TO SECOND(3)");
    assert_eq!(interval(86_400_000 * 7 + 3_600_000), "INTERVAL '7 01:00:00.000' DAY TO SECOND(3)");
}

#[test]
fn a_field_of_a_line_is_found_as_the_engine_finds_it() {
    assert_eq!(regex("$a - [$b] $c", "b"), "^(?>(?:.*?) \\- \\[)(?>(.*?)\\] )(?>(?:.*))\\r?\\n?$");
}
