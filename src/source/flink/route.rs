//! How to reach the REST API of a Flink cluster.
//!
//! A URL template from the settings wins. Without one the API server passes requests on to the cluster's
//! REST service, which needs no set-up: `NAME-rest` where Flink or its operator made it, else the service
//! whose selector fits the JobManager's pods. What was found is remembered for minutes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::model::interest::JobInterest;
use crate::source::kube::Cluster;
use crate::source::kube::trouble::Trouble;
use crate::source::kube::wire::nullable;

/// How long a namespace's services are remembered.
const FRESH: Duration = Duration::from_mins(5);
/// Flink's REST port.
const REST_PORT: u16 = 8081;
/// Names of REST ports, best first: native Flink and its operator, Flink's documentation, Spotify's operator.
const PORT_NAMES: [&str; 4] = ["rest", "webui", "ui", "https"];

/// A namespace and the deployment in it whose REST API is meant.
pub type Host = (Arc<str>, Arc<str>);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Services {
    #[serde(deserialize_with = "nullable")]
    items: Vec<Service>,
}

/// A service, as far as it matters here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    metadata: Named,
    spec: ServiceSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    #[serde(deserialize_with = "nullable")]
    selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    ports: Vec<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    name: String,
    #[serde(rename = "port")]
    number: u16,
    app_protocol: Option<String>,
}

/// Routes that were found.
#[derive(Debug, Default)]
pub struct Routes {
    services: Mutex<HashMap<Arc<str>, (Instant, Arc<[Service]>)>>,
    good: Mutex<HashMap<Host, String>>,
}

impl Routes {
    /// Paths of the API server to try, best first.
    ///
    /// # Errors
    /// When nothing is known and services may not be listed.
    pub async fn candidates(&self, cluster: &Cluster, job: &JobInterest) -> Result<Vec<String>, Trouble> {
        let namespace = &job.processor.namespace;
        if let Some(good) = self.lock_good().get(&host(job)) {
            return Ok(vec![good.clone()]);
        }
        let usual = proxy(namespace, &format!("{}-rest:{REST_PORT}", job.host));
        if made_by_flink(job) {
            return Ok(vec![usual]);
        }
        match self.services(cluster, namespace).await {
            Ok(services) => {
                let found = pick(&services, job).map(|target| proxy(namespace, &target));
                Ok(vec![found.unwrap_or(usual)])
            }
            // Whoever may not list services may still reach one by its name.
            Err(Trouble::Forbidden(_)) => Ok(vec![usual]),
            Err(trouble) => Err(trouble),
        }
    }

    /// What else to try where the usual name leads nowhere: the services themselves.
    pub async fn second_thoughts(&self, cluster: &Cluster, job: &JobInterest, tried: &str) -> Option<String> {
        let namespace = &job.processor.namespace;
        let services = self.services(cluster, namespace).await.ok()?;
        pick(&services, job).map(|target| proxy(namespace, &target)).filter(|path| path != tried)
    }

    /// Remembers a route that led to an answer.
    pub fn remember(&self, job: &JobInterest, path: &str) {
        self.lock_good().entry(host(job)).or_insert_with(|| path.to_owned());
    }

    /// Forgets a route that did not.
    pub fn forget(&self, job: &JobInterest) {
        self.lock_good().remove(&host(job));
    }

    fn lock_good(&self) -> std::sync::MutexGuard<'_, HashMap<Host, String>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn services(&self, cluster: &Cluster, namespace: &Arc<str>) -> Result<Arc<[Service]>, Trouble> {
        let known = self.services.lock().unwrap_or_else(PoisonError::into_inner).get(namespace).cloned();
        if let Some((at, services)) = known
            && at.elapsed() < FRESH
        {
            return Ok(services);
        }
        let answer = cluster.get(&format!("/api/v1/namespaces/{namespace}/services")).await?;
        if !answer.is_success() {
            let words = super::decode::error_line(&answer.text).unwrap_or_default();
            return Err(crate::source::kube::trouble::of_status(answer.code, "", &words));
        }
        let services: Services =
            serde_json::from_str(&answer.text).map_err(|error| Trouble::Garbled(error.to_string().into()))?;
        let services: Arc<[Service]> = services.items.into();
        let mut known = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(namespace.clone(), (Instant::now(), services.clone()));
        Ok(services)
    }
}

fn host(job: &JobInterest) -> Host {
    (job.processor.namespace.clone(), job.host.clone())
}

fn made_by_flink(job: &JobInterest) -> bool {
    job.job_manager_labels
        .get("type")
        .is_some_and(|made_by| matches!(&**made_by, "flink-native-kubernetes" | "flink-standalone-kubernetes"))
}

fn proxy(namespace: &str, target: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{target}/proxy")
}

/// The base address from a template.
#[must_use]
pub fn fill(template: &str, job: &JobInterest) -> String {
    template
        .replace("{namespace}", &job.processor.namespace)
        .replace("{name}", &job.host)
        .trim_end_matches('/')
        .to_owned()
}

/// The service that leads to the job's JobManager, as the API server's proxy writes it: `[https:]NAME:PORT`.
#[must_use]
pub fn pick(services: &[Service], job: &JobInterest) -> Option<String> {
    let ports = services.iter().filter(|service| fits(service, job)).flat_map(|service| {
        // Jobs of plain manifests may share all their labels: then the name decides.
        let stranger = !is_named_after(service, job);
        service.spec.ports.iter().filter_map(move |port| Some(((rank(port)?, stranger), service, port)))
    });
    let (_, service, port) = ports.min_by_key(|(rank, service, _)| (*rank, service.metadata.name.clone()))?;
    let scheme = if speaks_https(port) { "https:" } else { "" };
    Some(format!("{scheme}{}:{}", service.metadata.name, port.number))
}

fn fits(service: &Service, job: &JobInterest) -> bool {
    let (selector, labels) = (&service.spec.selector, &job.job_manager_labels);
    let selects =
        || selector.iter().all(|(name, value)| labels.get(name.as_str()).is_some_and(|label| **label == **value));
    !selector.is_empty() && if labels.is_empty() { is_named_after(service, job) } else { selects() }
}

fn is_named_after(service: &Service, job: &JobInterest) -> bool {
    let ending = service.metadata.name.strip_prefix(&*job.host);
    ending.is_some_and(|ending| matches!(ending, "" | "-rest" | "-jobmanager" | "-jobmanager-rest" | "-jm"))
}

/// How likely a port is the REST port: by name, then by number.
fn rank(port: &Port) -> Option<usize> {
    let name = PORT_NAMES.iter().position(|known| port.name == *known || port.name.starts_with(&format!("{known}-")));
    name.or_else(|| (port.number == REST_PORT).then_some(PORT_NAMES.len()))
}

fn speaks_https(port: &Port) -> bool {
    let protocol = port.app_protocol.as_deref().unwrap_or_default();
    protocol.rsplit('/').next() == Some("https") || port.name.split('-').any(|part| part == "https")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::interest::Depth;
    use crate::model::key::ObjectKey;

    fn job(labels: &[(&str, &str)]) -> JobInterest {
        JobInterest {
            processor: ObjectKey::new("e", "prd", "orders"),
            host: "orders".into(),
            job_manager_labels: labels.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
            job_id: None,
            depth: Depth::Summary,
        }
    }

    fn service(name: &str, selector: &Value, ports: &Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {"selector": selector, "ports": ports}})
    }

    fn picked(services: &[Value], labels: &[(&str, &str)]) -> Option<String> {
        let services: Vec<Service> = serde_json::from_value(Value::Array(services.to_vec())).unwrap();
        pick(&services, &job(labels))
    }

    #[test]
    fn the_service_of_the_docs() {
        let labels = [("app", "flink"), ("component", "jobmanager")];
        let ports = json!([{"name": "rpc", "port": 6123}, {"name": "webui", "port": 8081}]);
        let own = service("flink-jobmanager", &json!({"app": "flink", "component": "jobmanager"}), &ports);
        let other = service("a-web", &json!({"app": "web"}), &ports);
        let none = service("b-none", &Value::Null, &ports);
        let same = service("orders-jobmanager", &json!({"app": "flink"}), &json!([{"name": "webui", "port": 8081}]));
        assert_eq!(picked(&[other, none, own.clone()], &labels).as_deref(), Some("flink-jobmanager:8081"));
        assert_eq!(picked(&[own, same], &labels).as_deref(), Some("orders-jobmanager:8081"));
    }

    #[test]
    fn names_tell_where_labels_are_unknown_and_https_is_said() {
        let selector = json!({"app": "orders"});
        let tls = service(
            "orders-rest",
            &selector,
            &json!([{"name": "rest", "port": 8443, "appProtocol": "kubernetes.io/https"}]),
        );
        let headless = service("orders", &selector, &json!([{"name": "x", "port": 8081}]));
        assert_eq!(picked(&[headless.clone(), tls], &[]).as_deref(), Some("https:orders-rest:8443"));
        assert_eq!(picked(&[headless], &[]).as_deref(), Some("orders:8081"));
        assert_eq!(picked(&[], &[]), None);
    }

    #[test]
    fn templates_are_filled() {
        assert_eq!(fill("https://{namespace}.flink/{name}/", &job(&[])), "https://prd.flink/orders");
    }
}
