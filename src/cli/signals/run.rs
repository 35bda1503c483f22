//! `flowdeck signals run`: golden signals of a topic without a screen, for a pipe, a scraper or another topic.
//!
//! What is told, by default, is the last word on each window, once ([`Finals`](crate::engine::finals::Finals)). What was told is remembered in a state
//! file, if one is given: the first window that was not told, and for each partition the offset from which reading
//! has to go on so that all events of that window and later ones are read again. So a restart needs no copy of the
//! engine's insides, survives a new version of it, and comes to the same numbers, because a final pane does not depend
//! on the order of events. The state is written after the rows were: killed in between, a run tells the same rows again.
//!
//! A topic that is too much for one run is shared by several in a consumer group ([`group`]).
//!
//! It must not go on when its rows cannot be written: nothing would be lost, but nobody would know.

mod exposition;
mod group;
mod rows;
mod share;
mod start;
mod state;
mod stop;
mod tally;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::exposition::Exposition;
use self::group::Group;
use self::rows::Rows;
use self::share::{Plan, Share};
use self::start::From;
use self::state::Told;
use super::first_window::FirstWindow;
use super::{Failure, Shared, exit, output};
use crate::cli::cluster::Cluster;
use crate::cli::scrape;
use crate::engine::Spec;
use crate::engine::contract;
use crate::engine::spec::{Accumulation, Read};
use crate::model::document::Fetch;
use crate::runtime::signals::side_input::SideInput;
use crate::source::kafka::ClientProperties;
use crate::source::kafka::consume::{News, Reader, Start, Subscription, Wishes};
use crate::source::kafka::member::{Change, Member};

/// Time passes for the engine this often.
const TICK: Duration = Duration::from_millis(250);
/// News that is worked off before the clock and signals are looked at again.
const BURST: usize = 32;

/// Arguments of `flowdeck signals run`.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Signals spec
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
    /// Where reading begins: now, earliest, a time as 2026-11-22T06:52:02Z, or so long ago as -15m [default: now, or where the first window does]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<From>,
    /// Tell windows from this one on, and leave those before it to whoever wrote them: next, or its start as 2026-11-22T16:00:00Z
    #[arg(long, value_name = "WHEN")]
    first_window: Option<FirstWindow>,
    /// Stop after what is there now
    #[arg(long)]
    until_end: bool,
    /// Form of what is printed
    #[arg(short, long, value_enum, default_value_t = Format::Jsonl)]
    output: Format,
    /// Which panes are told
    #[arg(long, value_enum, default_value_t = Panes::Final)]
    panes: Panes,
    /// Serve metrics to scrapers at this address, under /metrics
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Write the panes to this topic instead of printing them
    #[arg(long, value_name = "TOPIC")]
    output_topic: Option<String>,
    /// Remember here what was told, and go on from there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Share the topic with other runs of this consumer group: rows are of one partition each, and add up
    #[arg(long, value_name = "NAME", conflicts_with_all = ["state", "listen"])]
    group: Option<String>,
}

/// Form of the panes on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Jsonl,
    /// Prometheus' text form, whenever windows were told
    Prometheus,
}

/// Which panes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Panes {
    /// One for each service and window, when no later event can change it
    Final,
    /// On time, and again with late events
    Every,
}

impl Arguments {
    /// Whether the spec can be run as the arguments say.
    fn check(&self, spec: &Spec) -> anyhow::Result<()> {
        anyhow::ensure!(
            spec.source.read == Read::Events,
            "source = \"aggregated\" is for the console: a run counts events, so give it a spec that reads them"
        );
        anyhow::ensure!(!spec.source.topics.is_empty(), "source.topics names no topic to read");
        anyhow::ensure!(
            self.panes == Panes::Final || self.output_topic.is_none() || spec.window.mode == Accumulation::Accumulating,
            "with window.mode = \"discarding\" a late pane holds only what is new, but the last row of a key in a topic \
             stands for the whole window: leave --panes every out, or set mode = \"accumulating\""
        );
        anyhow::ensure!(
            self.group.is_none() || self.output == Format::Jsonl,
            "-o prometheus speaks of whole services, but a run of a --group knows only its own partitions: leave one out"
        );
        Ok(())
    }
}

/// Runs until the end, or until it is stopped.
pub(super) fn run(arguments: &Arguments, shared: &Shared) -> Result<u8, Failure> {
    let text = std::fs::read_to_string(&arguments.spec)
        .with_context(|| format!("cannot read the signals spec {}", arguments.spec.display()))
        .map_err(Failure::usage)?;
    let spec = Spec::parse(&text).with_context(|| arguments.spec.display().to_string()).map_err(Failure::usage)?;
    arguments.check(&spec).with_context(|| arguments.spec.display().to_string()).map_err(Failure::usage)?;
    let properties = arguments.cluster.properties(shared)?;
    let objects = arguments.cluster.objects(shared)?;
    let sha = state::sha(&text);
    let before = arguments.state.as_deref().map(|path| state::read(path, &sha)).transpose()?.flatten();
    let first = arguments.first_window.map(|first| first.start(&spec, Utc::now().timestamp_millis())).transpose();
    let first = first.map_err(Failure::usage)?;
    let mut rows = Rows::new(arguments, &properties, contract::sha(&spec), stop::noticed()?)?;
    rows.leave_before(first);
    let exposition = Arc::new(Mutex::new(Exposition::default()));
    if let Some(address) = arguments.listen {
        let told = exposition.clone();
        scrape::serve(address, move || {
            let known = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            known.text()
        })?;
    }
    let from = match (&before, arguments.from) {
        (Some(state), _) => Start::Resume(state.offsets()),
        (None, Some(from)) => from.start(Utc::now()),
        (None, None) => first.map_or(Start::Now, |first| start::of_window(&spec, first)),
    };
    let topics = spec.topics();
    let plan = Plan { spec, sha, every: arguments.panes == Panes::Every };
    let (counting, only) = Counting::new(arguments.group.as_deref(), (&plan, before), (&properties, &topics))?;
    let reader = Reader::start(properties, Subscription { topics, start: from.clone(), only })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let side_input = {
        let _inside = runtime.enter();
        SideInput::start(&plan.spec, objects.as_ref(), &CancellationToken::new())
    };
    let side_input = side_input
        .with_context(|| format!("{}: overrides.location", arguments.spec.display()))
        .map_err(Failure::usage)?;
    let job = Job {
        arguments,
        plan,
        reader,
        counting,
        rows,
        exposition,
        side_input,
        overrides: None,
        from,
        said: String::new(),
        said_of_overrides: String::new(),
    };
    runtime.block_on(job.run())
}

/// What this run counts.
enum Counting {
    Whole(Box<Share>),
    Group(Box<Group>),
}

impl Counting {
    /// What a run counts, and in a group the partitions that it is to read.
    fn new(
        group: Option<&str>,
        (plan, before): (&Plan, Option<Told>),
        (properties, topics): (&ClientProperties, &[Arc<str>]),
    ) -> Result<(Self, Option<watch::Receiver<Wishes>>), Failure> {
        let Some(name) = group else {
            let share = Share::new(plan, before).map_err(Failure::usage)?;
            return Ok((Self::Whole(Box::new(share)), None));
        };
        let (group, wanted) = Group::new(name, Member::join(properties, name, topics)?);
        Ok((Self::Group(Box::new(group)), Some(wanted)))
    }

    /// The group's next decision; never, where there is no group.
    async fn change(&mut self) -> Option<Change> {
        match self {
            Self::Whole(_) => std::future::pending().await,
            Self::Group(group) => group.next().await,
        }
    }

    /// All that is counted as one, with the part's name where it is one.
    fn shares(&mut self) -> Vec<(Option<Arc<str>>, &mut Share)> {
        match self {
            Self::Whole(share) => vec![(None, share)],
            Self::Group(group) => group.parts().map(|(name, share)| (Some(name.clone()), share)).collect(),
        }
    }

    /// Whether all was read that was there when reading began.
    fn has_caught_up(&mut self) -> bool {
        let may_be = match self {
            Self::Whole(_) => true,
            Self::Group(group) => group.has_joined,
        };
        may_be && self.shares().into_iter().all(|(_, share)| share.course.has_caught_up())
    }
}

/// A run on its way.
struct Job<'a> {
    arguments: &'a Arguments,
    plan: Plan,
    reader: Reader,
    counting: Counting,
    rows: Rows,
    exposition: Arc<Mutex<Exposition>>,
    side_input: SideInput,
    /// The overrides that hold, for a partition that is given later.
    overrides: Option<Fetch>,
    from: Start,
    /// The last sentence about the brokers.
    said: String,
    /// The last sentence about overrides.
    said_of_overrides: String,
}

impl Job<'_> {
    async fn run(mut self) -> Result<u8, Failure> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        if let Some(fetch) = self.side_input.first().await {
            self.take_overrides(&fetch);
        }
        loop {
            let now = || Utc::now().timestamp_millis();
            tokio::select! {
                biased;
                number = either(&mut interrupt, &mut terminate) => {
                    self.tell()?;
                    self.remember()?;
                    self.summarize();
                    return Ok(exit::SIGNAL.saturating_add(number));
                }
                _ = ticks.tick() => {
                    self.counting.shares().into_iter().for_each(|(_, share)| share.tick(now()));
                    self.stand();
                }
                change = self.counting.change() => {
                    let Some(change) = change else { return Err(anyhow::anyhow!("the membership has ended").into()) };
                    self.follow(change)?;
                }
                fetch = self.side_input.next() => self.take_overrides(&fetch),
                news = self.reader.next() => {
                    let Some(news) = news else { return Err(anyhow::anyhow!("the reader has ended").into()) };
                    self.take(news, now())?;
                    for _ in 0..BURST {
                        let Some(news) = self.reader.ready() else { break };
                        self.take(news, now())?;
                    }
                }
            }
            self.tell()?;
            if self.arguments.until_end && self.counting.has_caught_up() {
                return self.end();
            }
        }
    }

    /// All is read. Windows that are open are told, unless another run will go on with them.
    fn end(mut self) -> Result<u8, Failure> {
        if let Counting::Whole(share) = &mut self.counting
            && self.arguments.state.is_none()
        {
            share.tally.finish();
        }
        self.tell()?;
        self.remember()?;
        self.rows.end(&self.exposition)?;
        self.summarize();
        Ok(exit::OK)
    }

    /// Takes overrides in, and says so when they are others or cannot be had.
    fn take_overrides(&mut self, fetch: &Fetch) {
        if matches!(fetch.outcome, Ok(Some(_))) {
            self.overrides = Some(fetch.clone());
        }
        let mut shares = self.counting.shares().into_iter();
        let Some((_, share)) = shares.next() else { return };
        let state = share.tally.take_overrides(fetch);
        let place = self.side_input.location().unwrap_or_default();
        let sentence = match (&state.error, &state.version) {
            (Some(error), _) => format!("overrides of {place}: {error}; what was believed before holds"),
            (None, Some(version)) => format!("overrides of {place}: {} services, version {version}", state.services),
            (None, None) => return,
        };
        shares.for_each(|(_, share)| share.take_overrides(fetch));
        if self.said_of_overrides != sentence {
            output::complain(&output::clean(&sentence));
            self.said_of_overrides = sentence;
        }
    }

    fn take(&mut self, news: News, now: i64) -> Result<(), Failure> {
        match &news {
            News::Stalled { why, .. } => self.say(format!("{why}; waiting")),
            News::Refused { why } => self.say(format!("{why}; trying again")),
            News::Flowing => self.say("everything answers again".to_owned()),
            News::Lost { records, .. } => {
                output::complain(&format!("{records} records were deleted before they were read"));
            }
            News::Unreadable { batches, offset, .. } => {
                output::complain(&format!("{batches} batches cannot be read, the last at offset {offset}"));
            }
            News::Assigned(assignment) => {
                if let Start::Resume(offsets) = &self.from
                    && let Some(offset) = offsets.get(&(assignment.topic.clone(), assignment.partition))
                    && assignment.position != *offset
                {
                    let (topic, partition, position) = (&assignment.topic, assignment.partition, assignment.position);
                    output::complain(&format!(
                        "{topic}/{partition} is read from {position} instead of {offset}: it was cut"
                    ));
                }
            }
            _ => {}
        }
        match &mut self.counting {
            Counting::Whole(share) => share.take(news, now),
            Counting::Group(group) => group.take(news, now)?,
        }
        Ok(())
    }

    /// Does as the group decides.
    fn follow(&mut self, change: Change) -> Result<(), Failure> {
        let Counting::Group(group) = &mut self.counting else { return Ok(()) };
        match change {
            Change::Given(given) => {
                let names: Vec<String> =
                    given.keys().map(|(topic, partition)| format!("{topic}/{partition}")).collect();
                group.give(given, &self.plan, self.overrides.as_ref())?;
                output::complain(&output::clean(&format!("reads {}", names.join(", "))));
            }
            Change::Taken(taken, answer) => {
                let mut marks = BTreeMap::new();
                for partition in taken {
                    let Some((name, mut share)) = group.let_go(&partition) else { continue };
                    self.rows.write(&share.told(), Some(&name), &self.exposition)?;
                    share.advance();
                    marks.extend(share.state.mark(&partition)?.map(|mark| (partition, mark)));
                    output::complain(&output::clean(&format!("lets {name} go: {}", share.summary())));
                }
                self.rows.confirm()?;
                // Whoever does not wait any more begins with an older mark.
                drop(answer.send(marks));
            }
            Change::Trouble(why) => self.say(format!("the group: {why}; trying again")),
        }
        Ok(())
    }

    /// Says a sentence, unless it was the last one too: a broker that is away is tried again and again.
    fn say(&mut self, sentence: String) {
        if self.said != sentence {
            output::complain(&output::clean(&sentence));
            self.said = sentence;
        }
    }

    /// Writes what the engine told, then remembers that.
    fn tell(&mut self) -> Result<(), Failure> {
        let told = self.counting.shares().into_iter().map(|(part, share)| (part, share.told()));
        let told: Vec<_> = told.filter(|(_, rows)| !rows.is_empty()).collect();
        if told.is_empty() {
            return Ok(());
        }
        let mut exposition = self.exposition.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().flat_map(|(_, rows)| rows).for_each(|row| exposition.count(row));
        drop(exposition);
        self.stand();
        for (part, rows) in &told {
            self.rows.write(rows, part.as_deref(), &self.exposition)?;
        }
        self.remember()
    }

    /// Tells scrapers how reading stands.
    fn stand(&self) {
        if let Counting::Whole(share) = &self.counting {
            self.exposition.lock().unwrap_or_else(PoisonError::into_inner).stand(&share.tally, &share.course);
        }
    }

    fn remember(&mut self) -> Result<(), Failure> {
        match (&mut self.counting, &self.arguments.state) {
            (Counting::Whole(share), Some(path)) => {
                if share.advance() {
                    self.rows.confirm()?;
                    share.state.write(path)?;
                }
            }
            (Counting::Whole(_), None) => {}
            (Counting::Group(group), _) => {
                if group.has_news() {
                    self.rows.confirm()?;
                    group.remember()?;
                }
            }
        }
        Ok(())
    }

    fn summarize(&mut self) {
        for (part, share) in self.counting.shares() {
            let part = part.map(|part| format!("{part}: ")).unwrap_or_default();
            output::complain(&output::clean(&format!("{part}{}", share.summary())));
        }
    }
}

/// The number of the signal that came.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) -> u8 {
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
    }
}
