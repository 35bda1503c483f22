//! Records that look like a company's: access logs of services, clicks, matches, sessions.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::demo::dice::{self, Dice};
use crate::demo::kafka::Record;

/// Services in the golden-signals topic, by environment: where little happens there are few, or most would be silent.
const fn services(environment: &str) -> usize {
    match environment.as_bytes() {
        b"qal" => 14,
        b"e2e" => 52,
        _ => 214,
    }
}

/// For how long of each turn the troubled service is well, in seconds.
const WELL: i64 = 240;
/// A turn of the troubled service, in seconds.
const TURN: i64 = 420;

/// The first services, busiest first; the rest have names by area and part.
const KNOWN: [&str; 8] = [
    MATCHED,
    "intuit.tax.import",
    TROUBLED,
    "intuit.identity.authn",
    "intuit.payments.capture",
    "intuit.quickbooks.invoice",
    "intuit.data.processingpt.sessionization",
    "intuit.creditkarma.offers",
];
const AREAS: [&str; 7] = ["tax", "payments", "quickbooks", "identity", "mailchimp", "data", "cloud"];
const PARTS: [&str; 8] = ["import", "ledger", "search", "notify", "profile", "export", "pricing", "session"];
const SILENT: &str = "intuit.ledger.batch";
/// Its requests need an expert, so they fail while matching does.
const MATCHED: &str = "intuit.expertnetwrk.engagement";
/// The region that has most of the traffic.
const HOME: &str = "usw2";
const TROUBLED: &str = "intuit.cloud.monitoring.rum";

/// Writes the records of one environment.
pub(super) struct Author {
    environment: String,
    services: Vec<String>,
    started: DateTime<Utc>,
    /// Whether experts cannot be matched.
    matching_fails: bool,
}

impl Author {
    pub(super) fn new(environment: &str) -> Self {
        let wanted = services(environment);
        let mut services: Vec<String> = KNOWN.iter().map(|name| (*name).to_owned()).collect();
        services.push(SILENT.to_owned());
        for turn in 0.. {
            for (area, part) in AREAS.iter().flat_map(|area| PARTS.iter().map(move |part| (area, part))) {
                let number = if turn == 0 { String::new() } else { turn.to_string() };
                services.push(format!("intuit.{area}.{part}{number}"));
            }
            if services.len() >= wanted {
                break;
            }
        }
        services.dedup();
        services.truncate(wanted);
        Self { environment: environment.to_owned(), services, started: Utc::now(), matching_fails: false }
    }

    /// What becomes of a pipeline shows in the service that needs it.
    pub(super) const fn set_matching_fails(&mut self, fails: bool) {
        self.matching_fails = fails;
    }

    pub(super) fn record(&self, topic: &str, dice: &mut Dice, now: DateTime<Utc>) -> Record {
        let at = now - TimeDelta::milliseconds(i64::try_from(dice.below(900)).unwrap_or(0));
        let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (key, value) = match topic {
            "service.events" => self.service_event(&time, now, dice),
            "clickstream" | "clickstream.sample" => click(&time, dice),
            "golden.signals" => self.signal(&time, dice),
            "incidents" | "incidents.correlated" => self.incident(&time, dice),
            "ledger" | "ledger.replayed" => {
                let account = format!("a{}", dice.below(9_000));
                let amount = dice.between(-900.0, 900.0);
                let value = format!("{{\"ts\":\"{time}\",\"account\":\"{account}\",\"amount\":{amount:.2}}}");
                (account, value)
            }
            _ => {
                let case = format!("c{}", dice.below(60_000));
                let (expert, score) = (dice.below(3_000), dice.fraction());
                let value =
                    format!("{{\"ts\":\"{time}\",\"case\":\"{case}\",\"expert\":\"e{expert}\",\"score\":{score:.3}}}");
                (case, value)
            }
        };
        Record {
            key: Some(Bytes::from(key)),
            value: Bytes::from(value),
            timestamp_ms: at.timestamp_millis(),
            headers: Vec::new(),
        }
    }

    /// A few services have most of the traffic.
    fn service(&self, dice: &mut Dice) -> &str {
        let fraction = dice.fraction();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index below the number of services"
        )]
        let index = (fraction.powi(3) * self.services.len() as f64) as usize;
        self.services.get(index).map_or(TROUBLED, String::as_str)
    }

    fn signal(&self, time: &str, dice: &mut Dice) -> (String, String) {
        let service = self.service(dice).to_owned();
        let (requests, availability) = (dice.below(900) + 60, dice.between(99.2, 100.0));
        let value = format!(
            "{{\"service\":\"{service}\",\"window_start\":\"{time}\",\"requests\":{requests},\"availability\":{availability:.2},\"health\":0}}"
        );
        (service, value)
    }

    fn incident(&self, time: &str, dice: &mut Dice) -> (String, String) {
        let id = format!("INC{:07}", dice.below(9_999_999));
        let severity = dice.below(4) + 1;
        let service = self.service(dice);
        let value =
            format!("{{\"ts\":\"{time}\",\"incident\":\"{id}\",\"severity\":{severity},\"service\":\"{service}\"}}");
        (id, value)
    }

    /// One access-log line of a service.
    fn service_event(&self, time: &str, now: DateTime<Utc>, dice: &mut Dice) -> (String, String) {
        let age = (now - self.started).num_seconds();
        let mut service = self.service(dice);
        if service == SILENT && age > 60 {
            // It has gone silent, and nobody has noticed yet.
            service = TROUBLED;
        }
        let ill = (service == TROUBLED && age % TURN > WELL) || (service == MATCHED && self.matching_fails);
        let region = if dice.chance(0.7) { HOME } else { "use2" };
        let status = match dice.below(10_000) {
            // What is ill is so in one region.
            0..1_770 if ill && region == HOME => 503,
            0..2 => 500,
            2..6 => 502,
            6..120 => 404,
            _ => 200,
        };
        let base = 6.0 + f64::from(u8::try_from(dice::stable(&[service]) % 40).unwrap_or(0));
        let tail = if dice.chance(0.02) { dice.between(4.0, 12.0) } else { dice.between(0.6, 1.9) };
        let duration = base * tail * if ill { dice.between(2.0, 9.0) } else { 1.0 };
        let route = dice.pick(&["/v1/items/{id}", "/v1/search", "/v2/session", "/health", "/v1/orders/{id}/lines"]);
        let method = dice.pick(&["GET", "GET", "GET", "POST", "PUT"]);
        let short = service.rsplit('.').next().unwrap_or_default();
        let place = if dice.chance(0.3) { "-ec2.a" } else { ".k8s" };
        let (environment, trace) = (&self.environment, dice.hex(16));
        let value = format!(
            "{{\"ts\":\"{time}\",\"service\":\"{service}\",\"env\":\"{environment}\",\"region\":\"{region}\",\"svcHost\":\"{short}{place}.intuit.com\",\"method\":\"{method}\",\"route\":\"{route}\",\"status\":{status},\"duration_ms\":{duration:.1},\"trace_id\":\"{trace}\"}}"
        );
        (service.to_owned(), value)
    }
}

fn click(time: &str, dice: &mut Dice) -> (String, String) {
    let user = format!("u{}", dice.below(40_000));
    let page = dice.pick(&["/home", "/expert", "/import", "/review", "/checkout", "/help"]);
    let session = dice.hex(12);
    let value = format!(
        "{{\"ts\":\"{time}\",\"user\":\"{user}\",\"event\":\"page_view\",\"page\":\"{page}\",\"app\":\"turbotax\",\"session\":\"{session}\"}}"
    );
    (user, value)
}

/// The smallest record that is still one: what a replay is made of.
pub(super) fn replayed(now: DateTime<Utc>) -> Record {
    Record {
        key: None,
        value: Bytes::from_static(b"{\"replay\":1}"),
        timestamp_ms: now.timestamp_millis(),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_json_and_services_are_many() {
        let author = Author::new("prd");
        let mut dice = Dice::new(1);
        let mut services = std::collections::BTreeSet::new();
        for _ in 0..20_000 {
            let record = author.record("service.events", &mut dice, Utc::now());
            let value: serde_json::Value = serde_json::from_slice(&record.value).expect("JSON");
            services.insert(value["service"].as_str().expect("a name").to_owned());
        }
        assert!(services.len() > 200, "{}", services.len());
        for topic in ["clickstream", "golden.signals", "incidents", "ledger", "routed"] {
            let record = author.record(topic, &mut dice, Utc::now());
            assert!(serde_json::from_slice::<serde_json::Value>(&record.value).is_ok(), "{topic}");
        }
    }
}
