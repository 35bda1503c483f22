//! "May I?", and "may they?": subject access and rules reviews.

use ::http::StatusCode;
use serde_json::{Value, json};

use super::access::{Attributes, User, VIEWER_NAMESPACE};
use super::status::Refusal;
use crate::demo::http::{Reply, json};

/// What a review of somebody else's rights ends with; before it stands the namespace.
const OTHERS: &str = "/localsubjectaccessreviews";
/// What the service accounts of the demo's pipelines may touch in their namespace: what Flink's own documentation gives them.
const FLINK: [(&str, &str); 4] = [("", "pods"), ("", "configmaps"), ("", "services"), ("apps", "deployments")];

/// Whether a path asks for a review.
pub(crate) fn is_asked(path: &str) -> bool {
    path.contains("/selfsubject") || path.ends_with(OTHERS)
}

/// Answers a review; `None` when the path asks for none.
pub(crate) fn answer(path: &str, user: User, body: &Value) -> Option<Result<Reply, Refusal>> {
    let reply = match path {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => access(user, body),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => rules(user, body),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => identity(user),
        path if path.ends_with(OTHERS) && user == User::Viewer => {
            let words = "localsubjectaccessreviews.authorization.k8s.io is forbidden: User \"viewer\" cannot create resource \
                         \"localsubjectaccessreviews\" in API group \"authorization.k8s.io\"";
            return Some(Err(Refusal::new(StatusCode::FORBIDDEN, "Forbidden", words.to_owned())));
        }
        path if path.ends_with(OTHERS) => others(body),
        _ => return None,
    };
    Some(Ok(json(StatusCode::CREATED, &reply)))
}

fn access(user: User, body: &Value) -> Value {
    let wish = &body["spec"]["resourceAttributes"];
    let text = |field: &str| wish.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (resource, subresource) = (text("resource"), text("subresource"));
    let attributes = Attributes {
        verb: text("verb"),
        group: text("group"),
        resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
        namespace: text("namespace"),
        name: text("name"),
    };
    let allowed = wish.is_object() && user.may(&attributes);
    let mut status = json!({"allowed": allowed});
    if allowed {
        status["reason"] = json!(match user {
            User::Admin => "RBAC: allowed by ClusterRoleBinding \"flowdeck-admin\" of ClusterRole \"cluster-admin\"",
            User::Viewer => "RBAC: allowed by RoleBinding \"viewer\" of Role \"pod-viewer\"",
        });
    }
    json!({
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": null},
        "spec": body.get("spec").cloned().unwrap_or_default(),
        "status": status,
    })
}

/// What a service account may.
fn others(body: &Value) -> Value {
    let wish = &body["spec"]["resourceAttributes"];
    let text = |field: &str| wish.get(field).and_then(Value::as_str).unwrap_or_default();
    let is_account = body
        .pointer("/spec/user")
        .and_then(Value::as_str)
        .is_some_and(|user| user.starts_with("system:serviceaccount:"));
    let allowed = is_account && FLINK.contains(&(text("group"), text("resource")));
    json!({
        "kind": "LocalSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": null},
        "spec": body.get("spec").cloned().unwrap_or_default(),
        "status": {"allowed": allowed},
    })
}

fn rules(user: User, body: &Value) -> Value {
    let namespace = body.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or_default();
    let rules = match user {
        User::Admin => json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]),
        User::Viewer if namespace == VIEWER_NAMESPACE => {
            json!([{"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}])
        }
        User::Viewer => json!([]),
    };
    json!({
        "kind": "SelfSubjectRulesReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": null},
        "spec": {},
        "status": {"resourceRules": rules, "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/version"]}], "incomplete": false},
    })
}

fn identity(user: User) -> Value {
    json!({
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": null},
        "status": {"userInfo": {"username": user.name(), "groups": ["system:authenticated"]}},
    })
}
