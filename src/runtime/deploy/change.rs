//! A change, prepared and then made step by step.
//!
//! Preparing asks the server everything and changes nothing: what is there, what would come of each write (a dry run),
//! whether we may. What it finds is a [`Proposal`] that a person or a program judges. Making it writes an audit line
//! first, then a revision, then object by object, and says each step. Every step can be made twice, so the same command
//! again goes on where a lost connection ended.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::desk::{DeployError, Desk, Entry};
use super::outlook::{self, Seen, takes_state_along};
use super::sweep::{self, Sweeping};
use super::{room, topics};
use crate::model::Time;
use crate::plan::audit::Outcome;
use crate::plan::difference::{Difference, between};
use crate::plan::forecast::Load;
use crate::plan::guard::{self, Consent, Refusal};
use crate::plan::object::{Id, Kind, OURS, label};
use crate::plan::patch;
use crate::plan::proposal::{Proposal, Step};
use crate::plan::revision::{KEPT, Revision, State};
use crate::plan::topics::Finding;
use crate::plan::verb::Verb;
use crate::plan::wish;
use crate::source::flink::Afterwards;
use crate::source::kube::change::{Ownership, Run, WriteError};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// An object as a whole, of which we own the fields.
    Apply(Value),
    /// Some fields of somebody else's object, as it was read.
    Patch(Id, Value),
    /// It goes.
    Delete(Id),
}

/// What is wanted.
#[derive(Debug)]
pub struct Wish {
    /// The pipeline.
    pub pipeline: String,
    /// What is done to it.
    pub verb: Verb,
    /// The writes, in order.
    pub writes: Vec<Write>,
    /// The revision that it makes.
    pub revision: Option<Revision>,
    /// Whether an interrupted try kept that revision already: then there is something to do even if nothing differs.
    pub resumes: bool,
    /// What happens to fields of others.
    pub ownership: Ownership,
    /// When.
    pub now: Time,
    /// What forbids it for reasons of its own.
    pub refusals: Vec<Refusal>,
    /// What goes in Kafka, once the objects are gone.
    pub sweep: Option<Sweeping>,
    /// How hard the processors work, by name, as far as it is known.
    pub loads: BTreeMap<String, Load>,
    /// Whether plain JobManagers are stopped with a savepoint.
    pub savepoints: Savepoints,
}

/// Whether a plain JobManager that restarts or stops takes a savepoint first; the operator decides it for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Savepoints {
    /// It does, and nothing is changed without one.
    #[default]
    Taken,
    /// It does not, and loses its state.
    Left,
}

impl Wish {
    /// Writes by which no revision is made.
    #[must_use]
    pub fn of(pipeline: &str, writes: Vec<Write>, order: &super::order::Order) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            verb: order.verb,
            writes,
            revision: None,
            resumes: false,
            ownership: order.ownership,
            now: order.now,
            refusals: Vec::new(),
            sweep: None,
            loads: BTreeMap::new(),
            savepoints: Savepoints::Taken,
        }
    }

    /// The objects that are there afterwards.
    #[must_use]
    pub fn lasting(&self) -> Vec<Id> {
        self.writes.iter().filter(|write| !matches!(write, Write::Delete(_))).filter_map(Write::id).collect()
    }
}

/// A proposal with the wish that it came from.
#[derive(Debug)]
pub struct Prepared {
    /// What a person or a program judges.
    pub proposal: Proposal,
    /// The objects as they are and as they would be.
    states: Vec<Seen>,
    wish: Wish,
}

impl Prepared {
    /// The objects that are there afterwards.
    #[must_use]
    pub fn lasting(&self) -> Vec<Id> {
        self.wish.lasting()
    }

    /// The change as a file for a repository; `None` when no repository keeps what it would change.
    #[must_use]
    pub fn patch_file(&self) -> Option<String> {
        self.proposal.refusals.iter().find(|it| matches!(it, Refusal::Owned { .. }))?;
        let rendered = |id: &Id| {
            self.wish.writes.iter().find_map(|write| match write {
                Write::Apply(object) if Id::of(object).as_ref() == Some(id) => Some(object),
                _ => None,
            })
        };
        let change = |(id, before, after): &'_ Seen| {
            // What is new is written as it was rendered, without the server's defaults.
            let fresh = rendered(id).filter(|_| before.is_none());
            (id.clone(), before.clone(), fresh.cloned().or_else(|| after.clone()))
        };
        let changes: Vec<Seen> = self.states.iter().map(change).collect();
        let changes: Vec<patch::Change<'_>> = changes
            .iter()
            .map(|(id, before, after)| patch::Change { id, before: before.as_ref(), after: after.as_ref() })
            .collect();
        let Proposal { verb, pipeline, .. } = &self.proposal;
        let title = format!("{} {pipeline}, not made because a repository keeps these objects", verb.word());
        patch::file(&title, &changes).ok()
    }

    fn entry(&self) -> Entry<'_> {
        let Proposal { pipeline, verb, revision, .. } = &self.proposal;
        let changes = self.proposal.changes();
        Entry { pipeline, verb: *verb, revision: *revision, changes }
    }
}

/// Where steps are told. Whoever listens slowly is waited for; nobody may listen.
pub type Steps = mpsc::Sender<Step>;
/// Steps that may wait to be told.
pub const STEPS: usize = 32;

/// Tells a step.
pub(super) async fn tell(steps: &Steps, step: impl Into<String>, message: impl Into<String>) {
    // Whoever does not listen has what they want.
    drop(steps.send(Step { step: step.into(), message: message.into() }).await);
}

/// Asks everything, and changes nothing.
///
/// # Errors
/// When the server does not answer.
pub async fn prepare(desk: &Desk, wish: Wish, consent: &Consent) -> Result<Prepared, DeployError> {
    let (mut differences, mut problems, mut conflicts) = (Vec::new(), Vec::new(), false);
    let (mut live, mut states) = (Vec::new(), Vec::new());
    for write in &wish.writes {
        let Some(id) = write.id() else { continue };
        let before = desk.read(&id).await?;
        // Nothing will be written to what somebody else keeps, but what would differ goes to its repository.
        let is_kept = before.as_ref().is_some_and(|object| guard::keeper(object).is_some());
        let ownership = if is_kept { Ownership::Take } else { wish.ownership };
        let after = match write {
            Write::Apply(object) => desk.cluster.apply(object, Run::Dry, ownership).await.map(Some),
            Write::Patch(id, patch) => desk.cluster.patch(id, patch, Run::Dry).await.map(Some),
            Write::Delete(_) => Ok(None),
        };
        match after {
            Ok(after) => {
                differences.extend(between(&id, before.as_ref(), after.as_ref()));
                states.push((id.clone(), before.clone(), after));
            }
            Err(WriteError::Trouble { id, trouble }) if trouble.is_link() => {
                return Err(DeployError::Read { what: id.to_string(), trouble });
            }
            Err(error) => {
                conflicts |= matches!(error, WriteError::Owned { .. });
                problems.push(error.to_string());
            }
        }
        live.extend(before.map(|object| (id, object)));
    }
    let forecasts = outlook::forecasts(desk, &states, &differences, &wish).await?;
    let mut refusals = guard::place(&desk.place, &wish.pipeline, consent, wish.now);
    refusals.extend(wish.refusals.iter().cloned().chain(guard::losses(&forecasts, consent)));
    refusals.extend(guard::objects(live.iter().map(|(id, object)| (id, object)), &wish.pipeline));
    refusals.extend(guard::expiry(live.iter().map(|(_, object)| object), (&wish.pipeline, wish.verb), wish.now));
    let topics = topics_for(desk, &wish, &states).await;
    if !differences.iter().all(Difference::is_revision) {
        refusals.extend(guard::topics(&topics, consent));
    }
    let mut forbidden = forbidden(desk, &wish).await?;
    forbidden.extend(outlook::shut(desk, &states, &forecasts, &wish).await?);
    let proposal = Proposal {
        pipeline: wish.pipeline.clone(),
        verb: wish.verb,
        revision: wish.revision.as_ref().map(|revision| revision.number),
        room: room::check(desk, &outlook::fleets(&states, &forecasts)).await?,
        differences,
        forecasts,
        refusals,
        problems,
        conflicts,
        forbidden,
        topics,
        remnants: wish.sweep.as_ref().map_or_else(Vec::new, |it| it.remnants.clone()),
        resumes: wish.resumes,
    };
    Ok(Prepared { proposal, states, wish })
}

/// What Kafka lacks for jobs that run afterwards.
async fn topics_for(desk: &Desk, wish: &Wish, states: &[Seen]) -> Vec<Finding> {
    if !wish.verb.leads_to_running_jobs() {
        return Vec::new();
    }
    let after: Vec<&Value> = states.iter().filter_map(|(_, _, after)| after.as_ref()).collect();
    topics::check(desk, &wish.pipeline, &after).await
}

/// What the server would not let us do, asked before the first write.
async fn forbidden(desk: &Desk, wish: &Wish) -> Result<Vec<String>, DeployError> {
    let mut needed: Vec<(&str, Kind)> = Vec::new();
    for write in &wish.writes {
        match write {
            Write::Apply(object) => needed.extend(Id::of(object).map(|id| ("patch", id.kind))),
            Write::Patch(id, _) => needed.push(("patch", id.kind)),
            Write::Delete(id) => needed.push(("delete", id.kind)),
        }
    }
    if wish.revision.is_some() {
        needed.extend([("create", Kind::ConfigMap), ("patch", Kind::ConfigMap)]);
    }
    needed.sort_unstable();
    needed.dedup();
    let mut forbidden = wish.sweep.as_ref().map_or_else(Vec::new, |it| it.against.clone());
    let namespace = &desk.target.namespace;
    for (verb, kind) in needed {
        let asked = desk.cluster.may(verb, kind, namespace).await;
        let reason = asked.map_err(|trouble| DeployError::Read { what: "permissions".into(), trouble })?;
        forbidden.extend(reason.map(|reason| format!("may not {verb} {} in {namespace}: {reason}", kind.plural())));
    }
    Ok(forbidden)
}

/// Makes the change. The audit knows of it before the cluster does.
///
/// # Errors
/// When a step fails; what was done stays, and the same wish again goes on.
pub async fn make(desk: &Desk, prepared: &Prepared, steps: &Steps) -> Result<(), DeployError> {
    let Proposal { pipeline, verb, .. } = &prepared.proposal;
    let resumed = desk.unfinished(pipeline, *verb)?.unwrap_or_default();
    desk.note(prepared.entry(), Outcome::Began, &resumed)?;
    let mut at = "keep the revision".to_owned();
    match every_step(desk, prepared, steps, &mut at).await {
        Ok(()) => desk.note(prepared.entry(), Outcome::Done, &resumed),
        Err(error) => {
            desk.note(prepared.entry(), Outcome::Failed, &format!("{at}: {error}"))?;
            Err(error)
        }
    }
}

/// Notes that a change was not even tried.
///
/// # Errors
/// When the audit cannot be written.
pub fn refuse(desk: &Desk, prepared: &Prepared, why: &str) -> Result<(), DeployError> {
    desk.note(prepared.entry(), Outcome::Refused, why)
}

/// Notes that a change was given up half way; `after` is the last step that was made.
///
/// # Errors
/// When the audit cannot be written.
pub fn give_up(desk: &Desk, prepared: &Prepared, after: &str) -> Result<(), DeployError> {
    desk.note(prepared.entry(), Outcome::Failed, &format!("cancelled after: {after}"))
}

async fn every_step(desk: &Desk, prepared: &Prepared, steps: &Steps, at: &mut String) -> Result<(), DeployError> {
    let wish = &prepared.wish;
    if let Some(revision) = &wish.revision {
        let resumed = keep(desk, wish, revision).await?;
        let message = if resumed { "an earlier try got this far: going on" } else { "" };
        tell(steps, format!("keep revision {}", revision.number), message).await;
    }
    for write in &wish.writes {
        let Some(id) = write.id() else { continue };
        *at = format!("{} {id}", write.word());
        match write {
            Write::Apply(object) => {
                let object = prepared_restart(desk, object, &prepared.proposal, steps).await?;
                desk.cluster.apply(&object, Run::Real, wish.ownership).await?;
            }
            Write::Patch(id, patch) => drop(desk.cluster.patch(id, patch, Run::Real).await?),
            Write::Delete(id) => desk.cluster.delete(id).await?,
        }
        tell(steps, at.as_str(), "").await;
    }
    if let Some(sweeping) = &wish.sweep {
        sweep::clear(desk, (wish, sweeping), steps, at).await?;
    }
    if let Some(revision) = &wish.revision {
        "mark the revision".clone_into(at);
        mark(desk, revision).await?;
        tell(steps, format!("revision {} is deployed", revision.number), "").await;
    }
    Ok(())
}

impl Write {
    fn id(&self) -> Option<Id> {
        match self {
            Self::Apply(object) => Id::of(object),
            Self::Patch(id, _) | Self::Delete(id) => Some(id.clone()),
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Patch(..) => "change",
            Self::Delete(_) => "delete",
        }
    }
}

/// Keeps a revision as pending; whether it is there already from an earlier try.
async fn keep(desk: &Desk, wish: &Wish, revision: &Revision) -> Result<bool, DeployError> {
    let object = Revision { state: State::Pending, ..revision.clone() }.to_object()?;
    match desk.cluster.create(&object, Run::Real).await {
        Ok(_) => Ok(false),
        Err(WriteError::Exists(id)) => {
            let there = desk.read(&id).await?.as_ref().map(Revision::of).transpose()?;
            match there {
                Some(other) if other.objects == revision.objects && (wish.resumes || other.state == State::Pending) => {
                    Ok(true)
                }
                Some(other) => Err(DeployError::Overtaken(format!(
                    "revision {} was made by {} meanwhile ({}): look at it with `flowdeck history {}`, and ask again",
                    other.number,
                    other.by,
                    other.verb.word(),
                    other.pipeline
                ))),
                None => Err(DeployError::Overtaken(format!("{id} came and went: ask again"))),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Marks a revision as what runs, those before as what ran, and lets the oldest go.
async fn mark(desk: &Desk, revision: &Revision) -> Result<(), DeployError> {
    let state = |state: State| json!({"metadata": {"labels": {format!("{OURS}state"): state.word()}}});
    desk.cluster.patch(&revision.id(), &state(State::Deployed), Run::Real).await?;
    let all = desk.revisions(&revision.pipeline).await?;
    for other in all.iter().filter(|it| it.number < revision.number) {
        let then = if other.state == State::Pending { State::Failed } else { State::Superseded };
        if matches!(other.state, State::Pending | State::Deployed) {
            desk.cluster.patch(&other.id(), &state(then), Run::Real).await?;
        }
    }
    for old in all.iter().take(all.len().saturating_sub(KEPT)) {
        desk.cluster.delete(&old.id()).await?;
    }
    Ok(())
}

/// A plain JobManager that restarts or stops takes its state along: the job is stopped with a savepoint first, and the
/// object says where the next one begins.
async fn prepared_restart(
    desk: &Desk,
    object: &Value,
    proposal: &Proposal,
    steps: &Steps,
) -> Result<Value, DeployError> {
    let is_job_manager = label(object, "component") == Some("jobmanager")
        && Id::of(object).is_some_and(|id| id.kind == Kind::Deployment);
    let processor = label(object, "app").unwrap_or_default();
    let effect = proposal.forecasts.iter().find(|it| it.processor == processor).map(|it| it.effect);
    if !is_job_manager || !effect.is_some_and(takes_state_along) {
        return Ok(object.clone());
    }
    let failed = |miss: &dyn std::fmt::Display| {
        DeployError::Failed(format!(
            "{processor} could not be stopped with a savepoint: {miss}; its objects were not changed, and the same command \
             takes up whatever came of it. --without-savepoint with --accept-state-loss goes on"
        ))
    };
    let job = desk.jobs.job(&desk.interest(object, processor)).await.map_err(|miss| failed(&miss))?;
    let job = job.ok_or_else(|| failed(&"it has no job"))?;
    let place = if job.is_running() {
        desk.jobs.savepoint(&job, Afterwards::Stops).await.map_err(|miss| failed(&miss))?
    } else {
        // An earlier try may have stopped it.
        let last = desk.jobs.last_savepoint(&job).await.map_err(|miss| failed(&miss))?;
        last.ok_or_else(|| failed(&format!("its job is {} and has no savepoint", job.state)))?
    };
    tell(steps, format!("stop {processor} with a savepoint"), place.as_str()).await;
    Ok(wish::from_savepoint(object, &place))
}
