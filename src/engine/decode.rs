//! Turns a record into an event, or says why not.
//!
//! Why: what arrives is not what was promised. A wrong unit or a missing field must cost one event, counted and shown.
//!
//! How: the spec's fields are taken from JSON ([`Shape`]) or from a line ([`mod@line`]), converted to milliseconds and
//! microseconds, and checked; records of OpenTelemetry hold many events ([`otlp`]).
//!
//! It must not guess: a number in a string, a time outside years 1 to 9999 or a latency over an hour is refused.

pub(super) mod line;
mod otlp;
mod spans;
mod wire;

use std::borrow::Cow;

use super::contract;
use super::json::{Field, Shape};
use super::rejects::Reason;
use super::sketch::{GREATEST_US, LEAST_US};
use super::spec::{ErrorRule, LatencyUnit, MOST_DIMENSIONS, Operand, Path, Read, Spec, SpecError, TimeUnit};
use line::LineShape;

pub use spans::SpanDecoder;

/// Fields that an event is made of, at most, besides its dimensions.
const FIELDS: usize = 4;
/// Longest name of a service, in bytes.
pub const LONGEST_NAME: usize = 256;
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
    /// Values of the spec's dimensions in order; "" where it has none.
    pub dimensions: Vec<Cow<'a, str>>,
    /// How near to its limit it says that its service is, tenths of a percent.
    pub saturation: Option<u16>,
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

/// How the records of a spec are decoded.
#[derive(Clone, Debug)]
pub enum Decoding {
    /// A record is an event.
    Fields(Box<Decoder>),
    /// A record holds spans, each of them an event.
    Spans(SpanDecoder),
    /// A record is a row that others counted by a spec of this hash.
    Rows(String),
}

impl Decoding {
    /// What the spec asks for.
    ///
    /// # Errors
    ///
    /// When the spec's fields contradict each other.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        if spec.source.read == Read::Aggregated {
            return Ok(Self::Rows(contract::sha(spec)));
        }
        if spec.source.format.is_spans() {
            return Ok(Self::Spans(SpanDecoder::new(spec)));
        }
        Ok(Self::Fields(Box::new(Decoder::new(spec)?)))
    }
}

/// Decodes records of which each is an event.
#[derive(Clone, Debug)]
pub struct Decoder {
    record: RecordShape,
    time: Slot,
    time_unit: TimeUnit,
    latency: Slot,
    latency_unit: LatencyUnit,
    service: Slot,
    status: Slot,
    error: ErrorRule,
    dimensions: Vec<Slot>,
    /// With the number at which the limit is reached.
    saturation: Option<(Slot, f64)>,
}

#[derive(Clone, Debug)]
enum RecordShape {
    Json(Shape),
    Line(LineShape),
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
        let (Some(time), Some(latency), Some(key)) = (&spec.source.time, &spec.source.latency, &spec.key) else {
            let problem = "spans are not decoded by fields";
            return Err(SpecError::Value { key: "source.format", value: format!("{:?}", spec.source.format), problem });
        };
        let shape = spec.shape()?;
        let slot = |path: &Path| Slot { path: path.clone(), index: shape.slot(&path.keys()).unwrap_or(usize::MAX) };
        let (time_slot, latency_slot) = (slot(&time.field), slot(&latency.field));
        let (service, status) = (slot(&key.service), slot(&spec.error.field));
        let dimensions = spec.dimensions.iter().map(|dimension| slot(&dimension.field)).collect();
        let saturation = spec.source.saturation.as_ref().map(|it| (slot(&it.field), it.full));
        let full = saturation.as_ref().map(|(slot, _): &(Slot, f64)| slot.index);
        let record = match &spec.source.pattern {
            None => RecordShape::Json(shape),
            Some(pattern) => {
                let in_words = matches!(time.unit, TimeUnit::Rfc3339 | TimeUnit::Clf);
                let compares_words = matches!(spec.error.value, Operand::Text(_) | Operand::Bool(_));
                let numeric = |slot: usize| {
                    (slot == time_slot.index && !in_words)
                        || slot == latency_slot.index
                        || Some(slot) == full
                        || (slot == status.index && !compares_words)
                };
                RecordShape::Line(LineShape::new(pattern, &shape.names(), numeric))
            }
        };
        Ok(Self {
            record,
            time: time_slot,
            time_unit: time.unit,
            latency: latency_slot,
            latency_unit: latency.unit,
            service,
            status,
            error: spec.error.clone(),
            dimensions,
            saturation,
        })
    }

    /// Decodes one record.
    ///
    /// # Errors
    ///
    /// When it is not of the spec's format, a field is missing or of a wrong type, or a value cannot be.
    pub fn decode<'a>(&mut self, record: &'a str) -> Result<Event<'a>, Refusal> {
        // Whoever asks for no more does not pay for it.
        if self.dimensions.is_empty() && self.saturation.is_none() {
            self.decode_fields::<FIELDS>(record)
        } else {
            self.decode_fields::<{ FIELDS + MOST_DIMENSIONS + 1 }>(record)
        }
    }

    fn decode_fields<'a, const SLOTS: usize>(&mut self, record: &'a str) -> Result<Event<'a>, Refusal> {
        let mut fields: [Field<'a>; SLOTS] = [const { Field::Absent }; SLOTS];
        match &mut self.record {
            RecordShape::Json(shape) => {
                if let Err(error) = shape.extract(record, &mut fields) {
                    return refuse(Reason::NotJson, error.to_string());
                }
            }
            RecordShape::Line(shape) => {
                if shape.extract(record, &mut fields).is_none() {
                    return refuse(Reason::Format, "the line is not of the pattern");
                }
            }
        }
        let time = time(present(&fields, &self.time)?, self.time_unit, &self.time.path)?;
        let latency_us = latency(present(&fields, &self.latency)?, self.latency_unit, &self.latency.path)?;
        let failed = self.failed(&fields)?;
        present(&fields, &self.service)?;
        let dimensions = self.dimensions.iter().map(|slot| name(fields.get(slot.index))).collect();
        let saturation = self.saturation.as_ref().and_then(|(slot, full)| share(fields.get(slot.index)?, *full));
        let service = match fields.get_mut(self.service.index).map(std::mem::take) {
            Some(Field::Text(name)) if !name.is_empty() && name.len() <= LONGEST_NAME => name,
            Some(Field::Text(name)) => {
                return refuse(Reason::Service, format!("{} has {} bytes", self.service.path.text(), name.len()));
            }
            _ => return refuse(Reason::WrongType, format!("{} is not a string", self.service.path.text())),
        };
        Ok(Event { time, service, failed, latency_us, dimensions, saturation })
    }

    fn failed(&self, fields: &[Field<'_>]) -> Result<bool, Refusal> {
        match (present(fields, &self.status), self.error.failed_without()) {
            (Err(_), Some(failed)) => Ok(failed),
            (Err(refusal), None) => Err(refusal),
            (Ok(status), _) => match self.error.failed(status) {
                Some(failed) => Ok(failed),
                None => refuse(
                    Reason::WrongType,
                    format!("{} cannot be compared as the error rule says", self.status.path.text()),
                ),
            },
        }
    }
}

/// How much of a limit a number is, tenths of a percent. What is no number, or none that can be, says nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "clamped before the cast"
)]
fn share(field: &Field<'_>, full: f64) -> Option<u16> {
    let number = match field {
        Field::Integer(number) => *number as f64,
        Field::Float(number) => *number,
        _ => return None,
    };
    let tenths = (number / full * 1_000.0).round();
    (number.is_finite() && number >= 0.0).then(|| tenths.min(f64::from(u16::MAX)) as u16)
}

/// A value of a dimension. What is no name, or not there, is none.
fn name<'a>(field: Option<&Field<'a>>) -> Cow<'a, str> {
    match field {
        Some(Field::Text(text)) => text.clone(),
        Some(Field::Integer(number)) => Cow::Owned(number.to_string()),
        Some(Field::Bool(truth)) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        _ => Cow::Borrowed(""),
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
        (TimeUnit::Clf, Field::Text(text)) => {
            chrono::DateTime::parse_from_str(text, "%d/%b/%Y:%H:%M:%S %z").ok().map(|time| time.timestamp_millis())
        }
        (TimeUnit::Rfc3339 | TimeUnit::Clf, _) => {
            return refuse(Reason::WrongType, format!("{} is not a string", path.text()));
        }
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
mod tests;
