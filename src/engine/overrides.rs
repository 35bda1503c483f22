//! Overrides: what owners of services say of health, swimlanes, tags and promises, beside the spec.
//!
//! Why: a team changes its own rule without a restart and without asking whoever runs the console. So a file is believed
//! only as a whole, after each of its expressions was compiled and tried; what does not pass changes nothing.
//!
//! How: [`Overrides::read`] takes the files that were fetched. A file that is refused leaves what it said before in
//! force ([`Refusal`] says why). [`Intake`] does so for each fetch. [`Rules`] applies a set from a window on and judges services by it,
//! [`Lanes`] tells the swimlanes of their events.
//!
//! It must not fetch, nor read a clock.

mod document;
mod intake;
mod json;
mod lanes;
mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use intake::Intake;
pub use lanes::{LANE_NAME_LIMIT, Lanes};
pub use rules::{Judgement, Rules};

use super::expression::{HealthExpression, SwimlaneExpression, Value};
use crate::model::document::Document;

/// Services of a set.
const SERVICE_LIMIT: usize = 100_000;

/// What one service's owner says.
#[derive(Clone, Debug)]
pub struct Override {
    /// How well it is.
    pub health: Option<Arc<HealthExpression>>,
    /// Which swimlane an event is in.
    pub swimlane: Option<Arc<SwimlaneExpression>>,
    /// Tags, for expressions and filters.
    pub tags: BTreeMap<String, String>,
    /// Promised availability, percent.
    pub slo_percent: Option<f64>,
    /// Whom to ask.
    pub owner: Option<Arc<str>>,
    /// Which file says so.
    pub from: Arc<str>,
    /// The tags as expressions see them.
    tags_value: Value,
}

impl Override {
    /// The tags as expressions see them.
    pub const fn tags_value(&self) -> &Value {
        &self.tags_value
    }

    fn empty(from: Arc<str>) -> Self {
        Self {
            health: None,
            swimlane: None,
            tags: BTreeMap::new(),
            slo_percent: None,
            owner: None,
            from,
            tags_value: Value::tags([]),
        }
    }
}

/// What expressions of overrides may build on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Names of the spec's dimensions.
    pub dimensions: &'a [Arc<str>],
    /// The spec's promise, percent.
    pub slo_percent: Option<f64>,
}

/// A file that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file.
    pub file: Arc<str>,
    /// What is wrong where; may have several lines.
    pub sentence: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.file, self.sentence)
    }
}

/// A set of overrides by service.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    services: BTreeMap<Arc<str>, Override>,
    version: Option<Arc<str>>,
}

impl Overrides {
    /// Reads the files that there are now. A file that is refused keeps what `before` has of it. Of two files that
    /// name the same service the one that comes later is refused.
    pub fn read(documents: &[Document], before: &Self, context: &Context) -> (Self, Vec<Refusal>) {
        let mut services: BTreeMap<Arc<str>, Override> = BTreeMap::new();
        let mut refusals = Vec::new();
        for document in documents {
            let read = entries(document, context).and_then(|entries| {
                let twice = entries.iter().find_map(|(service, _)| Some((service, &services.get(service)?.from)));
                match twice {
                    Some((service, other)) => Err(format!("{service} is in {other} already")),
                    None if services.len() + entries.len() > SERVICE_LIMIT => {
                        Err(format!("more than {SERVICE_LIMIT} services"))
                    }
                    None => Ok(entries),
                }
            });
            match read {
                Ok(entries) => services.extend(entries),
                Err(sentence) => {
                    for (service, entry) in before.services.iter().filter(|(_, entry)| entry.from == document.name) {
                        services.entry(service.clone()).or_insert_with(|| entry.clone());
                    }
                    refusals.push(Refusal { file: document.name.clone(), sentence });
                }
            }
        }
        let version = if refusals.is_empty() { Some(version(documents)) } else { before.version.clone() };
        (Self { services, version }, refusals)
    }

    /// Whether a health rule among them reads saturation.
    pub fn use_saturation(&self) -> bool {
        self.services.values().filter_map(|own| own.health.as_ref()).any(|health| health.uses_saturation())
    }

    /// What is said of a service.
    pub fn get(&self, service: &str) -> Option<&Override> {
        self.services.get(service)
    }

    /// All of them in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Override)> {
        self.services.iter()
    }

    /// How many services.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether nothing is said of any service.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The first 12 digits of the content's SHA-256, as `sha256sum` prints it for a single file; of several files, of
    /// the lines that it prints. That of the last set without a refusal; `None` before the first.
    pub const fn version(&self) -> Option<&Arc<str>> {
        self.version.as_ref()
    }
}

fn entries(document: &Document, context: &Context) -> Result<Vec<(Arc<str>, Override)>, String> {
    let text =
        std::str::from_utf8(&document.content).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
    document::entries(text.trim_start_matches('\u{feff}'), &document.name, context)
}

fn version(documents: &[Document]) -> Arc<str> {
    let hash = |bytes: &[u8]| openssl::sha::sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let whole = match documents {
        [document] => hash(&document.content),
        documents => {
            let lines: String = documents.iter().map(|one| format!("{}  {}\n", hash(&one.content), one.name)).collect();
            hash(lines.as_bytes())
        }
    };
    whole.chars().take(12).collect::<String>().into()
}

#[cfg(test)]
mod tests;
