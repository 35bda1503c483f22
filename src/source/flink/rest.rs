//! One GET to a Flink cluster, by whichever way leads there, within the budget of requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::decode;
use super::route::{Routes, fill};
use crate::model::interest::JobInterest;
use crate::settings::FlinkSettings;
use crate::source::kube::Cluster;
use crate::source::kube::raw::Answer;
use crate::source::kube::trouble::{Trouble, cut};

/// Requests under way at once, all jobs of an environment together.
const BUDGET: usize = 8;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a job could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Miss {
    /// There is none.
    #[error("there is no such job")]
    NotFound,
    /// We may not ask.
    #[error("{0}")]
    Forbidden(Arc<str>),
    /// It did not work.
    #[error("{0}")]
    Failed(Arc<str>),
}

/// The way to all Flink clusters of an environment.
#[derive(Debug)]
pub struct Rest {
    cluster: Cluster,
    routes: Routes,
    budget: Semaphore,
    /// A client and a URL template, if the settings have one.
    direct: Option<(reqwest::Client, String)>,
}

/// The way to one Flink cluster.
#[derive(Clone, Debug)]
pub struct Base(String);

impl Rest {
    /// The ways of an environment.
    ///
    /// # Errors
    /// When the settings' template needs a client that cannot be made.
    pub fn new(cluster: Cluster, settings: &FlinkSettings) -> Result<Self, reqwest::Error> {
        let direct = match settings.url.clone() {
            Some(template) => Some((reqwest::Client::builder().timeout(PATIENCE).build()?, template)),
            None => None,
        };
        Ok(Self { cluster, routes: Routes::default(), budget: Semaphore::new(BUDGET), direct })
    }

    /// Asks the first path of a job and finds the way to its cluster while doing so.
    ///
    /// # Errors
    /// When there is no way, or no job at its end.
    pub async fn first(&self, job: &JobInterest, path: &str) -> Result<(Base, String), Miss> {
        if let Some((_, template)) = &self.direct {
            let base = Base(fill(template, job));
            let answer = self.ask(&base, path).await?;
            return Ok((base, understood(answer)?));
        }
        let candidates = self.routes.candidates(&self.cluster, job).await.map_err(Miss::from)?;
        let mut miss = Miss::NotFound;
        let mut last = String::new();
        for candidate in candidates {
            match self.try_route(job, &candidate, path).await {
                Ok(found) => return Ok(found),
                Err(why) => miss = why,
            }
            last = candidate;
        }
        self.routes.forget(job);
        if matches!(miss, Miss::Forbidden(_)) {
            return Err(miss);
        }
        match self.routes.second_thoughts(&self.cluster, job, &last).await {
            Some(other) => self.try_route(job, &other, path).await,
            None => Err(miss),
        }
    }

    async fn try_route(&self, job: &JobInterest, route: &str, path: &str) -> Result<(Base, String), Miss> {
        let base = Base(route.to_owned());
        let answer = self.ask(&base, path).await?;
        let reached = answer.is_success() || !decode::is_kubernetes_status(&answer.text);
        let text = understood(answer)?;
        if reached {
            self.routes.remember(job, route);
        }
        Ok((base, text))
    }

    /// Why we may not ask a job's cluster for an action; nothing when we may, or when an address from the settings
    /// leads there, which no right of Kubernetes guards.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn refusal(&self, job: &JobInterest) -> Result<Option<Arc<str>>, Trouble> {
        if self.direct.is_some() {
            return Ok(None);
        }
        let candidates = self.routes.candidates(&self.cluster, job).await?;
        let service = candidates.first().and_then(|path| path.strip_suffix("/proxy")?.rsplit('/').next());
        // The answer is a GET, the request itself a POST.
        for verb in ["create", "get"] {
            let service = service.unwrap_or_default();
            let refused = self.cluster.may_reach(verb, service, &job.processor.namespace).await?;
            if let Some(reason) = refused {
                return Ok(Some(format!("you may not {verb} services/proxy ({service}): {reason}").into()));
            }
        }
        Ok(None)
    }

    /// Asks a further path of a cluster.
    ///
    /// # Errors
    /// When no answer came, or one with an error code.
    pub async fn get(&self, base: &Base, path: &str) -> Result<String, Miss> {
        understood(self.ask(base, path).await?)
    }

    /// Asks a cluster for an action.
    ///
    /// # Errors
    /// When no answer came, or one with an error code.
    pub async fn post(&self, base: &Base, path: &str, body: &serde_json::Value) -> Result<String, Miss> {
        let address = format!("{}{path}", base.0);
        if let Some((client, _)) = &self.direct {
            let request = client.post(address).header("content-type", "application/json").body(body.to_string());
            return understood(answered(request.send().await).await?);
        }
        let content = Some(("application/json", body));
        understood(self.cluster.ask(http::Method::POST, &address, content).await.map_err(Miss::from)?)
    }

    async fn ask(&self, base: &Base, path: &str) -> Result<Answer, Miss> {
        let _permit = self.budget.acquire().await.map_err(|_| Miss::Failed("the console is ending".into()))?;
        let address = format!("{}{path}", base.0);
        let answer = async {
            match &self.direct {
                Some((client, _)) => fetch(client, &address).await,
                None => self.cluster.get(&address).await.map_err(Miss::from),
            }
        };
        let late = || Miss::Failed(format!("no answer within {} s", PATIENCE.as_secs()).into());
        timeout(PATIENCE, answer).await.map_err(|_| late())?
    }
}

async fn fetch(client: &reqwest::Client, address: &str) -> Result<Answer, Miss> {
    answered(client.get(address).send().await).await
}

async fn answered(response: Result<reqwest::Response, reqwest::Error>) -> Result<Answer, Miss> {
    let failed = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let what = if error.is_connect() { "cannot connect: " } else { "" };
        Miss::Failed(cut(&format!("{what}{}", cause.to_string().split(" (os error").next().unwrap_or_default())))
    };
    let response = response.map_err(failed)?;
    let code = response.status().as_u16();
    Ok(Answer { code, text: response.text().await.map_err(failed)? })
}

/// An answer with an error code becomes the reason in it.
fn understood(answer: Answer) -> Result<String, Miss> {
    if answer.is_success() {
        return Ok(answer.text);
    }
    let words = decode::error_line(&answer.text).unwrap_or_else(|| format!("the answer is {}", answer.code).into());
    Err(match answer.code {
        401 | 403 => Miss::Forbidden(words),
        404 => Miss::NotFound,
        _ => Miss::Failed(words),
    })
}

impl From<Trouble> for Miss {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Forbidden(words) | Trouble::Unauthorized(words) => Self::Forbidden(words),
            Trouble::Absent(_) => Self::NotFound,
            other => Self::Failed(other.words()),
        }
    }
}
