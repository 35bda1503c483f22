//! What a pipeline leaves in Kafka when it goes: its topics and consumer groups, and which of them go with it.
//!
//! Why: whoever takes a pipeline away wants its topics gone sometimes, and never those that somebody else lives on.
//!
//! How: [`uses`] reads from objects who reads and writes what. Somebody asks the broker ([`Broker`]); [`remnants`] says of
//! each topic and group whether it goes, and why or why not. A topic goes only when this pipeline writes it and nobody
//! else is known to read or write it. What nobody can look at stays.
//!
//! It must not delete anything, and must not guess: a topic of which the broker says nothing is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::object::{Id, Kind, OURS, PART_OF, annotation, label, runs_a_job};
use super::topics::Resource;

/// What goes with a pipeline besides its objects; nothing unless somebody asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sweep {
    /// Topics that it alone uses.
    pub topics: bool,
    /// Its consumer groups.
    pub groups: bool,
}

impl Sweep {
    /// All that can be asked for, the least first.
    pub const ALL: [Self; 4] = [
        Self { topics: false, groups: false },
        Self { topics: false, groups: true },
        Self { topics: true, groups: false },
        Self { topics: true, groups: true },
    ];

    /// Whether nothing goes but the objects.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.topics && !self.groups
    }

    /// What goes, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match (self.topics, self.groups) {
            (false, false) => "keep its topics and consumer groups",
            (false, true) => "delete its consumer groups, keep its topics",
            (true, false) => "delete the topics that it alone writes and reads, keep its consumer groups",
            (true, true) => "delete the topics that it alone writes and reads, and its consumer groups",
        }
    }
}

/// What one processor does in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its pipeline, where that is known: else the processor itself.
    pub pipeline: String,
    /// The namespace.
    pub namespace: String,
    /// The processor.
    pub processor: String,
    /// Topics that it reads.
    pub reads: BTreeSet<String>,
    /// Topics that it writes.
    pub writes: BTreeSet<String>,
    /// Its consumer group.
    pub group: Option<String>,
}

/// What the jobs among objects do in Kafka; those that are stopped may be started again, and count.
#[must_use]
pub fn uses<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Vec<Use> {
    objects.into_iter().filter_map(one_use).collect()
}

fn one_use(object: &Value) -> Option<Use> {
    let id = Id::of(object).filter(|id| runs_a_job(id, object))?;
    let value = |name: &str| annotation(object, &format!("{OURS}{name}")).unwrap_or_default();
    let list = |name: &str| {
        let names = value(name).split(',').map(str::trim).filter(|it| !it.is_empty());
        names.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let processor = if id.kind == Kind::Deployment { id.name.trim_end_matches("-jobmanager") } else { &id.name };
    Some(Use {
        pipeline: label(object, PART_OF).unwrap_or(processor).to_owned(),
        processor: processor.to_owned(),
        reads: list("inputs"),
        writes: list("outputs"),
        group: Some(value("group")).filter(|it| !it.is_empty()).map(str::to_owned),
        namespace: id.namespace,
    })
}

/// What a pipeline calls its own in Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Topics that it reads, each with a processor that does.
    pub reads: BTreeMap<String, String>,
    /// Topics that it writes.
    pub writes: BTreeSet<String>,
    /// Consumer groups of what runs and of what ran before.
    pub groups: BTreeSet<String>,
}

impl Own {
    /// From what it does now, and what it ever did: of earlier revisions only groups are its own, because a topic that it
    /// no longer writes may be somebody else's by now.
    #[must_use]
    pub fn of(now: &[Use], ever: &[Use]) -> Self {
        let reads = now.iter().flat_map(|it| it.reads.iter().map(|topic| (topic.clone(), it.processor.clone())));
        Self {
            reads: reads.collect(),
            writes: now.iter().flat_map(|it| it.writes.iter().cloned()).collect(),
            groups: now.iter().chain(ever).filter_map(|it| it.group.clone()).collect(),
        }
    }

    /// Names of its topics.
    #[must_use]
    pub fn topics(&self) -> BTreeSet<String> {
        self.reads.keys().chain(&self.writes).cloned().collect()
    }
}

/// A topic as the broker tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicTold {
    /// It is there. Whether this user may delete it; `None` when the broker does not tell.
    There(Option<bool>),
    /// It is not there.
    Missing,
    /// The broker does not say, and why.
    Unknown(String),
}

/// A consumer group as the broker tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTold {
    /// Members that it has.
    pub members: u32,
    /// Topics of which it has committed offsets.
    pub topics: BTreeSet<String>,
}

/// What a broker says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    /// The topics that were asked for.
    pub topics: BTreeMap<String, TopicTold>,
    /// All groups that are there.
    pub groups: BTreeMap<String, GroupTold>,
    /// Why it did not tell all groups; `None` when it did.
    pub untold: Option<String>,
}

/// Others that are known, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// What other pipelines do.
    pub uses: Vec<Use>,
    /// Topics that routes lead through, with the route.
    pub routes: BTreeMap<String, String>,
    /// Where nobody could look; `None` when everywhere was looked at.
    pub unseen: Option<String>,
}

/// A topic or a group, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remnant {
    /// What it is.
    #[serde(flatten)]
    pub resource: Resource,
    /// Whether it goes.
    pub goes: bool,
    /// Why.
    pub because: String,
}

impl Remnant {
    /// What it is, such as `topic sessions`.
    #[must_use]
    pub fn name(&self) -> String {
        named(&self.resource)
    }
}

/// A resource, such as `topic sessions`.
#[must_use]
pub fn named(resource: &Resource) -> String {
    match resource {
        Resource::Topic(name) => format!("topic {name}"),
        Resource::Group(name) => format!("consumer group {name}"),
    }
}

/// What becomes of each topic and group of a pipeline that goes. Without a broker nothing was asked, and all stays.
#[must_use]
pub fn remnants(own: &Own, others: &Others, broker: Option<&Broker>, sweep: Sweep) -> Vec<Remnant> {
    let mut found = Vec::new();
    let topics = own.topics();
    for topic in topics.iter().filter(|topic| broker.is_none_or(|it| !is_missing(it, topic))) {
        let stays = match broker.filter(|_| sweep.topics) {
            None => Some("topics go only when that is asked for".to_owned()),
            Some(broker) => why_topic_stays(topic, (own, others, broker)),
        };
        let unseen = others.unseen.as_ref().map_or_else(String::new, |it| format!("; {it}"));
        let goes = || format!("this pipeline writes it, and nobody else is known to read or write it{unseen}");
        found.push(Remnant {
            resource: Resource::Topic(topic.clone()),
            goes: stays.is_none(),
            because: stays.unwrap_or_else(goes),
        });
    }
    for group in &own.groups {
        let told = broker.map(|it| it.groups.get(group));
        let (goes, because) = match (told, sweep.groups) {
            // It never committed anything, or is gone.
            (Some(None), _) if broker.is_some_and(|it| it.untold.is_none()) => continue,
            (_, false) | (None, _) => (false, "consumer groups go only when that is asked for".to_owned()),
            (Some(told), true) => group_fate(group, told, others),
        };
        found.push(Remnant { resource: Resource::Group(group.clone()), goes, because });
    }
    found
}

fn is_missing(broker: &Broker, topic: &str) -> bool {
    broker.topics.get(topic) == Some(&TopicTold::Missing)
}

fn why_topic_stays(topic: &str, (own, others, broker): (&Own, &Others, &Broker)) -> Option<String> {
    if topic.starts_with("__") {
        return Some("it is Kafka's own".to_owned());
    }
    if !own.writes.contains(topic) {
        let reader = own.reads.get(topic).map_or("this pipeline", String::as_str);
        return Some(format!("{reader} only reads it: somebody else writes it"));
    }
    let mut users = others.uses.iter().filter_map(|it| {
        let verb = match (it.reads.contains(topic), it.writes.contains(topic)) {
            (true, true) => "reads and writes",
            (true, false) => "reads",
            (false, true) => "writes",
            (false, false) => return None,
        };
        Some(format!("{} {verb} it", who(it)))
    });
    if let Some(first) = users.next() {
        return Some(match users.count() {
            0 => first,
            more => format!("{first}, and {more} more"),
        });
    }
    if let Some(route) = others.routes.get(topic) {
        return Some(format!("route {route} leads through it"));
    }
    match broker.topics.get(topic) {
        Some(TopicTold::There(_)) => {}
        Some(TopicTold::Unknown(why)) => return Some(format!("nobody can look at it from here: {why}")),
        Some(TopicTold::Missing) | None => return Some("the broker says nothing of it".to_owned()),
    }
    let strangers = broker.groups.iter().filter(|(name, _)| !own.groups.contains(*name));
    let mut reading = strangers.filter(|(_, group)| group.members > 0 && group.topics.contains(topic));
    if let Some((name, group)) = reading.next() {
        let members = if group.members == 1 { "1 member".to_owned() } else { format!("{} members", group.members) };
        return Some(format!("consumer group {name} reads it now, with {members}"));
    }
    broker.untold.as_ref().map(|why| format!("nobody can say which consumer groups read it: {why}"))
}

/// A processor of a pipeline, with its namespace.
pub(super) fn who(other: &Use) -> String {
    let Use { pipeline, processor, namespace, .. } = other;
    if pipeline == processor {
        format!("{pipeline} in {namespace}")
    } else {
        format!("{pipeline} › {processor} in {namespace}")
    }
}

fn group_fate(group: &str, told: Option<&GroupTold>, others: &Others) -> (bool, String) {
    if let Some(other) = others.uses.iter().find(|it| it.group.as_deref() == Some(group)) {
        return (false, format!("{} has the same consumer group", who(other)));
    }
    match told {
        None => (false, "nobody can look at it from here".to_owned()),
        Some(told) if told.members > 0 => {
            (true, format!("once the pods are gone: it has {} members now", told.members))
        }
        Some(_) => (true, "it is of this pipeline, and has no members".to_owned()),
    }
}

/// Topics that would go but that this user may not delete.
#[must_use]
pub fn forbidden(remnants: &[Remnant], broker: &Broker) -> Vec<String> {
    let refused = remnants.iter().filter(|it| it.goes).filter(|it| match &it.resource {
        Resource::Topic(name) => broker.topics.get(name) == Some(&TopicTold::There(Some(false))),
        Resource::Group(_) => false,
    });
    let words = |it: &Remnant| format!("may not delete {}: Kafka's rules give this user no Delete on it", it.name());
    refused.map(words).collect()
}

#[cfg(test)]
mod tests;
