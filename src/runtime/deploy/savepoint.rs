//! A savepoint of what runs, now; the jobs go on.

use serde_json::Value;

use super::change::{Steps, tell};
use super::desk::{DeployError, Desk, Entry};
use crate::model::Time;
use crate::plan::audit::Outcome;
use crate::plan::guard::{self, Consent};
use crate::plan::object::{Id, runs_a_job};
use crate::plan::verb::Verb;
use crate::source::flink::Afterwards;

/// Takes a savepoint of every job of a pipeline.
///
/// # Errors
/// When it is refused, or one of the jobs cannot; those before it have theirs.
pub async fn savepoint(
    desk: &Desk,
    pipeline: &str,
    consent: &Consent,
    now: Time,
    steps: &Steps,
) -> Result<(), DeployError> {
    let found = jobs(desk, pipeline).await?;
    let entry = || Entry { pipeline, verb: Verb::Savepoint, revision: None, changes: Vec::new() };
    if let Some(refusal) = guard::place(&desk.place, pipeline, consent, now).first() {
        desk.note(entry(), Outcome::Refused, &refusal.to_string())?;
        return Err(DeployError::Refused(refusal.to_string()));
    }
    if let Some(why) = shut(desk, &found).await?.first() {
        desk.note(entry(), Outcome::Refused, why)?;
        return Err(DeployError::Refused(why.clone()));
    }
    desk.note(entry(), Outcome::Began, "")?;
    let mut places = Vec::new();
    for (id, object) in &found {
        match one(desk, id, object).await {
            Ok(place) => {
                tell(steps, format!("savepoint of {}", id.name), place.as_str()).await;
                places.push(place);
            }
            Err(error) => {
                desk.note(entry(), Outcome::Failed, &error.to_string())?;
                return Err(error);
            }
        }
    }
    desk.note(entry(), Outcome::Done, &places.join(", "))
}

/// Why no savepoint can be asked for; nothing when it can.
///
/// # Errors
/// When the server does not say, or there is no such pipeline.
pub async fn forbidden(desk: &Desk, pipeline: &str) -> Result<Vec<String>, DeployError> {
    shut(desk, &jobs(desk, pipeline).await?).await
}

async fn jobs(desk: &Desk, pipeline: &str) -> Result<Vec<(Id, Value)>, DeployError> {
    let mut found = desk.found(pipeline).await?;
    found.retain(|(id, object)| runs_a_job(id, object));
    Ok(found)
}

async fn shut(desk: &Desk, jobs: &[(Id, Value)]) -> Result<Vec<String>, DeployError> {
    let mut reasons = Vec::new();
    for (id, object) in jobs {
        let refused = desk.no_way_to_job(id, object).await?;
        reasons.extend(refused.map(|why| format!("{} cannot be asked for a savepoint: {why}", id.name)));
    }
    Ok(reasons)
}

async fn one(desk: &Desk, id: &Id, object: &Value) -> Result<String, DeployError> {
    let failed = |words: String| DeployError::Failed(format!("{id}: {words}"));
    let processor = id.name.trim_end_matches("-jobmanager");
    let job = desk.jobs.job(&desk.interest(object, processor)).await.map_err(|miss| failed(miss.to_string()))?;
    let job = job.ok_or_else(|| failed("it has no job".into()))?;
    if !job.is_running() {
        return Err(failed(format!("its job is {}, and only a running one takes a savepoint", job.state)));
    }
    desk.jobs.savepoint(&job, Afterwards::GoesOn).await.map_err(|miss| failed(miss.to_string()))
}
