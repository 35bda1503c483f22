//! What a prepared change will do to what runs: the effects, the pods, and whether jobs can be asked for a savepoint.
//!
//! It must not judge: effects and pods are [`crate::plan`]'s. Here they are brought together with what the cluster tells.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::Value;

use super::change::{Savepoints, Wish};
use super::desk::{DeployError, Desk};
use super::history;
use crate::plan::difference::Difference;
use crate::plan::forecast::{Effect, Forecast, Subject, forecast, without_high_availability};
use crate::plan::object::{Id, Kind, label};
use crate::plan::room::pods::{self, Fleet};

/// An object as it is and as it would be.
pub(super) type Seen = (Id, Option<Value>, Option<Value>);

/// The pods that the objects make as they will be.
pub(super) fn fleets(states: &[Seen], forecasts: &[Forecast]) -> Vec<Fleet> {
    let restarts = |id: &Id, object: Option<&Value>| {
        let named = object.and_then(|object| label(object, "app.kubernetes.io/instance")).unwrap_or(&id.name);
        let forecast = forecasts.iter().find(|it| it.processor == named);
        forecast.is_some_and(|it| it.effect.restarts())
    };
    let one =
        |(id, before, after): &Seen| pods::fleets((id, before.as_ref(), after.as_ref()), restarts(id, after.as_ref()));
    states.iter().flat_map(one).collect()
}

/// The object that runs a processor's job.
fn main<'a>(states: &[&'a Seen]) -> Option<&'a Seen> {
    let kinds = [Kind::FlinkDeployment, Kind::Deployment, Kind::StatefulSet];
    kinds.iter().find_map(|kind| states.iter().find(|(id, ..)| id.kind == *kind)).copied()
}

/// What happens to each processor, with how long what restarts was down the last time: asked of all of them at once.
///
/// # Errors
/// When the server does not answer any more.
pub(super) async fn forecasts(
    desk: &Desk,
    states: &[Seen],
    differences: &[Difference],
    wish: &Wish,
) -> Result<Vec<Forecast>, DeployError> {
    let processors = processors(states);
    let one = async |forecast: Forecast| {
        let object = processors.get(&forecast.processor).and_then(|states| main(states)?.1.as_ref());
        let Some(object) = object.filter(|_| forecast.effect.restarts()) else { return Ok(forecast) };
        let load = wish.loads.get(&forecast.processor).copied();
        Ok(match history::restart(desk, object, &forecast.processor).await? {
            Some(restart) => forecast.timed(restart, load),
            None => forecast,
        })
    };
    try_join_all(judged(states, differences, wish).into_iter().map(one)).await
}

/// What happens to each processor: told by the object that runs its job, and all of its differences.
fn judged(states: &[Seen], differences: &[Difference], wish: &Wish) -> Vec<Forecast> {
    let one = |(processor, states): (String, Vec<&Seen>)| {
        let main = main(&states)?;
        let own = |it: &&Difference| states.iter().any(|(id, ..)| *id == it.object);
        let own: Vec<Difference> = differences.iter().filter(own).cloned().collect();
        let (_, before, after) = main;
        let subject =
            Subject { processor: &processor, before: before.as_ref(), after: after.as_ref(), differences: &own };
        let mut forecast = forecast(subject, wish.loads.get(&processor).copied());
        if wish.savepoints == Savepoints::Left && main.0.kind != Kind::FlinkDeployment {
            let effect = forecast.effect.without_savepoint();
            if effect != forecast.effect {
                forecast.because.push("no savepoint is taken first".into());
            }
            forecast.effect = effect;
        }
        if main.0.kind == Kind::Deployment && (forecast.effect == Effect::Starts || forecast.effect.restarts()) {
            let objects = states.iter().filter_map(|(_, _, after)| after.as_ref());
            forecast.because.extend(without_high_availability(objects).map(str::to_owned));
        }
        Some(forecast)
    };
    processors(states).into_iter().filter_map(one).collect()
}

/// The objects of each processor.
fn processors(states: &[Seen]) -> BTreeMap<String, Vec<&Seen>> {
    let mut processors: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
    for state in states {
        let (id, before, after) = state;
        let object = after.as_ref().or(before.as_ref());
        let named = object.and_then(|object| label(object, "app.kubernetes.io/instance"));
        let plain = || id.name.trim_end_matches("-jobmanager").trim_end_matches("-taskmanager");
        processors.entry(named.map_or_else(|| plain().to_owned(), str::to_owned)).or_default().push(state);
    }
    processors
}

/// Whether plain jobs that must be stopped with a savepoint first can be asked for one.
pub(super) async fn shut(
    desk: &Desk,
    states: &[Seen],
    forecasts: &[Forecast],
    wish: &Wish,
) -> Result<Vec<String>, DeployError> {
    let mut reasons = Vec::new();
    let processors = processors(states);
    for forecast in forecasts.iter().filter(|it| takes_state_along(it.effect) && wish.savepoints == Savepoints::Taken) {
        let main = processors.get(&forecast.processor).and_then(|states| main(states));
        let Some((id, Some(before), _)) = main.filter(|(id, ..)| id.kind == Kind::Deployment) else { continue };
        let refused = desk.no_way_to_job(id, before).await?;
        reasons.extend(refused.map(|why| format!(
            "{} could not be stopped with a savepoint first: {why}; --without-savepoint with --accept-state-loss goes on",
            forecast.processor
        )));
    }
    Ok(reasons)
}

/// Whether a plain job is stopped with a savepoint for it.
pub(super) const fn takes_state_along(effect: Effect) -> bool {
    matches!(effect, Effect::RestartsFromSavepoint | Effect::Stops)
}
