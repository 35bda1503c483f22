//! Labels, links, owners, expiry, autoscaling and roles: read from the cluster, and edited by the way of all changes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::change::{Wish, Write};
use super::desk::{DeployError, Desk};
use super::order::{Order, identified, wish};
use crate::plan::manage::about::{About, Told, told};
use crate::plan::manage::edit::Edit;
use crate::plan::manage::identity::{Claim, patch};
use crate::plan::manage::role::{AccountView, ROLE, RightView, is_role, service_account, with_role};
use crate::plan::manage::scaling::{Decision, Scaling, ScalingView, autoscaled};
use crate::plan::manage::{Around, processor};
use crate::plan::object::{Id, Kind, PART_OF, annotation, label};

/// Events of the operator that tell what its autoscaler decided.
const DECISIONS: [&str; 6] =
    ["ScalingReport", "Scaling", "IneffectiveScaling", "MemoryPressure", "ResourceQuotaReached", "AutoscalerError"];
/// Most of them that are shown.
const MOST_DECISIONS: usize = 20;

/// All that stands around a pipeline's jobs. What cannot be read of it says why, and the rest is there.
///
/// # Errors
/// When there is nothing of that name.
pub async fn around(desk: &Desk, pipeline: &str) -> Result<Around, DeployError> {
    let about = about(desk, pipeline).await?;
    let scaling = scaling(desk, pipeline).await;
    let accounts = accounts(desk, pipeline).await;
    let said = |error: DeployError| Arc::from(error.to_string());
    Ok(Around { about: Ok(about), scaling: scaling.map_err(said), accounts: accounts.map_err(said) })
}

/// What is written about each processor of a pipeline.
///
/// # Errors
/// When there is nothing of that name.
pub async fn about(desk: &Desk, pipeline: &str) -> Result<Vec<Told>, DeployError> {
    Ok(jobs(desk, pipeline).await?.iter().map(|(_, object)| told(object)).collect())
}

/// An edit as the writes that it takes.
///
/// # Errors
/// When there is nothing that it could be of, or it is not for people to make.
pub async fn edit(desk: &Desk, pipeline: &str, edit: &Edit, order: &Order) -> Result<Wish, DeployError> {
    match edit {
        Edit::Identity(claims) => edit_identity(desk, pipeline, claims, order).await,
        Edit::About(about) => edit_about(desk, pipeline, about, order).await,
        Edit::Scaling { processor, scaling } => {
            edit_scaling(desk, (pipeline, processor.as_deref()), scaling, order).await
        }
        Edit::Role { account, role } => edit_role(desk, (pipeline, account.as_deref()), role.as_deref(), order).await,
    }
}

async fn edit_about(desk: &Desk, pipeline: &str, about: &About, order: &Order) -> Result<Wish, DeployError> {
    if let Some(problem) = about.problem() {
        return Err(DeployError::Refused(problem));
    }
    let found = desk.found(pipeline).await?;
    let writes = found.iter().map(|(id, _)| Write::Patch(id.clone(), about.patch())).collect();
    Ok(wish(whole(pipeline, &found), writes, None, order))
}

/// In the manifest, where there is one: else the next deployment would undo it.
async fn edit_identity(desk: &Desk, pipeline: &str, claims: &[Claim], order: &Order) -> Result<Wish, DeployError> {
    let found = desk.found(pipeline).await?;
    let name = whole(pipeline, &found);
    if let Some(wish) = identified(desk, &name, claims, order).await? {
        return Ok(wish);
    }
    let writes = found.iter().map(|(id, _)| Write::Patch(id.clone(), patch(claims))).collect();
    Ok(wish(name, writes, None, order))
}

/// The objects that run the jobs of a pipeline.
async fn jobs(desk: &Desk, pipeline: &str) -> Result<Vec<(Id, Value)>, DeployError> {
    let mut found = desk.found(pipeline).await?;
    let runs = |id: &Id, object: &Value| {
        let template = object.pointer("/spec/template/metadata/labels/component").and_then(Value::as_str);
        id.kind == Kind::FlinkDeployment || label(object, "component").or(template) == Some("jobmanager")
    };
    found.retain(|(id, object)| runs(id, object));
    Ok(found)
}

/// The pipeline's own name, where one of its processors was named.
fn whole(pipeline: &str, found: &[(Id, Value)]) -> String {
    found.iter().find_map(|(_, object)| label(object, PART_OF)).unwrap_or(pipeline).to_owned()
}

/// How the sizes of a pipeline's processors are decided.
///
/// # Errors
/// When there is nothing of that name.
pub async fn scaling(desk: &Desk, pipeline: &str) -> Result<Vec<ScalingView>, DeployError> {
    let mut views = Vec::new();
    for (id, object) in desk.found(pipeline).await? {
        match id.kind {
            Kind::FlinkDeployment => views.push(by_operator(desk, &id, &object).await?),
            Kind::StatefulSet | Kind::Deployment if is_workers(&object) => {
                let own = autoscaler_of(&id);
                let autoscaler = desk.read(&own).await?;
                let view = ScalingView::of_pods(&object, autoscaler.as_ref());
                views.push(ScalingView { decisions: decisions(desk, &own, &[]).await, ..view });
            }
            _ => {}
        }
    }
    Ok(views)
}

/// What decides the number of some TaskManagers.
pub(super) fn autoscaler_of(workers: &Id) -> Id {
    Id { kind: Kind::HorizontalPodAutoscaler, ..workers.clone() }
}

fn is_workers(object: &Value) -> bool {
    let template = object.pointer("/spec/template/metadata/labels/component").and_then(Value::as_str);
    label(object, "component").or(template) == Some("taskmanager")
}

async fn by_operator(desk: &Desk, id: &Id, object: &Value) -> Result<ScalingView, DeployError> {
    let state = Id::new(Kind::ConfigMap, id.namespace.as_str(), format!("autoscaler-{}", id.name));
    let state = desk.read(&state).await?;
    let chosen = state.as_ref().and_then(|it| it.pointer("/data/parallelismOverrides")).and_then(Value::as_str);
    let view = ScalingView::of_operator(object);
    Ok(ScalingView { chosen: chosen.map(str::to_owned), decisions: decisions(desk, id, &DECISIONS).await, ..view })
}

/// Events about an object of some kinds; whoever may not read events sees none.
async fn decisions(desk: &Desk, id: &Id, reasons: &[&str]) -> Vec<Decision> {
    let path = format!("/api/v1/namespaces/{}/events?fieldSelector=involvedObject.name%3D{}", id.namespace, id.name);
    let Ok(answer) = desk.cluster.get(&path).await else { return Vec::new() };
    let list: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let events = list.get("items").and_then(Value::as_array).into_iter().flatten();
    let one = |event: &Value| {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = text("/involvedObject/kind");
        let reason = text("/reason");
        let fits = kind == id.kind.word() && (reasons.is_empty() || reasons.contains(&reason.as_str()));
        let at = [text("/lastTimestamp"), text("/eventTime"), text("/metadata/creationTimestamp")];
        let at = at.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        fits.then(|| Decision { at, reason, message: text("/message") })
    };
    let mut decisions: Vec<Decision> = events.filter_map(one).collect();
    decisions.sort_by(|one, other| one.at.cmp(&other.at));
    decisions.split_off(decisions.len().saturating_sub(MOST_DECISIONS))
}

/// How the size of processors is decided: of all of a pipeline's, or of one.
async fn edit_scaling(
    desk: &Desk,
    (pipeline, named): (&str, Option<&str>),
    scaling: &Scaling,
    order: &Order,
) -> Result<Wish, DeployError> {
    let found = desk.found(pipeline).await?;
    let name = whole(pipeline, &found);
    let mut writes = Vec::new();
    for (id, object) in &found {
        if named.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&processor(object))) {
            continue;
        }
        match id.kind {
            Kind::FlinkDeployment if scaling.memory_percent.is_some() => {
                return Err(DeployError::Refused(format!(
                    "the operator's autoscaler of {} goes by how busy it is, not by memory: job.autoscaler.memory.tuning.enabled \
                     lets it size memory by itself",
                    processor(object)
                )));
            }
            Kind::FlinkDeployment => writes.push(Write::Patch(id.clone(), scaling.patch(object))),
            Kind::StatefulSet | Kind::Deployment if is_workers(object) => {
                let own = autoscaler_of(id);
                let before = desk.read(&own).await?;
                let on = scaling.on.unwrap_or(true);
                writes.push(Write::Patch(id.clone(), autoscaled(on)));
                match (on, before) {
                    (true, before) => writes.push(Write::Apply(scaling.autoscaler(id, &name, before.as_ref()))),
                    (false, Some(_)) => writes.push(Write::Delete(own)),
                    (false, None) => {}
                }
            }
            _ => {}
        }
    }
    if writes.is_empty() {
        return Err(DeployError::NotFound(format!("{pipeline} has no processor {}", named.unwrap_or_default())));
    }
    Ok(wish(name, writes, None, order))
}

/// What Flink on Kubernetes needs of a service account.
const RIGHTS: [(&str, &str, &str, &str); 5] = [
    ("create", "", "pods", "native mode: the JobManager makes TaskManagers"),
    ("delete", "", "pods", "native mode: the JobManager lets TaskManagers go"),
    ("watch", "", "pods", "native mode: the JobManager sees TaskManagers"),
    ("update", "", "configmaps", "high availability"),
    ("get", "apps", "deployments", "native mode: owner of the TaskManagers"),
];

/// The service accounts of a pipeline, their roles, and what they may do.
///
/// # Errors
/// When there is nothing of that name.
pub async fn accounts(desk: &Desk, pipeline: &str) -> Result<Vec<AccountView>, DeployError> {
    let mut views: Vec<AccountView> = Vec::new();
    for (_, object) in jobs(desk, pipeline).await? {
        let (account, processor) = (service_account(&object), processor(&object));
        if let Some(view) = views.iter_mut().find(|it| it.account == account) {
            view.processors.push(processor);
            continue;
        }
        let id = Id::new(Kind::ServiceAccount, desk.target.namespace.as_str(), account);
        let there = desk.read(&id).await?;
        let mut rights = Vec::new();
        for (verb, group, resource, used_for) in RIGHTS {
            let allowed = desk.cluster.account_may(&id, verb, (group, resource)).await;
            let allowed = allowed.map_err(|trouble| DeployError::Read { what: "rights".into(), trouble })?;
            rights.push(RightView { what: format!("{verb} {resource}"), used_for, allowed });
        }
        views.push(AccountView {
            account: account.to_owned(),
            exists: there.is_some(),
            role: there.as_ref().and_then(|it| annotation(it, ROLE)).map(str::to_owned),
            processors: vec![processor],
            rights,
        });
    }
    Ok(views)
}

/// Gives a service account of a pipeline a role, or takes it away.
async fn edit_role(
    desk: &Desk,
    (pipeline, account): (&str, Option<&str>),
    role: Option<&str>,
    order: &Order,
) -> Result<Wish, DeployError> {
    if let Some(role) = role.filter(|it| !is_role(it)) {
        return Err(DeployError::Refused(format!("{role} is no role: arn:aws:iam::123456789012:role/NAME is one")));
    }
    let found = jobs(desk, pipeline).await?;
    let mut accounts: Vec<&str> = found.iter().map(|(_, object)| service_account(object)).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let account = match (account, accounts.as_slice()) {
        (Some(named), all) if all.contains(&named) => named,
        (None, [one]) => one,
        (_, all) => {
            let words = format!("which service account? name one with --service-account: {}", all.join(", "));
            return Err(DeployError::NotFound(words));
        }
    };
    let id = Id::new(Kind::ServiceAccount, desk.target.namespace.as_str(), account);
    let write = match desk.read(&id).await? {
        Some(live) => Write::Patch(id, with_role(&live, role)),
        None => Write::Apply(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": id.name, "namespace": id.namespace, "annotations": {ROLE: role}}})),
    };
    Ok(wish(whole(pipeline, &found), vec![write], None, order))
}
