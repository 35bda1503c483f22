//! One file behind an HTTP(S) URL, and how any answer is read.

use std::sync::Arc;

use reqwest::{Client, Response, StatusCode, Url, header, redirect};

use super::{ANSWER_LIMIT, CONNECT_LIMIT, LocationError, add_bytes};
use crate::model::document::Document;
use crate::source::objects::cause;

/// Bytes of an answer that is not the file: what went wrong is at its beginning.
const ERROR_LIMIT: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Page {
    client: Client,
    url: Url,
    location: Arc<str>,
    tag: Option<header::HeaderValue>,
    last: Option<Arc<[u8]>>,
}

/// An answer that is worth something.
pub(super) enum Answer {
    /// The file, and its entity tag.
    File(Vec<u8>, Option<header::HeaderValue>),
    /// It is as it was.
    NotModified,
}

/// A client for side inputs. It follows no more than a few redirects.
pub(super) fn client() -> Result<Client, LocationError> {
    let builder = Client::builder().connect_timeout(CONNECT_LIMIT).timeout(ANSWER_LIMIT);
    let client = builder.redirect(redirect::Policy::limited(5)).user_agent("flowdeck").build();
    client.map_err(|error| LocationError::Client(cause(&error).to_string()))
}

impl Page {
    pub(super) fn new(location: &str) -> Result<Self, LocationError> {
        // A URL may hold a password or a signature: what is said of it is said without them.
        let (scheme, rest) = location.split_once("://").unwrap_or(("", location));
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let hidden = format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default());
        let url = Url::parse(location).map_err(|error| LocationError::Url(hidden, error.to_string()))?;
        let mut shown = url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        // Only URLs without host refuse.
        if shown.set_username("").is_err() || shown.set_password(None).is_err() {
            return Err(LocationError::Url(shown.to_string(), "it names no host".to_owned()));
        }
        Ok(Self { client: client()?, url, location: shown.as_str().into(), tag: None, last: None })
    }

    pub(super) fn location(&self) -> Arc<str> {
        self.location.clone()
    }

    pub(super) async fn fetch(&mut self) -> Result<Option<Arc<[Document]>>, String> {
        let mut request = self.client.get(self.url.clone());
        if let (Some(tag), Some(_)) = (&self.tag, &self.last) {
            request = request.header(header::IF_NONE_MATCH, tag.clone());
        }
        let response = request.send().await.map_err(|error| trouble(&error))?;
        match answer(response, &mut 0).await? {
            Answer::NotModified => Ok(None),
            Answer::File(content, tag) => {
                self.tag = tag;
                if self.last.as_deref() == Some(&content) {
                    return Ok(None);
                }
                let content: Arc<[u8]> = content.into();
                self.last = Some(content.clone());
                Ok(Some(Arc::new([Document { name: self.location(), content }])))
            }
        }
    }
}

/// Why a request failed, without its URL.
pub(super) fn trouble(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        let host = error.url().and_then(Url::host_str).unwrap_or("the server");
        return format!("{host} gave no answer in time");
    }
    cause(error).to_string()
}

/// Reads an answer, no more of it than is allowed.
pub(super) async fn answer(mut response: Response, sum: &mut usize) -> Result<Answer, String> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return Ok(Answer::NotModified);
    }
    let tag = response.headers().get(header::ETAG).cloned();
    let region =
        response.headers().get("x-amz-bucket-region").and_then(|region| region.to_str().ok()).map(str::to_owned);
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
        if status.is_success() {
            add_bytes(sum, chunk.len())?;
        }
        content.extend_from_slice(&chunk);
        if !status.is_success() && content.len() > ERROR_LIMIT {
            break;
        }
    }
    if status.is_success() {
        return Ok(Answer::File(content, tag));
    }
    Err(refusal(status, &String::from_utf8_lossy(&content), region.as_deref()))
}

/// What an answer that is none says, in S3's words where it has some.
fn refusal(status: StatusCode, body: &str, region: Option<&str>) -> String {
    let inside = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(text, _)| text.chars().take(200).collect::<String>())
    };
    if let Some(region) = region.filter(|_| status.is_redirection() || status == StatusCode::BAD_REQUEST) {
        return format!("the bucket is in the region {region}: write it beside the location");
    }
    let words = inside("Message").or_else(|| inside("Code")).unwrap_or_default();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.trim_end_matches('.')) };
    let next = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => " (check the keys, and that they may read it)",
        StatusCode::NOT_FOUND => " (check the location)",
        _ => "",
    };
    format!("the answer is {status}{words}{next}")
}
