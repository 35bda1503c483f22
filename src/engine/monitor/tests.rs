use super::*;
use crate::model::Time;
use crate::model::document::Document;
use crate::model::signal::{AlertOrder, AlertState, Answer, Health, Range};

const SPEC: &str = r#"
name = "test"
[source]
format = "json"
time = { field = "ts", unit = "ms" }
latency = { field = "us", unit = "us" }
[key]
service = "svc"
[slo]
availability = 99.0
[window]
size = "10s"
[watermark]
delay = "0s"
"#;

fn monitor() -> Monitor {
    Monitor::new(&Spec::parse(SPEC).unwrap()).unwrap()
}

/// So many requests of a service at a time, so many of them failed.
fn put(monitor: &mut Monitor, service: &str, at: i64, (requests, errors): (u32, u32)) {
    let mut batch = Batch::default();
    for number in 0..requests {
        let status = if number < errors { 500 } else { 200 };
        batch.push(format!(r#"{{"ts":{at},"svc":"{service}","status":{status},"us":1000}}"#).as_bytes());
    }
    monitor.ingest(0, &batch, at);
}

fn focus(service: &str) -> Focus {
    Focus { service: Some(service.into()), range: Range::QuarterHour, ..Focus::default() }
}

#[test]
fn a_closed_window_is_how_a_service_is_now() {
    let mut monitor = monitor();
    put(&mut monitor, "a", 100_000, (100, 3));
    assert!(monitor.view(&Focus::default(), 101_000).services.is_empty(), "the window is open");
    put(&mut monitor, "b", 110_000, (1, 0));
    let view = monitor.view(&focus("a"), 111_000);
    let [service] = &*view.services else { panic!("{:?}", view.services) };
    let point = service.point.as_ref().unwrap();
    assert_eq!((point.requests, point.errors, point.health.level()), (100, 3, 1));
    assert_eq!(service.requests_per_second, Some(10.0));
    // 100 requests may fail once; 3 did.
    assert_eq!(service.budget_left_percent, Some(-200.0));
    assert_eq!((view.behind_ms, view.records), (Some(1_000), 101));
    let history = view.history.unwrap();
    assert_eq!((history.points.len(), history.points.iter().flatten().count()), (90, 1));
    let place = history.points.iter().position(Option::is_some).unwrap();
    assert_eq!(history.start.timestamp_millis() + i64::try_from(place).unwrap() * history.step_ms, 100_000);
}

#[test]
fn a_service_that_stops_is_silent_and_a_gap_is_a_gap() {
    let mut monitor = monitor();
    for window in 0..15 {
        let at = window * 10_000;
        put(&mut monitor, "steady", at, (5, 0));
        if window < 4 || window == 14 {
            put(&mut monitor, "stops", at, (5, 0));
        }
        let view = monitor.view(&focus("stops"), at);
        let now = view.services.iter().find(|it| &*it.service == "stops");
        // Its last window ends at 40 s; from 100 s on it is silent.
        let silent = now.and_then(|it| it.silence).map(|it| it.since.timestamp_millis());
        assert_eq!(silent, (at >= 100_000).then_some(40_000), "at {at}");
        assert_eq!(now.is_some_and(|it| it.point.is_some()), (10_000..100_000).contains(&at), "at {at}");
    }
    put(&mut monitor, "steady", 150_000, (5, 0));
    let view = monitor.view(&focus("stops"), 150_000);
    let shown: String =
        view.history.unwrap().points.iter().map(|point| if point.is_some() { '#' } else { '.' }).collect();
    assert!(shown.ends_with("####..........#."), "{shown}");
}

#[test]
fn late_events_revise_a_window() {
    let mut monitor = monitor();
    put(&mut monitor, "a", 100_000, (10, 0));
    put(&mut monitor, "b", 115_000, (1, 0));
    put(&mut monitor, "a", 101_000, (10, 10));
    let view = monitor.view(&Focus::default(), 116_000);
    let point = view.services.first().and_then(|it| it.point.clone()).unwrap();
    assert_eq!((point.requests, point.errors, point.health), (20, 10, Health::DOWN));
    assert_eq!(view.late, 10);
}

#[test]
fn an_override_holds_from_the_next_window_on() {
    let mut monitor = monitor();
    let fetch = |health: &str| {
        let content = format!(r#"{{"service": "a", "health": "{health}", "tags": {{"tier": "1"}}, "slo": 99.5}}"#);
        let documents = [Document { name: "o.json".into(), content: content.into_bytes().into() }];
        Fetch { at: Time::UNIX_EPOCH, next_try: Time::UNIX_EPOCH, outcome: Ok(Some(Arc::new(documents))) }
    };
    let rule = |monitor: &Monitor| monitor.view(&Focus::default(), 0).services.first().unwrap().rule.clone();
    put(&mut monitor, "a", 100_000, (10, 0));
    put(&mut monitor, "b", 115_000, (1, 0));
    assert_eq!((&*rule(&monitor).from, rule(&monitor).text.contains("availability >= 99.0")), ("default", true));
    monitor.take_overrides(&fetch("2"));
    put(&mut monitor, "a", 116_000, (10, 0));
    put(&mut monitor, "b", 135_000, (1, 0));
    let view = monitor.view(&Focus { service: Some("a".into()), ..Focus::default() }, 136_000);
    let levels: Vec<_> = view.history.unwrap().points.iter().flatten().map(|point| point.health.level()).collect();
    assert_eq!(levels, [0, 2]);
    let service = view.services.first().unwrap();
    assert_eq!((&*service.rule.from, &*service.rule.text, service.objective_percent), ("o.json", "2", Some(99.5)));
    assert_eq!(service.tags.len(), 1);
    assert_eq!((view.overrides.services, view.overrides.applied), (1, Time::from_timestamp_millis(110_000)));
    monitor.take_overrides(&fetch("9"));
    assert!(monitor.view(&Focus::default(), 0).overrides.error.unwrap().contains("health is from 0"));
    assert_eq!(&*rule(&monitor).text, "2");
}

#[test]
fn what_was_not_counted_is_told_with_its_place() {
    let mut monitor = monitor();
    monitor.assign(0, "service-events/0", 0);
    let mut batch = Batch::default();
    batch.first_offset = 41;
    batch.push(b"\x1b[2J{");
    monitor.ingest(0, &batch, 1_000);
    let view = monitor.view(&Focus::default(), 1_000);
    assert_eq!(view.rejects.iter().map(|it| (&*it.reason, it.count)).collect::<Vec<_>>(), [("not JSON", 1)]);
    let sample = view.samples.first().unwrap();
    assert_eq!((&*sample.place, &*sample.record), ("service-events/0@41", "\\u{1b}[2J{"));
}

#[test]
fn charts_of_a_day_are_whole_and_gaps_stay_gaps() {
    let mut monitor = monitor();
    let (day, hour) = (8_640_i64, 360_i64);
    // Every window of a day, but for one hour without any; in the last ten minutes of each hour three in ten fail.
    for window in (0..day).filter(|window| window / hour != 20) {
        let errors = 3 * u32::from(window % hour >= 300);
        put(&mut monitor, "a", window * 10_000, (10, errors));
    }
    let now = day * 10_000;
    monitor.tick(now + 40_000);
    for (range, step_ms, gap) in [
        (Range::QuarterHour, 10_000, 0),
        (Range::Hour, 10_000, 0),
        (Range::SixHours, 60_000, 60),
        (Range::Day, 300_000, 12),
    ] {
        let focus = Focus { service: Some("a".into()), range, with_heat: true, ..Focus::default() };
        let view = monitor.view(&focus, now - 1);
        let history = view.history.unwrap();
        let steps = usize::try_from(range.seconds() * 1_000 / step_ms).unwrap();
        assert_eq!((history.step_ms, history.points.len()), (step_ms, steps));
        assert_eq!(history.points.iter().filter(|point| point.is_none()).count(), gap, "{range:?}");
        let sums = history.points.iter().flatten().fold((0, 0), |sum, it| (sum.0 + it.requests, sum.1 + it.errors));
        let windows =
            (range.seconds() / 10).cast_unsigned() - u64::try_from(gap).unwrap() * step_ms.cast_unsigned() / 10_000;
        assert_eq!(sums.0, windows * 10, "{range:?}");
        // A step is as ill as the worst of its windows: 30 % failed is more than 14.4 times what may.
        let ill = history.points.iter().flatten().filter(|it| it.health == Health::DOWN).count();
        let failing = history.points.iter().flatten().filter(|it| it.errors > 0).count();
        assert_eq!(ill, failing, "{range:?}");
        assert_eq!(history.heat.len(), history.points.len());
        assert!(history.heat.iter().zip(&*history.points).all(|(column, point)| point.is_none() || !column.is_empty()));
        let budget = view.services.first().unwrap().budget_left_percent.unwrap();
        // 60 of 360 windows fail three times in ten: 5 % of all, and 1 % was allowed.
        assert!((budget + 400.0).abs() < 2.0, "{budget}");
    }
}

#[test]
fn charts_of_the_past_end_where_they_are_asked_to() {
    let mut monitor = monitor();
    for window in 0..2 * 360_i64 {
        put(&mut monitor, "a", window * 10_000, (u32::try_from(window / 360).unwrap() + 1, 0));
    }
    let now = 2 * 3_600_000;
    let until = Time::from_timestamp_millis(3_600_000 - 1);
    let view = monitor.view(&Focus { until, ..focus("a") }, now);
    let history = view.history.unwrap();
    let end = history.start.timestamp_millis() + history.step_ms * i64::try_from(history.points.len()).unwrap();
    // Windows of more than an hour ago are no longer kept one by one.
    assert_eq!((end, history.step_ms, history.points.len()), (3_600_000, 60_000, 15));
    assert!(history.points.iter().all(|point| point.as_ref().is_some_and(|point| point.requests == 6)));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut monitor = monitor();
    for window in 0..2_000_i64 {
        put(&mut monitor, "a", window * 10_000, (1, 0));
    }
    assert_eq!((monitor.series.len(), monitor.book.len()), (1, 1));
    monitor.tick(2_000 * 10_000 + 26 * 3_600_000);
    assert!(monitor.view(&Focus::default(), 0).services.is_empty());
    assert_eq!(monitor.book.len(), 0);
}

#[test]
fn an_incident_makes_an_alert_that_a_person_can_answer() {
    let mut monitor = monitor();
    let (mut fired, mut resolved) = (None, None);
    for window in 0..60_i64 {
        let at = window * 10_000;
        let errors = if (20..30).contains(&window) { 60 } else { 0 };
        put(&mut monitor, "a", at, (100, errors));
        monitor.tick(at);
        let view = monitor.view(&Focus::default(), at);
        let down = view.alerts.iter().find(|alert| &*alert.rule == "down").map(|alert| alert.state);
        if down == Some(AlertState::Firing) && fired.is_none() {
            fired = Some(window);
            let answer = Answer::Acknowledge("me".into());
            assert!(monitor.obey(&AlertOrder { rule: "down".into(), service: "a".into(), answer }, at));
        }
        if down == Some(AlertState::Resolved) && resolved.is_none() {
            resolved = Some(window);
        }
    }
    // Two bad windows are closed when the third begins; three good ones when the fourth does.
    assert_eq!((fired, resolved), (Some(22), Some(33)));
}

#[test]
fn a_rare_service_is_not_silent_between_its_events() {
    let mut monitor = monitor();
    for window in 0..100_i64 {
        put(&mut monitor, "steady", window * 10_000, (5, 0));
        if window % 10 == 0 {
            put(&mut monitor, "rare", window * 10_000, (1, 0));
        }
        let view = monitor.view(&Focus::default(), window * 10_000);
        let rare = view.services.iter().find(|it| &*it.service == "rare");
        if window > 30 {
            assert_eq!(rare.and_then(|it| it.silence), None, "at {window}");
        }
    }
}

#[test]
fn saturation_from_outside_is_a_fact_that_rules_judge() {
    let spec = format!(
        "{SPEC}[expressions]\nhealth = \"saturation > 90.0 ? 2 : 0\"\n[[alert]]\nname = \"full\"\nsignal = \"saturation\"\n\
         op = \">\"\nvalue = 80.0\nfor = \"20s\"\n"
    );
    let mut monitor = Monitor::new(&Spec::parse(&spec).unwrap()).unwrap();
    let told = |percent, component: &str| -> Arc<Saturations> {
        Arc::new([("a".into(), Saturation { percent, component: component.into() })].into())
    };
    assert!(monitor.view(&Focus::default(), 0).wants_saturation);
    let (mut fired, mut levels) = (None, Vec::new());
    for window in 0..12_i64 {
        let at = window * 10_000;
        match window {
            3 => monitor.set_saturations(told(95.0, "mem")),
            6 => monitor.set_saturations(told(20.0, "cpu")),
            9 => monitor.set_saturations(Arc::default()),
            _ => {}
        }
        put(&mut monitor, "a", at, (10, 0));
        put(&mut monitor, "b", at, (10, 0));
        monitor.tick(at);
        let view = monitor.view(&focus("a"), at);
        let full = view.alerts.iter().find(|alert| alert.state == AlertState::Firing);
        if let Some(alert) = full.filter(|_| fired.is_none()) {
            assert_eq!((&*alert.service, &*alert.summary), ("a", "saturation is 95%; the rule fires above 80%"));
            fired = Some(window);
        }
        levels = view.history.unwrap().points.iter().flatten().map(|it| it.saturation.clone()).collect();
    }
    // Told at window 3, so it is known of the windows that close from then on: 2 to 4.
    assert_eq!(fired, Some(4));
    let words: Vec<_> = levels.iter().map(|it| it.as_ref().map_or("-", |saturation| &*saturation.component)).collect();
    assert_eq!(words, ["-", "-", "mem", "mem", "mem", "cpu", "cpu", "cpu", "-", "-", "-"]);
    // What is told now says nothing of windows of old.
    let mut late = Monitor::new(&Spec::parse(&spec).unwrap()).unwrap();
    late.set_saturations(told(95.0, "mem"));
    for at in [0, 10_000, 20_000] {
        let mut batch = Batch::default();
        batch.push(format!(r#"{{"ts":{at},"svc":"a","status":200,"us":1000}}"#).as_bytes());
        late.ingest(0, &batch, 3_600_000);
    }
    let history = late.view(&focus("a"), 30_000).history.unwrap();
    assert!(history.points.iter().flatten().all(|point| point.saturation.is_none()));
    assert!(!monitor_of(SPEC).view(&Focus::default(), 0).wants_saturation);
}

fn monitor_of(spec: &str) -> Monitor {
    Monitor::new(&Spec::parse(spec).unwrap()).unwrap()
}

#[test]
fn charts_are_marked_where_alerts_begin_and_end_and_overrides_take_effect() {
    let mut monitor = monitor();
    for window in 0..60_i64 {
        let errors = if (20..30).contains(&window) { 60 } else { 0 };
        put(&mut monitor, "a", window * 10_000, (100, errors));
        monitor.tick(window * 10_000);
        if window == 40 {
            let content = br#"{"service": "a", "tags": {"tier": "1"}}"#.as_slice();
            let documents = [Document { name: "o.json".into(), content: content.into() }];
            let (at, outcome) = (Time::UNIX_EPOCH, Ok(Some(Arc::from(documents))));
            let fetch = Fetch { at, next_try: at, outcome };
            monitor.take_overrides(&fetch);
            monitor.take_overrides(&fetch);
        }
    }
    let marks = |service: &str| {
        let history = monitor.view(&focus(service), 600_000).history.unwrap();
        let mark = |it: &crate::model::signal::Mark| format!("{} {}", it.at.timestamp(), it.text);
        history.marks.iter().map(mark).filter(|text| !text.contains("burn")).collect::<Vec<_>>()
    };
    assert_eq!(marks("a"), ["220 down fires", "330 down resolved", "400 overrides"]);
    assert!(marks("b").is_empty());
}

#[test]
fn an_expression_is_tried_on_the_windows_of_the_last_hour() {
    let mut monitor = monitor();
    for window in 0..800_i64 {
        let errors = 3 * u32::from((700..710).contains(&window));
        put(&mut monitor, "a", window * 10_000, (100, errors));
    }
    let tried = |expression: &str| {
        let focus = Focus { trial: Some(expression.into()), ..focus("a") };
        monitor.view(&focus, 8_000_000).trial.unwrap().outcome.clone()
    };
    let outcome = tried("errorCount > 0 ? 3 : 0").unwrap();
    assert_eq!((outcome.windows, outcome.levels.len()), (360, 360));
    // 3 % of 99 % promised is a health of 1, and would have been 3.
    assert_eq!(outcome.differing, 10);
    let shifts: Vec<_> = outcome.shifts.iter().map(|it| (it.at.timestamp(), it.from.level(), it.to.level())).collect();
    assert_eq!(shifts, [(7_100, 3, 0), (7_000, 0, 3)]);
    let place = usize::try_from((7_000 - outcome.start.timestamp()) / 10).unwrap();
    assert_eq!(outcome.levels[place], Some((Health::new(1).unwrap(), Some(Health::DOWN))));
    assert_eq!(tried("errorCount > 0 ? 1 : 0").unwrap().differing, 0);
    assert_eq!(tried("errorCount > 0 ? 1 / 0 : 0").unwrap().faults.first().unwrap().1, 10);
    assert!(tried("errrorCount > 0 ? 1 : 0").unwrap_err().contains("errrorCount"));
}

#[test]
fn swimlanes_and_dimensions_are_compared_and_each_has_its_chart() {
    let more = "[expressions]\nhealth = \"swimlane == 'ec2' ? 2 : 0\"\nswimlane = \"host in ['h1'] ? 'ec2' : ''\"\n\
                [[dimensions]]\nname = \"host\"\nfield = \"host\"\n[[dimensions]]\nname = \"zone\"\nfield = \"zone\"\n";
    let mut monitor = Monitor::new(&Spec::parse(&format!("{SPEC}{more}")).unwrap()).unwrap();
    let put = |monitor: &mut Monitor, at: i64, hosts: &[&str]| {
        let mut batch = Batch::default();
        for (number, host) in hosts.iter().enumerate() {
            let status = if *host == "h2" { 500 } else { 200 };
            let us = 1_000 * (number + 1);
            batch.push(format!(r#"{{"ts":{at},"svc":"a","status":{status},"us":{us},"host":"{host}"}}"#).as_bytes());
        }
        monitor.ingest(0, &batch, at);
    };
    put(&mut monitor, 100_000, &["h1", "h1", "h2"]);
    put(&mut monitor, 110_000, &["h1"]);
    put(&mut monitor, 120_000, &["h3"]);
    let view = monitor.view(&focus("a"), 121_000);
    let now = &view.services[0];
    // The newest closed window is all in one lane, the one before was not.
    assert_eq!((now.swimlane.as_deref(), now.point.as_ref().unwrap().health.level()), (Some("ec2"), 2));
    let history = view.history.unwrap();
    let healths: Vec<u8> = history.points.iter().flatten().map(|point| point.health.level()).collect();
    assert_eq!(healths, [0, 2]);
    let slices: Vec<_> = history
        .slices
        .iter()
        .map(|(dimension, value, point)| (&**dimension, &**value, point.requests, point.errors))
        .collect();
    // No event has a zone.
    assert_eq!(slices, [("host", "h1", 3, 0), ("host", "h2", 1, 1), ("swimlane", "", 1, 1), ("swimlane", "ec2", 3, 0)]);
    let only =
        |slice: (&str, &str)| Focus { slice: Some((slice.0.into(), slice.1.into())), with_heat: true, ..focus("a") };
    let points = |focus: &Focus| {
        let history = monitor.view(focus, 121_000).history.unwrap();
        let heat: u32 = history.heat.iter().flat_map(|column| column.iter()).sum();
        (history.points.iter().flatten().map(|point| point.requests).collect::<Vec<_>>(), heat)
    };
    assert_eq!(points(&only(("swimlane", "ec2"))), (vec![2, 1], 3));
    assert_eq!(points(&only(("host", "h2"))), (vec![1], 1));
    assert_eq!(points(&only(("host", "nobody"))), (vec![], 0));
    assert_eq!((view.other_values, view.beside_none), (0, 0));
}

#[test]
fn what_events_say_of_saturation_counts_beside_what_is_known_otherwise() {
    let spec = SPEC.replace("[key]", "saturation = { field = \"pool\", full = 50.0, component = \"pool\" }\n[key]");
    let mut monitor = monitor_of(&spec);
    let mut batch = Batch::default();
    for (at, pool) in [(0, "20"), (1, "45.5"), (2, "\"full\""), (3, "-7"), (4, "null"), (10_000, "10"), (20_000, "0")] {
        let event = format!(r#"{{"ts":{at},"svc":"a","status":200,"us":1000,"pool":{pool}}}"#);
        batch.push(event.as_bytes());
    }
    batch.push(br#"{"ts":20001,"svc":"b","status":200,"us":1000}"#);
    batch.push(br#"{"ts":40000,"svc":"b","status":200,"us":1000}"#);
    let told = Saturation { percent: 60.0, component: "cpu".into() };
    monitor.ingest(0, &batch, 40_000);
    let view = monitor.view(&focus("a"), 40_000);
    assert_eq!(view.rejects.len(), 0, "{:?}", view.rejects);
    let points = view.history.unwrap().points.clone();
    let shown = |it: &Saturation| format!("{} {}", it.component, it.percent);
    let all: Vec<_> =
        points.iter().flatten().map(|point| point.saturation.as_ref().map_or_else(|| "-".into(), shown)).collect();
    assert_eq!(all, ["pool 91", "pool 20", "pool 0"]);
    monitor.set_saturations(Arc::new([("a".into(), told)].into()));
    let view = monitor.view(&Focus::default(), 40_000);
    let now = |name: &str| view.services.iter().find(|it| &*it.service == name).unwrap().point.clone().unwrap();
    assert_eq!(now("a").saturation.map(|it| it.component), Some("cpu".into()));
    assert_eq!(now("b").saturation, None);
    for (wrong, problem) in [("full = 0.0", "above 0"), ("component = \"\"", "give it a name")] {
        let key = wrong.split(' ').next().unwrap();
        let was = if key == "full" { "full = 50.0" } else { "component = \"pool\"" };
        let found = Spec::parse(&spec.replace(was, wrong)).unwrap_err().to_string();
        assert!(found.contains(problem), "{found}");
    }
}

#[test]
fn what_another_engine_counted_looks_the_same_here() {
    let mut counted = monitor_of(SPEC);
    let mut watched = monitor_of(&SPEC.replace("[key]", "read = \"aggregated\"\nrows = \"signals.v1\"\n[key]"));
    let mut batch = Batch::default();
    for number in 0..2_000_u64 {
        let (time, service, latency) = (number * 50, number % 3, 1 + number * 977 % 90_000);
        let status = if number % 40 == 0 { 503 } else { 200 };
        batch.push(format!(r#"{{"ts":{time},"svc":"s{service}","status":{status},"us":{latency}}}"#).as_bytes());
    }
    batch.push(br#"{"ts":200000,"svc":"end","status":200,"us":1}"#);
    let spec = Spec::parse(SPEC).unwrap();
    let spec_sha = &crate::engine::contract::sha(&spec);
    let mut engine = Engine::new(&spec).unwrap();
    engine.ingest(0, &batch, 200_000);
    let mut rows = Batch::default();
    for pane in engine.take_panes() {
        let key = &format!("{}||{}", pane.service, pane.start);
        let (totals, engine) = (&pane.totals, "test/1");
        let row = crate::engine::contract::Written {
            totals,
            key,
            spec_sha,
            revision: 0,
            is_final: true,
            late_policy: "drop",
            engine,
            part: None,
            health: 0,
        };
        rows.push(serde_json::to_string(&row).unwrap().as_bytes());
    }
    rows.push(br#"{"version":1,"key":"half"#);
    counted.ingest(0, &batch, 200_000);
    watched.ingest(0, &rows, 200_000);
    watched.tick(202_000);
    for name in ["s0", "s1", "s2"] {
        let points = |monitor: &Monitor| monitor.view(&focus(name), 202_000).history.unwrap().points.clone();
        let (counted, watched) = (points(&counted), points(&watched));
        assert!(counted.iter().flatten().count() >= 10, "{counted:?}");
        assert!(watched.iter().flatten().eq(counted.iter().flatten()), "{watched:?}");
    }
    let view = watched.view(&Focus::default(), 202_000);
    assert_eq!(
        view.rejects.iter().map(|it| (&*it.reason, it.count)).collect::<Vec<_>>(),
        [("not a row of signals", 1)]
    );
}
