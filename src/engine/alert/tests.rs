use proptest::prelude::*;

use super::*;
use crate::model::signal::{Health, Latency};

const WINDOW: i64 = 10_000;

fn spec(slo: Option<f64>, alerts: &str) -> Result<Spec, SpecError> {
    let slo = slo.map_or_else(String::new, |slo| format!("[slo]\navailability = {slo:?}\n"));
    Spec::parse(&format!(
        "name = \"x\"\n[source]\nformat = \"json\"\ntime = {{ field = \"t\", unit = \"ms\" }}\n\
         latency = {{ field = \"l\", unit = \"us\" }}\n[key]\nservice = \"s\"\n{slo}{alerts}"
    ))
}

fn book(slo: Option<f64>, alerts: &str) -> Book {
    Book::new(&spec(slo, alerts).unwrap()).unwrap()
}

fn point(requests: u64, errors: u64, health: i64) -> Point {
    let latency = Latency { p50_us: 1e3, p90_us: 2e3, p95_us: 3e3, p99_us: 5e3, max_us: 9e3 };
    Point { start: time(0), requests, errors, latency, health: Health::new(health).unwrap(), saturation: None }
}

/// Windows one after the other, each with requests and errors; `None` is a gap. Gives the states after each.
fn run(book: &mut Book, windows: &[Option<Point>]) -> String {
    let service: Arc<str> = "s".into();
    let mut states = String::new();
    for (number, point) in windows.iter().enumerate() {
        let start = i64::try_from(number).unwrap() * WINDOW;
        let now = start + WINDOW + 4_000;
        if let Some(point) = point {
            book.closed(&service, (start, point), now);
        }
        book.passed(start + WINDOW, now);
        states.push(match book.alerts().first().map(|alert| alert.state) {
            None => '.',
            Some(AlertState::Pending) => 'p',
            Some(AlertState::Firing) => 'F',
            Some(AlertState::Resolved) => 'r',
        });
    }
    states
}

fn healths(levels: &str) -> Vec<Option<Point>> {
    levels.chars().map(|level| level.to_digit(10).map(|level| point(100, 0, i64::from(level)))).collect()
}

const DOWN: &str = "[[alert]]\nname = \"down\"\nsignal = \"health\"\nop = \">=\"\nvalue = 3.0\nclear = 2.0\nfor = \"30s\"\nclear_for = \"20s\"\n";

#[test]
fn a_threshold_must_hold_and_must_be_gone_for_a_while() {
    for (levels, states) in [
        ("0330333000000", ".pp.ppF" /* two windows are not enough */),
        ("3333", "ppFF"),
        ("33322222", "ppFFFFFF" /* between clear and value nothing changes */),
        ("333111133", "ppFFrrrpp" /* one good window is not enough */),
        ("33313131", "ppFFFFFF"),
        ("33x3", "pppF" /* a gap is no proof of either */),
        ("333xxxxxx3", "ppFFFFFFFF"),
    ] {
        let found = run(&mut book(None, DOWN), &healths(levels));
        let found = found.get(..states.len()).unwrap();
        assert_eq!(found, states, "{levels}");
    }
}

#[test]
fn the_budget_burns_too_fast_only_over_both_times() {
    let rule = "[[alert]]\nname = \"b\"\nburn = 10.0\nlong = \"10m\"\nshort = \"50s\"\nmin_requests = 500\nclear_for = \"0s\"\n";
    let well = || Some(point(100, 0, 0));
    // 2 % of 99.9 % promised is 20 times as fast as may be.
    let ill = || Some(point(100, 2, 0));
    let mut windows: Vec<_> = (0..60).map(|_| well()).collect();
    windows.extend((0..60).map(|_| ill()));
    windows.extend((0..10).map(|_| well()));
    let states = run(&mut book(Some(99.9), rule), &windows);
    // 10 times over 10 minutes is reached when half of them were ill; over 50 s when half of 50 s are no longer well.
    assert_eq!(states.find('F'), Some(60 + 29), "{states}");
    assert_eq!(states.rfind('F'), Some(119 + 2), "{states}");
    // Too few requests say nothing.
    let few: Vec<_> = (0..4).map(|_| Some(point(100, 100, 3))).collect();
    assert_eq!(run(&mut book(Some(99.9), rule), &few), "....");
    let words = &book(Some(99.9), rule);
    let mut words = words.clone();
    run(&mut words, &(0..6).map(|_| Some(point(100, 50, 3))).collect::<Vec<_>>());
    assert_eq!(
        &*words.alerts().first().unwrap().summary,
        "error budget burns 500 times as fast as it may (10m) and 500 times (50s); 10 is too fast"
    );
}

#[test]
fn silence_begins_after_its_time_and_ends_with_an_event() {
    let rule = "[[alert]]\nname = \"silent\"\nsilent_for = \"60s\"\nclear_for = \"10s\"\n";
    assert_eq!(run(&mut book(None, rule), &healths("000xxxxxxxxx00")), "........FFFFrr");
}

#[test]
fn the_past_is_not_judged_but_fills_the_sums() {
    let mut book = book(Some(99.0), "[[alert]]\nname = \"b\"\nburn = 2.0\nlong = \"10m\"\n");
    let service: Arc<str> = "s".into();
    let now = 1_000 * WINDOW;
    for number in 0..30 {
        book.closed(&service, (number * WINDOW, &point(100, 50, 3)), now);
    }
    book.passed(30 * WINDOW, now);
    assert_eq!(book.alerts(), []);
    let now = 31 * WINDOW;
    book.closed(&service, (30 * WINDOW, &point(100, 50, 3)), now);
    assert_eq!(book.alerts().first().map(|alert| alert.state), Some(AlertState::Firing));
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let with = |slo, text: &str| spec(slo, &format!("[[alert]]\nname = \"a\"\n{text}\n")).unwrap_err().to_string();
    for (slo, text, problem) in [
        (None, "", "exactly one of"),
        (Some(99.0), "burn = 1.0\nlong = \"1h\"\nsilent_for = \"1m\"", "exactly one of"),
        (None, "signal = \"health\"", "needs op and value"),
        (None, "signal = \"health\"\nop = \">\"\nvalue = 3.0", "could never fire"),
        (None, "signal = \"error_percent\"\nop = \">=\"\nvalue = 100.5", "could never fire"),
        (None, "signal = \"availability\"\nop = \"<\"\nvalue = 0.0", "could never fire"),
        (None, "signal = \"p99_ms\"\nop = \">\"\nvalue = 500.0\nclear = 600.0", "good side"),
        (None, "burn = 14.4\nlong = \"1h\"", "needs slo.availability"),
        // Below 93.06 % promised the budget cannot burn 14.4 times as fast as it may.
        (Some(93.0), "burn = 14.4\nlong = \"1h\"", "could never fire"),
        (Some(99.9), "burn = 14.4", "needs long"),
        (Some(99.9), "burn = 14.4\nlong = \"1h\"\nshort = \"2h\"", "from one window to long"),
        (Some(99.9), "burn = 0.0\nlong = \"1h\"", "above 0"),
        (None, "silent_for = \"5s\"", "shorter than a window"),
        (None, "silent_for = \"1m\"\n[[alert]]\nname = \"a\"\nsilent_for = \"2m\"", "two alerts have this name"),
    ] {
        let found = with(slo, text);
        assert!(found.contains(problem), "{text}: {found}");
    }
    assert!(spec(Some(93.1), "[[alert]]\nname = \"a\"\nburn = 14.4\nlong = \"1h\"\n").is_ok());
}

#[test]
fn without_rules_the_workbook_holds() {
    let names = |slo| book(slo, "").rules.iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(None), "down");
    assert_eq!(names(Some(99.9)), "down burn-fast burn-slow burn-creeping");
    assert_eq!(names(Some(90.0)), "down burn-slow burn-creeping");
    let minutes: Vec<i64> = book(Some(99.9), "").lengths.iter().map(|length| length / 60_000).collect();
    assert_eq!(minutes, [5, 30, 60, 360, 4_320]);
    assert!(Book::new(&Spec { alert: Some(Vec::new()), ..spec(None, "").unwrap() }).unwrap().rules.is_empty());
}

#[test]
fn what_fires_can_be_answered() {
    let mut book = book(None, DOWN);
    let order = |answer| AlertOrder { rule: "down".into(), service: "s".into(), answer };
    assert!(!book.obey(&order(Answer::Wake), 0), "nothing fires");
    run(&mut book, &healths("333"));
    assert!(book.obey(&order(Answer::Acknowledge("me".into())), 40_000));
    assert!(book.obey(&order(Answer::Snooze(time(90_000))), 40_000));
    let alert = book.alerts().remove(0);
    assert_eq!((alert.acknowledged, alert.snoozed_until), (Some(("me".into(), time(40_000))), Some(time(90_000))));
    assert!(book.obey(&order(Answer::Wake), 40_000));
    assert_eq!(book.alerts().remove(0).acknowledged, None);
    assert!(!book.obey(&AlertOrder { service: "other".into(), ..order(Answer::Wake) }, 0));
}

proptest! {
    #[test]
    fn it_fires_if_and_only_if_the_condition_held_for_long_enough(levels in "[03x]{1,60}") {
        let states = run(&mut book(None, DOWN), &healths(&levels));
        // The same said otherwise: runs of what was seen, gaps left out but their time counted.
        let (mut fires, mut bad_since, mut good_since) = (false, None, None);
        for (number, (level, state)) in levels.chars().zip(states.chars()).enumerate() {
            match level {
                '3' => {
                    good_since = None;
                    let since = *bad_since.get_or_insert(number);
                    fires |= number + 1 - since >= 3;
                }
                '0' => {
                    bad_since = None;
                    let since = *good_since.get_or_insert(number);
                    fires &= number + 1 - since < 2;
                }
                _ => {}
            }
            prop_assert_eq!(state == 'F', fires, "{} at {}: {}", levels, number, states);
        }
    }

    #[test]
    fn nothing_flaps_within_hysteresis(levels in "[23]{1,80}") {
        let states = run(&mut book(None, DOWN), &healths(&levels));
        let changes = states.chars().zip(states.chars().skip(1)).filter(|(one, next)| *one == 'F' && *next != 'F');
        prop_assert_eq!(changes.count(), 0, "{}: {}", levels, states);
    }

    #[test]
    fn sums_are_those_of_the_last_while(
        windows in prop::collection::vec((0..2_i64, 0..50_i64), 1..400), parts in 1..200_i64,
    ) {
        let length = parts * WINDOW;
        let mut sliding = Sliding::new(length, WINDOW);
        let part = (length / 60).div_euclid(WINDOW).max(1) * WINDOW;
        let mut start = 0;
        let mut all = Vec::new();
        for (gap, requests) in windows {
            start += (gap + 1) * WINDOW;
            sliding.add(start, (requests, requests / 3));
            all.push((start, requests));
            let end = start + WINDOW;
            sliding.advance(end);
            let within = |reach: i64| -> i64 {
                all.iter().filter(|(at, _)| *at >= end - reach).map(|(_, requests)| requests).sum()
            };
            prop_assert!((within(length)..=within(length + part)).contains(&sliding.requests()));
            prop_assert!(sliding.len() <= 121);
        }
    }
}
