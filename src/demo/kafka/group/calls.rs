//! What members ask of a group and what it answers, without the wire's clothing.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;

/// A request to join, as far as the group needs it.
#[derive(Clone, Debug)]
pub struct JoinCall {
    /// Empty for a newcomer.
    pub member_id: StrBytes,
    /// Name of a static member.
    pub instance: Option<StrBytes>,
    /// What the client calls itself.
    pub client_id: StrBytes,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: StrBytes,
    /// Assignment protocols in order of preference, each with the member's metadata for it.
    pub protocols: Vec<(StrBytes, Bytes)>,
    /// Whether a newcomer must come back with the member id it is told (version 4 and later).
    pub by_invitation: bool,
}

/// The answer to a member that joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub protocol: StrBytes,
    pub leader: StrBytes,
    pub member_id: StrBytes,
    /// Every member with instance name and metadata, for the leader only.
    pub members: Vec<(StrBytes, Option<StrBytes>, Bytes)>,
}

/// Refusal of a join, with the member id the client is to use next.
#[derive(Debug, PartialEq, Eq)]
pub struct NotJoined {
    pub error: ResponseError,
    pub member_id: StrBytes,
}

/// An answer that is there, or will be.
#[derive(Debug)]
pub enum Reception<T> {
    /// Answer with this.
    Now(T),
    /// Wait for this; a dropped sender means that the member is gone.
    Parked(oneshot::Receiver<T>),
}

/// Who calls: member id, instance name and generation.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub member_id: &'a StrBytes,
    pub instance: Option<&'a StrBytes>,
    pub generation: i32,
}

/// Outcome of a join.
pub type JoinOutcome = Result<Joined, NotJoined>;

/// Outcome of a sync: the member's assignment.
pub type SyncOutcome = Result<Bytes, ResponseError>;
