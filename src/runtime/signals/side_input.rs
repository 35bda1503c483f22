//! The side input of a spec at work: overrides that are fetched while events are counted.
//!
//! Why the first fetch is waited for: a swimlane is told while events are counted, and the first windows would have none.
//! But only so long: signals without overrides are better than none.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::engine::Spec;
use crate::model::document::Fetch;
use crate::settings::ObjectSettings;
use crate::source::side_input::{self, Fetcher, LocationError};

/// So long the first fetch is waited for.
const FIRST: Duration = Duration::from_secs(5);

/// Fetches of a spec's overrides; none, when it names no place.
#[derive(Debug, Default)]
pub struct SideInput(Option<(Arc<str>, mpsc::Receiver<Fetch>)>);

impl SideInput {
    /// Begins to fetch. Where the spec does not say it, a bucket is where those of the environment are.
    ///
    /// # Errors
    ///
    /// When the place cannot be.
    pub fn start(
        spec: &Spec,
        objects: Option<&ObjectSettings>,
        cancel: &CancellationToken,
    ) -> Result<Self, LocationError> {
        let Some(place) = &spec.overrides else { return Ok(Self(None)) };
        let refresh = Duration::from_millis(place.refresh.millis().unsigned_abs());
        let fetcher = Fetcher::new(&side_input::Settings {
            location: place.location.clone(),
            refresh,
            endpoint: place.endpoint.clone().or_else(|| objects.and_then(|objects| objects.endpoint.clone())),
            region: place.region.clone().or_else(|| objects.and_then(|objects| objects.region.clone())),
        })?;
        let location = fetcher.location();
        let (news, incoming) = mpsc::channel(1);
        tokio::spawn(side_input::run(fetcher, refresh, news, cancel.clone()));
        Ok(Self(Some((location, incoming))))
    }

    /// The place as people may see it.
    #[must_use]
    pub fn location(&self) -> Option<Arc<str>> {
        self.0.as_ref().map(|(location, _)| location.clone())
    }

    /// The first fetch, if it comes soon.
    pub async fn first(&mut self) -> Option<Fetch> {
        let (_, fetches) = self.0.as_mut()?;
        timeout(FIRST, fetches.recv()).await.ok().flatten()
    }

    /// The next fetch; never, when nothing is fetched.
    pub async fn next(&mut self) -> Fetch {
        let next = match &mut self.0 {
            Some((_, fetches)) => fetches.recv().await,
            None => None,
        };
        match next {
            Some(fetch) => fetch,
            None => std::future::pending().await,
        }
    }
}
