//! A change as a file, for objects that a repository keeps: what kustomize takes as patches, and `kubectl patch` too.
//!
//! It must hold what differs and nothing else: whatever the repository says besides stays its own.

use serde_json::{Map, Value, json};

use super::object::{Id, OURS, wanted};

/// Begins each file, so that only a file of ours is ever written over.
pub const HEAD: &str = "# Written by flowdeck";

/// An object before and after: `None` where it is not there.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The object.
    pub id: &'a Id,
    /// As it is.
    pub before: Option<&'a Value>,
    /// As it is meant.
    pub after: Option<&'a Value>,
}

/// What turns one value into another, as RFC 7396 writes it; `None` when nothing does.
#[must_use]
pub fn merge_patch(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        _ if before == after => None,
        (Value::Object(before), Value::Object(after)) => {
            let mut patch = Map::new();
            for (name, value) in after {
                let change = before.get(name).map_or_else(|| Some(value.clone()), |old| merge_patch(old, value));
                patch.extend(change.map(|change| (name.clone(), change)));
            }
            let gone = before.keys().filter(|name| !after.contains_key(*name));
            patch.extend(gone.map(|name| (name.clone(), Value::Null)));
            Some(Value::Object(patch))
        }
        _ => Some(after.clone()),
    }
}

/// The documents of a change: a patch for what is there, the whole for what is new, a directive for what goes.
#[must_use]
pub fn documents(changes: &[Change<'_>]) -> Vec<Value> {
    changes.iter().filter_map(document).collect()
}

fn document(change: &Change<'_>) -> Option<Value> {
    let id = change.id;
    let named = json!({"apiVersion": id.kind.api_version(), "kind": id.kind.word(),
        "metadata": {"name": id.name, "namespace": id.namespace}});
    let clean = |object: &Value| {
        let mut object = wanted(object);
        // It counts revisions of the cluster's own, and this change is none.
        if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove(&format!("{OURS}revision"));
        }
        object
    };
    match (change.before, change.after) {
        (None, None) => None,
        (None, Some(after)) => Some(clean(after)),
        (Some(_), None) => merged(named, &json!({"$patch": "delete"})),
        (Some(before), Some(after)) => merge_patch(&clean(before), &clean(after)).and_then(|it| merged(named, &it)),
    }
}

/// A patch with the identity that tells whose it is.
fn merged(mut named: Value, patch: &Value) -> Option<Value> {
    for (name, value) in patch.as_object()? {
        match (named.get_mut(name).and_then(Value::as_object_mut), value) {
            (Some(fields), Value::Object(more)) => fields.extend(more.clone()),
            _ => super::object::set(&mut named, &[name], value.clone()),
        }
    }
    Some(named)
}

/// The file: what it is, and the documents.
///
/// # Errors
/// When a value cannot be written as YAML.
pub fn file(title: &str, changes: &[Change<'_>]) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = format!("{HEAD}: {}\n", title.replace(['\n', '\r'], " "));
    for document in documents(changes) {
        text += "---\n";
        text += &serde_saphyr::to_string(&document)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::object::Kind;

    /// RFC 7396 itself, for the other direction.
    fn patched(target: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut fields = target.as_object().cloned().unwrap_or_default();
        for (name, value) in patch {
            if value.is_null() {
                fields.remove(name);
            } else {
                let new = patched(fields.get(name).unwrap_or(&Value::Null), value);
                fields.insert(name.clone(), new);
            }
        }
        Value::Object(fields)
    }

    #[test]
    fn a_patch_leads_from_one_to_the_other_and_says_no_more() {
        let before = json!({"spec": {"a": 1, "b": {"c": 2, "d": 3}, "list": [1, 2]}, "gone": {"x": 1}});
        let after = json!({"spec": {"a": 1, "b": {"c": 5, "d": 3}, "list": [2]}, "new": {"y": {"z": 1}}});
        let patch = merge_patch(&before, &after).unwrap();
        assert_eq!(patched(&before, &patch), after);
        assert_eq!(patch, json!({"spec": {"b": {"c": 5}, "list": [2]}, "gone": null, "new": {"y": {"z": 1}}}));
        assert_eq!(merge_patch(&after, &after), None);
    }

    #[test]
    fn a_file_names_its_objects_and_leaves_out_what_the_server_wrote() {
        let id = Id::new(Kind::FlinkDeployment, "n", "orders");
        let object = |replicas: u32, version: &str| {
            json!({"kind": "FlinkDeployment", "metadata": {"name": "orders", "namespace": "n", "resourceVersion": version,
                "annotations": {"flowdeck.dev/revision": version, "flowdeck.dev/group": version}}, "spec": {"replicas": replicas}, "status": {"x": version}})
        };
        let (before, after) = (object(1, "7"), object(2, "8"));
        let going = Id::new(Kind::ConfigMap, "n", "old");
        let changes = [
            Change { id: &id, before: Some(&before), after: Some(&after) },
            Change { id: &going, before: Some(&before), after: None },
        ];
        let metadata = json!({"name": "orders", "namespace": "n", "annotations": {"flowdeck.dev/group": "8"}});
        let expected = [
            json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment", "metadata": metadata, "spec": {"replicas": 2}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old", "namespace": "n"}, "$patch": "delete"}),
        ];
        assert_eq!(documents(&changes), expected);
        let text = file("two\nlines", &changes).unwrap();
        assert!(text.starts_with("# Written by flowdeck: two lines\n---\n"), "{text}");
        let read: Vec<Value> = text.split("---\n").skip(1).map(|it| serde_saphyr::from_str(it).unwrap()).collect();
        assert_eq!(read, expected);
    }
}
