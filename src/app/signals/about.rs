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

/// Said when this console counts by itself.
const OWN_COUNT: &str = "These signals are counted here, from the events: no job stands behind them.";
/// Said when nobody is known to write the rows.
const NO_PRODUCER: &str =
    "No pipeline says that it writes this topic of rows: flowdeck signals deploy makes one that does.";

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

/// Who counts the rows that are read, and how that job is; `None` when events are counted here.
#[must_use]
pub fn producer(world: &World<'_>, environment: &str, signals: &Signals) -> Option<String> {
    let rows = signals.aggregated.as_ref()?;
    let mut words = match owner::producer(world.inventory, environment, &rows.topic) {
        Some((pipeline, Some(state))) => format!("rows of {} {}", pipeline.name, state.word()),
        Some((pipeline, None)) => format!("rows of {}", pipeline.name),
        None => format!("rows of {}", rows.topic),
    };
    let refused: u64 = signals.rejects.iter().map(|it| it.count).sum();
    for (count, what) in [(refused, "not counted"), (rows.contested, "disputed")] {
        if count > 0 {
            words.push_str(&format!(", {count} {what}"));
        }
    }
    Some(words)
}

/// Why nothing of what is read is counted, in words; `None` where something is.
#[must_use]
pub fn refusal(signals: &Signals) -> Option<String> {
    let refused: u64 = signals.rejects.iter().map(|it| it.count).sum();
    let most = signals.rejects.iter().max_by_key(|it| it.count).filter(|_| refused >= signals.records)?;
    Some(format!("{} records: {}", most.count, most.reason))
}

/// The outcome of asking for the job that counts.
#[must_use]
pub fn open_producer(world: &World<'_>, environment: &str, signals: Option<&Arc<Signals>>) -> Outcome {
    let Some(rows) = signals.and_then(|signals| signals.aggregated.as_ref()) else { return Outcome::Say(OWN_COUNT) };
    let producer = owner::producer(world.inventory, environment, &rows.topic);
    producer.map_or(Outcome::Say(NO_PRODUCER), |(key, _)| Outcome::open(Screen::pipeline(key)))
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
    if let Some(rows) = signals.aggregated.as_ref().filter(|rows| rows.contested > 0) {
        text.push_str(&format!(
            "{:>12}  rows on which two writers disagree; the last one holds. Writers: {}\n",
            rows.contested,
            rows.writers.join(", ")
        ));
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

/// Asks for the golden signals of all environments, and for the jobs that count them.
pub fn want_all(world: &World<'_>, interest: &mut Interest) {
    for (environment, signals) in world.inventory.signals() {
        let rows = signals.aggregated.as_ref();
        if let Some((pipeline, _)) = rows.and_then(|rows| owner::producer(world.inventory, environment, &rows.topic)) {
            owner::want(world.inventory, &pipeline, interest);
        }
    }
    for environment in world.inventory.environments() {
        interest.signals.insert(environment.name.clone(), Focus::default());
    }
}
