use super::columns::regex;
use super::*;

const EXAMPLE: &str = include_str!("../../../config/examples/golden-signals.toml");
const ACCESS_LOG: &str = include_str!("../../../config/examples/access-log.toml");
const SPANS: &str = include_str!("../../../config/examples/otlp-spans.toml");

fn rendered(text: &str, late: Option<Late>) -> Result<String, Unsuited> {
    let spec = Spec::parse(text).unwrap();
    let properties = BTreeMap::from([("security.protocol".to_owned(), "SSL".to_owned())]);
    render(&spec, &Place { bootstrap: "broker:9092", properties: &properties, group: None, first_window: None, late })
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
    insta::assert_snapshot!("spans", rendered(SPANS, Some(Late::Drop)).unwrap());
}

const LANES: &str = "\n[expressions]\nswimlane = \"host in ['a'] ? 'ec2' : ''\"\n[[dimensions]]\nname = \"host\"\nfield = \"http.host\"\n";

#[test]
fn spans_in_json_may_write_numbers_and_names() {
    let text = SPANS.replace("\"otlp_proto\"", "\"otlp_json\"").replace("\"server\", \"consumer\"", "\"client\"");
    let sql = rendered(&text, Some(Late::Drop)).unwrap();
    for part in [
        "`span`.`kind` IN ('3', 'SPAN_KIND_CLIENT')",
        "`code` IN ('2', 'STATUS_CODE_ERROR')",
        "TRY_CAST(`span`.`endTimeUnixNano` AS BIGINT) AS `end`",
    ] {
        assert!(sql.contains(part), "{part}\n{sql}");
    }
}

#[test]
fn the_windows_of_records_reach_as_far_as_spans_may_lie_apart() {
    let of = |delay: &str| {
        let text = format!("{SPANS}\n[watermark]\ndelay = \"{delay}\"\n[window]\nsize = \"10s\"\n");
        let sql = rendered(&text, Some(Late::Drop)).unwrap();
        sql.split_once("HOP(").unwrap().1.to_owned()
    };
    for (delay, all, before) in [("0s", "00:30", 10_000), ("10s", "00:30", 10_000), ("25s", "01:10", 30_000)] {
        let windows = of(delay);
        assert!(windows.contains(&format!("INTERVAL '0 00:{all}.000'")), "{delay}: {windows}");
        assert!(windows.contains(&format!("+ {before} = `start`")), "{delay}: {windows}");
    }
}

#[test]
fn swimlanes_are_told_as_the_engine_tells_them() {
    let sql = rendered(&format!("{EXAMPLE}{LANES}"), Some(Late::Drop)).unwrap();
    for part in [
        "`http` ROW<`host` STRING>",
        "CASE WHEN (COALESCE(`http`.`host`, '') IN ('a')) THEN 'ec2' ELSE '' END AS `lane`",
        "CASE WHEN CHAR_LENGTH(`lane`) > 128 OR POSITION('|' IN `lane`) > 0 THEN '' ELSE `lane` END AS `swimlane`",
        "`service` || '|' || `swimlane` || '|' || CAST(",
        "GROUP BY `window_start`, `window_end`, `service`, `swimlane`;",
    ] {
        assert!(sql.contains(part), "{part}\n{sql}");
    }
}

#[test]
fn what_sql_cannot_do_is_refused_with_what_to_do_instead() {
    assert_eq!(key(rendered(SPANS, None)), "window.allowed_lateness");
    assert_eq!(key(rendered(EXAMPLE, None)), "window.allowed_lateness");
    let overridden = format!("{EXAMPLE}{LANES}\n[overrides]\nlocation = \"o.json\"\n");
    assert_eq!(key(rendered(&overridden, Some(Late::Drop))), "expressions.swimlane");
    let of_spans = format!("{SPANS}\n[expressions]\nswimlane = \"service\"\n");
    assert_eq!(key(rendered(&of_spans, Some(Late::Drop))), "expressions.swimlane");
    let unwritten = format!("{EXAMPLE}\n[expressions]\nswimlane = \"tags.tier\"\n");
    assert!(matches!(rendered(&unwritten, Some(Late::Drop)), Err(Unsuited::Swimlane(_))));
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

#[test]
fn windows_before_the_first_one_are_left_to_another_writer() {
    let properties = BTreeMap::new();
    let place = Place {
        bootstrap: "b:9092",
        properties: &properties,
        group: None,
        first_window: Some(1_795_363_200_000),
        late: Some(Late::Drop),
    };
    for (text, filter) in [
        (EXAMPLE, "AND `flowdeck_told` >= TO_TIMESTAMP_LTZ(1795363200000, 3)"),
        (ACCESS_LOG, "AND `flowdeck_told` >= TO_TIMESTAMP_LTZ(1795363200000, 3)"),
        (SPANS, "AND `end` / 1000000 >= 1795363200000"),
    ] {
        let sql = render(&Spec::parse(text).unwrap(), &place).unwrap();
        for part in [filter, "'scan.startup.mode' = 'timestamp'", "'scan.startup.timestamp-millis' = '1795363170000'"] {
            assert!(sql.contains(part), "{part}\n{sql}");
        }
        assert!(!sql.contains("group-offsets"), "{sql}");
    }
}
