//! A rollout under a model checker: every order of its steps, crashes in the middle of each, flips that the controller
//! makes by itself, lanes that get unwell, and somebody who takes it back at any moment; by the very function that decides.
//!
//! What is looked at is not what is there any more when a step is made: between the two, anything may happen. One thing
//! must never: that the copy that has the traffic is stopped. The checker also finds what goes wrong without the hold.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chrono::DateTime;
use flowdeck::model::route::record::{
    Audit, Cause, Comparison, FlipStatus, Health, Hold, LaneStatus, Receipt, Status, VERSION, Verb,
};
use flowdeck::plan::rollout::{Copy, Deed, Move, Rollout, Rules, Run, Seen, Stage};
use stateright::{Checker, HasDiscoveries, Model, Property};

const BLUE: usize = 0;
const GREEN: usize = 1;
const LANES: [&str; 2] = ["blue", "green"];

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The controller flips by itself although the route is held.
    HoldIgnored,
}

#[derive(Clone, Copy, Debug)]
struct Deployment {
    fault: Fault,
    ran_before: bool,
    /// How often things happen that nobody wants.
    crashes: u8,
    illnesses: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Copied {
    Stopped,
    Starting,
    Runs,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// As it is written down.
    kept: Rollout,
    /// What whoever goes on with it has decided to do next, by what was true before.
    next: Option<Decided>,
    copies: [Copied; 2],
    well: [bool; 2],
    lane: usize,
    epoch: u64,
    /// The flip on its way, and where it came from.
    flight: Option<(u64, usize)>,
    /// Numbers of the flips that are done, and where they went.
    done: Vec<(u64, usize)>,
    hold: bool,
    shadow: bool,
    crashes: u8,
    illnesses: u8,
    aborted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Decided {
    Enter(Stage),
    Make(u8, Stage),
    Flip(usize),
    Force(usize),
    Shadow(bool),
    Abort,
    Hold,
    Release,
    Follow(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Look,
    Act,
    /// What was decided is done, and not written down any more.
    ActAndCrash,
    Crash,
    Started(usize),
    Acknowledged,
    FailOver,
    Sicken(usize),
    Recover(usize),
    TakeBack,
}

fn number(lane: &str) -> usize {
    LANES.iter().position(|known| *known == lane).unwrap()
}

fn copy(lane: usize) -> Copy {
    Copy { lane: LANES[lane].to_owned(), pipeline: format!("em-{}", LANES[lane]) }
}

fn run(copied: Copied) -> Run {
    match copied {
        Copied::Stopped => Run::Stopped,
        Copied::Starting => Run::OnItsWay("starting".to_owned()),
        Copied::Runs => Run::Runs,
    }
}

impl World {
    fn is_well(&self, lane: usize) -> bool {
        self.well[lane] && self.copies[lane] == Copied::Runs
    }

    fn status(&self) -> Status {
        let lane = |lane: usize| LaneStatus {
            name: LANES[lane].to_owned(),
            health: if self.is_well(lane) { Health::Well } else { Health::Unwell },
            for_ms: 60_000,
            checks: Vec::new(),
            lag: None,
            quiet_ms: None,
            watermark_ms: None,
        };
        let flip = self.flight.map(|(epoch, from)| FlipStatus {
            epoch,
            from: LANES[from].to_owned(),
            to: LANES[self.lane].to_owned(),
            acknowledged: 0,
            partitions: 1,
            running_ms: 0,
            sla_ms: 0,
            decided_after_ms: 0,
            acknowledged_after_ms: None,
            cause: None,
            who: String::new(),
            why: String::new(),
        });
        let hold = self.hold.then(|| Hold { who: String::new(), why: self.kept.why(), since_ms: 0 });
        Status {
            version: VERSION,
            route: "r".to_owned(),
            leader: String::new(),
            at_ms: 0,
            epoch: self.epoch,
            lane: LANES[self.lane].to_owned(),
            window_ms: None,
            hold,
            shadow: self.shadow.then(|| LANES[1 - self.lane].to_owned()),
            flip,
            held_back: None,
            lanes: vec![lane(BLUE), lane(GREEN)],
            comparison: Some(Comparison { health: Health::Well, windows: 3, words: String::new() }),
            partitions: Vec::new(),
            troubles: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn receipts(&self) -> Vec<Receipt> {
        let receipt = |(epoch, to): &(u64, usize)| Receipt {
            version: VERSION,
            route: "r".to_owned(),
            epoch: *epoch,
            from: LANES[1 - to].to_owned(),
            to: LANES[*to].to_owned(),
            cause: Cause::Planned,
            who: String::new(),
            why: String::new(),
            since_ms: 0,
            decided_after_ms: 0,
            acknowledged_after_ms: Some(0),
            sla_ms: 0,
            within_sla: true,
            gap_ms: 0,
            cuts: Vec::new(),
            audit: Audit::default(),
            overtaken_by: None,
        };
        self.done.iter().map(receipt).collect()
    }

    /// What is next, by what is true now; `None` when there is nothing but to wait.
    fn decide(&self) -> Option<Decided> {
        let (status, receipts) = (self.status(), self.receipts());
        let (new, old) = (run(self.copies[GREEN]), run(self.copies[BLUE]));
        let seen = Seen { status: Some(&status), receipts: &receipts, new: &new, old: &old };
        Some(match self.kept.next(&seen, DateTime::UNIX_EPOCH) {
            Move::Enter(stage, _) => Decided::Enter(stage),
            Move::Make(deed, then) => Decided::Make(deed as u8, then),
            Move::Ask(Verb::Flip { to }) => Decided::Flip(number(&to)),
            Move::Ask(Verb::Abort) => Decided::Abort,
            Move::Ask(Verb::Hold) => Decided::Hold,
            Move::Ask(Verb::Release) => Decided::Release,
            Move::Ask(Verb::Force { to }) => Decided::Force(number(&to)),
            Move::Ask(Verb::Shadow) => Decided::Shadow(true),
            Move::Ask(Verb::Unshadow) => Decided::Shadow(false),
            Move::Follow(epoch) => Decided::Follow(epoch),
            Move::Wait(_) | Move::Fail(_) => return None,
        })
    }

    fn change_to(&mut self, lane: usize) {
        let from = self.lane;
        self.shadow = false;
        self.epoch += 1;
        self.lane = lane;
        self.flight = Some((self.epoch, from));
    }

    /// What the controller does: planned flips only to a lane that is well, one at a time.
    fn act(&mut self, decided: Decided) {
        match decided {
            Decided::Enter(stage) => self.kept.enter(stage, "", DateTime::UNIX_EPOCH),
            Decided::Make(deed, then) => {
                let (lane, starts) = match deed {
                    deed if deed == Deed::StartNew as u8 => (GREEN, true),
                    deed if deed == Deed::StopNew as u8 => (GREEN, false),
                    deed if deed == Deed::StartOld as u8 => (BLUE, true),
                    _ => (BLUE, false),
                };
                match (starts, self.copies[lane]) {
                    (true, Copied::Stopped) => self.copies[lane] = Copied::Starting,
                    (true, _) => {}
                    (false, _) => self.copies[lane] = Copied::Stopped,
                }
                if then != self.kept.stage {
                    self.kept.enter(then, "", DateTime::UNIX_EPOCH);
                }
            }
            Decided::Flip(to) => {
                if self.flight.is_none() && self.lane != to && self.is_well(to) && !self.shadow {
                    self.change_to(to);
                    if self.kept.stage == Stage::Flip {
                        self.kept.epoch = Some(self.epoch);
                    }
                }
            }
            Decided::Force(to) => {
                if self.lane != to {
                    self.change_to(to);
                }
            }
            Decided::Shadow(is_on) if self.flight.is_none() => self.shadow = is_on,
            Decided::Abort => {
                if let Some((_, from)) = self.flight {
                    self.change_to(from);
                }
            }
            // Neither while a flip is on its way.
            Decided::Hold if self.flight.is_none() => self.hold = true,
            Decided::Release if self.flight.is_none() => self.hold = false,
            Decided::Hold | Decided::Release | Decided::Shadow(_) => {}
            Decided::Follow(epoch) => self.kept.epoch = Some(epoch),
        }
    }
}

impl Model for Deployment {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let rules = Rules {
            healthy_for_ms: 1_000,
            patience_ms: 1_000,
            bake_ms: 0,
            retires: true,
            compares: true,
            selects: false,
        };
        let now = DateTime::UNIX_EPOCH;
        let mut kept = Rollout::begin("r", (copy(GREEN), copy(BLUE)), rules, ("ann", now));
        kept.ran_before = self.ran_before;
        let green = if self.ran_before { Copied::Runs } else { Copied::Stopped };
        vec![World {
            kept,
            next: None,
            copies: [Copied::Runs, green],
            well: [true, true],
            lane: BLUE,
            epoch: 1,
            flight: None,
            done: Vec::new(),
            hold: false,
            shadow: false,
            crashes: 0,
            illnesses: 0,
            aborted: false,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let is_over = world.kept.stage.is_over();
        if world.next.is_some() {
            steps.push(Step::Act);
            if world.crashes < self.crashes {
                steps.extend([Step::ActAndCrash, Step::Crash]);
            }
        } else if !is_over {
            steps.push(Step::Look);
        }
        for lane in [BLUE, GREEN] {
            if world.copies[lane] == Copied::Starting {
                steps.push(Step::Started(lane));
            }
            if world.well[lane] && world.illnesses < self.illnesses {
                steps.push(Step::Sicken(lane));
            }
            if !world.well[lane] {
                steps.push(Step::Recover(lane));
            }
        }
        if world.flight.is_some() {
            steps.push(Step::Acknowledged);
        }
        let may = !world.hold || self.fault == Fault::HoldIgnored;
        if may && world.flight.is_none() && !world.is_well(world.lane) && world.is_well(1 - world.lane) {
            steps.push(Step::FailOver);
        }
        if !world.aborted && !is_over {
            steps.push(Step::TakeBack);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Look => next.next = Some(world.decide()?),
            Step::Act => {
                let decided = next.next.take()?;
                next.act(decided);
            }
            Step::ActAndCrash => {
                let decided = next.next.take()?;
                next.act(decided);
                next.kept = world.kept.clone();
                next.crashes += 1;
            }
            Step::Crash => {
                next.next = None;
                next.crashes += 1;
            }
            Step::Started(lane) => next.copies[lane] = Copied::Runs,
            Step::Acknowledged => {
                let (epoch, _) = next.flight.take()?;
                next.done.push((epoch, next.lane));
            }
            Step::FailOver => next.change_to(1 - world.lane),
            Step::Sicken(lane) => {
                next.well[lane] = false;
                next.illnesses += 1;
            }
            Step::Recover(lane) => next.well[lane] = true,
            Step::TakeBack => {
                // Whoever was at it finds out when they write down the next step; what they are about to do is not undone.
                next.aborted = true;
                next.next = None;
                next.kept.abort("", DateTime::UNIX_EPOCH).ok()?;
            }
        }
        // More flips of one another tell nothing new.
        (next.epoch <= 6).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the copy that has the traffic is not stopped", |_, world: &World| {
                world.copies[world.lane] != Copied::Stopped
            }),
            Property::always(
                "done means that the new copy has the traffic, and the route is free",
                |_, world: &World| {
                    world.kept.stage != Stage::Done || (world.lane == GREEN && !world.hold && !world.shadow)
                },
            ),
            Property::always("aborted means that the old copy runs, and the route is free", |_, world: &World| {
                world.kept.stage != Stage::Aborted || (world.copies[BLUE] != Copied::Stopped && !world.hold)
            }),
            Property::sometimes("it gets through", |_, world: &World| {
                world.kept.stage == Stage::Done && world.copies == [Copied::Stopped, Copied::Runs]
            }),
            Property::sometimes("it gets back", |_, world: &World| {
                world.kept.stage == Stage::Aborted && world.aborted && world.epoch > 1
            }),
        ]
    }
}

fn check(deployment: Deployment) -> (usize, Vec<&'static str>) {
    let checker = deployment.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let failed = |name: &&'static str| !["it gets through", "it gets back"].contains(name);
    let mut found: Vec<&'static str> = checker.discoveries().into_keys().filter(failed).collect();
    for (name, path) in checker.discoveries() {
        if failed(&name) {
            println!("{name}:\n{path}");
        }
    }
    found.sort_unstable();
    if found.is_empty() {
        checker.assert_any_discovery("it gets through");
        checker.assert_any_discovery("it gets back");
    }
    (checker.unique_state_count(), found)
}

#[test]
fn no_order_of_events_stops_the_copy_that_has_the_traffic() {
    for ran_before in [false, true] {
        let (states, found) = check(Deployment { fault: Fault::None, ran_before, crashes: 1, illnesses: 1 });
        println!("ran before: {ran_before}, {states} states");
        assert!(found.is_empty(), "{found:?}");
        assert!(states > 500);
    }
}

#[test]
fn without_the_hold_it_would_be_stopped() {
    let deployment = Deployment { fault: Fault::HoldIgnored, ran_before: false, crashes: 0, illnesses: 1 };
    let found = check(deployment).1;
    assert!(found.contains(&"the copy that has the traffic is not stopped"), "{found:?}");
}
