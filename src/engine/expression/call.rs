//! The functions of expressions.

use super::evaluate::EvaluationError;
use super::tree::Function;
use super::value::Value;

type Outcome = Result<Value, EvaluationError>;

/// What a function gives.
pub(super) fn call(function: Function, arguments: &[Value]) -> Outcome {
    match (function, arguments) {
        (Function::Size, [value]) => size(value),
        (Function::StartsWith, [Value::String(text), Value::String(part)]) => {
            Ok(Value::Bool(text.starts_with(&**part)))
        }
        (Function::EndsWith, [Value::String(text), Value::String(part)]) => Ok(Value::Bool(text.ends_with(&**part))),
        (Function::Contains, [Value::String(text), Value::String(part)]) => Ok(Value::Bool(text.contains(&**part))),
        (Function::ToInt, [value]) => int(value),
        (Function::ToUint, [value]) => uint(value),
        (Function::ToDouble, [value]) => double(value),
        (Function::ToString, [value]) => string(value),
        (Function::ToBool, [value]) => boolean(value),
        (Function::Dyn, [value]) => Ok(value.clone()),
        _ => Err(EvaluationError::NoOverload(function.name())),
    }
}

fn refuse(value: &Value, kind: &str) -> EvaluationError {
    EvaluationError::Conversion(format!("{value} is no {kind}"))
}

fn size(value: &Value) -> Outcome {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(pairs) => pairs.len(),
        _ => return Err(EvaluationError::NoOverload("size")),
    };
    i64::try_from(size).map(Value::Int).map_err(|_| EvaluationError::Overflow)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked before")]
fn int(value: &Value) -> Outcome {
    let converted = match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        Value::Double(number) => (*number > i64::MIN as f64 && *number < i64::MAX as f64).then_some(*number as i64),
        Value::String(text) => text.parse().ok(),
        _ => return Err(EvaluationError::NoOverload("int")),
    };
    converted.map(Value::Int).ok_or_else(|| refuse(value, "int"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the range is checked before"
)]
fn uint(value: &Value) -> Outcome {
    let converted = match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Uint(number) => Some(*number),
        Value::Double(number) => (*number >= 0.0 && *number < u64::MAX as f64).then_some(*number as u64),
        Value::String(text) => text.parse().ok(),
        _ => return Err(EvaluationError::NoOverload("uint")),
    };
    converted.map(Value::Uint).ok_or_else(|| refuse(value, "uint"))
}

#[expect(clippy::cast_precision_loss, reason = "CEL rounds to the nearest double")]
fn double(value: &Value) -> Outcome {
    let converted = match value {
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::String(text) => text.parse().ok(),
        _ => return Err(EvaluationError::NoOverload("double")),
    };
    converted.map(Value::Double).ok_or_else(|| refuse(value, "double"))
}

fn string(value: &Value) -> Outcome {
    let text = match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::String(text) => return Ok(Value::String(text.clone())),
        Value::List(_) | Value::Map(_) => return Err(EvaluationError::NoOverload("string")),
    };
    Ok(Value::String(text.into()))
}

fn boolean(value: &Value) -> Outcome {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) => match &**text {
            "true" | "TRUE" | "True" | "t" | "1" => Ok(Value::Bool(true)),
            "false" | "FALSE" | "False" | "f" | "0" => Ok(Value::Bool(false)),
            _ => Err(refuse(value, "bool")),
        },
        _ => Err(EvaluationError::NoOverload("bool")),
    }
}
