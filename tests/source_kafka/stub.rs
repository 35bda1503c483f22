//! A broker that only answers questions, as many as are needed: ten thousand groups, an old protocol, TLS, a login.
//!
//! It holds one topic, `orders`, with one partition and a hundred records, of which each group has committed seven.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_openssl::SslStream;

const ILLEGAL_SASL_STATE: i16 = 34;
const UNSUPPORTED_MECHANISM: i16 = 33;
const AUTHENTICATION_FAILED: i16 = 58;

#[derive(Default)]
pub struct Stub {
    pub groups: usize,
    pub acceptor: Option<SslAcceptor>,
    /// Expects SASL/PLAIN with this password.
    pub password: Option<&'static str>,
    /// Expects SASL/OAUTHBEARER with this token.
    pub token: Option<&'static str>,
}

impl Stub {
    pub async fn start(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stub = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stub = stub.clone();
                tokio::spawn(async move {
                    let Some(acceptor) = &stub.acceptor else { return stub.serve(stream, address).await };
                    let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), stream).unwrap();
                    if std::pin::Pin::new(&mut stream).accept().await.is_ok() {
                        stub.serve(stream, address).await;
                    }
                });
            }
        });
        address
    }

    fn mechanism(&self) -> Option<&'static str> {
        self.password.map(|_| "PLAIN").or_else(|| self.token.map(|_| "OAUTHBEARER"))
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, address: SocketAddr) {
        let mut signed_in = self.mechanism().is_none();
        while let Ok(size) = stream.read_u32().await {
            let mut frame = vec![0; usize::try_from(size).unwrap().min(1 << 20)];
            // As a broker does, it hangs up on what cannot be a request.
            if size > 1 << 20 || stream.read_exact(&mut frame).await.is_err() {
                return;
            }
            let mut frame = Bytes::from(frame);
            let key = ApiKey::try_from((&frame[..]).get_i16()).unwrap();
            let version = (&frame[2..]).get_i16();
            let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
            if !signed_in && !matches!(key, ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate) {
                return;
            }
            let mut answer = BytesMut::new();
            answer.put_i32(0);
            let correlation = ResponseHeader::default().with_correlation_id(header.correlation_id);
            correlation.encode(&mut answer, key.response_header_version(version)).unwrap();
            self.answer(key, version, &mut frame, &mut answer, address, &mut signed_in);
            let size = u32::try_from(answer.len() - 4).unwrap();
            answer[..4].copy_from_slice(&size.to_be_bytes());
            if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a stub in one piece")]
    fn answer(
        &self,
        key: ApiKey,
        version: i16,
        frame: &mut Bytes,
        out: &mut BytesMut,
        address: SocketAddr,
        signed_in: &mut bool,
    ) {
        match key {
            ApiKey::ApiVersions => versions().encode(out, version),
            ApiKey::SaslHandshake => {
                let asked = SaslHandshakeRequest::decode(frame, version).unwrap();
                let code = match self.mechanism() {
                    None => ILLEGAL_SASL_STATE,
                    Some(offered) if asked.mechanism.as_str() == offered => 0,
                    Some(_) => UNSUPPORTED_MECHANISM,
                };
                let offered = self.mechanism().into_iter().map(StrBytes::from_static_str).collect();
                SaslHandshakeResponse::default().with_error_code(code).with_mechanisms(offered).encode(out, version)
            }
            ApiKey::SaslAuthenticate => {
                let asked = SaslAuthenticateRequest::decode(frame, version).unwrap();
                let plain = self.password.map(|password| format!("\0app\0{password}"));
                let bearer =
                    self.token.map(|token| format!("n,,\x01auth=Bearer {token}\x01logicalCluster=lkc-1\x01\x01"));
                *signed_in = plain.or(bearer).is_some_and(|expected| asked.auth_bytes == expected);
                let (code, message) = match (*signed_in, self.token) {
                    (true, _) => (0, ""),
                    // A refused token is told in the message itself.
                    (false, Some(_)) => (0, r#"{"status":"invalid_token"}"#),
                    (false, None) => (AUTHENTICATION_FAILED, ""),
                };
                SaslAuthenticateResponse::default()
                    .with_error_code(code)
                    .with_error_message((code != 0).then(|| StrBytes::from_static_str("Authentication failed")))
                    .with_auth_bytes(Bytes::from_static(message.as_bytes()))
                    .encode(out, version)
            }
            ApiKey::Metadata => metadata(address).encode(out, version),
            ApiKey::ListGroups => {
                let name = |number| GroupId(StrBytes::from_string(format!("group-{number:05}")));
                let listed = |number| ListedGroup::default().with_group_id(name(number));
                ListGroupsResponse::default().with_groups((0..self.groups).map(listed).collect()).encode(out, version)
            }
            ApiKey::FindCoordinator => FindCoordinatorResponse::default().with_node_id(1.into()).encode(out, version),
            ApiKey::DescribeGroups => {
                let asked = DescribeGroupsRequest::decode(frame, version).unwrap();
                let stable = |group| DescribedGroup::default().with_group_id(group).with_group_state("Stable".into());
                let groups = asked.groups.into_iter().map(stable).collect();
                DescribeGroupsResponse::default().with_groups(groups).encode(out, version)
            }
            ApiKey::OffsetFetch => {
                let partition = OffsetFetchResponsePartition::default().with_committed_offset(7);
                let topic = OffsetFetchResponseTopic::default().with_name(orders()).with_partitions(vec![partition]);
                OffsetFetchResponse::default().with_topics(vec![topic]).encode(out, version)
            }
            ApiKey::ListOffsets => {
                let asked = ListOffsetsRequest::decode(frame, version).unwrap();
                let offset = if asked.topics[0].partitions[0].timestamp == -1 { 100 } else { 0 };
                let partition = ListOffsetsPartitionResponse::default().with_offset(offset);
                let topic = ListOffsetsTopicResponse::default().with_name(orders()).with_partitions(vec![partition]);
                ListOffsetsResponse::default().with_topics(vec![topic]).encode(out, version)
            }
            other => panic!("the stub was not told of {other:?}"),
        }
        .unwrap();
    }
}

fn orders() -> TopicName {
    TopicName(StrBytes::from_static_str("orders"))
}

/// As Kafka 2.3 answers: one group at a time, states unknown to the list.
fn versions() -> ApiVersionsResponse {
    fn upto<R: Request + HeaderVersion>(max: i16) -> ApiVersion {
        ApiVersion::default().with_api_key(R::KEY).with_max_version(max)
    }
    ApiVersionsResponse::default().with_api_keys(vec![
        upto::<ApiVersionsRequest>(2),
        upto::<SaslHandshakeRequest>(1),
        upto::<SaslAuthenticateRequest>(1),
        upto::<MetadataRequest>(8),
        upto::<ListGroupsRequest>(2),
        upto::<FindCoordinatorRequest>(2),
        upto::<DescribeGroupsRequest>(3),
        upto::<OffsetFetchRequest>(5),
        upto::<ListOffsetsRequest>(5),
    ])
}

fn metadata(address: SocketAddr) -> MetadataResponse {
    let host = StrBytes::from_string(address.ip().to_string());
    let broker =
        MetadataResponseBroker::default().with_node_id(1.into()).with_host(host).with_port(address.port().into());
    let partition = MetadataResponsePartition::default().with_leader_id(1.into());
    let topic = MetadataResponseTopic::default().with_name(Some(orders())).with_partitions(vec![partition]);
    MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic])
}
