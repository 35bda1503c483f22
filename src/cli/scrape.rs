//! The /metrics endpoint: one small thread, which no scraper can keep from its other guests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Failure;

/// Connections at once.
const GUESTS: usize = 32;
/// How long a guest may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// Prometheus' name for its text form.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Listens, and serves on a thread until the process ends.
pub(super) fn serve(address: SocketAddr, text: impl Fn() -> String + Send + Sync + 'static) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .with_context(|| format!("cannot listen on {address}"))
        .map_err(Failure::usage)?;
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || runtime.block_on(tokio::task::LocalSet::new().run_until(accept(listener, Arc::new(text)))))?;
    Ok(())
}

async fn accept(listener: TcpListener, text: Arc<dyn Fn() -> String + Send + Sync>) {
    let guests = Arc::new(Semaphore::new(GUESTS));
    loop {
        let Ok(seat) = guests.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let text = text.clone();
        tokio::task::spawn_local(async move {
            let handler = hyper::service::service_fn(|request| {
                let answer = answer(&request, &*text);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), handler);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a scraper went away");
            }
            drop(seat);
        });
    }
}

fn answer(request: &Request<Incoming>, text: &dyn Fn() -> String) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, CONTENT_TYPE, text()),
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "text/plain", "metrics are at /metrics\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
