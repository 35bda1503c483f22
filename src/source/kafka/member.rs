//! Membership in a consumer group: which partitions are this process's to read, and how far they were worked off.
//!
//! Why librdkafka and not the reader's own protocol: joining, syncing and heartbeats are what it does well, and it must
//! go on while the reader is held up. It fetches nothing here: every partition that it is given is paused, and the
//! [reader](super::consume) reads it.
//!
//! How: a thread polls the client. A partition that is given comes with the [`Mark`] that its last owner left: an offset
//! and a note of the owner's own. Before one is taken away the owner is asked for its last mark, which is committed
//! before the group goes on. A commit of a member that the group has given up is refused by the broker.
//!
//! It must not hold a rebalance up for longer than [`PATIENCE`].

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc as blocking};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::properties::ClientProperties;

/// How long the owner of a partition may take for its last mark.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long brokers may take to say what was committed.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the others may wait for a member that is gone when a broker has come back without noticing; in milliseconds.
/// One that is alive polls all the time.
const ABSENT_MS: u32 = 60_000;
/// Between two looks for marks to commit.
const POLL: Duration = Duration::from_millis(100);
/// Changes that wait for the owner.
const QUEUE: usize = 16;

/// A partition of a topic.
pub type Partition = (Arc<str>, i32);

/// How far a partition was worked off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The offset from which it is read on.
    pub offset: i64,
    /// What its owner needs to know besides, in its own form.
    pub note: String,
}

/// What the group decides.
#[derive(Debug)]
pub enum Change {
    /// Partitions are this process's to read, each from its mark; `None` where nobody left one.
    Given(BTreeMap<Partition, Option<Mark>>),
    /// Partitions are taken away; the group waits for their last marks.
    Taken(Vec<Partition>, blocking::SyncSender<BTreeMap<Partition, Mark>>),
    /// The group cannot be joined or a mark not be kept, and why, for a person; it is tried again.
    Trouble(String),
}

/// This process in its group. It leaves the group when this is dropped.
#[derive(Debug)]
pub struct Member {
    changes: mpsc::Receiver<Change>,
    marks: Arc<Marks>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Marks that are to be committed: the newest of each partition.
type Marks = Mutex<BTreeMap<Partition, Mark>>;

impl Member {
    /// Joins a group on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the properties make no client, or the system gives no thread.
    pub fn join(properties: &ClientProperties, group: &str, topics: &[Arc<str>]) -> io::Result<Self> {
        let mut config = properties.client_config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        if properties.get("partition.assignment.strategy").is_none() {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        if properties.get("max.poll.interval.ms").is_none() {
            let session = properties.get("session.timeout.ms").and_then(|it| it.parse().ok());
            config.set("max.poll.interval.ms", ABSENT_MS.max(session.unwrap_or_default()).to_string());
        }
        let (sender, changes) = mpsc::channel(QUEUE);
        let marks = Arc::new(Marks::default());
        let stop = CancellationToken::new();
        let context =
            Context { changes: sender.clone(), marks: marks.clone(), given: Mutex::default(), stop: stop.clone() };
        let consumer: BaseConsumer<Context> = config.create_with_context(context).map_err(io::Error::other)?;
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        consumer.subscribe(&names).map_err(io::Error::other)?;
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("kafka-member".to_owned()).spawn(move || {
            while !stopped.is_cancelled() {
                turn(&consumer, &sender);
            }
            keep(&consumer, &sender);
        })?;
        Ok(Self { changes, marks, stop, thread: Some(thread) })
    }

    /// The group's next decision; `None` when the membership has ended.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }

    /// Leaves a mark, which is committed soon.
    pub fn mark(&self, partition: Partition, mark: Mark) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, mark);
    }
}

impl Drop for Member {
    /// Commits the last marks and leaves, so that the others need not wait for a timeout.
    fn drop(&mut self) {
        self.stop.cancel();
        self.changes.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread of a group's membership panicked");
        }
    }
}

/// What the client tells.
struct Context {
    changes: mpsc::Sender<Change>,
    marks: Arc<Marks>,
    /// Partitions that were given and are not yet told.
    given: Mutex<Vec<Partition>>,
    stop: CancellationToken,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance
            && !self.stop.is_cancelled()
        {
            self.take(consumer, &partitions(list));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                if let Err(error) = consumer.pause(list) {
                    tracing::warn!(%error, "partitions of a group are fetched twice");
                }
                self.given.lock().unwrap_or_else(PoisonError::into_inner).extend(partitions(list));
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "a group could not be shared out"),
        }
    }
}

impl Context {
    /// Asks the owner for its last marks, and commits them.
    fn take(&self, consumer: &BaseConsumer<Self>, taken: &[Partition]) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).retain(|partition| !taken.contains(partition));
        let (answer, marks) = blocking::sync_channel(1);
        if self.changes.blocking_send(Change::Taken(taken.to_vec(), answer)).is_err() {
            return;
        }
        let last = marks.recv_timeout(PATIENCE).unwrap_or_default();
        let mut all = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due: BTreeMap<Partition, Mark> =
            taken.iter().filter_map(|partition| all.remove_entry(partition)).collect();
        drop(all);
        due.extend(last);
        if let Err(error) = commit(consumer, &due) {
            // Whoever has them next begins with an older mark, and tells some windows again.
            tracing::warn!(%error, "the last marks of a member were not kept");
        }
    }
}

/// One round: the client's callbacks, what was given, what is to be committed.
fn turn(consumer: &BaseConsumer<Context>, changes: &mpsc::Sender<Change>) {
    // Messages come only in the moment before a partition is paused: the reader has them too.
    if let Some(Err(error)) = consumer.poll(POLL) {
        trouble(changes, &error);
    }
    let given = std::mem::take(&mut *consumer.context().given.lock().unwrap_or_else(PoisonError::into_inner));
    if !given.is_empty() {
        match committed(consumer, &given) {
            Ok(marks) => drop(changes.blocking_send(Change::Given(marks))),
            Err(error) => {
                trouble(changes, &error);
                consumer.context().given.lock().unwrap_or_else(PoisonError::into_inner).extend(given);
            }
        }
    }
    keep(consumer, changes);
}

/// Commits what is marked.
fn keep(consumer: &BaseConsumer<Context>, changes: &mpsc::Sender<Change>) {
    let marks = &consumer.context().marks;
    let due = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
    if let Err(error) = commit(consumer, &due) {
        trouble(changes, &error);
        let mut newer = marks.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, mark) in due {
            newer.entry(partition).or_insert(mark);
        }
    }
}

/// Tells of trouble, unless so much of it was not yet heard that there is no room.
fn trouble(changes: &mpsc::Sender<Change>, error: &KafkaError) {
    drop(changes.try_send(Change::Trouble(error.to_string())));
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    list.elements().iter().map(|element| (element.topic().into(), element.partition())).collect()
}

fn committed(consumer: &BaseConsumer<Context>, given: &[Partition]) -> KafkaResult<BTreeMap<Partition, Option<Mark>>> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in given {
        list.add_partition(topic, *partition);
    }
    let list = consumer.committed_offsets(list, ANSWER)?;
    let mark = |offset: Offset, note: &str| match offset {
        Offset::Offset(offset) => Some(Mark { offset, note: note.to_owned() }),
        _ => None,
    };
    let marks = list.elements();
    let marks = marks.iter().map(|it| ((it.topic().into(), it.partition()), mark(it.offset(), it.metadata())));
    Ok(marks.collect())
}

fn commit(consumer: &BaseConsumer<Context>, marks: &BTreeMap<Partition, Mark>) -> KafkaResult<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), mark) in marks {
        let mut element = list.add_partition(topic, *partition);
        element.set_offset(Offset::Offset(mark.offset))?;
        element.set_metadata(&mark.note);
    }
    consumer.commit(&list, CommitMode::Sync)
}
