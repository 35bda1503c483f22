//! From the API server's objects to model values: pure functions.

pub mod event;
pub mod names;
pub mod notes;
pub mod operator;
pub mod pod;
pub mod status;
pub mod workload;

use std::sync::Arc;

use super::intern::Interner;
use super::wire::meta::Meta;
use crate::model::key::ObjectKey;

/// What every mapping needs: whose objects these are, and the shared strings.
#[derive(Debug)]
pub struct Mapper {
    /// Environment that the objects are in.
    pub environment: Arc<str>,
    /// Shared strings.
    pub strings: Interner,
}

impl Mapper {
    /// A mapper for one environment.
    #[must_use]
    pub fn new(environment: Arc<str>) -> Self {
        Self { environment, strings: Interner::default() }
    }

    /// The key of an object.
    pub fn key(&mut self, meta: &Meta) -> ObjectKey {
        ObjectKey {
            environment: self.environment.clone(),
            namespace: self.strings.share(&meta.namespace),
            name: meta.name.as_str().into(),
        }
    }

    /// A key beside an object, with a name that others share.
    pub fn beside(&mut self, meta: &Meta, name: &str) -> ObjectKey {
        ObjectKey {
            environment: self.environment.clone(),
            namespace: self.strings.share(&meta.namespace),
            name: self.strings.share(name),
        }
    }
}
