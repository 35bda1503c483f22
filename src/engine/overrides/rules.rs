//! The rules in force: the spec's own, and the overrides from the window on at which each set was taken in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::{Override, Overrides};
use crate::engine::expression::{HealthExpression, Inputs, Problem, Value};
use crate::engine::spec::{Spec, SpecError};
use crate::model::signal::{Health, Rule};

/// Sets kept for windows that still get late events.
const SETS: usize = 4;
/// Below so many failures a window says nothing about health: one of few requests is a large share.
const FEWEST: u64 = 3;
/// What counts as promised where nothing was, percent.
const ASSUMED_PERCENT: f64 = 99.0;
/// How many times the promised share of failures makes a health of 1, of 2; beyond it is 3.
const TIMES: [f64; 2] = [4.0, 14.4];

/// How a service was found to be, and by which rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The health.
    pub health: Health,
    /// The rule that gave it.
    pub rule: Rule,
    /// Why the rule that should have given it did not.
    pub fault: Option<Arc<str>>,
}

/// Rules of a spec, with its overrides.
#[derive(Clone, Debug)]
pub struct Rules {
    window_ms: i64,
    slo_percent: Option<f64>,
    health: Option<Arc<HealthExpression>>,
    /// Each from the start of a window on, the newest last.
    sets: Vec<(i64, Arc<Overrides>)>,
    /// The rule by availability against the spec's promise, as people see it.
    default: Rule,
    /// Rules by availability, by the bits of what was promised.
    by_availability: HashMap<u64, Arc<HealthExpression>>,
    /// The greatest start of a window that was judged.
    newest: Option<i64>,
    faults: u64,
    last_fault: Option<Arc<str>>,
}

impl Rules {
    /// The rules of a spec, without overrides.
    ///
    /// # Errors
    ///
    /// When the spec's expression cannot be used.
    pub fn new(spec: &Spec) -> Result<Self, SpecError> {
        let refuse = |problem: Problem| SpecError::Expression { key: "expressions.health", problem };
        let health = spec.expressions.health.as_deref().map(HealthExpression::compile).transpose();
        let slo_percent = spec.slo.as_ref().map(|slo| slo.availability);
        Ok(Self {
            window_ms: spec.window.size.millis(),
            slo_percent,
            default: availability_rule(slo_percent),
            health: health.map_err(refuse)?.map(Arc::new),
            sets: Vec::new(),
            by_availability: HashMap::new(),
            newest: None,
            faults: 0,
            last_fault: None,
        })
    }

    /// Takes a set in. It holds from the first window on that was not judged yet: before the first window, for all.
    /// Gives the start of that window, if one was judged.
    pub fn apply(&mut self, overrides: Arc<Overrides>) -> Option<i64> {
        let from = self.newest.map(|newest| newest.saturating_add(self.window_ms));
        self.sets.retain(|(other, _)| Some(*other) != from.or(Some(i64::MIN)));
        self.sets.push((from.unwrap_or(i64::MIN), overrides));
        if self.sets.len() > SETS {
            self.sets.remove(0);
        }
        from
    }

    /// The set that holds for new windows.
    pub fn overrides(&self) -> Option<&Arc<Overrides>> {
        self.sets.last().map(|(_, overrides)| overrides)
    }

    fn set(&self, start: i64) -> Option<Arc<Overrides>> {
        let set = self.sets.iter().rev().find(|(from, _)| *from <= start).or_else(|| self.sets.first());
        set.map(|(_, overrides)| overrides.clone())
    }

    /// Health of a service in the window that starts at `start`. What the owner's rule cannot say, the spec's says; what
    /// that cannot, availability. The promise among the inputs is set here.
    pub fn health(&mut self, start: i64, inputs: &Inputs) -> Judgement {
        self.newest = Some(self.newest.map_or(start, |newest| newest.max(start)));
        let set = self.set(start);
        let own = set.as_ref().and_then(|set| set.get(&inputs.service));
        let slo_percent = own.and_then(|own| own.slo_percent).or(self.slo_percent);
        let inputs = Inputs { slo_percent, ..inputs.clone() };
        let nothing = Value::tags([]);
        let tags = own.map_or(&nothing, |own| &own.tags_value);
        let owners = own.and_then(|own| own.health.as_ref().map(|health| (health.clone(), own.from.clone())));
        let specs = self.health.as_ref().map(|health| (health.clone(), "spec".into()));
        let mut fault = None;
        for (expression, from) in owners.into_iter().chain(specs) {
            match expression.judge(&inputs, tags) {
                Ok(health) => return Judgement { health, rule: rule(&expression, from), fault },
                Err(reason) => {
                    let sentence = format!("{}: health: {reason}", inputs.service);
                    fault.get_or_insert_with(|| self.note(sentence));
                }
            }
        }
        let expression = self.by_availability(slo_percent);
        let health = expression.and_then(|expression| {
            let health = expression.judge(&inputs, tags).ok()?;
            Some((health, rule(&expression, "default".into())))
        });
        let (health, rule) = health.unwrap_or_else(|| {
            let rule = Rule { text: "0".into(), from: "default".into() };
            (Health::WELL, rule)
        });
        Judgement { health, rule, fault }
    }

    /// The rule that holds for new windows of a service, before anything fails.
    pub fn rule(&self, service: &str) -> Rule {
        let own = self.own(service);
        if let Some((own, health)) = own.and_then(|own| Some((own, own.health.as_ref()?))) {
            return rule(health, own.from.clone());
        }
        match (&self.health, own.and_then(|own| own.slo_percent)) {
            (Some(health), _) => rule(health, "spec".into()),
            (None, None) => self.default.clone(),
            (None, slo_percent) => availability_rule(slo_percent),
        }
    }

    fn by_availability(&mut self, slo_percent: Option<f64>) -> Option<Arc<HealthExpression>> {
        let slo_percent = slo_percent.unwrap_or(ASSUMED_PERCENT);
        match self.by_availability.entry(slo_percent.to_bits()) {
            Entry::Occupied(known) => Some(known.get().clone()),
            Entry::Vacant(vacant) => {
                let made = HealthExpression::compile(&by_availability(slo_percent)).ok()?;
                Some(vacant.insert(Arc::new(made)).clone())
            }
        }
    }

    /// Whether a health rule that holds reads saturation.
    pub fn use_saturation(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.uses_saturation())
            || self.overrides().is_some_and(|overrides| overrides.use_saturation())
    }

    /// What was promised of a service, percent.
    pub fn slo_percent(&self, service: &str) -> Option<f64> {
        self.own(service).and_then(|own| own.slo_percent).or(self.slo_percent)
    }

    /// What its owner says of a service.
    pub fn own(&self, service: &str) -> Option<&Override> {
        self.overrides().and_then(|set| set.get(service))
    }

    #[cfg(test)]
    pub(super) const fn sets_kept(&self) -> usize {
        self.sets.len()
    }

    /// How often a rule had no answer, and the last time's reason.
    pub const fn faults(&self) -> (u64, Option<&Arc<str>>) {
        (self.faults, self.last_fault.as_ref())
    }

    fn note(&mut self, sentence: String) -> Arc<str> {
        let sentence: Arc<str> = sentence.into();
        self.faults = self.faults.saturating_add(1);
        self.last_fault = Some(sentence.clone());
        sentence
    }
}

fn rule(expression: &HealthExpression, from: Arc<str>) -> Rule {
    Rule { text: expression.expression().source().clone(), from }
}

fn availability_rule(slo_percent: Option<f64>) -> Rule {
    Rule { text: by_availability(slo_percent.unwrap_or(ASSUMED_PERCENT)).into(), from: "default".into() }
}

/// The rule for which nobody wrote one: by how often the promised share of failures is exceeded.
fn by_availability(slo_percent: f64) -> String {
    let short = |percent: f64| (percent.max(0.0) * 1_000.0).round() / 1_000.0;
    let [one, two] = TIMES.map(|times| short((100.0 - slo_percent).mul_add(-times, 100.0)));
    format!(
        "errorCount < {FEWEST} ? 0 : availability >= {slo_percent:?} ? 0 : availability >= {one:?} ? 1 : \
         availability >= {two:?} ? 2 : 3"
    )
}
