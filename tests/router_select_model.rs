//! Selecting under a model checker: every order of writing, reading, committing, hearing, crashing and flipping, for two
//! lanes of a few windows; with the very functions that workers and controllers decide by.
//!
//! What transactions, fencing and generations promise is the other model's subject (`router_model.rs`): here a commit is
//! all or nothing, and who owns a partition is known. A crash loses all that was not committed. Control records may be
//! heard late or never, a lane may stop in the middle of a window, and be of another opinion about what comes first.
//!
//! Each rule is also taken away: the checker must then find a window that is told twice, or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use flowdeck::model::route::record::{Cause, Control, Mark, Selection, VERSION};
use flowdeck::router::course::{self, Course};
use flowdeck::router::select::{self, Stood, Track, Verdict};
use stateright::{Checker, HasDiscoveries, Model, Property};

const LANES: [&str; 2] = ["blue", "green"];
/// Windows in the order in which each lane writes them, a row each.
const ROWS: [[i64; 4]; 2] = [[1, 3, 2, 4], [2, 1, 3, 4]];

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// A flip does not wait until everybody has stopped.
    NotFenced,
    /// A lane that has become active goes on where it is.
    NothingAgain,
    /// What the lane before told is not looked at.
    ToldIgnored,
    /// The lane that was left goes on to tell the windows that are filled up.
    LeftGoesOn,
    /// A worker goes by any record that it heard of, whatever its mark says.
    MarksIgnored,
    /// Another flip does not wait until what is read again is read.
    NotCaughtUp,
}

#[derive(Clone, Copy, Debug)]
struct Route {
    fault: Fault,
    flips: usize,
    crashes: u8,
    /// Whether lanes are left because they are unwell.
    is_failover: bool,
}

/// A worker with one lane's partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Worker {
    next: i64,
    track: Track,
    /// Number of the control record that it goes by.
    by: Option<usize>,
    /// What is told when the transaction ends.
    open: Vec<i64>,
    learned: BTreeSet<i64>,
}

/// What is committed of a lane's partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Place {
    next: i64,
    mark: Option<Mark>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// Rows that each lane has written.
    written: [usize; 2],
    workers: [Worker; 2],
    places: [Place; 2],
    controls: Vec<Control>,
    /// Windows that readers see, in order.
    told: Vec<(i64, usize)>,
    crashes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Write(usize),
    Hear(usize, usize),
    Read(usize),
    Commit(usize),
    Crash(usize),
    Flip,
    Release,
}

fn control(epoch: u64, lane: &str, previous: Option<&str>, (cause, selection): (Cause, Selection)) -> Control {
    Control {
        version: VERSION,
        route: String::new(),
        epoch,
        lane: lane.to_owned(),
        previous: previous.map(str::to_owned),
        cause,
        who: String::new(),
        why: String::new(),
        since_ms: 0,
        decided_ms: 0,
        hold: None,
        lane_ends: Vec::new(),
        shadow: None,
        selection: Some(selection),
    }
}

impl World {
    fn last(&self) -> &Control {
        self.controls.last().unwrap()
    }

    fn epochs(&self) -> Vec<Option<u64>> {
        self.places.iter().map(|place| place.mark.as_ref().map(|mark| mark.epoch)).collect()
    }

    /// Everything that was written is read and committed by the last record.
    fn is_settled(&self) -> bool {
        let whole = |lane: usize| self.places[lane].next == i64::try_from(self.written[lane]).unwrap();
        let epoch = Some(self.last().epoch);
        self.last().fence().is_none() && (0..2).all(whole) && self.epochs().iter().all(|mark| *mark == epoch)
    }

    fn row(&self, lane: usize, offset: i64) -> Option<i64> {
        let offset = usize::try_from(offset).unwrap();
        (offset < self.written[lane]).then(|| ROWS[lane][offset])
    }
}

impl Route {
    fn is_caught_up(&self, world: &World) -> bool {
        let marks: Vec<Option<Mark>> = world.places.iter().map(|place| place.mark.clone()).collect();
        !select::is_catching_up(&marks) || self.fault == Fault::NotCaughtUp
    }

    fn hear(&self, world: &mut World, (lane, number): (usize, usize)) {
        commit(world, lane);
        let selection = world.controls[number].selection.clone().unwrap();
        let mark = world.places[lane].mark.clone();
        let worker = &mut world.workers[lane];
        worker.learned.clear();
        for reign in selection.reigns.iter().filter(|_| self.fault != Fault::ToldIgnored) {
            for part in reign.fill.iter().flat_map(|fill| &fill.told) {
                let (from, to) = part.ranges[0];
                let left = usize::from(part.lane == LANES[1]);
                let rows = (from..to).map(|offset| ROWS[left][usize::try_from(offset).unwrap()]);
                worker.learned.extend(rows.filter(|window| reign.fills(*window)));
            }
        }
        let gains = select::gains(&selection, LANES[lane], mark.map(|mark| mark.epoch));
        if gains && self.fault != Fault::NothingAgain {
            worker.next = worker.track.rewind(worker.next);
        }
        worker.by = Some(number);
    }

    fn read(&self, world: &mut World, lane: usize) -> Option<()> {
        let by = world.workers[lane].by?;
        let selection = world.controls[by].selection.clone().unwrap();
        let offset = world.workers[lane].next;
        let window = world.row(lane, offset)?;
        let worker = &mut world.workers[lane];
        let again = worker.track.is_again(offset);
        let mut verdict = select::verdict(&selection, LANES[lane], (window, again));
        let is_left = selection.reign(window).is_some_and(|(reign, filled)| filled && reign.lane != LANES[lane]);
        if self.fault == Fault::LeftGoesOn && is_left {
            verdict = Verdict::Tell;
        }
        let is_told = match verdict {
            Verdict::Tell => true,
            Verdict::Pass => false,
            Verdict::TellIfUntold => !worker.learned.contains(&window),
        };
        worker.track.see((window, offset), is_told);
        if is_told {
            worker.open.push(window);
        }
        worker.next += 1;
        Some(())
    }

    fn flip(&self, world: &mut World) {
        let last = world.last().clone();
        let to = LANES[usize::from(last.lane == LANES[0])];
        let cause = if self.is_failover { Cause::Failover } else { Cause::Planned };
        let kept = last.selection.clone().unwrap();
        let selection = Selection { fence: Some(to.to_owned()), ..kept };
        world.controls.push(control(last.epoch + 1, &last.lane, Some(&last.lane), (cause, selection)));
    }

    fn release(world: &mut World) -> Option<()> {
        let fence = world.last().clone();
        let places: Vec<Stood<'_>> =
            LANES.iter().zip(&world.places).map(|(lane, place)| (*lane, place.next, place.mark.as_ref())).collect();
        let selection = select::release(&fence, &places, (fence.epoch + 1, 100))?;
        let (lane, previous) = (fence.fence()?.to_owned(), fence.lane.clone());
        world.controls.push(control(fence.epoch + 1, &lane, Some(&previous), (fence.cause, selection)));
        Some(())
    }
}

fn commit(world: &mut World, lane: usize) {
    let worker = &mut world.workers[lane];
    let Some(by) = worker.by else { return };
    let place = &mut world.places[lane];
    let bound = worker.track.told().map(|told| told - 100);
    let mut mark = course::mark(&world.controls[by], place.mark.as_ref(), place.next, 0);
    mark.extent = Some(worker.track.extent(bound, worker.next));
    (place.next, place.mark) = (worker.next, Some(mark));
    world.told.extend(worker.open.drain(..).map(|window| (window, lane)));
}

impl Model for Route {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let first = control(1, LANES[0], None, (Cause::Initial, Selection::first(LANES[0], 1)));
        vec![World {
            written: [0, 0],
            workers: Default::default(),
            places: Default::default(),
            controls: vec![first],
            told: Vec::new(),
            crashes: 0,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (lane, worker) in world.workers.iter().enumerate() {
            if world.written[lane] < ROWS[lane].len() {
                steps.push(Step::Write(lane));
            }
            let mark = world.epochs()[lane].filter(|_| self.fault != Fault::MarksIgnored);
            for number in worker.by.map_or(0, |by| by + 1)..world.controls.len() {
                if matches!(course::course(Some(&world.controls[number]), [mark]), Course::Go(_)) {
                    steps.push(Step::Hear(lane, number));
                }
            }
            let goes = worker.by.is_some_and(|by| world.controls[by].fence().is_none());
            if goes && world.row(lane, worker.next).is_some() {
                steps.push(Step::Read(lane));
            }
            let is_news = |by: usize| world.epochs()[lane] != Some(world.controls[by].epoch);
            if worker.by.is_some_and(|by| worker.next != world.places[lane].next || is_news(by)) {
                steps.push(Step::Commit(lane));
            }
            if world.crashes < self.crashes {
                steps.push(Step::Crash(lane));
            }
        }
        let (epoch, epochs) = (world.last().epoch, world.epochs());
        let all = course::acknowledged(epoch, epochs) == 2;
        if world.last().fence().is_some() {
            if all || self.fault == Fault::NotFenced {
                steps.push(Step::Release);
            }
        } else if all && self.is_caught_up(world) && world.controls.len() < 1 + 2 * self.flips {
            steps.push(Step::Flip);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Write(lane) => next.written[lane] += 1,
            Step::Hear(lane, number) => self.hear(&mut next, (lane, number)),
            Step::Read(lane) => self.read(&mut next, lane)?,
            Step::Commit(lane) => commit(&mut next, lane),
            Step::Crash(lane) => {
                let place = &next.places[lane];
                let extent = place.mark.as_ref().and_then(|mark| mark.extent.as_ref());
                next.workers[lane] = Worker { next: place.next, track: Track::resume(extent), ..Worker::default() };
                next.crashes += 1;
            }
            Step::Flip => self.flip(&mut next),
            Step::Release => Self::release(&mut next)?,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no window is told twice", |_: &Self, world: &World| {
                let windows: BTreeSet<i64> = world.told.iter().map(|(window, _)| *window).collect();
                windows.len() == world.told.len()
            }),
            Property::always("no window is left out", |_: &Self, world: &World| {
                let selection = world.last().selection.as_ref().unwrap();
                // What the lane that it belongs to has written; what was told by the other one is not asked again.
                let is_due = |lane: usize, window: i64| {
                    selection.reign(window).is_some_and(|(reign, _)| reign.lane == LANES[lane])
                };
                let rows =
                    |lane: usize| ROWS[lane][..world.written[lane]].iter().filter(move |row| is_due(lane, **row));
                let is_told = |window: &i64| world.told.iter().any(|(told, _)| told == window);
                !world.is_settled() || (0..2).flat_map(rows).all(is_told)
            }),
            Property::sometimes("everything is told across the flips", |model: &Self, world: &World| {
                let by: BTreeSet<usize> = world.told.iter().map(|(_, lane)| *lane).collect();
                world.is_settled()
                    && world.controls.len() == 1 + 2 * model.flips
                    && world.told.len() == ROWS[0].len()
                    && by.len() == 2
            }),
        ]
    }
}

fn check(route: Route) {
    let checker = route.checker().threads(2).spawn_bfs().join();
    println!("{route:?}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

/// The promises that are broken.
fn broken(fault: Fault, is_failover: bool) -> Vec<&'static str> {
    let (flips, crashes) = if fault == Fault::NotCaughtUp { (2, 0) } else { (1, 1) };
    let route = Route { fault, flips, crashes, is_failover };
    let checker = route.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{fault:?}: {} states", checker.unique_state_count());
    let names = route.properties().into_iter().map(|property| property.name);
    names.filter(|name| name.starts_with("no ") && checker.discovery(name).is_some()).collect()
}

#[test]
fn a_flip_that_is_asked_for_tells_each_window_once() {
    check(Route { fault: Fault::None, flips: 1, crashes: 1, is_failover: false });
}

#[test]
fn so_does_one_from_a_lane_that_is_left() {
    check(Route { fault: Fault::None, flips: 1, crashes: 1, is_failover: true });
}

#[test]
fn so_do_two_there_and_back() {
    check(Route { fault: Fault::None, flips: 2, crashes: 0, is_failover: false });
    check(Route { fault: Fault::None, flips: 2, crashes: 0, is_failover: true });
}

#[test]
fn without_a_fence_a_window_is_told_by_both() {
    assert!(broken(Fault::NotFenced, false).contains(&"no window is told twice"));
}

#[test]
fn without_reading_again_a_window_is_told_by_none() {
    assert!(broken(Fault::NothingAgain, false).contains(&"no window is left out"));
}

#[test]
fn what_was_told_must_be_known_to_the_lane_that_fills_up() {
    assert!(broken(Fault::ToldIgnored, true).contains(&"no window is told twice"));
}

#[test]
fn a_lane_that_was_left_must_be_silent_about_what_is_filled_up() {
    assert!(broken(Fault::LeftGoesOn, true).contains(&"no window is told twice"));
}

#[test]
fn a_flip_must_wait_until_the_one_before_has_read_what_it_needs() {
    assert!(broken(Fault::NotCaughtUp, false).contains(&"no window is left out"));
}

#[test]
fn a_worker_must_not_go_by_less_than_its_mark() {
    assert!(!broken(Fault::MarksIgnored, false).is_empty());
}
