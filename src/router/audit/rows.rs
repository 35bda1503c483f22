//! What a flip did to the rows around its cut, where a route selects: every row that had to be told is there, as often
//! as its lane wrote it, and no row of a key comes behind one that stands above it.

use std::collections::HashMap;

use crate::model::route::record::Audit;
use crate::router::select::Standing;

/// A row: hash of its key, and how it stands among those of that key.
pub type Told = (u64, Standing);

/// Compares what had to be told with what was found in a topic, partition by partition in the order of offsets.
#[must_use]
pub fn compare_rows(expected: &[Told], found: &[Vec<Told>]) -> Audit {
    let mut left: HashMap<Told, i64> = HashMap::with_capacity(expected.len());
    for row in expected {
        *left.entry(*row).or_default() += 1;
    }
    let mut audit = Audit { compared: expected.len() as u64, ..Audit::default() };
    for partition in found {
        let mut highest: HashMap<u64, Standing> = HashMap::new();
        for row @ (key, standing) in partition {
            let Some(count) = left.get_mut(row) else { continue };
            *count -= 1;
            let before = highest.entry(*key).or_insert(*standing);
            if *standing < *before {
                audit.reordered += 1;
            }
            *before = (*before).max(*standing);
        }
    }
    for count in left.into_values() {
        if count > 0 {
            audit.lost += count.unsigned_abs();
        } else {
            audit.duplicated += count.unsigned_abs();
        }
    }
    audit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::select::standing;

    fn row(key: u64, revision: u32) -> Told {
        (key, standing(format!(r#"{{"revision":{revision}}}"#).as_bytes()))
    }

    fn counts(found: &[Vec<Told>]) -> (u64, u64, u64) {
        let audit = compare_rows(&[row(1, 0), row(1, 1), row(2, 0), row(3, 0)], found);
        assert_eq!(audit.compared, 4);
        (audit.lost, audit.duplicated, audit.reordered)
    }

    #[test]
    fn rows_are_told_once_and_in_their_order() {
        assert_eq!(counts(&[vec![row(1, 0), row(2, 0), row(1, 1)], vec![row(3, 0)]]), (0, 0, 0));
        assert_eq!(counts(&[vec![row(1, 0), row(2, 0), row(1, 1), row(3, 0), row(4, 0)]]), (0, 0, 0), "one more");
        assert_eq!(counts(&[vec![row(1, 0), row(1, 1), row(3, 0)]]), (1, 0, 0));
        assert_eq!(counts(&[vec![row(1, 0), row(1, 1), row(2, 0), row(3, 0)], vec![row(2, 0)]]), (0, 1, 0));
        assert_eq!(counts(&[vec![row(1, 1), row(1, 0), row(2, 0), row(3, 0)]]), (0, 0, 1));
    }
}
