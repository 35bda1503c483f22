//! The log of a pipeline, a processor or a pod: followed, frozen, searched, jumped about in.
//!
//! The screen holds one page; everything else lies with the session that follows the log, and pages come as
//! news when the screen asks by what it looks at. Moving inside the page is at once.

pub mod keys;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::document::DocumentScreen;
use super::layout::Layout;
use super::screen::{Cause, Outcome, Part, Screen, World};
use crate::action::{Action, Place};
use crate::logs::event::Level;
use crate::logs::news::{News, Row};
use crate::logs::query::Query;
use crate::model::Time;
use crate::model::apart::short_names;
use crate::model::interest::Interest;
use crate::model::log::{Anchor, LogInterest, Target, View, main_container};

/// Lines of an event that is open in the list.
pub const OPEN_LINES: usize = 16;
/// Cells that one step to the side is wide.
pub const SIDE_STEP: usize = 16;

/// How a moment is written in a query.
const MOMENT: &str = "%Y-%m-%d_%H:%M:%S";
/// Said when somebody asks for the log of a run that there never was.
pub const NEVER_RESTARTED: &str = "This container has not restarted.";

/// Least level that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Least {
    /// All events.
    #[default]
    All,
    /// Warnings and worse.
    Warn,
    /// Errors.
    Error,
}

/// The screen.
#[derive(Debug)]
pub struct LogScreen {
    /// Whose log.
    pub target: Target,
    /// What was told last; `None` before anything was.
    pub news: Option<News>,
    /// The events on the page.
    pub rows: Vec<Row>,
    /// Place of the chosen event on the page.
    pub cursor: usize,
    /// Place of the first event on screen.
    pub top: usize,
    /// Whether the end is shown as it moves.
    pub follows: bool,
    /// Least level that is shown.
    pub least: Least,
    /// Whether only events with a stack trace are shown.
    pub exceptions: bool,
    /// Whether only matches are shown.
    pub only_matches: bool,
    /// Events shown before and behind each match.
    pub context: u8,
    /// The bar of the histogram that is chosen, while it is.
    pub bar: Option<usize>,
    /// Whether fields are shown.
    pub facets: bool,
    /// Cells cut off on the left.
    pub column: usize,
    /// Why the query means nothing.
    pub wrong: Option<String>,
    /// What is looked for.
    pub query: Query,
    /// Short names of the pods of the streams, in their order.
    names: Vec<Arc<str>>,
    filter: String,
    opened: BTreeSet<u64>,
    anchor: Anchor,
    serial: u64,
    save: Option<Arc<str>>,
    height: usize,
    now: Time,
}

impl LogScreen {
    /// Opens the log of a target; `query` is looked for from the beginning.
    #[must_use]
    pub fn open(target: Target, query: &str, now: Time) -> Screen {
        let mut screen = Self {
            target,
            news: None,
            rows: Vec::new(),
            cursor: 0,
            top: 0,
            follows: true,
            least: Least::All,
            exceptions: false,
            only_matches: true,
            context: 0,
            bar: None,
            facets: false,
            column: 0,
            wrong: None,
            query: Query::default(),
            names: Vec::new(),
            filter: String::new(),
            opened: BTreeSet::new(),
            anchor: Anchor::End,
            serial: 0,
            save: None,
            height: 1,
            now,
        };
        screen.set_filter(query);
        Screen::Logs(Box::new(screen))
    }

    /// Lines of the parts: the title, the histogram.
    #[must_use]
    pub const fn layout(&self, size: (u16, u16)) -> Layout {
        Layout::new(size, 2, if self.facets { 7 } else { 0 })
    }

    /// Lines that an event takes in the list.
    #[must_use]
    pub fn lines_of(&self, row: &Row) -> usize {
        if self.opened.contains(&row.number) { row.text.lines().count().clamp(1, OPEN_LINES) } else { 1 }
    }

    /// Whether an event is open in the list.
    #[must_use]
    pub fn is_open(&self, row: &Row) -> bool {
        self.opened.contains(&row.number)
    }

    /// The chosen event.
    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    /// The whole query, as the session takes it.
    fn whole_query(&self) -> String {
        let level = match self.least {
            Least::All => "",
            Least::Warn => "level=warn ",
            Least::Error => "level=error ",
        };
        let exceptions = if self.exceptions { "exceptions " } else { "" };
        format!("{level}{exceptions}{}", self.filter)
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.least != Least::All || self.exceptions || !self.filter.is_empty()
    }

    /// Takes in what the session tells; whether it is about this log.
    pub fn told(&mut self, news: &News) -> bool {
        if news.target != self.target {
            return false;
        }
        let mine = news.serial == self.serial;
        if mine && !matches!(self.anchor, Anchor::NextMatch(_) | Anchor::PreviousMatch(_)) {
            let chosen = self.selected().map(|row| row.number);
            self.rows.clone_from(&news.rows);
            self.choose(if matches!(self.anchor, Anchor::Time(_)) { news.anchor } else { chosen.or(news.anchor) });
        } else if mine && let Some(found) = news.anchor {
            self.rows.clone_from(&news.rows);
            self.choose(Some(found));
            self.anchor = Anchor::Event(found);
        }
        let mut kept = news.clone();
        kept.rows = Vec::new();
        self.names = short_names(kept.streams.iter().map(|(container, _)| &container.pod.name));
        self.news = Some(kept);
        true
    }

    /// Puts the cursor on an event, or on the one behind where it was.
    fn choose(&mut self, number: Option<u64>) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = match number {
            _ if self.follows => last,
            Some(number) => self.rows.partition_point(|row| row.number < number).min(last),
            None => self.cursor.min(last),
        };
        self.scroll();
    }

    /// Moves the list so that the chosen event is on screen, and the screen is full where it can be.
    fn scroll(&mut self) {
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.top = self.top.min(self.cursor);
        let sizes: Vec<usize> = self.rows.iter().map(|row| self.lines_of(row)).collect();
        let span = |from: usize, to: usize| sizes.get(from..to).map_or(0, |part| part.iter().sum::<usize>());
        while self.top < self.cursor && span(self.top, self.cursor + 1) > self.height {
            self.top += 1;
        }
        while self.top > 0 && span(self.top - 1, sizes.len()) <= self.height {
            self.top -= 1;
        }
    }

    /// Asks for another page.
    fn ask(&mut self, anchor: Anchor) {
        self.anchor = anchor;
        self.serial += 1;
        self.save = None;
    }

    /// The query or what is shown of it changed.
    fn ask_again(&mut self) {
        let anchor = if self.follows {
            Anchor::End
        } else {
            self.selected().map_or(Anchor::End, |row| Anchor::Event(row.number))
        };
        self.ask(anchor);
    }

    /// Asks for more when the cursor comes near the end of the page.
    fn ask_for_more(&mut self) {
        let (at_start, at_end) = self.news.as_ref().map_or((true, true), |news| news.bounds);
        let near_start = self.cursor < self.height && !at_start;
        let near_end = self.cursor + self.height >= self.rows.len() && !at_end;
        if (near_start || near_end)
            && let Some(row) = self.selected()
        {
            self.ask(Anchor::Event(row.number));
        }
    }

    fn events_wanted(&self) -> u16 {
        u16::try_from(self.height * 6).unwrap_or(u16::MAX).clamp(60, 2_000)
    }

    /// Shows another log instead, from its end.
    fn turn_to(&mut self, target: Target) {
        self.target = target;
        self.news = None;
        self.rows.clear();
        self.opened.clear();
        self.bar = None;
        self.follows = true;
        self.ask_again();
    }

    /// The log before the container's last restart, or back.
    fn other_run(&mut self, world: &World<'_>) -> Outcome {
        let target = match &self.target {
            Target::Pod(key, _) if world.inventory.pod(key).is_none_or(|pod| pod.restarts == 0) => {
                return Outcome::Say(NEVER_RESTARTED);
            }
            Target::Pod(key, container) => Target::Previous(key.clone(), container.clone()),
            Target::Previous(key, container) => Target::Pod(key.clone(), container.clone()),
            Target::Pipeline(_) | Target::Processor(_) => return Outcome::Say("Open one pod's log first (Enter, l)."),
        };
        self.turn_to(target);
        Outcome::Done
    }

    /// The log of the pod's next container.
    fn next_container(&mut self, world: &World<'_>) -> Outcome {
        let (Target::Pod(key, container) | Target::Previous(key, container)) = &self.target else {
            return Outcome::Ignored;
        };
        let Some(pod) = world.inventory.pod(key) else { return Outcome::Ignored };
        let now = container.as_ref().or_else(|| main_container(pod));
        let at = pod.containers.iter().position(|name| Some(name) == now).unwrap_or(0);
        let next = pod.containers.get((at + 1) % pod.containers.len().max(1)).cloned();
        let target = match &self.target {
            Target::Previous(..) => Target::Previous(key.clone(), next),
            _ => Target::Pod(key.clone(), next),
        };
        self.turn_to(target);
        Outcome::Done
    }

    /// What is looked for with a range of time behind it, to be edited: that of the chosen bar, or of the page.
    fn time_range(&self) -> Outcome {
        let histogram = self.news.as_ref().map(|news| &news.histogram);
        let bar = self.bar.zip(histogram).and_then(|(at, histogram)| histogram.span(at));
        let page = self.rows.first().zip(self.rows.last()).map(|(first, last)| (first.time, last.time));
        let Some((from, to)) = bar.or(page) else { return Outcome::Say("Nothing is here yet to choose a time from.") };
        let is_range = |term: &str| term.starts_with("from=") || term.starts_with("to=");
        let mut kept = self.filter.trim_end();
        while let Some((before, _)) = kept.rsplit_once(' ').or(Some(("", kept))).filter(|(_, term)| is_range(term)) {
            kept = before.trim_end();
        }
        let gap = if kept.is_empty() { "" } else { " " };
        // Moments are to the second, and the last event is to be in it.
        let to = to + chrono::TimeDelta::milliseconds(999);
        Outcome::Type(format!("{kept}{gap}from={} to={}", from.format(MOMENT), to.format(MOMENT)))
    }

    fn trace(&self) -> Outcome {
        let Some(row) = self.selected() else { return Outcome::Ignored };
        let pod = self.source(row).unwrap_or_default();
        Outcome::open(DocumentScreen::trace(format!("{pod} › {}", row.time.format("%H:%M:%S%.3f")), &row.text))
    }

    /// The pod that an event is of.
    #[must_use]
    pub fn source(&self, row: &Row) -> Option<&str> {
        let (container, _) = self.news.as_ref()?.streams.get(usize::from(row.source))?;
        Some(&container.pod.name)
    }

    /// The pod that an event is of, as short as the others allow.
    #[must_use]
    pub fn short_source(&self, row: &Row) -> Option<&str> {
        self.names.get(usize::from(row.source)).map(|name| &**name)
    }

    /// Cells that the longest short name takes.
    #[must_use]
    pub fn source_cells(&self) -> usize {
        self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0)
    }

    /// The events on screen as text, for a pager.
    fn page_text(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(self.source(row).unwrap_or_default());
            text.push(' ');
            text.push_str(&row.text);
            text.push('\n');
        }
        text
    }
}

impl Part for LogScreen {
    fn place(&self) -> Place {
        Place::Logs
    }

    fn refresh(&mut self, world: &World<'_>, cause: &Cause<'_>) -> bool {
        self.now = world.now;
        if matches!(cause, Cause::Shown) {
            self.height = usize::from(self.layout(world.size).body).max(1);
            self.scroll();
        }
        !matches!(cause, Cause::Changed(_))
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let outcome = match action {
            Action::PreviousLog => self.other_run(world),
            Action::NextPart => self.next_container(world),
            Action::TimeRange => self.time_range(),
            other => keys::act(self, other),
        };
        self.height = usize::from(self.layout(world.size).body).max(1);
        self.scroll();
        outcome
    }

    fn offers(&self, action: Action, world: &World<'_>) -> bool {
        let pod = || world.inventory.pod(self.target.key());
        match action {
            Action::PreviousLog => match &self.target {
                Target::Pod(..) => pod().is_some_and(|pod| pod.restarts > 0),
                Target::Previous(..) => true,
                Target::Pipeline(_) | Target::Processor(_) => false,
            },
            Action::NextPart => pod().is_some_and(|pod| pod.containers.len() > 1),
            Action::NextMatch | Action::PreviousMatch | Action::OnlyMatches | Action::Context => self.is_filtered(),
            Action::Open | Action::Fold | Action::Copy | Action::Save | Action::Pager | Action::TimeRange => {
                !self.rows.is_empty()
            }
            Action::Retry => false,
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.log = Some(LogInterest {
            target: self.target.clone(),
            pipeline: self.target.pipeline(world.inventory).map(|key| key.name.clone()),
            containers: self.target.containers(world.inventory),
            view: View {
                query: self.whole_query().into(),
                only_matches: self.only_matches,
                context: self.context,
                anchor: self.anchor,
                events: self.events_wanted(),
                facets: self.facets,
                serial: self.serial,
                save: self.save.clone(),
            },
        });
    }

    fn filter(&self) -> &str {
        &self.filter
    }

    fn rows_shown(&self) -> usize {
        self.news.as_ref().map_or(0, |news| usize::try_from(news.found).unwrap_or(usize::MAX))
    }

    fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        match Query::parse(filter, self.now) {
            Ok(query) => {
                self.query = query;
                self.wrong = None;
            }
            Err(error) => self.wrong = Some(error.to_string()),
        }
        self.ask_again();
    }
}

/// Whether an event is bad enough to stand out.
#[must_use]
pub fn is_bad(row: &Row) -> bool {
    row.failed || row.level.is_some_and(|level| level >= Level::Error)
}
