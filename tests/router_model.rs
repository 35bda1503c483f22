//! The router's protocol under a model checker: every order of reading, hearing, committing, rebalancing, crashing,
//! pausing and timing out, for a small route; with the very functions that workers and controllers decide by.
//!
//! The model holds what Kafka promises and no more: a transaction is all or nothing; offsets in it are refused when they
//! come from a member of an older generation; a new owner of a partition learns its offset only when no transaction on
//! it is open; a producer that takes over a transactional id fences the one before. Control records may be heard late,
//! twice, in any order or never. A paused process is one that does nothing for a while and then goes on as a zombie.
//!
//! Each promise of Kafka's, and the one rule of the workers, is also taken away: the checker must then find a loss.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use flowdeck::model::route::record::{Cause, Control, VERSION};
use flowdeck::router::course::{self, Course};
use stateright::{Checker, HasDiscoveries, Model, Property};

const WORKERS: usize = 2;
const CONTROLLERS: usize = 2;
const LANES: [&str; 2] = ["blue", "green"];

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// Workers route by the last control record that they heard of, whatever the partition's mark says.
    MarksIgnored,
    /// Offsets of an older generation are taken.
    GenerationsIgnored,
    /// A new owner does not wait for an open transaction.
    OpenTransactionsIgnored,
    /// Offsets are committed beside the transaction, not in it.
    OffsetsOutside,
    /// A controller that was followed by another may still write.
    ControllersNotFenced,
    /// A worker changes the lane in the middle of a transaction.
    LanesMixed,
}

/// The size of the route.
#[derive(Clone, Copy, Debug)]
struct Route {
    fault: Fault,
    records: u8,
    controls: usize,
    rebalances: u8,
    crashes: u8,
    /// Whether the other lane may get every record too.
    shadows: bool,
}

/// In the lane of a control record: the other lane gets every record too.
const SHADOW: u8 = 2;

/// The active lane of a control record.
fn active(lane: u8) -> usize {
    usize::from(lane % SHADOW)
}

/// A transaction on its way: where its records go, and what it says of the partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Open {
    from: u8,
    /// The lane of each record, in order.
    lanes: Vec<u8>,
    epoch: u64,
    lane: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Worker {
    /// The generation in which it believes to own the partition.
    generation: Option<u8>,
    position: u8,
    /// Epoch of the partition's mark.
    mark: Option<u64>,
    /// Number and lane of the last control record that it heard of.
    heard: Option<(u64, u8)>,
    open: Option<Open>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Leader {
    term: Option<u8>,
    epoch: Option<u64>,
}

/// The whole world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    workers: Vec<Worker>,
    controllers: Vec<Leader>,
    control: Vec<(u64, u8)>,
    term: u8,
    generation: u8,
    owner: Option<usize>,
    /// Offsets were sent in this worker's transaction, which is not yet ended.
    pending: Option<(usize, Open)>,
    offset: u8,
    /// Epoch of the partition's mark.
    mark: Option<u64>,
    /// What readers of the lanes see: offsets of the source.
    lanes: [Vec<u8>; 2],
    /// What readers see of what was copied for comparison only.
    shadows: [Vec<u8>; 2],
    /// By which epoch each offset went, in the order in which transactions ended.
    routed: Vec<(u8, u64)>,
    /// The last flip that a controller called done.
    done: u64,
    /// A record went by an older epoch after that.
    late: bool,
    crashes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Rebalance(usize),
    Assign(usize),
    Hear(usize, usize),
    Read(usize),
    SendOffsets(usize),
    Commit(usize),
    TimeOut,
    CrashWorker(usize),
    Lead(usize),
    Flip(usize),
    Shadow(usize),
    CallDone(usize),
}

fn control((epoch, lane): (u64, u8)) -> Control {
    Control {
        version: VERSION,
        route: String::new(),
        epoch,
        lane: LANES[active(lane)].to_owned(),
        previous: None,
        cause: Cause::Planned,
        who: String::new(),
        why: String::new(),
        since_ms: 0,
        decided_ms: 0,
        hold: None,
        lane_ends: Vec::new(),
        shadow: (lane >= SHADOW).then(|| LANES[1 - active(lane)].to_owned()),
        selection: None,
    }
}

/// Records, offset and mark: all at once.
fn commit(world: &mut World, number: usize) -> Option<()> {
    let (owner, open) = world.pending.take()?;
    if owner != number {
        return None;
    }
    for (offset, lane) in (open.from..).zip(&open.lanes) {
        world.lanes[active(*lane)].push(offset);
        if *lane >= SHADOW {
            world.shadows[1 - active(*lane)].push(offset);
        }
        world.routed.push((offset, open.epoch));
        world.late |= open.epoch < world.done;
    }
    world.offset = open.from + u8::try_from(open.lanes.len()).unwrap();
    world.mark = Some(open.epoch);
    let worker = &mut world.workers[number];
    worker.open = None;
    worker.mark = Some(open.epoch);
    Some(())
}

impl Route {
    /// Whether a worker may route now, and by what: its own rule.
    fn go(&self, worker: &Worker) -> Option<(u64, u8)> {
        worker.generation?;
        let heard = worker.heard.map(control);
        let mark = worker.mark.filter(|_| self.fault != Fault::MarksIgnored);
        match course::course(heard.as_ref(), [mark]) {
            Course::Go(_) => worker.heard,
            _ => None,
        }
    }

    fn may_read(&self, worker: &Worker) -> bool {
        let same = |(epoch, _)| worker.open.as_ref().is_none_or(|open| open.epoch == epoch);
        let mixed = self.fault == Fault::LanesMixed;
        worker.position < self.records && self.go(worker).is_some_and(|route| mixed || same(route))
    }

    /// A transaction is ended when it has records, or when its mark is news.
    fn may_send(&self, world: &World, number: usize) -> bool {
        let worker = &world.workers[number];
        let is_pending = world.pending.as_ref().is_some_and(|(owner, _)| *owner == number);
        let news = || self.go(worker).is_some_and(|(epoch, _)| worker.mark.is_none_or(|mark| mark < epoch));
        !is_pending && worker.generation.is_some() && (worker.open.is_some() || news())
    }

    fn read(&self, worker: &mut Worker) -> Option<()> {
        let (epoch, lane) = self.go(worker)?;
        let from = worker.position;
        let open = worker.open.get_or_insert(Open { from, lanes: Vec::new(), epoch, lane });
        open.lanes.push(lane);
        worker.position += 1;
        Some(())
    }

    fn send_offsets(&self, world: &mut World, number: usize) -> Option<()> {
        let route = self.go(&world.workers[number]);
        let worker = &mut world.workers[number];
        let open = match worker.open.clone() {
            Some(open) => open,
            None => route.map(|(epoch, lane)| Open { from: worker.position, lanes: Vec::new(), epoch, lane })?,
        };
        let is_member = worker.generation == Some(world.generation) && world.owner == Some(number);
        if !is_member && self.fault != Fault::GenerationsIgnored {
            // Refused: it gives the transaction up and joins anew.
            (worker.open, worker.generation) = (None, None);
            return Some(());
        }
        if self.fault == Fault::OffsetsOutside {
            world.offset = open.from + u8::try_from(open.lanes.len()).unwrap();
            world.mark = Some(open.epoch);
        } else if world.pending.is_some() {
            return None;
        }
        world.pending = Some((number, open));
        Some(())
    }

    fn write(&self, world: &mut World, number: usize, next: impl Fn(u8) -> u8) -> Option<()> {
        let leader = &mut world.controllers[number];
        if leader.term? != world.term && self.fault != Fault::ControllersNotFenced {
            *leader = Leader::default();
            return Some(());
        }
        let lane =
            world.control.iter().find(|(epoch, _)| Some(*epoch) == leader.epoch).map_or(0, |(_, lane)| next(*lane));
        let epoch = course::next_epoch(leader.epoch, []);
        leader.epoch = Some(epoch);
        world.control.push((epoch, lane));
        Some(())
    }
}

impl Model for Route {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            workers: vec![Worker::default(); WORKERS],
            controllers: vec![Leader::default(); CONTROLLERS],
            control: Vec::new(),
            term: 0,
            generation: 0,
            owner: None,
            pending: None,
            offset: 0,
            mark: None,
            lanes: [Vec::new(), Vec::new()],
            shadows: [Vec::new(), Vec::new()],
            routed: Vec::new(),
            done: 0,
            late: false,
            crashes: 0,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (number, worker) in world.workers.iter().enumerate() {
            if world.generation < self.rebalances && world.owner != Some(number) {
                steps.push(Step::Rebalance(number));
            }
            let settled = world.pending.is_none() || self.fault == Fault::OpenTransactionsIgnored;
            if world.owner == Some(number) && worker.generation != Some(world.generation) && settled {
                steps.push(Step::Assign(number));
            }
            let may_hear = |(_, (epoch, _)): &(usize, &(u64, u8))| worker.heard.is_none_or(|(heard, _)| *epoch > heard);
            steps.extend(world.control.iter().enumerate().filter(may_hear).map(|(at, _)| Step::Hear(number, at)));
            let is_ending = world.pending.as_ref().is_some_and(|(owner, _)| *owner == number);
            if !is_ending && self.may_read(worker) {
                steps.push(Step::Read(number));
            }
            if self.may_send(world, number) {
                steps.push(Step::SendOffsets(number));
            }
            if is_ending {
                steps.push(Step::Commit(number));
            }
            if world.crashes < self.crashes {
                steps.push(Step::CrashWorker(number));
            }
        }
        if world.pending.is_some() {
            steps.push(Step::TimeOut);
        }
        for (number, leader) in world.controllers.iter().enumerate() {
            if leader.term.is_none() && usize::from(world.term) < CONTROLLERS {
                steps.push(Step::Lead(number));
            }
            if leader.term.is_some() && world.control.len() < self.controls {
                steps.push(Step::Flip(number));
                if self.shadows && leader.epoch.is_some() {
                    steps.push(Step::Shadow(number));
                }
            }
            if leader.term.is_some() && leader.epoch.is_some_and(|epoch| epoch > world.done) {
                steps.push(Step::CallDone(number));
            }
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Rebalance(number) => {
                next.generation += 1;
                next.owner = Some(number);
            }
            Step::Assign(number) => {
                let (generation, offset, mark) = (next.generation, next.offset, next.mark);
                let worker = &mut next.workers[number];
                (worker.generation, worker.position, worker.mark, worker.open) = (Some(generation), offset, mark, None);
            }
            Step::Hear(number, at) => {
                let (epoch, lane) = world.control[at];
                let worker = &mut next.workers[number];
                if course::later(worker.heard.map(|(epoch, _)| epoch), epoch) {
                    worker.heard = Some((epoch, lane));
                }
            }
            Step::Read(number) => self.read(&mut next.workers[number])?,
            Step::SendOffsets(number) => self.send_offsets(&mut next, number)?,
            Step::Commit(number) => commit(&mut next, number)?,
            Step::TimeOut => {
                // The worker learns of it when it wants to end the transaction, and joins anew.
                let (owner, _) = next.pending.take()?;
                (next.workers[owner].open, next.workers[owner].generation) = (None, None);
            }
            Step::CrashWorker(number) => {
                next.crashes += 1;
                next.workers[number] = Worker::default();
                // Its successor takes the transactional id over, which ends what was open.
                next.pending = next.pending.filter(|(owner, _)| *owner != number);
            }
            Step::Lead(number) => {
                next.term += 1;
                let epoch = next.control.iter().map(|(epoch, _)| *epoch).max();
                next.controllers[number] = Leader { term: Some(next.term), epoch };
            }
            // A flip ends a shadow.
            Step::Flip(number) => self.write(&mut next, number, |lane| u8::from(active(lane) == 0))?,
            Step::Shadow(number) => self.write(&mut next, number, |lane| (lane + SHADOW) % (2 * SHADOW))?,
            Step::CallDone(number) => {
                let epoch = next.controllers[number].epoch?;
                if course::acknowledged(epoch, [next.mark]) == 1 {
                    next.done = next.done.max(epoch);
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no record is lost", |_: &Self, world: &World| {
                (0..world.offset).all(|offset| world.lanes.iter().any(|lane| lane.contains(&offset)))
            }),
            Property::always("no record is duplicated", |_: &Self, world: &World| {
                let mut all: Vec<u8> = world.lanes.concat();
                all.sort_unstable();
                all.windows(2).all(|pair| pair[0] != pair[1])
            }),
            Property::always("no record is reordered", |_: &Self, world: &World| {
                world.lanes.iter().all(|lane| lane.is_sorted()) && world.routed.is_sorted()
            }),
            Property::always("a record goes to the lane of its epoch", |_: &Self, world: &World| {
                world.routed.iter().all(|(offset, epoch)| {
                    let said = world.control.iter().find(|(said, _)| said == epoch);
                    said.is_some_and(|(_, lane)| world.lanes[active(*lane)].contains(offset))
                })
            }),
            Property::always("a shadow gets what its epoch routes, once and in order", |_: &Self, world: &World| {
                (0..).zip(&world.shadows).all(|(lane, shadow): (usize, &Vec<u8>)| {
                    let by = |epoch| world.control.iter().find(|(said, _)| *said == epoch).map_or(0, |(_, lane)| *lane);
                    let due = world.routed.iter().map(|(offset, epoch)| (offset, by(*epoch)));
                    let due = due.filter(|(_, said)| *said >= SHADOW && active(*said) != lane);
                    shadow.iter().eq(due.map(|(offset, _)| offset))
                })
            }),
            Property::always("epochs rise along a partition, so that each has one cut", |_: &Self, world: &World| {
                world.routed.is_sorted_by_key(|(_, epoch)| *epoch)
            }),
            Property::always("no two control records have one number", |_: &Self, world: &World| {
                world.control.is_sorted_by(|before, after| before.0 < after.0)
            }),
            Property::always("when a flip is done, nothing goes by an older epoch", |_: &Self, world: &World| {
                !world.late
            }),
            Property::sometimes("a flip is done with records on both sides", |model: &Self, world: &World| {
                world.done >= 2 && world.lanes.iter().all(|lane| !lane.is_empty()) && world.offset == model.records
            }),
            Property::sometimes("another controller flips", |_: &Self, world: &World| {
                world.term == 2 && world.control.len() >= 2
            }),
        ]
    }
}

/// The first promise that was found broken.
fn broken(fault: Fault) -> Vec<&'static str> {
    let route = Route { fault, records: 2, controls: 2, rebalances: 2, crashes: 0, shadows: false };
    let checker = route.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{fault:?}: {} states", checker.unique_state_count());
    let names = route.properties().into_iter().map(|property| property.name);
    let always = names.filter(|name| !name.starts_with("a flip") && !name.starts_with("another"));
    always.filter(|name| checker.discovery(name).is_some()).collect()
}

fn check(route: Route) {
    let checker = route.checker().threads(2).spawn_bfs().join();
    println!("{route:?}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

#[test]
fn no_order_of_events_breaks_a_promise() {
    check(Route { fault: Fault::None, records: 2, controls: 2, rebalances: 2, crashes: 0, shadows: false });
}

#[test]
fn nor_does_a_lane_that_gets_every_record_to_be_compared() {
    check(Route { fault: Fault::None, records: 2, controls: 3, rebalances: 1, crashes: 0, shadows: true });
}

#[test]
fn nor_does_a_crash_at_any_step() {
    check(Route { fault: Fault::None, records: 2, controls: 2, rebalances: 1, crashes: 1, shadows: false });
}

#[test]
fn without_the_rule_of_marks_a_finished_flip_is_undone() {
    let broken = broken(Fault::MarksIgnored);
    let expected = [
        "epochs rise along a partition, so that each has one cut",
        "when a flip is done, nothing goes by an older epoch",
    ];
    assert!(expected.iter().any(|name| broken.contains(name)), "{broken:?}");
}

#[test]
fn without_generations_a_zombie_duplicates() {
    let broken = broken(Fault::GenerationsIgnored);
    assert!(broken.contains(&"no record is duplicated"), "{broken:?}");
}

#[test]
fn without_waiting_for_open_transactions_a_new_owner_duplicates() {
    let broken = broken(Fault::OpenTransactionsIgnored);
    assert!(broken.contains(&"no record is duplicated"), "{broken:?}");
}

#[test]
fn with_offsets_outside_the_transaction_a_crash_loses() {
    let broken = broken(Fault::OffsetsOutside);
    assert!(broken.contains(&"no record is lost"), "{broken:?}");
}

#[test]
fn two_controllers_that_are_not_fenced_use_one_number_twice() {
    let broken = broken(Fault::ControllersNotFenced);
    assert!(broken.contains(&"no two control records have one number"), "{broken:?}");
}

#[test]
fn a_lane_changed_in_mid_transaction_has_no_cut() {
    let broken = broken(Fault::LanesMixed);
    assert!(broken.contains(&"a record goes to the lane of its epoch"), "{broken:?}");
}
