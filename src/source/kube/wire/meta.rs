//! The metadata of an object: names, times, labels, and the few annotations that are ours.
//!
//! Annotations may be megabytes and come from anybody; managed fields are often half of the object. Both are
//! skipped while they are parsed.

use std::collections::BTreeMap;
use std::fmt;

use kube::core::ObjectMeta;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::nullable;
use crate::model::Time;

/// Annotations with this prefix are kept.
pub const OURS: &str = "flowdeck.dev/";
/// The one foreign annotation that is kept: the IAM role of a service account.
pub const ROLE: &str = "eks.amazonaws.com/role-arn";
/// Longest kept value, in bytes.
const LONGEST: usize = 1024;

/// Names by value.
pub type Labels = BTreeMap<String, String>;

/// Metadata.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Wire")]
pub struct Meta {
    /// What kube's watcher looks at, the resource version, and what tells an object from its successor of the same name.
    pub head: ObjectMeta,
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was created.
    pub created_at: Option<Time>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Time>,
    /// Labels.
    pub labels: Labels,
    /// Annotations that are ours.
    pub annotations: Labels,
    /// Kind and name of the object that owns it.
    pub owner: Option<(String, String)>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    name: String,
    namespace: String,
    resource_version: Option<String>,
    uid: Option<String>,
    generation: i64,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    #[serde(deserialize_with = "nullable")]
    labels: Labels,
    #[serde(deserialize_with = "ours")]
    annotations: Labels,
    #[serde(deserialize_with = "nullable")]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

impl From<Wire> for Meta {
    fn from(wire: Wire) -> Self {
        let owners = wire.owner_references;
        let owner = owners.iter().find(|owner| owner.controller == Some(true)).or_else(|| owners.first());
        Self {
            head: ObjectMeta { resource_version: wire.resource_version, uid: wire.uid, ..ObjectMeta::default() },
            owner: owner.map(|owner| (owner.kind.clone(), owner.name.clone())),
            name: wire.name,
            namespace: wire.namespace,
            generation: wire.generation,
            created_at: wire.creation_timestamp,
            deleted_at: wire.deletion_timestamp,
            labels: wire.labels,
            annotations: wire.annotations,
        }
    }
}

fn ours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
    struct Ours;

    impl<'de> Visitor<'de> for Ours {
        type Value = Labels;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("annotations")
        }

        fn visit_unit<E>(self) -> Result<Labels, E> {
            Ok(Labels::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
            let mut kept = Labels::new();
            while let Some(name) = map.next_key::<String>()? {
                if name.starts_with(OURS) || name == ROLE {
                    let value: String = map.next_value()?;
                    let end = value.floor_char_boundary(LONGEST);
                    kept.insert(name, value.get(..end).unwrap_or_default().to_owned());
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(kept)
        }
    }

    deserializer.deserialize_any(Ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_annotations_are_kept_and_cut() {
        let huge = "ä".repeat(10_000);
        let json = serde_json::json!({
            "name": "n", "namespace": "s", "resourceVersion": "7", "uid": "u-1", "labels": null,
            "annotations": {"flowdeck.dev/team": huge, "other": "x", "kubectl.kubernetes.io/last-applied-configuration": huge},
            "managedFields": [{"fieldsV1": {"f:metadata": {}}}],
            "ownerReferences": [{"kind": "Other", "name": "o"}, {"kind": "ReplicaSet", "name": "r", "controller": true}],
            "creationTimestamp": "2026-01-02T03:04:05Z",
        });
        let meta: Meta = serde_json::from_value(json).unwrap();
        assert_eq!(meta.annotations.len(), 1);
        assert_eq!(meta.annotations["flowdeck.dev/team"].len(), LONGEST);
        assert_eq!(meta.owner, Some(("ReplicaSet".into(), "r".into())));
        assert_eq!(meta.head.resource_version.as_deref(), Some("7"));
        assert_eq!(meta.head.uid.as_deref(), Some("u-1"));
        assert_eq!(meta.created_at.unwrap().timestamp(), 1_767_323_045);
    }

    #[test]
    fn null_annotations_are_none() {
        let meta: Meta = serde_json::from_str(r#"{"annotations":null,"ownerReferences":null}"#).unwrap();
        assert!(meta.annotations.is_empty() && meta.owner.is_none());
    }
}
