//! Takes a few fields out of a JSON text in one pass, without building a tree.
//!
//! Why: decoding is most of what an event costs. A general parser pays for every field of a record; a signal needs four.
//!
//! How: [`Shape`] is a trie of the wanted paths. A scanner walks the text once, checks its grammar as it goes, steps
//! into wanted objects, jumps over everything else, and borrows what it finds. Whatever it is not sure of (escapes in
//! a key or a wanted value, a key given twice, deep nesting, exponents in numbers, any error) it leaves to `serde_json`,
//! so that the answer is the one which `serde_json` gives, always: the last of two equal keys wins, errors included.
//!
//! It must not accept what `serde_json` refuses, nor allocate on the usual path.

mod chunk;
mod memory;
mod scan;

use std::borrow::Cow;

use serde_json::Value;

use memory::Memory;

/// The value found at a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field<'a> {
    /// Nothing there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An object or an array, as JSON text.
    Nested(Cow<'a, str>),
}

/// A shape that cannot be: one path leads through another, or a path is empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} cannot be a value and hold another field")]
pub struct PathClash(
    /// The path, joined by dots.
    pub String,
);

/// Which fields to take: a trie of paths.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    nodes: Vec<Node>,
    paths: Vec<Vec<String>>,
    memory: Memory,
}

#[derive(Clone, Debug, Default)]
struct Node {
    keys: Vec<(Box<str>, Wanted)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// The value, into this slot.
    Field(usize),
    /// More keys, in this node.
    Inside(usize),
}

impl Shape {
    /// A shape whose fields go to slots in the order of `paths`. Equal paths share the slot of the first.
    pub fn new(paths: &[Vec<String>]) -> Result<Self, PathClash> {
        let mut shape = Self { nodes: vec![Node::default()], ..Self::default() };
        for path in paths {
            if !shape.paths.contains(path) {
                shape.insert(path).ok_or_else(|| PathClash(path.join(".")))?;
            }
        }
        Ok(shape)
    }

    /// The paths in the order of their slots, joined by dots.
    pub fn names(&self) -> Vec<String> {
        self.paths.iter().map(|path| path.join(".")).collect()
    }

    /// The slot of a path.
    pub fn slot(&self, path: &[String]) -> Option<usize> {
        self.paths.iter().position(|known| known == path)
    }

    fn insert(&mut self, path: &[String]) -> Option<()> {
        let slot = self.paths.len();
        let (last, parents) = path.split_last()?;
        let mut at = 0;
        for key in parents {
            at = match self.nodes.get(at)?.find(key) {
                Some(Wanted::Inside(node)) => node,
                Some(Wanted::Field(_)) => return None,
                None => {
                    self.nodes.push(Node::default());
                    let node = self.nodes.len() - 1;
                    self.nodes.get_mut(at)?.keys.push((key.as_str().into(), Wanted::Inside(node)));
                    node
                }
            };
        }
        let node = self.nodes.get_mut(at)?;
        if node.find(last).is_some() {
            return None;
        }
        node.keys.push((last.as_str().into(), Wanted::Field(slot)));
        self.paths.push(path.to_vec());
        Some(())
    }

    /// Fills `fields`, which hold nothing yet, from a JSON text; slots beyond `fields` are left out. Texts with the same
    /// keys in the same order as those before are read fast.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    pub fn extract<'a>(&mut self, text: &'a str, fields: &mut [Field<'a>]) -> Result<(), serde_json::Error> {
        if scan::document(&self.nodes, &mut self.memory, text, fields).is_some() {
            return Ok(());
        }
        self.extract_slowly(text, fields)
    }

    /// The same by way of a tree: what [`Self::extract`] must equal.
    ///
    /// # Errors
    ///
    /// When the text is not JSON.
    pub fn extract_slowly<'a>(&self, text: &'a str, fields: &mut [Field<'a>]) -> Result<(), serde_json::Error> {
        fields.fill(Field::Absent);
        let document: Value = serde_json::from_str(text)?;
        for (path, field) in self.paths.iter().zip(fields) {
            let mut value = Some(&document);
            for key in path {
                value = value.and_then(Value::as_object).and_then(|object| object.get(key));
            }
            *field = value.map_or(Field::Absent, owned);
        }
        Ok(())
    }
}

impl Node {
    fn find(&self, key: &str) -> Option<Wanted> {
        self.keys.iter().find(|(name, _)| **name == *key).map(|(_, wanted)| *wanted)
    }
}

fn owned<'a>(value: &Value) -> Field<'a> {
    match value {
        Value::Null => Field::Null,
        Value::Bool(truth) => Field::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Field::Integer(integer),
            (None, Some(float)) => Field::Float(float),
            (None, None) => Field::Null,
        },
        Value::String(text) => Field::Text(Cow::Owned(text.clone())),
        Value::Array(_) | Value::Object(_) => Field::Nested(Cow::Owned(value.to_string())),
    }
}

#[cfg(test)]
mod tests;
