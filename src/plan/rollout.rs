//! A deployment without downtime, through a route: which step comes next, from what is seen of the world.
//!
//! The new copy of the pipeline is started beside the old one, warms up, is compared, gets the traffic by a flip of the
//! route, is watched for a while, and only then is the old one stopped. Going back is possible from every step: what the
//! old copy needs for it is kept until the last one.
//!
//! How: [`Rollout::next`] looks at [`Seen`] and answers with one [`Move`]. Every move may be made twice, and what it led
//! to is seen the next time; so whoever goes on after a crash needs only what is written down of the [`Rollout`].
//!
//! It must not do any I/O, and never stop a copy that has the traffic: `tests/rollout_model.rs` tries every order.

mod back;
mod stage;

use serde::{Deserialize, Serialize};

pub use self::stage::Stage;
use crate::model::Time;
use crate::model::route::record::{Health, LaneStatus, PartitionStatus, Receipt, Status, Verb};

/// The form in which it is written down.
pub const VERSION: u32 = 1;
/// Most characters of words that are written down.
const WORDS: usize = 500;

/// One of the two copies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Copy {
    /// Its lane in the route.
    pub lane: String,
    /// Its pipeline.
    pub pipeline: String,
}

/// What the route's spec wants of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// How long the new copy must have been well before it gets the traffic, in milliseconds.
    pub healthy_for_ms: i64,
    /// Longest time for each step but baking, in milliseconds.
    pub patience_ms: i64,
    /// How long the old copy is kept running after the flip, in milliseconds.
    pub bake_ms: i64,
    /// Whether the old copy is stopped in the end.
    pub retires: bool,
    /// Whether the lanes' outputs can be compared.
    pub compares: bool,
    /// Whether both copies read everything anyway, because the route selects by windows: nothing is shadowed then.
    #[serde(default)]
    pub selects: bool,
}

/// A rollout as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rollout {
    /// Form of this record.
    pub version: u32,
    /// The route.
    pub route: String,
    /// The copy that is to have the traffic.
    pub new: Copy,
    /// The copy that has it before.
    pub old: Copy,
    /// How far it is.
    pub stage: Stage,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// When it began, milliseconds since 1970.
    pub began_ms: i64,
    /// Who began it.
    pub by: String,
    /// Whether the new copy ran before: then going back leaves it running.
    pub ran_before: bool,
    /// The number of the control record by which the new copy gets the traffic; `None` before it was asked for.
    pub epoch: Option<u64>,
    /// What the spec wants.
    pub rules: Rules,
    /// What was said last.
    pub words: String,
}

/// How a copy's objects stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// As they should, running.
    Runs,
    /// On their way, to running or to a standstill.
    OnItsWay(String),
    /// Stopped.
    Stopped,
    /// They will not run by themselves.
    Stuck(String),
}

/// What is seen of the world.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the controller says; `None` when none leads now.
    pub status: Option<&'a Status>,
    /// What became of the route's flips.
    pub receipts: &'a [Receipt],
    /// The new copy.
    pub new: &'a Run,
    /// The old copy.
    pub old: &'a Run,
}

/// What happens to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The new copy is started.
    StartNew,
    /// The new copy is stopped.
    StopNew,
    /// The old copy is started.
    StartOld,
    /// The old copy is stopped.
    StopOld,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing, for these reasons; look again soon.
    Wait(String),
    /// The step is done: another one begins. What is to be said of the one that ended.
    Enter(Stage, String),
    /// A pipeline is started or stopped; then this step begins.
    Make(Deed, Stage),
    /// The controller is asked.
    Ask(Verb),
    /// The flip has this number.
    Follow(u64),
    /// It stops here. The same again goes on, and so does going back.
    Fail(String),
}

impl Rollout {
    /// Begins one.
    #[must_use]
    pub fn begin(route: &str, (new, old): (Copy, Copy), rules: Rules, (by, now): (&str, Time)) -> Self {
        Self {
            version: VERSION,
            route: route.to_owned(),
            new,
            old,
            stage: Stage::Deploy,
            since_ms: now.timestamp_millis(),
            began_ms: now.timestamp_millis(),
            by: by.to_owned(),
            ran_before: false,
            epoch: None,
            rules,
            words: String::new(),
        }
    }

    /// Another step begins.
    pub fn enter(&mut self, stage: Stage, words: &str, now: Time) {
        self.stage = stage;
        self.since_ms = now.timestamp_millis();
        self.words = words.chars().take(WORDS).collect();
    }

    /// Goes back from wherever it is.
    ///
    /// # Errors
    /// When there is nothing to go back to.
    pub fn abort(&mut self, why: &str, now: Time) -> Result<(), String> {
        let stage = match self.stage {
            Stage::Deploy | Stage::WarmUp | Stage::Compare | Stage::Unshadow => Stage::StopNew,
            Stage::Flip | Stage::Bake => Stage::FlipBack,
            Stage::Retire | Stage::Release => Stage::Restore,
            Stage::Done => {
                let Self { old, new, .. } = self;
                return Err(format!("{} is out: roll out {} to go back", new.pipeline, old.pipeline));
            }
            _ => return Ok(()),
        };
        self.enter(stage, why, now);
        Ok(())
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self, seen: &Seen<'_>, now: Time) -> Move {
        let next = match self.stage {
            Stage::Deploy => Move::Make(Deed::StartNew, Stage::WarmUp),
            Stage::WarmUp => self.warm_up(seen),
            Stage::Compare => self.compare(seen),
            Stage::Unshadow => unshadow(seen).unwrap_or_else(|| Move::Enter(Stage::Flip, String::new())),
            Stage::Flip => self.flip(seen),
            Stage::Bake => return self.bake(seen, now),
            Stage::Retire => self.retire(seen),
            Stage::Restore => self.restore(seen),
            Stage::FlipBack => self.flip_back(seen),
            Stage::StopNew => self.stop_new(seen),
            Stage::Release => self.release(seen, Stage::Done),
            Stage::ReleaseBack => self.release(seen, Stage::Aborted),
            Stage::Done | Stage::Aborted => Move::Wait("nothing is left to do".to_owned()),
        };
        match next {
            Move::Wait(words) if self.age_ms(now) > self.rules.patience_ms => {
                Move::Fail(format!("after {} s still: {words}", self.rules.patience_ms / 1_000))
            }
            other => other,
        }
    }

    fn age_ms(&self, now: Time) -> i64 {
        now.timestamp_millis().saturating_sub(self.since_ms)
    }

    fn warm_up(&self, seen: &Seen<'_>) -> Move {
        let name = &self.new.pipeline;
        match seen.new {
            Run::Stuck(words) => return Move::Fail(format!("{name}: {words}")),
            Run::OnItsWay(words) => return Move::Wait(format!("{name}: {words}")),
            Run::Stopped => return Move::Wait(format!("{name} is not started yet")),
            Run::Runs => {}
        }
        match well(seen.status, &self.new.lane, self.rules.healthy_for_ms) {
            Ok(words) => Move::Enter(Stage::Compare, words),
            Err(words) => Move::Wait(words),
        }
    }

    fn compare(&self, seen: &Seen<'_>) -> Move {
        if !self.rules.compares {
            let words = "the route's spec has no [compare]: nothing was compared";
            return Move::Enter(Stage::Flip, words.to_owned());
        }
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        if status.flip.is_some() {
            return Move::Wait(under_way(status));
        }
        if status.lane == self.new.lane {
            // The old copy was left while this one was about to be compared.
            return Move::Enter(Stage::Unshadow, format!("{} has the traffic already", self.new.lane));
        }
        if status.shadow.is_none() && !self.rules.selects {
            return Move::Ask(Verb::Shadow);
        }
        match &status.comparison {
            None => Move::Wait("the controller has not compared the lanes yet".to_owned()),
            Some(found) => match found.health {
                Health::Well => Move::Enter(Stage::Unshadow, found.words.clone()),
                Health::Unwell => Move::Fail(format!("the lanes differ: {}", found.words)),
                Health::Unknown => Move::Wait(found.words.clone()),
            },
        }
    }

    fn flip(&self, seen: &Seen<'_>) -> Move {
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        let Some(epoch) = self.epoch else {
            return match &status.flip {
                // It was asked for before, and nobody wrote down that it was.
                Some(flip) if flip.to == self.new.lane => Move::Follow(flip.epoch),
                Some(flip) => Move::Wait(format!("another flip is on its way, to {}", flip.to)),
                None if status.lane == self.new.lane => {
                    let last = seen.receipts.iter().rev().find(|receipt| receipt.to == self.new.lane);
                    last.map_or_else(
                        || Move::Enter(Stage::Bake, format!("{} has the traffic already", self.new.lane)),
                        |receipt| Move::Follow(receipt.epoch),
                    )
                }
                None => Move::Ask(Verb::Flip { to: self.new.lane.clone() }),
            };
        };
        match seen.receipts.iter().find(|receipt| receipt.epoch == epoch) {
            Some(receipt) => judge(receipt),
            None => Move::Wait(under_way(status)),
        }
    }

    fn bake(&self, seen: &Seen<'_>, now: Time) -> Move {
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        let (new, old) = (&self.new, &self.old);
        if status.lane != new.lane || status.flip.is_some() {
            return Move::Fail(format!(
                "the route went back to {} by control record {}; {} still runs, and has the traffic",
                status.lane, status.epoch, old.pipeline
            ));
        }
        if let Err(words) = well(Some(status), &new.lane, 0) {
            // Counted from the last moment at which it was not well.
            return match self.age_ms(now) {
                ..1_000 => Move::Wait(words),
                _ => Move::Enter(Stage::Bake, format!("{words}; the time begins anew")),
            };
        }
        let left = (self.rules.bake_ms - self.age_ms(now)).max(0);
        if left > 0 {
            let minutes = left.div_euclid(60_000);
            let left = if minutes > 0 { format!("{minutes} min") } else { "less than a minute".to_owned() };
            return Move::Wait(format!("{} is well; {} is kept for {left} more", new.pipeline, old.pipeline));
        }
        Move::Enter(Stage::Retire, format!("{} was well for {} s", new.pipeline, self.rules.bake_ms / 1_000))
    }

    fn retire(&self, seen: &Seen<'_>) -> Move {
        if !self.rules.retires {
            return Move::Enter(Stage::Done, format!("{} is kept running, as the spec says", self.old.pipeline));
        }
        if *seen.old == Run::Stopped {
            return Move::Enter(Stage::Release, format!("{} is stopped", self.old.pipeline));
        }
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        if status.lane != self.new.lane || status.flip.is_some() {
            return Move::Fail(format!("{} has the traffic again: it is not stopped", self.old.pipeline));
        }
        match well(Some(status), &self.new.lane, 0) {
            // Between this look and the standstill nothing may give the old copy the traffic back.
            Ok(_) if status.hold.is_none() => Move::Ask(Verb::Hold),
            Ok(_) => Move::Make(Deed::StopOld, Stage::Release),
            Err(words) => Move::Wait(words),
        }
    }

    fn release(&self, seen: &Seen<'_>, then: Stage) -> Move {
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        match &status.hold {
            Some(hold) if hold.why == self.why() && status.flip.is_none() => Move::Ask(Verb::Release),
            Some(hold) if hold.why == self.why() => Move::Wait(under_way(status)),
            _ => Move::Enter(then, String::new()),
        }
    }

    /// Why the route is asked for something; it also tells its own hold from somebody else's.
    #[must_use]
    pub fn why(&self) -> String {
        format!("rollout of {}", self.new.pipeline)
    }
}

/// What is left to do until the other lane gets no records; nothing, when no partition goes to both any more.
fn unshadow(seen: &Seen<'_>) -> Option<Move> {
    let Some(status) = seen.status else { return Some(Move::Wait(NOBODY.to_owned())) };
    if status.shadow.is_some() {
        let is_free = status.flip.is_none();
        return Some(if is_free { Move::Ask(Verb::Unshadow) } else { Move::Wait(under_way(status)) });
    }
    let is_open = |partition: &PartitionStatus| partition.epoch.is_none_or(|epoch| epoch < status.epoch);
    let open = status.partitions.iter().filter(|partition| is_open(partition)).count();
    (open > 0).then(|| Move::Wait(format!("{open} partitions may still go to both lanes")))
}

/// Said while no controller leads.
const NOBODY: &str = "no controller of the route leads now";

/// Whether a lane has been well for long enough, and how.
fn well(status: Option<&Status>, lane: &str, for_ms: i64) -> Result<String, String> {
    let status = status.ok_or_else(|| NOBODY.to_owned())?;
    let found = status.lanes.iter().find(|found| found.name == lane);
    let found = found.ok_or_else(|| format!("the controller knows no lane {lane}: has it the same spec?"))?;
    match found.health {
        Health::Well if found.for_ms >= for_ms => Ok(format!("{lane} is well{}", seen_of(found))),
        Health::Well => Err(format!("{lane} is well for {} s of {} s", found.for_ms / 1_000, for_ms / 1_000)),
        health => Err(format!("{lane} is {}{}", health.word(), seen_of(found))),
    }
}

/// The checks that matter: those that failed, or all.
fn seen_of(lane: &LaneStatus) -> String {
    let all = lane.health == Health::Well;
    let told = lane.checks.iter().filter(|check| all || check.health != Health::Well);
    let words: Vec<String> = told.map(|check| format!("{} {}", check.name, check.words)).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) }
}

fn under_way(status: &Status) -> String {
    match &status.flip {
        Some(flip) if flip.acknowledged < flip.partitions => {
            format!("{} of {} partitions have changed", flip.acknowledged, flip.partitions)
        }
        Some(flip) => format!("all {} partitions have changed; the records are compared", flip.partitions),
        None => "the receipt is not there yet".to_owned(),
    }
}

/// Whether a flip went as it was promised.
fn judge(receipt: &Receipt) -> Move {
    let audit = &receipt.audit;
    let (lost, duplicated, reordered) = (audit.lost, audit.duplicated, audit.reordered);
    let of = audit.unmeasured.as_ref().map_or_else(
        || format!("{lost} lost, {duplicated} duplicated, {reordered} reordered of {} compared", audit.compared),
        |why| format!("not measured: {why}"),
    );
    let words = format!("control record {}, gap {} ms, {of}", receipt.epoch, receipt.gap_ms);
    if let Some(other) = receipt.overtaken_by {
        return Move::Fail(format!("{words}; it was overtaken by control record {other}"));
    }
    if lost + duplicated + reordered > 0 {
        return Move::Fail(words);
    }
    Move::Enter(Stage::Bake, words)
}

#[cfg(test)]
mod tests;
