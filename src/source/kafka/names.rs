//! Names of all topics and groups of a cluster, while somebody looks at the lists.
//!
//! Listing ten thousand groups is one request to each broker, but its answers are large, so it has its own
//! connections beside those of the rounds, and it comes less often the longer it takes. A broker that does
//! not answer keeps the groups that it last named.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{ListGroupsRequest, MetadataRequest};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::properties::ClientProperties;
use super::trouble::Trouble;
use crate::event::Event;
use crate::model::change::Change;
use crate::model::interest::Interest;

/// Between two listings.
const INTERVAL: Duration = Duration::from_secs(10);
/// A listing may take this part of the time.
const SHARE: u32 = 20;
/// How long a broker may take for its list.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a failure; the link of the environment tells about it.
const AGAIN: Duration = Duration::from_secs(2);

/// A group's name and its state word.
pub(super) type Named = (Arc<str>, Arc<str>);

/// Lists names as long as the interest asks for them.
pub(super) async fn run(
    environment: Arc<str>,
    properties: Arc<ClientProperties>,
    mut interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
) {
    let mut cluster = Cluster::new(properties, PATIENCE);
    let mut groups = BTreeMap::new();
    loop {
        if interest.wait_for(|wanted| wanted.kafka_names.contains(&environment)).await.is_err() {
            return;
        }
        let begun = Instant::now();
        let wait = match list(&environment, &mut cluster, &mut groups, &events).await {
            Ok(()) => INTERVAL.max(begun.elapsed() * SHARE),
            Err(trouble) => {
                tracing::debug!(%environment, error = %trouble, "names not listed");
                cluster.start_over();
                AGAIN
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn list(
    environment: &Arc<str>,
    cluster: &mut Cluster,
    groups: &mut BTreeMap<i32, Vec<Named>>,
    events: &mpsc::Sender<Event>,
) -> Result<(), Trouble> {
    let all_topics = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
    let answer = cluster.metadata(&all_topics).await?;
    let mut topics: Vec<Arc<str>> =
        answer.topics.iter().filter_map(|topic| Some(topic.name.as_ref()?.as_str().into())).collect();
    drop(answer);
    topics.sort_unstable();
    report(events, Change::TopicNames(environment.clone(), topics)).await;
    let trouble = list_groups(cluster, groups).await;
    let mut names: Vec<Named> = groups.values().flatten().cloned().collect();
    names.sort_unstable();
    names.dedup_by(|a, b| a.0 == b.0);
    match trouble {
        Some(trouble) if names.is_empty() => Err(trouble),
        _ => {
            report(events, Change::GroupNames(environment.clone(), names)).await;
            Ok(())
        }
    }
}

/// Asks every broker for its groups; returns the trouble of one that did not tell.
pub(super) async fn list_groups(cluster: &mut Cluster, groups: &mut BTreeMap<i32, Vec<Named>>) -> Option<Trouble> {
    let brokers = cluster.brokers();
    groups.retain(|broker, _| brokers.contains(broker));
    let batches = brokers.into_iter().map(|broker| (broker, broker)).collect();
    let mut trouble = None;
    for answer in cluster.ask::<ListGroupsRequest, _, _>(batches, 5, |_, _| vec![ListGroupsRequest::default()]).await {
        match answer.result {
            Ok(responses) => {
                for response in responses {
                    if let Some(code) = response.error_code.err() {
                        trouble = Some(Trouble::of_answer(code));
                        continue;
                    }
                    let named = |group: &kafka_protocol::messages::list_groups_response::ListedGroup| {
                        (Arc::from(group.group_id.as_str()), Arc::from(group.group_state.as_str()))
                    };
                    groups.insert(answer.about, response.groups.iter().map(named).collect());
                }
            }
            Err(error) => trouble = Some(error),
        }
    }
    trouble
}

async fn report(events: &mpsc::Sender<Event>, change: Change) {
    if events.send(Event::Changed(vec![change])).await.is_err() {
        tracing::debug!("nobody takes names any more");
    }
}
