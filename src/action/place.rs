//! Where keys are pressed, and sets of such places.

/// Where keys are pressed: a screen, or a layer over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// List of pipelines.
    Pipelines,
    /// One pipeline.
    Pipeline,
    /// One pod.
    Pod,
    /// One Flink job.
    Job,
    /// A text.
    Document,
    /// A log.
    Logs,
    /// Failures.
    Exceptions,
    /// List of topics.
    Topics,
    /// One topic.
    Topic,
    /// List of consumer groups.
    Groups,
    /// One consumer group.
    Group,
    /// Kubernetes events.
    Events,
    /// Environments and links.
    Environments,
    /// Golden signals of services.
    Signals,
    /// Golden signals of one service.
    Service,
    /// A health rule tried on what is over.
    Backtest,
    /// Golden signals of pipelines.
    Flows,
    /// Alerts.
    Alerts,
    /// What can be done to a pipeline.
    Verbs,
    /// A change: what it means, and how it goes on.
    Change,
    /// Changes that were begun here.
    Changes,
    /// The revisions of a pipeline.
    History,
    /// The processors of a pipeline's manifest.
    Compose,
    /// What stands around a pipeline's jobs.
    Manage,
    /// Something has to be typed before a change goes on.
    Confirm,
    /// A route.
    Route,
    /// A route is about to be asked for something.
    RouteDialog,
    /// Sizes, topics and the document of a processor, being written.
    Tune,
    /// A text that is being written.
    Editor,
    /// The form of a new processor.
    Author,
    /// Layer: the keys.
    Help,
    /// Layer: a filter is typed.
    Filter,
    /// Layer: a command is typed.
    Palette,
}

impl Place {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Pipelines,
        Self::Pipeline,
        Self::Pod,
        Self::Job,
        Self::Document,
        Self::Logs,
        Self::Exceptions,
        Self::Topics,
        Self::Topic,
        Self::Groups,
        Self::Group,
        Self::Events,
        Self::Environments,
        Self::Signals,
        Self::Service,
        Self::Backtest,
        Self::Flows,
        Self::Alerts,
        Self::Verbs,
        Self::Change,
        Self::Changes,
        Self::History,
        Self::Compose,
        Self::Manage,
        Self::Confirm,
        Self::Route,
        Self::RouteDialog,
        Self::Tune,
        Self::Editor,
        Self::Author,
        Self::Help,
        Self::Filter,
        Self::Palette,
    ];

    /// The name in the title of the help.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines",
            Self::Pipeline => "pipeline",
            Self::Pod => "pod",
            Self::Job => "job",
            Self::Document => "text",
            Self::Logs => "log",
            Self::Exceptions => "exceptions",
            Self::Topics => "topics",
            Self::Topic => "topic",
            Self::Groups => "groups",
            Self::Group => "group",
            Self::Events => "events",
            Self::Environments => "environments",
            Self::Signals => "signals",
            Self::Service => "service",
            Self::Backtest => "backtest",
            Self::Flows => "pipeline signals",
            Self::Alerts => "alerts",
            Self::Verbs => "what can be done",
            Self::Change => "change",
            Self::Changes => "changes",
            Self::History => "history",
            Self::Compose => "compose",
            Self::Manage => "manage",
            Self::Confirm => "a word before it is done",
            Self::Route | Self::RouteDialog => "route",
            Self::Tune => "edit",
            Self::Editor => "editor",
            Self::Author => "a new processor",
            Self::Help => "help",
            Self::Filter => "filter",
            Self::Palette => "palette",
        }
    }
}

/// A set of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u64);

impl Places {
    /// Everywhere.
    pub const ALL: Self = Self::of(Place::ALL);
    /// Screens where letters are commands: neither the layers over them nor where something is written.
    pub const SCREENS: Self = Self::ALL.without(&[
        Place::RouteDialog,
        Place::Confirm,
        Place::Tune,
        Place::Editor,
        Place::Author,
        Place::Help,
        Place::Filter,
        Place::Palette,
    ]);
    /// Screens with rows to choose from.
    pub const LISTS: Self = Self::SCREENS.without(&[Place::Document, Place::Logs, Place::Change]);

    /// The set of some places.
    #[must_use]
    pub const fn of(places: &[Place]) -> Self {
        Self(bits(places))
    }

    /// This set and some places more.
    #[must_use]
    pub const fn with(self, places: &[Place]) -> Self {
        Self(self.0 | bits(places))
    }

    /// This set without some places.
    #[must_use]
    pub const fn without(self, places: &[Place]) -> Self {
        Self(self.0 & !bits(places))
    }

    /// Whether a place is in it.
    #[must_use]
    pub const fn contains(self, place: Place) -> bool {
        self.0 & bits(&[place]) != 0
    }

    /// Its places, in their own order.
    pub fn iter(self) -> impl Iterator<Item = Place> {
        Place::ALL.iter().copied().filter(move |place| self.contains(*place))
    }
}

const fn bits(places: &[Place]) -> u64 {
    match places {
        [] => 0,
        [first, others @ ..] => 1 << *first as u32 | bits(others),
    }
}
