//! One route: its lanes side by side, the flip on its way, what became of the flips before, and what may be asked of it.
//!
//! The controller decides; this screen shows what it says and hands it what somebody wants, after a [`Dialog`]. Ages run
//! on by the console's clock from what the status said, so that a controller that fell silent is seen to be.

pub mod dialog;
pub mod receipts;

use std::sync::Arc;

use crossterm::event::KeyEvent;

use self::dialog::{Dialog, Given};
use self::receipts::ReceiptRow;
use super::Effect;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::Table;
use crate::action::{Action, Place};
use crate::model::Time;
use crate::model::environment::Protection;
use crate::model::interest::Interest;
use crate::model::key::{KafkaKey, PipelineKey};
use crate::model::route::record::Verb;
use crate::model::route::{Granted, Route, Wish};

/// Lines above the receipts: title, state, clock, lanes, flip, and what is between them.
pub const HEAD: u16 = 15;
/// An answer stands for so long, in seconds.
const ANSWER_SECONDS: i64 = 30;
/// Said when nothing can be asked yet.
const NOBODY_LEADS: &str = "no controller has said how the route stands: start one with flowdeck router controller";
const READ_ONLY: &str = "this environment is read-only by its settings";
const NO_FLIP: &str = "no flip is on its way that could be taken back";

/// What was asked last, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What was asked, in words.
    pub words: String,
    /// When.
    pub at: Time,
    /// The answer; `None` while the controller has not given one.
    pub granted: Option<Granted>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct RouteScreen {
    key: Option<KafkaKey>,
    /// The route; `None` without any.
    pub route: Option<Arc<Route>>,
    /// Which of how many routes, from 1.
    pub number: (usize, usize),
    /// Its receipts, the newest first.
    pub table: Table<ReceiptRow>,
    /// What is about to be asked.
    pub dialog: Option<Dialog>,
    /// What was asked last.
    pub asked: Option<Asked>,
}

impl RouteScreen {
    /// Opens one route.
    #[must_use]
    pub fn open(key: KafkaKey) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// Lines of the parts.
    #[must_use]
    pub const fn layout(size: (u16, u16)) -> Layout {
        Layout::new(size, HEAD, 0)
    }

    /// The controller has answered, or nobody has.
    pub fn granted(&mut self, key: &KafkaKey, granted: &Granted, now: Time) -> bool {
        let Some(asked) = self.asked.as_mut().filter(|_| self.key.as_ref() == Some(key)) else { return false };
        (asked.granted, asked.at) = (Some(granted.clone()), now);
        true
    }

    fn look(&mut self, world: &World<'_>) {
        let layout = Self::layout(world.size);
        self.table.fit(layout.width, layout.list());
        let routes: Vec<&Arc<Route>> = world.inventory.routes().collect();
        let chosen = self.key.as_ref().and_then(|key| routes.iter().position(|route| route.key == *key));
        // Until somebody chooses, the one that is in trouble is in front.
        let place = chosen.or_else(|| routes.iter().position(|route| route.is_troubled(world.now)));
        let place = place.unwrap_or(0);
        self.number = (place + 1, routes.len());
        self.route = routes.get(place).map(|route| Arc::clone(route));
        self.key = self.route.as_ref().map(|route| route.key.clone());
        let receipts = self.route.iter().flat_map(|route| route.receipts.iter());
        self.table.set_rows(receipts.map(|receipt| ReceiptRow(receipt.clone())).collect());
        let is_over = |asked: &Asked| (world.now - asked.at).num_seconds() > ANSWER_SECONDS;
        self.asked.take_if(|asked| asked.granted.is_some() && is_over(asked));
    }

    fn choose(&mut self, step: usize, world: &World<'_>) -> Outcome {
        let (number, count) = self.number;
        if count < 2 {
            return Outcome::Ignored;
        }
        let next = (number - 1 + step) % count;
        self.key = world.inventory.routes().nth(next).map(|route| route.key.clone());
        (self.asked, self.table) = (None, Table::default());
        self.look(world);
        Outcome::Done
    }

    fn protection(&self, world: &World<'_>) -> Protection {
        let environment = self.key.as_ref().and_then(|key| world.inventory.environment(&key.environment));
        environment.map_or(Protection::Protected, |environment| environment.protection)
    }

    /// What an intent would ask of the controller, or why it cannot.
    fn verb(&self, action: Action) -> Result<Verb, &'static str> {
        let status = self.route.as_ref().and_then(|route| route.status.as_ref()).ok_or(NOBODY_LEADS)?;
        let other = || self.route.as_ref().and_then(|route| route.waiting()).map(str::to_owned).ok_or(NOBODY_LEADS);
        match action {
            Action::ForceFlip => Ok(Verb::Force { to: other()? }),
            Action::AbortFlip if status.flip.is_none() => Err(NO_FLIP),
            Action::AbortFlip => Ok(Verb::Abort),
            Action::HoldRoute if status.hold.is_some() => Ok(Verb::Release),
            Action::HoldRoute => Ok(Verb::Hold),
            _ => Ok(Verb::Flip { to: other()? }),
        }
    }

    fn begin(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let protection = self.protection(world);
        if protection == Protection::ReadOnly {
            return Outcome::Say(READ_ONLY);
        }
        match (self.verb(action), &self.key) {
            (Ok(verb), Some(key)) => {
                let name = (protection == Protection::Protected).then(|| key.environment.clone());
                self.dialog = Some(Dialog::new(verb, name));
                Outcome::Done
            }
            (Err(why), _) => Outcome::Say(why),
            (Ok(_), None) => Outcome::Ignored,
        }
    }

    fn answer(&mut self, action: Action, now: Time) -> Outcome {
        let (Some(dialog), Some(key)) = (&mut self.dialog, &self.key) else { return Outcome::Ignored };
        match action {
            Action::Back => {
                self.dialog = None;
                Outcome::Done
            }
            Action::Complete => Outcome::moved(dialog.next_field()),
            Action::Accept => match dialog.accept() {
                Given::Missing(words) => Outcome::Say(words),
                Given::More => Outcome::Done,
                Given::All { verb, why } => {
                    let words = dialog.title();
                    self.asked = Some(Asked { words, at: now, granted: None });
                    self.dialog = None;
                    Outcome::Effect(Effect::Wish(Wish { route: key.clone(), verb, why }))
                }
            },
            _ => Outcome::Ignored,
        }
    }
}

/// The route that leads to a pipeline: one of its processors is the group of a lane, or reads a lane's topic.
#[must_use]
pub fn of_pipeline(world: &World<'_>, pipeline: &PipelineKey) -> Option<KafkaKey> {
    let inventory = world.inventory;
    let processors: Vec<_> = inventory.processors_of(pipeline).collect();
    let leads = |route: &&Arc<Route>| {
        let lanes = route.plan.iter().flat_map(|plan| &plan.lanes);
        route.key.environment == pipeline.environment
            && lanes.into_iter().any(|lane| {
                processors.iter().any(|(key, processor)| {
                    let reads = processor.notes().is_some_and(|notes| notes.inputs.contains(&lane.topic));
                    let group = inventory.group_key(key).map(|group| group.name);
                    reads || (group.is_some() && group == lane.group)
                })
            })
    };
    inventory.routes().find(leads).map(|route| route.key.clone())
}

/// Opens the route of a pipeline, if it has one.
#[must_use]
pub fn open_for(world: &World<'_>, pipeline: &PipelineKey) -> Outcome {
    of_pipeline(world, pipeline)
        .map_or(Outcome::Ignored, |key| Outcome::open(Screen::Route(Box::new(RouteScreen::open(key)))))
}

impl Part for RouteScreen {
    fn place(&self) -> Place {
        if self.dialog.is_some() { Place::RouteDialog } else { Place::Route }
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        let concerns = match cause {
            Cause::Changed(touched) => touched.routes || touched.environments,
            Cause::Second | Cause::Shown => true,
        };
        if concerns {
            self.look(world);
        }
        concerns
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        if self.dialog.is_some() {
            return self.answer(action, world.now);
        }
        match action {
            Action::NextPart => self.choose(1, world),
            Action::PreviousPart => self.choose(self.number.1.saturating_sub(1), world),
            Action::Flip | Action::ForceFlip | Action::AbortFlip | Action::HoldRoute => self.begin(action, world),
            Action::Copy => match self.table.selected() {
                Some(row) => Outcome::Copy(row.text()),
                None => Outcome::Ignored,
            },
            other => Outcome::moved(self.table.act(other)),
        }
    }

    fn typed(&mut self, key: &KeyEvent, _world: &World<'_>) -> Outcome {
        self.dialog.as_mut().map_or(Outcome::Ignored, |dialog| Outcome::moved(dialog.input().press(key)))
    }

    fn pasted(&mut self, text: &str, _world: &World<'_>) -> Outcome {
        let Some(dialog) = &mut self.dialog else { return Outcome::Ignored };
        dialog.input().insert(text);
        Outcome::Done
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::NextPart | Action::PreviousPart => self.number.1 > 1,
            Action::Flip | Action::ForceFlip | Action::AbortFlip | Action::HoldRoute => self.verb(action).is_ok(),
            Action::Copy => self.table.selected().is_some(),
            Action::Complete => self.dialog.as_ref().is_some_and(|dialog| dialog.name.is_some()),
            _ => true,
        }
    }

    fn interest(&self, _world: &World<'_>, interest: &mut Interest) {
        interest.routes.extend(self.key.clone());
    }

    fn filter(&self) -> &str {
        self.table.filter()
    }

    fn rows_shown(&self) -> usize {
        self.table.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        self.table.set_filter(filter);
    }
}
