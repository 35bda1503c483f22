//! Logs of running containers as commands read them: one stream of events in order of time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Interval, interval};

use super::gather::{self, Need, World};
use super::{Failure, output};
use crate::logs::braid::Entry;
use crate::logs::format::Choice;
use crate::model::Time;
use crate::model::inventory::Inventory;
use crate::model::key::ObjectKey;
use crate::model::log::{Container, Mark, StreamState, Target};
use crate::settings::Settings;
use crate::source::kube::tail::merge::Merge;
use crate::source::kube::tail::{Message, Plan, Tails};

/// Between two looks at what is due.
const BEAT: Duration = Duration::from_millis(100);
/// Messages that are taken before what is due is handed out.
const AT_ONCE: usize = 16;

/// One thing of the log: whose it is, when it was written, what it is.
pub struct Item {
    /// Whose log.
    pub container: Arc<Container>,
    /// When it was written.
    pub time: Time,
    /// What.
    pub entry: Entry<Mark>,
}

/// The logs of a target.
pub struct Feed {
    /// Whether there is more than one container.
    pub several: bool,
    world: World,
    targets: Vec<Target>,
    plan: Plan,
    tails: HashMap<Arc<str>, Tails>,
    receivers: Vec<mpsc::Receiver<Message>>,
    merge: Merge,
    /// The layout that the command names.
    layout: Option<Choice>,
    beat: Interval,
}

impl Feed {
    /// Finds the target and begins to read.
    pub async fn open(
        settings: &Settings,
        name: &str,
        plan: Plan,
        (layout, patience): (Option<Choice>, Duration),
    ) -> Result<Self, Failure> {
        let mut world = World::open(settings, Need::default());
        world.settle(patience).await;
        let complaints = world.complaints();
        complaints.iter().for_each(|sentence| output::complain(sentence));
        let targets = targets(&world.inventory, name);
        if targets.is_empty() {
            return Err(Failure::not_found(format!("there is no pipeline, processor or pod named {name}")));
        }
        let mut feed = Self {
            several: false,
            world,
            targets,
            plan,
            tails: HashMap::new(),
            receivers: Vec::new(),
            merge: Merge::default(),
            layout,
            beat: interval(BEAT),
        };
        feed.follow_all(false).await;
        if feed.merge.containers().is_empty() && !plan.follow {
            return Err(Failure::not_found(format!("{name} has no pods now")));
        }
        Ok(feed)
    }

    /// The next items; `None` when nothing more will come.
    pub async fn next(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        while items.is_empty() {
            tokio::select! {
                biased;
                message = first(&mut self.receivers) => self.take_all(message),
                more = self.world.next(), if self.plan.follow => {
                    if !more {
                        return None;
                    }
                    self.follow_all(true).await;
                }
                _ = self.beat.tick() => {}
            }
            if self.plan.follow || self.tails.values_mut().any(Tails::are_running) || has_waiting(&self.receivers) {
                let mut due = Vec::new();
                self.merge.drain(gather::now(), &mut |number, time, entry| due.push((number, time, entry)));
                items = self.items(due);
            } else {
                items = self.rest();
                return (!items.is_empty()).then_some(items);
            }
        }
        Some(items)
    }

    /// Hands out all that waits, at the end.
    pub fn rest(&mut self) -> Vec<Item> {
        let mut due = Vec::new();
        self.merge.finish(gather::now(), &mut |number, time, entry| due.push((number, time, entry)));
        self.items(due)
    }

    /// The logs that could not be read, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let troubled = self.merge.states().filter(|(_, state)| {
            matches!(state, StreamState::Away(..) | StreamState::Forbidden(_) | StreamState::Waiting(_))
        });
        let mut sentences: Vec<String> = troubled
            .map(|(container, state)| format!("{}/{}: {}", container.pod.name, container.name, state.words()))
            .collect();
        sentences.sort_unstable();
        sentences
    }

    fn items(&self, due: Vec<(usize, Time, Entry<Mark>)>) -> Vec<Item> {
        let containers = self.merge.containers();
        let whose = |number: usize| containers.get(number).cloned();
        due.into_iter()
            .filter_map(|(number, time, entry)| Some(Item { container: whose(number)?, time, entry }))
            .collect()
    }

    async fn follow_all(&mut self, late: bool) {
        let inventory = &self.world.inventory;
        let found = self.targets.iter().flat_map(|target| {
            let pipeline = target.pipeline(inventory).map(|key| key.name.clone());
            target.containers(inventory).into_iter().map(move |container| (Arc::new(container), pipeline.clone()))
        });
        let found: Vec<(Arc<Container>, Option<Arc<str>>)> = found.collect();
        for (container, pipeline) in found {
            let environment = container.pod.environment.clone();
            if !self.tails.contains_key(&environment) {
                let Some(cluster) = self.world.clusters().of(&environment).await else { continue };
                let (tails, receiver) = Tails::new(cluster, self.plan);
                self.tails.insert(environment.clone(), tails);
                self.receivers.push(receiver);
            }
            if let Some(tails) = self.tails.get_mut(&environment) {
                let layout = self.layout.unwrap_or_else(|| tails.layouts().layout_of(pipeline.as_deref()));
                self.merge.add(&container, layout);
                tails.follow(container, late);
            }
        }
        self.several = self.merge.containers().len() > 1;
    }

    fn take_all(&mut self, message: Message) {
        self.merge.take(message, gather::now());
        for _ in 1..AT_ONCE {
            let next = self.receivers.iter_mut().find_map(|receiver| receiver.try_recv().ok());
            let Some(message) = next else { return };
            self.merge.take(message, gather::now());
        }
    }
}

/// The next message of any environment; waits for ever when there is none.
async fn first(receivers: &mut [mpsc::Receiver<Message>]) -> Message {
    std::future::poll_fn(|context| {
        for receiver in receivers.iter_mut() {
            if let std::task::Poll::Ready(Some(message)) = receiver.poll_recv(context) {
                return std::task::Poll::Ready(message);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

fn has_waiting(receivers: &[mpsc::Receiver<Message>]) -> bool {
    receivers.iter().any(|receiver| !receiver.is_empty())
}

/// `pipeline`, `processor`, `pod`, `pipeline/processor` or `pod/container`: everything that the name fits.
fn targets(inventory: &Inventory, name: &str) -> Vec<Target> {
    let (first, second) = name.split_once('/').map_or((name, None), |(first, second)| (first, Some(second)));
    let named = |key: &&ObjectKey| *key.name == *first;
    let pipelines = inventory.pipelines().map(|(key, _)| key).filter(named);
    let pods = inventory.processors().flat_map(|(_, processor)| processor.pods.values());
    let pods = pods.filter(|pod| *pod.key.name == *first);
    let mut found: Vec<Target> = match second {
        None => pipelines.cloned().map(Target::Pipeline).collect(),
        Some(second) => pipelines
            .flat_map(|key| inventory.processors_of(key))
            .filter(|(key, _)| *key.name == *second)
            .map(|(key, _)| Target::Processor(key.clone()))
            .collect(),
    };
    if found.is_empty() && second.is_none() {
        let processors = inventory.processors().map(|(key, _)| key).filter(named);
        found.extend(processors.cloned().map(Target::Processor));
    }
    let wanted =
        |pod: &&crate::model::pod::Pod| second.is_none_or(|name| pod.containers.iter().any(|it| **it == *name));
    found.extend(pods.filter(wanted).map(|pod| Target::Pod(pod.key.clone(), second.map(Into::into))));
    found
}
