//! What a flip did to the records around its cut, by comparing what was read and not by trusting the protocol.
//!
//! For each partition three stretches are read: the source on both sides of the cut, the end of the old lane, the
//! beginning of the new one. Before the cut the source must be found in the old lane, behind it in the new one; each
//! once, in the order of the source. Records are compared by a hash of all that is copied.
//!
//! It must not read anything itself.

pub mod rows;

use std::collections::HashMap;

use crate::model::route::record::Audit;

/// Hash of a record: key, value, headers and timestamp.
pub type Print = u64;

/// One partition around its cut.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// The source before what is compared: what the old lane shows when something of `before` is missing there.
    pub older: Vec<Print>,
    /// The source before the cut, in order, ending at the cut.
    pub before: Vec<Print>,
    /// The source from the cut on, as far as it was routed.
    pub after: Vec<Print>,
    /// The source behind that.
    pub newer: Vec<Print>,
    /// The end of the old lane.
    pub old: Vec<Print>,
    /// The new lane since the flip.
    pub new: Vec<Print>,
}

/// Compares one partition.
#[must_use]
pub fn compare(stretch: &Stretch) -> Audit {
    let Stretch { older, before, after, newer, old, new } = stretch;
    let whole_old = old.get(old.len().saturating_sub(before.len())..).unwrap_or_default();
    let whole_new = new.get(..after.len().min(new.len())).unwrap_or_default();
    let mut audit = side(before, whole_old, older);
    audit.add(&side(after, whole_new, newer));
    audit
}

impl Audit {
    /// Adds another partition's.
    pub fn add(&mut self, other: &Self) {
        self.compared += other.compared;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        if self.unmeasured.is_none() {
            self.unmeasured.clone_from(&other.unmeasured);
        }
    }
}

/// What became of `expected` in `found`, which may show some of `beyond` where something is missing.
fn side(expected: &[Print], found: &[Print], beyond: &[Print]) -> Audit {
    let mut audit = Audit { compared: expected.len() as u64, ..Audit::default() };
    if expected == found {
        return audit;
    }
    let mut left: HashMap<Print, i64> = HashMap::new();
    for print in expected {
        *left.entry(*print).or_default() += 1;
    }
    // Those of the source that were found, each as often as it may be: their order is the source's, or not.
    let mut kept = Vec::with_capacity(found.len());
    for print in found {
        match left.get_mut(print) {
            Some(count) if *count > 0 => {
                *count -= 1;
                kept.push(*print);
            }
            _ if beyond.contains(print) => {}
            _ => audit.duplicated += 1,
        }
    }
    audit.lost = left.values().map(|count| u64::try_from(*count).unwrap_or(0)).sum();
    let mut missing = left;
    let present = expected.iter().filter(|print| match missing.get_mut(print) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    audit.reordered = present.zip(&kept).filter(|(expected, found)| expected != found).count() as u64;
    audit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(old: &[Print], new: &[Print]) -> (u64, u64, u64) {
        let (older, before, after, newer) = (vec![0], vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]);
        let stretch = Stretch { older, before, after, newer, old: old.to_vec(), new: new.to_vec() };
        let audit = compare(&stretch);
        assert_eq!(audit.compared, 6);
        (audit.lost, audit.duplicated, audit.reordered)
    }

    #[test]
    fn what_was_routed_well_has_zeros() {
        assert_eq!(counts(&[1, 2, 3], &[4, 5, 6]), (0, 0, 0));
        assert_eq!(counts(&[9, 0, 1, 2, 3], &[4, 5, 6, 7, 8, 9]), (0, 0, 0), "what is further away is not looked at");
    }

    #[test]
    fn what_was_not_is_told_apart() {
        assert_eq!(counts(&[1, 2, 3], &[5, 6, 7]), (1, 0, 0), "lost behind the cut");
        assert_eq!(counts(&[0, 1, 2], &[4, 5, 6]), (1, 0, 0), "lost before the cut");
        assert_eq!(counts(&[0, 1, 2], &[3, 4, 5]), (2, 1, 0), "on the wrong side");
        assert_eq!(counts(&[1, 2, 3], &[4, 5]), (1, 0, 0), "lost at the end");
        assert_eq!(counts(&[1, 2, 3], &[4, 4, 5]), (1, 1, 0), "twice, which pushes another out of sight");
        assert_eq!(counts(&[1, 2, 3], &[5, 4, 6]), (0, 0, 2), "swapped");
        assert_eq!(counts(&[1, 3, 2], &[4, 5, 6]), (0, 0, 2), "swapped before the cut");
    }

    #[test]
    fn equal_records_may_come_as_often_as_in_the_source() {
        let (before, after) = (vec![7, 7], vec![7, 8]);
        let stretch =
            Stretch { before: before.clone(), after: after.clone(), old: before, new: after, ..Stretch::default() };
        assert_eq!(compare(&stretch), Audit { compared: 4, ..Audit::default() });
        let audit = compare(&Stretch { new: vec![7, 7], ..stretch });
        assert_eq!((audit.lost, audit.duplicated), (1, 1));
    }
}
