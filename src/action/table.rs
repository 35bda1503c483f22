//! The table of all intents, and the sets of places that several of them share.

use super::Action as A;
use super::Group::{Go, Here, List, Move, Program};
use super::{Definition, Place, Places};
use crate::plan::verb::Verb;

const SCREENS_AND_HELP: Places = Places::SCREENS.with(&[Place::Help]);
const OPENING: Places = Places::of(&[Place::Pipelines, Place::Topics, Place::Groups, Place::Changes]);
const CHARTED: Places = Places::of(&[Place::Signals, Place::Service]);
const SERVICES: Places = CHARTED.with(&[Place::Alerts]);
const PARTS: Places = Places::of(&[Place::Pipeline, Place::Job, Place::Pod]);
const ROUTE: &[Place] = &[Place::Route];
const ASKING: &[Place] = &[Place::RouteDialog];
const EDITOR: &[Place] = &[Place::Editor, Place::Tune];
const INPUTS: Places = Places::of(&[Place::Filter, Place::Palette, Place::Confirm]);
const FORM: &[Place] = &[Place::Author];
const WRITTEN: &[Place] = &[Place::Editor, Place::Tune, Place::Confirm];
const CHANGED: &[Place] = &[Place::Pipelines, Place::Pipeline];
/// Screens on which a letter agrees to a change mean nothing else by it.
/// Screens where a text is looked for rather than rows left out.
const SEARCHED: &[Place] = &[Place::Logs, Place::Document];
const UNDECIDED: Places = Places::SCREENS.without(&[Place::Change]);
/// Screens where other keys mean nothing of their own: no charts, no log.
const BEYOND_CHARTS: Places =
    Places::SCREENS.without(&[Place::Logs, Place::Exceptions, Place::Signals, Place::Service, Place::Alerts]);
/// Where the space bar turns the page.
const PAGED: Places = BEYOND_CHARTS.with(&[Place::Help]);
/// Screens that hint at nothing but themselves.
const ELSEWHERE: Places =
    BEYOND_CHARTS.without(&[Place::Pipelines, Place::Pipeline]).with(&[Place::Service, Place::Alerts]);

/// All that a user can ask for; hints appear in this order.
pub const ACTIONS: &[Definition] = &[
    Definition::new(Here, A::Open, "open", &["enter"], "open what is selected").hint("open").within(OPENING).key_only(),
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
        .within(SERVICES),
    Definition::new(Here, A::Producer, "producer", &["J"], "the pipeline whose job counts what is shown")
        .within(CHARTED),
    Definition::new(Here, A::TimeBack, "time-back", &["left"], "time cursor back; values are read out there")
        .hint("time")
        .within(CHARTED)
        .key_only(),
    Definition::new(Here, A::TimeForward, "time-forward", &["right"], "time cursor forward, and back to now")
        .within(CHARTED)
        .key_only(),
    Definition::new(Here, A::Freeze, "freeze", &["space"], "hold still what is shown; counting goes on")
        .hint("freeze")
        .within(CHARTED),
    Definition::new(Here, A::TimeRange, "range", &["t"], "charts of 15 minutes, 1, 6 or 24 hours")
        .hint("range")
        .within(CHARTED),
    Definition::new(Here, A::HeatMap, "heat-map", &["h"], "latency as a heat map, or as lines")
        .hint("heat")
        .within(CHARTED),
    Definition::new(Here, A::Backtest, "backtest", &["b"], "the health rule, or a typed one, tried on what is over")
        .hint("backtest")
        .within(CHARTED),
    Definition::new(Here, A::Open, "type-rule", &["enter", "e"], "type another rule to try; nothing takes effect")
        .hint("type a rule")
        .at(&[Place::Backtest])
        .key_only(),
    Definition::new(Here, A::Flows, "pipeline-signals", &["tab"], "golden signals of pipelines")
        .hint("pipelines")
        .at(&[Place::Signals]),
    Definition::new(Here, A::Flows, "service-signals", &["tab"], "golden signals of services again")
        .hint("services")
        .at(&[Place::Flows])
        .key_only(),
    Definition::new(Here, A::Open, "open-pipeline", &["enter"], "open the selected pipeline")
        .hint("pipeline")
        .at(&[Place::Flows])
        .key_only(),
    Definition::new(Here, A::Acknowledge, "acknowledge", &["A"], "you look after it: no more bell and messages")
        .hint("acknowledge")
        .at(&[Place::Alerts]),
    Definition::new(Here, A::Snooze, "snooze", &["z"], "no bell and no message for an hour, or again")
        .hint("snooze")
        .at(&[Place::Alerts]),
    Definition::new(Here, A::Flip, "flip", &["f"], "the other lane becomes active, if it is well; asks first")
        .hint("flip")
        .at(ROUTE),
    Definition::new(Here, A::HoldRoute, "hold", &["h"], "no flip that nobody asks for, or allow them again")
        .hint("hold")
        .at(ROUTE),
    Definition::new(Here, A::AbortFlip, "abort", &["X"], "take the flip on its way back").hint("abort").at(ROUTE),
    Definition::new(Here, A::ForceFlip, "force", &["F"], "the other lane becomes active, whatever the checks say")
        .hint("force")
        .at(ROUTE),
    Definition::new(Here, A::NextPart, "next-route", &["tab"], "the next route").hint("route").at(ROUTE).key_only(),
    Definition::new(Here, A::PreviousPart, "previous-route", &["backtab"], "the previous route").at(ROUTE).key_only(),
    Definition::new(Here, A::Accept, "confirm", &["enter"], "do it").hint("do it").at(ASKING).key_only(),
    Definition::new(Here, A::Complete, "other-line", &["tab"], "the other line")
        .hint("other line")
        .at(ASKING)
        .key_only(),
    Definition::new(Here, A::Back, "leave-it", &["esc"], "leave everything as it is")
        .hint("cancel")
        .at(ASKING)
        .key_only(),
    Definition::new(Here, A::Rejects, "rejects", &["R"], "what was not counted and why, with the last samples")
        .also(&["poison"])
        .within(CHARTED),
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
        .within(PARTS)
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
        .at(&[
            Place::Pipelines,
            Place::Pipeline,
            Place::Pod,
            Place::Signals,
            Place::Service,
            Place::Flows,
            Place::Alerts,
        ]),
    Definition::new(Here, A::Verbs, "change", &["v"], "what can be done to it, and what cannot and why")
        .hint("change")
        .also(&["verbs", "do"])
        .at(CHANGED),
    Definition::new(Here, A::Edit, "edit", &["e"], "edit sizes, topics and configuration of the processor")
        .hint("edit")
        .at(CHANGED),
    Definition::new(Here, A::Compose, "compose", &["c"], "its processors as the manifest has them")
        .hint("compose")
        .at(CHANGED),
    Definition::new(Here, A::History, "history", &["h"], "its revisions, what differs between them, and the way back")
        .hint("history")
        .also(&["revisions"])
        .at(CHANGED),
    Definition::new(Here, A::Manage, "manage", &["m"], "team, last day, labels, links, autoscaling, IAM roles")
        .hint("manage")
        .also(&["labels", "autoscaling", "roles"])
        .at(CHANGED),
    Definition::new(Here, A::Open, "edit-fact", &["enter", "e"], "edit it; nothing is changed before you agree")
        .hint("edit")
        .at(&[Place::Manage])
        .key_only(),
    Definition::new(Here, A::Open, "open-revision", &["enter"], "the manifest of the revision")
        .hint("manifest")
        .at(&[Place::History])
        .key_only(),
    Definition::new(Here, A::Compare, "compare", &["d"], "what differs from the marked revision, or the one before")
        .hint("difference")
        .at(&[Place::History]),
    Definition::new(Here, A::Mark, "mark", &["m"], "compare the others with this one, or no longer")
        .hint("mark")
        .at(&[Place::History]),
    Definition::new(Here, A::Do(Verb::Rollback), "rollback", &["b"], "deploy the selected revision again")
        .hint("roll back")
        .at(&[Place::History]),
    Definition::new(Here, A::Save, "confirm-compose", &["f2"], "find out what it would mean, and then make it")
        .hint("confirm")
        .at(&[Place::Compose])
        .key_only(),
    Definition::new(Here, A::Undo, "undo-compose", &["u"], "take the last change of the composition back")
        .hint("undo")
        .at(&[Place::Compose])
        .key_only(),
    Definition::new(Here, A::Open, "edit-processor", &["enter", "e"], "edit sizes, topics and configuration")
        .hint("edit")
        .at(&[Place::Compose])
        .key_only(),
    Definition::new(Here, A::TakeOut, "take-out", &["X"], "take the processor out of the pipeline")
        .hint("take out")
        .at(&[Place::Compose]),
    Definition::new(Here, A::Add, "add", &["+"], "add a processor: a form, its rules")
        .hint("add")
        .at(&[Place::Compose]),
    Definition::new(Here, A::Earlier, "earlier", &["["], "the processor one step earlier")
        .hint("earlier")
        .at(&[Place::Compose]),
    Definition::new(Here, A::Later, "later", &["]"], "the processor one step later")
        .hint("later")
        .at(&[Place::Compose]),
    Definition::new(Here, A::Beside, "beside", &["p"], "side by side with the step before, or apart again")
        .hint("side by side")
        .at(&[Place::Compose]),
    Definition::new(Here, A::Do(Verb::Deploy), "deploy", &["D"], "start it as it was deployed last").at(CHANGED),
    Definition::new(Here, A::Do(Verb::Restart), "restart", &["R"], "stop it with a savepoint and start it again")
        .at(CHANGED),
    Definition::new(Here, A::Do(Verb::Stop), "stop", &["S"], "stop it with a savepoint").at(CHANGED),
    Definition::new(Here, A::Do(Verb::Scale), "scale", &["="], "another number of TaskManagers").at(CHANGED),
    Definition::new(Here, A::Do(Verb::Promote), "promote", &["P"], "deploy to another environment what runs here")
        .at(CHANGED),
    Definition::new(
        Here,
        A::Open,
        "begin",
        &["enter"],
        "find out what the selected verb would mean; nothing is changed",
    )
    .hint("what would it mean")
    .at(&[Place::Verbs])
    .key_only(),
    Definition::new(Here, A::Agree, "agree", &["y"], "make the change").hint("make it").at(&[Place::Change]).key_only(),
    Definition::new(Here, A::Stop, "stop-change", &["X"], "stop the change where it is; what was done stays")
        .hint("stop it")
        .at(&[Place::Change])
        .key_only(),
    Definition::new(Here, A::Again, "again", &["r"], "the same once more; it goes on where it ended")
        .hint("again")
        .at(&[Place::Change])
        .key_only(),
    Definition::new(Here, A::NextPart, "next-field", &["tab"], "the next line, or the next choice")
        .hint("next")
        .at(&[Place::Confirm])
        .key_only(),
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
    Definition::new(Here, A::NextMatch, "next-match", &["n"], "the next match").hint("next").at(SEARCHED),
    Definition::new(Here, A::PreviousMatch, "previous-match", &["N"], "the match before").at(SEARCHED),
    Definition::new(Here, A::OnlyMatches, "only-matches", &["&"], "matches only, or everything with matches marked")
        .at(SEARCHED),
    Definition::new(Here, A::Context, "context", &["c"], "0, 3 or 10 events around each match").at(&[Place::Logs]),
    Definition::new(Here, A::Histogram, "histogram", &["h"], "choose a moment: left and right move, the log follows")
        .hint("histogram")
        .at(&[Place::Logs]),
    Definition::new(Here, A::TimeRange, "time-range", &["t"], "look for the time of the bar or of the page, to edit")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Fields, "fields", &["F"], "interesting fields: their commonest values with counts")
        .hint("fields")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Fold, "fold", &["z"], "open the event in the list, or close it").at(&[Place::Logs]),
    Definition::new(Here, A::Save, "save", &["w"], "write what is shown to a file here")
        .hint("save")
        .at(&[Place::Logs]),
    Definition::new(Here, A::Pager, "pager", &["o"], "this part of the log in $PAGER or $EDITOR").at(&[Place::Logs]),
    Definition::new(Here, A::Save, "save-text", &["f2"], "save it to its file")
        .hint("save")
        .at(&[Place::Editor])
        .key_only(),
    Definition::new(Here, A::Save, "confirm-edit", &["f2"], "find out what it would mean, and then make it")
        .hint("confirm")
        .at(&[Place::Tune])
        .key_only(),
    Definition::new(Here, A::PreviousPart, "previous-value", &["backtab"], "the value before; the document comes last")
        .at(&[Place::Tune])
        .key_only(),
    Definition::new(Here, A::Rebase, "rebase", &["f8"], "your changes over the newest revision, to look at again")
        .hint("over the newest")
        .at(&[Place::Tune])
        .key_only(),
    Definition::new(Here, A::Complete, "mend", &["tab"], "take what is offered: a mend, a key, a value; else 2 spaces")
        .hint("take")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::NextProblem, "next-problem", &["f3"], "the next thing that is wrong")
        .hint("next problem")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::Clear, "clear", &["f4"], "back to what it is without you")
        .hint("clear")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::Pager, "editor", &["f5"], "write on in $VISUAL or $EDITOR")
        .hint("$EDITOR")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::Undo, "undo", &["ctrl-u"], "take the last change back").hint("undo").at(EDITOR).key_only(),
    Definition::new(Here, A::Redo, "redo", &["ctrl-r"], "make it again").at(EDITOR).key_only(),
    Definition::new(Here, A::Filter, "find", &["ctrl-f"], "find a text").hint("find").at(EDITOR).key_only(),
    Definition::new(Here, A::NextMatch, "find-next", &["f6", "ctrl-g"], "to where it stands next")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::PreviousMatch, "find-previous", &["f7"], "to where it stood last").at(EDITOR).key_only(),
    Definition::new(Move, A::PageUp, "text-page-up", &["pageup"], "one page up").at(WRITTEN),
    Definition::new(Move, A::PageDown, "text-page-down", &["pagedown"], "one page down").at(WRITTEN),
    Definition::new(Move, A::Top, "text-top", &["ctrl-home"], "to the first line").at(EDITOR),
    Definition::new(Move, A::Bottom, "text-end", &["ctrl-end"], "to the last line").at(EDITOR),
    Definition::new(Program, A::Help, "text-help", &["f1"], "the keys that work here")
        .hint("help")
        .at(WRITTEN)
        .key_only(),
    Definition::new(Program, A::Back, "leave", &["esc"], "leave; what is not saved is kept as a draft")
        .hint("leave")
        .at(EDITOR)
        .key_only(),
    Definition::new(Here, A::PreviousLog, "previous-log", &["p"], "log of the run before the last restart")
        .hint("previous log")
        .at(&[Place::Pipelines, Place::Pipeline, Place::Pod, Place::Logs]),
    Definition::new(Here, A::NextPart, "next-log", &["tab"], "the log of the next container")
        .hint("container")
        .at(&[Place::Logs])
        .key_only(),
    Definition::new(Here, A::Yaml, "yaml", &["Y"], "the selected pod as YAML, without managed fields")
        .hint("yaml")
        .at(&[Place::Pipeline, Place::Pod]),
    Definition::new(Here, A::Router, "route", &["O"], "the route that leads here: its lanes, flips, receipts")
        .hint("route")
        .also(&["router", "routes"])
        .at(&[Place::Pipeline]),
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
    Definition::new(Move, A::Up, "up", &["k", "up"], "up").within(SCREENS_AND_HELP),
    Definition::new(Move, A::Down, "down", &["j", "down"], "down").within(SCREENS_AND_HELP),
    Definition::new(Move, A::HalfUp, "half-page-up", &["ctrl-u"], "half a page up").within(SCREENS_AND_HELP),
    Definition::new(Move, A::HalfDown, "half-page-down", &["ctrl-d"], "half a page down").within(SCREENS_AND_HELP),
    Definition::new(Move, A::PageUp, "page-up", &["pageup", "ctrl-b"], "one page up").within(SCREENS_AND_HELP),
    Definition::new(Move, A::PageDown, "page-down", &["pagedown", "ctrl-f", "space"], "one page down").within(PAGED),
    Definition::new(Move, A::PageDown, "page-on", &["pagedown", "ctrl-f"], "one page down").within(SERVICES),
    Definition::new(Move, A::Top, "top", &["g", "home"], "to the top").within(SCREENS_AND_HELP),
    Definition::new(Move, A::Bottom, "bottom", &["G", "end"], "to the end").within(SCREENS_AND_HELP),
    Definition::new(Move, A::Left, "left", &["left", "h"], "to the left").at(&[Place::Document]),
    Definition::new(Move, A::Right, "right", &["right", "l"], "to the right").at(&[Place::Document]),
    Definition::new(Move, A::Left, "log-left", &["left"], "to the left, or to an earlier bar").at(&[Place::Logs]),
    Definition::new(Move, A::Right, "log-right", &["right"], "to the right, or to a later bar").at(&[Place::Logs]),
    Definition::new(Here, A::Filter, "search", &["/"], "look for a text").hint("search").at(SEARCHED).key_only(),
    Definition::new(List, A::Filter, "filter", &["/"], "show only rows with this text in any column")
        .hint("filter")
        .within(UNDECIDED.without(SEARCHED))
        .key_only(),
    Definition::new(List, A::SortNext, "sort-next", &[">"], "sort by the next column, then worst first again")
        .hint("sort"),
    Definition::new(List, A::SortPrevious, "sort-previous", &["<"], "sort by the previous column"),
    Definition::new(List, A::SortReverse, "reverse", &["-"], "turn the order round"),
    Definition::new(Go, A::Pipelines, "pipelines", &["H"], "all pipelines").also(&["pods", "po", "pl"]),
    Definition::new(Go, A::Signals, "signals", &["s"], "golden signals of services")
        .hint("signals")
        .also(&["services", "health", "dashboard"])
        .at(&[Place::Pipelines, Place::Pipeline]),
    Definition::new(Go, A::Signals, "go-signals", &["s"], "golden signals of services").within(ELSEWHERE),
    Definition::new(Go, A::Alerts, "alerts", &["a"], "alerts of all environments")
        .hint("alerts")
        .also(&["alert"])
        .within(CHARTED),
    Definition::new(Go, A::Alerts, "go-alerts", &["a"], "alerts of all environments").within(BEYOND_CHARTS),
    Definition::new(Go, A::Router, "router", &["O"], "routes: which copy of a pipeline gets the records")
        .also(&["route", "routes"])
        .within(BEYOND_CHARTS.without(&[Place::Pipeline])),
    Definition::new(Go, A::Router, "go-router", &["ctrl-o"], "routes: which copy of a pipeline gets the records")
        .also(&["router", "route", "routes"])
        .at(&[Place::Logs, Place::Exceptions, Place::Signals, Place::Service, Place::Alerts]),
    Definition::new(Go, A::Topics, "topics", &["T"], "topics of all environments").also(&[
        "topic",
        "kafka",
        "partitions",
    ]),
    Definition::new(Go, A::Groups, "groups", &["K"], "consumer groups of all environments").also(&[
        "group",
        "consumers",
        "lag",
        "offsets",
    ]),
    Definition::new(Go, A::Author, "author", &["B"], "begin a new processor: a form, its rules, a project")
        .also(&["new"]),
    Definition::new(Go, A::Changes, "changes", &["C"], "changes that were begun here").also(&["operations"]),
    Definition::new(Go, A::Events, "events", &["V"], "Kubernetes events").also(&["ev"]),
    Definition::new(Go, A::Environments, "environments", &["L"], "environments, links and permissions").also(&[
        "env",
        "links",
        "context",
        "ctx",
        "namespaces",
        "permissions",
    ]),
    Definition::new(Program, A::Palette, "palette", &[":"], "type a command").hint("command").key_only(),
    Definition::new(Program, A::Help, "help", &["?", "f1"], "the keys of this screen")
        .hint("help")
        .within(SCREENS_AND_HELP),
    Definition::new(Here, A::Retry, "retry", &["r"], "ask the backends again now").hint("retry").within(UNDECIDED),
    Definition::new(Here, A::Copy, "copy", &["y"], "copy what is selected: name, address or text")
        .hint("copy")
        .within(UNDECIDED),
    Definition::new(Program, A::Back, "back", &["esc", "backspace"], "close what is on top, clear the filter")
        .hint("back")
        .within(SCREENS_AND_HELP)
        .key_only(),
    Definition::new(Program, A::Suspend, "suspend", &["ctrl-z"], "to the shell; fg comes back").within(Places::ALL),
    Definition::new(Program, A::Quit, "quit", &["q"], "leave flowdeck").also(&["q", "exit"]),
    Definition::new(Program, A::Quit, "quit-at-once", &["ctrl-c"], "leave flowdeck, also while typing")
        .within(Places::ALL)
        .key_only(),
    Definition::new(Here, A::Back, "close-help", &["q"], "close the help").at(&[Place::Help]).key_only(),
    Definition::new(Here, A::Save, "write-project", &["f2"], "write the manifest and the project")
        .hint("write")
        .at(FORM)
        .key_only(),
    Definition::new(Here, A::Down, "form-next", &["down", "tab", "enter"], "the next field")
        .hint("next")
        .at(FORM)
        .key_only(),
    Definition::new(Here, A::Up, "form-previous", &["up", "backtab"], "the field before").at(FORM).key_only(),
    Definition::new(Program, A::Help, "form-help", &["f1"], "the keys that work here").hint("help").at(FORM).key_only(),
    Definition::new(Program, A::Back, "leave-form", &["esc"], "leave the form").hint("leave").at(FORM).key_only(),
    Definition::new(Here, A::Accept, "accept", &["enter"], "take it").hint("take").within(INPUTS).key_only(),
    Definition::new(Here, A::Complete, "complete", &["tab"], "complete")
        .hint("complete")
        .at(&[Place::Palette])
        .key_only(),
    Definition::new(Here, A::Up, "previous", &["up", "ctrl-p", "backtab"], "the one above").within(INPUTS).key_only(),
    Definition::new(Here, A::Down, "next", &["down", "ctrl-n"], "the one below").within(INPUTS).key_only(),
    Definition::new(Here, A::Back, "cancel", &["esc"], "leave it").hint("cancel").within(INPUTS).key_only(),
];

const fn link(number: u8, name: &'static str, keys: &'static [&'static str]) -> Definition {
    Definition::new(Here, A::ShowLink(number), name, keys, "").at(&[Place::Pipeline]).key_only()
}
