//! Somebody else's object, edited in its own terms: as text, and from three texts to the fields that change.
//!
//! Only what people write is shown: no status, nothing that the server keeps. An object that holds a secret in clear is
//! not shown at all.

use serde_json::{Map, Value};

use super::merge::{Clash, merge};
use super::object::{Id, set, wanted};
use crate::model::config::{Problem, Severity};
use crate::model::secret::is_secret_at;

/// Why an object cannot be edited, or an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It holds a secret.
    #[error("it holds what must not be shown ({0}): change it where it is written")]
    Secret(String),
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It would be another object.
    #[error("kind, name and namespace cannot be changed: that would be another object")]
    Renamed,
    /// Somebody else changed the same fields.
    #[error("somebody changed the same meanwhile: {}", .0.iter().map(said).collect::<Vec<_>>().join("; "))]
    Clashes(Vec<Clash>),
}

fn said(clash: &Clash) -> String {
    format!("{}: {} here, {} there (was {})", clash.path, clash.mine, clash.theirs, clash.base)
}

/// An object as people write it.
#[must_use]
pub fn shown(object: &Value) -> Value {
    let mut object = wanted(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
    }
    object
}

/// The same as text.
///
/// # Errors
/// When it holds a secret, or cannot be written.
pub fn text(object: &Value) -> Result<String, EditError> {
    let object = shown(object);
    if let Some(path) = secret(&object, "") {
        return Err(EditError::Secret(path));
    }
    serde_saphyr::to_string(&object).map_err(|error| EditError::Unreadable(error.to_string()))
}

/// The first place of a secret.
fn secret(value: &Value, path: &str) -> Option<String> {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| secret(value, &join(name))),
        Value::Array(items) => items.iter().find_map(|item| {
            let name = item.get("name").and_then(Value::as_str);
            secret(item, &name.map_or_else(|| path.to_owned(), join))
        }),
        Value::String(text) if text.contains('\n') => text.lines().find_map(|line| {
            let (name, value) = line.split_once(['=', ':'])?;
            let is_clear = !value.trim().is_empty() && !value.trim().starts_with("${");
            (is_clear && is_secret_at(&join(name.trim()))).then(|| join(name.trim()))
        }),
        Value::String(text) => {
            (is_secret_at(path) && !text.is_empty() && !text.starts_with("${")).then(|| path.to_owned())
        }
        _ => None,
    }
}

/// What is wrong with the text of an object.
#[must_use]
pub fn problems(text: &str) -> Vec<Problem> {
    let error = match serde_saphyr::from_str::<Value>(text) {
        Ok(object) if Id::of(&object).is_some() => return Vec::new(),
        Ok(_) => (1, 1, "kind and metadata.name must be there".to_owned()),
        Err(error) => {
            let error = error.without_snippet();
            let at = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let words = error.to_string();
            let words = words.lines().next().unwrap_or_default();
            let words = words.rsplit_once(" at line ").map_or(words, |(words, _)| words).to_owned();
            (usize::try_from(at.0).unwrap_or(1), usize::try_from(at.1).unwrap_or(1), words)
        }
    };
    let (line, column, message) = error;
    let (line, column) = (line.max(1), column.max(1));
    vec![Problem { severity: Severity::Error, line, column, path: String::new(), message, instead: None }]
}

/// The fields that an edit changes in the object as it is now; `None` when it changes none.
///
/// # Errors
/// When the edit cannot be read, or somebody else changed the same fields since.
pub fn patch(base: &str, mine: &str, live: &Value) -> Result<Option<Value>, EditError> {
    let read =
        |text: &str| serde_saphyr::from_str::<Value>(text).map_err(|error| EditError::Unreadable(error.to_string()));
    let (base, mine, theirs) = (read(base)?, read(mine)?, shown(live));
    if Id::of(&mine) != Id::of(&theirs) || Id::of(&mine).is_none() {
        return Err(EditError::Renamed);
    }
    let merged = merge(&base, &mine, &theirs).map_err(EditError::Clashes)?;
    let Some(mut patch) = change(&theirs, &merged) else { return Ok(None) };
    // Only what was read is written over.
    let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    set(&mut patch, &["metadata", "resourceVersion"], version);
    Ok(Some(patch))
}

/// A merge patch: fields that differ, and `null` for those that go.
fn change(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return Some(after.clone()) };
    let mut fields = Map::new();
    for (name, value) in new {
        let changed = match old.get(name) {
            Some(before) => change(before, value),
            None => Some(value.clone()),
        };
        fields.extend(changed.map(|changed| (name.clone(), changed)));
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        fields.insert(name.clone(), Value::Null);
    }
    Some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({"apiVersion": "flink.apache.org/v1beta1", "kind": "FlinkDeployment",
            "metadata": {"name": "o", "namespace": "n", "resourceVersion": "7", "uid": "u", "managedFields": [1]},
            "spec": {"job": {"parallelism": 2, "args": ["a"]}, "flinkConfiguration": {"x": "1", "y": "2"}},
            "status": {"lifecycleState": "STABLE"}})
    }

    #[test]
    fn only_what_was_changed_is_sent_with_the_version_that_was_read() {
        let base = text(&live()).unwrap();
        assert!(!base.contains("STABLE") && !base.contains("managedFields"), "{base}");
        assert_eq!(patch(&base, &base, &live()), Ok(None));
        let mine = base.replace("parallelism: 2", "parallelism: 4").replace("  x: \"1\"\n", "");
        assert_ne!(mine, base);
        let patch = patch(&base, &mine, &live()).unwrap().unwrap();
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(patch["spec"]["job"], json!({"parallelism": 4}));
    }

    #[test]
    fn what_others_did_stays_and_the_same_field_is_named() {
        let base = text(&live()).unwrap();
        let mine = base.replace("parallelism: 2", "parallelism: 4");
        let mut theirs = live();
        set(&mut theirs, &["spec", "flinkConfiguration", "y"], json!("3"));
        assert_eq!(patch(&base, &mine, &theirs).unwrap().unwrap()["spec"], json!({"job": {"parallelism": 4}}));
        set(&mut theirs, &["spec", "job", "parallelism"], json!(3));
        let error = patch(&base, &mine, &theirs).unwrap_err().to_string();
        assert!(error.contains("spec.job.parallelism: 4 here, 3 there (was 2)"), "{error}");
        let renamed = base.replace("name: o", "name: p");
        assert_eq!(patch(&base, &renamed, &live()), Err(EditError::Renamed));
    }

    #[test]
    fn secrets_are_not_shown_at_all() {
        for object in [
            json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"p": "a=1\nsasl.jaas.config=hunter2\n"}}),
            json!({"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"env": [{"name": "API_TOKEN", "value": "hunter2"}]}}),
        ] {
            let error = text(&object).unwrap_err();
            assert!(matches!(&error, EditError::Secret(_)) && !error.to_string().contains("hunter2"), "{error}");
        }
        let reference = json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"p": "a=1\nsasl.jaas.config=${directory:/x:y}\n"}});
        assert!(text(&reference).is_ok());
    }

    #[test]
    fn what_is_no_object_is_said_with_its_line() {
        assert_eq!(problems(&text(&live()).unwrap()), []);
        assert_eq!(problems("a: 1\n").len(), 1);
        assert!(problems("kind: X\nb: [\n")[0].line >= 2);
    }
}
