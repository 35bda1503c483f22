//! The side input: files from S3, an HTTP(S) URL or a path, fetched again and again.
//!
//! Why: owners of services change their overrides in Git, a build uploads them, and nobody restarts anything.
//!
//! How: [`run`] fetches at once, then at every interval, sooner after a failure, and tells each try as a [`Fetch`]. What
//! did not change is not transferred again (entity tags). Bytes, files and time are bounded.
//!
//! It must not understand the files, nor forget what it had: a failed fetch tells why, and nothing else changes.

mod credentials;
mod http;
mod local;
mod s3;
mod sign;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::model::document::{Document, Fetch};

/// Bytes of all files together.
const BYTE_LIMIT: usize = 8 << 20;
/// Files of a folder.
const FILE_LIMIT: usize = 5_000;
/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for one file.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Longest wait for all of them.
const FETCH_LIMIT: Duration = Duration::from_mins(2);
/// The first wait after a failure; it doubles, up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// What to fetch, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A path, an HTTP(S) URL, or `s3://BUCKET/KEY`; a path or a key that ends with `/` is a folder of `*.json`.
    pub location: String,
    /// From one fetch to the next.
    pub refresh: Duration,
    /// Endpoint of an S3 API; the environment's `AWS_ENDPOINT_URL_S3`, else AWS.
    pub endpoint: Option<String>,
    /// Region of the bucket; the environment's `AWS_REGION`, else `us-east-1`.
    pub region: Option<String>,
}

/// Why a location cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Not `s3://BUCKET/KEY`.
    #[error("{0} names no bucket: write s3://BUCKET/KEY, or s3://BUCKET/FOLDER/")]
    Bucket(String),
    /// No URL.
    #[error("{0} is no URL: {1}")]
    Url(String, String),
    /// A scheme that is not read.
    #[error("{0}:// is not read: write a path, http://, https:// or s3://BUCKET/KEY")]
    Scheme(String),
    /// The client cannot be made.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

/// Fetches one location.
#[derive(Debug)]
pub struct Fetcher(Place);

#[derive(Debug)]
enum Place {
    Local(local::Folder),
    Http(http::Page),
    Bucket(s3::Bucket),
}

impl Fetcher {
    /// A fetcher that has nothing yet.
    ///
    /// # Errors
    /// When the location cannot be.
    pub fn new(settings: &Settings) -> Result<Self, LocationError> {
        let location = settings.location.trim();
        Ok(Self(match location.split_once("://") {
            None => Place::Local(local::Folder::new(PathBuf::from(location))),
            Some(("file", path)) => Place::Local(local::Folder::new(PathBuf::from(path))),
            Some(("http" | "https", _)) => Place::Http(http::Page::new(location)?),
            Some(("s3", rest)) => match rest.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() => {
                    Place::Bucket(s3::Bucket::new(bucket, key, settings, |name| std::env::var(name).ok())?)
                }
                _ => return Err(LocationError::Bucket(location.to_owned())),
            },
            Some((scheme, _)) => return Err(LocationError::Scheme(scheme.to_owned())),
        }))
    }

    /// The location as people may see it: without passwords and signatures.
    pub fn location(&self) -> Arc<str> {
        match &self.0 {
            Place::Local(folder) => folder.location(),
            Place::Http(page) => page.location(),
            Place::Bucket(bucket) => bucket.location(),
        }
    }

    /// All files that there are; `None` when none changed since the last ones.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn fetch(&mut self) -> Result<Option<Arc<[Document]>>, String> {
        let fetching = async {
            match &mut self.0 {
                Place::Local(folder) => folder.fetch().await,
                Place::Http(page) => page.fetch().await,
                Place::Bucket(bucket) => bucket.fetch().await,
            }
        };
        let late = || Err(format!("not all files came within {} s", FETCH_LIMIT.as_secs()));
        timeout(FETCH_LIMIT, fetching).await.unwrap_or_else(|_| late())
    }
}

/// Fetches until cancelled, or until nobody listens.
pub async fn run(mut fetcher: Fetcher, refresh: Duration, news: mpsc::Sender<Fetch>, cancel: CancellationToken) {
    let mut wait = FIRST_RETRY.min(refresh);
    loop {
        let outcome = tokio::select! {
            () = cancel.cancelled() => return,
            outcome = fetcher.fetch() => outcome,
        };
        let pause = if outcome.is_ok() { refresh } else { wait };
        wait = if outcome.is_ok() { FIRST_RETRY } else { wait * 2 }.min(refresh);
        let (at, due) = (Utc::now(), Instant::now() + pause);
        let fetch = Fetch { at, next_try: at + pause, outcome: outcome.map_err(Into::into) };
        if news.send(fetch).await.is_err() {
            return;
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep_until(due) => {}
        }
    }
}

/// A sum of bytes that ends in a sentence.
fn add_bytes(sum: &mut usize, more: usize) -> Result<(), String> {
    *sum = sum.saturating_add(more);
    if *sum > BYTE_LIMIT {
        return Err(format!("more than {} MiB: these are no overrides", BYTE_LIMIT >> 20));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
