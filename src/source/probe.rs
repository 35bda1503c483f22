//! One GET: whether something answers, and what.

use std::time::Duration;

pub use reqwest::Client;
use reqwest::redirect;

/// Longest answer that is read.
const LENGTH: usize = 1 << 20;

/// A client for probes.
///
/// # Errors
///
/// When TLS cannot be set up.
pub fn client(limit: Duration) -> Result<Client, String> {
    let builder = Client::builder().timeout(limit).redirect(redirect::Policy::none());
    builder.build().map_err(|error| error.without_url().to_string())
}

/// Asks; status and text, or why there is none.
///
/// # Errors
///
/// When nothing answers in time, or with too much.
pub async fn get(client: &Client, url: &str) -> Result<(u16, String), String> {
    let words = |error: reqwest::Error| if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) };
    let mut response = client.get(url).send().await.map_err(words)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        if body.len() + chunk.len() > LENGTH {
            return Err("the answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The innermost reason, without the address: it may hold a secret.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
