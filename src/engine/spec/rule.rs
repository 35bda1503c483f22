//! Which events failed.

use std::cmp::Ordering;
use std::fmt;

use serde::Deserialize;

use super::super::json::Field;
use super::Path;

/// A comparison on one field; an event for which it holds failed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Field.
    pub field: Path,
    /// How it is compared.
    pub op: Comparison,
    /// With what.
    pub value: Operand,
    /// What an event is that has no such field, or null there.
    #[serde(default)]
    pub absent: Absent,
}

/// What an event without the field of the rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Not an event: it is counted as refused.
    #[default]
    Refused,
    /// A success: the field is only written of failures.
    Succeeded,
    /// A failure: the field is what an answer would have brought.
    Failed,
}

impl Default for ErrorRule {
    /// The server's side of HTTP: 500 and above.
    fn default() -> Self {
        Self {
            field: Path::Dotted("status".into()),
            op: Comparison::AtLeast,
            value: Operand::Integer(500),
            absent: Absent::Refused,
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Comparison {
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
    /// Below.
    #[serde(rename = "<")]
    Below,
    /// At most.
    #[serde(rename = "<=")]
    AtMost,
    /// Above.
    #[serde(rename = ">")]
    Above,
    /// At least.
    #[serde(rename = ">=")]
    AtLeast,
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Equal => "\"==\"",
            Self::NotEqual => "\"!=\"",
            Self::Below => "\"<\"",
            Self::AtMost => "\"<=\"",
            Self::Above => "\">\"",
            Self::AtLeast => "\">=\"",
        })
    }
}

/// What a field is compared with; the field must be of the same type.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a number, a string, true or false")]
pub enum Operand {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
}

impl ErrorRule {
    /// What is wrong with the rule.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let ordered = !matches!(self.op, Comparison::Equal | Comparison::NotEqual);
        match self.value {
            Operand::Bool(_) | Operand::Text(_) if ordered => Err("text, true and false have no order: use == or !="),
            Operand::Float(float) if !float.is_finite() => Err("the value is not a number that can be compared with"),
            _ => Ok(()),
        }
    }

    /// Whether an event without the field failed; `None` when it is no event.
    pub const fn failed_without(&self) -> Option<bool> {
        match self.absent {
            Absent::Refused => None,
            Absent::Succeeded => Some(false),
            Absent::Failed => Some(true),
        }
    }

    /// Whether an event failed; `None` when the field is of another type than the rule's value.
    #[expect(clippy::cast_precision_loss, reason = "mixed numbers compare as f64 does, as in most languages")]
    pub fn failed(&self, field: &Field<'_>) -> Option<bool> {
        let order = match (field, &self.value) {
            (Field::Integer(left), Operand::Integer(right)) => left.cmp(right),
            (Field::Integer(left), Operand::Float(right)) => (*left as f64).partial_cmp(right)?,
            (Field::Float(left), Operand::Integer(right)) => left.partial_cmp(&(*right as f64))?,
            (Field::Float(left), Operand::Float(right)) => left.partial_cmp(right)?,
            (Field::Bool(left), Operand::Bool(right)) => left.cmp(right),
            (Field::Text(left), Operand::Text(right)) => left.as_ref().cmp(right.as_str()),
            _ => return None,
        };
        Some(match self.op {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::NotEqual => order != Ordering::Equal,
            Comparison::Below => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::Above => order == Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
        })
    }
}
