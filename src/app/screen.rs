//! The screens: a stack of an enum. Each is a part that follows the world and answers to intents.

use std::collections::HashSet;
use std::sync::Arc;

use crossterm::event::KeyEvent;

use super::Effect;
use super::author::AuthorScreen;
use super::change::ChangeScreen;
use super::changes::Changes;
use super::compose::ComposeScreen;
use super::document::DocumentScreen;
use super::editor::EditorScreen;
use super::environments::Environments;
use super::events::Events;
use super::exceptions::ExceptionsScreen;
use super::group::GroupScreen;
use super::groups::Groups;
use super::history::HistoryScreen;
use super::job::JobScreen;
use super::logs::LogScreen;
use super::manage::ManageScreen;
use super::operations::Operations;
use super::overview::Overview;
use super::pipeline::PipelineScreen;
use super::pipelines::Pipelines;
use super::pod::PodScreen;
use super::question::QuestionScreen;
use super::route::RouteScreen;
use super::signals::SignalsScreen;
use super::signals::alerts::AlertsScreen;
use super::signals::pipelines::FlowsScreen;
use super::signals::service::ServiceScreen;
use super::signals::trial::TrialScreen;
use super::table::Listed;
use super::topic::TopicScreen;
use super::topics::Topics;
use super::tune::TuneScreen;
use super::verbs::VerbsScreen;
use crate::action::{Action, Place};
use crate::model::Time;
use crate::model::change::Change;
use crate::model::interest::Interest;
use crate::model::inventory::Inventory;
use crate::model::key::{PipelineKey, PodKey, ProcessorKey};
use crate::plan::dossier::Dossier;
use crate::plan::guard::Consent;
use crate::plan::intent::Intent;

/// What a screen looks at.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// All that is known.
    pub inventory: &'a Inventory,
    /// Rows of all pipelines.
    pub overview: &'a Overview,
    /// Changes that were begun here.
    pub operations: &'a Operations,
    /// Now.
    pub now: Time,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

/// Which parts of the world changed.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Pipelines.
    pub pipelines: HashSet<PipelineKey>,
    /// Environments, links or watches.
    pub environments: bool,
    /// Topics or groups.
    pub kafka: bool,
    /// Kubernetes events.
    pub events: bool,
    /// CPU and memory of pods, or IAM roles.
    pub usage: bool,
    /// Golden signals.
    pub signals: bool,
    /// Routes.
    pub routes: bool,
}

impl Touched {
    /// Notes what a change will touch, apart from pipelines, which the inventory notes itself.
    pub const fn note(&mut self, change: &Change) {
        match change {
            Change::Environment(_) | Change::Link(..) | Change::Scope(..) => self.environments = true,
            Change::Topics(_)
            | Change::TopicMissing(..)
            | Change::Groups(_)
            | Change::TopicNames(..)
            | Change::GroupNames(..) => self.kafka = true,
            Change::ClusterEvent(_) | Change::ClusterEventGone(_) | Change::Retain(..) => self.events = true,
            Change::Usage(..) | Change::IamRole(..) => self.usage = true,
            Change::Signals(..) => self.signals = true,
            Change::Route(_) => self.routes = true,
            Change::Pod(_) | Change::PodGone(_) | Change::Declared(_) | Change::Undeclared(..) | Change::Job(..) => {}
        }
    }
}

/// Why a screen is asked to look again.
#[derive(Clone, Copy, Debug)]
pub enum Cause<'a> {
    /// Facts came in.
    Changed(&'a Touched),
    /// A second went by.
    Second,
    /// It comes to the front, or the terminal has a new size.
    Shown,
}

impl Cause<'_> {
    /// Whether a screen that shows these parts of the world, and no ages, has to look again.
    pub fn concerns(&self, shown: impl FnOnce(&Touched) -> bool) -> bool {
        match self {
            Self::Changed(touched) => shown(touched),
            Self::Second => false,
            Self::Shown => true,
        }
    }
}

/// What came of an intent.
#[derive(Debug)]
pub enum Outcome {
    /// It means nothing here.
    Ignored,
    /// The screen changed.
    Done,
    /// Another screen opens over it.
    Open(Box<Screen>),
    /// It closes.
    Close,
    /// A text goes to the clipboard.
    Copy(String),
    /// A line is typed, which begins with this text; the screen gets it as its filter.
    Type(String),
    /// It cannot be done now, and why.
    Say(&'static str),
    /// The same with words that were made for it.
    Tell(String),
    /// A change is planned.
    Begin(Intent),
    /// A planned change is made.
    Agree(u64, Consent),
    /// A change that was never made is dropped.
    Withdraw(u64),
    /// Something has to be done outside.
    Effect(Effect),
}

impl Outcome {
    /// Another screen opens over it.
    #[must_use]
    pub fn open(screen: Screen) -> Self {
        Self::Open(Box::new(screen))
    }

    /// Done if anything was.
    #[must_use]
    pub const fn moved(done: bool) -> Self {
        if done { Self::Done } else { Self::Ignored }
    }
}

/// What all screens can do.
pub trait Part {
    /// Where its keys are looked up.
    fn place(&self) -> Place;
    /// Looks at the world again; says whether anything on screen changed.
    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool;
    /// Answers to an intent.
    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome;
    /// Takes a key that is no intent here.
    fn typed(&mut self, _key: &KeyEvent, _world: &World<'_>) -> Outcome {
        Outcome::Ignored
    }
    /// Takes a text that was pasted.
    fn pasted(&mut self, _text: &str, _world: &World<'_>) -> Outcome {
        Outcome::Ignored
    }
    /// Takes in what is known of a pipeline; says whether it is about that one.
    fn surveyed(&mut self, _key: &PipelineKey, _dossier: &Result<Arc<Dossier>, Arc<str>>) -> bool {
        false
    }
    /// Whether an intent would do something now.
    fn offers(&self, action: Action, world: &World<'_>) -> bool;
    /// Adds what the backends should be asked for.
    fn interest(&self, world: &World<'_>, interest: &mut Interest);
    /// The list that a filter goes to; `None` where there is none.
    fn listed(&self) -> Option<&dyn Listed> {
        None
    }
    /// The same, to be filtered.
    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        None
    }
    /// Its filter; empty without one.
    fn filter(&self) -> &str {
        self.listed().map_or("", Listed::filter)
    }
    /// Rows that pass the filter.
    fn rows_shown(&self) -> usize {
        self.listed().map_or(0, Listed::rows_shown)
    }
    /// Sets its filter.
    fn set_filter(&mut self, filter: &str) {
        if let Some(list) = self.listed_mut() {
            list.set_filter(filter);
        }
    }
}

/// A screen.
#[derive(Debug)]
pub enum Screen {
    /// All pipelines.
    Pipelines(Pipelines),
    /// One pipeline.
    Pipeline(Box<PipelineScreen>),
    /// One pod.
    Pod(Box<PodScreen>),
    /// One Flink job.
    Job(Box<JobScreen>),
    /// A text.
    Document(Box<DocumentScreen>),
    /// A log.
    Logs(Box<LogScreen>),
    /// Failures.
    Exceptions(Box<ExceptionsScreen>),
    /// All topics.
    Topics(Topics),
    /// One topic.
    Topic(TopicScreen),
    /// All consumer groups.
    Groups(Groups),
    /// One consumer group.
    Group(GroupScreen),
    /// Kubernetes events.
    Events(Events),
    /// Environments and their links.
    Environments(Environments),
    /// Golden signals of services.
    Signals(Box<SignalsScreen>),
    /// Golden signals of one service.
    Service(Box<ServiceScreen>),
    /// A health rule tried on what is over.
    Trial(Box<TrialScreen>),
    /// Golden signals of pipelines.
    Flows(FlowsScreen),
    /// Alerts.
    Alerts(AlertsScreen),
    /// What can be done to a pipeline.
    Verbs(Box<VerbsScreen>),
    /// What a verb has to be told first.
    Question(Box<QuestionScreen>),
    /// A change.
    Change(Box<ChangeScreen>),
    /// Changes that were begun here.
    Changes(Changes),
    /// A route.
    Route(Box<RouteScreen>),
    /// The revisions of a pipeline.
    History(Box<HistoryScreen>),
    /// The processors of a pipeline's manifest.
    Compose(Box<ComposeScreen>),
    /// What stands around a pipeline's jobs.
    Manage(Box<ManageScreen>),
    /// Sizes, topics and the document of a processor, being written.
    Tune(Box<TuneScreen>),
    /// A text that is being written.
    Editor(Box<EditorScreen>),
    /// The form of a new processor.
    Author(Box<AuthorScreen>),
}

impl Screen {
    /// Opens a pipeline.
    #[must_use]
    pub fn pipeline(key: PipelineKey) -> Self {
        Self::Pipeline(Box::new(PipelineScreen::new(key)))
    }

    /// Opens a pod.
    #[must_use]
    pub fn pod(key: PodKey) -> Self {
        Self::Pod(Box::new(PodScreen::new(key)))
    }

    /// Opens a processor's job.
    #[must_use]
    pub fn job(key: ProcessorKey) -> Self {
        Self::Job(Box::new(JobScreen::new(key)))
    }

    /// The screen that an action goes to, if it goes to one.
    #[must_use]
    pub fn at(action: Action) -> Option<Self> {
        match action {
            Action::Topics => Some(Self::Topics(Topics::default())),
            Action::Groups => Some(Self::Groups(Groups::default())),
            Action::Events => Some(Self::Events(Events::default())),
            Action::Environments => Some(Self::Environments(Environments::default())),
            Action::Signals => Some(Self::Signals(Box::default())),
            Action::Router => Some(Self::Route(Box::default())),
            Action::Alerts => Some(Self::Alerts(AlertsScreen::default())),
            Action::Author => Some(Self::Author(Box::default())),
            Action::Changes => Some(Self::Changes(Changes::default())),
            _ => None,
        }
    }

    /// What has to be done outside when it opens.
    #[must_use]
    pub fn wanted(&self) -> Vec<Effect> {
        match self {
            Self::Document(document) => document.wanted().into_iter().collect(),
            Self::Verbs(screen) => vec![Effect::Survey(screen.key.clone())],
            Self::History(screen) => vec![Effect::Survey(screen.key.clone())],
            Self::Compose(screen) => vec![Effect::Survey(screen.key.clone())],
            Self::Manage(screen) => screen.wanted(),
            Self::Tune(screen) => screen.wanted(),
            _ => Vec::new(),
        }
    }

    /// What has to be asked for again once a pipeline was changed.
    #[must_use]
    pub fn outdated_by(&self, changed: &PipelineKey) -> Vec<Effect> {
        match self {
            Self::Verbs(screen) if screen.key == *changed => self.wanted(),
            Self::History(screen) if screen.key == *changed => self.wanted(),
            Self::Compose(screen) if screen.key == *changed => self.wanted(),
            Self::Manage(screen) if screen.key == *changed => self.wanted(),
            _ => Vec::new(),
        }
    }

    /// The screen as a part.
    #[must_use]
    pub fn part(&self) -> &dyn Part {
        match self {
            Self::Pipelines(part) => part,
            Self::Pipeline(part) => &**part,
            Self::Pod(part) => &**part,
            Self::Job(part) => &**part,
            Self::Document(part) => &**part,
            Self::Logs(part) => &**part,
            Self::Exceptions(part) => &**part,
            Self::Topics(part) => part,
            Self::Topic(part) => part,
            Self::Groups(part) => part,
            Self::Group(part) => part,
            Self::Events(part) => part,
            Self::Environments(part) => part,
            Self::Signals(part) => &**part,
            Self::Service(part) => &**part,
            Self::Trial(part) => &**part,
            Self::Flows(part) => part,
            Self::Alerts(part) => part,
            Self::Verbs(part) => &**part,
            Self::Question(part) => &**part,
            Self::Change(part) => &**part,
            Self::Changes(part) => part,
            Self::Route(part) => &**part,
            Self::History(part) => &**part,
            Self::Compose(part) => &**part,
            Self::Manage(part) => &**part,
            Self::Tune(part) => &**part,
            Self::Editor(part) => &**part,
            Self::Author(part) => &**part,
        }
    }

    /// The screen as a part that changes.
    pub fn part_mut(&mut self) -> &mut dyn Part {
        match self {
            Self::Pipelines(part) => part,
            Self::Pipeline(part) => &mut **part,
            Self::Pod(part) => &mut **part,
            Self::Job(part) => &mut **part,
            Self::Document(part) => &mut **part,
            Self::Logs(part) => &mut **part,
            Self::Exceptions(part) => &mut **part,
            Self::Topics(part) => part,
            Self::Topic(part) => part,
            Self::Groups(part) => part,
            Self::Group(part) => part,
            Self::Events(part) => part,
            Self::Environments(part) => part,
            Self::Signals(part) => &mut **part,
            Self::Service(part) => &mut **part,
            Self::Trial(part) => &mut **part,
            Self::Flows(part) => part,
            Self::Alerts(part) => part,
            Self::Verbs(part) => &mut **part,
            Self::Question(part) => &mut **part,
            Self::Change(part) => &mut **part,
            Self::Changes(part) => part,
            Self::Route(part) => &mut **part,
            Self::History(part) => &mut **part,
            Self::Compose(part) => &mut **part,
            Self::Manage(part) => &mut **part,
            Self::Tune(part) => &mut **part,
            Self::Editor(part) => &mut **part,
            Self::Author(part) => &mut **part,
        }
    }
}
