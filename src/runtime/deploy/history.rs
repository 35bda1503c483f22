//! How long the last start of a job took, asked of its cluster before the next restart.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::desk::{DeployError, Desk};
use crate::plan::object::{Id, Kind};
use crate::plan::restart::{self, Restart};
use crate::source::flink::Found;

/// A JobManager that does not answer does not keep a forecast waiting for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a restart of a job takes, by how long its last start took; `None` when nobody can say.
///
/// # Errors
/// When the API server does not answer any more.
pub async fn restart(desk: &Desk, object: &Value, processor: &str) -> Result<Option<Restart>, DeployError> {
    let Some(id) = Id::of(object) else { return Ok(None) };
    let Some(selector) = selector(&id, object) else { return Ok(None) };
    let path = format!("/api/v1/namespaces/{}/pods", id.namespace);
    let pods = match desk.cluster.list(&path, Some(&selector), Some).await {
        Ok(pods) => pods,
        Err(trouble) if trouble.is_link() => return Err(DeployError::Read { what: path, trouble }),
        Err(_) => return Ok(None),
    };
    // Without a JobManager there is nobody to ask.
    if pods.is_empty() {
        return Ok(None);
    }
    Ok(timeout(PATIENCE, measured(desk, object, processor, &pods)).await.ok().flatten())
}

async fn measured(desk: &Desk, object: &Value, processor: &str, pods: &[Value]) -> Option<Restart> {
    let job = desk.jobs.job(&desk.interest(object, processor)).await.ok()?.filter(Found::is_running)?;
    let (detail, checkpoints) = desk.jobs.past(&job).await.ok()?;
    restart::measured(&detail, checkpoints.as_ref(), pods)
}

/// The labels of the JobManager's pods.
fn selector(id: &Id, object: &Value) -> Option<String> {
    if id.kind == Kind::FlinkDeployment {
        return Some(format!("app={},component=jobmanager", id.name));
    }
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let pairs: Option<Vec<String>> =
        labels.iter().map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    pairs.filter(|pairs| !pairs.is_empty()).map(|pairs| pairs.join(","))
}
