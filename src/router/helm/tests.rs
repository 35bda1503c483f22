//! Decisions by scripted clocks: what flips, what is held back, and with which words.

use super::*;

const EXAMPLE: &str = include_str!("../../../config/examples/route.toml");
const WELL: [Health; 2] = [Health::Well, Health::Well];
const BLUE_UNWELL: [Health; 2] = [Health::Unwell, Health::Well];
const GREEN_UNWELL: [Health; 2] = [Health::Well, Health::Unwell];
const BOTH_UNWELL: [Health; 2] = [Health::Unwell, Health::Unwell];
const START: i64 = 1_700_000_000_000;

/// A helm with its clock; every record it writes is followed.
struct Scene {
    helm: Helm,
    now: Moment,
    epochs: Vec<Option<u64>>,
}

impl Scene {
    fn new() -> Self {
        let spec = Arc::new(Spec::parse(EXAMPLE).unwrap());
        let now = Moment { uptime_ms: 0, wall_ms: START };
        let mut scene = Self { helm: Helm::resume(spec, None, None, now), now, epochs: vec![None; 2] };
        let first = scene.helm.begin(now, &scene.epochs).unwrap();
        assert_eq!((first.epoch, first.lane.as_str(), first.cause), (1, "blue", Cause::Initial));
        scene.follow(first);
        scene.acknowledge();
        scene
    }

    fn follow(&mut self, control: Control) {
        self.helm.follow(control, self.now);
    }

    fn acknowledge(&mut self) {
        let epoch = self.helm.control().map(|control| control.epoch);
        self.epochs.iter_mut().for_each(|mark| *mark = epoch);
    }

    /// A look each second for so many seconds; the first record that is written, with the second.
    fn look(&mut self, seconds: i64, healths: [Health; 2]) -> Option<(i64, Control)> {
        for second in 1..=seconds {
            self.now.uptime_ms += 1_000;
            self.now.wall_ms += 1_000;
            if let Some(control) = self.helm.look(self.now, &healths, &self.epochs) {
                self.follow(control.clone());
                return Some((second, control));
            }
        }
        None
    }

    fn ask(&mut self, verb: Verb) -> Reply {
        let text = |text: &str| text.to_owned();
        let (id, route, at_ms) = (text("1"), text("golden-signals"), self.now.wall_ms);
        let request = Request { version: VERSION, route, id, verb, who: text("ann"), why: text("release"), at_ms };
        let reply = self.helm.answer(self.now, &request, &self.epochs);
        if let Some(control) = reply.control.clone() {
            self.follow(control);
        }
        reply
    }

    fn refused(&mut self, verb: Verb) -> String {
        let reply = self.ask(verb);
        assert_eq!(reply.control, None);
        reply.words
    }

    fn finish(&mut self) -> Receipt {
        self.acknowledge();
        assert!(self.helm.is_acknowledged(self.now, &self.epochs));
        let epoch = self.helm.control().unwrap().epoch;
        let mark =
            |cut| Some(Mark { version: VERSION, epoch, lane: "x".into(), cut, at_ms: 0, gap_ms: cut, extent: None });
        self.helm.receipt(&[mark(10), mark(20)], Audit::default()).unwrap()
    }
}

fn to(lane: &str) -> Verb {
    Verb::Flip { to: lane.to_owned() }
}

#[test]
fn an_unwell_lane_is_left_after_its_time_and_the_receipt_counts_from_the_first_sign() {
    let mut scene = Scene::new();
    assert_eq!(scene.look(60, WELL), None);
    let (second, control) = scene.look(60, BLUE_UNWELL).unwrap();
    assert_eq!((second, control.epoch, control.lane.as_str(), control.cause), (16, 2, "green", Cause::Failover));
    assert_eq!(control.since_ms, scene.now.wall_ms - 15_000);
    assert!(!scene.helm.is_acknowledged(scene.now, &[Some(2), Some(1)]), "one partition has not");
    scene.look(2, WELL);
    let receipt = scene.finish();
    assert_eq!((receipt.acknowledged_after_ms, receipt.within_sla), (Some(17_000), true));
    assert_eq!((receipt.gap_ms, receipt.cuts.len(), receipt.decided_after_ms), (20, 2, 15_000));
}

#[test]
fn a_lane_that_flickers_is_not_left() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    for _ in 0..20 {
        assert_eq!(scene.look(14, BLUE_UNWELL), None);
        assert_eq!(scene.look(1, WELL), None);
    }
    assert_eq!(scene.look(14, BLUE_UNWELL), None);
    assert_eq!(scene.look(1, [Health::Unknown, Health::Well]), None, "what is not known breaks a streak");
    assert_eq!(scene.look(14, BLUE_UNWELL), None);
}

#[test]
fn traffic_stays_where_it_is_when_the_other_lane_is_no_better() {
    let mut scene = Scene::new();
    assert_eq!(scene.look(600, BOTH_UNWELL), None);
    assert!(scene.helm.held_back().unwrap().contains("green is unwell too"), "{:?}", scene.helm.held_back());
    assert_eq!(scene.look(100, [Health::Unwell, Health::Unknown]), None);
    assert!(scene.helm.held_back().unwrap().contains("not known whether green"));
    let (second, _) = scene.look(100, BLUE_UNWELL).unwrap();
    assert_eq!(second, 16, "green has to be well for a while");
    scene.look(1, WELL);
    assert_eq!(scene.helm.held_back(), None);
}

#[test]
fn flips_that_nobody_asked_for_cool_down_and_are_few() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    let mut flips = Vec::new();
    for _ in 0..2_000 {
        let blue = scene.helm.control().unwrap().lane == "blue";
        if scene.look(1, if blue { BLUE_UNWELL } else { GREEN_UNWELL }).is_some() {
            scene.finish();
            flips.push(scene.now.uptime_ms);
        }
    }
    assert_eq!(flips.len(), 4, "{flips:?}");
    assert!(flips.windows(2).all(|pair| pair[1] - pair[0] >= 120_000), "{flips:?}");
    assert!(scene.helm.held_back().unwrap().contains("4 flips within an hour"));
}

#[test]
fn a_held_lane_is_left_only_when_somebody_asks() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    let held = scene.ask(Verb::Hold).control.unwrap();
    assert!(!held.is_flip());
    assert_eq!(scene.refused(Verb::Hold), "the lane is held already");
    assert_eq!(scene.look(600, BLUE_UNWELL), None);
    assert!(scene.helm.held_back().unwrap().contains("ann holds the lane: release"));
    let flipped = scene.ask(to("green")).control.unwrap();
    assert!(flipped.hold.is_some(), "a flip does not end a hold");
    scene.finish();
    assert_eq!(scene.ask(Verb::Release).control.unwrap().hold, None);
    assert_eq!(scene.refused(Verb::Release), "nobody holds the lane");
}

#[test]
fn requests_that_make_no_sense_are_refused_with_the_reason() {
    let mut scene = Scene::new();
    scene.look(60, GREEN_UNWELL);
    assert!(scene.refused(to("green")).contains("green is unwell too"));
    assert!(scene.refused(to("blue")).contains("active lane already"));
    assert!(scene.refused(to("red")).contains("no lane named red"));
    assert!(scene.refused(Verb::Abort).contains("no flip is on its way"));
    let forced = scene.ask(Verb::Force { to: "green".to_owned() }).control.unwrap();
    assert_eq!((forced.cause, forced.epoch), (Cause::Forced, 2));
    assert!(scene.refused(to("blue")).contains("on its way"));
    assert!(scene.refused(Verb::Hold).contains("on its way"));
    let mut late = Scene::new();
    late.look(60, WELL);
    let at_ms = late.now.wall_ms - 61_000;
    let text = |text: &str| text.to_owned();
    let (version, route, id) = (VERSION, text("golden-signals"), text("1"));
    let request = Request { version, route, id, verb: to("green"), who: text("ann"), why: text(""), at_ms };
    let reply = late.helm.answer(late.now, &request, &late.epochs);
    assert!(reply.control.is_none() && reply.words.contains("61 s ago"), "{}", reply.words);
}

#[test]
fn an_abort_goes_back_and_both_flips_have_receipts() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    let flip = scene.ask(to("green")).control.unwrap();
    scene.epochs[0] = Some(flip.epoch);
    let text = |text: &str| text.to_owned();
    let (id, route, at_ms) = (text("1"), text("golden-signals"), scene.now.wall_ms);
    let request = Request { version: VERSION, route, id, verb: Verb::Abort, who: text("ann"), why: text("no"), at_ms };
    let back = scene.helm.answer(scene.now, &request, &scene.epochs).control.unwrap();
    assert_eq!((back.epoch, back.lane.as_str(), back.is_flip()), (3, "blue", true));
    let receipt = scene.helm.overtaken(&back, &[None, None]).unwrap();
    assert_eq!((receipt.epoch, receipt.overtaken_by, receipt.within_sla), (2, Some(3), false));
    scene.follow(back);
    assert_eq!(scene.finish().epoch, 3);
}

#[test]
fn a_successor_finishes_the_flip_and_counts_from_the_same_start() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    let flip = scene.ask(to("green")).control.unwrap();
    let spec = Arc::new(Spec::parse(EXAMPLE).unwrap());
    let now = Moment { uptime_ms: 5, wall_ms: scene.now.wall_ms + 40_000 };
    let mut next = Helm::resume(spec.clone(), Some(flip.clone()), Some(1), now);
    assert_eq!(next.flip(now, &[Some(2), Some(1)]).unwrap().running_ms, 40_000);
    assert!(next.is_acknowledged(now, &[Some(2), Some(2)]));
    assert_eq!(next.receipt(&[None, None], Audit::default()).unwrap().acknowledged_after_ms, Some(40_000));
    let done = Helm::resume(spec, Some(flip), Some(2), now);
    assert!(done.flip(now, &[]).is_none(), "it has its receipt");
}

#[test]
fn a_wall_clock_that_jumps_changes_nothing_but_is_told() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    scene.look(5, BLUE_UNWELL);
    scene.now.wall_ms += 3_600_000;
    let (second, _) = scene.look(60, BLUE_UNWELL).unwrap();
    assert_eq!((second, scene.helm.jumped_ms()), (11, Some(3_600_000)));
}

#[test]
fn a_controller_that_stood_still_looks_anew() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    scene.look(5, BLUE_UNWELL);
    scene.now.uptime_ms += 100_000;
    scene.now.wall_ms += 100_000;
    let (second, _) = scene.look(60, BLUE_UNWELL).unwrap();
    assert_eq!(second, 16, "what it saw before is forgotten");
}

#[test]
fn no_two_records_have_one_number_even_when_the_control_topic_lost_some() {
    let mut scene = Scene::new();
    scene.epochs = vec![Some(9), None];
    scene.look(60, WELL);
    assert_eq!(scene.ask(to("green")).control.unwrap().epoch, 10);
}

#[test]
fn a_control_record_that_cannot_be_read_forbids_flips_that_nobody_asks_for() {
    let mut scene = Scene::new();
    scene.look(60, WELL);
    scene.helm.distrust(Some("control record at offset 9: damaged".to_owned()));
    assert_eq!(scene.look(600, BLUE_UNWELL), None);
    assert!(scene.helm.held_back().unwrap().contains("offset 9"), "{:?}", scene.helm.held_back());
    scene.ask(Verb::Hold);
    scene.ask(Verb::Release);
    assert!(scene.look(1, BLUE_UNWELL).is_some(), "a new record stands above the damaged one");
}

#[test]
fn a_planned_flip_waits_for_a_comparison_and_is_refused_when_the_lanes_differ() {
    let mut scene = Scene::new();
    let text = format!("{EXAMPLE}\n[compare]\nsignals = \"s.toml\"\n");
    let control = scene.helm.control().cloned();
    scene.helm = Helm::resume(Arc::new(Spec::parse(&text).unwrap()), control, None, scene.now);
    scene.look(20, WELL);
    let found = |health, words: &str| Comparison { health, windows: 3, words: words.to_owned() };
    scene.helm.compared(scene.now, &found(Health::Unknown, "green has written no window yet"));
    assert_eq!(
        scene.refused(to("green")),
        "the lanes were not compared lately (shadow lets them be): green has written no window yet; force flips all the same"
    );
    assert_eq!(scene.ask(Verb::Shadow).control.unwrap().shadow.as_deref(), Some("green"));
    assert!(scene.refused(Verb::Shadow).contains("already"));
    scene.acknowledge();
    scene.helm.compared(scene.now, &found(Health::Unwell, "1 of 3 rows"));
    assert!(scene.refused(to("green")).contains("unshadow it first"));
    assert_eq!(scene.ask(Verb::Hold).control.unwrap().shadow.as_deref(), Some("green"), "a hold ends nothing");
    scene.ask(Verb::Release);
    assert_eq!(scene.ask(Verb::Unshadow).control.unwrap().shadow, None);
    assert!(scene.helm.is_shadowed(&scene.epochs), "a partition that has not heard of it still goes to both");
    assert!(scene.refused(to("green")).contains("ask again in a moment"));
    scene.acknowledge();
    assert!(!scene.helm.is_shadowed(&scene.epochs));
    assert_eq!(scene.refused(to("green")), "the lanes differ: 1 of 3 rows; force flips all the same");
    scene.helm.compared(scene.now, &found(Health::Well, "3 rows"));
    scene.look(121, WELL);
    assert!(scene.refused(to("green")).contains("not compared lately"));
    scene.helm.compared(scene.now, &found(Health::Well, "3 rows"));
    assert_eq!(scene.ask(to("green")).control.unwrap().lane, "green");
}

#[test]
fn a_failover_ends_a_shadow_at_once() {
    let mut scene = Scene::new();
    scene.ask(Verb::Shadow);
    assert!(scene.helm.is_shadowed(&scene.epochs));
    scene.look(60, WELL);
    let (_, control) = scene.look(60, BLUE_UNWELL).unwrap();
    assert_eq!((control.lane.as_str(), control.shadow), ("green", None));
}
