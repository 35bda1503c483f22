//! The group APIs on the wire: joining, syncing, living and leaving; listing, describing and deleting groups.
//!
//! Translation only; the rules are in `group.rs` and `groups.rs`. What is kept beyond the request is copied out of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::group::{Caller, JoinCall, JoinOutcome, NotJoined, Reception, SyncOutcome};
use super::groups::{ShownMember, Summary, owned};
use super::state::{State, code, distinct};

/// What a group may be asked to do, as Kafka's bit set: read, delete, describe.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8;

/// Joins a group; waits for the others.
pub async fn join(state: &State, request: JoinGroupRequest, version: i16, client_id: StrBytes) -> JoinGroupResponse {
    let asked_as = owned(&request.member_id);
    let call = join_call(&request, version, client_id);
    let reception = state.groups().join(&request.group_id, call, Instant::now());
    let outcome = match reception {
        Reception::Now(outcome) => outcome,
        Reception::Parked(receiver) => {
            drop(request);
            let gone = NotJoined { error: ResponseError::UnknownMemberId, member_id: asked_as };
            receiver.await.unwrap_or(Err(gone))
        }
    };
    join_response(outcome)
}

fn join_call(request: &JoinGroupRequest, version: i16, client_id: StrBytes) -> JoinCall {
    let session = milliseconds(request.session_timeout_ms);
    let protocol = |offer: &kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol| {
        (owned(&offer.name), Bytes::copy_from_slice(&offer.metadata))
    };
    JoinCall {
        member_id: owned(&request.member_id),
        instance: request.group_instance_id.as_ref().map(owned),
        client_id,
        session_timeout: session,
        rebalance_timeout: if version >= 1 { milliseconds(request.rebalance_timeout_ms) } else { session },
        protocol_type: owned(&request.protocol_type),
        protocols: request.protocols.iter().map(protocol).collect(),
        by_invitation: version >= 4,
    }
}

fn join_response(outcome: JoinOutcome) -> JoinGroupResponse {
    match outcome {
        Err(NotJoined { error, member_id }) => JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            .with_protocol_name(Some(StrBytes::new()))
            .with_member_id(member_id),
        Ok(joined) => {
            let listed = |(id, instance, metadata)| {
                JoinGroupResponseMember::default()
                    .with_member_id(id)
                    .with_group_instance_id(instance)
                    .with_metadata(metadata)
            };
            JoinGroupResponse::default()
                .with_generation_id(joined.generation)
                .with_protocol_name(Some(joined.protocol))
                .with_leader(joined.leader)
                .with_member_id(joined.member_id)
                .with_members(joined.members.into_iter().map(listed).collect())
        }
    }
}

/// Timeouts beyond an hour are an hour.
fn milliseconds(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0).min(3_600_000))
}

/// Hands in or waits for the assignment.
pub async fn sync(state: &State, request: SyncGroupRequest) -> SyncGroupResponse {
    let given = request.assignments.iter().map(|one| (owned(&one.member_id), Bytes::copy_from_slice(&one.assignment)));
    let caller = Caller {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_ref(),
        generation: request.generation_id,
    };
    let reception = state.groups().sync(&request.group_id, caller, given.collect(), Instant::now());
    let outcome: SyncOutcome = match reception {
        Reception::Now(outcome) => outcome,
        Reception::Parked(receiver) => {
            drop(request);
            receiver.await.unwrap_or(Err(ResponseError::UnknownMemberId))
        }
    };
    match outcome {
        Ok(assignment) => SyncGroupResponse::default().with_assignment(assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// A sign of life.
pub fn heartbeat(state: &State, request: &HeartbeatRequest) -> HeartbeatResponse {
    let caller = Caller {
        member_id: &request.member_id,
        instance: request.group_instance_id.as_ref(),
        generation: request.generation_id,
    };
    let outcome = state.groups().heartbeat(&request.group_id, caller, Instant::now());
    HeartbeatResponse::default().with_error_code(code(outcome))
}

/// One member goes, or from version 3 several.
pub fn leave(state: &State, request: &LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let now = Instant::now();
    let mut groups = state.groups();
    if version < 3 {
        let outcome = groups.leave(&request.group_id, &request.member_id, None, now);
        return LeaveGroupResponse::default().with_error_code(code(outcome));
    }
    let one = |member: &kafka_protocol::messages::leave_group_request::MemberIdentity| {
        let outcome = groups.leave(&request.group_id, &member.member_id, member.group_instance_id.as_ref(), now);
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(code(outcome))
    };
    let members = request.members.iter().map(one).collect();
    drop(groups);
    LeaveGroupResponse::default().with_members(members)
}

/// All groups, or those in the states and of the types asked for. Every group here is of the classic type.
pub fn list(state: &State, request: &ListGroupsRequest, version: i16) -> ListGroupsResponse {
    let among = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let shown =
        |summary: &Summary| among(&request.states_filter, summary.state) && among(&request.types_filter, "classic");
    let listed = |summary: Summary| {
        let group =
            ListedGroup::default().with_group_id(GroupId(summary.group)).with_protocol_type(summary.protocol_type);
        let group = if version >= 4 { group.with_group_state(StrBytes::from_static_str(summary.state)) } else { group };
        if version >= 5 { group.with_group_type(StrBytes::from_static_str("classic")) } else { group }
    };
    let groups = state.groups().list();
    ListGroupsResponse::default().with_groups(groups.into_iter().filter(shown).map(listed).collect())
}

/// Groups with their members.
pub fn describe(state: &State, request: &DescribeGroupsRequest) -> DescribeGroupsResponse {
    let groups = state.groups();
    let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { i32::MIN };
    let described = |name: &GroupId| {
        let summary = groups.describe(name);
        DescribedGroup::default()
            .with_group_id(GroupId(summary.group))
            .with_group_state(StrBytes::from_static_str(summary.state))
            .with_protocol_type(summary.protocol_type)
            .with_protocol_data(summary.protocol)
            .with_members(summary.members.into_iter().map(described_member).collect())
            .with_authorized_operations(operations)
    };
    DescribeGroupsResponse::default().with_groups(distinct(request.groups.iter()).map(described).collect())
}

fn described_member(member: ShownMember) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(member.member_id)
        .with_group_instance_id(member.instance)
        .with_client_id(member.client_id)
        .with_client_host(member.host)
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}

/// Removes groups without members.
pub fn delete(state: &State, request: &DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut groups = state.groups();
    let one = |name: &GroupId| {
        let outcome = groups.delete(name);
        DeletableGroupResult::default().with_group_id(name.clone()).with_error_code(code(outcome))
    };
    DeleteGroupsResponse::default().with_results(request.groups_names.iter().map(one).collect())
}
