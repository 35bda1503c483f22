//! CPU and memory of pods, from the metrics API, while somebody looks.
//!
//! Many clusters have no metrics server. That is no fault: it is remembered and looked at again later.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::Resource;
use serde::Deserialize;
use tokio::sync::watch as latest;
use tokio::time::{sleep, timeout};

use super::map::Mapper;
use super::pace::spread;
use super::trouble::Trouble;
use super::watch::Watch;
use super::watched::SELECTOR;
use super::wire::nullable;
use super::wire::record::PodMetrics;
use crate::model::change::Change;
use crate::model::interest::Interest;
use crate::model::key::PodKey;
use crate::model::pod::Usage;
use crate::model::quantity;

/// Time between two looks; metrics servers measure every 15 s or slower.
const INTERVAL: Duration = Duration::from_secs(10);
/// Time to the next look where there are no metrics, or not for us.
const RECHECK: Duration = Duration::from_mins(2);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Polls for as long as somebody listens.
pub async fn poll(watch: Watch, mut interest: latest::Receiver<Arc<Interest>>) {
    let environment = watch.cluster.environment.name.clone();
    let mut mapper = Mapper::new(environment.clone());
    loop {
        if interest.wait_for(|interest| interest.usage.contains(&environment)).await.is_err() {
            return;
        }
        watch.gate.open().await;
        let mut all = Vec::new();
        let (mut missing, mut failed) = (false, false);
        for namespace in watch.cluster.scopes() {
            match list(&watch, namespace.as_deref(), &mut mapper).await {
                Ok(usage) => all.extend(usage),
                Err(trouble) => {
                    tracing::debug!(%environment, error = %trouble, "no pod metrics");
                    let is_for_good = matches!(trouble, Trouble::Absent(_) | Trouble::Forbidden(_));
                    missing |= is_for_good;
                    failed |= !is_for_good;
                }
            }
        }
        if failed {
            // What was measured last stays; one look that failed says nothing of the pods.
            sleep(spread(INTERVAL)).await;
            continue;
        }
        let rest = if missing && all.is_empty() { RECHECK } else { INTERVAL };
        if watch.changes.send(Change::Usage(environment.clone(), all)).await.is_err() {
            return;
        }
        sleep(spread(rest)).await;
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    #[serde(deserialize_with = "nullable")]
    items: Vec<PodMetrics>,
}

async fn list(watch: &Watch, namespace: Option<&str>, mapper: &mut Mapper) -> Result<Vec<(PodKey, Usage)>, Trouble> {
    let selector: String = SELECTOR.replace(' ', "%20");
    let address = format!("{}?labelSelector={selector}", PodMetrics::url_path(&(), namespace));
    let request = Request::get(address).body(Vec::new()).map_err(|error| Trouble::Garbled(error.to_string().into()))?;
    let answer: List = match timeout(PATIENCE, watch.cluster.client.request(request)).await {
        Ok(answer) => answer.map_err(|error| Trouble::from(&error))?,
        Err(_) => return Err(Trouble::Busy("no answer from the metrics API".into())),
    };
    Ok(answer.items.iter().map(|metrics| (mapper.key(&metrics.metadata), sum(metrics))).collect())
}

fn sum(metrics: &PodMetrics) -> Usage {
    let of = |amount: Option<&str>, read: fn(&str) -> Option<u64>| amount.and_then(read).unwrap_or(0);
    metrics.containers.iter().fold(Usage { cpu_millis: 0, memory_bytes: 0 }, |sum, container| Usage {
        cpu_millis: sum.cpu_millis + of(container.usage.cpu.as_deref(), quantity::cpu_millis),
        memory_bytes: sum.memory_bytes.saturating_add(of(container.usage.memory.as_deref(), quantity::bytes)),
    })
}
