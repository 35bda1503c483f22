//! Waiting until what was changed runs, or until somebody can say why it does not.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::change::{Steps, tell};
use super::desk::{DeployError, Desk};
use crate::plan::object::{Id, Kind};
use crate::source::kube::trouble::cut;

/// How often the cluster is asked.
const PACE: Duration = Duration::from_secs(1);

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it was asked for.
    Reached(String),
    /// On its way.
    OnItsWay(String),
    /// It will not get there by itself.
    Stuck(String),
}

/// How an object stands to what it was asked for; `None` for what only lies there.
#[must_use]
pub fn standing(object: &Value) -> Option<Standing> {
    match Id::of(object)?.kind {
        Kind::FlinkDeployment => Some(operated(object)),
        Kind::Deployment | Kind::StatefulSet => Some(workload(object)),
        Kind::ConfigMap
        | Kind::Service
        | Kind::FlinkStateSnapshot
        | Kind::ServiceAccount
        | Kind::HorizontalPodAutoscaler => None,
    }
}

fn operated(object: &Value) -> Standing {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
    let (lifecycle, job) = (text("/status/lifecycleState"), text("/status/jobStatus/state"));
    let seen = number("/status/observedGeneration");
    if object.get("status").is_none() || seen.is_some_and(|seen| seen < number("/metadata/generation").unwrap_or(0)) {
        return Standing::OnItsWay("the operator has not seen it yet".into());
    }
    let error = text("/status/error");
    let said: Option<Value> = serde_json::from_str(error).ok();
    let error = said.as_ref().and_then(|it| it.get("message")?.as_str()).unwrap_or(error);
    if lifecycle == "FAILED" || lifecycle == "ROLLED_BACK" || job == "FAILED" {
        let why = if error.is_empty() { "the operator gives no reason" } else { error };
        return Standing::Stuck(format!("{lifecycle} {job}: {why}"));
    }
    let suspended = text("/spec/job/state") == "suspended";
    if suspended && lifecycle == "SUSPENDED" {
        let place = text("/status/jobStatus/upgradeSavepointPath");
        return Standing::Reached(if place.is_empty() {
            "stopped".into()
        } else {
            format!("stopped, savepoint {place}")
        });
    }
    let settled = matches!(lifecycle, "STABLE" | "DEPLOYED");
    if !suspended && settled && (job == "RUNNING" || object.pointer("/spec/job").is_none()) {
        return Standing::Reached("running".into());
    }
    let manager = text("/status/jobManagerDeploymentStatus");
    let words = [lifecycle, manager, job, error].into_iter().filter(|it| !it.is_empty());
    Standing::OnItsWay(words.collect::<Vec<_>>().join(", "))
}

fn workload(object: &Value) -> Standing {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let (wanted, ready) = (number("/spec/replicas"), number("/status/readyReplicas"));
    let (present, seen) = (number("/status/replicas"), number("/status/observedGeneration"));
    let current = object.pointer("/status/updatedReplicas").and_then(Value::as_i64).unwrap_or(present);
    let mut words = format!("{ready} of {wanted} pods are ready");
    // A quota, or a service account that is not there: then no pod says why.
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let failed = |it: &&Value| it.get("type").and_then(Value::as_str) == Some("ReplicaFailure");
    if let Some(why) = conditions.into_iter().find(failed).and_then(|it| it.get("message")?.as_str()) {
        words = format!("{words}: {why}");
    }
    if seen >= number("/metadata/generation") && ready == wanted && present == wanted && current >= wanted {
        Standing::Reached(words)
    } else {
        Standing::OnItsWay(words)
    }
}

/// Waits for objects to stand as they were asked for.
///
/// # Errors
/// When one will not get there, or not in time: with the reason, as far as somebody knows it.
pub async fn wait(desk: &Desk, ids: &[Id], patience: Duration, steps: &Steps) -> Result<(), DeployError> {
    let deadline = Instant::now() + patience;
    let mut open: Vec<(Id, String)> = ids.iter().map(|id| (id.clone(), String::new())).collect();
    loop {
        let (mut still, mut lost) = (Vec::new(), None);
        for (id, before) in open {
            let object = match desk.read(&id).await {
                Ok(Some(object)) => Some(object),
                Ok(None) => return Err(DeployError::NotFound(format!("{id} went away while it was waited for"))),
                // What was changed stays changed: a server that is away for a moment may be back in time.
                Err(DeployError::Read { trouble, .. }) if trouble.is_link() => {
                    lost = Some(trouble.words().to_string());
                    None
                }
                Err(error) => return Err(error),
            };
            let Some(object) = object else {
                still.push((id, before));
                continue;
            };
            let words = match standing(&object) {
                None => continue,
                Some(Standing::Reached(words)) => {
                    tell(steps, id.to_string(), words).await;
                    continue;
                }
                Some(Standing::Stuck(words)) => return Err(DeployError::Failed(format!("{id}: {words}"))),
                Some(Standing::OnItsWay(words)) => words,
            };
            if words != before {
                tell(steps, id.to_string(), words.as_str()).await;
            }
            still.push((id, words));
        }
        open = still;
        let Some((id, words)) = open.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            let pods = pods(desk, id).await;
            let seconds = patience.as_secs();
            let words = lost.as_ref().map_or_else(|| words.clone(), |lost| format!("nobody can say: {lost}"));
            return Err(DeployError::Failed(format!("{id} is not there after {seconds} s: {words}{pods}")));
        }
        sleep(PACE).await;
    }
}

/// Why the pods of an object do not run: an image that cannot be pulled, no room, a quota.
async fn pods(desk: &Desk, id: &Id) -> String {
    let name = id.name.trim_end_matches("-jobmanager").trim_end_matches("-taskmanager");
    let path = format!("/api/v1/namespaces/{}/pods?labelSelector=app%3D{name}", id.namespace);
    let mut reasons: Vec<String> = items(desk, &path).await.iter().filter_map(reason).collect();
    if reasons.is_empty() {
        // Where there are no pods, what was to make them says why.
        let selector = format!("involvedObject.name%3D{},type%3DWarning", id.name);
        let path = format!("/api/v1/namespaces/{}/events?fieldSelector={selector}", id.namespace);
        let said = |event: &Value| event.get("message")?.as_str().map(|words| cut(words).to_string());
        reasons.extend(items(desk, &path).await.iter().filter_map(said).next_back());
    }
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() { String::new() } else { format!("; pods: {}", reasons.join("; ")) }
}

async fn items(desk: &Desk, path: &str) -> Vec<Value> {
    let Ok(answer) = desk.cluster.get(path).await else { return Vec::new() };
    let mut list: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
}

fn reason(pod: &Value) -> Option<String> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array).into_iter().flatten();
    let mut waiting = statuses.filter_map(|it| it.pointer("/state/waiting"));
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let mut unmet = conditions.filter(|it| it.get("status").and_then(Value::as_str) == Some("False"));
    let told = waiting.next().or_else(|| unmet.find(|it| it.get("message").is_some()))?;
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{} {}", text("reason"), text("message")).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stands(state: &str, generation: i64, status: &Value) -> Option<Standing> {
        standing(&json!({"kind": "FlinkDeployment", "metadata": {"name": "o", "generation": generation},
            "spec": {"job": {"state": state}}, "status": status}))
    }

    #[test]
    fn stable_is_not_running() {
        let status =
            |job: &str| json!({"lifecycleState": "STABLE", "observedGeneration": 2, "jobStatus": {"state": job}});
        assert_eq!(stands("running", 2, &status("RUNNING")), Some(Standing::Reached("running".into())));
        assert!(matches!(stands("running", 2, &status("RESTARTING")), Some(Standing::OnItsWay(_))));
        assert!(matches!(stands("running", 3, &status("RUNNING")), Some(Standing::OnItsWay(_))));
        let failed =
            json!({"lifecycleState": "FAILED", "observedGeneration": 2, "error": "{\"message\": \"no such jar\"}"});
        assert!(matches!(stands("running", 2, &failed), Some(Standing::Stuck(words)) if words.contains("no such jar")));
        let stopped = json!({"lifecycleState": "SUSPENDED", "jobStatus": {"state": "FINISHED", "upgradeSavepointPath": "s3://x"}});
        assert_eq!(stands("suspended", 2, &stopped), Some(Standing::Reached("stopped, savepoint s3://x".into())));
    }

    #[test]
    fn workloads_are_there_when_all_pods_are_and_are_new() {
        let of = |ready: i64, present: i64, updated: i64| {
            standing(
                &json!({"kind": "StatefulSet", "metadata": {"name": "o", "generation": 1}, "spec": {"replicas": 2},
                "status": {"observedGeneration": 1, "replicas": present, "readyReplicas": ready, "updatedReplicas": updated}}),
            )
        };
        assert!(matches!(of(2, 2, 2), Some(Standing::Reached(_))));
        assert!(
            matches!(of(1, 2, 2), Some(Standing::OnItsWay(_))) && matches!(of(2, 2, 1), Some(Standing::OnItsWay(_)))
        );
    }
}
