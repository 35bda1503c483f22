//! A deployment without downtime, done: the loop around [`crate::plan::rollout`].
//!
//! It looks at the route and at both copies, makes the one move that is next, writes down how far it is, and looks again.
//! How far it is lies in a ConfigMap of the namespace ([`ledger`]), so that whoever asks again goes on there, and two at
//! once find out. Starts and stops are changes like any other, with their dry run, their guard and their audit line.
//!
//! It must not decide what comes next.

mod ledger;
mod way;

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use self::ledger::Ledger;
pub use self::way::Way;
use super::change::{self, Steps, Wish, tell};
use super::desk::{DeployError, Desk, Entry};
use super::order::{self, Order};
use super::wait::{Standing, standing};
use crate::plan::audit::Outcome;
use crate::plan::guard::Consent;
use crate::plan::intent::Ask;
use crate::plan::object::{Id, Kind};
use crate::plan::rollout::{Copy, Deed, Move, Rollout, Rules, Run, Seen, Stage};
use crate::plan::verb::Verb;
use crate::plan::wish::Touch;
use crate::source::kube::change::Ownership;

/// Between two looks.
const PACE: Duration = Duration::from_secs(1);

/// What starting or taking back a rollout means for the copy that is named, to be shown before anybody agrees.
///
/// # Errors
/// When no route leads to the pipeline, or there is nothing to take back.
pub async fn wish(desk: &Desk, pipeline: &str, order: &Order) -> Result<Wish, DeployError> {
    let way = Way::to(desk, pipeline)?;
    let ledger = Ledger::open(desk, &way).await?;
    let under_way = ledger.rollout.as_ref().filter(|it| !it.stage.is_over());
    if let Some(other) = under_way.filter(|it| it.new != way.new) {
        return Err(busy(other));
    }
    let mut wish = match (order.verb, under_way) {
        (Verb::AbortRollout, None) => {
            return Err(DeployError::NotFound(format!("no rollout of {pipeline} is under way")));
        }
        (Verb::AbortRollout, Some(rollout)) if !rollout.ran_before => {
            order::touch(desk, pipeline, Touch::Stop, order).await?
        }
        (_, Some(rollout)) if rollout.stage.goes_back() || order.verb == Verb::AbortRollout => {
            Wish::of(pipeline, Vec::new(), order)
        }
        (_, under_way) => {
            if under_way.is_none() {
                begin(desk, &way).await?;
            }
            order::touch(desk, pipeline, Touch::Start, order).await?
        }
    };
    // There is more to do than what differs there.
    wish.resumes = true;
    Ok(wish)
}

fn busy(other: &Rollout) -> DeployError {
    let (name, stage, by) = (&other.new.pipeline, other.stage.word(), &other.by);
    DeployError::Overtaken(format!(
        "a rollout of {name} by {by} is under way ({stage}): finish it, or take it back with --abort"
    ))
}

/// How far the last rollout through the route of a pipeline is.
///
/// # Errors
/// When no route leads to the pipeline, or the record cannot be read.
pub async fn status(desk: &Desk, pipeline: &str) -> Result<Option<Rollout>, DeployError> {
    Ok(Ledger::open(desk, &Way::to(desk, pipeline)?).await?.rollout)
}

/// Begins a rollout, or goes on with one, or takes it back, until it is over.
///
/// # Errors
/// When a step fails: what was done stays, the same again goes on, and so does taking it back.
pub async fn go(
    desk: &Desk,
    (pipeline, ask): (&str, &Ask),
    consent: &Consent,
    steps: &Steps,
) -> Result<Rollout, DeployError> {
    let way = Way::to(desk, pipeline)?;
    let mut ledger = Ledger::open(desk, &way).await?;
    let now = chrono::Utc::now();
    let kept = ledger.rollout.take().filter(|it| !it.stage.is_over());
    let mut rollout = match kept {
        Some(other) if other.new != way.new => return Err(busy(&other)),
        Some(mut rollout) => {
            tell(steps, "go on", format!("{}: {}", rollout.stage.word(), rollout.words)).await;
            // The time for a step is counted anew; that of baking is not.
            if rollout.stage != Stage::Bake {
                rollout.since_ms = now.timestamp_millis();
            }
            rollout
        }
        None if *ask == Ask::AbortRollout => {
            return Err(DeployError::NotFound(format!("no rollout of {pipeline} is under way")));
        }
        None => begin(desk, &way).await?,
    };
    if *ask == Ask::AbortRollout {
        rollout.abort("somebody took it back", now).map_err(DeployError::Refused)?;
    }
    ledger.keep(desk, &rollout).await?;
    let entry = || Entry { pipeline: &way.new.pipeline, verb: ask.verb(), revision: None, changes: Vec::new() };
    desk.note(entry(), Outcome::Began, rollout.stage.word())?;
    let walk = Walk { desk, way: &way, consent, steps };
    match walk.on(&mut ledger, &mut rollout).await {
        Ok(()) => desk.note(entry(), Outcome::Done, rollout.stage.word())?,
        Err(error) => {
            desk.note(entry(), Outcome::Failed, &format!("{}: {error}", rollout.stage.word()))?;
            return Err(error);
        }
    }
    Ok(rollout)
}

/// A new one, if the copy has not the traffic already.
async fn begin(desk: &Desk, way: &Way) -> Result<Rollout, DeployError> {
    let (status, _) = way.look(false).await?;
    if status.as_ref().is_some_and(|status| status.lane == way.new.lane) {
        let words = format!("{} has the traffic already: name {} to change over", way.new.pipeline, way.old.pipeline);
        return Err(DeployError::Refused(words));
    }
    let copies = (way.new.clone(), way.old.clone());
    let mut rollout = Rollout::begin(&way.spec.name, copies, way.rules(), (&desk.by, chrono::Utc::now()));
    rollout.ran_before = run(desk, &way.new).await? == Run::Runs;
    Ok(rollout)
}

/// How a copy's objects stand, together.
async fn run(desk: &Desk, copy: &Copy) -> Result<Run, DeployError> {
    let name = copy.pipeline.to_lowercase();
    let mut objects = desk.managed(&name).await?;
    if objects.is_empty() {
        objects = desk.found(&copy.pipeline).await?;
    }
    let standings = objects.iter().filter_map(|(id, object)| Some((id, object, standing(object)?)));
    let (mut on_its_way, mut stopped) = (None, false);
    for (id, object, standing) in standings {
        match standing {
            Standing::Stuck(words) => return Ok(Run::Stuck(format!("{id}: {words}"))),
            Standing::OnItsWay(words) => on_its_way = Some(format!("{id}: {words}")),
            Standing::Reached(_) => stopped |= is_stopped(id, object),
        }
    }
    Ok(match (on_its_way, stopped) {
        (Some(words), _) => Run::OnItsWay(words),
        (None, true) => Run::Stopped,
        (None, false) => Run::Runs,
    })
}

fn is_stopped(id: &Id, object: &Value) -> bool {
    match id.kind {
        Kind::FlinkDeployment => object.pointer("/spec/job/state").and_then(Value::as_str) == Some("suspended"),
        _ => object.pointer("/spec/replicas").and_then(Value::as_i64) == Some(0),
    }
}

/// What it takes to go on.
struct Walk<'a> {
    desk: &'a Desk,
    way: &'a Way,
    consent: &'a Consent,
    steps: &'a Steps,
}

impl Walk<'_> {
    async fn on(&self, ledger: &mut Ledger, rollout: &mut Rollout) -> Result<(), DeployError> {
        let mut said = String::new();
        while !rollout.stage.is_over() {
            let next = self.next(rollout).await?;
            match next {
                Move::Wait(words) => {
                    if words != said {
                        tell(self.steps, rollout.stage.word(), words.as_str()).await;
                        said = words;
                    }
                    sleep(PACE).await;
                }
                Move::Enter(stage, words) => {
                    tell(self.steps, rollout.stage.word(), words.as_str()).await;
                    rollout.enter(stage, &words, chrono::Utc::now());
                    ledger.keep(self.desk, rollout).await?;
                }
                Move::Make(deed, then) => {
                    // Not by what somebody else has taken over meanwhile.
                    ledger.keep(self.desk, rollout).await?;
                    self.make(deed, rollout).await?;
                    if then != rollout.stage {
                        rollout.enter(then, "", chrono::Utc::now());
                        ledger.keep(self.desk, rollout).await?;
                    }
                }
                Move::Ask(verb) => {
                    let epoch = self.ask(verb, rollout).await?;
                    if rollout.stage == Stage::Flip {
                        rollout.epoch = epoch;
                        ledger.keep(self.desk, rollout).await?;
                    }
                }
                Move::Follow(epoch) => {
                    rollout.epoch = Some(epoch);
                    ledger.keep(self.desk, rollout).await?;
                }
                Move::Fail(words) => return Err(DeployError::Failed(format!("{}: {words}", rollout.stage.word()))),
            }
        }
        let words = if rollout.stage == Stage::Done {
            format!("{} has the traffic", rollout.new.pipeline)
        } else {
            format!("{} has the traffic, as before", rollout.old.pipeline)
        };
        tell(self.steps, rollout.stage.word(), words).await;
        Ok(())
    }

    async fn next(&self, rollout: &Rollout) -> Result<Move, DeployError> {
        let (status, receipts) = self.way.look(rollout.stage == Stage::Flip).await?;
        let (new, old) = (run(self.desk, &rollout.new).await?, run(self.desk, &rollout.old).await?);
        let seen = Seen { status: status.as_ref(), receipts: &receipts, new: &new, old: &old };
        Ok(rollout.next(&seen, chrono::Utc::now()))
    }

    /// Starts or stops a copy.
    async fn make(&self, deed: Deed, rollout: &Rollout) -> Result<(), DeployError> {
        let (copy, verb, touch) = match deed {
            Deed::StartNew => (&rollout.new, Verb::Deploy, Touch::Start),
            Deed::StopNew => (&rollout.new, Verb::Stop, Touch::Stop),
            Deed::StartOld => (&rollout.old, Verb::Deploy, Touch::Start),
            Deed::StopOld => (&rollout.old, Verb::Stop, Touch::Stop),
        };
        let order = Order { verb, note: rollout.why(), ownership: Ownership::Respect, now: chrono::Utc::now() };
        let wish = order::touch(self.desk, &copy.pipeline, touch, &order).await?;
        // Whoever named one copy has agreed to what the rollout does to the other.
        let typed = self.consent.typed.as_ref().map(|_| wish.pipeline.clone());
        let consent = Consent { typed, ..self.consent.clone() };
        let prepared = change::prepare(self.desk, wish, &consent).await?;
        if !prepared.proposal.is_possible() {
            let words = prepared.proposal.reasons().join("; ");
            change::refuse(self.desk, &prepared, &words)?;
            return Err(DeployError::Refused(format!("{} {}: {words}", verb.word(), copy.pipeline)));
        }
        if prepared.proposal.is_empty() {
            tell(self.steps, format!("{} {}", verb.word(), copy.pipeline), "it is so already").await;
            return Ok(());
        }
        change::make(self.desk, &prepared, self.steps).await
    }

    /// Asks the controller; answers the number of what it wrote.
    async fn ask(
        &self,
        verb: crate::model::route::record::Verb,
        rollout: &Rollout,
    ) -> Result<Option<u64>, DeployError> {
        let why = rollout.why();
        let is_abort = verb == crate::model::route::record::Verb::Abort;
        let answer = self.way.ask(verb, (&self.desk.by, &why)).await?;
        tell(self.steps, rollout.stage.word(), answer.words.as_str()).await;
        if answer.accepted {
            return Ok(answer.epoch);
        }
        if is_abort {
            // The flip was over before the wish was heard: the next look shows it, and what follows from that.
            sleep(PACE).await;
            return Ok(None);
        }
        Err(DeployError::Refused(format!("{}: the controller refuses: {}", rollout.stage.word(), answer.words)))
    }
}

impl Way {
    fn rules(&self) -> Rules {
        let rules = &self.spec.rollout;
        Rules {
            healthy_for_ms: self.spec.guard.healthy_for.millis(),
            patience_ms: rules.patience.millis(),
            bake_ms: rules.bake.millis(),
            retires: rules.retire,
            compares: self.spec.compare.is_some(),
            selects: self.spec.mode == crate::router::spec::Mode::Select,
        }
    }
}
