//! From what somebody asks for to the writes that it takes: manifests, verbs, and two people at once.

use chrono::{NaiveDate, TimeDelta};
use serde_json::Value;

use super::change::{Wish, Write};
use super::desk::{DeployError, Desk};
use super::manifests::{changed, merged, pipeline_in, value_of};
use super::{manage, sweep};
use crate::model::Time;
use crate::model::manifest::{Pipeline, Runtime};
use crate::plan::guard::Refusal;
use crate::plan::intent::Ask;
use crate::plan::manage::about::{EXPIRES, expiry};
use crate::plan::manage::identity::{Claim, written};
use crate::plan::object::{Id, Kind, MANAGED_BY, MANAGER, OURS, PART_OF, label, set};
use crate::plan::own_terms::{self, EditError};
use crate::plan::render::render;
use crate::plan::revision::{Revision, State};
use crate::plan::verb::Verb;
use crate::plan::wish::{Touch, carried, patch, restarted, scaled, stopped};
use crate::source::kube::change::Ownership;

/// How long something temporary runs.
const TEMPORARY: TimeDelta = TimeDelta::days(30);

/// Who asks for what, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is done.
    pub verb: Verb,
    /// What for.
    pub note: String,
    /// What happens to fields of others.
    pub ownership: Ownership,
    /// When.
    pub now: Time,
}

/// A manifest that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The manifest.
    pub pipeline: Pipeline,
    /// Its text.
    pub text: String,
    /// What runs it, instead of what the manifest says.
    pub runtime: Option<Runtime>,
    /// What it was edited from.
    pub base: Base,
}

/// What a manifest was edited from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// This revision.
    Revision(u64),
    /// The last revision of whoever asks: what others deployed since is merged, and somebody who never deployed it has
    /// to say what they have seen.
    OwnLast,
    /// Nothing that is there: it takes the place of all that is.
    Nothing,
}

/// A manifest as a wish: a new revision, what it writes, and what it no longer has.
///
/// # Errors
/// When it cannot be rendered, or somebody else changed the same fields since.
pub async fn manifest(desk: &Desk, wanted: &Wanted, order: &Order) -> Result<Wish, DeployError> {
    let name = wanted.pipeline.metadata.name.value.to_lowercase();
    let revisions = desk.revisions(&name).await?;
    let merged = merged(wanted, &revisions, &desk.by)?;
    let (pipeline, text) =
        merged.as_ref().map_or((&wanted.pipeline, &wanted.text), |(pipeline, text)| (pipeline, text));
    let runtime = wanted.runtime.unwrap_or(pipeline.spec.runtime);
    let mut rendered =
        render(pipeline, &desk.target, runtime).map_err(|error| DeployError::Failed(error.to_string()))?;
    if pipeline.metadata.temporary {
        let day = last_day(desk, &name, order.now).await?;
        rendered.mark(EXPIRES, &day.to_string());
    }
    let objects = |number: u64| {
        let mut stamped = rendered.clone();
        stamped.stamp(number);
        stamped.objects().cloned().collect::<Vec<Value>>()
    };
    // The newest one may be what an interrupted try of the same left.
    let newest = revisions.last();
    let interrupted = newest.filter(|it| it.state == State::Pending && it.objects == objects(it.number));
    let resumes = interrupted.is_some();
    let number = interrupted.map_or_else(|| newest.map_or(1, |it| it.number + 1), |it| it.number);
    let revision = Revision { manifest: Some(text.clone()), ..blank(desk, &name, number, order) };
    let mut wish = objects_wish(desk, Revision { objects: objects(number), ..revision }, order).await?;
    wish.resumes = resumes;
    if pipeline.metadata.temporary && desk.place.is_production {
        wish.refusals.push(Refusal::Temporary { pipeline: name, environment: desk.place.environment.clone() });
    }
    Ok(wish)
}

/// What somebody asks for as a wish; `from` is where a promoted pipeline runs.
///
/// # Errors
/// When there is nothing of that name, or it cannot be meant.
pub async fn asked(
    desk: &Desk,
    from: &Desk,
    (pipeline, ask): (&str, &Ask),
    order: &Order,
) -> Result<Wish, DeployError> {
    match ask {
        Ask::Deploy => touch(desk, pipeline, Touch::Start, order).await,
        Ask::Stop => touch(desk, pipeline, Touch::Stop, order).await,
        Ask::Restart => touch(desk, pipeline, Touch::Restart(order.now.timestamp()), order).await,
        Ask::Scale { processor, replicas } => scale(desk, (pipeline, processor.as_deref()), *replicas, order).await,
        Ask::Promote { .. } => promote(from, desk, pipeline, order).await,
        Ask::Rollback { to } => rollback(desk, pipeline, *to, order).await,
        Ask::Decommission(sweep) => sweep::decommission(desk, (pipeline, *sweep), order).await,
        Ask::Adopt => adopt(desk, pipeline, order).await,
        Ask::Apply { text, base, .. } => edited(desk, (pipeline, *base), text, order).await,
        Ask::Edit { id, base, mine, .. } => in_own_terms(desk, pipeline, (id, base, mine), order).await,
        Ask::Rollout | Ask::AbortRollout => super::rollout::wish(desk, pipeline, order).await,
        Ask::Manage(edit) => manage::edit(desk, pipeline, edit, order).await,
        Ask::Savepoint => Err(DeployError::Failed("a savepoint writes nothing: it is taken, not applied".into())),
    }
}

/// A manifest that was edited from a revision, for what runs that one.
async fn edited(desk: &Desk, (name, base): (&str, u64), text: &str, order: &Order) -> Result<Wish, DeployError> {
    let revisions = desk.revisions(&name.to_lowercase()).await?;
    let runtime = revisions.iter().find(|it| it.number == base).and_then(runtime_of);
    // As it was typed: comments are for whoever edits it next.
    let wanted = Wanted { pipeline: pipeline_in(text)?, text: text.to_owned(), runtime, base: Base::Revision(base) };
    manifest(desk, &wanted, order).await
}

/// Somebody else's object with other fields, put together with what others did to it since.
async fn in_own_terms(
    desk: &Desk,
    pipeline: &str,
    (id, base, mine): (&Id, &str, &str),
    order: &Order,
) -> Result<Wish, DeployError> {
    let live = desk.read(id).await?.ok_or_else(|| DeployError::NotFound(format!("{id} is gone")))?;
    let patch = own_terms::patch(base, mine, &live).map_err(|error| match error {
        EditError::Clashes(_) => DeployError::Overtaken(error.to_string()),
        other => DeployError::Failed(other.to_string()),
    })?;
    let writes: Vec<Write> = patch.map(|patch| Write::Patch(id.clone(), patch)).into_iter().collect();
    let name = label(&live, PART_OF).unwrap_or(pipeline);
    Ok(wish(name.to_owned(), writes, None, order))
}

/// The last day of a temporary pipeline: as it was said, else some days from now.
async fn last_day(desk: &Desk, pipeline: &str, now: Time) -> Result<NaiveDate, DeployError> {
    let managed = desk.managed(pipeline).await?;
    let said = managed.iter().filter_map(|(_, object)| expiry(object)).min();
    Ok(said.unwrap_or_else(|| (now + TEMPORARY).date_naive()))
}

fn blank(desk: &Desk, pipeline: &str, number: u64, order: &Order) -> Revision {
    Revision {
        number,
        pipeline: pipeline.to_owned(),
        namespace: desk.target.namespace.clone(),
        state: State::Pending,
        verb: order.verb,
        by: desk.by.clone(),
        at: order.now,
        note: order.note.clone(),
        manifest: None,
        objects: Vec::new(),
    }
}

/// A revision's objects as a wish: they are applied, and what else flowdeck deployed for the pipeline goes.
async fn objects_wish(desk: &Desk, revision: Revision, order: &Order) -> Result<Wish, DeployError> {
    let mut writes = applied(desk, &revision.objects).await?;
    let wanted: Vec<Id> = revision.objects.iter().filter_map(Id::of).collect();
    let managed = desk.managed(&revision.pipeline).await?;
    writes.extend(managed.into_iter().filter(|(id, _)| !wanted.contains(id)).map(|(id, _)| Write::Delete(id)));
    Ok(wish(revision.pipeline.clone(), writes, Some(revision), order))
}

/// A wish without anything special.
pub(super) fn wish(pipeline: String, writes: Vec<Write>, revision: Option<Revision>, order: &Order) -> Wish {
    Wish { pipeline, revision, ..Wish::of("", writes, order) }
}

async fn applied(desk: &Desk, objects: &[Value]) -> Result<Vec<Write>, DeployError> {
    let mut writes = Vec::new();
    for object in objects {
        let Some(id) = Id::of(object) else { continue };
        writes.push(Write::Apply(carried(desk.read(&id).await?.as_ref(), object)));
    }
    Ok(writes)
}

/// The revision that a pipeline was deployed with last, if flowdeck did. What `resumed` began may be half applied.
async fn deployed(desk: &Desk, pipeline: &str, resumed: Option<Verb>) -> Result<Option<Revision>, DeployError> {
    let mut revisions = desk.revisions(pipeline).await?;
    if let Some(pending) = revisions.last().filter(|it| it.state == State::Pending && Some(it.verb) != resumed) {
        return Err(half_applied(pending));
    }
    Ok(revisions.iter().rposition(|it| it.state == State::Deployed).map(|at| revisions.swap_remove(at)))
}

fn half_applied(pending: &Revision) -> DeployError {
    let Revision { number, by, verb, .. } = pending;
    DeployError::Overtaken(format!(
        "revision {number} of {by} ({}) is half applied: finish it with the same command, or roll back",
        verb.word()
    ))
}

/// Start, stop or restart: of what flowdeck deployed as a whole, of what somebody else did in its own terms.
///
/// # Errors
/// When there is nothing of that name.
pub async fn touch(desk: &Desk, pipeline: &str, touch: Touch, order: &Order) -> Result<Wish, DeployError> {
    let name = pipeline.to_lowercase();
    let Some(revision) = deployed(desk, &name, None).await? else { return found(desk, pipeline, touch, order).await };
    let objects = match touch {
        Touch::Stop => stopped(&revision.objects),
        Touch::Start | Touch::Scale(_) => revision.objects,
        Touch::Restart(number) => {
            let running = restarted(&revision.objects, number);
            let mut writes = Vec::new();
            // What was carried over would be the number of the last time.
            for object in running {
                let Some(id) = Id::of(&object) else { continue };
                let mut new = carried(desk.read(&id).await?.as_ref(), &object);
                if let Some(again) = restarted(std::slice::from_ref(&new), number).pop() {
                    new = again;
                }
                writes.push(Write::Apply(new));
            }
            return Ok(wish(name, writes, None, order));
        }
    };
    Ok(wish(name, applied(desk, &objects).await?, None, order))
}

async fn found(desk: &Desk, pipeline: &str, touch: Touch, order: &Order) -> Result<Wish, DeployError> {
    let found = desk.found(pipeline).await?;
    let writes = found.iter().filter_map(|(id, object)| Some(Write::Patch(id.clone(), patch(object, touch)?)));
    let writes: Vec<Write> = writes.collect();
    if writes.is_empty() {
        return Err(DeployError::Failed(format!(
            "there is nothing of {pipeline} that {} would change",
            order.verb.word()
        )));
    }
    // A processor may be meant by its own name; the audit and the guard go by its pipeline.
    let pipeline = found.iter().find_map(|(_, object)| label(object, PART_OF)).unwrap_or(pipeline);
    Ok(wish(pipeline.to_owned(), writes, None, order))
}

/// Another number of TaskManagers: a new revision of what flowdeck deployed.
///
/// # Errors
/// When it is not clear which processor is meant.
pub async fn scale(
    desk: &Desk,
    pipeline: (&str, Option<&str>),
    replicas: u32,
    order: &Order,
) -> Result<Wish, DeployError> {
    let (name, processor) = pipeline;
    let Some(revision) = deployed(desk, &name.to_lowercase(), Some(Verb::Scale)).await? else {
        return found(desk, processor.unwrap_or(name), Touch::Scale(replicas), order).await;
    };
    let adopted =
        || DeployError::Failed(format!("{name} was adopted without a manifest: scale it where it is written"));
    let text = revision.manifest.as_deref().ok_or_else(adopted)?;
    let unclear = || DeployError::NotFound(format!("which processor of {name}? name one that it has"));
    let (pipeline, text) = changed(text, &scaled(&value_of(text)?, processor, replicas).ok_or_else(unclear)?)?;
    let runtime = runtime_of(&revision);
    anew(desk, &Wanted { pipeline, text, runtime, base: Base::Nothing }, order).await
}

/// Another identity in the manifest: a new revision of what flowdeck deployed; `None` where there is no manifest.
pub(super) async fn identified(
    desk: &Desk,
    pipeline: &str,
    claims: &[Claim],
    order: &Order,
) -> Result<Option<Wish>, DeployError> {
    let Some(revision) = deployed(desk, &pipeline.to_lowercase(), Some(order.verb)).await? else { return Ok(None) };
    let Some(text) = revision.manifest.as_deref() else { return Ok(None) };
    let (pipeline, text) = changed(text, &written(&value_of(text)?, claims))?;
    let runtime = runtime_of(&revision);
    anew(desk, &Wanted { pipeline, text, runtime, base: Base::Nothing }, order).await.map(Some)
}

/// A manifest that was made of the deployed one.
async fn anew(desk: &Desk, wanted: &Wanted, order: &Order) -> Result<Wish, DeployError> {
    let wish = manifest(desk, wanted, order).await?;
    // An interrupted try goes on with the same number; another one must not be taken up with it.
    let newest = desk.revisions(&wish.pipeline).await?.pop();
    match newest.filter(|it| it.state == State::Pending) {
        Some(pending) if wish.revision.as_ref().is_none_or(|it| it.number != pending.number) => {
            Err(half_applied(&pending))
        }
        _ => Ok(wish),
    }
}

/// What runs a revision.
fn runtime_of(revision: &Revision) -> Option<Runtime> {
    let has = |kind| revision.objects.iter().filter_map(Id::of).any(|id| id.kind == kind);
    match (has(Kind::FlinkDeployment), has(Kind::StatefulSet)) {
        (true, _) => Some(Runtime::Operator),
        (false, true) => Some(Runtime::Standalone),
        (false, false) => None,
    }
}

/// An earlier revision as the next one.
///
/// # Errors
/// When it is not kept.
pub async fn rollback(desk: &Desk, pipeline: &str, to: Option<u64>, order: &Order) -> Result<Wish, DeployError> {
    let name = pipeline.to_lowercase();
    let revisions = desk.revisions(&name).await?;
    let newest = revisions.last().ok_or_else(|| DeployError::NotFound(format!("{pipeline} has no revisions")))?;
    if let Some(wish) = resumed_rollback(desk, newest, to, order).await? {
        return Ok(wish);
    }
    // Where the newest one never got there, the one that runs is the one before.
    let is_former = |it: &Revision| matches!(it.state, State::Superseded | State::Deployed);
    let earlier = |it: &&Revision| to.map_or_else(|| it.number < newest.number && is_former(it), |to| it.number == to);
    let target = revisions.iter().rev().find(earlier);
    let missing = || {
        DeployError::NotFound(format!(
            "there is no such earlier revision of {pipeline}; see `flowdeck history {pipeline}`"
        ))
    };
    let target = target.ok_or_else(missing)?;
    let number = newest.number + 1;
    let mut objects = target.objects.clone();
    for object in &mut objects {
        set(object, &["metadata", "annotations", &format!("{OURS}revision")], number.to_string().into());
    }
    let note = rolled_back(target.number);
    let revision = Revision { manifest: target.manifest.clone(), objects, note, ..blank(desk, &name, number, order) };
    objects_wish(desk, revision, order).await
}

fn rolled_back(to: u64) -> String {
    format!("rolled back to revision {to}")
}

/// A rollback that was interrupted, as it was begun; `None` when there is none, or another one is asked for.
async fn resumed_rollback(
    desk: &Desk,
    newest: &Revision,
    to: Option<u64>,
    order: &Order,
) -> Result<Option<Wish>, DeployError> {
    let is_same = to.is_none_or(|to| newest.note == rolled_back(to));
    // The last answer alone may have been lost: then it is marked already, and a second rollback is not meant.
    let is_open = newest.state == State::Pending
        || desk.unfinished_revision(&newest.pipeline, Verb::Rollback)? == Some(newest.number);
    if !is_open || newest.verb != Verb::Rollback || !is_same {
        return Ok(None);
    }
    let revision = Revision { by: desk.by.clone(), at: order.now, ..newest.clone() };
    Ok(Some(Wish { resumes: true, ..objects_wish(desk, revision, order).await? }))
}

/// What runs in one environment, for another.
///
/// # Errors
/// When nothing is deployed there, or its manifest does not name the other.
pub async fn promote(from: &Desk, to: &Desk, pipeline: &str, order: &Order) -> Result<Wish, DeployError> {
    let place = &from.place.environment;
    let revision = deployed(from, &pipeline.to_lowercase(), None).await?;
    let none = || DeployError::NotFound(format!("{pipeline} was not deployed to {place} by flowdeck"));
    let revision = revision.ok_or_else(none)?;
    let no_manifest = || DeployError::Failed(format!("revision {} in {place} has no manifest", revision.number));
    let text = revision.manifest.as_deref().ok_or_else(no_manifest)?;
    let (pipeline, text) = (pipeline_in(text)?, text.to_owned());
    let order = Order { note: format!("promoted from {place}, revision {}", revision.number), ..order.clone() };
    manifest(to, &Wanted { pipeline, text, runtime: runtime_of(&revision), base: Base::Nothing }, &order).await
}

/// Somebody else's pipeline becomes managed: its objects are kept as revision 1, and marked.
///
/// # Errors
/// When there is none, or it is managed already.
pub async fn adopt(desk: &Desk, pipeline: &str, order: &Order) -> Result<Wish, DeployError> {
    let name = pipeline.to_lowercase();
    let revisions = desk.revisions(&name).await?;
    let begun = revisions.first().filter(|it| it.state == State::Pending && it.verb == Verb::Adopt);
    if !revisions.is_empty() && (begun.is_none() || revisions.len() > 1) {
        return Err(DeployError::Failed(format!("{pipeline} is managed already")));
    }
    let found = desk.found(pipeline).await?;
    let mark = |object: &mut Value| {
        set(object, &["metadata", "labels", MANAGED_BY], MANAGER.into());
        set(object, &["metadata", "labels", PART_OF], name.as_str().into());
        set(object, &["metadata", "annotations", &format!("{OURS}revision")], "1".into());
    };
    let (mut objects, mut writes) = (Vec::new(), Vec::new());
    for (id, object) in &found {
        let mut kept = crate::plan::object::wanted(object);
        if let Some(metadata) = kept.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("finalizers");
            metadata.remove("ownerReferences");
        }
        mark(&mut kept);
        objects.push(kept);
        let mut marks = serde_json::json!({"apiVersion": id.kind.api_version(), "kind": id.kind.word(),
            "metadata": {"name": id.name, "namespace": id.namespace,
                "resourceVersion": object.pointer("/metadata/resourceVersion")}});
        mark(&mut marks);
        writes.push(Write::Patch(id.clone(), marks));
    }
    let revision = Revision { objects, ..blank(desk, &name, 1, order) };
    let resumes = begun.is_some();
    Ok(Wish { resumes, ..wish(name, writes, Some(revision), order) })
}
