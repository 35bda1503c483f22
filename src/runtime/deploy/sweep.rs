//! A pipeline goes: its objects, and in Kafka what somebody asked for.
//!
//! Topics and groups are looked at when the change is prepared, and again just before the first one is deleted, after
//! the pods are gone: whoever began to use one meanwhile keeps it. Groups go first, because one that still has members
//! says that somebody is not gone. What is gone already counts as done, so the same command goes on where it ended.
//!
//! It must not choose what goes: [`crate::plan::remnants`] does.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::change::{Steps, Wish, Write, tell};
use super::desk::{DeployError, Desk};
use super::manage::autoscaler_of;
use super::order::{Order, wish};
use super::users::users;
use crate::plan::object::{Id, Kind, MANAGED_BY, MANAGER, label, runs_a_job};
use crate::plan::remnants::{Broker, Others, Own, Remnant, Sweep, forbidden, named, remnants, uses};
use crate::plan::revision::{Revision, State};
use crate::plan::topics::Resource;
use crate::plan::verb::Verb;
use crate::source::kafka::sweep::{Sweeper, Swept};

/// How long pods, and members of a group, may take to go.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two looks.
const PACE: Duration = Duration::from_secs(1);

/// What goes in Kafka with a pipeline, as it was found.
#[derive(Clone, Debug)]
pub struct Sweeping {
    /// What becomes of each topic and group.
    pub remnants: Vec<Remnant>,
    /// What this user may not delete, or why nobody can say: then nothing is done at all.
    pub against: Vec<String>,
    pipeline: String,
    sweep: Sweep,
    own: Own,
    processors: BTreeSet<String>,
}

impl Sweeping {
    fn goes(&self) -> impl Iterator<Item = &Resource> {
        self.remnants.iter().filter(|it| it.goes).map(|it| &it.resource)
    }
}

/// Everything that flowdeck deployed goes, and what is asked for in Kafka; revisions, savepoints and secrets stay.
///
/// # Errors
/// When there is nothing.
pub async fn decommission(desk: &Desk, (pipeline, sweep): (&str, Sweep), order: &Order) -> Result<Wish, DeployError> {
    let name = pipeline.to_lowercase();
    let managed = desk.managed(&name).await?;
    let revisions = desk.revisions(&name).await?;
    let is_unfinished = desk.unfinished(&name, Verb::Decommission)?.is_some();
    // What was taken away before may have left topics, which are asked for now.
    if managed.is_empty() && !is_unfinished && (sweep.is_empty() || revisions.is_empty()) {
        let words = format!("there is nothing of {pipeline} that flowdeck deployed; adopt it first if it is meant");
        return Err(DeployError::NotFound(words));
    }
    let objects: Vec<&Value> = managed.iter().map(|(_, object)| object).collect();
    let sweeping = found(desk, (&name, sweep), (&objects, &revisions)).await?;
    let mut goes: Vec<Id> = managed.iter().rev().map(|(id, _)| id.clone()).collect();
    // What decided the number of TaskManagers is no part of any revision.
    for workers in goes.clone().iter().filter(|id| matches!(id.kind, Kind::StatefulSet | Kind::Deployment)) {
        let autoscaler = autoscaler_of(workers);
        let is_ours = |object: &Value| label(object, MANAGED_BY) == Some(MANAGER);
        if desk.read(&autoscaler).await?.as_ref().is_some_and(is_ours) {
            goes.push(autoscaler);
        }
    }
    // Where nothing is left, the last answer alone was lost.
    let resumes = managed.is_empty() && is_unfinished;
    let writes = goes.into_iter().map(Write::Delete).collect();
    Ok(Wish { resumes, sweep: Some(sweeping), ..wish(name, writes, None, order) })
}

async fn found(
    desk: &Desk,
    (pipeline, sweep): (&str, Sweep),
    (objects, revisions): (&[&Value], &[Revision]),
) -> Result<Sweeping, DeployError> {
    let running = revisions.iter().rfind(|it| it.state == State::Deployed).or_else(|| revisions.last());
    let now = uses(objects.iter().copied().chain(running.into_iter().flat_map(|it| &it.objects)));
    let own = Own::of(&now, &uses(revisions.iter().flat_map(|it| &it.objects)));
    let processors = now.into_iter().map(|it| it.processor).collect();
    let mut sweeping =
        Sweeping { remnants: Vec::new(), against: Vec::new(), pipeline: pipeline.to_owned(), sweep, own, processors };
    if sweep.is_empty() {
        sweeping.remnants = remnants(&sweeping.own, &Others::default(), None, sweep);
        return Ok(sweeping);
    }
    match look(desk, &sweeping).await? {
        Ok((remnants, broker)) => {
            sweeping.against = forbidden(&remnants, &broker);
            sweeping.remnants = remnants;
        }
        Err(why) => {
            let words = format!("nobody can say what becomes of its topics and consumer groups: {why}");
            sweeping.against.push(words);
        }
    }
    Ok(sweeping)
}

/// What would become of each topic and group at this moment; or why nobody can say.
async fn look(desk: &Desk, sweeping: &Sweeping) -> Result<Result<(Vec<Remnant>, Broker), String>, DeployError> {
    let Some(settings) = desk.kafka.clone() else {
        return Ok(Err("the environment names no Kafka cluster".to_owned()));
    };
    let others = others(desk, &sweeping.pipeline).await?;
    let Sweeping { own, sweep, .. } = sweeping;
    let topics = if sweep.topics { own.topics() } else { BTreeSet::new() };
    let asked = async { Sweeper::open(settings).await?.look(&topics, &own.groups).await };
    Ok(asked.await.map(|broker| (remnants(own, &others, Some(&broker), *sweep), broker)))
}

/// What all other pipelines do in Kafka, as far as this user may look.
async fn others(desk: &Desk, pipeline: &str) -> Result<Others, DeployError> {
    let mut others = users(desk).await?;
    let here = desk.target.namespace.as_str();
    others.uses.retain(|it| it.namespace != here || !it.pipeline.eq_ignore_ascii_case(pipeline));
    Ok(others)
}

/// Deletes what was agreed to, once the pods are gone.
///
/// # Errors
/// When pods or members stay, somebody uses a topic by now, or the broker refuses.
pub(super) async fn clear(
    desk: &Desk,
    (wish, sweeping): (&Wish, &Sweeping),
    steps: &Steps,
    at: &mut String,
) -> Result<(), DeployError> {
    if sweeping.goes().next().is_none() {
        return Ok(());
    }
    "wait until its pods are gone".clone_into(at);
    gone(desk, wish, &sweeping.processors, steps).await?;
    "look at its topics and consumer groups again".clone_into(at);
    let (now, _) = look(desk, sweeping).await?.map_err(DeployError::Failed)?;
    let kept = sweeping.goes().find_map(|agreed| now.iter().find(|it| it.resource == *agreed && !it.goes));
    if let Some(kept) = kept {
        let words = format!("{} would not go by now: {}; nothing was deleted in Kafka", kept.name(), kept.because);
        return Err(DeployError::Overtaken(words));
    }
    let settings = desk.kafka.clone().ok_or_else(|| DeployError::Failed("there is no Kafka cluster".to_owned()))?;
    let mut sweeper = Sweeper::open(settings).await.map_err(DeployError::Failed)?;
    let (groups, topics): (Vec<&Resource>, Vec<&Resource>) =
        sweeping.goes().partition(|it| matches!(it, Resource::Group(_)));
    for resource in groups.into_iter().chain(topics) {
        *at = format!("delete {}", named(resource));
        let swept = match resource {
            Resource::Group(name) => group(&mut sweeper, name, (steps, at)).await?,
            Resource::Topic(name) => sweeper.delete_topic(name).await.map_err(DeployError::Failed)?,
        };
        tell(steps, at.as_str(), if swept == Swept::WasGone { "it was gone already" } else { "" }).await;
    }
    Ok(())
}

/// Deletes a group once its members are gone.
async fn group(sweeper: &mut Sweeper, name: &str, (steps, at): (&Steps, &str)) -> Result<Swept, DeployError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match sweeper.delete_group(name).await.map_err(DeployError::Failed)? {
            Swept::HasMembers if Instant::now() < deadline => {
                tell(steps, at, "it still has members: waiting until they are gone").await;
                sleep(PACE).await;
            }
            Swept::HasMembers => {
                return Err(DeployError::Failed(format!(
                    "it still has members {} s after the pods were gone: somebody else uses it (G shows them); the same \
                     command goes on",
                    PATIENCE.as_secs()
                )));
            }
            swept => return Ok(swept),
        }
    }
}

/// Waits until the objects that went are gone, and their pods: one that still writes could have its topic made anew.
async fn gone(desk: &Desk, wish: &Wish, processors: &BTreeSet<String>, steps: &Steps) -> Result<(), DeployError> {
    let (deadline, mut said) = (Instant::now() + PATIENCE, String::new());
    let jobs = wish.writes.iter().filter_map(|write| match write {
        Write::Delete(id) if matches!(id.kind, Kind::FlinkDeployment | Kind::Deployment | Kind::StatefulSet) => {
            Some(id)
        }
        _ => None,
    });
    let jobs: Vec<&Id> = jobs.collect();
    loop {
        let mut left = Vec::new();
        for id in &jobs {
            left.extend(desk.read(id).await?.filter(|object| is_job_or_workers(id, object)).map(|_| id.to_string()));
        }
        for processor in processors {
            left.extend(pods(desk, processor).await?);
        }
        let Some(first) = left.first() else { break };
        let more = left.len() - 1;
        let words = if more == 0 {
            format!("{first} is still there")
        } else {
            format!("{first} and {more} more are still there")
        };
        if Instant::now() >= deadline {
            return Err(DeployError::Failed(format!("{words} after {} s", PATIENCE.as_secs())));
        }
        if words != said {
            tell(steps, "wait until its pods are gone", words.as_str()).await;
            said = words;
        }
        sleep(PACE).await;
    }
    tell(steps, "wait until its pods are gone", "they are").await;
    Ok(())
}

fn is_job_or_workers(id: &Id, object: &Value) -> bool {
    id.kind == Kind::StatefulSet || id.kind == Kind::Deployment || runs_a_job(id, object)
}

/// Names of a processor's pods.
async fn pods(desk: &Desk, processor: &str) -> Result<Vec<String>, DeployError> {
    let path = format!("/api/v1/namespaces/{}/pods", desk.target.namespace);
    let name = |pod: Value| Some(format!("pod {}", pod.pointer("/metadata/name")?.as_str()?));
    let found = desk.cluster.list(&path, Some(&format!("app={processor}")), name).await;
    found.map_err(|trouble| DeployError::Read { what: "pods".into(), trouble })
}
