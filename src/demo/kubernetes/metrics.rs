//! `metrics.k8s.io`: what the pods use now.

use ::http::StatusCode;
use serde_json::{Value, json};

use super::request::{Query, Target};
use super::resources::POD_METRICS;
use super::selector::Selector;
use super::status::Refusal;
use crate::demo::environment::Environment;
use crate::demo::http::{Reply, json};
use crate::demo::manifests::{self, pod as manifest};
use crate::demo::world::cluster::Cluster;
use crate::demo::world::pod::Pod;
use crate::demo::world::usage;

pub(crate) fn answer(environment: &Environment, target: &Target, query: &Query) -> Result<Reply, Refusal> {
    let selector = Selector::parse(query.text("labelSelector"), "").map_err(Refusal::bad_request)?;
    let world = environment.world();
    let mut items = Vec::new();
    for cluster in world.clusters.values() {
        if target.namespace.as_ref().is_some_and(|namespace| *namespace != cluster.plan.namespace) {
            continue;
        }
        for pod in cluster.pods.iter().filter(|pod| pod.started.is_some() && pod.cpu > 0.0) {
            let labels = manifests::pod_labels(&cluster.plan, pod.role);
            let texts = labels
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            if selector.matches_labels(&texts) {
                items.push(item(cluster, pod, &Value::Object(labels)));
            }
        }
    }
    drop(world);
    if let Some(name) = &target.name {
        return items
            .into_iter()
            .find(|item| item["metadata"]["name"] == **name)
            .map(|item| json(StatusCode::OK, &item))
            .ok_or_else(|| Refusal::not_found(&POD_METRICS, name));
    }
    let list = json!({
        "kind": "PodMetricsList",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {"resourceVersion": ""},
        "items": items,
    });
    Ok(json(StatusCode::OK, &list))
}

fn item(cluster: &Cluster, pod: &Pod, labels: &Value) -> Value {
    let now = manifests::time(chrono::Utc::now());
    json!({
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {"name": pod.name, "namespace": cluster.plan.namespace, "creationTimestamp": now, "labels": labels},
        "timestamp": now,
        "window": "15.2s",
        "containers": [{"name": manifest::container_name(&cluster.plan), "usage": usage(cluster, pod)}],
    })
}
