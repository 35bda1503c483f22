//! One connection to one broker: frames out, frames in.
//!
//! The console asks about hundreds of groups at once, which librdkafka's safe interface can only do with one
//! whole client for each group. Kafka's own protocol has batched requests for it, and `kafka-protocol` has
//! their codecs, so a connection here is a socket, a counter and the table of versions that the broker knows.
//! Requests go one at a time. A connection that failed in any way is dropped by its owner, never repaired.

mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::login::Login;
use super::properties::ClientProperties;
use super::tls::Tls;
use super::trouble::Trouble;

/// Longest wait for a TCP connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a connection that is ready for use: TCP, TLS, versions and login.
const SETUP_LIMIT: Duration = Duration::from_secs(4);
/// Largest answer that is taken: the metadata of a very large cluster is a few tens of megabytes.
const LARGEST_ANSWER: usize = 256 << 20;
/// Answers above this are decoded off the async threads.
const LARGE_ANSWER: usize = 64 << 10;
/// First two bytes of a TLS alert.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub host: Arc<str>,
    pub port: u16,
    /// `host:port`, as shown to people.
    pub text: Arc<str>,
}

impl Address {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let text = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { host: host.into(), port, text: text.into() }
    }

    /// Addresses of a bootstrap list as librdkafka reads it: an optional `scheme://`, host, an optional port.
    pub(super) fn parse_list(list: &str) -> Vec<Self> {
        list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Self {
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
        if let Some((host, rest)) = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
            return Self::new(host, port.unwrap_or(9092));
        }
        match bare.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
            Some((host, port)) => Self::new(host, port),
            None => Self::new(bare, 9092),
        }
    }
}

/// How brokers of a cluster are reached, read once from the properties and the files that they name.
pub(super) struct Access {
    tls: Option<Tls>,
    login: Option<Arc<Login>>,
    client: StrBytes,
    family: Family,
    /// Longest silence while something is awaited.
    patience: Duration,
}

/// Which kind of IP address is used.
#[derive(Clone, Copy)]
enum Family {
    Any,
    Four,
    Six,
}

impl Access {
    /// Reads files: not for an async thread.
    pub(super) fn load(properties: &ClientProperties, patience: Duration) -> Result<Self, Trouble> {
        let protocol = properties.get("security.protocol").unwrap_or("plaintext").to_lowercase();
        let tls = protocol.ends_with("ssl").then(|| Tls::load(properties)).transpose()?;
        let login = protocol.starts_with("sasl").then(|| Login::from_properties(properties)).transpose()?;
        let family = match properties.get("broker.address.family") {
            Some("v4") => Family::Four,
            Some("v6") => Family::Six,
            _ => Family::Any,
        };
        let client = properties.get("client.id").unwrap_or("flowdeck").to_owned();
        Ok(Self { tls, login: login.map(Arc::new), client: StrBytes::from_string(client), family, patience })
    }
}

pub(super) use self::stream::Asked;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection that is ready for requests.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    address: Arc<str>,
    secured: bool,
    client: StrBytes,
    patience: Duration,
    correlation: i32,
    versions: HashMap<i16, VersionRange>,
    stage: Stage,
}

/// How far a connection has come; says what its sudden end means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was answered yet.
    Fresh,
    /// Versions are known, and a login is not configured.
    Anonymous,
    /// It has been of use.
    Proven,
}

impl Connection {
    /// Connects, makes TLS, asks for versions, signs in.
    pub(super) async fn open(address: &Address, access: &Access) -> Result<Self, Trouble> {
        // A token comes from elsewhere: the broker must not be blamed for the time that it takes.
        let token = match &access.login {
            Some(login) => login.token().await?,
            None => None,
        };
        let silent = || Trouble::Silent { address: address.text.clone(), limit: SETUP_LIMIT };
        timeout(SETUP_LIMIT, Self::set_up(address, access, token)).await.map_err(|_| silent())?
    }

    async fn set_up(address: &Address, access: &Access, token: Option<String>) -> Result<Self, Trouble> {
        let stream = connect(address, access.family).await?;
        let stream: Box<dyn Stream> = match &access.tls {
            Some(tls) => Box::new(tls.wrap(stream, &address.host, &address.text).await?),
            None => Box::new(stream),
        };
        let mut connection = Self {
            stream,
            address: address.text.clone(),
            secured: access.tls.is_some(),
            client: access.client.clone(),
            patience: access.patience,
            correlation: 0,
            versions: HashMap::from([(ApiVersionsRequest::KEY, VersionRange { min: 0, max: 0 })]),
            stage: Stage::Fresh,
        };
        let answer = connection.call(&ApiVersionsRequest::default(), 0).await?;
        if let Some(code) = answer.error_code.err() {
            return Err(Trouble::of_answer(code));
        }
        connection.versions = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, VersionRange { min: api.min_version, max: api.max_version }))
            .collect();
        if let Some(login) = &access.login {
            connection.stage = Stage::Proven;
            login.perform(&mut connection, token).await?;
        } else {
            connection.stage = Stage::Anonymous;
        }
        Ok(connection)
    }

    /// The version in which a request is made: the newest that the broker, the codec and the caller know.
    pub(super) fn version<R: Request>(&self, newest: i16) -> Result<i16, Trouble> {
        let wanted = R::VERSIONS.intersect(&VersionRange { min: 0, max: newest });
        let range = self.versions.get(&R::KEY).map(|known| known.intersect(&wanted));
        match range.filter(|range| !range.is_empty()) {
            Some(range) => Ok(range.max),
            None => Err(Trouble::NotOffered { address: self.address.clone(), request: request_name::<R>() }),
        }
    }

    /// Sends a request and awaits its answer.
    pub(super) async fn call<R>(&mut self, request: &R, newest: i16) -> Result<R::Response, Trouble>
    where
        R: Request,
        R::Response: Send + 'static,
    {
        let version = self.version::<R>(newest)?;
        let frame = self.encode(request, version)?;
        let body = self.exchange(&frame).await.map_err(|trouble| self.explain(trouble))?;
        self.stage = if self.stage == Stage::Fresh { Stage::Fresh } else { Stage::Proven };
        let expected = self.correlation;
        let decoded = if body.len() > LARGE_ANSWER {
            let decoding = tokio::task::spawn_blocking(move || decode::<R>(body, version, expected));
            decoding.await.unwrap_or_else(|error| Err(error.to_string()))
        } else {
            decode::<R>(body, version, expected)
        };
        decoded.map_err(|reason| self.garbled(&reason))
    }

    fn encode<R: Request>(&mut self, request: &R, version: i16) -> Result<BytesMut, Trouble> {
        self.correlation = self.correlation.wrapping_add(1);
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(self.client.clone()));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| self.garbled(&format!("the request cannot be written: {error}")))?;
        let size = i32::try_from(frame.len().saturating_sub(4)).unwrap_or(i32::MAX);
        if let Some(prefix) = frame.first_chunk_mut::<4>() {
            *prefix = size.to_be_bytes();
        }
        Ok(frame)
    }

    async fn exchange(&mut self, frame: &[u8]) -> Result<Bytes, Trouble> {
        self.write_frame(frame).await?;
        self.read_frame(&mut BytesMut::new()).await
    }

    async fn write_frame(&mut self, frame: &[u8]) -> Result<(), Trouble> {
        let written = timeout(self.patience, async {
            self.stream.write_all(frame).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|error| self.lost(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Reads an answer into `room`, which grows as bytes come and not as the other side claims. Only silence is waited
    /// for in vain: a slow line may take long for a large answer.
    async fn read_frame(&mut self, room: &mut BytesMut) -> Result<Bytes, Trouble> {
        let mut prefix = [0; 4];
        let read = timeout(self.patience, self.stream.read_exact(&mut prefix)).await;
        read.map_err(|_| self.silent())?.map_err(|error| self.lost(&error))?;
        if prefix.starts_with(&TLS_ALERT) {
            return Err(Trouble::ExpectsTls { address: self.address.clone() });
        }
        let size = usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
        if size > LARGEST_ANSWER {
            return Err(self.garbled(&format!("an answer of {size} bytes")));
        }
        while room.len() < size {
            let missing = size.saturating_sub(room.len());
            room.reserve(missing.min(room.len().max(LARGE_ANSWER)));
            let read = timeout(self.patience, (&mut self.stream).take(missing as u64).read_buf(room)).await;
            if read.map_err(|_| self.silent())?.map_err(|error| self.lost(&error))? == 0 {
                return Err(Trouble::Closed { address: self.address.clone() });
            }
        }
        Ok(room.split().freeze())
    }

    fn silent(&self) -> Trouble {
        Trouble::Silent { address: self.address.clone(), limit: self.patience }
    }

    fn lost(&self, error: &std::io::Error) -> Trouble {
        Trouble::of_socket(error, &self.address)
    }

    /// What a failure means at this stage.
    fn explain(&self, trouble: Trouble) -> Trouble {
        let address = self.address.clone();
        match (self.stage, trouble) {
            // With TLS 1.3 a server looks at the client's certificate after the client has finished.
            (Stage::Fresh, Trouble::Closed { .. }) if self.secured => Trouble::CertificateWanted { address },
            (Stage::Fresh, Trouble::Unreachable { reason, .. }) if self.secured => {
                Trouble::TlsRefused { address, reason }
            }
            (Stage::Fresh, trouble) => trouble.at_once(),
            // A listener that wants a login tells its versions to anybody, and hangs up at the next request.
            (Stage::Anonymous, Trouble::Closed { .. }) => Trouble::ExpectsLogin { address },
            (_, trouble) => trouble,
        }
    }

    fn garbled(&self, reason: &str) -> Trouble {
        Trouble::Garbled { address: self.address.clone(), reason: reason.into() }
    }
}

async fn connect(address: &Address, family: Family) -> Result<TcpStream, Trouble> {
    let found = tokio::net::lookup_host((&*address.host, address.port)).await;
    let found: Vec<SocketAddr> = found.map_or_else(|_| Vec::new(), Iterator::collect);
    let wanted = found.into_iter().filter(|socket| match family {
        Family::Any => true,
        Family::Four => socket.is_ipv4(),
        Family::Six => socket.is_ipv6(),
    });
    let mut trouble = Trouble::HostNotFound { host: address.host.clone() };
    for socket in wanted {
        match timeout(CONNECT_LIMIT, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY not set");
                }
                return Ok(stream);
            }
            Ok(Err(error)) => trouble = Trouble::of_socket(&error, &address.text),
            Err(_) => trouble = Trouble::Silent { address: address.text.clone(), limit: CONNECT_LIMIT },
        }
    }
    Err(trouble)
}

fn decode<R: Request>(mut body: Bytes, version: i16, expected: i32) -> Result<R::Response, String> {
    let header = ResponseHeader::decode(&mut body, R::Response::header_version(version));
    let header = header.map_err(|error| error.to_string())?;
    if header.correlation_id != expected {
        return Err("an answer to another request".to_owned());
    }
    let answer = R::Response::decode(&mut body, version).map_err(|error| error.to_string())?;
    if body.has_remaining() {
        tracing::debug!(request = request_name::<R>(), bytes = body.remaining(), "answer is longer than it should be");
    }
    Ok(answer)
}

fn request_name<R>() -> &'static str {
    let name = std::any::type_name::<R>();
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection with this patience, and its other end.
    fn connection(patience: Duration) -> (Connection, tokio::io::DuplexStream) {
        let (stream, other) = tokio::io::duplex(1 << 20);
        let connection = Connection {
            stream: Box::new(stream),
            address: "broker:9092".into(),
            secured: false,
            client: StrBytes::from_static_str("test"),
            patience,
            correlation: 0,
            versions: HashMap::new(),
            stage: Stage::Proven,
        };
        (connection, other)
    }

    #[tokio::test]
    async fn a_slow_answer_is_not_silence() {
        let (mut connection, mut other) = connection(Duration::from_secs(1));
        let line = tokio::spawn(async move {
            other.write_u32(40).await.unwrap();
            for byte in 0..20 {
                other.write_u8(byte).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other.write_all(&[7; 20]).await.unwrap();
            // Half an answer, and then nothing.
            other.write_all(&[0, 0, 0, 40, 1]).await.unwrap();
            other
        });
        let mut room = BytesMut::new();
        let answer = connection.read_frame(&mut room).await.map(|answer| answer.len());
        assert_eq!(answer, Ok(40), "twice as long as its patience, but never silent");
        let silence = connection.read_frame(&mut room).await.unwrap_err();
        assert!(silence.is_silence(), "{silence}");
        drop(line.await);
    }

    #[test]
    fn bootstrap_lists_are_read_as_librdkafka_reads_them() {
        let texts: Vec<String> = Address::parse_list("a:1, SASL_SSL://b.example:9093/,c,[::1]:9094,[::2]")
            .iter()
            .map(|address| address.text.to_string())
            .collect();
        assert_eq!(texts, ["a:1", "b.example:9093", "c:9092", "[::1]:9094", "[::2]:9092"]);
        assert!(Address::parse_list(" ,").is_empty());
    }
}
