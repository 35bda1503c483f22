//! What somebody looks at now, and so what is worth asking the backends for.
//!
//! The console derives it from its screens after each update, a command from its arguments. Sources poll
//! what it names and nothing else: a pipeline that nobody looks at costs its watch and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declaration::Declaration;
use super::inventory::{Inventory, Processor};
use super::key::{KafkaKey, ObjectKey, ProcessorKey};
use super::log::LogInterest;
use super::pod::Role;
use super::signal::Focus;

/// How much of a job is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// State, tasks, checkpoints.
    Summary,
    /// Also vertices with their load, and failures.
    Detail,
}

/// A Flink job to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInterest {
    /// The processor that runs it.
    pub processor: ProcessorKey,
    /// Name of the deployment whose JobManager runs it: its own, or its session cluster's.
    pub host: Arc<str>,
    /// Labels of the JobManager's pods, to find the REST service of a deployment without an operator.
    pub job_manager_labels: BTreeMap<Arc<str>, Arc<str>>,
    /// The job's id, where known; else the newest job of the cluster that has not ended.
    pub job_id: Option<Arc<str>>,
    /// How much.
    pub depth: Depth,
}

/// A consumer group to ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupInterest {
    /// The group.
    pub key: KafkaKey,
    /// Topics that its processor reads; empty means whatever it has committed.
    pub topics: Vec<Arc<str>>,
    /// Whether lag in time is wanted too, which reads one record for each lagging partition.
    pub with_time: bool,
}

/// All that is wanted now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Jobs, most wanted first.
    pub jobs: Vec<JobInterest>,
    /// Topics by name.
    pub topics: BTreeSet<KafkaKey>,
    /// Consumer groups.
    pub groups: BTreeSet<GroupInterest>,
    /// Environments whose topic names and group names are listed.
    pub kafka_names: BTreeSet<Arc<str>>,
    /// Environments whose pods' CPU and memory are wanted.
    pub usage: BTreeSet<Arc<str>>,
    /// Environments whose Kubernetes events are watched.
    pub events: BTreeSet<Arc<str>>,
    /// Service accounts whose IAM role is wanted.
    pub accounts: BTreeSet<ObjectKey>,
    /// Environments whose golden signals are looked at, and what of them beyond the table.
    pub signals: BTreeMap<Arc<str>, Focus>,
    /// Routes that are looked at.
    pub routes: BTreeSet<KafkaKey>,
    /// The log that is followed.
    pub log: Option<LogInterest>,
    /// How often somebody asked for a try at once; a source that waits tries when this has grown since it last began.
    pub retry: u64,
}

/// How to ask for a processor's job; `None` when there is nothing to ask: no such processor, no job in a
/// session cluster, or a job that is suspended or scaled to zero.
#[must_use]
pub fn job_interest(inventory: &Inventory, key: &ProcessorKey, depth: Depth) -> Option<JobInterest> {
    let processor = inventory.processor(key)?;
    let operator = processor.operator();
    if operator.is_some_and(|operator| operator.suspended || operator.session_cluster) {
        return None;
    }
    if processor.wanted(Role::JobManager) == Some(0) {
        return None;
    }
    Some(JobInterest {
        processor: key.clone(),
        host: operator.and_then(|operator| operator.session.clone()).unwrap_or_else(|| key.name.clone()),
        job_manager_labels: job_manager_labels(inventory.host_of(key)?),
        job_id: operator.and_then(|operator| operator.job_id.clone()),
        depth,
    })
}

/// How to ask for a processor's consumer group; `None` when it is not known to have one.
#[must_use]
pub fn group_interest(inventory: &Inventory, key: &ProcessorKey, with_time: bool) -> Option<GroupInterest> {
    let topics = inventory.processor(key)?.notes().map(|notes| notes.inputs.clone()).unwrap_or_default();
    Some(GroupInterest { key: inventory.group_key(key)?, topics, with_time })
}

fn job_manager_labels(host: &Processor) -> BTreeMap<Arc<str>, Arc<str>> {
    let labelled =
        |declaration: &&Declaration| declaration.job_managers.is_some() && !declaration.pod_labels.is_empty();
    host.declarations.values().find(labelled).map(|declaration| declaration.pod_labels.clone()).unwrap_or_default()
}
