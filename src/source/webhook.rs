//! Tells alerts to others: an Alertmanager, or a Slack channel.
//!
//! Why: whoever is on call does not always look at a terminal.
//!
//! How: one task for each place. It is given all alerts whenever they change and keeps nothing but what it has told, so
//! that no queue can grow: after a failure it tries again, ever less often, with what is true then. An Alertmanager is
//! told what fires once a minute, as it wants it, under labels that stay the same; a channel is told each change once.
//!
//! It must not log or show the address, which may be a secret, nor tell what somebody sent to sleep.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Notice};
use crate::model::Time;
use crate::model::signal::{Alert, AlertState};
use crate::settings::{WebhookForm, WebhookSettings};

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// What fires is told to an Alertmanager this often.
const AGAIN: Duration = Duration::from_mins(1);
/// What is not told again ends there after so long.
const ENDS_AFTER: TimeDelta = TimeDelta::minutes(5);
/// Between two tries: the first wait, doubled up to the last.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Alerts that a message to a channel names.
const NAMED: usize = 20;
/// Where an Alertmanager takes alerts in.
const ALERTMANAGER_PATH: &str = "/api/v2/alerts";

/// All alerts of an environment, as they stand.
pub type Alerts = Arc<[Alert]>;

/// Tells the alerts of an environment to one place, until cancelled.
pub async fn run(
    environment: Arc<str>,
    settings: WebhookSettings,
    alerts: watch::Receiver<Alerts>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    let teller = Teller { environment, settings, events, told: HashMap::new() };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = teller.run(alerts) => {}
    }
}

/// Rule and service.
type Name = (Arc<str>, Arc<str>);

struct Teller {
    environment: Arc<str>,
    settings: WebhookSettings,
    events: mpsc::Sender<Event>,
    /// What was told last of each alert that is still known, and since when it stood so.
    told: HashMap<Name, (AlertState, Time)>,
}

/// Why a message did not arrive.
enum Failure {
    /// It may the next time.
    Later(String),
    /// It never will.
    Never(String),
}

impl Teller {
    async fn run(mut self, mut alerts: watch::Receiver<Alerts>) {
        let client = match Client::builder().timeout(LIMIT).build() {
            Ok(client) => client,
            Err(error) => return self.complain(&error.to_string()).await,
        };
        let (mut wait, mut due) = (RETRY.0, Instant::now() + AGAIN);
        let mut failing = false;
        loop {
            let repeats = self.settings.form == WebhookForm::Alertmanager;
            tokio::select! {
                changed = alerts.changed(), if !failing => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep_until(due), if failing || repeats => {}
            }
            let is_due = Instant::now() >= due;
            let now: Alerts = alerts.borrow_and_update().clone();
            let news = self.news(&now, is_due);
            if news.is_empty() {
                if is_due {
                    due = Instant::now() + AGAIN;
                    failing = false;
                }
                continue;
            }
            match self.send(&client, &news).await {
                Ok(()) => {
                    self.note(&now, &news);
                    (failing, wait, due) = (false, RETRY.0, Instant::now() + AGAIN);
                }
                Err(Failure::Later(why)) => {
                    if !failing {
                        self.complain(&why).await;
                    }
                    due = Instant::now() + wait;
                    (failing, wait) = (true, (wait * 2).min(RETRY.1));
                }
                Err(Failure::Never(why)) => {
                    self.complain(&format!("{why}; not tried again")).await;
                    self.note(&now, &news);
                    (failing, due) = (false, Instant::now() + AGAIN);
                }
            }
        }
    }

    /// What is to be told: changes, and for an Alertmanager from time to time all that fires.
    fn news(&self, alerts: &[Alert], is_due: bool) -> Vec<Alert> {
        let repeats = is_due && self.settings.form == WebhookForm::Alertmanager;
        let news = alerts.iter().filter(|alert| {
            let told = self.told.get(&name(alert));
            let is_news = told.is_none_or(|(state, since)| (*state, *since) != (alert.state, alert.since));
            match alert.state {
                AlertState::Pending => false,
                AlertState::Firing => {
                    let sleeps = alert.snoozed_until.is_some_and(|until| until > Utc::now());
                    !sleeps && (repeats || is_news)
                }
                // An end is news only for who knows of the beginning.
                AlertState::Resolved => is_news && told.is_some_and(|(state, _)| *state == AlertState::Firing),
            }
        });
        news.cloned().collect()
    }

    fn note(&mut self, alerts: &[Alert], news: &[Alert]) {
        for alert in news {
            self.told.insert(name(alert), (alert.state, alert.since));
        }
        self.told.retain(|known, _| alerts.iter().any(|alert| name(alert) == *known));
    }

    async fn send(&self, client: &Client, news: &[Alert]) -> Result<(), Failure> {
        let (address, body) = match self.settings.form {
            WebhookForm::Alertmanager => {
                let base = self.settings.url.trim_end_matches('/');
                let path = if base.ends_with(ALERTMANAGER_PATH) { "" } else { ALERTMANAGER_PATH };
                (format!("{base}{path}"), for_alertmanager(&self.environment, news, Utc::now()))
            }
            WebhookForm::Slack => (self.settings.url.clone(), for_slack(&self.environment, news)),
        };
        let request = client.post(address).header("content-type", "application/json").body(body.to_string());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
                let why = format!("it answers {status}");
                Err(if passing || status.is_server_error() { Failure::Later(why) } else { Failure::Never(why) })
            }
            // The error's own words hold the address.
            Err(error) if error.is_timeout() => Err(Failure::Later(format!("no answer within {} s", LIMIT.as_secs()))),
            Err(error) if error.is_builder() => Err(Failure::Never("its url is none".to_owned())),
            Err(_) => Err(Failure::Later("it cannot be reached".to_owned())),
        }
    }

    async fn complain(&self, why: &str) {
        let words = format!("{} alerts are not told to the {}: {why}", self.environment, self.settings.form.word());
        tracing::warn!("{words}");
        if self.events.send(Event::Noticed(Notice::Failed(words.into()))).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
    }
}

fn name(alert: &Alert) -> Name {
    (alert.rule.clone(), alert.service.clone())
}

/// As version 2 of Alertmanager's API takes it. Labels are what an alert is known by, so they never change.
fn for_alertmanager(environment: &str, alerts: &[Alert], now: Time) -> Value {
    let stamp = |time: Time| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let alert = |alert: &Alert| {
        let (starts, ends) = match alert.state {
            AlertState::Resolved => (None, alert.since),
            _ => (Some(alert.since), now + ENDS_AFTER),
        };
        let mut value = json!({
            "labels": {
                "alertname": alert.rule,
                "service": alert.service,
                "severity": alert.severity,
                "environment": environment,
                "source": "flowdeck",
            },
            "annotations": { "summary": alert.summary },
            "endsAt": stamp(ends),
        });
        if let Some(starts) = starts {
            value["startsAt"] = json!(stamp(starts));
        }
        value
    };
    Value::Array(alerts.iter().map(alert).collect())
}

/// As a Slack channel's incoming webhook takes it.
fn for_slack(environment: &str, alerts: &[Alert]) -> Value {
    // Slack reads these three as markup, and a name must not be able to call a whole channel.
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut lines: Vec<String> = Vec::new();
    for alert in alerts.iter().take(NAMED) {
        let state = if alert.state == AlertState::Resolved { "RESOLVED" } else { "FIRING" };
        lines.push(format!(
            "{state} {} {environment} {} {}: {}",
            plain(&alert.severity),
            plain(&alert.service),
            plain(&alert.rule),
            plain(&alert.summary)
        ));
    }
    if alerts.len() > NAMED {
        lines.push(format!("and {} more", alerts.len() - NAMED));
    }
    json!({ "text": lines.join("\n") })
}
