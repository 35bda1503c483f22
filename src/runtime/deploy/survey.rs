//! A pipeline looked at before anything is done to it: its objects, its revisions, and what we may do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use super::desk::{DeployError, Desk};
use super::rollout::Way;
use crate::plan::dossier::{Dossier, Evidence};
use crate::plan::object::{Kind, runs_a_job};
use crate::plan::verb::Verb;

/// Questions under way at once.
const AT_ONCE: usize = 8;

/// Asks the cluster.
///
/// # Errors
/// When it does not answer, or there is no such pipeline.
pub async fn survey(desk: &Desk, pipeline: &str) -> Result<Dossier, DeployError> {
    let revisions = desk.revisions(&pipeline.to_lowercase()).await?;
    let objects =
        if revisions.is_empty() { desk.found(pipeline).await? } else { desk.managed(&pipeline.to_lowercase()).await? };
    let kinds: BTreeSet<Kind> = objects.iter().map(|(id, _)| id.kind).chain([Kind::ConfigMap]).collect();
    let questions = kinds.into_iter().flat_map(|kind| ["patch", "delete", "create"].map(|verb| (verb, kind)));
    let asked: Vec<_> = questions.map(|right| refusal(desk, right)).collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut forbidden = BTreeMap::new();
    for answer in answers {
        forbidden.extend(answer?);
    }
    let mut shut = None;
    for (id, object) in objects.iter().filter(|(id, object)| runs_a_job(id, object)) {
        shut = shut.or(desk.no_way_to_job(id, object).await?);
    }
    let evidence = Evidence {
        pipeline,
        place: &desk.place,
        revisions: &revisions,
        objects: &objects,
        forbidden: &forbidden,
        shut: shut.as_deref(),
    };
    let mut dossier = evidence.dossier();
    if let Err(error) = Way::to(desk, pipeline) {
        let why: Arc<str> = error.to_string().into();
        for verb in [Verb::Rollout, Verb::AbortRollout] {
            dossier.against.insert(verb.word(), why.clone());
        }
    }
    if revisions.is_empty() {
        dossier.editable.clone_from(&dossier.objects);
        dossier.editable.extend(desk.config_maps(pipeline).await?);
    }
    Ok(dossier)
}

/// A verb of the API server and a kind.
type Right = (&'static str, Kind);

/// Why we have no such right; nothing when we have it.
async fn refusal(desk: &Desk, (verb, kind): Right) -> Result<Option<(Right, Arc<str>)>, DeployError> {
    let asked = desk.cluster.may(verb, kind, &desk.target.namespace).await;
    let reason = asked.map_err(|trouble| DeployError::Read { what: "permissions".into(), trouble })?;
    Ok(reason.map(|reason| ((verb, kind), reason)))
}
