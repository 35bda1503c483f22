//! What a user can ask for: one table of intents with name, keys, help and hint.
//!
//! The key map, the help, the hint bar and the palette are all made from [`ACTIONS`], so that they cannot
//! disagree. A definition says in which [`Place`]s it works; whether it works there *now* is the
//! screen's answer. Nothing here carries an action out.

/// Something that a user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One screenful up.
    PageUp,
    /// One screenful down.
    PageDown,
    /// Half a screenful up.
    HalfUp,
    /// Half a screenful down.
    HalfDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// To the left, or the previous part.
    Left,
    /// To the right, or the next part.
    Right,
    /// The next part of the screen.
    NextPart,
    /// The previous part of the screen.
    PreviousPart,
    /// Open what is selected.
    Open,
    /// Close what is on top.
    Back,
    /// The job of the selected processor.
    Job,
    /// The log of what is selected, as it goes on.
    Log,
    /// What fails in what is selected.
    Exceptions,
    /// Follow the end of the log, or stand still.
    Follow,
    /// Choose a moment in the histogram.
    Histogram,
    /// The next match.
    NextMatch,
    /// The previous match.
    PreviousMatch,
    /// Show matches only, or all events.
    OnlyMatches,
    /// Show what is around matches.
    Context,
    /// The least level that is shown.
    LeastLevel,
    /// Show events with a stack trace only.
    OnlyExceptions,
    /// Show fields with their values.
    Fields,
    /// Open an event in the list, or close it.
    Fold,
    /// Write what is shown to a file.
    Save,
    /// Show the text in a pager.
    Pager,
    /// The pods of a failure.
    FailurePods,
    /// The log of the run before the last restart.
    PreviousLog,
    /// The selected pod as YAML.
    Yaml,
    /// Copy what is selected.
    Copy,
    /// Show the address of a link, by its number from 1.
    ShowLink(u8),
    /// Show the address of the link that was shown last, or of the first one.
    ShowAgain,
    /// Sort by the next column.
    SortNext,
    /// Sort by the previous column.
    SortPrevious,
    /// Turn the order round.
    SortReverse,
    /// Type a filter.
    Filter,
    /// Show warnings only, or all.
    WarningsOnly,
    /// Break long lines, or cut them.
    Wrap,
    /// Ask again now.
    Retry,
    /// Type a command.
    Palette,
    /// Show the keys.
    Help,
    /// The list of pipelines.
    Pipelines,
    /// The list of topics.
    Topics,
    /// The list of consumer groups.
    Groups,
    /// Kubernetes events.
    Events,
    /// Environments and their links.
    Environments,
    /// Golden signals of services.
    Signals,
    /// Alerts.
    Alerts,
    /// Hold still what is shown, or let it go on.
    Freeze,
    /// The time cursor one step back.
    TimeBack,
    /// The time cursor one step on.
    TimeForward,
    /// The next length of time that charts show.
    TimeRange,
    /// Latency as a heat map, or as lines.
    HeatMap,
    /// The pipeline behind the selected service.
    Owner,
    /// What was not counted, by reason, with samples.
    Rejects,
    /// Look after the selected alert.
    Acknowledge,
    /// No bell and no message of the selected alert for a while.
    Snooze,
    /// Leave for the shell, to come back with `fg`.
    Suspend,
    /// Leave.
    Quit,
    /// Take what was typed.
    Accept,
    /// Complete what was typed.
    Complete,
}

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
    /// Alerts.
    Alerts,
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
        Self::Alerts,
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
            Self::Alerts => "alerts",
            Self::Help => "help",
            Self::Filter => "filter",
            Self::Palette => "palette",
        }
    }
}

/// A heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What works on this screen.
    Here,
    /// Moving about.
    Move,
    /// Sorting and filtering.
    List,
    /// Other screens.
    Go,
    /// The program.
    Program,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 5] = [Self::Here, Self::Move, Self::List, Self::Go, Self::Program];

    /// The heading.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Here => "on this screen",
            Self::Move => "move",
            Self::List => "lists",
            Self::Go => "go to",
            Self::Program => "program",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// The intent.
    pub action: Action,
    /// Its name in the palette and, later, in the settings.
    pub name: &'static str,
    /// Keys as the key map reads them, such as `ctrl-d`; the first is the one that hints show.
    pub keys: &'static [&'static str],
    /// What it does, for the help.
    pub help: &'static str,
    /// Word in the hint bar; `None` keeps it out of there.
    pub hint: Option<&'static str>,
    /// Whether the palette offers it.
    pub command: bool,
    /// Other names that the palette takes for it.
    pub aliases: &'static [&'static str],
    /// Heading in the help.
    pub group: Group,
    /// Where it works.
    pub places: &'static [Place],
}

impl Definition {
    const fn new(
        group: Group,
        action: Action,
        name: &'static str,
        keys: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        let places = match group {
            Move | List => LISTS,
            Here | Go | Program => SCREENS,
        };
        Self { action, name, keys, help, hint: None, command: !matches!(group, Move), aliases: &[], group, places }
    }

    const fn hint(mut self, word: &'static str) -> Self {
        self.hint = Some(word);
        self
    }

    const fn at(mut self, places: &'static [Place]) -> Self {
        self.places = places;
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn key_only(mut self) -> Self {
        self.command = false;
        self
    }
}

const SCREENS: &[Place] = &[
    Place::Pipelines,
    Place::Pipeline,
    Place::Pod,
    Place::Job,
    Place::Document,
    Place::Logs,
    Place::Exceptions,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
    Place::Signals,
    Place::Service,
    Place::Alerts,
];
const SCREENS_AND_HELP: &[Place] = &[
    Place::Pipelines,
    Place::Pipeline,
    Place::Pod,
    Place::Job,
    Place::Document,
    Place::Logs,
    Place::Exceptions,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
    Place::Signals,
    Place::Service,
    Place::Alerts,
    Place::Help,
];
const LISTS: &[Place] = &[
    Place::Pipelines,
    Place::Pipeline,
    Place::Pod,
    Place::Job,
    Place::Exceptions,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
    Place::Signals,
    Place::Service,
    Place::Alerts,
];
const FILTERED: &[Place] = SCREENS;
const OPENING: &[Place] = &[Place::Pipelines, Place::Topics, Place::Groups];
/// Where the space bar turns the page.
const PAGED: &[Place] = &[
    Place::Pipelines,
    Place::Pipeline,
    Place::Pod,
    Place::Job,
    Place::Document,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
    Place::Help,
];
/// Screens that hint at nothing but themselves.
const ELSEWHERE: &[Place] = &[
    Place::Pod,
    Place::Job,
    Place::Document,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
    Place::Service,
    Place::Alerts,
];
const BEYOND_CHARTS: &[Place] = &[
    Place::Pipelines,
    Place::Pipeline,
    Place::Pod,
    Place::Job,
    Place::Document,
    Place::Topics,
    Place::Topic,
    Place::Groups,
    Place::Group,
    Place::Events,
    Place::Environments,
];
const CHARTED: &[Place] = &[Place::Signals, Place::Service];
const SERVICES: &[Place] = &[Place::Signals, Place::Service, Place::Alerts];
const PARTS: &[Place] = &[Place::Pipeline, Place::Job, Place::Pod];
const INPUTS: &[Place] = &[Place::Filter, Place::Palette];
const EVERYWHERE: &[Place] = Place::ALL;

use Action as A;
use Group::{Go, Here, List, Move, Program};

/// All that a user can ask for; hints appear in this order.
pub const ACTIONS: &[Definition] = &[
    Definition::new(Here, A::Open, "open", &["enter"], "open what is selected").hint("open").at(OPENING).key_only(),
    Definition::new(Here, A::Open, "open-pod", &["enter"], "open the selected pod")
        .hint("pod")
        .at(&[Place::Pipeline])
        .key_only(),
    Definition::new(Here, A::Open, "open-object", &["enter"], "open the pod that the event is about")
        .hint("pod")
        .at(&[Place::Events])
        .key_only(),
    Definition::new(Here, A::Open, "open-trace", &["enter"], "show the whole stack trace of the selected exception")
        .hint("trace")
        .at(&[Place::Job])
        .key_only(),
    Definition::new(Here, A::Open, "open-service", &["enter"], "open the selected service")
        .hint("service")
        .at(&[Place::Signals, Place::Alerts])
        .key_only(),
    Definition::new(Here, A::Open, "open-slice", &["enter"], "charts of the selected slice alone, or of all again")
        .hint("slice")
        .at(&[Place::Service])
        .key_only(),
    Definition::new(Here, A::Owner, "owner", &["p"], "the pipeline behind the selected service")
        .hint("pipeline")
        .at(SERVICES),
    Definition::new(Here, A::TimeBack, "time-back", &["left"], "time cursor back; values are read out there")
        .hint("time")
        .at(CHARTED)
        .key_only(),
    Definition::new(Here, A::TimeForward, "time-forward", &["right"], "time cursor forward, and back to now")
        .at(CHARTED)
        .key_only(),
    Definition::new(Here, A::Freeze, "freeze", &["space"], "hold still what is shown; counting goes on")
        .hint("freeze")
        .at(CHARTED),
    Definition::new(Here, A::TimeRange, "range", &["t"], "charts of 15 minutes, 1, 6 or 24 hours")
        .hint("range")
        .at(CHARTED),
    Definition::new(Here, A::HeatMap, "heat-map", &["h"], "latency as a heat map, or as lines")
        .hint("heat")
        .at(CHARTED),
    Definition::new(Here, A::Acknowledge, "acknowledge", &["A"], "you look after it: no more bell and messages")
        .hint("acknowledge")
        .at(&[Place::Alerts]),
    Definition::new(Here, A::Snooze, "snooze", &["z"], "no bell and no message for an hour, or again")
        .hint("snooze")
        .at(&[Place::Alerts]),
    Definition::new(Here, A::Rejects, "rejects", &["R"], "what was not counted and why, with the last samples")
        .also(&["poison"])
        .at(CHARTED),
    Definition::new(Here, A::NextPart, "next-processor", &["tab", "right"], "next processor")
        .hint("processor")
        .at(&[Place::Pipeline])
        .key_only(),
    Definition::new(Here, A::NextPart, "next-part", &["tab", "right"], "between vertices and exceptions")
        .hint("part")
        .at(&[Place::Job])
        .key_only(),
    Definition::new(Here, A::NextPart, "next-container", &["tab", "right"], "next container")
        .hint("container")
        .at(&[Place::Pod])
        .key_only(),
    Definition::new(Here, A::PreviousPart, "previous-part", &["backtab", "left"], "the previous one")
        .at(PARTS)
        .key_only(),
    Definition::new(Here, A::Job, "job", &["J"], "the Flink job of the selected processor")
        .hint("job")
        .also(&["jobs", "flink"])
        .at(&[Place::Pipelines, Place::Pipeline, Place::Pod]),
    Definition::new(Here, A::Log, "log", &["l"], "the log of what is selected, as it goes on")
        .hint("log")
        .also(&["logs"])
        .at(&[Place::Pipelines, Place::Pipeline, Place::Pod, Place::Exceptions]),
    Definition::new(Here, A::Exceptions, "exceptions", &["x"], "what fails in what is selected, each failure once")
        .hint("exceptions")
        .also(&["failures", "radar"])
        .at(&[Place::Pipelines, Place::Pipeline, Place::Pod, Place::Signals, Place::Service, Place::Alerts]),
    Definition::new(Here, A::Open, "open-event", &["enter"], "the whole event with its stack trace")
        .hint("event")
        .at(&[Place::Logs])
        .key_only(),
    Definition::new(Here, A::Open, "open-failure", &["enter"], "the latest event of the failure, whole")
        .hint("trace")
        .at(&[Place::Exceptions])
        .key_only(),
    Definition::new(Here, A::FailurePods, "failure-pods", &["p"], "the pods of the failure, or its latest event")
        .hint("pods")
        .at(&[Place::Exceptions]),
    Definition::new(Here, A::Follow, "follow", &["f"], "follow the end of the log, or stand still")
        .hint("follow")
        .at(&[Place::Logs]),
    Definition::new(Here, A::OnlyExceptions, "only-exceptions", &["x"], "only events with a stack trace, or all")
        .hint("exceptions")
        .at(&[Place::Logs]),
    Definition::new(Here, A::LeastLevel, "least-level", &["e"], "all levels, warnings and worse, errors")
        .hint("level")
        .at(&[Place::Logs]),
    Definition::new(Here, A::NextMatch, "next-match", &["n"], "the next match").hint("next").at(&[Place::Logs]),
    Definition::new(Here, A::PreviousMatch, "previous-match", &["N"], "the match before").at(&[Place::Logs]),
    Definition::new(Here, A::OnlyMatches, "only-matches", &["&"], "matches only, or all events with matches marked")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Context, "context", &["c"], "0, 3 or 10 events around each match").at(&[Place::Logs]),
    Definition::new(Here, A::Histogram, "histogram", &["h"], "choose a moment: left and right move, the log follows")
        .hint("histogram")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Fields, "fields", &["F"], "interesting fields: their commonest values with counts")
        .hint("fields")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Fold, "fold", &["z"], "open the event in the list, or close it").at(&[Place::Logs]),
    Definition::new(Here, A::Save, "save", &["w"], "write what is shown to a file here")
        .hint("save")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Pager, "pager", &["o"], "this part of the log in $PAGER or $EDITOR").at(&[Place::Logs]),
    Definition::new(Here, A::PreviousLog, "previous-log", &["p"], "log of the run before the last restart")
        .hint("previous log")
        .at(&[Place::Pipelines, Place::Pipeline, Place::Pod, Place::Document]),
    Definition::new(Here, A::NextPart, "next-log", &["tab"], "the log of the next container")
        .hint("container")
        .at(&[Place::Document])
        .key_only(),
    Definition::new(Here, A::Yaml, "yaml", &["Y"], "the selected pod as YAML, without managed fields")
        .hint("yaml")
        .at(&[Place::Pipeline, Place::Pod]),
    Definition::new(Here, A::WarningsOnly, "warnings", &["w"], "warnings only, or all")
        .hint("warnings")
        .at(&[Place::Events, Place::Pod]),
    Definition::new(Here, A::Wrap, "wrap", &["w"], "break long lines, or cut them").hint("wrap").at(&[Place::Document]),
    Definition::new(Here, A::ShowLink(1), "link-1", &["1"], "address of link 1; likewise 2 to 9")
        .at(&[Place::Pipeline])
        .key_only(),
    link(2, "link-2", &["2"]),
    link(3, "link-3", &["3"]),
    link(4, "link-4", &["4"]),
    link(5, "link-5", &["5"]),
    link(6, "link-6", &["6"]),
    link(7, "link-7", &["7"]),
    link(8, "link-8", &["8"]),
    link(9, "link-9", &["9"]),
    Definition::new(Here, A::ShowAgain, "show-link", &["o"], "address of the chosen link, in full")
        .at(&[Place::Pipeline]),
    Definition::new(Move, A::Up, "up", &["k", "up"], "up").at(SCREENS_AND_HELP),
    Definition::new(Move, A::Down, "down", &["j", "down"], "down").at(SCREENS_AND_HELP),
    Definition::new(Move, A::HalfUp, "half-page-up", &["ctrl-u"], "half a page up").at(SCREENS_AND_HELP),
    Definition::new(Move, A::HalfDown, "half-page-down", &["ctrl-d"], "half a page down").at(SCREENS_AND_HELP),
    Definition::new(Move, A::PageUp, "page-up", &["pageup", "ctrl-b"], "one page up").at(SCREENS_AND_HELP),
    Definition::new(Move, A::PageDown, "page-down", &["pagedown", "ctrl-f", "space"], "one page down").at(PAGED),
    Definition::new(Move, A::PageDown, "page-on", &["pagedown", "ctrl-f"], "one page down").at(SERVICES),
    Definition::new(Move, A::Top, "top", &["g", "home"], "to the top").at(SCREENS_AND_HELP),
    Definition::new(Move, A::Bottom, "bottom", &["G", "end"], "to the end").at(SCREENS_AND_HELP),
    Definition::new(Move, A::Left, "left", &["left", "h"], "to the left").at(&[Place::Document]),
    Definition::new(Move, A::Right, "right", &["right", "l"], "to the right").at(&[Place::Document]),
    Definition::new(Move, A::Left, "log-left", &["left"], "to the left, or to an earlier bar").at(&[Place::Logs]),
    Definition::new(Move, A::Right, "log-right", &["right"], "to the right, or to a later bar").at(&[Place::Logs]),
    Definition::new(List, A::Filter, "filter", &["/"], "show only rows with this text in any column")
        .hint("filter")
        .at(FILTERED)
        .key_only(),
    Definition::new(List, A::SortNext, "sort-next", &[">"], "sort by the next column, then worst first again")
        .hint("sort"),
    Definition::new(List, A::SortPrevious, "sort-previous", &["<"], "sort by the previous column"),
    Definition::new(List, A::SortReverse, "reverse", &["-"], "turn the order round"),
    Definition::new(Go, A::Pipelines, "pipelines", &["H"], "all pipelines").also(&["pods", "po", "pl"]),
    Definition::new(Go, A::Signals, "signals", &["s"], "golden signals of services")
        .hint("signals")
        .also(&["services"])
        .at(&[Place::Pipelines, Place::Pipeline]),
    Definition::new(Go, A::Signals, "go-signals", &["s"], "golden signals of services").at(ELSEWHERE),
    Definition::new(Go, A::Alerts, "alerts", &["a"], "alerts of all environments")
        .hint("alerts")
        .also(&["alert"])
        .at(CHARTED),
    Definition::new(Go, A::Alerts, "go-alerts", &["a"], "alerts of all environments").at(BEYOND_CHARTS),
    Definition::new(Go, A::Topics, "topics", &["T"], "topics of all environments").also(&["topic"]),
    Definition::new(Go, A::Groups, "groups", &["K"], "consumer groups of all environments")
        .also(&["group", "consumers"]),
    Definition::new(Go, A::Events, "events", &["V"], "Kubernetes events").also(&["ev"]),
    Definition::new(Go, A::Environments, "environments", &["L"], "environments, links and permissions")
        .also(&["env", "links"]),
    Definition::new(Program, A::Palette, "palette", &[":"], "type a command").hint("command").key_only(),
    Definition::new(Program, A::Help, "help", &["?", "f1"], "the keys of this screen")
        .hint("help")
        .at(SCREENS_AND_HELP),
    Definition::new(Here, A::Retry, "retry", &["r"], "ask the backends again now").hint("retry"),
    Definition::new(Here, A::Copy, "copy", &["y"], "copy what is selected: name, address or text").hint("copy"),
    Definition::new(Program, A::Back, "back", &["esc", "backspace"], "close what is on top, clear the filter")
        .hint("back")
        .at(SCREENS_AND_HELP)
        .key_only(),
    Definition::new(Program, A::Suspend, "suspend", &["ctrl-z"], "to the shell; fg comes back").at(EVERYWHERE),
    Definition::new(Program, A::Quit, "quit", &["q"], "leave flowdeck").also(&["q", "exit"]),
    Definition::new(Program, A::Quit, "quit-at-once", &["ctrl-c"], "leave flowdeck, also while typing")
        .at(EVERYWHERE)
        .key_only(),
    Definition::new(Here, A::Back, "close-help", &["q"], "close the help").at(&[Place::Help]).key_only(),
    Definition::new(Here, A::Accept, "accept", &["enter"], "take it").hint("take").at(INPUTS).key_only(),
    Definition::new(Here, A::Complete, "complete", &["tab"], "complete")
        .hint("complete")
        .at(&[Place::Palette])
        .key_only(),
    Definition::new(Here, A::Up, "previous", &["up", "ctrl-p"], "the one above").at(INPUTS).key_only(),
    Definition::new(Here, A::Down, "next", &["down", "ctrl-n"], "the one below").at(INPUTS).key_only(),
    Definition::new(Here, A::Back, "cancel", &["esc"], "leave it").hint("cancel").at(INPUTS).key_only(),
];

const fn link(number: u8, name: &'static str, keys: &'static [&'static str]) -> Definition {
    Definition::new(Here, A::ShowLink(number), name, keys, "").at(&[Place::Pipeline]).key_only()
}

/// The definitions that work in a place.
pub fn definitions(place: Place) -> impl Iterator<Item = &'static Definition> {
    ACTIONS.iter().filter(move |definition| definition.places.contains(&place))
}
