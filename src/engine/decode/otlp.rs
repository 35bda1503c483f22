//! Spans as the OpenTelemetry collector's Kafka exporter writes them (`otlp_proto` and `otlp_json`).
//!
//! How: a record holds many spans, grouped by resource. A span of a wanted kind is an event of the resource's
//! `service.name`, at the span's end, as long as the span; it failed when its status is ERROR.
//!
//! It must not count half a record: when any of it cannot be read, none of it is counted.

use std::borrow::Cow;

use serde::Deserialize;

use super::wire::{Broken, Message, Value};

/// What is taken from a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Span<'a> {
    /// `service.name` of the resource; `None` when it has none.
    pub(super) service: Option<Cow<'a, str>>,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub(super) kind: u64,
    /// Nanoseconds since 1970.
    pub(super) begin: u64,
    /// Nanoseconds since 1970.
    pub(super) end: u64,
    pub(super) failed: bool,
}

/// Status code of a span that failed.
const ERROR: u64 = 2;
/// Attribute with the service's name.
const SERVICE: &str = "service.name";

/// The spans of a protobuf message.
pub(super) fn from_protobuf(record: &[u8]) -> Option<Vec<Span<'_>>> {
    let mut spans = Vec::new();
    resources(record, &mut spans).ok().map(|()| spans)
}

fn resources<'a>(record: &'a [u8], spans: &mut Vec<Span<'a>>) -> Result<(), Broken> {
    for field in Message(record) {
        if let (1, Value::Bytes(resource_spans)) = field? {
            let from = spans.len();
            let mut service = None;
            for field in Message(resource_spans) {
                match field? {
                    (1, Value::Bytes(resource)) => service = service_of(resource)?.or(service),
                    (2, Value::Bytes(scope)) => scope_spans(scope, spans)?,
                    _ => {}
                }
            }
            let named = spans.get_mut(from..).unwrap_or_default();
            named.iter_mut().for_each(|span| span.service = service.map(Cow::Borrowed));
        }
    }
    Ok(())
}

fn service_of(resource: &[u8]) -> Result<Option<&str>, Broken> {
    let mut service = None;
    for field in Message(resource) {
        let (1, Value::Bytes(attribute)) = field? else { continue };
        let (mut key, mut text) = (&[][..], None);
        for field in Message(attribute) {
            match field? {
                (1, Value::Bytes(bytes)) => key = bytes,
                (2, Value::Bytes(value)) => text = string(value)?,
                _ => {}
            }
        }
        if key == SERVICE.as_bytes() {
            service = text.or(service);
        }
    }
    Ok(service)
}

/// The text of a value, when it is one.
fn string(value: &[u8]) -> Result<Option<&str>, Broken> {
    let mut text = None;
    for field in Message(value) {
        if let (1, Value::Bytes(bytes)) = field? {
            text = Some(std::str::from_utf8(bytes).map_err(|_| Broken)?);
        }
    }
    Ok(text)
}

fn scope_spans(scope: &[u8], spans: &mut Vec<Span<'_>>) -> Result<(), Broken> {
    for field in Message(scope) {
        let (2, Value::Bytes(bytes)) = field? else { continue };
        let mut span = Span::default();
        for field in Message(bytes) {
            match field? {
                (6, Value::Varint(kind)) => span.kind = kind,
                (7, Value::Fixed(begin)) => span.begin = begin,
                (8, Value::Fixed(end)) => span.end = end,
                (15, Value::Bytes(status)) => span.failed = failed(status)?,
                _ => {}
            }
        }
        spans.push(span);
    }
    Ok(())
}

fn failed(status: &[u8]) -> Result<bool, Broken> {
    let mut failed = false;
    for field in Message(status) {
        if let (3, Value::Varint(code)) = field? {
            failed = code == ERROR;
        }
    }
    Ok(failed)
}

/// The spans of a JSON document.
pub(super) fn from_json(record: &[u8]) -> Result<Vec<Span<'_>>, serde_json::Error> {
    let document: Document<'_> = serde_json::from_slice(record)?;
    let mut spans = Vec::new();
    for resource_spans in document.resource_spans {
        let mut attributes = resource_spans.resource.attributes.into_iter().rev();
        let service = attributes.find(|attribute| attribute.key == SERVICE).and_then(|it| it.value.string_value);
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let failed = span.status.code.number("STATUS_CODE_ERROR", ERROR) == ERROR;
            let kind = KINDS.iter().zip(1..).fold(0, |kind, (name, number)| kind.max(span.kind.number(name, number)));
            spans.push(Span { service: service.clone(), kind, begin: span.begin.0, end: span.end.0, failed });
        }
    }
    Ok(spans)
}

const KINDS: [&str; 5] =
    ["SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow)]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Resource<'a>,
    #[serde(borrow)]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Vec<Attribute<'a>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: AnyValue<'a>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    spans: Vec<JsonSpan<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct JsonSpan<'a> {
    #[serde(borrow)]
    kind: Enumeration<'a>,
    #[serde(rename = "startTimeUnixNano")]
    begin: Nanoseconds,
    #[serde(rename = "endTimeUnixNano")]
    end: Nanoseconds,
    #[serde(borrow)]
    status: Status<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    code: Enumeration<'a>,
}

/// A value of an enumeration: the exporter writes numbers, and names are allowed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Enumeration<'a> {
    Number(u64),
    #[serde(borrow)]
    Name(Cow<'a, str>),
}

impl Default for Enumeration<'_> {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Enumeration<'_> {
    /// Its number, when that is written; else `number`, when its name is this one; else 0.
    fn number(&self, name: &str, number: u64) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Name(known) if known == name => number,
            Self::Name(_) => 0,
        }
    }
}

/// A time: text, as 64 bits do not fit a number of JSON, or a number all the same.
#[derive(Clone, Copy, Default)]
struct Nanoseconds(u64);

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<'a> {
            Number(u64),
            #[serde(borrow)]
            Text(Cow<'a, str>),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests;
