//! What differs between two states of an object, field by field, in words that say what would change.
//!
//! Lists of named things are compared by name, arguments of programs by theirs, and texts of many lines (properties,
//! configuration files) line by line.
//! Values that sound secret are never shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::object::{Id, OURS, wanted};
use crate::model::secret::is_secret_at;

/// Longest value that is shown.
const LONGEST: usize = 200;
/// Put where a secret stood.
const MASK: &str = "******";
/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The object.
    #[serde(flatten)]
    pub object: Id,
    /// The field: `spec.taskManager.replicas`; empty for the whole object.
    pub path: String,
    /// What it was; `None` when it was not there.
    pub before: Option<String>,
    /// What it will be; `None` when it goes.
    pub after: Option<String>,
}

impl Difference {
    /// Whether nothing that runs can notice it: words about the object.
    #[must_use]
    pub fn is_about_the_object(&self) -> bool {
        self.path.starts_with("metadata.")
    }

    /// Whether it is but the number of the revision.
    #[must_use]
    pub fn is_revision(&self) -> bool {
        self.path == format!("metadata.annotations.{OURS}revision")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, path, before, after } = self;
        match (before, after) {
            (None, Some(_)) if path.is_empty() => write!(formatter, "{object}: new"),
            (Some(_), None) if path.is_empty() => write!(formatter, "{object}: removed"),
            (None, Some(after)) => write!(formatter, "{object}: {path}: set to {after}"),
            (Some(before), None) => write!(formatter, "{object}: {path}: {before} removed"),
            (Some(before), Some(after)) => write!(formatter, "{object}: {path}: {before} → {after}"),
            (None, None) => write!(formatter, "{object}: {path}"),
        }
    }
}

/// What differs between two states of one object.
#[must_use]
pub fn between(id: &Id, before: Option<&Value>, after: Option<&Value>) -> Vec<Difference> {
    let one = |before: Option<&str>, after: Option<&str>| Difference {
        object: id.clone(),
        path: String::new(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    match (before, after) {
        (None, None) => Vec::new(),
        (None, Some(_)) => vec![one(None, Some("new"))],
        (Some(_), None) => vec![one(Some("there"), None)],
        (Some(before), Some(after)) => {
            let mut found = BTreeMap::new();
            walk(&wanted(before), &wanted(after), "", &mut found);
            let found = found.into_iter();
            found.map(|(path, (before, after))| Difference { object: id.clone(), path, before, after }).collect()
        }
    }
}

type Found = BTreeMap<String, (Option<String>, Option<String>)>;

fn walk(before: &Value, after: &Value, path: &str, found: &mut Found) {
    if before == after {
        return;
    }
    match (parts(before), parts(after)) {
        // The same things in another order.
        (Some(old), Some(new)) if old == new && before.is_array() => {
            found.insert(path.to_owned(), (shown(path, before), shown(path, after)));
        }
        (Some(before), Some(after)) => {
            for (name, value) in &before {
                walk(value, after.get(name).unwrap_or(&Value::Null), &join(path, name), found);
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                walk(&Value::Null, value, &join(path, name), found);
            }
        }
        // Something that is new as a whole, or goes as a whole, is named by its fields.
        (None, Some(after)) if before.is_null() && !after.is_empty() => {
            after.iter().for_each(|(name, value)| walk(&Value::Null, value, &join(path, name), found));
        }
        (Some(before), None) if after.is_null() && !before.is_empty() => {
            before.iter().for_each(|(name, value)| walk(value, &Value::Null, &join(path, name), found));
        }
        _ => {
            found.insert(path.to_owned(), (shown(path, before), shown(path, after)));
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The named parts of a value: fields, items with names, lines.
fn parts(value: &Value) -> Option<BTreeMap<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        Value::Array(items) if !items.is_empty() => {
            let name = |item: &Value| Some(item.get("name")?.as_str()?.to_owned());
            let named: Option<BTreeMap<_, _>> = items.iter().map(|it| Some((name(it)?, it.clone()))).collect();
            named.or_else(|| arguments(items)).filter(|named| named.len() == items.len())
        }
        Value::String(text) if text.contains('\n') => Some(lines(text)),
        _ => None,
    }
}

/// Arguments of a program: `--name=value` by their names, others by themselves.
fn arguments(items: &[Value]) -> Option<BTreeMap<String, Value>> {
    let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let words = words.filter(|words| words.iter().any(|word| word.starts_with("--") && word.contains('=')))?;
    let split = |word: &str| {
        let (name, value) = word.split_once('=').filter(|_| word.starts_with("--")).unwrap_or((word, ""));
        (name.to_owned(), Value::String(value.to_owned()))
    };
    Some(words.into_iter().map(split).collect())
}

/// Lines of `name=value` or `name: value` by their names, others by themselves.
fn lines(text: &str) -> BTreeMap<String, Value> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.find(['=', ':']).and_then(|at| line.split_at_checked(at)).unwrap_or((line, ""));
            let value = value.trim_start_matches(['=', ':']).trim();
            (name.trim().to_owned(), Value::String(value.to_owned()))
        })
        .collect()
}

fn shown(path: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // A reference is no secret.
    if !text.starts_with("${") && is_secret_at(path) {
        return Some(MASK.to_owned());
    }
    let cut: String = text.chars().take(LONGEST).collect();
    Some(if cut.len() < text.len() { format!("{cut}…") } else { cut })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::object::Kind;

    fn said(before: &Value, after: &Value) -> Vec<String> {
        let id = Id::new(Kind::ConfigMap, "n", "x");
        between(&id, Some(before), Some(after)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_items_and_lines_are_named() {
        let before = json!({"spec": {"replicas": 15, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            "data": {"c": "a=1\nb=2\n"}, "status": {"x": 1}, "metadata": {"resourceVersion": "1"}});
        let after = json!({"spec": {"replicas": 20, "env": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]},
            "data": {"c": "b=3\na=1\n"}, "status": {"x": 2}, "metadata": {"resourceVersion": "2"}});
        assert_eq!(
            said(&before, &after),
            [
                "ConfigMap x: data.c.b: 2 → 3",
                "ConfigMap x: spec.env.A.name: A removed",
                "ConfigMap x: spec.env.A.value: 1 removed",
                "ConfigMap x: spec.env.C.name: set to C",
                "ConfigMap x: spec.env.C.value: set to 3",
                "ConfigMap x: spec.replicas: 15 → 20",
            ]
        );
    }

    #[test]
    fn arguments_are_named_and_another_order_is_a_difference() {
        let of = |arguments: Value| json!({"spec": {"args": arguments}});
        let before = of(json!(["standalone-job", "--timeout=600000", "--interval=1"]));
        let after = of(json!(["standalone-job", "--timeout=900000", "--interval=1"]));
        assert_eq!(said(&before, &after), ["ConfigMap x: spec.args.--timeout: 600000 → 900000"]);
        let turned = of(json!(["standalone-job", "--interval=1", "--timeout=600000"]));
        assert_eq!(said(&before, &turned).len(), 1);
    }

    #[test]
    fn secrets_are_masked_and_references_are_not() {
        let before = json!({"data": {"p": "sasl.jaas.config=hunter2\nx=1\n", "db-password": "hunter1"}});
        let after = json!({"data": {"p": "sasl.jaas.config=${directory:/a:b}\nx=1\n", "db-password": "hunter3"}});
        let said = said(&before, &after).join("\n");
        assert!(!said.contains("hunter"), "{said}");
        assert!(said.contains("→ ${directory:/a:b}") && said.contains("data.db-password: ****** → ******"), "{said}");
    }

    #[test]
    fn an_object_is_new_or_goes() {
        let id = Id::new(Kind::Service, "n", "x");
        assert_eq!(between(&id, None, Some(&json!({})))[0].to_string(), "Service x: new");
        assert_eq!(between(&id, Some(&json!({})), None)[0].to_string(), "Service x: removed");
    }
}
