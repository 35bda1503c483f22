//! Logs and exceptions on screen: every state, every key.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use flowdeck::app::Effect;
use flowdeck::event::Event;
use flowdeck::logs::Reader;
use flowdeck::logs::event::Level;
use flowdeck::logs::history;
use flowdeck::logs::news::{Bar, Facet, Histogram, News, Row};
use flowdeck::logs::radar::Kind;
use flowdeck::logs::trace;
use flowdeck::model::key::ObjectKey;
use flowdeck::model::log::{Anchor, Container, StreamState, Target, View};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn incident(columns: u16, rows: u16) -> Bench {
    Bench::new(columns, rows).apply(world::healthy()).apply(world::incident())
}

fn target() -> Target {
    Target::Pipeline(ObjectKey::new("prd", world::PRD, "expert-matching"))
}

fn streams(state: &StreamState) -> Vec<(Arc<Container>, StreamState)> {
    ["match-making-taskmanager-1-0", "match-making-taskmanager-1-1"]
        .iter()
        .map(|name| {
            let pod = ObjectKey::new("prd", world::PRD, *name);
            (Arc::new(Container { pod, name: "flink-main-container".into() }), state.clone())
        })
        .collect()
}

fn row(number: u64, words: &str) -> Row {
    let time = world::ago(60) + Duration::milliseconds(i64::try_from(number).unwrap() * 250);
    let (level, failed) = match number % 10 {
        0 => (Level::Error, true),
        3 => (Level::Warn, false),
        _ => (Level::Info, false),
    };
    let stamp = time.format("%Y-%m-%d %H:%M:%S,%3f");
    let mut text = format!("{stamp} {:<5} o.a.b.s.i.k.KafkaWriter [] - {words} {number}", level.name());
    if failed {
        text.push('\n');
        text.push_str(world::TRACE.trim_end());
    }
    Row {
        number,
        time,
        source: u16::try_from(number % 2).unwrap(),
        level: Some(level),
        kind: history::Kind::Event,
        matches: false,
        failed,
        text: text.into(),
    }
}

fn news(count: u64) -> News {
    let mut rows: Vec<Row> = (0..count).map(|number| row(number, "sent [brackets]\tand 漢字 for order")).collect();
    if let Some(gap) = rows.get_mut(7) {
        gap.kind = history::Kind::Gap;
        gap.text = "lines may be missing between 14:01:32.000Z and 14:01:33.500Z: the log was rotated or cut".into();
    }
    let bars = (0..60_u64).map(|bar| Bar { count: bar * 7 % 13, bad: u64::from(bar > 50) }).collect();
    News {
        target: target(),
        serial: 1,
        rows,
        anchor: None,
        bounds: (true, true),
        histogram: Histogram { start: Some(world::ago(300)), step_seconds: 5, bars },
        facets: Vec::new(),
        kinds: Arc::from([]),
        streams: streams(&StreamState::Live),
        events: (count, 0),
        gaps: u64::from(count > 7),
        found: count,
        searched: 100,
        begin: Some(world::ago(300)),
    }
}

fn told(bench: Bench, news: News) -> Bench {
    bench.send(Event::Logs(Box::new(news)))
}

/// What the screen in front looks at.
fn view(bench: &Bench) -> View {
    bench.state.interest().log.unwrap().view
}

#[test]
fn a_log_that_is_followed() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let bench = incident(columns, rows).press("l");
        assert_eq!(bench.state.interest().log.unwrap().target, target());
        assert_snapshot!(format!("log_opening_{columns}"), bench.screen());
        assert_snapshot!(format!("log_{columns}x{rows}"), told(bench, news(60)).screen());
    }
    assert_snapshot!("log_40x8", told(incident(40, 8).press("l"), news(60)).screen());
    assert_snapshot!("log_ascii", told(incident(80, 24).ascii().press("l"), news(60)).screen());
    assert_snapshot!("log_too_small", told(incident(30, 6).press("l"), news(60)).screen());
}

#[test]
fn states_without_lines() {
    let empty = |state: StreamState| {
        let bench = incident(80, 24).press("l");
        told(bench, News { streams: streams(&state), ..news(0) })
    };
    assert_snapshot!("log_empty", empty(StreamState::Live).screen());
    let words = "pods \"x\" is forbidden: User \"viewer\" cannot get resource \"pods/log\" in API group \"\"";
    assert_snapshot!("log_forbidden", empty(StreamState::Forbidden(words.into())).screen());
    assert_snapshot!("log_away", empty(StreamState::Away(world::ago(12), "connection refused".into())).screen());
    let none = told(incident(80, 24).press("l"), News { streams: Vec::new(), ..news(0) });
    assert_snapshot!("log_no_pods", none.screen());
    let stale = told(incident(80, 24).press("l"), news(60));
    let away = streams(&StreamState::Away(world::ago(12), "connection refused".into()));
    assert_snapshot!("log_stale", told(stale, News { streams: away, ..news(60) }).screen());
}

#[test]
fn moving_stands_still_and_the_end_follows_again() {
    let bench = told(incident(80, 24).press("l"), news(60));
    assert_eq!(view(&bench).anchor, Anchor::End);
    let bench = bench.press("k");
    assert_eq!((view(&bench).anchor, view(&bench).serial), (Anchor::Event(58), 2));
    assert!(bench.screen().contains("standing still"));
    let later = News { serial: 2, ..news(90) };
    let bench = told(bench, later.clone());
    assert!(bench.screen().contains("order 58") && !bench.screen().contains("order 89"));
    // A page for an older wish changes nothing.
    let bench = told(bench, News { serial: 1, rows: Vec::new(), ..news(90) });
    assert!(bench.screen().contains("order 58"));
    let bench = bench.press("G");
    assert_eq!(view(&bench).anchor, Anchor::End);
    let serial = view(&bench).serial;
    let bench = told(bench, News { serial, ..later });
    assert!(bench.screen().contains("order 89"));
}

#[test]
fn more_is_asked_for_at_the_end_of_a_page() {
    let bench = told(incident(80, 24).press("l"), News { bounds: (false, true), ..news(60) });
    let serial = view(&bench.press("k")).serial;
    let bench = told(incident(80, 24).press("l"), News { bounds: (false, true), ..news(60) }).press("k");
    let bench = told(bench, News { serial, bounds: (false, true), ..news(60) }).press("pageup pageup");
    let View { anchor: Anchor::Event(number), serial: asked, .. } = view(&bench) else { panic!("{:?}", view(&bench)) };
    assert!(number < 30 && asked > serial, "{number} {asked}");
}

#[test]
fn a_search_marks_what_it_finds_and_says_what_is_wrong() {
    let bench = told(incident(80, 24).press("l"), news(60)).press("/").typed("order level=warn");
    let asked = view(&bench);
    assert_eq!(&*asked.query, "order level=warn");
    let mut found = News { serial: asked.serial, searched: 40, ..news(60) };
    found.rows.retain(|row| row.level == Some(Level::Warn));
    found.rows.iter_mut().for_each(|row| row.matches = true);
    let bench = told(bench.press("enter"), found);
    assert_snapshot!("log_search", bench.screen());
    assert_snapshot!("log_search_wrong", bench.press("/").typed("/(").screen());
}

#[test]
fn levels_exceptions_context_and_matches_are_one_key_each() {
    let bench = told(incident(80, 24).press("l"), news(60)).press("e x");
    assert_eq!(&*view(&bench).query, "level=warn exceptions ");
    let bench = bench.press("c &");
    assert_eq!((view(&bench).context, view(&bench).only_matches), (3, false));
    let bench = told(bench, news(60)).press("e e x /").typed("kafka").press("enter N");
    assert!(matches!(view(&bench).anchor, Anchor::PreviousMatch(_)), "{:?}", view(&bench));
    let View { serial, .. } = view(&bench);
    let bench = told(bench, News { serial, anchor: Some(12), ..news(60) });
    assert_eq!(view(&bench).anchor, Anchor::Event(12));
}

#[test]
fn the_histogram_jumps() {
    let bench = told(incident(80, 24).press("l"), news(60)).press("h left left");
    let step = Duration::seconds(57 * 5);
    assert_eq!(view(&bench).anchor, Anchor::Time(world::ago(300) + step));
    assert_snapshot!("log_histogram", bench.screen());
    let bench = bench.press("esc");
    assert!(bench.screen().contains("› log"), "the bar is let go before the screen");
}

#[test]
fn a_range_of_time_is_typed_by_one_key() {
    let bench = told(incident(80, 24).press("l"), news(60)).press("/").typed("kafka").press("enter t");
    let page = |bench: &Bench| view(bench).query.to_string();
    assert_eq!(page(&bench), "kafka from=2025-06-03_14:01:31 to=2025-06-03_14:01:46");
    assert!(bench.screen().contains("to=2025-06-03_14:01:46"), "it can be edited: {}", bench.screen());
    assert_eq!(page(&bench.press("enter t")), "kafka from=2025-06-03_14:01:31 to=2025-06-03_14:01:46", "once");
    // A bar is five seconds; with a bar chosen the range is the bar's.
    let bench = told(incident(80, 24).press("l"), news(60)).press("h left left t");
    assert_eq!(page(&bench), "from=2025-06-03_14:02:16 to=2025-06-03_14:02:21");
    assert_eq!(page(&bench.press("esc")), "");
    assert_snapshot!("log_long_filter", told(incident(80, 24).press("l t enter"), news(60)).press("t enter").screen());
}

#[test]
fn the_run_before_and_other_containers_are_logs_too() {
    let bench = incident(80, 24).press("enter enter p");
    let before = || bench.state.interest().log.unwrap().target;
    let Target::Previous(pod, container) = before() else { panic!("{:?}", before()) };
    assert!(bench.screen().contains("before the restart"), "{}", bench.screen());
    let bench = bench.press("p");
    let now = |bench: &Bench| bench.state.interest().log.unwrap().target;
    assert_eq!(now(&bench), Target::Pod(pod.clone(), container));
    let bench = bench.press("p tab");
    let Target::Previous(same, Some(other)) = now(&bench) else { panic!("{:?}", now(&bench)) };
    assert_eq!(same, pod);
    assert_ne!(&*other, "flink-main-container");
    let calm = Bench::new(80, 24).apply(world::healthy()).press("enter enter l p");
    assert!(calm.screen().contains("has not restarted"), "{}", calm.screen());
}

#[test]
fn fields_folds_copies_saves_and_pagers() {
    let bench = told(incident(120, 40).press("l"), news(41)).press("F z");
    let values = |names: &[&str]| names.iter().zip([310, 12, 3]).map(|(name, count)| ((*name).into(), count)).collect();
    let facets = vec![
        Facet { name: "level", values: values(&["INFO", "WARN", "ERROR"]) },
        Facet { name: "pod", values: values(&["match-making-taskmanager-1-0", "match-making-taskmanager-1-1"]) },
        Facet { name: "exception", values: values(&["java.io.IOException"]) },
    ];
    assert!(view(&bench).facets);
    let serial = view(&bench).serial;
    let mut bench = told(bench, News { serial, facets, ..news(41) });
    assert_snapshot!("log_fields_and_fold", bench.screen());
    bench.effects.clear();
    let bench = bench.press("y o w");
    let [Effect::Copy(event), Effect::Read(page)] = bench.effects.as_slice() else { panic!("{:?}", bench.effects) };
    assert!(event.contains("order 40\n") && event.contains("Caused by: java.io.IOException"), "{event}");
    assert!(page.contains("order 2\n") && page.contains("match-making-taskmanager-1-0 "), "{page}");
    assert!(view(&bench).save.unwrap().starts_with("expert-matching-20250603T"), "{:?}", view(&bench));
    let bench = bench.press("enter");
    assert!(bench.screen().contains("KafkaWriter.checkForFailures"), "{}", bench.screen());
}

fn kind(text: &str, count: u64, seconds: i64) -> Kind {
    let exception = trace::of_field(text).unwrap();
    Kind {
        fingerprint: exception.fingerprint,
        count,
        first: world::ago(seconds),
        last: world::ago(2),
        rate: (0..30).map(|step| if step > 20 { step } else { 0 }).collect(),
        pods: ["match-making-taskmanager-1-0", "match-making-taskmanager-1-2"]
            .map(Into::into)
            .into_iter()
            .collect::<BTreeSet<_>>(),
        root: exception.root().clone(),
        outer: exception.outer().clone(),
        event: 40,
        sample: text.into(),
    }
}

const CODER: &str =
    "org.apache.beam.sdk.coders.CoderException: cannot decode null\n\tat com.acme.Orders.parse(Orders.java:7)";

fn radar() -> News {
    News { kinds: vec![kind(world::TRACE, 982, 240), kind(CODER, 181, 290)].into(), ..news(0) }
}

#[test]
fn failures_are_rows_and_flinks_own_history_is_in_them() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let bench = incident(columns, rows).press("x");
        assert_eq!(bench.state.interest().log.unwrap().target, target());
        assert!(!bench.state.interest().jobs.is_empty());
        let bench = told(bench, radar());
        assert_snapshot!(format!("exceptions_{columns}x{rows}"), bench.screen());
        assert_snapshot!(format!("exceptions_pods_{columns}"), bench.press("p").screen());
    }
    // The trace of the job's failures is the one of the first kind: one row, seen four times by Flink.
    let alone = told(incident(80, 24).press("x"), news(0));
    assert!(alone.screen().contains("1 kind "), "{}", alone.screen());
    assert_snapshot!("exceptions_flink_alone", alone.screen());
}

#[test]
fn a_failure_opens_its_trace_and_its_events() {
    let bench = told(incident(80, 24).press("x"), radar()).press("enter");
    assert!(bench.screen().contains("Caused by: java.io.IOException"), "{}", bench.screen());
    let bench = bench.press("esc l");
    assert!(view(&bench).query.starts_with("fingerprint="), "{:?}", view(&bench));
}

#[test]
fn exceptions_without_any() {
    let calm = |news: Option<News>| {
        let bench = Bench::new(80, 24).apply(world::healthy()).press("x");
        match news {
            Some(news) => {
                let target = bench.state.interest().log.unwrap().target;
                told(bench, News { target, ..news })
            }
            None => bench,
        }
    };
    assert_snapshot!("exceptions_opening", calm(None).screen());
    assert_snapshot!("exceptions_none", calm(Some(news(0))).screen());
    let forbidden = streams(&StreamState::Forbidden("pods/log".into()));
    assert_snapshot!("exceptions_forbidden", calm(Some(News { streams: forbidden, ..news(0) })).screen());
}

/// The screens get what the reader makes of a log, and nothing in it acts on the terminal.
#[test]
fn escape_sequences_of_a_log_are_shown() {
    let mut reader = Reader::default();
    let mut rows = Vec::new();
    let log = b"2026-11-22 06:52:02,988 INFO  a.B [] - \x1b[31mred\x07 \xe2\x80\xae\n";
    let mut keep = |event: &flowdeck::logs::event::Event<'_>| {
        let mut shown = row(1, "");
        shown.text = event.text.into();
        rows.push(shown);
    };
    reader.push(log, world::now(), &mut keep);
    reader.finish(world::now(), &mut keep);
    let bench = told(incident(80, 24).press("l"), News { rows, ..news(1) });
    assert!(bench.screen().contains("^[[31mred^G <U+202E>"), "{}", bench.screen());
}
