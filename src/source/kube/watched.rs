//! Which objects are watched, and what each says.

use super::map::{Mapper, event, operator, pod, workload};
use super::watch::Watched;
use super::wire::flink::{FlinkDeployment, FlinkSessionJob};
use super::wire::meta::Meta;
use super::wire::pod::Pod;
use super::wire::record::Record;
use super::wire::workload::{Deployment, Job, StatefulSet};
use crate::model::change::{Change, Kind};
use crate::model::declaration::Declarer;
use crate::model::key::ObjectKey;

/// Pods of JobManagers and TaskManagers, whoever made them.
pub const SELECTOR: &str = "component in (jobmanager,taskmanager)";

impl Watched for Pod {
    const KIND: Kind = Kind::Pods;
    const LABELS: Option<&'static str> = Some(SELECTOR);

    fn metadata(&self) -> &Meta {
        &self.metadata
    }

    fn change(&self, mapper: &mut Mapper) -> Option<Change> {
        pod::pod(mapper, self).map(|pod| Change::Pod(Box::new(pod)))
    }

    fn gone(key: ObjectKey) -> Change {
        Change::PodGone(key)
    }
}

/// The kinds of objects that declare processors. Workloads are not selected by the server: the manifests of
/// Flink's documentation label only the pods, so what a workload is shows in its template.
macro_rules! declarer {
    ($type:ident, $declarer:expr, |$mapper:ident, $object:ident| $declaration:expr) => {
        impl Watched for $type {
            const KIND: Kind = Kind::Declared($declarer);
            const LABELS: Option<&'static str> = None;

            fn metadata(&self) -> &Meta {
                &self.metadata
            }

            fn change(&self, $mapper: &mut Mapper) -> Option<Change> {
                let $object = self;
                $declaration.map(|declaration| Change::Declared(Box::new(declaration)))
            }

            fn gone(key: ObjectKey) -> Change {
                Change::Undeclared($declarer, key)
            }
        }
    };
}

declarer!(FlinkDeployment, Declarer::FlinkDeployment, |mapper, it| {
    Some(operator::deployment(mapper, &it.metadata, &it.spec, it.status.as_ref()))
});
declarer!(FlinkSessionJob, Declarer::FlinkSessionJob, |mapper, it| {
    Some(operator::session_job(mapper, &it.metadata, &it.spec, it.status.as_ref()))
});
declarer!(Deployment, Declarer::Deployment, |mapper, it| {
    workload::workload(mapper, Declarer::Deployment, &it.metadata, &it.spec)
});
declarer!(StatefulSet, Declarer::StatefulSet, |mapper, it| {
    workload::workload(mapper, Declarer::StatefulSet, &it.metadata, &it.spec)
});
declarer!(Job, Declarer::Job, |mapper, it| workload::workload(mapper, Declarer::Job, &it.metadata, &it.spec));

impl Watched for Record {
    const KIND: Kind = Kind::Events;
    const LABELS: Option<&'static str> = None;

    fn metadata(&self) -> &Meta {
        &self.metadata
    }

    fn change(&self, mapper: &mut Mapper) -> Option<Change> {
        Some(Change::ClusterEvent(Box::new(event::event(mapper, self))))
    }

    fn gone(key: ObjectKey) -> Change {
        Change::ClusterEventGone(key)
    }
}
