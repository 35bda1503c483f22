//! One loopback listener of the demo: HTTP/1.1, killed and started again at will on the same port.
//!
//! A test that pulls the plug of a cluster must see what a user sees: connections refused, streams cut in the middle.
//! So `kill` drops the listener and every open connection; `start` binds the very same address.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;
pub(crate) type Reply = Response<Body>;

/// What a listener serves.
pub(crate) trait Serve: Send + Sync + 'static {
    fn serve(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Reply>;
}

/// A listener on 127.0.0.1 that keeps its port for life.
pub(crate) struct Listener {
    address: SocketAddr,
    service: Arc<dyn Serve>,
    running: Mutex<Option<CancellationToken>>,
}

impl Listener {
    pub(crate) async fn start(service: Arc<dyn Serve>) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let listener = Self { address: socket.local_addr()?, service, running: Mutex::new(None) };
        listener.accept_on(socket);
        Ok(listener)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection, in the middle of whatever they were saying.
    pub(crate) fn kill(&self) {
        let token = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Listens again on the same port; nothing happens when it is listening already.
    pub(crate) async fn revive(&self) -> io::Result<()> {
        if self.running.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let socket = TcpListener::bind(self.address).await?;
        self.accept_on(socket);
        Ok(())
    }

    fn accept_on(&self, socket: TcpListener) {
        let token = CancellationToken::new();
        let previous = self.running.lock().unwrap_or_else(PoisonError::into_inner).replace(token.clone());
        if let Some(previous) = previous {
            previous.cancel();
        }
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            let accepting = accept(socket, service, token.clone());
            token.run_until_cancelled(accepting).await;
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn accept(socket: TcpListener, service: Arc<dyn Serve>, token: CancellationToken) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "demo connection keeps its delay");
        }
        let service = Arc::clone(&service);
        let token = token.clone();
        tokio::spawn(async move {
            let handler = hyper::service::service_fn(move |request| {
                let answer = Arc::clone(&service).serve(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), handler);
            token.run_until_cancelled(connection).await;
        });
    }
}

pub(crate) fn bytes(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Reply {
    respond(status, content_type, Full::new(content.into()).boxed_unsync())
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Reply {
    bytes(status, "application/json", value.to_string())
}

/// A body that goes on until its source ends or the client goes away.
pub(crate) fn stream(content_type: &'static str, source: impl Stream<Item = Bytes> + Send + 'static) -> Reply {
    let frames = source.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
    respond(StatusCode::OK, content_type, BodyExt::boxed_unsync(StreamBody::new(frames)))
}

fn respond(status: StatusCode, content_type: &'static str, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// Reads a whole request body, or `None` when the client went away or sent more than it may.
pub(crate) async fn read(body: Incoming) -> Option<Bytes> {
    const LIMIT: usize = 8 << 20;
    let collected = http_body_util::Limited::new(body, LIMIT).collect().await.ok()?;
    Some(collected.to_bytes())
}

/// The decoded pairs of a query string, in order.
pub(crate) fn query(text: Option<&str>) -> Vec<(String, String)> {
    text.unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Percent-decoding; in a query `+` means a blank.
pub(crate) fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut ahead = bytes.clone();
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                if let (Some(high), Some(low)) = (digit(ahead.next()), digit(ahead.next())) {
                    decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                    bytes = ahead;
                } else {
                    decoded.push(byte);
                }
            }
            b'+' if plus_is_blank => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let pairs = query(Some("labelSelector=app%3Dweb%2Ctier+in+%28a%29&watch=true&empty"));
        assert_eq!(pairs[0], ("labelSelector".into(), "app=web,tier in (a)".into()));
        assert_eq!(pairs[2], ("empty".into(), String::new()));
        assert_eq!(decode("100%", false), "100%");
    }
}
