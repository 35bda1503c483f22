//! A savepoint of what runs, now; the jobs go on.

use super::change::{Steps, tell};
use super::desk::{DeployError, Desk, Entry};
use crate::model::Time;
use crate::plan::audit::Outcome;
use crate::plan::guard::{self, Consent};
use crate::plan::object::{Id, Kind, label};
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
    let found = desk.found(pipeline).await?;
    let entry = || Entry { at: now, pipeline, verb: Verb::Savepoint, revision: None, changes: Vec::new() };
    if let Some(refusal) = guard::place(&desk.place, pipeline, consent, now).first() {
        desk.note(entry(), Outcome::Refused, &refusal.to_string())?;
        return Err(DeployError::Refused(refusal.to_string()));
    }
    desk.note(entry(), Outcome::Began, "")?;
    let mut places = Vec::new();
    for (id, object) in &found {
        let is_job = id.kind == Kind::FlinkDeployment || label(object, "component") == Some("jobmanager");
        if !is_job {
            continue;
        }
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

async fn one(desk: &Desk, id: &Id, object: &serde_json::Value) -> Result<String, DeployError> {
    let failed = |words: String| DeployError::Failed(format!("{id}: {words}"));
    let processor = id.name.trim_end_matches("-jobmanager");
    let job = desk.jobs.job(&desk.interest(object, processor)).await.map_err(|miss| failed(miss.to_string()))?;
    let job = job.ok_or_else(|| failed("it has no job".into()))?;
    if !job.is_running() {
        return Err(failed(format!("its job is {}, and only a running one takes a savepoint", job.state)));
    }
    desk.jobs.savepoint(&job, Afterwards::GoesOn).await.map_err(|miss| failed(miss.to_string()))
}
