//! Get and list, with paging, selectors and the metadata-only form.

use ::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

use super::request::{Query, Target};
use super::resources::{EVENTS_V1, Resource};
use super::selector::Selector;
use super::status::Refusal;
use super::store::{Key, Store, Stored};
use crate::demo::http::{Reply, bytes};

/// In which form objects are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    /// `PartialObjectMetadata`.
    Metadata,
    /// Core events in the form of `events.k8s.io`.
    EventsV1,
}

impl View {
    pub(crate) fn of(resource: &'static Resource, accept: &str) -> Self {
        if accept.contains("as=PartialObjectMetadata") {
            Self::Metadata
        } else if resource.is(&EVENTS_V1) {
            Self::EventsV1
        } else {
            Self::Whole
        }
    }

    pub(crate) fn show(self, object: &Stored) -> Bytes {
        match self {
            Self::Whole => object.text.clone(),
            Self::Metadata => Bytes::from(metadata_only(&object.value()).to_string()),
            Self::EventsV1 => Bytes::from(event_v1(&object.value()).to_string()),
        }
    }
}

fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

fn event_v1(core: &Value) -> Value {
    let field = |name: &str| core.get(name).cloned().unwrap_or_default();
    json!({
        "kind": "Event",
        "apiVersion": "events.k8s.io/v1",
        "metadata": field("metadata"),
        "eventTime": field("eventTime"),
        "action": field("action"),
        "reason": field("reason"),
        "note": field("message"),
        "type": field("type"),
        "regarding": field("involvedObject"),
        "reportingController": core.pointer("/source/component").cloned().unwrap_or_else(|| json!("")),
        "reportingInstance": core.pointer("/source/host").cloned().unwrap_or_else(|| json!("")),
        "deprecatedSource": field("source"),
        "deprecatedFirstTimestamp": field("firstTimestamp"),
        "deprecatedLastTimestamp": field("lastTimestamp"),
        "deprecatedCount": field("count"),
    })
}

/// The selectors of a list or a watch, and the one object that a named one asks for.
pub(crate) fn selector(query: &Query) -> Result<Selector, Refusal> {
    Selector::parse(query.text("labelSelector"), query.text("fieldSelector")).map_err(Refusal::bad_request)
}

pub(crate) fn get(store: &Store, target: &Target, view: View) -> Result<Reply, Refusal> {
    let name = target.name.as_deref().unwrap_or_default();
    let key = Key::new(target.resource, target.namespace.as_deref().unwrap_or_default(), name);
    let object = store.get(&key).ok_or_else(|| Refusal::not_found(target.resource, name))?;
    Ok(bytes(StatusCode::OK, "application/json", view.show(&object)))
}

pub(crate) fn list(store: &Store, target: &Target, query: &Query, view: View) -> Result<Reply, Refusal> {
    let selector = selector(query)?;
    let (now, found) = store.list(target.resource, target.namespace.as_deref());
    let matching: Vec<_> = found.into_iter().filter(|object| selector.matches(object)).collect();
    let (revision, after) = match query.given("continue") {
        Some(token) => read_token(token).ok_or_else(|| Refusal::bad_request("continue key is not valid"))?,
        None => (now, None),
    };
    let start = after.map_or(0, |after| {
        matching.partition_point(|object| (&object.key.namespace, &object.key.name) <= (&after.0, &after.1))
    });
    let rest = matching.get(start..).unwrap_or_default();
    let limit = query.number("limit").and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let page = rest.get(..limit.unwrap_or(rest.len()).min(rest.len())).unwrap_or_default();
    let remaining = rest.len() - page.len();

    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let (true, Some(last)) = (remaining > 0, page.last()) {
        metadata["continue"] = json!(token(revision, &last.key));
        metadata["remainingItemCount"] = json!(remaining);
    }
    Ok(bytes(StatusCode::OK, "application/json", body(target.resource, &metadata, page, view)))
}

/// The list as text: the objects are serialized already.
fn body(resource: &Resource, metadata: &Value, page: &[std::sync::Arc<Stored>], view: View) -> Vec<u8> {
    let (kind, api_version) = match view {
        View::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        View::Whole | View::EventsV1 => (format!("{}List", resource.kind), resource.api_version()),
    };
    let mut text =
        format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[")
            .into_bytes();
    // Items of built-in lists do not repeat their kind; custom resources do.
    let prefix = format!("{{\"apiVersion\":\"{}\",\"kind\":\"{}\",", resource.api_version(), resource.kind);
    let built_in = !resource.group.contains("flink");
    for (index, object) in page.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let shown = view.show(object);
        match shown.strip_prefix(prefix.as_bytes()) {
            Some(bare) if built_in && view == View::Whole => {
                text.push(b'{');
                text.extend_from_slice(bare);
            }
            _ => text.extend_from_slice(&shown),
        }
    }
    text.extend_from_slice(b"]}");
    text
}

fn token(revision: u64, last: &Key) -> String {
    format!("{revision}.{}.{}", last.namespace, last.name)
}

/// The revision that a listing shows, and the last key of the page before.
fn read_token(token: &str) -> Option<(u64, Option<(String, String)>)> {
    let (revision, key) = token.split_once('.')?;
    let (namespace, name) = key.split_once('.')?;
    Some((revision.parse().ok()?, Some((namespace.to_owned(), name.to_owned()))))
}
