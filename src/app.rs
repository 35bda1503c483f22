//! The console's state and how events change it: no IO, no clock.
//!
//! [`update`] takes one event in and says what has to be done outside, as data. Screens are a stack,
//! layers (help, filter, palette) lie over it. Whether anything visible changed is noted, so that the
//! loop draws only then.

pub mod input;
pub mod layout;
pub mod overview;
pub mod pipelines;
pub mod screen;
pub mod standing;
pub mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use crossterm::event::KeyEvent;

use self::input::Input;
use self::overview::Overview;
use self::pipelines::Pipelines;
use self::screen::{Cause, Outcome, Part, Screen, Touched, World};
use crate::action::{Action, Place};
use crate::event::{DocumentKey, Event, Notice};
use crate::keymap::Keymap;
use crate::model::Time;
use crate::model::change::Change;
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;

/// A notice stays for so long, in seconds.
const NOTICE_SECONDS: i64 = 6;

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Give the terminal back and stop, until `fg`.
    Suspend,
    /// Put a text on the clipboard of the user's terminal (OSC 52).
    Copy(String),
    /// Fetch a document; it comes back as [`Event::Fetched`].
    Fetch(DocumentKey),
    /// Ring the terminal's bell: a pipeline has started to fail.
    RingBell,
}

/// How the console starts.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Now.
    pub now: Time,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

/// A layer over the screen.
#[derive(Debug)]
pub enum Layer {
    /// A filter is typed: the line, and the filter that was there before.
    Filter(Input, String),
}

/// All that the console knows and shows.
#[derive(Debug)]
pub struct State {
    inventory: Inventory,
    overview: Overview,
    keymap: Keymap,
    root: Screen,
    above: Vec<Screen>,
    layer: Option<Layer>,
    notice: Option<(Notice, Time)>,
    size: (u16, u16),
    now: Time,
    retry: BTreeSet<Arc<str>>,
    dirty: bool,
}

impl State {
    /// A console that knows nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            inventory: Inventory::default(),
            overview: Overview::default(),
            keymap: Keymap::default(),
            root: Screen::Pipelines(Pipelines::default()),
            above: Vec::new(),
            layer: None,
            notice: None,
            size: options.size,
            now: options.now,
            retry: BTreeSet::new(),
            dirty: true,
        }
    }

    /// All that is known of the world.
    #[must_use]
    pub const fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Rows of all pipelines.
    #[must_use]
    pub const fn overview(&self) -> &Overview {
        &self.overview
    }

    /// The time of the last tick.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Columns and rows of the terminal.
    #[must_use]
    pub const fn size(&self) -> (u16, u16) {
        self.size
    }

    /// The screen in front.
    #[must_use]
    pub fn screen(&self) -> &Screen {
        self.above.last().unwrap_or(&self.root)
    }

    /// The layer over it.
    #[must_use]
    pub const fn layer(&self) -> Option<&Layer> {
        self.layer.as_ref()
    }

    /// What was said last.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref().map(|(notice, _)| notice)
    }

    /// Where keys are looked up now.
    #[must_use]
    pub fn place(&self) -> Place {
        match &self.layer {
            Some(Layer::Filter(..)) => Place::Filter,
            None => self.screen().part().place(),
        }
    }

    /// Whether an intent would do something now.
    #[must_use]
    pub fn offers(&self, action: Action) -> bool {
        self.screen().part().offers(action, &self.world())
    }

    /// How many rows pass the filter, when there is one.
    #[must_use]
    pub fn filtered(&self) -> Option<usize> {
        let part = self.screen().part();
        (!part.filter().is_empty()).then(|| part.rows_shown())
    }

    /// What the backends should be asked for: what is on screen.
    #[must_use]
    pub fn interest(&self) -> Interest {
        let mut interest = Interest { retry: self.retry.clone(), ..Interest::default() };
        self.screen().part().interest(&self.world(), &mut interest);
        interest
    }

    /// Whether anything visible changed since it was drawn.
    #[must_use]
    pub const fn needs_draw(&self) -> bool {
        self.dirty
    }

    /// Notes that what there is has been drawn.
    pub const fn drawn(&mut self) {
        self.dirty = false;
    }

    /// What screens look at.
    #[must_use]
    pub const fn world(&self) -> World<'_> {
        World { inventory: &self.inventory, overview: &self.overview, now: self.now, size: self.size }
    }

    /// Lets the screen in front look again.
    fn refresh(&mut self, cause: &Cause<'_>) {
        let world = World { inventory: &self.inventory, overview: &self.overview, now: self.now, size: self.size };
        let changed = self.above.last_mut().unwrap_or(&mut self.root).part_mut().refresh(&world, cause);
        self.dirty |= changed;
    }

    fn act(&mut self, action: Action) -> Outcome {
        let world = World { inventory: &self.inventory, overview: &self.overview, now: self.now, size: self.size };
        self.above.last_mut().unwrap_or(&mut self.root).part_mut().act(action, &world)
    }

    fn part_mut(&mut self) -> &mut dyn Part {
        self.above.last_mut().unwrap_or(&mut self.root).part_mut()
    }

    fn say(&mut self, notice: Notice) {
        self.notice = Some((notice, self.now));
        self.dirty = true;
    }
}

/// Takes one event in; says what has to be done outside.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) => return pressed(state, &key),
        Event::Paste(text) => pasted(state, &text),
        Event::Resized(columns, rows) => {
            state.size = (columns, rows);
            state.dirty = true;
            state.refresh(&Cause::Shown);
        }
        Event::Ticked(now) => ticked(state, now),
        Event::Changed(changes) => return changed(state, changes),
        Event::Fetched(..) => {}
        Event::Noticed(notice) => state.say(notice),
        Event::Resumed => state.dirty = true,
        Event::Terminated => return vec![Effect::Quit],
    }
    Vec::new()
}

fn ticked(state: &mut State, now: Time) {
    let second = now.timestamp() != state.now.timestamp();
    state.now = now;
    if !second {
        return;
    }
    state.dirty = true;
    state.retry.clear();
    if state.notice.as_ref().is_some_and(|(_, at)| (now - *at).num_seconds() >= NOTICE_SECONDS) {
        state.notice = None;
    }
    state.overview.second_passed(&state.inventory, now);
    state.refresh(&Cause::Second);
}

fn changed(state: &mut State, changes: Vec<Change>) -> Vec<Effect> {
    let failing = state.overview.counts().failing;
    let mut touched = Touched::default();
    for change in changes {
        touched.note(&change);
        state.inventory.apply(change);
    }
    touched.pipelines = state.inventory.take_dirty();
    if touched.environments {
        state.dirty |= state.overview.environments_changed(&state.inventory);
    }
    state.overview.pipelines_changed(&state.inventory, &touched.pipelines, state.now);
    state.refresh(&Cause::Changed(&touched));
    let settled = state.overview.standings().iter().all(|(_, standing)| !standing.is_pending());
    if settled && state.overview.counts().failing > failing { vec![Effect::RingBell] } else { Vec::new() }
}

fn pasted(state: &mut State, text: &str) {
    if let Some(Layer::Filter(input, _)) = &mut state.layer {
        input.insert(text);
        let filter = input.text();
        state.part_mut().set_filter(&filter);
        state.dirty = true;
    }
}

fn pressed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    let place = state.place();
    match state.keymap.action(place, key) {
        Some(Action::Quit) => vec![Effect::Quit],
        Some(Action::Suspend) => vec![Effect::Suspend],
        Some(action) if place == Place::Filter => {
            filter_action(state, action);
            Vec::new()
        }
        Some(action) => perform(state, action),
        None => {
            typed(state, key);
            Vec::new()
        }
    }
}

fn typed(state: &mut State, key: &KeyEvent) {
    if let Some(Layer::Filter(input, _)) = &mut state.layer
        && input.press(key)
    {
        let filter = input.text();
        state.part_mut().set_filter(&filter);
        state.dirty = true;
    }
}

fn filter_action(state: &mut State, action: Action) {
    match (action, state.layer.take()) {
        (Action::Accept, _) => {}
        (Action::Back, Some(Layer::Filter(_, before))) => state.part_mut().set_filter(&before),
        (other, layer) => {
            state.layer = layer;
            drop(state.act(other));
        }
    }
    state.dirty = true;
}

fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Filter => {
            let before = state.screen().part().filter().to_owned();
            state.layer = Some(Layer::Filter(Input::new(&before), before));
            state.dirty = true;
        }
        Action::Back => {
            if state.screen().part().filter().is_empty() {
                state.dirty |= state.above.pop().is_some();
                state.refresh(&Cause::Shown);
            } else {
                state.part_mut().set_filter("");
                state.dirty = true;
            }
        }
        Action::Retry => {
            state.retry = state.inventory.environments().map(|it| it.name.clone()).collect();
            state.say(Notice::Done("asking the backends again".into()));
        }
        other => {
            let outcome = state.act(other);
            return concluded(state, outcome);
        }
    }
    Vec::new()
}

fn concluded(state: &mut State, outcome: Outcome) -> Vec<Effect> {
    match outcome {
        Outcome::Ignored => return Vec::new(),
        Outcome::Done => {}
        Outcome::Open(screen) => {
            state.above.push(screen);
            state.refresh(&Cause::Shown);
        }
        Outcome::Copy(text) => {
            state.say(Notice::Done(format!("copied {text}").into()));
            return vec![Effect::Copy(text)];
        }
        Outcome::Effect(effect) => {
            state.dirty = true;
            return vec![effect];
        }
        Outcome::Say(notice) => state.say(notice),
    }
    state.dirty = true;
    Vec::new()
}
