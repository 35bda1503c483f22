//! Which processor and pipeline an object belongs to, by its labels and, failing those, its name.
//!
//! The same rule holds for pods and for the workloads that make them, so that both meet in one processor.

use crate::model::pod::Role;
use crate::source::kube::wire::meta::{Labels, Meta};

/// Endings of the names that plain manifests and operators give to the two workloads.
const ENDINGS: [&str; 4] = ["-jobmanager", "-taskmanager", "-jm", "-tm"];

/// The role of a pod by its label; `None` for pods that are no part of a Flink cluster.
#[must_use]
pub fn role(labels: &Labels) -> Option<Role> {
    match labels.get("component")?.as_str() {
        "jobmanager" => Some(Role::JobManager),
        "taskmanager" => Some(Role::TaskManager),
        _ => None,
    }
}

/// The pipeline that an object says it is part of.
#[must_use]
pub fn pipeline(labels: &Labels) -> Option<&str> {
    labels.get("app.kubernetes.io/part-of").map(String::as_str).filter(|name| !name.is_empty())
}

/// The processor that labels name, or else the name of the workload without its ending.
#[must_use]
pub fn processor(labels: &Labels, workload: &str) -> String {
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let made_by_flink = matches!(label("type"), Some("flink-native-kubernetes" | "flink-standalone-kubernetes"));
    let named = label("app")
        .filter(|_| made_by_flink)
        .or_else(|| label("app.kubernetes.io/instance"))
        .or_else(|| label("app").filter(|name| *name != "flink"))
        .or_else(|| label("cluster"));
    named.map_or_else(|| base(workload).to_owned(), str::to_owned)
}

/// The processor of a pod.
#[must_use]
pub fn processor_of_pod(meta: &Meta) -> String {
    processor(&meta.labels, workload_of_pod(meta))
}

/// The name of the workload that made a pod, as far as the pod tells.
fn workload_of_pod(meta: &Meta) -> &str {
    match &meta.owner {
        // A ReplicaSet is named after its Deployment and a hash.
        Some((kind, name)) if kind == "ReplicaSet" => meta
            .labels
            .get("pod-template-hash")
            .and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'))
            .or_else(|| name.rsplit_once('-').map(|(workload, _)| workload))
            .unwrap_or(name),
        Some((_, name)) => name,
        None => {
            // A bare pod: `NAME-taskmanager-1-3`.
            let cut = ENDINGS.iter().filter_map(|ending| meta.name.rfind(&format!("{ending}-"))).max();
            cut.and_then(|end| meta.name.get(..end)).unwrap_or(&meta.name)
        }
    }
}

fn base(workload: &str) -> &str {
    if matches!(workload, "jobmanager" | "taskmanager") {
        return "flink";
    }
    ENDINGS.iter().find_map(|ending| workload.strip_suffix(ending)).filter(|base| !base.is_empty()).unwrap_or(workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn pod(name: &str, owner: Option<(&str, &str)>, pairs: &[(&str, &str)]) -> Meta {
        Meta {
            name: name.into(),
            owner: owner.map(|(kind, name)| (kind.into(), name.into())),
            labels: labels(pairs),
            ..Meta::default()
        }
    }

    #[test]
    fn flinks_own_labels_win() {
        let own = [("type", "flink-native-kubernetes"), ("app", "orders"), ("app.kubernetes.io/instance", "helm")];
        assert_eq!(processor(&labels(&own), "orders"), "orders");
        assert_eq!(processor(&labels(&own[1..]), "orders"), "helm");
        assert_eq!(processor(&labels(&own[1..2]), "x"), "orders");
        assert_eq!(processor(&labels(&[("app", "flink"), ("cluster", "orders")]), "x"), "orders");
    }

    #[test]
    fn names_tell_when_labels_do_not() {
        let shared = [("app", "flink"), ("component", "taskmanager")];
        for (workload, name) in [
            ("flink-jobmanager", "flink"),
            ("orders-taskmanager", "orders"),
            ("orders-jm", "orders"),
            ("orders", "orders"),
            ("jobmanager", "flink"),
        ] {
            assert_eq!(processor(&labels(&shared), workload), name);
        }
    }

    #[test]
    fn pods_are_named_by_their_owner() {
        let shared = [("app", "flink"), ("pod-template-hash", "5d8f4")];
        let owned = |kind, name| pod("p", Some((kind, name)), &shared);
        assert_eq!(processor_of_pod(&owned("ReplicaSet", "orders-jobmanager-5d8f4")), "orders");
        assert_eq!(processor_of_pod(&owned("StatefulSet", "orders-taskmanager")), "orders");
        assert_eq!(processor_of_pod(&owned("Job", "orders-jobmanager")), "orders");
        assert_eq!(processor_of_pod(&pod("orders-taskmanager-1-12", None, &shared)), "orders");
    }
}
