//! What a health expression would have said of windows that are over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{HealthExpression, Inputs, Value};
use crate::model::signal::Health;

/// Changes that are told one by one; more are counted.
const CHANGES: usize = 10_000;
/// Reasons that are told apart.
const REASONS: usize = 100;

/// A window in which the health of a service would have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The service.
    pub service: Arc<str>,
    /// Its swimlane; "" where windows are not told apart by it.
    pub swimlane: Arc<str>,
    /// Health in its window before.
    pub from: Health,
    /// Health in this one.
    pub to: Health,
    /// Start of the window, milliseconds since 1970.
    pub at: i64,
}

/// What would have been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtest {
    /// Windows that were judged, by health.
    pub windows: [u64; 4],
    /// Changes in the order of time.
    pub changes: Vec<Change>,
    /// Changes that are not told, being too many.
    pub more_changes: u64,
    /// Why windows have no health, and how many each.
    pub faults: BTreeMap<String, u64>,
}

/// Evaluates an expression over windows in the order of their starts. A window without answer changes nothing.
pub fn backtest<'a>(
    expression: &HealthExpression,
    windows: impl IntoIterator<Item = (i64, &'a Inputs)>,
    tags: &Value,
) -> Backtest {
    let mut result = Backtest::default();
    let mut before: BTreeMap<(Arc<str>, Arc<str>), Health> = BTreeMap::new();
    for (at, inputs) in windows {
        let to = match expression.judge(inputs, tags) {
            Ok(health) => health,
            Err(reason) => {
                let is_known = result.faults.len() < REASONS || result.faults.contains_key(&reason);
                let reason = if is_known { reason } else { "other reasons".to_owned() };
                *result.faults.entry(reason).or_default() += 1;
                continue;
            }
        };
        if let Some(count) = result.windows.get_mut(usize::from(to.level())) {
            *count += 1;
        }
        let (service, swimlane) = (inputs.service.clone(), inputs.swimlane.clone());
        match before.insert((service.clone(), swimlane.clone()), to) {
            Some(from) if from != to && result.changes.len() < CHANGES => {
                result.changes.push(Change { service, swimlane, from, to, at });
            }
            Some(from) if from != to => result.more_changes += 1,
            _ => {}
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_by_service_and_in_order() {
        let expression = HealthExpression::compile("requestCount == 7 ? 1 / 0 : errorCount > 5 ? 3 : 0").unwrap();
        let window = |service: &str, requests, errors| Inputs {
            service: service.into(),
            requests,
            errors,
            ..Inputs::samples().pop().unwrap()
        };
        let windows = [
            (0, window("a", 100, 0)),
            (0, window("b", 100, 9)),
            (10, window("a", 100, 9)),
            (10, window("b", 100, 9)),
            (20, window("a", 7, 0)),
            (30, window("a", 100, 9)),
            (40, window("a", 100, 0)),
        ];
        let result = backtest(&expression, windows.iter().map(|(at, window)| (*at, window)), &Value::tags([]));
        let told: Vec<_> =
            result.changes.iter().map(|it| (&*it.service, it.from.level(), it.to.level(), it.at)).collect();
        assert_eq!(told, [("a", 0, 3, 10), ("a", 3, 0, 40)]);
        assert_eq!(result.windows, [2, 0, 0, 4]);
        assert_eq!(result.faults.into_iter().collect::<Vec<_>>(), [("it divides by zero".to_owned(), 1)]);
    }
}
