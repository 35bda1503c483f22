//! `/version`, health, and the lists of groups and kinds that generic clients ask for first.

use ::http::StatusCode;
use serde_json::{Value, json};

use super::resources::{ALL, POD_METRICS, Resource};
use crate::demo::http::{Reply, bytes, json};

/// Answers the paths that are about no object; `None` when the path is not one of them.
pub(crate) fn answer(path: &str) -> Option<Reply> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match parts.as_slice() {
        ["version"] => version(),
        ["healthz" | "livez" | "readyz", ..] => return Some(bytes(StatusCode::OK, "text/plain; charset=utf-8", "ok")),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups()}),
        ["api", version] => resources("", version)?,
        ["apis", group] => groups().into_iter().find(|found| found["name"] == *group)?,
        ["apis", group, version] => resources(group, version)?,
        _ => return None,
    };
    Some(json(StatusCode::OK, &body))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "33",
        "gitVersion": "v1.33.4-eks-113cf36",
        "gitCommit": "8f3b9ac1d2e0f6a7b45c1e9d8a3f2b6c7d0e1f24",
        "gitTreeState": "clean",
        "buildDate": "2026-08-19T04:12:09Z",
        "goVersion": "go1.24.5",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn groups() -> Vec<Value> {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for resource in ALL {
        if !resource.group.is_empty() && !seen.contains(&(resource.group, resource.version)) {
            seen.push((resource.group, resource.version));
        }
    }
    seen.push(("authorization.k8s.io", "v1"));
    seen.into_iter()
        .map(|(group, version)| {
            let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect()
}

fn resources(group: &str, version: &str) -> Option<Value> {
    let mut listed = Vec::new();
    for resource in ALL.into_iter().filter(|resource| resource.group == group && resource.version == version) {
        listed.push(described(resource));
        for subresource in resource.subresources {
            listed.push(json!({
                "name": format!("{}/{subresource}", resource.plural),
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": if *subresource == "scale" { "Scale" } else { resource.kind },
                "verbs": ["get", "patch", "update"],
            }));
        }
    }
    if group == "authorization.k8s.io" && version == "v1" {
        for (plural, kind) in [
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ] {
            listed.push(json!({
                "name": plural, "singularName": "", "namespaced": false, "kind": kind, "verbs": ["create"],
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!listed.is_empty()).then(
        || json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}),
    )
}

fn described(resource: &Resource) -> Value {
    let verbs: &[&str] = if resource.is(&POD_METRICS) {
        &["get", "list"]
    } else {
        &["create", "delete", "get", "list", "patch", "update", "watch"]
    };
    let mut described = json!({
        "name": resource.plural,
        "singularName": resource.kind.to_lowercase(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
    });
    if !resource.short.is_empty() {
        described["shortNames"] = json!([resource.short]);
    }
    described
}
