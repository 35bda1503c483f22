//! Spans as events.

use super::{Event, LONGEST_NAME, Refusal, YEARS, otlp, refuse};
use crate::engine::rejects::Reason;
use crate::engine::sketch::{GREATEST_US, LEAST_US};
use crate::engine::spec::{Format, Spec};

/// Decodes records that hold spans.
#[derive(Clone, Debug)]
pub struct SpanDecoder {
    in_json: bool,
    kinds: Vec<u64>,
    /// The attributes that are dimensions.
    wanted: Vec<String>,
}

impl SpanDecoder {
    pub(super) fn new(spec: &Spec) -> Self {
        let kinds = spec.source.kinds.iter().map(|kind| *kind as u64).collect();
        let wanted = spec.dimensions.iter().map(|dimension| dimension.field.text()).collect();
        Self { in_json: spec.source.format == Format::OtlpJson, kinds, wanted }
    }

    /// Decodes one record: what became of each span of a wanted kind, and how many there are of others.
    ///
    /// # Errors
    ///
    /// When any of it cannot be read.
    pub fn decode<'a>(&self, record: &'a [u8]) -> Result<(Vec<Result<Event<'a>, Refusal>>, u64), Refusal> {
        let spans = if self.in_json {
            otlp::from_json(record, &self.wanted)
                .map_err(|error| Refusal { reason: Reason::NotJson, detail: error.to_string() })?
        } else {
            let detail = "not a protobuf message of spans";
            otlp::from_protobuf(record, &self.wanted)
                .ok_or_else(|| Refusal { reason: Reason::Format, detail: detail.to_owned() })?
        };
        let all = spans.len();
        let events: Vec<_> =
            spans.into_iter().filter(|span| self.kinds.contains(&span.kind)).map(event_of_span).collect();
        let others = all - events.len();
        Ok((events, others as u64))
    }
}

pub(super) fn event_of_span(span: otlp::Span<'_>) -> Result<Event<'_>, Refusal> {
    let time = i64::try_from(span.end / 1_000_000).ok().filter(|time| *time > 0 && YEARS.contains(time));
    let Some(time) = time else { return refuse(Reason::Time, "the span has no end") };
    let Some(nanoseconds) = span.end.checked_sub(span.begin) else {
        return refuse(Reason::Latency, "the span ends before it begins");
    };
    let latency_us = (nanoseconds.saturating_add(500) / 1_000).max(LEAST_US);
    if latency_us > GREATEST_US {
        return refuse(Reason::Latency, "the span is over an hour long");
    }
    match span.service {
        Some(service) if !service.is_empty() && service.len() <= LONGEST_NAME => {
            let dimensions = span.attributes.into_iter().map(Option::unwrap_or_default).collect();
            Ok(Event { time, service, failed: span.failed, latency_us, dimensions, saturation: None })
        }
        Some(service) => refuse(Reason::Service, format!("service.name has {} bytes", service.len())),
        None => refuse(Reason::Missing, "there is no service.name"),
    }
}
