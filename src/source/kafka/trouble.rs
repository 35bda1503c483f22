//! What can go wrong between the console and a cluster, in words for the person on call.
//!
//! One closed list: whatever a socket, OpenSSL, a login or a broker says becomes one of these, and each says
//! what it means and where to look. Secrets never get here.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use thiserror::Error;

use crate::source::link::Failure;

/// Why a cluster could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Trouble {
    #[error("host {host} not found: check the bootstrap address and DNS")]
    HostNotFound { host: Arc<str> },
    #[error("connection refused by {address}: no broker listens there")]
    Refused { address: Arc<str> },
    #[error("{address} cannot be reached: {reason}")]
    Unreachable { address: Arc<str>, reason: Arc<str> },
    #[error("{address} did not answer within {} s", limit.as_secs_f32())]
    Silent { address: Arc<str>, limit: Duration },
    #[error("{address} closed the connection")]
    Closed { address: Arc<str> },
    #[error("{address} closed the connection at once: the listener may expect TLS or a login; check security.protocol")]
    ClosedAtOnce { address: Arc<str> },
    #[error("the listener at {address} expects TLS: set security.protocol to SSL or SASL_SSL")]
    ExpectsTls { address: Arc<str> },
    #[error("the listener at {address} does not speak TLS: set security.protocol to PLAINTEXT or SASL_PLAINTEXT")]
    ExpectsPlain { address: Arc<str> },
    #[error(
        "the listener at {address} expects a login: set security.protocol to SASL_SSL or SASL_PLAINTEXT, and sasl.mechanisms"
    )]
    ExpectsLogin { address: Arc<str> },
    #[error(
        "the TLS certificate of {address} is not trusted ({reason}): set ssl.ca.location to its authority's certificate"
    )]
    Untrusted { address: Arc<str>, reason: Arc<str> },
    #[error("the TLS certificate of {address} is for another host name ({reason})")]
    WrongName { address: Arc<str>, reason: Arc<str> },
    #[error("{address} refused the TLS handshake: {reason}")]
    TlsRefused { address: Arc<str>, reason: Arc<str> },
    #[error(
        "{address} hung up after the TLS handshake: it may want a client certificate (ssl.certificate.location, ssl.key.location)"
    )]
    CertificateWanted { address: Arc<str> },
    #[error("TLS cannot be set up: {reason}")]
    TlsSetup { reason: Arc<str> },
    #[error("wrong user or password for {mechanism}: {reason}")]
    WrongLogin { mechanism: Arc<str>, reason: Arc<str> },
    #[error("the broker does not offer {mechanism}: it offers {offered}; set sasl.mechanisms")]
    WrongMechanism { mechanism: Arc<str>, offered: Arc<str> },
    #[error("the login cannot be made: {reason}")]
    LoginSetup { reason: Arc<str> },
    #[error("no token from {endpoint}: {reason}")]
    NoToken { endpoint: Arc<str>, reason: Arc<str> },
    #[error("{address} does not answer as a Kafka broker: {reason}")]
    Garbled { address: Arc<str>, reason: Arc<str> },
    #[error("{address} is too old: it does not know {request}")]
    NotOffered { address: Arc<str>, request: &'static str },
    #[error("the cluster names no broker that can be reached")]
    NoBroker,
    #[error("the broker refuses: {code}")]
    Answer { code: ResponseError },
    #[error("this user may not ask the cluster: it needs the ACL operation Describe on it")]
    Forbidden,
}

impl Trouble {
    /// Trouble of a socket.
    pub(super) fn of_socket(error: &io::Error, address: &Arc<str>) -> Self {
        let address = address.clone();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed { address },
            _ => Self::Unreachable { address, reason: error.to_string().into() },
        }
    }

    /// A refusal by a broker.
    pub(super) const fn of_answer(code: ResponseError) -> Self {
        match code {
            ResponseError::ClusterAuthorizationFailed => Self::Forbidden,
            code => Self::Answer { code },
        }
    }

    /// A connection that ended before it was of any use.
    pub(super) fn at_once(self) -> Self {
        match self {
            Self::Closed { address } => Self::ClosedAtOnce { address },
            other => other,
        }
    }

    /// Whether nothing came back in time.
    pub(super) const fn is_silence(&self) -> bool {
        matches!(self, Self::Silent { .. })
    }

    /// Whether it takes other properties than these, or what their files hold by now.
    pub(super) const fn is_of_properties(&self) -> bool {
        matches!(
            self,
            Self::WrongLogin { .. } | Self::WrongMechanism { .. } | Self::LoginSetup { .. } | Self::TlsSetup { .. }
        )
    }

    /// Whether another address would make no difference.
    pub(super) const fn is_everywhere(&self) -> bool {
        matches!(self, Self::NoToken { .. })
    }

    /// Whether another connection may fare better at once: the old one was simply gone.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Unreachable { .. })
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let text = trouble.to_string().into();
        match trouble {
            Trouble::Forbidden => Self::Forbidden(text),
            _ => Self::Down(text),
        }
    }
}
