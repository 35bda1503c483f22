//! The console's state and how events change it: no IO, no clock.
//!
//! [`update()`] takes one event in and says what has to be done outside, as data. Screens are a stack,
//! layers (help, filter, palette) lie over it. Whether anything visible changed is noted, so that the
//! loop draws only then.

pub mod author;
pub mod change;
pub mod changes;
pub mod compose;
pub mod document;
pub mod editor;
pub mod environments;
pub mod events;
pub mod exceptions;
pub mod flow;
pub mod group;
pub mod groups;
pub mod help;
pub mod history;
pub mod input;
pub mod job;
pub mod kafka;
pub mod layout;
pub mod logs;
pub mod manage;
pub mod marks;
pub mod operations;
pub mod overview;
pub mod palette;
pub mod pipeline;
pub mod pipelines;
pub mod pod;
pub mod pods;
pub mod question;
pub mod route;
pub mod screen;
pub mod signals;
pub mod standing;
pub mod table;
pub mod topic;
pub mod topics;
pub mod tune;
mod update;
pub mod verbs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossterm::event::KeyEvent;

use self::editor::EditorScreen;
use self::input::Input;
use self::operations::Operations;
use self::overview::Overview;
use self::palette::Palette;
use self::pipelines::Pipelines;
use self::screen::{Cause, Outcome, Part, Screen, World};
pub use self::update::update;
use crate::action::{Action, Place};
use crate::event::{DocumentKey, Draft, Notice};
use crate::keymap::Keymap;
use crate::model::Time;
use crate::model::environment::{Backend, Link};
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;
use crate::model::key::PipelineKey;
use crate::model::owner::{self, Saturations};
use crate::model::route::Wish;
use crate::model::signal::AlertOrder;
use crate::plan::guard::Consent;
use crate::plan::intent::Intent;
use crate::plan::object::Id;
use crate::plan::starter::ProjectFile;

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Give the terminal back and stop, until `fg`.
    Suspend,
    /// Put a text on the clipboard of the user's terminal (OSC 52).
    Copy(String),
    /// Fetch a document; it comes back as [`Event::Fetched`](crate::event::Event::Fetched).
    Fetch(DocumentKey),
    /// Show a text in the user's pager, which has the terminal meanwhile.
    Read(String),
    /// Let the user write on in an editor of their own, which has the terminal meanwhile; the end of the file's name
    /// tells it the language.
    Edit(String, &'static str),
    /// Keep the draft of a file, or drop it.
    Keep(Arc<Path>, Option<Draft>),
    /// Find the draft of a file, if one was left.
    Recall(Arc<Path>),
    /// Read somebody else's object and its draft, to edit it in its own terms.
    Open(PipelineKey, Id, Arc<Path>),
    /// Write a file, unless somebody else changed it since it was read.
    Save {
        /// The file.
        path: Arc<Path>,
        /// What it should hold.
        text: Arc<str>,
        /// What it held when it was read; `None` when it did not exist.
        base: Option<Arc<str>>,
    },
    /// Write the files of a new project below a folder, unless one of them is there.
    Begin(PathBuf, Vec<ProjectFile>),
    /// Find out what a change means; news of it carry the number.
    Plan(u64, Box<Intent>),
    /// Make a planned change.
    Agree(u64, Consent),
    /// Drop a planned change, or stop one where it is.
    Cancel(u64),
    /// Look at a pipeline before something is done to it.
    Survey(PipelineKey),
    /// Read what stands around a pipeline's jobs.
    Around(PipelineKey),
    /// Ring the terminal's bell, and say why: a pipeline has started to fail, or an alert fires.
    Alarm(String),
    /// Tell the golden signals of an environment what somebody does about an alert.
    Answer(Arc<str>, AlertOrder),
    /// Ask a route's controller for something; the answer comes back as
    /// [`Event::Granted`](crate::event::Event::Granted).
    Wish(Wish),
    /// Tell the golden signals of all environments how near services are to their limits.
    Saturate(Vec<(Arc<str>, Saturations)>),
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
    /// A command is typed.
    Palette(Palette),
    /// The keys are shown: the first line on screen.
    Help(usize),
}

/// All that the console knows and shows.
#[derive(Debug)]
pub struct State {
    inventory: Inventory,
    overview: Overview,
    operations: Operations,
    keymap: Keymap,
    root: Screen,
    above: Vec<Screen>,
    layer: Option<Layer>,
    notice: Option<(Notice, Time)>,
    size: (u16, u16),
    now: Time,
    retry: u64,
    /// The change that somebody was told of who wanted to leave; 0 for none.
    warned: u64,
    dirty: bool,
}

impl State {
    /// A console that knows nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut state = Self {
            inventory: Inventory::default(),
            overview: Overview::default(),
            operations: Operations::default(),
            keymap: Keymap::default(),
            root: Screen::Pipelines(Pipelines::default()),
            above: Vec::new(),
            layer: None,
            notice: None,
            size: options.size,
            now: options.now,
            retry: 0,
            warned: 0,
            dirty: true,
        };
        state.refresh(&Cause::Shown);
        state
    }

    /// A console that only writes one text.
    #[must_use]
    pub fn editing(options: Options, editor: EditorScreen) -> Self {
        let mut state = Self::new(options);
        state.root = Screen::Editor(Box::new(editor));
        state.refresh(&Cause::Shown);
        state
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

    /// Changes that were begun here.
    #[must_use]
    pub const fn operations(&self) -> &Operations {
        &self.operations
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
            Some(Layer::Palette(_)) => Place::Palette,
            Some(Layer::Help(_)) => Place::Help,
            None => self.screen().part().place(),
        }
    }

    /// Whether an intent would do something now.
    #[must_use]
    pub fn offers(&self, action: Action) -> bool {
        match (&self.layer, action) {
            (Some(_), _) => true,
            (None, Action::Back) => {
                let leads = !self.above.is_empty() || matches!(self.root, Screen::Editor(_));
                leads || !self.screen().part().filter().is_empty()
            }
            (None, Action::Retry) => self.is_troubled() && self.screen().part().offers(action, &self.world()),
            (None, _) => self.screen().part().offers(action, &self.world()),
        }
    }

    /// The filter of the screen and how many rows pass it, when there is one.
    #[must_use]
    pub fn filtered(&self) -> Option<(&str, usize)> {
        let part = self.screen().part();
        (!part.filter().is_empty()).then(|| (part.filter(), part.rows_shown()))
    }

    /// Whether something does not answer, or a text can be asked for again.
    fn is_troubled(&self) -> bool {
        let document = matches!(self.screen(), Screen::Document(_));
        let down = |name: &Arc<str>| {
            Backend::ALL
                .into_iter()
                .any(|backend| matches!(self.inventory.link(name, backend), Link::Down { .. } | Link::Forbidden { .. }))
        };
        document || self.overview.environments().iter().any(down)
    }

    /// What the backends should be asked for: what is on screen.
    #[must_use]
    pub fn interest(&self) -> Interest {
        let mut interest = Interest { retry: self.retry, ..Interest::default() };
        self.screen().part().interest(&self.world(), &mut interest);
        owner::want_all(&self.inventory, &mut interest, |signals| signals.wants_saturation);
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
        World {
            inventory: &self.inventory,
            overview: &self.overview,
            operations: &self.operations,
            now: self.now,
            size: self.size,
        }
    }

    /// Lets the screen in front look again.
    fn refresh(&mut self, cause: &Cause<'_>) {
        let world = World {
            inventory: &self.inventory,
            overview: &self.overview,
            operations: &self.operations,
            now: self.now,
            size: self.size,
        };
        let changed = self.above.last_mut().unwrap_or(&mut self.root).part_mut().refresh(&world, cause);
        self.dirty |= changed;
    }

    fn act(&mut self, action: Action) -> Outcome {
        let world = World {
            inventory: &self.inventory,
            overview: &self.overview,
            operations: &self.operations,
            now: self.now,
            size: self.size,
        };
        self.above.last_mut().unwrap_or(&mut self.root).part_mut().act(action, &world)
    }

    fn typed(&mut self, key: &KeyEvent) -> Outcome {
        let world = World {
            inventory: &self.inventory,
            overview: &self.overview,
            operations: &self.operations,
            now: self.now,
            size: self.size,
        };
        self.above.last_mut().unwrap_or(&mut self.root).part_mut().typed(key, &world)
    }

    fn pasted(&mut self, text: &str) -> Outcome {
        let world = World {
            inventory: &self.inventory,
            overview: &self.overview,
            operations: &self.operations,
            now: self.now,
            size: self.size,
        };
        self.above.last_mut().unwrap_or(&mut self.root).part_mut().pasted(text, &world)
    }

    fn front_mut(&mut self) -> &mut Screen {
        self.above.last_mut().unwrap_or(&mut self.root)
    }

    fn part_mut(&mut self) -> &mut dyn Part {
        self.front_mut().part_mut()
    }

    fn say(&mut self, notice: Notice) {
        self.notice = Some((notice, self.now));
        self.dirty = true;
    }
}
