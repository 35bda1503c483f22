use super::*;
use crate::engine::services::Services;

const SPEC: &str = "name = 't'\n[source]\nformat = 'json'\nread = 'aggregated'\nrows = 'signals.v1'\n\
                    time = { field = 'ts', unit = 'ms' }\nlatency = { field = 'us', unit = 'us' }\n\
                    [key]\nservice = 'svc'\n[limits]\ncells = 8\n";

/// A store, its names, and what it told: start, service, index, requests.
struct Bench {
    merged: Merged,
    services: Services,
    /// How far all partitions have come.
    watermark: i64,
}

impl Bench {
    fn new() -> Self {
        Self { merged: Merged::new(&Spec::parse(SPEC).unwrap()), services: Services::new(3), watermark: i64::MAX }
    }

    fn take(
        &mut self,
        start: i64,
        whose: [&str; 3],
        (revision, requests, engine): (u32, u64, &str),
    ) -> Result<Taken, Reason> {
        let mut totals = Totals::default();
        (0..requests).for_each(|_| totals.add(false, 1_000));
        let [service, swimlane, part] = whose.map(|name| std::borrow::Cow::Owned(name.to_owned()));
        let (late_policy, engine) = ("drop".into(), engine.to_owned().into());
        let id = self.services.intern(&service);
        let row = Row { start, service, swimlane, part, revision, is_final: true, late_policy, engine, totals };
        self.merged.take(id, row, 0)
    }

    fn told(&mut self) -> (Vec<(i64, String, u32, u64)>, Vec<(String, u64)>) {
        let (mut panes, mut slices) = (Vec::new(), Vec::new());
        let services = &self.services;
        self.merged.settle((HOLD_MS, self.watermark), |id| services.name(id), (&mut panes, &mut slices));
        let panes = panes.iter().map(|it| (it.start, it.service.to_string(), it.index, it.totals.requests));
        let slices = slices.iter().map(|it| (it.service.value.to_string(), it.totals.requests));
        (panes.collect(), slices.collect())
    }
}

#[test]
fn parts_and_swimlanes_add_up_once_they_are_together() {
    let mut bench = Bench::new();
    bench.take(0, ["a", "", "t/0"], (0, 3, "x")).unwrap();
    bench.take(0, ["a", "", "t/1"], (0, 4, "x")).unwrap();
    bench.take(0, ["b", "ec2", ""], (0, 5, "x")).unwrap();
    bench.take(0, ["b", "k8s", ""], (0, 6, "x")).unwrap();
    let (mut panes, mut slices) = (Vec::new(), Vec::new());
    bench.merged.settle((HOLD_MS - 1, 0), |_| "".into(), (&mut panes, &mut slices));
    assert_eq!((panes.len(), slices.len()), (0, 0), "the others may be on their way");
    let (panes, slices) = bench.told();
    assert_eq!(panes, [(0, "a".into(), 0, 7), (0, "b".into(), 0, 11)]);
    assert_eq!(slices, [("ec2".into(), 5), ("k8s".into(), 6)]);
    assert_eq!(bench.told().0, [], "once");
    bench.take(0, ["a", "", "t/2"], (0, 10, "x")).unwrap();
    assert_eq!(bench.told().0, [(0, "a".into(), 1, 17)], "a part that was slow revises");
}

#[test]
fn of_one_key_the_highest_revision_holds_and_of_those_the_last() {
    let mut bench = Bench::new();
    let a = ["a", "", ""];
    assert_eq!(bench.take(0, a, (1, 5, "x")), Ok(Taken::New));
    assert_eq!(bench.take(0, a, (1, 5, "x")), Ok(Taken::Known), "told again after a restart");
    assert_eq!(bench.take(0, a, (0, 4, "x")), Ok(Taken::Known), "older");
    assert_eq!(bench.take(0, a, (1, 6, "x")), Ok(Taken::Revised));
    assert_eq!(bench.take(0, a, (1, 6, "y")), Ok(Taken::Known), "another writer says the same");
    assert_eq!(bench.take(0, a, (1, 7, "y")), Ok(Taken::Contested));
    assert_eq!(bench.merged.contested(), 1);
    assert_eq!(bench.told().0, [(0, "a".into(), 0, 7)]);
}

#[test]
fn whoever_takes_over_from_runs_of_a_group_is_not_added_to_them() {
    let mut bench = Bench::new();
    bench.take(0, ["a", "", "t/0"], (0, 3, "x")).unwrap();
    bench.take(0, ["a", "", ""], (0, 8, "flink")).unwrap();
    assert_eq!(bench.told().0, [(0, "a".into(), 0, 8)]);
}

#[test]
fn it_holds_no_more_than_its_limit_and_forgets_what_is_old() {
    let mut bench = Bench::new();
    for number in 0..8 {
        bench.take(number * 10_000, ["a", "", ""], (0, 1, "x")).unwrap();
    }
    assert_eq!(bench.take(80_000, ["a", "", ""], (0, 1, "x")), Err(Reason::Overflow));
    assert_eq!(bench.take(0, ["a", "", ""], (1, 2, "x")), Ok(Taken::Revised), "what is there may change");
    bench.told();
    bench.merged.newest = 200_000;
    bench.merged.since = Some(0);
    bench.told();
    assert_eq!(bench.take(70_000, ["a", "", ""], (1, 2, "x")), Err(Reason::Dropped));
    assert_eq!((bench.merged.rows, bench.merged.names.len(), bench.merged.writers().count()), (0, 0, 0));
    bench.take(200_000, ["a", "", ""], (0, 1, "x")).unwrap();
}

#[test]
fn a_partition_that_is_far_back_is_waited_for() {
    let mut bench = Bench { watermark: 10_000, ..Bench::new() };
    bench.take(0, ["a", "", ""], (0, 1, "x")).unwrap();
    bench.take(300_000, ["a", "", ""], (0, 1, "x")).unwrap();
    bench.told();
    assert_eq!(bench.take(0, ["b", "", ""], (0, 2, "x")), Ok(Taken::New));
    assert_eq!(bench.told().0, [(0, "b".into(), 0, 2)]);
    bench.watermark = 310_000;
    bench.take(300_000, ["b", "", ""], (0, 1, "x")).unwrap();
    bench.told();
    assert_eq!(bench.take(10_000, ["b", "", ""], (0, 2, "x")), Err(Reason::Dropped));
}

#[test]
fn where_there_is_no_room_to_wait_the_oldest_are_told_and_forgotten() {
    let mut bench = Bench { watermark: 0, ..Bench::new() };
    for number in 0..9 {
        assert_eq!(bench.take(number * 50_000, ["a", "", ""], (0, 1, "x")), Ok(Taken::New), "{number}");
    }
    let (mut panes, mut slices) = (Vec::new(), Vec::new());
    bench.merged.settle((0, 0), |_| "".into(), (&mut panes, &mut slices));
    assert_eq!(panes.len(), 9, "at once");
    assert_eq!(bench.merged.rows, 3, "those that may still be revised");
    assert_eq!(bench.take(0, ["b", "", ""], (0, 1, "x")), Err(Reason::Dropped));
}

#[test]
fn services_beyond_the_limit_are_counted_together() {
    let mut bench = Bench::new();
    for name in ["a", "b", "c", "d", "e"] {
        bench.take(0, [name, "", ""], (0, 2, "x")).unwrap();
    }
    let other: Vec<_> = bench.told().0.into_iter().filter(|(_, name, ..)| name == "__other__").collect();
    assert_eq!(other, [(0, "__other__".into(), 0, 4)]);
}

#[test]
fn who_wrote_lately_is_told_and_of_very_many_the_last() {
    let mut bench = Bench::new();
    bench.take(0, ["a", "", ""], (0, 1, "flowdeck/1")).unwrap();
    bench.take(10_000, ["a", "", ""], (0, 1, "flink-sql/1")).unwrap();
    let writers = |bench: &Bench| bench.merged.writers().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(writers(&bench), ["flink-sql/1", "flowdeck/1"]);
    for number in 2..30_u32 {
        bench.take(i64::from(number) * 10_000, ["a", "", ""], (0, 1, &format!("w{number}"))).ok();
    }
    assert!(writers(&bench).len() <= MOST_WRITERS, "{:?}", writers(&bench));
}
