//! Bearer tokens for SASL/OAUTHBEARER, by librdkafka's `sasl.oauthbearer.*` properties.
//!
//! Two ways: the client-credentials grant at a token endpoint, and unsecured tokens for test clusters. A
//! token is kept until most of its life is over. Tokens and client secrets are never shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use openssl::base64::encode_block;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::properties::ClientProperties;
use super::trouble::Trouble;

const LIMIT: Duration = Duration::from_secs(10);

/// Where tokens come from.
pub(super) struct Tokens {
    source: Source,
    /// `key=value` pairs that are sent along with the token.
    extensions: Vec<String>,
    kept: Mutex<Option<(String, Instant)>>,
}

enum Source {
    Endpoint { url: Arc<str>, client: String, secret: String, scope: Option<String> },
    Unsecured { principal: String, seconds: i64 },
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    #[serde(default)]
    expires_in: Option<f64>,
}

impl Tokens {
    /// From the properties.
    pub(super) fn from_properties(properties: &ClientProperties) -> Result<Self, Trouble> {
        let required = |name: &'static str| {
            properties
                .get(name)
                .map(str::to_owned)
                .ok_or_else(|| Trouble::LoginSetup { reason: format!("set {name}").into() })
        };
        let source =
            if properties.get("sasl.oauthbearer.method").is_some_and(|method| method.eq_ignore_ascii_case("oidc")) {
                Source::Endpoint {
                    url: required("sasl.oauthbearer.token.endpoint.url")?.into(),
                    client: required("sasl.oauthbearer.client.id")?,
                    secret: required("sasl.oauthbearer.client.secret")?,
                    scope: properties.get("sasl.oauthbearer.scope").map(str::to_owned),
                }
            } else if matches!(properties.get("enable.sasl.oauthbearer.unsecure.jwt"), Some("true" | "t" | "1")) {
                let config = properties.get("sasl.oauthbearer.config").unwrap_or_default();
                let option =
                    |name: &str| config.split_whitespace().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
                Source::Unsecured {
                    principal: option("principal").unwrap_or_default().to_owned(),
                    seconds: option("lifeSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(3600),
                }
            } else {
                let reason =
                    "set sasl.oauthbearer.method to oidc, with sasl.oauthbearer.token.endpoint.url and a client";
                return Err(Trouble::LoginSetup { reason: reason.into() });
            };
        let extensions = properties.get("sasl.oauthbearer.extensions").unwrap_or_default();
        let extensions = extensions.split(',').filter(|pair| pair.contains('=')).map(|pair| pair.trim().to_owned());
        Ok(Self { source, extensions: extensions.collect(), kept: Mutex::new(None) })
    }

    /// The client's first and only message.
    pub(super) async fn message(&self) -> Result<String, Trouble> {
        let mut kept = self.kept.lock().await;
        let usable = kept.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(token, _)| token.clone());
        let token = if let Some(token) = usable {
            token
        } else {
            let (token, life) = self.fetch().await?;
            *kept = Some((token.clone(), Instant::now() + life.mul_f64(0.8)));
            token
        };
        drop(kept);
        let extensions: String = self.extensions.iter().map(|pair| format!("{pair}\u{1}")).collect();
        Ok(format!("n,,\u{1}auth=Bearer {token}\u{1}{extensions}\u{1}"))
    }

    async fn fetch(&self) -> Result<(String, Duration), Trouble> {
        match &self.source {
            Source::Unsecured { principal, seconds } => {
                let now = Utc::now().timestamp();
                let claims = serde_json::json!({ "sub": principal, "iat": now, "exp": now + seconds });
                let token = format!("{}.{}.", url_safe(br#"{"alg":"none"}"#), url_safe(claims.to_string().as_bytes()));
                Ok((token, Duration::from_secs(seconds.unsigned_abs())))
            }
            Source::Endpoint { url, client, secret, scope } => {
                let failed = |reason: String| Trouble::NoToken { endpoint: url.clone(), reason: reason.into() };
                let scope = scope.as_deref().map(|scope| format!("&scope={}", percent(scope))).unwrap_or_default();
                let login = encode_block(format!("{client}:{secret}").as_bytes()).replace('\n', "");
                let sent = reqwest::Client::new()
                    .post(&**url)
                    .timeout(LIMIT)
                    .header("authorization", format!("Basic {login}"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("grant_type=client_credentials{scope}"))
                    .send();
                let answer = sent.await.map_err(|error| failed(error.without_url().to_string()))?;
                let status = answer.status();
                let body = answer.bytes().await.map_err(|error| failed(error.without_url().to_string()))?;
                if !status.is_success() {
                    return Err(failed(format!("it answers {status}; check the client's id, secret and scope")));
                }
                let grant: Grant = serde_json::from_slice(&body).map_err(|_| failed("it is not a token".to_owned()))?;
                let life = Duration::from_secs_f64(grant.expires_in.unwrap_or(300.0).clamp(1.0, 86_400.0));
                Ok((grant.access_token, life))
            }
        }
    }
}

fn url_safe(bytes: &[u8]) -> String {
    encode_block(bytes).replace('\n', "").trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_safe() {
        assert_eq!(percent("api://kafka/.default x"), "api%3A%2F%2Fkafka%2F.default%20x");
        assert_eq!(url_safe(&[0xfb, 0xff]), "-_8");
    }
}
