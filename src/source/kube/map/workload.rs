//! `Deployment`s, `StatefulSet`s and `Job`s that run JobManagers or TaskManagers.

use std::collections::BTreeMap;

use super::{Mapper, names, notes};
use crate::model::declaration::{Declaration, Declarer};
use crate::model::pod::Role;
use crate::model::quantity;
use crate::source::kube::wire::meta::{Labels, Meta};
use crate::source::kube::wire::pod::{Amounts, Container, PodSpec};
use crate::source::kube::wire::workload::WorkloadSpec;

/// What a workload declares; `None` when it has no part in a Flink cluster.
///
/// The manifests of Flink's documentation label only the pods, not the workload, so the template counts too.
pub fn workload(mapper: &mut Mapper, declarer: Declarer, meta: &Meta, spec: &WorkloadSpec) -> Option<Declaration> {
    let template = &spec.template;
    // Most workloads of a cluster have nothing to do with Flink.
    let role = names::role(&template.metadata.labels).or_else(|| names::role(&meta.labels))?;
    let mut labels = meta.labels.clone();
    labels.extend(template.metadata.labels.clone());
    let main = main_container(&template.spec);
    let (cpu, memory) = match role {
        Role::TaskManager => resources(&template.spec, main),
        Role::JobManager => (None, None),
    };
    let wanted = Some(spec.replicas.unwrap_or(1));
    let processor = names::processor(&labels, &meta.name);
    let mut annotations = template.metadata.annotations.clone();
    annotations.extend(meta.annotations.clone());
    Some(Declaration {
        declarer,
        object: mapper.key(meta),
        processor: mapper.beside(meta, &processor),
        pipeline: mapper.strings.share_some(names::pipeline(&labels)),
        created_at: meta.created_at,
        task_managers: wanted.filter(|_| role == Role::TaskManager),
        job_managers: wanted.filter(|_| role == Role::JobManager),
        cpu_millis: cpu,
        memory_bytes: memory,
        image: mapper.strings.share_some(main.and_then(|container| container.image.as_deref())),
        service_account: mapper.strings.share_some(template.spec.service_account_name.as_deref()),
        pod_labels: shared(mapper, &template.metadata.labels),
        notes: notes::notes(mapper, &annotations),
        operator: None,
    })
}

fn shared(mapper: &mut Mapper, labels: &Labels) -> BTreeMap<std::sync::Arc<str>, std::sync::Arc<str>> {
    labels.iter().map(|(name, value)| (mapper.strings.share(name), mapper.strings.share(value))).collect()
}

/// Flink's container among possible others: by the names that Flink, its docs and operators use, else the first.
fn main_container(spec: &PodSpec) -> Option<&Container> {
    let known = ["flink-main-container", "taskmanager", "jobmanager"];
    let by_name = spec.containers.iter().find(|container| known.contains(&container.name.as_str()));
    by_name.or_else(|| spec.containers.first())
}

fn resources(spec: &PodSpec, main: Option<&Container>) -> (Option<u64>, Option<u64>) {
    let resources = spec.resources.as_ref().into_iter().chain(main.map(|container| &container.resources));
    let amounts: Vec<&Amounts> = resources.flat_map(|both| [&both.limits, &both.requests]).collect();
    let first = |pick: fn(&Amounts) -> Option<&str>| amounts.iter().find_map(|amounts| pick(amounts));
    let cpu = first(|amounts| amounts.cpu.as_deref()).and_then(quantity::cpu_millis);
    let memory = first(|amounts| amounts.memory.as_deref()).and_then(quantity::bytes);
    (cpu, memory)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::kube::wire::workload::{Job, StatefulSet};

    fn declared(object: serde_json::Value) -> Option<Declaration> {
        let object: StatefulSet = serde_json::from_value(object).unwrap();
        workload(&mut Mapper::new("e".into()), Declarer::StatefulSet, &object.metadata, &object.spec)
    }

    #[test]
    fn the_manifests_of_the_docs() {
        let declaration = declared(json!({
            "metadata": {"name": "orders-taskmanager", "namespace": "prd", "annotations": {"flowdeck.dev/inputs": "clicks"}},
            "spec": {"replicas": 15, "template": {
                "metadata": {"creationTimestamp": null, "labels": {"app": "flink", "component": "taskmanager"}},
                "spec": {"serviceAccountName": "flink", "containers": [{"name": "proxy"}, {"name": "taskmanager", "image": "flink:2.2",
                    "resources": {"limits": {"memory": "4Gi"}, "requests": {"cpu": "1500m", "memory": "1Gi"}}}]}}},
        }))
        .unwrap();
        assert_eq!(declaration.processor.to_string(), "e/prd/orders");
        assert_eq!((declaration.task_managers, declaration.job_managers), (Some(15), None));
        assert_eq!((declaration.cpu_millis, declaration.memory_bytes), (Some(1500), Some(4 << 30)));
        assert_eq!(declaration.image.as_deref(), Some("flink:2.2"));
        assert_eq!(&*declaration.notes.inputs[0], "clicks");
        assert_eq!(declaration.pod_labels.len(), 2);
    }

    #[test]
    fn an_application_whose_job_manager_is_a_job() {
        let of = |suspend: bool, status: serde_json::Value| {
            let job: Job = serde_json::from_value(json!({
                "metadata": {"name": "orders-jobmanager", "namespace": "prd"},
                "spec": {"parallelism": null, "suspend": suspend, "template": {
                    "metadata": {"labels": {"app": "flink", "component": "jobmanager"}},
                    "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "jobmanager", "image": "flink:2.2"}]}}},
                "status": status,
            }))
            .unwrap();
            workload(&mut Mapper::new("e".into()), Declarer::Job, &job.metadata, &job.spec).unwrap()
        };
        let running = of(false, json!({"active": 1}));
        assert_eq!(running.processor.to_string(), "e/prd/orders");
        assert_eq!((running.job_managers, running.task_managers), (Some(1), None));
        assert_eq!(of(true, json!(null)).job_managers, Some(0));
        assert_eq!(of(false, json!({"completionTime": "2026-11-22T17:00:00Z"})).job_managers, Some(0));
    }

    #[test]
    fn other_workloads_declare_nothing() {
        assert_eq!(
            declared(json!({"metadata": {"name": "web", "labels": {"component": "web"}}, "spec": {"template": null}})),
            None
        );
    }
}
