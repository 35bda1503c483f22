//! A change, prepared and then made step by step.
//!
//! Preparing asks the server everything and changes nothing: what is there, what would come of each write (a dry run),
//! whether we may. What it finds is a [`Proposal`] that a person or a program judges. Making it writes an audit line
//! first, then a revision, then object by object, and says each step. Every step can be made twice, so the same command
//! again goes on where a lost connection ended.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::desk::{DeployError, Desk, Entry};
use crate::model::Time;
use crate::plan::audit::Outcome;
use crate::plan::difference::{Difference, between};
use crate::plan::forecast::{Effect, Forecast, Subject, forecast};
use crate::plan::guard::{self, Consent, Refusal};
use crate::plan::object::{Id, Kind, OURS, label};
use crate::plan::revision::{KEPT, Revision, State};
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
    /// What happens to fields of others.
    pub ownership: Ownership,
    /// When.
    pub now: Time,
    /// What forbids it for reasons of its own.
    pub refusals: Vec<Refusal>,
}

impl Wish {
    /// The objects that are there afterwards.
    #[must_use]
    pub fn lasting(&self) -> Vec<Id> {
        self.writes.iter().filter(|write| !matches!(write, Write::Delete(_))).filter_map(Write::id).collect()
    }
}

/// A prepared change: what differs, what it causes, and what stands against it.
#[derive(Debug, Serialize)]
pub struct Proposal {
    /// The pipeline.
    pub pipeline: String,
    /// What is done to it.
    pub verb: Verb,
    /// The revision that it makes.
    pub revision: Option<u64>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What happens to each processor.
    pub forecasts: Vec<Forecast>,
    /// What forbids it.
    pub refusals: Vec<Refusal>,
    /// What the server says against it: fields of others, its schema.
    pub problems: Vec<String>,
    /// Whether fields of others are among the problems.
    pub conflicts: bool,
    /// What we may not do.
    pub forbidden: Vec<String>,
    #[serde(skip)]
    wish: Wish,
}

impl Proposal {
    /// Whether there is nothing to do but to count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.differences.iter().all(Difference::is_revision)
    }

    /// Whether it may be made.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.refusals.is_empty() && self.problems.is_empty() && self.forbidden.is_empty()
    }

    fn changes(&self) -> Vec<String> {
        self.differences.iter().filter(|it| !it.is_revision()).map(ToString::to_string).collect()
    }

    fn entry(&self) -> Entry<'_> {
        let changes = self.changes();
        Entry { at: self.wish.now, pipeline: &self.pipeline, verb: self.verb, revision: self.revision, changes }
    }
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What, such as `apply FlinkDeployment orders`.
    pub step: String,
    /// What came of it; empty when there is nothing to say.
    pub message: String,
}

/// Where steps are told; nobody may listen.
pub type Steps = mpsc::UnboundedSender<Step>;

/// Asks everything, and changes nothing.
///
/// # Errors
/// When the server does not answer.
pub async fn prepare(desk: &Desk, wish: Wish, consent: &Consent) -> Result<Proposal, DeployError> {
    let (mut differences, mut problems, mut conflicts) = (Vec::new(), Vec::new(), false);
    let (mut live, mut states) = (Vec::new(), Vec::new());
    for write in &wish.writes {
        let Some(id) = write.id() else { continue };
        let before = desk.read(&id).await?;
        let after = match write {
            Write::Apply(object) => desk.cluster.apply(object, Run::Dry, wish.ownership).await.map(Some),
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
    let forecasts = forecasts(&states, &differences);
    let mut refusals = guard::place(&desk.place, &wish.pipeline, consent, wish.now);
    refusals.extend(wish.refusals.iter().cloned());
    refusals.extend(guard::objects(live.iter().map(|(id, object)| (id, object)), &wish.pipeline));
    refusals.extend(guard::losses(&forecasts, consent));
    let forbidden = forbidden(desk, &wish).await?;
    Ok(Proposal {
        pipeline: wish.pipeline.clone(),
        verb: wish.verb,
        revision: wish.revision.as_ref().map(|revision| revision.number),
        differences,
        forecasts,
        refusals,
        problems,
        conflicts,
        forbidden,
        wish,
    })
}

type Seen = (Id, Option<Value>, Option<Value>);

/// What happens to each processor: told by the object that runs its job, and all of its differences.
fn forecasts(states: &[Seen], differences: &[Difference]) -> Vec<Forecast> {
    let mut processors: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
    for state in states {
        let (id, before, after) = state;
        let object = after.as_ref().or(before.as_ref());
        let named = object.and_then(|object| label(object, "app.kubernetes.io/instance"));
        let plain = || id.name.trim_end_matches("-jobmanager").trim_end_matches("-taskmanager");
        processors.entry(named.map_or_else(|| plain().to_owned(), str::to_owned)).or_default().push(state);
    }
    let one = |(processor, states): (String, Vec<&Seen>)| {
        let kinds = [Kind::FlinkDeployment, Kind::Deployment, Kind::StatefulSet];
        let main = kinds.iter().find_map(|kind| states.iter().find(|(id, ..)| id.kind == *kind))?;
        let own = |it: &&Difference| states.iter().any(|(id, ..)| *id == it.object);
        let own: Vec<Difference> = differences.iter().filter(own).cloned().collect();
        let (_, before, after) = main;
        let subject =
            Subject { processor: &processor, before: before.as_ref(), after: after.as_ref(), differences: &own };
        Some(forecast(subject, None))
    };
    processors.into_iter().filter_map(one).collect()
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
    let (mut forbidden, namespace) = (Vec::new(), &desk.target.namespace);
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
pub async fn make(desk: &Desk, proposal: &Proposal, steps: &Steps) -> Result<(), DeployError> {
    desk.note(proposal.entry(), Outcome::Began, "")?;
    let mut at = "keep the revision".to_owned();
    match every_step(desk, proposal, steps, &mut at).await {
        Ok(()) => desk.note(proposal.entry(), Outcome::Done, ""),
        Err(error) => {
            desk.note(proposal.entry(), Outcome::Failed, &format!("{at}: {error}"))?;
            Err(error)
        }
    }
}

/// Notes that a change was not even tried.
///
/// # Errors
/// When the audit cannot be written.
pub fn refuse(desk: &Desk, proposal: &Proposal, why: &str) -> Result<(), DeployError> {
    desk.note(proposal.entry(), Outcome::Refused, why)
}

async fn every_step(desk: &Desk, proposal: &Proposal, steps: &Steps, at: &mut String) -> Result<(), DeployError> {
    let wish = &proposal.wish;
    let tell = |step: &str, message: &str| {
        // Whoever does not listen has what they want.
        drop(steps.send(Step { step: step.to_owned(), message: message.to_owned() }));
    };
    if let Some(revision) = &wish.revision {
        let resumed = keep(desk, revision).await?;
        let message = if resumed { "an earlier try got this far: going on" } else { "" };
        tell(&format!("keep revision {}", revision.number), message);
    }
    for write in &wish.writes {
        let Some(id) = write.id() else { continue };
        *at = format!("{} {id}", write.word());
        match write {
            Write::Apply(object) => {
                let object = prepared_restart(desk, object, proposal, &tell).await?;
                desk.cluster.apply(&object, Run::Real, wish.ownership).await?;
            }
            Write::Patch(id, patch) => drop(desk.cluster.patch(id, patch, Run::Real).await?),
            Write::Delete(id) => desk.cluster.delete(id).await?,
        }
        tell(at, "");
    }
    if let Some(revision) = &wish.revision {
        "mark the revision".clone_into(at);
        mark(desk, revision).await?;
        tell(&format!("revision {} is deployed", revision.number), "");
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
async fn keep(desk: &Desk, revision: &Revision) -> Result<bool, DeployError> {
    let object = Revision { state: State::Pending, ..revision.clone() }.to_object()?;
    match desk.cluster.create(&object, Run::Real).await {
        Ok(_) => Ok(false),
        Err(WriteError::Exists(id)) => {
            let there = desk.read(&id).await?.as_ref().map(Revision::of).transpose()?;
            match there {
                Some(other) if other.objects == revision.objects && other.state == State::Pending => Ok(true),
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
    tell: &impl Fn(&str, &str),
) -> Result<Value, DeployError> {
    let is_job_manager = label(object, "component") == Some("jobmanager")
        && Id::of(object).is_some_and(|id| id.kind == Kind::Deployment);
    let processor = label(object, "app").unwrap_or_default();
    let effect = proposal.forecasts.iter().find(|it| it.processor == processor).map(|it| it.effect);
    if !is_job_manager || !matches!(effect, Some(Effect::RestartsFromSavepoint | Effect::Stops)) {
        return Ok(object.clone());
    }
    let failed = |miss: &dyn std::fmt::Display| {
        DeployError::Failed(format!(
            "{processor} could not be stopped with a savepoint: {miss}; nothing was changed. --without-savepoint with \
             --accept-state-loss goes on"
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
    tell(&format!("stop {processor} with a savepoint"), &place);
    Ok(wish::from_savepoint(object, &place))
}
