//! What the server lets us do, asked of the server itself.
//!
//! Used by `flowdeck doctor`: a refusal is named before somebody meets it on a screen.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::Request;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::Cluster;
use super::trouble::{Trouble, cut};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions under way at once.
const AT_ONCE: usize = 8;

/// Something that the console does, and whether it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What, as `list and watch pods`.
    pub what: String,
    /// Why not; `None` when it may.
    pub refused: Option<String>,
    /// What is missing without it.
    pub without: &'static str,
    /// Whether hardly anything is left without it.
    pub is_essential: bool,
}

struct Question {
    verbs: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    without: &'static str,
}

const fn question(
    verbs: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    without: &'static str,
) -> Question {
    Question { verbs, group, resource, subresource, without }
}

const FOLLOW: &[&str] = &["list", "watch"];
const GET: &[&str] = &["get"];

const QUESTIONS: [Question; 12] = [
    question(FOLLOW, "", "pods", "", "no pods, and no pipelines that only their pods show"),
    question(FOLLOW, "flink.apache.org", "flinkdeployments", "", "no state of pipelines that the operator runs"),
    question(FOLLOW, "flink.apache.org", "flinksessionjobs", "", "no session jobs"),
    question(FOLLOW, "apps", "deployments", "", "no wanted numbers for pipelines without an operator"),
    question(FOLLOW, "apps", "statefulsets", "", "no wanted numbers for TaskManagers in StatefulSets"),
    question(FOLLOW, "batch", "jobs", "", "no wanted numbers for JobManagers that run as Jobs"),
    question(FOLLOW, "", "events", "", "no cluster events"),
    question(GET, "", "services", "proxy", "no Flink job state, unless [environment.flink] url is set"),
    question(&["list"], "", "services", "", "no Flink job state for pipelines without an operator"),
    question(GET, "", "pods", "log", "no logs"),
    question(&["list"], "metrics.k8s.io", "pods", "", "no CPU and memory of pods"),
    question(GET, "", "serviceaccounts", "", "no IAM roles"),
];

/// Asks the server about everything that the console reads, in the order of importance.
pub async fn permissions(cluster: &Cluster) -> Vec<Permission> {
    stream::iter(QUESTIONS).map(|question| ask(cluster, question)).buffered(AT_ONCE).collect().await
}

async fn ask(cluster: &Cluster, question: Question) -> Permission {
    let mut refused = None;
    'all: for namespace in cluster.scopes() {
        for verb in question.verbs {
            if let Err(reason) = review(cluster, &question, verb, namespace.as_deref()).await {
                let place = namespace.as_deref().map_or_else(String::new, |name| format!(" in namespace {name}"));
                refused = Some(format!("{verb}{place}: {reason}"));
                break 'all;
            }
        }
    }
    let slash = if question.subresource.is_empty() { "" } else { "/" };
    let of = if question.group.starts_with("metrics") { " of metrics.k8s.io" } else { "" };
    Permission {
        what: format!("{} {}{slash}{}{of}", question.verbs.join(" and "), question.resource, question.subresource),
        refused,
        without: question.without,
        is_essential: question.group.is_empty() && question.resource == "pods" && question.subresource.is_empty(),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Review {
    status: Answer,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    allowed: bool,
    reason: String,
    evaluation_error: String,
}

/// Why a verb is refused, or why nobody could say.
async fn review(cluster: &Cluster, question: &Question, verb: &str, namespace: Option<&str>) -> Result<(), Arc<str>> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": namespace.unwrap_or_default(), "verb": verb, "group": question.group,
            "resource": question.resource, "subresource": question.subresource,
        }},
    });
    let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|error| cut(&error.to_string()))?;
    let answer: Review = match timeout(PATIENCE, cluster.client.request(request)).await {
        Ok(answer) => answer.map_err(|error| unasked(&Trouble::from(&error).words()))?,
        Err(_) => return Err(unasked("no answer")),
    };
    match answer.status {
        Answer { allowed: true, .. } => Ok(()),
        Answer { reason, .. } if !reason.is_empty() => Err(cut(&reason)),
        Answer { evaluation_error, .. } if !evaluation_error.is_empty() => Err(cut(&evaluation_error)),
        Answer { .. } => Err("no rule allows it".into()),
    }
}

fn unasked(words: &str) -> Arc<str> {
    cut(&format!("could not be asked: {words}"))
}
