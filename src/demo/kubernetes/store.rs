//! The etcd of one demo cluster: objects as JSON text, one rising revision, and a bounded history for watches.
//!
//! Objects are kept as serialized bytes, not as trees: a watch hands out the very bytes, and a platform of a hundred
//! pods stays within a few megabytes. Whoever changes an object pays for one parse. Watches keep a cursor into the
//! history and are woken by a counter, so that a slow client costs nothing and one that is too slow gets 410 Gone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::resources::Resource;
use crate::demo::dice;

/// Bytes of objects that the history may hold before the oldest changes are forgotten.
const HISTORY_BYTES: usize = 3 << 20;

/// Where an object lives. The order is that of lists: kind, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    group: &'static str,
    plural: &'static str,
    /// Empty for objects of the cluster.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &'static Resource, namespace: &str, name: &str) -> Self {
        let resource = resource.storage();
        let namespace = if resource.namespaced { namespace } else { "" };
        Self { group: resource.group, plural: resource.plural, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn is_of(&self, resource: &Resource) -> bool {
        self.group == resource.group && self.plural == resource.plural
    }
}

/// One revision of one object.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) text: Bytes,
}

impl Stored {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

/// What happened to an object: a missing side means that it did not exist.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) before: Option<Arc<Stored>>,
    pub(crate) after: Option<Arc<Stored>>,
}

impl Change {
    fn key(&self) -> Option<&Key> {
        self.after.as_ref().or(self.before.as_ref()).map(|stored| &stored.key)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreError {
    Missing,
    Exists,
}

/// The history does not reach back that far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compacted;

#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    revision: watch::Sender<u64>,
    /// Distinguishes the identifiers of one environment from those of another.
    name: String,
}

#[derive(Debug, Default)]
struct Inner {
    revision: u64,
    objects: BTreeMap<Key, Arc<Stored>>,
    history: VecDeque<Change>,
    history_bytes: usize,
    /// Changes up to this revision are forgotten.
    compacted: u64,
}

impl Store {
    pub(crate) fn new(name: &str) -> Self {
        // A cluster that has lived for a while: revisions do not start at one.
        let first = 880_000 + dice::stable(&[name]) % 9_000;
        let inner = Inner { revision: first, compacted: first, ..Inner::default() };
        Self { inner: Mutex::new(inner), revision: watch::Sender::new(first), name: name.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of every new revision, the latest only.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.lock().objects.get(key).map(Arc::clone)
    }

    /// The value of an object, for those who want to look inside.
    pub(crate) fn value(&self, key: &Key) -> Option<Value> {
        self.get(key).map(|stored| stored.value())
    }

    /// All objects of a kind, of one namespace or of all, with the revision that the answer shows.
    pub(crate) fn list(&self, resource: &'static Resource, namespace: Option<&str>) -> (u64, Vec<Arc<Stored>>) {
        let inner = self.lock();
        let first = Key::new(resource, namespace.unwrap_or_default(), "");
        let found = inner
            .objects
            .range(first..)
            .take_while(|(key, _)| {
                key.is_of(resource.storage()) && namespace.is_none_or(|namespace| key.namespace == namespace)
            })
            .map(|(_, stored)| Arc::clone(stored))
            .collect();
        (inner.revision, found)
    }

    /// Changes of a kind after a revision, and the revision up to which the answer is complete.
    pub(crate) fn changes(&self, resource: &'static Resource, after: u64) -> Result<(u64, Vec<Change>), Compacted> {
        let inner = self.lock();
        if after < inner.compacted {
            return Err(Compacted);
        }
        let from = inner.history.partition_point(|change| change.revision <= after);
        let changes = inner
            .history
            .range(from..)
            .filter(|change| change.key().is_some_and(|key| key.is_of(resource.storage())))
            .cloned()
            .collect();
        Ok((inner.revision, changes))
    }

    /// Stores a new object and gives it what the server gives: identifier, revision, time, generation.
    pub(crate) fn create(&self, resource: &'static Resource, mut object: Value) -> Result<Arc<Stored>, StoreError> {
        let resource = resource.storage();
        let text =
            |object: &Value, field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = Key::new(resource, &text(&object, "/metadata/namespace"), &text(&object, "/metadata/name"));
        let inner = self.lock();
        if inner.objects.contains_key(&key) {
            return Err(StoreError::Exists);
        }
        let revision = inner.revision + 1;
        let uid = dice::uuid(&[&self.name, resource.plural, &key.namespace, &key.name, &revision.to_string()]);
        let has_generation = object.get("spec").is_some() && !resource.is(&super::resources::SERVICES);
        if let Some(metadata) = metadata_of(&mut object) {
            metadata.entry("uid").or_insert_with(|| json!(uid));
            metadata.entry("creationTimestamp").or_insert_with(|| json!(now_text()));
            if has_generation {
                metadata.entry("generation").or_insert(json!(1));
            }
        }
        set(&mut object, "apiVersion", json!(resource.api_version()));
        set(&mut object, "kind", json!(resource.kind));
        Ok(self.put(inner, key, object, None))
    }

    /// Changes an object in place; the same content makes no new revision. A changed spec is a new generation.
    pub(crate) fn update(&self, key: &Key, change: impl FnOnce(&mut Value)) -> Result<Arc<Stored>, StoreError> {
        let inner = self.lock();
        let before = inner.objects.get(key).map(Arc::clone).ok_or(StoreError::Missing)?;
        let old = before.value();
        let mut new = old.clone();
        change(&mut new);
        if new == old {
            return Ok(before);
        }
        if new.get("spec") != old.get("spec")
            && let Some(generation) = old.pointer("/metadata/generation").and_then(Value::as_i64)
            && let Some(metadata) = metadata_of(&mut new)
        {
            metadata.insert("generation".to_owned(), json!(generation + 1));
        }
        Ok(self.put(inner, key.clone(), new, Some(before)))
    }

    pub(crate) fn remove(&self, key: &Key) -> Result<Arc<Stored>, StoreError> {
        let mut inner = self.lock();
        let before = inner.objects.remove(key).ok_or(StoreError::Missing)?;
        // A deletion is a revision of its own, and the last state is sent with that revision.
        let revision = inner.revision + 1;
        let last = Arc::new(stored(key.clone(), before.value(), revision));
        self.record(inner, Change { revision, before: Some(Arc::clone(&last)), after: None });
        Ok(last)
    }

    fn put(
        &self,
        mut inner: MutexGuard<'_, Inner>,
        key: Key,
        object: Value,
        before: Option<Arc<Stored>>,
    ) -> Arc<Stored> {
        let revision = inner.revision + 1;
        let after = Arc::new(stored(key.clone(), object, revision));
        inner.objects.insert(key, Arc::clone(&after));
        self.record(inner, Change { revision, before, after: Some(Arc::clone(&after)) });
        after
    }

    fn record(&self, mut inner: MutexGuard<'_, Inner>, change: Change) {
        inner.revision = change.revision;
        inner.history_bytes += size(&change);
        inner.history.push_back(change);
        while inner.history_bytes > HISTORY_BYTES {
            let Some(oldest) = inner.history.pop_front() else { break };
            inner.history_bytes -= size(&oldest);
            inner.compacted = oldest.revision;
        }
        let revision = inner.revision;
        drop(inner);
        self.revision.send_replace(revision);
    }

    /// Forgets all history, as a compaction of etcd does: watches from older revisions get 410 Gone.
    pub(crate) fn compact(&self) {
        let mut inner = self.lock();
        inner.compacted = inner.revision;
        inner.history.clear();
        inner.history_bytes = 0;
    }
}

/// The larger side counts: an object that was replaced is often held by the history alone.
fn size(change: &Change) -> usize {
    let length = |side: &Option<Arc<Stored>>| side.as_ref().map_or(0, |stored| stored.text.len());
    length(&change.before).max(length(&change.after)) + 128
}

fn stored(key: Key, mut object: Value, revision: u64) -> Stored {
    if let Some(metadata) = metadata_of(&mut object) {
        metadata.insert("resourceVersion".to_owned(), json!(revision.to_string()));
    }
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    Stored { key, revision, labels, text: Bytes::from(object.to_string()) }
}

/// `metadata` of an object, made when it is not there; `None` when the object is no map.
pub(crate) fn metadata_of(object: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    object.as_object_mut()?.entry("metadata").or_insert_with(|| json!({})).as_object_mut()
}

/// Sets a field of a map; anything else is left as it is.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(field.to_owned(), value);
    }
}

/// The time as Kubernetes writes it.
pub(crate) fn now_text() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kubernetes::resources::{PODS, SERVICES};

    fn pod(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "a", "labels": {"app": name}}, "spec": {"n": 1}})
    }

    #[test]
    fn revisions_rise_and_generations_follow_the_spec() {
        let store = Store::new("test");
        let first = store.create(&PODS, pod("web")).expect("created");
        assert_eq!(store.create(&PODS, pod("web")).expect_err("twice"), StoreError::Exists);
        let same = store.update(&first.key, |_| {}).expect("updated");
        assert_eq!(same.revision, first.revision);
        let next = store.update(&first.key, |object| object["spec"]["n"] = json!(2)).expect("updated");
        assert_eq!(next.revision, first.revision + 1);
        assert_eq!(next.value()["metadata"]["generation"], json!(2));
        let (revision, changes) = store.changes(&PODS, first.revision).expect("history");
        assert_eq!((revision, changes.len()), (next.revision, 1));
        assert!(store.changes(&SERVICES, first.revision).expect("history").1.is_empty());
    }

    #[test]
    fn old_history_is_gone() {
        let store = Store::new("test");
        let first = store.create(&PODS, pod("web")).expect("created");
        store.remove(&first.key).expect("removed");
        store.compact();
        assert!(store.changes(&PODS, first.revision).is_err());
        assert!(store.changes(&PODS, store.revision()).is_ok());
    }
}
