//! Values and their types; equality and order as CEL has them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A value of an expression.
#[derive(Clone, Debug)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is not negative.
    Uint(u64),
    /// A number with a fraction.
    Double(f64),
    /// A text.
    String(Arc<str>),
    /// A list.
    List(Arc<[Self]>),
    /// A map.
    Map(Arc<BTreeMap<Key, Self>>),
}

/// A key of a map. Int and uint of the same number are the same key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i128),
    /// A text.
    String(Arc<str>),
}

/// A type as the checker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `uint`.
    Uint,
    /// `double`.
    Double,
    /// `string`.
    String,
    /// A list of one type.
    List(Box<Self>),
    /// A map: of keys, of values.
    Map(Box<Self>, Box<Self>),
    /// Known only when evaluated: `dyn(x)`, or a list of several types.
    Dyn,
}

impl Type {
    /// A map of strings to strings.
    pub fn tags() -> Self {
        Self::Map(Box::new(Self::String), Box::new(Self::String))
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether a value of one may be where the other is wanted.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(one), Self::List(two)) => one.agrees(two),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                key.agrees(other_key) && value.agrees(other_value)
            }
            (one, two) => one == two,
        }
    }

    /// Whether `==` between them can ever hold. Numbers of different types are compared by their value.
    pub(super) fn is_comparable(&self, other: &Self) -> bool {
        (self.is_number() && other.is_number())
            || match (self, other) {
                (Self::List(one), Self::List(two)) => one.is_comparable(two),
                (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                    key.is_comparable(other_key) && value.is_comparable(other_value)
                }
                (one, two) => one.agrees(two),
            }
    }

    /// One type for both: [`Self::Dyn`] when they differ.
    pub(super) fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one.clone(),
            (Self::List(one), Self::List(two)) => Self::List(Box::new(one.join(two))),
            (Self::Map(key, value), Self::Map(other_key, other_value)) => {
                Self::Map(Box::new(key.join(other_key)), Box::new(value.join(other_value)))
            }
            _ => Self::Dyn,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => formatter.write_str("bool"),
            Self::Int => formatter.write_str("int"),
            Self::Uint => formatter.write_str("uint"),
            Self::Double => formatter.write_str("double"),
            Self::String => formatter.write_str("string"),
            Self::List(item) => write!(formatter, "list({item})"),
            Self::Map(key, value) => write!(formatter, "map({key}, {value})"),
            Self::Dyn => formatter.write_str("dyn"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl Value {
    /// A map of strings to strings.
    pub fn tags<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (Key::String(key.into()), Self::from(value)));
        Self::Map(Arc::new(pairs.collect()))
    }

    /// As a key of a map literal.
    pub(super) fn key(&self) -> Option<Key> {
        match self {
            Self::Bool(value) => Some(Key::Bool(*value)),
            Self::Int(value) => Some(Key::Number(i128::from(*value))),
            Self::Uint(value) => Some(Key::Number(i128::from(*value))),
            Self::String(text) => Some(Key::String(text.clone())),
            Self::Double(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// As what is looked up: a double that is whole finds its number, others find nothing.
    pub(super) fn looked_up(&self) -> Option<Key> {
        match self {
            Self::Double(value) => whole(*value).map(Key::Number),
            value => value.key(),
        }
    }

    /// CEL's equality: never an error, and false between kinds.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two.iter()).all(|(one, two)| one.equals(two))
            }
            (Self::Map(one), Self::Map(two)) => {
                let same = |key, value: &Self| two.get(key).is_some_and(|other| value.equals(other));
                one.len() == two.len() && one.iter().all(|(key, value)| same(key, value))
            }
            _ => self.compare(other) == Some(Some(Ordering::Equal)),
        }
    }

    /// CEL's order: `None` when these have none; `Some(None)` when one of them is not a number.
    #[expect(clippy::option_option, reason = "NaN has an order that is always false, a string and an int have none")]
    pub(super) fn compare(&self, other: &Self) -> Option<Option<Ordering>> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(two)) => Some(Some(one.cmp(two))),
            (Self::String(one), Self::String(two)) => Some(Some(one.cmp(two))),
            (Self::Double(one), Self::Double(two)) => Some(one.partial_cmp(two)),
            (Self::Double(one), two) => two.integer().map(|two| compare_double(*one, two)),
            (one, Self::Double(two)) => one.integer().map(|one| compare_double(*two, one).map(Ordering::reverse)),
            (one, two) => Some(Some(one.integer()?.cmp(&two.integer()?))),
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(i128::from(*value)),
            Self::Uint(value) => Some(i128::from(*value)),
            _ => None,
        }
    }
}

/// Like other implementations of CEL, in doubles: above 2^53 neighbours are equal.
#[expect(clippy::cast_precision_loss, reason = "the conformance tests expect it")]
fn compare_double(one: f64, two: i128) -> Option<Ordering> {
    one.partial_cmp(&(two as f64))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 1e19).then_some(value as i128)
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(value) => write!(formatter, "{value}"),
            Self::String(text) => write!(formatter, "{text:?}"),
        }
    }
}

impl fmt::Display for Value {
    /// As a literal of CEL.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Uint(value) => write!(formatter, "{value}u"),
            Self::Double(value) => write!(formatter, "{value:?}"),
            Self::String(text) => write!(formatter, "{text:?}"),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                formatter.write_str("]")
            }
            Self::Map(pairs) => {
                formatter.write_str("{")?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    write!(formatter, "{}{key}: {value}", if index == 0 { "" } else { ", " })?;
                }
                formatter.write_str("}")
            }
        }
    }
}
