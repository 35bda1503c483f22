//! Deployments, `StatefulSet`s and `ReplicaSet`s.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::pod::{container_name, cpu, memory, size};
use super::{component, notes, object_labels, pod_labels, time, with_managers};
use crate::demo::plan::{ClusterPlan, Runtime};
use crate::model::pod::Role;

/// How many replicas are wanted, there, and ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) wanted: u32,
    pub(crate) present: u32,
    pub(crate) ready: u32,
}

/// The pod template of one role: what a user edits.
fn template(plan: &ClusterPlan, role: Role) -> Value {
    let size = size(plan, role);
    let resources = json!({"cpu": cpu(size.cpu_millis), "memory": memory(size.memory_bytes)});
    json!({
        "metadata": {"labels": pod_labels(plan, role), "annotations": notes(plan, None)},
        "spec": {
            "serviceAccountName": plan.service_account,
            "terminationGracePeriodSeconds": 30,
            "containers": [{
                "name": container_name(plan),
                "image": plan.image,
                "args": [component(role)],
                "env": [
                    {"name": "ENVIRONMENT", "value": plan.namespace.rsplit('-').next().unwrap_or_default()},
                    {"name": "ROOT_LOG_LEVEL", "value": "INFO"},
                ],
                "resources": {"limits": resources, "requests": resources},
                "volumeMounts": [{"name": "flink-config-volume", "mountPath": "/opt/flink/conf"}],
            }],
            "volumes": [{"name": "flink-config-volume", "configMap": {"name": super::place::config_map_name(plan)}}],
        },
    })
}

fn metadata(plan: &ClusterPlan, name: &str, owner: Option<&Value>, created: DateTime<Utc>) -> Value {
    let is_owner = plan.runtime == Runtime::Manifests;
    let annotations = if is_owner { notes(plan, plan.jobs.first()) } else { Map::new() };
    let mut metadata = json!({
        "name": name,
        "namespace": plan.namespace,
        "creationTimestamp": time(created),
        "labels": object_labels(plan),
        "annotations": annotations,
    });
    if let Some(owner) = owner {
        metadata["ownerReferences"] = json!([super::owner(owner)]);
    }
    metadata
}

pub(crate) fn deployment(plan: &ClusterPlan, role: Role, owner: Option<&Value>, created: DateTime<Utc>) -> Value {
    let name = match role {
        Role::JobManager => plan.name.clone(),
        Role::TaskManager => plan.task_manager_workload().unwrap_or_else(|| plan.name.clone()),
    };
    let wanted = if plan.stopped {
        0
    } else {
        match role {
            Role::JobManager => 1,
            Role::TaskManager => plan.task_managers,
        }
    };
    let mut metadata = metadata(plan, &name, owner, created);
    metadata["labels"]["component"] = json!(component(role));
    metadata["annotations"]["deployment.kubernetes.io/revision"] = json!(plan.facts.revision.to_string());
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": wanted,
            "selector": {"matchLabels": {"app": plan.name, "component": component(role)}},
            "strategy": {"type": "Recreate"},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": template(plan, role),
        },
        "status": deployment_status(Count { wanted, present: 0, ready: 0 }, 1, created),
    });
    let maker = if owner.is_some() { "flink-kubernetes-operator" } else { plan.facts.manager.as_str() };
    with_managers(object, &[(maker, "Apply", "spec"), ("kube-controller-manager", "Update", "status")])
}

pub(crate) fn deployment_status(count: Count, generation: i64, since: DateTime<Utc>) -> Value {
    let available = count.ready >= count.wanted;
    let mut status = json!({
        "observedGeneration": generation,
        "conditions": [
            {
                "type": "Available",
                "status": if available { "True" } else { "False" },
                "reason": if available { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" },
                "message": if available { "Deployment has minimum availability." } else { "Deployment does not have minimum availability." },
                "lastTransitionTime": time(since),
                "lastUpdateTime": time(since),
            },
            {
                "type": "Progressing",
                "status": "True",
                "reason": if available { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" },
                "message": "ReplicaSet is progressing.",
                "lastTransitionTime": time(since),
                "lastUpdateTime": time(since),
            },
        ],
    });
    for (field, number) in [
        ("replicas", count.present),
        ("updatedReplicas", count.present),
        ("readyReplicas", count.ready),
        ("availableReplicas", count.ready),
        ("unavailableReplicas", count.wanted.saturating_sub(count.ready)),
    ] {
        if number > 0 {
            status[field] = json!(number);
        }
    }
    status
}

pub(crate) fn replica_set(plan: &ClusterPlan, role: Role, deployment: &Value, hash: &str) -> Value {
    let name = format!("{}-{hash}", deployment["metadata"]["name"].as_str().unwrap_or_default());
    let mut labels = pod_labels(plan, role);
    labels.insert("pod-template-hash".to_owned(), json!(hash));
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or_default();
    json!({
        "metadata": {
            "name": name,
            "namespace": plan.namespace,
            "labels": labels,
            "annotations": {"deployment.kubernetes.io/desired-replicas": wanted.to_string(), "deployment.kubernetes.io/revision": plan.facts.revision.to_string()},
            "ownerReferences": [super::owner(deployment)],
        },
        "spec": {"replicas": wanted, "selector": {"matchLabels": labels}, "template": template(plan, role)},
        "status": {"replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted, "observedGeneration": 1},
    })
}

pub(crate) fn stateful_set(plan: &ClusterPlan, created: DateTime<Utc>) -> Value {
    let wanted = if plan.stopped { 0 } else { plan.task_managers };
    let mut metadata = metadata(plan, &plan.name, None, created);
    metadata["labels"]["component"] = json!("taskmanager");
    let object = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {
            "replicas": wanted,
            "serviceName": format!("{}-taskmanager-hl", plan.name),
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": plan.name, "component": "taskmanager"}},
            "template": template(plan, Role::TaskManager),
        },
        "status": stateful_set_status(plan, Count { wanted, present: 0, ready: 0 }, 1),
    });
    with_managers(object, &[(&plan.facts.manager, "Apply", "spec"), ("kube-controller-manager", "Update", "status")])
}

pub(crate) fn stateful_set_status(plan: &ClusterPlan, count: Count, generation: i64) -> Value {
    let revision = format!("{}-{:x}", plan.name, crate::demo::dice::stable(&[&plan.name]) >> 32);
    json!({
        "observedGeneration": generation,
        "replicas": count.present,
        "readyReplicas": count.ready,
        "availableReplicas": count.ready,
        "currentReplicas": count.present,
        "updatedReplicas": count.present,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    })
}
