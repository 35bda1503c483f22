//! What becomes of a fetch: a new set of overrides, or a reason why the old one stays.

use std::sync::Arc;

use super::{Context, Overrides, Refusal, Rules};
use crate::engine::spec::Spec;
use crate::model::Time;
use crate::model::document::Fetch;
use crate::model::signal::OverridesState;

/// Takes fetches in, one after the other.
#[derive(Clone, Debug)]
pub struct Intake {
    dimensions: Arc<[Arc<str>]>,
    slo_percent: Option<f64>,
    current: Arc<Overrides>,
    state: OverridesState,
    /// Why files that were fetched are not believed; stays until they change.
    refused: Option<Arc<str>>,
}

impl Intake {
    /// Nothing yet.
    pub fn new(spec: &Spec) -> Self {
        Self {
            dimensions: spec.dimension_names().into(),
            slo_percent: spec.slo.as_ref().map(|slo| slo.availability),
            current: Arc::default(),
            state: OverridesState::default(),
            refused: None,
        }
    }

    /// Reads what was fetched, and hands it to the rules if it is to be believed.
    pub fn take(&mut self, fetch: &Fetch, rules: &mut Rules) {
        self.state.next_try = Some(fetch.next_try);
        match &fetch.outcome {
            Err(reason) => self.state.error = Some(format!("not fetched: {reason}").into()),
            Ok(None) => self.state.error = self.refused.clone(),
            Ok(Some(documents)) => {
                let context = Context { dimensions: &self.dimensions, slo_percent: self.slo_percent };
                let (overrides, refusals) = Overrides::read(documents, &self.current, &context);
                self.refused = summary(&refusals);
                self.state.error = self.refused.clone();
                if refusals.is_empty() || refusals.len() < documents.len() {
                    self.apply(overrides, fetch.at, rules);
                }
            }
        }
    }

    fn apply(&mut self, overrides: Overrides, at: Time, rules: &mut Rules) {
        self.current = Arc::new(overrides);
        let from = rules.apply(self.current.clone());
        self.state.services = self.current.len();
        self.state.version = self.current.version().cloned();
        self.state.fetched = Some(at);
        self.state.applied = from.map_or(Some(at), Time::from_timestamp_millis);
    }

    /// Names the place as people may see it.
    pub fn set_location(&mut self, location: Arc<str>) {
        self.state.location = Some(location);
    }

    /// How it stands.
    pub const fn state(&self) -> &OverridesState {
        &self.state
    }
}

/// One line for all that was refused.
fn summary(refusals: &[Refusal]) -> Option<Arc<str>> {
    let (first, more) = refusals.split_first()?;
    let text = first.to_string();
    let line = text.lines().next().unwrap_or_default();
    Some(match more.len() {
        0 => format!("refused: {line}").into(),
        count => format!("refused: {line} (and {count} more)").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::expression::Inputs;
    use crate::model::document::Document;

    fn fetch(minute: u32, outcome: Result<Option<&[(&str, &str)]>, &str>) -> Fetch {
        let at: Time = format!("2026-11-22T18:{minute:02}:00Z").parse().unwrap();
        let document = |(name, text): &(&str, &str)| Document { name: (*name).into(), content: text.as_bytes().into() };
        Fetch {
            at,
            next_try: at + chrono::TimeDelta::minutes(5),
            outcome: match outcome {
                Ok(files) => Ok(files.map(|files| files.iter().map(document).collect())),
                Err(reason) => Err(reason.into()),
            },
        }
    }

    #[test]
    fn the_last_good_one_stays_and_the_state_says_why() {
        let spec = Spec::parse(include_str!("../../../config/examples/golden-signals.toml")).unwrap();
        let mut rules = Rules::new(&spec).unwrap();
        let mut intake = Intake::new(&spec);
        let sample = Inputs { service: "a".into(), ..Inputs::samples().pop().unwrap() };
        let level = |rules: &mut Rules, start| rules.health(start, &sample).health.level();
        let error = |intake: &Intake| intake.state().error.as_deref().unwrap_or_default().to_owned();

        intake.take(&fetch(0, Err("refused")), &mut rules);
        assert_eq!((error(&intake).as_str(), intake.state().services), ("not fetched: refused", 0));
        assert_eq!(intake.state().fetched, None);

        intake.take(&fetch(5, Ok(Some(&[("o.json", r#"{"service": "a", "health": "1"}"#)]))), &mut rules);
        assert_eq!((error(&intake).as_str(), intake.state().services, level(&mut rules, 0)), ("", 1, 1));
        let good = intake.state().clone();
        assert!(good.version.is_some() && good.fetched == good.applied);

        let broken: &[_] = &[("o.json", "{\"service\": \"a\",\n\"health\": \"requestCout\"}")];
        intake.take(&fetch(10, Ok(Some(broken))), &mut rules);
        assert!(
            error(&intake).starts_with(
                "refused: o.json: line 2, column 11: a: health: line 1, column 1: there is no requestCout"
            )
        );
        assert_eq!(level(&mut rules, 10_000), 1);
        assert_eq!(
            OverridesState { error: good.error.clone(), next_try: good.next_try, ..intake.state().clone() },
            good
        );

        // As long as the file is what it was, so is the reason.
        intake.take(&fetch(15, Err("gone")), &mut rules);
        assert_eq!(error(&intake), "not fetched: gone");
        intake.take(&fetch(20, Ok(None)), &mut rules);
        assert!(error(&intake).starts_with("refused: o.json"));

        intake.take(&fetch(25, Ok(Some(&[("o.json", r#"{"service": "a", "health": "2"}"#)]))), &mut rules);
        assert_eq!((error(&intake).as_str(), level(&mut rules, 10_000), level(&mut rules, 20_000)), ("", 1, 2));
        assert_eq!(intake.state().applied, Time::from_timestamp_millis(20_000));
        assert_ne!(intake.state().version, good.version);
    }
}
