//! One copy of every repeated string.
//!
//! Thousands of pods repeat a few namespaces, nodes, images and status words. Each watch keeps a set of
//! the strings that it has handed out. It must not grow for ever: when it is large, strings that
//! nobody else holds any more are dropped.

use std::collections::HashSet;
use std::sync::Arc;

/// Sizes at which unused strings are looked for: a power of two, so that the work is amortized.
const SWEEP: usize = 4096;

/// A set of shared strings.
#[derive(Debug, Default)]
pub struct Interner {
    strings: HashSet<Arc<str>>,
}

impl Interner {
    /// The shared copy of a string.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.strings.get(text) {
            return known.clone();
        }
        if self.strings.len() >= SWEEP && self.strings.len().is_power_of_two() {
            self.strings.retain(|string| Arc::strong_count(string) > 1);
        }
        let shared: Arc<str> = text.into();
        self.strings.insert(shared.clone());
        shared
    }

    /// The shared copy of a string that may be missing; an empty one counts as missing.
    pub fn share_some(&mut self, text: Option<&str>) -> Option<Arc<str>> {
        text.filter(|text| !text.is_empty()).map(|text| self.share(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_one() {
        let mut interner = Interner::default();
        assert!(Arc::ptr_eq(&interner.share("a"), &interner.share("a")));
        assert_eq!(interner.share_some(Some("")), None);
    }

    #[test]
    fn unused_strings_do_not_pile_up() {
        let mut interner = Interner::default();
        for number in 0..100_000 {
            interner.share(&number.to_string());
        }
        assert!(interner.strings.len() <= 2 * SWEEP);
    }
}
