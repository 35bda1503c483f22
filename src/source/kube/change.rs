//! Objects read, applied, patched and deleted: the only place that changes a cluster.
//!
//! Applies are server-side, under one name of field ownership, and never forced unless somebody says so: what another
//! owns is a conflict that names its fields and owners. A dry run is asked of the server itself.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Cluster;
use super::raw::Answer;
use super::trouble::{Trouble, cut, of_status};
use crate::plan::object::{Id, Kind, MANAGER};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a write is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// The server says what would come of it, and keeps nothing.
    Dry,
    /// It is meant.
    Real,
}

/// What happens to fields that others own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// They are left, and named.
    Respect,
    /// They are taken over.
    Take,
}

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedField {
    /// The field: `.spec.taskManager.replicas`.
    pub field: String,
    /// Its owner.
    pub owner: String,
}

/// Why a write was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Others own fields that it would change.
    #[error("{id}: {}", fields.iter().map(|it| format!("{} is set by {}", it.field, it.owner)).collect::<Vec<_>>().join(", "))]
    Owned {
        /// The object.
        id: Id,
        /// The fields.
        fields: Vec<OwnedField>,
    },
    /// It changed since it was read.
    #[error("{0} was changed by somebody else meanwhile")]
    Changed(Id),
    /// There is one already.
    #[error("{0} exists already")]
    Exists(Id),
    /// The server does not take it, or did not answer.
    #[error("{id}: {trouble}")]
    Trouble {
        /// The object.
        id: Id,
        /// Why.
        trouble: Trouble,
    },
}

impl Cluster {
    /// An object as it is; `None` when there is none.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn object(&self, id: &Id) -> Result<Option<Value>, Trouble> {
        let answer = self.ask(Method::GET, &path(id), None).await?;
        if answer.code == 404 {
            return Ok(None);
        }
        parsed(&answer).map(Some)
    }

    /// Objects of a kind in a namespace that a label selects.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn objects(&self, kind: Kind, namespace: &str, selector: &str) -> Result<Vec<Value>, Trouble> {
        let path = format!("{}?labelSelector={}", folder(kind, namespace), encoded(selector));
        let answer = self.ask(Method::GET, &path, None).await?;
        // A cluster without the operator has no such kind, and so none of it.
        if answer.code == 404 {
            return Ok(Vec::new());
        }
        let mut list = parsed(&answer)?;
        let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        // Items of a list do not say what they are.
        let named = |mut item: Value| {
            crate::plan::object::set(&mut item, &["kind"], json!(kind.word()));
            crate::plan::object::set(&mut item, &["apiVersion"], json!(kind.api_version()));
            item
        };
        Ok(items.into_iter().map(named).collect())
    }

    /// Applies an object; answers what it is, or would be.
    ///
    /// # Errors
    /// When it is refused, or others own what it changes.
    pub async fn apply(&self, object: &Value, run: Run, ownership: Ownership) -> Result<Value, WriteError> {
        let id = identity(object)?;
        let force = ownership == Ownership::Take;
        let path = format!("{}?fieldManager={MANAGER}&fieldValidation=Strict&force={force}{}", path(&id), dry(run));
        self.write(&id, Method::PATCH, (&path, "application/apply-patch+yaml"), object).await
    }

    /// Creates an object.
    ///
    /// # Errors
    /// When it is refused, or there is one.
    pub async fn create(&self, object: &Value, run: Run) -> Result<Value, WriteError> {
        let id = identity(object)?;
        let path =
            format!("{}?fieldManager={MANAGER}&fieldValidation=Strict{}", folder(id.kind, &id.namespace), dry(run));
        self.write(&id, Method::POST, (&path, "application/json"), object).await
    }

    /// Changes some fields of an object. With a resource version in it, only if it is still the one that was read.
    ///
    /// # Errors
    /// When it is refused, or changed meanwhile.
    pub async fn patch(&self, id: &Id, patch: &Value, run: Run) -> Result<Value, WriteError> {
        let address = format!("{}?fieldManager={MANAGER}&fieldValidation=Strict{}", path(id), dry(run));
        self.write(id, Method::PATCH, (&address, "application/merge-patch+json"), patch).await
    }

    /// Deletes an object; one that is gone is gone.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(&self, id: &Id) -> Result<(), WriteError> {
        let trouble = |trouble| WriteError::Trouble { id: id.clone(), trouble };
        let body = json!({"propagationPolicy": "Background"});
        let answer = self.ask(Method::DELETE, &path(id), Some(("application/json", &body))).await.map_err(trouble)?;
        if answer.code == 404 || answer.is_success() { Ok(()) } else { Err(trouble(refusal(&answer))) }
    }

    /// Whether we may do something; the server's reason when not.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn may(&self, verb: &str, kind: Kind, namespace: &str) -> Result<Option<Arc<str>>, Trouble> {
        self.may_ask(json!({"namespace": namespace, "verb": verb, "group": kind.group(), "resource": kind.plural()}))
            .await
    }

    /// Whether we may reach a service through the API server; the server's reason when not.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn may_reach(&self, verb: &str, service: &str, namespace: &str) -> Result<Option<Arc<str>>, Trouble> {
        let attributes = json!({"namespace": namespace, "verb": verb, "group": "", "resource": "services",
            "subresource": "proxy", "name": service});
        self.may_ask(attributes).await
    }

    async fn may_ask(&self, attributes: Value) -> Result<Option<Arc<str>>, Trouble> {
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = self.ask(Method::POST, path, Some(("application/json", &body))).await?;
        let answer = parsed(&answer)?;
        if answer.pointer("/status/allowed").and_then(Value::as_bool) == Some(true) {
            return Ok(None);
        }
        let reason = answer.pointer("/status/reason").and_then(Value::as_str).filter(|it| !it.is_empty());
        Ok(Some(cut(reason.unwrap_or("no rule allows it"))))
    }

    /// Whether a service account may do something in its namespace; `None` when we may not ask, or cannot.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn account_may(
        &self,
        account: &Id,
        verb: &str,
        (group, resource): (&str, &str),
    ) -> Result<Option<bool>, Trouble> {
        let Id { namespace, name, .. } = account;
        let attributes = json!({"namespace": namespace, "verb": verb, "group": group, "resource": resource});
        let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {"user": format!("system:serviceaccount:{namespace}:{name}"), "groups": groups,
                "resourceAttributes": attributes},
        });
        let path = format!("/apis/authorization.k8s.io/v1/namespaces/{namespace}/localsubjectaccessreviews");
        let answer = self.ask(Method::POST, &path, Some(("application/json", &body))).await?;
        // Not every server has it.
        if matches!(answer.code, 403 | 404) {
            return Ok(None);
        }
        Ok(parsed(&answer)?.pointer("/status/allowed").and_then(Value::as_bool))
    }

    async fn write(
        &self,
        id: &Id,
        method: Method,
        (path, content): (&str, &str),
        body: &Value,
    ) -> Result<Value, WriteError> {
        let trouble = |trouble| WriteError::Trouble { id: id.clone(), trouble };
        let answer = self.ask(method, path, Some((content, body))).await.map_err(trouble)?;
        if answer.is_success() {
            return parsed(&answer).map_err(trouble);
        }
        Err(if answer.code == 409 { conflict(id, &answer) } else { trouble(refusal(&answer)) })
    }

    /// One request to the API server, with its answer whatever the code.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        content: Option<(&str, &Value)>,
    ) -> Result<Answer, Trouble> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((kind, _)) = content {
            request = request.header("content-type", kind);
        }
        let body = content.map_or_else(Body::empty, |(_, value)| Body::from(value.to_string().into_bytes()));
        let request = request.body(body).map_err(|error| Trouble::Garbled(error.to_string().into()))?;
        let late = || Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()).into());
        timeout(PATIENCE, self.exchange(request)).await.unwrap_or_else(|_| Err(late()))
    }
}

fn identity(object: &Value) -> Result<Id, WriteError> {
    Id::of(object).ok_or_else(|| WriteError::Trouble {
        id: Id::new(Kind::ConfigMap, "", ""),
        trouble: Trouble::Garbled("an object without kind or name cannot be written".into()),
    })
}

const fn dry(run: Run) -> &'static str {
    match run {
        Run::Dry => "&dryRun=All",
        Run::Real => "",
    }
}

fn folder(kind: Kind, namespace: &str) -> String {
    let root = if kind.group().is_empty() { "api" } else { "apis" };
    format!("/{root}/{}/namespaces/{namespace}/{}", kind.api_version(), kind.plural())
}

fn path(id: &Id) -> String {
    format!("{}/{}", folder(id.kind, &id.namespace), encoded(&id.name))
}

/// Text in an address: names and selectors come from manifests.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

pub(super) fn parsed(answer: &Answer) -> Result<Value, Trouble> {
    if !answer.is_success() {
        return Err(refusal(answer));
    }
    serde_json::from_str(&answer.text).map_err(|error| Trouble::Garbled(cut(&error.to_string())))
}

fn refusal(answer: &Answer) -> Trouble {
    let status: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let text = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or_default();
    of_status(answer.code, text("reason"), text("message"))
}

/// The server says one code for three things: fields of others, an older version, and an object that is there.
fn conflict(id: &Id, answer: &Answer) -> WriteError {
    let status: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let causes = status.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten();
    let fields: Vec<OwnedField> = causes
        .filter(|cause| cause.get("reason").and_then(Value::as_str) == Some("FieldManagerConflict"))
        .map(|cause| {
            let text = |name: &str| cause.get(name).and_then(Value::as_str).unwrap_or_default();
            // `conflict with "kubectl-edit" using apps/v1`
            let owner = text("message").split('"').nth(1).unwrap_or_else(|| text("message"));
            OwnedField { field: cut(text("field")).to_string(), owner: cut(owner).to_string() }
        })
        .collect();
    if !fields.is_empty() {
        return WriteError::Owned { id: id.clone(), fields };
    }
    match status.get("reason").and_then(Value::as_str) {
        Some("AlreadyExists") => WriteError::Exists(id.clone()),
        _ => WriteError::Changed(id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_what_names_hold() {
        let id = Id::new(Kind::FlinkDeployment, "team", "a/../b?x");
        assert_eq!(path(&id), "/apis/flink.apache.org/v1beta1/namespaces/team/flinkdeployments/a%2F..%2Fb%3Fx");
        assert_eq!(path(&Id::new(Kind::ConfigMap, "n", "c")), "/api/v1/namespaces/n/configmaps/c");
    }

    #[test]
    fn three_conflicts_are_three_things() {
        let id = Id::new(Kind::Deployment, "n", "d");
        let of = |body: Value| conflict(&id, &Answer { code: 409, text: body.to_string() });
        let cause = json!({"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using apps/v1", "field": ".spec.replicas"});
        let words = of(json!({"reason": "Conflict", "details": {"causes": [cause]}})).to_string();
        assert_eq!(words, "Deployment d: .spec.replicas is set by kubectl-edit");
        assert_eq!(of(json!({"reason": "AlreadyExists"})), WriteError::Exists(id.clone()));
        assert_eq!(of(json!({"reason": "Conflict"})), WriteError::Changed(id.clone()));
    }
}
