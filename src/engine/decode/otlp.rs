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
    /// The wanted attributes, of the span or else of its resource.
    pub(super) attributes: Attributes<'a>,
}

/// Values of the wanted attributes in order; `None` where there is none.
type Attributes<'a> = Vec<Option<Cow<'a, str>>>;

/// Status code of a span that failed.
const ERROR: u64 = 2;
/// Attribute with the service's name.
const SERVICE: &str = "service.name";

/// The spans of a protobuf message, with these of their attributes.
pub(super) fn from_protobuf<'a>(record: &'a [u8], wanted: &[String]) -> Option<Vec<Span<'a>>> {
    let mut spans = Vec::new();
    resources(record, wanted, &mut spans).ok().map(|()| spans)
}

fn resources<'a>(record: &'a [u8], wanted: &[String], spans: &mut Vec<Span<'a>>) -> Result<(), Broken> {
    for field in Message(record) {
        if let (1, Value::Bytes(resource_spans)) = field? {
            let from = spans.len();
            let (mut service, mut attributes) = (None, vec![None; wanted.len()]);
            for field in Message(resource_spans) {
                match field? {
                    (1, Value::Bytes(resource)) => {
                        service = of_resource(resource, wanted, &mut attributes)?.or(service);
                    }
                    (2, Value::Bytes(scope)) => scope_spans(scope, wanted, spans)?,
                    _ => {}
                }
            }
            for span in spans.get_mut(from..).unwrap_or_default() {
                span.service = service.map(Cow::Borrowed);
                span.inherit(&attributes);
            }
        }
    }
    Ok(())
}

impl<'a> Span<'a> {
    /// Takes over what only the resource says.
    fn inherit(&mut self, resource: &[Option<Cow<'a, str>>]) {
        for (own, inherited) in self.attributes.iter_mut().zip(resource) {
            if own.is_none() {
                own.clone_from(inherited);
            }
        }
    }
}

/// The service's name; the wanted attributes go where they belong.
fn of_resource<'a>(
    resource: &'a [u8],
    wanted: &[String],
    attributes: &mut [Option<Cow<'a, str>>],
) -> Result<Option<&'a str>, Broken> {
    let mut service = None;
    for field in Message(resource) {
        let (1, Value::Bytes(pair)) = field? else { continue };
        let (key, value) = attribute(pair)?;
        if key == SERVICE.as_bytes() {
            service = string(value)?.or(service);
        }
        keep((key, value), wanted, attributes)?;
    }
    Ok(service)
}

/// Key and value of an attribute.
fn attribute(pair: &[u8]) -> Result<(&[u8], &[u8]), Broken> {
    let (mut key, mut value) = (&[][..], &[][..]);
    for field in Message(pair) {
        match field? {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Keeps an attribute that is wanted.
fn keep<'a>(
    (key, value): (&[u8], &'a [u8]),
    wanted: &[String],
    attributes: &mut [Option<Cow<'a, str>>],
) -> Result<(), Broken> {
    for (_, slot) in wanted.iter().zip(attributes).filter(|(wanted, _)| wanted.as_bytes() == key) {
        *slot = word(value)?;
    }
    Ok(())
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

/// A value that can be a name: text, a truth or a whole number.
fn word(value: &[u8]) -> Result<Option<Cow<'_, str>>, Broken> {
    for field in Message(value) {
        match field? {
            (2, Value::Varint(truth)) => return Ok(Some(Cow::Borrowed(if truth == 0 { "false" } else { "true" }))),
            (3, Value::Varint(number)) => return Ok(Some(Cow::Owned(number.cast_signed().to_string()))),
            _ => {}
        }
    }
    Ok(string(value)?.map(Cow::Borrowed))
}

fn scope_spans<'a>(scope: &'a [u8], wanted: &[String], spans: &mut Vec<Span<'a>>) -> Result<(), Broken> {
    for field in Message(scope) {
        let (2, Value::Bytes(bytes)) = field? else { continue };
        let mut span = Span { attributes: vec![None; wanted.len()], ..Span::default() };
        for field in Message(bytes) {
            match field? {
                (9, Value::Bytes(pair)) if !wanted.is_empty() => keep(attribute(pair)?, wanted, &mut span.attributes)?,
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

/// The spans of a JSON document, with these of their attributes.
pub(super) fn from_json<'a>(record: &'a [u8], wanted: &[String]) -> Result<Vec<Span<'a>>, serde_json::Error> {
    let document: Document<'a> = serde_json::from_slice(record)?;
    let mut spans = Vec::new();
    for resource_spans in document.resource_spans {
        let resource = resource_spans.resource.attributes;
        let named = resource.iter().rev().find(|attribute| attribute.key == SERVICE);
        let service = named.and_then(|attribute| attribute.value.text.clone());
        let inherited = words(&resource, wanted);
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let failed = span.status.code.number("STATUS_CODE_ERROR", ERROR) == ERROR;
            let kind = KINDS.iter().zip(1..).fold(0, |kind, (name, number)| kind.max(span.kind.number(name, number)));
            let (begin, end, attributes) = (span.begin.0, span.end.0, words(&span.attributes, wanted));
            let mut span = Span { service: service.clone(), kind, begin, end, failed, attributes };
            span.inherit(&inherited);
            spans.push(span);
        }
    }
    Ok(spans)
}

/// The wanted ones of some attributes.
fn words<'a>(attributes: &[Attribute<'a>], wanted: &[String]) -> Attributes<'a> {
    let find = |wanted: &String| attributes.iter().rev().find(|attribute| attribute.key == wanted.as_str());
    wanted.iter().map(|wanted| find(wanted)?.value.word()).collect()
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
#[serde(default)]
struct AnyValue<'a> {
    #[serde(borrow, rename = "stringValue")]
    text: Option<Cow<'a, str>>,
    #[serde(rename = "boolValue")]
    truth: Option<bool>,
    #[serde(borrow, rename = "intValue")]
    number: Option<Either<'a, i64>>,
}

impl<'a> AnyValue<'a> {
    /// A value that can be a name.
    fn word(&self) -> Option<Cow<'a, str>> {
        match self {
            Self { truth: Some(truth), .. } => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Self { number: Some(Either::Number(number)), .. } => Some(Cow::Owned(number.to_string())),
            Self { number: Some(Either::Text(text)), .. } => Some(text.clone()),
            Self { text, .. } => text.clone(),
        }
    }
}

/// A whole number of 64 bits: text, as it does not fit a number of JSON, or a number all the same.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either<'a, Number> {
    Number(Number),
    #[serde(borrow)]
    Text(Cow<'a, str>),
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
    #[serde(borrow)]
    attributes: Vec<Attribute<'a>>,
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

/// A time.
#[derive(Clone, Copy, Default)]
struct Nanoseconds(u64);

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests;
