//! `flowdeck logs`: the logs of a pipeline, a processor or a pod, as events.
//!
//! Lines are put together as everywhere: a stack trace is found whole by a word in it, and printed whole. What
//! is missing is said where it is missing.

use std::time::Duration;

use clap::{Args, ValueEnum};
use regex::bytes::Regex;
use serde::Serialize;

use super::exceptions::{Since, since};
use super::tail::{Feed, Item};
use super::{Failure, exit, gather, output};
use crate::logs::braid::Entry;
use crate::logs::event::{Event, Level};
use crate::logs::format::Choice;
use crate::model::Time;
use crate::model::log::Mark;
use crate::settings::Settings;
use crate::source::kube::tail::Plan;

/// Arguments of `flowdeck logs`.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// A pipeline, pipeline/processor, processor, pod or pod/container
    target: String,
    /// Go on with what is written, also by new pods and after restarts
    #[arg(short, long)]
    follow: bool,
    /// Only what was logged since: 10m, 2h, 1d, or 2026-11-22T06:52:02Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// The last lines alone, of each container
    #[arg(long, value_name = "LINES")]
    tail: Option<u32>,
    /// The run before the last restart
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
    /// Only events with a match of this regular expression in any of their lines
    #[arg(short, long, value_name = "REGEX")]
    grep: Option<Regex>,
    /// Only events of this level and worse
    #[arg(short, long, value_name = "LEVEL", value_parser = level)]
    level: Option<Level>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// Layout of the logs; the one of the settings if not given
    #[arg(long, value_enum, value_name = "LAYOUT")]
    format: Option<Choice>,
    /// How long to wait for backends that do not answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The lines as they were logged
    #[default]
    Text,
    /// One JSON object a line for each event
    Json,
}

fn level(word: &str) -> Result<Level, String> {
    Level::from_word(word).ok_or_else(|| format!("{word} is none of trace, debug, info, warn, error, fatal"))
}

/// Prints the logs.
pub fn run(logs: &Logs, settings: &Settings) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(print(logs, settings));
    runtime.shutdown_background();
    code
}

async fn print(logs: &Logs, settings: &Settings) -> Result<u8, Failure> {
    let plan = Plan {
        since: logs.since.map(|since| since.moment(gather::now())),
        lines: logs.tail,
        previous: logs.previous,
        follow: logs.follow,
    };
    let wait = (logs.format, Duration::from_secs(logs.timeout));
    let mut feed = Feed::open(settings, &logs.target, plan, wait).await?;
    loop {
        let items = tokio::select! {
            items = feed.next() => items,
            interrupted = tokio::signal::ctrl_c() => { interrupted?; None }
        };
        let Some(items) = items else { break };
        write(logs, &items, feed.several)?;
    }
    write(logs, &feed.rest(), feed.several)?;
    let complaints = feed.complaints();
    complaints.iter().for_each(|sentence| output::complain(sentence));
    Ok(if complaints.is_empty() { exit::OK } else { exit::PARTIAL })
}

fn write(logs: &Logs, items: &[Item], several: bool) -> Result<(), Failure> {
    let mut text = String::new();
    for item in items {
        match logs.output {
            Form::Text => as_text(logs, item, several, &mut text),
            Form::Json => as_json(logs, item, &mut text)?,
        }
    }
    if !text.is_empty() {
        output::print(&text)?;
    }
    Ok(())
}

fn wanted(logs: &Logs, level: Option<Level>, text: &str) -> bool {
    let bad = logs.level.is_none_or(|least| level.is_some_and(|level| level >= least));
    bad && logs.grep.as_ref().is_none_or(|regex| regex.is_match(text.as_bytes()))
}

fn as_text(logs: &Logs, item: &Item, several: bool, text: &mut String) {
    let name = if several { format!("{} ", item.container.pod.name) } else { String::new() };
    match &item.entry {
        Entry::Event(record) if wanted(logs, record.level, &record.text) => {
            for line in record.text.split('\n') {
                let clean: Vec<_> = line.split('\t').map(output::clean).collect();
                text.push_str(&format!("{name}{}\n", clean.join("\t")));
            }
        }
        Entry::Event(_) => {}
        Entry::Mark(mark) => text.push_str(&format!("{name}--- {} ---\n", output::clean(&mark.words()))),
    }
}

/// One line of `-o json`.
#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    event: Event<'a>,
    pod: &'a str,
    container: &'a str,
}

/// A line of `-o json` that is no event.
#[derive(Serialize)]
struct MarkLine<'a> {
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<&'a crate::model::log::Missed>,
    remark: String,
    pod: &'a str,
    container: &'a str,
}

fn as_json(logs: &Logs, item: &Item, text: &mut String) -> Result<(), Failure> {
    let (pod, container) = (&*item.container.pod.name, &*item.container.name);
    let line = match &item.entry {
        Entry::Event(record) if wanted(logs, record.level, &record.text) => {
            let mut event = record.event();
            event.time = event.time.or(Some(item.time));
            serde_json::to_string(&EventLine { event, pod, container })?
        }
        Entry::Event(_) => return Ok(()),
        Entry::Mark(mark) => {
            let missed = if let Mark::Missed(missed) = mark { Some(missed) } else { None };
            serde_json::to_string(&MarkLine { time: item.time, missed, remark: mark.words(), pod, container })?
        }
    };
    text.push_str(&output::harmless_json(line));
    text.push('\n');
    Ok(())
}
