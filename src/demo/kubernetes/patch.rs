//! The patch formats besides apply: RFC 7396 merge, RFC 6902 JSON patch, and strategic merge by name.

use serde_json::Value;

/// RFC 7396: maps merge, null removes, everything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(map) = target.as_object_mut() else { return };
    for (name, value) in changes {
        if value.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Strategic merge: as a merge patch, but lists of named things merge by name.
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(map), Value::Object(changes)) => {
            for (name, value) in changes {
                if value.is_null() {
                    map.remove(name);
                } else {
                    strategic(map.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (Value::Array(items), Value::Array(changes))
            if changes.iter().all(|change| change.get("name").is_some_and(Value::is_string)) =>
        {
            for change in changes {
                match items.iter_mut().find(|item| item.get("name") == change.get("name")) {
                    Some(item) => strategic(item, change),
                    None => items.push(change.clone()),
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

/// RFC 6902 with the operations that clients of Kubernetes send; the error is the sentence for the user.
pub(crate) fn json_patch(target: &mut Value, operations: &Value) -> Result<(), String> {
    let operations = operations.as_array().ok_or("a JSON patch is a list of operations")?;
    operations.iter().try_for_each(|operation| one(target, operation))
}

fn one(target: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, path) = (text("op"), text("path"));
    let value = operation.get("value").cloned().unwrap_or_default();
    let missing = || format!("{kind} operation does not apply: doc is missing path: {path}: missing value");
    match kind {
        "test" if target.pointer(path) == Some(&value) => Ok(()),
        "test" => Err(format!("testing value {path} failed: test failed")),
        "replace" => {
            *target.pointer_mut(path).ok_or_else(missing)? = value;
            Ok(())
        }
        "add" | "remove" => {
            let (parent, last) = path.rsplit_once('/').ok_or_else(missing)?;
            let last = last.replace("~1", "/").replace("~0", "~");
            let parent = target.pointer_mut(parent).ok_or_else(missing)?;
            change(parent, &last, (kind == "add").then_some(value)).ok_or_else(missing)
        }
        other => Err(format!("Unexpected kind: {other}")),
    }
}

/// Adds a value at a place of a container, or removes what is there.
fn change(parent: &mut Value, place: &str, value: Option<Value>) -> Option<()> {
    match (parent, value) {
        (Value::Object(map), Some(value)) => {
            map.insert(place.to_owned(), value);
            Some(())
        }
        (Value::Object(map), None) => map.remove(place).map(|_| ()),
        (Value::Array(items), Some(value)) => {
            let index = if place == "-" { items.len() } else { place.parse().ok()? };
            (index <= items.len()).then(|| items.insert(index, value))
        }
        (Value::Array(items), None) => {
            let index: usize = place.parse().ok()?;
            (index < items.len()).then(|| drop(items.remove(index)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_patches_remove_with_null() {
        let mut object = json!({"a": 1, "b": {"c": 2}});
        merge(&mut object, &json!({"a": null, "b": {"d": 3}}));
        assert_eq!(object, json!({"b": {"c": 2, "d": 3}}));
    }

    #[test]
    fn json_patches_change_and_test() {
        let mut object = json!({"metadata": {"annotations": {}}, "list": [1, 2]});
        let patch = json!([
            {"op": "add", "path": "/metadata/annotations/a~1b", "value": "c"},
            {"op": "remove", "path": "/list/0"},
            {"op": "test", "path": "/list/0", "value": 2},
        ]);
        json_patch(&mut object, &patch).expect("applies");
        assert_eq!(object, json!({"metadata": {"annotations": {"a/b": "c"}}, "list": [2]}));
        assert!(json_patch(&mut object, &json!([{"op": "remove", "path": "/none"}])).is_err());
    }
}
