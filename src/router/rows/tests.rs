use super::*;
use crate::engine::spec::Spec;

const WINDOW: i64 = 10_000;

fn totals(latencies: impl Iterator<Item = u64>, errors: u64) -> Totals {
    let mut totals = Totals::default();
    latencies.enumerate().for_each(|(number, latency)| totals.add((number as u64) < errors, latency));
    totals
}

fn row(service: &'static str, window: i64, totals: Totals) -> Row<'static> {
    Row {
        start: window * WINDOW,
        service: service.into(),
        swimlane: "".into(),
        part: "".into(),
        revision: 1,
        is_final: true,
        late_policy: "revise".into(),
        engine: "t".into(),
        totals,
    }
}

fn usual() -> Totals {
    totals((1..=100).map(|number| number * 1_000), 3)
}

/// Windows of one service, all alike.
fn sheet(windows: std::ops::Range<i64>) -> Sheet {
    let mut sheet = Sheet::default();
    windows.for_each(|window| sheet.take(row("orders", window, usual())));
    sheet
}

fn compared(active: &Sheet, other: &Sheet) -> Comparison {
    compare(("blue", active), ("green", other), 3)
}

#[test]
fn lanes_that_count_the_same_say_so_by_the_last_windows_that_are_over_in_both() {
    let found = compared(&sheet(0..10), &sheet(0..9));
    assert_eq!((found.health, found.words.as_str()), (Health::Well, "3 rows of 3 windows say the same"));
}

#[test]
fn one_request_one_failure_or_a_slower_quantile_is_a_difference_with_its_numbers() {
    let with = |other: Totals| {
        let mut sheet = sheet(0..10);
        sheet.windows.get_mut(&(7 * WINDOW)).unwrap().clear();
        sheet.take(row("orders", 7, other));
        compared(&self::sheet(0..10), &sheet)
    };
    let told = |other: Totals| {
        let found = with(other);
        assert_eq!(found.health, Health::Unwell, "{}", found.words);
        found.words
    };
    let at = "1 of 3 rows of 3 windows differ: orders 00:01:10: ";
    let short = totals((1..=99).map(|number| number * 1_000), 3);
    assert_eq!(told(short), format!("{at}100 requests in blue, 99 in green"));
    let failed = totals((1..=100).map(|number| number * 1_000), 4);
    assert_eq!(told(failed), format!("{at}3 errors in blue, 4 in green"));
    let slow = totals((1..=100).map(|number| number * 1_050), 3);
    assert!(told(slow).starts_with(&format!("{at}p50 ")));
    // Two sketches of the same events may differ by a bin.
    assert_eq!(with(totals((1..=100).map(|number| number * 1_010), 3)).health, Health::Well);
    let mut lost = sheet(0..10);
    lost.windows.remove(&(7 * WINDOW));
    let found = compared(&lost, &sheet(0..10));
    assert_eq!((found.health, found.words.contains("0 requests in blue, 100 in green")), (Health::Unwell, true));
    let mut more = sheet(0..10);
    more.take(row("carts", 8, usual()));
    assert_eq!(compared(&sheet(0..10), &more).health, Health::Unwell);
}

#[test]
fn what_cannot_be_compared_yet_is_not_said_to_be_the_same() {
    let unknown = |active: &Sheet, other: &Sheet, words: &str| {
        let found = compared(active, other);
        assert_eq!((found.health, found.words.as_str()), (Health::Unknown, words));
    };
    unknown(&sheet(0..10), &Sheet::default(), "green has written no window yet");
    unknown(&sheet(0..3), &sheet(0..3), "1 of 3 windows are over in both lanes");
    // It began in window 6, whose first half it did not see: that window is not compared.
    let mut late = sheet(7..10);
    late.take(row("orders", 6, totals(1..=50, 0)));
    unknown(&sheet(0..10), &sheet(7..10), "green has 2 of the last 4 windows of blue");
    unknown(&sheet(0..9), &late, "green has 2 of the last 4 windows of blue");
    assert_eq!(
        compared(&sheet(0..11), &{
            late.take(row("orders", 10, usual()));
            late
        })
        .health,
        Health::Well
    );
    // What a copy said in an earlier life is not what it says now.
    unknown(&sheet(0..30), &sheet(0..10), "green is 20 windows behind blue");
    let mut strange = Sheet::default();
    strange.doubt("no JSON".to_owned());
    unknown(&sheet(0..10), &strange, "1 records of green are no rows that can be compared: no JSON");
}

#[test]
fn rows_that_may_still_change_do_not_count_and_later_revisions_win() {
    let mut sheet = sheet(0..5);
    sheet.take(Row { is_final: false, ..row("orders", 9, usual()) });
    assert_eq!(sheet.newest(), Some(4 * WINDOW));
    sheet.take(Row { revision: 2, ..row("orders", 3, totals(1..=7, 0)) });
    sheet.take(row("orders", 3, usual()));
    sheet.take(Row { part: "events/1".into(), ..row("orders", 3, totals(1..=5, 1)) });
    let sums: Vec<u64> = sheet.counts(3 * WINDOW).values().map(|totals| totals.requests).collect();
    assert_eq!(sums, [12], "parts are summed");
}

#[test]
fn a_topic_without_end_costs_no_more_than_its_last_windows() {
    let sheet = sheet(0..10_000);
    assert_eq!((sheet.windows.len(), sheet.windows.keys().next()), (WINDOWS, Some(&((10_000 - 64) * WINDOW))));
}

#[test]
fn a_service_is_unwell_when_every_one_of_its_last_windows_is() {
    let spec = Spec::parse(
        "name = 't'\n[source]\nformat = 'json'\ntime = { field = 'ts', unit = 'ms' }\n\
         latency = { field = 'us', unit = 'us' }\n[key]\nservice = 'svc'\n\
         [expressions]\nhealth = 'availability < 90.0 ? 3 : 0'\n",
    );
    let mut rules = Rules::new(&spec.unwrap()).unwrap();
    let down = || totals(1..=100, 50);
    let mut judged = |last: [Totals; 2]| {
        let mut sheet = sheet(0..5);
        (5..).zip(last).for_each(|(window, totals)| sheet.take(row("orders", window, totals)));
        judge(&sheet, &mut rules, ("orders", WINDOW), (3, 2))
    };
    assert_eq!(
        judged([usual(), usual()]),
        (Health::Well, "orders is 0 of 3, 97.00 % available at 00:01:00".to_owned())
    );
    assert_eq!(judged([usual(), down()]).0, Health::Well, "one window may be bad");
    let words = "orders is 3 of 3, 50.00 % available at 00:01:00; 3 or worse in 2 windows";
    assert_eq!(judged([down(), down()]), (Health::Unwell, words.to_owned()));
    let other = judge(&sheet(0..5), &mut rules, ("carts", WINDOW), (3, 2));
    assert_eq!(other, (Health::Unknown, "0 of 2 windows of carts were seen".to_owned()));
}
