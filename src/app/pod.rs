//! One pod: facts, containers, usage, and what the cluster says about it.

use std::sync::Arc;

use super::document::DocumentScreen;
use super::events::{self, EventRow};
use super::exceptions::ExceptionsScreen;
use super::layout::Layout;
use super::logs::{LogScreen, NEVER_RESTARTED};
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::standing::{self, Standings};
use super::table::Table;
use crate::action::{Action, Place};
use crate::model::interest::Interest;
use crate::model::key::PodKey;
use crate::model::log::Target;
use crate::model::pod::Pod;
use crate::model::view::PodView;

/// The screen.
#[derive(Debug)]
pub struct PodScreen {
    /// The pod.
    pub key: PodKey,
    /// What was last known of it; `None` until it was seen.
    pub view: Option<PodView>,
    /// Whether it is gone from the cluster.
    pub gone: bool,
    /// Number of the chosen container.
    pub container: usize,
    /// What the cluster says about it, newest first.
    pub events: Table<EventRow>,
    /// How the watches of events stand.
    pub standings: Standings,
    warnings_only: bool,
}

impl PodScreen {
    /// Opens it.
    #[must_use]
    pub fn new(key: PodKey) -> Self {
        Self {
            key,
            view: None,
            gone: false,
            container: 0,
            events: Table::default(),
            standings: Vec::new(),
            warnings_only: false,
        }
    }

    /// Lines of the parts.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        let pod = self.view.as_ref().map(|view| &view.pod);
        let more = |pod: &Pod| u16::from(pod.message.is_some()) + u16::from(pod.last_termination.is_some());
        Layout::new(size, 6 + pod.map_or(0, more), 2)
    }

    /// The chosen container.
    #[must_use]
    pub fn container(&self) -> Option<&Arc<str>> {
        self.view.as_ref()?.pod.containers.get(self.container)
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        let pod = world.inventory.pod(&self.key);
        let view = pod.map(|pod| PodView { pod: pod.clone(), usage: world.inventory.usage(&self.key) });
        let gone = view.is_none();
        let mut changed = gone != self.gone;
        self.gone = gone;
        if view.is_some() && view != self.view {
            self.view = view;
            changed = true;
        }
        let standings = standing::all(world.inventory, standing::is_event);
        changed |= standings != self.standings;
        self.standings = standings;
        let layout = self.layout(world.size);
        self.events.fit(layout.width, layout.list());
        let rows = events::rows(world, |event| {
            event.key.environment == self.key.environment
                && event.key.namespace == self.key.namespace
                && event.object == self.key.name
                && (event.warning || !self.warnings_only)
        });
        self.events.set_rows(rows) || changed
    }
}

impl Part for PodScreen {
    fn place(&self) -> Place {
        Place::Pod
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        let shown = cause.concerns(|touched| {
            let processor = self.view.as_ref().map(|view| &view.pod.processor);
            let pipeline = processor.and_then(|key| world.inventory.pipeline_of(key));
            let mine = pipeline.is_none_or(|key| touched.pipelines.contains(key));
            mine || touched.events || touched.usage || touched.environments
        });
        shown && self.look(world)
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let Some(view) = &self.view else { return Outcome::moved(self.events.act(action)) };
        let count = view.pod.containers.len();
        match action {
            Action::NextPart if count > 1 => self.container = (self.container + 1) % count,
            Action::PreviousPart if count > 1 => self.container = (self.container + count - 1) % count,
            Action::PreviousLog if view.pod.restarts == 0 => return Outcome::Say(NEVER_RESTARTED),
            Action::Log => {
                let target = Target::Pod(self.key.clone(), self.container().cloned());
                return Outcome::open(LogScreen::open(target, "", world.now));
            }
            Action::Exceptions => {
                let target = Target::Pod(self.key.clone(), self.container().cloned());
                return Outcome::open(ExceptionsScreen::open(target));
            }
            Action::PreviousLog => {
                let target = Target::Previous(self.key.clone(), self.container().cloned());
                return Outcome::open(LogScreen::open(target, "", world.now));
            }
            Action::Yaml => return Outcome::open(DocumentScreen::yaml(&view.pod)),
            Action::Job => return Outcome::open(Screen::job(view.pod.processor.clone())),
            Action::WarningsOnly => {
                self.warnings_only = !self.warnings_only;
                self.look(world);
            }
            Action::Copy => return Outcome::Copy(self.key.name.to_string()),
            other => return Outcome::moved(self.events.act(other)),
        }
        Outcome::Done
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        let Some(view) = &self.view else {
            return !matches!(action, Action::Log | Action::Exceptions | Action::Yaml | Action::Job);
        };
        match action {
            Action::NextPart | Action::PreviousPart => view.pod.containers.len() > 1,
            Action::PreviousLog => view.pod.restarts > 0,
            Action::Job => world.inventory.processor(&view.pod.processor).is_some(),
            _ => true,
        }
    }

    fn interest(&self, _world: &World<'_>, interest: &mut Interest) {
        interest.usage.insert(self.key.environment.clone());
        interest.events.insert(self.key.environment.clone());
    }

    fn filter(&self) -> &str {
        self.events.filter()
    }

    fn rows_shown(&self) -> usize {
        self.events.counts().0
    }

    fn set_filter(&mut self, filter: &str) {
        self.events.set_filter(filter);
    }
}
