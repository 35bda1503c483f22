//! Pods, and the status that the kubelet reports as they live.

use serde_json::{Map, Value, json};

use super::{component, notes, pod_labels, time, with_managers};
use crate::demo::dice;
use crate::demo::plan::{ClusterPlan, NodePlan, Runtime};
use crate::demo::world::pod::{Phase, Pod};
use crate::model::pod::Role;

/// Cores and memory of one pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) cpu_millis: u64,
    pub(crate) memory_bytes: u64,
}

pub(crate) fn size(plan: &ClusterPlan, role: Role) -> Size {
    match role {
        Role::JobManager => Size { cpu_millis: 1_000, memory_bytes: 2 << 30 },
        Role::TaskManager => Size { cpu_millis: plan.cpu_millis, memory_bytes: plan.memory_bytes },
    }
}

pub(crate) fn container_name(plan: &ClusterPlan) -> &str {
    match plan.runtime {
        Runtime::Native | Runtime::OperatorStandalone => "flink-main-container",
        // The talk's search: kubernetes_container=sessionization.
        Runtime::Manifests => &plan.name,
    }
}

/// The whole object, as the API server would hand it out.
pub(crate) fn object(plan: &ClusterPlan, pod: &Pod, owner: Option<&Value>, node: Option<&NodePlan>) -> Value {
    let mut labels = pod_labels(plan, pod.role);
    if plan.runtime == Runtime::Manifests && pod.role == Role::TaskManager {
        labels.insert("apps.kubernetes.io/pod-index".to_owned(), json!(pod.ordinal.to_string()));
        labels.insert("statefulset.kubernetes.io/pod-name".to_owned(), json!(pod.name));
        labels
            .insert("controller-revision-hash".to_owned(), json!(format!("{}-{:08x}", plan.name, pod.template >> 32)));
    } else if !(plan.runtime == Runtime::Native && pod.role == Role::TaskManager) {
        labels.insert("pod-template-hash".to_owned(), json!(pod.hash));
    }
    let mut metadata = json!({
        "name": pod.name,
        "namespace": plan.namespace,
        "creationTimestamp": time(pod.created),
        "labels": labels,
        "annotations": annotations(plan),
    });
    if let Some(owner) = owner {
        metadata["ownerReferences"] = json!([super::owner(owner)]);
    }
    let object = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec(plan, pod, node),
        "status": status(plan, pod, node),
    });
    let maker = if plan.runtime == Runtime::Native && pod.role == Role::TaskManager {
        "okhttp"
    } else {
        "kube-controller-manager"
    };
    with_managers(object, &[(maker, "Update", "spec"), ("kubelet", "Update", "status")])
}

/// The hash that a `ReplicaSet` and its pods share in their names.
pub(crate) fn template_hash(template: u64) -> String {
    dice::Dice::new(template).suffix(10)
}

fn annotations(plan: &ClusterPlan) -> Map<String, Value> {
    let mut annotations = notes(plan, None);
    for (name, value) in [
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/port", "9249"),
        ("sidecar.istio.io/inject", "false"),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ] {
        annotations.insert(name.to_owned(), json!(value));
    }
    annotations
}

fn spec(plan: &ClusterPlan, pod: &Pod, node: Option<&NodePlan>) -> Value {
    let size = size(plan, pod.role);
    let resources = json!({"cpu": cpu(size.cpu_millis), "memory": memory(size.memory_bytes)});
    let native_worker = plan.runtime == Runtime::Native && pod.role == Role::TaskManager;
    let mut spec = json!({
        "serviceAccountName": plan.service_account,
        "serviceAccount": plan.service_account,
        "restartPolicy": if native_worker { "Never" } else { "Always" },
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "enableServiceLinks": false,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        "securityContext": {"fsGroup": 9999, "runAsUser": 9999},
        "tolerations": [
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
        "containers": [container(plan, pod, &resources)],
        "volumes": [
            {"name": "flink-config-volume", "configMap": {"name": super::place::config_map_name(plan), "defaultMode": 420}},
            {"name": "rocksdb", "emptyDir": {"sizeLimit": "100Gi"}},
            {"name": "aws-iam-token", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}},
            ]}},
        ],
    });
    if let Some(node) = node {
        spec["nodeName"] = json!(node.name);
    }
    spec
}

/// Bytes as people write them.
pub(crate) fn memory(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) { format!("{}Gi", bytes >> 30) } else { format!("{}Mi", bytes >> 20) }
}

pub(crate) fn cpu(millis: u64) -> String {
    if millis.is_multiple_of(1_000) { (millis / 1_000).to_string() } else { format!("{millis}m") }
}

fn container(plan: &ClusterPlan, pod: &Pod, resources: &Value) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let ports = match pod.role {
        Role::JobManager => json!([
            {"name": "jobmanager-rpc", "containerPort": 6123, "protocol": "TCP"},
            {"name": "blobserver", "containerPort": 6124, "protocol": "TCP"},
            {"name": "rest", "containerPort": 8081, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9249, "protocol": "TCP"},
        ]),
        Role::TaskManager => json!([
            {"name": "taskmanager-rpc", "containerPort": 6122, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9249, "protocol": "TCP"},
        ]),
    };
    let mut container = json!({
        "name": container_name(plan),
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/docker-entrypoint.sh"],
        "args": ["bash", "-c", format!("kubernetes-{}.sh kubernetes-application", component(pod.role))],
        "ports": ports,
        "env": [
            field("POD_IP", "status.podIP"),
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("_POD_NODE_ID", "spec.nodeName"),
            {"name": "ENVIRONMENT", "value": plan.namespace.rsplit('-').next().unwrap_or_default()},
            {"name": "AWS_REGION", "value": "us-west-2"},
            {"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"},
            {"name": "AWS_ROLE_ARN", "value": super::role_arn(plan)},
            {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"},
            {"name": "ROOT_LOG_LEVEL", "value": "INFO"},
        ],
        "resources": {"limits": resources, "requests": resources},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "flink-config-volume", "mountPath": "/opt/flink/conf"},
            {"name": "rocksdb", "mountPath": "/rocksdb"},
            {"name": "aws-iam-token", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount", "readOnly": true},
        ],
    });
    if pod.role == Role::JobManager {
        let probe = json!({"httpGet": {"path": "/config", "port": "rest", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3});
        container["livenessProbe"] = probe.clone();
        container["readinessProbe"] = probe;
    }
    container
}

/// What the kubelet says now.
pub(crate) fn status(plan: &ClusterPlan, pod: &Pod, node: Option<&NodePlan>) -> Value {
    let phase = match pod.phase {
        Phase::Pending | Phase::Creating => "Pending",
        Phase::Failed => "Failed",
        Phase::Starting | Phase::Ready | Phase::Crashed => "Running",
    };
    let mut status = json!({
        "phase": phase,
        "qosClass": "Guaranteed",
        "conditions": conditions(pod, node.is_some()),
    });
    let Some(node) = node else { return status };
    status["hostIP"] = json!(node.address);
    status["hostIPs"] = json!([{"ip": node.address}]);
    status["startTime"] = json!(time(pod.created));
    status["containerStatuses"] = json!([container_status(plan, pod)]);
    if !matches!(pod.phase, Phase::Pending | Phase::Creating) {
        status["podIP"] = json!(pod.address);
        status["podIPs"] = json!([{"ip": pod.address}]);
    }
    status
}

fn conditions(pod: &Pod, scheduled: bool) -> Value {
    let since = time(pod.since);
    let born = time(pod.created);
    let started = matches!(pod.phase, Phase::Starting | Phase::Ready | Phase::Crashed);
    let ready = pod.phase == Phase::Ready;
    let condition = |kind: &str, holds: bool, at: &str| {
        let mut condition = json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": at});
        if !holds && (kind == "Ready" || kind == "ContainersReady") {
            condition["reason"] = json!("ContainersNotReady");
            condition["message"] = json!("containers with unready status");
        }
        condition
    };
    let mut scheduling = condition("PodScheduled", scheduled, &born);
    if !scheduled {
        scheduling["reason"] = json!("Unschedulable");
        scheduling["message"] = json!(
            "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod."
        );
    }
    json!([
        condition("PodReadyToStartContainers", started, &since),
        condition("Initialized", true, &born),
        condition("Ready", ready, &since),
        condition("ContainersReady", ready, &since),
        scheduling,
    ])
}

fn container_status(plan: &ClusterPlan, pod: &Pod) -> Value {
    let image = plan.image.clone();
    let container_id = format!(
        "containerd://{}{}",
        dice::identifier(&[&pod.name, "a"]),
        dice::identifier(&[&pod.name, &pod.restarts.to_string()])
    );
    let terminated = pod.last_termination.as_ref().map(|last| {
        json!({
            "exitCode": last.exit_code,
            "reason": last.reason,
            "startedAt": time(last.started_at),
            "finishedAt": time(last.finished_at),
            "containerID": container_id,
        })
    });
    let state = match pod.phase {
        Phase::Pending | Phase::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        Phase::Starting | Phase::Ready => json!({"running": {"startedAt": time(pod.started.unwrap_or(pod.created))}}),
        Phase::Crashed if pod.backs_off() => json!({"waiting": {
            "reason": "CrashLoopBackOff",
            "message": format!("back-off 20s restarting failed container={} pod={}_{}", container_name(plan), pod.name, plan.namespace),
        }}),
        Phase::Crashed | Phase::Failed => json!({"terminated": terminated}),
    };
    let mut status = json!({
        "name": container_name(plan),
        "image": image,
        "imageID": format!("docker.intuit.example/data-processing@sha256:{}{}", dice::identifier(&[&image, "1"]), dice::identifier(&[&image, "2"])),
        "ready": pod.phase == Phase::Ready,
        "started": matches!(pod.phase, Phase::Starting | Phase::Ready),
        "restartCount": pod.restarts,
        "state": state,
        "lastState": {},
    });
    if !matches!(pod.phase, Phase::Pending | Phase::Creating) {
        status["containerID"] = json!(container_id);
    }
    if let (Some(terminated), false) = (terminated, pod.phase == Phase::Failed) {
        status["lastState"] = json!({"terminated": terminated});
    }
    status
}
