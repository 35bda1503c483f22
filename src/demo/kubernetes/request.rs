//! Paths and queries of the Kubernetes API, taken apart.

use ::http::Method;

use super::access::Attributes;
use super::resources::{self, Resource};
use crate::demo::http::{decode, query};

/// What a path points at.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) resource: &'static Resource,
    /// `None` asks for all namespaces, or for an object of the cluster.
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// What follows the subresource, as it was sent: the path behind a proxy.
    pub(crate) rest: String,
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        Self(query(text))
    }

    /// The value of a parameter, empty when it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "True")
    }

    /// A parameter that must be there and not empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }
}

/// Reads a resource path; `None` when it is none.
pub(crate) fn target(path: &str) -> Option<Target> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    let mut rest: Vec<&str> = parts.collect();
    while rest.last().is_some_and(|part| part.is_empty()) && rest.get(3) != Some(&"proxy") && rest.len() < 6 {
        rest.pop();
    }
    let (namespace, tail) = match rest.as_slice() {
        // The namespace itself, or its status.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest.as_slice()),
        ["namespaces", namespace, tail @ ..] => (Some(decode(namespace, false)), tail),
        tail => (None, tail),
    };
    let (plural, tail) = tail.split_first()?;
    let resource = Resource::find(group, version, plural)?;
    let (name, subresource, rest) = match tail {
        [] => (None, None, String::new()),
        [name] => (Some(*name), None, String::new()),
        [name, subresource, rest @ ..] => (Some(*name), Some((*subresource).to_owned()), rest.join("/")),
    };
    Some(Target { resource, namespace, name: name.map(|name| decode(name, false)), subresource, rest })
}

impl Target {
    /// The request in the words of RBAC.
    pub(crate) fn attributes(&self, method: &Method, query: &Query) -> Attributes {
        let resource = self.subresource.as_ref().map_or_else(
            || self.resource.plural.to_owned(),
            |subresource| format!("{}/{subresource}", self.resource.plural),
        );
        Attributes {
            verb: self.verb(method, query).to_owned(),
            group: self.resource.group.to_owned(),
            resource,
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().unwrap_or_default(),
        }
    }

    fn verb(&self, method: &Method, query: &Query) -> &'static str {
        match (method.as_str(), self.name.is_some()) {
            ("GET" | "HEAD", _) if query.is_set("watch") => "watch",
            ("GET" | "HEAD", false) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "delete",
            ("DELETE", false) => "deletecollection",
            _ => "get",
        }
    }
}

/// Finds a kind by the group and plural that an access review names.
pub(crate) fn reviewed(group: &str, plural: &str) -> Option<&'static Resource> {
    resources::ALL.into_iter().find(|resource| resource.group == group && resource.plural == plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let pods = target("/api/v1/namespaces/a/pods").expect("pods");
        assert_eq!((pods.namespace.as_deref(), pods.name), (Some("a"), None));
        let log = target("/api/v1/namespaces/a/pods/b/log").expect("log");
        assert_eq!(log.subresource.as_deref(), Some("log"));
        let all = target("/apis/apps/v1/deployments").expect("deployments");
        assert_eq!((all.resource.kind, all.namespace), ("Deployment", None));
        let namespace = target("/api/v1/namespaces/a").expect("namespace");
        assert_eq!((namespace.resource.kind, namespace.name.as_deref()), ("Namespace", Some("a")));
        let proxy = target("/api/v1/namespaces/a/services/http:x-rest:8081/proxy/v1/jobs/overview").expect("proxy");
        assert_eq!((proxy.name.as_deref(), proxy.rest.as_str()), (Some("http:x-rest:8081"), "v1/jobs/overview"));
        assert!(target("/apis/apps/v1/bananas").is_none());
        assert!(target("/version").is_none());
    }
}
