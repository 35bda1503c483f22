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
