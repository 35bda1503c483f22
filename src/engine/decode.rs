//! Turns a record into an event, or says why not.
//!
//! Why: what arrives is not what was promised. A wrong unit or a missing field must cost one event, counted and shown.
//!
//! How: the spec's fields are taken by [`Shape::extract`], converted to milliseconds and microseconds, and checked.
//!
//! It must not guess: a number in a string, a time outside years 1 to 9999 or a latency over an hour is refused.

use std::borrow::Cow;

use super::json::{Field, Shape};
use super::rejects::Reason;
use super::sketch::{GREATEST_US, LEAST_US};
use super::spec::{ErrorRule, LatencyUnit, Path, Spec, SpecError, TimeUnit};

/// Longest name of a service, in bytes.
const LONGEST_NAME: usize = 256;
/// The first millisecond of year 1 and the last of year 9999.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// What a record says of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it happened, milliseconds since 1970.
    pub time: i64,
    /// The service's name.
    pub service: Cow<'a, str>,
    /// Whether it failed by the spec's rule.
    pub failed: bool,
    /// How long it took, microseconds, from 1 to an hour.
    pub latency_us: u64,
}

/// Why a record is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is counted under.
    pub reason: Reason,
    /// What exactly is wrong.
    pub detail: String,
}

/// A field of the spec and its slot.
#[derive(Clone, Debug)]
struct Slot {
    path: Path,
    index: usize,
}

/// Decodes the records of one spec.
#[derive(Clone, Debug)]
pub struct Decoder {
    shape: Shape,
    time: Slot,
    time_unit: TimeUnit,
    latency: Slot,
    latency_unit: LatencyUnit,
    service: Slot,
    status: Slot,
    error: ErrorRule,
}

fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { reason, detail: detail.into() })
}

impl Decoder {
    /// A decoder of the spec's records.
    ///
    /// # Errors
    ///
    /// When the spec's fields contradict each other.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        let shape = spec.shape()?;
        let slot = |path: &Path| Slot { path: path.clone(), index: shape.slot(&path.keys()).unwrap_or(usize::MAX) };
        let (time, latency) = (slot(&spec.source.time.field), slot(&spec.source.latency.field));
        let (service, status) = (slot(&spec.key.service), slot(&spec.error.field));
        let (time_unit, latency_unit) = (spec.source.time.unit, spec.source.latency.unit);
        Ok(Self { shape, time, time_unit, latency, latency_unit, service, status, error: spec.error.clone() })
    }

    /// Decodes one record.
    ///
    /// # Errors
    ///
    /// When it is not JSON, a field is missing or of a wrong type, or a value cannot be.
    pub fn decode<'a>(&mut self, record: &'a str) -> Result<Event<'a>, Refusal> {
        let mut fields: [Field<'a>; 4] = [Field::Absent, Field::Absent, Field::Absent, Field::Absent];
        if let Err(error) = self.shape.extract(record, &mut fields) {
            return refuse(Reason::NotJson, error.to_string());
        }
        let time = time(present(&fields, &self.time)?, self.time_unit, &self.time.path)?;
        let latency_us = latency(present(&fields, &self.latency)?, self.latency_unit, &self.latency.path)?;
        let status = present(&fields, &self.status)?;
        let Some(failed) = self.error.failed(status) else {
            return refuse(
                Reason::WrongType,
                format!("{} cannot be compared as the error rule says", self.status.path.text()),
            );
        };
        present(&fields, &self.service)?;
        let service = match fields.get_mut(self.service.index).map(std::mem::take) {
            Some(Field::Text(name)) if !name.is_empty() && name.len() <= LONGEST_NAME => name,
            Some(Field::Text(name)) => {
                return refuse(Reason::Service, format!("{} has {} bytes", self.service.path.text(), name.len()));
            }
            _ => return refuse(Reason::WrongType, format!("{} is not a string", self.service.path.text())),
        };
        Ok(Event { time, service, failed, latency_us })
    }
}

fn present<'f, 'a>(fields: &'f [Field<'a>], slot: &Slot) -> Result<&'f Field<'a>, Refusal> {
    match fields.get(slot.index) {
        None | Some(Field::Absent | Field::Null) => {
            refuse(Reason::Missing, format!("there is no {}", slot.path.text()))
        }
        Some(field) => Ok(field),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "checked to be within years 1 to 9999"
)]
fn time(field: &Field<'_>, unit: TimeUnit, path: &Path) -> Result<i64, Refusal> {
    let scaled = |float: f64, factor: f64| {
        let millis = (float * factor).floor();
        (*YEARS.start() as f64..=*YEARS.end() as f64).contains(&millis).then_some(millis as i64)
    };
    let millis = match (unit, field) {
        (TimeUnit::S, Field::Integer(seconds)) => seconds.checked_mul(1_000),
        (TimeUnit::Ms, Field::Integer(millis)) => Some(*millis),
        (TimeUnit::Us, Field::Integer(micros)) => Some(micros.div_euclid(1_000)),
        (TimeUnit::Ns, Field::Integer(nanos)) => Some(nanos.div_euclid(1_000_000)),
        (TimeUnit::S, Field::Float(seconds)) => scaled(*seconds, 1e3),
        (TimeUnit::Ms, Field::Float(millis)) => scaled(*millis, 1.0),
        (TimeUnit::Us, Field::Float(micros)) => scaled(*micros, 1e-3),
        (TimeUnit::Ns, Field::Float(nanos)) => scaled(*nanos, 1e-6),
        (TimeUnit::Rfc3339, Field::Text(text)) => {
            chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
        }
        (TimeUnit::Rfc3339, _) => return refuse(Reason::WrongType, format!("{} is not a string", path.text())),
        _ => return refuse(Reason::WrongType, format!("{} is not a number", path.text())),
    };
    match millis.filter(|millis| YEARS.contains(millis)) {
        Some(millis) => Ok(millis),
        None => refuse(Reason::Time, format!("{} is no time in years 1 to 9999: is its unit right?", path.text())),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "checked to be within an hour"
)]
fn latency(field: &Field<'_>, unit: LatencyUnit, path: &Path) -> Result<u64, Refusal> {
    let (amount, factor) = match (field, unit) {
        (Field::Integer(micros), LatencyUnit::Us) if (1..=GREATEST_US.cast_signed()).contains(micros) => {
            return Ok(micros.cast_unsigned());
        }
        (Field::Integer(amount), unit) => (*amount as f64, unit.micros()),
        (Field::Float(amount), unit) => (*amount, unit.micros()),
        _ => return refuse(Reason::WrongType, format!("{} is not a number", path.text())),
    };
    let micros = amount * factor;
    if !(0.0..=GREATEST_US as f64).contains(&micros) {
        let what = if micros < 0.0 { "is negative" } else { "is over an hour: is its unit right?" };
        return refuse(Reason::Latency, format!("{} {what}", path.text()));
    }
    Ok((micros.round() as u64).max(LEAST_US))
}

impl LatencyUnit {
    /// Microseconds in one.
    const fn micros(self) -> f64 {
        match self {
            Self::S => 1e6,
            Self::Ms => 1e3,
            Self::Us => 1.0,
            Self::Ns => 1e-3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(time_unit: TimeUnit, latency_unit: LatencyUnit) -> Decoder {
        let mut spec = Spec::parse(include_str!("../../config/examples/golden-signals.toml")).unwrap();
        (spec.source.time.unit, spec.source.latency.unit) = (time_unit, latency_unit);
        Decoder::new(&spec).unwrap()
    }

    fn record(time: &str, latency: &str) -> String {
        format!(r#"{{"ts":{time},"svc":"a","status":200,"lat_us":{latency}}}"#)
    }

    #[test]
    fn units_are_converted() {
        let second = 1_700_000_000_123_i64;
        for (unit, text) in [
            (TimeUnit::Ms, "1700000000123"),
            (TimeUnit::Ms, "1700000000123.9"),
            (TimeUnit::S, "1700000000.1235"),
            (TimeUnit::Us, "1700000000123999"),
            (TimeUnit::Ns, "1700000000123999999"),
            (TimeUnit::Rfc3339, "\"2023-11-14T23:13:20.123+01:00\""),
        ] {
            let record = record(text, "1");
            assert_eq!(decoder(unit, LatencyUnit::Us).decode(&record).map(|event| event.time), Ok(second), "{text}");
        }
        for (unit, text, expected) in [
            (LatencyUnit::Us, "1834", 1_834),
            (LatencyUnit::Us, "0", 1),
            (LatencyUnit::Ms, "1.8345", 1_835),
            (LatencyUnit::S, "3600", GREATEST_US),
            (LatencyUnit::Ns, "1499", 1),
        ] {
            let record = record("0", text);
            let found = decoder(TimeUnit::Ms, unit).decode(&record).map(|event| event.latency_us);
            assert_eq!(found, Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_records_are_refused_by_reason() {
        let mut decoder = decoder(TimeUnit::Ms, LatencyUnit::Us);
        let long = format!(r#"{{"ts":1,"svc":"{}","status":200,"lat_us":1}}"#, "x".repeat(257));
        for (record, reason, detail) in [
            ("nonsense", Reason::NotJson, "line 1"),
            ("[]", Reason::Missing, "there is no ts"),
            (r#"{"ts":null}"#, Reason::Missing, "there is no ts"),
            (r#"{"ts":1,"lat_us":1,"svc":"a"}"#, Reason::Missing, "there is no status"),
            (r#"{"ts":"1","lat_us":1,"svc":"a","status":1}"#, Reason::WrongType, "ts is not a number"),
            (r#"{"ts":1,"lat_us":{},"svc":"a","status":1}"#, Reason::WrongType, "lat_us is not a number"),
            (r#"{"ts":1,"lat_us":1,"svc":7,"status":1}"#, Reason::WrongType, "svc is not a string"),
            (r#"{"ts":1,"lat_us":1,"svc":"a","status":"200"}"#, Reason::WrongType, "status cannot be compared"),
            (r#"{"ts":1,"lat_us":1,"svc":"","status":1}"#, Reason::Service, "svc has 0 bytes"),
            (&long, Reason::Service, "svc has 257 bytes"),
            (&record("1700000000123000", "1"), Reason::Time, "is its unit right?"),
            (&record("9e300", "1"), Reason::Time, "is its unit right?"),
            (&record("1", "-1"), Reason::Latency, "is negative"),
            (&record("1", "3600000001"), Reason::Latency, "over an hour"),
            (&record("1", "1e300"), Reason::Latency, "over an hour"),
            (&record("1", "NaN"), Reason::NotJson, "line 1"),
            (&record("1", "1e999"), Reason::NotJson, "out of range"),
        ] {
            let refusal = decoder.decode(record).unwrap_err();
            assert_eq!(refusal.reason, reason, "{record}");
            assert!(refusal.detail.contains(detail), "{record}: {}", refusal.detail);
        }
    }
}
