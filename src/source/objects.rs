//! An object store: for now only whether it answers.
//!
//! Asks without credentials for the bucket itself. A refusal is an answer too: what matters to whoever looks at
//! a failing checkpoint is whether the store is there at all.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use reqwest::{Client, StatusCode};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::link::{Failure, LinkKeeper};
use crate::event::Event;
use crate::model::environment::Backend;
use crate::model::interest::Interest;
use crate::settings::ObjectSettings;

/// Between two questions while it answers.
const INTERVAL: Duration = Duration::from_secs(30);
/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Keeps the link of an environment's object store, until cancelled.
pub async fn run(
    environment: Arc<str>,
    settings: ObjectSettings,
    mut interest: watch::Receiver<Arc<Interest>>,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = watch_store(&environment, &settings, &mut interest, &events) => {}
    }
}

async fn watch_store(
    environment: &Arc<str>,
    settings: &ObjectSettings,
    interest: &mut watch::Receiver<Arc<Interest>>,
    events: &mpsc::Sender<Event>,
) {
    let mut keeper = LinkKeeper::new(environment.clone(), Backend::Objects);
    let mut news = keeper.connecting();
    let url = bucket_url(settings);
    let client = Client::builder().timeout(LIMIT).build();
    loop {
        if let Some(change) = news.take()
            && events.send(Event::Changed(vec![change])).await.is_err()
        {
            return;
        }
        let asked = interest.borrow().retry;
        let outcome = match &client {
            Ok(client) => ask(client, &url, &settings.bucket).await,
            Err(error) => Err(Failure::Down(cause(error))),
        };
        let due = match outcome {
            Ok(()) => {
                news = keeper.succeeded(Utc::now());
                Instant::now() + INTERVAL
            }
            Err(failure) => {
                let (change, wait) = keeper.failed(Utc::now(), failure);
                news = Some(change);
                Instant::now() + wait
            }
        };
        if let Some(change) = news.take()
            && events.send(Event::Changed(vec![change])).await.is_err()
        {
            return;
        }
        tokio::select! {
            () = sleep_until(due) => {}
            again = interest.wait_for(|interest| interest.retry > asked) => {
                if again.is_err() {
                    return;
                }
                keeper.forgive();
            }
        }
    }
}

async fn ask(client: &Client, url: &str, bucket: &str) -> Result<(), Failure> {
    let down = |text: String| Err(Failure::Down(text.into()));
    match client.head(url).send().await {
        Ok(answer) => match answer.status() {
            StatusCode::NOT_FOUND => down(format!("no bucket {bucket}: check the bucket's name and the endpoint")),
            status if status.is_server_error() => down(format!("the store answers {status}")),
            _ => Ok(()),
        },
        Err(error) if error.is_timeout() => down(format!("no answer within {} s", LIMIT.as_secs())),
        Err(error) => Err(Failure::Down(cause(&error))),
    }
}

/// The bucket's own address, path style: endpoints inside clusters have no name per bucket.
fn bucket_url(settings: &ObjectSettings) -> String {
    let endpoint = settings.endpoint.clone().unwrap_or_else(|| {
        settings.region.as_ref().map_or_else(
            || "https://s3.amazonaws.com".to_owned(),
            |region| format!("https://s3.{region}.amazonaws.com"),
        )
    });
    format!("{}/{}", endpoint.trim_end_matches('/'), settings.bucket)
}

/// The innermost cause: that of reqwest itself only says that sending failed.
pub(super) fn cause(error: &reqwest::Error) -> Arc<str> {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let mut text = innermost.to_string();
    if let Some(host) = error.url().and_then(|url| url.host_str()) {
        text.push_str(&format!(" ({host})"));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::change::Change;
    use crate::model::environment::Link;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A store that answers every request with this status.
    async fn store(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let size = stream.read(&mut request).await.unwrap_or_default();
                assert!(request.get(..size).is_some_and(|line| line.starts_with(b"HEAD /data HTTP/1.1")));
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        endpoint
    }

    /// The first link after "connecting".
    async fn outcome(endpoint: String) -> Link {
        let settings = ObjectSettings { endpoint: Some(endpoint), bucket: "data".into(), ..ObjectSettings::default() };
        let (_interest, receiver) = watch::channel(Arc::default());
        let (sender, mut events) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        let running = tokio::spawn(run("prd".into(), settings, receiver, sender, cancel.clone()));
        let mut links = Vec::new();
        while links.len() < 2 {
            let event = tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
            let Event::Changed(changes) = event else { panic!("{event:?}") };
            for change in changes {
                let Change::Link(_, Backend::Objects, link) = change else { panic!("{change:?}") };
                links.push(link);
            }
        }
        cancel.cancel();
        running.await.unwrap();
        assert_eq!(links.first(), Some(&Link::Connecting));
        links.pop().unwrap()
    }

    #[tokio::test]
    async fn whatever_answers_is_up() {
        for status in ["200 OK", "403 Forbidden", "401 Unauthorized", "301 Moved Permanently", "405 Method Not Allowed"]
        {
            let link = outcome(store(status).await).await;
            assert!(matches!(link, Link::Up { .. }), "{status}: {link:?}");
        }
    }

    #[tokio::test]
    async fn trouble_is_said_in_words() {
        let closed = "http://127.0.0.1:1".to_owned();
        for (endpoint, part) in [
            (store("404 Not Found").await, "no bucket data"),
            (store("503 Slow Down").await, "the store answers 503"),
            (closed, "refused"),
            ("http://no-such-host.invalid".to_owned(), "no-such-host.invalid"),
            ("nonsense".to_owned(), "relative URL"),
        ] {
            let link = outcome(endpoint).await;
            assert!(matches!(&link, Link::Down { error, .. } if error.contains(part)), "{part}: {link:?}");
        }
    }

    #[test]
    fn buckets_are_addressed_by_path() {
        let mut settings = ObjectSettings { bucket: "data".into(), ..ObjectSettings::default() };
        assert_eq!(bucket_url(&settings), "https://s3.amazonaws.com/data");
        settings.region = Some("us-west-2".into());
        assert_eq!(bucket_url(&settings), "https://s3.us-west-2.amazonaws.com/data");
        settings.endpoint = Some("http://127.0.0.1:9000/".into());
        assert_eq!(bucket_url(&settings), "http://127.0.0.1:9000/data");
    }
}
