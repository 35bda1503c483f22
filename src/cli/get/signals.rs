//! The lists of golden signals: services and alerts, as the console shows them.

use std::sync::Arc;

use serde::Serialize;

use super::rows::{Listing, NOTHING, number, or_dash, text, wide};
use crate::cli::gather::Need;
use crate::model::human;
use crate::model::interest::Depth;
use crate::model::owner;
use crate::model::pipeline_signals::{self, PipelineSignals};
use crate::model::signal::{Alert, AlertState, Point, Saturation, ServiceNow};

/// One service of one environment.
#[derive(Serialize)]
pub struct ServiceLine {
    environment: Arc<str>,
    #[serde(flatten)]
    now: ServiceNow,
}

/// One alert of one environment.
#[derive(Serialize)]
pub struct AlertLine {
    environment: Arc<str>,
    #[serde(flatten)]
    alert: Alert,
}

const NONE: &str =
    "no golden signals. Name a signals spec in the settings of an environment: [environment.signals] spec = \"FILE\"";

/// `get signals`.
pub static SERVICES: Listing<ServiceLine> = Listing {
    need: Need { signals: true, ..NOTHING },
    rows: |inventory, _| {
        let mut rows: Vec<ServiceLine> = inventory
            .signals()
            .iter()
            .flat_map(|(environment, signals)| {
                // What is known of limits may be newer than the view that the engine made.
                let told = owner::saturations(inventory, environment, signals);
                signals.services.iter().map(move |now| line(environment, now, told.get(&now.service)))
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.now.point.as_ref().map(|point| point.health)));
        rows
    },
    answers_to: |row, name| *row.now.service == *name,
    name: |row| format!("{}/{}", row.environment, row.now.service),
    columns: &[
        number("H", |row, _| row.point().map_or_else(|| "-".to_owned(), |point| point.health.level().to_string())),
        text("ENV", |row, _| row.environment.to_string()),
        text("SERVICE", |row, _| row.now.service.to_string()),
        number("REQ/s", |row, _| row.now.requests_per_second.map_or_else(silent(row), human::rate)),
        number("AVAIL", |row, _| {
            let availability = row.point().and_then(Point::availability_percent);
            availability.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.2}"))
        }),
        number("P50", |row, _| latency(row, |point| point.latency.p50_us)),
        number("P95", |row, _| latency(row, |point| point.latency.p95_us)),
        number("P99", |row, _| latency(row, |point| point.latency.p99_us)),
        text("SAT", |row, _| saturation(row.point().and_then(|point| point.saturation.as_ref()))),
        number("BUDGET", |row, _| {
            row.now.budget_left_percent.map_or_else(|| "-".to_owned(), |left| format!("{left:.0}%"))
        }),
        wide("RULE", |row, _| row.now.rule.text.to_string()),
        wide("FROM", |row, _| row.now.rule.from.to_string()),
    ],
    empty: NONE,
};

/// `get pipeline-signals`.
pub static PIPELINES: Listing<PipelineSignals> = Listing {
    need: Need { jobs: Some(Depth::Detail), groups: true, kafka_names: true, usage: true, rates: true, ..NOTHING },
    rows: |inventory, now| {
        let mut rows: Vec<PipelineSignals> =
            inventory.pipelines().map(|(key, _)| pipeline_signals::of(inventory, key, now)).collect();
        rows.sort_by(|left, right| (right.failures, &left.key).cmp(&(left.failures, &right.key)));
        rows
    },
    answers_to: |row, name| *row.key.name == *name,
    name: |row| row.key.to_string(),
    columns: &[
        text("ENV", |row, _| row.key.environment.to_string()),
        wide("NAMESPACE", |row, _| row.key.namespace.to_string()),
        text("PIPELINE", |row, _| row.key.name.to_string()),
        number("IN/s", |row, _| or_dash(row.records_in_per_second.map(human::rate))),
        number("OUT/s", |row, _| or_dash(row.records_out_per_second.map(human::rate))),
        number("FAILURES", |row, _| or_dash(row.failures)),
        number("FAILED-CKPT", |row, _| or_dash(row.failed_checkpoints)),
        number("WATERMARK", |row, _| or_dash(row.watermark_delay_seconds.map(human::duration))),
        number("LAG", |row, _| or_dash(row.lag_records.map(human::count))),
        text("SAT", |row, _| saturation(row.saturation.as_ref())),
        wide("LAST FAILURE", |row, _| or_dash(row.last_failure.as_ref().map(|(_, class)| class))),
    ],
    empty: "no pipelines found. Look in other namespaces with -A, or at other contexts with --context",
};

/// `get alerts`.
pub static ALERTS: Listing<AlertLine> = Listing {
    need: Need { signals: true, ..NOTHING },
    rows: |inventory, _| {
        let rows = inventory.signals().iter().flat_map(|(environment, signals)| {
            signals.alerts.iter().map(|alert| AlertLine { environment: environment.clone(), alert: alert.clone() })
        });
        rows.collect()
    },
    answers_to: |row, name| *row.alert.service == *name || *row.alert.rule == *name,
    name: |row| format!("{}/{}/{}", row.environment, row.alert.service, row.alert.rule),
    columns: &[
        text("STATE", |row, _| {
            let word = match row.alert.state {
                AlertState::Firing => "FIRING",
                AlertState::Pending => "PENDING",
                AlertState::Resolved => "RESOLVED",
            };
            word.to_owned()
        }),
        text("SEVERITY", |row, _| row.alert.severity.to_string()),
        text("ENV", |row, _| row.environment.to_string()),
        text("SERVICE", |row, _| row.alert.service.to_string()),
        text("RULE", |row, _| row.alert.rule.to_string()),
        number("FOR", |row, now| human::age(row.alert.since, now)),
        text("WHY", |row, _| row.alert.summary.to_string()),
    ],
    empty: "no alert fires or fired lately",
};

impl ServiceLine {
    const fn point(&self) -> Option<&Point> {
        self.now.point.as_ref()
    }
}

fn line(environment: &Arc<str>, now: &ServiceNow, told: Option<&Saturation>) -> ServiceLine {
    let mut now = now.clone();
    if let Some(point) = &mut now.point {
        point.saturation = Saturation::nearer(point.saturation.take(), told.cloned());
    }
    ServiceLine { environment: environment.clone(), now }
}

/// The component that is nearest to its limit, with its percentage.
fn saturation(saturation: Option<&Saturation>) -> String {
    or_dash(saturation.map(|it| format!("{} {:.0}", it.component, it.percent)))
}

/// What stands in place of the rate of a service that has none.
fn silent(row: &ServiceLine) -> impl FnOnce() -> String {
    let since = row.now.silence.map(|silence| silence.since);
    move || since.map_or_else(|| "-".to_owned(), |since| format!("silent since {}", since.format("%H:%M:%S")))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a latency is at most an hour")]
fn latency(row: &ServiceLine, pick: fn(&Point) -> f64) -> String {
    row.point().map_or_else(
        || "-".to_owned(),
        |point| match pick(point) {
            micros if micros < 9_950.0 => format!("{:.1}ms", micros / 1_000.0),
            micros => human::milliseconds((micros / 1_000.0).round() as u64),
        },
    )
}
