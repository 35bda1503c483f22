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
fn what_is_kept_is_bounded() {
    let mut monitor = monitor();
    for window in 0..2_000_i64 {
        put(&mut monitor, "a", window * 10_000, (1, 0));
    }
    assert_eq!(monitor.tracks.values().next().unwrap().since(i64::MIN).count(), 360);
    monitor.tick(2_000 * 10_000 + FORGET_MS + 100_000);
    assert!(monitor.view(&Focus::default(), 0).services.is_empty());
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
