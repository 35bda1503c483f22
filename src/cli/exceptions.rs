//! `flowdeck exceptions`: what failed in a log, each failure once.
//!
//! Reads a file or a pipe, so that it works on what somebody was sent, without any cluster; or the logs of a
//! pipeline, a processor or a pod. Events without a
//! time (a trace printed by the JVM itself) count as of the time of the event before them.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::output::{self, Column, Format};
use super::tail::Feed;
use super::{Failure, Shared, exit, gather};
use crate::logs::braid::Entry;
use crate::logs::event::Event;
use crate::logs::format::Choice;
use crate::logs::group::{Group, Groups};
use crate::logs::{Counts, Reader, time};
use crate::model::log::Mark;
use crate::model::{Time, human};
use crate::settings::Settings;
use crate::source::kube::tail::Plan;

/// Bytes that are asked for at once.
const READ: usize = 256 * 1024;
/// Letters of a message in the table.
const MESSAGE: usize = 100;

/// Arguments of `flowdeck exceptions`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Reads the logs of TARGET, a file with --file, or standard input with -: kubectl logs POD | flowdeck exceptions -"
)]
pub struct Exceptions {
    /// A pipeline, pipeline/processor, processor, pod or pod/container; - for standard input
    #[arg(value_name = "TARGET", required_unless_present = "file", conflicts_with = "file")]
    target: Option<String>,
    /// Log file to read; - for standard input
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Only what was logged since: 10m, 2h, 1d, or 2026-11-22T06:52:02Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Print each event that has a stack trace, as one JSON object a line
    #[arg(long, conflicts_with = "output")]
    events: bool,
    /// Layout of the log; for pods, the one of the settings if not given
    #[arg(long, value_enum, value_name = "LAYOUT")]
    format: Option<Choice>,
    /// The run before the last restart
    #[arg(short, long, conflicts_with = "file")]
    previous: bool,
    /// How long to wait for backends that do not answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    timeout: u64,
}

/// A moment, or how long before now it is.
#[derive(Clone, Copy, Debug)]
pub enum Since {
    /// That moment.
    Moment(Time),
    /// So long before now.
    Ago(chrono::TimeDelta),
}

impl Since {
    /// The moment.
    pub fn moment(self, now: Time) -> Time {
        match self {
            Self::Moment(moment) => moment,
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(Time::MIN_UTC),
        }
    }
}

/// Reads an age or a moment.
pub fn since(text: &str) -> Result<Since, String> {
    if let Some((moment, length)) = time::read(text.as_bytes())
        && length == text.len()
    {
        return Ok(Since::Moment(moment));
    }
    let wrong = || format!("{text} is neither an age as 10m nor a time as 2026-11-22T06:52:02Z");
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    chrono::TimeDelta::try_seconds(seconds).map(Since::Ago).ok_or_else(wrong)
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// Reads the log and prints its failures.
pub fn run(arguments: &Exceptions, shared: &Shared) -> Result<u8, Failure> {
    match arguments.target.as_deref() {
        None | Some("-") => run_on_input(arguments),
        Some(name) => {
            let settings = shared.load()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let code = runtime.block_on(run_on_pods(arguments, name, &settings));
            runtime.shutdown_background();
            code
        }
    }
}

async fn run_on_pods(arguments: &Exceptions, name: &str, settings: &Settings) -> Result<u8, Failure> {
    let now = gather::now();
    let since = arguments.since.map(|since| since.moment(now));
    let plan = Plan { since, previous: arguments.previous, ..Plan::default() };
    let wait = (arguments.format, Duration::from_secs(arguments.timeout));
    let mut feed = Feed::open(settings, name, plan, wait).await?;
    let mut findings = Findings { since, ..Findings::default() };
    let mut gaps = 0_usize;
    while let Some(items) = feed.next().await {
        for item in items {
            match &item.entry {
                Entry::Event(record) if record.exception.is_some() => {
                    let mut event = record.event();
                    event.time = event.time.or(Some(item.time));
                    findings.take(&event, arguments.events);
                }
                Entry::Mark(Mark::Missed(missed)) => {
                    gaps += 1;
                    output::complain(&format!("{}: {}", item.container.pod.name, missed.words()));
                }
                Entry::Event(_) | Entry::Mark(_) => {}
            }
        }
        findings.print()?;
    }
    let complaints = feed.complaints();
    complaints.iter().for_each(|sentence| output::complain(sentence));
    complain_of(Counts::default(), &findings.groups);
    if !arguments.events {
        show(&findings.groups.into_sorted(), arguments.output, now)?;
    }
    Ok(if complaints.is_empty() && gaps == 0 { exit::OK } else { exit::PARTIAL })
}

fn run_on_input(arguments: &Exceptions) -> Result<u8, Failure> {
    let now = gather::now();
    let since = arguments.since.map(|since| since.moment(now));
    let path = arguments.file.as_deref().filter(|path| *path != Path::new("-"));
    let mut input: Box<dyn Read> = match path {
        Some(path) => Box::new(open(path)?),
        None => Box::new(io::stdin().lock()),
    };
    let mut findings = Findings { since, ..Findings::default() };
    let mut reader = Reader::new(arguments.format.unwrap_or_default());
    let mut buffer = vec![0; READ];
    loop {
        let bytes = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => buffer.get(..length).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(path, error)),
        };
        reader.push(bytes, now, &mut |event| findings.take(event, arguments.events));
        findings.print()?;
    }
    reader.finish(now, &mut |event| findings.take(event, arguments.events));
    findings.print()?;
    complain_of(reader.counts(), &findings.groups);
    if !arguments.events {
        show(&findings.groups.into_sorted(), arguments.output, now)?;
    }
    Ok(exit::OK)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::not_found(format!("there is no file {}", path.display())),
        _ => unreadable(Some(path), error),
    })
}

fn unreadable(path: Option<&Path>, error: io::Error) -> Failure {
    let name = path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    anyhow::Error::new(error).context(format!("cannot read {name}")).into()
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    since: Option<Time>,
    /// Of the latest event that had one.
    time: Option<Time>,
    groups: Groups,
    /// Lines to print, and why one could not be written.
    lines: String,
    failed: Option<serde_json::Error>,
}

impl Findings {
    fn take(&mut self, event: &Event<'_>, print: bool) {
        self.time = event.time.or(self.time);
        let wanted = self.since.is_none_or(|since| self.time.is_none_or(|time| time >= since));
        if event.exception.is_none() || !wanted {
            return;
        }
        if !print {
            self.groups.add(event, self.time);
            return;
        }
        match serde_json::to_string(event).map(output::harmless_json) {
            Ok(line) => self.lines = std::mem::take(&mut self.lines) + &line + "\n",
            Err(error) => self.failed = Some(error),
        }
    }

    fn print(&mut self) -> Result<(), Failure> {
        if !self.lines.is_empty() {
            output::print(&self.lines)?;
            self.lines.clear();
        }
        self.failed.take().map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Says what could not be kept as it was: nothing is lost in silence.
fn complain_of(counts: Counts, groups: &Groups) {
    if counts.cut_lines > 0 {
        let bytes = human::bytes(counts.cut_bytes);
        output::complain(&match counts.cut_lines {
            1 => format!("one line was too long and lost {bytes} at its end"),
            lines => format!("{lines} lines were too long and lost {bytes} at their ends"),
        });
    }
    if counts.lossy_lines > 0 {
        output::complain(&format!("{} lines hold bytes that are not UTF-8", counts.lossy_lines));
    }
    if groups.beyond() > 0 {
        output::complain(&format!("{} more events have further failures that are not listed", groups.beyond()));
    }
}

fn show(groups: &[Group], form: Format, now: Time) -> Result<(), Failure> {
    if groups.is_empty() {
        output::complain("no exceptions");
    }
    if !groups.is_empty() || !form.is_table() {
        output::print(&output::render(groups, COLUMNS, form, |group| group.fingerprint.to_string(), now)?)?;
    }
    if let ([group], true) = (groups, form.is_table()) {
        output::print(&format!("\n{}", output::clean_lines(&group.sample.replace('\t', "    "))))?;
    }
    Ok(())
}

const COLUMNS: &[Column<Group>] = &[
    Column { title: "COUNT", right: true, wide: false, cell: |group, _| group.count.to_string() },
    Column { title: "ROOT TYPE", right: false, wide: false, cell: |group, _| group.root_type.clone() },
    Column { title: "ROOT MESSAGE", right: false, wide: false, cell: |group, _| first_line(&group.root_message) },
    Column { title: "FIRST", right: false, wide: false, cell: |group, _| moment(group.first) },
    Column { title: "LAST", right: false, wide: false, cell: |group, _| moment(group.last) },
    Column { title: "LEVELS", right: false, wide: false, cell: levels },
    Column { title: "FINGERPRINT", right: false, wide: true, cell: |group, _| group.fingerprint.to_string() },
    Column { title: "TYPE", right: false, wide: true, cell: |group, _| group.r#type.clone() },
];

fn first_line(message: &str) -> String {
    let mut letters = message.chars();
    let short: String = letters.by_ref().take_while(|letter| *letter != '\n').take(MESSAGE).collect();
    if short.len() < message.len() { short + "…" } else { short }
}

fn moment(time: Option<Time>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn levels(group: &Group, _now: Time) -> String {
    let levels: Vec<String> = group.levels.iter().map(|(level, count)| format!("{} {count}", level.name())).collect();
    if levels.is_empty() { "-".to_owned() } else { levels.join(", ") }
}
