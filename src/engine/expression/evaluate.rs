//! The value of an expression for given inputs.
//!
//! How: a walk of the tree, every node at most once, and a budget for what a node may cost beyond that: long texts and
//! lists. Errors are values: `&&` and `||` absorb one when the other side decides, as CEL says.
//!
//! It must not end the process, whatever it is given: whole numbers are checked, the depth is bounded by the parser.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::call::call;
use super::tree::{Arithmetic, Comparison, Node, Part};
use super::value::Value;

/// What one evaluation may cost: nodes, items of lists, and 64 bytes of text each count 1.
const BUDGET: usize = 20_000;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluationError {
    /// A whole number divided by 0.
    DivisionByZero,
    /// A whole number that does not fit into 64 bits.
    Overflow,
    /// A map has no such key.
    NoSuchKey(String),
    /// A list is shorter.
    OutOfBounds(String),
    /// An operator or a function on what it is not made for. The checker refuses most of these.
    NoOverload(&'static str),
    /// A conversion of what cannot be converted.
    Conversion(String),
    /// A map literal with a key twice.
    RepeatedKey(String),
    /// A value that is not known now: this input has no value.
    NotKnown(usize),
    /// It would take too long.
    TooCostly,
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DivisionByZero => formatter.write_str("it divides by zero"),
            Self::Overflow => formatter.write_str("a whole number does not fit into 64 bits"),
            Self::NoSuchKey(key) => write!(formatter, "there is no key {key}"),
            Self::OutOfBounds(index) => write!(formatter, "a list has nothing at {index}"),
            Self::NoOverload(what) => write!(formatter, "{what} cannot be used on such values"),
            Self::Conversion(what) => formatter.write_str(what),
            Self::RepeatedKey(key) => write!(formatter, "a map has the key {key} twice"),
            Self::NotKnown(slot) => write!(formatter, "input {slot} is not known"),
            Self::TooCostly => formatter.write_str("it would take too long: its texts or lists are too long"),
        }
    }
}

type Outcome = Result<Value, EvaluationError>;

/// The value of a node. An input that is `None` is an error when it is read.
pub(super) fn evaluate(node: &Node, inputs: &[Option<Value>]) -> Outcome {
    Evaluation { inputs, left: BUDGET }.value(node)
}

struct Evaluation<'a> {
    inputs: &'a [Option<Value>],
    left: usize,
}

impl Evaluation<'_> {
    fn pay(&mut self, cost: usize) -> Result<(), EvaluationError> {
        self.left = self.left.checked_sub(cost).ok_or(EvaluationError::TooCostly)?;
        Ok(())
    }

    fn pay_for(&mut self, value: &Value) -> Result<(), EvaluationError> {
        self.pay(match value {
            Value::String(text) => text.len() / 64,
            Value::List(items) => items.len(),
            Value::Map(pairs) => pairs.len(),
            _ => 0,
        })
    }

    fn value(&mut self, node: &Node) -> Outcome {
        self.pay(1)?;
        match &node.part {
            Part::Literal(value) => Ok(value.clone()),
            Part::Variable(slot) => self.inputs.get(*slot).cloned().flatten().ok_or(EvaluationError::NotKnown(*slot)),
            Part::Not(inner) => match self.value(inner)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => Err(EvaluationError::NoOverload("!")),
            },
            Part::Negative(inner) => match self.value(inner)? {
                Value::Int(value) => value.checked_neg().map(Value::Int).ok_or(EvaluationError::Overflow),
                Value::Double(value) => Ok(Value::Double(-value)),
                _ => Err(EvaluationError::NoOverload("-")),
            },
            Part::And(both) => self.junction(both, false),
            Part::Or(both) => self.junction(both, true),
            Part::Choice(three) => {
                let [condition, then, otherwise] = &**three;
                match self.value(condition)? {
                    Value::Bool(true) => self.value(then),
                    Value::Bool(false) => self.value(otherwise),
                    _ => Err(EvaluationError::NoOverload("? :")),
                }
            }
            Part::Compare(comparison, both) => self.two(both, |one, two| compare(*comparison, one, two)),
            Part::Arithmetic(sign, both) => self.two(both, |one, two| arithmetic(*sign, one, two)),
            Part::In(both) => self.two(both, |item, all| contains(all, item)),
            Part::Index(both) => self.two(both, at_index),
            Part::List(items) => self.values(items).map(|items| Value::List(items.into())),
            Part::Map(pairs) => self.map(pairs),
            Part::Field(map, name) => at_key(&self.value(map)?, &Value::from(name.as_str())),
            Part::Has(map, name) => contains(&self.value(map)?, &Value::from(name.as_str())),
            Part::Call(function, arguments) => {
                let arguments = self.values(arguments)?;
                arguments.iter().try_for_each(|argument| self.pay_for(argument))?;
                call(*function, &arguments)
            }
            Part::Matches(text, pattern) => {
                let Value::String(text) = self.value(text)? else { return Err(EvaluationError::NoOverload("matches")) };
                // A pattern may take a step for each of its states at each byte.
                self.pay(text.len() * 4)?;
                Ok(Value::Bool(pattern.is_match(&text)))
            }
        }
    }

    fn values(&mut self, nodes: &[Node]) -> Result<Vec<Value>, EvaluationError> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn two(&mut self, both: &[Node; 2], operator: impl FnOnce(&Value, &Value) -> Outcome) -> Outcome {
        let [one, two] = both;
        let (one, two) = (self.value(one)?, self.value(two)?);
        self.pay_for(&one)?;
        self.pay_for(&two)?;
        operator(&one, &two)
    }

    /// `&&` and `||`: whichever side gives `decisive` decides, even when the other one fails.
    fn junction(&mut self, both: &[Node; 2], decisive: bool) -> Outcome {
        let [one, two] = both;
        let truth = |outcome: Outcome| match outcome {
            Ok(Value::Bool(value)) => Ok(value),
            Ok(_) => Err(EvaluationError::NoOverload(if decisive { "||" } else { "&&" })),
            Err(error) => Err(error),
        };
        let one = truth(self.value(one));
        if one == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        let two = truth(self.value(two));
        if two == Ok(decisive) {
            return Ok(Value::Bool(decisive));
        }
        one.and(two).map(Value::Bool)
    }

    fn map(&mut self, pairs: &[[Node; 2]]) -> Outcome {
        let mut map = BTreeMap::new();
        for [key, value] in pairs {
            let key = self.value(key)?;
            let value = self.value(value)?;
            let key = key.key().ok_or(EvaluationError::NoOverload("a map's key"))?;
            if map.contains_key(&key) {
                return Err(EvaluationError::RepeatedKey(key.to_string()));
            }
            map.insert(key, value);
        }
        Ok(Value::Map(Arc::new(map)))
    }
}

fn compare(comparison: Comparison, one: &Value, two: &Value) -> Outcome {
    match comparison {
        Comparison::Equal => return Ok(Value::Bool(one.equals(two))),
        Comparison::NotEqual => return Ok(Value::Bool(!one.equals(two))),
        _ => {}
    }
    let order = one.compare(two).ok_or(EvaluationError::NoOverload("an order"))?;
    Ok(Value::Bool(match comparison {
        Comparison::Below => order == Some(Ordering::Less),
        Comparison::AtMost => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Above => order == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Comparison::Equal | Comparison::NotEqual => false,
    }))
}

fn arithmetic(sign: Arithmetic, one: &Value, two: &Value) -> Outcome {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => whole(sign, (*one, *two), INT).map(Value::Int),
        (Value::Uint(one), Value::Uint(two)) => whole(sign, (*one, *two), UINT).map(Value::Uint),
        (Value::Double(one), Value::Double(two)) => match sign {
            Arithmetic::Plus => Ok(Value::Double(one + two)),
            Arithmetic::Minus => Ok(Value::Double(one - two)),
            Arithmetic::Times => Ok(Value::Double(one * two)),
            Arithmetic::Over => Ok(Value::Double(one / two)),
            Arithmetic::Remainder => Err(EvaluationError::NoOverload("%")),
        },
        (Value::String(one), Value::String(two)) if sign == Arithmetic::Plus => {
            Ok(Value::String(format!("{one}{two}").into()))
        }
        (Value::List(one), Value::List(two)) if sign == Arithmetic::Plus => {
            Ok(Value::List(one.iter().chain(two.iter()).cloned().collect()))
        }
        _ => Err(EvaluationError::NoOverload(sign.sign())),
    }
}

/// Whole numbers, by what adds, takes away, multiplies, divides and leaves of them, each `None` beyond their range.
fn whole<Number: Default + PartialEq>(
    sign: Arithmetic,
    (one, two): (Number, Number),
    [plus, minus, times, over, remainder]: [fn(Number, Number) -> Option<Number>; 5],
) -> Result<Number, EvaluationError> {
    if two == Number::default() && matches!(sign, Arithmetic::Over | Arithmetic::Remainder) {
        return Err(EvaluationError::DivisionByZero);
    }
    let operation = match sign {
        Arithmetic::Plus => plus,
        Arithmetic::Minus => minus,
        Arithmetic::Times => times,
        Arithmetic::Over => over,
        Arithmetic::Remainder => remainder,
    };
    operation(one, two).ok_or(EvaluationError::Overflow)
}

const INT: [fn(i64, i64) -> Option<i64>; 5] =
    [i64::checked_add, i64::checked_sub, i64::checked_mul, i64::checked_div, i64::checked_rem];
const UINT: [fn(u64, u64) -> Option<u64>; 5] =
    [u64::checked_add, u64::checked_sub, u64::checked_mul, u64::checked_div, u64::checked_rem];

fn contains(all: &Value, item: &Value) -> Outcome {
    match all {
        Value::List(items) => Ok(Value::Bool(items.iter().any(|other| other.equals(item)))),
        Value::Map(pairs) => Ok(Value::Bool(item.looked_up().is_some_and(|key| pairs.contains_key(&key)))),
        _ => Err(EvaluationError::NoOverload("in")),
    }
}

fn at_key(map: &Value, key: &Value) -> Outcome {
    let Value::Map(pairs) = map else { return Err(EvaluationError::NoOverload(".")) };
    let found = key.looked_up().and_then(|key| pairs.get(&key));
    found.cloned().ok_or_else(|| EvaluationError::NoSuchKey(key.to_string()))
}

fn at_index(container: &Value, index: &Value) -> Outcome {
    let Value::List(items) = container else { return at_key(container, index) };
    let Some(super::value::Key::Number(number)) = index.looked_up() else {
        return Err(EvaluationError::NoOverload("[ ]"));
    };
    let item = usize::try_from(number).ok().and_then(|number| items.get(number));
    item.cloned().ok_or_else(|| EvaluationError::OutOfBounds(index.to_string()))
}
