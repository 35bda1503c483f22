//! What a user can ask for: intents, and one table with their names, keys, help and hints.
//!
//! The key map, the help, the hint bar and the palette are all made from [`ACTIONS`], so that they cannot
//! disagree. A definition says in which [`Place`]s it works; whether it works there *now* is the
//! screen's answer. Nothing here carries an action out.

mod place;
mod table;

use crate::plan::verb::Verb;

pub use place::{Place, Places};
pub use table::ACTIONS;

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
    /// A health rule tried on what is over.
    Backtest,
    /// From golden signals of services to those of pipelines, and back.
    Flows,
    /// The pipeline behind the selected service.
    Owner,
    /// The job that counts the signals, where it is not this process.
    Producer,
    /// What was not counted, by reason, with samples.
    Rejects,
    /// Look after the selected alert.
    Acknowledge,
    /// No bell and no message of the selected alert for a while.
    Snooze,
    /// Routes: which copy of a pipeline gets the records.
    Router,
    /// The other lane of a route, if it is well.
    Flip,
    /// The other lane of a route, whatever the checks say.
    ForceFlip,
    /// The flip on its way taken back.
    AbortFlip,
    /// A route's lane held where it is, or released.
    HoldRoute,
    /// To the next thing that is wrong in a text.
    NextProblem,
    /// Back to the text as its file has it.
    Clear,
    /// Take the last change of a text back.
    Undo,
    /// Make a change again that was taken back.
    Redo,
    /// What can be done to the selected pipeline.
    Verbs,
    /// Something that is done to the selected pipeline.
    Do(Verb),
    /// Make the planned change.
    Agree,
    /// Stop a change where it is.
    Stop,
    /// Lay what was changed here over what others did meanwhile.
    Rebase,
    /// Write another configuration and other sizes of a processor.
    Edit,
    /// The revisions of the selected pipeline.
    History,
    /// The processors of the selected pipeline, as its manifest has them.
    Compose,
    /// What stands around the jobs of the selected pipeline.
    Manage,
    /// Compare others with the selected one.
    Mark,
    /// What differs.
    Compare,
    /// Take the selected one out.
    TakeOut,
    /// Add one.
    Add,
    /// The selected one before those that it comes after.
    Earlier,
    /// The selected one after those that it comes before.
    Later,
    /// The selected one side by side with those before it, or out of there.
    Beside,
    /// The same change once more.
    Again,
    /// Changes that were begun here.
    Changes,
    /// The form of a new processor.
    Author,
    /// Leave for the shell, to come back with `fg`.
    Suspend,
    /// Leave.
    Quit,
    /// Take what was typed.
    Accept,
    /// Complete what was typed.
    Complete,
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
    pub places: Places,
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
            Group::Move | Group::List => Places::LISTS,
            Group::Here | Group::Go | Group::Program => Places::SCREENS,
        };
        Self {
            action,
            name,
            keys,
            help,
            hint: None,
            command: !matches!(group, Group::Move),
            aliases: &[],
            group,
            places,
        }
    }

    const fn hint(mut self, word: &'static str) -> Self {
        self.hint = Some(word);
        self
    }

    const fn at(self, places: &[Place]) -> Self {
        self.within(Places::of(places))
    }

    const fn within(mut self, places: Places) -> Self {
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

/// The definitions that work in a place.
pub fn definitions(place: Place) -> impl Iterator<Item = &'static Definition> {
    ACTIONS.iter().filter(move |definition| definition.places.contains(place))
}
