//! What is written about a pipeline for people: labels, links to other tools, who answers for it, and its last day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Value, json};

use super::identity::Part;
use super::processor;
use crate::plan::object::{OURS, annotation, set};

/// The annotation that says until when a temporary pipeline runs.
pub const EXPIRES: &str = "flowdeck.dev/expires";
/// The last day of what has none.
pub const NEVER: &str = "never";
/// Begins the annotations that hold links.
const LINK: &str = "flowdeck.dev/link.";
/// Labels that decide what belongs together: to change one takes an object away from its pipeline.
const STRUCTURAL: [&str; 3] = ["app", "component", "type"];

/// A value that is set, or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// `None` takes it away.
    pub value: Option<String>,
}

impl Setting {
    /// Reads `name=value`, or `name-` which takes it away.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = |name: &str, value: Option<&str>| {
            (!name.is_empty()).then(|| Self { name: name.to_owned(), value: value.map(str::to_owned) })
        };
        match text.split_once('=') {
            Some((name, value)) => named(name, Some(value)),
            None => named(text.strip_suffix('-')?, None),
        }
    }

    fn json(&self) -> Value {
        self.value.as_deref().map_or(Value::Null, Value::from)
    }
}

/// Edits of what is written about a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Labels.
    pub labels: Vec<Setting>,
    /// Links to other tools.
    pub links: Vec<Setting>,
    /// Who answers for it.
    pub team: Option<String>,
    /// Until when it runs; inner `None` means for good.
    pub expires: Option<Option<NaiveDate>>,
}

impl About {
    /// Whether nothing is edited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.labels.iter().find_map(label_problem).or_else(|| self.links.iter().find_map(link_problem))
    }

    /// What it edits, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let names = |word: &str, settings: &[Setting]| -> Vec<String> {
            settings.iter().map(|it| format!("{word} {}", it.name)).collect()
        };
        let mut words = names("label", &self.labels);
        words.extend(names("link", &self.links));
        words.extend(self.team.as_ref().map(|_| "team".to_owned()));
        words.extend(self.expires.map(|_| "last day".to_owned()));
        words.join(", ")
    }

    /// The fields of an object that it means.
    #[must_use]
    pub fn patch(&self) -> Value {
        let mut patch = json!({});
        for it in &self.labels {
            set(&mut patch, &["metadata", "labels", &it.name], it.json());
        }
        for it in &self.links {
            set(&mut patch, &["metadata", "annotations", &format!("{LINK}{}", it.name)], it.json());
        }
        if let Some(team) = &self.team {
            set(&mut patch, &["metadata", "annotations", &format!("{OURS}team")], json!(team));
        }
        if let Some(expires) = self.expires {
            // That it has none is said too: else the next deployment of something temporary would give it one.
            let value = expires.map_or_else(|| json!(NEVER), |day| json!(day.to_string()));
            set(&mut patch, &["metadata", "annotations", EXPIRES], value);
        }
        patch
    }
}

fn label_problem(setting: &Setting) -> Option<String> {
    let Setting { name, value } = setting;
    if is_structural(name) {
        return Some(format!("label {name} says what belongs together: it is changed with the manifest"));
    }
    let own = name.split_once('/').map_or(name.as_str(), |(_, own)| own);
    let fits = is_word(own) && value.as_deref().is_none_or(|value| value.is_empty() || is_word(value));
    let words = "a label's name and value are letters, digits, dots, dashes and underscores, 63 at most";
    (!fits).then(|| format!("label {name}: {words}"))
}

fn link_problem(setting: &Setting) -> Option<String> {
    let Setting { name, value } = setting;
    // The name of an annotation has 63 letters, and begins with a word of ours.
    if !is_word(name) || name.len() > 58 {
        return Some(format!("link {name}: a name is letters, digits, dots, dashes and underscores, 58 at most"));
    }
    let is_address = |value: &str| value.starts_with("https://") || value.starts_with("http://");
    let wrong = value.as_deref().is_some_and(|value| !is_address(value));
    wrong.then(|| format!("link {name}: an address begins with http:// or https://"))
}

/// Whether Kubernetes takes it as a value of a label, or as the name of one.
fn is_word(text: &str) -> bool {
    let edge = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

fn is_structural(label: &str) -> bool {
    STRUCTURAL.contains(&label) || label.starts_with("app.kubernetes.io/") || label.starts_with(OURS)
}

/// What is written about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its processor.
    pub processor: String,
    /// Who answers for it.
    pub team: Option<String>,
    /// Until when it runs.
    pub expires: Option<String>,
    /// What its manifest says of it besides, where that is not the usual: whose it is, what it is for, who may find it.
    #[serde(flatten)]
    pub identity: BTreeMap<&'static str, String>,
    /// Labels that people set.
    pub labels: BTreeMap<String, String>,
    /// Links to other tools.
    pub links: BTreeMap<String, String>,
}

/// What is written about an object.
#[must_use]
pub fn told(object: &Value) -> Told {
    let map = |name: &str| -> BTreeMap<String, String> {
        let found = object.get("metadata").and_then(|it| it.get(name)).and_then(Value::as_object);
        let texts =
            found.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.into())));
        texts.collect()
    };
    let own = |(name, _): &(String, String)| !is_structural(name);
    let link = |(name, value): (String, String)| Some((name.strip_prefix(LINK)?.to_owned(), value));
    Told {
        processor: processor(object),
        team: annotation(object, &format!("{OURS}team")).map(str::to_owned),
        expires: annotation(object, EXPIRES).map(str::to_owned),
        identity: Part::ALL
            .into_iter()
            .filter_map(|part| Some((part.word(), annotation(object, &part.annotation())?.to_owned())))
            .collect(),
        labels: map("labels").into_iter().filter(own).collect(),
        links: map("annotations").into_iter().filter_map(link).collect(),
    }
}

/// Until when an object's pipeline runs.
#[must_use]
pub fn expiry(object: &Value) -> Option<NaiveDate> {
    annotation(object, EXPIRES)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_set_or_taken_away() {
        let of = |text: &str| Setting::parse(text).map(|it| (it.name, it.value));
        assert_eq!(of("a=b=c"), Some(("a".into(), Some("b=c".into()))));
        assert_eq!(of("a-"), Some(("a".into(), None)));
        assert_eq!((of("a"), of("=b"), of("-")), (None, None, None));
    }

    #[test]
    fn an_edit_means_its_fields_alone() {
        let about = About {
            labels: vec![Setting::parse("cost=42").unwrap(), Setting::parse("x-").unwrap()],
            links: vec![Setting::parse("Runbook=https://x").unwrap()],
            team: Some("data".into()),
            expires: Some(None),
        };
        let annotations =
            json!({"flowdeck.dev/link.Runbook": "https://x", "flowdeck.dev/team": "data", EXPIRES: "never"});
        let labels = json!({"cost": "42", "x": null});
        assert_eq!(about.patch(), json!({"metadata": {"labels": labels, "annotations": annotations}}));
        for name in ["app", "app.kubernetes.io/part-of", "flowdeck.dev/state"] {
            let about = About { labels: vec![Setting { name: name.into(), value: None }], ..About::default() };
            assert!(about.problem().unwrap().contains(name));
        }
    }
}
