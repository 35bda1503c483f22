//! No text ends the process, stalls it, or gives a health outside 0 to 3.

use std::time::{Duration, Instant};

use flowdeck::engine::expression::{EvaluationError, Expression, HealthExpression, Inputs, Type, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// Far more than any of them takes, even on a busy machine without optimization.
const PATIENCE: Duration = Duration::from_millis(500);

const PIECES: &[&str] = &[
    "requestCount",
    "availability",
    "p99",
    "service",
    "tags",
    "slo",
    "saturation",
    "tags.tier",
    "x",
    "1",
    "0",
    "3",
    "99.0",
    "1e308",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615u",
    "0x1f",
    "''",
    "'a'",
    "\"\\u00e4\"",
    "r'\\'",
    "true",
    "false",
    "null",
    "in",
    "has(",
    "size(",
    "int(",
    "double(",
    "string(",
    "dyn(",
    "matches(",
    ".matches('(a+)+$')",
    ".startsWith('a')",
    ".map(x, x)",
    "&&",
    "||",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "?",
    ":",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "//",
    "\n",
    "`",
    "'",
    "\"",
    "\\",
    "@",
    "ü",
    "\u{0}",
    "\u{202e}",
];

fn try_it(source: &str) -> Result<(), TestCaseError> {
    let start = Instant::now();
    if let Err(problem) = HealthExpression::compile(source) {
        prop_assert!(problem.line >= 1 && problem.column >= 1);
        prop_assert!(!problem.sentence.is_empty());
        // A caret under the line, and nothing that a terminal would obey in the line.
        let picture = problem.picture();
        prop_assert_eq!(picture.lines().count(), 2, "{:?}", picture);
        prop_assert!(!picture.chars().any(|letter| letter.is_control() && letter != '\n'), "{:?}", picture);
    }
    let scope = HealthExpression::scope();
    if let Ok(health) = HealthExpression::compile(source) {
        for inputs in Inputs::samples() {
            let level = health.judge(&inputs, &Value::tags([("tier", "1")]));
            prop_assert!(level.is_err() || level.is_ok_and(|level| level.level() <= 3));
        }
    }
    if let Ok(expression) = Expression::compile_unchecked(source, &scope) {
        let nothing = vec![None; scope.names().count()];
        let outcome = expression.evaluate(&nothing);
        let unknown = matches!(outcome, Err(EvaluationError::NotKnown(_)));
        prop_assert!(!unknown || !expression.reads().is_empty(), "{:?}", source);
    }
    prop_assert!(start.elapsed() < PATIENCE, "{:?} for {:?}", start.elapsed(), source);
    Ok(())
}

/// Expressions of a type, so that most of them are valid.
fn typed(kind: &'static str) -> BoxedStrategy<String> {
    let leaf = match kind {
        "bool" => prop_oneof![Just("true"), Just("false"), Just("has(tags.tier)")].boxed(),
        "int" => {
            prop_oneof![Just("requestCount"), Just("0"), Just("3"), Just("-9223372036854775808"), Just("7")].boxed()
        }
        "double" => {
            prop_oneof![Just("availability"), Just("p99"), Just("0.0"), Just("1e308"), Just("saturation")].boxed()
        }
        _ => prop_oneof![Just("service"), Just("''"), Just("tags.tier"), Just("'ü'"), Just("tags.none")].boxed(),
    };
    leaf.prop_map(str::to_owned).boxed()
}

fn expression() -> impl Strategy<Value = (&'static str, String)> {
    let kinds = prop_oneof![Just("bool"), Just("int"), Just("double"), Just("string")];
    let leaf = kinds.prop_flat_map(|kind| typed(kind).prop_map(move |text| (kind, text)));
    leaf.prop_recursive(6, 60, 3, |inner| {
        (inner.clone(), inner.clone(), inner, 0..12_u8).prop_map(
            |((kind, one), (other, two), (last, three), choice)| match (kind, choice) {
                ("bool", 0) => (last, format!("({one} ? {three} : {three})")),
                ("bool", 1) => ("bool", format!("!{one}")),
                ("bool", 2) if other == "bool" => ("bool", format!("({one} && {two})")),
                ("bool", 3) if other == "bool" => ("bool", format!("({one} || {two})")),
                ("int", 4) if other == "int" => ("int", format!("({one} / {two})")),
                ("int", 5) if other == "int" => ("int", format!("({one} * {two} - {two} % {one})")),
                ("double", 6) if other == "double" => ("double", format!("({one} / {two} + {one})")),
                ("string", 7) if other == "string" => ("string", format!("({one} + {two} + {one})")),
                (kind, 8) => (kind, format!("[{one}, {one}][0]")),
                (kind, 9) if kind == other => ("bool", format!("({one} in [{two}, {one}])")),
                (kind, 10) if kind == last => ("bool", format!("({one} < {three} == ({three} >= {one}))")),
                ("string", _) => ("int", format!("size({one})")),
                (kind, _) => (kind, format!("({one})")),
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn soups_of_tokens(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60), glue in prop::sample::select(&["", " "][..])) {
        try_it(&pieces.join(glue))?;
    }

    #[test]
    fn soups_of_characters(source in "\\PC{0,200}") {
        try_it(&source)?;
    }

    #[test]
    fn one_piece_over_and_over(piece in prop::sample::select(PIECES), other in prop::sample::select(PIECES), count in 1..4_000_usize) {
        try_it(&format!("{piece}{other}").repeat(count))?;
        try_it(&format!("{}{}", piece.repeat(count / 2), other.repeat(count / 2)))?;
    }

    /// What the checker lets pass fails only for reasons that depend on values, never for a type.
    #[test]
    fn checked_expressions_do_not_fail_for_their_types((_, source) in expression()) {
        try_it(&source)?;
        let scope = HealthExpression::scope();
        if let Ok(expression) = Expression::compile(&source, &scope) {
            let inputs: Vec<Option<Value>> = scope.names().map(|(_, kind)| Some(match kind {
                Type::Int => Value::Int(100),
                Type::Double => Value::Double(99.5),
                Type::String => Value::from("rum"),
                _ => Value::tags([("tier", "1")]),
            })).collect();
            let outcome = expression.evaluate(&inputs);
            prop_assert!(!matches!(outcome, Err(EvaluationError::NoOverload(_))), "{} {:?}", source, outcome);
            if let Ok(value) = outcome {
                let fits = match expression.kind() {
                    Type::Bool => matches!(value, Value::Bool(_)),
                    Type::Int => matches!(value, Value::Int(_)),
                    Type::Double => matches!(value, Value::Double(_)),
                    Type::String => matches!(value, Value::String(_)),
                    _ => true,
                };
                prop_assert!(fits, "{} is {} and not {}", source, value, expression.kind());
            }
        }
    }
}

/// Most of what the generator makes is valid: else the property above would say nothing.
#[test]
fn the_generator_makes_expressions() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made: Vec<String> = (0..500).map(|_| expression().new_tree(&mut runner).unwrap().current().1).collect();
    let scope = HealthExpression::scope();
    let valid = made.iter().filter(|source| Expression::compile(source, &scope).is_ok()).count();
    assert!(valid > 400, "{valid} of {}", made.len());
    assert!(made.iter().any(|source| source.len() > 60), "{made:?}");
}
