//! Label and field selectors, as lists and watches take them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::store::Stored;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(label, values) => labels.get(label).is_some_and(|value| values.contains(value)),
            Self::NotIn(label, values) => labels.get(label).is_none_or(|value| !values.contains(value)),
            Self::Exists(label) => labels.contains_key(label),
            Self::Missing(label) => !labels.contains_key(label),
        }
    }
}

/// Which objects a list or a watch asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Field path, wanted value, and whether it must differ.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Reads both selectors, or says why it cannot, in the server's words.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        let labels = split_terms(labels).into_iter().map(requirement).collect::<Result<_, _>>()?;
        let fields = fields.split(',').filter(|term| !term.is_empty()).map(field).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn matches(&self, object: &Stored) -> bool {
        if !self.labels.iter().all(|requirement| requirement.holds(&object.labels)) {
            return false;
        }
        if self.fields.is_empty() {
            return true;
        }
        let value = object.value();
        self.fields.iter().all(|(path, wanted, differs)| (text_at(&value, path) == *wanted) != *differs)
    }

    /// The requirements on labels alone, for maps that are no objects.
    pub(crate) fn matches_labels(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|requirement| requirement.holds(labels))
    }
}

/// A field as selectors compare it: absent is the empty text.
fn text_at(value: &Value, path: &str) -> String {
    match value.pointer(&format!("/{}", path.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Splits at the commas outside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|term| !term.is_empty())
    .collect()
}

fn requirement(term: &str) -> Result<Requirement, String> {
    let values = |list: &str| list.split(',').map(|value| value.trim().to_owned()).collect();
    if let Some((head, list)) = term.split_once('(') {
        let list = list.strip_suffix(')').ok_or_else(|| format!("unable to parse requirement: {term}"))?;
        let words: Vec<&str> = head.split_whitespace().collect();
        return match words.as_slice() {
            [label, "in"] => Ok(Requirement::In((*label).to_owned(), values(list))),
            [label, "notin"] => Ok(Requirement::NotIn((*label).to_owned(), values(list))),
            _ => Err(format!("unable to parse requirement: found '{head}', expected: in, notin")),
        };
    }
    if let Some((label, value)) = term.split_once("!=") {
        return Ok(Requirement::NotIn(label.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((label, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Requirement::In(label.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if term.contains(char::is_whitespace) {
        return Err(format!("unable to parse requirement: found '{term}', expected: in, notin, =, ==, !=, gt, lt"));
    }
    Ok(term
        .strip_prefix('!')
        .map_or_else(|| Requirement::Exists(term.to_owned()), |label| Requirement::Missing(label.to_owned())))
}

fn field(term: &str) -> Result<(String, String, bool), String> {
    let (path, value, differs) = if let Some((path, value)) = term.split_once("!=") {
        (path, value, true)
    } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (path, value, false)
    } else {
        return Err(format!("invalid selector: '{term}'; can't understand '{term}'"));
    };
    Ok((path.trim().to_owned(), value.trim().to_owned(), differs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_form_of_requirement_is_understood() {
        let web = labels(&[("app", "web"), ("tier", "front")]);
        for (text, expected) in [
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (api, web),tier", true),
            ("app notin (web)", false),
            ("!app", false),
            ("!other", true),
            ("", true),
        ] {
            let selector = Selector::parse(text, "").expect(text);
            assert_eq!(selector.matches_labels(&web), expected, "{text}");
        }
        assert!(Selector::parse("app ~ web", "").is_err());
        assert!(Selector::parse("", "spec.nodeName").is_err());
    }
}
