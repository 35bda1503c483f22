//! What a scraper is told: sums since the start and the last window of each service, in Prometheus' text form.
//!
//! Series are bounded by the spec's limits of services and slices: twelve for each service, or each of its swimlanes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::tally::{Row, Tally, Whose};
use crate::engine::rejects::Reason;
use crate::engine::watermark::{BEGINNING, END};
use crate::runtime::signals::course::Course;

/// Quantiles of the last window.
const QUANTILES: [(&str, f64); 4] = [("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99)];

/// A number of a service.
type Look = fn(&Service) -> Option<f64>;

/// One service.
#[derive(Clone, Debug, Default)]
struct Service {
    requests: u64,
    errors: u64,
    sum_us: u64,
    /// Of the newest window.
    start: i64,
    availability: Option<f64>,
    latency_us: [f64; QUANTILES.len()],
    health: u8,
    /// What was counted of windows that may still be revised, by start: requests, errors, latencies.
    open: BTreeMap<i64, (u64, u64, u64)>,
}

/// All that is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Exposition {
    services: BTreeMap<Whose, Service>,
    standing: Vec<(&'static str, &'static str, f64)>,
    rejects: Vec<(String, u64)>,
}

impl Exposition {
    /// Counts a row; a revision counts what it adds.
    pub(super) fn count(&mut self, row: &Row) {
        let (pane, totals) = (&row.pane, &row.pane.totals);
        let service = self
            .services
            .entry(pane.service.clone())
            .or_insert_with(|| Service { start: i64::MIN, ..Service::default() });
        let before = service.open.get(&pane.start).copied().unwrap_or_default();
        service.requests += totals.requests.saturating_sub(before.0);
        service.errors += totals.errors.saturating_sub(before.1);
        service.sum_us += totals.sum_us.saturating_sub(before.2);
        if row.is_final {
            service.open.remove(&pane.start);
        } else {
            service.open.insert(pane.start, (totals.requests, totals.errors, totals.sum_us));
        }
        if pane.start >= service.start {
            service.start = pane.start;
            service.health = row.health.level();
            service.availability = totals.availability_percent().map(|percent| percent / 100.0);
            service.latency_us = QUANTILES.map(|(_, quantile)| totals.quantile_us(quantile).unwrap_or(f64::NAN));
        }
    }

    /// Takes in how reading stands.
    #[expect(clippy::cast_precision_loss, reason = "counts and times for a scraper")]
    pub(super) fn stand(&mut self, tally: &Tally, course: &Course) {
        let engine = tally.engine();
        let (counts, rejects) = (engine.counts(), engine.rejects());
        let up = if course.stall().is_none() { 1.0 } else { 0.0 };
        self.standing = vec![
            ("flowdeck_source_up", "gauge", up),
            ("flowdeck_records_read_total", "counter", counts.records as f64),
            ("flowdeck_events_counted_total", "counter", counts.counted as f64),
            ("flowdeck_events_late_total", "counter", counts.late as f64),
            ("flowdeck_events_other_total", "counter", engine.services().overflowed() as f64),
            ("flowdeck_records_lost_total", "counter", course.lost() as f64),
            ("flowdeck_batches_unreadable_total", "counter", course.unreadable() as f64),
        ];
        if (BEGINNING + 1..END).contains(&engine.watermark()) {
            self.standing.push(("flowdeck_watermark_timestamp_seconds", "gauge", engine.watermark() as f64 / 1e3));
        }
        if let Some(backlog) = course.backlog() {
            self.standing.push(("flowdeck_backlog_records", "gauge", backlog as f64));
        }
        self.rejects = Reason::ALL.iter().map(|reason| (reason.to_string(), rejects.count(*reason))).collect();
    }

    /// Prometheus' text form.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(1_024 + self.services.len() * 900);
        // Writing to a string does not fail.
        let written = self.write(&mut text);
        if written.is_err() {
            text.clear();
        }
        text
    }

    #[expect(clippy::cast_precision_loss, reason = "counts and times for a scraper")]
    fn write(&self, text: &mut String) -> std::fmt::Result {
        for (name, kind, value) in &self.standing {
            writeln!(text, "# TYPE {name} {kind}\n{name} {value}")?;
        }
        writeln!(text, "# TYPE flowdeck_events_rejected_total counter")?;
        for (reason, count) in &self.rejects {
            writeln!(text, "flowdeck_events_rejected_total{{reason=\"{reason}\"}} {count}")?;
        }
        let names: Vec<(String, &Service)> =
            self.services.iter().map(|(whose, service)| (labels(whose), service)).collect();
        let series: [(&str, &str, Look); 6] = [
            ("flowdeck_requests_total", "counter", |service| Some(service.requests as f64)),
            ("flowdeck_errors_total", "counter", |service| Some(service.errors as f64)),
            ("flowdeck_latency_seconds_total", "counter", |service| Some(service.sum_us as f64 / 1e6)),
            ("flowdeck_availability_ratio", "gauge", |service| service.availability),
            ("flowdeck_health", "gauge", |service| Some(service.health.into())),
            ("flowdeck_window_start_timestamp_seconds", "gauge", |service| Some(service.start as f64 / 1e3)),
        ];
        for (name, kind, look) in series {
            writeln!(text, "# TYPE {name} {kind}")?;
            for (label, service) in &names {
                if let Some(value) = look(service) {
                    writeln!(text, "{name}{{{label}}} {value}")?;
                }
            }
        }
        writeln!(text, "# TYPE flowdeck_latency_seconds gauge")?;
        for (label, service) in &names {
            for ((quantile, _), value) in QUANTILES.iter().zip(service.latency_us) {
                writeln!(text, "flowdeck_latency_seconds{{{label},quantile=\"{quantile}\"}} {}", value / 1e6)?;
            }
        }
        Ok(())
    }
}

/// The labels of a service or one of its swimlanes.
fn labels(whose: &Whose) -> String {
    let service = format!("service=\"{}\"", escaped(&whose.service));
    if whose.swimlane.is_empty() {
        return service;
    }
    format!("{service},swimlane=\"{}\"", escaped(&whose.swimlane))
}

/// A label's value as the form wants it.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Pane;
    use crate::engine::totals::Totals;
    use crate::engine::window::Timing;
    use crate::model::signal::Health;

    fn row(start: i64, requests: u64, is_final: bool) -> Row {
        let mut totals = Totals::default();
        (0..requests).for_each(|number| totals.add(number == 0, 2_000_000));
        let whose = Whose { service: "a\"b".into(), swimlane: "".into() };
        let pane = Pane { start, service: whose, timing: Timing::OnTime, index: 0, totals };
        Row { pane, revision: 0, is_final, health: Health::DOWN }
    }

    #[test]
    fn revisions_count_what_they_add() {
        let mut exposition = Exposition::default();
        for row in [row(0, 4, false), row(0, 10, false), row(10_000, 5, false), row(0, 10, true)] {
            exposition.count(&row);
        }
        let text = exposition.text();
        for line in [
            "flowdeck_requests_total{service=\"a\\\"b\"} 15",
            "flowdeck_errors_total{service=\"a\\\"b\"} 2",
            "flowdeck_latency_seconds_total{service=\"a\\\"b\"} 30",
            "flowdeck_availability_ratio{service=\"a\\\"b\"} 0.8",
            "flowdeck_health{service=\"a\\\"b\"} 3",
            "flowdeck_window_start_timestamp_seconds{service=\"a\\\"b\"} 10",
            "flowdeck_latency_seconds{service=\"a\\\"b\",quantile=\"0.99\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
