//! Health of a service by the share of its promise that a window broke.

use std::sync::Arc;

use crate::model::signal::{Health, Point, Rule};

/// Below so many requests a window says nothing about health.
const FEWEST: u64 = 10;
/// What counts as promised where nothing was.
const ASSUMED_PERCENT: f64 = 99.0;
/// How many times the promised share of failures makes a health of 1, of 2; beyond it is 3.
const TIMES: [f64; 2] = [4.0, 14.4];

/// The rule of services for which nobody wrote one.
#[derive(Clone, Debug)]
pub(super) struct HealthRule {
    /// Availability in percent, at least, for a health of 0, 1 and 2.
    least: [f64; 3],
    /// As screens show it.
    pub(super) rule: Rule,
}

impl HealthRule {
    /// By how often the promised share of failures is exceeded.
    pub(super) fn by_availability(objective_percent: Option<f64>) -> Self {
        let objective = objective_percent.unwrap_or(ASSUMED_PERCENT);
        let loss = 100.0 - objective;
        let short = |percent: f64| (percent.max(0.0) * 1_000.0).round() / 1_000.0;
        let [one, two] = TIMES.map(|times| short(loss.mul_add(-times, 100.0)));
        let text = format!(
            "requestCount < {FEWEST} ? 0 : availability >= {objective:?} ? 0 : availability >= {one:?} ? 1 : \
             availability >= {two:?} ? 2 : 3"
        );
        let rule = Rule { text: text.into(), from: Arc::from("default") };
        Self { least: [objective, one, two], rule }
    }

    /// The health of a window.
    pub(super) fn health(&self, point: &Point) -> Health {
        let Some(availability) = point.availability_percent().filter(|_| point.requests >= FEWEST) else {
            return Health::WELL;
        };
        let broken = self.least.iter().take_while(|least| availability < **least).count();
        i64::try_from(broken).ok().and_then(Health::new).unwrap_or(Health::DOWN)
    }
}
