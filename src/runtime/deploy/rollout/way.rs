//! The route that leads to a pipeline: its spec, its brokers, and what its controller says.

use std::sync::Arc;
use std::time::Duration;

use crate::model::route::FRESH_MS;
use crate::model::route::record::{Answer, Receipt, Status, Verb};
use crate::plan::rollout::Copy;
use crate::router::spec::Spec;
use crate::router::{RouterError, ask};
use crate::runtime::deploy::desk::{DeployError, Desk};
use crate::source::kafka::{ClientProperties, client_properties};

/// Longest wait for the controller's answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// A look at the brokers that fails is tried so often before it counts.
const TRIES: u32 = 5;

/// A route, and which of its lanes is the pipeline's.
#[derive(Clone, Debug)]
pub struct Way {
    /// The route.
    pub spec: Arc<Spec>,
    /// The copy that is named.
    pub new: Copy,
    /// The other one.
    pub old: Copy,
    properties: ClientProperties,
}

impl Way {
    /// The route that leads to a pipeline.
    ///
    /// # Errors
    /// When the settings name none, or more than one, or a spec cannot be read.
    pub fn to(desk: &Desk, pipeline: &str) -> Result<Self, DeployError> {
        let mut found = None;
        for path in &desk.routes {
            let spec = Spec::open(path).map_err(|error| DeployError::Failed(error.to_string()))?;
            let is_it = |name: &String| name.eq_ignore_ascii_case(pipeline);
            let Some(lane) = spec.lanes.iter().position(|lane| lane.pipeline.as_ref().is_some_and(is_it)) else {
                continue;
            };
            if found.is_some() {
                return Err(DeployError::Refused(format!("more than one route leads to {pipeline}")));
            }
            found = Some((spec, lane));
        }
        let none = || {
            DeployError::Refused(format!(
                "no route leads to {pipeline}: a lane of a spec in environment.routes has to name it as its pipeline"
            ))
        };
        let (spec, lane) = found.ok_or_else(none)?;
        let copy = |lane: usize| {
            let lane = spec.lanes.get(lane)?;
            Some(Copy { lane: lane.name.clone(), pipeline: lane.pipeline.clone()? })
        };
        let (Some(new), Some(old)) = (copy(lane), copy(1 - lane.min(1))) else {
            let words = format!("the other lane of the route {} names no pipeline", spec.name);
            return Err(DeployError::Refused(words));
        };
        let kafka = desk.kafka.as_ref();
        let kafka = kafka.ok_or_else(|| DeployError::Failed("the environment has no kafka section".to_owned()))?;
        let properties = client_properties(kafka).map_err(|error| DeployError::Failed(error.to_string()))?;
        Ok(Self { spec: Arc::new(spec), new, old, properties })
    }

    /// What the controller says, if one leads now; and what became of flips, where that is wanted.
    pub(super) async fn look(&self, with_receipts: bool) -> Result<(Option<Status>, Vec<Receipt>), DeployError> {
        let mut tried = 0;
        loop {
            let (properties, spec) = (self.properties.clone(), self.spec.clone());
            let looked = tokio::task::spawn_blocking(move || {
                let status = ask::status(&properties, &spec)?;
                let receipts = if with_receipts { ask::receipts(&properties, &spec)?.0 } else { Vec::new() };
                Ok::<_, RouterError>((status, receipts))
            });
            let looked = looked.await.map_err(|error| DeployError::Failed(error.to_string()))?;
            tried += 1;
            match looked {
                Ok((status, receipts)) => {
                    let now = chrono::Utc::now().timestamp_millis();
                    let is_fresh = |status: &Status| now.saturating_sub(status.at_ms) <= FRESH_MS;
                    return Ok((status.filter(is_fresh), receipts));
                }
                Err(error) if tried >= TRIES => return Err(DeployError::Failed(error.to_string())),
                Err(error) => tracing::debug!(%error, "the route is looked at again"),
            }
        }
    }

    /// Asks the controller for something.
    pub(super) async fn ask(&self, verb: Verb, (who, why): (&str, &str)) -> Result<Answer, DeployError> {
        let request = ask::request(&self.spec, verb, (who, why), chrono::Utc::now());
        let (properties, spec) = (self.properties.clone(), self.spec.clone());
        let asked = tokio::task::spawn_blocking(move || ask::ask(&properties, &spec, &request, PATIENCE));
        let asked = asked.await.map_err(|error| DeployError::Failed(error.to_string()))?;
        asked.map_err(|error| DeployError::Failed(error.to_string()))
    }
}
