//! Overrides in a real bucket: what is uploaded holds from the window after the refetch; what is broken does not, and
//! says why.

use std::process::Command;
use std::time::Duration;

use flowdeck::engine::monitor::Monitor;
use flowdeck::engine::{Batch, Spec};
use flowdeck::model::signal::{Focus, ServiceNow};
use flowdeck::source::side_input::{Fetcher, Settings, run};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::stack::variable;
use crate::support::FLOWDECK;

/// A signed request by a client that is not ours.
fn put(path: &str, body: &str, more: &[&str]) {
    let url = format!("{}/{path}", variable("STACK_S3_URL"));
    let mut command = Command::new("curl");
    command.args([
        "-sS",
        "--fail-with-body",
        "-H",
        "Content-Type: application/json",
        "-X",
        "PUT",
        "--user",
        "key:secret",
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
    ]);
    let output = command.args(more).args(["--data-binary", body, &url]).output().unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stdout));
}

fn check(keys: &[(&str, &str)], bucket: &str) -> (Option<i32>, String) {
    let mut command = Command::new(FLOWDECK);
    command.args(["signals", "check", &format!("s3://{bucket}/overrides/")]);
    command.env("AWS_ENDPOINT_URL_S3", variable("STACK_S3_URL")).envs(keys.iter().copied());
    let output = command.env("HOME", "/nonexistent").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn signed_requests_read_what_others_may_not() {
    put("private", "", &[]);
    for number in 0..1_100 {
        if number % 100 == 0 || number > 1_095 {
            let health = r#""health": "requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3""#;
            put(
                &format!("private/overrides/a+%20{number}.json"),
                &format!(r#"{{"service": "s{number}", {health}}}"#),
                &[],
            );
        }
    }
    put("private/overrides/readme.txt", "no overrides", &[]);
    let (code, said) = check(&[("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")], "private");
    assert!(code == Some(0) && said.starts_with("overrides of 15 services in 15 files are valid"), "{said}");
    let (code, said) = check(&[], "private");
    assert!(code == Some(2) && said.contains("403 Forbidden") && said.contains("check the keys"), "{said}");
    let (code, said) = check(&[("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")], "nowhere");
    assert!(code == Some(2) && said.contains("bucket does not exist"), "{said}");
    put("private/overrides/broken.json", r#"{"service": "x", "health": "requestCout"}"#, &[]);
    let (code, said) = check(&[("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")], "private");
    let expected =
        "s3://private/overrides/broken.json: line 1, column 28: x: health: line 1, column 1: there is no requestCout";
    assert!(code == Some(1) && said.contains(expected), "{said}");
}

/// Counts the events of one window more, which closes the one before, and gives how the service is then.
fn window(monitor: &mut Monitor, number: i64) -> Option<ServiceNow> {
    for second in 0..10 {
        let mut batch = Batch::default();
        let time = number * 10_000 + second * 1_000;
        batch.push(format!(r#"{{"ts":{time},"svc":"a","status":200,"lat_us":1000}}"#).as_bytes());
        monitor.ingest(0, &batch, time);
    }
    monitor.view(&Focus::default(), 0).services.first().cloned()
}

#[tokio::test]
async fn an_upload_holds_from_the_next_window_on_and_a_broken_one_does_not() {
    let public = ["-H", "x-amz-acl: public-read"];
    put("public", "", &public);
    let upload = |health: &str| {
        put("public/a.json", &format!(r#"{{"service": "a", "health": "{health}"}}"#), &public);
    };
    upload("1");
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/golden-signals.toml");
    let mut monitor = Monitor::new(&Spec::parse(&std::fs::read_to_string(spec).unwrap()).unwrap()).unwrap();
    let refresh = Duration::from_millis(300);
    let endpoint = Some(variable("STACK_S3_URL"));
    let location = "s3://public/a.json".to_owned();
    let fetcher = Fetcher::new(&Settings { location, refresh, endpoint, region: None }).unwrap();
    let (sender, mut news) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(run(fetcher, refresh, sender, cancel.clone()));
    let overrides = |monitor: &Monitor| monitor.view(&Focus::default(), 0).overrides;

    monitor.take_overrides(&news.recv().await.unwrap());
    assert_eq!(window(&mut monitor, 0), None);
    assert_eq!(window(&mut monitor, 1).unwrap().point.unwrap().health.level(), 1);
    let first = overrides(&monitor);

    // Nothing changed: nothing is transferred, and nothing is applied again.
    let same = news.recv().await.unwrap();
    assert_eq!(same.outcome, Ok(None));
    monitor.take_overrides(&same);
    assert_eq!((overrides(&monitor).version, overrides(&monitor).fetched), (first.version.clone(), first.fetched));

    upload("2");
    loop {
        let fetch = news.recv().await.unwrap();
        monitor.take_overrides(&fetch);
        if fetch.outcome.is_ok_and(|documents| documents.is_some()) {
            break;
        }
    }
    // Window 0 was judged, window 1 was open: it is the next one.
    assert_eq!(window(&mut monitor, 2).unwrap().point.unwrap().health.level(), 2);
    let second = overrides(&monitor);
    assert_ne!(second.version, first.version);

    upload("errorCount / 0");
    while overrides(&monitor).error.is_none() {
        monitor.take_overrides(&news.recv().await.unwrap());
    }
    let broken = overrides(&monitor);
    let error = broken.error.unwrap();
    assert!(error.starts_with("refused: s3://public/a.json: line 1, column 28: a: health: tried on"), "{error}");
    assert!(error.ends_with("it divides by zero"), "{error}");
    assert_eq!((broken.version, broken.applied), (second.version.clone(), second.applied));
    assert_eq!(window(&mut monitor, 3).unwrap().point.unwrap().health.level(), 2);
    assert_eq!(window(&mut monitor, 4).unwrap().point.unwrap().health.level(), 2);

    upload("0");
    while overrides(&monitor).error.is_some() {
        monitor.take_overrides(&news.recv().await.unwrap());
    }
    assert_eq!(window(&mut monitor, 5).unwrap().point.unwrap().health.level(), 0);
    cancel.cancel();
    running.await.unwrap();
}
