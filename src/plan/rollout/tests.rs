use chrono::DateTime;

use super::*;
use crate::model::route::record::{Audit, Cause, Check, Comparison, FlipStatus, VERSION as RECORDS};

fn at(seconds: i64) -> Time {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn rollout(stage: Stage) -> Rollout {
    let copy = |lane: &str| Copy { lane: lane.to_owned(), pipeline: format!("em-{lane}") };
    let rules = Rules {
        healthy_for_ms: 15_000,
        patience_ms: 60_000,
        bake_ms: 600_000,
        retires: true,
        compares: true,
        selects: false,
    };
    let mut rollout = Rollout::begin("r", (copy("green"), copy("blue")), rules, ("ann", at(0)));
    rollout.enter(stage, "", at(0));
    rollout
}

fn status(lane: &str, (health, for_ms): (Health, i64)) -> Status {
    let of = |name: &str, health: Health, for_ms: i64| LaneStatus {
        name: name.to_owned(),
        health,
        for_ms,
        checks: vec![Check { name: "lag".into(), health, words: "3 records behind".into() }],
        lag: None,
        quiet_ms: None,
        watermark_ms: None,
    };
    Status {
        version: RECORDS,
        route: "r".into(),
        leader: "c".into(),
        at_ms: 0,
        epoch: 7,
        lane: lane.into(),
        window_ms: None,
        hold: None,
        shadow: None,
        flip: None,
        held_back: None,
        lanes: vec![of("blue", Health::Well, 99_000), of("green", health, for_ms)],
        comparison: None,
        partitions: Vec::new(),
        troubles: Vec::new(),
        answers: Vec::new(),
    }
}

fn next(rollout: &Rollout, status: Option<&Status>, now: i64) -> Move {
    let (new, old) = (Run::Runs, Run::Runs);
    rollout.next(&Seen { status, receipts: &[], new: &new, old: &old }, at(now))
}

fn wait(words: &str) -> Move {
    Move::Wait(words.to_owned())
}

#[test]
fn it_warms_up_until_it_was_well_for_long_enough_and_not_for_ever() {
    let warming = rollout(Stage::WarmUp);
    let unwell = status("blue", (Health::Unwell, 4_000));
    assert_eq!(next(&warming, Some(&unwell), 1), wait("green is unwell: lag 3 records behind"));
    let young = status("blue", (Health::Well, 4_000));
    assert_eq!(next(&warming, Some(&young), 1), wait("green is well for 4 s of 15 s"));
    assert_eq!(next(&warming, Some(&young), 61), Move::Fail("after 60 s still: green is well for 4 s of 15 s".into()));
    let well = status("blue", (Health::Well, 15_000));
    assert!(matches!(next(&warming, Some(&well), 1), Move::Enter(Stage::Compare, _)));
    assert_eq!(next(&warming, None, 1), wait(NOBODY));
    let (new, old) = (Run::Stuck("no such image".into()), Run::Runs);
    let seen = Seen { status: Some(&well), receipts: &[], new: &new, old: &old };
    assert_eq!(warming.next(&seen, at(1)), Move::Fail("em-green: no such image".into()));
}

#[test]
fn lanes_that_differ_are_not_flipped() {
    let mut compared = status("blue", (Health::Well, 99_000));
    assert_eq!(next(&rollout(Stage::Compare), Some(&compared), 1), Move::Ask(Verb::Shadow));
    let mut selecting = rollout(Stage::Compare);
    selecting.rules.selects = true;
    assert!(
        matches!(next(&selecting, Some(&compared), 1), Move::Wait(_)),
        "where a route selects, nothing is shadowed"
    );
    compared.shadow = Some("green".into());
    assert!(matches!(next(&rollout(Stage::Compare), Some(&compared), 1), Move::Wait(_)));
    assert_eq!(next(&rollout(Stage::Unshadow), Some(&compared), 1), Move::Ask(Verb::Unshadow));
    assert_eq!(next(&rollout(Stage::StopNew), Some(&compared), 1), Move::Ask(Verb::Unshadow));
    for (health, expected) in [
        (Health::Unknown, Move::Wait("w".into())),
        (Health::Unwell, Move::Fail("the lanes differ: w".into())),
        (Health::Well, Move::Enter(Stage::Unshadow, "w".into())),
    ] {
        compared.comparison = Some(Comparison { health, windows: 3, words: "w".into() });
        assert_eq!(next(&rollout(Stage::Compare), Some(&compared), 1), expected);
    }
}

#[test]
fn a_receipt_that_is_not_clean_keeps_the_old_copy() {
    let mut flipping = rollout(Stage::Flip);
    let well = status("blue", (Health::Well, 99_000));
    assert_eq!(next(&flipping, Some(&well), 1), Move::Ask(Verb::Flip { to: "green".into() }));
    flipping.epoch = Some(8);
    let after = status("green", (Health::Well, 99_000));
    let mut receipt = Receipt {
        version: RECORDS,
        route: "r".into(),
        epoch: 8,
        from: "blue".into(),
        to: "green".into(),
        cause: Cause::Planned,
        who: "ann".into(),
        why: String::new(),
        since_ms: 0,
        decided_after_ms: 0,
        acknowledged_after_ms: Some(1),
        sla_ms: 2,
        within_sla: true,
        gap_ms: 120,
        cuts: Vec::new(),
        audit: Audit { compared: 600, ..Audit::default() },
        overtaken_by: None,
    };
    let (new, old) = (Run::Runs, Run::Runs);
    let judged = |receipt: &Receipt| {
        let receipts = std::slice::from_ref(receipt);
        flipping.next(&Seen { status: Some(&after), receipts, new: &new, old: &old }, at(1))
    };
    let words = "control record 8, gap 120 ms, 0 lost, 0 duplicated, 0 reordered of 600 compared";
    assert_eq!(judged(&receipt), Move::Enter(Stage::Bake, words.into()));
    receipt.audit.lost = 1;
    assert!(matches!(judged(&receipt), Move::Fail(words) if words.contains("1 lost")));
}

#[test]
fn baking_begins_anew_when_the_new_copy_was_unwell_and_ends_when_the_route_went_back() {
    let baking = rollout(Stage::Bake);
    let well = status("green", (Health::Well, 99_000));
    assert_eq!(next(&baking, Some(&well), 30), wait("em-green is well; em-blue is kept for 9 min more"));
    assert!(matches!(next(&baking, Some(&well), 600), Move::Enter(Stage::Retire, _)));
    let unwell = status("green", (Health::Unwell, 1_000));
    assert!(matches!(next(&baking, Some(&unwell), 599), Move::Enter(Stage::Bake, words) if words.contains("anew")));
    let back = status("blue", (Health::Well, 99_000));
    assert!(matches!(next(&baking, Some(&back), 30), Move::Fail(words) if words.contains("went back to blue")));
}

#[test]
fn the_old_copy_is_stopped_under_a_hold_only() {
    let retiring = rollout(Stage::Retire);
    let mut well = status("green", (Health::Well, 99_000));
    assert_eq!(next(&retiring, Some(&well), 1), Move::Ask(Verb::Hold));
    let why = retiring.why();
    well.hold = Some(crate::model::route::record::Hold { who: "ann".into(), why, since_ms: 0 });
    assert_eq!(next(&retiring, Some(&well), 1), Move::Make(Deed::StopOld, Stage::Release));
    assert_eq!(next(&rollout(Stage::Release), Some(&well), 1), Move::Ask(Verb::Release));
    well.hold.as_mut().unwrap().why = "a change freeze".into();
    assert_eq!(next(&rollout(Stage::Release), Some(&well), 1), Move::Enter(Stage::Done, String::new()));
    assert_eq!(next(&retiring, None, 1), wait(NOBODY));
}

#[test]
fn it_is_taken_back_from_every_step_but_the_last() {
    let back = |stage: Stage| {
        let mut rollout = rollout(stage);
        rollout.abort("why", at(1)).map(|()| rollout.stage)
    };
    assert_eq!(back(Stage::WarmUp), Ok(Stage::StopNew));
    assert_eq!(back(Stage::Bake), Ok(Stage::FlipBack));
    assert_eq!(back(Stage::Retire), Ok(Stage::Restore));
    assert_eq!(back(Stage::FlipBack), Ok(Stage::FlipBack));
    assert_eq!(back(Stage::Done), Err("em-green is out: roll out em-blue to go back".to_owned()));
}

#[test]
fn a_flip_under_way_is_aborted_on_the_way_back_unless_the_route_selects() {
    let mut flipping = status("green", (Health::Well, 99_000));
    flipping.flip = Some(FlipStatus {
        epoch: 7,
        from: "blue".into(),
        to: "green".into(),
        acknowledged: 1,
        partitions: 2,
        running_ms: 0,
        sla_ms: 1,
        decided_after_ms: 0,
        acknowledged_after_ms: None,
        cause: None,
        who: String::new(),
        why: String::new(),
    });
    let mut back = rollout(Stage::FlipBack);
    assert_eq!(next(&back, Some(&flipping), 1), Move::Ask(Verb::Abort));
    back.rules.selects = true;
    assert!(matches!(next(&back, Some(&flipping), 1), Move::Wait(_)));
}
