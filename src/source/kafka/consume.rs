//! Reads topics as an observer: every partition, nothing committed.
//!
//! Why not librdkafka: its safe interface gives one message at a time, with an allocation and several atomic
//! operations for each, and the engine behind it is faster than that. The console already speaks the protocol, with
//! every login and certificate, so record batches are fetched as they lie in the log and taken apart in one pass
//! ([`decode`]).
//!
//! Whoever shares a topic with others says which partitions are its own ([`Wishes`]); who has which is decided
//! elsewhere ([`member`](super::member)).
//!
//! How: one thread of its own with a small async runtime. [`layout`] learns where partitions lie and where reading
//! begins; one loop for each broker ([`broker`]) asks for the next records before it works on the last. Values go
//! through a bounded queue; when it is full nothing more is read, and the broker's socket waits. Partitions that are
//! far ahead of the others wait too ([`places`]).
//!
//! It must not block a thread of anybody else, nor hold more than the queue and one answer for each broker.

mod broker;
mod decode;
mod inflate;
mod layout;
mod places;
mod sighting;
mod spares;

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use self::layout::Layout;
use self::places::Places;
use self::spares::Spares;
use super::properties::ClientProperties;
use crate::model::Time;
use crate::model::batch::Batch;

/// Messages that may wait for the engine. Records are up to 256 KiB of values each, or one larger record.
const QUEUE: usize = 64;

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is written from now on.
    Now,
    /// With the oldest record that is kept.
    Earliest,
    /// With the first record that was written at that time or later.
    At(Time),
    /// Where an earlier reader stopped: offset by topic and partition. A partition without one is new, and is read whole.
    Resume(BTreeMap<(Arc<str>, i32), i64>),
}

/// What to read.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Topics.
    pub topics: Vec<Arc<str>>,
    /// Where reading begins.
    pub start: Start,
    /// The partitions of these topics to which reading is confined, as they change; all without it.
    pub only: Option<watch::Receiver<Wishes>>,
}

impl Subscription {
    /// How a partition is wished for; `None` where it is not wanted.
    fn wish(&self, topic: &Arc<str>, partition: i32) -> Option<Wish> {
        let place = || (topic.clone(), partition);
        match (&self.only, &self.start) {
            (Some(wishes), _) => wishes.borrow().get(&place()).copied(),
            (None, Start::Resume(offsets)) => Some(Wish { turn: 0, from: offsets.get(&place()).copied() }),
            (None, _) => Some(Wish { turn: 0, from: None }),
        }
    }
}

/// Partitions that are to be read.
pub type Wishes = BTreeMap<(Arc<str>, i32), Wish>;

/// How a partition is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Another number means to let it go and begin anew.
    pub turn: u64,
    /// The offset to begin with; as the subscription starts without one.
    pub from: Option<i64>,
}

/// A partition under the number by which the reader's news name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The number: counted up from 0 over all topics, never given twice.
    pub place: u32,
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The offset from which it is read.
    pub position: i64,
    /// The offset after its last record at this moment.
    pub end: i64,
    /// The turn of the [`Wish`] for which it is read; 0 where nobody wishes.
    pub turn: u64,
}

/// Records of one partition.
#[derive(Debug)]
pub struct Records {
    /// The partition.
    pub place: u32,
    /// Their values.
    pub batch: Batch,
    /// The offset after the last of them that can be resumed from.
    pub next_offset: i64,
    /// The offset after the partition's last record, when these were fetched.
    pub end: i64,
    spares: Spares,
}

impl Records {
    /// Records that come from elsewhere.
    #[must_use]
    pub fn of(place: u32, batch: Batch, next_offset: i64, end: i64) -> Self {
        Self { place, batch, next_offset, end, spares: Spares::default() }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.spares.give_back(std::mem::take(&mut self.batch));
    }
}

/// What the reader tells, in order.
#[derive(Debug)]
pub enum News {
    /// A partition is read from now on.
    Assigned(Assignment),
    /// A partition is no longer there.
    Revoked {
        /// The partition.
        place: u32,
    },
    /// Records.
    Records(Records),
    /// A partition has nothing more to read just now.
    CaughtUp {
        /// The partition.
        place: u32,
        /// The offset after its last record.
        end: i64,
        /// When its last record was written, milliseconds since 1970, if it had any.
        newest_ms: Option<i64>,
    },
    /// Records that were wanted are gone: retention deleted them first, or the topic was made anew.
    Lost {
        /// The partition.
        place: u32,
        /// How many; 0 when it cannot be told.
        records: u64,
    },
    /// Batches that cannot be read were passed over.
    Unreadable {
        /// The partition.
        place: u32,
        /// How many batches.
        batches: u64,
        /// Offset of the last of them.
        offset: i64,
    },
    /// Something does not answer: since when and why. What was read before stays true.
    Stalled {
        /// Since when.
        since: Time,
        /// Why, for a person.
        why: Arc<str>,
    },
    /// It cannot be read at all, as things are; tried again all the same.
    Refused {
        /// Why, for a person.
        why: Arc<str>,
    },
    /// Everything answers again.
    Flowing,
}

/// A running reader. It ends when this is dropped.
#[derive(Debug)]
pub struct Reader {
    news: mpsc::Receiver<News>,
    cancel: CancellationToken,
}

impl Reader {
    /// Starts to read on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(properties: ClientProperties, subscription: Subscription) -> io::Result<Self> {
        let (sender, news) = mpsc::channel(QUEUE);
        let cancel = CancellationToken::new();
        let ended = cancel.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("kafka-reader".to_owned()).spawn(move || {
            let reading = run(properties, subscription, sender);
            runtime.block_on(LocalSet::new().run_until(async {
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = reading => {}
                }
            }));
        })?;
        Ok(Self { news, cancel })
    }

    /// The next news; `None` when the reader has ended.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// News that is there already.
    pub fn ready(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn run(properties: ClientProperties, subscription: Subscription, news: mpsc::Sender<News>) {
    let isolation = properties.get("isolation.level");
    let places = Places::new(news, isolation != Some("read_uncommitted"));
    let places = Rc::new(places);
    Layout::new(Arc::new(properties), subscription, places).run().await;
}
