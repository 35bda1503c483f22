//! The one table of what this broker answers: each API's version range and the shape of its request.
//!
//! The answer to `ApiVersions`, the refusal of anything else and the proof of a request's shape all come from here, so
//! a version is never announced without being described. The ranges are those librdkafka 2.12 uses and the tests drive;
//! the description must cover every version in the range. Ranges stop below topic identifiers, incremental fetch
//! sessions and the newer group protocol, which this broker does not have.

use kafka_protocol::messages::ApiKey;

use super::shape::Part::{Blob, Fixed, Structs, Text, Values};
use super::shape::{Field, always, since, until};

/// One API this broker answers.
#[derive(Debug)]
pub struct Api {
    /// Which API.
    pub key: ApiKey,
    /// Lowest version answered.
    pub oldest: i16,
    /// Highest version answered.
    pub newest: i16,
    /// First version with compact lengths and tagged fields; above `newest` when none has them.
    pub flexible_since: i16,
    /// The request's fields after the header.
    pub request: &'static [Field],
}

/// No answered version of the API is flexible.
const NEVER: i16 = i16::MAX;

/// Topic name and partition numbers.
const NAMED_PARTITIONS: &[Field] = &[always(Text), always(Values(&Fixed(4)))];

/// Every API this broker answers.
pub const APIS: &[Api] = &[
    Api { key: ApiKey::Produce, oldest: 3, newest: 10, flexible_since: 9, request: PRODUCE },
    Api { key: ApiKey::Fetch, oldest: 4, newest: 11, flexible_since: NEVER, request: FETCH },
    Api { key: ApiKey::ListOffsets, oldest: 1, newest: 7, flexible_since: 6, request: LIST_OFFSETS },
    Api { key: ApiKey::Metadata, oldest: 0, newest: 9, flexible_since: 9, request: METADATA },
    Api { key: ApiKey::OffsetCommit, oldest: 2, newest: 9, flexible_since: 8, request: OFFSET_COMMIT },
    Api { key: ApiKey::OffsetFetch, oldest: 1, newest: 9, flexible_since: 6, request: OFFSET_FETCH },
    Api { key: ApiKey::FindCoordinator, oldest: 0, newest: 4, flexible_since: 3, request: FIND_COORDINATOR },
    Api { key: ApiKey::JoinGroup, oldest: 0, newest: 5, flexible_since: NEVER, request: JOIN_GROUP },
    Api { key: ApiKey::Heartbeat, oldest: 0, newest: 3, flexible_since: NEVER, request: HEARTBEAT },
    Api { key: ApiKey::LeaveGroup, oldest: 0, newest: 3, flexible_since: NEVER, request: LEAVE_GROUP },
    Api { key: ApiKey::SyncGroup, oldest: 0, newest: 3, flexible_since: NEVER, request: SYNC_GROUP },
    Api { key: ApiKey::DescribeGroups, oldest: 0, newest: 4, flexible_since: NEVER, request: DESCRIBE_GROUPS },
    Api { key: ApiKey::ListGroups, oldest: 0, newest: 5, flexible_since: 3, request: LIST_GROUPS },
    Api { key: ApiKey::ApiVersions, oldest: 0, newest: 4, flexible_since: 3, request: API_VERSIONS },
    Api { key: ApiKey::CreateTopics, oldest: 2, newest: 4, flexible_since: NEVER, request: CREATE_TOPICS },
    Api { key: ApiKey::DeleteTopics, oldest: 1, newest: 3, flexible_since: NEVER, request: DELETE_TOPICS },
    Api { key: ApiKey::DeleteRecords, oldest: 0, newest: 1, flexible_since: NEVER, request: DELETE_RECORDS },
    Api { key: ApiKey::InitProducerId, oldest: 0, newest: 4, flexible_since: 2, request: INIT_PRODUCER_ID },
    Api { key: ApiKey::AddPartitionsToTxn, oldest: 0, newest: 0, flexible_since: NEVER, request: ADD_PARTITIONS },
    Api { key: ApiKey::AddOffsetsToTxn, oldest: 0, newest: 0, flexible_since: NEVER, request: ADD_OFFSETS },
    Api { key: ApiKey::EndTxn, oldest: 0, newest: 1, flexible_since: NEVER, request: END_TRANSACTION },
    Api { key: ApiKey::TxnOffsetCommit, oldest: 0, newest: 3, flexible_since: 3, request: COMMIT_IN_TRANSACTION },
    Api { key: ApiKey::OffsetForLeaderEpoch, oldest: 2, newest: 3, flexible_since: NEVER, request: LEADER_EPOCH },
    Api { key: ApiKey::DescribeConfigs, oldest: 1, newest: 3, flexible_since: NEVER, request: DESCRIBE_CONFIGS },
    Api { key: ApiKey::CreatePartitions, oldest: 0, newest: 1, flexible_since: NEVER, request: CREATE_PARTITIONS },
    Api { key: ApiKey::DeleteGroups, oldest: 0, newest: 1, flexible_since: NEVER, request: DELETE_GROUPS },
    Api { key: ApiKey::DescribeCluster, oldest: 0, newest: 0, flexible_since: 0, request: DESCRIBE_CLUSTER },
];

/// The table's row for an API, by its number on the wire.
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

const PRODUCE: &[Field] = &[
    always(Text),
    always(Fixed(2)),
    always(Fixed(4)),
    always(Structs(&[always(Text), always(Structs(&[always(Fixed(4)), always(Blob)]))])),
];

const FETCH: &[Field] = &[
    always(Fixed(4)),
    always(Fixed(4)),
    always(Fixed(4)),
    always(Fixed(4)),
    always(Fixed(1)),
    since(7, Fixed(8)),
    always(Structs(&[
        always(Text),
        always(Structs(&[
            always(Fixed(4)),
            since(9, Fixed(4)),
            always(Fixed(8)),
            since(5, Fixed(8)),
            always(Fixed(4)),
        ])),
    ])),
    since(7, Structs(NAMED_PARTITIONS)),
    since(11, Text),
];

const LIST_OFFSETS: &[Field] = &[
    always(Fixed(4)),
    since(2, Fixed(1)),
    always(Structs(&[always(Text), always(Structs(&[always(Fixed(4)), since(4, Fixed(4)), always(Fixed(8))]))])),
];

const METADATA: &[Field] = &[always(Structs(&[always(Text)])), since(4, Fixed(1)), since(8, Fixed(2))];

const OFFSET_COMMIT: &[Field] = &[
    always(Text),
    always(Fixed(4)),
    always(Text),
    since(7, Text),
    until(4, Fixed(8)),
    always(Structs(&[
        always(Text),
        always(Structs(&[always(Fixed(4)), always(Fixed(8)), since(6, Fixed(4)), always(Text)])),
    ])),
];

const OFFSET_FETCH: &[Field] = &[
    until(7, Text),
    until(7, Structs(NAMED_PARTITIONS)),
    since(8, Structs(&[always(Text), since(9, Text), since(9, Fixed(4)), always(Structs(NAMED_PARTITIONS))])),
    since(7, Fixed(1)),
];

const FIND_COORDINATOR: &[Field] = &[until(3, Text), since(1, Fixed(1)), since(4, Values(&Text))];

const JOIN_GROUP: &[Field] = &[
    always(Text),
    always(Fixed(4)),
    since(1, Fixed(4)),
    always(Text),
    since(5, Text),
    always(Text),
    always(Structs(&[always(Text), always(Blob)])),
];

const HEARTBEAT: &[Field] = &[always(Text), always(Fixed(4)), always(Text), since(3, Text)];

const LEAVE_GROUP: &[Field] = &[always(Text), until(2, Text), since(3, Structs(&[always(Text), always(Text)]))];

const SYNC_GROUP: &[Field] =
    &[always(Text), always(Fixed(4)), always(Text), since(3, Text), always(Structs(&[always(Text), always(Blob)]))];

const DESCRIBE_GROUPS: &[Field] = &[always(Values(&Text)), since(3, Fixed(1))];

const LIST_GROUPS: &[Field] = &[since(4, Values(&Text)), since(5, Values(&Text))];

const API_VERSIONS: &[Field] = &[since(3, Text), since(3, Text)];

const CREATE_TOPICS: &[Field] = &[
    always(Structs(&[
        always(Text),
        always(Fixed(4)),
        always(Fixed(2)),
        always(Structs(&[always(Fixed(4)), always(Values(&Fixed(4)))])),
        always(Structs(&[always(Text), always(Text)])),
    ])),
    always(Fixed(4)),
    always(Fixed(1)),
];

const DELETE_TOPICS: &[Field] = &[always(Values(&Text)), always(Fixed(4))];

const DELETE_RECORDS: &[Field] =
    &[always(Structs(&[always(Text), always(Structs(&[always(Fixed(4)), always(Fixed(8))]))])), always(Fixed(4))];

const INIT_PRODUCER_ID: &[Field] = &[always(Text), always(Fixed(4)), since(3, Fixed(8)), since(3, Fixed(2))];

const ADD_PARTITIONS: &[Field] = &[always(Text), always(Fixed(8)), always(Fixed(2)), always(Structs(NAMED_PARTITIONS))];

const ADD_OFFSETS: &[Field] = &[always(Text), always(Fixed(8)), always(Fixed(2)), always(Text)];

const END_TRANSACTION: &[Field] = &[always(Text), always(Fixed(8)), always(Fixed(2)), always(Fixed(1))];

const COMMIT_IN_TRANSACTION: &[Field] = &[
    always(Text),
    always(Text),
    always(Fixed(8)),
    always(Fixed(2)),
    since(3, Fixed(4)),
    since(3, Text),
    since(3, Text),
    always(Structs(&[
        always(Text),
        always(Structs(&[always(Fixed(4)), always(Fixed(8)), since(2, Fixed(4)), always(Text)])),
    ])),
];

const LEADER_EPOCH: &[Field] =
    &[since(3, Fixed(4)), always(Structs(&[always(Text), always(Structs(&[always(Fixed(12))]))]))];

const DESCRIBE_CONFIGS: &[Field] =
    &[always(Structs(&[always(Fixed(1)), always(Text), always(Values(&Text))])), always(Fixed(1)), since(3, Fixed(1))];

const CREATE_PARTITIONS: &[Field] = &[
    always(Structs(&[always(Text), always(Fixed(4)), always(Structs(&[always(Values(&Fixed(4)))]))])),
    always(Fixed(4)),
    always(Fixed(1)),
];

const DELETE_GROUPS: &[Field] = &[always(Values(&Text))];

const DESCRIBE_CLUSTER: &[Field] = &[always(Fixed(1))];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_crate_decodes_every_announced_version() {
        for api in APIS {
            let known = api.key.valid_versions();
            assert!(known.min <= api.oldest && api.newest <= known.max, "{:?} {known:?}", api.key);
        }
    }

    #[test]
    fn flexible_versions_agree_with_the_protocol_crate() {
        for api in APIS {
            for version in api.oldest..=api.newest {
                let flexible = api.key.request_header_version(version) >= 2;
                assert_eq!(flexible, version >= api.flexible_since, "{:?} version {version}", api.key);
            }
        }
    }
}
