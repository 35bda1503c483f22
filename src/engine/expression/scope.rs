//! The names that an expression may use, and what to say of one that is none of them.

use std::sync::Arc;

use super::tree::Function;
use super::value::Type;

/// Names, their types, and the order in which their values are given.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: Vec<(Arc<str>, Type)>,
}

impl Scope {
    /// These names in this order. Of equal ones the first counts.
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, Type)>) -> Self {
        Self { names: names.into_iter().map(|(name, kind)| (name.into(), kind)).collect() }
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.names.iter().map(|(name, kind)| (&**name, kind))
    }

    /// The place of a name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|(known, _)| **known == *name)
    }

    pub(super) fn name(&self, slot: usize) -> Arc<str> {
        self.names.get(slot).map_or_else(|| "?".into(), |(name, _)| name.clone())
    }

    pub(super) fn kind(&self, slot: usize) -> &Type {
        self.names.get(slot).map_or(&Type::Dyn, |(_, kind)| kind)
    }

    /// What to say of an unknown name.
    pub(super) fn unknown(&self, name: &str) -> String {
        let known = || self.names.iter().map(|(known, _)| &**known);
        if Function::ALL.iter().any(|(function, ..)| *function == name) {
            return format!("{name} is a function: write {name}(…)");
        }
        match likely(name, known()) {
            Some(likely) => format!("there is no {name} here: did you mean {likely}?"),
            None => format!("there is no {name} here: there are {}", known().collect::<Vec<_>>().join(", ")),
        }
    }

    /// What to say of an unknown function.
    pub(super) fn unknown_function(&self, name: &str) -> String {
        if self.slot(name).is_some() {
            return format!("{name} is a value, not a function: leave the brackets away");
        }
        let known = || Function::ALL.iter().map(|(known, ..)| *known).chain(["matches", "has"]);
        match likely(name, known()) {
            Some(likely) => format!("there is no function {name}: did you mean {likely}?"),
            None => format!("there is no function {name}: there are {}", known().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The nearest name, if it is near: upper and lower case and `_` aside, at most a third of its letters differ.
fn likely<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let wanted = plain(name);
    let distance = |known: &str| {
        let known = plain(known);
        // The beginning of a name is that name: avail, request.
        let is_part = wanted.len() >= 4 && known.starts_with(&wanted);
        if is_part { 1 } else { strsim::osa_distance(&wanted, &known) }
    };
    let (distance, nearest) = known.map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= (wanted.chars().count() / 3).max(1)).then_some(nearest)
}
