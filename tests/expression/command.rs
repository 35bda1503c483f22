//! `flowdeck signals check`, as a build runs it before it uploads.

use std::process::Command;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/golden-signals.toml");

fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_flowdeck")).args(["signals", "check"]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_expressions_of_the_talk_are_accepted_and_mistakes_are_shown() {
    let (code, said, _) = check(&["requestCount < 60 ? 0 :\n availability > 99.0 ? 0 : 3"]);
    assert_eq!((code, said.as_str()), (Some(0), "health expression is valid\n"));
    let lane = ["svcHost in ['a'] ? \"ec2\" : \"\"", "--kind", "swimlane"];
    let (code, _, complaints) = check(&lane);
    assert!(code == Some(1) && complaints.contains("there is no svcHost here"), "{complaints}");
    assert_eq!(check(&[&lane[..], &["--dimension", "svcHost"]].concat()).0, Some(0));
    let (code, said, complaints) = check(&["requestCout < 60 ? 0 : 3"]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    let expected =
        "line 1, column 1: there is no requestCout here: did you mean requestCount?\n  requestCout < 60 ? 0 : 3\n  ^\n";
    assert!(complaints.ends_with(expected), "{complaints}");
}

#[test]
fn specs_and_overrides() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(check(&[SPEC]), (Some(0), "spec golden-signals is valid\n".into(), String::new()));
    write("spec.toml", "name = 'x'");
    assert_eq!(check(&[&path("spec.toml")]).0, Some(1));
    assert_eq!(check(&[&path("none.toml")]).0, Some(2));
    assert_eq!(check(&[&path("none.json")]).0, Some(2));
    write("a.json", r#"{"service": "a", "health": "slo > availability ? 3 : 0"}"#);
    let (code, _, complaints) = check(&[&path("a.json")]);
    assert!(code == Some(1) && complaints.contains("slo is not known"), "{complaints}");
    let (code, said, complaints) = check(&[&path(""), "--spec", SPEC]);
    assert!(
        code == Some(0) && said.starts_with("overrides of 1 services in 1 files are valid, version "),
        "{complaints}"
    );
    write("b.json", "{\"service\": \"b\u{1b}[2J\",\n \"health\": 3}");
    let (code, said, _) = check(&[&path(""), "--spec", SPEC, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &value["kind"], &value["valid"]), (Some(1), &"overrides".into(), &false.into()));
    assert!(value["problems"][0].as_str().unwrap().contains("not JSON"), "{said}");
}

#[test]
fn a_backtest_tells_when_health_would_have_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("panes.jsonl");
    let line = |start: i64, pane: &str, n: u64, err: u64| {
        format!(
            "{{\"start\":{start},\"svc\":\"a\",\"pane\":\"{pane}\",\"idx\":0,\"n\":{n},\"err\":{err},\"sum\":1,\"min\":1,\"max\":9000,\"p50\":1000.0,\"p95\":2000.0,\"p99\":3000.0}}\n"
        )
    };
    let lines = [
        line(0, "on_time", 100, 0),
        line(10_000, "on_time", 100, 0),
        line(20_000, "on_time", 100, 50),
        line(10_000, "late", 100, 20),
        line(30_000, "on_time", 5, 5),
        "{\"dropped\":1,\"late\":1,\"poison\":0,\"overflow\":0,\"other\":0}\n".to_owned(),
    ];
    std::fs::write(&file, lines.concat()).unwrap();
    let file = file.to_str().unwrap();
    let (code, said, _) = check(&["requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3", "--against", file]);
    let expected = "AT                    SERVICE  FROM  TO\n\
                    1970-01-01T00:00:10Z  a           0   3\n\
                    1970-01-01T00:00:30Z  a           3   0\n\
                    4 windows: 2 well, 0 of health 1, 0 of health 2, 2 down; health changes 2 times\n";
    assert_eq!((code, said.strip_prefix("health expression is valid\n")), (Some(0), Some(expected)));
    let (_, said, _) = check(&["p90 > 1.0 ? 1 : p99 > 2.5 ? 2 : 0", "--against", file, "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(value["backtest"]["without_health"]["p90 is not known"], 4);
    std::fs::write(file, "nonsense\n").unwrap();
    let (code, _, complaints) = check(&["0", "--against", file]);
    assert!(code == Some(2) && complaints.contains("line 1"), "{complaints}");
}
