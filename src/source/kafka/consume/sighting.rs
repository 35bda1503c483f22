//! What is known of a topic that is read: whether it is there, and whether it is still the same one.
//!
//! Why one answer is not believed: a broker that has just started may know no topic at all for a while, and says so.
//! Whoever then forgets how far reading had come reads everything anew, and counts everything twice. So a topic is gone
//! only when that was said several times over some seconds, and even then its offsets are kept: the same topic, by its
//! id, is read on from where it was. Brokers before Kafka 2.8 have no ids; there a topic that was gone is another one.
//!
//! Pure: time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::places::Origin;
use super::{Start, Wish};

/// How often in a row it must be said that a topic is not there.
const CONFIRMED: u32 = 3;
/// Over how long.
const CONFIRMED_OVER: Duration = Duration::from_secs(8);

/// One topic.
#[derive(Debug, Default)]
pub(super) struct Sighting {
    /// Whether it was there once.
    known: bool,
    /// Its id, where brokers have ids.
    id: Option<String>,
    /// Since when it is said not to be there, and how often.
    missing: Option<(Instant, u32)>,
    /// Whether it was certainly not there at some time, so that all of it is new.
    was_absent: bool,
    /// Where to go on if the same topic comes back: turn of the wish and offset by partition.
    kept: BTreeMap<i32, (u64, i64)>,
}

impl Sighting {
    /// It is there. Answers whether it is another topic under the same name. [`Self::laid_out`] comes after.
    pub(super) fn seen(&mut self, id: Option<String>) -> bool {
        let differs = self.id.is_some() && id.is_some() && self.id != id;
        if differs || id.is_none() {
            self.kept.clear();
        }
        self.id = id.or_else(|| self.id.take());
        differs
    }

    /// All its partitions have their origins.
    pub(super) fn laid_out(&mut self) {
        self.missing = None;
        self.known = true;
    }

    /// A broker says that it is not there. Answers whether that is certain.
    pub(super) fn missed(&mut self, now: Instant) -> bool {
        let (since, times) = self.missing.map_or((now, 1), |(since, times)| (since, times.saturating_add(1)));
        self.missing = Some((since, times));
        let is_certain = times >= CONFIRMED && now.duration_since(since) >= CONFIRMED_OVER;
        self.was_absent |= is_certain;
        is_certain
    }

    /// Whether it was there once.
    pub(super) const fn is_known(&self) -> bool {
        self.known
    }

    /// Whether it has an id that tells it from another topic of the same name.
    pub(super) const fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// Keeps the offset from which a partition that is let go would be read on.
    pub(super) fn keep(&mut self, partition: i32, turn: u64, offset: i64) {
        self.kept.insert(partition, (turn, offset));
    }

    /// Where to begin with a partition that was not read before.
    pub(super) fn origin(&self, partition: i32, wish: Wish, start: &Start, begun_at_ms: i64) -> Origin {
        if let Some((_, offset)) = self.kept.get(&partition).filter(|(turn, _)| *turn == wish.turn) {
            return Origin::Offset(*offset);
        }
        // A turn of its own says that somebody else may have read it meanwhile, whatever is known of the topic.
        let is_new = self.known && wish.turn == 0;
        match (start, wish.from) {
            _ if is_new => Origin::Earliest,
            (_, Some(offset)) => Origin::Offset(offset),
            (Start::Resume(_), None) => Origin::Earliest,
            _ if self.was_absent => Origin::Earliest,
            // Whether it was there when reading began is not known.
            (Start::Now, None) if self.missing.is_some() => Origin::Time(begun_at_ms),
            (Start::Now, None) => Origin::Latest,
            (Start::Earliest, None) => Origin::Earliest,
            (Start::At(time), None) => Origin::Time(time.timestamp_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(topic: &mut Sighting, id: Option<String>) -> bool {
        let is_another = topic.seen(id);
        topic.laid_out();
        is_another
    }

    fn wish(turn: u64, from: Option<i64>) -> Wish {
        Wish { turn, from }
    }

    /// A topic that was read up to offset 50 and then let go.
    fn gone(first: Option<String>) -> Sighting {
        let mut topic = Sighting::default();
        assert!(!there(&mut topic, first));
        let begun = Instant::now();
        assert!(!topic.missed(begun));
        assert!(!topic.missed(begun + CONFIRMED_OVER));
        assert!(topic.missed(begun + CONFIRMED_OVER * 2));
        topic.keep(0, 0, 50);
        topic
    }

    #[test]
    fn it_takes_several_answers_over_some_time_to_be_gone() {
        let mut topic = Sighting::default();
        there(&mut topic, Some("a".to_owned()));
        let begun = Instant::now();
        assert!((0..100).all(|_| !topic.missed(begun)), "at the same moment they are one broker's");
        there(&mut topic, Some("a".to_owned()));
        assert!(!topic.missed(begun + CONFIRMED_OVER * 2), "counted anew after it was there");
    }

    #[test]
    fn the_same_topic_is_read_on_and_another_one_anew() {
        let origin = |topic: &Sighting| topic.origin(0, wish(0, None), &Start::Now, 0);
        let mut topic = gone(Some("a".to_owned()));
        assert!(!topic.seen(Some("a".to_owned())));
        assert_eq!(origin(&topic), Origin::Offset(50));
        assert_eq!(topic.origin(1, wish(0, None), &Start::Now, 0), Origin::Earliest, "a partition that is new");
        let mut topic = gone(Some("a".to_owned()));
        assert!(topic.seen(Some("b".to_owned())));
        assert_eq!(origin(&topic), Origin::Earliest);
        let mut topic = gone(None);
        topic.seen(None);
        assert_eq!(origin(&topic), Origin::Earliest, "without ids nobody knows");
    }

    #[test]
    fn a_broker_without_ids_among_others_changes_nothing() {
        let mut topic = Sighting::default();
        there(&mut topic, Some("a".to_owned()));
        assert!(!there(&mut topic, None));
        assert!(!there(&mut topic, Some("a".to_owned())));
        assert!(there(&mut topic, Some("b".to_owned())));
    }

    #[test]
    fn what_somebody_else_read_meanwhile_begins_where_they_stopped() {
        let mut topic = gone(Some("a".to_owned()));
        topic.seen(Some("a".to_owned()));
        assert_eq!(topic.origin(0, wish(4, Some(70)), &Start::Now, 0), Origin::Offset(70), "not where it was let go");
        assert_eq!(topic.origin(0, wish(4, None), &Start::Earliest, 0), Origin::Earliest);
        topic.keep(0, 4, 80);
        assert_eq!(topic.origin(0, wish(4, Some(70)), &Start::Now, 0), Origin::Offset(80), "the same turn goes on");
        let mut topic = Sighting::default();
        there(&mut topic, Some("a".to_owned()));
        assert_eq!(topic.origin(0, wish(1, None), &Start::Now, 0), Origin::Latest, "nobody has left a mark");
    }

    #[test]
    fn what_was_in_doubt_when_reading_began_is_not_read_whole() {
        let origin = |topic: &Sighting, start: &Start, from| topic.origin(0, wish(0, from), start, 77);
        let mut topic = Sighting::default();
        assert_eq!(origin(&topic, &Start::Now, None), Origin::Latest);
        let begun = Instant::now();
        topic.missed(begun);
        assert_eq!(origin(&topic, &Start::Now, None), Origin::Time(77));
        topic.missed(begun);
        topic.missed(begun + CONFIRMED_OVER);
        assert_eq!(origin(&topic, &Start::Now, None), Origin::Earliest, "it was made since");
        let resume = Start::Resume(BTreeMap::new());
        assert_eq!(origin(&topic, &resume, Some(9)), Origin::Offset(9), "no other topic was seen since");
        there(&mut topic, Some("a".to_owned()));
        assert_eq!(origin(&topic, &resume, Some(9)), Origin::Earliest);
    }
}
