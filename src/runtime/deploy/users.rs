//! What all pipelines of the cluster do in Kafka, as far as this user may look, and which topics routes lead through.

use std::collections::BTreeMap;
use std::iter::once;

use serde_json::{Value, json};

use super::desk::{DeployError, Desk};
use crate::plan::object::{Kind, set};
use crate::plan::remnants::{Others, uses};
use crate::router::spec::Spec;
use crate::source::kube::trouble::Trouble;

/// Asks for all of them, the pipeline that is changed among them.
///
/// # Errors
/// When the server does not answer, or a route's spec cannot be read.
pub(super) async fn users(desk: &Desk) -> Result<Others, DeployError> {
    let (mut others, namespace) = (Others::default(), desk.target.namespace.as_str());
    for kind in [Kind::FlinkDeployment, Kind::Deployment] {
        let typed = |mut object: Value| {
            set(&mut object, &["kind"], json!(kind.word()));
            uses([&object]).pop()
        };
        let everywhere = format!("/apis/{}/{}", kind.api_version(), kind.plural());
        let found = match desk.cluster.list(&everywhere, None, typed).await {
            Err(Trouble::Forbidden(_)) => {
                others.unseen = Some(format!("pipelines of other namespaces than {namespace} could not be looked at"));
                let here = format!("/apis/{}/namespaces/{namespace}/{}", kind.api_version(), kind.plural());
                desk.cluster.list(&here, None, typed).await
            }
            found => found,
        };
        others.uses.extend(found.map_err(|trouble| DeployError::Read { what: kind.plural().into(), trouble })?);
    }
    others.routes = routes(desk)?;
    Ok(others)
}

/// Topics that routes of the settings read, write or fill, with the name of the route.
fn routes(desk: &Desk) -> Result<BTreeMap<String, String>, DeployError> {
    let mut found = BTreeMap::new();
    for path in &desk.routes {
        let spec = Spec::open(path).map_err(|error| DeployError::Failed(error.to_string()))?;
        let lanes = spec.lanes.iter().flat_map(|lane| [Some(&lane.topic), lane.output.as_ref()]).flatten().cloned();
        let control = &spec.control;
        let own = [control.topic.clone(), control.requests(), control.status(), control.receipts()];
        let topics = once(spec.source.topic.clone()).chain(lanes).chain(own);
        found.extend(topics.map(|topic| (topic, spec.name.clone())));
    }
    Ok(found)
}
