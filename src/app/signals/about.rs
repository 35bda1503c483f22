//! What can be asked of a service wherever it is listed: its pipeline, what fails there, its rule tried, what was not
//! counted.

use std::sync::Arc;

use super::trial::TrialScreen;
use crate::action::Action;
use crate::app::document::DocumentScreen;
use crate::app::exceptions::ExceptionsScreen;
use crate::app::screen::{Outcome, Screen, World};
use crate::model::interest::Interest;
use crate::model::log::Target;
use crate::model::owner;
use crate::model::signal::{Focus, ServiceNow, Signals};

/// Said when no pipeline is known to make a service's events.
const NO_OWNER: &str =
    "No pipeline is known for this service: give it the tag pipeline in its override, or name it alike.";

/// Carries an intent about a service out; `None` when it is none of these.
#[must_use]
pub fn ask(action: Action, world: &World<'_>, environment: &Arc<str>, now: &ServiceNow) -> Option<Outcome> {
    let open = |screen: fn(crate::model::key::PipelineKey) -> Screen| {
        let pipeline = owner::of(world.inventory, environment, now);
        pipeline.map_or(Outcome::Say(NO_OWNER), |key| Outcome::open(screen(key)))
    };
    Some(match action {
        Action::Owner => open(Screen::pipeline),
        Action::Exceptions => open(|key| ExceptionsScreen::open(Target::Pipeline(key))),
        Action::Backtest => {
            let trial = TrialScreen::new(environment.clone(), now.service.clone(), now.rule.text.clone());
            Outcome::open(Screen::Trial(Box::new(trial)))
        }
        _ => return None,
    })
}

/// The outcome of asking what was not counted.
#[must_use]
pub fn open_rejects(environment: &str, signals: Option<&Arc<Signals>>) -> Outcome {
    signals.map_or(Outcome::Ignored, |signals| Outcome::open(rejects(environment, signals)))
}

/// What was not counted, as a text to read.
fn rejects(environment: &str, signals: &Signals) -> Screen {
    let mut text = String::new();
    if signals.rejects.is_empty() {
        text.push_str("Every record was counted.\n");
    }
    for reject in &*signals.rejects {
        text.push_str(&format!("{:>12}  {}\n", reject.count, reject.reason));
    }
    if signals.late > 0 {
        text.push_str(&format!("{:>12}  late, but counted\n", signals.late));
    }
    if signals.other > 0 {
        text.push_str(&format!("{:>12}  counted under __other__: too many services\n", signals.other));
    }
    if signals.other_values > 0 {
        let count = signals.other_values;
        text.push_str(&format!("{count:>12}  values of dimensions counted under __other__: a service has too many\n"));
    }
    if signals.beside_none > 0 {
        let count = signals.beside_none;
        text.push_str(&format!("{count:>12}  counted in their service alone: no room for more values of dimensions\n"));
    }
    if !signals.samples.is_empty() {
        text.push_str("\nThe last of them, newest first:\n");
    }
    for sample in signals.samples.iter().rev() {
        text.push_str(&format!("\n{}  {}: {}\n  {}\n", sample.place, sample.reason, sample.detail, sample.record));
    }
    DocumentScreen::given(format!("{environment} › signals › not counted"), text.into())
}

/// Asks for what the pipeline behind a service tells of its saturation.
pub fn want_owner(world: &World<'_>, environment: &Arc<str>, now: &ServiceNow, interest: &mut Interest) {
    if let Some(pipeline) = owner::of(world.inventory, environment, now) {
        owner::want(world.inventory, &pipeline, interest);
    }
}

/// Asks for the golden signals of all environments.
pub fn want_all(world: &World<'_>, interest: &mut Interest) {
    for environment in world.inventory.environments() {
        interest.signals.insert(environment.name.clone(), Focus::default());
    }
}
