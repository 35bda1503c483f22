//! What the console would know: takes the source's events in and waits for conditions, with deadlines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck::event::Event;
use flowdeck::model::change::Change;
use flowdeck::model::environment::Link;
use flowdeck::model::interest::{GroupInterest, Interest};
use flowdeck::model::kafka::{Group, Topic};
use flowdeck::model::key::KafkaKey;
use flowdeck::settings::KafkaSettings;
use flowdeck::source::kafka;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// The environment of all tests.
pub const HERE: &str = "test";

/// Everything that the source told.
#[derive(Debug, Default)]
pub struct Seen {
    pub links: Vec<Link>,
    pub topics: BTreeMap<String, Topic>,
    pub groups: BTreeMap<String, Group>,
    pub missing: BTreeMap<String, String>,
    pub topic_names: Vec<Arc<str>>,
    pub group_names: Vec<(Arc<str>, Arc<str>)>,
}

impl Seen {
    pub fn link(&self) -> &Link {
        self.links.last().unwrap_or(&Link::Idle)
    }

    pub fn is_up(&self) -> bool {
        matches!(self.link(), Link::Up { .. })
    }

    pub fn down_with(&self, words: &str) -> bool {
        matches!(self.link(), Link::Down { error, .. } if error.contains(words))
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Link(_, _, link) => self.links.push(link),
            Change::Topics(topics) => {
                self.topics.extend(topics.into_iter().map(|topic| (topic.key.name.to_string(), topic)));
            }
            Change::Groups(groups) => {
                self.groups.extend(groups.into_iter().map(|group| (group.key.name.to_string(), group)));
            }
            Change::TopicMissing(key, words) => {
                self.missing.insert(key.name.to_string(), words.to_string());
            }
            Change::TopicNames(_, names) => self.topic_names = names,
            Change::GroupNames(_, names) => self.group_names = names,
            other => panic!("{other:?}"),
        }
    }
}

pub struct Console {
    pub seen: Seen,
    interest: watch::Sender<Arc<Interest>>,
    events: mpsc::Receiver<Event>,
    cancel: CancellationToken,
}

impl Drop for Console {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Console {
    /// Runs the source against a cluster, with these properties beside its address.
    pub fn start(bootstrap: &str, properties: &[(&str, &str)], interest: Interest) -> Self {
        let settings = KafkaSettings {
            bootstrap: Some(bootstrap.to_owned()),
            properties: properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..KafkaSettings::default()
        };
        Self::with(settings, interest)
    }

    /// Runs the source with these settings.
    pub fn with(settings: KafkaSettings, interest: Interest) -> Self {
        let (interest, receiver) = watch::channel(Arc::new(interest));
        let (sender, events) = mpsc::channel(16);
        let cancel = CancellationToken::new();
        tokio::spawn(kafka::run(HERE.into(), settings, receiver, sender, cancel.clone()));
        Self { seen: Seen::default(), interest, events, cancel }
    }

    pub fn look_at(&self, interest: Interest) {
        self.interest.send_replace(Arc::new(interest));
    }

    /// Takes events in until the condition holds; answers how long that took.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Seen) -> bool) -> Duration {
        let begun = Instant::now();
        while !condition(&self.seen) {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            match tokio::time::timeout(left, self.events.recv()).await {
                Ok(Some(Event::Changed(changes))) => changes.into_iter().for_each(|change| self.seen.take(change)),
                Ok(other) => panic!("{other:?} while waiting for {what}"),
                Err(late) => panic!("no {what}, {late}: {:#?}", self.seen),
            }
        }
        begun.elapsed()
    }
}

pub fn topics(names: &[&str]) -> Interest {
    Interest { topics: names.iter().map(|name| KafkaKey::new(HERE, *name)).collect(), ..Interest::default() }
}

pub fn group(name: &str, topics: &[&str], with_time: bool) -> Interest {
    let topics = topics.iter().map(|topic| (*topic).into()).collect();
    let group = GroupInterest { key: KafkaKey::new(HERE, name), topics, with_time };
    Interest { groups: BTreeSet::from([group]), ..Interest::default() }
}

pub fn names() -> Interest {
    Interest { kafka_names: BTreeSet::from([HERE.into()]), ..Interest::default() }
}
