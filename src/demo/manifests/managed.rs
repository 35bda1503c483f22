//! Objects and revisions of a pipeline that flowdeck itself deployed, made by its own renderer: so a change of it from
//! the console differs in what was changed, and in nothing else.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::with_managers;
use crate::demo::kubernetes::store::set;
use crate::demo::plan::{ClusterPlan, managed};
use crate::model::manifest::{self, Document, Judgement};
use crate::plan::object::MANAGER;
use crate::plan::render::{Rendered, render};
use crate::plan::revision::{Revision, State};
use crate::plan::target::{KafkaClient, Target};
use crate::plan::verb::Verb;

/// Where the pipeline is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) environment: &'a str,
    /// Kafka's bootstrap servers.
    pub(crate) kafka: &'a str,
    pub(crate) created: DateTime<Utc>,
}

fn target(plan: &ClusterPlan, site: Site<'_>) -> Target {
    Target {
        environment: site.environment.to_owned(),
        namespace: plan.namespace.clone(),
        image: managed::IMAGE.to_owned(),
        jar: "local:///opt/flink/usrlib/{artifact}.jar".to_owned(),
        service_account: managed::ACCOUNT.to_owned(),
        state: Some(managed::STATE.to_owned()),
        kafka: KafkaClient { bootstrap: Some(site.kafka.to_owned()), ..KafkaClient::default() },
    }
}

fn rendered(plan: &ClusterPlan, text: &str, site: Site<'_>) -> Option<Rendered> {
    let (documents, _) = manifest::read(text, &Judgement::default());
    let Some(Document::Pipeline(pipeline)) = documents.into_iter().next() else { return None };
    render(&pipeline, &target(plan, site), pipeline.spec.runtime).ok()
}

fn stamped(plan: &ClusterPlan, text: &str, (number, site): (u32, Site<'_>)) -> Vec<Value> {
    let Some(mut rendered) = rendered(plan, text, site) else { return Vec::new() };
    rendered.stamp(u64::from(number));
    rendered.objects().cloned().collect()
}

/// The objects that run, as somebody applied them; none for a pipeline that somebody else deployed.
pub(crate) fn objects(plan: &ClusterPlan, site: Site<'_>) -> Option<Vec<Value>> {
    let text = managed::manifest(plan)?;
    let finished = |mut object: Value| {
        if let Some(metadata) = object.get_mut("metadata") {
            set(metadata, "creationTimestamp", json!(super::time(site.created)));
        }
        with_managers(object, &[(MANAGER, "Apply", "spec")])
    };
    Some(stamped(plan, text, (plan.facts.revision, site)).into_iter().map(finished).collect())
}

/// The revisions that are kept of it, as ConfigMaps.
pub(crate) fn revisions(plan: &ClusterPlan, site: Site<'_>) -> Vec<Value> {
    let Some(text) = managed::manifest(plan) else { return Vec::new() };
    let of = |(ago, by): (u32, &str)| {
        let (text, number) = (managed::earlier(text, ago), plan.facts.revision.checked_sub(ago)?);
        let revision = Revision {
            number: u64::from(number),
            pipeline: plan.pipeline.clone(),
            namespace: plan.namespace.clone(),
            state: if ago == 0 { State::Deployed } else { State::Superseded },
            verb: if ago == 1 { Verb::Scale } else { Verb::Apply },
            by: by.to_owned(),
            at: site.created - TimeDelta::days(i64::from(ago) * 9),
            note: String::new(),
            objects: stamped(plan, &text, (number, site)),
            manifest: Some(text),
        };
        revision.to_object().ok()
    };
    [(2, "maya"), (1, "ravi"), (0, "maya")].into_iter().filter_map(of).collect()
}
