//! The two questions of a tail: how does the container stand, and what is in its log?

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use kube::Resource;
use kube::api::{GetParams, LogParams};
use kube::client::Body;
use kube::core::Request;
use serde_json::Value;
use tokio::time::timeout;

use crate::model::Time;
use crate::model::log::Container;
use crate::source::kube::Cluster;
use crate::source::kube::trouble::{Trouble, of_status};
use crate::source::kube::wire::pod::{ContainerStatus, Pod};

/// How long the beginning of an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a refusal that are read.
const REFUSAL: usize = 4_096;

/// Which log is wanted, and from where on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Of the run before.
    pub previous: bool,
    /// Also what will be written.
    pub follow: bool,
    /// From then on, to the second.
    pub since: Option<Time>,
    /// The last lines alone.
    pub lines: Option<i64>,
}

/// A container as the API server sees it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Identity of the pod, which one of the same name that comes after it does not share.
    pub pod: Option<String>,
    /// How the container stands; a blank one before the kubelet said anything.
    pub status: ContainerStatus,
}

impl Found {
    /// Whether it is in the pod that was known before.
    #[must_use]
    pub fn same_pod(&self, known: Option<&str>) -> bool {
        known.is_none_or(|known| self.pod.as_deref() == Some(known))
    }
}

/// How the container stands.
///
/// # Errors
/// When the server does not say: [`Trouble::Absent`] when the pod is gone.
pub async fn status(cluster: &Cluster, container: &Container) -> Result<Found, Trouble> {
    let request = Request::new(Pod::url_path(&(), Some(&container.pod.namespace)))
        .get(&container.pod.name, &GetParams::default())
        .map_err(|error| Trouble::Garbled(error.to_string().into()))?;
    let answer = timeout(PATIENCE, cluster.client.request::<Pod>(request)).await.map_err(|_| late())?;
    let pod = answer.map_err(|error| Trouble::from(&error))?;
    let mut all = pod.status.container_statuses.into_iter().chain(pod.status.init_container_statuses);
    let status = all.find(|status| status.name == *container.name).unwrap_or_default();
    Ok(Found { pod: pod.metadata.head.uid, status })
}

/// Opens the log, each line with its time.
///
/// # Errors
/// When the server does not give it.
pub async fn open(cluster: &Cluster, container: &Container, wanted: Wanted) -> Result<Body, Trouble> {
    let parameters = LogParams {
        container: Some(container.name.to_string()),
        previous: wanted.previous,
        follow: wanted.follow,
        tail_lines: wanted.lines,
        timestamps: true,
        ..LogParams::default()
    };
    let garbled = |words: String| Trouble::Garbled(words.into());
    let mut request = Request::new(Pod::url_path(&(), Some(&container.pod.namespace)))
        .logs(&container.pod.name, &parameters)
        .map_err(|error| garbled(error.to_string()))?;
    // kube would round up to the next second, and lose the lines of half of one.
    if let Some(since) = wanted.since {
        let address = format!("{}&sinceTime={}", request.uri(), since.format("%Y-%m-%dT%H:%M:%SZ"));
        *request.uri_mut() = address.parse().map_err(|error: http::uri::InvalidUri| garbled(error.to_string()))?;
    }
    let sent = timeout(PATIENCE, cluster.client.send(request.map(Body::from))).await.map_err(|_| late())?;
    let response = sent.map_err(|error| Trouble::from(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    let said = timeout(PATIENCE, refusal(response.into_body())).await.unwrap_or_default();
    Err(of_status(status.as_u16(), status.canonical_reason().unwrap_or_default(), &said))
}

/// The server's words, without the frame that it puts round them.
async fn refusal(mut body: Body) -> String {
    let mut kept: Vec<u8> = Vec::new();
    while kept.len() < REFUSAL
        && let Some(Ok(frame)) = body.frame().await
    {
        kept.extend(frame.into_data().unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&kept).into_owned();
    let status: Option<Value> = serde_json::from_str(&text).ok();
    let message = status.as_ref().and_then(|status| status.get("message")?.as_str());
    message.map_or_else(|| text.clone(), ToOwned::to_owned)
}

fn late() -> Trouble {
    let words: Arc<str> = format!("no answer within {} s", PATIENCE.as_secs()).into();
    Trouble::Unreachable(words)
}
