//! The conformance tests of CEL that concern what expressions may use; `tests/fixtures/cel` says which do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck::engine::expression::{EvaluationError, Expression, Key, Scope, Type, Value};
use serde::Deserialize;

const TESTS: &str = include_str!("../fixtures/cel/conformance.jsonl");

/// Where flowdeck differs on purpose: a name that is not declared is refused when it is read, not when it is reached.
const DIFFERENT: &[(&str, &str)] = &[("variables", "unbound_is_runtime_error")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    file: String,
    section: String,
    name: String,
    expr: String,
    /// By name: type, and value if it is bound.
    #[serde(default)]
    names: BTreeMap<String, (String, Option<Literal>)>,
    #[serde(default)]
    unchecked: bool,
    /// The type that the checker finds.
    r#type: Option<String>,
    value: Option<Literal>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bool,
    Int,
    Uint,
    Double,
    String,
    List,
    Map,
}

#[derive(Debug, Deserialize)]
struct Literal(Kind, serde_json::Value);

fn value(Literal(kind, value): &Literal) -> Value {
    let text = || value.as_str().unwrap();
    let literal = |value: &serde_json::Value| Literal::deserialize(value).unwrap();
    match kind {
        Kind::Bool => Value::Bool(value.as_bool().unwrap()),
        Kind::Int => Value::Int(number(text())),
        Kind::Uint => Value::Uint(number(text())),
        Kind::Double => Value::Double(text().parse().unwrap()),
        Kind::String => Value::from(text()),
        Kind::List => Value::List(value.as_array().unwrap().iter().map(|item| self::value(&literal(item))).collect()),
        Kind::Map => {
            let pairs = value.as_array().unwrap().iter().map(|pair| {
                let key = match self::value(&literal(&pair[0])) {
                    Value::Bool(key) => Key::Bool(key),
                    Value::Int(key) => Key::Number(i128::from(key)),
                    Value::Uint(key) => Key::Number(i128::from(key)),
                    Value::String(key) => Key::String(key),
                    other => panic!("{other} is no key"),
                };
                (key, self::value(&literal(&pair[1])))
            });
            Value::Map(Arc::new(pairs.collect()))
        }
    }
}

fn number<T: TryFrom<i128, Error: std::fmt::Debug>>(text: &str) -> T {
    let hexadecimal = text.strip_prefix("0x").map(|digits| i128::from_str_radix(digits, 16).unwrap());
    T::try_from(hexadecimal.unwrap_or_else(|| text.parse().unwrap())).unwrap()
}

fn kind(text: &str) -> Type {
    match text {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "dyn" => Type::Dyn,
        other => {
            let (name, inner) = other.strip_suffix(')').and_then(|text| text.split_once('(')).unwrap();
            match (name, inner.split_once(", ")) {
                ("list", None) => Type::List(Box::new(kind(inner))),
                ("map", Some((key, value))) => Type::Map(Box::new(kind(key)), Box::new(kind(value))),
                _ => panic!("unknown type {other}"),
            }
        }
    }
}

/// Equal as a test means it: of one type, and NaN is NaN.
fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Double(one), Value::Double(two)) => one.to_bits() == two.to_bits(),
        _ => format!("{one:?}") == format!("{two:?}"),
    }
}

fn outcome(test: &Test) -> Result<(), String> {
    let scope = Scope::new(test.names.iter().map(|(name, (text, _))| (name.as_str(), kind(text))));
    let inputs: Vec<_> = test.names.values().map(|(_, bound)| bound.as_ref().map(value)).collect();
    let compiled = if test.unchecked {
        Expression::compile_unchecked(&test.expr, &scope)
    } else {
        Expression::compile(&test.expr, &scope)
    };
    let expression = match (compiled, &test.error) {
        (Ok(expression), _) => expression,
        // An error that this checker finds early is the error that the test wants late.
        (Err(_), Some(_)) => return Ok(()),
        (Err(problem), None) => return Err(problem.to_string()),
    };
    if let Some(expected) = &test.r#type
        && expression.kind().to_string() != *expected
    {
        return Err(format!("type {} instead of {expected}", expression.kind()));
    }
    match (expression.evaluate(&inputs), &test.value, &test.error) {
        (Ok(found), Some(expected), None) if same(&found, &value(expected)) => Ok(()),
        (Ok(_), None, None) => Ok(()),
        (Err(error), None, Some(words)) => reason(&error, words),
        (found, ..) => Err(format!("{found:?} instead of {:?} {:?}", test.value, test.error)),
    }
}

/// Where the test names the reason, it must be that one.
fn reason(error: &EvaluationError, words: &str) -> Result<(), String> {
    let fits = match words {
        words if words.contains("by zero") || words.contains("modulus by zero") => {
            *error == EvaluationError::DivisionByZero
        }
        "no such key" => matches!(error, EvaluationError::NoSuchKey(_)),
        "Failed with repeated key" => matches!(error, EvaluationError::RepeatedKey(_)),
        "no such overload" => matches!(error, EvaluationError::NoOverload(_)),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{error:?} instead of {words}")) }
}

#[test]
fn what_cel_says_of_what_expressions_may_use() {
    let tests: Vec<Test> = TESTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(tests.len() > 750, "{}", tests.len());
    let is_different = |test: &Test| DIFFERENT.contains(&(test.section.as_str(), test.name.as_str()));
    let failed: Vec<String> = tests
        .iter()
        .filter_map(|test| {
            let problem = match (outcome(test), is_different(test)) {
                (Ok(()), false) | (Err(_), true) => return None,
                (Ok(()), true) => "is said to differ, and does not".to_owned(),
                (Err(problem), false) => problem,
            };
            Some(format!("{}/{}/{}: {}\n    {problem}", test.file, test.section, test.name, test.expr))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} fail:\n{}", failed.len(), tests.len(), failed.join("\n"));
}
