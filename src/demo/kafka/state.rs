//! What the broker knows, shared by all connections, and the way from a request to its answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, ApiVersionsRequest, CreatePartitionsRequest,
    CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeConfigsRequest, DescribeGroupsRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest,
    HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    ListOffsetsRequest, MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, RequestHeader, SyncGroupRequest, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::apis::{self, Api};
use super::groups::{Groups, owned};
use super::topics::Topics;
use super::transactions::Transactions;
use super::wire::{Refusal, Segments};
use super::{admin, cluster, commits, fetch, membership, offsets, produce, shape, transactions};

/// Everything the broker holds.
#[derive(Debug)]
pub struct State {
    /// Name of the cluster.
    pub cluster_id: StrBytes,
    /// Where the broker listens.
    pub address: SocketAddr,
    /// Topics and their records.
    pub topics: Topics,
    /// The next idempotent producer's identity.
    pub next_producer_id: AtomicI64,
    groups: Mutex<Groups>,
    transactions: Mutex<Transactions>,
}

impl State {
    /// An empty cluster.
    pub fn new(cluster_id: &str, address: SocketAddr) -> Self {
        Self {
            cluster_id: StrBytes::from_string(cluster_id.to_owned()),
            address,
            topics: Topics::default(),
            next_producer_id: AtomicI64::new(1_000),
            groups: Mutex::default(),
            transactions: Mutex::default(),
        }
    }

    /// The groups, locked.
    pub fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transactions, locked; to be locked before the groups.
    pub fn transactions(&self) -> MutexGuard<'_, Transactions> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port as the wire has it.
    pub fn port(&self) -> i32 {
        i32::from(self.address.port())
    }

    /// The whole answer to one framed request, without the length; `None` when the client wants none.
    pub async fn answer(&self, frame: Bytes) -> Result<Option<Segments>, Refusal> {
        let mut call = Call::read(frame)?;
        let version = call.version;
        let body = match call.api.key {
            ApiKey::Fetch => {
                let request = call.decode::<FetchRequest>()?;
                Some(fetch::fetch(self, &request, version).await)
            }
            ApiKey::JoinGroup => {
                let request = call.decode::<JoinGroupRequest>()?;
                let response = membership::join(self, request, version, owned(&call.client_id)).await;
                Some(encode(&response, version)?)
            }
            ApiKey::SyncGroup => {
                let request = call.decode::<SyncGroupRequest>()?;
                Some(encode(&membership::sync(self, request).await, version)?)
            }
            ApiKey::Produce => {
                let request = call.decode::<ProduceRequest>()?;
                produce::produce(self, &request, version).map(|response| encode(&response, version)).transpose()?
            }
            _ => Some(self.answer_at_once(&mut call)?),
        };
        Ok(body.map(|body| call.headed(body)))
    }

    /// The APIs that are plain lookups and changes.
    fn answer_at_once(&self, call: &mut Call) -> Result<Segments, Refusal> {
        let version = call.version;
        match call.api.key {
            ApiKey::ApiVersions => {
                let known = if call.fallback { None } else { Some(call.decode::<ApiVersionsRequest>()?) };
                let error = known.is_none().then_some(ResponseError::UnsupportedVersion);
                encode(&cluster::api_versions(error), version)
            }
            ApiKey::Metadata => call.with(|request: &MetadataRequest| cluster::metadata(self, request, version)),
            ApiKey::DescribeCluster => {
                call.with(|request: &DescribeClusterRequest| cluster::describe_cluster(self, request))
            }
            ApiKey::FindCoordinator => {
                call.with(|request: &FindCoordinatorRequest| cluster::find_coordinator(self, request, version))
            }
            ApiKey::ListOffsets => call.with(|request: &ListOffsetsRequest| offsets::list(self, request, version)),
            ApiKey::OffsetForLeaderEpoch => {
                call.with(|request: &OffsetForLeaderEpochRequest| offsets::for_leader_epoch(self, request))
            }
            ApiKey::DeleteRecords => call.with(|request: &DeleteRecordsRequest| offsets::delete_records(self, request)),
            ApiKey::OffsetCommit => call.with(|request: &OffsetCommitRequest| commits::commit(self, request)),
            ApiKey::OffsetFetch => call.with(|request: &OffsetFetchRequest| commits::fetch(self, request, version)),
            ApiKey::Heartbeat => call.with(|request: &HeartbeatRequest| membership::heartbeat(self, request)),
            ApiKey::LeaveGroup => call.with(|request: &LeaveGroupRequest| membership::leave(self, request, version)),
            ApiKey::ListGroups => call.with(|request: &ListGroupsRequest| membership::list(self, request, version)),
            ApiKey::DescribeGroups => call.with(|request: &DescribeGroupsRequest| membership::describe(self, request)),
            ApiKey::DeleteGroups => call.with(|request: &DeleteGroupsRequest| membership::delete(self, request)),
            ApiKey::CreateTopics => call.with(|request: &CreateTopicsRequest| admin::create_topics(self, request)),
            ApiKey::CreatePartitions => {
                call.with(|request: &CreatePartitionsRequest| admin::create_partitions(self, request))
            }
            ApiKey::DeleteTopics => call.with(|request: &DeleteTopicsRequest| admin::delete_topics(self, request)),
            ApiKey::DescribeConfigs => {
                call.with(|request: &DescribeConfigsRequest| admin::describe_configs(self, request, version))
            }
            ApiKey::InitProducerId => {
                call.with(|request: &InitProducerIdRequest| transactions::init_producer_id(self, request))
            }
            ApiKey::AddPartitionsToTxn => {
                call.with(|request: &AddPartitionsToTxnRequest| transactions::add_partitions(self, request))
            }
            ApiKey::AddOffsetsToTxn => {
                call.with(|request: &AddOffsetsToTxnRequest| transactions::add_offsets(self, request))
            }
            ApiKey::EndTxn => call.with(|request: &EndTxnRequest| transactions::end(self, request)),
            ApiKey::TxnOffsetCommit => {
                call.with(|request: &TxnOffsetCommitRequest| transactions::commit_offsets(self, request, version))
            }
            key => Err(Refusal::Api(key as i16)),
        }
    }
}

/// The error code of an outcome, 0 for success.
pub fn code(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|error| error.code(), |()| 0)
}

/// Each name once, in the order of their first mention, so that naming one thing a thousand times costs once.
pub fn distinct<'a, T: Ord + 'a>(names: impl Iterator<Item = &'a T>) -> impl Iterator<Item = &'a T> {
    let mut seen = BTreeSet::new();
    names.filter(move |name| seen.insert(*name))
}

/// One request whose header was read and whose shape was proven.
struct Call {
    api: &'static Api,
    version: i16,
    /// A version of `ApiVersions` that is not known: the answer, in version 0, lists those that are.
    fallback: bool,
    correlation: i32,
    client_id: StrBytes,
    body: Bytes,
}

impl Call {
    fn read(mut frame: Bytes) -> Result<Self, Refusal> {
        let number = |at: usize| frame.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map(i16::from_be_bytes);
        let (key, version) = number(0).zip(number(2)).ok_or(Refusal::Shape(shape::Misshapen::Short))?;
        let api = apis::find(key).ok_or(Refusal::Api(key))?;
        if !(api.oldest..=api.newest).contains(&version) {
            return Self::fall_back(api, version, &frame);
        }
        shape::check(&frame, api.request, version, version >= api.flexible_since).map_err(Refusal::Shape)?;
        let header =
            RequestHeader::decode(&mut frame, api.key.request_header_version(version)).map_err(Refusal::Decode)?;
        Ok(Self {
            api,
            version,
            fallback: false,
            correlation: header.correlation_id,
            client_id: header.client_id.unwrap_or_default(),
            body: frame,
        })
    }

    fn fall_back(api: &'static Api, version: i16, frame: &Bytes) -> Result<Self, Refusal> {
        let correlation = frame.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
        match correlation {
            Some(correlation) if matches!(api.key, ApiKey::ApiVersions) => Ok(Self {
                api,
                version: 0,
                fallback: true,
                correlation,
                client_id: StrBytes::new(),
                body: Bytes::new(),
            }),
            _ => Err(Refusal::Version(api.key as i16, version)),
        }
    }

    fn decode<R: Decodable>(&mut self) -> Result<R, Refusal> {
        R::decode(&mut self.body, self.version).map_err(Refusal::Decode)
    }

    fn with<R: Decodable, A: Encodable>(&mut self, handle: impl FnOnce(&R) -> A) -> Result<Segments, Refusal> {
        let request = self.decode::<R>()?;
        encode(&handle(&request), self.version)
    }

    /// The body with the response header before it.
    fn headed(&self, body: Segments) -> Segments {
        let mut header = BytesMut::from(&self.correlation.to_be_bytes()[..]);
        if self.api.key.response_header_version(self.version) > 0 {
            header.extend_from_slice(&[0]);
        }
        body.after(header.freeze())
    }
}

fn encode(response: &impl Encodable, version: i16) -> Result<Segments, Refusal> {
    let mut bytes = BytesMut::new();
    response.encode(&mut bytes, version).map_err(Refusal::Encode)?;
    let mut segments = Segments::default();
    segments.push(bytes.freeze());
    Ok(segments)
}

#[cfg(test)]
mod tests;
