//! A processor's configuration document, and everything that is wrong with it before it is sent anywhere.
//!
//! Why: Flink and Beam pass over what they do not know, and what they refuse they refuse when the job is already down.
//!
//! How: the document is JSON with the sections `flink.beam` (options of Beam's Flink runner), `flink.conf` (Flink's
//! configuration, nested or dotted) and `beam.java` (pipeline options). [`check`] reads it with its positions, looks
//! every key up in [`super::options`], checks values, and then what values mean together ([`across`]).
//!
//! It must not change the document: it is the user's text, spaces and order included.

mod across;
mod flat;
pub mod spot;
mod text;

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use serde::Serialize;

use super::options::{self, FlinkVersion, Known, Lookup};
use super::secret::sounds_secret;
pub use flat::{Options, options};
use text::Lines;

/// Longest document that is read.
pub const LONGEST: usize = 1 << 20;
/// More problems than this help nobody.
const MOST_PROBLEMS: usize = 200;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work.
    Error,
    /// It works, but hardly as meant.
    Warning,
}

/// Something wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Where in the document: `flink.beam.maxParallelism`; empty for the document as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// What to write instead of the key or value, where that is known.
    pub instead: Option<String>,
}

/// What is known of the processor beside its document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// The Flink that will read it.
    pub flink: FlinkVersion,
    /// Wanted TaskManagers, if known.
    pub task_managers: Option<u32>,
    /// Whether the operator deploys it, which sets some options itself.
    pub with_operator: bool,
}

/// An option as it stands in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    value: String,
    /// Byte where its value begins.
    at: usize,
    path: String,
}

/// What a document sets, by the key as Flink or Beam reads it.
#[derive(Debug, Default)]
struct Findings<'a> {
    lines: Lines<'a>,
    setting: Setting,
    beam: BTreeMap<String, Given>,
    flink: BTreeMap<String, Given>,
    problems: Vec<Problem>,
}

/// A section of the document and who reads it.
type Section = (&'static [&'static str], Reader);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Beam,
    Flink,
}

/// The sections that somebody reads.
const SECTIONS: [Section; 3] =
    [(&["flink", "beam"], Reader::Beam), (&["flink", "conf"], Reader::Flink), (&["beam", "java"], Reader::Beam)];
/// What the operator sets itself and refuses in a resource.
const OPERATORS_OWN: [&str; 3] = ["kubernetes.namespace", "kubernetes.cluster-id", "high-availability.cluster-id"];

/// Everything that is wrong with a document, in the order of its lines.
#[must_use]
pub fn check(document: &str, setting: Setting) -> Vec<Problem> {
    let mut findings = Findings { lines: Lines::new(document), setting, ..Findings::default() };
    if document.len() > LONGEST {
        let words = format!("the document has {} bytes; {LONGEST} are the most", document.len());
        findings.add(Severity::Error, 0, "", words);
        return findings.problems;
    }
    let parsed = jsonc_parser::parse_to_ast(document, &jsonc_parser::CollectOptions::default(), &strict());
    match parsed.map(|parsed| parsed.value) {
        Ok(Some(Value::Object(root))) => {
            findings.sections(&root, &mut Vec::new());
            across::check(&mut findings);
            findings.secrets();
        }
        Ok(Some(other)) => {
            findings.add(Severity::Error, other.range().start, "", "the document must be one JSON object { … }".into());
        }
        Ok(None) => {}
        Err(error) => {
            let words = format!("not JSON: {}", lower_first(&error.kind().to_string()));
            findings.add(Severity::Error, error.range().start, "", words);
        }
    }
    findings.problems.sort_by_key(|problem| (problem.line, problem.column));
    findings.problems
}

/// JSON as its standard has it, without comments: what is stored is read by others.
const fn strict() -> jsonc_parser::ParseOptions {
    jsonc_parser::ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn lower_first(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl Findings<'_> {
    fn add(&mut self, severity: Severity, at: usize, path: &str, message: String) {
        self.suggest(severity, at, (path, message), None);
    }

    fn suggest(&mut self, severity: Severity, at: usize, (path, message): (&str, String), instead: Option<&str>) {
        if self.problems.len() < MOST_PROBLEMS {
            let (line, column) = self.lines.place(at);
            let (path, instead) = (path.to_owned(), instead.map(str::to_owned));
            self.problems.push(Problem { severity, line, column, path, message, instead });
        }
    }

    /// Walks down to the sections that somebody reads.
    fn sections(&mut self, object: &Object<'_>, path: &mut Vec<String>) {
        self.twice(object, path);
        for property in &object.properties {
            path.push(property.name.as_str().to_owned());
            let here: Vec<&str> = path.iter().map(String::as_str).collect();
            let reader = SECTIONS.iter().find(|(section, _)| *section == here).map(|(_, reader)| *reader);
            let leads_on = SECTIONS.iter().any(|(section, _)| section.starts_with(&here));
            match (&property.value, reader) {
                (Value::Object(section), Some(Reader::Beam)) => self.beam_section(section, path),
                (Value::Object(section), Some(Reader::Flink)) => self.flink_section(section, "", path),
                (Value::Object(inner), None) if leads_on => self.sections(inner, path),
                (value, _) if leads_on => {
                    let words = "must be an object { … }".to_owned();
                    self.add(Severity::Error, value.range().start, &path.join("."), words);
                }
                _ => self.unread(property, path),
            }
            path.pop();
        }
    }

    fn unread(&mut self, property: &ObjectProp<'_>, path: &[String]) {
        let known = SECTIONS.iter().map(|(section, _)| section.join("."));
        let words = format!("nobody reads this; the sections are {}", known.collect::<Vec<_>>().join(", "));
        self.add(Severity::Error, property.range.start, &path.join("."), words);
    }

    /// Names a key that stands twice: only one of them counts, and which one depends on the reader.
    fn twice(&mut self, object: &Object<'_>, path: &[String]) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for property in &object.properties {
            let (name, at) = (property.name.as_str(), property.range.start);
            if let Some(before) = first.insert(name, at) {
                let (line, _) = self.lines.place(before);
                let path = join(path, name);
                self.add(Severity::Error, at, &path, format!("stands twice: first in line {line}"));
            }
        }
    }

    fn beam_section(&mut self, section: &Object<'_>, path: &[String]) {
        self.twice(section, path);
        for property in &section.properties {
            let key = property.name.as_str();
            let path = join(path, key);
            match options::beam(key) {
                Lookup::Option(option) => self.beam_value(option, &property.value, &path),
                Lookup::Unknown(likely) => self.unknown(property, &path, likely),
                Lookup::OldName(_) | Lookup::OtherVersion(_) => {}
            }
        }
    }

    fn beam_value(&mut self, option: &'static Known, value: &Value<'_>, path: &str) {
        let at = value.range().start;
        let Some(text) = plain(value) else {
            return self.add(Severity::Error, at, path, format!("must be a {}", option.kind.word()));
        };
        // Beam's enumerations are Java's: their case counts.
        let is_word = option.allowed.is_empty() || option.allowed.contains(&text.as_str());
        if let Err(error) = option.kind.check(&text, &option.allowed) {
            self.add(Severity::Error, at, path, format!("is {}, but {error}", shown(&text)));
        } else if !is_word {
            let words = format!("must be written as one of {}", option.allowed.join(", "));
            let meant = option.allowed.iter().find(|word| word.eq_ignore_ascii_case(&text)).copied();
            self.suggest(Severity::Error, at, (path, words), meant);
        } else {
            self.beam.insert(option.key.to_owned(), Given { value: text, at, path: path.to_owned() });
        }
        if option.is_deprecated {
            self.add(Severity::Warning, at, path, format!("is deprecated: {}", option.description));
        }
    }

    /// Nested objects are parts of a dotted key.
    fn flink_section(&mut self, section: &Object<'_>, prefix: &str, path: &[String]) {
        self.twice(section, path);
        for property in &section.properties {
            let name = property.name.as_str();
            let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            let mut path = path.to_vec();
            path.push(name.to_owned());
            let takes_pairs = matches!(options::flink(&key, self.setting.flink),
                Lookup::Option(option) if option.kind == options::Kind::Map);
            match &property.value {
                Value::Object(inner) if !takes_pairs => self.flink_section(inner, &key, &path),
                _ => self.flink_option(property, &key, &path.join(".")),
            }
        }
    }

    fn flink_option(&mut self, property: &ObjectProp<'_>, key: &str, path: &str) {
        let (at, version) = (property.range.start, self.setting.flink);
        if self.setting.with_operator && OPERATORS_OWN.contains(&key) {
            let words = "the operator sets this itself and refuses it here".to_owned();
            return self.add(Severity::Error, at, path, words);
        }
        match options::flink(key, version) {
            Lookup::Option(option) => self.flink_value(option, key, (&property.value, path)),
            Lookup::OldName(option) => {
                let words = format!("is the old name of {} and still read by Flink {version}", option.key);
                self.suggest(Severity::Warning, at, (path, words), Some(option.key));
                self.flink_value(option, option.key, (&property.value, path));
            }
            Lookup::OtherVersion(option) => {
                let read: Vec<&str> = option.versions.iter().map(|version| version.word()).collect();
                let words = format!("Flink {version} does not read it; Flink {} does", read.join(" and "));
                self.add(Severity::Error, at, path, words);
            }
            Lookup::Unknown(likely) => self.unknown(property, path, likely),
        }
    }

    fn flink_value(&mut self, option: &'static Known, key: &str, (value, path): (&Value<'_>, &str)) {
        let at = value.range().start;
        let Some(text) = plain(value) else {
            if !matches!(option.kind, options::Kind::Map | options::Kind::List | options::Kind::Text) {
                self.add(Severity::Error, at, path, format!("must be a {}", option.kind.word()));
            }
            return;
        };
        if let Err(error) = option.kind.check(&text, &option.allowed) {
            return self.add(Severity::Error, at, path, format!("is {}, but {error}", shown(&text)));
        }
        if option.is_deprecated {
            self.add(Severity::Warning, at, path, "is deprecated".to_owned());
        }
        let given = Given { value: text, at, path: path.to_owned() };
        if let Some(before) = self.flink.insert(key.to_owned(), given) {
            let (line, _) = self.lines.place(before.at);
            self.add(Severity::Error, at, path, format!("stands twice: as {} in line {line}", before.path));
        }
    }

    /// Names secrets that are written in clear: the document stands in a `ConfigMap` and in every revision.
    fn secrets(&mut self) {
        let version = self.setting.flink;
        let is_text = |key: &str| {
            matches!(options::flink(key, version), Lookup::Option(option)
                if option.kind == options::Kind::Text && option.allowed.is_empty())
        };
        let given = self.flink.iter().filter(|(key, _)| is_text(key)).chain(&self.beam);
        let clear = given.filter(|(key, given)| {
            let last = key.rsplit('.').next().unwrap_or(key);
            sounds_secret(last) && !given.value.trim().is_empty() && !given.value.starts_with("${")
        });
        let found: Vec<(usize, String)> = clear.map(|(_, given)| (given.at, given.path.clone())).collect();
        for (at, path) in found {
            let words = "is a secret in clear, and this document is kept in a ConfigMap and in every revision: leave it out \
                         here, and have the pod get it from a mounted Secret or the image's own configuration";
            self.add(Severity::Error, at, &path, words.to_owned());
        }
    }

    fn unknown(&mut self, property: &ObjectProp<'_>, path: &str, likely: Option<&str>) {
        let words = match likely {
            Some(likely) => format!("unknown option; did you mean {likely}?"),
            None => "unknown option".to_owned(),
        };
        self.suggest(Severity::Error, property.range.start, (path, words), likely);
    }
}

fn join(path: &[String], name: &str) -> String {
    path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".")
}

/// A value as the text that Flink makes of it; `None` for null and objects.
fn plain(value: &Value<'_>) -> Option<String> {
    match value {
        Value::StringLit(text) => Some(text.value.to_string()),
        Value::NumberLit(number) => Some(number.value.to_owned()),
        Value::BooleanLit(boolean) => Some(boolean.value.to_string()),
        Value::Array(array) => array.elements.iter().map(plain).collect::<Option<Vec<_>>>().map(|all| all.join(";")),
        Value::Object(_) | Value::NullKeyword(_) => None,
    }
}

/// A value in a sentence, cut where it would fill it.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() { format!("\"{cut}…\"") } else { format!("\"{cut}\"") }
}

#[cfg(test)]
mod tests;
