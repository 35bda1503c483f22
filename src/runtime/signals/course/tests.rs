use super::*;
use crate::model::batch::Batch;
use crate::source::kafka::consume::Records;

/// Remembers what it was told; the greatest event time of a batch is the number that is its first record.
#[derive(Default)]
struct Notes {
    active: BTreeMap<u32, i64>,
    ticks: usize,
    progress: Option<Progress>,
}

impl Intake for Notes {
    fn assign(&mut self, place: u32, _: &str, now: i64) {
        self.active.insert(place, now);
    }

    fn revoke(&mut self, place: u32, _: i64) {
        self.active.remove(&place);
    }

    fn touch(&mut self, place: u32, active_at: i64) {
        self.active.insert(place, active_at);
    }

    fn ingest(&mut self, place: u32, batch: &Batch, now: i64) -> Option<i64> {
        self.active.insert(place, now);
        batch.records().next()?.ok()?.parse().ok()
    }

    fn tick(&mut self, _: i64) {
        self.ticks += 1;
    }

    fn progress(&mut self, progress: Progress) {
        self.progress = Some(progress);
    }
}

fn assigned(place: u32, position: i64, end: i64) -> News {
    let partition = i32::try_from(place).unwrap();
    News::Assigned(Assignment { place, topic: "t".into(), partition, position, end, turn: 0 })
}

/// Ten records from an offset on, whose greatest event time is `time`.
fn records(place: u32, offset: i64, time: i64, end: i64) -> News {
    let mut batch = Batch::default();
    batch.first_offset = offset;
    batch.push(time.to_string().as_bytes());
    News::Records(Records::of(place, batch, offset + 10, end))
}

fn offsets(course: &mut Course, time: i64) -> Vec<i64> {
    course.resume_from(time).into_values().collect()
}

#[test]
fn it_catches_up_then_lives() {
    let (mut course, mut notes) = (Course::default(), Notes::default());
    course.tick(&mut notes, 0);
    assert_eq!((course.reading(), course.backlog(), notes.ticks), (Reading::Starting, None, 0));
    course.take(assigned(0, 100, 140), &mut notes, 0);
    course.take(assigned(1, 0, 0), &mut notes, 0);
    course.tick(&mut notes, 10);
    assert_eq!((course.reading(), course.backlog()), (Reading::CatchingUp(0), Some(40)));
    course.take(records(0, 100, 1, 150), &mut notes, 20);
    course.tick(&mut notes, 20);
    assert_eq!((course.reading(), course.backlog()), (Reading::CatchingUp(25), Some(40)));
    for offset in [110, 120, 130] {
        course.take(records(0, offset, 1, 150), &mut notes, 30);
    }
    course.tick(&mut notes, 30);
    assert_eq!((course.reading(), course.backlog()), (Reading::Live, Some(10)));
    assert!(course.has_caught_up());
}

#[test]
fn whoever_has_a_backlog_is_active_and_whoever_waits_for_it_is_not() {
    let (mut course, mut notes) = (Course::default(), Notes::default());
    course.take(assigned(0, 0, 20), &mut notes, 0);
    course.take(assigned(1, 5, 5), &mut notes, 0);
    course.tick(&mut notes, 1_000_000);
    assert_eq!(notes.active, BTreeMap::from([(0, 1_000_000), (1, i64::MIN)]));
    course.take(records(0, 0, 1, 20), &mut notes, 1_000_001);
    course.take(records(0, 10, 1, 20), &mut notes, 1_000_001);
    course.tick(&mut notes, 1_000_002);
    assert_eq!(
        notes.active,
        BTreeMap::from([(0, 1_000_002), (1, 1_000_002)]),
        "from here on the clock counts for both"
    );
    course.tick(&mut notes, 2_000_000);
    assert_eq!(notes.active, BTreeMap::from([(0, 1_000_002), (1, 1_000_002)]));
}

#[test]
fn whoever_was_heard_a_moment_ago_is_waited_for() {
    let (mut course, mut notes) = (Course::default(), Notes::default());
    course.take(assigned(0, 0, 1_000), &mut notes, 0);
    course.take(assigned(1, 0, 10), &mut notes, 0);
    course.take(records(1, 0, 1, 10), &mut notes, 1_000);
    for now in [1_000, 1_000 + GRACE - 1] {
        course.tick(&mut notes, now);
        assert_eq!(notes.active.get(&1), Some(&1_000), "its end may have grown by now");
    }
    course.tick(&mut notes, 1_000 + GRACE);
    assert_eq!(notes.active.get(&1), Some(&i64::MIN));
}

#[test]
fn an_empty_partition_may_be_about_to_fill() {
    let (mut course, mut notes) = (Course::default(), Notes::default());
    course.take(assigned(0, 0, 1_000), &mut notes, 500);
    course.take(assigned(1, 0, 0), &mut notes, 500);
    course.take(records(0, 0, 1, 1_000), &mut notes, 600);
    course.tick(&mut notes, 600);
    assert_eq!(notes.active.get(&1), Some(&500), "its first events would be late");
    course.tick(&mut notes, 500 + GRACE);
    assert_eq!(notes.active.get(&1), Some(&i64::MIN));
}

#[test]
fn while_a_broker_is_away_time_stands_still() {
    let (mut course, mut notes) = (Course::default(), Notes::default());
    course.take(assigned(0, 0, 0), &mut notes, 0);
    course.tick(&mut notes, 0);
    let ticks = notes.ticks;
    course.take(News::Stalled { since: Time::UNIX_EPOCH, why: "gone".into() }, &mut notes, 10);
    course.tick(&mut notes, 60_000);
    assert_eq!((notes.ticks, notes.active.get(&0)), (ticks, Some(&60_000)), "not idle: it cannot be heard");
    let told = notes.progress.take().unwrap();
    assert_eq!(told.reading, Reading::Stalled(Time::UNIX_EPOCH, "gone".into()));
    course.take(News::Flowing, &mut notes, 60_001);
    course.tick(&mut notes, 60_002);
    assert_eq!((course.reading(), notes.ticks), (Reading::Live, ticks + 1));
}

#[test]
fn reading_goes_on_with_the_first_event_of_a_window_that_was_not_told() {
    let (mut course, mut notes) = (Course::resumable(), Notes::default());
    course.take(assigned(0, 0, 0), &mut notes, 0);
    for (offset, time) in [(0, 100), (10, 90), (20, 300), (30, 200), (40, 400)] {
        course.take(records(0, offset, time, 50), &mut notes, 0);
    }
    assert_eq!(offsets(&mut course, 50), [0]);
    assert_eq!(offsets(&mut course, 101), [20], "90 lies before it too");
    assert_eq!(offsets(&mut course, 250), [20], "200 comes after 300, and 300 is needed");
    assert_eq!(offsets(&mut course, 301), [40]);
    assert_eq!(offsets(&mut course, 401), [50], "all was told: only what is new");
}

#[test]
fn a_long_way_is_remembered_coarsely_and_never_too_late() {
    let (mut course, mut notes) = (Course::resumable(), Notes::default());
    course.take(assigned(0, 0, 0), &mut notes, 0);
    for number in 0..20_000 {
        course.take(records(0, number * 10, number, 0), &mut notes, 0);
    }
    let kept = course.places.values().next().unwrap().stretches.len();
    assert!(kept <= STRETCHES, "{kept}");
    let [offset] = offsets(&mut course, 15_000)[..] else { panic!() };
    assert!((0..=150_000).contains(&offset) && offset > 100_000, "{offset}");
}
