//! When the record at an offset was written, as far as watching the log's end tells. Pure.
//!
//! Each look at a partition's end says which records were there by then. Between two looks the moment of an
//! offset is interpolated. What was written before anybody looked has to be read from the record itself, and
//! one such reading is kept too.

use chrono::TimeDelta;

use crate::model::Time;

/// Looks that are kept per partition.
const KEPT: usize = 64;
/// An estimate may be wrong by this much, or by a tenth of the age, whichever is more.
const TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// Ends of one partition's log over time.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Moment and end, both rising.
    looks: Vec<(Time, i64)>,
    /// Offset and time of a record that was read.
    read: Option<(i64, Time)>,
}

impl Arrivals {
    /// Takes a look at the end of the log.
    pub(super) fn observe(&mut self, at: Time, end: i64) {
        if self.looks.last().is_some_and(|(time, last)| end < *last || at < *time) {
            // The topic was made anew, or the clock was set back: nothing of old holds.
            *self = Self::default();
        }
        if let [.., (_, before), (time, last)] = self.looks.as_mut_slice()
            && *before == end
            && *last == end
        {
            *time = at;
            return;
        }
        self.looks.push((at, end));
        if self.looks.len() > KEPT {
            // The older half loses every second look: recent ones are the ones that are asked for.
            let mut index = 0;
            self.looks.retain(|_| {
                index += 1;
                index > KEPT / 2 || index % 2 == 1
            });
        }
    }

    /// Keeps the time that a record itself tells.
    pub(super) const fn learn(&mut self, offset: i64, written: Time) {
        self.read = Some((offset, written));
    }

    /// When the record at an offset was written; `None` when nobody looked closely enough.
    pub(super) fn written(&self, offset: i64, now: Time) -> Option<Time> {
        if let Some((known, time)) = self.read
            && known == offset
        {
            return Some(time);
        }
        let next = self.looks.partition_point(|(_, end)| *end <= offset);
        let (after, after_end) = *self.looks.get(next)?;
        let look = next.checked_sub(1).and_then(|index| self.looks.get(index)).map(|(time, end)| (*time, *end));
        let reading = self.read.filter(|(known, _)| *known < offset).map(|(known, time)| (time, known));
        let (before, before_end) = look.max(reading)?;
        let (span, records) = ((after - before).max(TimeDelta::zero()), after_end - before_end);
        if span > TOLERANCE.max((now - after) / 10) {
            return None;
        }
        let into = i32::try_from((offset - before_end).saturating_mul(1000).checked_div(records)?).ok()?;
        Some(before + span * into / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(1_000_000 + second, 0).unwrap()
    }

    #[test]
    fn moments_between_looks_are_interpolated() {
        let mut arrivals = Arrivals::default();
        for look in 0..10 {
            arrivals.observe(at(look * 2), look * 200);
        }
        assert_eq!(arrivals.written(500, at(60)), Some(at(5)));
        assert_eq!(arrivals.written(400, at(60)), Some(at(4)));
        assert_eq!(arrivals.written(1800, at(60)), None, "not written yet");
    }

    #[test]
    fn what_is_older_than_the_first_look_must_be_read() {
        let mut arrivals = Arrivals::default();
        arrivals.observe(at(100), 5000);
        arrivals.observe(at(102), 5200);
        assert_eq!(arrivals.written(10, at(110)), None);
        arrivals.learn(10, at(1));
        assert_eq!(arrivals.written(10, at(110)), Some(at(1)));
        assert_eq!(arrivals.written(3000, at(110)), None, "far from both");
        arrivals.learn(4000, at(98));
        assert_eq!(arrivals.written(4500, at(110)), Some(at(99)));
    }

    #[test]
    fn a_quiet_log_does_not_blur() {
        let mut arrivals = Arrivals::default();
        for look in 0..100 {
            arrivals.observe(at(look), 7);
        }
        assert_eq!(arrivals.looks.len(), 2);
        arrivals.observe(at(100), 9);
        assert_eq!(arrivals.written(8, at(200)), Some(at(99) + TimeDelta::milliseconds(500)));
    }

    #[test]
    fn a_topic_made_anew_begins_anew() {
        let mut arrivals = Arrivals::default();
        arrivals.observe(at(0), 100);
        arrivals.observe(at(2), 200);
        arrivals.observe(at(4), 5);
        assert_eq!(arrivals.written(150, at(5)), None);
    }

    #[test]
    fn looks_stay_few() {
        let mut arrivals = Arrivals::default();
        for look in 0..100_000 {
            arrivals.observe(at(look * 2), look * 10);
        }
        assert!(arrivals.looks.len() <= KEPT);
        assert!(arrivals.written(999_900, at(200_000)).is_some());
        assert!(arrivals.looks.is_sorted());
    }
}
