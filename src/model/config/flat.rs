//! A configuration document as what Flink and Beam get of it: options by their dotted keys.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::options::{self as known, FlinkVersion};

/// What a document sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Pipeline options, from `flink.beam` and `beam.java`.
    pub beam: BTreeMap<String, String>,
    /// Flink's configuration, from `flink.conf`.
    pub flink: BTreeMap<String, String>,
}

/// Reads a document that [`super::check`] has nothing against; `None` when it is not JSON.
#[must_use]
pub fn options(document: &str, version: FlinkVersion) -> Option<Options> {
    if document.trim().is_empty() {
        return Some(Options::default());
    }
    let root: Value = serde_json::from_str(document).ok()?;
    let mut options = Options::default();
    for section in ["/beam/java", "/flink/beam"] {
        let pairs = root.pointer(section).and_then(Value::as_object).into_iter().flatten();
        options.beam.extend(pairs.filter_map(|(key, value)| Some((key.clone(), plain(value)?))));
    }
    if let Some(section) = root.pointer("/flink/conf") {
        flatten(section, "", version, &mut options.flink);
    }
    Some(options)
}

/// Nested objects are parts of a dotted key, except where an option takes pairs.
fn flatten(value: &Value, key: &str, version: FlinkVersion, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(inner) if !takes_pairs(key, version) => {
            for (name, value) in inner {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(value, &key, version, into);
            }
        }
        Value::Object(pairs) => {
            let pairs = pairs.iter().filter_map(|(name, value)| Some(format!("{name}:{}", plain(value)?)));
            into.insert(key.to_owned(), pairs.collect::<Vec<_>>().join(","));
        }
        other => into.extend(plain(other).map(|text| (key.to_owned(), text))),
    }
}

fn takes_pairs(key: &str, version: FlinkVersion) -> bool {
    matches!(known::flink(key, version), known::Lookup::Option(option) if option.kind == known::Kind::Map)
}

/// A value as the text that Flink makes of it; nothing for null and objects.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>().map(|all| all.join(";")),
        Value::Object(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_dotted_keys_are_one() {
        let document = r#"{"flink": {"beam": {"parallelism": 12}, "conf": {
            "taskmanager": {"numberOfTaskSlots": 4}, "state.backend.incremental": true,
            "pipeline": {"jobvertex-parallelism-overrides": {"a": 1, "b": 2}}, "classloader.parent-first-patterns.additional": ["x", "y"]}},
            "beam": {"java": {"runner": "FlinkRunner"}}}"#;
        let read = options(document, FlinkVersion::default()).unwrap();
        assert_eq!(read.beam["parallelism"], "12");
        assert_eq!(read.beam["runner"], "FlinkRunner");
        assert_eq!(read.flink["taskmanager.numberOfTaskSlots"], "4");
        assert_eq!(read.flink["state.backend.incremental"], "true");
        assert_eq!(read.flink["pipeline.jobvertex-parallelism-overrides"], "a:1,b:2");
        assert_eq!(read.flink["classloader.parent-first-patterns.additional"], "x;y");
        assert_eq!(options("not json", FlinkVersion::default()), None);
        assert_eq!(options(" \n", FlinkVersion::default()), Some(Options::default()));
    }
}
