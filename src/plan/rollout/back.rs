//! The way back: the old copy runs, then has the traffic, and only then is the new one stopped.

use super::{Deed, Move, NOBODY, Rollout, Run, Seen, Stage, under_way, unshadow, well};
use crate::model::route::record::Verb;

impl Rollout {
    /// The old copy was stopped, or is about to be.
    pub(super) fn restore(&self, seen: &Seen<'_>) -> Move {
        let name = &self.old.pipeline;
        match seen.old {
            Run::Stopped => return Move::Make(Deed::StartOld, Stage::Restore),
            Run::OnItsWay(words) => return Move::Wait(format!("{name}: {words}")),
            Run::Stuck(words) => return Move::Fail(format!("{name}: {words}")),
            Run::Runs => {}
        }
        match well(seen.status, &self.old.lane, self.rules.healthy_for_ms) {
            Ok(words) => Move::Enter(Stage::FlipBack, words),
            Err(words) => Move::Wait(words),
        }
    }

    pub(super) fn flip_back(&self, seen: &Seen<'_>) -> Move {
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        match &status.flip {
            // Where the route selects, windows are given away at once: it is flipped back when it is done.
            Some(flip) if flip.to == self.new.lane && !self.rules.selects => Move::Ask(Verb::Abort),
            Some(_) => Move::Wait(under_way(status)),
            None if status.lane == self.old.lane => {
                Move::Enter(Stage::StopNew, format!("{} has the traffic", self.old.pipeline))
            }
            None => match well(Some(status), &self.old.lane, self.rules.healthy_for_ms) {
                // It was compared before it had the traffic, and is well: nothing else is asked of it.
                Ok(_) => Move::Ask(Verb::Force { to: self.old.lane.clone() }),
                Err(words) => Move::Wait(format!("{words}; flowdeck router force flips all the same")),
            },
        }
    }

    pub(super) fn stop_new(&self, seen: &Seen<'_>) -> Move {
        let name = &self.new.pipeline;
        if let Some(Move::Ask(verb)) = unshadow(seen) {
            return Move::Ask(verb);
        }
        if self.ran_before {
            return Move::Enter(Stage::ReleaseBack, format!("{name} ran before, and still does"));
        }
        let Some(status) = seen.status else { return Move::Wait(NOBODY.to_owned()) };
        if status.lane == self.new.lane || status.flip.as_ref().is_some_and(|flip| flip.to == self.new.lane) {
            return Move::Enter(Stage::FlipBack, format!("{name} has the traffic: it is not stopped yet"));
        }
        if status.flip.is_some() {
            return Move::Wait(under_way(status));
        }
        if *seen.new == Run::Stopped {
            return Move::Enter(Stage::ReleaseBack, format!("{name} is stopped"));
        }
        // Between this look and the standstill nothing may give the new copy the traffic.
        if status.hold.is_none() { Move::Ask(Verb::Hold) } else { Move::Make(Deed::StopNew, Stage::ReleaseBack) }
    }
}
