//! The Kubernetes API of one demo cluster, as far as a console of Flink pipelines talks to it.
//!
//! Requests are authenticated, authorized and answered as a real server does it: the same paths, the same `Status`
//! sentences, the same watch protocol. What the cluster *is* lives in [`crate::demo::world`]; this module only shows
//! its [`store::Store`] and forwards what is not stored (logs, metrics, the proxy to Flink).

pub(crate) mod access;
mod discovery;
pub(crate) mod fields;
mod log;
mod metrics;
mod patch;
mod proxy;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod resources;
mod review;
pub(crate) mod selector;
pub(crate) mod status;
pub(crate) mod store;
mod validate;
mod watch;
pub(crate) mod write;

use std::sync::Arc;

use ::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;

use self::access::{Tokens, User};
pub(crate) use self::patch::merge as merge_patch;
use self::read::View;
use self::request::{Query, Target};
use self::resources::POD_METRICS;
use self::status::Refusal;
use self::write::Writing;
use crate::demo::environment::Environment;
use crate::demo::http::{self, Reply, Serve};

/// The API server of one environment.
pub(crate) struct ApiServer {
    pub(crate) environment: Arc<Environment>,
    pub(crate) tokens: Tokens,
}

/// A request, read to its end.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Query,
    /// The query as it was sent, for whoever is behind a proxy.
    pub(crate) raw_query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Serve for ApiServer {
    fn serve(self: Arc<Self>, request: Request<Incoming>) -> BoxFuture<'static, Reply> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let Some(body) = http::read(body).await else {
                return Refusal::bad_request("the request body cannot be read").reply();
            };
            let call = Call {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: Query::parse(head.uri.query()),
                raw_query: head.uri.query().map(str::to_owned),
                headers: head.headers,
                body,
            };
            self.answer(&call).unwrap_or_else(|refusal| refusal.reply())
        })
    }
}

impl ApiServer {
    fn answer(&self, call: &Call) -> Result<Reply, Refusal> {
        let authorization = Some(call.header(header::AUTHORIZATION)).filter(|value| !value.is_empty());
        if call.path == "/version" || call.path.ends_with("yz") || call.path.starts_with("/readyz/") {
            return discovery::answer(&call.path).ok_or_else(Refusal::no_such_path);
        }
        let user = self.tokens.user(authorization).ok_or_else(Refusal::unauthorized)?;
        if call.method == Method::GET
            && let Some(reply) = discovery::answer(&call.path)
        {
            return Ok(reply);
        }
        if call.method == Method::POST && review::is_asked(&call.path) {
            let body = write::parse(&call.body)?;
            return review::answer(&call.path, user, &body).unwrap_or_else(|| Err(Refusal::no_such_path()));
        }
        let target = request::target(&call.path).ok_or_else(Refusal::no_such_path)?;
        authorize(user, &target, call)?;
        self.dispatch(&target, call)
    }

    fn dispatch(&self, target: &Target, call: &Call) -> Result<Reply, Refusal> {
        let environment = &self.environment;
        let store = &environment.store;
        if target.resource.is(&POD_METRICS) {
            return metrics::answer(environment, target, &call.query);
        }
        let agent = call.header(header::USER_AGENT).split('/').next().filter(|agent| !agent.is_empty());
        let writing = Writing { store, target, query: &call.query, agent: agent.unwrap_or("unknown") };
        match target.subresource.as_deref() {
            Some("proxy") => return proxy::forward(environment, target, call),
            Some("log") => return log::answer(environment, target, &call.query),
            Some("eviction") => return writing.delete(),
            Some("scale") if call.method == Method::GET => return writing.scale(),
            Some(subresource) if !target.resource.subresources.contains(&subresource) => {
                return Err(Refusal::no_such_path());
            }
            _ => {}
        }
        let view = View::of(target.resource, call.header(header::ACCEPT));
        match (call.method.as_str(), target.name.is_some()) {
            ("GET" | "HEAD", _) if call.query.is_set("watch") => watch::watch(environment, target, &call.query, view),
            ("GET" | "HEAD", true) => read::get(store, target, view),
            ("GET" | "HEAD", false) => read::list(store, target, &call.query, view),
            ("POST", false) => writing.create(write::parse(&call.body)?),
            (_, true) => writing.change(&call.method, call.header(header::CONTENT_TYPE), &call.body),
            _ => Err(Refusal::not_allowed()),
        }
    }
}

fn authorize(user: User, target: &Target, call: &Call) -> Result<(), Refusal> {
    let wish = target.attributes(&call.method, &call.query);
    if user.may(&wish) { Ok(()) } else { Err(user.refusal(&wish, target.resource)) }
}
