//! Names of services as small numbers, and the limit of them.
//!
//! Why: an event must not cost an allocation, and hostile names must not cost the memory.
//!
//! It must not forget a name while it runs: panes of one service keep its number.

use std::collections::HashMap;
use std::sync::Arc;

/// Where the events of services beyond the limit go.
pub const OTHER: &str = "__other__";

/// A service's number: the order of its first event. 0 is [`OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u32);

/// The names known so far.
#[derive(Clone, Debug)]
pub struct Services {
    ids: HashMap<Arc<str>, ServiceId, Hashing>,
    names: Vec<Arc<str>>,
    limit: usize,
    overflowed: u64,
}

/// Seeded anew for each process, so that no one can choose names that collide.
type Hashing = foldhash::quality::RandomState;

impl Services {
    /// Tells apart at most so many services.
    pub fn new(limit: u32) -> Self {
        let other: Arc<str> = OTHER.into();
        let ids = HashMap::from_iter([(other.clone(), ServiceId(0))]);
        Self { ids, names: vec![other], limit: usize::try_from(limit).unwrap_or(usize::MAX), overflowed: 0 }
    }

    /// The number of a name; a new one beyond the limit is counted and is [`OTHER`].
    pub fn intern(&mut self, name: &str) -> ServiceId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        match u32::try_from(self.names.len()) {
            Ok(next) if self.count() < self.limit => {
                let name: Arc<str> = name.into();
                self.ids.insert(name.clone(), ServiceId(next));
                self.names.push(name);
                ServiceId(next)
            }
            _ => {
                self.overflowed += 1;
                ServiceId(0)
            }
        }
    }

    /// The name of a number.
    pub fn name(&self, id: ServiceId) -> Arc<str> {
        let name = usize::try_from(id.0).ok().and_then(|index| self.names.get(index));
        name.or_else(|| self.names.first()).cloned().unwrap_or_else(|| OTHER.into())
    }

    /// How many services are told apart, [`OTHER`] not among them.
    pub fn count(&self) -> usize {
        self.names.len() - 1
    }

    /// How many events went to [`OTHER`] because of the limit.
    pub const fn overflowed(&self) -> u64 {
        self.overflowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_are_counted_under_another() {
        let mut services = Services::new(2);
        let ids = ["a", "b", "a", "c", "d", "b", OTHER].map(|name| services.intern(name).0);
        assert_eq!(ids, [1, 2, 1, 0, 0, 2, 0]);
        assert_eq!((services.count(), services.overflowed()), (2, 2));
        assert_eq!(
            ["__other__", "a", "b", "__other__"].map(str::to_owned),
            [0, 1, 2, 9].map(|id| services.name(ServiceId(id)).to_string())
        );
    }
}
