//! The HTTP client of one cluster, made when it is first needed and made again when the server does not
//! know us any more.
//!
//! A login helper (`exec` in the kubeconfig) may take seconds and use the network, so connecting must not
//! wait for it. And a token that the user renewed in the meantime, by hand or by a helper, is found
//! again only by reading the kubeconfig again. So the client that the rest of the program holds is a
//! door: behind it the real one is built on the first request, and after each `401` once more.
//! It must not build more often than [`REST`] allows: helpers may open browsers.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{AuthError, Body, ConfigExt};
use kube::{Client, Config};
use tokio::sync::Mutex as AsyncMutex;
use tower::{BoxError, Service, ServiceBuilder};

use super::trouble::{Trouble, cut};

/// Shortest time between two builds of the same client.
const REST: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is tested after this time, then at each interval; after three unanswered tests it
/// is dead. Together this notices a dead peer within half a minute.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(12), Duration::from_secs(4), 3);

/// Reads the configuration: again for each build. An error is a sentence.
pub type Recipe = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// A client that keeps its settings fresh.
#[must_use]
pub fn client(recipe: Recipe, default_namespace: &str) -> Client {
    Client::new(
        Door(Arc::new(Room { recipe, built: AsyncMutex::default(), stale: Mutex::default() })),
        default_namespace,
    )
}

#[derive(Clone)]
struct Door(Arc<Room>);

struct Room {
    recipe: Recipe,
    /// What the last build gave, and when. A failure is kept too, so that ten watches do not start a
    /// broken login helper ten times.
    built: AsyncMutex<Option<(Result<Client, Arc<str>>, Instant)>>,
    /// The build that the server refused.
    stale: Mutex<Option<Instant>>,
}

impl Room {
    async fn current(self: &Arc<Self>) -> Result<(Client, Instant), BoxError> {
        // A caller that gives up must not stop a login that somebody may be typing a code for: the next caller would
        // begin another one beside it.
        let room = self.clone();
        let kept = tokio::spawn(async move {
            let mut built = room.built.lock().await;
            if !built.as_ref().is_some_and(|(client, at)| room.serves(client, *at)) {
                *built = Some((room.build().await, Instant::now()));
            }
            built.clone()
        });
        let Some((client, at)) = kept.await? else { return Err("there is no client".into()) };
        let client = client.map_err(|words| kube::Error::Auth(AuthError::AuthExec(words.to_string())))?;
        Ok((client, at))
    }

    fn serves(&self, client: &Result<Client, Arc<str>>, at: Instant) -> bool {
        let stale = *self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        at.elapsed() < REST || (client.is_ok() && stale != Some(at))
    }

    /// Login helpers are run by blocking code inside kube.
    async fn build(&self) -> Result<Client, Arc<str>> {
        let recipe = self.recipe.clone();
        let built = tokio::task::spawn_blocking(move || {
            let config = recipe().map_err(|words| cut(&words))?;
            build(config).map_err(|error| Trouble::from(&error).words())
        });
        built.await.unwrap_or_else(|error| Err(cut(&error.to_string())))
    }
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let room = self.0.clone();
        Box::pin(async move {
            let (client, at) = room.current().await?;
            let response = client.send(request).await?;
            if response.status() == StatusCode::UNAUTHORIZED {
                *room.stale.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
            }
            Ok(response)
        })
    }
}

/// Puts a client together as kube does, but with TCP keepalive, and without its silent retries: those
/// would hide from the link state that the server is not well.
fn build(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    if config.proxy_url.is_some() {
        return Client::try_from(config);
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(KEEPALIVE.0));
    connector.set_keepalive_interval(Some(KEEPALIVE.1));
    connector.set_keepalive_retries(Some(KEEPALIVE.2));
    let connector = config.openssl_https_connector_with_connector(connector)?;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector));
    Ok(Client::new(service, config.default_namespace))
}
