//! What a cluster stands on: namespaces, nodes, service accounts, services, config maps, quotas.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{flink_configuration, object_labels, role_arn, time, with_managers};
use crate::demo::dice;
use crate::demo::plan::{ClusterPlan, NodePlan, Runtime};

pub(crate) fn namespace(name: &str, created: DateTime<Utc>) -> Value {
    json!({
        "metadata": {
            "name": name,
            "creationTimestamp": time(created),
            "labels": {"kubernetes.io/metadata.name": name, "iks.intuit.example/billing": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

pub(crate) fn node(plan: &NodePlan, created: DateTime<Utc>) -> Value {
    let amount = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory, "pods": "234", "ephemeral-storage": "104779756Ki"});
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": time(Utc::now()), "lastTransitionTime": time(created)});
    json!({
        "metadata": {
            "name": plan.name,
            "creationTimestamp": time(created),
            "labels": {
                "kubernetes.io/hostname": plan.name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "m5.12xlarge",
                "topology.kubernetes.io/region": "us-west-2",
                "topology.kubernetes.io/zone": plan.zone,
            },
        },
        "spec": {"providerID": format!("aws:///{}/i-{}", plan.zone, dice::identifier(&[&plan.name]).get(..17).unwrap_or_default())},
        "status": {
            "capacity": amount("48", "196691036Ki"),
            "allocatable": amount("47810m", "192999580Ki"),
            "addresses": [{"type": "InternalIP", "address": plan.address}, {"type": "Hostname", "address": plan.name}],
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "nodeInfo": {
                "kubeletVersion": "v1.33.4-eks-113cf36",
                "containerRuntimeVersion": "containerd://1.7.27",
                "osImage": "Amazon Linux 2023.8.20260818",
                "kernelVersion": "6.12.40-63.114.amzn2023.x86_64",
                "architecture": "amd64",
                "operatingSystem": "linux",
            },
        },
    })
}

pub(crate) fn account(plan: &ClusterPlan, created: DateTime<Utc>) -> Value {
    json!({
        "metadata": {
            "name": plan.service_account,
            "namespace": plan.namespace,
            "creationTimestamp": time(created),
            "labels": {"app.kubernetes.io/part-of": plan.pipeline},
            "annotations": {
                "eks.amazonaws.com/role-arn": role_arn(plan),
                "eks.amazonaws.com/sts-regional-endpoints": "true",
            },
        },
    })
}

pub(crate) fn quota(namespace: &str, used_cpu: u64, used_gib: u64) -> Value {
    json!({
        "metadata": {"name": "compute", "namespace": namespace},
        "spec": {"hard": {"limits.cpu": "96", "limits.memory": "512Gi", "pods": "120"}},
        "status": {
            "hard": {"limits.cpu": "96", "limits.memory": "512Gi", "pods": "120"},
            "used": {"limits.cpu": used_cpu.to_string(), "limits.memory": format!("{used_gib}Gi")},
        },
    })
}

/// The name of the service behind which a cluster's REST API answers.
pub(crate) fn rest_service_name(plan: &ClusterPlan) -> String {
    match plan.runtime {
        Runtime::Native | Runtime::OperatorStandalone => format!("{}-rest", plan.name),
        Runtime::Manifests => format!("{}-jobmanager", plan.name),
    }
}

pub(crate) fn config_map_name(plan: &ClusterPlan) -> String {
    match plan.runtime {
        Runtime::Native | Runtime::OperatorStandalone => format!("flink-config-{}", plan.name),
        Runtime::Manifests => format!("{}-config", plan.name),
    }
}

/// The services of a cluster; the first one leads to the REST API.
pub(crate) fn services(plan: &ClusterPlan, owner: Option<&Value>, created: DateTime<Utc>) -> Vec<Value> {
    let selector = json!({"app": plan.name, "component": "jobmanager"});
    let port = |name: &str, number: u16| json!({"name": name, "port": number, "targetPort": number, "protocol": "TCP"});
    let internal = json!([port("jobmanager-rpc", 6123), port("blobserver", 6124)]);
    let (rest, rest_ports, headless) = match plan.runtime {
        Runtime::Native | Runtime::OperatorStandalone => {
            (rest_service_name(plan), json!([port("rest", 8081)]), (plan.name.clone(), selector.clone(), internal))
        }
        Runtime::Manifests => (
            rest_service_name(plan),
            json!([port("rpc", 6123), port("blob-server", 6124), port("webui", 8081)]),
            (
                format!("{}-taskmanager-hl", plan.name),
                json!({"app": plan.name, "component": "taskmanager"}),
                json!([port("metrics", 9249)]),
            ),
        ),
    };
    let service = |name: &str, selector: &Value, ports: Value, address: &str| {
        let mut metadata = json!({
            "name": name,
            "namespace": plan.namespace,
            "creationTimestamp": time(created),
            "labels": object_labels(plan),
        });
        if let Some(owner) = owner {
            metadata["ownerReferences"] = json!([super::owner(owner)]);
        }
        json!({
            "metadata": metadata,
            "spec": {
                "type": "ClusterIP",
                "clusterIP": address,
                "clusterIPs": [address],
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
                "sessionAffinity": "None",
                "selector": selector,
                "ports": ports,
            },
            "status": {"loadBalancer": {}},
        })
    };
    let hash = dice::stable(&[&plan.namespace, &plan.name]);
    let address = format!("172.20.{}.{}", hash % 250, (hash >> 8) % 250 + 2);
    vec![service(&rest, &selector, rest_ports, &address), service(&headless.0, &headless.1, headless.2, "None")]
}

pub(crate) fn config_map(plan: &ClusterPlan, owner: Option<&Value>, created: DateTime<Utc>) -> Value {
    let key = if plan.flink.starts_with('2') { "config.yaml" } else { "flink-conf.yaml" };
    let lines: Vec<String> = flink_configuration(plan)
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
        .collect();
    let mut metadata = json!({
        "name": config_map_name(plan),
        "namespace": plan.namespace,
        "creationTimestamp": time(created),
        "labels": object_labels(plan),
    });
    if let Some(owner) = owner {
        metadata["ownerReferences"] = json!([super::owner(owner)]);
    }
    let object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {
            key: lines.join("\n"),
            "log4j-console.properties": "monitorInterval=30\nrootLogger.level = ${env:ROOT_LOG_LEVEL:-INFO}\nrootLogger.appenderRef.console.ref = ConsoleAppender\n",
        },
    });
    with_managers(object, &[(&plan.facts.manager, "Update", "spec")])
}
