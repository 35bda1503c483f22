//! `flowdeck get`: the screens' lists as tables, JSON, YAML or names.

mod rows;
mod signals;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::gather::{self, World};
use super::output::{self, Format, Table};
use super::{Failure, exit};
use crate::model::Time;
use crate::settings::Settings;
use rows::Listing;

/// Arguments of `flowdeck get`.
#[derive(Clone, Debug, Args)]
pub struct Get {
    /// What to list
    kind: Kind,
    /// Only this one: its own name, or that of its processor or pipeline
    name: Option<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Go on, and print each row that changes
    #[arg(short, long)]
    watch: bool,
    /// How long to wait for backends that do not answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    timeout: u64,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Pipelines
    #[value(alias = "pipeline", alias = "pl")]
    Pipelines,
    /// Processors
    #[value(alias = "processor", alias = "proc")]
    Processors,
    /// JobManager and TaskManager pods
    #[value(alias = "pod", alias = "po")]
    Pods,
    /// Flink jobs
    #[value(alias = "job")]
    Jobs,
    /// Kafka topics
    #[value(alias = "topic")]
    Topics,
    /// Kafka consumer groups
    #[value(alias = "group")]
    Groups,
    /// Golden signals of services
    #[value(alias = "services", alias = "service")]
    Signals,
    /// Golden signals of pipelines
    #[value(alias = "flows", alias = "flow")]
    PipelineSignals,
    /// Alerts
    #[value(alias = "alert")]
    Alerts,
    /// Environments and their connections
    #[value(alias = "environment", alias = "env")]
    Environments,
}

impl Get {
    /// One pipeline.
    pub(super) const fn pipeline(name: String, output: Format) -> Self {
        Self { kind: Kind::Pipelines, name: Some(name), output, watch: false, timeout: 15 }
    }
}

/// Prints the list.
pub fn run(get: &Get, settings: &Settings) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(async {
        match get.kind {
            Kind::Pipelines => list(get, settings, &rows::PIPELINES).await,
            Kind::Processors => list(get, settings, &rows::PROCESSORS).await,
            Kind::Pods => list(get, settings, &rows::PODS).await,
            Kind::Jobs => list(get, settings, &rows::JOBS).await,
            Kind::Topics => list(get, settings, &rows::TOPICS).await,
            Kind::Groups => list(get, settings, &rows::GROUPS).await,
            Kind::Signals => list(get, settings, &signals::SERVICES).await,
            Kind::PipelineSignals => list(get, settings, &signals::PIPELINES).await,
            Kind::Alerts => list(get, settings, &signals::ALERTS).await,
            Kind::Environments => list(get, settings, &rows::ENVIRONMENTS).await,
        }
    });
    runtime.shutdown_background();
    code
}

async fn list<T: Serialize>(get: &Get, settings: &Settings, listing: &Listing<T>) -> Result<u8, Failure> {
    let mut world = World::open(settings, listing.need);
    let complete = world.settle(Duration::from_secs(get.timeout)).await;
    let complaints = world.complaints();
    complaints.iter().for_each(|sentence| output::complain(sentence));
    if !complete && complaints.is_empty() {
        output::complain(&format!("not everything answered within {} s; what follows may be partial", get.timeout));
    }
    let shown = rows_of(&world, listing, get.name.as_deref());
    if get.watch {
        return watch(get, world, listing, shown).await;
    }
    if shown.is_empty()
        && complaints.is_empty()
        && let Some(name) = &get.name
    {
        return Err(Failure::not_found(format!("there is nothing named {name}")));
    }
    if shown.is_empty() && complaints.is_empty() {
        output::complain(listing.empty);
    }
    if !shown.is_empty() || !get.output.is_table() {
        output::print(&output::render(&shown, listing.columns, get.output, listing.name, gather::now())?)?;
    }
    Ok(match (complete && complaints.is_empty(), shown.is_empty()) {
        (true, _) => exit::OK,
        (false, true) => exit::FAILED,
        (false, false) => exit::PARTIAL,
    })
}

fn rows_of<T>(world: &World, listing: &Listing<T>, name: Option<&str>) -> Vec<T> {
    let mut rows = (listing.rows)(&world.inventory, gather::now());
    if let Some(name) = name {
        rows.retain(|row| (listing.answers_to)(row, name) || (listing.name)(row) == name);
    }
    rows
}

/// One line of `get --watch -o json`, as `kubectl --output-watch-events` words it.
#[derive(Serialize)]
struct WatchLine<'a, T> {
    r#type: &'static str,
    object: &'a T,
}

async fn watch<T: Serialize>(get: &Get, mut world: World, listing: &Listing<T>, first: Vec<T>) -> Result<u8, Failure> {
    let mut printed = Printed::new(get.output, listing);
    let mut rows = first;
    // Listened to all the time: a signal that comes while a line is written must not be lost.
    let mut interrupts = signal(SignalKind::interrupt())?;
    loop {
        output::print(&printed.take(rows)?)?;
        let ended = tokio::select! {
            more = world.next() => !more,
            _ = interrupts.recv() => true,
        };
        if ended {
            return Ok(exit::OK);
        }
        rows = rows_of(&world, listing, get.name.as_deref());
    }
}

/// What was printed so far, to tell what changed.
struct Printed<'a, T: 'static> {
    format: Format,
    listing: &'a Listing<T>,
    table: Table<T>,
    /// By identity: its text, and the row itself.
    known: BTreeMap<String, (String, T)>,
    has_heading: bool,
}

impl<'a, T: Serialize> Printed<'a, T> {
    fn new(format: Format, listing: &'a Listing<T>) -> Self {
        let table = Table::new(listing.columns, format == Format::Wide);
        Self { format, listing, table, known: BTreeMap::new(), has_heading: false }
    }

    /// Takes all rows there are now; the text of those that are new, changed or gone.
    fn take(&mut self, rows: Vec<T>) -> Result<String, Failure> {
        let now = gather::now();
        rows.iter().for_each(|row| self.table.widen(row, now));
        let mut text = String::new();
        if self.format.is_table() && !std::mem::replace(&mut self.has_heading, true) {
            text.push_str(&self.table.heading());
        }
        let mut before = std::mem::take(&mut self.known);
        for row in rows {
            let (identity, json) = ((self.listing.name)(&row), serde_json::to_string(&row)?);
            match before.remove(&identity) {
                Some((old, _)) if old == json => {}
                // A table does not say twice what it cannot show to be different.
                Some((_, old))
                    if self.format.is_table() && self.table.line(&old, now) == self.table.line(&row, now) => {}
                Some(_) => text.push_str(&self.difference("MODIFIED", &row, now)?),
                None => text.push_str(&self.difference("ADDED", &row, now)?),
            }
            self.known.insert(identity, (json, row));
        }
        for (_, row) in before.values() {
            text.push_str(&self.difference("DELETED", row, now)?);
        }
        Ok(text)
    }

    fn difference(&self, news: &'static str, row: &T, now: Time) -> Result<String, Failure> {
        Ok(match self.format {
            Format::Json => serde_json::to_string(&WatchLine { r#type: news, object: row })? + "\n",
            Format::Yaml => format!("---\n{}", serde_saphyr::to_string(&WatchLine { r#type: news, object: row })?),
            Format::Name => format!("{}\n", output::clean(&(self.listing.name)(row))),
            Format::Table | Format::Wide if news == "DELETED" => {
                format!("{}  (gone)\n", self.table.line(row, now).trim_end())
            }
            Format::Table | Format::Wide => self.table.line(row, now),
        })
    }
}
