//! Where a worker sends what it reads: decided from what a partition's mark says and from the last control record.
//!
//! Why it is exact: a transaction holds records of one lane, the offsets behind them and a [`Mark`] with the epoch, all
//! or nothing, and brokers refuse it from a worker that the partition no longer belongs to. So a partition's committed
//! offset is the number of records that were routed, its mark says by which epoch, and the next transaction begins
//! exactly there, whoever writes it. A cut is where the epoch of a mark rises.
//!
//! A worker may hear of a control record late, twice or not at all. One rule makes that harmless: nobody routes by an
//! epoch lower than the partition's mark. So when all marks have reached an epoch, nothing is ever routed by an older
//! one again, and the flip is done.
//!
//! It must not do any I/O: `tests/router_model.rs` puts it through every order of events.

use crate::model::route::record::{Control, Mark, VERSION};

/// What a worker may do with a set of partitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Course<'a> {
    /// Route by this record.
    Go(&'a Control),
    /// No controller has said which lane is active.
    Unruled,
    /// A partition is further than the last control record that was heard of.
    Behind {
        /// Epoch of the partition's mark.
        needs: u64,
    },
}

/// What may be done with partitions that have these marks.
pub fn course(control: Option<&Control>, marks: impl IntoIterator<Item = Option<u64>>) -> Course<'_> {
    let Some(control) = control else { return Course::Unruled };
    match marks.into_iter().flatten().max() {
        Some(needs) if needs > control.epoch => Course::Behind { needs },
        _ => Course::Go(control),
    }
}

/// Which of two control records holds: the one with the higher number, whichever came later.
#[must_use]
pub fn later(known: Option<u64>, heard: u64) -> bool {
    known.is_none_or(|known| heard > known)
}

/// The mark of a transaction by `control` that begins at `from`, where the partition has `before`.
#[must_use]
pub fn mark(control: &Control, before: Option<&Mark>, from: i64, at_ms: i64) -> Mark {
    let (cut, gap_ms) = match before {
        Some(before) if before.epoch == control.epoch => (before.cut, before.gap_ms),
        Some(before) => (from, at_ms.saturating_sub(before.at_ms).max(0)),
        None => (from, 0),
    };
    Mark { version: VERSION, epoch: control.epoch, lane: control.lane.clone(), cut, at_ms, gap_ms, extent: None }
}

/// How many partitions have reached an epoch.
pub fn acknowledged(epoch: u64, marks: impl IntoIterator<Item = Option<u64>>) -> usize {
    marks.into_iter().filter(|mark| mark.is_some_and(|mark| mark >= epoch)).count()
}

/// The number of the next control record, above all that anybody has seen.
pub fn next_epoch(known: Option<u64>, marks: impl IntoIterator<Item = Option<u64>>) -> u64 {
    known.into_iter().chain(marks.into_iter().flatten()).max().unwrap_or(0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::route::record::Cause;

    fn control(epoch: u64, lane: &str) -> Control {
        let text = String::new;
        Control {
            version: VERSION,
            route: text(),
            epoch,
            lane: lane.to_owned(),
            previous: None,
            cause: Cause::Initial,
            who: text(),
            why: text(),
            since_ms: 0,
            decided_ms: 0,
            hold: None,
            lane_ends: Vec::new(),
            shadow: None,
            selection: None,
        }
    }

    #[test]
    fn nobody_routes_by_an_epoch_below_a_mark() {
        let known = control(4, "blue");
        assert_eq!(course(None, [Some(1)]), Course::Unruled);
        assert_eq!(course(Some(&known), [None, Some(4), Some(3)]), Course::Go(&known));
        assert_eq!(course(Some(&known), [Some(3), Some(5)]), Course::Behind { needs: 5 });
        assert!(later(None, 1) && later(Some(1), 2) && !later(Some(2), 2) && !later(Some(2), 1));
    }

    #[test]
    fn a_mark_keeps_its_cut_until_the_epoch_rises() {
        let first = mark(&control(1, "blue"), None, 10, 1_000);
        assert_eq!((first.cut, first.gap_ms), (10, 0));
        let same = mark(&control(1, "blue"), Some(&first), 20, 1_100);
        assert_eq!((same.cut, same.at_ms, same.gap_ms), (10, 1_100, 0));
        let flipped = mark(&control(2, "green"), Some(&same), 30, 1_350);
        assert_eq!((flipped.cut, flipped.gap_ms, flipped.lane.as_str()), (30, 250, "green"));
        let back_in_time = mark(&control(3, "blue"), Some(&flipped), 40, 900);
        assert_eq!(back_in_time.gap_ms, 0);
    }

    #[test]
    fn a_flip_is_acknowledged_by_partitions() {
        assert_eq!(acknowledged(5, [Some(5), Some(6), Some(4), None]), 2);
        assert_eq!(next_epoch(None, []), 1);
        assert_eq!(next_epoch(Some(3), [None, Some(7)]), 8);
    }
}
