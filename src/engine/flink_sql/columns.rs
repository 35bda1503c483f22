//! The fields of a spec as columns of a table, and as expressions over them.
//!
//! How: of JSON each outermost key is a column, with rows inside; of a line there is one column, and a field is what a regular
//! expression finds in it.
//!
//! It must not give one column two types.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Unsuited;
use super::words::{name, text};
use crate::engine::decode::line::pieces;
use crate::engine::spec::{Format, Operand, Path, Spec, TimeUnit};

/// Columns of the source: where each field of the spec is.
pub(super) struct Columns {
    tree: BTreeMap<String, Node>,
    pub(super) is_line: bool,
}

enum Node {
    Leaf(&'static str),
    Row(BTreeMap<String, Self>),
}

impl Columns {
    pub(super) fn of(spec: &Spec) -> Result<Self, Unsuited> {
        let mut columns = Self { tree: BTreeMap::new(), is_line: spec.source.format == Format::Line };
        let fields = spec.source.time.iter().map(|time| (&time.field, kind_of_time(time.unit)));
        let fields = fields.chain(spec.source.latency.iter().map(|latency| (&latency.field, "DOUBLE")));
        let fields = fields.chain(spec.key.iter().map(|key| (&key.service, "STRING")));
        let fields = fields.chain([(&spec.error.field, kind_of_operand(&spec.error.value))]);
        // Only swimlanes are told by them.
        let dimensions = spec.dimensions.iter().filter(|_| spec.expressions.swimlane.is_some());
        for (path, kind) in fields.chain(dimensions.map(|dimension| (&dimension.field, "STRING"))) {
            columns.add(path, kind)?;
        }
        Ok(columns)
    }

    fn add(&mut self, path: &Path, kind: &'static str) -> Result<(), Unsuited> {
        let keys = path.keys();
        let clash = |one, other| Unsuited::Field { path: path.text(), one, other };
        let Some((last, outer)) = keys.split_last() else { return Ok(()) };
        let mut tree = &mut self.tree;
        for key in outer {
            tree = match tree.entry(key.clone()).or_insert_with(|| Node::Row(BTreeMap::new())) {
                Node::Row(inner) => inner,
                Node::Leaf(known) => return Err(clash(known, "an object")),
            };
        }
        match tree.entry(last.clone()).or_insert(Node::Leaf(kind)) {
            Node::Leaf(known) if *known == kind => Ok(()),
            // A whole number in one place may be any number in another.
            Node::Leaf(known) if ["BIGINT", "DOUBLE"].contains(known) && ["BIGINT", "DOUBLE"].contains(&kind) => {
                *known = "DOUBLE";
                Ok(())
            }
            Node::Leaf(known) => Err(clash(known, kind)),
            Node::Row(_) => Err(clash("an object", kind)),
        }
    }

    /// The columns as a table declares them.
    pub(super) fn declared(&self) -> String {
        if self.is_line {
            return "  `line` STRING".to_owned();
        }
        let columns: Vec<String> =
            self.tree.iter().map(|(key, node)| format!("  {} {}", name(key), kind(node))).collect();
        columns.join(",\n")
    }

    /// A field as an expression.
    pub(super) fn field(&self, spec: &Spec, path: &Path, kind: &'static str) -> String {
        let keys = path.keys();
        if !self.is_line {
            return keys.iter().map(|key| name(key)).collect::<Vec<_>>().join(".");
        }
        let pattern = spec.source.pattern.as_deref().unwrap_or_default();
        let found =
            format!("NULLIF(NULLIF(REGEXP_EXTRACT(`line`, {}, 1), ''), '-')", text(&regex(pattern, &path.text())));
        if kind == "STRING" { found } else { format!("TRY_CAST({found} AS {kind})") }
    }
}

fn kind(node: &Node) -> String {
    match node {
        Node::Leaf(kind) => (*kind).to_owned(),
        Node::Row(inner) => {
            let fields: Vec<String> = inner.iter().map(|(key, node)| format!("{} {}", name(key), kind(node))).collect();
            format!("ROW<{}>", fields.join(", "))
        }
    }
}

pub(super) const fn kind_of_time(unit: TimeUnit) -> &'static str {
    match unit {
        // Seconds have fractions.
        TimeUnit::S => "DOUBLE",
        TimeUnit::Ms | TimeUnit::Us | TimeUnit::Ns => "BIGINT",
        TimeUnit::Rfc3339 => "TIMESTAMP_LTZ(3)",
        TimeUnit::Clf => "STRING",
    }
}

pub(super) const fn kind_of_operand(operand: &Operand) -> &'static str {
    match operand {
        Operand::Bool(_) => "BOOLEAN",
        Operand::Integer(_) | Operand::Float(_) => "DOUBLE",
        Operand::Text(_) => "STRING",
    }
}

/// A regular expression whose only group is a field of a line. Whatever was passed over is not tried again.
pub(super) fn regex(pattern: &str, wanted: &str) -> String {
    let (begin, fields) = pieces(pattern);
    let mut regex = format!("^{}", quoted(begin));
    for (field, then) in fields {
        let (open, close) = if field == wanted { ("(", ")") } else { ("(?:", ")") };
        let reach = if then.is_empty() { ".*" } else { ".*?" };
        // Writing to a string does not fail.
        let _written = write!(regex, "(?>{open}{reach}{close}{})", quoted(then));
    }
    regex.push_str("\\r?\\n?$");
    regex
}

/// Text that means itself in a regular expression.
fn quoted(plain: &str) -> String {
    let special = |letter: char| !letter.is_alphanumeric() && letter.is_ascii() && letter != ' ' && letter != '"';
    plain.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}
