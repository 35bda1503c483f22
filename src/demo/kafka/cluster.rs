//! The cluster as clients discover it: API versions, metadata, coordinators.
//!
//! There is one broker, number 1, that leads every partition and coordinates every group.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::apis::APIS;
use super::batch::LEADER_EPOCH;
use super::state::{State, code, distinct};

/// The only broker's number.
pub const BROKER: BrokerId = BrokerId(1);

/// The only broker's address.
const HOST: StrBytes = StrBytes::from_static_str("127.0.0.1");

/// What may be done to a topic, as Kafka's bit set: read, write, create, delete, alter, describe, describe configs.
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10;

/// What may be done to the cluster: create, describe, describe configs, idempotent writes.
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 8 | 1 << 10 | 1 << 12;

/// What is answered, from the table.
pub fn api_versions(error: Option<ResponseError>) -> ApiVersionsResponse {
    let announced = APIS.iter().map(|api| {
        ApiVersion::default().with_api_key(api.key as i16).with_min_version(api.oldest).with_max_version(api.newest)
    });
    ApiVersionsResponse::default()
        .with_error_code(error.map_or(0, |error| error.code()))
        .with_api_keys(announced.collect())
}

/// Brokers and topics. Creates missing topics only when the client says that it wants that.
pub fn metadata(state: &State, request: &MetadataRequest, version: i16) -> MetadataResponse {
    let broker = MetadataResponseBroker::default().with_node_id(BROKER).with_host(HOST).with_port(state.port());
    let operations = |wanted: bool, granted: i32| if wanted { granted } else { i32::MIN };
    // Before version 4 a client could not say; Kafka would then create, this broker does not.
    let create = version >= 4 && request.allow_auto_topic_creation;
    let asked = match &request.topics {
        Some(topics) if version > 0 || !topics.is_empty() => {
            distinct(topics.iter().filter_map(|topic| topic.name.as_ref())).cloned().collect()
        }
        _ => state.topics.names().into_iter().map(|name| TopicName(StrBytes::from_string(name))).collect::<Vec<_>>(),
    };
    let topic_operations = operations(request.include_topic_authorized_operations, TOPIC_OPERATIONS);
    let described = |name: TopicName| {
        let outcome = if create { state.topics.create_automatically(&name) } else { Ok(()) };
        describe_topic(state, name, outcome).with_topic_authorized_operations(topic_operations)
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(state.cluster_id.clone()))
        .with_controller_id(BROKER)
        .with_topics(asked.into_iter().map(described).collect())
        .with_cluster_authorized_operations(operations(
            request.include_cluster_authorized_operations,
            CLUSTER_OPERATIONS,
        ))
}

fn describe_topic(state: &State, name: TopicName, created: Result<(), ResponseError>) -> MetadataResponseTopic {
    let count = created.and_then(|()| state.topics.partitions(&name).ok_or(ResponseError::UnknownTopicOrPartition));
    let partition = |number: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(number)
            .with_leader_id(BROKER)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![BROKER])
            .with_isr_nodes(vec![BROKER])
    };
    let partitions = (0_i32..).take(count.unwrap_or(0)).map(partition);
    MetadataResponseTopic::default()
        .with_error_code(code(count.map(drop)))
        .with_name(Some(name))
        .with_partitions(partitions.collect())
}

/// The cluster and its broker.
pub fn describe_cluster(state: &State, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let broker = DescribeClusterBroker::default().with_broker_id(BROKER).with_host(HOST).with_port(state.port());
    let operations = if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { i32::MIN };
    DescribeClusterResponse::default()
        .with_cluster_id(state.cluster_id.clone())
        .with_controller_id(BROKER)
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(operations)
}

/// Who coordinates a group, or from version 4 several groups. It is always this broker.
pub fn find_coordinator(state: &State, request: &FindCoordinatorRequest, version: i16) -> FindCoordinatorResponse {
    let refusal = match request.key_type {
        0 | 1 => None,
        _ => Some((ResponseError::InvalidRequest, StrBytes::from_static_str("unknown kind of coordinator"))),
    };
    let (error_code, message, node, host, port) = match refusal {
        None => (0, None, BROKER, HOST, state.port()),
        Some((error, message)) => (error.code(), Some(message), BrokerId(-1), StrBytes::new(), -1),
    };
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_error_code(error_code)
            .with_error_message(message)
            .with_node_id(node)
            .with_host(host)
            .with_port(port);
    }
    let coordinator = |key: &StrBytes| {
        Coordinator::default()
            .with_key(key.clone())
            .with_node_id(node)
            .with_host(host.clone())
            .with_port(port)
            .with_error_code(error_code)
            .with_error_message(message.clone())
    };
    FindCoordinatorResponse::default().with_coordinators(request.coordinator_keys.iter().map(coordinator).collect())
}
