//! How Kafka stands in each environment, for lists of topics and groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::standing::{Standing, Standings};
use crate::model::environment::{Backend, Link};
use crate::model::inventory::Inventory;

/// How Kafka stands in the environments that have it.
pub type KafkaStanding = Standings;

/// The environments that have Kafka.
pub fn environments(inventory: &Inventory) -> impl Iterator<Item = Arc<str>> {
    inventory.environments().filter(|it| it.kafka.is_some()).map(|it| it.name.clone())
}

/// How far each environment's names can be trusted; `names` are those that were listed.
#[must_use]
pub fn standings<T>(inventory: &Inventory, names: &BTreeMap<Arc<str>, T>) -> KafkaStanding {
    environments(inventory)
        .map(|environment| {
            let listed = names.contains_key(&environment);
            let standing = match inventory.link(&environment, Backend::Kafka) {
                Link::Down { since, error, next_try } if listed => {
                    Standing::Stale(*since, error.clone(), Some(*next_try))
                }
                Link::Down { since, error, next_try } => Standing::Unreachable(*since, error.clone(), *next_try),
                Link::Forbidden { error, .. } if !listed => Standing::Forbidden(error.clone()),
                Link::Idle | Link::Connecting if !listed => Standing::Connecting,
                _ if !listed => Standing::Loading,
                _ => Standing::Live,
            };
            (environment, standing)
        })
        .collect()
}
