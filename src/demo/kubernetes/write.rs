//! Create, replace, patch, apply, scale and delete, with dry run, conflicts and subresources.

use ::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fields::{self, Applier};
use super::request::{Query, Target};
use super::resources::PODS;
use super::status::Refusal;
use super::store::{Key, Store, StoreError, Stored, metadata_of, now_text, set};
use super::{patch, validate};
use crate::demo::http::{Reply, bytes, json};

/// The pieces of a write that do not depend on its verb.
pub(crate) struct Writing<'a> {
    pub(crate) store: &'a Store,
    pub(crate) target: &'a Target,
    pub(crate) query: &'a Query,
    /// Who writes, when the query does not say.
    pub(crate) agent: &'a str,
}

impl Writing<'_> {
    fn key(&self) -> Key {
        let namespace = self.target.namespace.as_deref().unwrap_or_default();
        Key::new(self.target.resource, namespace, self.target.name.as_deref().unwrap_or_default())
    }

    fn manager(&self) -> &str {
        self.query.given("fieldManager").unwrap_or(self.agent)
    }

    fn is_dry_run(&self) -> Result<bool, Refusal> {
        match self.query.text("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Refusal::bad_request(format!(
                "Invalid value: [\"{other}\"]: dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    pub(crate) fn create(&self, mut object: Value) -> Result<Reply, Refusal> {
        let resource = self.target.resource;
        let namespace = self.target.namespace.clone().unwrap_or_default();
        let metadata = metadata_of(&mut object).ok_or_else(|| Refusal::bad_request("the body is no object"))?;
        if resource.namespaced {
            metadata.entry("namespace").or_insert_with(|| json!(namespace));
            if metadata.get("namespace") != Some(&json!(namespace)) {
                return Err(Refusal::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request: {namespace}"
                )));
            }
        }
        if let (None, Some(prefix)) =
            (metadata.get("name"), metadata.get("generateName").and_then(Value::as_str).map(str::to_owned))
        {
            let suffix = crate::demo::dice::Dice::new(self.store.revision()).suffix(5);
            metadata.insert("name".to_owned(), json!(format!("{prefix}{suffix}")));
        }
        metadata.remove("resourceVersion");
        metadata.remove("uid");
        metadata.remove("creationTimestamp");
        if resource.subresources.contains(&"status")
            && resource.group == "flink.apache.org"
            && let Some(map) = object.as_object_mut()
        {
            map.remove("status");
        }
        validate::validate(resource, None, &object)?;
        fields::record_update(&json!({}), &mut object, self.manager(), resource);
        self.store_new(object)
    }

    fn store_new(&self, mut object: Value) -> Result<Reply, Refusal> {
        let resource = self.target.resource;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if resource.namespaced {
            self.require_namespace()?;
        }
        if self.is_dry_run()? {
            let key = Key::new(resource, self.target.namespace.as_deref().unwrap_or_default(), &name);
            if self.store.get(&key).is_some() {
                return Err(Refusal::exists(resource, &name));
            }
            set(&mut object, "apiVersion", json!(resource.api_version()));
            set(&mut object, "kind", json!(resource.kind));
            if let Some(metadata) = metadata_of(&mut object) {
                metadata.insert("creationTimestamp".to_owned(), json!(now_text()));
                metadata.insert("generation".to_owned(), json!(1));
                metadata.insert("uid".to_owned(), json!(crate::demo::dice::uuid(&[&name])));
            }
            return Ok(json(StatusCode::CREATED, &object));
        }
        match self.store.create(resource, object) {
            Ok(stored) => Ok(bytes(StatusCode::CREATED, "application/json", stored.text.clone())),
            Err(StoreError::Exists | StoreError::Missing) => Err(Refusal::exists(resource, &name)),
        }
    }

    fn require_namespace(&self) -> Result<(), Refusal> {
        let namespace = self.target.namespace.as_deref().unwrap_or_default();
        let key = Key::new(&super::resources::NAMESPACES, "", namespace);
        self.store.get(&key).map(|_| ()).ok_or_else(|| Refusal::not_found(&super::resources::NAMESPACES, namespace))
    }

    pub(crate) fn replace(&self, new: &Value) -> Result<Reply, Refusal> {
        self.modify(|_| Ok(new.clone()))
    }

    pub(crate) fn patch(&self, content_type: &str, body: &[u8]) -> Result<Reply, Refusal> {
        let content: Value = serde_json::from_slice(body)
            .ok()
            .or_else(|| serde_saphyr::from_slice(body).ok())
            .ok_or_else(|| Refusal::bad_request("error decoding patch: the body is neither JSON nor YAML"))?;
        match content_type {
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => self.apply(&content),
            "application/json-patch+json" => self.modify(|old| {
                let mut new = old.clone();
                patch::json_patch(&mut new, &content)
                    .map_err(|message| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message))?;
                Ok(new)
            }),
            "application/strategic-merge-patch+json" if self.target.resource.group != "flink.apache.org" => self
                .modify(|old| {
                    let mut new = old.clone();
                    patch::strategic(&mut new, &content);
                    Ok(new)
                }),
            "application/merge-patch+json" => self.modify(|old| {
                let mut new = old.clone();
                patch::merge(&mut new, &content);
                Ok(new)
            }),
            other => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                format!(
                    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml (got {other:?})"
                ),
            )),
        }
    }

    fn apply(&self, content: &Value) -> Result<Reply, Refusal> {
        let resource = self.target.resource;
        let manager = self.query.given("fieldManager").ok_or_else(|| {
            Refusal::bad_request(
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            )
        })?;
        let applier = Applier { manager, force: self.query.is_set("force") };
        let wanted = content.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        if self.store.get(&self.key()).is_some() {
            return self.modify(|old| {
                check_revision(old, wanted, self.target)?;
                fields::apply(old, content, resource, applier)
            });
        }
        if self.target.subresource.is_some() {
            return Err(Refusal::not_found(resource, self.target.name.as_deref().unwrap_or_default()));
        }
        let mut object = fields::apply(&json!({}), content, resource, applier)?;
        if let Some(metadata) = metadata_of(&mut object) {
            metadata.insert("name".to_owned(), json!(self.target.name));
            if resource.namespaced {
                metadata.insert("namespace".to_owned(), json!(self.target.namespace));
            }
        }
        validate::validate(resource, None, &object)?;
        self.store_new(object)
    }

    /// Changes an object by a function of its old self, under all the rules that hold for every change.
    fn modify(&self, change: impl FnOnce(&Value) -> Result<Value, Refusal>) -> Result<Reply, Refusal> {
        let (resource, key) = (self.target.resource, self.key());
        let old = self.store.get(&key).ok_or_else(|| Refusal::not_found(resource, &key.name))?;
        let scales = self.target.subresource.as_deref() == Some("scale");
        let old_value = old.value();
        let seen = if scales { scale_of(&old_value, self.target) } else { old_value.clone() };
        let wanted = change(&seen)?;
        check_revision(&old_value, wanted.pointer("/metadata/resourceVersion").and_then(Value::as_str), self.target)?;
        let mut new = match self.target.subresource.as_deref() {
            Some("scale") => scaled(&old_value, &wanted, self.target)?,
            Some("status") => with_status(&old_value, &wanted),
            _ => self.with_fixed_parts(&old_value, wanted),
        };
        validate::validate(resource, Some(&old_value), &new)?;
        if new.pointer("/metadata/managedFields") == old_value.pointer("/metadata/managedFields") {
            fields::record_update(&old_value, &mut new, self.manager(), resource);
        }
        let show = |object: &Value, text: Option<&Stored>| match text {
            _ if scales => json(StatusCode::OK, &scale_of(object, self.target)),
            Some(stored) => bytes(StatusCode::OK, "application/json", stored.text.clone()),
            None => json(StatusCode::OK, object),
        };
        if self.is_dry_run()? {
            return Ok(show(&new, None));
        }
        let mut raced = false;
        let stored = self
            .store
            .update(&key, |object| {
                raced = object.pointer("/metadata/resourceVersion") != old_value.pointer("/metadata/resourceVersion");
                if !raced {
                    *object = new;
                }
            })
            .map_err(|_| Refusal::not_found(resource, &key.name))?;
        if raced {
            return Err(Refusal::conflict(resource, &key.name));
        }
        Ok(show(&stored.value(), Some(&stored)))
    }

    /// Puts back what a change of an object cannot change.
    fn with_fixed_parts(&self, old: &Value, mut new: Value) -> Value {
        if let (Some(metadata), Some(before)) = (metadata_of(&mut new), old.get("metadata")) {
            for field in
                ["name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "deletionTimestamp"]
            {
                match before.get(field) {
                    Some(value) => metadata.insert(field.to_owned(), value.clone()),
                    None => metadata.remove(field),
                };
            }
        }
        if self.target.resource.subresources.contains(&"status") {
            match old.get("status") {
                Some(status) => set(&mut new, "status", status.clone()),
                None => {
                    if let Some(map) = new.as_object_mut() {
                        map.remove("status");
                    }
                }
            }
        }
        new
    }

    pub(crate) fn delete(&self) -> Result<Reply, Refusal> {
        let (resource, key) = (self.target.resource, self.key());
        let object = self.store.get(&key).ok_or_else(|| Refusal::not_found(resource, &key.name))?;
        if self.is_dry_run()? {
            return Ok(bytes(StatusCode::OK, "application/json", object.text.clone()));
        }
        // Pods end in their own time; the world takes them away.
        if resource.is(&PODS) {
            let marked = self.store.update(&key, mark_deleted).map_err(|_| Refusal::not_found(resource, &key.name))?;
            return Ok(bytes(StatusCode::OK, "application/json", marked.text.clone()));
        }
        let removed = self.store.remove(&key).map_err(|_| Refusal::not_found(resource, &key.name))?;
        let uid = removed.value().pointer("/metadata/uid").cloned().unwrap_or_default();
        let mut details = json!({"name": key.name, "kind": resource.plural, "uid": uid});
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        let body =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
        Ok(json(StatusCode::OK, &body))
    }

    pub(crate) fn scale(&self) -> Result<Reply, Refusal> {
        let key = self.key();
        let object = self.store.value(&key).ok_or_else(|| Refusal::not_found(self.target.resource, &key.name))?;
        Ok(json(StatusCode::OK, &scale_of(&object, self.target)))
    }

    /// Dispatches by verb what changes an object that has a name.
    pub(crate) fn change(&self, method: &Method, content_type: &str, body: &[u8]) -> Result<Reply, Refusal> {
        match method.as_str() {
            "PUT" => self.replace(&parse(body)?),
            "PATCH" => self.patch(content_type, body),
            "DELETE" => self.delete(),
            _ => Err(Refusal::not_allowed()),
        }
    }
}

pub(crate) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .ok()
        .or_else(|| serde_saphyr::from_slice(body).ok())
        .ok_or_else(|| Refusal::bad_request("the object provided is unrecognized (must be of type JSON or YAML)"))
}

/// Marks an object as on its way out.
pub(crate) fn mark_deleted(object: &mut Value) {
    if let Some(metadata) = metadata_of(object) {
        metadata.entry("deletionTimestamp").or_insert_with(|| json!(now_text()));
        metadata.entry("deletionGracePeriodSeconds").or_insert(json!(30));
    }
}

fn check_revision(old: &Value, wanted: Option<&str>, target: &Target) -> Result<(), Refusal> {
    let current = old.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    match wanted {
        Some(wanted) if !wanted.is_empty() && Some(wanted) != current => {
            Err(Refusal::conflict(target.resource, target.name.as_deref().unwrap_or_default()))
        }
        _ => Ok(()),
    }
}

fn with_status(old: &Value, wanted: &Value) -> Value {
    let mut new = old.clone();
    set(&mut new, "status", wanted.get("status").cloned().unwrap_or_default());
    new
}

/// Where a kind keeps its wanted and its present number of replicas.
fn replica_fields(target: &Target) -> (&'static str, &'static str) {
    if target.resource.group == "flink.apache.org" {
        ("/spec/taskManager/replicas", "/status/taskManager/replicas")
    } else {
        ("/spec/replicas", "/status/replicas")
    }
}

fn scale_of(object: &Value, target: &Target) -> Value {
    let (wanted, present) = replica_fields(target);
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let metadata = |field: &str| object.pointer(&format!("/metadata/{field}")).cloned().unwrap_or_default();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata("name"),
            "namespace": metadata("namespace"),
            "uid": metadata("uid"),
            "resourceVersion": metadata("resourceVersion"),
            "creationTimestamp": metadata("creationTimestamp"),
        },
        "spec": {"replicas": number(wanted)},
        "status": {
            "replicas": number(present),
            "selector": object.pointer("/status/taskManager/labelSelector").cloned().unwrap_or_else(|| json!("")),
        },
    })
}

fn scaled(old: &Value, scale: &Value, target: &Target) -> Result<Value, Refusal> {
    let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
    let mut new = old.clone();
    let (wanted, _) = replica_fields(target);
    let place = new
        .pointer_mut(wanted)
        .ok_or_else(|| Refusal::bad_request(format!("the spec replicas field \"{wanted}\" does not exist")))?;
    *place = json!(replicas);
    Ok(new)
}
