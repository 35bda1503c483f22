//! The text of a manifest, changed only where its values change: the rest stays as somebody typed it, comments included.
//!
//! Values decide: a text counts only where it means what is wanted, else the values are written anew.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr as _;

use serde_json::{Map, Value, json};
use yaml_edit::{Document, Mapping, ScalarValue, Sequence, YamlNode};

/// The text with other values in it; `None` when they cannot be written at all.
#[must_use]
pub fn changed(text: &str, wanted: &Value) -> Option<String> {
    in_place(text, wanted).or_else(|| serde_saphyr::to_string(wanted).ok())
}

/// The text with its values changed where they stand; `None` where that does not come out as wanted.
pub fn in_place(text: &str, wanted: &Value) -> Option<String> {
    let meant: Value = serde_saphyr::from_str(text).ok()?;
    let document = Document::from_str(text).ok()?;
    mapping(&document.as_mapping()?, meant.as_object()?, wanted.as_object()?);
    let text = document.to_string();
    serde_saphyr::from_str::<Value>(&text).is_ok_and(|meant| meant == *wanted).then_some(text)
}

fn mapping(node: &Mapping, old: &Map<String, Value>, new: &Map<String, Value>) {
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        node.remove(key.as_str());
    }
    for (key, value) in new {
        let before = old.get(key);
        if before == Some(value) {
            continue;
        }
        let inside = before.zip(node.get(key.as_str())).is_some_and(|(before, at)| within(&at, before, value));
        if !inside {
            set(node, key, value);
        }
    }
}

/// Changes what is inside a list or a mapping; whether it is one.
fn within(node: &YamlNode, old: &Value, new: &Value) -> bool {
    match (node, old, new) {
        (YamlNode::Mapping(node), Value::Object(old), Value::Object(new)) if !new.is_empty() => mapping(node, old, new),
        (YamlNode::Sequence(node), Value::Array(old), Value::Array(new)) if !new.is_empty() => sequence(node, old, new),
        _ => return false,
    }
    true
}

/// Items are the same by their name, those that have none by their value.
fn sequence(node: &Sequence, old: &[Value], new: &[Value]) {
    let wanted: HashSet<String> = new.iter().map(identity).collect();
    let mut there: Vec<(String, &Value)> = old.iter().map(|it| (identity(it), it)).collect();
    for index in (0..there.len()).rev() {
        if there.get(index).is_some_and(|(name, _)| !wanted.contains(name)) {
            node.remove(index);
            there.remove(index);
        }
    }
    for (index, value) in new.iter().enumerate() {
        let name = identity(value);
        match there.iter().skip(index).position(|(it, _)| *it == name) {
            Some(0) => {}
            Some(further) => {
                let Some(moved) = node.remove(index + further).and_then(|it| dedented(&it)) else { return };
                node.insert(index, moved);
                let item = there.remove(index + further);
                there.insert(index, item);
            }
            None => {
                let Some(newcomer) = tree(value) else { return };
                node.insert(index, newcomer);
                there.insert(index, (name, value));
            }
        }
        if let Some((_, before)) = there.get(index)
            && *before != value
            && let Some(at) = node.get(index)
        {
            within(&at, before, value);
        }
    }
}

/// By what an item of a list is known again.
fn identity(value: &Value) -> String {
    value.get("name").and_then(Value::as_str).map_or_else(|| value.to_string(), str::to_lowercase)
}

fn set(node: &Mapping, key: &str, value: &Value) {
    match value {
        Value::String(text) if text.contains('\n') => node.set(key, ScalarValue::literal(text.as_str())),
        value => {
            if let Some(value) = tree(value) {
                node.set(key, value);
            }
        }
    }
}

/// A value as the library has it, its name first, as people write it.
fn tree(value: &Value) -> Option<YamlNode> {
    let text = match value.get("name").zip(value.as_object()) {
        Some((name, all)) if all.len() > 1 => {
            let rest: BTreeMap<_, _> = all.iter().filter(|(key, _)| *key != "name").collect();
            serde_saphyr::to_string(&json!({"name": name})).ok()? + &serde_saphyr::to_string(&rest).ok()?
        }
        _ => serde_saphyr::to_string(value).ok()?,
    };
    parsed(&text)
}

/// A part of a text that stands further in, as one that stands at the margin.
fn dedented(node: &YamlNode) -> Option<YamlNode> {
    let text = node.to_string();
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let lines = text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let least = lines.map(indent).min().unwrap_or_default();
    let moved = |line: &str| format!("{}\n", line.get(least.min(indent(line))..).unwrap_or_default());
    parsed(&text.lines().map(moved).collect::<String>())
}

fn parsed(text: &str) -> Option<YamlNode> {
    let document = Document::from_str(text).ok()?;
    let mapping = document.as_mapping().map(YamlNode::Mapping);
    mapping
        .or_else(|| document.as_sequence().map(YamlNode::Sequence))
        .or_else(|| document.as_scalar().map(YamlNode::Scalar))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MANIFEST: &str = "\
# Who is on call: see the wiki.
metadata:
  name: sessionization   # never renamed
spec:
  environments: [qal, prd]
  processors:
    # Reads clicks.
    - name: sessions
      replicas: 15          # peak of November
      config: |
        {
          \"flink\": {}
        }

    - name: match
      inputs:
        - sessions.v1   # ours
        - 'other.v1'
  overrides:
    # Small.
    qal:
      sessions: {replicas: 2}
";

    /// The lines that are gone and those that are new.
    fn lines(change: impl Fn(&mut Value)) -> (Vec<String>, Vec<String>) {
        let mut wanted: Value = serde_saphyr::from_str(MANIFEST).unwrap();
        change(&mut wanted);
        let text = in_place(MANIFEST, &wanted).unwrap();
        let only = |one: &str, other: &str| {
            let has: Vec<&str> = other.lines().collect();
            one.lines().filter(|line| !line.is_empty() && !has.contains(line)).map(str::to_owned).collect::<Vec<_>>()
        };
        (only(MANIFEST, &text), only(&text, MANIFEST))
    }

    #[test]
    fn what_changes_is_all_that_changes() {
        let (gone, new) = lines(|it| it["spec"]["processors"][0]["replicas"] = json!(20));
        assert_eq!(gone, ["      replicas: 15          # peak of November"]);
        assert_eq!(new, ["      replicas: 20          # peak of November"]);
        let (gone, new) = lines(|it| it["spec"]["overrides"]["qal"]["sessions"]["replicas"] = json!(3));
        assert_eq!(
            (gone, new),
            (vec!["      sessions: {replicas: 2}".into()], vec!["      sessions: {replicas: 3}".into()])
        );
        let config = "{\n  \"flink\": {\"beam\": {}}\n}\n";
        let (gone, new) = lines(|it| it["spec"]["processors"][0]["config"] = json!(config));
        assert_eq!(
            (gone, new),
            (vec!["          \"flink\": {}".into()], vec!["          \"flink\": {\"beam\": {}}".into()])
        );
        let (gone, new) =
            lines(|it| it["spec"]["processors"][1]["inputs"] = json!(["other.v1", "more.v1", "sessions.v1"]));
        assert_eq!((gone, new), (vec![], vec!["        - more.v1".into()]));
        let (gone, new) = lines(|it| it["spec"]["environments"] = json!(["qal", "e2e", "prd"]));
        assert_eq!(gone, ["  environments: [qal, prd]"]);
        assert_eq!(new, ["  environments: [qal, e2e, prd]"]);
    }

    #[test]
    fn items_come_go_and_move_by_their_names() {
        let (gone, new) = lines(|it| {
            let steps = it["spec"]["processors"].as_array_mut().unwrap();
            steps.swap(0, 1);
            steps[0]["replicas"] = json!(4);
        });
        assert_eq!((gone, new), (vec![], vec!["      replicas: 4".into()]));
        let newcomer = json!({"artifact": "g:a:1", "name": "audit"});
        let (gone, new) = lines(|it| it["spec"]["processors"].as_array_mut().unwrap().push(newcomer.clone()));
        assert_eq!((gone, new), (vec![], vec!["    - name: audit".into(), "      artifact: g:a:1".into()]));
        let (gone, new) = lines(|it| drop(it["spec"]["processors"].as_array_mut().unwrap().remove(0)));
        assert!(gone.contains(&"    - name: sessions".to_owned()) && new.is_empty(), "{gone:?} {new:?}");
        assert!(!gone.contains(&"    # Reads clicks.".to_owned()), "{gone:?}");
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_written_anew() {
        let shared = "a: &it {x: 1}\nb: *it\n";
        let wanted = json!({"a": {"x": 2}, "b": {"x": 1}});
        let text = changed(shared, &wanted).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), wanted, "{text}");
        for text in ["", "- a", "\u{0}", "a: [", "? {", "\ta: 1", "a: 1\n---\nb: 2\n"] {
            let text = changed(text, &wanted).unwrap();
            assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), wanted, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![Just("no".to_owned()), Just("1e3".to_owned()), "[ -~\n#:é]{0,12}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let named = (0..4_u8, inner.clone()).prop_map(|(name, it)| json!({"name": format!("n{name}"), "it": it}));
            let entries = proptest::collection::btree_map("[a-d]", inner.clone(), 0..4);
            prop_oneof![
                proptest::collection::vec(prop_oneof![inner, named], 0..4).prop_map(Value::from),
                entries.prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_text_means_what_was_wanted(before in value(), after in value(), comment in "[ -~]{0,20}") {
            let (before, after) = (json!({"it": before}), json!({"it": after, "more": 1}));
            let text = format!("# {comment}\n{}", serde_saphyr::to_string(&before).unwrap());
            let text = changed(&text, &after).unwrap();
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), after, "{}", text);
        }

        #[test]
        fn no_text_is_too_odd(text in "[-a-c: \\[\\]{}|>&*!?%@#'\",\n\t]{0,40}") {
            let wanted = json!({"a": [1, {"b": "c"}]});
            let text = changed(&text, &wanted).unwrap();
            prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), wanted, "{}", text);
        }
    }
}
