//! Masks in the place of secrets: put on before an object is shown, lifted before an edit of it is sent.
//!
//! A secret is a field, an argument or a line of a text whose name says so and whose value is no reference. Its mask is
//! found again by its name, so that an edit around it leaves it as it is. A mask without a secret behind it is refused:
//! it must never become the value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::secret::is_secret_at;

/// What stands where a secret is.
const MASK: &str = "******";

/// An object with masks where secrets are.
#[must_use]
pub(super) fn put(object: &Value) -> Value {
    masked(object, "")
}

/// An edited object with the secrets of the live one where masks were left; else where there is none.
pub(super) fn lift(edited: &Value, live: &Value) -> Result<Value, String> {
    lifted(edited, Some(live), "")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Where an item of a list stands: by its name, where it has one.
fn item_path(item: &Value, path: &str) -> String {
    let name = item.get("name").and_then(Value::as_str);
    name.map_or_else(|| path.to_owned(), |name| join(path, name))
}

fn is_clear(path: &str, value: &str) -> bool {
    let value = value.trim();
    !value.is_empty() && !value.starts_with("${") && is_secret_at(path)
}

fn masked(value: &Value, path: &str) -> Value {
    match value {
        Value::Object(fields) => {
            // What a thing is called, and where its value comes from, tell nothing of it.
            let is_told = |name: &str| matches!(name, "name" | "valueFrom");
            let field = |(name, value): (&String, &Value)| {
                let shown = if is_told(name) { value.clone() } else { masked(value, &join(path, name)) };
                (name.clone(), shown)
            };
            Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| masked(item, &item_path(item, path))).collect()),
        Value::String(text) if text.contains('\n') => Value::String(each_line(text, |line| {
            let (head, name, value) = split(line)?;
            is_clear(&join(path, name), value).then(|| format!("{head}{MASK}"))
        })),
        Value::String(text) => match argument(text) {
            Some((head, name, value)) if is_clear(&join(path, name), value) => Value::String(format!("{head}{MASK}")),
            None if is_clear(path, text) => Value::String(MASK.to_owned()),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

fn lifted(value: &Value, live: Option<&Value>, path: &str) -> Result<Value, String> {
    Ok(match value {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let live = live.and_then(|live| live.get(name));
                Ok::<_, String>((name.clone(), lifted(value, live, &join(path, name))?))
            };
            Value::Object(fields.iter().map(field).collect::<Result<Map<_, _>, _>>()?)
        }
        Value::Array(items) => {
            let others = live.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let item = |item: &Value| {
                let path = item_path(item, path);
                lifted(item, same(item, others), &path)
            };
            Value::Array(items.iter().map(item).collect::<Result<Vec<_>, _>>()?)
        }
        Value::String(text) if text.contains('\n') => {
            let old = live.and_then(Value::as_str).unwrap_or_default();
            Value::String(lifted_lines(text, old).map_err(|name| join(path, &name))?)
        }
        Value::String(text) => {
            let is_mask = argument(text).map_or(text.as_str(), |(_, _, value)| value) == MASK;
            match live.filter(|live| is_mask && masked(live, path) == *value) {
                Some(live) => live.clone(),
                None if is_mask => {
                    return Err(argument(text).map_or_else(|| path.to_owned(), |(_, name, _)| join(path, name)));
                }
                None => value.clone(),
            }
        }
        other => other.clone(),
    })
}

/// A text with the secrets of the live one where masks were left in its lines; else the name of a line without one.
fn lifted_lines(text: &str, live: &str) -> Result<String, String> {
    let named = |text: &str, name: &str| text.lines().filter_map(split).filter(|(_, it, _)| *it == name).count();
    let (mut lost, mut met) = (None, BTreeMap::<String, usize>::new());
    let lifted = each_line(text, |line| {
        let (head, name, value) = split(line)?;
        let place = met.entry(name.to_owned()).or_default();
        let mut same = live.lines().filter_map(split).filter(|(_, it, _)| *it == name);
        let before = same.nth(*place).filter(|_| named(text, name) == named(live, name));
        *place += 1;
        match before {
            _ if value.trim() != MASK => None,
            Some((_, _, secret)) => Some(format!("{head}{secret}")),
            None => {
                lost.get_or_insert_with(|| name.to_owned());
                None
            }
        }
    });
    lost.map_or(Ok(lifted), Err)
}

/// The item that an edited one was: by its name, an argument by its own, anything else by being the same.
fn same<'a>(item: &Value, others: &'a [Value]) -> Option<&'a Value> {
    let named = |it: &Value| it.get("name").and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = named(item) {
        return others.iter().find(|other| named(other).as_ref() == Some(&name));
    }
    let text = item.as_str()?;
    let Some((_, name, _)) = argument(text) else { return others.iter().find(|other| *other == item) };
    let is_same = |other: &&Value| other.as_str().and_then(argument).is_some_and(|(_, other, _)| other == name);
    // Of two of one name nobody can say which it was.
    let mut found = others.iter().filter(is_same);
    found.next().filter(|_| found.next().is_none())
}

/// `--name=value`: what stands before the value, the name, the value.
fn argument(text: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = text.strip_prefix("--")?.split_once('=')?;
    let head = text.strip_suffix(value)?;
    Some((head, name, value))
}

/// `name=value` or `name: value`: what stands before the value, the name, the value.
fn split(line: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let value = value.trim_start();
    let head = line.strip_suffix(value)?;
    Some((head, name.trim(), value))
}

/// A text with some of its lines changed.
fn each_line(text: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let line = |whole: &str| {
        let bare = whole.strip_suffix('\n').unwrap_or(whole);
        change(bare).map_or_else(|| whole.to_owned(), |new| new + whole.strip_prefix(bare).unwrap_or_default())
    };
    text.split_inclusive('\n').map(line).collect()
}
