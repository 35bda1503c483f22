//! Facts about the world in the form in which the inventory takes them.

use std::collections::HashSet;
use std::sync::Arc;

use super::Time;
use super::cluster_event::ClusterEvent;
use super::declaration::{Declaration, Declarer};
use super::environment::{Backend, Environment, Link};
use super::job::Job;
use super::kafka::{Group, Topic};
use super::key::{KafkaKey, ObjectKey, PodKey, ProcessorKey};
use super::pod::{Pod, Usage};
use super::route::Route;
use super::signal::Signals;

/// What a watch lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Pods of Flink clusters.
    Pods,
    /// Objects that declare processors.
    Declared(Declarer),
    /// Kubernetes events.
    Events,
}

impl Kind {
    /// What is listed from the start in each namespace; events are watched when somebody looks.
    pub const LISTED: [Self; 6] = [
        Self::Pods,
        Self::Declared(Declarer::FlinkDeployment),
        Self::Declared(Declarer::FlinkSessionJob),
        Self::Declared(Declarer::Deployment),
        Self::Declared(Declarer::StatefulSet),
        Self::Declared(Declarer::Job),
    ];

    /// Plural name as kubectl writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Declared(Declarer::FlinkDeployment) => "flinkdeployments",
            Self::Declared(Declarer::FlinkSessionJob) => "flinksessionjobs",
            Self::Declared(Declarer::Deployment) => "deployments",
            Self::Declared(Declarer::StatefulSet) => "statefulsets",
            Self::Declared(Declarer::Job) => "jobs",
            Self::Events => "events",
        }
    }
}

/// One watch: a kind in one namespace, or in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// Environment.
    pub environment: Arc<str>,
    /// Namespace; `None` means all.
    pub namespace: Option<Arc<str>>,
    /// What is listed.
    pub kind: Kind,
}

/// How a watch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeState {
    /// The first list is on its way.
    Loading,
    /// Listed, and followed since.
    Live,
    /// The server refuses; the text says what to whom.
    Forbidden(Arc<str>),
    /// The cluster does not have this kind: a normal thing.
    Absent,
    /// What is shown is old, since then, because of that.
    Stale(Time, Arc<str>),
    /// Nothing could be listed so far, since then, because of that.
    Failed(Time, Arc<str>),
}

/// An answer that may also be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetched<T> {
    /// It is there.
    Ready(T),
    /// The other side says that there is none.
    NotFound,
    /// We may not ask.
    Forbidden(Arc<str>),
    /// It could not be had: since when and why.
    Failed(Time, Arc<str>),
}

/// One fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An environment is part of the session.
    Environment(Box<Environment>),
    /// A connection changed its state.
    Link(Arc<str>, Backend, Link),
    /// A watch changed its state.
    Scope(Scope, ScopeState),
    /// A full list ended: whatever it did not name is gone.
    Retain(Scope, HashSet<ObjectKey>),
    /// A pod is new or changed.
    Pod(Box<Pod>),
    /// A pod is gone.
    PodGone(PodKey),
    /// An object that declares a processor is new or changed.
    Declared(Box<Declaration>),
    /// An object that declared a processor is gone.
    Undeclared(Declarer, ObjectKey),
    /// A Kubernetes event is new or repeated.
    ClusterEvent(Box<ClusterEvent>),
    /// A Kubernetes event is gone.
    ClusterEventGone(ObjectKey),
    /// Usage of all pods of an environment that the metrics API names; replaces what was known.
    Usage(Arc<str>, Vec<(PodKey, Usage)>),
    /// IAM role of a service account (`eks.amazonaws.com/role-arn`); `None` when it has none.
    IamRole(ObjectKey, Option<Arc<str>>),
    /// A processor's Flink job was asked for.
    Job(ProcessorKey, Fetched<Box<Job>>),
    /// Topics were asked for.
    Topics(Vec<Topic>),
    /// A topic does not exist or may not be read.
    TopicMissing(KafkaKey, Arc<str>),
    /// Consumer groups were asked for.
    Groups(Vec<Group>),
    /// All topic names of an environment.
    TopicNames(Arc<str>, Vec<Arc<str>>),
    /// All group names of an environment with their state word.
    GroupNames(Arc<str>, Vec<(Arc<str>, Arc<str>)>),
    /// The golden signals of an environment; replaces what was known.
    Signals(Arc<str>, Arc<Signals>),
    /// A route; replaces what was known of it.
    Route(Arc<Route>),
}
