//! `flowdeck get`: the screens' lists as tables, JSON, YAML or names.

mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::gather::{self, World};
use super::output::{self, Format};
use super::{Failure, exit};
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
    /// Environments and their connections
    #[value(alias = "environment", alias = "env")]
    Environments,
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
        rows.retain(|row| (listing.answers_to)(row, name));
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
    let mut known = BTreeMap::new();
    let mut rows = first;
    loop {
        print_differences(get, listing, rows, &mut known)?;
        let ended = tokio::select! {
            more = world.next() => !more,
            interrupted = tokio::signal::ctrl_c() => { interrupted?; true }
        };
        if ended {
            return Ok(exit::OK);
        }
        rows = rows_of(&world, listing, get.name.as_deref());
    }
}

/// What was printed of each row, to tell what changed: its identity, and its text with the row.
type Known<T> = BTreeMap<String, (String, T)>;

fn print_differences<T: Serialize>(
    get: &Get,
    listing: &Listing<T>,
    rows: Vec<T>,
    known: &mut Known<T>,
) -> Result<(), Failure> {
    let heading = known.is_empty();
    let mut before = std::mem::take(known);
    let mut changed: Vec<(&'static str, String)> = Vec::new();
    for row in rows {
        let (identity, text) = ((listing.name)(&row), serde_json::to_string(&row)?);
        let news = match before.remove(&identity) {
            Some((old, _)) if old == text => None,
            Some(_) => Some("MODIFIED"),
            None => Some("ADDED"),
        };
        changed.extend(news.map(|news| (news, identity.clone())));
        known.insert(identity, (text, row));
    }
    let mut text = String::new();
    for (news, identity) in &changed {
        if let Some((_, row)) = known.get(identity) {
            text.push_str(&difference(get, listing, news, row)?);
        }
    }
    for (_, row) in before.values() {
        text.push_str(&difference(get, listing, "DELETED", row)?);
    }
    if heading && get.output.is_table() {
        let titles = output::render(&[], listing.columns, get.output, listing.name, gather::now())?;
        text.insert_str(0, &titles);
    }
    if !text.is_empty() {
        output::print(&text)?;
    }
    Ok(())
}

fn difference<T: Serialize>(get: &Get, listing: &Listing<T>, news: &'static str, row: &T) -> Result<String, Failure> {
    Ok(match get.output {
        Format::Json => serde_json::to_string(&WatchLine { r#type: news, object: row })? + "\n",
        Format::Yaml => format!("---\n{}", serde_saphyr::to_string(&WatchLine { r#type: news, object: row })?),
        Format::Name => format!("{}\n", (listing.name)(row)),
        Format::Table | Format::Wide => {
            let table =
                output::render(std::slice::from_ref(row), listing.columns, get.output, listing.name, gather::now())?;
            let line = table.lines().nth(1).unwrap_or_default().to_owned();
            if news == "DELETED" { format!("{line}  (gone)\n") } else { line + "\n" }
        }
    })
}
