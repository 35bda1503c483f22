//! Whether the API server answers: one opinion for all watches of a cluster.
//!
//! Watches are silent for minutes, so their silence says nothing. A small request every few seconds does,
//! and a watch that breaks asks for one at once. Only this probe declares the link down or up, so
//! that one broken connection of many is no alarm; while it is down only the probe knocks, and
//! when the server is back every watch starts again.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use http::Request;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Cluster;
use super::pace::Pace;
use super::trouble::Trouble;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::environment::{Backend, Link};

/// Time between two probes of a server that answers.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// Delays between the tries of a server that does not answer: first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// The probe's opinion, as watches see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opinion {
    /// How often the server has come back: a watch of an older epoch starts again.
    pub epoch: u64,
    /// How often a person asked to try now.
    pub asked: u64,
    /// Since when the server does not answer, and why; `None` when it does, or nobody knows yet.
    pub down: Option<(Time, Arc<str>)>,
}

/// What watches and the probe share.
#[derive(Clone, Debug)]
pub struct Gate {
    opinion: Arc<watch::Sender<Opinion>>,
    poked: Arc<Notify>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { opinion: Arc::new(watch::Sender::default()), poked: Arc::default() }
    }
}

impl Gate {
    /// The probe's opinion and its changes.
    #[must_use]
    pub fn opinion(&self) -> watch::Receiver<Opinion> {
        self.opinion.subscribe()
    }

    /// Asks for a probe now: a connection broke.
    pub fn doubt(&self) {
        self.poked.notify_one();
    }

    /// A person asks for the next try now.
    pub fn ask(&self) {
        self.opinion.send_modify(|opinion| opinion.asked += 1);
        self.poked.notify_one();
    }

    /// Waits, but not longer than until somebody asks or the server comes back.
    pub async fn wait(&self, delay: Duration) {
        let mut opinions = self.opinion();
        let before = opinions.borrow_and_update().clone();
        let sooner = opinions.wait_for(|now| now.asked != before.asked || now.epoch != before.epoch);
        drop(timeout(delay, sooner).await);
    }

    /// Waits until the server is not known to be down.
    pub async fn open(&self) {
        drop(self.opinion().wait_for(|opinion| opinion.down.is_none()).await);
    }
}

/// Probes for ever.
pub async fn keep(cluster: Cluster, gate: Gate, changes: mpsc::Sender<Change>) {
    let mut link = Link::Connecting;
    let mut pace = Pace::new(RETRY.0, RETRY.1);
    report(&cluster, &changes, &link).await;
    loop {
        let verdict = probe(&cluster).await;
        let now = Utc::now();
        let delay = match verdict {
            Ok(()) => {
                pace.reset();
                INTERVAL
            }
            Err(_) => pace.pause(),
        };
        let next = judge(&link, verdict.as_ref().err().map(Trouble::words), now, delay);
        if next != link {
            link = next;
            publish(&gate, &link);
            report(&cluster, &changes, &link).await;
        }
        tokio::select! {
            () = sleep(delay) => {}
            () = gate.poked.notified(), if !link.is_down() => {}
            () = asked(&gate), if link.is_down() => {}
        }
    }
}

/// Broken watches must not hurry the probe of a server that is known to be down; a person may.
async fn asked(gate: &Gate) {
    let mut opinions = gate.opinion();
    let before = opinions.borrow_and_update().asked;
    drop(opinions.wait_for(|opinion| opinion.asked != before).await);
}

fn judge(link: &Link, error: Option<Arc<str>>, now: Time, delay: Duration) -> Link {
    match (error, link) {
        (None, Link::Up { since }) => Link::Up { since: *since },
        (None, _) => Link::Up { since: now },
        (Some(error), before) => {
            let since = if let Link::Down { since, .. } = before { *since } else { now };
            Link::Down { since, error, next_try: now + delay }
        }
    }
}

fn publish(gate: &Gate, link: &Link) {
    gate.opinion.send_if_modified(|opinion| {
        let down = match link {
            Link::Down { since, error, .. } => Some((*since, error.clone())),
            _ => None,
        };
        if opinion.down.is_some() && down.is_none() {
            opinion.epoch += 1;
        }
        let changed = opinion.down != down;
        opinion.down = down;
        changed
    });
}

async fn report(cluster: &Cluster, changes: &mpsc::Sender<Change>, link: &Link) {
    let change = Change::Link(cluster.environment.name.clone(), Backend::Kubernetes, link.clone());
    drop(changes.send(change).await);
}

/// Whoever may not see anything may still read the version: any answer but "who are you" and "not now" is
/// one from a server that lives.
async fn probe(cluster: &Cluster) -> Result<(), Trouble> {
    let request = Request::get("/version").body(Vec::new());
    let request = request.map_err(|error| Trouble::Garbled(error.to_string().into()))?;
    match timeout(PATIENCE, cluster.client.request_text(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match Trouble::from(&error) {
            trouble if trouble.is_link() => Err(trouble),
            _ => Ok(()),
        },
        Err(_) => Err(Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs()).into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_remembers_since_when() {
        let start = Utc::now();
        let later = start + Duration::from_mins(1);
        let up = judge(&Link::Connecting, None, start, INTERVAL);
        assert_eq!(judge(&up, None, later, INTERVAL), Link::Up { since: start });
        let down = judge(&up, Some("refused".into()), start, RETRY.0);
        let still = judge(&down, Some("refused".into()), later, RETRY.1);
        assert!(matches!(still, Link::Down { since, next_try, .. } if since == start && next_try > later));
        assert_eq!(judge(&still, None, later, INTERVAL), Link::Up { since: later });
    }

    #[test]
    fn a_server_that_comes_back_starts_a_new_epoch() {
        let gate = Gate::default();
        let now = Utc::now();
        publish(&gate, &Link::Up { since: now });
        assert_eq!(gate.opinion().borrow().epoch, 0);
        publish(&gate, &Link::Down { since: now, error: "x".into(), next_try: now });
        publish(&gate, &Link::Up { since: now });
        assert_eq!(gate.opinion().borrow().epoch, 1);
        assert_eq!(gate.opinion().borrow().down, None);
    }
}
