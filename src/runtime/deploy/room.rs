//! Before something is deployed, the cluster is asked for quotas, limits, nodes, and what runs on them.
//!
//! It is asked only when pods come or are replaced, page by page, and what is kept of a pod is what it asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::desk::{DeployError, Desk};
use crate::plan::room::amounts::{self, Amounts};
use crate::plan::room::nodes::{Node, with_pod};
use crate::plan::room::pods::{Fleet, Pod};
use crate::plan::room::{self, Room, Site, Told};

/// How long one list may take, with all of its pages.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the pods of a change find room.
///
/// # Errors
/// When the server does not answer any more; what it does not let us know is a finding.
pub async fn check(desk: &Desk, fleets: &[Fleet]) -> Result<Room, DeployError> {
    if !room::matters(fleets) {
        return Ok(Room::default());
    }
    let namespace = &desk.target.namespace;
    let inside = |plural: &str| format!("/api/v1/namespaces/{namespace}/{plural}");
    let (quotas, limits, pods) = (inside("resourcequotas"), inside("limitranges"), inside("pods"));
    let nodes = "/api/v1/nodes";
    let (quotas, limits, pods, nodes, bound) = tokio::try_join!(
        told(desk, &quotas, Some),
        told(desk, &limits, Some),
        told(desk, &pods, |pod| Pod::of(&pod)),
        told(desk, nodes, |node| Node::of(&node)),
        bound(desk),
    )?;
    Ok(room::look(fleets, &Site { quotas, limits, pods, nodes, bound }))
}

/// What the pods of all namespaces ask for, by node.
async fn bound(desk: &Desk) -> Result<Told<BTreeMap<String, Amounts>>, DeployError> {
    let mut bound: BTreeMap<String, Amounts> = BTreeMap::new();
    // Each is added up as it comes: thousands of them are no list here.
    let counted = told(desk, "/api/v1/pods", |pod| {
        let Pod { node, requests, .. } = Pod::of(&pod)?;
        amounts::add(bound.entry(node?).or_default(), &with_pod(requests));
        None::<()>
    });
    Ok(counted.await?.map(|_| bound))
}

async fn told<T>(desk: &Desk, path: &str, keep: impl FnMut(Value) -> Option<T>) -> Result<Told<Vec<T>>, DeployError> {
    match timeout(PATIENCE, desk.cluster.list(path, None, keep)).await {
        Ok(Ok(listed)) => Ok(Ok(listed)),
        Ok(Err(trouble)) if trouble.is_link() => Err(DeployError::Read { what: path.to_owned(), trouble }),
        Ok(Err(trouble)) => Ok(Err(trouble.to_string().into())),
        Err(_) => Ok(Err(format!("{path} did not come within {} s", PATIENCE.as_secs()).into())),
    }
}
