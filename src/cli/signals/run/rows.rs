//! Where rows go: standard output or a topic.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::exposition::Exposition;
use super::tally::{Row, Whose};
use super::{Arguments, Format};
use crate::cli::Failure;
use crate::cli::signals::write_line;
use crate::engine::contract::Written;
use crate::engine::replay::PaneLine;
use crate::source::kafka::ClientProperties;
use crate::source::kafka::publish::Publisher;

/// What becomes of events after the allowed lateness: the word of the contract for this engine.
const LATE_POLICY: &str = "revise";
/// Who writes the rows.
const ENGINE: &str = concat!("flowdeck/", env!("CARGO_PKG_VERSION"));

/// A row on standard output.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    pane: PaneLine<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    swimlane: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a str>,
    health: u8,
    #[serde(rename = "final")]
    is_final: bool,
}

/// Takes rows.
pub(super) struct Rows {
    spec_sha: String,
    place: Place,
    /// Start of the first window that is told.
    first: i64,
}

enum Place {
    Lines(BufWriter<Stdout>),
    /// Prometheus' text form has the latest of everything, not rows.
    Expositions(BufWriter<Stdout>),
    Topic(Publisher),
}

impl Rows {
    /// Once `stop` is cancelled, brokers are not waited for long.
    pub(super) fn new(
        arguments: &Arguments,
        properties: &ClientProperties,
        spec_sha: String,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let output = BufWriter::new(io::stdout());
        let place = match (&arguments.output_topic, arguments.output) {
            (Some(topic), _) => Place::Topic(Publisher::new(properties, topic, stop).map_err(Failure::usage)?),
            (None, Format::Jsonl) => Place::Lines(output),
            (None, Format::Prometheus) => Place::Expositions(output),
        };
        Ok(Self { spec_sha, place, first: i64::MIN })
    }

    /// Leaves windows before this one to another writer.
    pub(super) fn leave_before(&mut self, first: Option<i64>) {
        self.first = first.unwrap_or(i64::MIN);
    }

    /// Writes rows of everything that is read, or of a part of it.
    pub(super) fn write(
        &mut self,
        rows: &[Row],
        part: Option<&str>,
        exposition: &Arc<Mutex<Exposition>>,
    ) -> Result<(), Failure> {
        match &mut self.place {
            Place::Lines(output) => {
                for row in rows.iter().filter(|row| row.pane.start >= self.first) {
                    let Whose { service, swimlane } = &row.pane.service;
                    let (pane, health) = (PaneLine::new(service, &row.pane), row.health.level());
                    write_line(output, &Line { pane, swimlane, part, health, is_final: row.is_final })?;
                }
                output.flush()?;
            }
            Place::Expositions(_) if rows.is_empty() => {}
            Place::Expositions(output) => {
                let text = exposition.lock().unwrap_or_else(PoisonError::into_inner).text();
                output.write_all(text.as_bytes())?;
                output.write_all(b"\n")?;
                output.flush()?;
            }
            Place::Topic(publisher) => {
                for row in rows.iter().filter(|row| row.pane.start >= self.first) {
                    let key = key(row, part);
                    publisher.send(&key, &serde_json::to_string(&value(&self.spec_sha, &key, row, part))?)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until rows are where they belong.
    pub(super) fn confirm(&self) -> Result<(), Failure> {
        if let Place::Topic(publisher) = &self.place {
            publisher.confirm()?;
        }
        Ok(())
    }

    /// The last of it.
    pub(super) fn end(&self, _exposition: &Arc<Mutex<Exposition>>) -> Result<(), Failure> {
        self.confirm()
    }
}

/// Service, swimlane and window start, and the part where the row is one. A service's name may have any character but
/// the other fields cannot.
fn key(row: &Row, part: Option<&str>) -> String {
    let Whose { service, swimlane } = &row.pane.service;
    let start = row.pane.start;
    part.map_or_else(|| format!("{service}|{swimlane}|{start}"), |part| format!("{service}|{swimlane}|{start}|{part}"))
}

fn value<'a>(spec_sha: &'a str, key: &'a str, row: &'a Row, part: Option<&'a str>) -> Written<'a> {
    Written {
        totals: &row.pane.totals,
        key,
        spec_sha,
        revision: row.revision,
        is_final: row.is_final,
        late_policy: LATE_POLICY,
        engine: ENGINE,
        part,
        health: row.health.level(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::Pane;
    use crate::engine::totals::Totals;
    use crate::engine::window::Timing;
    use crate::model::signal::Health;

    #[test]
    fn a_row_has_the_fields_of_the_schema_and_no_others() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../../assets/signals-row.schema.json")).unwrap();
        let mut totals = Totals::default();
        [1, 1_000, 1_000_000].into_iter().for_each(|latency| totals.add(false, latency));
        let whose = Whose { service: "a|b".into(), swimlane: "ec2".into() };
        let pane = Pane { start: 10_000, service: whose, timing: Timing::OnTime, index: 0, totals };
        let row = Row { pane, revision: 3, is_final: true, health: Health::DOWN };
        let sha = super::super::state::sha("");
        let of_part = key(&row, Some("events/3"));
        let written = serde_json::to_value(value(&sha, &of_part, &row, Some("events/3"))).unwrap();
        let fields: BTreeSet<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let known: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, known);
        // Who cannot judge leaves health out.
        let required = schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str());
        assert_eq!(known.difference(&required.collect()).copied().collect::<Vec<_>>(), ["health", "part"]);
        assert_eq!(written["bins"], serde_json::json!({"0": 1, "345": 1, "690": 1}));
        assert!(schema["properties"]["late_policy"]["enum"].as_array().unwrap().contains(&written["late_policy"]));
        assert_eq!(
            (sha.len(), key(&row, None).as_str(), &written["health"]),
            (64, "a|b|ec2|10000", &serde_json::json!(3))
        );
        assert_eq!(of_part, "a|b|ec2|10000|events/3");
    }
}
