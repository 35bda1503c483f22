//! The exception radar: what fails in a pipeline, each failure once, from its logs and from Flink's own history.
//!
//! A failure is its fingerprint, so that what the JobManager and a TaskManager report of one is one row. It is
//! new when it was first seen after the last deployment, and the logs reach back far enough to know.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::document::DocumentScreen;
use super::layout::Layout;
use super::logs::LogScreen;
use super::screen::{Cause, Outcome, Part, Screen, World};
use super::table::{Column, Listed, Row, Table};
use crate::action::{Action, Place};
use crate::logs::fingerprint::Fingerprint;
use crate::logs::news::News;
use crate::logs::radar::Kind;
use crate::logs::trace;
use crate::model::Time;
use crate::model::exception::Throwable;
use crate::model::interest::{self, Depth, Interest};
use crate::model::inventory::Inventory;
use crate::model::job::Failure;
use crate::model::key::ProcessorKey;
use crate::model::log::{LogInterest, Target, View};
use crate::model::pod::Role;

/// A failure that shows so soon after the beginning of the logs may be older.
const SETTLED: chrono::TimeDelta = chrono::TimeDelta::seconds(30);
/// A silence before it that is so many times as long as that between its events is no chance.
const OFTEN: i32 = 5;
/// A silence before a single event that tells that it is new.
const LONG: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// Columns of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionColumn {
    /// Whether it is new since the last deployment.
    New,
    /// Events.
    Count,
    /// Events over time.
    Rate,
    /// First seen.
    First,
    /// Last seen.
    Last,
    /// Pods.
    Pods,
    /// Root cause.
    Cause,
}

/// One failure.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionRow {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Events in the logs, or entries of Flink's history if those are more.
    pub count: u64,
    /// Events by step of time, the latest last.
    pub rate: Arc<[u32]>,
    /// First seen.
    pub first: Time,
    /// Last seen.
    pub last: Time,
    /// Where.
    pub pods: Vec<Arc<str>>,
    /// Root cause.
    pub root: Throwable,
    /// The latest event.
    pub sample: Arc<str>,
    /// Whether it is new since the last deployment.
    pub new: bool,
    /// Whether Flink has it in its history.
    pub in_flink: bool,
}

impl Row for ExceptionRow {
    type Key = Fingerprint;
    type Column = ExceptionColumn;
    const COLUMNS: &'static [Column<ExceptionColumn>] = &[
        Column::text(ExceptionColumn::New, "", 3),
        Column::number(ExceptionColumn::Count, "COUNT", 6),
        Column::text(ExceptionColumn::Rate, "RATE", 8).rank(2),
        Column::text(ExceptionColumn::First, "FIRST", 8).rank(2),
        Column::number(ExceptionColumn::Last, "AGO", 5).rank(1),
        Column::number(ExceptionColumn::Pods, "PODS", 4).rank(3),
        Column::text(ExceptionColumn::Cause, "ROOT CAUSE", 24).up_to(160).first(),
    ];

    fn key(&self) -> Fingerprint {
        self.fingerprint
    }

    fn worst_first(&self, other: &Self) -> Ordering {
        (other.new, other.count, self.fingerprint).cmp(&(self.new, self.count, other.fingerprint))
    }

    fn compare(&self, other: &Self, column: ExceptionColumn) -> Ordering {
        match column {
            ExceptionColumn::New => self.new.cmp(&other.new),
            ExceptionColumn::Count => self.count.cmp(&other.count),
            ExceptionColumn::Rate => self.rate.iter().sum::<u32>().cmp(&other.rate.iter().sum()),
            ExceptionColumn::First => self.first.cmp(&other.first),
            ExceptionColumn::Last => self.last.cmp(&other.last),
            ExceptionColumn::Pods => self.pods.len().cmp(&other.pods.len()),
            ExceptionColumn::Cause => self.root.class.cmp(&other.root.class),
        }
    }

    fn words(&self, text: &mut String) {
        for part in [&*self.root.class, &*self.root.message].into_iter().chain(self.pods.iter().map(|pod| &**pod)) {
            text.push_str(part);
            text.push(' ');
        }
    }

    fn wanted(&self, column: ExceptionColumn) -> usize {
        match column {
            ExceptionColumn::Cause => self.cause().chars().count(),
            ExceptionColumn::Rate => 8,
            _ => 0,
        }
    }
}

impl ExceptionRow {
    /// `IOException: KafkaWriter : failed to send…`
    #[must_use]
    pub fn cause(&self) -> String {
        let first = self.root.message.lines().next().unwrap_or_default();
        let class = self.root.short_class();
        if first.is_empty() { class.to_owned() } else { format!("{class}: {first}") }
    }
}

/// The screen.
#[derive(Debug)]
pub struct ExceptionsScreen {
    /// Whose failures.
    pub target: Target,
    /// What was told last; `None` before anything was.
    pub news: Option<News>,
    /// The failures.
    pub table: Table<ExceptionRow>,
    /// When what runs was deployed.
    pub deployed: Option<Time>,
    /// Whether the pods of the chosen failure are named instead of its trace.
    pub pods: bool,
    /// Fingerprints of failures in Flink's history, by time and task.
    known: HashMap<(Time, Arc<str>), Option<Fingerprint>>,
}

impl ExceptionsScreen {
    /// Opens the radar of a target.
    #[must_use]
    pub fn open(target: Target) -> Screen {
        Screen::Exceptions(Box::new(Self {
            target,
            news: None,
            table: Table::default(),
            deployed: None,
            pods: false,
            known: HashMap::new(),
        }))
    }

    /// Lines of the parts: title, histogram; below the list the latest event.
    #[must_use]
    pub fn layout(&self, size: (u16, u16)) -> Layout {
        Layout::new(size, 2, Layout::explanation_below(size.1, 2, self.table.rows().len()).max(size.1 / 2))
    }

    /// Takes in what the session tells; whether it is about this target.
    pub fn told(&mut self, news: &News) -> bool {
        if news.target != self.target {
            return false;
        }
        let mut kept = news.clone();
        kept.rows = Vec::new();
        self.news = Some(kept);
        true
    }

    fn look(&mut self, world: &World<'_>) -> bool {
        self.deployed = deployed(world.inventory, &self.target);
        let rows = self.rows(world.inventory);
        let changed = self.table.set_rows(rows);
        let layout = self.layout(world.size);
        self.table.fit(layout.width, layout.list());
        changed
    }

    fn rows(&mut self, inventory: &Inventory) -> Vec<ExceptionRow> {
        let begin = self.news.as_ref().and_then(|news| news.begin);
        let kinds: &[Kind] = self.news.as_ref().map_or(&[], |news| &news.kinds);
        let mut rows: HashMap<Fingerprint, ExceptionRow> =
            kinds.iter().map(|kind| (kind.fingerprint, row_of(kind))).collect();
        let mut entries: HashMap<Fingerprint, u64> = HashMap::new();
        for failure in failures(inventory, &self.target) {
            let key = (failure.at, failure.task.clone().unwrap_or_default());
            let print = *self
                .known
                .entry(key)
                .or_insert_with(|| trace::of_field(&failure.trace).map(|exception| exception.fingerprint));
            let Some(print) = print else { continue };
            *entries.entry(print).or_default() += 1;
            let row = rows.entry(print).or_insert_with(|| row_of_failure(failure, print));
            row.first = row.first.min(failure.at);
            row.last = row.last.max(failure.at);
            row.in_flink = true;
        }
        for (print, count) in entries {
            if let Some(row) = rows.get_mut(&print) {
                row.count = row.count.max(count);
            }
        }
        for row in rows.values_mut() {
            row.new = self.deployed.is_some_and(|deployed| is_new(row, deployed, begin));
        }
        rows.into_values().collect()
    }
}

/// Whether a failure came with what was deployed last. Logs that begin later than that tell it only of a failure that
/// comes often, or of one after a long silence: a rare old one would be new again each time that it comes.
fn is_new(row: &ExceptionRow, deployed: Time, begin: Option<Time>) -> bool {
    let Some(begin) = begin.filter(|begin| *begin > deployed) else { return row.first >= deployed };
    let absent = row.first - begin;
    let between = i32::try_from(row.count.saturating_sub(1)).unwrap_or(i32::MAX);
    let enough = if between == 0 { LONG } else { (row.last - row.first) / between * OFTEN };
    absent > enough.max(SETTLED)
}

fn row_of(kind: &Kind) -> ExceptionRow {
    ExceptionRow {
        fingerprint: kind.fingerprint,
        count: kind.count,
        rate: kind.rate.clone(),
        first: kind.first,
        last: kind.last,
        pods: kind.pods.iter().cloned().collect(),
        root: kind.root.clone(),
        sample: kind.sample.clone(),
        new: false,
        in_flink: false,
    }
}

fn row_of_failure(failure: &Failure, fingerprint: Fingerprint) -> ExceptionRow {
    ExceptionRow {
        fingerprint,
        count: 0,
        rate: Arc::from([]),
        first: failure.at,
        last: failure.at,
        pods: failure.task_manager.iter().cloned().collect(),
        root: failure.root.clone(),
        sample: failure.trace.clone(),
        new: false,
        in_flink: true,
    }
}

/// The processors of a target.
fn processors(inventory: &Inventory, target: &Target) -> Vec<ProcessorKey> {
    match target {
        Target::Pipeline(key) => inventory.processors_of(key).map(|(key, _)| key.clone()).collect(),
        Target::Processor(key) => vec![key.clone()],
        Target::Pod(..) | Target::Previous(..) => Vec::new(),
    }
}

fn failures<'a>(inventory: &'a Inventory, target: &Target) -> Vec<&'a Failure> {
    let jobs = processors(inventory, target);
    let jobs = jobs.iter().filter_map(|key| inventory.processor(key)?.job());
    jobs.flat_map(|job| &job.failures).collect()
}

/// A deployment brings new JobManagers: the latest of those that run.
fn deployed(inventory: &Inventory, target: &Target) -> Option<Time> {
    let keys = match target {
        Target::Pod(key, _) | Target::Previous(key, _) => {
            inventory.pod(key).map(|pod| pod.processor.clone()).into_iter().collect()
        }
        _ => processors(inventory, target),
    };
    let managers = keys.iter().flat_map(|key| inventory.pods_of(key)).filter(|pod| pod.role == Role::JobManager);
    let declared = keys.iter().filter_map(|key| inventory.processor(key)?.declared(|it| it.created_at));
    managers.filter_map(|pod| pod.created_at).max().or_else(|| declared.max())
}

impl Part for ExceptionsScreen {
    fn place(&self) -> Place {
        Place::Exceptions
    }

    fn refresh(&mut self, world: &World<'_>, _cause: &Cause<'_>) -> bool {
        self.look(world);
        true
    }

    fn act(&mut self, action: Action, world: &World<'_>) -> Outcome {
        let selected = self.table.selected();
        match action {
            Action::Open => {
                let Some(row) = selected else { return Outcome::Ignored };
                let title = format!("{} › {}", self.target.key().name, row.root.short_class());
                return Outcome::open(DocumentScreen::trace(title, &row.sample));
            }
            Action::Log => {
                let query = selected.map_or_else(
                    || "exceptions".to_owned(),
                    |row| {
                        let digits = row.fingerprint.to_string();
                        format!("fingerprint={}", digits.get(..8).unwrap_or(&digits))
                    },
                );
                return Outcome::open(LogScreen::open(self.target.clone(), &query, world.now));
            }
            Action::FailurePods => self.pods = !self.pods,
            Action::Copy => {
                return selected.map_or(Outcome::Ignored, |row| Outcome::Copy(row.sample.to_string()));
            }
            other => return Outcome::moved(self.table.act(other)),
        }
        Outcome::Done
    }

    fn offers(&self, action: Action, _world: &World<'_>) -> bool {
        match action {
            Action::Open | Action::Copy | Action::FailurePods => self.table.selected().is_some(),
            _ => true,
        }
    }

    fn interest(&self, world: &World<'_>, interest: &mut Interest) {
        interest.log = Some(LogInterest {
            target: self.target.clone(),
            pipeline: self.target.pipeline(world.inventory).map(|key| key.name.clone()),
            containers: self.target.containers(world.inventory),
            view: View { query: "exceptions".into(), events: 1, ..View::default() },
        });
        let keys = processors(world.inventory, &self.target);
        interest.jobs =
            keys.iter().filter_map(|key| interest::job_interest(world.inventory, key, Depth::Detail)).collect();
    }

    fn listed(&self) -> Option<&dyn Listed> {
        Some(&self.table)
    }

    fn listed_mut(&mut self) -> Option<&mut dyn Listed> {
        Some(&mut self.table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::{Throwable, Time, is_new, row_of};
    use crate::logs::radar::Kind;
    use crate::logs::trace;

    #[test]
    fn what_was_there_before_the_logs_begin_is_not_new() {
        let at = |minutes: i64| Time::from_timestamp(minutes * 60, 0).unwrap();
        let thrown = || Throwable { class: "java.io.IOException".into(), message: "x".into() };
        let exception = trace::of_field("java.io.IOException: x\n\tat a.B.c(B.java:1)").unwrap();
        let row = |count, first, last| {
            row_of(&Kind {
                fingerprint: exception.fingerprint,
                count,
                first: at(first),
                last: at(last),
                rate: Arc::from([]),
                pods: BTreeSet::new(),
                root: thrown(),
                outer: thrown(),
                event: 0,
                sample: "".into(),
            })
        };
        // Logs from before the deployment at 60 minutes know, and so does Flink's history.
        assert!(is_new(&row(1, 61, 90), at(60), Some(at(50))));
        assert!(!is_new(&row(9, 59, 90), at(60), Some(at(50))));
        assert!(is_new(&row(1, 61, 61), at(60), None));
        // Logs that begin 40 minutes after it: five times the silence between two events before the first one is enough.
        assert!(is_new(&row(11, 106, 116), at(60), Some(at(100))));
        assert!(!is_new(&row(11, 104, 114), at(60), Some(at(100))));
        assert!(!is_new(&row(1_000, 100, 114), at(60), Some(at(100))));
        assert!(!is_new(&row(1, 109, 109), at(60), Some(at(100))));
        assert!(is_new(&row(1, 111, 111), at(60), Some(at(100))));
    }
}
