//! The controller's judgement: when the lane changes, when it must not, and what a flip came to. Time is an argument.
//!
//! Durations are taken from a clock that only runs forward, dates from the wall's; a wall clock that jumps is reported
//! and changes no decision. A controller that stood still itself forgets for how long lanes were well or unwell, because
//! it does not know what happened meanwhile.
//!
//! Everything that must survive a controller is in the control records and receipts: another one resumes from these.
//! It must not do any I/O, nor remember anything that a successor would need and could not read.

mod select;
mod shadow;
mod streak;

use std::collections::VecDeque;
use std::sync::Arc;

use self::streak::Streak;
use super::course::{acknowledged, next_epoch};
use super::spec::{Mode, Spec};
use crate::model::route::record::{
    Audit, Cause, Comparison, Control, Cut, FlipStatus, Health, Hold, Mark, Receipt, Request, VERSION, Verb,
};

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;
/// A request that waited longer for a controller is not what somebody wants now.
const STALE_REQUEST: i64 = 60_000;
/// Wall and forward clock may come apart by so much between two looks.
const CLOCK_SLACK: i64 = 5_000;
/// A controller that did not look for so long stood still.
const STOOD_STILL: i64 = 15_000;
/// Who decides when nobody was asked.
const CONTROLLER: &str = "controller";

/// Now, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// A clock that only runs forward, in milliseconds since some start.
    pub uptime_ms: i64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

/// A flip that not every partition has acknowledged.
#[derive(Clone, Debug)]
struct Flight {
    control: Control,
    from: String,
    /// When the trouble began, or the request came, by the clock that runs forward.
    began_uptime: i64,
    acknowledged_after: Option<i64>,
}

impl Flight {
    /// From the first sign of trouble, or from the request, to the control record.
    fn decided_after(&self) -> i64 {
        self.control.decided_ms.saturating_sub(self.control.since_ms).max(0)
    }
}

/// What a request led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What was done, or why not.
    pub words: String,
    /// The record to write; `None` when the request was refused.
    pub control: Option<Control>,
}

/// The epochs of the partitions' marks.
pub type Epochs<'a> = &'a [Option<u64>];

/// The controller's judgement.
#[derive(Debug)]
pub struct Helm {
    spec: Arc<Spec>,
    control: Option<Control>,
    flight: Option<Flight>,
    streaks: Vec<Streak>,
    /// Flips that nobody asked for, by the clock that runs forward.
    automatic: VecDeque<i64>,
    held_back: Option<String>,
    last: Option<Moment>,
    jumped_ms: Option<i64>,
    /// Why the last control record may not be the one that holds.
    distrust: Option<String>,
    /// What the lanes said when they could be compared last, and when that was; or why they cannot be.
    compared: Option<(Comparison, i64)>,
    incomparable: String,
    /// Whether partitions still read for the second time what the last flip made theirs.
    is_catching_up: bool,
}

impl Helm {
    /// Goes on where the last controller stopped: with its last record, and the number of the last receipt.
    #[must_use]
    pub fn resume(spec: Arc<Spec>, control: Option<Control>, receipted: Option<u64>, now: Moment) -> Self {
        let forward = |wall: i64| now.uptime_ms - now.wall_ms.saturating_sub(wall).clamp(0, 24 * HOUR);
        let open = |control: &&Control| {
            control.is_flip() && receipted.is_none_or(|receipted| receipted < control.flip_number())
        };
        let flight = control.as_ref().filter(open).and_then(|control| {
            let from = control.previous.clone()?;
            let began_uptime = forward(control.since_ms);
            Some(Flight { control: control.clone(), from, began_uptime, acknowledged_after: None })
        });
        let last_failover = control.iter().filter(|control| control.cause == Cause::Failover);
        let automatic = last_failover.map(|control| forward(control.decided_ms)).collect();
        let streaks = spec.lanes.iter().map(|_| Streak::default()).collect();
        Self {
            spec,
            control,
            flight,
            streaks,
            automatic,
            held_back: None,
            last: None,
            jumped_ms: None,
            distrust: None,
            compared: None,
            incomparable: String::new(),
            is_catching_up: false,
        }
    }

    /// Forbids flips that nobody asks for, until a record is written.
    pub fn distrust(&mut self, why: Option<String>) {
        self.distrust = why;
    }

    /// The last control record.
    #[must_use]
    pub const fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }

    /// Why the lane is not changed although it is unwell.
    #[must_use]
    pub fn held_back(&self) -> Option<&str> {
        self.held_back.as_deref()
    }

    /// By how much the wall clock jumped lately.
    #[must_use]
    pub const fn jumped_ms(&self) -> Option<i64> {
        self.jumped_ms
    }

    /// Health of each lane and for how long, in the order of the spec.
    pub fn healths(&self, now: Moment) -> impl Iterator<Item = (Health, i64)> {
        self.streaks.iter().map(move |streak| (streak.health, streak.lasted(now.uptime_ms)))
    }

    /// The first record of a route that has none.
    #[must_use]
    pub fn begin(&mut self, now: Moment, epochs: Epochs<'_>) -> Option<Control> {
        if self.control.is_some() {
            return None;
        }
        let (lane, why) = (self.spec.control.initial.clone(), "the route's first lane");
        Some(self.write(Order::new(Cause::Initial, lane, CONTROLLER, why), now, epochs))
    }

    /// Takes in how lanes are, in the order of the spec; then says whether the lane has to change.
    pub fn look(&mut self, now: Moment, healths: &[Health], epochs: Epochs<'_>) -> Option<Control> {
        self.watch_clocks(now);
        for (streak, health) in self.streaks.iter_mut().zip(healths) {
            streak.see(*health, now.uptime_ms);
        }
        let active = self.position(&self.control.as_ref()?.lane)?;
        let streak = *self.streaks.get(active)?;
        if streak.health != Health::Unwell {
            self.held_back = None;
            return None;
        }
        let (lasted, unhealthy_for) = (streak.lasted(now.uptime_ms), self.spec.guard.unhealthy_for);
        let since_ms = now.wall_ms - lasted;
        let lane = self.spec.lanes.get(active)?.name.clone();
        if lasted < unhealthy_for.millis() {
            self.held_back = Some(format!("{lane} is unwell; it is given {unhealthy_for} to recover"));
            return None;
        }
        let other = self.spec.other(&lane)?.name.clone();
        if let Err(why) = self.may_fail_over(&other, now) {
            self.held_back = Some(format!("{lane} is unwell for {} s, and stays active: {why}", lasted / 1_000));
            return None;
        }
        self.held_back = None;
        self.automatic.push_back(now.uptime_ms);
        let why = format!("{lane} was unwell for {} s", lasted / 1_000);
        let order = Order { since_ms: Some(since_ms), ..Order::new(Cause::Failover, other, CONTROLLER, &why) };
        Some(self.write(order, now, epochs))
    }

    /// Does what somebody asks, or says why not.
    pub fn answer(&mut self, now: Moment, request: &Request, epochs: Epochs<'_>) -> Reply {
        let age = now.wall_ms.saturating_sub(request.at_ms);
        if age > STALE_REQUEST {
            let words = format!("it was asked {} s ago, when no controller was there: ask again", age / 1_000);
            return Reply { words, control: None };
        }
        match self.order(now, request, epochs) {
            Err(words) => Reply { words, control: None },
            Ok(order) => {
                let order = Order { since_ms: Some(request.at_ms), ..order };
                let control = self.write(order, now, epochs);
                let words = match control.fence() {
                    Some(lane) => format!("number {}: {lane} is told from the next window on", control.epoch),
                    None => format!("number {}: {} is the active lane", control.epoch, control.lane),
                };
                Reply { words, control: Some(control) }
            }
        }
    }

    /// The flip on its way.
    #[must_use]
    pub fn flip(&self, now: Moment, epochs: Epochs<'_>) -> Option<FlipStatus> {
        let flight = self.flight.as_ref()?;
        Some(FlipStatus {
            epoch: flight.control.flip_number(),
            from: flight.from.clone(),
            to: flight.control.target().to_owned(),
            acknowledged: acknowledged(flight.control.epoch, epochs.iter().copied()),
            partitions: epochs.len(),
            running_ms: now.uptime_ms - flight.began_uptime,
            sla_ms: self.spec.sla.flip.millis(),
            decided_after_ms: flight.decided_after(),
            acknowledged_after_ms: flight.acknowledged_after,
            cause: Some(flight.control.cause),
            who: flight.control.who.clone(),
            why: flight.control.why.clone(),
        })
    }

    /// Whether every partition has acknowledged the flip on its way, which can then be audited.
    pub fn is_acknowledged(&mut self, now: Moment, epochs: Epochs<'_>) -> bool {
        let Some(flight) = self.flight.as_mut().filter(|flight| !flight.is_fenced()) else { return false };
        let all = !epochs.is_empty() && acknowledged(flight.control.epoch, epochs.iter().copied()) == epochs.len();
        if all && flight.acknowledged_after.is_none() {
            flight.acknowledged_after = Some(now.uptime_ms - flight.began_uptime);
        }
        all
    }

    /// Ends the flip on its way: its receipt. Marks in the order of partitions.
    pub fn receipt(&mut self, marks: &[Option<Mark>], audit: Audit) -> Option<Receipt> {
        let flight = self.flight.take()?;
        Some(self.settle(flight, marks, (audit, None)))
    }

    /// The receipt of a flip that another one overtakes.
    fn settle(&self, flight: Flight, marks: &[Option<Mark>], (audit, overtaken_by): (Audit, Option<u64>)) -> Receipt {
        let decided_after_ms = flight.decided_after();
        let Flight { control, from, acknowledged_after, .. } = flight;
        let number = |position: usize| i32::try_from(position).unwrap_or(i32::MAX);
        let cuts: Vec<Cut> = self
            .cut_marks(&control.lane, marks)
            .iter()
            .enumerate()
            .filter_map(|(position, mark)| Some((number(position), mark.as_ref()?)))
            .filter(|(_, mark)| mark.epoch == control.epoch)
            .map(|(partition, mark)| Cut { partition, offset: mark.cut, gap_ms: mark.gap_ms })
            .collect();
        let sla_ms = self.spec.sla.flip.millis();
        Receipt {
            version: VERSION,
            route: self.spec.name.clone(),
            epoch: control.flip_number(),
            from,
            to: control.target().to_owned(),
            cause: control.cause,
            who: control.who,
            why: control.why,
            since_ms: control.since_ms,
            decided_after_ms,
            acknowledged_after_ms: acknowledged_after,
            sla_ms,
            within_sla: acknowledged_after.is_some_and(|after| after <= sla_ms),
            gap_ms: cuts.iter().map(|cut| cut.gap_ms).max().unwrap_or(0),
            cuts,
            audit,
            overtaken_by,
        }
    }

    /// The receipt of the flip that `control` overtakes, if there is one. To be asked before the record is followed.
    pub fn overtaken(&mut self, control: &Control, marks: &[Option<Mark>]) -> Option<Receipt> {
        let is_before = |flight: &Flight| flight.control.epoch < control.epoch && !flight.is_released_by(control);
        let is_overtaken = self.flight.as_ref().is_some_and(is_before);
        let flight = if is_overtaken { self.flight.take()? } else { return None };
        let unmeasured = Some("another control record came before it was audited".to_owned());
        Some(self.settle(flight, marks, (Audit { unmeasured, ..Audit::default() }, Some(control.epoch))))
    }

    /// Takes a record that was written as the one that holds.
    pub fn follow(&mut self, control: Control, now: Moment) {
        if control.is_flip()
            && let Some(from) = control.previous.clone()
        {
            let waited = now.wall_ms.saturating_sub(control.since_ms).clamp(0, HOUR);
            let began_uptime = now.uptime_ms - waited;
            self.flight = Some(Flight { control: control.clone(), from, began_uptime, acknowledged_after: None });
        }
        self.distrust = None;
        self.control = Some(control);
    }

    fn position(&self, lane: &str) -> Option<usize> {
        self.spec.lanes.iter().position(|known| known.name == lane)
    }

    fn watch_clocks(&mut self, now: Moment) {
        let Some(last) = self.last.replace(now) else { return };
        let (forward, wall) = (now.uptime_ms - last.uptime_ms, now.wall_ms.saturating_sub(last.wall_ms));
        if (wall - forward).abs() > CLOCK_SLACK {
            self.jumped_ms = Some(wall - forward);
        }
        if forward > STOOD_STILL {
            self.streaks.iter_mut().for_each(|streak| *streak = Streak::default());
        }
    }

    fn is_well_long_enough(&self, lane: &str, now: Moment) -> Result<(), String> {
        let healthy_for = self.spec.guard.healthy_for;
        let streak = self.position(lane).and_then(|position| self.streaks.get(position));
        match streak.map(|streak| (streak.health, streak.lasted(now.uptime_ms))) {
            Some((Health::Well, lasted)) if lasted >= healthy_for.millis() => Ok(()),
            Some((Health::Well, _)) => Err(format!("{lane} is not yet well for {healthy_for}")),
            Some((Health::Unwell, lasted)) => Err(format!("{lane} is unwell too, for {} s", lasted / 1_000)),
            _ => Err(format!("it is not known whether {lane} is well")),
        }
    }

    fn may_fail_over(&mut self, other: &str, now: Moment) -> Result<(), String> {
        let rules = self.spec.guard.clone();
        if !rules.automatic {
            return Err("guard.automatic is false, so somebody has to ask for a flip".to_owned());
        }
        if let Some(hold) = self.control.as_ref().and_then(|control| control.hold.as_ref()) {
            return Err(format!("{} holds the lane: {}", hold.who, hold.why));
        }
        if let Some(why) = &self.distrust {
            return Err(format!("{why}; ask for a flip if you know better"));
        }
        if self.flight.is_some() {
            return Err("a flip is on its way".to_owned());
        }
        self.may_select()?;
        while self.automatic.front().is_some_and(|at| now.uptime_ms - at > HOUR) {
            self.automatic.pop_front();
        }
        if self.automatic.back().is_some_and(|at| now.uptime_ms - at < rules.cooldown.millis()) {
            return Err(format!("the last flip that nobody asked for was within {}", rules.cooldown));
        }
        if self.automatic.len() >= usize::try_from(rules.flips_per_hour).unwrap_or(usize::MAX) {
            return Err(format!("there were {} flips within an hour that nobody asked for", self.automatic.len()));
        }
        self.is_well_long_enough(other, now)
    }

    fn order(&self, now: Moment, request: &Request, epochs: Epochs<'_>) -> Result<Order, String> {
        let control = self.control.as_ref().ok_or("no lane is active yet")?;
        let (who, why) = (request.who.as_str(), request.why.as_str());
        match &request.verb {
            Verb::Flip { to } | Verb::Force { to } => {
                self.spec.lane(to).ok_or_else(|| format!("the route has no lane named {to}"))?;
                if control.lane == *to {
                    return Err(format!("{to} is the active lane already"));
                }
                self.may_select()?;
                if matches!(request.verb, Verb::Force { .. }) {
                    return Ok(Order::new(Cause::Forced, to.clone(), who, why));
                }
                if self.flight.is_some() {
                    return Err("a flip is on its way: wait for it, or abort it".to_owned());
                }
                let may = self.is_well_long_enough(to, now).and_then(|()| self.says_the_same(now, epochs));
                may.map_err(|why| format!("{why}; force flips all the same"))?;
                Ok(Order::new(Cause::Planned, to.clone(), who, why))
            }
            Verb::Abort => {
                let flight = self.flight.as_ref().ok_or("no flip is on its way")?;
                self.may_take_back(flight)?;
                Ok(Order::new(Cause::Aborted, flight.from.clone(), who, why))
            }
            Verb::Hold | Verb::Release | Verb::Shadow | Verb::Unshadow if self.flight.is_some() => {
                Err("a flip is on its way: wait for it, or abort it".to_owned())
            }
            Verb::Hold if control.hold.is_some() => Err("the lane is held already".to_owned()),
            Verb::Hold => Ok(Order::new(Cause::Held, control.lane.clone(), who, why)),
            Verb::Release if control.hold.is_none() => Err("nobody holds the lane".to_owned()),
            Verb::Release => Ok(Order::new(Cause::Released, control.lane.clone(), who, why)),
            Verb::Shadow | Verb::Unshadow if self.spec.mode == Mode::Select => {
                Err("both copies read all of the source where a route selects: nothing is to be shadowed".to_owned())
            }
            Verb::Shadow => match &control.shadow {
                Some(lane) => Err(format!("{lane} gets every record already")),
                None => Ok(Order::new(Cause::Shadowed, control.lane.clone(), who, why)),
            },
            Verb::Unshadow if control.shadow.is_none() => Err("only the active lane gets records".to_owned()),
            Verb::Unshadow => Ok(Order::new(Cause::Unshadowed, control.lane.clone(), who, why)),
        }
    }

    fn write(&self, order: Order, now: Moment, epochs: Epochs<'_>) -> Control {
        let Order { cause, lane, who, why, since_ms } = order;
        let before = self.control.as_ref();
        let hold = match cause {
            Cause::Held => Some(Hold { who: who.clone(), why: why.clone(), since_ms: now.wall_ms }),
            Cause::Released => None,
            _ => before.and_then(|control| control.hold.clone()),
        };
        let shadow = match cause {
            Cause::Shadowed => self.spec.other(&lane).map(|other| other.name.clone()),
            Cause::Held | Cause::Released => before.and_then(|control| control.shadow.clone()),
            _ => None,
        };
        let epoch = next_epoch(before.map(|control| control.epoch), epochs.iter().copied());
        let selection = self.selection(&lane, epoch);
        // Where the route selects a flip begins with a fence, and the lane stays what it was.
        let lane = before.filter(|_| selection.is_some()).map_or(lane, |control| control.lane.clone());
        Control {
            version: VERSION,
            route: self.spec.name.clone(),
            epoch,
            previous: before.map(|control| control.lane.clone()),
            lane,
            cause,
            who,
            why,
            since_ms: since_ms.unwrap_or(now.wall_ms).min(now.wall_ms),
            decided_ms: now.wall_ms,
            hold,
            lane_ends: Vec::new(),
            shadow,
            selection,
        }
    }
}

/// What a control record is to say.
struct Order {
    cause: Cause,
    lane: String,
    who: String,
    why: String,
    since_ms: Option<i64>,
}

impl Order {
    fn new(cause: Cause, lane: String, who: &str, why: &str) -> Self {
        Self { cause, lane, who: who.to_owned(), why: why.to_owned(), since_ms: None }
    }
}

#[cfg(test)]
mod tests;
