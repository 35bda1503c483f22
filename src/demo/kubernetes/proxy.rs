//! The service proxy: the way to a cluster's Flink REST API with nothing but a kubeconfig.

use super::Call;
use super::request::Target;
use super::resources::SERVICES;
use super::status::Refusal;
use super::store::Key;
use crate::demo::environment::Environment;
use crate::demo::flink;
use crate::demo::http::{Reply, decode};

pub(crate) fn forward(environment: &Environment, target: &Target, call: &Call) -> Result<Reply, Refusal> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let name = target.name.as_deref().unwrap_or_default();
    let (service, port) = address(name);
    let object = environment
        .store
        .value(&Key::new(&SERVICES, namespace, service))
        .ok_or_else(|| Refusal::not_found(&SERVICES, service))?;
    let ports = object.pointer("/spec/ports").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let number = ports
        .iter()
        .find(|candidate| match port {
            "" => ports.len() == 1,
            port => candidate["name"] == port || candidate["port"].as_u64() == port.parse().ok(),
        })
        .and_then(|found| found["port"].as_u64())
        .ok_or_else(|| Refusal::unavailable(format!("no service port {port:?} found for service {service:?}")))?;
    let app = object.pointer("/spec/selector/app").and_then(serde_json::Value::as_str).unwrap_or_default();

    let world = environment.world();
    let no_endpoints = || Refusal::unavailable(format!("no endpoints available for service {service:?}"));
    let cluster = world.cluster(namespace, app).ok_or_else(no_endpoints)?;
    let manager = cluster.job_manager().filter(|pod| pod.is_ready()).ok_or_else(no_endpoints)?;
    if number != 8081 || !environment.flink_is_up() {
        return Err(Refusal::unavailable(format!(
            "error trying to reach service: dial tcp {}:{number}: connect: connection refused",
            manager.address
        )));
    }
    let cluster_id = (cluster.plan.namespace.clone(), cluster.plan.name.clone());
    drop(world);
    let request = flink::RestRequest {
        method: call.method.as_str(),
        path: &decode(&target.rest, false),
        query: super::request::Query::parse(call.raw_query.as_deref()),
        body: &call.body,
    };
    Ok(flink::answer(environment, &cluster_id, &request))
}

/// `[scheme:]name[:port]`.
fn address(text: &str) -> (&str, &str) {
    let text = text.strip_prefix("http:").or_else(|| text.strip_prefix("https:")).unwrap_or(text);
    text.split_once(':').unwrap_or((text, ""))
}
