//! Changes of pipelines that somebody makes from a screen: each is a task that goes on whatever is looked at.
//!
//! A task plans, waits for somebody to agree, asks the cluster once more whether the change is still what was agreed
//! to, makes it step by step, and waits until it runs. It must not decide anything: what is asked, forecast and refused
//! is [`crate::plan`]'s, and done by [`super::deploy`] as the commands do it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::deploy::change::{self, Prepared, STEPS, Steps};
use super::deploy::desk::{DeployError, Desk};
use super::deploy::order::{self, Order};
use super::deploy::{manage, rollout, savepoint, survey, wait};
use super::files;
use crate::event::{ChangeNews, DocumentKey, Ending, Event, Opened};
use crate::model::Time;
use crate::model::key::PipelineKey;
use crate::plan::guard::{self, Consent};
use crate::plan::intent::{Ask, Intent};
use crate::plan::object::Id;
use crate::plan::own_terms;
use crate::plan::proposal::{Proposal, Step};
use crate::plan::revision::differences;
use crate::settings::EnvironmentSettings;
use crate::source::kube::change::Ownership;

/// How long a change is waited for until it runs.
const PATIENCE: Duration = Duration::from_mins(15);

/// All changes that were begun from the screen.
#[derive(Debug)]
pub struct Changes {
    environments: Arc<[EnvironmentSettings]>,
    events: mpsc::Sender<Event>,
    begun: HashMap<u64, Begun>,
}

#[derive(Debug)]
struct Begun {
    decisions: mpsc::Sender<Consent>,
    cancel: CancellationToken,
}

impl Changes {
    /// No change yet.
    #[must_use]
    pub fn new(environments: Arc<[EnvironmentSettings]>, events: mpsc::Sender<Event>) -> Self {
        Self { environments, events, begun: HashMap::new() }
    }

    /// Plans a change; what it means comes as news of this number.
    pub fn plan(&mut self, number: u64, intent: Intent) {
        self.begun.retain(|_, begun| !begun.decisions.is_closed());
        let (decisions, decided) = mpsc::channel(1);
        let cancel = CancellationToken::new();
        let task = Task {
            number,
            intent,
            environments: self.environments.clone(),
            events: self.events.clone(),
            cancel: cancel.clone(),
        };
        self.begun.insert(number, Begun { decisions, cancel });
        tokio::spawn(task.work(decided));
    }

    /// Makes a planned change.
    pub fn agree(&self, number: u64, consent: Consent) {
        let sent = self.begun.get(&number).map(|begun| begun.decisions.try_send(consent));
        if !matches!(sent, Some(Ok(()))) {
            tracing::warn!(number, "nobody waits for somebody to agree to this change");
        }
    }

    /// Drops a change, or stops it where it is.
    pub fn cancel(&mut self, number: u64) {
        if let Some(begun) = self.begun.remove(&number) {
            begun.cancel.cancel();
        }
    }

    /// Looks at a pipeline; what is known of it comes as an event.
    pub fn survey(&self, key: PipelineKey) {
        let (environments, events) = (self.environments.clone(), self.events.clone());
        tokio::spawn(async move {
            let looked = async { survey::survey(&open(&environments, &key).await?, &key.name).await };
            let dossier = looked.await.map(Arc::new).map_err(|error| error.to_string().into());
            if events.send(Event::Surveyed(key, dossier)).await.is_err() {
                tracing::debug!("nobody waits for the dossier any more");
            }
        });
    }

    /// Reads what stands around a pipeline's jobs; it comes as an event.
    pub fn around(&self, key: PipelineKey) {
        let (environments, events) = (self.environments.clone(), self.events.clone());
        tokio::spawn(async move {
            let looked = async { manage::around(&open(&environments, &key).await?, &key.name).await };
            let around = looked.await.map(Arc::new).map_err(|error| error.to_string().into());
            if events.send(Event::Around(key, around)).await.is_err() {
                tracing::debug!("nobody waits for what stands around the pipeline any more");
            }
        });
    }

    /// Reads an object and its draft; they come as an event.
    pub fn open(&self, key: PipelineKey, id: Id, path: Arc<Path>) {
        let (environments, events) = (self.environments.clone(), self.events.clone());
        tokio::spawn(async move {
            let reading = async {
                let object = open(&environments, &key).await?.read(&id).await?;
                let object = object.ok_or_else(|| DeployError::NotFound(format!("{id} is gone")))?;
                own_terms::text(&object).map_err(|error| DeployError::Refused(format!("{id}: {error}")))
            };
            let text = reading.await.map(Into::into).map_err(|error| error.to_string().into());
            let drafted = path.clone();
            let draft = tokio::task::spawn_blocking(move || files::draft_of(&drafted)).await.ok().flatten();
            if events.send(Event::Opened(Box::new(Opened { key, id, path, text, draft }))).await.is_err() {
                tracing::debug!("nobody waits for the object any more");
            }
        });
    }

    /// Says what differs between two revisions; it comes as a document.
    pub fn compare(&self, key: PipelineKey, from: u64, to: u64) {
        let (environments, events) = (self.environments.clone(), self.events.clone());
        tokio::spawn(async move {
            let text = compared(&environments, &key, (from, to)).await;
            let text = text.map(Into::into).map_err(|error| error.to_string().into());
            let document = DocumentKey::RevisionDifference(key, from, to);
            if events.send(Event::Fetched(document, text)).await.is_err() {
                tracing::debug!("nobody waits for the difference any more");
            }
        });
    }
}

async fn compared(
    environments: &[EnvironmentSettings],
    key: &PipelineKey,
    (from, to): (u64, u64),
) -> Result<String, DeployError> {
    let revisions = open(environments, key).await?.revisions(&key.name.to_lowercase()).await?;
    let find = |number: u64| {
        let missing = || DeployError::NotFound(format!("revision {number} of {} is not kept any more", key.name));
        revisions.iter().find(|it| it.number == number).ok_or_else(missing)
    };
    let found = differences(find(from)?, find(to)?);
    if found.is_empty() {
        return Ok(format!("revisions {from} and {to} are the same\n"));
    }
    Ok(found.iter().map(|it| format!("{it}\n")).collect())
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.begun.values().for_each(|begun| begun.cancel.cancel());
    }
}

/// The desk of a pipeline's environment, in its namespace.
async fn open(environments: &[EnvironmentSettings], key: &PipelineKey) -> Result<Desk, DeployError> {
    // A sole environment without a name of its own is known by what its context turned out to be.
    let alone = || environments.first().filter(|_| environments.len() == 1);
    let found = environments.iter().find(|it| it.name == *key.environment).or_else(alone);
    let unknown = || DeployError::NotFound(format!("there is no environment {} in the settings", key.environment));
    let mut settings = found.ok_or_else(unknown)?.clone();
    if !key.namespace.is_empty() {
        settings.deploy.namespace = Some(key.namespace.to_string());
    }
    Desk::open(&settings).await
}

/// One change.
struct Task {
    number: u64,
    intent: Intent,
    environments: Arc<[EnvironmentSettings]>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
}

/// Where a change takes place, and where it comes from.
struct Desks {
    here: Desk,
    from: Desk,
}

/// A change that is ready to be made.
enum Ready {
    Writes(Box<Prepared>),
    Savepoint(Box<Proposal>),
}

impl Ready {
    const fn proposal(&self) -> &Proposal {
        match self {
            Self::Writes(prepared) => &prepared.proposal,
            Self::Savepoint(proposal) => proposal,
        }
    }
}

impl Task {
    async fn tell(&self, news: ChangeNews) {
        if self.events.send(Event::ChangeWentOn(self.number, news)).await.is_err() {
            tracing::debug!(number = self.number, "nobody listens to this change any more");
        }
    }

    async fn work(self, decided: mpsc::Receiver<Consent>) {
        let ending = match Box::pin(self.course(decided)).await {
            Ok(ending) => ending,
            Err(error) => Some(Ending::Failed(error.to_string().into())),
        };
        if let Some(ending) = ending {
            self.tell(ChangeNews::Ended(ending)).await;
        }
    }

    /// From the plan to the end; `None` when it was withdrawn before it began.
    async fn course(&self, mut decided: mpsc::Receiver<Consent>) -> Result<Option<Ending>, DeployError> {
        let began = chrono::Utc::now();
        let planning = async {
            let here = open(&self.environments, self.intent.subject()).await?;
            let from = open(&self.environments, &self.intent.pipeline).await?;
            let desks = Desks { here, from };
            let first = self.prepare(&desks, &Consent::default(), began).await?;
            Ok::<_, DeployError>((desks, first.proposal().clone()))
        };
        let (desks, mut shown) = tokio::select! {
            () = self.cancel.cancelled() => return Ok(None),
            planned = planning => planned?,
        };
        self.tell(ChangeNews::Planned(Box::new(shown.clone()))).await;
        loop {
            let consent = tokio::select! {
                () = self.cancel.cancelled() => return Ok(None),
                consent = decided.recv() => consent,
            };
            let Some(consent) = consent else { return Ok(None) };
            let ready = self.prepare(&desks, &consent, began).await?;
            if ready.proposal().is_possible() && ready.proposal().does_the_same_as(&shown) {
                return self.carry_out(&desks.here, ready, &consent).await.map(Some);
            }
            if let Ready::Writes(prepared) = &ready
                && !prepared.proposal.is_possible()
            {
                change::refuse(&desks.here, prepared, &prepared.proposal.reasons().join("; "))?;
            }
            // What it would do is not what was agreed to: somebody looks again.
            shown = self.prepare(&desks, &Consent::default(), began).await?.proposal().clone();
            self.tell(ChangeNews::Overtaken(Box::new(shown.clone()))).await;
        }
    }

    async fn prepare(&self, desks: &Desks, consent: &Consent, began: Time) -> Result<Ready, DeployError> {
        let (ask, name) = (&self.intent.ask, &self.intent.pipeline.name);
        let now = chrono::Utc::now();
        if *ask == Ask::Savepoint {
            let refusals = guard::place(&desks.here.place, name, consent, now);
            let forbidden = savepoint::forbidden(&desks.here, name).await?;
            let proposal = Proposal { refusals, forbidden, ..Proposal::empty(name, ask.verb()) };
            return Ok(Ready::Savepoint(Box::new(proposal)));
        }
        // What is numbered by time must be the same each time that it is asked for.
        let order = Order { verb: ask.verb(), note: String::new(), ownership: Ownership::Respect, now: began };
        let mut wish = order::asked(&desks.here, &desks.from, (name, ask), &order).await?;
        wish.now = now;
        wish.loads.clone_from(&self.intent.loads);
        change::prepare(&desks.here, wish, consent).await.map(Box::new).map(Ready::Writes)
    }

    /// Makes it, telling each step, until it runs or somebody has had enough.
    async fn carry_out(&self, desk: &Desk, ready: Ready, consent: &Consent) -> Result<Ending, DeployError> {
        let (steps, mut made) = mpsc::channel(STEPS);
        let mut last = "nothing".to_owned();
        let making = self.make(desk, &ready, consent, steps);
        tokio::pin!(making);
        let result = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break None,
                Some(step) = made.recv() => {
                    last.clone_from(&step.step);
                    self.tell(ChangeNews::Stepped(step)).await;
                }
                result = &mut making => break Some(result),
            }
        };
        self.tell_rest(&mut made).await;
        let Some(result) = result else {
            if let Ready::Writes(prepared) = &ready {
                change::give_up(desk, prepared, &last)?;
            }
            return Ok(Ending::Cancelled(format!("stopped after: {last}. What was done stays").into()));
        };
        result?;
        let Ready::Writes(prepared) = &ready else { return Ok(Ending::Done("the savepoint is taken".into())) };
        self.tell(ChangeNews::Made).await;
        self.settle(desk, prepared).await
    }

    async fn tell_rest(&self, made: &mut mpsc::Receiver<Step>) {
        while let Ok(step) = made.try_recv() {
            self.tell(ChangeNews::Stepped(step)).await;
        }
    }

    async fn make(&self, desk: &Desk, ready: &Ready, consent: &Consent, steps: Steps) -> Result<(), DeployError> {
        let (ask, name) = (&self.intent.ask, &*self.intent.pipeline.name);
        match ready {
            Ready::Writes(_) if matches!(ask, Ask::Rollout | Ask::AbortRollout) => {
                rollout::go(desk, (name, ask), consent, &steps).await.map(drop)
            }
            Ready::Writes(prepared) => change::make(desk, prepared, &steps).await,
            Ready::Savepoint(_) => {
                savepoint::savepoint(desk, &self.intent.pipeline.name, consent, chrono::Utc::now(), &steps).await
            }
        }
    }

    /// Waits until what was changed runs.
    async fn settle(&self, desk: &Desk, prepared: &Prepared) -> Result<Ending, DeployError> {
        let (steps, mut made) = mpsc::channel(STEPS);
        let ids = prepared.lasting();
        let waiting = wait::wait(desk, &ids, PATIENCE, &steps);
        tokio::pin!(waiting);
        let result = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {
                    return Ok(Ending::Cancelled("the change is made; nobody waits any more for it to run".into()));
                }
                Some(step) = made.recv() => self.tell(ChangeNews::Stepped(step)).await,
                result = &mut waiting => break result,
            }
        };
        self.tell_rest(&mut made).await;
        result?;
        let revision = prepared.proposal.revision;
        let words = revision.map_or_else(|| "done".to_owned(), |number| format!("done: revision {number}"));
        Ok(Ending::Done(words.into()))
    }
}
