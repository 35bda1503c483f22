//! What an alert watches for, as the spec writes it, and as it is checked.

use serde::Deserialize;

use super::standing::Patience;
use crate::engine::spec::{Comparison, Span, SpecError};
use crate::model::signal::Point;

/// Rules that a spec may have.
const MOST_RULES: usize = 64;
/// The longest time that a burn rate may look back.
const LONGEST_MS: i64 = 30 * 86_400_000;
/// Requests below which a burn rate says nothing.
const FEWEST: u32 = 60;
/// The short time of a burn rate is this part of the long one, as in the SRE workbook.
const SHORT_PART: i64 = 12;
/// How much, over how long, and how bad: table 5-8 of the SRE workbook.
const WORKBOOK: [(&str, f64, i64, Severity); 3] = [
    ("burn-fast", 14.4, 3_600_000, Severity::Page),
    ("burn-slow", 6.0, 6 * 3_600_000, Severity::Page),
    ("burn-creeping", 1.0, 72 * 3_600_000, Severity::Ticket),
];

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody must look now.
    #[default]
    Page,
    /// Somebody must look this week.
    Ticket,
}

impl Severity {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// A number that a rule can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Requests a second.
    RequestsPerSecond,
    /// Failed share, percent.
    ErrorPercent,
    /// Successful share, percent.
    Availability,
    /// Median latency, milliseconds.
    P50Ms,
    /// 90th percentile, milliseconds.
    P90Ms,
    /// 95th percentile, milliseconds.
    P95Ms,
    /// 99th percentile, milliseconds.
    P99Ms,
    /// Saturation, percent.
    Saturation,
    /// Health, 0 to 3.
    Health,
}

impl Signal {
    /// Its value in a window; `None` where nothing tells.
    #[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a window")]
    fn value(self, point: &Point, window_ms: i64) -> Option<f64> {
        let latency = |micros: f64| Some(micros / 1_000.0);
        match self {
            Self::RequestsPerSecond => Some(point.requests as f64 * 1_000.0 / window_ms.max(1) as f64),
            Self::ErrorPercent => point.availability_percent().map(|available| 100.0 - available),
            Self::Availability => point.availability_percent(),
            Self::P50Ms => latency(point.latency.p50_us),
            Self::P90Ms => latency(point.latency.p90_us),
            Self::P95Ms => latency(point.latency.p95_us),
            Self::P99Ms => latency(point.latency.p99_us),
            Self::Saturation => point.saturation.as_ref().map(|saturation| saturation.percent),
            Self::Health => Some(f64::from(point.health.level())),
        }
    }

    /// The greatest value that it can have.
    const fn greatest(self) -> f64 {
        match self {
            Self::ErrorPercent | Self::Availability => 100.0,
            Self::Health => 3.0,
            Self::P50Ms | Self::P90Ms | Self::P95Ms | Self::P99Ms => 3_600_000.0,
            Self::RequestsPerSecond | Self::Saturation => f64::MAX,
        }
    }

    /// What it is called, and in what it is measured.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::RequestsPerSecond => ("requests are", "/s"),
            Self::ErrorPercent => ("errors are", "%"),
            Self::Availability => ("availability is", "%"),
            Self::P50Ms => ("p50 is", "ms"),
            Self::P90Ms => ("p90 is", "ms"),
            Self::P95Ms => ("p95 is", "ms"),
            Self::P99Ms => ("p99 is", "ms"),
            Self::Saturation => ("saturation is", "%"),
            Self::Health => ("health is", ""),
        }
    }
}

/// A rule as the spec writes it: exactly one of `signal`, `burn` and `silent_for`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSpec {
    /// Name, unique in the spec.
    pub name: String,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// A signal to compare with `value`.
    pub signal: Option<Signal>,
    /// How.
    pub op: Option<Comparison>,
    /// With what.
    pub value: Option<f64>,
    /// With what while it fires; between the two nothing changes.
    pub clear: Option<f64>,
    /// How many times as fast as it may the error budget burns.
    pub burn: Option<f64>,
    /// Over how long.
    pub long: Option<Span>,
    /// And over how short a time too, so that it ends soon; a twelfth of `long` if not said.
    pub short: Option<Span>,
    /// For how long a service has said nothing.
    pub silent_for: Option<Span>,
    /// Requests below which nothing is said.
    pub min_requests: Option<u32>,
    /// For how long the condition must hold.
    #[serde(rename = "for", default)]
    pub hold: Span,
    /// For how long it must not hold to be resolved; 30 s if not said.
    pub clear_for: Option<Span>,
}

/// What a rule watches for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// A signal beyond a value.
    Threshold { signal: Signal, op: Comparison, value: f64, clear: f64, min_requests: u64 },
    /// The error budget burns too fast, over a long and a short time; lengths in milliseconds.
    Burn {
        times: f64,
        /// Share of failures that is allowed.
        allowed: f64,
        long_ms: i64,
        short_ms: i64,
        min_requests: i64,
    },
    /// No events for so long.
    Silence { for_ms: i64 },
}

/// A checked rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) name: std::sync::Arc<str>,
    pub(super) severity: Severity,
    pub(super) condition: Condition,
    pub(super) patience: Patience,
}

/// What is promised and how time is cut, which rules must fit to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) window_ms: i64,
    pub(super) objective_percent: Option<f64>,
}

/// The rules of a spec; without any, those of the workbook and one on health.
pub(super) fn rules(written: Option<&[AlertSpec]>, frame: Frame) -> Result<Vec<Rule>, SpecError> {
    let Some(written) = written else { return Ok(usual(frame)) };
    if written.len() > MOST_RULES {
        return refuse("alert", &written.len(), "at most 64 alerts");
    }
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = written.iter().find(|alert| !names.insert(alert.name.as_str())) {
        return refuse("alert.name", &twice.name, "two alerts have this name");
    }
    written.iter().map(|alert| rule(alert, frame)).collect()
}

/// What is watched where a spec says nothing of alerts.
fn usual(frame: Frame) -> Vec<Rule> {
    let down = AlertSpec {
        name: "down".into(),
        signal: Some(Signal::Health),
        op: Some(Comparison::AtLeast),
        value: Some(3.0),
        hold: Span::seconds(20),
        ..AlertSpec::default()
    };
    let burns = WORKBOOK.map(|(name, times, long_ms, severity)| AlertSpec {
        name: name.into(),
        severity,
        burn: Some(times),
        long: u32::try_from(long_ms).ok().map(Span::from_millis),
        ..AlertSpec::default()
    });
    // Those that a modest promise can never break are left out.
    std::iter::once(down).chain(burns).filter_map(|alert| rule(&alert, frame).ok()).collect()
}

fn refuse<T>(key: &'static str, value: &dyn std::fmt::Display, problem: &'static str) -> Result<T, SpecError> {
    Err(SpecError::Value { key, value: value.to_string(), problem })
}

fn rule(alert: &AlertSpec, frame: Frame) -> Result<Rule, SpecError> {
    if alert.name.trim().is_empty() {
        return refuse("alert.name", &"\"\"", "give this alert a name");
    }
    let condition = match (alert.signal, alert.burn, alert.silent_for) {
        (Some(signal), None, None) => threshold(alert, signal)?,
        (None, Some(times), None) => burn(alert, times, frame)?,
        (None, None, Some(silent)) if silent.millis() >= frame.window_ms => {
            Condition::Silence { for_ms: silent.millis() }
        }
        (None, None, Some(silent)) => {
            return refuse(
                "alert.silent_for",
                &silent,
                "it is shorter than a window, so every service would be silent",
            );
        }
        _ => return refuse("alert", &alert.name, "an alert has exactly one of signal, burn and silent_for"),
    };
    let clear_ms = alert.clear_for.unwrap_or(Span::seconds(30)).millis();
    let patience = Patience { hold_ms: alert.hold.millis(), clear_ms };
    Ok(Rule { name: alert.name.as_str().into(), severity: alert.severity, condition, patience })
}

fn threshold(alert: &AlertSpec, signal: Signal) -> Result<Condition, SpecError> {
    let (Some(op), Some(value)) = (alert.op, alert.value) else {
        return refuse("alert", &alert.name, "an alert on a signal needs op and value");
    };
    let clear = alert.clear.unwrap_or(value);
    if !value.is_finite() || !clear.is_finite() {
        return refuse("alert.value", &value, "it is not a number");
    }
    let greatest = signal.greatest();
    let possible = match op {
        Comparison::Above => value < greatest,
        Comparison::AtLeast | Comparison::Equal => value <= greatest && (value >= 0.0 || op != Comparison::Equal),
        Comparison::Below => value > 0.0,
        Comparison::AtMost => value >= 0.0,
        Comparison::NotEqual => true,
    };
    if !possible {
        return refuse("alert.value", &value, "this signal can never be so, and the alert could never fire");
    }
    let sensible = match op {
        Comparison::Above | Comparison::AtLeast => clear <= value,
        Comparison::Below | Comparison::AtMost => clear >= value,
        Comparison::Equal | Comparison::NotEqual => alert.clear.is_none(),
    };
    if !sensible {
        return refuse("alert.clear", &clear, "it must be on the good side of value, and == and != have none");
    }
    let min_requests = u64::from(alert.min_requests.unwrap_or(0));
    Ok(Condition::Threshold { signal, op, value, clear, min_requests })
}

fn burn(alert: &AlertSpec, times: f64, frame: Frame) -> Result<Condition, SpecError> {
    let Some(objective) = frame.objective_percent else {
        return refuse("alert.burn", &times, "a burn rate needs slo.availability");
    };
    let allowed = (100.0 - objective) / 100.0;
    if !(times > 0.0 && times.is_finite()) {
        return refuse("alert.burn", &times, "a burn rate is above 0");
    }
    if times * allowed > 1.0 {
        let problem = "even if every request failed the budget would not burn so fast: the alert could never fire";
        return refuse("alert.burn", &times, problem);
    }
    let Some(long) = alert.long else { return refuse("alert.burn", &times, "a burn rate needs long, such as \"1h\"") };
    let long_ms = long.millis();
    let short_ms = alert.short.map_or_else(|| (long_ms / SHORT_PART).max(frame.window_ms), Span::millis);
    if !(frame.window_ms..=LONGEST_MS).contains(&long_ms) {
        return refuse("alert.long", &long, "it is from one window to 720h");
    }
    if !(frame.window_ms..=long_ms).contains(&short_ms) {
        return refuse(
            "alert.short",
            &Span::from_millis(u32::try_from(short_ms).unwrap_or(0)),
            "it is from one window to long",
        );
    }
    let min_requests = i64::from(alert.min_requests.unwrap_or(FEWEST));
    Ok(Condition::Burn { times, allowed, long_ms, short_ms, min_requests })
}

impl Condition {
    /// Whether a threshold is crossed; while it fires, whether it is not yet back.
    pub(super) fn crossed(&self, point: &Point, window_ms: i64, is_firing: bool) -> bool {
        let Self::Threshold { signal, op, value, clear, min_requests } = self else { return false };
        let bound = if is_firing { *clear } else { *value };
        let seen = signal.value(point, window_ms).filter(|_| point.requests >= *min_requests);
        seen.is_some_and(|seen| compare(*op, seen, bound))
    }

    /// What is seen against what is allowed.
    pub(super) fn threshold_words(&self, point: &Point, window_ms: i64) -> Option<String> {
        let Self::Threshold { signal, op, value, .. } = self else { return None };
        let (name, unit) = signal.words();
        let seen = short(signal.value(point, window_ms)?);
        let bound = short(*value);
        let beyond = match op {
            Comparison::Above => format!("above {bound}{unit}"),
            Comparison::AtLeast => format!("at {bound}{unit} or above"),
            Comparison::Below => format!("below {bound}{unit}"),
            Comparison::AtMost => format!("at {bound}{unit} or below"),
            Comparison::Equal => format!("at {bound}{unit}"),
            Comparison::NotEqual => format!("at anything but {bound}{unit}"),
        };
        Some(format!("{name} {seen}{unit}; the rule fires {beyond}"))
    }
}

fn compare(op: Comparison, seen: f64, bound: f64) -> bool {
    match op {
        Comparison::Above => seen > bound,
        Comparison::AtLeast => seen >= bound,
        Comparison::Below => seen < bound,
        Comparison::AtMost => seen <= bound,
        Comparison::Equal => (seen - bound).abs() < f64::EPSILON,
        Comparison::NotEqual => (seen - bound).abs() >= f64::EPSILON,
    }
}

/// A number with at most two digits after the point.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
