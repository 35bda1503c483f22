//! "May I?": self subject access and rules reviews.

use ::http::StatusCode;
use serde_json::{Value, json};

use super::access::{Attributes, User, VIEWER_NAMESPACE};
use super::status::Refusal;
use crate::demo::http::{Reply, json};

/// Answers a review; `None` when the path asks for none.
pub(crate) fn answer(path: &str, user: User, body: &Value) -> Option<Result<Reply, Refusal>> {
    let reply = match path {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => access(user, body),
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => rules(user, body),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => identity(user),
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
