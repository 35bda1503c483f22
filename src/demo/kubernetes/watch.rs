//! Watches: from a revision, from scratch, or as a streaming list; bookmarks, 410 Gone, an end by `timeoutSeconds`.
//!
//! A watch is a cursor into the store's history. It sleeps until the revision moves, reads what is new, and sends one
//! frame; a client that does not read holds up nobody.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use serde_json::json;
use tokio::time::Instant;

use super::read::{View, selector};
use super::request::{Query, Target};
use super::resources::Resource;
use super::selector::Selector;
use super::status::Refusal;
use super::store::{Change, Stored};
use crate::demo::environment::Environment;
use crate::demo::http::{self, Reply};

/// How often a quiet watch is told that it is up to date.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);

struct Watching {
    environment: Arc<Environment>,
    resource: &'static Resource,
    namespace: Option<String>,
    selector: Selector,
    view: View,
    cursor: u64,
    /// What is ready to be sent.
    pending: BytesMut,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    ended: bool,
}

pub(crate) fn watch(
    environment: &Arc<Environment>,
    target: &Target,
    query: &Query,
    view: View,
) -> Result<Reply, Refusal> {
    let streaming = query.is_set("sendInitialEvents");
    if streaming && query.text("resourceVersionMatch") != "NotOlderThan" {
        return Err(Refusal::bad_request(
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ));
    }
    let selector = match target.name.as_deref() {
        None => selector(query)?,
        Some(name) => Selector::parse(query.text("labelSelector"), &format!("metadata.name={name}"))
            .map_err(Refusal::bad_request)?,
    };
    let from = query.text("resourceVersion");
    let cursor = Some(from)
        .filter(|from| !from.is_empty() && *from != "0")
        .map(|text| text.parse::<u64>().map_err(|_| Refusal::bad_request(format!("invalid resource version {text:?}"))))
        .transpose()?;
    let now = Instant::now();
    let seconds = query.number("timeoutSeconds").unwrap_or(1800);
    let mut watching = Watching {
        environment: Arc::clone(environment),
        resource: target.resource,
        namespace: target.namespace.clone(),
        selector,
        view,
        cursor: cursor.unwrap_or_default(),
        pending: BytesMut::new(),
        bookmarks: query.is_set("allowWatchBookmarks"),
        next_bookmark: now + BOOKMARK_EVERY,
        deadline: now + Duration::from_secs(seconds),
        ended: false,
    };
    if streaming || cursor.is_none() {
        watching.send_initial(streaming);
    }
    let source = stream::unfold(watching, |mut watching| async move {
        let chunk = watching.next().await?;
        Some((chunk, watching))
    });
    Ok(http::stream("application/json", source))
}

impl Watching {
    fn send_initial(&mut self, streaming: bool) {
        let (revision, objects) = self.environment.store.list(self.resource, self.namespace.as_deref());
        for object in objects.iter().filter(|object| self.selector.matches(object)) {
            event(&mut self.pending, "ADDED", &self.view.show(object));
        }
        self.cursor = revision;
        if streaming {
            self.bookmark(true);
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        let mut revisions = self.environment.store.subscribe();
        loop {
            revisions.mark_unchanged();
            self.read_changes();
            if !self.pending.is_empty() {
                return Some(self.pending.split().freeze());
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                changed = revisions.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.deadline) => return None,
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.bookmark(false);
                    self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                }
            }
        }
    }

    fn read_changes(&mut self) {
        if self.ended {
            return;
        }
        if let Ok((revision, changes)) = self.environment.store.changes(self.resource, self.cursor) {
            self.cursor = revision;
            for change in &changes {
                self.send(change);
            }
        } else {
            let refusal = Refusal::expired(self.cursor, self.environment.store.revision());
            event(&mut self.pending, "ERROR", refusal.body().to_string().as_bytes());
            self.ended = true;
        }
    }

    /// An object that comes into view is added, one that leaves it is deleted, whatever happened to it.
    fn send(&mut self, change: &Change) {
        let seen = |side: &Option<Arc<Stored>>| side.clone().filter(|object| self.sees(object));
        let (kind, object) = match (seen(&change.before), seen(&change.after)) {
            (None, Some(after)) => ("ADDED", after),
            (Some(_), Some(after)) => ("MODIFIED", after),
            (Some(before), None) => ("DELETED", change.after.clone().unwrap_or(before)),
            (None, None) => return,
        };
        event(&mut self.pending, kind, &self.view.show(&object));
    }

    fn sees(&self, object: &Stored) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == object.key.namespace)
            && self.selector.matches(object)
    }

    fn bookmark(&mut self, ends_initial_events: bool) {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string(), "creationTimestamp": null});
        if ends_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object =
            json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata});
        event(&mut self.pending, "BOOKMARK", object.to_string().as_bytes());
    }
}

fn event(buffer: &mut BytesMut, kind: &str, object: &[u8]) {
    buffer.reserve(object.len() + kind.len() + 32);
    buffer.put_slice(b"{\"type\":\"");
    buffer.put_slice(kind.as_bytes());
    buffer.put_slice(b"\",\"object\":");
    buffer.put_slice(object);
    buffer.put_slice(b"}\n");
}
