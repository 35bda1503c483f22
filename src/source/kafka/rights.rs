//! What a cluster says of topics, of what they hold and of who may use them, asked once before something is deployed.
//!
//! It changes nothing, and what the broker does not tell is said as such.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::tides::tides;
use super::topics::metadata_request;
use super::trouble::Trouble;
use crate::plan::topics::{Operation, Resource, Rights, Rule, Seen, Told};
use crate::settings::KafkaSettings;

/// How long a broker may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Numbers of Kafka's protocol: kinds of resources, of patterns, of operations.
const ANY: i8 = 1;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const PATTERN_MATCH: i8 = 2;
const OPERATION_ALL: i8 = 2;
const OPERATION_READ: i8 = 3;
const OPERATION_WRITE: i8 = 4;
const ALLOW: i8 = 3;

/// Asks a cluster for topics, and for the rules of resources.
///
/// # Errors
/// In words, when the cluster as a whole does not answer.
pub async fn look(
    settings: KafkaSettings,
    topics: &BTreeSet<String>,
    resources: &BTreeSet<Resource>,
) -> Result<Seen, String> {
    let properties = Arc::new(super::read(settings).await?);
    let late = || format!("Kafka did not answer within {} s", LIMIT.as_secs());
    let asked = ask(Cluster::new(properties, PATIENCE), topics, resources);
    timeout(LIMIT, asked).await.map_err(|_| late())?.map_err(|trouble| trouble.to_string())
}

async fn ask(mut cluster: Cluster, topics: &BTreeSet<String>, resources: &BTreeSet<Resource>) -> Result<Seen, Trouble> {
    let names: Vec<Arc<str>> = topics.iter().map(|name| name.as_str().into()).collect();
    let answer = cluster.metadata(&metadata_request(names.iter())).await?;
    let told = answer.topics.iter().filter_map(|topic| {
        let told = match topic.error_code.err() {
            None => Told::There(u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX)),
            Some(ResponseError::UnknownTopicOrPartition) => Told::Missing,
            Some(ResponseError::TopicAuthorizationFailed) => {
                Told::Unknown("this user may not describe it, or it does not exist".into())
            }
            Some(code) => Told::Unknown(code.to_string()),
        };
        Some((topic.name.as_ref()?.to_string(), told))
    });
    let topics = told.collect();
    let tides = tides(&mut cluster, &answer.topics).await;
    Ok(Seen { topics, tides, rights: rights(&mut cluster, resources).await })
}

async fn rights(cluster: &mut Cluster, resources: &BTreeSet<Resource>) -> Rights {
    let Some(broker) = cluster.brokers().first().copied() else { return Rights::Unknown("no broker is known".into()) };
    let wanted: Vec<&Resource> = resources.iter().collect();
    let build = |wanted: &Vec<&Resource>, _| wanted.iter().map(|resource| request(resource)).collect();
    let mut answers = cluster.ask::<DescribeAclsRequest, _, _>(vec![(broker, wanted)], 3, build).await;
    let Some(answer) = answers.pop() else { return Rights::Unknown("no broker answered".into()) };
    let responses = match answer.result {
        Ok(responses) => responses,
        Err(trouble) => return Rights::Unknown(trouble.to_string()),
    };
    let mut rules = BTreeMap::new();
    for (resource, response) in answer.about.into_iter().zip(responses) {
        match response.error_code.err() {
            None => drop(rules.insert(resource.clone(), response_rules(&response))),
            Some(ResponseError::SecurityDisabled) => return Rights::Everybody,
            Some(code) => {
                return Rights::Unknown(match Trouble::of_answer(code) {
                    Trouble::Forbidden => "this user may not ask for it (it needs Describe on the cluster)".into(),
                    other => other.to_string(),
                });
            }
        }
    }
    Rights::Rules(rules)
}

/// Rules whose pattern fits the name: the name itself, a beginning of it, or all names.
fn request(resource: &Resource) -> DescribeAclsRequest {
    let (kind, name) = match resource {
        Resource::Topic(name) => (TOPIC, name),
        Resource::Group(name) => (GROUP, name),
    };
    DescribeAclsRequest::default()
        .with_resource_type_filter(kind)
        .with_resource_name_filter(Some(StrBytes::from_string(name.clone())))
        .with_pattern_type_filter(PATTERN_MATCH)
        // Of everybody and from everywhere, so that a resource without any rule is told from one without ours.
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}

fn response_rules(response: &DescribeAclsResponse) -> Vec<Rule> {
    let rules = response.resources.iter().flat_map(|resource| &resource.acls);
    rules
        .map(|rule| Rule {
            principal: rule.principal.to_string(),
            host: rule.host.to_string(),
            operation: match rule.operation {
                OPERATION_ALL => Operation::All,
                OPERATION_READ => Operation::Read,
                OPERATION_WRITE => Operation::Write,
                _ => Operation::Other,
            },
            allows: rule.permission_type == ALLOW,
        })
        .collect()
}
