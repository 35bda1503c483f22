//! The screen of a route: every state of it, what is asked before anything is changed, and what becomes of it.

use std::sync::Arc;

use flowdeck::app::Effect;
use flowdeck::event::Event;
use flowdeck::model::change::Change;
use flowdeck::model::environment::{Link, Protection};
use flowdeck::model::key::KafkaKey;
use flowdeck::model::route::record::{
    Answer, Audit, Cause, Check, FlipStatus, Health, Hold, LaneStatus, Receipt, Status, VERSION, Verb,
};
use flowdeck::model::route::{Lane, Plan, Route, Wish};
use insta::assert_snapshot;

use super::bench::Bench;
use super::world;

fn key() -> KafkaKey {
    KafkaKey::new("prd", "match-making")
}

fn at(seconds: i64) -> i64 {
    world::ago(seconds).timestamp_millis()
}

fn lane(name: &str) -> Lane {
    Lane {
        name: name.into(),
        topic: format!("matches.{name}").into(),
        output: Some(format!("matched.{name}").into()),
        group: Some(if name == "blue" { "match-making".into() } else { "match-making-green".into() }),
    }
}

fn lane_status(name: &str, health: Health) -> LaneStatus {
    let check = |name: &str, health, words: &str| Check { name: name.into(), health, words: words.into() };
    LaneStatus {
        name: name.into(),
        health,
        for_ms: 42_000,
        checks: vec![
            check(
                "freshness",
                health,
                if health == Health::Well { "its output grew 1 s ago" } else { "its output has not grown for 61 s" },
            ),
            check("lag", Health::Well, "1200 records behind"),
        ],
        lag: Some(1_200),
        quiet_ms: Some(if health == Health::Well { 900 } else { 61_000 }),
        watermark_ms: Some(at(3)),
    }
}

fn status() -> Status {
    Status {
        version: VERSION,
        route: "match-making".into(),
        leader: "c1".into(),
        at_ms: at(1),
        epoch: 4,
        lane: "blue".into(),
        window_ms: None,
        hold: None,
        flip: None,
        held_back: None,
        lanes: vec![lane_status("blue", Health::Well), lane_status("green", Health::Well)],
        partitions: Vec::new(),
        shadow: None,
        comparison: None,
        troubles: Vec::new(),
        answers: Vec::new(),
    }
}

fn receipt(epoch: u64, lost: u64) -> Receipt {
    Receipt {
        version: VERSION,
        route: "match-making".into(),
        epoch,
        from: "green".into(),
        to: "blue".into(),
        cause: Cause::Failover,
        who: "controller".into(),
        why: "green was unwell for 15 s".into(),
        since_ms: at(7_000 - i64::try_from(epoch).unwrap() * 100),
        decided_after_ms: 15_020,
        acknowledged_after_ms: Some(15_480),
        sla_ms: 180_000,
        within_sla: true,
        gap_ms: 212,
        cuts: Vec::new(),
        audit: Audit { compared: 2_400, lost, ..Audit::default() },
        overtaken_by: None,
    }
}

fn route(status: Option<Status>) -> Route {
    Route {
        key: key(),
        plan: Some(Plan { source: "matches".into(), lanes: vec![lane("blue"), lane("green")], sla_ms: 180_000 }),
        link: Link::Up { since: world::ago(30) },
        status: status.map(Arc::new),
        receipts: [receipt(2, 0), receipt(4, 3)].into_iter().collect(),
    }
}

fn shown(columns: u16, rows: u16, route: Route) -> Bench {
    let mut changes = world::healthy();
    changes.push(Change::Route(Arc::new(route)));
    Bench::new(columns, rows).apply(changes).press("O")
}

fn unwell() -> Status {
    let lanes = vec![lane_status("blue", Health::Unwell), lane_status("green", Health::Well)];
    let held_back = Some("blue is unwell; it is given 15s to recover".into());
    Status { lanes, held_back, ..status() }
}

fn flipping(acknowledged: usize) -> Status {
    let flip = FlipStatus {
        epoch: 5,
        from: "blue".into(),
        to: "green".into(),
        acknowledged,
        partitions: 12,
        running_ms: 15_300,
        sla_ms: 180_000,
        decided_after_ms: 15_020,
        acknowledged_after_ms: (acknowledged == 12).then_some(15_480),
        cause: Some(Cause::Failover),
        who: "controller".into(),
        why: "blue was unwell for 15 s".into(),
    };
    Status { lane: "green".into(), epoch: 5, flip: Some(flip), held_back: None, ..unwell() }
}

#[test]
fn lanes_side_by_side_with_the_clock_and_the_receipts() {
    assert_snapshot!("route_80x24", shown(80, 24, route(Some(unwell()))).screen());
    assert_snapshot!("route_120x40", shown(120, 40, route(Some(status()))).screen());
    assert_snapshot!("route_40x8", shown(40, 8, route(Some(status()))).screen());
    assert_snapshot!("route_60x20", shown(60, 20, route(Some(unwell()))).screen());
    assert_snapshot!("route_too_small", shown(39, 7, route(Some(status()))).screen());
    assert_snapshot!("route_ascii", shown(80, 24, route(Some(flipping(7)))).ascii().screen());
}

#[test]
fn a_route_that_selects_says_from_which_window_on() {
    let selecting = Status { window_ms: Some(at(90)), ..status() };
    let screen = shown(80, 24, route(Some(selecting))).screen();
    let from = (world::now() - chrono::Duration::seconds(90)).format("%H:%M:%SZ").to_string();
    assert!(screen.contains(&format!("blue tells windows from {from} by control record 4")), "{screen}");
    let old = Status { window_ms: Some(at(90 + 86_400)), ..status() };
    let screen = shown(80, 24, route(Some(old))).screen();
    assert!(screen.contains(&format!(" {from} by control record 4")) && !screen.contains("is active"), "{screen}");
}

#[test]
fn a_flip_is_shown_step_by_step() {
    assert_snapshot!("route_flipping", shown(80, 24, route(Some(flipping(7)))).screen());
    assert_snapshot!("route_auditing", shown(80, 24, route(Some(flipping(12)))).screen());
}

#[test]
fn what_is_missing_old_or_refused_is_said() {
    let bench = Bench::new(80, 24).apply(world::healthy()).press("O");
    assert_snapshot!("route_none", bench.screen());
    let connecting = Route { link: Link::Connecting, receipts: Arc::default(), ..route(None) };
    assert_snapshot!("route_connecting", shown(80, 24, connecting).screen());
    let unled = Route { receipts: Arc::default(), ..route(None) };
    assert_snapshot!("route_never_led", shown(80, 24, unled).screen());
    let silent = route(Some(Status { at_ms: at(95), ..status() }));
    assert_snapshot!("route_silent", shown(80, 24, silent).screen());
    let error: Arc<str> = "cannot reach the brokers: BrokerTransportFailure".into();
    let link = Link::Down { since: world::ago(20), error, next_try: world::ago(-4) };
    let away = Route { link, ..route(Some(Status { at_ms: at(24), ..status() })) };
    assert_snapshot!("route_away", shown(80, 24, away).screen());
    let error = "cannot read the route's topics: TopicAuthorizationFailed".into();
    let forbidden =
        Route { link: Link::Forbidden { since: world::ago(2), error }, receipts: Arc::default(), ..route(None) };
    assert_snapshot!("route_forbidden", shown(80, 24, forbidden).screen());
    let error = "/etc/route.toml: the route spec has 1 lanes".into();
    let link = Link::Down { since: world::ago(20), error, next_try: world::ago(-4) };
    let unread = Route { link, plan: None, receipts: Arc::default(), ..route(None) };
    assert_snapshot!("route_unread", shown(80, 24, unread).screen());
}

#[test]
fn texts_of_the_topics_do_not_reach_the_terminal_raw() {
    let hold = Some(Hold { who: "ann\u{1b}]0;x\u{7}".into(), why: "\u{202e}release".into(), since_ms: 0 });
    let screen = shown(80, 24, route(Some(Status { hold, ..status() }))).screen();
    assert!(screen.contains("held by ann^[]0;x^G: <U+202E>release"), "{screen}");
}

#[test]
fn a_flip_is_asked_for_with_a_reason_and_in_a_protected_environment_with_its_name() {
    let bench = shown(80, 24, route(Some(status()))).press("f");
    assert_snapshot!("route_dialog", bench.screen());
    let bench = bench.press("enter");
    assert!(bench.effects.is_empty() && bench.screen().contains("say why"), "{}", bench.screen());
    let bench = bench.typed("release 42").press("enter");
    assert!(bench.effects.is_empty(), "the name is missing");
    let bench = bench.typed("qal").press("enter");
    assert!(bench.effects.is_empty() && bench.screen().contains("not the environment's name"), "{}", bench.screen());
    let bench = bench.press("ctrl-u").typed("prd").press("enter");
    let wish = Wish { route: key(), verb: Verb::Flip { to: "green".into() }, why: "release 42".into() };
    assert_eq!(bench.effects, [Effect::Wish(wish)]);
    assert!(bench.screen().contains("flip to green: asked 0s ago, no answer yet"), "{}", bench.screen());
    let refused =
        Answer { id: "1".into(), accepted: false, epoch: None, words: "green is not yet well for 15s".into() };
    let bench = bench.send(Event::Granted(key(), Ok(refused)));
    assert!(bench.screen().contains("flip to green: refused: green is not yet well for 15s"), "{}", bench.screen());
}

#[test]
fn letters_are_letters_while_something_is_asked_and_escape_leaves_all_as_it_is() {
    let bench = shown(80, 24, route(Some(status()))).press("F").typed("quick fix").press("esc");
    assert!(bench.effects.is_empty());
    let screen = bench.screen();
    assert!(screen.contains("blue is active") && !screen.contains("quick fix"), "{screen}");
}

#[test]
fn the_force_warns_of_what_the_checks_say() {
    let lanes = vec![lane_status("blue", Health::Well), lane_status("green", Health::Unwell)];
    let bench = shown(80, 24, route(Some(Status { lanes, ..status() }))).press("F");
    assert_snapshot!("route_force", bench.screen());
}

#[test]
fn what_makes_no_sense_now_is_not_asked_for() {
    let bench = shown(80, 24, route(Some(status()))).press("X");
    assert!(bench.screen().contains("no flip is on its way"), "{}", bench.screen());
    let bench = shown(80, 24, route(None)).press("f");
    assert!(bench.screen().contains("no controller has said how the route stands"), "{}", bench.screen());
    let read_only = world::environment("prd", Protection::ReadOnly);
    let bench = shown(80, 24, route(Some(status()))).apply(vec![read_only]).press("f");
    assert!(bench.screen().contains("read-only"), "{}", bench.screen());
    let hold = Some(Hold { who: "ann".into(), why: "release".into(), since_ms: 0 });
    let bench = shown(80, 24, route(Some(Status { hold, ..status() }))).press("h");
    assert!(bench.screen().contains("release the lane"), "{}", bench.screen());
}

#[test]
fn the_pipeline_of_a_lane_leads_to_its_route() {
    let mut changes = world::healthy();
    let other = Route { key: KafkaKey::new("prd", "aaa"), plan: None, ..route(None) };
    changes.extend([other, route(Some(status()))].map(|route| Change::Route(Arc::new(route))));
    let bench = Bench::new(80, 24).apply(changes).press(":").typed("prd/expert-matching").press("enter O");
    assert!(bench.screen().contains("prd › routes › match-making"), "{}", bench.screen());
    let bench = bench.press("tab");
    assert!(bench.screen().contains("prd › routes › aaa"), "{}", bench.screen());
}

#[test]
fn only_a_route_on_screen_is_followed() {
    let bench = shown(80, 24, route(Some(status())));
    assert!(bench.state.interest().routes.contains(&key()));
    assert!(bench.press("esc").state.interest().routes.is_empty());
}
