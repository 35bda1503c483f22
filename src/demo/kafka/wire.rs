//! Connections: the listener, frames in, frames out, and their bounds.
//!
//! Requests of one connection are answered one after another, as Kafka does, so a parked request holds back those
//! behind it. Whatever a client does wrong closes its connection and is logged at debug level; it never reaches another
//! connection. A request grows in memory only as its bytes arrive, a half one is given up after a while, and an answer
//! nobody takes does not keep its batches for ever.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::shape::Misshapen;
use super::state::State;

/// Connections at most; one more is closed at once.
const CONNECTION_LIMIT: usize = 256;

/// Bytes of one request at most.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// Bytes reserved for a request before any of it has arrived.
const FIRST_RESERVE: usize = 64 * 1024;

/// Time for a request to arrive whole once it has begun, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often silent group members are looked for.
const GROUP_TICK: Duration = Duration::from_millis(50);

/// Pause after a failed accept, which is the process being out of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 256;

/// Why a connection is closed.
#[derive(Debug, Error)]
pub enum Refusal {
    #[error("connection failed")]
    Io(#[from] io::Error),
    #[error("request of {0} bytes")]
    Size(i64),
    #[error("request stopped half way, or its answer was not taken")]
    Stalled,
    #[error("request of API {0}, which is not answered here")]
    Api(i16),
    #[error("request of API {0} in version {1}, which is not answered here")]
    Version(i16, i16),
    #[error("misshapen request")]
    Shape(#[source] Misshapen),
    #[error("undecodable request: {0:#}")]
    Decode(anyhow::Error),
    #[error("unencodable answer: {0:#}")]
    Encode(anyhow::Error),
}

/// An answer as pieces that are written one after another without being joined.
#[derive(Debug, Default)]
pub struct Segments {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Segments {
    /// Adds a piece at the end.
    pub fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Puts a piece before all others.
    pub fn after(mut self, piece: Bytes) -> Self {
        self.length += piece.len();
        self.pieces.push_front(piece);
        self
    }
}

impl Buf for Segments {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pairs = slices.iter_mut().zip(&self.pieces);
        pairs.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        self.length = self.length.saturating_sub(count);
        while let Some(front) = self.pieces.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.pieces.pop_front();
        }
    }
}

/// Binds a socket that other sockets of this program may have held before.
pub fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Begins to listen.
pub fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

/// Serves until told to stop. Then the port stays bound, without listening, by the socket that is returned: nobody
/// else can take it, and no client can connect to itself through it.
pub async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) -> io::Result<TcpSocket> {
    let mut connections = JoinSet::new();
    let mut ticks = interval(GROUP_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            _ = ticks.tick() => {
                let now = Instant::now();
                state.transactions().expire(now, || state.new_producer());
                state.groups().expire(now);
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTION_LIMIT => {
                    connections.spawn(converse(stream, Arc::clone(&state)));
                }
                Ok(_) => tracing::debug!(limit = CONNECTION_LIMIT, "too many demo Kafka connections"),
                Err(error) => {
                    tracing::debug!(%error, "demo Kafka cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let held = bind(state.address);
    connections.shutdown().await;
    held
}

async fn converse(mut stream: TcpStream, state: Arc<State>) {
    if let Err(error) = answer_all(&mut stream, &state).await {
        tracing::debug!(%error, "demo Kafka closed a connection");
    }
}

async fn answer_all(stream: &mut TcpStream, state: &State) -> Result<(), Refusal> {
    stream.set_nodelay(true)?;
    while let Some(frame) = read_frame(stream).await? {
        if let Some(answer) = state.answer(frame).await? {
            write_frame(stream, answer).await?;
        }
    }
    Ok(())
}

/// The next request without its length; `None` when the client has closed.
async fn read_frame(stream: &mut TcpStream) -> Result<Option<Bytes>, Refusal> {
    let mut length = [0; 4];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    let rest = async {
        stream.read_exact(&mut length[1..]).await?;
        let claimed = i32::from_be_bytes(length);
        match usize::try_from(claimed) {
            Ok(size) if size <= REQUEST_LIMIT => read_body(stream, size).await,
            _ => Err(Refusal::Size(i64::from(claimed))),
        }
    };
    timeout(PATIENCE, rest).await.map_err(|_| Refusal::Stalled)?.map(Some)
}

async fn read_body(stream: &mut TcpStream, size: usize) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::with_capacity(size.min(FIRST_RESERVE));
    while body.len() < size {
        let mut limited = (&mut *stream).take(u64::try_from(size - body.len()).unwrap_or(0));
        if limited.read_buf(&mut body).await? == 0 {
            return Err(Refusal::Io(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(body.freeze())
}

async fn write_frame(stream: &mut TcpStream, answer: Segments) -> Result<(), Refusal> {
    let length = u32::try_from(answer.remaining()).map_err(|_| Refusal::Size(i64::MAX))?;
    let mut frame = answer.after(Bytes::copy_from_slice(&length.to_be_bytes()));
    timeout(PATIENCE, stream.write_all_buf(&mut frame)).await.map_err(|_| Refusal::Stalled)??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_taken_piece_by_piece() {
        let mut segments = Segments::default();
        segments.push(Bytes::from_static(b"bcd"));
        segments.push(Bytes::new());
        segments.push(Bytes::from_static(b"ef"));
        let mut segments = segments.after(Bytes::from_static(b"a"));
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(segments.chunks_vectored(&mut slices), 3);
        segments.advance(2);
        assert_eq!((segments.chunk(), segments.remaining()), (&b"cd"[..], 4));
        segments.advance(2);
        assert_eq!(segments.copy_to_bytes(2), "ef");
        assert_eq!((segments.chunk(), segments.remaining()), (&b""[..], 0));
    }
}
