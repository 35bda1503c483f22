//! Two people change one pipeline: their changes are put together where they do not touch, and named where they do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

/// A field that both changed, each to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// The field.
    pub path: String,
    /// What both started from.
    pub base: String,
    /// What the one who asks wants.
    pub mine: String,
    /// What the other did meanwhile.
    pub theirs: String,
}

/// Merges three ways.
///
/// # Errors
/// With every field that both changed differently.
pub fn merge(base: &Value, mine: &Value, theirs: &Value) -> Result<Value, Vec<Clash>> {
    let mut clashes = Vec::new();
    let merged = three(Some(base), Some(mine), Some(theirs), "", &mut clashes);
    if clashes.is_empty() { Ok(merged.unwrap_or(Value::Null)) } else { Err(clashes) }
}

/// Puts texts together line by line, as version control does, so that comments of both stay; `None` where that is not to be
/// had. What it means has still to be compared with what [`merge`] says: lines know nothing of fields.
#[must_use]
pub fn lines(base: &str, mine: &str, theirs: &str) -> Option<String> {
    diffy::merge(base, mine, theirs).ok()
}

fn three(
    base: Option<&Value>,
    mine: Option<&Value>,
    theirs: Option<&Value>,
    path: &str,
    clashes: &mut Vec<Clash>,
) -> Option<Value> {
    if mine == theirs || theirs == base {
        return mine.cloned();
    }
    if mine == base {
        return theirs.cloned();
    }
    if let (Some(mine), Some(theirs)) = (mine, theirs)
        && let Some(merged) = inside(base, (mine, theirs), path, clashes)
    {
        return Some(merged);
    }
    let said = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    clashes.push(Clash { path: path.to_owned(), base: said(base), mine: said(mine), theirs: said(theirs) });
    mine.cloned()
}

/// Merges what has parts: objects by field, lists of named things by name, JSON in a text as what it says.
fn inside(base: Option<&Value>, both: (&Value, &Value), path: &str, clashes: &mut Vec<Clash>) -> Option<Value> {
    match both {
        (Value::Object(mine), Value::Object(theirs)) => {
            let empty = Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).chain(base.keys()).collect();
            let merged = names.into_iter().filter_map(|name| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = three(base.get(name), mine.get(name), theirs.get(name), &path, clashes)?;
                Some((name.clone(), value))
            });
            Some(Value::Object(merged.collect()))
        }
        (Value::Array(mine), Value::Array(theirs)) => {
            let (my_items, their_items) = (named(mine)?, named(theirs)?);
            let base_items = base.and_then(Value::as_array).and_then(|it| named(it)).unwrap_or_default();
            // My order, then what they added.
            let added = theirs.iter().filter_map(name).filter(|it| !my_items.contains_key(it));
            let merged = mine.iter().filter_map(name).chain(added).filter_map(|name| {
                let find = |items: &BTreeMap<&str, &Value>| items.get(name).copied().cloned();
                let (base, mine, theirs) = (find(&base_items), find(&my_items), find(&their_items));
                three(base.as_ref(), mine.as_ref(), theirs.as_ref(), &format!("{path}.{name}"), clashes)
            });
            Some(Value::Array(merged.collect()))
        }
        (Value::String(mine), Value::String(theirs)) => {
            let document = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
            let (mine, theirs) = (document(mine)?, document(theirs)?);
            let base = base.and_then(Value::as_str).and_then(document);
            let merged = inside(base.as_ref(), (&mine, &theirs), path, clashes)?;
            serde_json::to_string_pretty(&merged).ok().map(Value::String)
        }
        _ => None,
    }
}

fn name(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

fn named(items: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    items.iter().map(|item| Some((name(item)?, item))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(replicas: u32, cpu: f64, config: &Value) -> Value {
        json!({"spec": {"processors": [{"name": "a", "replicas": replicas, "config": config.to_string()}, {"name": "b", "cpu": cpu}]}})
    }

    #[test]
    fn changes_that_do_not_touch_are_put_together() {
        let base = pipeline(15, 1.0, &json!({"flink": {"beam": {"x": 1, "y": 1}}}));
        let mine = pipeline(20, 1.0, &json!({"flink": {"beam": {"x": 2, "y": 1}}}));
        let theirs = pipeline(15, 2.0, &json!({"flink": {"beam": {"x": 1, "y": 3}}}));
        let merged = merge(&base, &mine, &theirs).unwrap();
        assert_eq!(merged["spec"]["processors"][0]["replicas"], 20);
        assert_eq!(merged["spec"]["processors"][1]["cpu"], 2.0);
        let config: Value = serde_json::from_str(merged["spec"]["processors"][0]["config"].as_str().unwrap()).unwrap();
        assert_eq!(config, json!({"flink": {"beam": {"x": 2, "y": 3}}}));
    }

    #[test]
    fn the_same_field_is_named_with_all_three_values() {
        let none = json!({});
        let clashes =
            merge(&pipeline(15, 1.0, &none), &pipeline(20, 1.0, &none), &pipeline(30, 1.0, &none)).unwrap_err();
        let (path, base, mine, theirs) = ("spec.processors.a.replicas".into(), "15".into(), "20".into(), "30".into());
        assert_eq!(clashes, [Clash { path, base, mine, theirs }]);
    }

    #[test]
    fn one_removes_what_the_other_changes() {
        let base = json!({"spec": {"processors": [{"name": "a", "replicas": 1}, {"name": "b", "replicas": 1}]}});
        let mine = json!({"spec": {"processors": [{"name": "a", "replicas": 1}]}});
        let theirs = json!({"spec": {"processors": [{"name": "a", "replicas": 1}, {"name": "b", "replicas": 2}]}});
        let clashes = merge(&base, &mine, &theirs).unwrap_err();
        assert_eq!(clashes[0].path, "spec.processors.b");
        let other = json!({"spec": {"processors": [{"name": "a", "replicas": 4}, {"name": "b", "replicas": 1}]}});
        let merged = merge(&base, &mine, &other).unwrap();
        assert_eq!(merged, json!({"spec": {"processors": [{"name": "a", "replicas": 4}]}}));
    }
}
