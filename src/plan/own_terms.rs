//! Somebody else's object, edited in its own terms: as text, and from three texts to the fields that change.
//!
//! Only what people write is shown: no status, nothing that the server keeps. A secret is shown as a mask ([`masks`]),
//! and stays what it is as long as its mask is left alone.

mod masks;

use serde_json::{Map, Value};

use super::merge::{Clash, merge};
use super::object::{Id, set, wanted};
use crate::model::config::{Problem, Severity};

/// Why an object cannot be edited, or an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A mask stands where no secret was.
    #[error("{0} is only a mask, and there is no secret behind it: write the value itself, or a reference")]
    Masked(String),
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

/// The same as text, with masks where secrets are.
///
/// # Errors
/// When it cannot be written.
pub fn text(object: &Value) -> Result<String, EditError> {
    serde_saphyr::to_string(&masks::put(&shown(object))).map_err(|error| EditError::Unreadable(error.to_string()))
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
    let (base, mine, live_shown) = (read(base)?, read(mine)?, shown(live));
    let theirs = masks::put(&live_shown);
    if Id::of(&mine) != Id::of(&theirs) || Id::of(&mine).is_none() {
        return Err(EditError::Renamed);
    }
    let merged = merge(&base, &mine, &theirs).map_err(EditError::Clashes)?;
    let merged = masks::lift(&merged, &live_shown).map_err(EditError::Masked)?;
    let Some(mut patch) = change(&live_shown, &merged) else { return Ok(None) };
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

    fn with_secrets() -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "resourceVersion": "7"},
            "data": {"db-password": "hunter1", "p": "a=1\nsasl.jaas.config=hunter2\nssl.key.password = ${directory:/x:y}\n"}})
    }

    #[test]
    fn a_secret_is_a_mask_that_stays_what_it_was_when_it_is_left_alone() {
        let base = text(&with_secrets()).unwrap();
        assert!(!base.contains("hunter") && base.contains("******") && base.contains("${directory:/x:y}"), "{base}");
        assert_eq!(patch(&base, &base, &with_secrets()), Ok(None));
        // Another line of the same text, and another secret elsewhere.
        let mine = base.replace("a=1", "a=2");
        let sent = patch(&base, &mine, &with_secrets()).unwrap().unwrap();
        let expected = "a=2\nsasl.jaas.config=hunter2\nssl.key.password = ${directory:/x:y}\n";
        assert_eq!(sent["data"], json!({"p": expected}));
        let typed = base.replacen("******", "hunter9", 1);
        assert_eq!(patch(&base, &typed, &with_secrets()).unwrap().unwrap()["data"], json!({"db-password": "hunter9"}));
        // What somebody else did to the secret meanwhile stays.
        let mut theirs = with_secrets();
        set(&mut theirs, &["data", "db-password"], json!("hunter3"));
        let sent = patch(&base, &mine, &theirs).unwrap().unwrap();
        assert_eq!(sent["data"].as_object().unwrap().len(), 1, "{sent}");
    }

    #[test]
    fn a_mask_is_never_written_as_a_value() {
        let base = text(&with_secrets()).unwrap();
        let copied = base.replace("data:\n", "data:\n  other-password: \"******\"\n");
        assert_ne!(copied, base);
        assert_eq!(patch(&base, &copied, &with_secrets()), Err(EditError::Masked("data.other-password".into())));
        let renamed = base.replace("sasl.jaas.config=", "sasl.login.password=");
        let error = patch(&base, &renamed, &with_secrets()).unwrap_err();
        assert_eq!(error, EditError::Masked("data.p.sasl.login.password".into()));
    }

    #[test]
    fn of_two_lines_of_one_name_each_keeps_its_own_secret() {
        let of = |text: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "resourceVersion": "7"},
            "data": {"p": text}})
        };
        let live = of("[one]\npassword=hunter1\n[two]\npassword=hunter2\nrate=1\n");
        let base = text(&live).unwrap();
        let sent = patch(&base, &base.replace("rate=1", "rate=2"), &live).unwrap().unwrap();
        assert_eq!(sent["data"]["p"], "[one]\npassword=hunter1\n[two]\npassword=hunter2\nrate=2\n");
        // One of them taken out: which secret the other one is cannot be known.
        let fewer = base.replacen("password=******", "", 1);
        assert_eq!(patch(&base, &fewer, &live), Err(EditError::Masked("data.p.password".into())));
    }

    #[test]
    fn secrets_among_named_things_and_arguments_are_masked_too() {
        let container = json!({"name": "c", "env": [{"name": "A", "value": "1"}, {"name": "API_TOKEN", "value": "hunter2"}],
            "args": ["run", "--apiToken=hunter3", "--rate=1"]});
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "resourceVersion": "1"},
            "spec": {"template": {"spec": {"containers": [container]}}}});
        let base = text(&object).unwrap();
        assert!(!base.contains("hunter"), "{base}");
        let mine = base.replace("--rate=1", "--rate=2");
        let sent = patch(&base, &mine, &object).unwrap().unwrap();
        let sent = &sent["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(sent["args"], json!(["run", "--apiToken=hunter3", "--rate=2"]));
        assert_eq!(sent["env"][1]["value"], "hunter2");
    }

    #[test]
    fn what_is_no_object_is_said_with_its_line() {
        assert_eq!(problems(&text(&live()).unwrap()), []);
        assert_eq!(problems("a: 1\n").len(), 1);
        assert!(problems("kind: X\nb: [\n")[0].line >= 2);
    }
}
