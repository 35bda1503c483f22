use proptest::prelude::*;

use super::*;

const SPEC: &str = "name = 't'\n[source]\nformat = 'json'\ntime = { field = 'ts', unit = 'ms' }\n\
                    latency = { field = 'us', unit = 'us' }\n[key]\nservice = 'svc'\n";
const WINDOW: i64 = 10_000;

fn spec() -> Spec {
    Spec::parse(SPEC).unwrap()
}

fn totals(latencies: &[u64]) -> Totals {
    let mut totals = Totals::default();
    latencies.iter().for_each(|latency| totals.add(latency % 7 == 0, *latency));
    totals
}

fn written(totals: &Totals, key: &str, part: Option<&str>) -> Value {
    let (spec_sha, engine) = (&sha(&spec()), "test/1");
    let row =
        Written { totals, key, spec_sha, revision: 2, is_final: true, late_policy: "revise", engine, part, health: 3 };
    serde_json::to_value(row).unwrap()
}

fn doubt(row: &Value) -> Reason {
    read(&row.to_string(), &sha(&spec()), WINDOW).unwrap_err().0
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        latencies in prop::collection::vec(1..=GREATEST_US, 1..200),
        service in "[a-z|\"\\\\é]{1,12}",
        swimlane in "[a-z0-9]{0,4}",
        start in -1_000..1_000_i64,
        part in prop::option::of("[a-z.]{1,5}/[0-9]"),
    ) {
        let (totals, start) = (totals(&latencies), start * WINDOW);
        let mut key = format!("{service}|{swimlane}|{start}");
        if let Some(part) = &part {
            key.push_str(&format!("|{part}"));
        }
        let text = written(&totals, &key, part.as_deref()).to_string();
        let sha = sha(&spec());
        let row = read(&text, &sha, WINDOW).unwrap();
        prop_assert_eq!(
            (row.start, &*row.service, &*row.swimlane, &*row.part),
            (start, &*service, &*swimlane, part.as_deref().unwrap_or(""))
        );
        prop_assert_eq!((row.revision, row.is_final, &row.totals), (2, true, &totals));
    }

    #[test]
    fn nothing_that_arrives_ends_it(text in ".{0,300}", cut in 0..400_usize) {
        let sha = sha(&spec());
        prop_assert!(read(&text, &sha, WINDOW).is_err());
        let row = written(&totals(&[1, 5_000, 70]), "a||0", None).to_string();
        prop_assert!(read(row.get(..cut.min(row.len() - 1)).unwrap_or(""), &sha, WINDOW).is_err(), "half a row");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let row = written(&totals(&[1_000, 2_000, 70_000]), "checkout||0", None);
    assert!(read(&row.to_string(), &sha(&spec()), WINDOW).is_ok());
    let changed = |name: &str, value: Value| {
        let mut row = row.clone();
        row[name] = value;
        doubt(&row)
    };
    for (name, value, reason) in [
        ("version", 2.into(), Reason::RowVersion),
        ("gamma", 1.04.into(), Reason::RowGamma),
        ("spec_sha", "0".repeat(64).into(), Reason::RowSpec),
        ("key", "checkout||5".into(), Reason::RowSpec),
        ("key", "checkout".into(), Reason::Row),
        ("key", "||0".into(), Reason::Row),
        ("n", (-1).into(), Reason::RowNumbers),
        ("n", 4.into(), Reason::RowNumbers),
        ("n", 0.into(), Reason::RowNumbers),
        ("err", 4.into(), Reason::RowNumbers),
        ("min", 0.into(), Reason::RowNumbers),
        ("min", 80_000.into(), Reason::RowNumbers),
        ("max", 7_200_000_000_u64.into(), Reason::RowNumbers),
        ("sum", 12.into(), Reason::RowNumbers),
        ("bins", serde_json::json!({}), Reason::RowNumbers),
        ("bins", serde_json::json!({"345": 3}), Reason::RowNumbers),
        ("bins", serde_json::json!({"345": 1, "380": 1, "1101": 1}), Reason::RowNumbers),
        ("bins", serde_json::json!({"345": 1, "380": 0, "557": 2}), Reason::RowNumbers),
        ("bins", serde_json::json!({"345": -1}), Reason::RowNumbers),
        ("bins", serde_json::json!({"-4": 3}), Reason::RowNumbers),
        ("bins", serde_json::json!({"70000": 3}), Reason::RowNumbers),
        ("bins", serde_json::json!([[345, 3]]), Reason::Row),
        ("more", 1.into(), Reason::Row),
    ] {
        let shown = format!("{name} {value}");
        assert_eq!(changed(name, value), reason, "{shown}");
    }
}

#[test]
fn what_is_wrong_with_a_row_is_said_in_words() {
    let row = written(&totals(&[1_000, 2_000, 70_000]), "checkout||0", None);
    let said = |text: &str| read(text, &sha(&spec()), WINDOW).unwrap_err();
    for (name, value, reason, words) in [
        ("version", 9.into(), Reason::RowVersion, "it is of version 9, and 1 is read"),
        ("gamma", 1.04.into(), Reason::RowGamma, "its bins grow by 1.04"),
        ("spec_sha", "0".repeat(64).into(), Reason::RowSpec, "and here"),
        ("err", (-2).into(), Reason::RowNumbers, "err is -2, and no count is below 0"),
        ("bins", serde_json::json!({"345": -1}), Reason::RowNumbers, "bin 345 is -1, and no count is below 0"),
        ("bins", serde_json::json!({"1101": 3}), Reason::RowNumbers, "there is no bin 1101: they are from 0 to 1100"),
        ("bins", serde_json::json!({"70000": 3}), Reason::RowNumbers, "there is no bin 70000"),
        ("bins", serde_json::json!({"-4": 3}), Reason::RowNumbers, "there is no bin -4"),
        ("err", 4.into(), Reason::RowNumbers, "3 requests, 4 of them failed"),
    ] {
        let mut row = row.clone();
        row[name] = value;
        let (found, told) = said(&row.to_string());
        assert!(found == reason && told.contains(words), "{name}: {found:?} {told}");
    }
    let text = row.to_string();
    let half = said(text.get(..text.len() / 2).unwrap());
    assert!(half.0 == Reason::Row && half.1.starts_with("it ends in the middle"), "{half:?}");
    // Whatever another version looks like.
    for row in ["{\"version\":2,\"k\":[\"a\",0],\"bins\":[[1,-2]]}", "{\"version\":\"2.0\"}"] {
        assert_eq!(said(row).0, Reason::RowVersion, "{row}");
    }
}

#[test]
fn a_latency_on_a_bound_may_lie_in_the_next_bin() {
    let mut row = written(&totals(&[1_000, 1_000]), "a||0", None);
    row["bins"] = serde_json::json!({"344": 1, "345": 1});
    assert!(read(&row.to_string(), &sha(&spec()), WINDOW).is_ok());
    row["bins"] = serde_json::json!({"343": 1, "345": 1});
    assert_eq!(doubt(&row), Reason::RowNumbers);
}

#[test]
fn specs_that_count_alike_mean_the_same_and_others_do_not() {
    let sha_of = |text: &str| sha(&Spec::parse(text).unwrap());
    let same = [
        ("name = 't'", "name = 'u'"),
        ("[key]", "topics = ['x', 'y']\n[key]"),
        ("[key]", "[limits]\nservices = 3\n[slo]\navailability = 99.0\n[key]"),
        ("[key]", "read = 'aggregated'\nrows = 'signals.v1'\n[key]"),
        ("[key]", "[window]\nallowed_lateness = '5m'\n[key]"),
    ];
    for (was, is) in same {
        assert_eq!(sha_of(&SPEC.replace(was, is)), sha(&spec()), "{is}");
    }
    let others = [
        ("'ts'", "'TS'"),
        ("'ms'", "'s'"),
        ("'us', unit", "'ns', unit"),
        ("unit = 'us'", "unit = 'ns'"),
        ("'svc'", "['s.v', 'c']"),
        ("[key]", "[window]\nsize = '5s'\n[key]"),
        ("[key]", "[error]\nfield = 'status'\nop = '>'\nvalue = 500\n[key]"),
        ("[key]", "[error]\nfield = 'status'\nop = '>='\nvalue = 500\nabsent = 'failed'\n[key]"),
        ("[key]", "[expressions]\nswimlane = \"service == 'a' ? 'x' : ''\"\n[key]"),
    ];
    let all: std::collections::BTreeSet<String> =
        others.iter().map(|(was, is)| sha_of(&SPEC.replace(was, is))).collect();
    assert_eq!(all.len(), others.len());
    assert!(!all.contains(&sha(&spec())));
}
