//! What events are told apart by beside their service.

use serde::Deserialize;

use super::{Path, SpecError};

/// Dimensions of a spec.
pub const MOST_DIMENSIONS: usize = 8;
/// Names that expressions use for something else, or that the language keeps.
const TAKEN: [&str; 9] = ["service", "swimlane", "tags", "true", "false", "null", "in", "has", "matches"];

/// A field by whose values the events of each service are counted apart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// Its name on screens and in swimlane expressions.
    pub name: String,
    /// Field; of spans, the attribute of span or resource.
    pub field: Path,
    /// Values told apart for each service; the events of more go to `__other__`.
    #[serde(default = "twenty")]
    pub values: u32,
}

const fn twenty() -> u32 {
    20
}

/// Whether these dimensions can be told apart, and expressions can use them.
pub(super) fn check(dimensions: &[Dimension]) -> Result<(), SpecError> {
    let wrong = |key, value: &dyn ToString, problem| Err(SpecError::Value { key, value: value.to_string(), problem });
    if dimensions.len() > MOST_DIMENSIONS {
        return wrong("dimensions", &dimensions.len(), "there are 8 at most: each costs a count for each event");
    }
    for (number, Dimension { name, field, values }) in dimensions.iter().enumerate() {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if name.is_empty() || name.starts_with(|letter: char| letter.is_ascii_digit()) || !name.chars().all(plain) {
            return wrong("dimensions.name", name, "it is letters, digits and _, so that expressions can use it");
        }
        if TAKEN.contains(&name.as_str()) {
            return wrong("dimensions.name", name, "expressions use this name for something else");
        }
        if dimensions.iter().take(number).any(|before| before.name == *name) {
            return wrong("dimensions.name", name, "two dimensions have it");
        }
        if field.text().is_empty() {
            return wrong("dimensions.field", &"\"\"", "say which field it is");
        }
        if !(1..=1_000).contains(values) {
            return wrong("dimensions.values", values, "1 to 1000 values are told apart for each service");
        }
    }
    Ok(())
}
