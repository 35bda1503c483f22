//! Alerts told to others, over HTTP to a server of the test's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{TimeZone, Utc};
use flowdeck::event::{Event, Notice};
use flowdeck::model::signal::{Alert, AlertState};
use flowdeck::settings::{WebhookForm, WebhookSettings};
use flowdeck::source::webhook;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A server that answers with these statuses in turn, then with 200; gives path and body of each request.
async fn server(statuses: &'static [u16]) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel(16);
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (sender, count) = (sender.clone(), count.clone());
            let answer = service_fn(move |request: Request<Incoming>| {
                let (sender, count) = (sender.clone(), count.clone());
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    sender.send((path, serde_json::from_slice(&body).unwrap())).await.unwrap();
                    let status = statuses.get(count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(200);
                    Ok::<_, Infallible>(Response::builder().status(status).body(Empty::<Bytes>::new()).unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    (address, receiver)
}

fn alert(service: &str, state: AlertState, second: u32) -> Alert {
    Alert {
        rule: "down".into(),
        service: service.into(),
        severity: "page".into(),
        state,
        since: Utc.with_ymd_and_hms(2026, 11, 22, 14, 2, second).unwrap(),
        summary: "health is 3; <!channel>".into(),
        acknowledged: None,
        snoozed_until: None,
    }
}

struct Setting {
    alerts: watch::Sender<webhook::Alerts>,
    requests: mpsc::Receiver<(String, Value)>,
    events: mpsc::Receiver<Event>,
    cancel: CancellationToken,
}

impl Setting {
    async fn start(form: WebhookForm, statuses: &'static [u16]) -> Self {
        let (url, requests) = server(statuses).await;
        let (alerts, received) = watch::channel(webhook::Alerts::default());
        let (sender, events) = mpsc::channel(16);
        let cancel = CancellationToken::new();
        tokio::spawn(webhook::run("prd".into(), WebhookSettings { url, form }, received, sender, cancel.clone()));
        Self { alerts, requests, events, cancel }
    }

    async fn request(&mut self) -> (String, Value) {
        tokio::time::timeout(Duration::from_secs(20), self.requests.recv()).await.unwrap().unwrap()
    }

    async fn nothing(&mut self) {
        let more = tokio::time::timeout(Duration::from_millis(300), self.requests.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[tokio::test]
async fn an_alertmanager_is_told_in_its_own_form() {
    let mut setting = Setting::start(WebhookForm::Alertmanager, &[]).await;
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1), alert("b", AlertState::Pending, 2)]));
    let (path, body) = setting.request().await;
    assert_eq!(path, "/api/v2/alerts");
    let [told] = body.as_array().unwrap().as_slice() else { panic!("{body}") };
    assert_eq!(told["labels"]["alertname"], "down");
    assert_eq!((&told["labels"]["service"], &told["labels"]["environment"]), (&"a".into(), &"prd".into()));
    assert_eq!(told["startsAt"], "2026-11-22T14:02:01.000Z");
    let labels = told["labels"].clone();
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Resolved, 30)]));
    let (_, body) = setting.request().await;
    assert_eq!((&body[0]["labels"], &body[0]["endsAt"]), (&labels, &"2026-11-22T14:02:30.000Z".into()));
    setting.nothing().await;
}

#[tokio::test]
async fn a_channel_is_told_each_change_once_and_cannot_be_shouted_at() {
    let mut setting = Setting::start(WebhookForm::Slack, &[]).await;
    // The end of what it never heard of is no news.
    let old = alert("old", AlertState::Resolved, 0);
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1), old.clone()]));
    let (_, body) = setting.request().await;
    assert_eq!(body["text"], "FIRING page prd a down: health is 3; &lt;!channel&gt;");
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1), old.clone()]));
    setting.nothing().await;
    let asleep =
        Alert { snoozed_until: Some(Utc::now() + chrono::Duration::hours(1)), ..alert("b", AlertState::Firing, 3) };
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Resolved, 9), asleep]));
    let (_, body) = setting.request().await;
    assert_eq!(body["text"], "RESOLVED page prd a down: health is 3; &lt;!channel&gt;");
    setting.nothing().await;
}

#[tokio::test]
async fn what_fails_is_tried_again_with_what_is_true_then() {
    let mut setting = Setting::start(WebhookForm::Slack, &[503, 429]).await;
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1)]));
    setting.request().await;
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1), alert("b", AlertState::Firing, 2)]));
    setting.request().await;
    let (_, body) = setting.request().await;
    assert_eq!(body["text"].as_str().unwrap().lines().count(), 2, "{body}");
    setting.nothing().await;
    let Some(Event::Noticed(Notice::Failed(words))) = setting.events.recv().await else { panic!() };
    assert_eq!(&*words, "prd alerts are not told to the Slack channel: it answers 503 Service Unavailable");
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let mut setting = Setting::start(WebhookForm::Slack, &[404]).await;
    setting.alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1)]));
    setting.request().await;
    setting.nothing().await;
    let Some(Event::Noticed(Notice::Failed(words))) = setting.events.recv().await else { panic!() };
    assert!(words.ends_with("not tried again") && !words.contains("127.0.0.1"), "{words}");
}

/// A real Alertmanager of the machine's, with a directory of its own.
struct Alertmanager {
    child: std::process::Child,
    url: String,
    _directory: tempfile::TempDir,
}

impl Alertmanager {
    /// Starts it and reads from its log where it listens.
    fn start(program: &str) -> Self {
        use std::io::BufRead;
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: nobody\nreceivers:\n- name: nobody\n").unwrap();
        let mut child = std::process::Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let found = lines.find_map(|line| {
            let (_, address) = line.split_once("address=127.0.0.1:")?;
            Some(address.split_whitespace().next()?.trim_matches('"').to_owned())
        });
        let url = format!("http://127.0.0.1:{}", found.unwrap());
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, _directory: directory }
    }

    /// What it holds, as soon as that is so.
    async fn until(&self, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let answer = reqwest::get(format!("{}/api/v2/alerts", self.url)).await.unwrap().text().await.unwrap();
            let alerts: Vec<Value> = serde_json::from_str(&answer).unwrap();
            if holds(&alerts) {
                return alerts;
            }
            assert!(tokio::time::Instant::now() < deadline, "{alerts:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Runs where `FLOWDECK_ALERTMANAGER` names the program, such as Debian's `prometheus-alertmanager`.
#[tokio::test]
async fn a_real_alertmanager_holds_what_it_is_told_until_it_is_resolved() {
    let Ok(program) = std::env::var("FLOWDECK_ALERTMANAGER") else {
        eprintln!("skipped: FLOWDECK_ALERTMANAGER names no Alertmanager");
        return;
    };
    let manager = Alertmanager::start(&program);
    let (alerts, received) = watch::channel(webhook::Alerts::default());
    let (sender, mut events) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let settings = WebhookSettings { url: manager.url.clone(), form: WebhookForm::Alertmanager };
    tokio::spawn(webhook::run("prd".into(), settings, received, sender, cancel.clone()));
    alerts.send_replace(Arc::from([alert("a", AlertState::Firing, 1), alert("b", AlertState::Firing, 2)]));
    let held = manager.until(|held| held.len() == 2).await;
    assert!(held.iter().all(|it| it["labels"]["alertname"] == "down" && it["status"]["state"] == "active"), "{held:?}");
    alerts.send_replace(Arc::from([alert("a", AlertState::Resolved, 30), alert("b", AlertState::Firing, 2)]));
    let held = manager.until(|held| held.len() == 1).await;
    assert_eq!(held[0]["labels"]["service"], "b");
    assert!(events.try_recv().is_err(), "nothing was complained about");
    cancel.cancel();
}
