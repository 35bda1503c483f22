//! `flowdeck history` and `flowdeck audit`: what was deployed, and what was tried.

use clap::Args;
use serde::Serialize;

use super::change::at_desk;
use super::output::{self, Column, Format};
use super::{Failure, exit};
use crate::model::human;
use crate::plan::audit::Line;
use crate::plan::revision::{Revision, differences};
use crate::runtime::deploy::audit;
use crate::settings::Settings;

/// Arguments of `flowdeck history`.
#[derive(Clone, Debug, Args)]
pub struct History {
    /// The pipeline
    pipeline: String,
    /// Print the manifest of a revision
    #[arg(long, value_name = "REVISION")]
    show: Option<u64>,
    /// Say what differs between two revisions
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], conflicts_with = "show")]
    diff: Option<Vec<u64>>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

const REVISIONS: &[Column<Revision>] = &[
    Column { title: "REVISION", right: true, wide: false, cell: |it, _| it.number.to_string() },
    Column { title: "STATE", right: false, wide: false, cell: |it, _| it.state.word().to_owned() },
    Column { title: "AGE", right: true, wide: false, cell: |it, now| human::age(it.at, now) },
    Column { title: "VERB", right: false, wide: false, cell: |it, _| it.verb.word().to_owned() },
    Column { title: "BY", right: false, wide: false, cell: |it, _| it.by.clone() },
    Column { title: "NOTE", right: false, wide: false, cell: |it, _| it.note.clone() },
];

/// Prints revisions, one of them, or what differs between two.
pub fn history(history: &History, settings: &Settings) -> Result<u8, Failure> {
    at_desk(settings, async |desk| {
        let name = history.pipeline.to_lowercase();
        let revisions = desk.revisions(&name).await?;
        let find = |number: u64| {
            let found = revisions.iter().find(|it| it.number == number);
            found.ok_or_else(|| Failure::not_found(format!("revision {number} of {name} is not kept")))
        };
        if let Some(number) = history.show {
            let none = || Failure::not_found(format!("revision {number} was adopted without a manifest"));
            output::print(&output::clean_lines(find(number)?.manifest.as_deref().ok_or_else(none)?))?;
        } else if let Some([from, to]) = history.diff.as_deref() {
            difference(find(*from)?, find(*to)?, history.output)?;
        } else if revisions.is_empty() {
            let (namespace, elsewhere) = (&desk.target.namespace, desk.elsewhere(&name).await);
            let words = format!("{name} has no revisions in namespace {namespace}; {elsewhere}");
            return Err(Failure::not_found(words));
        } else {
            let row = |it: &Revision| it.number.to_string();
            output::print(&output::render(&revisions, REVISIONS, history.output, row, super::change::now())?)?;
        }
        Ok(exit::OK)
    })
}

fn difference(from: &Revision, to: &Revision, form: Format) -> Result<(), Failure> {
    let found = differences(from, to);
    output::print(&if form == Format::Json {
        serde_json::to_string_pretty(&found)? + "\n"
    } else {
        output::clean_lines(&found.iter().map(|it| format!("{it}\n")).collect::<String>())
    })?;
    Ok(())
}

/// Arguments of `flowdeck audit`.
#[derive(Clone, Debug, Args)]
pub struct Audit {
    /// Only this pipeline
    pipeline: Option<String>,
    /// Most lines, the newest
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    tail: usize,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Serialize)]
struct Row(Line);

const LINES: &[Column<Row>] = &[
    Column { title: "AT", right: false, wide: false, cell: |it, _| it.0.at.format("%Y-%m-%d %H:%M:%SZ").to_string() },
    Column { title: "BY", right: false, wide: false, cell: |it, _| it.0.by.clone() },
    Column {
        title: "WHERE",
        right: false,
        wide: false,
        cell: |it, _| format!("{}/{}", it.0.environment, it.0.namespace),
    },
    Column { title: "PIPELINE", right: false, wide: false, cell: |it, _| it.0.pipeline.clone() },
    Column { title: "VERB", right: false, wide: false, cell: |it, _| it.0.verb.word().to_owned() },
    Column {
        title: "REVISION",
        right: true,
        wide: false,
        cell: |it, _| it.0.revision.map_or_else(String::new, |it| it.to_string()),
    },
    Column { title: "OUTCOME", right: false, wide: false, cell: |it, _| format!("{:?}", it.0.outcome).to_lowercase() },
    Column { title: "MESSAGE", right: false, wide: false, cell: |it, _| it.0.message.clone() },
    Column { title: "CHANGES", right: false, wide: false, cell: |it, _| it.0.changes.join("; ") },
];

/// Prints the audit.
pub fn audit(arguments: &Audit) -> Result<u8, Failure> {
    let Some(path) = audit::path() else {
        return Err(Failure::usage(anyhow::anyhow!(
            "there is no place for the audit file: set HOME or FLOWDECK_AUDIT"
        )));
    };
    let (lines, broken) = audit::read(&path)?;
    if broken > 0 {
        output::complain(&format!("{broken} lines of {} cannot be read", path.display()));
    }
    let wanted = |line: &Line| arguments.pipeline.as_ref().is_none_or(|name| line.pipeline.eq_ignore_ascii_case(name));
    let rows: Vec<Row> = lines.into_iter().filter(wanted).map(Row).collect();
    let newest = rows.get(rows.len().saturating_sub(arguments.tail)..).unwrap_or_default();
    if newest.is_empty() {
        output::complain("nothing was changed from here yet");
    }
    let name = |row: &Row| row.0.pipeline.clone();
    output::print(&output::render(newest, LINES, arguments.output, name, super::change::now())?)?;
    Ok(exit::OK)
}
