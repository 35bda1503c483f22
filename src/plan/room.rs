//! Whether a change finds room: what its pods ask for, what quotas and limits of the namespace allow, and what nodes
//! have left.
//!
//! Why: a job that was stopped for a change and then does not get its pods is down until somebody finds out why.
//!
//! How: [`pods`] says which pods objects make, as they are and as they will be, while they are replaced too. Somebody
//! asks the cluster ([`Site`]); [`quota`] and [`nodes`] compare. Quotas and limits are the API server's own arithmetic,
//! so what does not fit there is certain. A node may still come or go, and a scheduler looks at more than requests: what
//! is said of nodes is a warning.
//!
//! It must not guess: what could not be asked is said to be unknown, with the reason.

pub mod amounts;
pub mod nodes;
pub mod pods;
pub mod quota;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use amounts::Amounts;
use nodes::Node;
use pods::{Fleet, Pod};

/// What the cluster told, or why it did not.
pub type Told<T> = Result<T, Arc<str>>;

/// A namespace and the nodes of its cluster, as far as they were told.
#[derive(Clone, Debug)]
pub struct Site {
    /// `ResourceQuota`s of the namespace.
    pub quotas: Told<Vec<Value>>,
    /// `LimitRange`s of the namespace.
    pub limits: Told<Vec<Value>>,
    /// Pods of the namespace that have not ended.
    pub pods: Told<Vec<Pod>>,
    /// Nodes.
    pub nodes: Told<Vec<Node>>,
    /// What the pods of all namespaces ask for, by the node that they are bound to.
    pub bound: Told<BTreeMap<String, Amounts>>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The API server will refuse pods.
    Refused,
    /// Pods will wait, as it looks now.
    Waits,
    /// Nobody could say.
    Unknown,
    /// There is room.
    Fits,
}

impl Weight {
    /// In front of the finding's words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "no room: ",
            Self::Waits => "warning: ",
            Self::Unknown => "not known: ",
            Self::Fits => "room: ",
        }
    }
}

/// Something to know about room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// What.
    pub message: String,
}

impl Finding {
    pub(super) fn new(weight: Weight, message: impl Into<String>) -> Self {
        Self { weight, message: message.into() }
    }
}

/// What pods of one kind a change needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Need {
    /// The processor.
    pub processor: String,
    /// `TaskManager` or `JobManager`.
    pub role: &'static str,
    /// Pods that are there now.
    pub pods_now: usize,
    /// Pods that are wanted.
    pub pods_wanted: usize,
    /// Whether those that are there are replaced.
    pub replaced: bool,
    /// What each asks for, in Kubernetes' words: `cpu` in thousandths, anything else in its unit.
    pub each: Amounts,
    /// The same in words.
    pub words: String,
}

/// What a change needs, and whether there is room for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Room {
    /// What it needs.
    pub needs: Vec<Need>,
    /// What is to be known, the worst first.
    pub findings: Vec<Finding>,
}

/// Pods of one kind, with those that are there.
#[derive(Clone, Debug)]
pub(super) struct Demand<'a> {
    /// What is wanted, with the namespace's defaults.
    pub fleet: &'a Fleet,
    /// What is there.
    pub existing: Vec<&'a Pod>,
    /// What was there as far as the object says it, where pods were not told.
    pub supposed: usize,
}

impl Demand<'_> {
    fn now(&self) -> usize {
        self.existing.len().max(self.supposed)
    }

    /// Pods that are added.
    pub(super) fn more(&self) -> usize {
        self.fleet.count.saturating_sub(self.now())
    }

    fn need(&self) -> Need {
        let Fleet { processor, role, count, shape, replaced, .. } = self.fleet;
        let (now, each) = (self.now(), shape.requests());
        let size = amounts::words(&each);
        let words = match (self.more(), *replaced && now > 0) {
            (0, _) => format!("{processor} replaces {} ({role}) by pods of {size}", counted(now.min(*count))),
            (more, false) => format!("{processor} needs {more} more {} ({role}) of {size}", pods_word(more)),
            (more, true) => {
                format!("{processor} needs {more} more {} ({role}) of {size}, and replaces {now}", pods_word(more))
            }
        };
        Need {
            processor: processor.clone(),
            role: role.word(),
            pods_now: now,
            pods_wanted: *count,
            replaced: *replaced,
            each,
            words,
        }
    }
}

pub(super) const fn pods_word(number: usize) -> &'static str {
    if number == 1 { "pod" } else { "pods" }
}

fn counted(number: usize) -> String {
    format!("{number} {}", pods_word(number))
}

/// Whether pods are made at all, so that it matters what the cluster has.
#[must_use]
pub fn matters(fleets: &[Fleet]) -> bool {
    fleets.iter().any(|it| it.count > 0 && (it.replaced || it.count > it.before))
}

/// Whether there is room for pods.
#[must_use]
pub fn look(fleets: &[Fleet], site: &Site) -> Room {
    if !matters(fleets) {
        return Room::default();
    }
    let mut findings = Vec::new();
    let limits = known(&site.limits, "whether limits of the namespace allow them", &mut findings);
    let mut fleets = fleets.to_vec();
    for fleet in &mut fleets {
        quota::defaulted(&mut fleet.shape, limits);
    }
    let demands: Vec<Demand<'_>> = fleets.iter().map(|fleet| demand(fleet, site)).collect();
    findings.extend(quota::limits(&demands, limits));
    let quotas = known(&site.quotas, "whether a quota allows them", &mut findings);
    findings.extend(quotas.iter().filter_map(|quota| quota::look(quota, &demands)));
    if let Err(why) = &site.pods {
        findings.push(Finding::new(Weight::Unknown, format!("how many pods are there now: {why}")));
    }
    findings.extend(nodes::look(&demands, site));
    findings.sort_by_key(|it| it.weight);
    let makes = |it: &&Demand<'_>| it.fleet.count > 0 && (it.more() > 0 || it.fleet.replaced);
    Room { needs: demands.iter().filter(makes).map(Demand::need).collect(), findings }
}

fn known<'a>(told: &'a Told<Vec<Value>>, what: &str, findings: &mut Vec<Finding>) -> &'a [Value] {
    match told {
        Ok(objects) => objects,
        Err(why) => {
            findings.push(Finding::new(Weight::Unknown, format!("{what}: {why}")));
            &[]
        }
    }
}

fn demand<'a>(fleet: &'a Fleet, site: &'a Site) -> Demand<'a> {
    match &site.pods {
        Ok(pods) => {
            // What an object did not ask for is not its own, whatever labels it has.
            let existing = pods.iter().filter(|pod| fleet.before > 0 && fleet.selects(pod)).collect();
            Demand { fleet, existing, supposed: 0 }
        }
        Err(_) => Demand { fleet, existing: Vec::new(), supposed: fleet.before },
    }
}

#[cfg(test)]
mod tests;
