//! Flink jobs: state, checkpoints, failures, and which subtask holds a job back.
//!
//! Only jobs that somebody looks at are asked for, the most wanted first, with few requests under way at once. REST
//! is reached through the API server, or by an address from the settings. Only [`Actions`] asks a job for anything but news.

mod act;
mod agenda;
mod decode;
mod fetch;
mod past;
mod rest;
mod route;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

pub use act::{Actions, Afterwards, Found};
pub use rest::Miss;

use crate::event::Event;
use crate::model::change::{Change, Fetched};
use crate::model::environment::{Backend, Link};
use crate::model::interest::{Interest, JobInterest};
use crate::model::job::Job;
use crate::settings::FlinkSettings;
use crate::source::kube::Cluster;
use agenda::Agenda;
use fetch::Memory;
use rest::Rest;

/// Jobs asked for at once; their requests share a smaller budget.
const AT_ONCE: usize = 8;
/// Long enough to mean "until something happens".
const FOREVER: Duration = Duration::from_hours(24);

/// Polls the jobs of one environment that are wanted, until cancelled.
pub async fn run(
    cluster: Cluster,
    settings: FlinkSettings,
    interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    let environment = cluster.environment.name.clone();
    match Rest::new(cluster, &settings) {
        Ok(rest) => {
            let poller = Poller {
                rest: Arc::new(rest),
                environment,
                agenda: Agenda::default(),
                link: Link::Idle,
                looks: JoinSet::new(),
                events,
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = poller.run(interest) => {}
            }
        }
        Err(error) => {
            let since = Utc::now();
            let link = Link::Down { since, error: error.to_string().into(), next_try: since + FOREVER };
            drop(events.send(Event::Changed(vec![Change::Link(environment, Backend::Flink, link)])).await);
        }
    }
}

/// What comes back from one look at a job.
struct Look {
    job: JobInterest,
    memory: Memory,
    result: Result<Box<Job>, Miss>,
}

struct Poller {
    rest: Arc<Rest>,
    environment: Arc<str>,
    agenda: Agenda,
    link: Link,
    looks: JoinSet<Look>,
    events: mpsc::Sender<Event>,
}

impl Poller {
    async fn run(mut self, mut interest: watch::Receiver<Arc<Interest>>) {
        let mut asked = interest.borrow().retry;
        loop {
            let wanted = interest.borrow_and_update().clone();
            let jobs = wanted.jobs.iter().filter(|job| job.processor.environment == self.environment).cloned();
            self.agenda.want(jobs.collect(), Instant::now());
            if wanted.retry > asked {
                self.agenda.hurry();
            }
            asked = wanted.retry;
            if !self.until_changed(&mut interest).await {
                return;
            }
        }
    }

    /// Works the agenda off until the interest changes; `false` when nobody is interested or listens any more.
    async fn until_changed(&mut self, interest: &mut watch::Receiver<Arc<Interest>>) -> bool {
        loop {
            while self.looks.len() < AT_ONCE
                && let Some((job, memory)) = self.agenda.next(Instant::now())
            {
                let rest = self.rest.clone();
                self.looks.spawn(look(rest, job, memory));
            }
            let full = self.looks.len() >= AT_ONCE;
            let wake = self.agenda.wake().filter(|_| !full).unwrap_or_else(|| Instant::now() + FOREVER);
            tokio::select! {
                changed = interest.changed() => return changed.is_ok(),
                Some(done) = self.looks.join_next() => {
                    if let Ok(look) = done && !self.report(look).await {
                        return false;
                    }
                }
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    async fn report(&mut self, look: Look) -> bool {
        let now = (Instant::now(), Utc::now());
        let processor = look.job.processor;
        let failed = self.agenda.done(&processor, look.memory, look.result.as_ref().map(drop), now);
        let fetched = match (look.result, failed) {
            (Ok(job), _) => Some(Fetched::Ready(job)),
            (Err(Miss::NotFound), Some(_)) => Some(Fetched::NotFound),
            (Err(Miss::Forbidden(words)), Some(_)) => Some(Fetched::Forbidden(words)),
            (Err(Miss::Failed(words)), Some(since)) => Some(Fetched::Failed(since, words)),
            (Err(_), None) => None,
        };
        let mut changes: Vec<Change> = fetched.map(|job| Change::Job(processor, job)).into_iter().collect();
        let link = self.agenda.link(&self.link, now);
        if link != self.link {
            self.link = link.clone();
            changes.push(Change::Link(self.environment.clone(), Backend::Flink, link));
        }
        changes.is_empty() || self.events.send(Event::Changed(changes)).await.is_ok()
    }
}

async fn look(rest: Arc<Rest>, job: JobInterest, mut memory: Memory) -> Look {
    let result = fetch::fetch(&rest, &job, &mut memory).await;
    Look { job, memory, result }
}
