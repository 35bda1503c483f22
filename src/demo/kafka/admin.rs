//! Administration on the wire: making, growing and deleting topics, and the settings that are true here.
//!
//! Settings cannot be changed; a topic may be created with settings only when they say what is the case anyway.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::batch::LARGEST_BATCH;
use super::cluster::BROKER;
use super::log::PARTITION_BYTES;
use super::state::{State, code};
use super::topics::Intent;

/// Partitions of a topic whose creator leaves the number to the broker.
const DEFAULT_PARTITIONS: u32 = 1;

/// Resource types of `DescribeConfigs`.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;

/// A setting: name, value, and its type in Kafka's numbering.
type Setting = (&'static str, String, i8);

const BOOLEAN: i8 = 1;
const STRING: i8 = 2;
const INT: i8 = 3;
const LONG: i8 = 5;
const LIST: i8 = 7;

/// Where a setting comes from: it is the broker's default.
const DEFAULT_SOURCE: i8 = 5;

/// A refusal with its reason in words.
type Refusal = (ResponseError, &'static str);

/// Makes topics.
pub fn create_topics(state: &State, request: &CreateTopicsRequest) -> CreateTopicsResponse {
    let topics = request.topics.iter().map(|topic| {
        let outcome = create(state, topic, intent(request.validate_only));
        CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(outcome.map_or_else(|(error, _)| error.code(), |()| 0))
            .with_error_message(message(outcome))
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

fn create(state: &State, topic: &CreatableTopic, intent: Intent) -> Result<(), Refusal> {
    if !matches!(topic.replication_factor, -1 | 1) {
        return Err((ResponseError::InvalidReplicationFactor, "there is one broker"));
    }
    if topic.assignments.iter().any(|assignment| assignment.broker_ids != [BROKER]) {
        return Err((ResponseError::InvalidReplicaAssignment, "there is one broker, number 1"));
    }
    let settings = topic_settings();
    let holds = |name: &str, value: Option<&StrBytes>| {
        settings
            .iter()
            .any(|(known, true_value, _)| *known == name && value.is_some_and(|value| **value == **true_value))
    };
    if !topic.configs.iter().all(|config| holds(&config.name, config.value.as_ref())) {
        return Err((ResponseError::InvalidConfig, "this demonstration broker's settings are fixed"));
    }
    let partitions = match (topic.num_partitions, topic.assignments.len()) {
        (-1, 0) => DEFAULT_PARTITIONS,
        (-1, assigned) => u32::try_from(assigned).unwrap_or(0),
        (count, _) => u32::try_from(count).unwrap_or(0),
    };
    state.topics.create(&topic.name, partitions, intent).map_err(|error| (error, reason(error)))
}

/// Raises numbers of partitions.
pub fn create_partitions(state: &State, request: &CreatePartitionsRequest) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic: &CreatePartitionsTopic| {
        let count = u32::try_from(topic.count).unwrap_or(0);
        let outcome = state
            .topics
            .grow(&topic.name, count, intent(request.validate_only))
            .map_err(|error| (error, reason(error)));
        CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(outcome.map_or_else(|(error, _)| error.code(), |()| 0))
            .with_error_message(message(outcome))
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

/// Removes topics with their records and commits.
pub fn delete_topics(state: &State, request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
    let responses = request.topic_names.iter().map(|name| {
        let outcome = state.topics.delete(name);
        if outcome.is_ok() {
            state.groups().forget_topic(name);
        }
        DeletableTopicResult::default().with_name(Some(name.clone())).with_error_code(code(outcome))
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

/// The settings of topics and of the broker.
pub fn describe_configs(state: &State, request: &DescribeConfigsRequest, version: i16) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| {
        let answer = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match settings(state, resource) {
            Err(error) => {
                answer.with_error_code(error.code()).with_error_message(Some(StrBytes::from_static_str(reason(error))))
            }
            Ok(settings) => {
                let asked = |(name, _, _): &Setting| {
                    resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| **key == **name))
                };
                let shown = |setting: Setting| describe_setting(setting, version);
                answer.with_configs(settings.into_iter().filter(asked).map(shown).collect())
            }
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn settings(state: &State, resource: &DescribeConfigsResource) -> Result<Vec<Setting>, ResponseError> {
    match resource.resource_type {
        TOPIC_RESOURCE if state.topics.partitions(&resource.resource_name).is_some() => Ok(topic_settings()),
        TOPIC_RESOURCE => Err(ResponseError::UnknownTopicOrPartition),
        BROKER_RESOURCE if *resource.resource_name == BROKER.0.to_string() => Ok(broker_settings()),
        _ => Err(ResponseError::InvalidRequest),
    }
}

fn topic_settings() -> Vec<Setting> {
    vec![
        ("cleanup.policy", "delete".to_owned(), LIST),
        ("compression.type", "producer".to_owned(), STRING),
        ("max.message.bytes", LARGEST_BATCH.to_string(), INT),
        ("message.timestamp.type", "CreateTime".to_owned(), STRING),
        ("min.insync.replicas", "1".to_owned(), INT),
        ("retention.bytes", PARTITION_BYTES.to_string(), LONG),
        ("retention.ms", "-1".to_owned(), LONG),
    ]
}

fn broker_settings() -> Vec<Setting> {
    vec![
        ("auto.create.topics.enable", "true".to_owned(), BOOLEAN),
        ("broker.id", BROKER.0.to_string(), INT),
        ("default.replication.factor", "1".to_owned(), INT),
        ("log.cleanup.policy", "delete".to_owned(), LIST),
        ("log.retention.bytes", PARTITION_BYTES.to_string(), LONG),
        ("log.retention.ms", "-1".to_owned(), LONG),
        ("message.max.bytes", LARGEST_BATCH.to_string(), INT),
        ("num.partitions", DEFAULT_PARTITIONS.to_string(), INT),
    ]
}

fn describe_setting((name, value, kind): Setting, version: i16) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_string(value)))
        .with_read_only(true)
        .with_config_source(DEFAULT_SOURCE)
        .with_config_type(if version >= 3 { kind } else { 0 })
}

const fn intent(validate_only: bool) -> Intent {
    if validate_only { Intent::Check } else { Intent::Carry }
}

fn message(outcome: Result<(), Refusal>) -> Option<StrBytes> {
    outcome.err().map(|(_, reason)| StrBytes::from_static_str(reason))
}

/// A refusal in words.
const fn reason(error: ResponseError) -> &'static str {
    match error {
        ResponseError::TopicAlreadyExists => "a topic of this name exists",
        ResponseError::InvalidTopicException => {
            "topic names are 1 to 249 letters, digits, dots, dashes and underscores"
        }
        ResponseError::InvalidPartitions => "a topic has 1 to 1,000 partitions, and never fewer than before",
        ResponseError::PolicyViolation => "there are too many topics",
        ResponseError::UnknownTopicOrPartition => "there is no such topic",
        _ => "this demonstration broker cannot do that",
    }
}
