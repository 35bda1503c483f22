//! Pods of JobManagers and TaskManagers.

use std::sync::Arc;

use super::{Mapper, names, status};
use crate::model::pod::{Pod, PodHealth, Termination};
use crate::model::quantity;
use crate::source::kube::trouble::cut;
use crate::source::kube::wire::pod as wire;

/// Words of a pod that fails, apart from those that begin with `Err`.
const BAD: [&str; 16] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ImageInspectError",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PostStartHookError",
    "StartError",
    "OOMKilled",
    "Evicted",
    "DeadlineExceeded",
    "NodeLost",
    "ContainerStatusUnknown",
    "ContainerCannotRun",
    "Unknown",
];

/// Turns a pod into a row; `None` for a pod without a role.
pub fn pod(mapper: &mut Mapper, pod: &wire::Pod) -> Option<Pod> {
    let meta = &pod.metadata;
    let role = names::role(&meta.labels)?;
    let summary = status::summary(pod);
    let unschedulable = condition_message(pod, "PodScheduled");
    let health = health(pod, &summary.word, unschedulable.is_some());
    let containers = containers(pod);
    let processor = names::processor_of_pod(meta);
    Some(Pod {
        key: mapper.key(meta),
        processor: mapper.beside(meta, &processor),
        pipeline: mapper.strings.share_some(names::pipeline(&meta.labels)),
        role,
        status: mapper.strings.share(&summary.word),
        message: if matches!(health, PodHealth::Ready | PodHealth::Done) { None } else { message(pod, unschedulable) },
        health,
        ready: summary.ready,
        restarts: summary.restarts,
        last_termination: last_termination(mapper, pod),
        node: mapper.strings.share_some(pod.spec.node_name.as_deref()),
        address: pod.status.pod_ip.as_deref().filter(|address| !address.is_empty()).map(Into::into),
        created_at: meta.created_at,
        cpu_limit_millis: limit(pod, |amounts| amounts.cpu.as_deref(), quantity::cpu_millis),
        memory_limit_bytes: limit(pod, |amounts| amounts.memory.as_deref(), quantity::bytes),
        containers: containers.iter().map(|container| mapper.strings.share(&container.name)).collect(),
    })
}

/// Containers that run for as long as the pod does, in the order of the spec.
fn containers(pod: &wire::Pod) -> Vec<&wire::Container> {
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    pod.spec.containers.iter().chain(sidecars).collect()
}

fn health(pod: &wire::Pod, word: &str, unschedulable: bool) -> PodHealth {
    let word = word.strip_prefix("Init:").unwrap_or(word);
    let bad = word.starts_with("Err")
        || word.starts_with("ExitCode:")
        || word.starts_with("Signal:")
        || BAD.contains(&word)
        || pod.status.phase == "Failed";
    if pod.status.phase == "Succeeded" {
        PodHealth::Done
    } else if pod.metadata.deleted_at.is_some() && word == "Terminating" {
        PodHealth::Moving
    } else if bad || unschedulable {
        PodHealth::Bad
    } else if pod.status.phase == "Running" && status::has_condition(pod, "Ready") {
        PodHealth::Ready
    } else {
        PodHealth::Moving
    }
}

/// The sentence behind the word: from the container that is not well, the pod itself, or the scheduler.
fn message(pod: &wire::Pod, unschedulable: Option<&str>) -> Option<Arc<str>> {
    let containers = || pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let waiting = containers().find_map(|container| container.state.waiting.as_ref()?.message.as_deref());
    let ended = containers().find_map(|container| container.state.terminated.as_ref()?.message.as_deref());
    let told = pod.status.message.as_deref();
    [told, waiting, ended, unschedulable].into_iter().flatten().find(|text| !text.trim().is_empty()).map(cut)
}

fn condition_message<'a>(pod: &'a wire::Pod, name: &str) -> Option<&'a str> {
    pod.status
        .conditions
        .iter()
        .find(|one| one.name == name && one.status == "False" && one.reason.as_deref() == Some("Unschedulable"))
        .map(|one| one.message.as_deref().unwrap_or("no node fits"))
}

/// The newest end of a container. Init containers end well every time; only their failures count.
fn last_termination(mapper: &mut Mapper, pod: &wire::Pod) -> Option<Termination> {
    let ends = |container: &'_ wire::ContainerStatus| -> [Option<wire::Terminated>; 2] {
        [container.state.terminated.clone(), container.last_state.terminated.clone()]
    };
    let regular = pod.status.container_statuses.iter().flat_map(|one| ends(one).map(|end| (one, end)));
    let failed = pod
        .status
        .init_container_statuses
        .iter()
        .flat_map(|one| ends(one).map(|end| (one, end.filter(|end| end.exit_code != 0))));
    let (container, end) = regular
        .chain(failed)
        .filter_map(|(container, end)| Some((container, end?)))
        .max_by_key(|(_, end)| end.finished_at)?;
    let reason = match end.reason.as_str() {
        "" if end.signal != 0 => format!("Signal:{}", end.signal),
        "" => "Error".to_owned(),
        reason => reason.to_owned(),
    };
    Some(Termination {
        container: mapper.strings.share(&container.name),
        reason: mapper.strings.share(&reason),
        exit_code: end.exit_code,
        finished_at: end.finished_at,
    })
}

/// A pod is limited when every container is; limits of the pod itself win.
fn limit(pod: &wire::Pod, pick: fn(&wire::Amounts) -> Option<&str>, read: fn(&str) -> Option<u64>) -> Option<u64> {
    let whole = pod.spec.resources.as_ref().and_then(|resources| read(pick(&resources.limits)?));
    whole.or_else(|| {
        let containers = containers(pod);
        if containers.is_empty() {
            return None;
        }
        containers.iter().map(|container| read(pick(&container.resources.limits)?)).sum()
    })
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
