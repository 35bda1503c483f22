//! Whether a processor finds its topics: what it needs of Kafka, and what is missing of that.
//!
//! Why: a job that may not read its topic fails minutes after it was deployed, with a stack trace; the broker could have
//! been asked before.
//!
//! How: [`needs`] reads from the objects as they will be which topics, groups and rights each job needs. Somebody asks
//! the broker ([`Seen`]); [`findings`] says what is missing, with the command that grants it. What the broker does not
//! tell is an answer of its own: nothing is taken as missing that was not seen to be missing. [`writers`] says which topics
//! nobody writes, or somebody else writes too.

pub mod writers;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use self::writers::Tide;
use super::object::{Id, Kind, OURS, annotation, label};

/// What a job does with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
}

impl Access {
    /// As `kafka-acls.sh` takes it.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }
}

/// What one processor needs of Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The processor.
    pub processor: String,
    /// Its topics.
    pub topics: BTreeSet<(String, Access)>,
    /// Its consumer group, where it reads.
    pub group: Option<String>,
    /// Parallel copies of its readers; `None` when the objects do not say.
    pub parallelism: Option<u64>,
}

/// A thing that rights are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "name")]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// A consumer group.
    Group(String),
}

/// What a rule is about. `All` stands for every operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Every one.
    All,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Something else.
    Other,
}

/// A rule of the broker that fits a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For whom: `User:name`, or `User:*`.
    pub principal: String,
    /// From where: an address, or `*`.
    pub host: String,
    /// What.
    pub operation: Operation,
    /// Whether it allows; else it denies.
    pub allows: bool,
}

/// A topic as the broker tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is there, with so many partitions.
    There(u32),
    /// It is not there.
    Missing,
    /// The broker does not say, and why.
    Unknown(String),
}

/// What the broker says of rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// These rules, by what they are about.
    Rules(BTreeMap<Resource, Vec<Rule>>),
    /// It has no authorizer: everybody may do everything.
    Everybody,
    /// It does not tell, and why.
    Unknown(String),
}

/// What was asked of a cluster, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Topics by name.
    pub topics: BTreeMap<String, Told>,
    /// Rights.
    pub rights: Rights,
    /// What those topics hold, as far as it was told.
    pub tides: BTreeMap<String, Tide>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The job cannot work.
    Missing,
    /// It works, but hardly as meant.
    Warning,
    /// Nobody can say.
    Unknown,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub weight: Weight,
    /// The processor; empty for all of them.
    pub processor: String,
    /// In words.
    pub message: String,
    /// What would grant it, where a command does.
    pub command: Option<String>,
}

/// What the jobs among objects need of Kafka. Those that are stopped need nothing.
#[must_use]
pub fn needs(objects: &[&Value]) -> Vec<Need> {
    objects.iter().filter_map(|object| need(object, objects)).collect()
}

fn need(object: &Value, all: &[&Value]) -> Option<Need> {
    let id = Id::of(object)?;
    let (processor, parallelism) = match id.kind {
        Kind::FlinkDeployment => {
            let stopped = object.pointer("/spec/job/state").and_then(Value::as_str) == Some("suspended");
            let parallelism = object.pointer("/spec/job/parallelism").and_then(Value::as_u64);
            (!stopped).then_some((id.name, parallelism))?
        }
        Kind::Deployment if label(object, "component") == Some("jobmanager") => {
            let stopped = object.pointer("/spec/replicas").and_then(Value::as_u64) == Some(0);
            let processor = id.name.trim_end_matches("-jobmanager").to_owned();
            let config = Id::new(Kind::ConfigMap, id.namespace.as_str(), format!("{processor}-config"));
            let parallelism =
                all.iter().find(|it| Id::of(it).as_ref() == Some(&config)).and_then(|it| written_parallelism(it));
            (!stopped).then_some((processor, parallelism))?
        }
        _ => return None,
    };
    let value = |name: &str| annotation(object, &format!("{OURS}{name}")).unwrap_or_default();
    let list = |name: &'static str, access| {
        let names = value(name).split(',').map(str::trim).filter(|it| !it.is_empty());
        names.map(move |topic| (topic.to_owned(), access))
    };
    let topics: BTreeSet<_> = list("inputs", Access::Read).chain(list("outputs", Access::Write)).collect();
    let reads = topics.iter().any(|(_, access)| *access == Access::Read);
    let group = Some(value("group")).filter(|it| reads && !it.is_empty()).map(str::to_owned);
    (!topics.is_empty()).then_some(Need { processor, topics, group, parallelism })
}

/// `parallelism.default` in a configuration file, whichever of Flink's two forms it has.
fn written_parallelism(config: &Value) -> Option<u64> {
    let mut lines = config.get("data")?.as_object()?.values().filter_map(Value::as_str).flat_map(str::lines);
    let value = lines.find_map(|line| line.strip_prefix("parallelism.default:"))?;
    value.trim().trim_matches('"').parse().ok()
}

/// Names of all topics that somebody needs.
#[must_use]
pub fn topics(needs: &[Need]) -> BTreeSet<String> {
    needs.iter().flat_map(|need| &need.topics).map(|(topic, _)| topic.clone()).collect()
}

/// All resources that somebody needs rights to.
#[must_use]
pub fn resources(needs: &[Need]) -> BTreeSet<Resource> {
    let groups = needs.iter().filter_map(|need| need.group.clone()).map(Resource::Group);
    topics(needs).into_iter().map(Resource::Topic).chain(groups).collect()
}

/// Who asks, and of whom: what commands need to be complete.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Bootstrap servers.
    pub bootstrap: &'a str,
    /// The processors' principal, `User:name`; with `{pipeline}` and `{processor}`. `None` when nobody said.
    pub principal: Option<&'a str>,
    /// The pipeline.
    pub pipeline: &'a str,
}

impl Asker<'_> {
    fn principal_of(&self, processor: &str) -> Option<String> {
        let words = [("pipeline", self.pipeline), ("processor", processor)];
        let fill = |text: String, (word, value): &(&str, &str)| text.replace(&format!("{{{word}}}"), value);
        let text = words.iter().fold(self.principal?.to_owned(), fill);
        Some(if text.contains(':') { text } else { format!("User:{text}") })
    }
}

/// What is missing, and what nobody can say; the worst first.
#[must_use]
pub fn findings(needs: &[Need], seen: &Seen, asker: Asker<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for need in needs {
        for (topic, access) in &need.topics {
            findings.extend(topic_finding(needs, need, (topic, *access), seen.topics.get(topic), asker));
        }
    }
    match &seen.rights {
        Rights::Everybody => {}
        Rights::Unknown(why) => findings.push(unknown(format!("the broker does not tell who may what: {why}"))),
        Rights::Rules(_) if asker.principal.is_none() => findings.push(unknown(
            "the processors' Kafka user is not known ([environment.deploy] kafka-principal): their rights are not \
             checked"
                .to_owned(),
        )),
        Rights::Rules(rules) => {
            let all = needs.iter().flat_map(|need| rights_findings(need, rules, asker));
            findings.extend(all);
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn unknown(message: String) -> Finding {
    Finding { weight: Weight::Unknown, processor: String::new(), message, command: None }
}

fn topic_finding(
    needs: &[Need],
    need: &Need,
    (topic, access): (&str, Access),
    told: Option<&Told>,
    asker: Asker<'_>,
) -> Option<Finding> {
    let finding = |weight, message: String, command| {
        Some(Finding { weight, processor: need.processor.clone(), message, command })
    };
    let tool = format!("kafka-topics.sh --bootstrap-server {}", quoted(asker.bootstrap));
    let verb = if access == Access::Read { "reads" } else { "writes" };
    match told {
        None => None,
        Some(Told::Missing) => {
            // As many as the widest of those who use it.
            let users = needs.iter().filter(|it| it.topics.iter().any(|(name, _)| name == topic));
            let partitions = users.filter_map(|it| it.parallelism).max().unwrap_or(1);
            let command = format!("{tool} --create --topic {} --partitions {partitions}", quoted(topic));
            finding(Weight::Missing, format!("{verb} topic {topic}, which does not exist"), Some(command))
        }
        Some(Told::Unknown(why)) => {
            finding(Weight::Unknown, format!("{verb} topic {topic}, which nobody can look at from here: {why}"), None)
        }
        Some(Told::There(partitions)) => {
            let parallelism = need.parallelism.filter(|_| access == Access::Read)?;
            let idle = parallelism.checked_sub(u64::from(*partitions)).filter(|idle| *idle > 0)?;
            let words = format!(
                "reads topic {topic} with parallelism {parallelism}, but it has {partitions} partitions: {idle} of its \
                 readers have nothing to do"
            );
            // Keys move to other partitions, so that the order by key is lost once: for a person to judge.
            let command = format!("{tool} --alter --topic {} --partitions {parallelism}", quoted(topic));
            finding(Weight::Warning, words, Some(command))
        }
    }
}

fn rights_findings(need: &Need, rules: &BTreeMap<Resource, Vec<Rule>>, asker: Asker<'_>) -> Vec<Finding> {
    let Some(principal) = asker.principal_of(&need.processor) else { return Vec::new() };
    let topics = need.topics.iter().map(|(topic, access)| (Resource::Topic(topic.clone()), *access));
    let group = need.group.iter().map(|group| (Resource::Group(group.clone()), Access::Read));
    let mut findings = Vec::new();
    for (resource, access) in topics.chain(group) {
        let known = rules.get(&resource).map_or(&[][..], Vec::as_slice);
        let (weight, why) = match verdict(known, &principal, access) {
            Verdict::Allowed => continue,
            Verdict::Denied => (Weight::Missing, "a rule denies it"),
            Verdict::NotAllowed => (Weight::Missing, "no rule allows it"),
            Verdict::OnlyFrom => (Weight::Warning, "only from some hosts does a rule allow it"),
            Verdict::NoRule => {
                (Weight::Unknown, "it has no rules at all: allow.everyone.if.no.acl.found and super.users decide")
            }
        };
        let (word, option, name) = match &resource {
            Resource::Topic(name) => ("topic", "--topic", name),
            Resource::Group(name) => ("group", "--group", name),
        };
        let operation = access.operation();
        let may = if weight == Weight::Missing { "may not" } else { "must" };
        let message = format!("{principal} {may} {} {word} {name}: {why}", operation.to_lowercase());
        let (verb, permission) =
            if why == "a rule denies it" { ("--remove", "--deny-principal") } else { ("--add", "--allow-principal") };
        let command = format!(
            "kafka-acls.sh --bootstrap-server {} {verb} {permission} {} --operation {operation} {option} {}",
            quoted(asker.bootstrap),
            quoted(&principal),
            quoted(name)
        );
        findings.push(Finding { weight, processor: need.processor.clone(), message, command: Some(command) });
    }
    findings
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    OnlyFrom,
    Denied,
    NotAllowed,
    NoRule,
}

/// As Kafka's own authorizer decides: what denies wins, and without any rule the broker's defaults do.
fn verdict(rules: &[Rule], principal: &str, access: Access) -> Verdict {
    let wanted = match access {
        Access::Read => Operation::Read,
        Access::Write => Operation::Write,
    };
    let fits = |rule: &&Rule| {
        (rule.principal == principal || rule.principal == "User:*")
            && (rule.operation == Operation::All || rule.operation == wanted)
    };
    let mine: Vec<&Rule> = rules.iter().filter(fits).collect();
    let is_everywhere = |rule: &Rule| rule.host == "*";
    if mine.iter().any(|rule| !rule.allows && is_everywhere(rule)) {
        return Verdict::Denied;
    }
    let elsewhere_denied = mine.iter().any(|rule| !rule.allows);
    match (mine.iter().any(|rule| rule.allows && is_everywhere(rule)), mine.iter().any(|rule| rule.allows)) {
        (true, _) if !elsewhere_denied => Verdict::Allowed,
        (_, true) => Verdict::OnlyFrom,
        _ if rules.is_empty() => Verdict::NoRule,
        _ => Verdict::NotAllowed,
    }
}

/// A word as a shell takes it: names come from manifests.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.,:/=@%+".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
