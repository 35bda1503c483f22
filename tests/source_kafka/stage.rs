//! A cluster of as many brokers as a test needs, which does what the test says: moves leaders, forgets topics.
//!
//! Each record's value is one byte. Only the questions of a reader are answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchEncoder, RecordEncodeOptions,
    TimestampType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const UNKNOWN_TOPIC: i16 = 3;
const NOT_LEADER: i16 = 6;
/// The one topic.
pub const TOPIC: &str = "events";

#[derive(Clone, Default)]
pub struct Stage(Arc<Mutex<State>>);

#[derive(Default)]
pub struct State {
    addresses: Vec<SocketAddr>,
    pub partitions: Vec<Partition>,
    /// Answers left that say that there is no topic.
    pub forgetful: usize,
    /// Times that somebody asked for the topic and was told of it, and was not.
    pub told: usize,
    pub denied: usize,
    /// Fetches by broker, from 1.
    pub fetches: BTreeMap<usize, usize>,
}

#[derive(Clone, Copy)]
pub struct Partition {
    /// Number of the broker, from 1.
    pub leader: usize,
    pub end: i64,
}

impl Stage {
    /// So many brokers, and a topic with these partitions.
    pub async fn start(brokers: usize, partitions: Vec<Partition>) -> Self {
        let stage = Self::default();
        stage.state().partitions = partitions;
        for number in 1..=brokers {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            stage.state().addresses.push(listener.local_addr().unwrap());
            let stage = stage.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let stage = stage.clone();
                    tokio::spawn(async move { stage.serve(number, stream).await });
                }
            });
        }
        stage
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn bootstrap(&self) -> String {
        self.state().addresses[0].to_string()
    }

    async fn serve(&self, broker: usize, mut stream: TcpStream) {
        while let Ok(size) = stream.read_u32().await {
            let mut frame = vec![0; usize::try_from(size).unwrap()];
            if stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let mut frame = Bytes::from(frame);
            let key = ApiKey::try_from((&frame[..]).get_i16()).unwrap();
            let version = (&frame[2..]).get_i16();
            let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
            let mut answer = BytesMut::new();
            answer.put_i32(0);
            let correlation = ResponseHeader::default().with_correlation_id(header.correlation_id);
            correlation.encode(&mut answer, key.response_header_version(version)).unwrap();
            match key {
                ApiKey::ApiVersions => versions().encode(&mut answer, version),
                ApiKey::Metadata => self.metadata().encode(&mut answer, version),
                ApiKey::ListOffsets => {
                    let asked = ListOffsetsRequest::decode(&mut frame, version).unwrap();
                    self.offsets(broker, &asked).encode(&mut answer, version)
                }
                ApiKey::Fetch => {
                    let asked = FetchRequest::decode(&mut frame, version).unwrap();
                    self.fetch(broker, &asked).await.encode(&mut answer, version)
                }
                other => panic!("the stage was not told of {other:?}"),
            }
            .unwrap();
            let size = u32::try_from(answer.len() - 4).unwrap();
            answer[..4].copy_from_slice(&size.to_be_bytes());
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn metadata(&self) -> MetadataResponse {
        let mut state = self.state();
        let brokers = (1..).zip(&state.addresses).map(|(number, address)| {
            let host = StrBytes::from_string(address.ip().to_string());
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(number))
                .with_host(host)
                .with_port(address.port().into())
        });
        let answer = MetadataResponse::default().with_brokers(brokers.collect());
        let mut topic = MetadataResponseTopic::default().with_name(Some(name()));
        if let Some(left) = state.forgetful.checked_sub(1) {
            state.forgetful = left;
            state.denied += 1;
            topic.error_code = UNKNOWN_TOPIC;
        } else {
            state.told += 1;
            topic.topic_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
            let partitions = (0..).zip(&state.partitions).map(|(number, partition)| {
                let leader = i32::try_from(partition.leader).unwrap();
                MetadataResponsePartition::default().with_partition_index(number).with_leader_id(leader.into())
            });
            topic.partitions = partitions.collect();
        }
        answer.with_topics(vec![topic])
    }

    fn offsets(&self, broker: usize, asked: &ListOffsetsRequest) -> ListOffsetsResponse {
        let state = self.state();
        let partitions = asked.topics[0].partitions.iter().map(|asked| {
            let partition = state.partitions[usize::try_from(asked.partition_index).unwrap()];
            let offset = if asked.timestamp == -2 { 0 } else { partition.end };
            let code = if partition.leader == broker { 0 } else { NOT_LEADER };
            ListOffsetsPartitionResponse::default()
                .with_partition_index(asked.partition_index)
                .with_offset(offset)
                .with_error_code(code)
        });
        let topic = ListOffsetsTopicResponse::default().with_name(name()).with_partitions(partitions.collect());
        ListOffsetsResponse::default().with_topics(vec![topic])
    }

    async fn fetch(&self, broker: usize, asked: &FetchRequest) -> FetchResponse {
        *self.state().fetches.entry(broker).or_default() += 1;
        let is_new = |state: &State| {
            let mut asked = asked.topics[0].partitions.iter();
            asked.any(|asked| {
                let partition = state.partitions[usize::try_from(asked.partition).unwrap()];
                partition.leader != broker || asked.fetch_offset < partition.end
            })
        };
        for _ in 0..20 {
            if is_new(&self.state()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let state = self.state();
        let partitions = asked.topics[0].partitions.iter().map(|asked| {
            let partition = state.partitions[usize::try_from(asked.partition).unwrap()];
            let data = PartitionData::default().with_partition_index(asked.partition);
            if partition.leader != broker {
                return data.with_error_code(NOT_LEADER);
            }
            data.with_high_watermark(partition.end)
                .with_last_stable_offset(partition.end)
                .with_records(Some(records(asked.fetch_offset, partition.end)))
        });
        let topic = FetchableTopicResponse::default().with_topic(name()).with_partitions(partitions.collect());
        FetchResponse::default().with_responses(vec![topic])
    }
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

fn versions() -> ApiVersionsResponse {
    fn upto<R: Request + HeaderVersion>(max: i16) -> ApiVersion {
        ApiVersion::default().with_api_key(R::KEY).with_max_version(max)
    }
    ApiVersionsResponse::default().with_api_keys(vec![
        upto::<ApiVersionsRequest>(2),
        upto::<MetadataRequest>(11),
        upto::<ListOffsetsRequest>(7),
        upto::<FetchRequest>(12),
    ])
}

/// One batch.
fn records(from: i64, end: i64) -> Bytes {
    // The encoder makes one batch of records whose offsets and sequences run together, the first one's being -1.
    let record = |offset: i64| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        timestamp: 1_700_000_000_000,
        sequence: NO_SEQUENCE + i32::try_from(offset - from).unwrap(),
        offset,
        key: None,
        value: Some(Bytes::from_static(b"x")),
        headers: <_>::default(),
    };
    let records: Vec<Record> = (from..end).map(record).collect();
    let mut batch = BytesMut::new();
    if !records.is_empty() {
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut batch, records.iter(), &options).unwrap();
    }
    batch.freeze()
}
