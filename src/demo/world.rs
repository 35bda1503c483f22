//! What really goes on in a demo environment: clusters, pods, jobs, and the troubles that befall them.
//!
//! The world reads what people want from the object store (they patch it through the API), moves a little on each
//! tick, and writes back what a kubelet, the controllers and the Flink operator would report. Nothing is scripted in
//! the reports: a job restarts because a pod is gone, a deployment is ready because its pods are.

pub(crate) mod checkpoint;
pub(crate) mod cluster;
mod derive;
pub(crate) mod job;
mod jobs;
mod operate;
pub(crate) mod pod;
mod pods;
mod populate;
mod report;
pub(crate) mod words;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use self::cluster::Cluster;
use crate::demo::dice::Dice;
use crate::demo::environment::Environment;
use crate::demo::kubernetes::resources::{DEPLOYMENTS, FLINK_DEPLOYMENTS};

/// Namespace and name.
pub(crate) type ClusterId = (String, String);

pub(crate) struct World {
    pub(crate) clusters: BTreeMap<ClusterId, Cluster>,
    pub(crate) dice: Dice,
    last_tick: Option<DateTime<Utc>>,
    /// Revision up to which new owners were looked for.
    adopted: u64,
}

/// What a step of one cluster needs to know of the rest.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) now: DateTime<Utc>,
    /// Seconds since the last tick, in real time.
    pub(crate) seconds: f64,
    /// Thousandths of cores that are still free on the nodes.
    pub(crate) free_cpu: i64,
}

impl World {
    pub(crate) const fn new(dice: Dice) -> Self {
        Self { clusters: BTreeMap::new(), dice, last_tick: None, adopted: 0 }
    }

    pub(crate) fn cluster(&self, namespace: &str, name: &str) -> Option<&Cluster> {
        self.clusters.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// The cluster of that name, wherever it is; names of processors are unique within an environment of the demo.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut Cluster> {
        self.clusters.values_mut().find(|cluster| cluster.plan.name == name)
    }

    pub(crate) fn step(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let seconds = self.last_tick.map_or(0.0, |last| (now - last).as_seconds_f64()).clamp(0.0, 5.0);
        self.last_tick = Some(now);
        self.adopt(environment, now);
        let used: i64 = self.clusters.values().map(Cluster::scheduled_cpu).sum();
        let capacity = 47_810 * i64::try_from(environment.nodes.len()).unwrap_or(0);
        let mut moment = Moment { environment, now, seconds, free_cpu: capacity - used };
        let mut gone = Vec::new();
        for (id, cluster) in &mut self.clusters {
            if !cluster.step(&mut moment, &mut self.dice) {
                gone.push(id.clone());
            }
        }
        for id in gone {
            self.clusters.remove(&id);
        }
    }

    /// Takes up what somebody created through the API since the last look.
    fn adopt(&mut self, environment: &Environment, now: DateTime<Utc>) {
        let after = self.adopted;
        for resource in [&FLINK_DEPLOYMENTS, &DEPLOYMENTS] {
            let (revision, objects) = environment.store.list(resource, None);
            self.adopted = revision;
            for object in objects.iter().filter(|object| object.revision > after) {
                let id = (object.key.namespace.clone(), object.key.name.clone());
                if self.clusters.contains_key(&id) {
                    continue;
                }
                if let Some(cluster) = Cluster::adopted(resource, object, now) {
                    self.clusters.insert(id, cluster);
                }
            }
        }
    }
}

pub(crate) use self::pods::usage;
