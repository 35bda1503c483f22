//! The demonstration's Kafka: a small broker in memory, on loopback only, for real clients.
//!
//! The console reads its Kafka through librdkafka. So that the demonstration shows the console itself and not a
//! substitute for its Kafka side, this broker speaks the real protocol: topics, logs with offsets and times, consumer
//! groups with rebalances, administration. The demonstration's traffic is put in through [`Broker`] in the same process.
//!
//! A connection (`wire`) hands each request to `state`, which proves its shape (`apis`, `shape`), decodes it and calls
//! the handler: `cluster`, `produce`, `fetch`, `offsets`, `commits`, `membership` or `admin`. Handlers translate; the
//! rules live in synchronous code without a clock of its own: `log` and `batch` for records, `sequences` for idempotent
//! producers, `topics`, and `group` and `groups` for consumers. A fetch passes stored batches on as they are.
//!
//! It must not listen beyond loopback, grow without bound, panic on what a client sends, or claim what it cannot do:
//! transactions are refused, there is one broker, nothing is on disk.

mod admin;
mod apis;
mod batch;
mod cluster;
mod commits;
mod fetch;
mod group;
mod groups;
mod log;
mod membership;
mod offsets;
mod produce;
mod sequences;
mod shape;
mod state;
mod topics;
mod transactions;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::groups::Committed;
use self::state::State;
use self::topics::Intent;

/// Bytes of records after which an append goes on in another batch.
const BATCH_BYTES: usize = 256 * 1024;

/// A record to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Key, if it has one.
    pub key: Option<Bytes>,
    /// Payload.
    pub value: Bytes,
    /// Creation time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Headers, names with values; of two with one name the later counts.
    pub headers: Vec<(String, Bytes)>,
}

impl Record {
    /// Bytes of the record in a batch, a little too many.
    fn wire_size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
        self.key.as_ref().map_or(0, Bytes::len) + self.value.len() + headers + 32
    }
}

/// A member of a simulated group, as `DescribeGroups` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the client calls itself.
    pub client_id: String,
    /// Where it runs; Kafka shows addresses with a slash before them.
    pub host: String,
    /// Topics with the partitions it reads.
    pub assignment: Vec<(String, Vec<u32>)>,
}

/// A running broker. Clones are the same broker; when the last one goes, it stops.
#[derive(Clone, Debug)]
pub struct Broker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Arc<State>,
    /// Stops the present server.
    stop: Mutex<CancellationToken>,
    /// The server, whose end gives back its port; `None` when a restart failed.
    server: tokio::sync::Mutex<Option<JoinHandle<io::Result<TcpSocket>>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.get_mut().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}

impl Broker {
    /// Starts a broker without topics on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start(cluster_id: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let state = Arc::new(State::new(cluster_id, listener.local_addr()?));
        let stop = CancellationToken::new();
        let server = serve(listener, &state, &stop);
        let inner = Inner { state, stop: Mutex::new(stop), server: tokio::sync::Mutex::new(Some(server)) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where it listens, now or after a restart.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.state.address
    }

    /// Makes a topic, or raises an existing one to this number of partitions. What Kafka would refuse is left undone.
    pub fn create_topic(&self, name: &str, partitions: u32) {
        let topics = &self.inner.state.topics;
        let made = topics.create(name, partitions, Intent::Carry);
        if made.is_err() && topics.grow(name, partitions, Intent::Carry).is_err() {
            tracing::debug!(name, partitions, "demo Kafka topic left as it is");
        }
    }

    /// Appends records; answers the first one's offset. `None` when there is no such partition or no record.
    pub fn append(&self, topic: &str, partition: u32, records: &[Record]) -> Option<u64> {
        let partition = self.inner.state.topics.partition(topic, i32::try_from(partition).ok()?).ok()?;
        let built: Vec<_> = batches(records).map(batch::build).collect::<Option<_>>()?;
        let mut log = partition.log();
        let base_offset = u64::try_from(log.end()).ok()?;
        let count = built.len();
        for batch in built {
            log.append(batch);
        }
        drop(log);
        (count > 0).then_some(base_offset)
    }

    /// Commits an offset as a consumer without membership would, but also for a simulated group.
    pub fn commit(&self, group: &str, topic: &str, partition: u32, offset: u64) {
        let (Ok(partition), Ok(offset)) = (i32::try_from(partition), i64::try_from(offset)) else { return };
        let committed = Committed { offset, metadata: StrBytes::new() };
        let outcome = self.inner.state.groups().commit(&text(group), &text(topic), partition, committed);
        if let Err(error) = outcome {
            tracing::debug!(group, topic, %error, "demo Kafka commit left out");
        }
    }

    /// The offset the next record of a partition gets.
    #[must_use]
    pub fn end_offset(&self, topic: &str, partition: u32) -> Option<u64> {
        let partition = self.inner.state.topics.partition(topic, i32::try_from(partition).ok()?).ok()?;
        let end = partition.log().end();
        u64::try_from(end).ok()
    }

    /// The offset a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: u32) -> Option<u64> {
        let partition = i32::try_from(partition).ok()?;
        let committed = self.inner.state.groups().committed(&text(group), &text(topic), partition);
        u64::try_from(committed?).ok()
    }

    /// Forgets that the producer's last transaction, which held an offset of this group, has ended: what a group coordinator
    /// of Kafka 4.3 can do that loses and gets back its partition while it loads it.
    pub fn forget_end(&self, transactional_id: &str, group: &str, topic: &str, partition: i32) {
        let offset = (text(group), text(topic), partition);
        self.inner.state.transactions().forget_end(transactional_id, offset);
    }

    /// Shows these members as a stable group; none makes it an ordinary group without members.
    pub fn set_members(&self, group: &str, members: Vec<Member>) {
        self.inner.state.groups().simulate(&text(group), members);
    }

    /// Closes the listener and all connections. Topics, records, commits and groups stay.
    pub fn stop(&self) {
        self.inner.stop.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// Listens on the same port again, after a stop or instead of one.
    ///
    /// # Errors
    ///
    /// When the port was lost to another program meanwhile; a later restart may get it back.
    pub async fn restart(&self) -> io::Result<()> {
        let mut server = self.inner.server.lock().await;
        self.stop();
        let held = match server.take() {
            Some(running) => running.await.ok().and_then(Result::ok),
            None => None,
        };
        let socket = match held {
            Some(socket) => socket,
            None => wire::bind(self.address())?,
        };
        let listener = wire::listen(socket)?;
        let stop = CancellationToken::new();
        self.inner.state.groups().revive(Instant::now());
        *server = Some(serve(listener, &self.inner.state, &stop));
        *self.inner.stop.lock().unwrap_or_else(PoisonError::into_inner) = stop;
        drop(server);
        Ok(())
    }
}

fn serve(listener: TcpListener, state: &Arc<State>, stop: &CancellationToken) -> JoinHandle<io::Result<TcpSocket>> {
    tokio::spawn(wire::serve(listener, Arc::clone(state), stop.clone()))
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// Cuts records into runs that make batches of a good size.
fn batches(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    let mut size = 0;
    records.chunk_by(move |record, next| {
        size += record.wire_size();
        let fits = size + next.wire_size() <= BATCH_BYTES;
        if !fits {
            size = 0;
        }
        fits
    })
}
