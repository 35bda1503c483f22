//! What the pods of a cluster print: bounded, shared where it repeats, and followed by whoever tails.
//!
//! A stack trace of forty lines is printed thousands of times during an incident; an entry therefore is a head of its
//! own and a tail that all entries share. Followers keep a position and are woken by a counter.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::watch;

use crate::demo::plan::Layout;

/// Entries kept of one container.
const CAPACITY: usize = 700;

/// One event of a log: usually one line, with a stack trace below it when something failed.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: DateTime<Utc>,
    pub(crate) head: String,
    pub(crate) tail: Option<Arc<str>>,
}

impl Entry {
    /// The text as the kubelet sends it, each line with its time when that was asked for.
    pub(crate) fn render(&self, timestamps: bool, text: &mut String) -> usize {
        let lines = self.head.lines().chain(self.tail.as_deref().unwrap_or_default().lines());
        let mut count = 0;
        for line in lines {
            if timestamps {
                text.push_str(&self.at.to_rfc3339_opts(SecondsFormat::Nanos, true));
                text.push(' ');
            }
            text.push_str(line);
            text.push('\n');
            count += 1;
        }
        count
    }

    pub(crate) fn line_count(&self) -> usize {
        self.head.lines().count() + self.tail.as_deref().map_or(0, |tail| tail.lines().count())
    }
}

#[derive(Debug, Default)]
struct PodLog {
    entries: VecDeque<Entry>,
    /// Position of the first entry that is kept.
    first: u64,
    /// The log of the container before this one.
    previous: Option<VecDeque<Entry>>,
    ended: bool,
}

/// The logs of one environment's pods.
#[derive(Debug)]
pub(crate) struct Logs {
    pods: Mutex<BTreeMap<(String, String), PodLog>>,
    written: watch::Sender<u64>,
}

/// Entries after a position, and the position after them.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Entry>,
    pub(crate) next: u64,
    /// Nothing will follow.
    pub(crate) ended: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Self { pods: Mutex::default(), written: watch::Sender::new(0) }
    }
}

impl Logs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), PodLog>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    pub(crate) fn push(&self, namespace: &str, pod: &str, entry: Entry) {
        let mut pods = self.lock();
        let log = pods.entry((namespace.to_owned(), pod.to_owned())).or_default();
        log.entries.push_back(entry);
        if log.entries.len() > CAPACITY {
            log.entries.pop_front();
            log.first += 1;
        }
        drop(pods);
        self.written.send_modify(|count| *count += 1);
    }

    /// The container ended and another one starts: its log becomes the previous one.
    pub(crate) fn rotate(&self, namespace: &str, pod: &str) {
        let mut pods = self.lock();
        if let Some(log) = pods.get_mut(&(namespace.to_owned(), pod.to_owned())) {
            log.first += log.entries.len() as u64;
            log.previous = Some(std::mem::take(&mut log.entries));
        }
        drop(pods);
        self.written.send_modify(|count| *count += 1);
    }

    /// The pod is gone; those who follow it are told so.
    pub(crate) fn remove(&self, namespace: &str, pod: &str) {
        if let Some(log) = self.lock().get_mut(&(namespace.to_owned(), pod.to_owned())) {
            log.ended = true;
            log.entries.clear();
            log.previous = None;
        }
        self.written.send_modify(|count| *count += 1);
    }

    /// A pod of that name exists again.
    pub(crate) fn reopen(&self, namespace: &str, pod: &str) {
        self.lock().insert((namespace.to_owned(), pod.to_owned()), PodLog::default());
    }

    pub(crate) fn read(&self, namespace: &str, pod: &str, from: u64) -> Read {
        let pods = self.lock();
        let Some(log) = pods.get(&(namespace.to_owned(), pod.to_owned())) else {
            return Read { entries: Vec::new(), next: from, ended: false };
        };
        let skip = usize::try_from(from.saturating_sub(log.first)).unwrap_or(usize::MAX).min(log.entries.len());
        Read {
            entries: log.entries.range(skip..).cloned().collect(),
            next: log.first + log.entries.len() as u64,
            ended: log.ended,
        }
    }

    pub(crate) fn previous(&self, namespace: &str, pod: &str) -> Option<Vec<Entry>> {
        let pods = self.lock();
        let log = pods.get(&(namespace.to_owned(), pod.to_owned()))?;
        log.previous.as_ref().map(|entries| entries.iter().cloned().collect())
    }
}

/// What a line says, before a layout gives it its form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) level: &'a str,
    pub(crate) thread: &'a str,
    pub(crate) logger: &'a str,
    pub(crate) message: &'a str,
}

impl Line<'_> {
    pub(crate) fn format(&self, layout: Layout, at: DateTime<Utc>) -> String {
        let Line { level, thread, logger, message } = self;
        match layout {
            Layout::Flink => {
                format!("{} {level:<5} {logger:<60} [] - {message}", at.format("%Y-%m-%d %H:%M:%S,%3f"))
            }
            Layout::Slashes => {
                let mut text = at.format("%Y/%m/%d %H:%M:%S.%3f").to_string();
                if write!(text, " [{thread}] {level} {} - {message}", abbreviated(logger)).is_err() {
                    text.clear();
                }
                text
            }
        }
    }
}

/// `o.a.f.r.e.ExecutionGraph`, as logback shortens names.
fn abbreviated(logger: &str) -> String {
    let Some((packages, class)) = logger.rsplit_once('.') else { return logger.to_owned() };
    let mut text: String =
        packages.split('.').filter_map(|package| package.chars().next()).flat_map(|first| [first, '.']).collect();
    text.push_str(class);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_as_in_life() {
        let at = DateTime::from_timestamp_millis(1_657_515_143_996).expect("a time");
        let line = Line {
            level: "INFO",
            thread: "flink-akka.actor.default-dispatcher-259",
            logger: "org.apache.flink.runtime.executiongraph.ExecutionGraph",
            message: "Job sessionization switched",
        };
        assert_eq!(
            line.format(Layout::Slashes, at),
            "2022/07/11 04:52:23.996 [flink-akka.actor.default-dispatcher-259] INFO o.a.f.r.e.ExecutionGraph - Job sessionization switched"
        );
        assert_eq!(
            line.format(Layout::Flink, at),
            "2022-07-11 04:52:23,996 INFO  org.apache.flink.runtime.executiongraph.ExecutionGraph       [] - Job sessionization switched"
        );
    }

    #[test]
    fn logs_are_bounded_and_positions_hold() {
        let logs = Logs::default();
        for number in 0..CAPACITY + 10 {
            let entry = Entry { at: Utc::now(), head: number.to_string(), tail: None };
            logs.push("a", "pod", entry);
        }
        let read = logs.read("a", "pod", 0);
        assert_eq!((read.entries.len(), read.entries[0].head.as_str()), (CAPACITY, "10"));
        logs.push("a", "pod", Entry { at: Utc::now(), head: "next".into(), tail: None });
        assert_eq!(logs.read("a", "pod", read.next).entries.len(), 1);
        logs.rotate("a", "pod");
        assert!(logs.read("a", "pod", 0).entries.is_empty());
        assert_eq!(logs.previous("a", "pod").map(|entries| entries.len()), Some(CAPACITY));
    }
}
