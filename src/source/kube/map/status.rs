//! The one word for a pod's state that `kubectl get pods` prints, and what stands behind it.
//!
//! The rules are those of kubectl's printer, so that an engineer sees the word that they know.

use crate::source::kube::wire::pod::{ContainerStatus, Pod, Terminated};

/// What the STATUS, READY and RESTARTS columns show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The word.
    pub word: String,
    /// Containers that are ready, sidecars included.
    pub ready: u16,
    /// Restarts.
    pub restarts: u32,
}

/// Sums a pod up.
#[must_use]
pub fn summary(pod: &Pod) -> Summary {
    let status = &pod.status;
    let mut word = status.reason.clone().filter(|reason| !reason.is_empty()).unwrap_or_else(|| status.phase.clone());
    if status
        .conditions
        .iter()
        .any(|one| one.name == "PodScheduled" && one.reason.as_deref() == Some("SchedulingGated"))
    {
        "SchedulingGated".clone_into(&mut word);
    }
    let first = initial(pod);
    let (mut ready, mut restarts) = (first.ready, first.restarts);
    if first.word.is_none() || has_condition(pod, "Initialized") {
        restarts = first.sidecar_restarts;
        let rest = regular(pod, first.word.unwrap_or(word));
        (word, ready, restarts) = (rest.word, ready + rest.ready, restarts + rest.restarts);
    } else if let Some(initializing) = first.word {
        word = initializing;
    }
    if pod.metadata.deleted_at.is_some() {
        if status.reason.as_deref() == Some("NodeLost") {
            "Unknown".clone_into(&mut word);
        } else if !matches!(status.phase.as_str(), "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut word);
        }
    }
    if word.is_empty() {
        "Unknown".clone_into(&mut word);
    }
    Summary { word, ready, restarts }
}

/// Whether a condition holds.
#[must_use]
pub fn has_condition(pod: &Pod, name: &str) -> bool {
    pod.status.conditions.iter().any(|one| one.name == name && one.status == "True")
}

struct Initial {
    /// Why the pod is not initialized; `None` when it is.
    word: Option<String>,
    ready: u16,
    restarts: u32,
    sidecar_restarts: u32,
}

fn initial(pod: &Pod) -> Initial {
    let mut sum = Initial { word: None, ready: 0, restarts: 0, sidecar_restarts: 0 };
    for (index, container) in pod.status.init_container_statuses.iter().enumerate() {
        let sidecar = pod.spec.init_containers.iter().any(|one| one.name == container.name && one.is_sidecar());
        sum.restarts += container.restart_count;
        if sidecar {
            sum.sidecar_restarts += container.restart_count;
        }
        match &container.state.terminated {
            Some(end) if end.exit_code == 0 => continue,
            _ if sidecar && container.started == Some(true) => {
                sum.ready += u16::from(container.ready);
                continue;
            }
            Some(end) => sum.word = Some(format!("Init:{}", ending(end))),
            None => {
                let waiting = container.state.waiting.as_ref().map(|waiting| waiting.reason.as_str());
                sum.word = Some(match waiting {
                    Some(reason) if !reason.is_empty() && reason != "PodInitializing" => format!("Init:{reason}"),
                    _ => format!("Init:{index}/{}", pod.spec.init_containers.len()),
                });
            }
        }
        break;
    }
    sum
}

fn regular(pod: &Pod, before: String) -> Summary {
    let mut sum = Summary { word: before, ready: 0, restarts: 0 };
    let mut running = false;
    for container in pod.status.container_statuses.iter().rev() {
        sum.restarts += container.restart_count;
        if let Some(word) = not_running(container) {
            sum.word = word;
        } else if container.ready && container.state.running.is_some() {
            running = true;
            sum.ready += 1;
        }
    }
    if sum.word == "Completed" && running {
        let word = if has_condition(pod, "Ready") { "Running" } else { "NotReady" };
        word.clone_into(&mut sum.word);
    }
    sum
}

fn not_running(container: &ContainerStatus) -> Option<String> {
    if let Some(waiting) = container.state.waiting.as_ref().filter(|waiting| !waiting.reason.is_empty()) {
        return Some(waiting.reason.clone());
    }
    container.state.terminated.as_ref().map(ending)
}

fn ending(end: &Terminated) -> String {
    match (end.reason.as_str(), end.signal) {
        ("", 0) => format!("ExitCode:{}", end.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
