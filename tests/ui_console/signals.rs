//! Golden signals: the list with its charts, one service, alerts, and every state that these can be in.

use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::model::change::Change;
use flowdeck::model::signal::{
    Aggregated, Alert, AlertState, Answer, Focus, Health, Latency, Mark, Outcome, OverridesState, Point, Range,
    Reading, Reject, RejectSample, Rule, Saturation, ServiceHistory, ServiceNow, Shift, Signals, Silence, Trial,
};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world::{self, ago};

const ILL: &str = "intuit.cloud.monitoring.rum";
const RULE: &str = "requestCount < 60 ? 0 : availability > 99.0 ? 0 : 3";

fn point(start_ago: i64, (requests, errors): (u64, u64), median_us: f64) -> Point {
    let ill = errors * 100 > requests;
    Point {
        start: ago(start_ago),
        requests,
        errors,
        latency: Latency {
            p50_us: median_us,
            p90_us: median_us * 2.0,
            p95_us: median_us * 4.0,
            p99_us: median_us * 8.0,
            max_us: median_us * 10.0,
        },
        health: if ill { Health::DOWN } else { Health::WELL },
        saturation: Some(Saturation { percent: if ill { 94.0 } else { 40.0 }, component: "cpu".into() }),
    }
}

fn service(name: &str, point: Option<Point>) -> ServiceNow {
    let trend: Vec<Option<f32>> =
        (0..32_u8).map(|step| (step % 11 != 5).then(|| 100.0 + f32::from(step % 7) * 20.0)).collect();
    ServiceNow {
        service: name.into(),
        swimlane: None,
        requests_per_second: point.as_ref().map(|point| f64::from(u32::try_from(point.requests).unwrap()) / 10.0),
        silence: point.is_none().then(|| Silence { since: ago(1_260) }),
        trend: trend.into(),
        objective_percent: Some(99.9),
        budget_left_percent: point.as_ref().map(|point| if point.errors > 100 { -240.0 } else { 82.0 }),
        rule: Rule { text: RULE.into(), from: "default".into() },
        tags: Arc::default(),
        point,
    }
}

/// The service that is well for ten minutes, ill for three, with a minute of nothing between.
fn history(focus: &Focus) -> ServiceHistory {
    let points: Vec<Option<Point>> = (0..90_i64)
        .map(|step| {
            let start = (89 - step) * 10 + 10;
            let wave = u64::try_from(step % 9).unwrap();
            match step {
                0..5 | 60..66 => None,
                5..70 => Some(point(start, (8_000 + wave * 300, 2), 41_000.0)),
                _ => Some(point(start, (12_000 + wave * 300, 1_500), 200_000.0)),
            }
        })
        .collect();
    let bounds: Vec<u64> = (0..24).map(|row| 250_u64 << row).collect();
    let heat = |it: &Option<Point>| -> Arc<[u32]> {
        let row = |row: u32| match it {
            Some(point) if row == 8 => u32::try_from(point.requests - point.errors).unwrap(),
            Some(point) if row == 12 => u32::try_from(point.errors).unwrap(),
            _ => 0,
        };
        (0..24).map(row).collect()
    };
    ServiceHistory {
        service: focus.service.clone().unwrap(),
        slice: focus.slice.clone(),
        range: focus.range,
        until: focus.until,
        start: focus.until.map_or_else(|| ago(900), |until| until - chrono::Duration::seconds(900)),
        step_ms: 10_000,
        heat: if focus.with_heat { points.iter().map(heat).collect() } else { Arc::default() },
        heat_bounds_us: if focus.with_heat { bounds.into() } else { Arc::default() },
        points: points.into(),
        slices: Arc::from([
            ("svcHost".into(), "ec2".into(), point(900, (700_000, 60_000), 90_000.0)),
            ("svcHost".into(), "k8s".into(), point(900, (900_000, 120), 40_000.0)),
        ]),
        marks: Arc::from([Mark { at: ago(200), text: "rev 44".into() }]),
    }
}

fn alert(rule: &str, service: &str, state: AlertState) -> Alert {
    Alert {
        rule: rule.into(),
        service: service.into(),
        severity: "page".into(),
        state,
        since: ago(190),
        summary: "error budget burns 124 times as fast as it may (1 h) and 131 times (5 min); 14.4 is allowed".into(),
        acknowledged: None,
        snoozed_until: None,
    }
}

fn signals(reading: Reading) -> Signals {
    let mut services = vec![
        service(ILL, Some(point(10, (12_000, 1_490), 41_000.0))),
        service("intuit.data.sessionization", Some(point(10, (9_000, 0), 12_000.0))),
        service("intuit.ledger.batch", None),
    ];
    services.extend((0..20).map(|number| {
        let requests = 5_000 - number * 200;
        service(&format!("intuit.tax.import{number:02}"), Some(point(10, (requests, 1), 8_000.0)))
    }));
    services.sort_by(|left, right| left.service.cmp(&right.service));
    Signals {
        name: "golden-signals".into(),
        window_ms: 10_000,
        reading,
        watermark: Some(ago(4)),
        behind_ms: Some(4_200),
        backlog: Some(310),
        records_per_second: 812_345.0,
        records: 9_000_000,
        late: 12,
        rejects: Arc::from([Reject { reason: "not JSON".into(), count: 3 }]),
        samples: Arc::from([RejectSample {
            reason: "not JSON".into(),
            detail: "expected value at line 1 column 1".into(),
            place: "service-events/3@88213".into(),
            record: "<html>\\u{1b}[2J".into(),
        }]),
        other: 0,
        other_values: 0,
        beside_none: 0,
        aggregated: None,
        overrides: OverridesState::default(),
        services: services.into(),
        faults: 0,
        last_fault: None,
        wants_saturation: false,
        history: None,
        trial: None,
        alerts: Arc::from([alert("burn-fast", ILL, AlertState::Firing)]),
    }
}

/// Signals of production, answering what the console asks for.
fn with(bench: Bench, signals: Signals) -> Bench {
    let focus = bench.state.interest().signals.get("prd").cloned();
    let history = focus.filter(|focus| focus.service.is_some()).map(|focus| Arc::new(history(&focus)));
    bench.apply(vec![Change::Signals("prd".into(), Arc::new(Signals { history, ..signals }))])
}

fn platform(columns: u16, rows: u16) -> Bench {
    Bench::new(columns, rows).apply(world::healthy()).apply(world::incident()).apply(world::kafka())
}

/// The list with its charts.
fn live(columns: u16, rows: u16) -> Bench {
    let bench = with(platform(columns, rows).press("s"), signals(Reading::Live));
    with(bench, signals(Reading::Live))
}

/// The ill service.
fn one(columns: u16, rows: u16) -> Bench {
    with(live(columns, rows).press("enter"), signals(Reading::Live))
}

#[test]
fn the_list() {
    assert_snapshot!("signals_80x24", live(80, 24).screen());
    assert_snapshot!("signals_120x40", live(120, 40).screen());
    assert_snapshot!("signals_200x60", live(200, 60).screen());
    assert_snapshot!("signals_ascii", live(80, 24).ascii().screen());
    assert_snapshot!("signals_low", live(80, 12).screen());
    assert_snapshot!("signals_too_small", live(30, 6).screen());
}

#[test]
fn states_without_services() {
    assert_snapshot!("signals_none", platform(80, 24).press("s").screen());
    for (name, reading) in [
        ("starting", Reading::Starting),
        ("catching_up", Reading::CatchingUp(43)),
        ("quiet", Reading::Live),
        (
            "failed",
            Reading::Failed("topic service-events does not exist; create it or name another in the spec".into()),
        ),
    ] {
        let empty = Signals { services: Arc::default(), alerts: Arc::default(), behind_ms: None, ..signals(reading) };
        assert_snapshot!(format!("signals_{name}"), with(platform(80, 24).press("s"), empty).screen());
    }
}

#[test]
fn a_stalled_source_marks_what_it_told_as_old() {
    let stalled = Reading::Stalled(ago(95), "all brokers are down".into());
    assert_snapshot!("signals_stalled", with(live(80, 24), signals(stalled)).screen());
}

#[test]
fn the_time_cursor_reads_out_and_goes_away_again() {
    let bench = live(80, 24).press("left left left");
    assert_snapshot!("signals_cursor", bench.screen());
    let bench = bench.press("right right right");
    assert_eq!(bench.screen(), live(80, 24).screen());
    // The gap is read out as what it is.
    let bench = (0..28).fold(live(80, 24), |bench, _| bench.press("left"));
    assert!(bench.screen().contains("no data"), "{}", bench.screen());
}

#[test]
fn frozen_is_held_still_and_let_go() {
    let bench = live(80, 24).press("space");
    let held = bench.screen();
    assert!(held.contains("frozen at 14:02:31"), "{held}");
    let well = Signals { services: Arc::from([service("other", None)]), ..signals(Reading::Live) };
    let bench = with(bench, well);
    assert_eq!(bench.screen(), held);
    let bench = bench.press("space");
    assert!(bench.screen().contains("no data since") && !bench.screen().contains(ILL), "{}", bench.screen());
}

#[test]
fn a_range_and_a_heat_map_are_asked_for() {
    let bench = live(120, 40).press("t h");
    let focus = bench.state.interest().signals.get("prd").cloned().unwrap();
    assert_eq!((focus.range, focus.with_heat), (Range::Hour, true));
    assert_snapshot!("signals_heat", with(bench, signals(Reading::Live)).screen());
}

#[test]
fn one_service() {
    assert_snapshot!("service_80x24", one(80, 24).screen());
    assert_snapshot!("service_120x40", one(120, 40).screen());
    assert_snapshot!("service_ascii", one(80, 24).ascii().screen());
    let sliced = one(120, 40).press("enter");
    let focus = sliced.state.interest().signals.get("prd").cloned().unwrap();
    assert_eq!(focus.slice, Some(("svcHost".into(), "ec2".into())));
    assert_snapshot!("service_sliced", with(sliced, signals(Reading::Live)).screen());
    assert_snapshot!("service_rejects", one(80, 24).press("R").screen());
}

#[test]
fn a_broken_side_input_says_so_beside_the_rule() {
    let overrides = OverridesState {
        location: Some("s3://golden-signals/overrides/".into()),
        fetched: Some(ago(430)),
        error: Some("intuit.tax.import.json: health: unknown name availabilty".into()),
        ..OverridesState::default()
    };
    let mut broken = Signals { overrides, ..signals(Reading::Live) };
    broken.services = broken
        .services
        .iter()
        .map(|it| ServiceNow {
            rule: Rule { from: "s3://golden-signals/overrides/".into(), ..it.rule.clone() },
            ..it.clone()
        })
        .collect();
    assert_snapshot!("signals_side_input", with(live(80, 24), broken).screen());
}

#[test]
fn a_service_leads_to_its_pipeline_by_tag_or_name() {
    let bench = live(80, 24).press("/").typed("sessionization").press("enter p");
    assert!(bench.screen().starts_with(" prd › sessionization"), "{}", bench.screen());
    let bench = live(80, 24).press("p");
    assert!(bench.screen().contains("No pipeline is known for this service"), "{}", bench.screen());
    let mut tagged = signals(Reading::Live);
    tagged.services = tagged
        .services
        .iter()
        .map(|it| ServiceNow { tags: Arc::from([("pipeline".into(), "expert-matching".into())]), ..it.clone() })
        .collect();
    let bench = with(live(80, 24), tagged).press("p");
    assert!(bench.screen().starts_with(" prd › expert-matching"), "{}", bench.screen());
}

#[test]
fn what_a_job_counts_leads_to_that_job() {
    let rows = Aggregated {
        topic: "signals".into(),
        writers: Arc::from(["flink-sql/1".into(), "flink-sql/2".into()]),
        contested: 3,
    };
    let counted = || Signals { aggregated: Some(rows.clone()), ..signals(Reading::Live) };
    let bench = with(live(200, 60), counted());
    let told = "rows of golden-signals RUNNING, 3 not counted, 3 disputed";
    assert!(bench.screen().contains(told), "{}", bench.screen());
    let bench = bench.press("J");
    assert!(bench.screen().starts_with(" prd › golden-signals"), "{}", bench.screen());
    let bench = with(with(live(80, 24), counted()).press("enter"), counted()).press("J");
    assert!(bench.screen().starts_with(" prd › golden-signals"), "{}", bench.screen());
    let told = with(live(120, 40), counted()).press("R").screen();
    assert!(
        told.contains("3  rows on which two writers disagree") && told.contains("flink-sql/1, flink-sql/2"),
        "{told}"
    );
    let unknown = Signals { aggregated: Some(Aggregated { topic: "x".into(), ..rows.clone() }), ..counted() };
    let bench = with(live(80, 24), unknown).press("J");
    assert!(bench.screen().contains("No pipeline says that it writes"), "{}", bench.screen());
    let own = live(80, 24).press("J");
    assert!(own.screen().contains("no job stands behind them"), "{}", own.screen());
}

#[test]
fn rows_of_another_spec_are_no_empty_topic() {
    let mut refused = signals(Reading::Live);
    refused.services = Arc::default();
    refused.records = 42;
    refused.rejects = Arc::from([
        Reject { reason: "too late".into(), count: 2 },
        Reject { reason: "a row of another spec".into(), count: 40 },
    ]);
    let bench = with(live(80, 24), refused);
    let screen = bench.screen();
    assert!(screen.contains("nothing that is read can be counted"), "{screen}");
    assert!(screen.contains("40 records: a row of another spec; R shows the last"), "{screen}");
    let told = bench.press("R").screen();
    assert!(told.contains("40  a row of another spec"), "{told}");
}

#[test]
fn alerts_are_answered() {
    let mut many = signals(Reading::Live);
    many.alerts = Arc::from([
        alert("burn-fast", ILL, AlertState::Firing),
        alert("silence", "intuit.ledger.batch", AlertState::Pending),
        Alert {
            acknowledged: Some(("here".into(), ago(60))),
            ..alert("slow", "intuit.tax.import01", AlertState::Firing)
        },
        alert("burn-slow", "intuit.tax.import02", AlertState::Resolved),
    ]);
    let bench = with(platform(80, 24).press("a"), many.clone());
    assert_snapshot!("alerts_80x24", bench.screen());
    let bench = bench.press("A z");
    let answers: Vec<_> = bench
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer(environment, order) => Some((&**environment, &*order.rule, order.answer.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(
        answers,
        [("prd", "burn-fast", Answer::Acknowledge("here".into())), ("prd", "burn-fast", Answer::Snooze(ago(-3_600))),]
    );
    let opened = with(bench.press("enter"), many);
    assert!(opened.screen().starts_with(&format!(" prd › signals › {ILL}")), "{}", opened.screen());
    assert_snapshot!("alerts_none", platform(80, 24).press("a").screen());
}

/// An hour in which health was 3 for a minute, and would have been 1 for two.
fn outcome() -> Outcome {
    let level = |number| Health::new(number).unwrap();
    let windows = (0..360).map(|window| match window {
        0..40 => None,
        200..206 => Some((level(3), Some(level(1)))),
        206..212 => Some((level(0), Some(level(1)))),
        212 => Some((level(0), None)),
        _ => Some((level(0), Some(level(0)))),
    });
    let shift = |at, from, to| Shift { at: ago(at), from: level(from), to: level(to) };
    Outcome {
        start: ago(3_600),
        step_ms: 10_000,
        levels: windows.collect(),
        windows: 320,
        differing: 12,
        shifts: Arc::from([shift(1_480, 1, 0), shift(1_600, 0, 1)]),
        faults: Arc::from([("it divides by zero".into(), 1)]),
    }
}

/// The same signals, with an answer to the expression that is tried.
fn tried(bench: Bench, outcome: Result<Outcome, Arc<str>>) -> Bench {
    let focus = bench.state.interest().signals.get("prd").cloned().unwrap();
    let expression = focus.trial.unwrap();
    let trial = Some(Arc::new(Trial { service: focus.service.unwrap(), expression, outcome }));
    bench.apply(vec![Change::Signals("prd".into(), Arc::new(Signals { trial, ..signals(Reading::Live) }))])
}

#[test]
fn a_rule_is_tried_on_what_is_over() {
    let asked = |bench: &Bench| bench.state.interest().signals.get("prd").and_then(|focus| focus.trial.clone());
    let bench = one(80, 24).press("b");
    assert_eq!(asked(&bench).as_deref(), Some(RULE));
    assert!(bench.screen().contains("asking"), "{}", bench.screen());
    assert_snapshot!("backtest_80x24", tried(bench, Ok(outcome())).screen());
    assert_snapshot!("backtest_ascii_120x40", tried(live(120, 40).press("b"), Ok(outcome())).ascii().screen());
    // What is typed is tried as it is typed, and the answer to another expression is not shown for it.
    let bench = tried(one(80, 24).press("b"), Ok(outcome())).press("e").typed(" + 1");
    assert_eq!(asked(&bench).as_deref(), Some(format!("{RULE} + 1").as_str()));
    assert!(bench.screen().contains("asking"), "{}", bench.screen());
    let mistake: Arc<str> = "line 1, column 3: unknown name cont\n  requestCount\n  ^".into();
    let bench = tried(bench.press("enter"), Err(mistake));
    assert_snapshot!("backtest_mistake", bench.screen());
    let bench = bench.press("esc");
    assert_eq!(asked(&bench).as_deref(), Some(RULE), "esc takes back what was typed");
    let title = bench.press("esc").screen().lines().next().unwrap_or_default().to_owned();
    assert!(title.contains(ILL) && !title.contains("backtest"), "and then leaves: {title}");
}

#[test]
fn pipelines_have_golden_signals_too() {
    let bench = live(120, 40).press("tab");
    assert_snapshot!("pipeline_signals_120x40", bench.screen());
    assert_snapshot!("pipeline_signals_80x24", live(80, 24).press("tab").screen());
    assert!(!bench.state.interest().jobs.is_empty() && !bench.state.interest().usage.is_empty());
    assert_eq!(live(120, 40).press("tab tab").screen(), live(120, 40).screen());
    let bench = live(120, 40).press("tab enter");
    assert!(bench.screen().starts_with(" prd › expert-matching"), "{}", bench.screen());
}

#[test]
fn the_past_is_scrolled_to_and_frozen_charts_can_be_looked_at_otherwise() {
    // Ninety presses cross the chart; the ones after them ask for what was before it.
    let bench = (0..95).fold(one(120, 40), |bench, _| bench.press("left"));
    let focus = bench.state.interest().signals.get("prd").cloned().unwrap();
    assert!(focus.until.is_some_and(|until| until < world::now()), "{focus:?}");
    assert!(bench.screen().contains("asking"), "{}", bench.screen());
    let bench = with(bench, signals(Reading::Live));
    assert_snapshot!("service_past", bench.screen());
    let bench = with(bench.press("esc"), signals(Reading::Live));
    assert_eq!(bench.screen(), one(120, 40).screen());
    // Frozen, another range is asked for as it was then.
    let bench = one(120, 40).press("space t");
    let focus = bench.state.interest().signals.get("prd").cloned().unwrap();
    assert_eq!((focus.range, focus.until), (Range::Hour, Some(world::now())));
    let bench = with(bench, signals(Reading::Live));
    assert!(bench.screen().contains("frozen") && !bench.screen().contains("asking"), "{}", bench.screen());
}

#[test]
fn the_side_input_says_which_one_is_in_force_and_why_not_a_newer_one() {
    let good = OverridesState {
        location: Some("s3://golden-signals/overrides/".into()),
        services: 12,
        version: Some("6abae1b30ee4".into()),
        fetched: Some(ago(430)),
        applied: Some(ago(420)),
        error: None,
        next_try: Some(ago(-130)),
    };
    let error: Option<Arc<str>> = Some("not fetched: 403 Forbidden: AccessDenied".into());
    let never = OverridesState { services: 0, fetched: None, applied: None, error: error.clone(), ..good.clone() };
    let shown = |overrides: OverridesState| {
        let bench = with(one(120, 40), Signals { overrides, ..signals(Reading::Live) });
        bench.screen().lines().nth(4).unwrap().trim().to_owned()
    };
    let line = shown(good.clone());
    assert!(
        line.starts_with("input   12 services, of 13:55:21 (7m10s ago), in force since the window 13:55:31"),
        "{line}"
    );
    assert!(line.ends_with("next try in 2m10s"), "{line}");
    let line = shown(OverridesState { error, ..good });
    let wanted = "the last good one, of 13:55:21 (7m10s ago), holds for 12 services; not fetched: 403";
    assert!(line.contains(wanted), "{line}");
    assert!(shown(never).contains("none was ever good, so only the spec holds; not fetched: 403"));
    let faulty =
        Signals { faults: 7, last_fault: Some("a: health: it divides by zero".into()), ..signals(Reading::Live) };
    assert!(with(one(120, 40), faulty).screen().contains("no answer 7 times: a: health: it divides by zero"));
}
