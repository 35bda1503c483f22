//! Field ownership: `managedFields`, server-side apply and its conflicts.
//!
//! A field is a path in the notation of `fieldsV1` (`f:spec`, `k:{"name":"main"}`), ownership is a set of such paths,
//! and apply is set arithmetic over them: what others own and I change is a conflict, what I no longer send goes away.

use std::collections::BTreeSet;

use ::http::StatusCode;
use serde_json::{Map, Value, json};

use super::resources::Resource;
use super::status::Refusal;
use super::store::{metadata_of, now_text};

pub(crate) type FieldPath = Vec<String>;
pub(crate) type Fields = BTreeSet<FieldPath>;

/// The leaves of an object that somebody can own.
pub(crate) fn leaves(object: &Value) -> Fields {
    let mut found = Fields::new();
    let Some(map) = object.as_object() else { return found };
    for (name, value) in map {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for part in ["labels", "annotations", "ownerReferences", "finalizers"] {
                    if let Some(value) = value.get(part) {
                        collect(value, &mut vec!["f:metadata".to_owned(), format!("f:{part}")], &mut found);
                    }
                }
            }
            _ => collect(value, &mut vec![format!("f:{name}")], &mut found),
        }
    }
    found
}

fn collect(value: &Value, path: &mut FieldPath, found: &mut Fields) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, child) in map {
                path.push(format!("f:{name}"));
                collect(child, path, found);
                path.pop();
            }
        }
        Value::Array(items) if is_keyed(items) => {
            for item in items {
                path.push(format!("k:{}", json!({"name": item.get("name")})));
                collect(item, path, found);
                path.pop();
            }
        }
        _ => {
            found.insert(path.clone());
        }
    }
}

/// Lists of things with names are merged by name; other lists are one value.
fn is_keyed(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get("name").is_some_and(Value::is_string))
}

/// `fieldsV1` of a set of leaves.
pub(crate) fn to_fields_v1(fields: &Fields) -> Value {
    let mut root = Map::new();
    for path in fields {
        let mut level = &mut root;
        for part in path {
            let entry = level
                .entry(part.clone())
                .or_insert_with(|| if part.starts_with("k:") { json!({".": {}}) } else { json!({}) });
            let Value::Object(next) = entry else { break };
            level = next;
        }
    }
    Value::Object(root)
}

pub(crate) fn from_fields_v1(fields: &Value) -> Fields {
    fn walk(level: &Value, path: &mut FieldPath, found: &mut Fields) {
        let parts: Vec<_> = level.as_object().into_iter().flatten().filter(|(name, _)| *name != ".").collect();
        if parts.is_empty() {
            found.insert(path.clone());
        }
        for (name, next) in parts {
            path.push(name.clone());
            walk(next, path, found);
            path.pop();
        }
    }
    let mut found = Fields::new();
    walk(fields, &mut Vec::new(), &mut found);
    found
}

/// One entry of `managedFields`.
pub(crate) fn entry(manager: &str, operation: &str, api_version: &str, fields: &Fields) -> Value {
    json!({
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": now_text(),
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(fields),
    })
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match part.split_once(':')? {
        ("f", name) => value.get(name),
        (_, key) => {
            let key: Value = serde_json::from_str(key).ok()?;
            value.as_array()?.iter().find(|item| item.get("name") == key.get("name"))
        }
    })
}

fn remove_at(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match (first.split_once(':'), rest.is_empty()) {
        (Some(("f", name)), true) => {
            if let Some(map) = value.as_object_mut() {
                map.remove(name);
            }
        }
        (Some(("f", name)), false) => {
            if let Some(next) = value.get_mut(name) {
                remove_at(next, rest);
            }
        }
        (Some((_, key)), _) => {
            let key: Value = serde_json::from_str(key).unwrap_or_default();
            let item = value
                .as_array_mut()
                .and_then(|items| items.iter_mut().find(|item| item.get("name") == key.get("name")));
            if let Some(item) = item {
                remove_at(item, rest);
            }
        }
        (None, _) => {}
    }
}

/// `.spec.containers[name="main"].image`, as conflicts name fields.
fn shown(path: &[String]) -> String {
    path.iter().fold(String::new(), |text, part| match part.split_once(':') {
        Some(("k", key)) => {
            let key: Value = serde_json::from_str(key).unwrap_or_default();
            format!("{text}[name={}]", key.get("name").cloned().unwrap_or_default())
        }
        Some((_, name)) => format!("{text}.{name}"),
        None => text,
    })
}

/// Maps merge, named lists merge by name, everything else is replaced.
pub(crate) fn merge(old: &mut Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in new {
                merge(old.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(old), Value::Array(new)) if is_keyed(old) && is_keyed(new) => {
            for item in new {
                match old.iter_mut().find(|existing| existing.get("name") == item.get("name")) {
                    Some(existing) => merge(existing, item),
                    None => old.push(item.clone()),
                }
            }
        }
        (old, new) => *old = new.clone(),
    }
}

/// Who applies, and whether fields of others may be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applier<'a> {
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
}

/// The object after a server-side apply, or the conflicts.
pub(crate) fn apply(old: &Value, applied: &Value, resource: &Resource, by: Applier<'_>) -> Result<Value, Refusal> {
    let owned_now = leaves(applied);
    let mut entries: Vec<Value> =
        old.pointer("/metadata/managedFields").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_mine = |entry: &Value| entry["manager"] == by.manager && entry["operation"] == "Apply";
    let mut others = Fields::new();
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !is_mine(entry)) {
        let mut owned = from_fields_v1(&entry["fieldsV1"]);
        let taken: Vec<FieldPath> =
            owned_now.intersection(&owned).filter(|path| at(old, path) != at(applied, path)).cloned().collect();
        for path in taken {
            conflicts.push((entry["manager"].clone(), entry["apiVersion"].clone(), path.clone()));
            owned.remove(&path);
        }
        if by.force {
            entry["fieldsV1"] = to_fields_v1(&owned);
        }
        others.extend(owned);
    }
    if !conflicts.is_empty() && !by.force {
        return Err(conflict(&conflicts));
    }
    let mine = entries.iter().find(|entry| is_mine(entry)).map(|entry| from_fields_v1(&entry["fieldsV1"]));
    let mut new = old.clone();
    for path in mine.unwrap_or_default().difference(&owned_now).filter(|path| !others.contains(*path)) {
        remove_at(&mut new, path);
    }
    let mut content = applied.clone();
    if let Some(metadata) = metadata_of(&mut content) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    merge(&mut new, &content);
    entries.retain(|entry| !is_mine(entry));
    entries.insert(0, entry(by.manager, "Apply", &resource.api_version(), &owned_now));
    if let Some(metadata) = metadata_of(&mut new) {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
    Ok(new)
}

fn conflict(conflicts: &[(Value, Value, FieldPath)]) -> Refusal {
    let with = |manager: &Value, version: &Value| format!("{manager} using {}", version.as_str().unwrap_or_default());
    let message = match conflicts {
        [(manager, version, path)] => {
            format!("Apply failed with 1 conflict: conflict with {}: {}", with(manager, version), shown(path))
        }
        many => {
            let lines: Vec<String> = many
                .iter()
                .map(|(manager, version, path)| format!("conflict with {}: {}", with(manager, version), shown(path)))
                .collect();
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let mut refusal = Refusal::new(StatusCode::CONFLICT, "Conflict", message);
    refusal.details["causes"] = conflicts
        .iter()
        .map(|(manager, version, path)| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", with(manager, version)),
                "field": shown(path),
            })
        })
        .collect();
    refusal
}

/// Records that a manager changed an object by other means than apply.
pub(crate) fn record_update(old: &Value, new: &mut Value, manager: &str, resource: &Resource) {
    let changed: Fields = leaves(new).into_iter().filter(|path| at(old, path) != at(new, path)).collect();
    if changed.is_empty() {
        return;
    }
    let Some(metadata) = metadata_of(new) else { return };
    let Value::Array(entries) = metadata.entry("managedFields").or_insert_with(|| json!([])) else { return };
    let mut mine = changed.clone();
    for entry in entries.iter_mut() {
        let mut owned = from_fields_v1(&entry["fieldsV1"]);
        if entry["manager"] == manager && entry["operation"] == "Update" {
            mine.extend(std::mem::take(&mut owned));
        } else {
            owned.retain(|path| !changed.contains(path));
        }
        entry["fieldsV1"] = to_fields_v1(&owned);
    }
    entries.retain(|entry| entry["fieldsV1"].as_object().is_some_and(|fields| !fields.is_empty()));
    entries.push(entry(manager, "Update", &resource.api_version(), &mine));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kubernetes::resources::DEPLOYMENTS;

    const MINE: Applier<'static> = Applier { manager: "flowdeck", force: false };

    #[test]
    fn fields_survive_the_round_trip() {
        let object = json!({"spec": {"replicas": 2, "containers": [{"name": "main", "image": "a"}], "args": ["x"]}});
        let fields = leaves(&object);
        assert_eq!(from_fields_v1(&to_fields_v1(&fields)), fields);
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn conflicts_are_named_and_can_be_forced() {
        let mut old = json!({"spec": {"replicas": 2, "paused": false}});
        record_update(&json!({}), &mut old, "kubectl-edit", &DEPLOYMENTS);
        let applied = json!({"spec": {"replicas": 5}});
        let refusal = apply(&old, &applied, &DEPLOYMENTS, MINE).expect_err("conflict");
        assert_eq!(
            refusal.message,
            "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas"
        );
        assert_eq!(refusal.details["causes"][0]["field"], ".spec.replicas");
        let new = apply(&old, &applied, &DEPLOYMENTS, Applier { force: true, ..MINE }).expect("forced");
        assert_eq!(new["spec"], json!({"replicas": 5, "paused": false}));
        assert_eq!(apply(&new, &applied, &DEPLOYMENTS, MINE).expect("again")["spec"], new["spec"]);
    }

    #[test]
    fn what_is_no_longer_applied_goes_away() {
        let first = apply(&json!({}), &json!({"spec": {"a": 1, "b": 2}}), &DEPLOYMENTS, MINE).expect("applied");
        let second = apply(&first, &json!({"spec": {"a": 1}}), &DEPLOYMENTS, MINE).expect("applied");
        assert_eq!(second["spec"], json!({"a": 1}));
    }
}
