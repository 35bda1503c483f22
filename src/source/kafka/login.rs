//! SASL logins: PLAIN, SCRAM and OAUTHBEARER.
//!
//! Works over a connection that can already exchange requests. A password is sent only for PLAIN, where the
//! mechanism demands it. Reasons that the broker gives are shown, credentials never.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use openssl::base64::encode_block;
use openssl::rand::rand_bytes;

use super::properties::ClientProperties;
use super::scram::{Exchange, Hash};
use super::token::Tokens;
use super::trouble::Trouble;
use super::wire::Connection;

/// How to sign in.
pub(super) enum Login {
    Plain { user: String, password: String },
    Scram { hash: Hash, user: String, password: String },
    Token(Tokens),
}

impl Login {
    /// From the properties.
    pub(super) fn from_properties(properties: &ClientProperties) -> Result<Self, Trouble> {
        let setup = |reason: String| Trouble::LoginSetup { reason: reason.into() };
        let required = |name: &str| {
            properties
                .get(name)
                .map(str::to_owned)
                .ok_or_else(|| setup(format!("set {name} among the kafka properties")))
        };
        let credentials = || Ok::<_, Trouble>((required("sasl.username")?, required("sasl.password")?));
        match required("sasl.mechanisms")?.to_uppercase().as_str() {
            "PLAIN" => credentials().map(|(user, password)| Self::Plain { user, password }),
            "SCRAM-SHA-256" => credentials().map(|(user, password)| Self::Scram { hash: Hash::Sha256, user, password }),
            "SCRAM-SHA-512" => credentials().map(|(user, password)| Self::Scram { hash: Hash::Sha512, user, password }),
            "OAUTHBEARER" => Tokens::from_properties(properties).map(Self::Token),
            other => {
                Err(setup(format!("{other} is not known: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")))
            }
        }
    }

    const fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::Scram { hash: Hash::Sha256, .. } => "SCRAM-SHA-256",
            Self::Scram { hash: Hash::Sha512, .. } => "SCRAM-SHA-512",
            Self::Token(_) => "OAUTHBEARER",
        }
    }

    /// The message with the token, if this login sends one; fetched where it is not at hand.
    pub(super) async fn token(&self) -> Result<Option<String>, Trouble> {
        match self {
            Self::Token(tokens) => tokens.message().await.map(Some),
            Self::Plain { .. } | Self::Scram { .. } => Ok(None),
        }
    }

    /// Signs in, with the message that [`Self::token`] gave.
    pub(super) async fn perform(
        self: &Arc<Self>,
        connection: &mut Connection,
        token: Option<String>,
    ) -> Result<(), Trouble> {
        self.agree(connection).await?;
        match &**self {
            Self::Plain { user, password } => {
                self.send(connection, format!("\0{user}\0{password}")).await?;
                Ok(())
            }
            Self::Scram { .. } => self.scram(connection).await,
            Self::Token(_) => {
                let answer = self.send(connection, token.unwrap_or_default()).await?;
                if answer.is_empty() { Ok(()) } else { Err(self.wrong(String::from_utf8_lossy(&answer))) }
            }
        }
    }

    async fn agree(&self, connection: &mut Connection) -> Result<(), Trouble> {
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(self.mechanism()));
        let answer = connection.call(&request, 1).await?;
        match answer.error_code.err() {
            None => Ok(()),
            Some(ResponseError::UnsupportedSaslMechanism) => {
                let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
                Err(Trouble::WrongMechanism { mechanism: self.mechanism().into(), offered: offered.join(", ").into() })
            }
            // The listener wants no login at all.
            Some(ResponseError::IllegalSaslState) => Err(Trouble::LoginSetup {
                reason: "the listener takes no login: set security.protocol to PLAINTEXT or SSL".into(),
            }),
            Some(code) => Err(Trouble::of_answer(code)),
        }
    }

    async fn scram(self: &Arc<Self>, connection: &mut Connection) -> Result<(), Trouble> {
        let mut random = [0; 24];
        rand_bytes(&mut random).map_err(|error| Trouble::LoginSetup { reason: error.to_string().into() })?;
        let nonce = encode_block(&random);
        let Some(first) = self.exchange(&nonce).map(|exchange| exchange.first()) else { return Ok(()) };
        let challenge = self.text(self.send(connection, first).await?)?;
        let login = Arc::clone(self);
        // The answer costs milliseconds by design: too long for an async thread.
        let answered =
            tokio::task::spawn_blocking(move || login.exchange(&nonce).map(|exchange| exchange.answer(&challenge)));
        let last = match answered.await {
            Ok(Some(Ok(last))) => last,
            Ok(Some(Err(reason))) => return Err(self.wrong(reason)),
            Ok(None) => return Ok(()),
            Err(error) => return Err(Trouble::LoginSetup { reason: error.to_string().into() }),
        };
        let verdict = self.text(self.send(connection, last.message.clone()).await?)?;
        last.check(&verdict).map_err(|reason| self.wrong(reason))
    }

    fn exchange<'a>(&'a self, nonce: &'a str) -> Option<Exchange<'a>> {
        match self {
            Self::Scram { hash, user, password } => Some(Exchange::new(*hash, user, password, nonce)),
            Self::Plain { .. } | Self::Token(_) => None,
        }
    }

    async fn send(&self, connection: &mut Connection, message: String) -> Result<Bytes, Trouble> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message));
        let answer = connection.call(&request, 2).await?;
        match answer.error_code.err() {
            None => Ok(answer.auth_bytes),
            Some(ResponseError::SaslAuthenticationFailed) => {
                Err(self.wrong(answer.error_message.as_deref().unwrap_or("the broker gives no reason")))
            }
            Some(code) => Err(Trouble::of_answer(code)),
        }
    }

    fn text(&self, bytes: Bytes) -> Result<String, Trouble> {
        String::from_utf8(bytes.into()).map_err(|_| self.wrong("the broker's message is not text"))
    }

    fn wrong(&self, reason: impl AsRef<str>) -> Trouble {
        Trouble::WrongLogin { mechanism: self.mechanism().into(), reason: reason.as_ref().into() }
    }
}
